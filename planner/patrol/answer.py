"""A planned night as the tables of its run: crews, steps, the ground they cover, and what is left uncovered."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import StreetNetwork
from gis.reach_ways import ways_between
from planner.coverage_inputs import select
from planner.notes import Note
from planner.patrol.check import faults
from planner.patrol.limits import reasons
from planner.patrol.night import Night, away
from planner.patrol.problem import PatrolProblem
from planner.patrol.records import PatrolRecords
from planner.patrol.schedule import Timetable, timetable

Numbers = NDArray[np.int64]
Tables = dict[str, pd.DataFrame]
#: Kinds of steps that do a duty.
SERVED = ("patrol", "check")
STEP_COLUMNS = (
    "date", "crew", "step", "kind", "begins", "ends", "duty", "segment_id", "name", "side", "metres", "priority",
    "must",
)  # fmt: skip
LEG_COLUMNS = ("date", "crew", "step", "segment_id", "from_m", "to_m")


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """One crew's night: the services of its route, as numbers of the night, their times, and any limit it breaks."""

    crew: int
    route: Numbers
    times: Timetable
    faults: tuple[Note, ...] = ()


def walks_of(night: Night, routes: Sequence[Numbers]) -> list[Walk]:
    """Return when each crew that goes out does what, checked by code that shares nothing with the search."""
    walks = []
    for r, route in enumerate(routes):
        if len(route):
            alone = own_problem(night, r, route)
            order = np.argsort(np.argsort(route)).astype(np.int32)
            times = timetable(alone, 0, order)
            found = faults(alone, [order], [times.direction])
            walks.append(Walk(r, route, times, tuple(replace(f, zh=f"{night.crews.id[r]}：{f.zh}") for f in found)))
    return walks


def own_problem(night: Night, crew: int, route: Numbers) -> PatrolProblem:
    """Return the problem of one crew and the services of its route, in ascending order.

    Only the ways between neighbours of the route are laid out, between all their ends.
    """
    own = night.take(np.sort(route), np.array([crew]))
    order = np.argsort(np.argsort(route))
    mode = int(own.mode_of[0])
    leaves = [own.start, *own.ends[order]]
    enters = [*own.begins[order], own.end]
    pairs = np.array([(a, b) for out, into in zip(leaves, enters, strict=True) for a in out for b in into])
    at = own.places[mode]
    ways = ways_between(own.graphs[mode], select(at, pairs[:, 0]), select(at, pairs[:, 1]))
    travel_s = np.full((len(own.modes), len(at), len(at)), np.inf, np.float32)
    travel_s[mode, pairs[:, 0], pairs[:, 1]] = np.where(pairs[:, 0] == pairs[:, 1], 0.0, ways.time_s)
    return own.with_travel(travel_s)


def night_tables(
    records: PatrolRecords, night: Night, steps: pd.DataFrame, legs: pd.DataFrame, date: dt.date, ended: str, seed: int
) -> Tables:
    """Return "plan" (one row), "crews", "steps", "legs" and "uncovered" of a night, each with its date.

    steps, legs : of ``steps_and_legs``. Lengths in metres, times of day as local ISO text, durations in seconds, NaN
    where a figure does not exist.
    """
    crews = _crew_table(records, night, steps, date)
    left = _left(night, steps)
    uncovered = _uncovered(records.city.network, night, left, date, ended)
    plan = _plan_table(night, left, crews, date, ended, seed)
    return {"plan": plan, "crews": crews, "steps": steps, "legs": legs, "uncovered": uncovered}


def clock(date: dt.date, seconds: float) -> str:
    """Return seconds since the evening's midnight as local ISO text, to the second."""
    return (dt.datetime.combine(date, dt.time()) + dt.timedelta(seconds=round(float(seconds)))).isoformat()


