"""The supervisor's desk in Chromium, on both databases: two direct one night, one at a desk and one with a phone.

Every journey takes back what it changed, so all of them share one town.
"""

import re
from collections import Counter
from itertools import combinations
from typing import Any

import pytest

from layers.accounts import NewAccount, create_account
from layers.casebook import report
from layers.jobs import jobs
from layers.nights import missed_reasons
from layers.nights import night as night_of
from layers.phone import done_by_ticks, keep_events
from layers.referrals import referrals
from layers.scope import Scope
from planner.jobs.runs import work
from tests.web.server.chromium import PHONE, follow, until, whole
from tests.web.server.desk_site import (
    DeskSite,
    DeskTown,
    desk_town,
    inside,
    logged,
    report_at,
    site,
    streets_of,
    tab,
    take_back,
)
from tests.web.server.night_world import DISTRICT, EVENING, at, told_by_phone
from tests.web.server.staff import CHEAP, store_of
from tests.web.server.staff_world import middle
from web.server.passwords import new_uniquifier

__all__ = ["desk_town", "site"]
#: As many streets the worker has walked when the track ends.
WALKED = 12


def tried(page: Any) -> dict[str, tuple[int, int]]:
    """Return crew -> (minutes now, minutes after) of the change that is tried."""
    page.wait_for_selector(".desk-trial")
    rows = page.evaluate("""[...document.querySelectorAll('.desk-minutes tbody tr')].map(
        (row) => [row.querySelector('.crew').textContent, row.cells[1].textContent, row.cells[2].textContent])""")
    return {crew: (int(before), int(after)) for crew, before, after in rows}


def minutes(page: Any) -> dict[str, int]:
    """Return crew -> minutes as the list of crews shows them."""
    rows = page.evaluate("""[...document.querySelectorAll('.desk-crew')].map(
        (crew) => [crew.dataset.crew, crew.querySelector('.desk-figures b').textContent])""")
    return {crew: int(count) for crew, count in rows}


def confirm(page: Any) -> None:
    """Make the change that is tried."""
    page.click(".desk-trial form button[type=submit]")


def try_to_give(page: Any, crew: str, to: str) -> dict[str, tuple[int, int]]:
    """Choose the last street of a crew, and somebody to have it."""
    tab(page, "edit")
    page.fill("#street", crew)
    until(page, "document.querySelectorAll('#stops input:enabled').length > 3")
    page.locator("#stops input:enabled").last.check()
    page.select_option("#to", to)
    page.click("#edit form[action$=give] button[type=submit]")
    return tried(page)


def try_to_swap(page: Any, a: str, b: str) -> None:
    tab(page, "edit")
    page.select_option("#swap-a", a)
    page.select_option("#swap-b", b)
    page.click("#edit form[action$=swap] button[type=submit]")


def alike(site: DeskSite) -> tuple[str, str]:
    """Return two crews that go the same way, so that each can walk the other's route."""
    table = site.town.store.run(site.town.night.run_id).tables["crews"]
    mode = dict(zip(table["crew"], table["mode"], strict=True))
    return next((a, b) for a, b in combinations(site.routes(), 2) if mode[a] == mode[b])


def test_of_two_who_change_the_same_routes_the_second_is_told_and_nothing_is_lost(site: DeskSite) -> None:
    desk, phone, first = site.desk, site.phone, site.town.of.chief.name
    for page in (desk, phone):
        site.open(page)
        whole(page)
    before, known = site.routes(), len(site.changes())
    giver, taker = [crew for crew, route in before.items() if len(route) > 10][:2]
    assert minutes(desk) == minutes(phone) and set(minutes(desk)) == set(before)

    promised = try_to_give(desk, giver, taker)
    assert promised.keys() == {giver, taker}
    assert {crew: now for crew, (now, _) in promised.items()} == {crew: minutes(desk)[crew] for crew in promised}
    whole(desk)
    assert try_to_give(phone, giver, taker) == promised
    whole(phone)
    assert site.routes() == before, "nothing is changed by trying"
    confirm(desk)
    desk.wait_for_selector("#trial .good")
    logged(desk, known + 1)
    whole(desk)
    after = site.routes()
    assert (len(after[giver]), len(after[taker])) == (len(before[giver]) - 1, len(before[taker]) + 1)
    assert {crew: minutes(desk)[crew] for crew in promised} == {crew: then for crew, (_, then) in promised.items()}

    confirm(phone)
    phone.wait_for_selector("#trial .fault")
    assert first in phone.inner_text("#trial .fault") and site.routes() == after
    until(phone, "name => document.querySelector('#news').textContent.includes(name)", arg=first)
    assert phone.input_value("#street") == giver, "what was being written is still there"
    whole(phone)

    desk.click("#trial button:has-text('撤销')")
    logged(desk, known + 2)
    assert site.routes() == before


