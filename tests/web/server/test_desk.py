"""The supervisor's desk without scripts, on both databases: every journey by forms alone."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from apiflask import APIFlask
from sqlalchemy import func, select

from layers.accounts import Account, account
from layers.audit import Entry, entries
from layers.casebook import report
from layers.desk_mark import desk_mark
from layers.night_records import PatrolNight
from layers.nights import changes_since, missed_reasons, night, routes
from layers.phone import keep_events
from layers.referrals import confirm_referral, refer
from layers.run import Run
from layers.schema import AUDIT_ENTRY
from layers.scope import Scope
from layers.store import Store
from tests.web.server.conftest import SECRET
from tests.web.server.night_world import DISTRICT, EVENING, OTHER, ahead, at, directed, plan
from tests.web.server.staff import Browser, add, alert, signed_in, store_of, turn_clocks
from tests.web.server.staff_world import send, take
from web.server.app import create_app
from web.server.settings import Settings


@dataclass(frozen=True)
class World:
    """A served town with a night of one district open."""

    app: APIFlask
    night: PatrolNight
    chief: Account
    deputy: Account
    worker: Account

    @property
    def store(self) -> Store:
        return store_of(self.app).within(Scope.of(DISTRICT))

    def path(self, more: str = "") -> str:
        return f"/staff/nights/{self.night.id}{more}"

    def worker_name(self, store: Store) -> str:
        return account(store, self.worker.id).name

    def crews(self) -> dict[str, int]:
        """Return how many streets each crew has."""
        return {one.crew: len(one.route) for one in routes(self.store, self.night.id)}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    town: Path = request.getfixturevalue("town_file")
    url = f"sqlite:///{tmp_path_factory.mktemp('desk') / 'town.sqlite'}"
    if request.param == "sqlite":
        shutil.copy(town, url.removeprefix("sqlite:///"))
    else:
        url = request.getfixturevalue("postgis_server").new_database(request, request.getfixturevalue("town_database"))
    app = create_app(Settings(url, SECRET, secure=False), testing=True)
    of = directed(app, plan(town))
    with pytest.MonkeyPatch.context() as patch:
        turn_clocks(patch, ahead("19:30"))
        browser = signed_in(app, of.chief)
        while "Refresh" in browser.get(f"/staff/nights/{of.night.id}").headers:
            pass  # the night is read once, for all tests
        yield World(app, of.night, of.chief, of.deputy, of.worker)
    store_of(app).close()


def rows(page: Any) -> dict[str, tuple[int, int]]:
    """Return crew -> (minutes now, minutes after) of a change that is tried."""
    found = re.findall(r'<th scope="row"><span[^>]*>(\w+)</span>.*?</th><td>(\d+)</td><td><b>(\d+)</b>', page.text)
    return {crew: (int(before), int(after)) for crew, before, after in found}


def minutes(page: Any) -> dict[str, int]:
    """Return crew -> minutes as the list of crews shows them."""
    found = re.findall(r'data-crew="(\w+)".*?<p class="desk-figures"><span>[^<]*<b>(\d+)</b>', page.text, re.S)
    return {crew: int(count) for crew, count in found}


def confirm(browser: Browser, page: Any, path: str) -> Any:
    """Press the button under a change that is tried."""
    form = re.search(r'<div class="desk-trial".*?</form>', page.text, re.S)
    assert form, page.text
    return browser.post(path, **dict(re.findall(r'name="(?!csrf)(\w+)" value="([^"]*)"', form[0])))


def alike(world: World) -> tuple[str, str]:
    """Return two crews that go the same way, so that each can walk the other's route."""
    crews = plan_of(world)
    return next((a, b) for a, b in combinations(world.crews(), 2) if crews[a] == crews[b] == "walk")


def plan_of(world: World) -> dict[str, str]:
    table = world.store.run(world.night.run_id).tables["crews"]
    return dict(zip(table["crew"], table["mode"], strict=True))


def first_stop(page: Any) -> tuple[str, str]:
    """Return key and crew of the first street found that can be given away."""
    found = re.search(r'name="stop" value="([^"]+)" required>\s*<span>.*?<small>(?:\d+ 米 · )?(C\d+)', page.text, re.S)
    assert found, page.text
    return found[1], found[2]


