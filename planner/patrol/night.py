"""One night of a city as services and crews at places of its network, and any part of it as a problem to be solved."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.modes import Travel, travel_by
from gis.network import AGAINST_GEOMETRY, Positions, StreetNetwork
from gis.reach import time_matrix
from gis.search_graph import SearchGraph, search_graph
from layers.codes import AREA_DIGITS, PREFIX_DIGITS, level_of
from planner.coverage_inputs import join, select
from planner.patrol.crews import CrewList
from planner.patrol.duties import Duties
from planner.patrol.problem import Crews, Flags, Floats, Ints, PatrolProblem, Services

#: How fast streets are looked at, by mode.
SERVICE_KMH = {"walk": 3.0, "ebike": 6.0, "drive": 10.0}
#: A duty of usual worth may cost this many times its own time; what must be done may cost this many seconds.
WORTH_TIMES, MUST_S = 60.0, 1e6
#: Where there is time for everything, any duty is worth this many whole shifts at least.
SHIFTS_WORTH = 10.0
#: Seconds added for a second of service away from home, or in streets another crew usually walks.
AWAY_SHARE, UNUSUAL_SHARE = 0.15, 0.1
#: Fairness comes before total time: a second more on a full shift counts nine times one on an empty one.
UNEVEN = 4.0
#: Ways are searched this many times as far as a part is wide, and this many metres more.
DETOUR, DETOUR_M = 1.6, 800.0
#: Part of a crew's time that goes into services, about, where the rest is walking between them.
BUSY_SHARE = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """n services and r crews at p places.

    modes : words; graphs : their networks, leading away; places : (p,) positions, one set a mode (a junction stands
    at the end of a street open to the mode). begins, ends : (n, 2) places by direction. reversed : (n,) direction 0
    runs against the segment. both_ways, service_s : (k, n). duty : (n,) int64 number in ``duties``; second : (n,) the
    other side of a street walked twice. left_out, opens_s, closes_s : (n,) as ``problem.Services``.
    cell : (n,) code of the grid cell or community around it, "" unknown. usual : (n,) names of the persons who usually
    walk there, "" for none. x, y : (n,) metres of its middle. start, end : (r,) places where shifts begin and end.
    scarce : whether there is more to do than the crews have time for, about.
    """

    duties: Duties
    crews: CrewList
    modes: tuple[str, ...]
    graphs: tuple[SearchGraph, ...]
    places: tuple[Positions, ...]
    begins: Ints
    ends: Ints
    reversed: Flags
    both_ways: Flags
    service_s: Floats
    duty: NDArray[np.int64]
    second: Flags
    left_out: Floats
    opens_s: Floats
    closes_s: Floats
    cell: NDArray[np.object_]
    usual: NDArray[np.object_]
    x: Floats
    y: Floats
    start: Ints
    end: Ints
    scarce: bool = False

    def __len__(self) -> int:
        return len(self.duty)

    @property
    def mode_of(self) -> Ints:
        """(r,) the number of each crew's mode."""
        return np.array([self.modes.index(mode) for mode in self.crews.mode], np.int32)

    def take(self, services: NDArray[np.int64], crews: NDArray[np.int64]) -> "Night":
        """Return the night of these services and crews alone, with the places they need."""
        parts = [self.begins[services].ravel(), self.ends[services].ravel(), self.start[crews], self.end[crews]]
        kept, place = np.unique(np.concatenate(parts), return_inverse=True)
        n = 2 * len(services)
        columns = {name: getattr(self, name)[services] for name in _BY_SERVICE}
        return replace(
            self, **columns, crews=self.crews.take(crews), places=tuple(select(at, kept) for at in self.places),
            begins=place[:n].reshape(-1, 2).astype(np.int32), ends=place[n : 2 * n].reshape(-1, 2).astype(np.int32),
            start=place[2 * n : 2 * n + len(crews)].astype(np.int32), end=place[2 * n + len(crews) :].astype(np.int32),
            both_ways=self.both_ways[:, services],
            service_s=self.service_s[:, services],
        )  # fmt: skip

    def problem(self) -> PatrolProblem:
        """Return the night as a problem, with the time between all its places: meant for a part of a city."""
        reach_m = DETOUR * float(np.hypot(np.ptp(self.x), np.ptp(self.y))) + DETOUR_M if len(self) else DETOUR_M
        travel_s = np.full((len(self.modes), *2 * (len(self.places[0]),)), np.inf, np.float32)
        for k in np.unique(self.mode_of):
            travel_s[k] = _matrix(self.graphs[k], self.places[k], reach_m)
        return self.with_travel(travel_s)

    def with_travel(self, travel_s: NDArray[np.float32]) -> PatrolProblem:
        """Return the night as a problem whose ways, (k, p, p), are known."""
        crews = self.crews
        services = Services(
            self.begins, self.ends, self.both_ways, self.service_s, np.zeros(len(self)), self.left_out,
            self.opens_s, self.closes_s,
        )  # fmt: skip
        on_duty = Crews(
            self.mode_of, self.start, self.end, crews.from_s, crews.until_s, crews.longest_s, crews.break_from_s,
            crews.break_s, np.full(len(crews), np.inf), np.arange(len(crews), dtype=np.int32), self.extra_s(),
        )  # fmt: skip
        return PatrolProblem(services, on_duty, travel_s, UNEVEN)

    def extra_s(self) -> Floats:
        """Return (r, n) what a crew away from home or in another's streets costs; ``inf`` without the certificate."""
        done_s = np.min(self.service_s, axis=0, initial=np.inf)
        done_s = np.where(np.isfinite(done_s), done_s, 0.0)
        needed = self.duties.certificate[self.duty]
        extra = np.zeros((len(self.crews), len(self)))
        for r, (home, persons, held) in enumerate(
            zip(self.crews.home, self.crews.persons, self.crews.certificates, strict=True)
        ):
            outside = away(self.cell, home)
            unusual = (self.usual != "") & (self.usual != persons)
            extra[r] = done_s * (AWAY_SHARE * outside + UNUSUAL_SHARE * unusual)
            extra[r, [bool(c) and c not in held for c in needed]] = np.inf
        return extra

    @property
    def priority(self) -> Floats:
        """(n,) the worth of each service: a duty's, shared by both sides of a street walked twice."""
        return self.duties.priority[self.duty] / np.where(self.duties.both_sides[self.duty], 2.0, 1.0)


