"""The grid worker's phone in Chromium: a night walked with the server stopped, the browser closed and opened again."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from layers.accounts import NewAccount, create_account
from layers.nights import change, night
from layers.phone import done_by_ticks, night_points
from layers.schema import INCOMING_REPORT, PHONE_EVENT, PHOTO
from layers.store import Store
from tests.web.server.chromium import PHONE, WEBGL, chromium, until, violations
from tests.web.server.conftest import SECRET
from tests.web.server.phone_night import DWELL_S, FROM, UNTIL, Clock, PhoneNight, clock, make_night
from tests.web.server.staff import CHEAP, PASSWORD
from tests.web.server.test_report_in_browser import Server
from tests.web.server.test_report_pages import picture
from web.server.app import create_app
from web.server.passwords import new_uniquifier
from web.server.settings import Settings

__all__ = ["clock"]
LATE = FROM + timedelta(minutes=30)
#: Whether the page has made what it makes of the phone being at a place.
HERE = """place => (document.getElementById('phone-map').dataset.here ?? '0,0').split(',')
    .every((degrees, axis) => Math.abs(degrees - place[axis]) < 1e-9)"""
SECOND = timedelta(seconds=1)


@dataclass
class Site:
    """A served town with a night, and the phone of its worker: pages that share one browser profile."""

    server: Server
    store: Store
    night: PhoneNight
    clock: Clock
    open_profile: Callable[[], Any]
    faults: list[str]
    context: Any = None
    page: Any = None

    def open_browser(self) -> Any:
        """Open the browser on the profile."""
        self.context = self.open_profile()
        page = self.page = self.context.pages[0] if self.context.pages else self.context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("console", lambda said: self.faults.append(said.text) if "Content Security" in said.text else None)
        allowed = (self.server.url, "blob:", "data:")
        self.context.on("request", lambda r: None if r.url.startswith(allowed) else self.faults.append(r.url))
        page.clock.set_fixed_time(self.clock.now)
        return page

    def close_browser(self) -> None:
        self.context.close()

    def sign_in(self) -> None:
        self.enter("phone-worker")
        self.ready()

    def enter(self, username: str) -> None:
        self.page.goto(f"{self.server.url}/sign-in?next=/phone")
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main form button[type=submit]")
        self.page.wait_for_url(f"{self.server.url}/phone")

    def ready(self) -> None:
        self.page.wait_for_selector("#work:not([hidden])")
        self.page.wait_for_selector("#phone-map[data-ready]")

    def sent(self) -> None:
        """Press the button that sends, and wait until nothing waits any more."""
        self.page.evaluate("document.body.dataset.sent = ''; document.getElementById('send').click()")
        until(self.page, "document.body.dataset.sent === 'done'")

    def at(self, moment: datetime) -> None:
        self.clock.at(moment, self.page)

    def go(self, place: np.ndarray) -> None:
        """Stand somewhere, as the phone's receiver tells it."""
        self.context.set_geolocation({"longitude": float(place[0]), "latitude": float(place[1]), "accuracy": 6})
        self.page.wait_for_timeout(60)

    def walk(self, street: np.ndarray, every_m: float = 12.0) -> None:
        """Walk a street from end to end at five kilometres an hour."""
        metres = np.hypot(*(np.diff(street, axis=0) * [np.cos(np.radians(street[0, 1])), 1]).T) * 111_320
        along = np.r_[0, np.cumsum(metres)]
        for m in np.r_[np.arange(0, along[-1], every_m), along[-1]]:
            self.at(self.clock.now + 8 * SECOND)
            place = [float(np.interp(m, along, street[:, axis])) for axis in (0, 1)]
            self.go(np.array(place))
            until(self.page, HERE, arg=place)

    def held(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(f"phoneOutbox.held({self.night.worker.id})")
        return found

    def rows(self, table: Any = PHONE_EVENT) -> list[Any]:
        with self.store.transaction() as connection:
            return list(connection.execute(select(table).order_by(table.c.id)).all())


def served(url: str, playwright: Any, clock: Clock, folder: Path) -> Iterator[Site]:
    store = Store(url)
    made = make_night(store)
    app = create_app(Settings(url, SECRET, secure=False, demo=True))
    server = Server(app)

    def open_profile() -> Any:
        return playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=chromium(), args=WEBGL, locale="zh-CN",
            viewport={"width": PHONE[0], "height": PHONE[1]}, permissions=["geolocation"],
        )  # fmt: skip

    site = Site(server, store, made, clock, open_profile, [])
    try:
        site.open_browser()
        yield site
        site.close_browser()
        assert site.faults == []
    finally:
        server.stop()
        store.close()
        app.extensions["lamplight.store"].close()