def test_a_street_is_given_to_somebody_else_shown_first_and_taken_back(world: World) -> None:
    browser = signed_in(world.app, world.chief)
    before, plans = world.crews(), {one.crew: one.route for one in routes(world.store, world.night.id)}
    page = browser.get(world.path(f"?street={next(iter(before))}"))
    assert page.status_code == 200 and f"{len(before)} 组出巡" in page.text
    listed = minutes(page)
    assert set(listed) == set(before)
    stop, giver = first_stop(page)
    taker = next(crew for crew in before if crew != giver)
    tried = browser.post(world.path("/give"), stop=stop, to=taker)
    found = rows(tried)
    assert {crew: pair[0] for crew, pair in found.items()} == {crew: listed[crew] for crew in (giver, taker)}
    assert world.crews() == before, "nothing is changed by trying"
    assert confirm(browser, tried, world.path("/save")).status_code == 303
    assert world.crews() == {**before, giver: before[giver] - 1, taker: before[taker] + 1}
    page = browser.get(world.path())
    assert {crew: minutes(page)[crew] for crew in found} == {crew: pair[1] for crew, pair in found.items()}
    assert "移动街段" in page.text and world.chief.name in page.text
    number = changes_since(world.store, world.night.id, 0)[-1].number
    assert browser.post(world.path("/take-back"), number=number).status_code == 303
    assert {one.crew: one.route for one in routes(world.store, world.night.id)} == plans
    assert "已撤销" in browser.get(world.path()).text
    assert browser.post(world.path("/give"), stop="nothing", to=taker).status_code == 422


def test_of_two_who_change_the_same_routes_the_second_is_told_who_did_what(world: World) -> None:
    first, second = signed_in(world.app, world.chief), signed_in(world.app, world.deputy)
    a, b = alike(world)
    theirs = second.post(world.path("/swap"), a=a, b=b)
    assert rows(theirs).keys() == {a, b}
    since = night(world.store, world.night.id).version
    page = first.get(world.path(f"?street={a}"))
    stop, giver = first_stop(page)
    mine = first.post(world.path("/give"), stop=stop, to=b if giver == a else a)
    assert confirm(first, mine, world.path("/save")).status_code == 303
    after = world.crews()
    late = confirm(second, theirs, world.path("/save"))
    assert late.status_code == 409 and world.crews() == after, "the first one's change is not lost"
    assert world.chief.name in late.text and "移动街段" in late.text
    assert rows(late).keys() == {a, b}, "what was wanted is still there, on the routes as they are now"
    assert confirm(second, late, world.path("/save")).status_code in (303, 409)
    told = signed_in(world.app, world.deputy).get(world.path(f"/live?since={since}&mark=")).json
    assert any(world.chief.name in line for line in told["news"])
    assert not any(world.deputy.name in line for line in told["news"]), "nobody is told what they did themselves"
    again = first.get(world.path(f"/live?since={told['version']}&mark={told['mark']}")).json
    assert again["mark"] == told["mark"] and "parts" not in again


def test_who_falls_ill_leaves_streets_that_the_others_take_over_and_a_locked_route_stays(world: World) -> None:
    browser = signed_in(world.app, world.chief)
    browser.get(world.path())
    kept, gone = alike(world)
    version = night(world.store, world.night.id).version
    assert browser.post(world.path("/save"), action="lock", crew=kept, version=version).status_code == 303
    locked = {one.crew: one.route for one in routes(world.store, world.night.id)}[kept]
    tried = browser.post(world.path("/ill"), crew=gone)
    assert "无人接手" in tried.text and rows(tried)[gone][1] == 0
    assert confirm(browser, tried, world.path("/save")).status_code == 303
    assert world.crews()[gone] == 0 and "病假" in browser.get(world.path()).text
    shared = browser.post(world.path("/share-out"))
    assert shared.status_code == 200 and kept not in rows(shared) and gone not in rows(shared)
    if rows(shared):
        assert confirm(browser, shared, world.path("/save")).status_code in (303, 409)
    assert {one.crew: one.route for one in routes(world.store, world.night.id)}[kept] == locked