def away(cell: NDArray[np.object_], home: str) -> Flags:
    """Return which of the areas ``cell`` lie outside the area ``home``; none where either is unknown ("")."""
    if not home:
        return np.zeros(len(cell), bool)
    own = home if len(home) > AREA_DIGITS else home[: PREFIX_DIGITS[level_of(home)]]
    return np.array([c != "" and not (c.startswith(own) or own.startswith(c)) for c in cell], bool)


_BY_SERVICE = ("reversed", "duty", "second", "left_out", "opens_s", "closes_s", "cell", "usual", "x", "y")


def _matrix(graph: SearchGraph, at: Positions, reach_m: float) -> NDArray[np.float32]:
    """Return (p, p) seconds between places, ``inf`` beyond about ``reach_m``."""
    pace = graph.seconds_per_m[np.isfinite(graph.seconds_per_m)]
    cutoff_s = reach_m * (float(np.median(pace)) if len(pace) else 1.0)
    found = time_matrix(graph, at, at, cutoff_s)
    dense = np.full(found.shape, np.inf, np.float32)
    dense[np.repeat(np.arange(len(at)), np.diff(found.indptr)), found.indices] = found.data
    np.fill_diagonal(dense, 0.0)
    return dense


def night_of(
    network: StreetNetwork,
    duties: Duties,
    crews: CrewList,
    stations: Positions,
    cell: NDArray[np.object_],
    middle: tuple[Floats, Floats],
    usual: NDArray[np.object_],
) -> Night:
    """Lay the duties of a night and its crews on the network.

    stations : (r,) where each crew begins and ends. cell : (d,) code of the area around each duty. middle : metres of
    each duty, x and y. usual : (d,) as in ``Night``. A window that ends before the first shift begins is the next
    day's.
    """
    modes = tuple(dict.fromkeys(crews.mode)) or ("walk",)
    travels = [travel_by(network, mode) for mode in modes]
    duty = np.repeat(np.arange(len(duties)), np.where(duties.both_sides, 2, 1))
    second = np.r_[False, duty[1:] == duty[:-1]] if len(duty) else np.empty(0, bool)
    on, check = duties.segment[duty], duties.check[duty]
    against = (network.oneway[on] == AGAINST_GEOMETRY) & ~check
    n_nodes = network.n_nodes
    spot = n_nodes + np.cumsum(duties.check) - 1
    out = np.where(check, spot[duty], np.where(against, network.v[on], network.u[on]))
    back = np.where(check, spot[duty], np.where(against, network.u[on], network.v[on]))
    begins, ends = np.column_stack([out, back]).astype(np.int32), np.column_stack([back, out]).astype(np.int32)
    spots = Positions(*(getattr(duties, name)[duties.check] for name in ("segment", "offset_m", "gap_m")))
    home = np.arange(len(crews), dtype=np.int32) + np.int32(n_nodes + len(spots))
    opens_s, closes_s = duties.opens_s[duty], duties.closes_s[duty]
    tomorrow = closes_s <= crews.from_s.min(initial=np.inf)
    night = Night(
        duties, crews, modes, tuple(search_graph(network, travel, toward=False) for travel in travels),
        tuple(join([_at_nodes(network, travel), spots, stations]) for travel in travels), begins, ends, against,
        np.stack([(t.forward & t.backward)[on] & ~check for t in travels]),
        np.stack([_service_s(network, t, m, duties, duty) for t, m in zip(travels, modes, strict=True)]),
        duty, second, np.ones(len(duty)), np.where(tomorrow, opens_s + 86_400.0, opens_s),
        np.where(tomorrow, closes_s + 86_400.0, closes_s), cell[duty], usual[duty], middle[0][duty], middle[1][duty],
        home, home,
    )  # fmt: skip
    left_out, scarce = _left_out(night)
    return replace(night, left_out=left_out, scarce=scarce)


