"""One night of the demo town, served to two supervisors in Chromium: one sits at a desk, one holds a phone."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path
from typing import Any

import pytest
import shapely
from apiflask import APIFlask

from layers.accounts import Account
from layers.intake import NewReport, receive
from layers.night_records import NightRoute, PatrolNight
from layers.nights import changes_since, routes
from layers.phone import KEEP_SETTING
from layers.scope import Scope
from layers.sessions import open_session
from layers.store import Store
from tests.web.server.chromium import DESK, PHONE, until, watch
from tests.web.server.conftest import DATABASES, SECRET, copied_town
from tests.web.server.night_world import DISTRICT, Directed, at, directed, plan, read_night, stop_clocks
from tests.web.server.serving import listening
from tests.web.server.staff import store_of
from web.server import city
from web.server.app import create_app
from web.server.settings import Settings

METRES_A_DEGREE = 111_320.0


@dataclass(frozen=True)
class DeskTown:
    """A served town with a night of one district."""

    app: APIFlask
    store_url: str
    url: str
    of: Directed

    @property
    def night(self) -> PatrolNight:
        return self.of.night

    @property
    def store(self) -> Store:
        """The store as the district sees it."""
        return store_of(self.app).within(Scope.of(DISTRICT))

    def own_route(self) -> NightRoute:
        """Return the route that the worker walks."""
        return next(one for one in routes(self.store, self.night.id) if one.persons == self.of.worker.name)


@contextmanager
def served_town(store_url: str, town: Path) -> Iterator[DeskTown]:
    """Serve the town in a store, with the night of ``plan(town)`` open and read."""
    app = create_app(Settings(store_url, SECRET, secure=False))
    whole = store_of(app)
    whole.set_setting(KEEP_SETTING, "36500")  # the evening is one of long ago
    of = directed(app, plan(town))
    read_night(app, of.night.id)
    with listening(app) as url:
        yield DeskTown(app, store_url, url, of)
    whole.close()


@pytest.fixture(scope="module", params=DATABASES)
def desk_town(
    request: pytest.FixtureRequest, town_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeskTown]:
    """One town for all journeys of a module, on each database in turn."""
    with served_town(copied_town(request, tmp_path_factory.mktemp("desk")), town_file) as made:
        yield made


@dataclass(frozen=True)
class DeskSite:
    """The town as two supervisors see it. faults : what their browsers complained of, requests to elsewhere too."""

    town: DeskTown
    desk: Any
    phone: Any
    browser: Any
    clocks: pytest.MonkeyPatch
    faults: list[str]

    @property
    def path(self) -> str:
        return f"/staff/nights/{self.town.night.id}"

    def routes(self) -> dict[str, Any]:
        """Return crew -> its route, as the store has it."""
        return {one.crew: one.route for one in routes(self.town.store, self.town.night.id)}

    def changes(self) -> list[int]:
        """Return the numbers of the changes so far."""
        return [one.number for one in changes_since(self.town.store, self.town.night.id, 0)]

    def turn(self, clock: str) -> None:
        """Let it be an hour of the evening, for the server and for whoever is signed in."""
        stop_clocks(self.clocks, clock)
        for page, who in ((self.desk, self.town.of.chief), (self.phone, self.town.of.deputy)):
            self.sign_in(page.context, who)

    def sign_in(self, context: Any, who: Account) -> None:
        """Give a browser a session of somebody's."""
        client = self.town.app.test_client()
        with client.session_transaction() as cookie:
            cookie["secret"] = open_session(store_of(self.town.app), who.id, device="测试", now=city.now())
        kept = client.get_cookie("lamplight")
        assert kept is not None
        context.add_cookies([{"name": "lamplight", "value": kept.value, "url": self.town.url}])

    def page_of(self, who: Account, size: tuple[int, int]) -> Any:
        """Return a page of a browser that is signed in as somebody; it must speak with nobody but the server."""
        page = new_page(self.browser, size, self.town.url, self.faults)
        self.sign_in(page.context, who)
        return page

    def open(self, page: Any, path: str = "") -> None:
        """Open the desk of the night and wait for its map."""
        page.goto(f"{self.town.url}{self.path}{path}")
        page.wait_for_selector("#map[data-ready=true]")


