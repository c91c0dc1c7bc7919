"""Sites that hold up: in the worst of several scenarios, or after the worst loss of one point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.siting.cover_sets import CoverSets, Floats, merge_cover_sets
from planner.siting.loss_proof import best_left
from planner.siting.max_cover import checked_columns
from planner.siting.plan import Plan
from planner.siting.worst_proof import best_worst
from planner.siting.worst_share import share_problem
from planner.watch import Watch


def best_worst_case(
    scenarios: Sequence[CoverSets],
    count: int,
    *,
    scenario_weight: Sequence[Floats] | None = None,
    fixed: NDArray[np.int64],
    watch: Watch,
    seed: int,
) -> Plan:
    """Choose at most ``count`` sites beside the ``fixed`` ones so that the scenario covered least is covered most.

    scenarios : the cover sets of each (day and night, summer and winter), with the same candidates. scenario_weight :
    for each, (n,) the weight of its rows, where it is not theirs by themselves; with the same sets several times and
    several weights, demand is uncertain and reach is not. Value: the least over scenarios of the part covered of all
    its weight, uncoverable demand counting where the weights are the sets' own.
    Raises QuestionError without scenarios, on shapes that do not fit, weights negative or all zero, or a fixed column
    that does not exist.
    """
    if len(scenarios) == 0 or len({sets.n_sites for sets in scenarios}) != 1:
        raise QuestionError(
            "至少需要一个情景，各情景的候选点须相同", "at least one scenario is needed, all with the same candidates"
        )
    weights = [sets.weight for sets in scenarios] if scenario_weight is None else list(scenario_weight)
    beyond = [sets.uncoverable if scenario_weight is None else 0.0 for sets in scenarios]
    if len(weights) != len(scenarios) or any(
        len(w) != sets.n_rows for w, sets in zip(weights, scenarios, strict=False)
    ):
        raise QuestionError("各情景须有与其行对应的权重", "every scenario needs a weight for each of its rows")
    totals = [float(np.sum(w)) + rest for w, rest in zip(weights, beyond, strict=True)]
    if any(np.min(w, initial=0.0) < 0 for w in weights) or min(totals) <= 0:
        raise QuestionError(
            "各情景的权重须不为负且不全为零", "the weights of a scenario must be >= 0, some of them > 0"
        )
    parts = [np.asarray(w, float) / total for w, total in zip(weights, totals, strict=True)]
    sets, share = _side_by_side(scenarios, parts)
    return best_worst(share_problem(sets, share, count, checked_columns(sets, fixed)), watch, seed)


def best_after_loss(sets: CoverSets, count: int, *, fixed: NDArray[np.int64], watch: Watch, seed: int) -> Plan:
    """Choose at most ``count`` sites beside the ``fixed`` ones for the most weight covered after the worst loss.

    Value: the weight still covered once whichever single open site, chosen or fixed, that alone covers most is lost.
    Raises QuestionError on a fixed column that does not exist.
    """
    return best_left(sets, count, checked_columns(sets, fixed), watch, seed)


def _side_by_side(scenarios: Sequence[CoverSets], parts: list[Floats]) -> tuple[CoverSets, csr_array]:
    """Return the rows of all scenarios merged into one, and (s, n) the part of each scenario that lies in each row."""
    n = np.array([sets.n_rows for sets in scenarios])
    first = np.concatenate([[0], np.cumsum(n)])
    owner = np.concatenate([np.repeat(np.arange(sets.n_sites), np.diff(sets.site_ptr)) for sets in scenarios])
    rows = np.concatenate([sets.site_row + at for sets, at in zip(scenarios, first, strict=False)])
    order = np.argsort(owner, kind="stable")
    ptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=scenarios[0].n_sites))]).astype(np.int64)
    part = np.concatenate(parts)
    merged = merge_cover_sets(ptr, rows[order].astype(np.int32), part)
    kept = np.flatnonzero(merged.row_of >= 0)
    scenario = np.repeat(np.arange(len(scenarios)), n)
    return merged, csr_array(
        (part[kept], (scenario[kept], merged.row_of[kept])), shape=(len(scenarios), merged.n_rows)
    )  # fmt: skip
