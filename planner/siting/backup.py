"""Sites that cover once and, where they can, twice: backup cover for when one point is busy or shut."""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.siting.cover_best import best_cover
from planner.siting.cover_model import at_most, cover_problem
from planner.siting.cover_sets import CoverSets
from planner.siting.max_cover import checked_columns
from planner.siting.plan import Plan
from planner.watch import Watch


def maximise_backup(
    sets: CoverSets, count: int, *, second_share: float = 0.3, fixed: NDArray[np.int64], watch: Watch, seed: int
) -> Plan:
    """Choose at most ``count`` sites beside the ``fixed`` ones for the most ``(1 - s) * once + s * twice``.

    s : ``second_share``, 0 to 1. once, twice : the weight that one site at least, and two at least, cover.
    Raises QuestionError on a share outside 0..1, a negative count or a fixed column that does not exist.
    Source: BACOP2 of Hogan & ReVelle 1986, https://doi.org/10.1287/mnsc.32.11.1434
    """
    if not 0 <= second_share <= 1:
        raise QuestionError(
            f"备用覆盖的权重须在 0 到 1 之间，收到 {second_share}",
            f"the share of the second cover must lie in 0..1, got {second_share}",
        )
    always = checked_columns(sets, fixed)
    whole = cover_problem(sets, (1 - second_share) * sets.weight, second_share * sets.weight)
    return best_cover(at_most(whole, count, always), np.zeros(0, np.int64), watch, seed)
