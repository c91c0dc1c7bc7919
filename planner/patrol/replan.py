"""The rest of a night planned again: somebody falls ill, a report comes in; what was walked stays as it was."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.reach_ways import ways_between
from planner.coverage_inputs import select
from planner.notes import Note
from planner.patrol.answer import SERVED, Tables, Walk, night_tables, steps_and_legs, walks_of
from planner.patrol.duties import REPORT_ID
from planner.patrol.night import Night
from planner.patrol.records import PatrolRecords
from planner.patrol.rounds import Job, Numbers, solve
from planner.patrol.schedule import Timetable
from planner.patrol.territories import Part, worthwhile
from planner.watch import Watch

#: So many crews that would be there soonest share out what changed, and with it so many of the services nobody has; all
#: others keep their routes.
CREWS_AGAIN, MOST_OPEN = 6, 150
#: Moves of the search, and its heat: from the routes there are, in a second or two.
MOVES, HEAT = 2000, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """How the night stands at an hour, for each of r crews.

    kept : (r,) how many of its steps are done or under way. free_s : (r,) when it is free again, in seconds since the
    evening's midnight. place : (r,) where it is then. route : what it has still to do, as services of the night.
    broke : (r,) whether its break has been taken. out : (r,) whether it goes on.
    """

    kept: Numbers
    free_s: NDArray[np.float64]
    place: NDArray[np.int32]
    route: list[Numbers]
    broke: NDArray[np.bool_]
    out: NDArray[np.bool_]


def standing(night: Night, steps: pd.DataFrame, date: dt.date, now_s: float, ill: Sequence[str]) -> Standing:
    """Return how the night's plan stands at ``now_s``: a step under way is finished, and a way walked to its end.

    ill : ids of crews that stop at once: what they were doing counts as not done.
    """
    midnight = pd.Timestamp(date)
    begins_s, ends_s = ((pd.to_datetime(steps[c]) - midnight).dt.total_seconds() for c in ("begins", "ends"))
    timed = steps.assign(begins_s=begins_s, ends_s=ends_s)
    by_crew = dict(tuple(timed.groupby("crew")))
    services = _services_by_duty(night)
    r = len(night.crews)
    kept, free_s, place = np.zeros(r, np.int64), night.crews.from_s.copy(), night.start.copy()
    broke, out = np.zeros(r, bool), np.ones(r, bool)
    routes: list[Numbers] = []
    used: dict[str, int] = {}
    for i, name in enumerate(night.crews.id):
        own = by_crew.get(str(name))
        if own is None:
            free_s[i] = max(now_s, free_s[i])
            routes.append(np.empty(0, np.int64))
            out[i] = str(name) not in ill
            continue
        count = _steps_kept(own, now_s, str(name) in ill)
        numbered = [_taken(services, used, str(duty)) for duty in own.loc[own["kind"].isin(SERVED), "duty"]]
        done = int(own["kind"].iloc[:count].isin(SERVED).sum())
        kept[i] = count
        routes.append(np.array([s for s in numbered[done:] if s >= 0], np.int64))
        broke[i] = bool((own["kind"].iloc[:count] == "break").any())
        out[i] = str(name) not in ill and (count < len(own) or now_s < float(night.crews.until_s[i]))
        if count:
            free_s[i] = float(own["ends_s"].iloc[count - 1])
        if count < len(own) and not done and own["kind"].iloc[0] == "start":
            free_s[i] = max(float(own["begins_s"].iloc[0]), free_s[i])
        if done:
            place[i] = _end_of(night, numbered[done - 1], own, count)
        free_s[i] = max(free_s[i], now_s) if count == len(own) else free_s[i]
        if count == len(own):
            place[i] = night.end[i]
    return Standing(kept, free_s, place, routes, broke, out)


def _services_by_duty(night: Night) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for i, duty in enumerate(night.duties.id[night.duty].astype(str)):
        found.setdefault(duty, []).append(i)
    return found


def _taken(services: dict[str, list[int]], used: dict[str, int], duty: str) -> int:
    """Return the next service of a duty not taken yet, -1 if the records no longer hold it."""
    n = used.get(duty, 0)
    used[duty] = n + 1
    of = services.get(duty, [])
    return of[n] if n < len(of) else -1


def _steps_kept(own: pd.DataFrame, now_s: float, ill: bool) -> int:
    """Return how many steps stay: all that are over, and those under way up to the end of the service they lead to."""
    if ill:
        return int((own["ends_s"] <= now_s).sum())
    count = int((own["begins_s"] < now_s).sum())
    kinds = own["kind"].to_numpy(object)
    if count and kinds[count - 1] in ("travel", "wait"):
        while count < len(kinds) and kinds[count - 1] not in (*SERVED, "end"):
            count += 1
    return count


def _end_of(night: Night, service: int, own: pd.DataFrame, count: int) -> int:
    """Return the place where the last service done ends: both ends are places, and its own leg tells which."""
    last = own.iloc[:count][own["kind"].iloc[:count].isin(SERVED)].iloc[-1]
    return int(night.ends[service, int(last["direction"])])


def plan_again(
    records: PatrolRecords,
    night: Night,
    tables: Tables,
    date: dt.date,
    now_s: float,
    ill: Sequence[str],
    watch: Watch,
    seed: int,
    *,
    held: Collection[str] = (),
    around: Numbers | None = None,
) -> tuple[Tables, list[Note]]:
    """Return the night's tables with the rest planned again from ``now_s``, and any limit the new routes break.

    night : all duties of the night, new reports last. tables : of the plan so far. Crews far from what changed keep
    their routes to the letter, as do those ``held``; every crew keeps what it has walked or begun. around : services to
    plan around, by default what the ill leave and new reports. Raises QuestionError on an unknown crew.
    """
    unknown = [name for name in ill if name not in set(night.crews.id)]
    if unknown:
        raise QuestionError(f"没有编组 {unknown[0]}", f"there is no crew {unknown[0]!r} in this plan")
    steps = tables["steps"].assign(direction=_directions(night, tables))
    now = standing(night, steps, date, now_s, ill)
    open_ = _open_services(night, steps, now)
    wanted = _changed(night, now, open_, ill) if around is None else np.intersect1d(around, open_)
    able = np.flatnonzero(now.out & ~np.isin(night.crews.id.astype(str), list(held)))
    part = _part(night, now, open_, wanted, able)
    rest = _rest(night, now)
    start = tuple(np.searchsorted(part.services, now.route[c]).astype(np.int32) for c in part.crews)
    job = Job(rest.take(part.services, part.crews), start, MOVES, seed, HEAT)
    found = solve(job, watch)
    routes = [np.empty(0, np.int64) for _ in range(len(night.crews))]
    for crew, route in zip(part.crews, found.routes, strict=True):
        routes[crew] = part.services[route]
    idle = [c for c in part.crews.tolist() if not len(routes[c]) and now.kept[c] > 0]
    walks = [*walks_of(rest, routes), *(_homeward(rest, c) for c in idle)]
    new_steps, new_legs = steps_and_legs(records, rest, walks, date)
    changed = [str(night.crews.id[c]) for c in part.crews]
    spliced, legs = _spliced(tables, now, night, changed, ill, new_steps, new_legs)
    ended = "cancelled" if watch.cancelled else "settled"
    faults = [fault for walk in walks for fault in walk.faults]
    return night_tables(records, night, spliced, legs, date, ended, seed), faults


def _directions(night: Night, tables: Tables) -> NDArray[np.int64]:
    """Return the direction of each step's service, from the leg it covers; 0 for a check and for other steps."""
    legs = tables["legs"].drop_duplicates(["crew", "step"])
    against = dict(zip(zip(legs["crew"], legs["step"], strict=True), legs["from_m"] > legs["to_m"], strict=True))
    turned = dict(zip(night.duties.id[night.duty].astype(str), night.reversed, strict=True))
    return np.array([
        int(kind == "patrol" and bool(against.get((crew, step), False)) != bool(turned.get(duty, False)))
        for crew, step, kind, duty in zip(*(tables["steps"][c] for c in ("crew", "step", "kind", "duty")), strict=True)
    ])  # fmt: skip


