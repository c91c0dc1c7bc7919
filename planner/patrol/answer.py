"""A planned night as the tables of its run: crews, steps, the ground they cover, and what is left uncovered."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import StreetNetwork
from gis.reach_ways import ways_between
from planner.coverage_inputs import select
from planner.patrol.limits import reasons
from planner.patrol.night import Night
from planner.patrol.problem import PatrolProblem
from planner.patrol.records import PatrolRecords
from planner.patrol.schedule import Timetable, timetable

Numbers = NDArray[np.int64]
STEP_COLUMNS = (
    "date", "crew", "step", "kind", "begins", "ends", "duty", "segment_id", "name", "side", "metres", "priority",
    "must",
)  # fmt: skip
LEG_COLUMNS = ("date", "crew", "step", "segment_id", "from_m", "to_m")


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """One crew's night: the services of its route, as numbers of the night, and their times."""

    crew: int
    route: Numbers
    times: Timetable


def walks_of(night: Night, routes: Sequence[Numbers]) -> list[Walk]:
    """Return when each crew that goes out does what: directions and times of its route."""
    walks = []
    for r, route in enumerate(routes):
        if len(route):
            alone = own_problem(night, r, route)
            order = np.argsort(np.argsort(route)).astype(np.int32)
            walks.append(Walk(r, route, timetable(alone, 0, order)))
    return walks


def own_problem(night: Night, crew: int, route: Numbers) -> PatrolProblem:
    """Return the problem of one crew and the services of its route, in ascending order.

    Only the ways between neighbours of the route are laid out, between all their ends.
    """
    own = night.take(np.sort(route), np.array([crew]))
    order = np.argsort(np.argsort(route))
    mode = int(own.mode_of[0])
    leaves = [own.start, *own.ends[order]]
    enters = [*own.begins[order], own.start]
    pairs = np.array([(a, b) for out, into in zip(leaves, enters, strict=True) for a in out for b in into])
    at = own.places[mode]
    ways = ways_between(own.graphs[mode], select(at, pairs[:, 0]), select(at, pairs[:, 1]))
    travel_s = np.full((len(own.modes), len(at), len(at)), np.inf, np.float32)
    travel_s[mode, pairs[:, 0], pairs[:, 1]] = np.where(pairs[:, 0] == pairs[:, 1], 0.0, ways.time_s)
    return own.with_travel(travel_s)


def night_tables(
    records: PatrolRecords, night: Night, routes: Sequence[Numbers], date: dt.date, ended: str, seed: int
) -> dict[str, pd.DataFrame]:
    """Return "plan" (one row), "crews", "steps", "legs" and "uncovered" of a night, each with its date.

    Lengths in metres, times of day as local ISO text, durations in seconds, NaN where a figure does not exist.
    """
    walks = walks_of(night, routes)
    steps, legs = _steps_and_legs(records, night, walks, date)
    crews = _crew_table(records, night, walks, steps, date)
    uncovered = _uncovered(records.city.network, night, routes, date, ended)
    plan = _plan_table(night, routes, crews, date, ended, seed)
    return {"plan": plan, "crews": crews, "steps": steps, "legs": legs, "uncovered": uncovered}


def _clock(date: dt.date, seconds: float) -> str:
    return (dt.datetime.combine(date, dt.time()) + dt.timedelta(seconds=round(float(seconds)))).isoformat()