def test_two_workers_swap_routes_and_a_locked_route_stays_until_it_is_unlocked(site: DeskSite) -> None:
    desk, phone = site.desk, site.phone
    for page in (desk, phone):
        site.open(page)
    before, done = site.routes(), site.changes()
    a, b = alike(site)
    try_to_swap(phone, a, b)
    promised = tried(phone)
    assert promised.keys() == {a, b}
    whole(phone)
    confirm(phone)
    logged(phone, len(done) + 1)
    after = site.routes()
    assert after[a] != before[a] and {*after[a], *after[b]} == {*before[a], *before[b]}
    assert after[a][-1] == before[b][-1] and after[b][-1] == before[a][-1]
    assert {crew: minutes(phone)[crew] for crew in (a, b)} == {crew: then for crew, (_, then) in promised.items()}
    until(desk, "name => document.querySelector('#news').textContent.includes(name)", arg=site.town.of.deputy.name)

    tab(desk, "crews")
    desk.click(f"[data-crew={a}] form:has(input[value=lock]) button")
    logged(desk, len(done) + 2)
    assert desk.inner_text(f"[data-crew={a}] .desk-head").endswith("已锁定")
    assert desk.locator(f"#to option[value={a}]").count() == 0, "who is locked is given nothing"
    whole(desk)
    try_to_swap(phone, a, b)
    tried(phone)
    assert "已锁定，请先解锁" in phone.inner_text(".desk-trial")
    assert phone.locator(".desk-trial button[type=submit]").count() == 0, "there is nothing to confirm"
    assert site.routes() == after
    phone.click("[data-cancel]")
    until(phone, "crew => document.querySelector(`[data-crew=${crew}] input[value=unlock]`)", arg=a)
    tab(phone, "crews")
    phone.click(f"[data-crew={a}] form:has(input[value=unlock]) button")
    logged(phone, len(done) + 3)
    take_back(phone, site.changes()[len(done) :], len(done) + 3)
    whole(phone)


def test_who_falls_ill_leaves_streets_to_be_shared_out_and_both_are_taken_back(site: DeskSite) -> None:
    desk = site.desk
    site.open(desk)
    before, done = site.routes(), site.changes()
    _, gone = alike(site)
    tab(desk, "crews")
    desk.click(f"[data-crew={gone}] summary")
    desk.click(f"[data-crew={gone}] form[action$=ill] button")
    assert tried(desk)[gone][1] < tried(desk)[gone][0] and "段无人接手" in desk.inner_text(".desk-trial")
    whole(desk)
    confirm(desk)
    desk.wait_for_selector("#trial form[action$=share-out]")
    assert desk.locator(f"[data-crew={gone}] .tag.urgent").inner_text() == "病假"
    assert len(site.routes()[gone]) < len(before[gone])
    desk.click("#trial form[action$=share-out] button")
    assert gone not in tried(desk)
    whole(desk)
    confirm(desk)
    logged(desk, len(done) + 2)
    left = set(before[gone]) - set(site.routes()[gone])
    taken = {stop for crew, route in site.routes().items() for stop in route if stop not in before[crew]}
    assert left & taken, "others walk what was left"
    whole(desk)
    site.open(site.phone)
    take_back(site.phone, site.changes()[len(done) :], len(done) + 2)
    whole(site.phone)


