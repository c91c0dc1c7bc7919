"""Time what a supervisor waits for: moves and swaps on the Nanjing core night, and check what they show.

python -m benchmarks.desk [--trials N] [--workers N] [--stations N] [--seconds S] [--seed N] [--folder DIR]

The night is that of ``benchmarks.patrol`` with every street of the four core districts due, 60 workers at 20 stations;
its plan is searched for a few seconds only. It is opened and served; loading it into memory is timed apart. Then come
random moves of a street to another worker, streets given out, and swaps, each asked as the page asks (POST .../try,
with session, scope and routes read from the store) and timed until the answer is there, in this process. Every fourth
is made, so that routes drift from the plan. Of every tenth the minutes shown are reckoned again by
``planner.patrol.check``, which shares no code with the board, on ways searched anew; a route that cannot be walked must
be refused by it too. ms are wall time, in brackets the milliseconds of processor that went into it.
"""

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nanjing_siting import CORE_DISTRICTS
from benchmarks.patrol import EVENING, nanjing_store
from gis.modes import travel_by
from layers.accounts import NewAccount, create_account
from layers.codes import Level, ancestor_of
from layers.nights import open_night
from layers.sessions import open_session
from layers.store import Store
from planner.desk.ground import Ground
from planner.desk.runs import Grounds
from planner.patrol.answer import own_problem
from planner.patrol.check import faults
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol
from web.server.app import create_app
from web.server.passwords import new_uniquifier
from web.server.settings import Settings

MUST_MS = 300
SAMPLE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="of each kind")
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the search of the plan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the store here; by default it is thrown away")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        store = nanjing_store(
            folder, core=True, workers=asked.workers, stations=asked.stations, shares=(1.0, 0.0, 0.0)
        )  # fmt: skip
        run = run_patrol(store, PatrolQuestion(EVENING, within=CORE_DISTRICTS, seconds=asked.seconds))
        _tell_night(store, run.id)
        page = Page(str(folder / "nanjing.sqlite"), run.id)
        rng = np.random.default_rng(asked.seed)
        shown = 0
        for name, ask in (("move", _move), ("give out", _give), ("swap", _swap)):
            took, trials = _timed(page, ask, asked.trials, rng)
            shown += sum(_shown_rightly(page.ground, trial) for trial in trials[::SAMPLE])
            _tell(name, took, sum(trial["refused"] for trial in trials))
        print(f"{shown} crews reckoned again by the checker: all the same")


def _tell_night(store: Store, run_id: str) -> None:
    network, records = store.load_network(), store.load("patrol-duties")
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    streets = int(walkable[np.isin(network.segment_id, records["segment_id"].to_numpy(np.int64))].sum())
    plan = store.run(run_id).tables["plan"].iloc[0]
    print(f"{network.n_segments} streets, {streets} of them to be walked, {plan['services']} services on this night; "
          f"{plan['crews']} crews, {plan['served']} services in routes")  # fmt: skip


class Page:
    """The page of a supervisor of the whole city: a browser that has the night open."""

    def __init__(self, store_file: str, run_id: str) -> None:
        app = create_app(Settings(store_file, secrets.token_urlsafe(48), secure=False))
        store, now = app.extensions["lamplight.store"], datetime.now(UTC)
        city = ancestor_of(str(store.load("areas", "district")["code"].iloc[0]), Level.CITY)
        name = f"desk-{secrets.token_hex(4)}"
        new = NewAccount(name, "督导员", "supervisor", city, "", new_uniquifier(), "")
        me = create_account(store, new, by=None, now=now)
        night = open_night(store, run_id, EVENING, by=me, now=now)
        self._address = f"/staff/nights/{night.id}"
        self._client = app.test_client()
        with self._client.session_transaction() as cookie:
            cookie["secret"] = open_session(store, me.id, device="benchmark", now=now)
        self._word = self._client.get("/report/token").json["csrf_token"]
        began = time.perf_counter()
        while (answer := self._client.get(f"{self._address}/board.json")).status_code == 202:
            pass
        print(f"the night was in memory after {time.perf_counter() - began:.1f} s")
        self.board: dict[str, Any] = answer.json
        self.routes = {crew["crew"]: crew["route"] for crew in self.board["crews"]}
        for what in ("board.json", "streets.json"):
            began = time.perf_counter()
            sent = self._client.get(f"{self._address}/{what}", headers={"Accept-Encoding": "gzip"})
            print(f"{what}: {len(sent.data) / 1000:.0f} kB in {1000 * (time.perf_counter() - began):.0f} ms")
        grounds: Grounds = app.extensions["lamplight.desk"]
        found = grounds.ground(run_id, EVENING, [])
        assert isinstance(found, Ground)
        self.ground = found

    def post(self, what: str, said: dict[str, Any]) -> Any:
        """Return the answer to what the page sends."""
        return self._client.post(f"{self._address}/{what}", json=said, headers={"X-CSRFToken": self._word})

    def make(self, said: dict[str, Any]) -> None:
        """Make a change and take in the board as it is then."""
        answer = self.post("change", {**said, "version": self.board["version"], "confirm": True})
        assert answer.status_code == 200, answer.json
        self.board = answer.json
        self.routes = {crew["crew"]: crew["route"] for crew in self.board["crews"]}


