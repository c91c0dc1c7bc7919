"""Where the desk meets the store: the ground of a night loaded from the run it came from, kept for the next asker."""

import datetime as dt
import gc
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic
from zoneinfo import ZoneInfo

from layers.night_records import NightRoute
from layers.store import Store
from planner.desk.board import Board, Line
from planner.desk.ground import Ground, ground_of
from planner.loading import Progress
from planner.patrol.rounds import compile_search
from planner.patrol.runs import night_again
from planner.watch import Watch

#: So many nights are kept in memory.
KEPT = 4
#: A replan at the desk ends its search after this long.
REPLAN_S = 20.0


def load_ground(store: Store, run_id: str, date: dt.date, tell: Progress = lambda step: None) -> Ground:
    """Return the ground of one night of a run of patrol, its routes reckoned once so that the desk answers at once.

    store : the whole city's, since the plan was made of the whole city's records. Reports that came in during the night
    are among its duties. Raises StoreError, QuestionError where the records are gone.
    """
    run = store.run(run_id)
    records, night = night_again(store, run, date, run.parameters.get("reports", []), tell)
    return ground_of(records, night, date)


def warm(ground: Ground, lines: Iterable[Line]) -> None:
    """Reckon the routes as they stand, and compile what a replan needs."""
    for line in lines:
        ground.reckoned(line.crew, line.route)
    compile_search()


def lines_of(date: dt.date, routes: Iterable[NightRoute], zone: ZoneInfo) -> list[Line]:
    """Return the lines of a board from the store's routes of the night of ``date``."""
    return [
        Line(
            route.crew, route.route, route.locked,
            None if route.ill_from is None else seconds_of(date, route.ill_from, zone),
        )
        for route in routes
    ]  # fmt: skip


def board_of(ground: Ground, routes: Iterable[NightRoute], *, zone: ZoneInfo, now: dt.datetime) -> Board:
    """Return the board as the store's routes stand at ``now`` (aware).

    Before the first shift begins and after the last has ended, nothing counts as begun: what stands is only a plan.
    """
    lines = {line.crew: line for line in lines_of(ground.date, routes, zone)}
    now_s, crews = seconds_of(ground.date, now, zone), ground.night.crews
    on = len(crews) > 0 and float(crews.from_s.min()) < now_s < float(crews.until_s.max())
    return Board(ground, lines, now_s if on else None)


def seconds_of(date: dt.date, moment: dt.datetime, zone: ZoneInfo) -> float:
    """Return an aware ``moment`` as seconds since the midnight before the evening of ``date``, by the city's clocks."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    return (local - dt.datetime.combine(date, dt.time())).total_seconds()


def watch_replan() -> Watch:
    """Return the watch of a replan at the desk."""
    return Watch(monotonic, seconds=REPLAN_S)


class Grounds:
    """The grounds of the nights last looked at, each loaded once and in the background."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loading: OrderedDict[tuple[str, dt.date], Future[Ground]] = OrderedDict()
        self._steps: dict[tuple[str, dt.date], str] = {}
        self._turn = Lock()
        self._worker = ThreadPoolExecutor(1, "desk")

    def ground(self, run_id: str, date: dt.date, lines: Iterable[Line], *, wait_s: float = 0.0) -> Ground | str:
        """Return the ground of a night; the name of the step its loading is at where it is not there in ``wait_s``.

        lines : the routes to reckon first. Raises what loading it raised.
        """
        key = (run_id, date)
        with self._turn:
            future = self._loading.get(key)
            if future is None:
                kept = tuple(lines)
                self._steps[key] = "waiting"
                future = self._worker.submit(self._load, key, kept)
                self._loading[key] = future
            self._loading.move_to_end(key)
            while len(self._loading) > KEPT:
                old, _ = self._loading.popitem(last=False)
                self._steps.pop(old, None)
        try:
            return future.result(wait_s)
        except TimeoutError:
            return self._steps.get(key, "waiting")
        except Exception:
            with self._turn:  # the next asker tries again
                if self._loading.get(key) is future:
                    del self._loading[key]
            raise

    def _load(self, key: tuple[str, dt.date], lines: tuple[Line, ...]) -> Ground:
        def tell(step: str) -> None:
            self._steps[key] = step

        ground = load_ground(self._store, *key, tell)
        tell("routes")
        warm(ground, lines)
        # a city is a million objects: a full collection would look at all of them while somebody waits for an answer
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        return ground

    def close(self) -> None:
        """Load nothing more."""
        self._worker.shutdown(cancel_futures=True)
