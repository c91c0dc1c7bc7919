"""What changes between two coverage runs: two versions of the records, or two scenarios."""

import numpy as np
import pandas as pd

from gis.errors import QuestionError
from layers.run import Run

COVERED = ("covered_people", "covered_street_m", "covered_reports")


def compare_coverage(before: Run, after: Run) -> dict[str, pd.DataFrame]:
    """Return what ``after`` gains (or, negative, loses) against ``before``.

    Both are runs of kind "coverage" with the same thresholds; anything else may differ. Returns tables "areas"
    (code, name, level, and of each figure its change; an area only one of them knows is told by ``present``:
    "both", "before" or "after", its figures in the other counted as zero and its times as NaN), "totals" (one row) and
    "parameters" (what was asked or read differently: name, before, after).
    Raises QuestionError on runs that cannot be compared.
    """
    for run in (before, after):
        if run.kind != "coverage":
            raise QuestionError(f"不是覆盖分析：{run.kind}", f"not a coverage run: {run.kind}")
    thresholds = before.parameters["thresholds_s"]
    if list(thresholds) != list(after.parameters["thresholds_s"]):
        raise QuestionError(
            "两次分析的时间阈值不同，无法比较", "the two runs have different time thresholds and cannot be compared"
        )

    counted = ["people", "street_m", "reports", "unreached_people"]
    counted += [f"{name}_{t}" for name in COVERED for t in thresholds]
    figures = [*counted, "mean_s", "median_s", "p95_s", "access"]
    known = ["code", "level"]
    left, right = (run.tables["areas"][["code", "name", "level", *figures]] for run in (before, after))
    both = left.merge(right, on=known, how="outer", suffixes=("_before", "_after"), indicator=True, sort=False)
    areas = both[["code"]].assign(
        name=both["name_after"].fillna(both["name_before"]),
        level=both["level"],
        present=both["_merge"].map({"both": "both", "left_only": "before", "right_only": "after"}).astype(object),
    )
    changes = {}
    for name in figures:
        pair = both[[f"{name}_before", f"{name}_after"]]
        pair = pair.fillna(0.0) if name in counted else pair
        changes[f"change_{name}"] = pair.iloc[:, 1].to_numpy(np.float64) - pair.iloc[:, 0].to_numpy(np.float64)
    totals = {f"change_{n}": after.tables["totals"][n] - before.tables["totals"][n] for n in figures}
    return {
        "areas": pd.concat([areas, pd.DataFrame(changes)], axis=1),
        "totals": pd.DataFrame(totals),
        "parameters": _differences(before, after),
    }


def _differences(before: Run, after: Run) -> pd.DataFrame:
    rows = []
    for of in ("parameters", "inputs"):
        old, new = getattr(before, of), getattr(after, of)
        rows += [(k, str(old.get(k)), str(new.get(k))) for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
    return pd.DataFrame(rows, columns=["name", "before", "after"])
