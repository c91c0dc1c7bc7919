"""Tracks brought onto the streets they followed: map matching by a hidden Markov model (Newson & Krumm 2009)."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.errors import QuestionError
from gis.modes import EBIKE_KMH, WALK_KMH, travel_by
from gis.network import StreetNetwork
from gis.places import Places, places_along
from gis.search_graph import SearchGraph, search_graph
from planner.patrol.tracks.joined_ways import JoinedWays, joined_ways
from planner.patrol.tracks.look_kernels import condense, paces, stand
from planner.patrol.tracks.matching_kernels import Arcs, Rules, hold_place, likeliest
from planner.patrol.tracks.path_kernels import without_spikes
from planner.patrol.tracks.points import Floats, Tracks
from planner.patrol.tracks.shortcut_kernels import Drawn, Looks
from planner.patrol.tracks.shortcuts import Pieces, drawn_streets, straightened

#: Metres between the places held possible along a street, and how many of them at most for one look.
STEP_M = 8.0
MOST_PLACES = 600
#: Metres of a phone's error, each way, among houses.
USUAL_NOISE_M = 10.0
#: Points are averaged over the time in which the mode moves this many standard deviations of the noise.
WINDOW = 0.5
_USUAL_KMH = {"walk": WALK_KMH, "ebike": EBIKE_KMH, "drive": 30.0}


@dataclass(frozen=True, slots=True)
class MatchModel:
    """How ways are judged.

    street_m : what is left of a point's error however many points are averaged: streets are drawn along their middle,
    and errors of one minute are alike. beta_m : mean difference between a way and the straight line. gap_s : a longer
    silence breaks a track in parts. detour_m : a way may be twice the straight line and this much longer. spike : moves
    out and back of less than this many standard deviations of the noise are noise.
    Raises QuestionError on numbers that are not positive.
    """

    street_m: float = 3.0
    beta_m: float = 25.0
    gap_s: float = 180.0
    detour_m: float = 80.0
    spike: float = 1.5

    def __post_init__(self) -> None:
        numbers = (self.street_m, self.beta_m, self.gap_s, self.detour_m, self.spike)
        if not all(np.isfinite(n) and n > 0 for n in numbers):
            raise QuestionError("轨迹匹配参数须为正数", "the numbers of the matching model must be positive")


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What n tracks walked, as p pieces of segments in the order walked.

    track (p,), chain (p,) : whose piece, and of which unbroken way (numbered over all tracks); segment (p,);
    from_m, to_m (p,) metres from the segment's u end, ``from_m > to_m`` walked towards u; begin_s, end_s (p,).
    look_track, look_s, look_segment, look_offset_m, look_gap_m (l,) : the looks (points averaged over some seconds),
    their likeliest place and their distance from it (a shortest way taken instead may lead past it); segment -1 and NaN
    where unmatched. look_chain (l,) : -1 where unmatched.
    look_x, look_y (l,) metres; look_points (l,) how many points were averaged.
    """

    track: NDArray[np.int64]
    chain: NDArray[np.int64]
    segment: NDArray[np.int32]
    from_m: Floats
    to_m: Floats
    begin_s: Floats
    end_s: Floats
    look_track: NDArray[np.int64]
    look_s: Floats
    look_x: Floats
    look_y: Floats
    look_points: NDArray[np.int64]
    look_segment: NDArray[np.int32]
    look_offset_m: Floats
    look_gap_m: Floats
    look_chain: NDArray[np.int64]

    @property
    def metres(self) -> Floats:
        """Length of each piece (p,)."""
        return np.abs(self.to_m - self.from_m)

    def matched_s(self, n: int) -> Floats:
        """Return how many seconds of each of ``n`` tracks some way covers (n,)."""
        placed = np.flatnonzero(self.look_chain >= 0)
        joined = placed[1:][self.look_chain[placed[1:]] == self.look_chain[placed[:-1]]]
        before = placed[:-1][self.look_chain[placed[1:]] == self.look_chain[placed[:-1]]]
        spent_s = self.look_s[joined] - self.look_s[before]
        return np.bincount(self.look_track[joined], spent_s, n).astype(np.float64)


