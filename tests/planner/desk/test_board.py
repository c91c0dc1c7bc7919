"""The minutes on the desk are those of plain reckoning, whatever was moved, given out, taken away or swapped."""

import datetime as dt
import math
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from gis.crs import to_lonlat
from gis.errors import QuestionError, StoreError
from layers.night_opening import planned_routes
from layers.night_records import NightRoute
from layers.run import Run
from layers.store import Store
from planner.desk.board import Board, Line, Trial
from planner.desk.ground import Ground, Route
from planner.desk.reckoning import CrewTime
from planner.desk.replanning import replan
from planner.desk.runs import Grounds, board_of, lines_of, load_ground
from planner.patrol.answer import own_problem
from planner.patrol.check import faults
from planner.patrol.runs import run_replan
from planner.patrol.schedule import timetable
from planner.watch import Watch
from tests.planner import toy_town
from tests.planner.desk.grid_town import MONDAY, board_of_town, grid_town

Town = tuple[Store, Run, Board]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    store, run = grid_town(str(tmp_path_factory.mktemp("grid") / "grid.sqlite"))
    yield store, run, board_of_town(store, run)
    store.close()


def plain(ground: Ground, crew: str, route: Route) -> tuple[float, list[str]]:
    """Return when a crew is back and what is wrong with its route, by code the board does not use, all ways anew."""
    if not route:
        return float(ground.night.crews.from_s[ground.crew(crew)]), []
    services = ground.numbers(route)
    problem = own_problem(ground.night, ground.crew(crew), services)
    order = np.argsort(np.argsort(services)).astype(np.int32)
    codes = [fault.code for fault in faults(problem, [order])]
    try:
        return timetable(problem, 0, order).returns_s, codes
    except QuestionError:
        return math.nan, codes


def random_trial(board: Board, rng: np.random.Generator) -> Trial:
    crews, kind = list(board.lines), rng.choice(["move", "assign", "remove", "swap"])
    held = [(crew, stop) for crew, line in board.lines.items() for stop in line.route]
    crew, stop = held[rng.integers(len(held))]
    if kind == "move":
        return board.move(stop[0], str(rng.choice([other for other in crews if other != crew])))
    if kind == "remove":
        return board.remove(stop[0])
    if kind == "swap":
        return board.swap(*(str(one) for one in rng.choice(crews, 2, replace=False)))
    left = board.open_stops()
    if not left:
        return board.remove(stop[0])
    return board.assign(left[rng.integers(len(left))][0], str(rng.choice(crews)))


def test_the_board_begins_with_the_minutes_of_the_plan(town: Town) -> None:
    _, run, board = town
    crews = run.tables["crews"].set_index("crew")
    for crew, time in board.minutes().items():
        planned = crews.loc[crew]
        told = (time.total_s, time.service_s, time.travel_s, time.wait_s, time.break_s)
        kept = [planned[name] for name in ("duration_s", "service_s", "travel_s", "wait_s", "break_s")]
        # tables of a run keep whole seconds: as many halves may be lost as there are steps
        assert told == pytest.approx(kept, abs=1.0 + float(planned["services"])), crew
    assert board.faults() == []
    assert {stop[0] for stop in board.open_stops()} == set(run.tables["uncovered"]["duty"])


@pytest.mark.parametrize("seed", range(6))
def test_minutes_after_random_changes_are_those_of_plain_reckoning(town: Town, seed: int) -> None:
    board, rng = town[2], np.random.default_rng(seed)
    refused = 0
    for _ in range(25):
        trial = random_trial(board, rng)
        for crew, route in trial.routes.items():
            time, own = trial.after[crew], [fault for fault in trial.faults if fault.crew == crew]
            back_s, codes = plain(board.ground, crew, route)
            if not math.isnan(back_s):
                assert time.back_s == back_s
                assert {fault.note.code for fault in own} == set(codes)
                assert not any(fault.hard for fault in own)
            elif any(fault.hard for fault in own):  # the checker names the first fault on the way, the board the worst
                assert codes[0] in ("not-theirs", "no-way", "closed") and math.isnan(time.back_s)
            else:
                assert codes == ["closed"] and "closed" in {fault.note.code for fault in own}
            hangs_together(board, crew, time)
        refused += trial.refused
        if not trial.refused:
            board = board.changed(trial.routes)
            everything_once(board)
    assert refused < 25


def hangs_together(board: Board, crew: str, time: CrewTime) -> None:
    if math.isnan(time.total_s):
        return
    parts = (time.service_s, time.travel_s, time.wait_s, time.break_s)
    assert min(parts) >= -1e-6 and sum(parts) == pytest.approx(time.total_s)
    from_s = float(board.ground.night.crews.from_s[board.ground.crew(crew)])
    assert time.back_s - from_s == pytest.approx(time.total_s)


