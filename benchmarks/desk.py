"""Time what a supervisor waits for: moves and swaps on the Nanjing core night, and check what they show.

python -m benchmarks.desk [--trials N] [--workers N] [--stations N] [--seconds S] [--seed N] [--folder DIR]

The night is that of ``benchmarks.patrol``: the streets of the four core districts, 60 workers at 20 stations; its plan
is searched for a few seconds only. The board is loaded once, as the server loads it, and timed apart. Then come random
moves of a street to another worker, random streets given out and random swaps, each answered as the server answers:
the board made of the routes, the trial, its JSON. Of every tenth the minutes shown are reckoned again by
``planner.patrol.check``, which shares no code with the board, on ways searched anew. Times are wall times.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.nanjing_siting import CORE_DISTRICTS
from benchmarks.patrol import EVENING, nanjing_store
from layers.night_opening import planned_routes
from planner.desk.board import Board, Line, Trial
from planner.desk.ground import Ground
from planner.desk.runs import load_ground, warm
from planner.desk.said import trial_json
from planner.patrol.answer import own_problem
from planner.patrol.check import faults
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol

MUST_S = 0.3
SAMPLE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="moves, and as many swaps")
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the search of the plan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the store here; by default it is thrown away")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = nanjing_store(asked.folder or Path(scratch), core=True, workers=asked.workers, stations=asked.stations)
        run = run_patrol(store, PatrolQuestion(EVENING, within=CORE_DISTRICTS, seconds=asked.seconds))
        routes = planned_routes(run.tables, EVENING)
        lines = {crew: Line(crew, route) for crew, route in routes.items()}
        began = time.perf_counter()
        ground = load_ground(store, run.id, EVENING)
        loaded = time.perf_counter()
        warm(ground, lines.values())
        streets, served = ground.records.city.network.n_segments, sum(map(len, routes.values()))
        print(f"{streets} streets, {len(lines)} crews, {served} of {len(ground.night)} services in routes")
        print(f"loaded in {loaded - began:.1f} s, routes reckoned in {time.perf_counter() - loaded:.1f} s")
        rng = np.random.default_rng(asked.seed)
        shown = 0
        board = Board(ground, lines)
        for name, ask in (("move", _move), ("give out", _give), ("swap", _swap)):
            took, trials, board = _timed(board, ask, asked.trials, rng)
            shown += sum(_shown_rightly(ground, trial) for trial in trials[::SAMPLE])
            refused = sum(trial.refused for trial in trials)
            _tell(name, took, refused)
        print(f"minutes of {shown} crews reckoned again by the checker: all the same")


def _timed(
    board: Board, ask: Callable[[Board, np.random.Generator], Callable[[Board], Trial]], count: int,
    rng: np.random.Generator,
) -> tuple[list[float], list[Trial], Board]:  # fmt: skip
    """Return seconds of each answer, the trials, and the board after every fourth was made."""
    took, trials = [], []
    for i in range(count):
        question = ask(board, rng)
        began = time.perf_counter()
        fresh = replace(board, lines={crew: replace(line) for crew, line in board.lines.items()})
        trial = question(fresh)
        json.dumps(trial_json(trial), ensure_ascii=False)
        took.append(time.perf_counter() - began)
        trials.append(trial)
        if i % 4 == 0 and not trial.refused:
            board = board.changed(trial.routes)
    return took, trials, board


def _move(board: Board, rng: np.random.Generator) -> Callable[[Board], Trial]:
    crews = [crew for crew, line in board.lines.items() if line.route]
    held = [(crew, stop) for crew in crews for stop in board.lines[crew].route]
    crew, stop = held[rng.integers(len(held))]
    to = str(rng.choice([other for other in board.lines if other != crew]))
    return lambda fresh: fresh.move(stop[0], to)


def _give(board: Board, rng: np.random.Generator) -> Callable[[Board], Trial]:
    left = board.open_stops()
    stop, to = left[rng.integers(len(left))], str(rng.choice(list(board.lines)))
    return lambda fresh: fresh.assign(stop[0], to)


def _swap(board: Board, rng: np.random.Generator) -> Callable[[Board], Trial]:
    a, b = (str(crew) for crew in rng.choice(list(board.lines), 2, replace=False))
    return lambda fresh: fresh.swap(a, b)


def _shown_rightly(ground: Ground, trial: Trial) -> int:
    """Check the minutes of everyone a trial touches; return how many they are."""
    checked = 0
    for crew, route in trial.routes.items():
        found = ground.reckoned(crew, route)
        if found.times is None or not route or any(fault.note.code == "closed" for fault in found.faults):
            continue
        r, services = ground.crew(crew), ground.numbers(route)
        problem = own_problem(ground.night, r, services)
        order = np.argsort(np.argsort(services)).astype(np.int32)
        # a shift that ends a second before the return the board tells must be too short, and one a second after not
        for spare_s, kept in ((1.0, True), (-1.0, False)):
            until_s = np.full(1, found.time.back_s + spare_s)
            own = replace(problem.crews, until_s=until_s, longest_s=np.full(1, np.inf))
            codes = [fault.code for fault in faults(replace(problem, crews=own, uneven=0.0), [order])]
            assert codes == ([] if kept else ["shift"]), (crew, codes)
        checked += 1
    return checked


def _tell(name: str, took: list[float], refused: int) -> None:
    p50, p95, most = (1000 * float(np.quantile(took, q)) for q in (0.5, 0.95, 1.0))
    within = "within" if most <= 1000 * MUST_S else "NOT within"
    print(
        f"{len(took)} times {name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, slowest {most:.0f} ms, {within} "
        f"{1000 * MUST_S:.0f} ms; {refused} refused"
    )


if __name__ == "__main__":
    main()
