"""What staff see of reports and do with them: inside their area, within their role, one step at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gis.errors import LamplightError
from layers.accounts import deactivate
from layers.audit import entries
from layers.audit_check import verify
from layers.casebook import (
    ChangedMeanwhileError,
    IncomingReport,
    UnknownReportError,
    counts,
    history,
    move,
    photo,
    private_part,
    report,
    reports,
)
from layers.connection import transaction
from layers.faults import FaultsError
from layers.report_states import STATES, TRANSITIONS, IllegalStepError
from layers.roles import NotAllowedError
from layers.schema import AUDIT_ENTRY, INCOMING_REPORT, PHOTO, REPORT_STEP
from layers.scope import NOWHERE, Scope
from layers.store import Store
from tests.layers.report_city import BETWEEN, HERE, IN_THERE, JPEG, NEW, NOW, THERE, ReportCity, build, received


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


@pytest.fixture
def plain(sqlite_store: Store) -> ReportCity:
    """The same city on one database, for what is not about the database."""
    return build(sqlite_store)


def everything(store: Store) -> list[Any]:
    with transaction(store._engine) as connection:
        tables = (INCOMING_REPORT, REPORT_STEP, AUDIT_ENTRY)
        return [connection.execute(sa.select(*(c for c in t.c if c.name != "geometry"))).all() for t in tables]


# who sees what


def test_each_account_sees_the_reports_of_its_area_and_below(city: ReportCity) -> None:
    here, there, between = city.receive(), city.receive(IN_THERE), city.receive(BETWEEN)
    for account, expected in (
        (city.centre, {here, there, between}), (city.supervisor, {here, there}), (city.neighbour, {there}),
        (city.worker, {here}),
    ):  # fmt: skip
        for through in (city.as_(account), city.store):
            assert {r.id for r in reports(through, by=account)} == expected
            assert sum(counts(through, by=account).values()) == len(expected)
    assert reports(city.store.within(NOWHERE), by=city.centre) == []
    assert reports(city.store.within(Scope.of(THERE)), by=city.worker) == []


@pytest.mark.parametrize("through_all", [False, True])
def test_a_report_elsewhere_does_not_exist_whatever_is_asked(city: ReportCity, through_all: bool) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    other = city.receive(IN_THERE)
    by = city.neighbour
    store = city.store if through_all else city.as_(by)
    before = everything(city.store)
    attempts: list[Callable[[int], object]] = [
        lambda i: report(store, i, by=by),
        lambda i: history(store, i, by=by),
        lambda i: private_part(store, i, by=by, now=NOW),
        lambda i: photo(store, i, 1, by=by, now=NOW),
        lambda i: move(store, i, "verified", by=by, version=1, now=NOW),
        lambda i: move(store, other, "duplicate", by=by, version=1, now=NOW, original=i),
        lambda i: reports(store, by=by, after=i),
    ]
    for attempt in attempts:
        said = []
        for report_id in (receipt.id, 999):
            with pytest.raises(UnknownReportError) as refused:
                attempt(report_id)
            said.append(str(refused.value))
        assert said[0] == said[1]  # one that is not theirs looks like one that is not there
    assert everything(city.store) == before


def test_a_grid_worker_sees_its_own_reports_and_open_ones_nobody_has_taken(city: ReportCity) -> None:
    free, own, colleagues, ended = (city.receive() for _ in range(4))
    city.move(own, "assigned")
    city.move(colleagues, "assigned", assignee=city.colleague.id)
    city.move(ended, "unfounded")
    mine = city.as_(city.worker)
    assert {r.id for r in reports(mine, by=city.worker)} == {free, own}
    assert {r.id for r in reports(mine, by=city.worker, assigned_to=city.worker.id)} == {own}
    for hidden in (colleagues, ended):
        with pytest.raises(UnknownReportError):
            report(mine, hidden, by=city.worker)


def test_roles_without_the_permission_see_no_report(city: ReportCity) -> None:
    report_id = city.receive()
    for account in (city.hospital, city.planner, city.administrator):
        for attempt in (
            lambda who: reports(city.as_(who), by=who),
            lambda who: counts(city.as_(who), by=who),
            lambda who: report(city.as_(who), report_id, by=who),
            lambda who: private_part(city.as_(who), report_id, by=who, now=NOW),
        ):
            with pytest.raises(NotAllowedError):
                attempt(account)


def test_the_list_holds_nothing_private(city: ReportCity) -> None:
    city.receive()
    (found,) = reports(city.as_(city.centre), by=city.centre)
    said = str(found)
    assert not any(word in said for word in (NEW.place, NEW.note, NEW.contact, "118.", "32.0"))
    assert not {"lon", "lat", "geometry", "place", "note", "contact"} & {field.name for field in fields(IncomingReport)}


def test_pages_put_urgent_reports_first_and_lose_none(city: ReportCity) -> None:
    plain = [city.receive() for _ in range(4)]
    urgent = [city.receive(needs=("medical",)) for _ in range(3)]
    expected = [*urgent[::-1], *plain[::-1]]
    store, found, after = city.as_(city.supervisor), [], None
    while page := reports(store, by=city.supervisor, limit=2, after=after):
        found += [r.id for r in page]
        after = found[-1]
    assert found == expected
    city.move(plain[0], "verified")
    assert [r.id for r in reports(store, by=city.supervisor, states=("verified", "closed"))] == [plain[0]]
    assert counts(store, by=city.supervisor) == {**dict.fromkeys(STATES, 0), "received": 6, "verified": 1}


# reading what is private


def test_every_reading_of_a_private_part_is_written_down(city: ReportCity) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    store = city.as_(city.supervisor)
    private = private_part(store, receipt.id, by=city.supervisor, now=NOW + timedelta(minutes=1))
    assert photo(store, receipt.id, private.photos[0], by=city.supervisor, now=NOW) == JPEG
    read = entries(city.store, limit=2)
    assert [(e.action, e.object, e.account_id, e.area_code) for e in read] == [
        ("read_photo", f"report:{receipt.id}", city.supervisor.id, HERE),
        ("read_private", f"report:{receipt.id}", city.supervisor.id, HERE),
    ]
    assert read[1].at == NOW + timedelta(minutes=1)
    assert verify(city.store).problems == ()


def test_a_grid_worker_reads_what_is_private_only_of_its_own(city: ReportCity) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    mine = city.as_(city.worker)
    before = everything(city.store)
    for attempt in (
        lambda: private_part(mine, receipt.id, by=city.worker, now=NOW),
        lambda: photo(mine, receipt.id, 1, by=city.worker, now=NOW),
        lambda: private_part(city.as_(city.centre), receipt.id, by=city.centre, now=NOW),
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    assert everything(city.store) == before
    city.move(receipt.id, "assigned", by=city.worker)
    assert private_part(mine, receipt.id, by=city.worker, now=NOW).contact == NEW.contact


def test_a_photo_is_only_found_with_its_own_report(city: ReportCity) -> None:
    first, second = received(city.store, photo_jpeg=JPEG), received(city.store)
    with transaction(city.store._engine) as connection:
        photo_id = connection.scalar(sa.select(PHOTO.c.id)) or 0
    assert photo(city.store, first.id, photo_id, by=city.supervisor, now=NOW) == JPEG
    with pytest.raises(UnknownReportError):
        photo(city.store, second.id, photo_id, by=city.supervisor, now=NOW)


# steps


def prepared(city: ReportCity, state: str) -> int:
    """Return a report in ``state``."""
    way = {
        "received": (), "verified": ("verified",), "assigned": ("assigned",), "on_the_way": ("assigned", "on_the_way"),
        "unfounded": ("unfounded",),
    }  # fmt: skip
    report_id = city.receive()
    if state in way:
        city.move(report_id, *way[state])
    elif state == "duplicate":
        city.move(report_id, "duplicate", original=city.receive())
    else:
        city.helped(report_id)
        city.move(report_id, *(["closed"] if state == "closed" else []))
    return report_id


@pytest.mark.parametrize("before", STATES)
def test_every_step_of_the_table_works_and_every_other_is_refused_and_changes_nothing(
    plain: ReportCity, before: str
) -> None:
    city = plain
    original = city.receive()
    given: dict[str, dict[str, object]] = {
        "assigned": {"assignee": city.worker.id}, "helped": {"outcome": "guided"}, "duplicate": {"original": original}
    }  # fmt: skip
    for after in STATES:
        report_id = prepared(city, before)
        was = report(city.store, report_id, by=city.supervisor)
        assert was.state == before
        kept = everything(city.store)
        if (before, after) in TRANSITIONS:
            now = city.move(report_id, after, **given.get(after, {}))
            assert (now.state, now.version) == (after, was.version + 1)
            steps = history(city.store, report_id, by=city.supervisor)
            assert (steps[-1].before, steps[-1].after, steps[-1].account_id) == (before, after, city.supervisor.id)
            moved = entries(city.store, object=f"report:{report_id}", action="move")[0]
            assert (moved.detail["before"], moved.detail["after"]) == (before, after)
        else:
            with pytest.raises(IllegalStepError):
                city.move(report_id, after, **given.get(after, {}))
            assert everything(city.store) == kept
    assert verify(city.store).problems == ()


@pytest.mark.parametrize(
    ("state", "to", "given"),
    [
        ("received", "verified", {"assignee": 1}), ("received", "verified", {"outcome": "guided"}),
        ("on_the_way", "helped", {}), ("on_the_way", "helped", {"outcome": "cured"}),
        ("on_the_way", "helped", {"outcome": "referred"}), ("received", "duplicate", {}),
        ("received", "assigned", {"assignee": 999}), ("helped", "closed", {"outcome": "guided"}),
    ],
)  # fmt: skip
def test_a_step_with_too_little_or_too_much_is_refused(
    plain: ReportCity, state: str, to: str, given: dict[str, object]
) -> None:
    report_id = prepared(plain, state)
    kept = everything(plain.store)
    with pytest.raises(IllegalStepError) as refused:
        plain.move(report_id, to, **given)
    assert refused.value.zh and refused.value.en
    assert everything(plain.store) == kept


def test_who_cannot_help_there_cannot_be_assigned(city: ReportCity) -> None:
    report_id = city.receive()
    deactivate(city.store, city.colleague.id, by=city.administrator, now=NOW)
    for assignee in (city.neighbour, city.centre, city.hospital, city.colleague, city.planner):
        with pytest.raises(IllegalStepError):
            city.move(report_id, "assigned", assignee=assignee.id)
    assert city.move(report_id, "assigned", assignee=city.supervisor.id).assigned_to == city.supervisor.id


def test_a_grid_worker_takes_a_report_works_on_it_and_gives_it_back_but_directs_nothing(city: ReportCity) -> None:
    report_id, by = city.receive(), city.worker
    for to, given in (
        ("verified", {}), ("unfounded", {}), ("assigned", {"assignee": city.colleague.id}),
        ("duplicate", {"original": city.receive()}),
    ):  # fmt: skip
        with pytest.raises(NotAllowedError):
            city.move(report_id, to, by=by, **given)
    assert city.move(report_id, "assigned", by=by).assigned_to == by.id
    with pytest.raises(NotAllowedError):
        city.move(report_id, "assigned", by=by, assignee=city.colleague.id)
    given_back = city.move(report_id, "verified", by=by)
    assert (given_back.state, given_back.assigned_to) == ("verified", None)
    city.move(report_id, "assigned", "on_the_way", "helped", by=by, outcome="declined")
    with pytest.raises(NotAllowedError):
        city.move(report_id, "closed", by=by)
    with pytest.raises(UnknownReportError):
        city.move(report_id, "closed", by=city.colleague)
    assert city.move(report_id, "closed").outcome == "declined"


def test_who_only_reads_changes_nothing(city: ReportCity) -> None:
    report_id = city.receive()
    with pytest.raises(NotAllowedError):
        city.move(report_id, "verified", by=city.centre)


def test_the_second_of_two_writers_is_told_who_changed_what(city: ReportCity) -> None:
    report_id, store = city.receive(), city.as_(city.supervisor)
    city.move(report_id, "assigned", by=city.worker)
    kept = everything(city.store)
    with pytest.raises(ChangedMeanwhileError) as refused:
        move(store, report_id, "verified", by=city.supervisor, version=1, now=NOW)
    assert "名worker" in refused.value.zh and "已指派" in refused.value.zh and "assigned" in refused.value.en
    assert everything(city.store) == kept


def test_of_many_who_take_a_report_at_the_same_moment_one_has_it(city: ReportCity) -> None:
    report_id = city.receive()

    def take(i: int) -> int | str:
        by = (city.worker, city.colleague)[i % 2]
        try:
            taken = move(city.as_(by), report_id, "assigned", by=by, version=1, now=NOW, assignee=by.id)
        except LamplightError as error:
            return type(error).__name__
        return taken.assigned_to or 0

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(take, range(12)))
    winners = [r for r in results if isinstance(r, int)]
    assert winners == [report(city.store, report_id, by=city.supervisor).assigned_to]
    assert set(results) - set(winners) <= {"ChangedMeanwhileError", "UnknownReportError"}
    assert [s.after for s in history(city.store, report_id, by=city.supervisor)] == ["received", "assigned"]


def test_notes_of_steps_are_private(city: ReportCity) -> None:
    report_id = city.receive()
    city.move(report_id, "verified", note=" 电话核实：家住某处 ")
    assert [s.note for s in history(city.store, report_id, by=city.centre)] == ["", ""]
    private = private_part(city.store, report_id, by=city.supervisor, now=NOW)
    assert private.steps[-1].note == "电话核实：家住某处"
    with pytest.raises(FaultsError):
        city.move(report_id, "unfounded", note="\x00")
    assert not any("电话" in str(entry) for entry in entries(city.store))


def test_a_report_sent_back_to_be_helped_again_loses_its_outcome(city: ReportCity) -> None:
    report_id = city.receive()
    assert city.helped(report_id).outcome == "guided"
    assert city.move(report_id, "assigned").outcome == ""


# merging


def test_merging_keeps_the_urgency_and_never_makes_chains(city: ReportCity) -> None:
    first, second, third = city.receive(), city.receive(needs=("medical",)), city.receive()
    city.move(third, "duplicate", original=second)
    city.move(second, "duplicate", original=first)
    found = {r.id: r for r in reports(city.store, by=city.supervisor)}
    assert (found[second].duplicate_of, found[third].duplicate_of) == (first, first)
    assert (found[first].urgency, found[first].state, found[first].version) == (1, "received", 2)
    for original in (first, second):
        with pytest.raises(IllegalStepError):
            city.move(first, "duplicate", original=original)
    assert city.move(second, "verified").duplicate_of is None
    assert [e.detail for e in entries(city.store, action="merge", object=f"report:{first}")] == [{"duplicate": second}]
    assert verify(city.store).problems == ()


def test_two_who_merge_two_reports_crosswise_do_not_block_each_other(city: ReportCity) -> None:
    first, second = city.receive(), city.receive()
    store = city.as_(city.supervisor)

    def merge(pair: tuple[int, int]) -> str:
        try:
            move(store, pair[0], "duplicate", by=city.supervisor, version=1, now=NOW, original=pair[1])
        except LamplightError as error:
            return type(error).__name__
        return "merged"

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(merge, [(first, second), (second, first)]))
    assert results == ["ChangedMeanwhileError", "merged"]
    assert counts(store, by=city.supervisor)["duplicate"] == 1
