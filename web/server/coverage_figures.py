"""The figures of a coverage run as pages show them: one row an area, at one threshold and, where asked, one hour."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from layers.run import Run
from web.drawing import parts_of, share_class, share_labels
from web.server.coverage_asked import SHOWN_LEVELS, Asked
from web.server.language import _

_BY = {"people": ("people", "covered_people"), "street": ("street_m", "covered_street_m")}


def levels_of(run: Run) -> list[str]:
    """Return the tiers a run has areas of, finest first."""
    present = set(run.tables["areas"]["level"])
    return [level for level in SHOWN_LEVELS if level in present]


def level_of_view(run: Run, asked: Asked) -> str:
    """Return the tier shown: the one asked for where the run has it, else subdistricts, or the coarsest there is."""
    levels = levels_of(run)
    return next((level for level in (asked.level, "subdistrict", *reversed(levels)) if level in levels), "")


def measure_of(run: Run, asked: Asked) -> str:
    """Return what is counted: people, or streets where nobody is known to live anywhere."""
    return asked.measure if float(run.tables["areas"]["people"].sum()) > 0 else "street"


def has_hours(run: Run) -> bool:
    """Tell whether a run knows every hour; those of earlier versions do not."""
    return "clock" in run.tables and len(run.tables["clock"]) > 0


def area_rows(run: Run, asked: Asked) -> pd.DataFrame:
    """Return the areas of the tier shown, in the order asked for.

    Columns code, name, people, street_m, covered_people, covered_street_m, share (NaN where there is nobody), grade
    (position in ``web.drawing.SHARE_COLOURS``, -1), gap_m (the longest gap, NaN for none).
    """
    table = run.tables["areas"]
    table = table[table["level"] == level_of_view(run, asked)].set_index("code")
    t = asked.threshold_s
    columns = {f"covered_{what}_{t}": f"covered_{what}" for what in ("people", "street_m")}
    covered = table if asked.hour is None or not has_hours(run) else _at_hour(run, asked).reindex(table.index)
    made = table[["name", "people", "street_m"]].join(covered[list(columns)].rename(columns=columns))
    gaps = run.tables["gaps"]
    if len(gaps):
        made["gap_m"] = gaps[gaps["rank"] == 1].drop_duplicates("code").set_index("code")["gap_m"].reindex(made.index)
    else:
        made["gap_m"] = np.nan
    whole, part = _BY[measure_of(run, asked)]
    made["share"] = parts_of(made[part], made[whole]).clip(max=1.0)
    made["grade"] = share_class(made["share"].to_numpy(float))
    return _sorted(made.reset_index(), asked, part)


def _at_hour(run: Run, asked: Asked) -> pd.DataFrame:
    hours, clock = run.tables["area_hours"], run.tables["clock"]
    return hours[hours["open_set"] == clock["open_set"].iloc[asked.hour or 0]].set_index("code")


def _sorted(rows: pd.DataFrame, asked: Asked, covered: str) -> pd.DataFrame:
    key = {"covered": covered, "street": "street_m", "gap": "gap_m"}.get(asked.sort.removeprefix("-"))
    key = key or asked.sort.removeprefix("-")
    rows = rows.sort_values("code", kind="stable")
    return rows.sort_values(key, ascending=not asked.sort.startswith("-"), kind="stable", ignore_index=True)


def sums(rows: pd.DataFrame) -> Mapping[str, float]:
    """Return people, street metres and what of them is covered over all rows."""
    return {n: float(rows[n].sum()) for n in ("people", "street_m", "covered_people", "covered_street_m")}


def gaps_of(gaps: pd.DataFrame, area: str) -> list[dict[str, Any]]:
    """Return an area's longest gaps of the table "gaps", those along which most people live first."""
    if not len(gaps):
        return []
    found = gaps[gaps["code"] == area]
    found = found.assign(people=found.get("people", np.nan))
    ordered = found.sort_values(["people", "gap_m"], ascending=False, kind="stable")
    return [{str(key): value for key, value in row.items()} for row in ordered.to_dict("records")]


def hours_for_script(run: Run, asked: Asked) -> dict[str, Any]:
    """Return what the clock needs: the set of points open at each hour, and what each area has covered by set.

    whole : code -> people or street metres. base : code -> what is covered when opening hours are left aside.
    sets : for each set, code -> what is covered.
    """
    rows = area_rows(run, replace(asked, hour=None))
    whole, part = _BY[measure_of(run, asked)]
    base = {"whole": _rounded(rows, whole), "base": _rounded(rows, part), "clock": [], "sets": []}
    if not has_hours(run):
        return base
    hours = run.tables["area_hours"]
    hours = hours[hours["level"] == level_of_view(run, asked)]
    column = f"{part}_{asked.threshold_s}"
    sets = [_rounded(of, column) for _number, of in hours.groupby("open_set", sort=True)]
    return {**base, "clock": [int(n) for n in run.tables["clock"]["open_set"]], "sets": sets}


def classes() -> list[tuple[int, str]]:
    """Return (position, words) of the classes of share, and of having nobody, as the legend lists them."""
    return [*enumerate(share_labels()), (-1, _("没有人口或街面"))]


def _rounded(rows: pd.DataFrame, column: str) -> dict[str, float]:
    return dict(zip(rows["code"].astype(str), rows[column].astype(float).round(1), strict=True))
