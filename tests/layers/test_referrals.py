"""Referrals: made for reports of one's own, confirmed by whom they were made to, and late after their deadline."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gis.errors import LamplightError
from layers.accounts import partners_for
from layers.audit import entries
from layers.audit_check import verify
from layers.casebook import UnknownReportError, history
from layers.faults import FaultsError
from layers.referrals import (
    Referral,
    UnknownReferralError,
    confirm_referral,
    overdue_referrals,
    refer,
    referrals,
)
from layers.report_states import RECEIVERS, IllegalStepError
from layers.roles import NotAllowedError
from layers.store import Store
from tests.layers.report_city import IN_THERE, NEW, NOW, ReportCity, build

HOUR = timedelta(hours=1)


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


def referred(city: ReportCity, place: tuple[float, float] | None = None, **more: object) -> Referral:
    report_id = city.receive() if place is None else city.receive(place)
    city.move(report_id, "verified")
    return made(city, report_id, **more)


def made(city: ReportCity, report_id: int, **more: object) -> Referral:
    given = {"receiver": "hospital", "place": "急诊室", "made_to": city.hospital.id, **more}
    return refer(city.as_(city.supervisor), report_id, by=city.supervisor, now=NOW, **given)  # type: ignore[arg-type]


def test_a_referral_has_its_receivers_deadline_or_its_own(city: ReportCity) -> None:
    assert referred(city).due_at == NOW + RECEIVERS["hospital"].within
    assert referred(city, due_at=NOW + 3 * HOUR).due_at == NOW + 3 * HOUR
    found = referred(city, receiver="police", made_to=None)
    assert (found.made_to, found.due_at, found.received_at) == (None, NOW + RECEIVERS["police"].within, None)


def test_a_partner_sees_the_referrals_made_to_it_and_nothing_private(city: ReportCity) -> None:
    ours, _, _ = (
        referred(city),
        referred(city, receiver="rescue_station", made_to=city.station.id),
        referred(city, made_to=None),
    )
    assert referrals(city.as_(city.hospital), by=city.hospital) == [ours]
    assert ours.needs == ("food_clothes",) and ours.people == 2
    assert not any(word in str(ours) for word in (NEW.place, NEW.note, NEW.contact))
    assert len(referrals(city.as_(city.supervisor), by=city.supervisor)) == 3
    assert referrals(city.as_(city.neighbour), by=city.neighbour) == []


def test_staff_see_the_referrals_of_the_reports_they_see(city: ReportCity) -> None:
    here, there = referred(city), referred(city, IN_THERE)
    assert referrals(city.as_(city.supervisor), by=city.supervisor) == [there, here]
    assert referrals(city.as_(city.neighbour), by=city.neighbour) == [there]
    assert referrals(city.as_(city.worker), by=city.worker, report_id=there.report_id) == []
    for account in (city.planner, city.administrator):
        with pytest.raises(NotAllowedError):
            referrals(city.as_(account), by=account)


def test_a_receipt_is_confirmed_once_by_whom_the_referral_was_made_to(city: ReportCity) -> None:
    referral = referred(city)
    for account in (city.station, city.supervisor):
        with pytest.raises(UnknownReferralError):
            confirm_referral(city.as_(account), referral.id, by=account, now=NOW, received_by="x")
    with pytest.raises(NotAllowedError):
        confirm_referral(city.as_(city.worker), referral.id, by=city.worker, now=NOW, received_by="x")
    with pytest.raises(FaultsError):
        confirm_referral(city.as_(city.hospital), referral.id, by=city.hospital, now=NOW, received_by=" ")
    found = confirm_referral(
        city.as_(city.hospital), referral.id, by=city.hospital, now=NOW + HOUR, received_by=" 护士站 "
    )
    assert (found.received_at, found.received_by) == (NOW + HOUR, "护士站")
    with pytest.raises(IllegalStepError):
        confirm_referral(city.as_(city.hospital), referral.id, by=city.hospital, now=NOW, received_by="x")
    assert referrals(city.store, by=city.hospital, waiting=True) == []


def test_a_supervisor_confirms_what_was_made_to_no_account(city: ReportCity) -> None:
    referral = referred(city, made_to=None)
    with pytest.raises(UnknownReferralError):
        confirm_referral(city.as_(city.hospital), referral.id, by=city.hospital, now=NOW, received_by="x")
    with pytest.raises(UnknownReferralError):
        confirm_referral(city.as_(city.neighbour), referral.id, by=city.neighbour, now=NOW, received_by="x")
    found = confirm_referral(city.as_(city.supervisor), referral.id, by=city.supervisor, now=NOW, received_by="电话")
    assert found.received_by == "电话"


def test_a_receipt_is_confirmed_once_by_however_many_at_the_same_moment(city: ReportCity) -> None:
    referral = referred(city)

    def confirm(i: int) -> str:
        try:
            confirm_referral(city.as_(city.hospital), referral.id, by=city.hospital, now=NOW, received_by=str(i))
        except LamplightError as error:
            return type(error).__name__
        return "confirmed"

    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(confirm, range(4)))
    assert results == ["IllegalStepError"] * 3 + ["confirmed"]


def test_overdue_are_those_not_confirmed_after_their_deadline(city: ReportCity) -> None:
    late, later, confirmed = referred(city, due_at=NOW + 2 * HOUR), referred(city, due_at=NOW + HOUR), referred(city)
    confirm_referral(city.store, confirmed.id, by=city.hospital, now=NOW, received_by="x")
    for after, expected in ((HOUR, []), (HOUR * 1.5, [later]), (HOUR * 9, [later, late])):
        assert overdue_referrals(city.as_(city.supervisor), by=city.supervisor, now=NOW + after) == expected
    assert overdue_referrals(city.as_(city.hospital), by=city.hospital, now=NOW + 9 * HOUR) == [later, late]


def test_partners_are_offered_that_serve_the_area_and_others_refused(city: ReportCity) -> None:
    report_id = city.receive()
    city.move(report_id, "verified")
    offered = partners_for(city.as_(city.supervisor), "320102002000")
    assert {p.id for p in offered} == {city.hospital.id, city.station.id}
    for more, fault in (
        ({"made_to": city.station.id}, "made_to"), ({"made_to": city.worker.id}, "made_to"),
        ({"receiver": "circus", "made_to": None}, "receiver"), ({"due_at": NOW}, "due_at"),
        ({"place": "\x07"}, "place"),
    ):  # fmt: skip
        with pytest.raises(FaultsError) as refused:
            made(city, report_id, **more)  # type: ignore[arg-type]
        assert fault in refused.value.faults
    assert referrals(city.store, by=city.supervisor) == []


def test_only_known_and_open_reports_are_referred_and_only_by_who_works_on_them(city: ReportCity) -> None:
    report_id = city.receive()
    with pytest.raises(IllegalStepError):
        made(city, report_id)
    city.helped(report_id)
    city.move(report_id, "closed")
    with pytest.raises(IllegalStepError):
        made(city, report_id)
    other = city.receive(IN_THERE)
    city.move(other, "verified")
    given = {"receiver": "hospital", "place": "", "now": NOW}
    with pytest.raises(UnknownReportError):
        refer(city.as_(city.worker), other, by=city.worker, **given)  # type: ignore[arg-type]
    mine = city.receive()
    city.move(mine, "verified")
    with pytest.raises(NotAllowedError):
        refer(city.as_(city.worker), mine, by=city.worker, **given)  # type: ignore[arg-type]
    city.move(mine, "assigned", by=city.worker)
    assert refer(city.as_(city.worker), mine, by=city.worker, **given).made_by == city.worker.id  # type: ignore[arg-type]
    with pytest.raises(NotAllowedError):
        refer(city.as_(city.centre), mine, by=city.centre, **given)  # type: ignore[arg-type]


def test_a_report_is_helped_by_referral_once_one_is_made(city: ReportCity) -> None:
    report_id = city.receive()
    city.move(report_id, "assigned", "on_the_way")
    with pytest.raises(IllegalStepError):
        city.move(report_id, "helped", outcome="referred")
    made(city, report_id)
    assert city.move(report_id, "helped", outcome="referred").outcome == "referred"


def test_referrals_are_in_the_history_and_the_audit_log(city: ReportCity) -> None:
    referral = referred(city)
    confirm_referral(city.as_(city.hospital), referral.id, by=city.hospital, now=NOW, received_by="护士站")
    steps = history(city.store, referral.report_id, by=city.supervisor)
    assert [(s.before, s.after, s.account_id) for s in steps[-2:]] == [
        ("verified", "verified", city.supervisor.id), ("verified", "verified", city.hospital.id)
    ]  # fmt: skip
    written = entries(city.store, limit=2)
    assert [(e.action, e.account_id) for e in written] == [
        ("confirm_referral", city.hospital.id), ("refer", city.supervisor.id)
    ]  # fmt: skip
    assert written[1].detail == {"referral": referral.id, "receiver": "hospital", "made_to": city.hospital.id}
    assert verify(city.store).problems == ()
