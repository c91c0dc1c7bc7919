"""Sites that serve the worst served area best."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.cover_sets import CoverSets, Floats
from planner.siting.max_cover import checked_columns
from planner.siting.plan import Plan
from planner.siting.worst_proof import best_worst
from planner.siting.worst_share import share_problem
from planner.watch import Watch


def best_worst_area(
    sets: CoverSets, area_weight: Floats, count: int, *, fixed: NDArray[np.int64], watch: Watch, seed: int
) -> Plan:
    """Choose at most ``count`` sites beside the ``fixed`` ones so that the area covered least is covered most.

    area_weight : (a, n) >= 0, what part of all demand of each area lies in each row (a row may lie in several areas).
    Value: the least over areas of the part covered, ``area_weight @ covered``.
    Raises QuestionError without areas, on shapes that do not fit, negative parts, or an unknown fixed column.
    """
    return best_worst(
        share_problem(sets, area_parts(sets, area_weight), count, checked_columns(sets, fixed)), watch, seed
    )


def area_parts(sets: CoverSets, area_weight: Floats) -> csr_array:
    """Return the parts as a sparse matrix. Raises QuestionError where they make no sense."""
    if area_weight.ndim != 2 or area_weight.shape[1] != sets.n_rows or len(area_weight) == 0:
        raise QuestionError(
            f"片区权重须为若干行乘 {sets.n_rows} 列", f"the weights of areas must be rows of {sets.n_rows} numbers"
        )
    if area_weight.size and not (area_weight.min() >= 0 and area_weight.max() < np.inf):
        raise QuestionError("片区权重须为不小于零的有限值", "the weights of areas must be finite and >= 0")
    return csr_array(area_weight)
