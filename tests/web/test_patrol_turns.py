"""Turn lists: what is said at each corner of a hand-made grid, and which steps become one line."""

from pathlib import Path

import numpy as np
import pytest
from shapely import LineString

from layers.store import Store
from tests.web import patrol_toy
from web import patrol_turns, patrol_words
from web.patrol_drawing import Route, patrol_drawing

EAST, ONWARD, LEFT = (LineString(ends) for ends in ([(0, 0), (100, 0)], [(100, 0), (200, 0)], [(100, 0), (100, 100)]))


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Route]:
    store = Store(str(tmp_path_factory.mktemp("turns") / "town.db"))
    store.create()
    patrol_toy.keep(store)
    drawing = patrol_drawing(store, patrol_toy.toy_run(store))
    store.close()
    return {(route.date, str(route.crew["crew"])): route for route in drawing.routes}


@pytest.mark.parametrize(
    ("degrees", "word"), [(0, "east"), (44, "north-east"), (90, "north"), (180, "west"), (-90, "south"), (-179, "west")]
)
def test_headings_have_eight_names(degrees: float, word: str) -> None:
    assert patrol_words.compass(degrees)[1] == word


def test_the_list_says_every_step_once_and_in_order(routes: dict[tuple[str, str], Route]) -> None:
    for route in routes.values():
        said = [step for item in patrol_turns.items(route) for step in item.steps]
        assert said == route.steps["step"].tolist()


def test_a_night_reads_as_it_is_walked(routes: dict[tuple[str, str], Route]) -> None:
    said = [
        (item.kind, item.zh.replace("\xa0", " ")) for item in patrol_turns.items(routes[patrol_toy.DATES[0], "C01"])
    ]
    assert said[0] == ("start", "从 Day Centre 出发")
    assert said[1] == ("travel", "沿 Main Street West 步行 100 m，不巡查")
    assert said[2] == ("patrol", "掉头，沿 Main Street West 向东巡查 600 m")
    assert said[3] == ("wait", "等候至 20:27")
    assert said[4] == ("patrol", "左转，沿 North Road 向北巡查 600 m，看左侧")
    assert said[5] == ("patrol", "掉头，沿 North Road 向南巡查 600 m，看右侧")
    assert said[6] == ("break", "休息 15 分钟")
    assert said[7][1].startswith("左转，沿 ") and said[7][1].endswith("向东巡查 600 m")
    assert said[8][1].startswith("检查 桥洞") and said[8][1].endswith("停留 8 分钟")
    assert "→ 直行 Main Street West 500 m" in said[9][1] and said[9][1].startswith("步行 1.10 km，不巡查：掉头 ")
    assert said[10] == ("end", "回到 Day Centre，交班")


def test_steps_along_one_street_become_one_line_and_others_do_not(routes: dict[tuple[str, str], Route]) -> None:
    route = routes[patrol_toy.DATES[0], "C01"]
    halves = route.steps[route.steps["kind"] == "patrol"].iloc[[0, 0]].reset_index(drop=True).assign(step=[0, 1])
    legs = route.legs.iloc[[1, 1]].reset_index(drop=True).assign(step=[0, 1])
    lines = np.array([EAST, ONWARD], object)
    make = lambda steps, lines: Route(1, route.crew, steps, legs, lines, np.zeros((2, 2)), True)  # noqa: E731
    assert len(patrol_turns.items(make(halves, lines))) == 1
    assert patrol_turns.items(make(halves, lines))[0].metres == halves["metres"].sum()
    assert len(patrol_turns.items(make(halves.assign(name=["A", "B"]), lines))) == 2
    assert len(patrol_turns.items(make(halves.assign(side=["left", "right"]), lines))) == 2
    assert len(patrol_turns.items(make(halves, np.array([EAST, LEFT], object)))) == 2


def test_a_street_without_a_name_is_told_by_one_near_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "town.db"))
    store.create()
    patrol_toy.keep(store)
    ways = (patrol_toy.still("start", 0, name="Day Centre"), patrol_toy.walked(9, 4, 300.0, 0.0))
    run = patrol_toy.toy_run(store, [(patrol_toy.DATES[0], "C01", "", "walk", "P1", "20:00", ways)])
    (route,) = patrol_drawing(store, run).routes
    store.close()
    (_, item) = patrol_turns.items(route)
    assert "无名路（" in item.zh and "附近）" in item.zh and "west" in item.en