def twins(page: Any) -> dict[tuple[int, int], int]:
    """Return (report, the earlier one it may be merged into) -> metres between them, as the page offers it."""
    tab(page, "reports")
    rows = page.evaluate("""[...document.querySelectorAll('.desk-report form[action$=merge]')].map((form) => [
        form.closest('li').dataset.report, form.querySelector('[name=original]').value, form.textContent])""")
    return {(int(one), int(other)): int(re.search(r"（(\d+) 米）", words)[1]) for one, other, words in rows}


def test_reports_that_may_mean_one_person_are_merged_and_a_worker_sent_and_both_taken_back(site: DeskSite) -> None:
    store, chief = site.town.store, site.town.of.chief
    place = middle(site.town.app, site.town.of.worker.area_code)
    near, far = 150.0, 450.0
    bed, bed_near, bed_far = (report_at(site, place, east, "night_shelter") for east in (0.0, near, near + far))
    lost, lost_far, lost_away = (report_at(site, place, east, "lost") for east in (0.0, far, -far))
    desk, phone = site.desk, site.phone
    site.open(desk)
    offered = twins(desk)
    # 200 m for a bed, 600 m for somebody lost; reports without a common need are never one
    assert offered.keys() == {(bed_near, bed), (lost_far, lost), (lost_away, lost)}
    assert [offered[bed_near, bed], offered[lost_far, lost]] == pytest.approx([near, far], rel=0.01)
    whole(desk)
    assert desk.locator(f"#report-{bed_far}").count() == 1

    desk.click(f"#report-{bed_near} form[action$=merge] button")
    desk.wait_for_selector(f"#reports .good:has-text('报告 {bed_near} 已并入报告 {bed}。')")
    assert desk.locator(f"#report-{bed_near}").count() == 0
    assert report(store, bed_near, by=chief).duplicate_of == bed
    whole(desk)
    desk.click("#reports button:has-text('撤销合并')")
    desk.wait_for_selector(f"#report-{bed_near}")
    assert report(store, bed_near, by=chief).state == "verified"
    assert (bed_near, bed) in twins(desk)

    site.open(phone)
    tab(phone, "reports")
    phone.click(f"#report-{lost} summary")
    first = phone.inner_text(f"#assignee-{lost} option >> nth=0")
    assert site.town.of.worker.name in first and "步行约" in first, "whoever is out comes first"
    phone.click(f"#report-{lost} form[action$=dispatch] button")
    phone.wait_for_selector(f"#reports .good:has-text('已派给 {site.town.of.worker.name}')")
    assert "已指派" in phone.inner_text(f"#report-{lost}")
    assert report(store, lost, by=chief).assigned_to == site.town.of.worker.id
    whole(phone)
    phone.click("#reports button:has-text('收回指派')")
    phone.wait_for_selector(f"#reports .good:has-text('报告 {lost} 现在是“已核实”')")
    assert report(store, lost, by=chief).assigned_to is None


def test_a_report_is_referred_with_a_deadline_and_its_receipt_comes_back_to_the_desk(site: DeskSite) -> None:
    store, chief = site.town.store, site.town.of.chief
    number = report_at(site, middle(site.town.app, DISTRICT), 0.0, "medical")
    hospital = create_account(
        store_of(site.town.app), NewAccount("ward", "急诊科", "partner", DISTRICT, CHEAP, new_uniquifier(), "hospital"),
        by=None, now=at("19:00"),
    )  # fmt: skip
    desk, phone = site.desk, site.phone
    site.open(desk, "#reports")
    desk.click(f"#report-{number} a:has-text('核实')")
    follow(desk.locator("form button:has-text('标为已核实')"))
    site.open(desk, "#reports")
    desk.click(f"#report-{number} a:has-text('转介此人')")
    desk.select_option("#receiver", f"hospital:{hospital.id}")
    desk.fill("#place", "市一院急诊")
    desk.fill("#due_at", f"{EVENING}T22:00")
    desk.click("form[action$=referral] button")
    desk.wait_for_selector(f"#referral ~ ul:has-text('期限 {EVENING} 22:00')")
    site.open(phone, "#reports")
    assert "医院 · 市一院急诊" in phone.inner_text(f"#report-{number}")
    assert f"期限 {EVENING} 22:00" in phone.inner_text(f"#report-{number}")
    whole(phone)

    site.turn("22:10")
    site.open(desk, "#reports")
    assert desk.locator(f"#report-{number} .tag:has-text('超时')").count() == 1
    ward = site.page_of(hospital, PHONE)
    ward.goto(f"{site.town.url}/staff/referrals")
    assert "超时" in ward.inner_text("main") and "市一院急诊" in ward.inner_text("main")
    whole(ward)
    ward.fill("[name=received_by]", "王护士")
    ward.click("form[action$=confirm] button")
    ward.wait_for_selector("main:has-text('已确认')")
    whole(ward)
    [made] = referrals(store, by=chief, report_id=number)
    assert (made.made_to, made.received_by, made.due_at) == (hospital.id, "王护士", at("22:00"))
    until(desk, f"document.querySelector('#report-{number}').textContent.includes('王护士')")  # by itself
    assert desk.locator(f"#report-{number} .tag:has-text('超时')").count() == 0
    whole(desk)


