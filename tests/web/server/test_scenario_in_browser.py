"""A planner in Chromium: the clock by keyboard, an area's gaps, a scenario made on the map, measured and compared."""

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from waitress.server import create_server

from layers.jobs import jobs
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.jobs.runs import work
from planner.runs import run_coverage
from tests.web.server.chromium import DESK, PHONE, until, violations
from tests.web.server.conftest import SECRET
from tests.web.server.screens import Town, sign_in
from web.server.app import create_app
from web.server.city import now
from web.server.demo_accounts import demo_accounts
from web.server.settings import Settings

#: A map's box on the page, and its MapLibre map: the page's own module, asked for again.
MAPS = "async () => (await (await import('/static/clock.js')).drawn)"


@pytest.fixture(scope="module")
def address(town_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of a town; what the browser shows depends on no database."""
    path = tmp_path_factory.mktemp("scenarios") / "town.sqlite"
    shutil.copy(town_file, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def town(address: str) -> Iterator[Town]:
    """The town served, with the demo's accounts and nothing else."""
    app = create_app(Settings(address, SECRET, secure=False, demo=True))
    store = Store(address)
    accounts = demo_accounts(store, now())
    run_coverage(store, CoverageQuestion())
    server = create_server(app, host="127.0.0.1", port=0, threads=8)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    yield Town(f"http://127.0.0.1:{server.effective_port}", {}, {name: word for name, word, *_ in accounts})
    server.close()
    running.join(5)
    store.close()
    app.extensions["lamplight.store"].close()


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def page(browser: Any, town: Town, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN", accept_downloads=True)
    faults: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((town.url, "blob:")) else faults.append(r.url))
    opened = context.new_page()
    opened.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    sign_in(opened, town, "planner")
    yield opened
    context.close()
    assert faults == []


def figures(page: Any) -> dict[str, list[str]]:
    return {
        row.get_attribute("data-area"): row.locator("td").all_inner_texts()
        for row in page.locator("tr[data-area]").all()
    }


def view(page: Any, which: int) -> list[float]:
    found: list[float] = page.evaluate(
        f"async (n) => {{ const {{ map }} = (await ({MAPS})())[n]; const {{ lng, lat }} = map.getCenter();"
        " return [lng, lat, map.getZoom()]; }", which,
    )  # fmt: skip
    return found


def press_map(page: Any) -> None:
    """Press the map where no point stands, some way from its middle at first."""
    box = page.locator("#map")
    box.scroll_into_view_if_needed()
    size = box.bounding_box()
    for x, y in ((0.42, 0.6), (0.5, 0.4), (0.35, 0.5), (0.6, 0.55), (0.45, 0.7), (0.55, 0.3)):
        box.click(position={"x": size["width"] * x, "y": size["height"] * y})
        page.wait_for_timeout(100)
        if "已选位置" in page.locator("#picked").inner_text():
            return
    raise AssertionError("the map takes no press")


def test_a_planner_looks_at_an_hour_makes_a_scenario_and_compares_it(page: Any, town: Town, address: str) -> None:
    # the clock, by keyboard alone
    page.goto(f"{town.url}/staff/coverage")
    page.wait_for_selector("#map[data-ready=true]")
    assert page.locator("#clock-said").inner_text() == "不看时刻"
    page.focus("#clock-hour")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#clock-said").inner_text() == "周一 03:00"
    assert page.get_attribute("#clock-hour", "aria-valuetext") == "周一 03:00"
    moved = figures(page)
    assert violations(page) == []
    page.locator(".coverage-ask button").click()  # the form keeps the hour; the server's figures are the same
    page.wait_for_url("**hour=3*")
    assert figures(page) == moved

    # an area's gaps
    page.locator("tr[data-area] a").first.click()
    page.wait_for_url("**area=*")
    page.wait_for_selector("#map[data-ready=true]")
    assert page.locator("#gaps li").count() >= 1
    drawn = page.evaluate(f"async () => (await ({MAPS})())[0].map.querySourceFeatures('gaps').length")
    assert drawn >= 1
    assert violations(page) == []

    # a scenario: a point moved to where the map is pressed, another added there
    page.goto(f"{town.url}/staff/scenarios")
    page.fill("[name=name]", "浏览器里的方案")
    page.locator("main form button").click()
    page.wait_for_selector("#map[data-ready=true]")
    there = page.url
    press_map(page)
    assert page.input_value("#add-lon") == page.input_value("#move-lon") != ""
    page.locator("summary", has_text="移动点位").click()
    page.select_option("#move-code", index=1)
    page.locator("[data-tool=move] button").click()
    page.wait_for_selector("text=第 2 版")
    page.wait_for_selector("#map[data-ready=true]")
    press_map(page)
    page.fill("#add-name", "夜间点")
    page.fill("#add-hours", "每天 20:00-次日6:00")
    page.locator("[data-tool=add] button").click()
    page.wait_for_selector("text=第 3 版")
    changes = page.locator("table.figures td:last-child").all_inner_texts()
    assert len(changes) == 6 and any(text != "0" for text in changes)
    page.wait_for_selector("#map[data-ready=true]")
    assert violations(page) == []

    # measured and compared
    page.locator("a", has_text="与现状对照").click()
    page.locator("button", has_text="按现在的数据计算").click()
    page.wait_for_selector("text=排队中")
    store = Store(address)
    assert work(address, jobs(store)[0].id) == "done"
    store.close()
    page.wait_for_selector("#map-b[data-ready=true]")
    assert page.locator("h1").inner_text() == "现状 → 浏览器里的方案"
    assert page.locator("tr[data-area]").count() >= 3
    before = view(page, 0)
    assert view(page, 1) == pytest.approx(before, abs=1e-6)
    page.locator("#map .map-buttons button").first.click()
    until(page, f"async (was) => (await ({MAPS})())[0].map.getZoom() > was + 0.9", arg=before[2])
    assert view(page, 1) == pytest.approx(view(page, 0), abs=1e-6) and view(page, 0) != before
    page.focus("#clock-hour")
    page.keyboard.press("ArrowRight")
    for cells in figures(page).values():
        was, is_now, change = (int(text.replace(",", "").replace("+", "")) for text in cells[:3])
        assert is_now - was == pytest.approx(change, abs=1)
    assert violations(page) == []
    with page.expect_download() as waiting:
        page.locator("a", has_text="下载对照表").click()
    book = openpyxl.load_workbook(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    assert {row[1] for row in book["改动 Changes"].iter_rows(min_row=2, values_only=True)} >= {"NEW-1"}
    assert there.startswith(f"{town.url}/staff/scenarios/")
