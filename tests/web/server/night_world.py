"""A night of the demo town on the desk: planned once, kept in any town's store, opened; and the hours of it."""

import datetime as dt
import shutil
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask

from layers.accounts import Account, credentials
from layers.night_records import PatrolNight
from layers.nights import night as kept_night
from layers.nights import open_night, routes
from layers.phone import keep_events
from layers.run import Run
from layers.scope import Scope
from layers.store import Store
from planner.desk.runs import lines_of
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol

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


def at(clock: str) -> dt.datetime:
    """Return an hour of the evening by the city's clocks, "00:30" the next day."""
    hour, minute = map(int, clock.split(":"))
    day = EVENING + dt.timedelta(days=int(hour < 12))
    return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).astimezone(dt.UTC)


def ahead(clock: str) -> dt.timedelta:
    """Return what must be added to this moment to come to an hour of the evening."""
    return at(clock) - dt.datetime.now(dt.UTC)


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
