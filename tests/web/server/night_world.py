"""A night of the demo town on the desk: planned once, kept in any town's store, opened; and the hours of it."""

import datetime as dt
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import shapely
from flask import Flask

from layers.accounts import Account, change_account, credentials
from layers.night_records import NightRoute, PatrolNight
from layers.nights import night as kept_night
from layers.nights import open_night, routes
from layers.phone import keep_events
from layers.run import Run
from layers.scope import Scope
from layers.store import Store
from planner.desk.runs import lines_of
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol
from tests.web.server.staff import add, store_of

EVENING = dt.date(2026, 3, 31)
ZONE = dt.timezone(dt.timedelta(hours=8))
#: The district where four crews go out on that evening, and one where others do.
DISTRICT, OTHER = "990102000000", "990103000000"


@cache
def plan(town: Path) -> Run:
    """Return the plan of the evening for the whole town in the SQLite file ``town``, which is left as it is."""
    copied = town.with_name("planned.sqlite")
    shutil.copy(town, copied)
    store = Store(f"sqlite:///{copied}")
    try:
        return run_patrol(store, PatrolQuestion(EVENING, seconds=0.0))
    finally:
        store.close()


def open_evening(store: Store, planned: Run, by: Account) -> PatrolNight:
    """Keep the plan in a town's store and open its night."""
    run = store.save_run(planned)
    return open_night(store.within(Scope.of(by.area_code)), run.id, EVENING, by=by, now=at("19:00"))


@dataclass(frozen=True)
class Directed:
    """A night of DISTRICT with its two supervisors and a worker, who walks alone in one of its crews."""

    night: PatrolNight
    chief: Account
    deputy: Account
    worker: Account


def directed(app: Flask, planned: Run) -> Directed:
    """Make the accounts in an application's town and open the night of the plan."""
    store = store_of(app)
    chief, deputy = (add(app, name, "supervisor", DISTRICT) for name in ("zhao", "qian"))
    night = open_evening(store, planned, chief)
    alone = next(one for one in routes(store, night.id) if "、" not in one.persons)
    worker, root = add(app, "lin", "grid_worker", alone.area_code[:12]), add(app, "root", "administrator", DISTRICT)
    worker = change_account(store, worker.id, by=root, now=at("19:00"), changes={"name": alone.persons})
    return Directed(night, chief, deputy, worker)


def at(clock: str) -> dt.datetime:
    """Return an hour of the evening by the city's clocks, "00:30" the next day."""
    hour, minute = map(int, clock.split(":"))
    day = EVENING + dt.timedelta(days=int(hour < 12))
    return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).astimezone(dt.UTC)


def ahead(clock: str) -> dt.timedelta:
    """Return what must be added to this moment to come to an hour of the evening."""
    return at(clock) - dt.datetime.now(dt.UTC)


def stop_clocks(monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    """Let every page of the server believe that it is one moment of the evening."""
    for name, module in list(sys.modules.items()):
        if name.startswith("web.server.") and hasattr(module, "now"):
            monkeypatch.setattr(module, "now", lambda: at(clock))


def on_desk(store: Store, planned: Run, by: Account) -> int:
    """Open the night of a plan in a town's store and let streets be ticked off; return the night's number."""
    night = open_evening(store, planned, by)
    _tick(store, night.id)
    return night.id


def read_night(app: Flask, night_id: int) -> None:
    """Read an open night into an application's memory, as the first look at it does."""
    store: Store = app.extensions["lamplight.store"]
    opened = kept_night(store, night_id)
    lines = lines_of(opened.date, routes(store, night_id), ZoneInfo("Asia/Shanghai"))
    app.extensions["lamplight.desk"].ground(opened.run_id, opened.date, lines, wait_s=300.0)


def _tick(store: Store, night_id: int, count: int = 9) -> None:
    """Let the demo's grid worker tick off the first streets of its route."""
    worker = credentials(store, "worker")
    mine = [one for one in routes(store, night_id) if worker and worker.account.name in one.persons.split("、")]
    if worker is None or not mine:
        return
    ticks = [
        {"number": i, "at": at("21:10").timestamp() * 1000, "kind": "tick", "night": night_id, "crew": mine[0].crew,
         "duty": duty, "side": side, "how": "gps"}
        for i, (duty, side) in enumerate(mine[0].route[:count], 1)
    ]  # fmt: skip
    own = store.within(Scope.of(worker.account.area_code))
    keep_events(own, ticks, by=worker.account, device="phone-of-the-demo", now=at("21:10"))


def told_by_phone(store: Store, night: PatrolNight, route: NightRoute, first: int) -> list[dict[str, Any]]:
    """Return what a phone tells of a crew that walks its ``first`` streets as planned: ticks and the track."""
    tables, number = store.run(night.run_id).tables, count(1)
    steps, legs = (tables[name][tables[name]["crew"] == route.crew] for name in ("steps", "legs"))
    last = steps[steps["kind"].isin(("patrol", "check"))]["step"].iloc[first - 1]
    points = _points(store, steps[steps["step"] <= last], legs[legs["step"] <= last])
    of = {"night": night.id, "crew": route.crew}
    tick = {"kind": "tick", "at": points[-1][0], "how": "gps", **of}
    ticks = [{"number": next(number), "duty": duty, "side": side, **tick} for duty, side in route.route[:first]]
    sent = [points[i : i + 50] for i in range(0, len(points), 50)]
    return ticks + [{"number": next(number), "at": some[-1][0], "kind": "track", "points": some, **of} for some in sent]


def _points(store: Store, steps: Any, legs: Any, every_m: float = 12.0) -> list[list[float]]:
    """Return [milliseconds since 1970, lon, lat, metres of error] along the legs, at the hours of their steps."""
    network, points = store.load_network(), []
    place = {int(segment): i for i, segment in enumerate(network.segment_id)}
    hours = {
        int(one.step): [dt.datetime.fromisoformat(at) for at in (one.begins, one.ends)] for one in steps.itertuples()
    }
    for step, ways in legs.groupby("step"):
        begins, ends = (at.replace(tzinfo=ZONE).timestamp() for at in hours[int(step)])
        whole_m, gone_m = float((ways["to_m"] - ways["from_m"]).abs().sum()), 0.0
        for way in ways.itertuples():
            s, metres = place[int(way.segment_id)], abs(way.to_m - way.from_m)
            for share in np.arange(0.0, 1.0, every_m / max(metres, every_m)):
                at_m = way.from_m + share * (way.to_m - way.from_m)
                on = shapely.line_interpolate_point(network.geometry[s], at_m / network.length_m[s], normalized=True)
                at_s = begins + (ends - begins) * (gone_m + share * metres) / whole_m
                points.append([round(at_s * 1000), on.x, on.y, 6.0])
            gone_m += metres
    return points
