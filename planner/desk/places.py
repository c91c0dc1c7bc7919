"""Where in a route a street costs least: every gap, in both directions of every street of it, at once."""

import numpy as np
from numpy.typing import NDArray

from planner.desk.ways import KnownWays
from planner.patrol.night import Night

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


def best_gap(night: Night, ways: KnownWays, crew: int, route: Numbers, service: int, first: int) -> int:
    """Return after how many services of ``route`` the crew ``crew`` is back earliest if it does ``service`` there.

    first : gaps before this one are over. Hours are kept where any gap allows. Ties go to the earliest gap; where there
    is no way at all it is the last.
    """
    travel_s = _travel(night, ways, crew, route, service)
    longer = np.array([np.insert(route, gap, service) for gap in range(first, len(route) + 1)])
    back_s = _back_s(night, crew, longer, travel_s[first:], keep_hours=True)
    if not np.isfinite(back_s).any():
        back_s = _back_s(night, crew, longer, travel_s[first:], keep_hours=False)
    return first + int(np.argmin(back_s)) if np.isfinite(back_s).any() else len(route)


def _travel(night: Night, ways: KnownWays, crew: int, route: Numbers, service: int) -> Floats:
    """Return (m + 1 gaps, m + 2 ways, 2, 2) seconds by the directions of the services before and after each way."""
    m, mode = len(route), int(night.mode_of[crew])
    start, end = (np.repeat(at[crew], 2)[None].astype(np.int64) for at in (night.start, night.end))
    leaves, enters = np.vstack([start, night.ends[route]]), np.vstack([night.begins[route], end])
    known = ways.seconds(mode, np.repeat(leaves, 2, axis=1).ravel(), np.tile(enters, (1, 2)).ravel())
    usual = known.reshape(m + 1, 2, 2)
    begins, ends = night.begins[service].astype(np.int64), night.ends[service].astype(np.int64)
    places, back = np.unique(np.concatenate([leaves.ravel(), enters.ravel()]), return_inverse=True)
    limit_s = float(night.crews.until_s[crew] - night.crews.from_s[crew])
    to, away = ways.around(mode, places, begins, ends, limit_s)
    into = to[back[: 2 * (m + 1)]].reshape(m + 1, 2, 2)
    out = away[:, back[2 * (m + 1) :]].reshape(2, m + 1, 2).transpose(1, 0, 2)
    gap, way = np.arange(m + 1)[:, None], np.arange(m + 2)[None, :]
    travel_s = usual[np.minimum(np.where(way > gap, way - 1, way), m)].astype(np.float64)
    travel_s[np.arange(m + 1), np.arange(m + 1)] = into
    travel_s[np.arange(m + 1), np.arange(m + 1) + 1] = out
    return travel_s


def _back_s(night: Night, crew: int, routes: Numbers, travel_s: Floats, *, keep_hours: bool) -> Floats:
    """Return (c,) when each of c routes of one length is walked soonest, ``inf`` where it cannot be.

    Kept for each direction of the last service, and whether the break is over, is the earliest hour: the rule of
    ``schedule.timetable``, for all routes side by side.
    """
    crews, mode = night.crews, int(night.mode_of[crew])
    break_s, break_from_s = float(crews.break_s[crew]), float(crews.break_from_s[crew])
    at_s = np.full((len(routes), 2, 2), np.inf)  # route, direction, break over
    at_s[:, 0, int(break_s <= 0)] = crews.from_s[crew]
    for j in range(routes.shape[1]):
        i = routes[:, j]
        takes_s, opens_s = night.service_s[mode, i], night.opens_s[i]
        closes_s = night.closes_s[i] + 1e-6 * np.maximum(1.0, np.abs(night.closes_s[i])) if keep_hours else np.inf
        # route, direction before, break over, direction
        arrives_s = at_s[:, :, :, None] + travel_s[:, j, :, None, :]
        ends_s = np.maximum(arrives_s, opens_s[:, None, None, None]) + takes_s[:, None, None, None]
        ends_s[ends_s > np.broadcast_to(closes_s, len(routes))[:, None, None, None]] = np.inf
        ends_s[~night.both_ways[mode, i], :, :, 1] = np.inf
        rests = ends_s[:, :, 0] >= break_from_s
        goes_on_s = np.where(rests, ends_s[:, :, 0] + break_s, np.inf)
        at_s = np.stack(
            [np.where(rests, np.inf, ends_s[:, :, 0]).min(axis=1),
             np.minimum(goes_on_s, ends_s[:, :, 1]).min(axis=1)], axis=2
        )  # fmt: skip
    back_s: Floats = (at_s + travel_s[:, -1, :, 0][:, :, None]).min(axis=(1, 2))
    return back_s
