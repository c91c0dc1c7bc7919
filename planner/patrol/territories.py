"""A night cut into parts that can be solved side by side: first by stations, then across their boundaries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.reach import k_nearest
from planner.coverage_inputs import select
from planner.patrol.night import Night

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: A part larger than this is cut again where more than one station or two crews are left.
PART_SERVICES = 700
#: Stations a service may fall to, and steps and size of step in which their territories are evened out.
NEAREST_STATIONS, EVENING_STEPS, EVENING_S = 8, 60, 240.0
#: A part keeps as many services as its crews could do this many times over, the most worthwhile first.
TIMES_OVER = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some services and crews of a night, as numbers of theirs."""

    services: Numbers
    crews: Numbers


def station_parts(night: Night) -> list[Part]:
    """Cut a night by its stations: territories of even work, near stations together up to ``PART_SERVICES``.

    A service falls to one of the stations nearest on the streets. Stations with more work for their crews' time than
    the others move their boundaries toward themselves, step by step (prices on an additively weighted Voronoi
    diagram; Aurenhammer, Hoffmann & Aronov 1998, doi 10.1007/PL00009187).
    """
    station, of_crew = np.unique(night.crews.station, return_inverse=True)
    first = np.array([np.argmax(of_crew == s) for s in range(len(station))])
    owner = _even_owners(night, first, of_crew)
    x, y = _station_middles(night, owner, len(station))
    parts: list[Part] = []
    waiting = [np.arange(len(station))]
    while waiting:
        group = waiting.pop()
        services = np.flatnonzero(np.isin(owner, group))
        if len(group) > 1 and len(services) > PART_SERVICES:
            along = x[group] if np.ptp(x[group]) >= np.ptp(y[group]) else y[group]
            order = np.argsort(along, kind="stable")
            waiting += [group[order[len(group) // 2 :]], group[order[: len(group) // 2]]]
        else:
            parts.append(Part(services, np.flatnonzero(np.isin(of_crew, group))))
    return [worthwhile(night, part) for part in parts if len(part.crews)]


def _even_owners(night: Night, first: Numbers, of_crew: Numbers) -> Numbers:
    """Return (n,) the station each service falls to; -1 where no station has a way to it."""
    have_s = np.bincount(of_crew, night.crews.longest_s - night.crews.break_s)
    graph, at = night.graphs[0], night.places[0]
    near_s, near = k_nearest(graph, select(at, night.start[first].astype(np.int64)), min(NEAREST_STATIONS, len(first)))
    node = _near_node(night)
    ways_s, which = near_s[node], near[node].astype(np.int64)
    work_s = np.min(night.service_s, axis=0)
    work_s = np.where(np.isfinite(work_s), work_s, 0.0)
    price_s = np.zeros(len(first))
    evenest, best = np.inf, np.full(len(node), -1)
    fair = work_s.sum() * have_s / max(have_s.sum(), 1.0)
    for step in range(EVENING_STEPS):
        chosen = np.argmin(np.where(which >= 0, ways_s + price_s[which], np.inf), axis=1)
        owner = which[np.arange(len(which)), chosen]
        over = np.bincount(owner[owner >= 0], work_s[owner >= 0], len(first)) / np.maximum(fair, 1.0) - 1.0
        if float(over @ over) < evenest:
            evenest, best = float(over @ over), owner
        price_s += EVENING_S / (1 + step / 10) * np.clip(over, -1.0, 1.0)
    return best


def _near_node(night: Night) -> Numbers:
    """Return (n,) a junction at or beside each service."""
    at, graph = night.places[0], night.graphs[0]
    place = night.begins[:, 0]
    segment = np.where(at.segment[place] >= 0, at.segment[place], night.duties.segment[night.duty])
    far = at.offset_m[place] > graph.length_m[segment] / 2
    return np.where(far, graph.v[segment], graph.u[segment]).astype(np.int64)


def _station_middles(night: Night, owner: Numbers, count: int) -> tuple[Floats, Floats]:
    inside = owner >= 0
    n = np.maximum(np.bincount(owner[inside], minlength=count), 1)
    return tuple(np.bincount(owner[inside], at[inside], count) / n for at in (night.x, night.y))  # type: ignore[return-value]


def crew_parts(night: Night, routes: list[Numbers], angle: float) -> list[Part]:
    """Cut a night by where its crews walk now, along lines at ``angle``, so that parts cross the last boundaries.

    routes : services of each crew. Services in no route go to the part they lie in.
    """
    crews = night.crews
    middle = np.array([
        (night.x[route].mean(), night.y[route].mean()) if len(route) else (crews.x[c], crews.y[c])
        for c, route in enumerate(routes)
    ]).reshape(-1, 2)  # fmt: skip
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    of_crew, of_service = middle @ turn, np.column_stack([night.x, night.y]) @ turn
    routed = np.zeros(len(night), bool)
    for route in routes:
        routed[route] = True
    parts = []
    waiting = [(np.arange(len(routes)), np.flatnonzero(~routed))]
    while waiting:
        group, absent = waiting.pop()
        size = len(absent) + sum(len(routes[c]) for c in group)
        axis = int(np.ptp(of_crew[group, 1]) > np.ptp(of_crew[group, 0]))
        order = group[np.argsort(of_crew[group, axis], kind="stable")]
        half = len(order) // 2
        if size > PART_SERVICES and half >= 2:
            edge = (of_crew[order[half - 1], axis] + of_crew[order[half], axis]) / 2
            low = of_service[absent, axis] <= edge
            waiting += [(np.sort(order[half:]), absent[~low]), (np.sort(order[:half]), absent[low])]
            continue
        kept = np.concatenate([absent, *(routes[c] for c in group)]).astype(np.int64)
        parts.append(worthwhile(night, Part(np.sort(kept), group), routed))
    return parts


def worthwhile(night: Night, part: Part, routed: NDArray[np.bool_] | None = None) -> Part:
    """Leave out services far beyond what the part's crews could ever do, those of least worth for their time."""
    services = part.services
    work_s = np.min(night.service_s[:, services], axis=0, initial=np.inf)
    services, work_s = services[np.isfinite(work_s)], work_s[np.isfinite(work_s)]
    have_s = TIMES_OVER * float(night.crews.longest_s[part.crews].sum())
    order = np.argsort(-night.left_out[services] / np.maximum(work_s, 1.0), kind="stable")
    kept = order[np.cumsum(work_s[order]) <= have_s]
    if routed is not None:
        kept = np.union1d(kept, np.flatnonzero(routed[services]))
    return Part(services[np.sort(kept)], part.crews)
