"""Reporting someone in need in Chromium: by the map, without a network, and without a script."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apiflask import APIFlask
from PIL import Image
from sqlalchemy import delete, select

from layers.intake import NewReport, receive
from layers.schema import INCOMING_REPORT, PHOTO
from layers.store import Store
from tests.web.server.chromium import DESK, PHONE, until, violations, watch
from tests.web.server.conftest import DATABASES, SECRET, copied_town
from tests.web.server.serving import Server
from tests.web.server.test_report_pages import picture
from web.server.app import create_app
from web.server.city import now
from web.server.limits import limiter
from web.server.settings import Settings

STATIC = Path(__file__).parents[3] / "web/server/static"
READY = "#map[data-ready]"


class Site(NamedTuple):
    """A served town: its server, its store, and a place in it."""

    server: Server
    store: Store
    lon: float
    lat: float

    @property
    def url(self) -> str:
        return self.server.url

    def cut(self, page: Any) -> None:
        self.server.stop()
        page.context.set_offline(True)

    def restore(self, page: Any) -> None:
        self.server.start()
        page.context.set_offline(False)

    def rows(self, table: Any = INCOMING_REPORT) -> list[Any]:
        with self.store.transaction() as connection:
            return list(connection.execute(select(table)).all())


@pytest.fixture(scope="module", params=DATABASES)
def public(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIFlask]:
    """The application on a town of this file's own, once on each database."""
    made = create_app(Settings(copied_town(request, tmp_path_factory.mktemp("reports")), SECRET, secure=False))
    yield made
    made.extensions["lamplight.store"].close()


