"""Which numbers of a table stay hidden, so that none of them can be got back by subtraction.

The ranges a reader can work out from what is shown are the attacker's problem of cell suppression (Fischetti &
Salazar 2001, doi:10.1287/mnsc.47.7.1008.9805). Where every node adds up into one node of the tier above, the sums
form a tree, and one pass up and one down give these ranges exactly: any value of a node's range can be met by values
in its children's ranges. ``planner.hotspots.release_audit`` finds them for tables of any shape by linear programming.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.release_geography import Geography, Positions

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Ranges(NamedTuple):
    """(n_nodes,) least and greatest value of each node that agree with all that is shown."""

    low: Floats
    high: Floats


def hidden_nodes(geography: Geography, value: Positions, small: Flags, *, width: float, floor: float) -> Flags:
    """Return (n_nodes,) whether a number stays hidden: too small, or a help to find one that is.

    value : (n_nodes,) counts of all nodes, tier upon tier, that add up. small : (n_nodes,) those to hide.
    width : the range a reader can work out for a hidden number must be at least so wide.
    floor : what a reader knows of every cell: 0 for counts, ``-inf`` for counts with noise.

    Where a range is too narrow, the smallest number beside it is hidden as well; where none is left, that above.
    Ties go to the first. A heuristic: no more than a few numbers too many are hidden, and never one too few.
    """
    hidden, up = small, geography.parent
    while True:
        up_pass = _from_below(geography, value, hidden, floor)
        low, high = _from_above(geography, up_pass)
        unsafe = hidden & (high - low < width)
        if not unsafe.any():
            return hidden

        shown_parts = np.bincount(up[~hidden & (up >= 0)], minlength=len(up)) > 0
        by_parts = np.flatnonzero(unsafe & (up_pass.high - up_pass.low < width) & shown_parts)
        if by_parts.size:  # its own parts give a number away; numbers beside it may be safe once they do not
            chosen = _smallest_shown(by_parts, value, hidden, up)
        else:
            above = np.unique(up[unsafe & (up >= 0)])
            beside = _smallest_shown(above[shown_parts[above]], value, hidden, up)
            chosen = np.union1d(beside, above[~shown_parts[above] & ~hidden[above]])
        if chosen.size == 0:
            raise QuestionError("无法通过隐藏保护此表", "no hiding of numbers protects this table")
        hidden = hidden.copy()
        hidden[chosen] = True


def ranges(geography: Geography, value: Positions, hidden: Flags, *, floor: float) -> Ranges:
    """Return what a reader who sees all but the hidden nodes, and knows ``floor`` of each cell, can work out."""
    return _from_above(geography, _from_below(geography, value, hidden, floor))


def _smallest_shown(of: Positions, value: Positions, hidden: Flags, up: Positions) -> Positions:
    """Return the shown child of least value of each node of ``of``."""
    shown = np.flatnonzero(~hidden & np.isin(up, of))
    order = shown[np.lexsort((shown, value[shown], up[shown]))]
    return order[np.unique(up[order], return_index=True)[1]]


def _from_below(geography: Geography, value: Positions, hidden: Flags, floor: float) -> Ranges:
    """Return each node's range as its own cells allow it, its own number included."""
    first, up = geography.first, geography.parent
    low, high = np.full(len(up), 0.0), np.full(len(up), 0.0)
    low[: first[1]], high[: first[1]] = floor, np.inf
    for t in range(len(first) - 1):
        tier = slice(first[t], first[t + 1])
        shown = ~hidden[tier]
        low[tier][shown] = high[tier][shown] = value[tier][shown]
        if t < len(first) - 2:
            np.add.at(low, up[tier], low[tier])
            np.add.at(high, up[tier], high[tier])
    return Ranges(low, high)


def _from_above(geography: Geography, below: Ranges) -> Ranges:
    """Narrow the ranges by what the node above leaves when its other parts are at their ends."""
    first, up = geography.first, geography.parent
    low, high = below.low.copy(), below.high.copy()
    for t in range(len(first) - 3, -1, -1):
        tier = slice(first[t], first[t + 1])
        others_high = _sum_of_others(below.high[tier], up[tier], len(up))
        others_low = _sum_of_others(below.low[tier], up[tier], len(up))
        low[tier] = np.maximum(low[tier], low[up[tier]] - others_high)
        high[tier] = np.minimum(high[tier], high[up[tier]] - others_low)
    return Ranges(low, high)


def _sum_of_others(end: Floats, up: Positions, n: int) -> Floats:
    """Return (n_tier,) the sum over each node's siblings; infinite ends are counted apart."""
    infinite = np.isinf(end)
    finite = np.where(infinite, 0.0, end)
    total, open_ends = np.bincount(up, finite, minlength=n), np.bincount(up, infinite, minlength=n)
    sign = np.inf if np.any(end == np.inf) else -np.inf
    return np.where(open_ends[up] - infinite > 0, sign, total[up] - finite)
