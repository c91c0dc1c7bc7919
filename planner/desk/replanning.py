"""The rest of the night shared out again among those who still walk, as the board stands."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from layers.night_opening import planned_routes
from planner.desk.board import Board, Trial
from planner.desk.ground import SIDES, Route, Stop
from planner.patrol.replan import plan_again
from planner.watch import Watch


def replan(board: Board, stops: Collection[Stop], held: Collection[str], watch: Watch, *, seed: int = 0) -> Trial:
    """Return what would become of the routes if ``stops``, which nobody has, were shared out again from now on.

    held : crews that keep their routes; locked ones do anyway, and those who are ill walk no more. What is walked or
    begun by plan stays; a crew may lose a street of less worth for one of more. While nobody is out the whole night is
    shared out again.
    """
    ground, lines = board.ground, board.lines
    now_s = float(ground.night.crews.from_s.min()) if board.now_s is None else board.now_s
    ill = [line.crew for line in lines.values() if line.ill_s is not None]
    locked = [line.crew for line in lines.values() if line.locked]
    absent = [str(crew) for crew in ground.night.crews.id if crew not in lines]  # planned, but nobody opened its night
    tables = ground.walks({line.crew: line.route for line in lines.values()})
    tables, _ = plan_again(
        ground.records, ground.night, tables, ground.date, now_s, ill, watch, seed,
        held=[*held, *locked, *absent], around=np.sort(ground.numbers(tuple(stops))),
    )  # fmt: skip
    planned = planned_routes(tables, ground.date)
    found = _once({crew: route for crew, route in planned.items() if crew in lines}, board)
    routes = {crew: route for crew, route in found.items() if route != lines[crew].route}
    trial = board.with_routes(routes)
    return replace(trial, left=tuple(stop for stop in trial.left if stop not in stops))


def _once(routes: dict[str, Route], board: Board) -> dict[str, Route]:
    """Return the routes with each side of a street walked once a side in one route alone: the sides are alike."""
    taken = {stop for crew, line in board.lines.items() for stop in line.route if routes.get(crew) == line.route}
    mended = dict(routes)
    for crew, route in routes.items():
        if route == board.lines[crew].route:
            continue
        own: list[Stop] = []
        for duty, side in route:
            other = SIDES[1 - SIDES.index(side)] if side else ""
            stop = (duty, other) if (duty, side) in taken and side else (duty, side)
            taken.add(stop)
            own.append(stop)
        mended[crew] = tuple(own)
    return mended