@pytest.fixture(scope="module")
def walked(desk_town: DeskTown) -> list[dict[str, Any]]:
    """What the worker's phone sent: the first streets ticked off with the track along them, and one that was shut."""
    whole_store = store_of(desk_town.app)
    route = desk_town.own_route()
    told = told_by_phone(whole_store, desk_town.night, route, WALKED)
    duty, side = route.route[WALKED]
    shut = {
        **told[0],
        "number": len(told) + 1,
        "kind": "reason",
        "duty": duty,
        "side": side,
        "reason": "gate",
        "note": "",
    }
    own = whole_store.within(Scope.of(desk_town.of.worker.area_code))
    kept = keep_events(own, [*told, shut], by=desk_town.of.worker, device="phone-of-lin", now=at("23:50"))
    assert (kept.last, kept.rejected, kept.dropped) == (len(told) + 1, (), 0)
    return told


@pytest.mark.usefixtures("walked")
def test_the_week_shows_which_streets_were_walked_as_often_as_they_ask_for(site: DeskSite) -> None:
    store, name_of, desk = site.town.store, inside(site), site.desk
    planned = Counter(name_of[d] for d in {d for r in site.routes().values() for d, _ in r} if d in name_of)
    ticked = {one.duty for one in done_by_ticks(store, site.town.night.id) if one.state == "done"}
    walked = Counter(name_of[duty] for duty in ticked if duty in name_of)
    assert 0 < walked.total() <= WALKED and len(planned) > 50

    desk.goto(f"{site.town.url}/staff/week?until={EVENING}")
    whole(desk)
    head = [int(n) for n in re.findall(r"应巡 (\d+) 段次，已巡 (\d+)，已排 (\d+)", desk.inner_text("main"))[0]]
    rows = streets_of(site, desk)
    nights = {name: tuple(map(int, cells[-1].split("/"))) for name, *cells in rows if cells[-1]}
    assert {name: nights[name] for name in planned} == {name: (walked[name], planned[name]) for name in planned}
    due = {name: tuple(map(int, cells[1].split(" / "))) for name, *cells in rows}
    missed = {name: 0 if cells[3] == "够" else int(cells[3]) for name, *cells in rows}
    still = {name: int(cells[2] or 0) for name, *cells in rows}
    assert all(was + still[name] + missed[name] == asked for name, (was, asked) in due.items())
    assert {name: due[name][0] for name in planned if due[name][0]} == dict(walked)
    assert head == [sum(asked for _, asked in due.values()), sum(was for was, _ in due.values()), sum(still.values())]

    phone, [street, *_] = site.phone, walked
    phone.goto(f"{site.town.url}/staff/week?until={EVENING}")
    whole(phone)
    follow(phone.locator("nav.chips a:has-text('次数不够的')"))
    assert int(phone.inner_text("nav.chips [aria-current] .count")) == sum(count > 0 for count in missed.values())
    whole(phone)
    site.turn("07:00")  # the night is over: what was planned and not walked is missed
    desk.goto(f"{site.town.url}/staff/week?until={EVENING}&street={street}")
    row = next(cells for name, *cells in streets_of(site, desk) if name == street)
    assert row[1] == f"{walked[street]} / {due[street][1]}" and row[2] == ""
    assert row[3] == (str(due[street][1] - walked[street]) if due[street][1] > walked[street] else "够")