def new_page(browser: Any, size: tuple[int, int], url: str, faults: list[str]) -> Any:
    """Return a page whose errors, and requests to anywhere but ``url``, are faults; those never leave the machine."""
    view = {"width": size[0], "height": size[1]}
    # without motion: colours on their way from one to another have no contrast that could be judged
    context = browser.new_context(viewport=view, locale="zh-CN", reduced_motion="reduce")
    allowed = (url, "blob:", "data:")

    def elsewhere(route: Any) -> None:
        faults.append(route.request.url)
        route.abort()

    context.route(lambda address: not address.startswith(allowed), elsewhere)
    page = context.new_page()
    page.set_default_timeout(60_000)
    watch(page, faults)
    return page


@pytest.fixture
def site(desk_town: DeskTown, browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskSite]:
    """The desk at 20:20; every journey must leave the routes as it found them, and the browsers without a complaint."""
    faults: list[str] = []
    desk, phone = (new_page(browser, size, desk_town.url, faults) for size in (DESK, PHONE))
    made = DeskSite(desk_town, desk, phone, browser, monkeypatch, faults)
    made.turn("20:20")
    before = made.routes()
    yield made
    for context in browser.contexts:
        context.close()
    assert faults == []
    assert made.routes() == before, "every change was taken back"


def tab(page: Any, name: str) -> None:
    """Open a column of the desk."""
    page.click(f".desk-tabs a[href='#{name}']")


def logged(page: Any, count: int) -> None:
    """Wait until the page knows of so many changes."""
    until(page, "count => document.querySelector('[data-count=log]').textContent === count", arg=str(count))


def take_back(page: Any, numbers: list[int], known: int) -> None:
    """Take changes back by the buttons of the list of changes, the newest first; known : how many there are."""
    tab(page, "log")
    for more, number in enumerate(sorted(numbers, reverse=True), 1):
        page.click(f"#log form:has(input[name=number][value='{number}']) button")
        logged(page, known + more)


def report_at(site: DeskSite, place: tuple[float, float], east_m: float, *needs: str) -> int:
    """Let somebody report from so many metres east of a place (lon, lat); return the report's number."""
    lon, lat = place
    new = NewReport(lon + east_m / METRES_A_DEGREE / cos(radians(lat)), lat, needs, place="桥下", note="老人躺着")
    receipt = receive(
        store_of(site.town.app), new, submission_key=str(uuid.uuid4()), secret=b"s" * 32, now=at("20:00"),
    )  # fmt: skip
    return receipt.id


def streets_of(site: DeskSite, page: Any) -> list[list[str]]:
    """Return the cells of the week's table, of all its pages."""
    rows: list[list[str]] = []
    number = 1
    while True:
        rows += page.evaluate("""[...document.querySelectorAll('.desk-nights tbody tr')].map(({ cells }) =>
            [cells[0].firstChild.textContent.trim(), ...[...cells].slice(1).map((one) => one.textContent)])""")
        onward = page.locator(".desk-pages a:has-text('下一页')")
        if not onward.count():
            return rows
        onward.click()
        number += 1
        page.wait_for_selector(f".desk-pages:has-text('第 {number} 页')")


def inside(site: DeskSite) -> dict[str, str]:
    """Return duty -> street of the plan's duties whose street's middle lies in the district, well off its border.

    Streets of which one segment lies on the border are left out as a whole.
    """
    store = store_of(site.town.app)
    tables, network = store.run(site.town.night.run_id).tables, store.load_network()
    areas = store.load("areas", "district")
    area = areas[areas["code"] == DISTRICT].geometry.iloc[0]
    middles = shapely.line_interpolate_point(network.geometry, 0.5, normalized=True)
    within = set(network.segment_id[shapely.contains(area, middles)].tolist())
    border = set(network.segment_id[shapely.distance(area.boundary, middles) < 1e-4].tolist())
    duties = [one for name in ("steps", "uncovered") for one in tables[name].itertuples() if one.duty]
    unsure = {one.name for one in duties if one.segment_id in border}
    return {
        str(one.duty): str(one.name) or "无名路"
        for one in duties
        if one.segment_id in within and one.name not in unsure
    }
