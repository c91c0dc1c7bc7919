"""What must be patrolled: duties on segments and at points, from the records where they say, by a rule elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions, StreetNetwork
from layers.codes import AREA_DIGITS, level_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Objects = NDArray[np.object_]

#: Streets without a duty of their own: main streets three times a week, streets where people were found nightly.
MAIN_CLASSES = frozenset({"trunk", "primary", "secondary", "tertiary"})
MAIN_KMH = 40.0
TIMES_FOUND, TIMES_MAIN, TIMES_OTHER = 7, 3, 1
#: What walking a hundred metres is worth, and how much more for every report a year there (up to MOST_REPORTS).
WORTH_PER_100_M, MOST_REPORTS = 1.0, 9.0
#: Where discoveries are expected, a street is worth these over the city's mean: within these limits.
LEAST_HEAT, MOST_HEAT = 0.1, 30.0
#: A street shorter than this is worth as much as one of this length.
LEAST_M = 20.0
REPORT_DAYS = 365
USUAL_DWELL_S = 300.0
#: How long a report that comes in is looked into, how much that is worth, and how its duty is named.
REPORT_DWELL_S, REPORT_WORTH, REPORT_ID = 600.0, 10.0, "report "


@dataclass(frozen=True, slots=True, eq=False)
class Duties:
    """d duties, each on one whole segment or, where ``check``, at one point of it.

    id : (d,) unique text. name : (d,) of the street or point, "" unknown. segment : (d,) int32. offset_m, gap_m : (d,)
    where the point of a check is; 0 on segments. check : (d,) bool. both_sides : (d,) walked twice, once a side.
    priority : (d,) > 0 worth of doing it. must : (d,) bool. times_a_week : (d,) 1 to 7.
    opens_s, closes_s : (d,) seconds since midnight of the evening, ``-inf`` and ``inf`` at any hour.
    service_kmh : (d,) NaN for the usual speed. dwell_s : (d,) of a check. certificate : (d,) text, "" for none.
    """

    id: Objects
    name: Objects
    segment: NDArray[np.int32]
    offset_m: Floats
    gap_m: Floats
    check: Flags
    both_sides: Flags
    priority: Floats
    must: Flags
    times_a_week: NDArray[np.int64]
    opens_s: Floats
    closes_s: Floats
    service_kmh: Floats
    dwell_s: Floats
    certificate: Objects

    def __len__(self) -> int:
        return len(self.id)

    def take(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> "Duties":
        """Return the ``kept`` duties in order."""
        return Duties(*(getattr(self, field.name)[kept] for field in fields(self)))


def duties_of(
    network: StreetNetwork,
    walkable: Flags,
    records: pd.DataFrame,
    at: Positions,
    area_of: Mapping[str, Objects],
    found: NDArray[np.int32],
    heat: Floats | None = None,
) -> tuple[Duties, int]:
    """Return the duties of a city and how many records name a place that is not on its streets.

    walkable : (m,) segments a walker may pass. records : the layer patrol-duties; at : where its points are.
    area_of : per level, (m,) the code of the area around each segment, "" outside all.
    found : (f,) segments of the discovery reports of the last ``REPORT_DAYS`` days. heat : (m,) discoveries that a pass
    through a hundred metres of each segment is expected to make, over the city's mean; None where it is unknown, and
    the reports stand for it.

    A record of a segment outweighs one of an area, and any record the rule for streets without one.
    """
    reports = np.bincount(found[found >= 0], minlength=network.n_segments).astype(np.float64)
    rows, lost = _rows(network, walkable, records, at, area_of)
    named = np.zeros(network.n_segments, bool)
    named[[row["segment"] for row in rows if not row["check"]]] = True
    rest = np.flatnonzero(walkable & ~named & (network.length_m > 0))
    recorded = pd.DataFrame(rows, columns=[field.name for field in fields(Duties)])
    table = recorded if not len(rest) else pd.concat([recorded, _by_rule(network, rest, reports)], ignore_index=True)
    on, check = table["segment"].to_numpy(np.int32), table["check"].to_numpy(bool)
    hundreds = np.where(check, 1.0, np.maximum(network.length_m[on], LEAST_M) / 100)
    if heat is None:
        density = WORTH_PER_100_M + np.minimum(np.where(check, 0.0, reports[on] / hundreds), MOST_REPORTS)
    else:
        density = np.where(check, WORTH_PER_100_M, LEAST_HEAT + np.minimum(heat[on], MOST_HEAT))
    table["priority"] = np.maximum(table["priority"].to_numpy(np.float64), 1e-3) * density * hundreds
    kinds = {"segment": np.int32, "times_a_week": np.int64, "check": bool, "both_sides": bool, "must": bool}
    texts = {"id", "name", "certificate"}
    columns = [
        table[f.name].to_numpy(object if f.name in texts else kinds.get(f.name, np.float64)) for f in fields(Duties)
    ]
    return Duties(*columns), lost


def _rows(
    network: StreetNetwork, walkable: Flags, records: pd.DataFrame, at: Positions, area_of: Mapping[str, Objects]
) -> tuple[list[dict[str, Any]], int]:
    """Return a row for every segment and point that the records name, and how many records name none."""
    position = {int(s): i for i, s in enumerate(network.segment_id)}
    taken: dict[int, dict[str, Any]] = {}
    checks: list[dict[str, Any]] = []
    lost = 0
    areas: list[tuple[str, dict[str, Any]]] = []
    for i, record in enumerate(records.to_dict("records")):
        shared = _shared(record)
        if pd.notna(record["segment_id"]):
            s = position.get(int(record["segment_id"]))
            if s is None:
                lost += 1
                continue
            name = record["name"] or network.name[s]
            taken[s] = {**shared, "name": name, "segment": s, "offset_m": 0.0, "gap_m": 0.0, "check": False}
        elif pd.notna(record["area_code"]) and record["area_code"]:
            areas.append((str(record["area_code"]), shared))
        elif at.segment[i] >= 0:
            spot = {"segment": int(at.segment[i]), "offset_m": float(at.offset_m[i]), "gap_m": float(at.gap_m[i])}
            checks.append({**shared, "name": record["name"], **spot, "check": True, "both_sides": False})
        else:
            lost += 1
    for code, shared in areas:
        level = "grid_cell" if len(code) > AREA_DIGITS else str(level_of(code))
        inside = np.flatnonzero(walkable & (area_of[level] == code)) if level in area_of else np.empty(0, np.int64)
        lost += not len(inside)
        for s in inside.tolist():
            row = {**shared, "id": f"{shared['id']}-{network.segment_id[s]}", "name": network.name[s]}
            taken.setdefault(s, {**row, "segment": s, "offset_m": 0.0, "gap_m": 0.0, "check": False})
    return [*(taken[s] for s in sorted(taken)), *checks], lost


def _shared(record: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a record says of every place it names."""
    opens, closes = clock_s(str(record["opens"] or "")), clock_s(str(record["closes"] or ""))
    if np.isfinite(opens) and np.isfinite(closes) and closes <= opens:
        closes += 86_400.0
    dwell = record["dwell_min"]
    return {
        "id": str(record["duty_id"]),
        "both_sides": record["sides"] == "both",
        "priority": record["priority"],
        "must": bool(record["must"]),
        "times_a_week": int(record["times_a_week"]),
        "opens_s": opens if np.isfinite(opens) else -np.inf,
        "closes_s": closes if np.isfinite(closes) else np.inf,
        "service_kmh": record["service_kmh"],
        "dwell_s": USUAL_DWELL_S if pd.isna(dwell) else float(dwell) * 60.0,
        "certificate": record["certificate"] or "",
    }