def combined(parts: list[tuple[NDArray[np.int64], Matched]]) -> Matched:
    """Return several answers as one; each comes with the numbers its tracks have among all."""
    if not parts:
        raise QuestionError("没有可匹配的轨迹", "there are no tracks to match")
    columns: dict[str, list[NDArray[Any]]] = {field.name: [] for field in fields(Matched)}
    chains = 0
    for numbers, one in parts:
        for name, values in columns.items():
            value = getattr(one, name)
            if name in ("track", "look_track"):
                value = numbers[value]
            elif name in ("chain", "look_chain"):
                value = np.where(value >= 0, value + chains, -1)
            values.append(value)
        chains += int(one.look_chain.max(initial=-1)) + 1
    return Matched(**{name: np.concatenate(values) for name, values in columns.items()})


@dataclass(frozen=True, slots=True, eq=False)
class MatchGround:
    """A network made ready for one mode: its streets in a grid, its arcs in metres, and how they lie."""

    network: StreetNetwork
    mode: str
    places: Places
    graph: SearchGraph
    arcs: Arcs
    drawn: Drawn


def match_ground(network: StreetNetwork, mode: str) -> MatchGround:
    """Make ``network`` ready for matching tracks of ``mode`` ("walk", "ebike", "drive")."""
    travel = travel_by(network, mode)
    open_ = travel.forward | travel.backward
    graph = search_graph(network, travel, toward=False)
    # ways are compared by their metres, whatever the pace
    graph = replace(
        graph,
        seconds=network.length_m[graph.arc_segment],
        seconds_per_m=np.where(open_, 1.0, np.inf),
        approach_s_per_m=0.0,
    )
    arcs = Arcs(
        graph.indptr, graph.head, graph.seconds, network.u, network.v, network.length_m, travel.forward,
        travel.backward, np.log(np.maximum(np.diff(graph.indptr), 2) - 1),
    )  # fmt: skip
    places = places_along(network, open_, STEP_M)
    return MatchGround(network, mode, places, graph, arcs, drawn_streets(network, graph, places))


def usual_pace(mode: str) -> float:
    """Return the metres a second that ``mode`` usually makes."""
    return _USUAL_KMH[mode] / 3.6


def match(
    ground: MatchGround,
    tracks: Tracks,
    *,
    noise_m: float | Floats = USUAL_NOISE_M,
    pace: Floats | None = None,
    model: MatchModel | None = None,
) -> Matched:
    """Find the streets each track followed.

    noise_m : standard deviation of a point's error each way, one for all or one a track (n,). pace : (n,) metres a
    second that each makes along streets, see ``noise.measured``; told from straight lines where None.

    Points are averaged over windows in which the mode moves half a standard deviation (the paper drops points closer
    than two; their mean says more), and those of a stand brought to one spot. The looks are placed by Viterbi's
    recursion over places ``STEP_M`` apart along all streets near by (the paper holds only the nearest place of each
    possible), by their distance from the look and the difference between the shortest way and the straight line from
    place to place (the paper's from point to point), with a price on the choices at junctions passed, on turning round
    and on ways that the track's own pace does not make in the time. The ways between looks are joined, moves out and
    back within the noise taken out, and the whole held against shortest ways (``shortcuts.straightened``).

    Raises QuestionError where times go backwards within a track.
    Source: Newson & Krumm 2009, doi:10.1145/1653771.1653818.
    """
    model = model or MatchModel()
    inside = np.ones(len(tracks.lon), bool)
    inside[tracks.indptr[:-1][np.diff(tracks.indptr) > 0]] = False
    if (np.diff(tracks.time_s, prepend=0.0) < 0)[inside].any():
        raise QuestionError("轨迹点的时间须依次向后", "the times of a track must not go backwards")

    x, y = to_metric(tracks.lon, tracks.lat, ground.network.crs)
    usual = usual_pace(ground.mode)
    noise = np.broadcast_to(np.asarray(noise_m, np.float64), len(tracks))
    x, y = x.copy(), y.copy()
    stand(x, y, tracks.time_s, tracks.indptr, noise, model.gap_s)
    looks, look_x, look_y, look_s, many = condense(
        x, y, tracks.time_s, tracks.indptr, WINDOW * noise / usual, model.gap_s
    )
    if pace is None:
        pace = paces(looks, look_x, look_y, look_s, model.gap_s, usual)
    look_track = np.repeat(np.arange(len(tracks)), np.diff(looks))
    variance = noise[look_track] ** 2 / many + model.street_m**2
    rules = Rules(model.beta_m, model.gap_s, model.detour_m, 2.0 * USUAL_NOISE_M)
    places = ground.places
    place, before, left_by, heads_for = likeliest(
        looks, look_x, look_y, look_s, variance, pace, places, ground.arcs, rules, MOST_PLACES
    )  # fmt: skip
    placed = place >= 0
    segment = np.where(placed, places.segment[place], -1).astype(np.int32)
    offset_m = np.where(placed, places.offset_m[place], np.nan)
    gap_m = np.where(placed, np.hypot(places.x[place] - look_x, places.y[place] - look_y), np.nan)
    hold_place(segment, offset_m, before, left_by, ground.arcs)
    chain = _chains(segment, before)
    ways = joined_ways(ground.graph, segment, offset_m, before, left_by, heads_for)
    pieces = _pieces(ways, model.spike * noise[look_track], look_s, before, chain)
    first = look_track[placed & (before < 0)]
    seen = _seen(chain, look_s, look_x, look_y, variance)
    pieces = straightened(pieces, first, seen, ground.arcs, ground.drawn)
    _fill_time(chain, look_s, pieces.chain, pieces.begin_s, pieces.end_s)
    return Matched(
        first[pieces.chain], *pieces, look_track, look_s, look_x, look_y, many, segment, offset_m,
        gap_m, chain,
    )  # fmt: skip