@pytest.fixture
def site(public: APIFlask) -> Iterator[Site]:
    """That town served anew: nobody has asked for anything, and nothing is reported."""
    limiter.reset()
    store: Store = public.extensions["lamplight.store"]
    with store.transaction(writes=True) as connection:
        connection.execute(delete(INCOMING_REPORT))  # photos and all else go with them
    point = public.extensions["lamplight.city"].current().points.geometry.iloc[0]
    server = Server(public)
    yield Site(server, store, point.x, point.y)
    server.stop()


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, site: Site) -> Iterator[Visit]:
    """Open a page in a context of its own; afterwards nothing may have gone wrong or been asked of another host."""
    faults: list[str] = []
    contexts = []

    def opened(page: Any) -> None:
        watch(page, faults)
        page.on("response", lambda answer: faults.append(answer.url) if answer.status >= 500 else None)

    def open_page(address: str = "/report", size: tuple[int, int] = PHONE, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN", **settings)
        context.set_default_timeout(60_000)
        contexts.append(context)
        context.on("page", opened)
        context.on("request", lambda r: None if r.url.startswith((site.url, "blob:")) else faults.append(r.url))
        page = context.new_page()
        page.goto(site.url + address)
        if address == "/report" and settings.get("java_script_enabled", True):
            page.wait_for_selector(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def fill(page: Any, site: Site, note: str = "穿灰色外套") -> None:
    """Fill the form in, the place as the map writes it."""
    page.evaluate("([lon, lat]) => { document.getElementById('lon').value = lon;"
                  "document.getElementById('lat').value = lat; }", [f"{site.lon:.6f}", f"{site.lat:.6f}"])  # fmt: skip
    page.check("[name=needs][value=food_clothes]")
    page.fill("#note", note)


def controlled(page: Any) -> None:
    """Wait until the form is kept for when there is no network."""
    until(page, "navigator.serviceWorker.controller !== null")


def kept(page: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("outbox.all()")
    return found


def assert_accessible(page: Any, what: str) -> None:
    assert violations(page) == [], what


def test_a_report_is_made_by_the_map_and_followed(visit: Visit, site: Site, tmp_path: Path) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write", "geolocation"],
                 geolocation={"longitude": site.lon, "latitude": site.lat})  # fmt: skip
    page.click("#here")
    until(page, "document.getElementById('lon').value !== ''")
    frame = page.locator("#map .map-stage").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 20, y - 10, steps=4)
    page.mouse.up()
    centre = "(async () => (await (await import('/static/map.js')).drawn).getCenter().toArray())()"
    until(page, "document.querySelector('.map-said')?.textContent !== ''")
    page.wait_for_timeout(300)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(picture(2400).getvalue())
    page.set_input_files("#photo", str(photo))
    page.check("[name=needs][value=medical]")
    page.fill("#people", "2")
    place, at = page.evaluate(centre), [float(page.input_value("#lon")), float(page.input_value("#lat"))]
    page.dblclick("#send")
    page.wait_for_url("**/report/received/**")

    [report] = site.rows()
    assert at == pytest.approx(place, abs=1e-6) and [report.geometry.x, report.geometry.y] == at
    assert (report.needs, report.people) == ("medical", 2) and at[0] > site.lon
    image = Image.open(io.BytesIO(site.rows(PHOTO)[0].jpeg))
    assert max(image.size) == 1600 and not image.getexif()
    page.click("#copy")
    page.wait_for_selector("#copied:text('已复制')")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.input_value("#link") and "/report/status/" in link
    assert kept_nothing(page)
    page.goto(link)
    assert page.inner_text(".report-state") == "已收到"


def kept_nothing(page: Any) -> bool:
    """Tell whether the shelf is empty, as seen from a page without the outbox."""
    count = """new Promise((done) => { const asked = indexedDB.open('reports', 1); asked.onsuccess = () => {
        const all = asked.result.transaction('reports').objectStore('reports').getAll();
        all.onsuccess = () => { asked.result.close(); done(all.result.length); }; }; })"""
    return bool(page.evaluate(count) == 0)


def test_going_back_and_sending_again_makes_no_second_report(visit: Visit, site: Site) -> None:
    page = visit()
    fill(page, site)
    key = page.input_value("[name=key]")
    page.reload()
    page.wait_for_selector(READY)
    assert page.input_value("[name=key]") == key
    fill(page, site)
    page.click("#send")
    page.wait_for_url("**/report/received/**")
    page.go_back()
    page.wait_for_selector("#notice:text('已经发出')")
    fill(page, site, "另写")
    page.click("#send")
    page.wait_for_url("**/report/received/**again=yes")
    assert [row.note for row in site.rows()] == ["穿灰色外套"]
    page.click("text=报告另一个人")
    page.wait_for_selector(READY)
    assert page.input_value("[name=key]") != key


def test_faults_are_told_where_they_are_and_at_the_top(visit: Visit, site: Site) -> None:
    page = visit()
    page.click("#send")
    page.wait_for_selector("#faults:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "faults"
    assert page.locator("#fault-position").is_visible() and page.locator("#fault-needs").is_visible()
    page.fill("#place", "桥洞下")
    page.fill("#people", "许多")
    page.check("[name=needs][value=lost]")
    page.click("#send")
    page.wait_for_selector("#fault-people:not([hidden])")
    assert page.locator("#fault-needs").is_hidden() and page.get_attribute("#people", "aria-invalid") == "true"
    assert page.input_value("#place") == "桥洞下" and page.input_value("#people") == "许多"
    page.click("#faults a[href='#field-people']")
    assert page.url.endswith("#field-people")
    assert kept(page) == [] and not site.rows()


def test_a_report_written_without_a_network_is_sent_once_when_there_is_one(visit: Visit, site: Site) -> None:
    page = visit()
    controlled(page)
    context = page.context
    site.cut(page)
    page.wait_for_selector("#notice:text('没有网络')")
    fill(page, site)
    page.set_input_files("#photo", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": picture(300).getvalue()})
    page.click("#send")
    page.wait_for_selector("#kept-list >> text=等待网络")
    assert page.input_value("#note") == "" and "自动发出" in page.inner_text("#notice")

    page.reload()  # the form itself opens without a network
    page.wait_for_selector("#kept-list >> text=等待网络")
    assert len(kept(page)) == 1 and not site.rows()
    other = context.new_page()  # a second page that will want to send it, too
    other.goto(f"{site.url}/report")
    other.wait_for_selector("#kept-list >> text=等待网络")

    site.restore(page)
    page.wait_for_selector("#kept-list >> text=已发出")
    [report] = site.rows()
    assert report.note == "穿灰色外套" and len(site.rows(PHOTO)) == 1
    [left] = kept(page)
    assert set(left) == {"key", "writtenAt", "sentAt", "status"}, "the report itself is gone from the telephone"
    page.click("#kept-list a")
    page.wait_for_selector(".report-state")
    page.go_back()
    page.click("#kept-list button")
    page.wait_for_selector("#kept", state="hidden")
    assert kept(page) == [] and len(site.rows()) == 1
    names = page.evaluate("""caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name)
        .then((cache) => cache.keys())))).then((all) => all.flat().map(({url}) => new URL(url).pathname))""")
    assert all(re.match(r"/(static|assets|report/offline)/", name) for name in names), names


def test_a_report_whose_receipt_was_lost_on_the_way_is_not_made_twice(visit: Visit, site: Site) -> None:
    page = visit(service_workers="block")
    lost = []

    def lose(route: Any) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)  # the server has it
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route("**/report", lose)
    fill(page, site)
    page.click("#send")
    page.wait_for_selector("#kept-list >> text=等待网络")
    assert lost == [201] and len(site.rows()) == 1
    page.click("#kept-list button:text('现在发送')")
    page.wait_for_url("**/report/received/**again=yes")
    assert len(site.rows()) == 1 and kept_nothing(page)


def test_a_kept_report_that_is_deleted_is_never_sent(visit: Visit, site: Site) -> None:
    page = visit()
    site.cut(page)
    fill(page, site)
    page.click("#send")
    page.click("#kept-list button:text('删除')")
    page.click("#kept-list button:text('再按一次')")
    page.wait_for_selector("#kept", state="hidden")
    site.restore(page)
    page.reload()
    page.wait_for_selector(READY)
    assert kept(page) == [] and not site.rows()


def test_a_kept_report_that_cannot_stand_comes_back_into_the_form(visit: Visit, site: Site) -> None:
    page = visit()
    site.cut(page)
    page.fill("#place", "没有这个地方xyz")
    page.check("[name=needs][value=lost]")
    page.click("#send")
    page.wait_for_selector("#kept-list >> text=等待网络")
    site.restore(page)
    page.click("#kept-list button:text('改正')")
    page.wait_for_selector("#fault-position:not([hidden])")
    assert page.input_value("#place") == "没有这个地方xyz" and page.is_checked("[value=lost]")
    fill(page, site)
    page.click("#send")
    page.wait_for_url("**/report/received/**")
    assert len(site.rows()) == 1


def test_while_the_server_is_busy_a_report_waits(visit: Visit, site: Site) -> None:
    page = visit(service_workers="block")
    page.route("**/report/token", lambda route: route.fulfill(status=429, headers={"Retry-After": "120"}))
    fill(page, site)
    page.click("#send")
    page.wait_for_selector("#kept-list >> text=等待网络")
    [waiting] = kept(page)
    assert page.evaluate("outbox.due()") > 100_000 and waiting["tries"] == 1
    page.unroute("**/report/token")
    page.evaluate("outbox.sendAll()")
    assert not site.rows(), "not before its time"
    page.evaluate("outbox.sendAll(true)")
    assert len(site.rows()) == 1


def already_reported(site: Site) -> None:
    new = NewReport(site.lon, site.lat, ("food_clothes",))
    receive(site.store, new, submission_key="5d1f0a52-6c0e-4c0a-9d43-0f4f0a0b7c11", secret=b"x" * 16, now=now())


def test_somebody_reported_already_is_offered_first(visit: Visit, site: Site) -> None:
    already_reported(site)
    page = visit()
    fill(page, site)
    page.click("#send")
    page.wait_for_selector("#nearby:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "nearby-title"
    assert "一小时内" in page.inner_text("#nearby-said")
    page.click("#nearby-same")
    page.wait_for_url("**/report/known")
    assert kept_nothing(page) and len(site.rows()) == 1
    page.click("text=报告另一个人")
    page.wait_for_selector(READY)
    fill(page, site)
    page.click("#send")
    page.click("#nearby-other")
    page.wait_for_url("**/report/received/**")
    assert len(site.rows()) == 2


def test_without_scripts_the_form_does_all_the_same(visit: Visit, site: Site) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator("#map").is_hidden() and page.locator("#website").bounding_box()["x"] < 0
    page.click("#send")
    page.wait_for_selector("#faults:focus")  # the browser gives the focus a moment after the page stands
    page.fill("#street", "社区")
    page.check("[name=needs][value=lost]")
    page.click("#search")
    page.check("[name=match] >> nth=0")
    page.fill("#note", "穿灰色外套")
    page.click("#send")
    page.wait_for_url("**/report/received/**")
    assert page.locator("#copy").is_hidden() and page.input_value("#link").startswith(site.url)
    assert [row.note for row in site.rows()] == ["穿灰色外套"]


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh"), (DESK, "en")], ids=["phone", "desk"])
def test_every_page_of_a_report_can_be_used_by_everybody(
    visit: Visit, site: Site, size: tuple[int, int], language: str
) -> None:
    page = visit(f"/language/{language}?next=/report", size, reduced_motion="reduce")
    page.wait_for_selector(READY)
    assert_accessible(page, "form")
    page.click("#send")
    page.fill("#street", "社区")
    page.press("#street", "Enter")
    page.wait_for_selector("#matches input")
    assert_accessible(page, "faults")
    site.cut(page)
    fill(page, site)
    page.click("#send")
    page.wait_for_selector("#kept:not([hidden])")
    assert_accessible(page, "kept")
    site.restore(page)
    page.wait_for_selector("#kept-list a")
    page.goto(f"{site.url}/report")
    page.wait_for_selector(READY)
    fill(page, site)
    page.click("#send")
    page.wait_for_selector("#nearby:not([hidden])")
    assert_accessible(page, "nearby")
    page.click("#nearby-other")
    page.wait_for_url("**/report/received/**")
    assert_accessible(page, "received")
    for address in (page.input_value("#link"), f"{site.url}/report/known", f"{site.url}/report/status/none"):
        page.goto(address)
        assert_accessible(page, address)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "nothing is wider than the page"


def test_the_words_of_the_form_are_complete(visit: Visit, site: Site) -> None:
    words = json.loads(visit().get_attribute("#report", "data-words"))
    script = "".join((STATIC / f"{name}.js").read_text() for name in ("report", "report_kept"))
    used = set(re.findall(r"\bwords\.(\w+)", script)) | {"wait", "answer", "correction"}
    assert set(words) == used
