"""The supervisor's desk in Chromium, on a desk and a phone: two direct one night, and neither loses a change."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server

from layers.accounts import Account, change_account
from layers.nights import routes
from layers.scope import Scope
from layers.sessions import open_session
from layers.store import Store
from tests.web.server.chromium import DESK, PHONE, until, violations
from tests.web.server.conftest import SECRET
from tests.web.server.night_world import DISTRICT, ahead, at, open_evening, plan
from tests.web.server.staff import add, store_of, turn_clocks
from tests.web.server.staff_world import send
from web.server import city
from web.server.app import create_app
from web.server.settings import Settings


@dataclass(frozen=True)
class Served:
    """A served town with a night, as two supervisors see it."""

    url: str
    path: str
    store: Store
    night_id: int
    pages: tuple[Any, Any]
    names: tuple[str, str]

    def routes(self) -> dict[str, Any]:
        return {one.crew: one.route for one in routes(self.store, self.night_id)}


@pytest.fixture
def served(town_file: Path, tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    shutil.copy(town_file, tmp_path / "town.sqlite")
    app = create_app(Settings(f"sqlite:///{tmp_path / 'town.sqlite'}", SECRET, secure=False))
    chief, deputy = (add(app, name, "supervisor", DISTRICT) for name in ("zhao", "qian"))
    night = open_evening(store_of(app), plan(town_file), chief)
    store = store_of(app).within(Scope.of(DISTRICT))
    crew = next(one for one in routes(store, night.id) if "、" not in one.persons)
    worker = add(app, "lin", "grid_worker", crew.area_code[:12])
    admin = add(app, "root", "administrator", DISTRICT)
    change_account(store, worker.id, by=admin, now=at("19:00"), changes={"name": crew.persons})
    send(app, crew.area_code[:12], needs=("medical",))
    turn_clocks(monkeypatch, ahead("20:20"))
    server = create_server(app, host="127.0.0.1", port=0, threads=8)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    url = f"http://127.0.0.1:{server.effective_port}"
    pages = tuple(_page(browser, app, url, one, size) for one, size in ((chief, DESK), (deputy, PHONE)))
    try:
        yield Served(url, f"/staff/nights/{night.id}", store, night.id, pages, (chief.name, deputy.name))  # type: ignore[arg-type]
    finally:
        for page in pages:
            page.context.close()
        server.close()
        running.join(5)
        store_of(app).close()


def _page(browser: Any, app: Any, url: str, who: Account, size: tuple[int, int]) -> Any:
    """Return a page of a browser that is signed in as somebody."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["secret"] = open_session(store_of(app), who.id, device="测试", now=city.now())
    kept = client.get_cookie("lamplight")
    context.add_cookies([{"name": "lamplight", "value": kept.value, "url": url}])
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"exception: {error}"))
    return page


def whole(page: Any) -> None:
    """Fail where axe finds something, or the page is wider than its window."""
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def opened(page: Any, served: Served) -> None:
    page.goto(f"{served.url}/staff/tonight", timeout=120_000)
    # the night is read once: until then a page stands there that looks again by itself
    page.wait_for_selector("#map[data-ready=true]", timeout=120_000)


def tab(page: Any, name: str) -> None:
    page.click(f".desk-tabs a[href='#{name}']")


def try_to_give(page: Any, crew: str, to: str) -> None:
    """Choose the first street of a crew that has not been walked, and somebody to have it."""
    tab(page, "edit")
    page.fill("#street", crew)
    page.wait_for_selector("#stops input:enabled")
    until(page, "document.querySelectorAll('#stops input:enabled').length > 3")
    page.locator("#stops input:enabled").last.check()
    page.select_option("#to", to)
    page.click("#edit form[action$=give] button[type=submit]")
    page.wait_for_selector(".desk-trial")


def test_two_supervisors_direct_one_night_and_neither_loses_a_change(served: Served) -> None:
    desk, phone = served.pages
    for page in served.pages:
        opened(page, served)
        whole(page)
    before = served.routes()
    giver, taker = [crew for crew, route in before.items() if len(route) > 10][:2]

    try_to_give(desk, giver, taker)
    assert desk.locator(".desk-minutes tbody tr").count() == 2
    whole(desk)
    try_to_give(phone, giver, taker)
    whole(phone)
    assert served.routes() == before
    desk.click(".desk-trial form button[type=submit]")
    desk.wait_for_selector("#trial .good")
    until(desk, "document.querySelector('[data-count=log]').textContent === '1'")
    whole(desk)
    after = served.routes()
    assert (len(after[giver]), len(after[taker])) == (len(before[giver]) - 1, len(before[taker]) + 1)

    phone.click(".desk-trial form button[type=submit]")
    phone.wait_for_selector("#trial .fault")
    assert served.names[0] in phone.inner_text("#trial .fault") and served.routes() == after
    until(phone, "name => document.querySelector('#news').textContent.includes(name)", arg=served.names[0])
    assert phone.input_value("#street") == giver, "what was being written is still there"
    whole(phone)

    desk.click("#trial button:has-text('撤销')")
    until(desk, "document.querySelector('[data-count=log]').textContent === '2'")
    assert served.routes() == before

    tab(desk, "crews")
    desk.click(f"[data-crew={taker}] summary")
    desk.click(f"[data-crew={taker}] form[action$=ill] button")
    desk.wait_for_selector(".desk-trial")
    whole(desk)
    desk.click(".desk-trial form button[type=submit]")
    desk.wait_for_selector("#trial form[action$=share-out]")
    assert desk.locator(f"[data-crew={taker}] .tag.urgent").inner_text() == "病假"
    desk.click("#trial form[action$=share-out] button")
    until(desk, "!document.querySelector('#trial form[action$=share-out]')", seconds=60)
    whole(desk)

    tab(phone, "reports")
    phone.click(".desk-report summary")
    phone.click(".desk-report form[action$=dispatch] button")
    phone.wait_for_selector(".desk-report .tag:has-text('已指派')")
    assert "经办" in phone.inner_text(".desk-report")

    phone.goto(f"{served.url}{served.path}/after")
    phone.click(f"section:has(#crew-{giver}) summary")
    phone.locator(f"section:has(#crew-{giver}) input[name=stop]").first.check()
    phone.select_option(f"#reason-{giver}", "gate")
    whole(phone)
    phone.click(f"section:has(#crew-{giver}) form button[type=submit]")
    phone.wait_for_url("**/after#crew-*")
    assert "大门锁闭" in phone.content()
    desk.goto(f"{served.url}/staff/week")
    whole(desk)