def clock_s(text: str) -> float:
    """Return "21:00" as seconds since midnight, NaN where nothing is said."""
    if not text:
        return np.nan
    hours, minutes = text.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0


def _by_rule(network: StreetNetwork, on: NDArray[np.int64], reports: Floats) -> pd.DataFrame:
    """Return the duties of streets that no record names."""
    classes, kmh = network.street_class[on], network.free_kmh[on]
    main = np.isin(classes, list(MAIN_CLASSES)) | ((classes == "") & (kmh >= MAIN_KMH))
    times = np.where(reports[on] > 0, TIMES_FOUND, np.where(main, TIMES_MAIN, TIMES_OTHER))
    return pd.DataFrame({
        "id": np.array([f"S{i}" for i in network.segment_id[on]], object), "name": network.name[on], "segment": on,
        "offset_m": 0.0, "gap_m": 0.0, "check": False, "both_sides": False, "priority": 1.0, "must": False,
        "times_a_week": times, "opens_s": -np.inf, "closes_s": np.inf, "service_kmh": np.nan, "dwell_s": 0.0,
        "certificate": "",
    })  # fmt: skip


def report_duties(at: Positions, when_s: Floats) -> Duties:
    """Return a check that must be made at each place of a report, from ``when_s`` (n,) on."""
    n = len(at)
    text = np.array([f"{REPORT_ID}{i + 1}" for i in range(n)], object)
    return Duties(
        text, np.full(n, "新报告 new report", object), at.segment, at.offset_m, at.gap_m, np.ones(n, bool),
        np.zeros(n, bool), np.full(n, REPORT_WORTH), np.ones(n, bool), np.full(n, 7), when_s,
        np.full(n, np.inf), np.full(n, np.nan), np.full(n, REPORT_DWELL_S), np.full(n, "", object),
    )  # fmt: skip
