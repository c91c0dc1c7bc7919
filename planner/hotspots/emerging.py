"""Hotspots as they come and go: every cell of a space-time cube gets one class, hot, cold or none.

A step of a cell is hot where its Gi* over neighbours in space and time is significantly high, cold where it is
significantly low. The classes of hot spots, of which the first that fits applies; with hot and cold exchanged, and
falling for rising, they are those of cold spots:

| order | last step | class | when |
|---|---|---|---|
| 1 | hot | new | no other step is hot or cold |
| 2 | hot | intensifying | at least 90 % of steps are hot, and z rises significantly |
| 3 | hot | diminishing | at least 90 % of steps are hot, and z falls significantly |
| 4 | hot | persistent | at least 90 % of steps are hot |
| 5 | hot | oscillating | an earlier step is cold |
| 6 | hot | consecutive | the hot steps are one run that ends now |
| 7 | hot | sporadic | hot steps come and go: all others |
| 8 | neither | historical | at least 90 % of steps are hot |
| 9 | neither | none | all others |

So the last step decides between hot and cold: a cell hot in nine steps and cold in the tenth is an oscillating cold
spot. The names are those in common use since ArcGIS brought them (applied by Harris et al. 2017,
doi:10.1088/1748-9326/aa5a2f); the order is ours, since the usual definitions overlap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.false_discovery import benjamini_hochberg, benjamini_yekutieli
from planner.hotspots.local_statistics import normal_p, permuted_p_of_sums, standardised_sums
from planner.hotspots.mann_kendall import mann_kendall_rows
from planner.hotspots.neighbours import checked_links, neighbour_sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]

#: Class k of hot spots is CLASSES[k]; the same class of cold spots is -k.
CLASSES = (
    "none", "new", "intensifying", "diminishing", "persistent", "oscillating", "consecutive", "sporadic", "historical",
)  # fmt: skip
#: This share of steps must be hot for a spot that lasts.
LASTING = 0.9
#: How p of all cells and steps become q.
CORRECTIONS: dict[str, Callable[[Floats], Floats]] = {
    "hochberg": benjamini_hochberg,
    "yekutieli": benjamini_yekutieli,
    "none": lambda p: p,
}
#: z are compared over time to so many decimals, so that rounding is no trend.
DECIMALS = 9


@dataclass(frozen=True, slots=True, eq=False)
class EmergingCells:
    """What each of n cells over t steps is.

    kind : (n,) int8, ``CLASSES`` of hot spots above zero, of cold spots below. z, q : (n, t) Gi* and its adjusted p.
    trend_z, trend_p : (n,) Mann-Kendall of the single steps' Gi*, without what lags add.
    """

    kind: Codes
    z: Floats
    q: Floats
    trend_z: Floats
    trend_p: Floats

    def names(self) -> NDArray[np.str_]:
        """Return (n,) names: "new_hot", "historical_cold", ..., "none"."""
        side = np.where(self.kind > 0, "_hot", np.where(self.kind < 0, "_cold", ""))
        return np.char.add(np.array(CLASSES)[np.abs(self.kind)], side)


def emerging_classes(
    counts: Floats,
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    *,
    lags: int = 1,
    level: float = 0.05,
    trend_level: float = 0.05,
    correction: str = "hochberg",
    permutations: int = 0,
    seed: int = 0,
) -> EmergingCells:
    """Classify cells by how their Gi* went over time.

    counts : (n, t), finite: counts or rates of n cells in t equal steps, the last one now.
    indptr, indices : neighbours in space (``planner.hotspots.neighbours``).
    lags : a step's neighbours are the cell's and its neighbours' values in this step and in as many before it (as far
    back as there are any). Gi* compares them with all cells and steps.
    level : a step is hot or cold where q <= level; q are the p of all cells and steps adjusted by ``correction``:
    "hochberg", "yekutieli" or "none". p are two-sided, of the normal distribution, or pseudo p of ``permutations``
    shuffles over cells and steps if any are asked for; better where events are rare.
    trend_level : z rises or falls where Mann-Kendall's two-sided p <= trend_level. It is told of Gi* over the cell and
    its neighbours in each step alone: windows that overlap share values, and where nothing changes one lag would show a
    trend in 13 to 17 of 100 cells at a level of 5 %, four lags in 40.
    Cells without neighbours have NaN z, q = 1 and no class; so have all cells where nothing varies.
    Raises QuestionError on values that are not finite or do not fit, and on other settings than these.
    """
    counts = _checked(counts, lags, level, trend_level, correction, permutations)
    n, t = counts.shape
    checked_links(n, indptr, indices)
    degree = np.diff(indptr).astype(np.int64)
    has = np.broadcast_to((degree > 0)[:, None], counts.shape)
    varies = counts.size > 0 and counts.min() < counts.max()
    d = counts - counts.mean() if varies else np.zeros_like(counts)

    def g_star(window: int) -> Floats:
        sums, weight = _window_sums(d, indptr, indices, window), _window_sizes(degree, t, window)
        return standardised_sums(sums, weight.astype(np.float64), counts.size, float((d * d).sum()), has=has)

    z = g_star(lags)
    p = normal_p(z)
    if permutations:
        others = _window_sums(counts, indptr, indices, lags) - counts
        number = np.where(has, _window_sizes(degree, t, lags) - 1, 0).ravel()
        p = permuted_p_of_sums(counts.ravel(), others.ravel(), number, permutations, seed).reshape(n, t)
        p = np.where(np.isnan(z), 1.0, p)
    q = CORRECTIONS[correction](p)
    trend = mann_kendall_rows(np.round(g_star(0) if lags else z, DECIMALS))
    rising = np.where(trend.p <= trend_level, np.sign(np.nan_to_num(trend.z)), 0).astype(np.int8)
    kind = classes_of_steps((q <= level) & (z > 0), (q <= level) & (z < 0), rising)
    return EmergingCells(kind, z, q, trend.z, trend.p)


def classes_of_steps(hot: Flags, cold: Flags, rising: Codes) -> Codes:
    """Return the class (n,) of cells whose steps (n, t) are hot, cold or neither, as the module's table says.

    rising : (n,) 1 where z rises significantly, -1 where it falls, 0 else.
    Raises QuestionError where a step is both or there is none.
    """
    if hot.ndim != 2 or hot.shape != cold.shape or rising.shape != hot.shape[:1] or hot.shape[1] < 1:
        raise QuestionError(
            "时间步与网格数不符", f"steps {hot.shape}, {cold.shape} and trends {rising.shape} do not fit"
        )
    if (hot & cold).any():
        raise QuestionError("同一时段不能既热又冷", "a step is both hot and cold")
    warm, cool = _one_side(hot, cold, rising), _one_side(cold, hot, -rising)
    return (warm - cool).astype(np.int8)  # at most one of the two applies: the last step decides


def _one_side(hot: Flags, cold: Flags, rising: Codes) -> Codes:
    """Return the class (n,) of hot spots, 0 for none; cold spots are those of the exchanged arrays."""
    t = hot.shape[1]
    number, now = hot.sum(axis=1), hot[:, -1]
    lasting = number >= LASTING * t
    run = np.cumprod(hot[:, ::-1], axis=1).sum(axis=1)
    cold_before = cold.any(axis=1)
    code = np.select(
        [
            now & (number == 1) & ~cold_before,
            now & lasting & (rising > 0),
            now & lasting & (rising < 0),
            now & lasting,
            now & cold_before,
            now & (run == number),
            now,
            lasting & ~cold[:, -1],
        ],
        [CLASSES.index(name) for name in CLASSES[1:]],
        default=0,
    )
    return code.astype(np.int8)


def _window_sums(values: Floats, indptr: NDArray[np.integer], indices: NDArray[np.integer], lags: int) -> Floats:
    """Return (n, t) sums over each cell and its neighbours, in each step and up to ``lags`` before it."""
    around = neighbour_sums(values, indptr, indices) + values
    total = around.copy()
    for lag in range(1, min(lags, values.shape[1] - 1) + 1):
        total[:, lag:] += around[:, :-lag]
    return total


def _window_sizes(degree: NDArray[np.int64], t: int, lags: int) -> NDArray[np.int64]:
    """Return (n, t) how many values ``_window_sums`` adds up: fewer in the first steps."""
    return np.outer(degree + 1, np.minimum(np.arange(t), lags) + 1)


def _checked(counts: Floats, lags: int, level: float, trend_level: float, correction: str, permutations: int) -> Floats:
    """Return the cube as float64, refusing what cannot be classified."""
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 2 or counts.shape[1] < 1 or not np.isfinite(counts).all():
        raise QuestionError("时空立方体无效", f"a cube of shape {counts.shape} must be cells x steps of finite numbers")
    if lags < 0 or permutations < 0:
        raise QuestionError("参数不能为负", f"lags {lags} and permutations {permutations} must not be negative")
    if not (0 < level < 1 and 0 < trend_level < 1):
        raise QuestionError(
            "显著性水平必须在 0 与 1 之间", f"levels {level} and {trend_level} must lie between 0 and 1"
        )
    if correction not in CORRECTIONS:
        raise QuestionError(f"未知校正方法：{correction}", f"unknown correction {correction!r}: {tuple(CORRECTIONS)}")
    return counts