def _steps_and_legs(
    records: PatrolRecords, night: Night, walks: list[Walk], date: dt.date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    network = records.city.network
    steps: list[tuple[object, ...]] = []
    legs: list[tuple[object, ...]] = []
    for walk in walks:
        crew = str(night.crews.id[walk.crew])
        station = str(records.city.points.name[night.crews.station[walk.crew]])
        for number, row in enumerate(_steps(network, night, walk, station)):
            kind, begins_s, ends_s, service, metres, stretches = row
            named = _named(network, night, service, walk, station, kind)
            steps.append(
                (date.isoformat(), crew, number, kind, _clock(date, begins_s), _clock(date, ends_s), *named[:4],
                 metres, *named[4:])
            )  # fmt: skip
            legs += [
                (date.isoformat(), crew, number, int(network.segment_id[s]), float(a), float(b))
                for s, a, b in stretches
            ]
    return pd.DataFrame(steps, columns=list(STEP_COLUMNS)), pd.DataFrame(legs, columns=list(LEG_COLUMNS))


Step = tuple[str, float, float, int, float, list[tuple[int, float, float]]]


def _steps(network: StreetNetwork, night: Night, walk: Walk, station: str) -> list[Step]:
    """Return (kind, begins_s, ends_s, position in the route or -1, metres, stretches) of everything a crew does."""
    times, route, crew = walk.times, walk.route, night.crews
    mode = int(night.mode_of[walk.crew])
    at, graph = night.places[mode], night.graphs[mode]
    direction = times.direction
    begins = night.begins[route, direction]
    ends = night.ends[route, direction]
    home = night.start[walk.crew]
    ways = ways_between(
        graph, select(at, np.r_[home, ends].astype(np.int64)), select(at, np.r_[begins, home].astype(np.int64))
    )
    from_s = float(crew.from_s[walk.crew])
    now = from_s
    steps: list[Step] = [("start", now, now, -1, 0.0, [])]
    for j in range(len(route) + 1):
        parts = slice(ways.indptr[j], ways.indptr[j + 1])
        stretches = list(zip(ways.segment[parts], ways.from_m[parts], ways.to_m[parts], strict=True))
        arrives = float(times.arrives_s[j]) if j < len(route) else float(times.returns_s)
        if stretches or arrives > now:
            metres = float(np.abs(ways.to_m[parts] - ways.from_m[parts]).sum())
            steps.append(("travel", now, arrives, -1, metres, stretches))
        if j == len(route):
            steps.append(("end", arrives, arrives, -1, 0.0, []))
            break
        begun, done = float(times.begins_s[j]), float(times.ends_s[j])
        if begun > arrives:
            steps.append(("wait", arrives, begun, j, 0.0, []))
        duty, s = night.duty[route[j]], int(night.duties.segment[night.duty[route[j]]])
        if night.duties.check[duty]:
            steps.append(("check", begun, done, j, 0.0, []))
        else:
            length_m = float(network.length_m[s])
            forward = bool(direction[j] == 0) != bool(night.reversed[route[j]])
            along = (s, 0.0, length_m) if forward else (s, length_m, 0.0)
            steps.append(("patrol", begun, done, j, length_m, [along]))
        now = done
        if j == times.break_after:
            now = done + float(crew.break_s[walk.crew])
            steps.append(("break", done, now, -1, 0.0, []))
    return steps


def _named(
    network: StreetNetwork, night: Night, j: int, walk: Walk, station: str, kind: str
) -> tuple[str, int, str, str, float, bool]:
    """Return (duty, segment_id, name, side, priority, must) of a step."""
    if j < 0 or kind == "wait":
        return "", -1, station if kind in ("start", "end") else "", "", 0.0, False
    service = walk.route[j]
    duties, duty = night.duties, night.duty[service]
    share = 0.5 if duties.both_sides[duty] else 1.0
    return (
        str(duties.id[duty]), int(network.segment_id[duties.segment[duty]]), str(duties.name[duty]),
        _side(night, int(service), int(walk.times.direction[j])), float(duties.priority[duty]) * share,
        bool(duties.must[duty]),
    )  # fmt: skip


def _side(night: Night, service: int, direction: int) -> str:
    """Return which side of the way a street walked once a side is looked at; "" where one walk sees both."""
    if not night.duties.both_sides[night.duty[service]]:
        return ""
    along = (direction == 0) != bool(night.reversed[service])
    return "right" if along != bool(night.second[service]) else "left"


def _crew_table(
    records: PatrolRecords, night: Night, walks: list[Walk], steps: pd.DataFrame, date: dt.date
) -> pd.DataFrame:
    """Return one row a crew, those that stay in too."""
    crews, points = night.crews, records.city.points
    walked = {walk.crew: walk for walk in walks}
    lasts_s = (pd.to_datetime(steps["ends"]) - pd.to_datetime(steps["begins"])).dt.total_seconds()
    sums = steps.assign(s=lasts_s).groupby(["crew", "kind"])[["s", "metres"]].sum()
    rows = []
    for r in range(len(crews)):
        name, station = str(crews.id[r]), int(crews.station[r])

        def total(what: str, *kinds: str, name: str = name) -> float:
            return sum(float(sums[what][name, kind]) for kind in kinds if (name, kind) in sums.index)

        route = walked[r].route if r in walked else np.empty(0, np.int64)
        mode = int(night.mode_of[r])
        served_s, away = night.service_s[mode, route], night.take(route, np.array([r])).away(str(crews.home[r]))
        duty = night.duty[route]
        worth = night.duties.priority[duty] / np.where(night.duties.both_sides[duty], 2.0, 1.0)
        rows.append({
            "date": date.isoformat(), "crew": name, "persons": str(crews.persons[r]), "role": str(crews.role[r]),
            "mode": str(crews.mode[r]), "home": str(crews.home[r]), "station_code": str(points.code[station]),
            "station_name": str(points.name[station]), "station_lon": float(records.point_lon[station]),
            "station_lat": float(records.point_lat[station]), "shift_from": _clock(date, crews.from_s[r]),
            "shift_until": _clock(date, crews.until_s[r]), "services": len(route),
            "duration_s": float(walked[r].times.returns_s - crews.from_s[r]) if r in walked else 0.0,
            "service_s": float(served_s.sum()), "travel_s": total("s", "travel"), "wait_s": total("s", "wait"),
            "break_s": total("s", "break"), "walked_m": total("metres", "travel", "patrol"),
            "service_m": total("metres", "patrol"), "deadhead_m": total("metres", "travel"),
            "priority": float(worth.sum()), "away_s": float(served_s[away].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _uncovered(
    network: StreetNetwork, night: Night, routes: Sequence[Numbers], date: dt.date, ended: str
) -> pd.DataFrame:
    """Return the services in no route, each with the reason."""
    served = np.zeros(len(night), bool)
    for route in routes:
        served[route] = True
    left = np.flatnonzero(~served)
    said = reasons(night, left, ended)
    duty = night.duty[left]
    on = night.duties.segment[duty]
    return pd.DataFrame({
        "date": date.isoformat(), "duty": night.duties.id[duty].astype(str), "segment_id": network.segment_id[on],
        "name": night.duties.name[duty].astype(str),
        "metres": np.where(night.duties.check[duty], 0.0, network.length_m[on]),
        "priority": night.duties.priority[duty] / np.where(night.duties.both_sides[duty], 2.0, 1.0),
        "must": night.duties.must[duty], "code": [r.code for r in said], "zh": [r.zh for r in said],
        "en": [r.en for r in said],
    })  # fmt: skip


def _plan_table(
    night: Night, routes: Sequence[Numbers], crews: pd.DataFrame, date: dt.date, ended: str, seed: int
) -> pd.DataFrame:
    """Return the night's figures in one row."""
    served = np.zeros(len(night), bool)
    for route in routes:
        served[route] = True
    duties = night.duties
    must = duties.must[night.duty]
    worth = duties.priority[night.duty] / np.where(duties.both_sides[night.duty], 2.0, 1.0)
    out = crews[crews["services"] > 0]
    duration = out["duration_s"].to_numpy(np.float64)
    walked = float(crews["walked_m"].sum())
    known = crews["home"] != ""
    served_s = float(crews.loc[known, "service_s"].sum())
    return pd.DataFrame([{
        "date": date.isoformat(), "crews": len(crews), "routes": len(out), "services": len(night),
        "served": int(served.sum()), "must": int(must.sum()), "must_served": int((must & served).sum()),
        "priority": float(worth.sum()), "priority_served": float(worth[served].sum()), "walked_m": walked,
        "service_m": float(crews["service_m"].sum()), "deadhead_m": float(crews["deadhead_m"].sum()),
        "deadhead_share": float(crews["deadhead_m"].sum()) / walked if walked > 0 else np.nan,
        "longest_s": float(duration.max(initial=0.0)), "shortest_s": float(duration.min()) if len(out) else 0.0,
        "mean_s": float(duration.mean()) if len(out) else 0.0, "service_s": float(crews["service_s"].sum()),
        "travel_s": float(crews["travel_s"].sum()), "wait_s": float(crews["wait_s"].sum()),
        "break_s": float(crews["break_s"].sum()),
        "away_share": float(crews.loc[known, "away_s"].sum()) / served_s if served_s > 0 else np.nan,
        "ended": ended, "seed": seed,
    }])  # fmt: skip