def test_a_report_has_the_nearest_crew_and_point_and_is_sent_somebody_or_merged(world: World) -> None:
    browser = signed_in(world.app, world.chief)
    area = world.worker.area_code
    older, newer = (send(world.app, area, needs=("medical",)) for _ in range(2))
    page = browser.get(world.path("?at=21:00"))
    row = re.search(rf'id="report-{newer}".*?</li>', page.text, re.S)
    assert row and "紧急" in row[0] and "步行约" in row[0] and "急病先打 120" in row[0]
    assert f'name="original" value="{older}"' in row[0], "the two may be the same person"
    version = report(world.store, newer, by=world.chief).version
    merged = browser.post(world.path(f"/reports/{newer}/merge"), version=version, original=older)
    assert merged.status_code == 303 and report(world.store, newer, by=world.chief).duplicate_of == older
    sent = re.search(rf'id="report-{older}".*?<option value="(\d+)">', page.text, re.S)
    assert sent and int(sent[1]) == world.worker.id, "whoever is out comes before who is not"
    version = report(world.store, older, by=world.chief).version
    done = browser.post(world.path(f"/reports/{older}/dispatch"), version=version, assignee=world.worker.id)
    assert done.status_code == 303 and report(world.store, older, by=world.chief).assigned_to == world.worker.id
    stale = browser.post(world.path(f"/reports/{older}/dispatch"), version=version, assignee=world.worker.id)
    assert stale.status_code == 409 and alert(stale)
    with store_of(world.app).transaction() as connection:
        read = select(func.count()).where(AUDIT_ENTRY.c.action == "read_places")
        assert connection.scalar(read) >= 1, "that places were read is written down"


def test_a_report_that_was_merged_or_given_away_says_so_and_is_taken_back(world: World) -> None:
    browser, area = signed_in(world.app, world.chief), world.worker.area_code
    older, newer = (send(world.app, area, needs=("lost",)) for _ in range(2))
    steps = (("merge", newer, {"original": older}, f"报告 {newer} 已并入报告 {older}。", "duplicate"),
             ("dispatch", older, {"assignee": world.worker.id}, f"报告 {older} 已派给", "assigned"))  # fmt: skip
    for step, number, given, words, state in steps:
        version = report(world.store, number, by=world.chief).version
        page = browser.get(browser.post(world.path(f"/reports/{number}/{step}"), version=version, **given).location)
        assert words in page.text and report(world.store, number, by=world.chief).state == state
        back = world.path(f"/reports/{number}/take-back")
        assert browser.post(back, version=version).status_code == 409, "a page that has not seen it takes nothing back"
        page = browser.get(browser.post(back, version=version + 1).location)
        assert f"报告 {number} 现在是“已核实”" in page.text and back not in page.text
    elsewhere = send(world.app, OTHER)
    assert f"报告 {elsewhere} " not in browser.get(world.path(f"?moved={elsewhere}")).text


def test_a_referral_is_shown_with_its_report_until_when_and_who_received_it(world: World) -> None:
    browser, store = signed_in(world.app, world.chief), world.store
    number = send(world.app, world.worker.area_code, needs=("medical",))
    take(store, number, "verified", world.chief)
    made = refer(store, number, receiver="hospital", place="市一院", by=world.chief, now=at("19:00"))
    mark = desk_mark(store, world.night.id, by=world.chief)

    def row() -> str:
        found = re.search(rf'id="report-{number}".*?</dl>', browser.get(world.path()).text, re.S)
        assert found
        return re.sub(r"<[^>]+>|\s+", " ", found[0])

    assert f"医院 · 市一院 期限 {EVENING} 21:00" in re.sub(r" +", " ", row()) and "超时" not in row()
    with pytest.MonkeyPatch.context() as patch:
        turn_clocks(patch, ahead("21:01"))
        browser = signed_in(world.app, world.chief)
        assert "超时" in row()
        confirm_referral(store, made.id, by=world.chief, now=at("21:02"), received_by="王护士")
        assert f"已确认 {EVENING} 21:02 王护士" in re.sub(r" +", " ", row()) and "超时" not in row()
    assert desk_mark(store, world.night.id, by=world.chief) != mark, "an open desk shows it by itself"


def test_that_somebody_looked_at_a_night_is_written_down_once_an_hour(world: World) -> None:
    reader = add(world.app, "wu", "supervisor", DISTRICT)
    store, night = store_of(world.app), f"night:{world.night.id}"

    def looked() -> list[Entry]:
        browser = signed_in(world.app, reader)
        for more in ("", "/live", "/marks", "/board.json", "/changes.json", "/after"):
            assert browser.get(world.path(more)).status_code == 200
        return entries(store, action="read_night", account_id=reader.id)

    assert [(one.object, one.area_code) for one in looked()] == [(night, DISTRICT)]
    world.app.extensions["lamplight.desk_readers"].clear()  # another process serves the next request
    assert len(looked()) == 1
    with pytest.MonkeyPatch.context() as patch:
        turn_clocks(patch, ahead("21:30"))
        assert len(looked()) == 2
    stranger = signed_in(world.app, add(world.app, "zheng", "supervisor", "990199000000"))
    for more in ("", "/changes.json"):
        assert stranger.get(world.path(more)).status_code == 404
    assert {one.account_id for one in entries(store, object=night, action="read_night")} >= {reader.id, world.chief.id}


