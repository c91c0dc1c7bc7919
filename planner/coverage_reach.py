"""One search outward from the points that count: whom and what it reaches, and when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.reach import Nearest, covered_metres, nearest, time_at
from gis.search_graph import SearchGraph, search_graph
from planner.coverage_inputs import HelpPoints, Placed
from planner.coverage_question import CoverageQuestion


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Which of a city's points count, and how many each condition left out.

    position : (k,) of those kept. asked : points of the asked kind. planned, without_function, closed : left out as
    still to be built or converted, without the function, closed at the hour asked about. hours_unknown : of those
    that serve, how many record no opening hours.
    """

    position: NDArray[np.int64]
    asked: int
    planned: int
    without_function: int
    closed: int
    hours_unknown: int


def choose_points(points: HelpPoints, question: CoverageQuestion) -> Choice:
    """Choose the points that count for ``question``, opening hours included."""
    kept = _serving(points, question)
    asked = _asked(points, question)
    standing = asked & (~points.planned | question.planned)
    timed = question.at is not None
    return Choice(
        position=np.flatnonzero(kept & points.open_then),
        asked=int(asked.sum()),
        planned=int((asked & ~standing).sum()),
        without_function=int((standing & ~kept).sum()),
        closed=int((kept & ~points.open_then & points.hours_known).sum()) if timed else 0,
        hours_unknown=int((kept & ~points.hours_known).sum()),
    )


def points_by_hour(points: HelpPoints, question: CoverageQuestion) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return the distinct sets of points open together, first seen first, and which holds at each of the 168 hours.

    Returns (open (s, k) bool over all points, set_of_hour (168,)). The hour the question asks about is left aside.
    """
    table = (points.open_week & _serving(points, question)[:, None]).T
    packed = np.packbits(table, axis=1)
    _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return table[first[order]], np.argsort(order)[inverse.reshape(-1)]


def _asked(points: HelpPoints, question: CoverageQuestion) -> NDArray[np.bool_]:
    if question.places == "all":
        return np.ones(len(points), bool)
    return points.station if question.places == "rescue-stations" else ~points.station


def _serving(points: HelpPoints, question: CoverageQuestion) -> NDArray[np.bool_]:
    """Return the (k,) points that would count if all were open."""
    standing: NDArray[np.bool_] = _asked(points, question) & (~points.planned | question.planned)
    if question.function is None:
        return standing
    offering: NDArray[np.bool_] = np.array([question.function in offered for offered in points.functions], bool)
    return standing & offering


def graph_of(network: StreetNetwork, question: CoverageQuestion) -> SearchGraph:
    """Return the graph searched: people walk or ride to the point; a car comes from it."""
    travel = travel_by(network, question.mode, walk_kmh=question.walk_kmh)
    return search_graph(network, travel, toward=question.mode != "drive")


def seconds_to(graph: SearchGraph, sources: Positions, near: Nearest, places: Placed) -> NDArray[np.float64]:
    """Return the (k,) seconds between each place and its nearest point, the walk to the street included."""
    found = time_at(graph, sources, near, places.positions)
    gap_s = np.where(places.positions.segment >= 0, places.positions.gap_m, 0.0) * graph.approach_s_per_m
    return np.asarray(found.time_s + gap_s)


def reached_weight(
    seconds: NDArray[np.float64], weight: NDArray[np.float64], thresholds_s: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return (k, t) the weight reached within each threshold."""
    return np.where(seconds[:, None] <= np.array(thresholds_s, np.float64), weight[:, None], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """People and street metres of the whole city within each threshold: (t,) each."""

    people: NDArray[np.float64]
    street_m: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """What one search reaches within each threshold: metres (p, t) of the pieces, home_people (h, t) of the homes.

    people_per_m : (p,) people spread along the pieces.
    """

    thresholds_s: tuple[int, ...]
    metres: NDArray[np.float64]
    home_people: NDArray[np.float64]
    people_per_m: NDArray[np.float64]

    def totals(self) -> Totals:
        """Return the sums over the whole city."""
        return Totals(self.home_people.sum(axis=0) + self.people_per_m @ self.metres, self.metres.sum(axis=0))


def within(
    graph: SearchGraph,
    sources: Positions,
    homes: Placed,
    piece: tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]],
    people_per_m: NDArray[np.float64],
    thresholds_s: tuple[int, ...],
) -> Within:
    """Return what one set of ``sources`` reaches without any table: a search no further than the last threshold.

    piece : segment, from_m, to_m (p,). people_per_m : (p,) people spread along them.
    """
    near = nearest(graph, sources, limit_s=float(thresholds_s[-1]))
    metres = covered_metres(graph, sources, near, *piece, thresholds_s)
    home_people = reached_weight(seconds_to(graph, sources, near, homes), homes.weight, thresholds_s)
    return Within(thresholds_s, metres, home_people, people_per_m)
