"""Scenarios: changes beside the live layers, seen and made in one's own area alone, kept whole and taken back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

from gis.errors import RecordError
from layers.accounts import Account, NewAccount, create_account
from layers.audit import entries
from layers.audit_check import verify
from layers.casebook import ChangedMeanwhileError
from layers.faults import FaultsError
from layers.roles import NotAllowedError
from layers.run import Run
from layers.scenario_content import ScenarioChange, canonical, checked, entries_from, entries_of
from layers.scenarios import (
    UnknownScenarioError,
    archive_scenario,
    change_scenario,
    content_of,
    create_scenario,
    from_siting,
    history,
    points_before,
    rename_scenario,
    scenario,
    scenarios,
    undo_change,
)
from layers.scope import Scope
from layers.store import Store
from tests.layers.conftest import CITY, NOON, TABLES
from tests.layers.report_city import HERE, IN_HERE, IN_THERE, NOW, OUTSIDE, THERE

POINT = {
    "lon": IN_HERE[0],
    "lat": IN_HERE[1],
    "name": "桥下新点",
    "functions": ["guidance"],
    "hours": "每天 20:00-24:00",
}


class World:
    """A small city with planners of two subdistricts and of the whole."""

    def __init__(self, store: Store) -> None:
        for key in [("areas", "city"), ("areas", "subdistrict"), ("service-points", ""), ("rescue-stations", "")]:
            store.import_layer(*key, TABLES[key](), source="file", sha256="0" * 64, now=NOON)
        self.store = store
        self.here, self.there, self.city = (
            self._planner(name, area) for name, area in (("here", HERE), ("there", THERE), ("city", CITY))
        )

    def _planner(self, name: str, area: str) -> Account:
        new = NewAccount(name, f"名{name}", "planner", area, "hash", f"unique {name}")
        return create_account(self.store, new, by=None, now=NOW)

    def as_(self, account: Account) -> Store:
        return self.store.within(Scope.of(account.area_code))

    def change(self, number: int, action: str, code: str = "", by: Account | None = None, **fields: object) -> None:
        who = by or self.here
        version = scenario(self.as_(who), number).version
        change_scenario(self.as_(who), number, action, fields, code=code, version=version, by=who, now=NOW)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def mine(world: World) -> int:
    return create_scenario(world.as_(world.here), "冬季方案", by=world.here, now=NOW).id


def test_every_change_is_kept_and_what_they_come_to_is_one_entry_a_point(world: World, mine: int) -> None:
    world.change(mine, "add", **POINT)
    world.change(mine, "move", "NEW-1", lon=POINT["lon"] + 0.001, lat=POINT["lat"])
    world.change(mine, "hours", "A", hours="24/7")
    world.change(mine, "upgrade", "A", functions="reception,guidance", capacity="30")
    world.change(mine, "close", "B")
    found = entries_from(content_of(world.as_(world.here), mine))
    assert [(e["code"], e["action"]) for e in found] == [("A", "change"), ("B", "close"), ("NEW-1", "add")]
    assert found[0] == {"code": "A", "action": "change", "hours": "24/7", "functions": "reception,guidance",
                        "capacity": 30.0, "build_state": "existing"}  # fmt: skip
    assert (found[2]["lon"], found[2]["hours"], found[2]["area_code"]) == (POINT["lon"] + 0.001, "20:00-24:00", HERE)
    steps = history(world.as_(world.here), mine)
    assert [(s.number, s.action, s.account_id) for s in steps] == [
        (n, a, world.here.id) for n, a in enumerate(("add", "move", "hours", "upgrade", "close"), 1)
    ]


def test_the_live_layers_stay_as_they_are(world: World, mine: int) -> None:
    before = {key: (v.id, v.content_sha256) for key, v in world.store.current().items()}
    points = world.store.load("service-points")
    world.change(mine, "close", "A")
    world.change(mine, "add", **POINT)
    assert {key: (v.id, v.content_sha256) for key, v in world.store.current().items()} == before
    pd.testing.assert_frame_equal(pd.DataFrame(world.store.load("service-points")), pd.DataFrame(points))


def test_changes_are_taken_back_one_by_one_and_the_history_keeps_both(world: World, mine: int) -> None:
    store = world.as_(world.here)
    empty = content_of(store, mine)
    world.change(mine, "close", "A")
    closed = content_of(store, mine)
    world.change(mine, "close", "B")
    for expected in (closed, empty):
        undo_change(store, mine, version=scenario(store, mine).version, by=world.here, now=NOW)
        assert content_of(store, mine) == expected
    with pytest.raises(RecordError, match="no change to undo"):
        undo_change(store, mine, version=scenario(store, mine).version, by=world.here, now=NOW)
    assert [(s.action, s.undone) for s in history(store, mine)] == [
        ("close", True), ("close", True), ("undo", False), ("undo", False),
    ]  # fmt: skip


def test_who_changes_what_somebody_else_has_changed_is_told_by_whom(world: World, mine: int) -> None:
    store, seen = world.as_(world.here), scenario(world.as_(world.here), mine)
    world.change(mine, "close", "A", by=world.city)
    for stale in (
        lambda: change_scenario(store, mine, "close", {}, code="B", version=seen.version, by=world.here, now=NOW),
        lambda: undo_change(store, mine, version=seen.version, by=world.here, now=NOW),
        lambda: rename_scenario(store, mine, "x", note="", version=seen.version, by=world.here, now=NOW),
        lambda: archive_scenario(store, mine, version=seen.version, by=world.here, now=NOW),
    ):
        with pytest.raises(ChangedMeanwhileError):
            stale()
    with pytest.raises(ChangedMeanwhileError, match="名here"):
        world.change(mine, "close", "B")
        change_scenario(world.as_(world.city), mine, "close", {}, code="B", version=2, by=world.city, now=NOW)
    assert [e["code"] for e in entries_from(content_of(store, mine))] == ["A", "B"]


def test_another_area_has_no_such_scenario_and_no_such_point(world: World, mine: int) -> None:
    theirs = world.as_(world.there)
    assert scenarios(theirs) == []
    for asked in (
        lambda: scenario(theirs, mine),
        lambda: history(theirs, mine),
        lambda: content_of(theirs, mine),
        lambda: points_before(theirs, mine),
        lambda: change_scenario(theirs, mine, "close", {}, code="A", version=1, by=world.there, now=NOW),
        lambda: undo_change(theirs, mine, version=1, by=world.there, now=NOW),
        lambda: archive_scenario(theirs, mine, version=1, by=world.there, now=NOW),
    ):
        with pytest.raises(UnknownScenarioError):
            asked()
    other = create_scenario(theirs, "别处", by=world.there, now=NOW).id
    with pytest.raises(UnknownScenarioError):  # A stands in the other subdistrict
        world.change(other, "close", "A", by=world.there)
    with pytest.raises(FaultsError, match="not inside the scenario's area"):
        world.change(other, "add", by=world.there, **POINT)
    assert [s.id for s in scenarios(world.as_(world.city))] == [other, mine]


def test_not_even_the_city_puts_a_point_of_elsewhere_into_a_subdistricts_scenario(world: World, mine: int) -> None:
    for lon, lat in (IN_THERE, OUTSIDE):
        with pytest.raises(FaultsError):
            world.change(mine, "move", "A", by=world.city, lon=lon, lat=lat)
    assert points_before(world.as_(world.city), mine)["code"].tolist() == ["A", "B", "S1"]


@pytest.mark.parametrize(
    ("action", "fields", "wrong"),
    [
        ("add", {"lon": "", "lat": "32", "name": ""}, {"lon", "name"}),
        ("add", {**POINT, "lon": "nan", "lat": "91", "hours": "whenever", "functions": "soup"},
         {"lon", "lat", "hours", "functions"}),
        ("move", {"lon": "x", "lat": None}, {"lon", "lat"}),
        ("upgrade", {"functions": "", "hours": "", "capacity": ""}, {"functions"}),
        ("upgrade", {"capacity": "-1"}, {"capacity"}),
        ("hours", {"hours": " "}, {"hours"}),
    ],
)  # fmt: skip
def test_what_cannot_stand_is_told_field_by_field_and_changes_nothing(
    action: str, fields: dict[str, object], wrong: set[str]
) -> None:
    with pytest.raises(FaultsError) as told:
        checked(action, fields)
    assert set(told.value.faults) == wrong


def test_only_planners_change_scenarios(world: World, mine: int) -> None:
    centre = replace(world.here, role="guidance_centre")
    store = world.as_(world.here)
    with pytest.raises(NotAllowedError):
        create_scenario(store, "x", by=centre, now=NOW)
    with pytest.raises(NotAllowedError):
        change_scenario(store, mine, "close", {}, code="A", version=1, by=centre, now=NOW)


def test_a_scenario_put_away_is_listed_apart_and_cannot_be_changed_until_it_is_taken_out(
    world: World, mine: int
) -> None:
    store = world.as_(world.here)
    renamed = rename_scenario(store, mine, " 春季方案 ", note="试算", version=1, by=world.here, now=NOW)
    assert (renamed.name, renamed.note, renamed.version) == ("春季方案", "试算", 2)
    archive_scenario(store, mine, version=2, by=world.here, now=NOW)
    assert (scenarios(store), [s.id for s in scenarios(store, archived=True)]) == ([], [mine])
    with pytest.raises(RecordError, match="archived"):
        world.change(mine, "close", "A")
    archive_scenario(store, mine, version=3, by=world.here, now=NOW, archived=False)
    world.change(mine, "close", "A")


def test_an_area_has_one_open_scenario_of_a_name(world: World, mine: int) -> None:
    store, name = world.as_(world.here), scenario(world.as_(world.here), mine).name
    with ThreadPoolExecutor(4) as threads:  # a form sent again and again
        sent = [threads.submit(create_scenario, store, "春季方案", by=world.here, now=NOW) for _ in range(4)]
    refused = [one.exception() for one in sent if one.exception()]
    assert len(refused) == 3 and all(isinstance(error, FaultsError) for error in refused)
    (spring,) = (one.result() for one in sent if not one.exception())
    with pytest.raises(FaultsError, match="scenario of that name"):
        rename_scenario(store, spring.id, f" {name} ", note="", version=1, by=world.here, now=NOW)
    archive_scenario(store, mine, version=1, by=world.here, now=NOW)
    rename_scenario(store, spring.id, name, note="", version=1, by=world.here, now=NOW)
    with pytest.raises(FaultsError, match="scenario of that name"):
        archive_scenario(store, mine, version=2, by=world.here, now=NOW, archived=False)
    assert [s.id for s in scenarios(store)] == [spring.id]
    assert create_scenario(world.as_(world.there), name, by=world.there, now=NOW).name == name, "elsewhere it is free"
    assert verify(world.store).problems == ()


def test_a_point_the_scenario_closes_or_that_is_not_there_cannot_be_changed(world: World, mine: int) -> None:
    world.change(mine, "close", "A")
    for code in ("A", "no such", "NEW-1"):
        with pytest.raises(UnknownScenarioError):
            world.change(mine, "hours", code, hours="24/7")
    world.change(mine, "add", **POINT)
    world.change(mine, "close", "NEW-1")
    assert [e["code"] for e in entries_from(content_of(world.as_(world.here), mine))] == ["A"]


def test_everything_done_to_a_scenario_is_in_the_audit_log(world: World, mine: int) -> None:
    world.change(mine, "close", "A")
    store = world.as_(world.here)
    undo_change(store, mine, version=2, by=world.here, now=NOW)
    found = [(e.action, e.detail.get("kind"), e.account_id) for e in entries(store, object=f"scenario:{mine}")]
    assert found == [("change_scenario", "undo", world.here.id), ("change_scenario", "close", world.here.id),
                     ("create_scenario", None, world.here.id)]  # fmt: skip
    assert verify(world.store).problems == ()


def test_a_plan_of_sites_becomes_a_scenario_of_what_lies_inside_the_area(world: World) -> None:
    sites = pd.DataFrame({
        "action": ["build", "upgrade", "build", "close"], "code": ["J1", "C2", "J2", "B"], "name": list("新甲外乙"),
        "place": ["J1", "A", "J2", "B"], "lon": [IN_HERE[0], IN_HERE[0], IN_THERE[0], IN_HERE[0]],
        "lat": [IN_HERE[1]] * 4, "capacity": [float("nan"), 20.0, 5.0, 1.0],
        "functions": ["reception", "guidance", "reception", "reception"], "hours": ["24/7"] * 4,
    })  # fmt: skip
    run = Run("siting", {}, {}, {"sites": sites})
    store = world.as_(world.here)
    made = from_siting(store, run, "按选址", by=world.here, now=NOW)
    found = {e["code"]: e for e in entries_from(content_of(store, made.id))}
    assert {code: e["action"] for code, e in found.items()} == {"A": "change", "B": "close", "NEW-1": "add"}
    assert (found["A"]["functions"], found["A"]["capacity"], found["A"]["lon"]) == ("guidance", 20.0, IN_HERE[0])
    with pytest.raises(RecordError, match="not a plan"):
        from_siting(store, replace(run, kind="coverage"), "x", by=world.here, now=NOW)
    with pytest.raises(RecordError, match="changes nothing"):
        from_siting(store, replace(run, tables={"sites": sites[2:3]}), "x", by=world.here, now=NOW)
    assert len(scenarios(store)) == 1


def test_two_ways_to_the_same_end_have_the_same_content() -> None:
    def made(*steps: tuple[str, str, dict[str, object]]) -> str:
        return canonical(
            entries_of(
                ScenarioChange(n, NOW, 1, action, code, fields) for n, (action, code, fields) in enumerate(steps)
            )
        )

    straight = made(("close", "B", {}), ("move", "A", {"lon": 2.0, "lat": 1.0}))
    round_about = made(("move", "A", {"lon": 9.0, "lat": 9.0}), ("move", "A", {"lon": 2.0, "lat": 1.0}),
                       ("hours", "B", {"hours": "24/7"}), ("close", "B", {}))  # fmt: skip
    assert straight == round_about
    with pytest.raises(RecordError):
        entries_from(straight + " ")