def everything_once(board: Board) -> None:
    held = [stop for line in board.lines.values() for stop in line.route]
    assert len(set(held)) == len(held)
    assert set(held) | set(board.open_stops()) == set(board.ground.services)


@pytest.mark.parametrize("seed", range(4))
def test_a_street_comes_to_the_place_where_the_crew_is_back_earliest(town: Town, seed: int) -> None:
    board, rng = town[2], np.random.default_rng(100 + seed)
    ground, tried = board.ground, 0
    while tried < 8:
        held = [(crew, stop) for crew, line in board.lines.items() for stop in line.route if stop[1] == ""]
        crew, stop = held[rng.integers(len(held))]
        to = str(rng.choice([other for other in board.lines if other != crew]))
        trial, route = board.move(stop[0], to), board.lines[to].route
        backs = [plain(ground, to, (*route[:gap], stop, *route[gap:]))[0] for gap in range(len(route) + 1)]
        if np.isnan(backs).all():
            continue
        tried += 1
        assert trial.after[to].back_s == pytest.approx(np.nanmin(backs), abs=0.01)
        assert trial.routes[to] in [(*route[:gap], stop, *route[gap:]) for gap in range(len(route) + 1)]


def test_both_sides_of_a_street_move_together(town: Town) -> None:
    board = town[2]
    duty = next(duty for duty, side in board.ground.services if side and board.holder((duty, "left")))
    holder = board.holder((duty, "left"))
    trial = board.move(duty, next(crew for crew in ("C01", "C02") if crew != holder))
    assert {(duty, "left"), (duty, "right")} <= set(trial.routes[trial.touched[-1]])


def test_what_cannot_be_done_is_refused_and_what_breaks_a_shift_is_asked_about(town: Town) -> None:
    board = town[2]
    ground, night = board.ground, board.ground.night
    nurse = next(d for d in np.unique(night.duty) if night.duties.certificate[d])
    trial = (
        board.assign if all(board.holder(s) is None for s in ground.stops(str(night.duties.id[nurse]))) else board.move
    )
    refused = trial(str(night.duties.id[nurse]), "C01")
    assert refused.refused and [fault.note.code for fault in refused.faults] == ["certificate"]
    far = board.assign(next(stop[0] for stop in board.open_stops() if _alone(ground, stop[0])), "C01")
    assert far.refused and [fault.note.code for fault in far.faults] == ["no-way"]
    short, long = board.lines["C05"].route, board.lines["C02"].route
    both = board.swap("C05", "C02")
    assert both.routes == {"C05": long, "C02": short}
    assert both.needs_confirming and "shift" in {fault.note.code for fault in both.faults}
    assert all(fault.note.zh and fault.note.en for fault in both.faults)


def _alone(ground: Ground, duty: str) -> bool:
    service = ground.numbers(ground.stops(duty))[0]
    return float(ground.night.x[service]) > ground.night.x.min() + 1500


def test_who_is_ill_or_locked_takes_nothing_and_gives_nothing(town: Town) -> None:
    board = town[2]
    ill = Board(board.ground, {**board.lines, "C01": Line("C01", board.lines["C01"].route, ill_s=72_000.0)})
    locked = Board(board.ground, {**board.lines, "C01": Line("C01", board.lines["C01"].route, locked=True)})
    street = board.lines["C02"].route[0][0]
    assert [f.note.code for f in ill.move(street, "C01").faults if f.hard] == ["ill"]
    assert [f.note.code for f in locked.move(street, "C01").faults if f.hard] == ["locked"]
    own = next(stop[0] for stop in board.lines["C01"].route if stop[1] == "")
    assert locked.move(own, "C02").refused and locked.remove(own).refused and locked.swap("C01", "C02").refused
    assert ill.move(own, "C02").refused is False


def test_what_is_walked_or_begun_stays(town: Town) -> None:
    board = town[2]
    later = Board(board.ground, board.lines, 76_000.0)
    begun = later.begun("C01")
    assert 0 < begun < len(board.lines["C01"].route)
    first, rest = board.lines["C01"].route[:begun], board.lines["C01"].route[begun:]
    assert [f.note.code for f in later.remove(first[0][0]).faults if f.hard] == ["begun"]
    swapped = later.swap("C01", "C02")
    assert swapped.routes["C01"][:begun] == first and swapped.routes["C02"][-len(rest) :] == rest
    street = next(stop for stop in board.lines["C02"].route[later.begun("C02") :] if stop[1] == "")
    assert later.move(street[0], "C01").routes["C01"].index(street) >= begun