@pytest.fixture
def site(town_url: str, playwright: Any, clock: Clock, tmp_path: Path) -> Iterator[Site]:
    """On each database."""
    yield from served(town_url, playwright, clock, tmp_path)


@pytest.fixture
def small_site(town_file: Path, playwright: Any, clock: Clock, tmp_path: Path) -> Iterator[Site]:
    """On SQLite, for what does not depend on the database."""
    shutil.copy(town_file, tmp_path / "town.sqlite")
    yield from served(f"sqlite:///{tmp_path / 'town.sqlite'}", playwright, clock, tmp_path)


def name_of(site: Site) -> str:
    return str(site.page.inner_text("#next-name"))


def report(site: Site, need: str, outcome: str, note: str = "", photo: bytes = b"") -> None:
    page = site.page
    page.click("#found")
    page.click(f"[data-needs={need}]")
    page.click(f"[data-outcome={outcome}]")
    if note:
        page.fill("#note", note)
    if photo:
        page.set_input_files("#photo", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.click("#report-send")
    page.wait_for_selector("#notice-said:text('报告已保存')")


def test_a_night_walked_without_a_server_arrives_once_and_in_order(site: Site) -> None:
    site.at(LATE)
    site.sign_in()
    page, streets = site.page, site.night.streets
    until(page, "navigator.serviceWorker.controller !== null")
    until(page, "document.getElementById('recording').dataset.state === 'on'")
    site.server.stop()

    site.walk(streets[0])
    page.wait_for_selector("#notice-said:text('已走过')")
    site.walk(streets[1])
    page.wait_for_selector("#next-name:text('桥洞')")
    page.click("#done")  # the check begins
    page.wait_for_selector("#done:text('停留中')")
    site.at(site.clock.now + DWELL_S * SECOND)
    page.wait_for_selector("#notice-said:text('检查完成')")
    assert violations(page) == []
    page.click("#done")  # one side of the third street, by hand
    page.wait_for_selector("#notice-said:text('已记为走完')")
    page.click("#undo")
    page.wait_for_selector("#notice-said:text('已撤回')")
    report(site, "night_shelter", "guided", "长椅上，灰色外套", picture(900).getvalue())
    page.click("#done")
    page.wait_for_selector("#notice-said:text('已记为走完')")
    page.click("#done")  # the other side
    page.click("#cannot")
    page.click("[data-reason=gate]")
    page.wait_for_selector("#next-name:text('全部走完')")
    until(page, f"phoneOutbox.held({site.night.worker.id}).then((held) => held.ticks === 8)")
    assert site.rows() == [] and "待发" in page.inner_text("#unsent")
    before = site.held()
    site.close_browser()

    page = site.open_browser()  # the server is still away
    page.goto(f"{site.server.url}/phone")
    site.ready()
    assert name_of(site) == "全部走完" and site.held() == before and before["reports"] == 1 and before["points"] > 15
    site.server.start()
    site.context.clear_cookies(
        name="lamplight"
    )  # the session ended with the browser: what is kept waits for the account
    page.goto(f"{site.server.url}/phone")
    assert "/sign-in" in page.url
    site.sign_in()
    site.sent()
    assert site.held() == {"ticks": 0, "reports": 0, "points": 0, "refused": [], "others": 0}
    site.server.stop()
    page.reload()
    site.ready()
    assert name_of(site) == "全部走完", "what was sent stays known without a network"
    site.server.start()
    page.reload()
    site.ready()
    site.sent()
    assert name_of(site) == "全部走完"

    events = site.rows()
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert len({event.device for event in events}) == 1 and {event.account_id for event in events} == {
        site.night.worker.id
    }
    order = [event.kind for event in events if event.kind != "track"]
    assert order == ["tick", "tick", "check", "tick", "tick", "report", "tick", "tick", "reason"]
    assert [event.at for event in events] == sorted(event.at for event in events)
    points = night_points(site.store, site.night.night_id)
    assert points["time"].is_monotonic_increasing and len(points) == before["points"]
    ends = points[["lon", "lat"]].to_numpy()[[0, -1]]
    np.testing.assert_allclose(ends, [streets[0][0], streets[1][-1]], atol=2e-6)
    said = {(one.duty, one.side): one for one in done_by_ticks(site.store, site.night.night_id)}
    third = next(duty for duty in site.night.duties if site.night.duties.count(duty) == 2)
    assert {key: (one.state, one.how) for key, one in said.items()} == {
        (site.night.duties[0], ""): ("done", "gps"), (site.night.duties[1], ""): ("done", "gps"),
        ("P1", ""): ("done", "hand"), (third, "left"): ("done", "hand"), (third, "right"): ("done", "hand"),
        (site.night.duties[-1], ""): ("cannot", "hand"),
    }  # fmt: skip
    assert said["P1", ""].dwell_s == DWELL_S and said[site.night.duties[-1], ""].reason == "gate"
    [found] = site.rows(INCOMING_REPORT)
    assert (found.channel, found.state, found.outcome, found.note) == ("patrol", "helped", "guided", "长椅上，灰色外套")
    assert len(site.rows(PHOTO)) == 1


def test_nothing_is_recorded_outside_the_hours_on_duty(small_site: Site) -> None:
    site = small_site
    site.at(FROM - 10 * SECOND)
    site.go(site.night.streets[0][0])
    site.sign_in()
    page = site.page

    def recorded(moment: datetime, state: str) -> int:
        site.at(moment)
        until(page, f"document.getElementById('recording').dataset.state === '{state}'")
        before, street = came(), site.night.streets[0]
        for part in np.linspace(0.05, 0.95, 5 if state == "off" else 60):
            place = street[0] + part * (street[-1] - street[0])
            site.go(place)
            if state == "on" and part > 0.2 and page.evaluate(HERE, list(map(float, place))):
                break
        page.wait_for_timeout(300)
        return came() - before

    def came() -> int:
        """Count the points the phone recorded, those the server dropped too."""
        site.sent()
        tracks = [json.loads(row.content) for row in site.rows() if row.kind == "track"]
        return sum(len(track["points"]) + track["dropped"] for track in tracks)

    assert recorded(FROM - SECOND, "off") == 0 and "20:00 起" in page.inner_text("#recording")
    assert recorded(FROM + SECOND, "on") > 0 and "24:00" in page.inner_text("#recording")
    page.click("#open-more")
    assert "保留 90 天" in page.inner_text("#keeping") and "2027-02-19" in page.inner_text("#keeping")
    page.click("#stop")
    page.click("#more [data-close]")
    assert recorded(FROM + 20 * SECOND, "off") == 0 and "停止" in page.inner_text("#recording")
    page.reload()
    site.ready()
    assert recorded(FROM + 30 * SECOND, "off") == 0, "stopped is stopped, whatever is reloaded"
    page.evaluate("document.getElementById('stop').click()")
    assert recorded(UNTIL - 20 * SECOND, "on") > 0
    assert recorded(UNTIL + SECOND, "off") == 0 and "已下班" in page.inner_text("#recording")
    times = night_points(site.store, site.night.night_id)["time"]
    assert times.min() >= FROM.replace(tzinfo=None) and times.max() <= UNTIL.replace(tzinfo=None)


def test_an_answer_that_was_lost_doubles_nothing_and_a_refusal_holds_nobody_up(small_site: Site) -> None:
    site = small_site
    site.at(LATE)
    site.sign_in()
    page, lost = site.page, []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)  # the server has it
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route("**/phone/events", lose)
    page.click("#done")
    until(page, "document.body.dataset.sent === 'later'")
    assert lost == [200] and site.held()["ticks"] == 1 and len(site.rows()) == 1
    page.evaluate(
        "([account, night]) => phoneOutbox.add(account, [{at: Date.now(), kind: 'tick', night: night + 7, crew: 'C01',"
        " duty: 'S1', side: '', how: 'hand'}])", [site.night.worker.id, site.night.night_id],
    )  # fmt: skip
    page.click("#cannot")
    page.click("[data-reason=flooded]")
    site.sent()
    assert [row.kind for row in site.rows()] == ["tick", "rejected", "reason"]
    page.click("#open-more")
    assert "不存在" in page.inner_text("#refused-list") and "未收 1" in page.inner_text("#unsent")
    assert violations(page) == []
    for _ in range(2):
        page.click("#refused-list button:has-text('删除')")
    page.wait_for_selector("#refused", state="hidden")


