"""The fixed geography of what the public sees, and the counts of a quarter on it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.network import Positions
from gis.tiling import Tiling
from layers.codes import LEVEL_ZH, LEVELS, Level, parent_of
from planner.areas_around import areas_of
from planner.coverage_inputs import CoverageInputs
from planner.coverage_notes import note_table
from planner.hotspots.cells import cells_of
from planner.hotspots.ground import LIXEL_M
from planner.hotspots.lixels import lixels_of
from planner.hotspots.records import HotspotRecords
from planner.hotspots.release import LEAST_PEOPLE, Released, ReleaseQuestion
from planner.hotspots.release_audit import narrowest_range
from planner.hotspots.release_budget import LedgerRow
from planner.hotspots.release_counts import bounded_counts, counted_days, quarter_start
from planner.hotspots.release_geography import Geography
from planner.notes import Note
from planner.watch import Watch

Ints = NDArray[np.int64]
Codes = NDArray[np.object_]
AREA, AREAS = "area", ("subdistrict", "community")
#: Tiers above the cells, finest first; a city without areas is one whole.
ABOVE = ("subdistrict", "district", "city")
CELLS, WHOLE = "cells", "whole"


def geography_of(city: CoverageInputs, cells: str, size_m: float) -> Geography:
    """Return the cells of all releases and the areas they add up to, from the map alone.

    cells : "hexagon" or "square", ``size_m`` wide, each with a street; or "subdistrict" or "community". A cell
    belongs to the subdistrict that holds most of its street metres, an area to its parent by code.
    Raises QuestionError where there is nothing to count in.
    """
    if cells in AREAS:
        return _of_areas(city, cells)
    network = city.network
    lixels = lixels_of(network, LIXEL_M)
    nothing = np.empty(0)
    every = np.ones(network.n_segments, bool)
    made = cells_of(network, lixels, every, Tiling(cells, size_m), nothing, nothing)
    middle = Positions(lixels.segment, (lixels.from_m + lixels.to_m) / 2, np.zeros(len(lixels)))
    around = areas_of(city.pieces, middle)
    ids = tuple(cell_id(c, r) for c, r in zip(made.column, made.row, strict=True))
    tiers = {tier.level: tier.code for tier in city.tiers if tier.level in ABOVE}
    first = next((level for level in ABOVE if level in tiers), None)
    if first is None:
        return Geography(cells, size_m, (CELLS, WHOLE), (ids, ("city",)), (np.zeros(len(ids), np.int64),))
    area = _mostly(made.lixel_cell, around[first], lixels.length_m, len(made), len(tiers[first]))
    inside = area >= 0  # streets run on beyond the city
    kept = tuple(one for one, here in zip(ids, inside, strict=True) if here)
    if not kept:
        raise QuestionError("没有一个格子在辖区之内", "no cell lies within an area")
    return _above(cells, size_m, (CELLS, kept), area[inside], first, tiers)


def _mostly(cell: Ints, area: NDArray[np.int32], metres: NDArray[np.float64], cells: int, areas: int) -> Ints:
    """Return (cells,) the area with most metres of each cell's street, -1 for none; the lowest where equal."""
    known = (cell >= 0) & (area >= 0)
    table = pd.DataFrame({"cell": cell[known], "area": area[known], "metres": metres[known]})
    most = table.groupby(["cell", "area"])["metres"].sum().reset_index()
    most = most.sort_values(["cell", "metres", "area"], ascending=[True, False, True]).drop_duplicates("cell")
    found = np.full(cells, -1, np.int64)
    found[most["cell"]] = most["area"]
    return found


def _of_areas(city: CoverageInputs, first: str) -> Geography:
    tiers = {tier.level: tier.code for tier in city.tiers if tier.level in LEVELS}
    if first not in tiers:
        raise QuestionError(f"没有{LEVEL_ZH[Level(first)]}边界", f"no areas of the tier {first} are imported")
    above = {level: codes for level, codes in tiers.items() if LEVELS.index(Level(level)) < LEVELS.index(Level(first))}
    next_up = next((level for level in ABOVE if level in above), None)
    if next_up is None:
        return Geography(AREA, 0.0, (first,), (tuple(map(str, tiers[first])),))
    return _above(
        AREA, 0.0, (first, tuple(map(str, tiers[first]))), _parents(tiers[first], above[next_up]), next_up, above
    )


