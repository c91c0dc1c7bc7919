"""A night of one crew in the demo town, small enough to be walked in a test, and the server's clock to go with it."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely

from gis.network import StreetNetwork
from layers.accounts import Account, NewAccount, create_account, credentials
from layers.nights import open_night
from layers.run import Run
from layers.store import Store
from planner.patrol.answer import LEG_COLUMNS, STEP_COLUMNS
from tests.web.server.staff import CHEAP
from web.server.passwords import new_uniquifier

EVENING = dt.date(2026, 11, 20)
ZONE = dt.timezone(dt.timedelta(hours=8))
FROM, UNTIL = dt.datetime(2026, 11, 20, 20, tzinfo=ZONE), dt.datetime(2026, 11, 21, 0, tzinfo=ZONE)
NAME, CREW, DWELL_S = "林灯", "C01", 120


@dataclass
class Clock:
    """The time of the server's phone pages; ``page`` puts a page's clock at the same."""

    now: dt.datetime = FROM - dt.timedelta(minutes=10)

    def __call__(self) -> dt.datetime:
        return self.now.astimezone(dt.UTC)

    def at(self, moment: dt.datetime, *pages: Any) -> None:
        """Put the server's and the pages' clocks to ``moment``."""
        self.now = moment
        for page in pages:
            page.clock.set_fixed_time(moment)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    for module in ("phone_pages", "phone_sync"):
        monkeypatch.setattr(f"web.server.{module}.now", turned)
    return turned


@dataclass(frozen=True)
class PhoneNight:
    """The night's number, its worker and supervisor, and each street of the route as walked, (lon, lat) by metres."""

    night_id: int
    run_id: str
    worker: Account
    boss: Account
    streets: list[np.ndarray] = field(repr=False)
    duties: list[str]


def walk_of(network: StreetNetwork, lines: dict[int, np.ndarray], count: int) -> list[tuple[int, bool]]:
    """Return ``count`` streets that follow one another, each (segment, whether as drawn), of 60 to 200 metres."""
    fits = np.flatnonzero((network.length_m > 60) & (network.length_m < 200) & (network.u != network.v))
    at: dict[int, list[int]] = {}
    for s in fits.tolist():
        at.setdefault(int(network.u[s]), []).append(s)
        at.setdefault(int(network.v[s]), []).append(s)

    def onward(node: int, way: list[tuple[int, bool]]) -> list[tuple[int, bool]] | None:
        if len(way) == count:
            return way
        for s in at.get(node, []):
            if s not in [one for one, _ in way]:
                forward = int(network.u[s]) == node
                found = onward(int(network.v[s] if forward else network.u[s]), [*way, (s, forward)])
                if found:
                    return found
        return None

    return next(way for node in sorted(at) if (way := onward(node, [])))


def make_night(store: Store) -> PhoneNight:
    """Plan and open a night: four streets, the third looked at once a side, and a check after the second."""
    network = store.load_network()
    streets = store.load("streets")
    lines = dict(zip(streets["segment_id"], (np.array(g.coords) for g in streets.geometry), strict=True))
    way = walk_of(network, lines, 4)
    first = lines[int(network.segment_id[way[0][0]])]
    lon, lat = first[0 if way[0][1] else -1]
    community = store.load("areas", "community")
    home = str(community["code"][community.contains(shapely.Point(lon, lat))].iloc[0])
    tables, walked, duties = _tables(network, lines, way, home, (lon, lat))
    current = store.current()
    inputs = {name: current[name, ""].content_sha256 for name in ("streets", "service-points")}
    run = store.save_run(Run("patrol", {"date": str(EVENING), "hours": "20:00-24:00", "within": []}, inputs, tables))
    now = FROM.astimezone(dt.UTC)

    def account(username: str, name: str, role: str, area: str) -> Account:
        kept = credentials(store, username)
        new = NewAccount(username, name, role, area, CHEAP, new_uniquifier())
        return create_account(store, new, by=None, now=now) if kept is None else kept.account

    boss = account("phone-boss", "主管", "supervisor", home[:6] + "000000")
    worker = account("phone-worker", NAME, "grid_worker", home)
    night = open_night(store, run.id, EVENING, by=boss, now=now)
    return PhoneNight(night.id, run.id, worker, boss, walked, duties)


def _tables(
    network: StreetNetwork,
    lines: dict[int, np.ndarray],
    way: list[tuple[int, bool]],
    home: str,
    at: tuple[float, float],
) -> tuple[dict[str, pd.DataFrame], list[np.ndarray], list[str]]:
    back = (way[2][0], not way[2][1])
    plan = [("patrol", way[0], ""), ("patrol", way[1], ""), ("check", way[1], ""), ("patrol", way[2], "right"),
            ("patrol", back, "right"), ("travel", way[2], ""), ("patrol", way[3], "")]  # fmt: skip
    begins, steps, legs, walked = FROM.replace(tzinfo=None), [], [], []

    def step(kind: str, lasts_s: float, **said: Any) -> None:
        nonlocal begins
        ends = begins + dt.timedelta(seconds=lasts_s)
        empty = {"duty": "", "segment_id": -1, "name": "", "side": "", "metres": 0.0, "priority": 0.0, "must": False}
        steps.append({"date": str(EVENING), "crew": CREW, "step": len(steps), "kind": kind, **empty, **said,
                      "begins": begins.isoformat(), "ends": ends.isoformat()})  # fmt: skip
        begins = ends

    step("start", 0, name="驻点")
    for kind, (s, forward), side in plan:
        segment, length = int(network.segment_id[s]), float(network.length_m[s])
        if kind == "check":
            step(kind, DWELL_S, duty="P1", segment_id=segment, name="桥洞", priority=3.0, must=True)
            continue
        said = {"duty": f"S{segment}", "segment_id": segment, "name": str(network.name[s]), "side": side}
        step(kind, length / 1.2, metres=length, **(said if kind == "patrol" else {}))
        ends = (0.0, length) if forward else (length, 0.0)
        key = {"date": str(EVENING), "crew": CREW, "step": len(steps) - 1}
        legs.append({**key, "segment_id": segment, "from_m": ends[0], "to_m": ends[1]})
        if kind == "patrol":
            walked.append(lines[segment] if forward else lines[segment][::-1])
    step("end", 0, name="驻点")
    crew = {"date": str(EVENING), "crew": CREW, "persons": NAME, "role": "grid_worker", "mode": "walk", "home": home,
            "station_code": "", "station_name": "驻点", "station_lon": at[0], "station_lat": at[1],
            "shift_from": "2026-11-20T20:00:00", "shift_until": "2026-11-21T00:00:00", "services": 6, "travel_s": 300.0,
            "duration_s": 3000.0, "service_s": 2000.0, "wait_s": 0.0, "break_s": 0.0, "walked_m": 700.0,
            "service_m": 600.0, "deadhead_m": 100.0, "priority": 9.0, "away_s": 0.0}  # fmt: skip
    left = pd.DataFrame(
        columns=["date", "duty", "segment_id", "name", "metres", "priority", "must", "code", "zh", "en"]
    )
    tables = {"plan": pd.DataFrame([{"date": str(EVENING), "crews": 1}]), "crews": pd.DataFrame([crew]),
              "steps": pd.DataFrame(steps)[list(STEP_COLUMNS)], "legs": pd.DataFrame(legs)[list(LEG_COLUMNS)],
              "uncovered": left, "notes": pd.DataFrame(columns=["code", "zh", "en"])}  # fmt: skip
    duties = [str(one["duty"]) for one in steps if one["kind"] in ("patrol", "check")]
    return tables, walked, duties