def test_who_falls_ill_leaves_the_rest_and_the_others_take_it_over(town: Town) -> None:
    _, _, board = town
    later = Board(board.ground, board.lines, 75_000.0)
    trial = later.mark_ill("C02", 75_000.0)
    times = board.ground.reckoned("C02", board.lines["C02"].route).times
    assert times is not None
    done = int((times.ends_s <= 75_000.0).sum())
    assert trial.routes["C02"] == board.lines["C02"].route[:done] and not trial.faults
    assert set(trial.left) == set(board.lines["C02"].route[done:])
    lines = {**later.changed(trial.routes).lines, "C02": Line("C02", trial.routes["C02"], ill_s=75_000.0)}
    lines["C04"] = Line("C04", lines["C04"].route, locked=True)
    without = Board(board.ground, lines, 75_000.0)
    again = replan(without, trial.left, ["C06"], Watch(), seed=1)
    assert not again.refused and not {"C02", "C04", "C06"} & set(again.touched)
    for crew, route in again.routes.items():
        begun = without.begun(crew)
        assert route[:begun] == lines[crew].route[:begun], crew
    after = without.changed(again.routes)
    everything_once(after)
    taken = set(trial.left) - set(after.open_stops())
    assert taken, "nobody took anything over"


def test_a_plan_made_again_for_a_report_keeps_its_check(town: Town) -> None:
    store, run, _ = town
    lon, lat = (float(at) for at in to_lonlat(500_250.0, 3_550_360.0, "EPSG:4549"))
    again = run_replan(store, run, dt.datetime(2024, 3, 4, 20, 40), reports=[(lon, lat)])
    ground = load_ground(store, again.id, MONDAY)
    assert ("report 1", "") in ground.services
    lines = {crew: Line(crew, route) for crew, route in planned_routes(again.tables, MONDAY).items()}
    board = Board(ground, lines)
    holder = board.holder(("report 1", ""))
    assert holder is not None
    other = next(crew for crew in lines if crew != holder and ground.night.crews.mode[ground.crew(crew)] == "walk")
    assert ("report 1", "") in board.move("report 1", other).routes[other]


def test_unknown_crews_and_duties_are_told(town: Town) -> None:
    board = town[2]
    street, line = board.lines["C01"].route[0][0], board.lines["C01"]
    for ask in (
        lambda: board.move(street, "C99"), lambda: board.move("D999", "C01"), lambda: board.move(street, "C01"),
        lambda: board.assign(street, "C02"), lambda: board.remove(board.open_stops()[0][0]),
        lambda: board.swap("C01", "C01"), lambda: board.changed({"C99": line.route}),
    ):  # fmt: skip
        with pytest.raises(QuestionError) as told:
            ask()
        assert told.value.zh and told.value.en


@pytest.mark.parametrize(
    ("clock", "now_s"), [((4, 19, 59), None), ((4, 20, 30), 73_800.0), ((4, 23, 29), 84_540.0), ((5, 0, 10), None)]
)
def test_what_is_begun_counts_while_somebody_is_on_shift(
    town: Town, clock: tuple[int, int, int], now_s: float | None
) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    routes = [
        NightRoute(line.crew, toy_town.SOUTH, "", line.route, False, None, 0) for line in town[2].lines.values()
    ]  # fmt: skip
    now = dt.datetime(2024, 3, *clock, tzinfo=zone).astimezone(dt.UTC)
    board = board_of(town[2].ground, routes, zone=zone, now=now)
    assert board.now_s == now_s
    times = board.ground.reckoned("C01", board.lines["C01"].route).times
    assert times is not None
    assert board.begun("C01") == (0 if now_s is None else sum(times.begins_s < now_s))


def test_who_is_ill_is_so_from_an_hour_of_the_evening(town: Town) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    half_past_midnight = dt.datetime(2024, 3, 5, 0, 30, tzinfo=zone)
    route = NightRoute("C01", toy_town.SOUTH, "", (), True, half_past_midnight.astimezone(dt.UTC), 3)
    assert lines_of(MONDAY, [route], zone) == [Line("C01", (), locked=True, ill_s=88_200.0)]


def test_a_night_is_read_once_and_one_that_cannot_be_is_told_each_time(town: Town) -> None:
    store, run, board = town
    grounds = Grounds(store)
    try:
        first = grounds.ground(run.id, MONDAY, board.lines.values(), wait_s=60.0)
        assert isinstance(first, Ground) and grounds.ground(run.id, MONDAY, []) is first
        for _ in range(2):
            with pytest.raises(StoreError):
                grounds.ground("f" * 12, MONDAY, [], wait_s=60.0)
    finally:
        grounds.close()