def test_a_route_that_was_changed_meanwhile_and_another_account_on_the_same_phone(small_site: Site) -> None:
    site = small_site
    site.at(LATE)
    site.sign_in()
    page, night_id = site.page, site.night.night_id
    kept = [[duty, ""] for duty in (site.night.duties[1], "P1")]
    version = night(site.store, night_id).version
    change(site.store, night_id, version, "move", {"C01": {"route": kept}}, by=site.night.boss, now=site.clock())
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_selector("#notice-said:text('督导员改了路线')")
    assert page.inner_text("#progress-said") == "0 / 2 段" and name_of(site)
    site.server.stop()
    page.click("#done")
    until(page, f"phoneOutbox.held({site.night.worker.id}).then((held) => held.ticks === 1)")
    site.server.start()
    site.context.clear_cookies()
    site.context.set_offline(False)
    page.evaluate("document.getElementById('send').click()")
    page.wait_for_selector("#sign-in:not([hidden])")
    assert "同一账号" in page.text_content("#send-state") and site.rows() == []

    new = NewAccount("colleague", "旁人", "grid_worker", site.night.worker.area_code, CHEAP, new_uniquifier())
    create_account(site.store, new, by=None, now=site.clock())
    site.enter("colleague")
    page.wait_for_selector("#none:not([hidden])")
    until(page, "document.getElementById('held').textContent.includes('另一个账号的记录 1 条')")
    site.sent()
    assert site.rows() == [], "what one account did is not sent as another's"
    site.context.clear_cookies(name="lamplight")
    site.sign_in()
    site.sent()
    [row] = site.rows()
    assert (row.account_id, row.kind) == (site.night.worker.id, "tick")


