"""How evenly the areas of each level are covered: Gini coefficients and Lorenz curves."""

import numpy as np
import pandas as pd

from planner.inequality import gini, lorenz


def inequality_tables(
    areas: pd.DataFrame, thresholds_s: tuple[int, ...], *, population_given: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (inequality, lorenz): per level of at least two areas and per threshold, the Gini and the Lorenz curve.

    areas : as from ``planner.coverage_areas.area_table``. The share of an area's people within reach is compared
    between areas weighted by their people; without a population layer, the share of its street metres.
    gini is NaN where nobody anywhere is covered.
    """
    weighed_by = "people" if population_given else "street_m"
    coefficients, curves = [], []
    for level in dict.fromkeys(areas["level"]):
        of_level = areas[areas["level"] == level]
        if len(of_level) < 2:
            continue
        weight = of_level[weighed_by].to_numpy(np.float64)
        for t in thresholds_s:
            covered = of_level[f"covered_{weighed_by}_{t}"].to_numpy(np.float64)
            share = np.divide(covered, weight, out=np.full(len(weight), np.nan), where=weight > 0)
            people, held = lorenz(share, weight)
            coefficients.append((level, t, weighed_by, gini(share, weight)))
            if level != "grid_cell":  # a curve through thousands of cells tells no more than its coefficient
                curves.append(
                    pd.DataFrame({"level": level, "threshold_s": t, "share_people": people, "share_covered": held})
                )
    inequality = pd.DataFrame(coefficients, columns=["level", "threshold_s", "weighed_by", "gini"])
    empty = pd.DataFrame({"level": [], "threshold_s": [], "share_people": [], "share_covered": []})
    return inequality, pd.concat(curves, ignore_index=True) if curves else empty
