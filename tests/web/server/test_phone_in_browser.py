"""The grid worker's phone in Chromium: a night walked with the server stopped, the browser closed and opened again."""

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from layers.accounts import NewAccount, create_account
from layers.nights import change, night
from layers.phone import done_by_ticks, night_points
from layers.schema import INCOMING_REPORT, PHOTO
from tests.web.server.chromium import until, whole
from tests.web.server.phone_night import DWELL_S, FROM, UNTIL, clock
from tests.web.server.phone_site import HERE, SECOND, Site, site
from tests.web.server.staff import CHEAP
from tests.web.server.test_report_pages import picture
from web.server.passwords import new_uniquifier

__all__ = ["clock", "site"]
LATE = FROM + timedelta(minutes=30)


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


def test_the_page_can_be_installed(site: Site) -> None:
    site.at(LATE)
    site.sign_in()
    page = site.page
    until(page, "navigator.serviceWorker.controller !== null")
    asked = site.context.new_cdp_session(page)
    manifest = asked.send("Page.getAppManifest")
    assert manifest["errors"] == [] and json.loads(manifest["data"])["start_url"] == "/phone"
    assert asked.send("Page.getInstallabilityErrors")["installabilityErrors"] == []


def test_a_night_walked_without_a_server_arrives_once_and_in_order(site: Site) -> None:
    site.at(LATE)
    site.sign_in()
    until(site.page, "navigator.serviceWorker.controller !== null")
    until(site.page, "document.getElementById('recording').dataset.state === 'on'")
    site.server.stop()
    walk_and_check(site)
    tick_by_hand_and_report(site)
    until(site.page, f"phoneOutbox.held({site.night.worker.id}).then((held) => held.ticks === 8)")
    assert site.rows() == [] and "待发" in site.page.inner_text("#unsent")
    before = site.held()
    site.close_browser()
    open_again(site, before)
    send_once_signed_in(site)
    all_is_known_with_and_without_a_server(site)

    events_came_once_and_in_order(site)
    the_track_is_the_way_walked(site, before["points"])
    each_duty_says_how_it_was_done(site)
    [found] = site.rows(INCOMING_REPORT)
    assert (found.channel, found.state, found.outcome, found.note) == ("patrol", "helped", "guided", "长椅上，灰色外套")
    assert len(site.rows(PHOTO)) == 1


def walk_and_check(site: Site) -> None:
    """Walk two streets, and stay at the check point that follows."""
    page = site.page
    site.walk(site.night.streets[0])
    page.wait_for_selector("#notice-said:text('已走过')")
    site.walk(site.night.streets[1])
    page.wait_for_selector("#next-name:text('桥洞')")
    page.click("#done")  # the check begins
    page.wait_for_selector("#done:text('停留中')")
    site.at(site.clock.now + DWELL_S * SECOND)
    page.wait_for_selector("#notice-said:text('检查完成')")
    whole(page)


def tick_by_hand_and_report(site: Site) -> None:
    """Tick one side of the third street, take it back, report somebody, tick both sides, and explain the fourth."""
    page = site.page
    page.click("#done")
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


def open_again(site: Site, before: dict[str, Any]) -> None:
    """Open the browser anew while the server is still away."""
    page = site.open_browser()
    page.goto(f"{site.server.url}/phone")
    site.ready()
    assert name_of(site) == "全部走完" and site.held() == before and before["reports"] == 1 and before["points"] > 15


def send_once_signed_in(site: Site) -> None:
    """Let the server come back: the session ended with the browser, so that what is kept waits for the account."""
    page = site.page
    site.server.start()
    site.context.clear_cookies(name="lamplight")
    page.goto(f"{site.server.url}/phone")
    assert "/sign-in" in page.url
    site.sign_in()
    site.sent()
    assert site.held() == {"ticks": 0, "reports": 0, "points": 0, "refused": [], "others": 0}


def all_is_known_with_and_without_a_server(site: Site) -> None:
    site.server.stop()
    site.page.reload()
    site.ready()
    assert name_of(site) == "全部走完", "what was sent stays known without a network"
    site.server.start()
    site.page.reload()
    site.ready()
    site.sent()
    assert name_of(site) == "全部走完"


def events_came_once_and_in_order(site: Site) -> None:
    events = site.rows()
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert len({event.device for event in events}) == 1
    assert {event.account_id for event in events} == {site.night.worker.id}
    order = [event.kind for event in events if event.kind != "track"]
    assert order == ["tick", "tick", "check", "tick", "tick", "report", "tick", "tick", "reason"]
    assert [event.at for event in events] == sorted(event.at for event in events)


def the_track_is_the_way_walked(site: Site, count: int) -> None:
    points, streets = night_points(site.store, site.night.night_id), site.night.streets
    assert points["time"].is_monotonic_increasing and len(points) == count
    ends = points[["lon", "lat"]].to_numpy()[[0, -1]]
    np.testing.assert_allclose(ends, [streets[0][0], streets[1][-1]], atol=2e-6)


def each_duty_says_how_it_was_done(site: Site) -> None:
    said = {(one.duty, one.side): one for one in done_by_ticks(site.store, site.night.night_id)}
    third = next(duty for duty in site.night.duties if site.night.duties.count(duty) == 2)
    assert {key: (one.state, one.how) for key, one in said.items()} == {
        (site.night.duties[0], ""): ("done", "gps"), (site.night.duties[1], ""): ("done", "gps"),
        ("P1", ""): ("done", "hand"), (third, "left"): ("done", "hand"), (third, "right"): ("done", "hand"),
        (site.night.duties[-1], ""): ("cannot", "hand"),
    }  # fmt: skip
    assert said["P1", ""].dwell_s == DWELL_S and said[site.night.duties[-1], ""].reason == "gate"


def test_nothing_is_recorded_outside_the_hours_on_duty(site: Site) -> None:
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


def test_an_answer_that_was_lost_doubles_nothing_and_a_refusal_holds_nobody_up(site: Site) -> None:
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
    whole(page)
    for _ in range(2):
        page.click("#refused-list button:has-text('删除')")
    page.wait_for_selector("#refused", state="hidden")


def test_a_route_that_was_changed_meanwhile_and_another_account_on_the_same_phone(site: Site) -> None:
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


def test_one_workers_route_is_not_shown_to_the_next_who_has_the_phone(site: Site) -> None:
    mine = site.night.worker.id
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


def test_the_page_says_plainly_that_there_is_no_route(site: Site) -> None:
    site.at(FROM - timedelta(days=3))
    page = site.page
    site.enter("phone-worker")
    page.wait_for_selector("#none:not([hidden])")
    until(page, "document.getElementById('none-said').textContent.includes('林灯')")
    whole(page)


def test_streets_are_ticked_by_walking_along_them_and_by_nothing_else(site: Site) -> None:
    """A walker with five metres of noise in a town of square blocks: what is ticked is what was walked, in order."""
    rng, wrong = np.random.default_rng(3), []
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