def test_one_workers_route_is_not_shown_to_the_next_who_has_the_phone(small_site: Site) -> None:
    site, mine = small_site, small_site.night.worker.id
    site.at(LATE)
    site.sign_in()
    page = site.page
    until(page, "navigator.serviceWorker.controller !== null")
    site.context.route("**/phone/tonight.json*", lambda route: route.abort())
    page.evaluate(
        """async (mine) => {
            const { pack } = await phoneOutbox.recall(`pack:${mine}`);
            await phoneOutbox.remember("me", { account: mine + 1, person: "别人", offset: 0 });
            await phoneOutbox.remember(`pack:${mine + 1}`, { pack });
        }""", mine,
    )  # fmt: skip
    page.goto(f"{site.server.url}/phone")
    page.wait_for_selector("#none:not([hidden])")
    assert "别人" not in page.inner_text("body"), "the server gave this page to somebody else"

    site.context.unroute("**/phone/tonight.json*")
    page.goto(f"{site.server.url}/phone")
    site.ready()
    other = site.context.new_page()
    other.goto(f"{site.server.url}/staff")
    other.evaluate("document.querySelector('form[action$=\"/sign-in/out\"]').requestSubmit()")
    other.wait_for_url(f"{site.server.url}/")
    page.evaluate("document.getElementById('again').click()")
    page.wait_for_selector("#none:not([hidden])")
    assert page.get_attribute("#recording", "data-state") == "off", "whoever signed out is not followed any more"
    site.server.stop()
    page.goto(f"{site.server.url}/phone")
    page.wait_for_selector("#none:not([hidden])")
    assert site.night.worker.name not in page.inner_text("body")
    assert page.evaluate(f"phoneOutbox.recall('pack:{mine}').then((kept) => kept === undefined)")