def steps_and_legs(
    records: PatrolRecords, night: Night, walks: list[Walk], date: dt.date
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what each crew does, step by step, and the stretches of street each step covers."""
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
                (date.isoformat(), crew, number, kind, clock(date, begins_s), clock(date, ends_s), *named[:4],
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
    leaves, enters = np.r_[night.start[walk.crew], ends], np.r_[begins, night.end[walk.crew]]
    ways = ways_between(graph, select(at, leaves.astype(np.int64)), select(at, enters.astype(np.int64)))
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
    return (
        str(duties.id[duty]), int(network.segment_id[duties.segment[duty]]), str(duties.name[duty]),
        _side(night, int(service), int(walk.times.direction[j])), float(night.priority[service]),
        bool(duties.must[duty]),
    )  # fmt: skip


def _side(night: Night, service: int, direction: int) -> str:
    """Return which side of the way a street walked once a side is looked at; "" where one walk sees both."""
    if not night.duties.both_sides[night.duty[service]]:
        return ""
    along = (direction == 0) != bool(night.reversed[service])
    return "right" if along != bool(night.second[service]) else "left"


def _crew_table(records: PatrolRecords, night: Night, steps: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """Return one row a crew, those that stay in too."""
    crews, points = night.crews, records.city.points
    begins, ends = pd.to_datetime(steps["begins"]), pd.to_datetime(steps["ends"])
    timed = steps.assign(s=(ends - begins).dt.total_seconds())
    cell_of = dict(zip(night.duties.id[night.duty].astype(str), night.cell, strict=True))
    by_crew = dict(tuple(timed.groupby("crew")))
    rows = []
    for r in range(len(crews)):
        name, station, home = str(crews.id[r]), int(crews.station[r]), str(crews.home[r])
        own = by_crew.get(name, timed.iloc[:0])
        kind = own["kind"].to_numpy(object)
        served, passed = np.isin(kind, SERVED), kind == "travel"
        cells = np.array([cell_of.get(duty, "") for duty in own["duty"]], object)
        seconds, metres = own["s"].to_numpy(np.float64), own["metres"].to_numpy(np.float64)
        rows.append({
            "date": date.isoformat(), "crew": name, "persons": str(crews.persons[r]), "role": str(crews.role[r]),
            "mode": str(crews.mode[r]), "home": home, "station_code": str(points.code[station]),
            "station_name": str(points.name[station]), "station_lon": float(records.point_lon[station]),
            "station_lat": float(records.point_lat[station]), "shift_from": clock(date, crews.from_s[r]),
            "shift_until": clock(date, crews.until_s[r]), "services": int(served.sum()),
            "duration_s": float(seconds.sum()), "service_s": float(seconds[served].sum()),
            "travel_s": float(seconds[passed].sum()), "wait_s": float(seconds[kind == "wait"].sum()),
            "break_s": float(seconds[kind == "break"].sum()), "walked_m": float(metres.sum()),
            "service_m": float(metres[served].sum()), "deadhead_m": float(metres[passed].sum()),
            "priority": float(own["priority"].sum()), "away_s": float(seconds[served & away(cells, home)].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def _left(night: Night, steps: pd.DataFrame) -> Numbers:
    """Return the services that no step does, as numbers of the night."""
    done = steps.loc[steps["kind"].isin(SERVED), "duty"].value_counts()
    left = []
    for i, duty in enumerate(night.duties.id[night.duty].astype(str)):
        if done.get(duty, 0) <= (1 if night.second[i] else 0):
            left.append(i)
    return np.array(left, np.int64)


def _uncovered(network: StreetNetwork, night: Night, left: Numbers, date: dt.date, ended: str) -> pd.DataFrame:
    """Return the services in no route, each with the reason."""
    said = reasons(night, left, ended)
    duty = night.duty[left]
    on = night.duties.segment[duty]
    return pd.DataFrame({
        "date": date.isoformat(), "duty": night.duties.id[duty].astype(str), "segment_id": network.segment_id[on],
        "name": night.duties.name[duty].astype(str),
        "metres": np.where(night.duties.check[duty], 0.0, network.length_m[on]), "priority": night.priority[left],
        "must": night.duties.must[duty], "code": [r.code for r in said], "zh": [r.zh for r in said],
        "en": [r.en for r in said],
    })  # fmt: skip


def _plan_table(night: Night, left: Numbers, crews: pd.DataFrame, date: dt.date, ended: str, seed: int) -> pd.DataFrame:
    """Return the night's figures in one row."""
    must = night.duties.must[night.duty]
    out = crews[crews["services"] > 0]
    duration = out["duration_s"].to_numpy(np.float64)
    walked = float(crews["walked_m"].sum())
    at_home = crews[crews["home"] != ""]
    served_s = float(at_home["service_s"].sum())
    sums = {name: float(crews[name].sum()) for name in ("service_m", "deadhead_m")}
    seconds = {name: float(crews[name].sum()) for name in ("service_s", "travel_s", "wait_s", "break_s")}
    worth = float(night.priority.sum())
    return pd.DataFrame([{
        "date": date.isoformat(), "crews": len(crews), "routes": len(out), "services": len(night),
        "served": len(night) - len(left), "must": int(must.sum()), "must_served": int(must.sum() - must[left].sum()),
        "priority": worth, "priority_served": worth - float(night.priority[left].sum()), "walked_m": walked, **sums,
        "deadhead_share": sums["deadhead_m"] / walked if walked > 0 else np.nan,
        "longest_s": float(duration.max(initial=0.0)), "shortest_s": float(duration.min()) if len(out) else 0.0,
        "mean_s": float(duration.mean()) if len(out) else 0.0, **seconds,
        "away_share": float(at_home["away_s"].sum()) / served_s if served_s > 0 else np.nan,
        "ended": ended, "seed": seed,
    }])  # fmt: skip