def told_by_tracks(site: DeskSite, said: str) -> None:
    """Fail where ``said`` of the worker's crew is not what its track and the plan come to."""
    steps = site.town.store.run(site.town.night.run_id).tables["steps"]
    streets = steps[(steps["crew"] == site.town.own_route().crew) & (steps["kind"] == "patrol")]
    metres = streets["metres"].to_numpy()
    told = re.search(r"轨迹：走过排定里程的 (\d+)%（([\d.]+) / ([\d.]+) 公里），另走 ([\d.]+) 公里", said)
    assert told and float(told[3]) == pytest.approx(metres.sum() / 1000, abs=0.06)
    assert float(told[2]) == pytest.approx(metres[:WALKED].sum() / 1000, rel=0.1, abs=0.06)
    assert int(told[1]) == pytest.approx(100 * float(told[2]) / float(told[3]), abs=2)


def give_reasons(page: Any, crew: str, *, all_of_them: bool) -> None:
    """Say of a missed street of a crew, or of all of them, that it was under water."""
    here = f"section:has(#crew-{crew})"
    page.click(f"{here} summary")
    page.locator(f"{here} input[name=stop]").last.check()
    if all_of_them:
        page.check(f"{here} input[name=all]")
    page.select_option(f"#reason-{crew}", "flooded")
    page.fill(f"#note-{crew}", "积水")
    whole(page)
    page.click(f"{here} form button[type=submit]")
    page.wait_for_url(f"**/after?crew={crew}#crew-{crew}")
    assert page.locator(f"{here} details[open]").count() == (not all_of_them), "there is more to be said"
    assert ("待说明" in page.inner_text(here)) != all_of_them


def test_after_the_shift_tracks_tell_what_was_walked_and_what_was_missed_is_asked_for(
    site: DeskSite, walked: list[dict[str, Any]]
) -> None:
    site.turn("00:30")
    store, desk, phone, night = site.town.store, site.desk, site.phone, site.town.night
    mine = site.town.own_route()
    section, missed = f"section:has(#crew-{mine.crew})", len(mine.route) - WALKED
    desk.goto(f"{site.town.url}{site.path}/after")
    assert f"{WALKED} / {len(mine.route)} 段" in desk.inner_text(section)
    assert f"没有巡的 {missed} 段，{missed - 1} 段待说明" in desk.inner_text(section)
    whole(desk)
    desk.click("button:has-text('用轨迹核对')")
    desk.wait_for_selector("text=正在核对轨迹")
    [asked] = jobs(store, kinds=("night-tracks",))
    assert work(site.town.store_url, asked.id) == "done"
    desk.reload()
    told_by_tracks(site, desk.inner_text(section))
    whole(desk)

    phone.goto(f"{site.town.url}{site.path}/after")
    small = min(site.routes().items(), key=lambda one: len(one[1]))[0]
    give_reasons(phone, mine.crew, all_of_them=False)
    give_reasons(phone, small, all_of_them=True)
    reasons = missed_reasons(store, night.id)
    assert {duty for crew, duty in reasons if crew == small} == {duty for duty, _ in site.routes()[small]}
    assert set(reasons.values()) == {"flooded 积水"} and "：积水" in phone.locator(section).text_content()
    whole(phone)
    closed_and_taken_back(site, next(key for key in reasons if key[0] == mine.crew), len(site.routes()[small]))


def closed_and_taken_back(site: DeskSite, given: tuple[str, str], later: int) -> None:
    """Close the night on the desk and take that back, and a reason that was given before ``later`` others."""
    store, desk, night, known = site.town.store, site.desk, site.town.night, site.changes()
    desk.click("button:has-text('收班')")
    desk.wait_for_selector("button:has-text('重新打开这一班')")
    site.open(desk)
    assert night_of(store, night.id).state == "closed" and "已收班" in desk.inner_text("main")
    assert desk.locator("#edit form, #crews form").count() == 0, "nothing is changed any more"
    whole(desk)
    take_back(desk, site.changes()[-1:], len(known) + 1)
    assert night_of(store, night.id).state == "open"
    take_back(desk, [known[-1 - later]], len(known) + 2)
    assert given not in missed_reasons(store, night.id)
