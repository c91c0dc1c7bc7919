"""Nights as supervisors direct them: no change is lost, each can be taken back, areas keep to themselves."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from gis.errors import LamplightError, RecordError
from layers.accounts import Account, NewAccount, create_account
from layers.audit import entries
from layers.audit_check import verify
from layers.connection import transaction
from layers.faults import FaultsError
from layers.night_opening import common_area, planned_routes
from layers.night_records import NightChangedError, NightRefusedError, PatrolNight, UnknownNightError, undoable
from layers.nights import (
    change,
    changes_since,
    close,
    give_reason,
    missed_reasons,
    night,
    nights,
    open_night,
    reopen,
    routes,
    twice_in_routes,
    undo,
)
from layers.roles import NotAllowedError
from layers.schema import NIGHT, NIGHT_CHANGE, NIGHT_ROUTE
from layers.scope import NOWHERE, Scope
from layers.store import Store
from tests.layers.conftest import CITY
from tests.layers.night_plan import EVENING, plan_run
from tests.layers.report_city import DISTRICT, HERE, IN_THERE, NOW, THERE, ReportCity, build

#: Two crews of one subdistrict, one of its neighbour's; one whose home is not known, at a station in THERE.
PLAN = {"C01": (HERE, ["D1", "D2", "D3"]), "C02": (HERE, ["D4"]), "C03": (THERE, ["D5", "D6"]), "C04": ("", ["D7"])}


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


@pytest.fixture
def plain(sqlite_store: Store) -> ReportCity:
    return build(sqlite_store)


def opened(city: ReportCity, by: Account | None = None) -> PatrolNight:
    run = city.store.save_run(plan_run(PLAN, at=IN_THERE))
    by = by or city.supervisor
    return open_night(city.as_(by), run.id, EVENING, by=by, now=NOW)


def chief(city: ReportCity) -> Account:
    """Somebody above both subdistricts and their district."""
    new = NewAccount("chief", "名chief", "supervisor", CITY, "hash", "unique chief", "")
    return create_account(city.store, new, by=None, now=NOW)


def at(city: ReportCity, night_id: int, crew: str) -> tuple[str, ...]:
    found = {route.crew: route for route in routes(city.store, night_id)}
    return tuple(duty for duty, _ in found[crew].route)


def stops(*duties: str) -> list[list[str]]:
    return [[duty, ""] for duty in duties]


def moved(
    city: ReportCity, one: PatrolNight, after: dict[str, list[list[str]]], *, by: Account | None = None,
    version: int | None = None, action: str = "move",
) -> PatrolNight:  # fmt: skip
    by = by or city.supervisor
    fields = {crew: {"route": route} for crew, route in after.items()}
    seen = one.version if version is None else version
    return change(city.as_(by), one.id, seen, action, fields, by=by, now=NOW + timedelta(minutes=5))


def everything(city: ReportCity) -> list[Any]:
    with transaction(city.store._engine) as connection:
        return [connection.execute(sa.select(table)).all() for table in (NIGHT, NIGHT_ROUTE, NIGHT_CHANGE)]


# out of a plan


def test_a_night_has_a_route_for_each_crew_in_the_area_of_its_home_or_station(plain: ReportCity) -> None:
    one = opened(plain, chief(plain))
    assert (one.date, one.state, one.version, one.area_code) == (EVENING, "open", 0, DISTRICT)
    assert {route.crew: route.area_code for route in routes(plain.store, one.id)} == {
        "C01": HERE, "C02": HERE, "C03": THERE, "C04": THERE,
    }  # fmt: skip
    assert at(plain, one.id, "C01") == ("D1", "D2", "D3")
    assert [entry.object for entry in entries(plain.store, action="open_night")] == [f"night:{one.id}"]


def test_a_side_is_told_as_the_street_is_drawn_whichever_way_it_is_walked() -> None:
    run = plan_run({"C01": (HERE, ["D1", "D1", "D2"])})
    run.tables["steps"]["side"] = ["right", "right", ""]
    for step, (from_m, to_m) in enumerate([(0.0, 60.0), (60.0, 0.0), (60.0, 0.0)]):
        run.tables["legs"].loc[step] = [EVENING.isoformat(), "C01", step, from_m, to_m]
    assert planned_routes(run.tables, EVENING) == {"C01": (("D1", "right"), ("D1", "left"), ("D2", ""))}


def test_each_area_opens_its_part_of_one_night(city: ReportCity) -> None:
    first = opened(city, city.neighbour)
    assert [route.crew for route in routes(city.store, first.id)] == ["C03"]
    close(city.as_(city.neighbour), first.id, by=city.neighbour, now=NOW)
    again = opened(city, city.neighbour)
    assert again.state == "closed" and again.id == first.id and len(entries(city.store, action="open_night")) == 1
    whole = opened(city, chief(city))  # who has no home is the city's, in the plan
    assert whole.id == first.id and whole.area_code == DISTRICT and whole.state == "open"
    assert [route.crew for route in routes(city.store, first.id)] == ["C01", "C02", "C03", "C04"]


def test_many_who_open_a_night_at_once_make_one(city: ReportCity) -> None:
    run = city.store.save_run(plan_run(PLAN, at=IN_THERE))
    accounts = [city.supervisor, city.neighbour] * 4
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda by: open_night(city.as_(by), run.id, EVENING, by=by, now=NOW), accounts))
    assert len({one.id for one in made}) == 1 and len(routes(city.store, made[0].id)) == 3


def test_the_smallest_area_that_holds_all() -> None:
    assert common_area([HERE]) == HERE
    assert common_area([HERE, THERE]) == DISTRICT
    assert common_area([HERE, "320102002001003"]) == HERE
    assert common_area([HERE, "320104001000"]) == CITY


def test_only_a_plan_of_patrols_with_crews_of_the_area_makes_a_night(plain: ReportCity) -> None:
    run = plain.store.save_run(plan_run({"C01": (HERE, [])}))
    with pytest.raises(UnknownNightError):
        open_night(plain.as_(plain.neighbour), run.id, EVENING, by=plain.neighbour, now=NOW)
    with pytest.raises(UnknownNightError):
        open_night(plain.store, run.id, EVENING + timedelta(days=1), by=plain.supervisor, now=NOW)
    with pytest.raises(NotAllowedError):
        open_night(plain.store, run.id, EVENING, by=plain.planner, now=NOW)


# who sees what


def test_a_supervisor_sees_the_routes_of_the_area_and_no_others(city: ReportCity) -> None:
    one = opened(city, chief(city))
    mine, foreign = city.as_(city.neighbour), city.store.within(Scope.of("320105001000"))
    assert [route.crew for route in routes(mine, one.id)] == ["C03", "C04"]
    assert night(mine, one.id).version == 0 and [n.id for n in nights(mine, EVENING, EVENING)] == [one.id]
    assert nights(mine, EVENING + timedelta(days=1), EVENING + timedelta(days=9)) == []
    for store in (foreign, city.store.within(NOWHERE)):
        assert nights(store, EVENING, EVENING) == []
        for ask in (night, routes):
            with pytest.raises(UnknownNightError):
                ask(store, one.id)
        with pytest.raises(UnknownNightError):
            changes_since(store, one.id, 0)


@pytest.mark.parametrize("through_all", [False, True])
def test_a_crew_elsewhere_does_not_exist_whatever_is_asked(city: ReportCity, through_all: bool) -> None:
    one, by = opened(city), city.neighbour
    store = city.store if through_all else city.as_(by)
    moved(city, one, {"C01": stops("D1")}, action="remove")
    before = everything(city)
    attempts: list[Callable[[], object]] = [
        lambda: change(store, one.id, 9, "remove", {"C01": {"route": []}}, by=by, now=NOW),
        lambda: change(store, one.id, 9, "lock", {"C01": {"locked": True}}, by=by, now=NOW),
        lambda: give_reason(store, one.id, "C01", "D1", "雨", by=by, now=NOW),
        lambda: undo(store, one.id, 1, by=by, now=NOW),
    ]
    for attempt in attempts:
        with pytest.raises(UnknownNightError):
            attempt()
    assert everything(city) == before


def test_only_who_directs_patrols_changes_them(plain: ReportCity) -> None:
    one = opened(plain)
    attempts: list[Callable[[Account], object]] = [
        lambda by: change(plain.store, one.id, 0, "lock", {"C01": {"locked": True}}, by=by, now=NOW),
        lambda by: undo(plain.store, one.id, 1, by=by, now=NOW),
        lambda by: close(plain.store, one.id, by=by, now=NOW),
        lambda by: give_reason(plain.store, one.id, "C01", "D1", "雨", by=by, now=NOW),
    ]
    for by in (plain.worker, plain.planner, plain.centre, plain.administrator):
        for attempt in attempts:
            with pytest.raises(NotAllowedError):
                attempt(by)


# changes


def test_a_change_is_kept_with_who_when_and_both_sides_of_it(city: ReportCity) -> None:
    one = opened(city)
    made = moved(city, one, {"C01": stops("D1", "D3"), "C02": stops("D2", "D4")})
    assert made.version == 1 and at(city, one.id, "C02") == ("D2", "D4")
    (kept,) = changes_since(city.as_(city.worker), one.id, 0)
    assert (kept.number, kept.action, kept.name, kept.crews) == (1, "move", "名supervisor", ("C01", "C02"))
    assert kept.at == NOW + timedelta(minutes=5) and kept.whole
    assert kept.before["C01"] == {"route": (("D1", ""), ("D2", ""), ("D3", ""))}
    assert kept.after["C01"] == {"route": (("D1", ""), ("D3", ""))}
    assert kept.words.zh and kept.words.en and changes_since(city.store, one.id, 1) == []
    (entry,) = entries(city.store, action="night_move")
    assert (entry.object, dict(entry.detail)) == (f"night:{one.id}", {"change": 1, "crews": "C01,C02"})


def test_the_second_who_changes_a_route_learns_what_the_first_did(city: ReportCity) -> None:
    one, boss = opened(city), chief(city)
    moved(city, one, {"C01": stops("D1", "D2")}, by=boss, action="remove")
    with pytest.raises(NightChangedError) as told:
        moved(city, one, {"C01": stops("D3"), "C02": stops("D1", "D2", "D4")}, version=0)
    assert told.value.version == 1 and [c.name for c in told.value.changes] == ["名chief"]
    assert "名chief" in told.value.zh and "C01" in told.value.en
    assert at(city, one.id, "C01") == ("D1", "D2") and at(city, one.id, "C02") == ("D4",)


def test_changes_of_different_routes_do_not_hinder_each_other(city: ReportCity) -> None:
    one = opened(city)
    moved(city, one, {"C01": stops("D1")}, version=0, action="remove")
    made = moved(city, one, {"C03": stops("D6", "D5")}, version=0, by=city.neighbour)
    assert made.version == 2 and at(city, one.id, "C03") == ("D6", "D5")
    assert [c.number for c in changes_since(city.as_(city.neighbour), one.id, 0)] == [2]


def test_a_street_is_never_in_two_routes(plain: ReportCity) -> None:
    one = opened(plain)
    moved(plain, one, {"C01": stops("D1", "D2", "D3", "D9")}, version=0, action="assign")
    with pytest.raises(NightChangedError) as told:
        moved(plain, one, {"C02": stops("D4", "D9")}, version=0, action="assign")
    assert [c.action for c in told.value.changes] == ["assign"]
    for wrong in ({"C02": stops("D4", "D9")}, {"C02": stops("D4", "D4")}, {"C02": stops("D8"), "C01": stops("D8")}):
        with pytest.raises(NightRefusedError):
            moved(plain, one, wrong, version=1, action="assign")
    assert at(plain, one.id, "C02") == ("D4",)


def test_what_another_area_gave_out_in_the_same_moment_is_found(city: ReportCity) -> None:
    one = opened(city)
    moved(city, one, {"C01": stops("D1", "D2", "D3", "D9")}, action="assign")
    assert twice_in_routes(city.store, one.id, 1) == []
    late = moved(city, one, {"C03": stops("D5", "D6", "D9")}, version=1, by=city.neighbour, action="assign")
    assert twice_in_routes(city.store, one.id, late.version) == [("D9", "")]


def test_a_locked_route_changes_by_unlocking_alone(plain: ReportCity) -> None:
    one = opened(plain)
    at_once = {"by": plain.supervisor, "now": NOW}
    change(plain.store, one.id, 0, "lock", {"C01": {"locked": True}}, **at_once)  # type: ignore[arg-type]
    assert routes(plain.store, one.id)[0].locked
    with pytest.raises(NightRefusedError):
        moved(plain, one, {"C01": [], "C02": stops("D4", "D1")}, version=1)
    with pytest.raises(NightRefusedError):
        change(plain.store, one.id, 1, "persons", {"C01": {"persons": "代"}}, **at_once)  # type: ignore[arg-type]
    change(plain.store, one.id, 1, "unlock", {"C01": {"locked": False}}, **at_once)  # type: ignore[arg-type]
    assert moved(plain, one, {"C01": [], "C02": stops("D4", "D1")}, version=2).version == 3


def test_what_is_no_route_is_refused_and_changes_nothing(plain: ReportCity) -> None:
    one = opened(plain)
    before = everything(plain)
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("move", {"route": ["D1"]}), ("move", {"route": [["D1"]]}), ("move", {"route": [["D1", 3]]}),
        ("move", {"changed_in": 9}), ("lock", {"locked": "yes"}), ("persons", {"persons": ""}),
        ("ill", {"ill_from": "21:00"}), ("dance", {"locked": True}), ("undo", {"locked": True}),
    ]  # fmt: skip
    for action, fields in wrong:
        with pytest.raises(RecordError):
            change(plain.store, one.id, 0, action, {"C01": fields}, by=plain.supervisor, now=NOW)
    with pytest.raises(UnknownNightError):
        change(plain.store, one.id + 1, 0, "lock", {"C01": {"locked": True}}, by=plain.supervisor, now=NOW)
    assert everything(plain) == before


def test_a_closed_night_takes_reasons_and_nothing_else(plain: ReportCity) -> None:
    one, by = opened(plain), plain.supervisor
    assert close(plain.as_(by), one.id, by=by, now=NOW).state == "closed"
    for attempt in (
        lambda: moved(plain, one, {"C01": []}, version=1, action="remove"),
        lambda: close(plain.store, one.id, by=by, now=NOW),
        lambda: reopen(plain.as_(plain.neighbour), one.id, by=plain.neighbour, now=NOW),
    ):
        with pytest.raises(NightRefusedError):
            attempt()
    give_reason(plain.store, one.id, "C01", "D2", "下暴雨", by=by, now=NOW)
    assert missed_reasons(plain.store, one.id) == {("C01", "D2"): "下暴雨"}
    assert reopen(plain.store, one.id, by=by, now=NOW).state == "open"
    assert undo(plain.store, one.id, 3, by=by, now=NOW).state == "closed"
    assert [c.action for c in changes_since(plain.store, one.id, 0)] == ["close", "reason", "reopen", "undo"]
    written = [entry.action for entry in entries(plain.store, object=f"night:{one.id}")]
    assert written == ["night_undo", "reopen_night", "night_reason", "close_night", "open_night"]


def test_the_last_reason_counts_and_can_be_taken_back(plain: ReportCity) -> None:
    one, by = opened(plain), plain.supervisor

    def said() -> dict[tuple[str, str], str]:
        return missed_reasons(plain.store, one.id)

    give_reason(plain.store, one.id, "C01", "D2", "雨", by=by, now=NOW)
    give_reason(plain.store, one.id, "C01", "D2", "施工", by=by, now=NOW)
    with pytest.raises(NightChangedError):
        undo(plain.store, one.id, 1, by=by, now=NOW)
    undo(plain.store, one.id, 2, by=by, now=NOW)
    assert said() == {("C01", "D2"): "雨"}
    undo(plain.store, one.id, 3, by=by, now=NOW)
    assert said() == {("C01", "D2"): "施工"}
    with pytest.raises(FaultsError):
        give_reason(plain.store, one.id, "C01", "D2", " ", by=by, now=NOW)


# the way back


def test_every_change_can_be_taken_back_and_made_again(city: ReportCity) -> None:
    one, by = opened(city), city.supervisor
    ill = {"C01": {"route": stops("D1"), "ill_from": NOW}}
    change(city.as_(by), one.id, 0, "ill", ill, by=by, now=NOW)
    assert routes(city.store, one.id)[0].ill_from == NOW and at(city, one.id, "C01") == ("D1",)
    undo(city.as_(by), one.id, 1, by=by, now=NOW)
    assert routes(city.store, one.id)[0].ill_from is None and at(city, one.id, "C01") == ("D1", "D2", "D3")
    undo(city.as_(by), one.id, 2, by=by, now=NOW)
    assert routes(city.store, one.id)[0].ill_from == NOW and at(city, one.id, "C01") == ("D1",)
    assert [(c.number, c.undoes) for c in changes_since(city.store, one.id, 0)] == [(1, None), (2, 1), (3, 2)]


def test_a_change_is_not_taken_back_over_a_later_one_of_the_same_crew(plain: ReportCity) -> None:
    one, by = opened(plain), plain.supervisor
    moved(plain, one, {"C01": stops("D1", "D3"), "C02": stops("D2", "D4")}, version=0)
    moved(plain, one, {"C02": stops("D2")}, version=1, action="remove")
    moved(plain, one, {"C03": []}, version=2, action="remove")
    with pytest.raises(NightChangedError) as told:
        undo(plain.as_(by), one.id, 1, by=by, now=NOW)
    assert [c.number for c in told.value.changes] == [2] and "C02" in told.value.en
    undo(plain.as_(by), one.id, 2, by=by, now=NOW)
    with pytest.raises(NightChangedError):
        undo(plain.as_(by), one.id, 2, by=by, now=NOW)  # taken back already
    assert undoable(changes_since(plain.store, one.id, 0)) == [1, 3, 4]
    undo(plain.as_(by), one.id, 1, by=by, now=NOW)
    assert at(plain, one.id, "C01") == ("D1", "D2", "D3") and at(plain, one.id, "C02") == ("D4",)
    assert undoable(changes_since(plain.store, one.id, 0)) == [3, 5]
    with pytest.raises(UnknownNightError):
        undo(plain.as_(by), one.id, 99, by=by, now=NOW)


def test_a_street_given_out_since_does_not_come_back_by_undoing(plain: ReportCity) -> None:
    one, by = opened(plain), plain.supervisor
    moved(plain, one, {"C02": []}, version=0, action="remove")
    moved(plain, one, {"C01": stops("D1", "D2", "D3", "D4")}, version=1, action="assign")
    with pytest.raises(NightChangedError) as told:
        undo(plain.as_(by), one.id, 1, by=by, now=NOW)
    assert [c.number for c in told.value.changes] == [2]


def test_what_reached_two_areas_is_seen_by_each_and_taken_back_from_above(city: ReportCity) -> None:
    one = opened(city)
    made = moved(city, one, {"C01": stops("D1", "D3"), "C03": stops("D5", "D2", "D6")})
    assert made.version == 2  # a row for each area
    (whole,) = changes_since(city.as_(city.supervisor), one.id, 0)
    assert (whole.number, whole.crews, whole.whole) == (2, ("C01", "C03"), True)
    (part,) = changes_since(city.as_(city.neighbour), one.id, 0)
    assert (part.number, part.crews, part.whole, part.name) == (2, ("C03",), False, "名supervisor")
    assert "C01" not in json.dumps([dict(part.before["C03"]), part.words], default=str)
    with pytest.raises(NightRefusedError):
        undo(city.as_(city.neighbour), one.id, 2, by=city.neighbour, now=NOW)
    undo(city.as_(city.supervisor), one.id, 2, by=city.supervisor, now=NOW)
    assert at(city, one.id, "C03") == ("D5", "D6") and at(city, one.id, "C01") == ("D1", "D2", "D3")


# many at once


def test_no_change_of_many_writers_is_lost(city: ReportCity) -> None:
    """Each writer puts streets of its own into a route they all share, reading again where it is told to."""
    one, by = opened(city), city.supervisor
    store, tries = city.as_(by), 0

    def put(duty: str) -> int:
        for refused in range(200):
            version = night(store, one.id).version
            route = next(r.route for r in routes(store, one.id) if r.crew == "C02")
            try:
                wanted = {"C02": {"route": [*route, (duty, "")]}}
                change(store, one.id, version, "assign", wanted, by=by, now=NOW)
                return refused
            except NightChangedError as told:
                assert told.changes and told.version > version
        raise AssertionError("never came to a turn")

    duties = [f"N{i}" for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        tries = sum(pool.map(put, duties))
    assert set(at(city, one.id, "C02")) == {"D4", *duties} and len(at(city, one.id, "C02")) == 17
    assert night(store, one.id).version == 16 and tries >= 0
    assert [c.number for c in changes_since(store, one.id, 0)] == list(range(1, 17))
    assert not verify(city.store).problems


def test_writers_of_different_crews_never_wait_in_vain(city: ReportCity) -> None:
    one = opened(city)

    def write(number: int) -> None:
        crew, by = (("C01", city.supervisor), ("C03", city.neighbour))[number]
        for i in range(6):
            version = night(city.as_(by), one.id).version
            fields = {crew: {"persons": f"换{i}"}}
            change(city.as_(by), one.id, version, "persons", fields, by=by, now=NOW)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    found = {route.crew: route.persons for route in routes(city.store, one.id)}
    assert (found["C01"], found["C03"]) == ("换5", "换5") and night(city.store, one.id).version == 12


def test_random_changes_and_undoings_always_lead_back_to_the_plan(plain: ReportCity) -> None:
    """Undoing everything, last first, gives the routes as they were, whatever was done."""
    one, by, rng = opened(plain), plain.supervisor, np.random.default_rng(4)
    before = [(r.crew, r.route, r.persons, r.locked) for r in routes(plain.store, one.id)]
    crews, made = ("C01", "C02", "C03"), []
    for _ in range(30):
        version = night(plain.store, one.id).version
        now_is = {route.crew: list(route.route) for route in routes(plain.store, one.id)}
        a, b = (str(crew) for crew in rng.choice(crews, 2, replace=False))
        if rng.random() < 0.5:
            fields = {a: {"route": now_is[b]}, b: {"route": now_is[a]}}
        else:
            kept = [stop for stop in now_is[a] if rng.random() < 0.7]
            fields = {a: {"route": kept}, b: {"route": [*now_is[b], *(s for s in now_is[a] if s not in kept)]}}
        try:
            made.append(change(plain.store, one.id, version, "move", fields, by=by, now=NOW).version)
        except LamplightError as told:
            raise AssertionError(told.en) from told
    for number in reversed(made):
        undo(plain.store, one.id, number, by=by, now=NOW)
    assert [(r.crew, r.route, r.persons, r.locked) for r in routes(plain.store, one.id)] == before