def test_after_the_shift_what_was_ticked_counts_and_what_was_missed_has_a_reason(world: World) -> None:
    store = store_of(world.app)
    mine = next(one for one in routes(store, world.night.id) if one.persons == world.worker_name(store))
    ticks = [
        {"number": i, "at": at("21:00").timestamp() * 1000, "kind": "tick", "night": world.night.id, "crew": mine.crew,
         "duty": duty, "side": side, "how": "hand"}
        for i, (duty, side) in enumerate(mine.route[:3], 1)
    ]  # fmt: skip
    worker = account(store, world.worker.id)
    keep_events(store.within(Scope.of(worker.area_code)), ticks, by=worker, device="phone-of-lin", now=at("21:01"))
    browser = signed_in(world.app, world.chief)
    page = browser.get(world.path("/after"))
    assert f"3 / {len(mine.route)} 段" in page.text and f"{len(mine.route) - 3} 段待说明" in page.text
    missed = mine.route[3]
    key = "|".join(missed) if missed[1] else missed[0]
    given = {"crew": mine.crew, "stop": key, "reason": "gate", "note": "小区西门"}
    assert browser.post(world.path("/reasons"), **{**given, "reason": ""}).status_code == 422
    assert browser.post(world.path("/reasons"), **given).status_code == 303
    assert missed_reasons(world.store, world.night.id)[mine.crew, missed[0]] == "gate 小区西门"
    assert "大门锁闭：小区西门" in browser.get(world.path("/after")).text
    week = browser.get(f"/staff/week?until={EVENING}")
    assert week.status_code == 200 and "七天内应巡" in week.text
    assert re.search(r"已巡 [1-3]，", week.text)
    assert browser.get(f"/staff/week?until={EVENING}&show=missed&street=路").status_code == 200
    assert browser.post(world.path("/close"), action="close").status_code == 303
    assert "已收班" in browser.get(world.path()).text
    assert browser.post(world.path("/close"), action="reopen").status_code == 303


def test_that_somebody_read_what_tracks_tell_of_a_crew_is_written_down(world: World) -> None:
    store, crew = store_of(world.app), next(iter(world.crews()))
    figures = {"walked_share": 0.37, "walked_m": 370.0, "planned_m": 1000.0, "unplanned_m": 40.0, "persons": "甲"}
    told = pd.DataFrame([{"date": str(EVENING), "crew": crew, **figures}])
    store.save_run(Run("tracks", {"night": world.night.id, "date": str(EVENING)}, {}, {"done": told}))
    assert "37" in signed_in(world.app, world.chief).get(world.path("/after")).text
    [read] = entries(store, action="read_tracks")
    assert (read.account_id, read.object, read.area_code) == (world.chief.id, f"night:{world.night.id}", DISTRICT)


def test_a_night_of_another_area_does_not_exist_and_a_plan_of_it_offers_nothing(world: World) -> None:
    stranger = signed_in(world.app, add(world.app, "sun", "supervisor", "990199000000"))
    assert stranger.get(world.path()).status_code == 404
    assert stranger.get(f"/staff/tonight?date={EVENING}").status_code == 200
    other = signed_in(world.app, add(world.app, "zhou", "supervisor", OTHER))
    page = other.get(f"/staff/tonight?date={EVENING}")
    run = re.search(r'name="run" value="(\w+)"', page.text)
    assert run, "the same plan has crews of that district too"
    opened = other.post("/staff/tonight/open", run=run[1], date=EVENING.isoformat())
    assert opened.status_code == 303
    desk = other.get(opened.location)
    assert not set(minutes(desk)) & set(world.crews()), "each district sees its own crews"


def test_tonight_leads_to_the_night_of_the_date_or_says_how_to_make_one(world: World) -> None:
    browser = signed_in(world.app, world.chief)
    assert browser.get("/staff/tonight").location.endswith(world.path())
    empty = browser.get("/staff/tonight?date=2026-04-02")
    assert empty.status_code == 200 and "还没有班次" in empty.text
    asked = browser.post("/staff/tonight/plan", date="2026-04-02", seconds=10)
    assert asked.status_code == 303
    page = browser.get(asked.location)
    assert "排队中" in page.text and page.headers["Refresh"]
    assert browser.post("/staff/tonight/open", run="nothing", date="2026-04-02").status_code == 422