def _open_services(night: Night, steps: pd.DataFrame, now: Standing) -> Numbers:
    """Return the services neither kept by anyone nor on the rest of anyone's route."""
    position = {str(name): i for i, name in enumerate(night.crews.id)}
    kept = now.kept[steps["crew"].map(position).to_numpy(np.int64)]
    done = steps[(steps["step"].to_numpy() < kept) & steps["kind"].isin(SERVED)]["duty"].value_counts()
    going_on = [route for route, out in zip(now.route, now.out, strict=True) if out]
    planned = set(np.concatenate([np.empty(0, np.int64), *going_on]).tolist())
    seen: dict[str, int] = {}
    open_ = []
    for i, duty in enumerate(night.duties.id[night.duty].astype(str)):
        seen[duty] = seen.get(duty, 0) + 1
        if seen[duty] > done.get(duty, 0) and i not in planned:
            open_.append(i)
    return np.array(open_, np.int64)


def _changed(night: Night, now: Standing, open_: Numbers, ill: Sequence[str]) -> Numbers:
    """Return the services that the ill leave and the reports nobody has; all open ones where there are none."""
    lost = [now.route[c] for c in range(len(night.crews)) if str(night.crews.id[c]) in ill]
    reports = np.flatnonzero(np.char.startswith(night.duties.id[night.duty].astype(str), REPORT_ID))
    changed = np.concatenate([*lost, np.intersect1d(reports, open_)]).astype(np.int64)
    return changed if len(changed) else open_


