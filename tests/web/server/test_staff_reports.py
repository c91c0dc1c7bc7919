"""Reports as staff work on them: the queue, the private part, the steps, and the referrals."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from layers.accounts import Account
from layers.audit import entries
from layers.casebook import report
from layers.referrals import refer, referrals
from layers.report_states import STATES, TRANSITIONS
from tests.web.server.staff import CITY, DISTRICT, ELSEWHERE, HERE, Browser, add, alert, signed_in, store_of
from tests.web.server.staff_world import jpeg, middle, send, take
from web.server.staff_reports import STEP_WORDS, STEP_WORDS_FROM


@pytest.fixture
def chief(app: APIFlask) -> Account:
    """A supervisor of the subdistrict."""
    return add(app, "chief")


@pytest.fixture
def worker(app: APIFlask) -> Account:
    """A grid worker of the subdistrict."""
    return add(app, "worker", "grid_worker")


def numbers(page: Any) -> list[int]:
    return [int(found) for found in re.findall(r'<a href="/staff/reports/(\d+)" aria-label', page.text)]


def steps(page: Any) -> set[str]:
    return set(re.findall(r'name="to" value="(\w+)"', page.text))


def step(browser: Browser, number: int, to: str, **more: Any) -> Any:
    page = browser.get(f"/staff/reports/{number}")
    version = re.search(r'name="version" value="(\d+)"', page.text)
    return browser.post(f"/staff/reports/{number}/step", to=to, version=version[1] if version else "0", **more)


def test_urgent_reports_come_first_and_only_ones_own_area_is_listed(app: APIFlask, chief: Account) -> None:
    first = send(app, HERE)
    urgent = send(app, HERE, needs=("medical",))
    last = send(app, HERE)
    far = send(app, ELSEWHERE)
    browser = signed_in(app, chief)
    assert numbers(browser.get("/staff/reports")) == [urgent, last, first]
    assert browser.get(f"/staff/reports/{far}").status_code == 404
    take(store_of(app), last, "unfounded", chief)
    assert numbers(browser.get("/staff/reports")) == [urgent, first]
    assert numbers(browser.get("/staff/reports?state=unfounded")) == [last]
    assert browser.get("/staff/reports?state=lost").status_code == 404
    both = signed_in(app, add(app, "city", area=CITY))
    assert set(numbers(both.get("/staff/reports"))) == {urgent, first, far}


def test_a_long_queue_is_turned_page_by_page(app: APIFlask, chief: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.server.staff_reports.PAGE", 2)
    sent = [send(app, HERE, needs=("medical",) if number == 1 else ("other",)) for number in range(5)]
    browser, seen, path = signed_in(app, chief), [], "/staff/reports"
    while path:
        page = browser.get(path)
        seen += numbers(page)
        following = re.search(r'<a href="([^"]+after=\d+)">', page.text)
        path = following[1] if following else ""
    assert seen == [sent[1], sent[4], sent[3], sent[2], sent[0]]


def test_the_private_part_is_shown_on_request_alone_and_that_is_written_down(app: APIFlask, chief: Account) -> None:
    number = send(app, HERE, contact="13912345678", photo=True)
    browser = signed_in(app, chief)
    page = browser.get(f"/staff/reports/{number}")
    assert "13912345678" not in page.text and "老人躺着" not in page.text and "桥下" not in page.text
    assert not any(f"{degrees:.2f}" in page.text for degrees in middle(app, HERE)), "no coordinates"
    store = store_of(app)
    assert not [one for one in entries(store) if one.action == "read_private"]
    shown = browser.post(f"/staff/reports/{number}/private")
    assert all(word in shown.text for word in ("13912345678", "老人躺着", "桥下", f"{middle(app, HERE)[0]:.6f}"))
    picture = re.search(r'src="(/staff/reports/\d+/photos/\d+)"', shown.text)
    assert picture
    photo = browser.client.get(picture[1])
    assert (photo.mimetype, photo.data, photo.headers["Cache-Control"]) == ("image/jpeg", jpeg(), "no-store")
    read = [(one.action, one.account_id, one.object) for one in entries(store)[:2]]
    assert read == [(what, chief.id, f"report:{number}") for what in ("read_photo", "read_private")]
    assert browser.get(f"/staff/reports/{number}/photos/999").status_code == 404
    other = send(app, HERE, photo=True)
    swapped = picture[1].replace(f"reports/{number}", f"reports/{other}")
    assert browser.get(swapped).status_code == 404


@pytest.mark.parametrize("role", ["guidance_centre"])
def test_who_follows_states_alone_is_offered_no_private_part(app: APIFlask, role: str) -> None:
    number = send(app, HERE, photo=True)
    browser = signed_in(app, add(app, "centre", role, DISTRICT))
    page = browser.get(f"/staff/reports/{number}")
    assert page.status_code == 200 and "/private" not in page.text and steps(page) == set()
    browser.get("/staff/account")
    assert browser.post(f"/staff/reports/{number}/private").status_code == 403


def test_a_report_is_helped_from_first_to_last_with_the_steps_its_page_offers(
    app: APIFlask, chief: Account, worker: Account
) -> None:
    number = send(app, HERE)
    office, street = signed_in(app, chief), signed_in(app, worker)
    assert steps(office.get(f"/staff/reports/{number}")) == {"verified", "assigned", "duplicate", "unfounded"}
    assert step(office, number, "verified").status_code == 303
    assert step(office, number, "assigned", assignee=worker.id, note="请从东侧进").status_code == 303
    assert numbers(street.get("/staff/reports?mine=yes")) == [number]
    assert steps(street.get(f"/staff/reports/{number}")) == {"verified", "on_the_way", "unfounded"}
    assert step(street, number, "on_the_way").status_code == 303
    refused = step(street, number, "helped", outcome="referred")
    assert refused.status_code == 409 and "转介" in alert(refused)
    assert step(street, number, "helped", outcome="guided").status_code == 303
    page = street.get(f"/staff/reports/{number}")
    assert "已引导" in page.text and steps(page) == set() and "请从东侧进" not in page.text
    assert "请从东侧进" in street.post(f"/staff/reports/{number}/private").text
    assert step(office, number, "closed").status_code == 303
    assert report(store_of(app), number, by=chief).state == "closed"


def test_a_page_offers_what_the_table_allows_and_the_casebook_accepts_all_of_it(
    app: APIFlask, chief: Account, worker: Account
) -> None:
    ways = {
        "received": [], "verified": ["verified"], "assigned": ["assigned"], "on_the_way": ["assigned", "on_the_way"],
        "helped": ["assigned", "on_the_way", "helped"], "closed": ["assigned", "on_the_way", "helped", "closed"],
        "duplicate": ["duplicate"], "unfounded": ["unfounded"],
    }  # fmt: skip
    assert ways.keys() == STATES.keys()
    store, office, original = store_of(app), signed_in(app, chief), send(app, HERE)
    given = {
        "assigned": {"assignee": worker.id},
        "helped": {"outcome": "informed"},
        "duplicate": {"original": original},
    }
    for state, way in ways.items():
        for before, after in [pair for pair in TRANSITIONS if pair[0] == state]:
            number = send(app, HERE)
            for there in way:
                take(store, number, there, chief, **given.get(there, {}))
            assert after in steps(office.get(f"/staff/reports/{number}")), (before, after)
            assert step(office, number, after, **given.get(after, {})).status_code == 303, (before, after)
    number = send(app, HERE)
    refused = step(office, number, "closed")
    assert refused.status_code == 409 and alert(refused)
    assert report(store, number, by=chief).state == "received"


def test_every_step_of_the_table_has_its_words() -> None:
    assert {after for _, after in TRANSITIONS} == STEP_WORDS.keys()
    assert STEP_WORDS_FROM.keys() <= TRANSITIONS.keys()


def test_a_stale_page_is_refused_and_says_who_did_what(app: APIFlask, chief: Account, worker: Account) -> None:
    number = send(app, HERE)
    office, street = signed_in(app, chief), signed_in(app, worker)
    page = office.get(f"/staff/reports/{number}")
    version = re.search(r'name="version" value="(\d+)"', page.text)
    assert version and step(street, number, "assigned", assignee=worker.id).status_code == 303
    refused = office.post(f"/staff/reports/{number}/step", to="unfounded", version=version[1])
    assert refused.status_code == 409 and worker.name in alert(refused) and "已指派" in alert(refused)
    assert steps(refused) >= {"on_the_way"}, "the page shows the report as it is now"
    assert report(store_of(app), number, by=chief).state == "assigned"


def test_a_grid_worker_takes_a_report_on_gives_it_back_and_reads_no_other(
    app: APIFlask, chief: Account, worker: Account
) -> None:
    number = send(app, HERE)
    street = signed_in(app, worker)
    page = street.get(f"/staff/reports/{number}")
    assert steps(page) == {"assigned"} and "/private" not in page.text
    assert street.post(f"/staff/reports/{number}/private").status_code == 403
    colleague = add(app, "colleague", "grid_worker")
    assert step(street, number, "assigned", assignee=colleague.id).status_code == 403
    assert step(street, number, "assigned", assignee=worker.id).status_code == 303
    other = signed_in(app, colleague)
    assert other.get(f"/staff/reports/{number}").status_code == 404 and numbers(other.get("/staff/reports")) == []
    assert step(street, number, "verified").location.startswith("/staff/reports")
    assert numbers(other.get("/staff/reports")) == [number]


def test_a_report_is_merged_with_an_earlier_one_of_ones_own_area_alone(app: APIFlask, chief: Account) -> None:
    earlier, number, far = send(app, HERE), send(app, HERE), send(app, ELSEWHERE)
    office = signed_in(app, chief)
    for wrong in (far, 99999):
        refused = step(office, number, "duplicate", original=wrong)
        assert (refused.status_code, "原报告" in alert(refused)) == (422, True)
    assert step(office, number, "duplicate", original=number).status_code == 409
    assert step(office, number, "duplicate", original=earlier).status_code == 303
    assert f'href="/staff/reports/{earlier}"' in office.get(f"/staff/reports/{number}").text


def test_a_referral_reaches_its_partner_alone_who_confirms_it_once(
    app: APIFlask, chief: Account, worker: Account
) -> None:
    hospital, other = add(app, "hospital", "partner", DISTRICT), add(app, "clinic", "partner", CITY)
    number = send(app, HERE, contact="13912345678", needs=("medical",))
    take(store_of(app), number, "assigned", chief, assignee=worker.id)
    street = signed_in(app, worker)
    page = street.get(f"/staff/reports/{number}")
    assert f'value="hospital:{hospital.id}"' in page.text and f'value="hospital:{other.id}"' in page.text
    refused = street.post(f"/staff/reports/{number}/referral", receiver="circus:", place="x")
    assert refused.status_code == 422 and "救助站" in alert(refused)
    late = street.post(f"/staff/reports/{number}/referral", receiver="police:", place="x", due_at="2020-01-01T08:00")
    assert late.status_code == 422 and "时限" in alert(late)
    assert street.post(f"/staff/reports/{number}/referral", receiver="police:", due_at="soon").status_code == 422
    made = {"receiver": f"hospital:{hospital.id}", "place": "急诊", "due_at": "2099-01-01T08:00"}
    assert street.post(f"/staff/reports/{number}/referral", **made).status_code == 303
    (kept,) = referrals(store_of(app), by=chief)
    assert kept.due_at == datetime(2099, 1, 1, 0, 0, tzinfo=UTC), "a form's time is the city's"

    theirs = signed_in(app, hospital)
    page = theirs.get("/staff/referrals")
    assert "急诊" in page.text and "13912345678" not in page.text and "就医" in page.text
    assert theirs.get(f"/staff/reports/{number}").status_code == 403
    assert "没有转介" in signed_in(app, other).get("/staff/referrals").text
    stranger = signed_in(app, other)
    stranger.get("/staff/account")
    assert stranger.post(f"/staff/referrals/{kept.id}/confirm", received_by="王护士").status_code == 404
    assert theirs.post(f"/staff/referrals/{kept.id}/confirm", received_by=" ").status_code == 422
    theirs.get("/staff/referrals")
    assert theirs.post(f"/staff/referrals/{kept.id}/confirm", received_by="王护士").status_code == 303
    theirs.get("/staff/account")
    assert theirs.post(f"/staff/referrals/{kept.id}/confirm", received_by="王护士").status_code == 409
    assert "王护士" in street.get(f"/staff/reports/{number}").text


def test_a_referral_overdue_is_shown_before_all_others(app: APIFlask, chief: Account) -> None:
    store, earlier = store_of(app), datetime.now(UTC) - timedelta(hours=20)
    number, newer = send(app, HERE), send(app, HERE)
    take(store, number, "assigned", chief, assignee=chief.id)
    refer(store, number, receiver="hospital", place="急诊", by=chief, now=earlier)
    page = signed_in(app, chief).get("/staff/reports")
    assert numbers(page) == [number, newer] and "转介超时" in page.text
