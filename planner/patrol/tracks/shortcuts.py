"""Shortest ways in place of matched ones that are hardly likelier: most who have a goal take the shortest way."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gis.network import StreetNetwork
from gis.places import Places
from gis.search_graph import SearchGraph
from planner.patrol.tracks.matching_kernels import Arcs
from planner.patrol.tracks.points import Floats
from planner.patrol.tracks.shortcut_kernels import SAME_M, Drawn, Looks, shorter_ways

#: Metres of a way that are held against the shortest between their ends: long ones tell most, and shorter ones reach
#: nearer to where someone turned to another goal.
WINDOWS_M = (600.0, 300.0)
#: Lengths on the ground are some thousandths less than the projection draws them; any less is a fault of the data.
LEAST_SHRINK = 0.98
#: Ways beside the shortest that someone takes who does not take that.
OTHERS = 3.0


class Pieces(NamedTuple):
    """Ways walked, as stretches in order: chain (p,) whose; segment, from_m, to_m; begin_s, end_s."""

    chain: NDArray[np.int64]
    segment: NDArray[np.int32]
    from_m: Floats
    to_m: Floats
    begin_s: Floats
    end_s: Floats


class _Swap(NamedTuple):
    """Arcs to be walked instead of stretches first to last."""

    first: int
    last: int
    arcs: NDArray[np.int64]


def drawn_streets(network: StreetNetwork, graph: SearchGraph, places: Places) -> Drawn:
    """Make the streets ready for ``straightened``."""
    order = np.lexsort((places.offset_m, places.segment))
    rows = np.r_[0, np.cumsum(np.bincount(places.segment, minlength=network.n_segments))].astype(np.int64)
    tail = np.repeat(np.arange(network.n_nodes), np.diff(graph.indptr))
    straight_m = np.hypot(network.x[network.u] - network.x[network.v], network.y[network.u] - network.y[network.v])
    shrink = np.clip((network.length_m / np.maximum(straight_m, SAME_M)).min(initial=1.0), LEAST_SHRINK, 1.0)
    x, y = shrink * network.x, shrink * network.y
    return Drawn(graph.arc_segment, tail, x, y, rows, places.x[order], places.y[order])


def straightened(pieces: Pieces, track: NDArray[np.int64], looks: Looks, arcs: Arcs, drawn: Drawn) -> Pieces:
    """Return the ways with stretches replaced by the shortest way where the looks hardly speak against it.

    track : (c,) whose each way is. Among streets some metres apart looks tell little, and the difference between ways
    of a few minutes tells much of someone who takes shortest ways; a matching from look to look does not see it. How
    often a track does, its own windows tell: where a share r of them is shortest, the shortest way is before all looks
    ``OTHERS`` r / (1 - r) times as likely as any other one. It is taken where the looks are not that much likelier on
    the way found; of windows that overlap, the clearest counts.
    """
    for window_m in WINDOWS_M:
        pieces = _straightened(pieces, track, looks, arcs, drawn, window_m)
    return pieces


def _straightened(
    pieces: Pieces, track: NDArray[np.int64], looks: Looks, arcs: Arcs, drawn: Drawn, window_m: float
) -> Pieces:
    chains = np.r_[0, np.cumsum(np.bincount(pieces.chain, minlength=len(track)))].astype(np.int64)
    last, saved_m, loss, rows, ways = shorter_ways(chains, *pieces[1:], looks, arcs, drawn, window_m)
    of = track[pieces.chain]
    whole, n = last >= 0, int(track.max(initial=-1)) + 1
    shortest = np.bincount(of[whole & (saved_m <= SAME_M)], minlength=n) + 1.0
    odds = shortest / (np.bincount(of[whole], minlength=n) + 2.0 - shortest)
    gain = np.log(OTHERS * odds)[of] - loss
    swaps: list[_Swap] = []
    taken = np.zeros(len(of) + 1, bool)
    better = np.flatnonzero((np.diff(rows) > 0) & (gain > 0))
    for i in better[np.argsort(-gain[better], kind="stable")]:
        swap = _trimmed(_Swap(int(i) + 1, int(last[i]), ways[rows[i] : rows[i + 1]]), pieces.segment, drawn)
        if swap.first <= swap.last and not taken[swap.first - 1 : swap.last + 2].any():
            taken[swap.first : swap.last + 1] = True
            swaps.append(swap)
    return _swapped(pieces, swaps, arcs, drawn) if swaps else pieces


def _trimmed(swap: _Swap, segment: NDArray[np.int32], drawn: Drawn) -> _Swap:
    """Leave out what both ways have in common at their ends."""
    first, last, arcs = swap
    while len(arcs) and first <= last and drawn.arc_segment[arcs[0]] == segment[first]:
        first, arcs = first + 1, arcs[1:]
    while len(arcs) and first <= last and drawn.arc_segment[arcs[-1]] == segment[last]:
        last, arcs = last - 1, arcs[:-1]
    return _Swap(first, last, arcs)


def _swapped(pieces: Pieces, swaps: list[_Swap], arcs: Arcs, drawn: Drawn) -> Pieces:
    """Put arcs in the place of stretches, each for its share of their time."""
    kept = np.ones(len(pieces.chain), bool)
    for first, last, _ in swaps:
        kept[first : last + 1] = False
    of = np.repeat(np.arange(len(swaps)), [len(swap.arcs) for swap in swaps])
    begins = np.array([swap.first for swap in swaps], np.int64)[of]
    ends = np.array([swap.last for swap in swaps], np.int64)[of]
    arc = np.concatenate([swap.arcs for swap in swaps])
    segment = drawn.arc_segment[arc]
    forward = (arcs.u[segment] == drawn.tail[arc]) & (arcs.v[segment] == arcs.head[arc])
    metres = arcs.length_m[segment]
    total = np.bincount(of, metres, len(swaps))
    done = np.cumsum(metres) - (np.cumsum(total) - total)[of]
    start_s = pieces.begin_s[begins]
    took_s = (pieces.end_s[ends] - start_s) / np.maximum(total[of], SAME_M)
    fresh = Pieces(
        pieces.chain[begins], segment, np.where(forward, 0.0, metres), np.where(forward, metres, 0.0),
        start_s + took_s * (done - metres), start_s + took_s * done,
    )  # fmt: skip
    order = np.argsort(np.r_[np.flatnonzero(kept), begins], kind="stable")
    columns: tuple[NDArray[Any], ...] = pieces
    chain, segment, from_m, to_m, begin_s, end_s = (
        np.concatenate([old[kept], new])[order] for old, new in zip(columns, fresh, strict=True)
    )
    return Pieces(chain, segment, from_m, to_m, begin_s, end_s)