def _chains(segment: NDArray[np.int32], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the unbroken ways (l,), -1 for looks without a place; looks of a way follow one another."""
    placed = segment >= 0
    return np.where(placed, np.cumsum(placed & (before < 0)) - 1, -1)


def _seen(chain: NDArray[np.int64], time_s: Floats, x: Floats, y: Floats, variance: Floats) -> Looks:
    """Return the looks that have a place, way by way."""
    on = np.flatnonzero(chain >= 0)
    rows = np.searchsorted(chain[on], np.arange(int(chain.max(initial=-1)) + 2))
    return Looks(rows, time_s[on], x[on], y[on], variance[on])


def _pieces(
    ways: JoinedWays, spike_m: Floats, time_s: Floats, before: NDArray[np.int64], chain: NDArray[np.int64]
) -> Pieces:
    """Return the ways between looks, joined and tidied.

    spike_m : (l,) moves out and back of less, near each look, are noise.
    """
    to = np.flatnonzero(before >= 0)
    since = before[to]
    metres = np.abs(ways.to_m - ways.from_m)
    way = np.repeat(np.arange(len(to)), np.diff(ways.indptr))
    done = np.cumsum(metres) - np.concatenate([[0.0], np.cumsum(metres)])[ways.indptr[way]]
    total = np.bincount(way, metres, len(to))[way]
    took_s = (time_s[to] - time_s[since])[way]
    end_s = time_s[since][way] + took_s * done / total
    begin_s = time_s[since][way] + took_s * (done - metres) / total
    of = chain[to][way]
    rows = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=int(chain.max(initial=-1)) + 1))]).astype(np.int64)
    least_m = np.zeros(len(rows) - 1)
    least_m[chain[chain >= 0]] = spike_m[chain >= 0]
    rows, on, from_m, to_m, begin_s, end_s = without_spikes(
        rows, ways.segment, ways.from_m, ways.to_m, begin_s, end_s, least_m
    )
    of = np.repeat(np.arange(len(rows) - 1), np.diff(rows))
    _fill_time(chain, time_s, of, begin_s, end_s)
    return Pieces(of, on, from_m, to_m, begin_s, end_s)


def _fill_time(chain: NDArray[np.int64], time_s: Floats, of: NDArray[np.int64], begin_s: Floats, end_s: Floats) -> None:
    """Let the pieces of each way follow one another from its first look to its last (in place).

    Time spent standing is spent on the piece before it, or at the very beginning on the first.
    """
    placed = np.flatnonzero(chain >= 0)
    first = np.r_[True, chain[placed][1:] != chain[placed][:-1]][: len(placed)]
    last = np.r_[first[1:], True][: len(placed)]
    opens = np.r_[True, of[1:] != of[:-1]][: len(of)]
    closes = np.r_[opens[1:], True][: len(of)]
    begin_s[opens] = time_s[placed[first]][of[opens]]
    end_s[~closes] = begin_s[1:][~closes[:-1]]
    end_s[closes] = time_s[placed[last]][of[closes]]