def _at_nodes(network: StreetNetwork, travel: Travel) -> Positions:
    """Return every junction as the end of a segment the mode may pass; unsnapped where it has none."""
    open_ = np.isfinite(travel.seconds_per_m)[network.arc_segment]
    order = np.flatnonzero(open_)
    tail = np.repeat(np.arange(network.n_nodes), np.diff(network.indptr))[order]
    node, first = np.unique(tail, return_index=True)
    arc = order[first]
    segment = np.full(network.n_nodes, -1, np.int32)
    offset_m = np.full(network.n_nodes, np.nan)
    segment[node] = network.arc_segment[arc]
    offset_m[node] = np.where(network.arc_forward[arc], 0.0, network.length_m[segment[node]])
    return Positions(segment, offset_m, np.zeros(network.n_nodes))


def _service_s(
    network: StreetNetwork, travel: Travel, mode: str, duties: Duties, duty: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (n,) seconds each service takes by ``mode``: looking takes longer than passing."""
    on = duties.segment[duty]
    kmh = np.where(np.isnan(duties.service_kmh[duty]), SERVICE_KMH[mode], duties.service_kmh[duty])
    length_m, pace = network.length_m[on], travel.seconds_per_m[on]
    along_s = np.where(np.isfinite(pace), np.maximum(length_m * 3.6 / kmh, length_m * np.minimum(pace, 1e6)), np.inf)
    return np.where(duties.check[duty], duties.dwell_s[duty], along_s)


def _left_out(night: Night) -> tuple[Floats, bool]:
    """Return (n,) what leaving each service out costs, its worth in seconds of crew time, and whether time is scarce.

    Where the crews have time for everything, any duty outweighs any way to it; where they have not, worth and time
    are weighed against each other.
    """
    able = np.isfinite(night.service_s)
    crews_of_mode = np.bincount(night.mode_of, minlength=len(night.modes))[:, None]
    could = (able * crews_of_mode).sum(axis=0)
    if not could.any():
        return np.full(len(night), MUST_S), False
    taken_s = (np.where(able, night.service_s, 0.0) * crews_of_mode).sum(axis=0) / np.maximum(could, 1)
    can = could > 0
    have_s = BUSY_SHARE * float((night.crews.longest_s - night.crews.break_s).sum())
    worth = WORTH_TIMES * float(np.median(taken_s[can])) * night.priority / float(np.median(night.priority[can]))
    scarce = bool(taken_s.sum() > have_s)
    if not scarce:
        worth = np.maximum(worth, SHIFTS_WORTH * float(night.crews.longest_s.max(initial=0.0)))
    return np.where(night.duties.must[night.duty], MUST_S, np.maximum(worth, 1e-6)), scarce