def _above(
    kind: str, size_m: float, finest: tuple[str, tuple[str, ...]], area: Ints, first: str, tiers: dict[str, Codes]
) -> Geography:
    """Return a geography whose finest tier lies in the areas of tier ``first``, at positions ``area``."""
    names, ids, parents = [finest[0]], [finest[1]], []
    level, up = first, area
    while True:
        used, up = np.unique(up, return_inverse=True)
        codes = tiers[level][used]
        names.append(level)
        ids.append(tuple(map(str, codes)))
        parents.append(up.astype(np.int64))
        higher = next((one for one in ABOVE[ABOVE.index(level) + 1 :] if one in tiers), None)
        if higher is None:
            return Geography(kind, size_m, tuple(names), tuple(ids), tuple(parents))
        level, up = higher, _parents(codes, tiers[higher])


def _parents(codes: Codes, above: Codes) -> Ints:
    """Return the position of each area's parent among the codes ``above``. Raises QuestionError where one is absent."""
    position = {str(code): i for i, code in enumerate(above)}
    found = []
    for code in codes:
        up = parent_of(str(code))
        while up is not None and up not in position:
            up = parent_of(up)
        if up is None:
            raise QuestionError(f"辖区 {code} 的上级不在已导入的数据中", f"the parent of area {code} is not imported")
        found.append(position[up])
    return np.array(found, np.int64)


def cell_id(column: int, row: int) -> str:
    """Return the name of a cell."""
    return f"{column}:{row}"


def geography_table(geography: Geography) -> pd.DataFrame:
    """Return a geography as a table (kind, size_m, tier, id, parent), which ``geography_from`` reads."""
    rows = []
    for t, (tier, ids) in enumerate(zip(geography.tiers, geography.ids, strict=True)):
        parents = geography.parents[t] if t < len(geography.parents) else np.full(len(ids), -1)
        rows += [(geography.kind, geography.size_m, tier, one, int(up)) for one, up in zip(ids, parents, strict=True)]
    return pd.DataFrame(rows, columns=["kind", "size_m", "tier", "id", "parent"])


def geography_from(table: pd.DataFrame) -> Geography:
    """Return the geography that ``geography_table`` wrote."""
    tiers = tuple(dict.fromkeys(table["tier"]))
    parts = [table[table["tier"] == tier] for tier in tiers]
    parents = tuple(part["parent"].to_numpy(np.int64) for part in parts[:-1])
    return Geography(
        str(table["kind"].iloc[0]), float(table["size_m"].iloc[0]), tiers, tuple(tuple(part["id"]) for part in parts),
        parents,
    )  # fmt: skip


def kind_of(geography: Geography) -> str:
    """Return what ``geography_of`` was asked for: "hexagon", "square", "subdistrict" or "community"."""
    return geography.tiers[0] if geography.kind == AREA else geography.kind


def geography_text(geography: Geography) -> str:
    """Return a geography in short: "hexagon 500 m", "subdistrict"."""
    return kind_of(geography) + (f" {geography.size_m:g} m" if geography.size_m else "")


def placed_in(records: HotspotRecords, geography: Geography) -> Ints:
    """Return (k,) the cell of the finest tier around each report, -1 outside all."""
    position = {one: i for i, one in enumerate(geography.ids[0])}
    if geography.kind == AREA:
        level = geography.tiers[0]
        codes = next((tier.code for tier in records.city.tiers if tier.level == level), np.empty(0, object))
        of = records.city.reports.area.get(level, np.full(len(records.reports), -1))
        return np.array([position.get(str(codes[i]), -1) if i >= 0 else -1 for i in of], np.int64)
    column, row = Tiling(geography.kind, geography.size_m).cell_of(records.x, records.y)
    return np.array([position.get(cell_id(c, r), -1) for c, r in zip(column, row, strict=True)], np.int64)


def hold_span(records: HotspotRecords, question: ReleaseQuestion) -> None:
    """Raise QuestionError where no report is from the quarter or around it: then it is not known yet, or mistyped."""
    first, after = (quarter_start(question.year, question.quarter + k) for k in (0, 1))
    found = pd.to_datetime(records.reports["found_at"])
    if not len(found) or found.max().date() < first or found.min().date() >= after:
        quarter = f"{question.year}Q{question.quarter}"
        raise QuestionError(f"没有 {quarter} 的发现报告，未发布", f"there are no reports of {quarter}: not published")


def alike(row: LedgerRow, question: ReleaseQuestion) -> bool:
    """Tell whether an earlier publication was protected in the same way: by noise, or by hiding alone."""
    return (row.epsilon is not None) == (question.protection == "noise")