Question = Callable[[Page, np.random.Generator], dict[str, Any]]


def _timed(
    page: Page, ask: Question, count: int, rng: np.random.Generator
) -> tuple[list[tuple[float, float]], list[dict[str, Any]]]:
    """Return seconds of wall and of processor of each answer, and the answers; every fourth change is made."""
    took, trials = [], []
    for i in range(count):
        said = ask(page, rng)
        began, used = time.perf_counter(), time.process_time()
        answer = page.post("try", said)
        took.append((time.perf_counter() - began, time.process_time() - used))
        assert answer.status_code == 200, answer.json
        trials.append(answer.json)
        if i % 4 == 0 and not answer.json["refused"]:
            page.make(said)
    return took, trials


def _move(page: Page, rng: np.random.Generator) -> dict[str, Any]:
    held = [(crew, duty) for crew, route in page.routes.items() for duty, _ in route]
    crew, duty = held[rng.integers(len(held))]
    return {"action": "move", "duty": duty, "to": str(rng.choice([other for other in page.routes if other != crew]))}


def _give(page: Page, rng: np.random.Generator) -> dict[str, Any]:
    # where no districts below the city are imported, what nobody has shows as the city's own
    routed = {duty for route in page.routes.values() for duty, _ in route}
    left = sorted({duty for duty, _ in page.ground.services} - routed)
    return {"action": "assign", "duty": left[rng.integers(len(left))], "to": str(rng.choice(list(page.routes)))}


def _swap(page: Page, rng: np.random.Generator) -> dict[str, Any]:
    a, b = (str(crew) for crew in rng.choice(list(page.routes), 2, replace=False))
    return {"action": "swap", "a": a, "b": b}


def _shown_rightly(ground: Ground, trial: dict[str, Any]) -> int:
    """Check what is shown of everyone a trial touches; return how many they are."""
    checked = 0
    for crew, said in trial["routes"].items():
        codes = {fault["code"] for fault in trial["faults"] if fault["crew"] == crew}
        if not said or "closed" in codes:  # hours that are let go are for the tests
            continue
        services = ground.numbers(tuple((duty, side) for duty, side in said))
        problem = own_problem(ground.night, ground.crew(crew), services)
        order = np.argsort(np.argsort(services)).astype(np.int32)
        total = trial["after"][crew]["total"]
        if total is None:
            found = [fault.code for fault in faults(problem, [order])]
            assert found and found[0] in ("no-way", "not-theirs", "closed"), (crew, found)
        else:  # a shift shorter than the minutes told must be too short, and a longer one long enough
            for spare_s, wanted in ((3.5, []), (-3.5, ["shift"])):  # minutes are told to a tenth
                until_s = problem.crews.from_s + total * 60 + spare_s
                own = replace(problem.crews, until_s=until_s, longest_s=np.full(1, np.inf))
                found = [fault.code for fault in faults(replace(problem, crews=own, uneven=0.0), [order])]
                assert found == wanted, (crew, found)
        checked += 1
    return checked


def _tell(name: str, took: list[tuple[float, float]], refused: int) -> None:
    wall, used = np.array(took).T * 1000
    p50, p95, most = (f"{np.quantile(wall, q):.0f} ({np.quantile(used, q):.0f})" for q in (0.5, 0.95, 1.0))
    over = int((wall > MUST_MS).sum())
    print(f"{len(took)} times {name}: p50 {p50} ms, p95 {p95} ms, slowest {most} ms; {over} over {MUST_MS} ms; "
          f"{refused} cannot be done")  # fmt: skip


if __name__ == "__main__":
    main()
