"""What a reader can work out from all published tables together: the attacker's linear programmes, solved.

The attacker's problem of Fischetti & Salazar 2001 (doi:10.1287/mnsc.47.7.1008.9805), for tables of any shape: every
published number is a sum of base counts (a cell in a quarter), and the least and greatest value of each hidden number
over all base counts that agree with the published ones is what nobody can be kept from knowing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
from scipy.sparse import block_diag, csc_array, csr_array, hstack

from gis.errors import QuestionError
from planner.hotspots.release_geography import Geography, Positions
from planner.hotspots.release_suppression import Flags, Floats, Ranges
from planner.milp import Model, solve
from planner.watch import Watch


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Numbers that are sums of base counts.

    members : (n, b) sparse, 1 where base count j is part of number i. low, high : (n,) what is published of each
    number (equal, or ends of a rounding), ``-inf`` and ``inf`` where it is hidden.
    """

    members: csr_array
    low: Floats
    high: Floats

    @property
    def hidden(self) -> Flags:
        """(n,) whether nothing is published of a number."""
        return np.isinf(self.low) & np.isinf(self.high)


def published_sums(geography: Geography, tables: Sequence[pd.DataFrame], step: int | Fraction) -> Sums:
    """Return what published tables of one geography say, each a quarter of its own; a number may be off by step / 2."""
    n, up = geography.n_cells, geography.parent
    nodes = [np.arange(n)]
    for _ in geography.parents:
        nodes.append(up[nodes[-1]])
    at = (np.concatenate(nodes), np.tile(np.arange(n), len(nodes)))
    one = csr_array((np.ones(n * len(nodes)), at), shape=(len(up), n))
    members = csr_array(block_diag([one] * len(tables), format="csr"))
    people = np.concatenate([t["people"].to_numpy(dtype=float, na_value=np.nan) for t in tables])
    hidden, off = np.isnan(people), float(step) / 2
    return Sums(members, np.where(hidden, -np.inf, people - off), np.where(hidden, np.inf, people + off))


def narrowest_range(
    geography: Geography, tables: Sequence[pd.DataFrame], watch: Watch, *, step: int, noise: bool
) -> float:
    """Return the width of the narrowest range a reader of published tables can work out for a hidden number.

    ``inf`` where nothing is hidden. Tables with noise must give ``inf`` (no hidden number is tied down at all, for a
    noisy count has no least value), tables of true counts at least twice the least number shown; NaN is no proof.
    """
    sums = published_sums(geography, tables, step)
    low, high = implied_ranges(sums, watch, floor=-np.inf if noise else 0.0)
    return float((high - low)[sums.hidden].min(initial=np.inf))


def implied_ranges(sums: Sums, watch: Watch, *, floor: float = 0.0) -> Ranges:
    """Return (n,) the range of every number that agrees with all that is published; the numbers shown keep theirs.

    floor : what is known of every base count: 0 for counts, ``-inf`` for counts with noise.
    Base counts that are parts of the same sums cannot be told apart and are gathered, so a few small programmes do.
    Where the sums nest in at most two ways (areas, and quarters of a year) the matrix is totally unimodular
    (Edmonds 1970), and a range of counts ends at whole numbers by itself; for other tables it may be too wide by
    fractions. A range whose programme ``watch`` cut short is NaN. Raises QuestionError on numbers that contradict
    one another.
    """
    size = np.diff(sums.members.indptr)
    single = size == 1
    pattern, group_of = _groups(sums.members[np.flatnonzero(~single)])
    base = np.where(single, sums.members.indices[np.minimum(sums.members.indptr[:-1], sums.members.nnz - 1)], -1)
    own = _own_limits(sums, base)
    low, high = sums.low.copy(), sums.high.copy()
    model, n_hidden = _model(sums, single, own, pattern, group_of, floor)
    if solve(model, watch).infeasible:
        raise QuestionError("已发布的数字互相矛盾", "the published numbers contradict one another")

    for i, row in enumerate(np.flatnonzero(~single)):
        if sums.hidden[row]:
            low[row], high[row] = _ends(model, _both(pattern[[i]]), watch)
    ends: dict[int, tuple[float, float]] = {}
    for row in np.flatnonzero(single & sums.hidden):
        group = int(group_of[base[row]])
        if np.isfinite(own.low[base[row]]):  # the same count is shown under another name
            low[row], high[row] = own.low[base[row]], own.high[base[row]]
            continue
        if group not in ends:
            weight = csr_array(([1.0], ([0], [pattern.shape[1] + group])), shape=(1, len(model.cost)))
            ends[group] = _ends(model, weight, watch)
        low[row], high[row] = ends[group]
        if n_hidden[group] > 1:  # beside others like it, all of their sum may be its own, or none
            low[row], high[row] = floor, high[row] if np.isfinite(floor) else np.inf
    return Ranges(low, high)


def _own_limits(sums: Sums, base: Positions) -> Ranges:
    """Return (b,) what the rows of one base count alone publish of it; ``base`` is -1 for other rows."""
    of = base >= 0
    low, high = np.full(sums.members.shape[1], -np.inf), np.full(sums.members.shape[1], np.inf)
    np.maximum.at(low, base[of], sums.low[of])
    np.minimum.at(high, base[of], sums.high[of])
    return Ranges(low, high)


def _groups(rows: csr_array) -> tuple[csr_array, Positions]:
    """Return the different columns of ``rows``, and for each column which of them it is."""
    columns = csc_array(rows)
    seen: dict[bytes, int] = {}
    group_of = np.array(
        [
            seen.setdefault(columns.indices[a:b].tobytes(), len(seen))
            for a, b in zip(columns.indptr[:-1], columns.indptr[1:], strict=True)
        ],
        np.int64,
    )
    first = np.unique(group_of, return_index=True)[1]
    return csr_array(columns[:, first]), group_of


def _both(pattern: csr_array) -> csr_array:
    """Return rows over the groups' shown parts, then over their hidden parts."""
    return csr_array(hstack([pattern, pattern]))


def _model(
    sums: Sums, single: Flags, own: Ranges, pattern: csr_array, group_of: Positions, floor: float
) -> tuple[Model, Positions]:
    """Return the programme over each group's shown sum, then its hidden sum, and (groups,) how many are hidden."""
    n = pattern.shape[1]
    shown = np.isfinite(own.low)
    n_hidden = np.bincount(group_of[~shown], minlength=n)
    least = np.maximum(own.low[shown], floor)
    lower = [np.bincount(group_of[shown], least, minlength=n), np.where(n_hidden > 0, floor, 0.0)]
    upper = [np.bincount(group_of[shown], own.high[shown], minlength=n), np.where(n_hidden > 0, np.inf, 0.0)]
    told = ~single & ~sums.hidden
    model = Model(
        np.zeros(2 * n), np.concatenate(lower), np.concatenate(upper), _both(pattern[np.flatnonzero(told[~single])]),
        sums.low[told], sums.high[told], np.zeros(2 * n, bool),
    )  # fmt: skip
    return model, n_hidden


def _ends(model: Model, weight: csr_array, watch: Watch) -> tuple[float, float]:
    """Return the least and greatest value of a weighted sum, (nan, nan) where one was not proven."""
    cost = weight.toarray()[0]
    found = []
    for maximise in (False, True):
        of = Model(
            cost, model.lower, model.upper, model.matrix, model.row_lower, model.row_upper, model.integer, maximise
        )
        found.append(solve(of, watch).bound)
    return (np.nan, np.nan) if watch.over else (found[0], found[1])
