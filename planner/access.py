"""Floating catchments: how much capacity there is for each place, shared with everyone else it serves.

Step one divides each point's capacity by the need within its reach; step two adds up, for each place, the ratios of
the points within its reach. A distance decay weighs nearer pairs more in both steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError

#: The weights of the slow decay for three zones (Luo & Qi 2009).
ZONE_WEIGHTS = (1.0, 0.68, 0.22)
#: Width of the gaussian decay as a share of the limit: weight 0.04 is left at the limit.
GAUSSIAN_SHARE = 0.4

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """Floating-catchment scores.

    score : (d,) capacity per unit of need at each place, 0 where no point is in reach.
    ratio : (p,) capacity of each point per unit of (weighted) need in its reach; 0 where nobody is.
    need_in_reach : (p,) (weighted) need in reach of each point; where it is 0 the point's capacity goes unused.
    """

    score: Floats
    ratio: Floats
    need_in_reach: Floats


def two_step(matrix: csr_array, need: Floats, capacity: Floats, limit_s: float, decay: str | None = None) -> Access:
    """Score each of d places by the two-step floating catchment (2SFCA).

    matrix : (d, p) seconds between places and points; every stored entry counts, a stored 0 too, others are out of
        reach. need : (d,) >= 0, for example people. capacity : (p,) >= 0, for example beds.
    limit_s : seconds >= 0; pairs farther apart do not count. decay : None, all pairs in reach count alike; "gaussian",
        by ``exp(-t**2 / (2 * w**2))`` with ``w`` = GAUSSIAN_SHARE of the limit.

    Raises QuestionError on shapes that do not fit, need or capacity below zero or not finite, an unknown decay, or an
    impossible limit. Source: Luo & Wang 2003, doi 10.1068/b29120.
    """
    if not (np.isfinite(limit_s) and limit_s >= 0):
        raise QuestionError(f"时限无效：{limit_s}", f"the limit must be finite and >= 0, got {limit_s}")
    if decay not in (None, "gaussian") or (decay and limit_s == 0):
        raise QuestionError(
            f"未知的距离衰减：{decay}", f"unknown decay {decay!r}: expected none, or gaussian over a limit"
        )

    seconds = matrix.data.astype(np.float64)
    weight = np.where(seconds <= limit_s, 1.0, 0.0)
    if decay:
        width_s = GAUSSIAN_SHARE * limit_s
        weight *= np.exp(-seconds * seconds / (2 * width_s**2))
    return _share(matrix, need, capacity, weight)


def enhanced(
    matrix: csr_array,
    need: Floats,
    capacity: Floats,
    zones_s: Sequence[float],
    weights: Sequence[float] = ZONE_WEIGHTS,
) -> Access:
    """Score each of d places by the enhanced two-step floating catchment (E2SFCA): weights by zone of travel time.

    matrix, need, capacity : as in ``two_step``. zones_s : upper bounds of the zones in seconds, ascending, each
    bound inside its zone. weights : one per zone, finite, >= 0. Pairs beyond the last zone do not count.

    Raises QuestionError as ``two_step`` does, and on zones that do not ascend or lack a weight.
    Source: Luo & Qi 2009, doi 10.1016/j.healthplace.2009.06.002.
    """
    bounds, by_zone = np.array(zones_s, np.float64), np.array(weights, np.float64)
    if len(bounds) == 0 or len(bounds) != len(by_zone) or not (np.diff(bounds) > 0).all() or not bounds[0] >= 0:
        raise QuestionError(
            "分区时限须递增，且每区一个权重", f"zones must ascend, with one weight each: got {zones_s} and {weights}"
        )
    if not (np.isfinite(by_zone) & (by_zone >= 0)).all():
        raise QuestionError(f"分区权重无效：{weights}", f"zone weights must be finite and >= 0, got {weights}")

    return _share(matrix, need, capacity, _by_zone(matrix.data.astype(np.float64, copy=False), bounds, by_zone))


def _share(matrix: csr_array, need: Floats, capacity: Floats, weight: Floats) -> Access:
    places, points = matrix.shape
    if need.shape != (places,) or capacity.shape != (points,):
        raise QuestionError(
            "需求或能力与矩阵大小不符",
            f"expected need of {places} places and capacity of {points} points, got {need.shape} and {capacity.shape}",
        )
    for zh, en, values in (("需求", "need", need), ("能力", "capacity", capacity)):
        if not (np.isfinite(values) & (values >= 0)).all():
            raise QuestionError(f"{zh}须为不小于零的有限值", f"{en} must be finite and >= 0")
    if not (matrix.data >= 0).all():
        raise QuestionError("出行时间须不小于零", "travel times must be >= 0")

    indptr, point = matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int32, copy=False)
    return Access(*_float_twice(indptr, point, weight, need.astype(np.float64), capacity.astype(np.float64)))


@njit(cache=True)
def _by_zone(seconds, bounds, by_zone):  # type: ignore[no-untyped-def]
    """Return the weight of each pair's zone, 0 beyond the last."""
    weight = np.zeros(seconds.size)
    for e in range(seconds.size):
        for z in range(bounds.size):
            if seconds[e] <= bounds[z]:
                weight[e] = by_zone[z]
                break
    return weight


@njit(cache=True)
def _float_twice(indptr, point, weight, need, capacity):  # type: ignore[no-untyped-def]
    """Return (score, ratio, need_in_reach)."""
    need_in_reach = np.zeros(capacity.size)
    for i in range(need.size):
        for e in range(indptr[i], indptr[i + 1]):
            need_in_reach[point[e]] += need[i] * weight[e]
    ratio = np.zeros(capacity.size)
    for j in range(capacity.size):
        if need_in_reach[j] > 0:
            ratio[j] = capacity[j] / need_in_reach[j]
    score = np.zeros(need.size)
    for i in range(need.size):
        total = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            total += ratio[point[e]] * weight[e]
        score[i] = total
    return score, ratio, need_in_reach