def _part(night: Night, now: Standing, open_: Numbers, changed: Numbers, able: Numbers) -> Part:
    """Return the crews, of those ``able``, soonest at what changed, with their routes and the open services around."""
    if not len(able) or not len(changed):
        return Part(np.empty(0, np.int64), able[:0])
    x, y = night.x[changed], night.y[changed]
    own = [now.route[c] for c in able]
    middle = [
        (night.x[route].mean(), night.y[route].mean()) if len(route) else (night.crews.x[c], night.crews.y[c])
        for c, route in zip(able, own, strict=True)
    ]
    pace = np.array([np.median(g.seconds_per_m[np.isfinite(g.seconds_per_m)]) for g in night.graphs])
    off_s = np.array([np.hypot(x - mx, y - my).min() for mx, my in middle]) * pace[night.mode_of[able]]
    crews = np.sort(able[np.argsort(off_s, kind="stable")[:CREWS_AGAIN]])
    routed = np.zeros(len(night), bool)
    for c in crews:
        routed[now.route[c]] = True
    near = np.hypot(night.x[open_][:, None] - x, night.y[open_][:, None] - y).min(axis=1)
    wanted = np.lexsort((near, ~np.isin(open_, changed), ~night.duties.must[night.duty[open_]]))[:MOST_OPEN]
    return worthwhile(night, Part(np.union1d(open_[wanted], np.flatnonzero(routed)), crews), routed)


def _rest(night: Night, now: Standing) -> Night:
    """Return the night from where every crew will be free."""
    crews = night.crews
    spent_s = now.free_s - crews.from_s
    shorter = replace(
        crews, from_s=now.free_s, longest_s=np.maximum(crews.longest_s - spent_s, 0.0),
        break_s=np.where(now.broke, 0.0, crews.break_s),
    )  # fmt: skip
    return replace(night, crews=shorter, start=now.place)


def _homeward(rest: Night, crew: int) -> Walk:
    """Return the way back of a crew that has nothing left to do."""
    k = int(rest.mode_of[crew])
    at = rest.places[k]
    way = ways_between(
        rest.graphs[k], select(at, rest.start[[crew]].astype(np.int64)), select(at, rest.end[[crew]].astype(np.int64))
    )
    none, nothing = np.empty(0, np.int64), np.empty(0)
    back_s = 0.0 if rest.start[crew] == rest.end[crew] else float(way.time_s[0])
    returns_s = float(rest.crews.from_s[crew]) + back_s
    return Walk(crew, none, Timetable(none, nothing, nothing, nothing, -1, returns_s))


def _spliced(
    tables: Tables, now: Standing, night: Night, changed: Sequence[str], ill: Sequence[str], steps: pd.DataFrame,
    legs: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return the steps and legs kept, followed by the new ones of the crews that were planned again."""
    kept = {str(name): int(now.kept[i]) for i, name in enumerate(night.crews.id)}
    touched = {*changed, *ill}
    parts = []
    for name, new in (("steps", steps), ("legs", legs)):
        old = tables[name]
        stays = ~old["crew"].isin(touched) | (old["step"] < old["crew"].map(kept))
        first = new["crew"].map(kept)
        # the second plan begins with a step of its own for the start, unless nothing was walked before
        later = new[(new["step"] > 0) | (first == 0)]
        shift = np.where(later["crew"].map(kept) > 0, later["crew"].map(kept) - 1, 0)
        parts.append(
            pd.concat([old[stays], later.assign(step=later["step"] + shift)], ignore_index=True)
            .sort_values(["crew", "step"], kind="stable").reset_index(drop=True)
        )  # fmt: skip
    return parts[0], parts[1]