def hold_secret(geography: Geography, tables: Sequence[pd.DataFrame], question: ReleaseQuestion) -> None:
    """Raise QuestionError if the tables together would tell a hidden number, or nearly so."""
    private = question.protection == "noise"
    narrowest = narrowest_range(geography, tables, Watch(), step=question.step, noise=private)
    if narrowest < (np.inf if private else 2.0 * question.least):
        raise QuestionError("由发布的数字可推算出隐藏者，未发布", "what is hidden could be worked out: not published")


def quarter_counts(
    records: HotspotRecords, geography: Geography, question: ReleaseQuestion, counted: int | None
) -> Ints:
    """Return (n_cells,) people in each cell of the finest tier; counted : days of the quarter that count, None for all.

    Of each cell and day the largest group counts, so that one person reported twice that day counts once.
    Raises QuestionError where more days count than one person may.
    """
    first, after = (quarter_start(question.year, question.quarter + k) for k in (0, 1))
    days = (after - first).days if counted is None else counted
    most = question.counts_per_person
    if counted is not None and counted > most:
        raise QuestionError(f"每人至多计 {most} 次，不能计 {counted} 天",
                            f"{counted} days are too many where one person may count {most} times")  # fmt: skip
    when = pd.to_datetime(records.reports["found_at"]).to_numpy("datetime64[D]")
    people = records.reports["people"].to_numpy(np.int64)
    which = counted_days(question.year, question.quarter, days)
    return bounded_counts(placed_in(records, geography), when, people, which, geography.n_cells)


def release_tables(
    found: Released, geography: Geography, records: HotspotRecords, counted: int | None
) -> dict[str, pd.DataFrame]:
    """Return what is kept of a publication: "published", word for word; "cells" to draw it; "ledger"; "geography".

    "cells" : unit, column, row (of cells), name, level, reports (missing where hidden), margin, withheld ("few" where
    hidden). "summary" : one row. "notes" : what a reader must know.
    """
    table, row = found.table, found.row
    places = [one.split(":") if ":" in one else ("0", "0") for one in table["id"]]
    pairs = [pair for tier in records.city.tiers for pair in zip(tier.code, tier.name, strict=True)]
    names = {str(code): str(name) for code, name in pairs}
    cells = pd.DataFrame({
        "unit": table["id"], "column": [int(c) for c, _ in places], "row": [int(r) for _, r in places],
        "name": [names.get(one, "") for one in table["id"]], "level": table["tier"],
        "reports": table["people"].astype("float64"), "margin": table["margin"].astype("float64"),
        "withheld": np.where(table["suppressed"], "few", ""),
    })  # fmt: skip
    hidden = int(table["suppressed"].sum())
    summary = pd.DataFrame({
        "quarter": [f"{row.year}Q{row.quarter}"], "epsilon": [np.nan if row.epsilon is None else float(row.epsilon)],
        "least": [LEAST_PEOPLE], "geography": [geography_text(geography)], "cells": [kind_of(geography)],
        "cell_m": [geography.size_m], "published": [row.created], "shown": [len(table) - hidden], "withheld": [hidden],
        "counted_days": [-1 if counted is None else counted], "counts_per_person": [row.counts_per_person],
        "crs": [records.city.network.crs],
    })  # fmt: skip
    return {
        "published": table.astype({"people": "Int64", "margin": "Int64"}), "cells": cells, "summary": summary,
        "ledger": pd.DataFrame([row.record()]), "geography": geography_table(geography),
        "notes": note_table(_told(row, counted)),
    }  # fmt: skip


def _told(row: LedgerRow, counted: int | None) -> list[Note]:
    """Say what the numbers are, and what protects whom."""
    yes, times = row.epsilon is not None, row.counts_per_person
    noise_zh = f"已加随机噪声，本季度每人 ε = {row.epsilon}" if yes else "未加噪声，只作隐藏与取整"
    noise = f"random noise was added, epsilon {row.epsilon} a person" if yes else "no noise was added, only thresholds"
    bound_zh = f"每季度只计日历上固定的 {counted} 天，故每人至多计 {times} 次"
    bound = f"only {counted} days fixed by the calendar count, so nobody counts more than {times} times"
    if counted is None:
        bound_zh = f"假定每人一季度至多被报告 {times} 次，超过者保护按比例减弱"
        bound = f"nobody is taken to be reported more than {times} times a quarter; who is, is protected less"
    return [
        Note("least", f"少于 {LEAST_PEOPLE} 人者不公布，数字取整", f"none under {LEAST_PEOPLE}; numbers are rounded"),
        Note("noise", noise_zh, noise),
        Note("bound", bound_zh, bound),
    ]