def test_the_page_says_plainly_that_there_is_no_route(small_site: Site) -> None:
    site = small_site
    site.at(FROM - timedelta(days=3))
    page = site.page
    site.enter("phone-worker")
    page.wait_for_selector("#none:not([hidden])")
    until(page, "document.getElementById('none-said').textContent.includes('林灯')")
    assert violations(page) == []


def test_streets_are_ticked_by_walking_along_them_and_by_nothing_else(small_site: Site) -> None:
    """A walker with five metres of noise in a town of square blocks: what is ticked is what was walked, in order."""
    site, rng, wrong = small_site, np.random.default_rng(3), []
    site.page.goto(f"{site.server.url}/phone/shell/zh")
    block, metre = 100.0, np.array([1 / (111_320 * np.cos(np.radians(32))), 1 / 111_320])
    junctions = [(i, j) for i in range(4) for j in range(4)]
    streets = [(a, b) for a in junctions for b in ((a[0] + 1, a[1]), (a[0], a[1] + 1)) if b in junctions]

    def place(x: float, y: float) -> list[float]:
        return [118.7 + float(x * metre[0]), 32.0 + float(y * metre[1])]

    open_streets = [
        {"key": f"{a}{b}", "duty": f"{a}{b}", "line": [place(*np.multiply(a, block)), place(*np.multiply(b, block))]}
        for a, b in streets
    ]
    for _ in range(25):
        at, walked, fixes, moment = junctions[rng.integers(16)], [], [], 0.0
        for _ in range(4):
            ahead = [s for s in streets if at in s and f"{s[0]}{s[1]}" not in walked]
            if not ahead:
                break
            a, b = ahead[rng.integers(len(ahead))]
            to = b if at == a else a
            for part in np.arange(0.0, 1.0, 0.08):
                spot = np.multiply(at, block) * (1 - part) + np.multiply(to, block) * part + rng.normal(0, 5, 2)
                fixes.append({"place": place(*spot), "error": 8, "at": moment})
                moment += 6000
            walked.append(f"{a}{b}")
            at = to
        # on to the middle of the last junction, and a few steps past it
        fixes += [{"place": place(*(np.multiply(at, block) + rng.normal(0, 3, 2))), "error": 8, "at": moment + 6000}]
        ticked = site.page.evaluate(
            """async ([open, fixes]) => {
                const { walker } = await import("/static/phone_passing.js");
                const [feed, done] = [walker(), []];
                for (const fix of fixes) {
                    const left = open.filter(({ key }) => !done.includes(key));
                    done.push(...feed(fix, left).map(({ key }) => key));
                }
                return done;
            }""", [open_streets, fixes],
        )  # fmt: skip
        if ticked != walked:
            wrong.append((walked, ticked))
    assert wrong == []
