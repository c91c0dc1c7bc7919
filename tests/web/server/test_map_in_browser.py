"""The live map in Chromium, under the strictest policy and with nothing to reach but its own server."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import geopandas as gpd
import numpy as np
import pytest

from gis.vector_tiles import area_names, border_lines, street_lines, write_tiles
from layers.codes import LEVELS
from layers.demo_city.build import build_demo_city
from tests.requirements import missing
from tests.web.server.chromium import DESK, PHONE, chromium, until
from tests.web.server.map_site import LABELS, ROOT, MapSite, served

NO_WEBGL = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
SMALL = (480, 640)
#: The map itself, from the page's own module.
MAP = "(await (await import('/static/map.js')).drawn)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapSite]:
    if not (ROOT / "node_modules/pmtiles").is_dir():
        missing("node_modules")
    city = build_demo_city("town")
    tiers = {str(level): city.areas[level] for level in LEVELS}
    path = tmp_path_factory.mktemp("tiles") / "city.pmtiles"
    water = city.water[["name", "geometry"]].assign(min_zoom=5)
    layers = {"streets": street_lines(city.streets), "borders": border_lines(tiers), "areas": area_names(tiers)}
    write_tiles(path, {**layers, "water": water})
    points = city.service_points[~city.service_points["withheld"]][["code", "name", "geometry"]].reset_index(drop=True)
    points["key"] = "points/" + points["code"]
    points["state"] = np.array(["open", "closed", "unknown"])[np.arange(len(points)) % 3]
    line = city.streets.geometry.iloc[[0]]
    files = {
        "/tiles/city.pmtiles": path.read_bytes(),
        "/route.geojson": gpd.GeoDataFrame(geometry=line, crs=4326).to_json().encode(),
        "/empty.geojson": b'{"type": "FeatureCollection", "features": []}',
    }
    with served(MapSite(points, files)) as running:
        yield running


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any, site: MapSite) -> Iterator[Visit]:
    """Open a page and wait until its map stands; afterwards nothing may have gone wrong or been asked elsewhere."""
    with visiting(browser, site) as open_page:
        yield open_page


@contextmanager
def visiting(browser: Any, site: MapSite) -> Iterator[Visit]:
    faults: list[str] = []
    contexts = []

    def open_page(address: str, size: tuple[int, int] = SMALL, *, ready: str = "true", **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
        page.on("request", lambda r: None if r.url.startswith(f"{site.url}/") else faults.append(f"asked {r.url}"))
        page.goto(site.url + address)
        try:
            page.wait_for_selector(f"#map[data-ready={ready}]", timeout=30_000)
        except Exception as late:
            pytest.fail(f"no map stands: {faults or late}")
        page.faults = faults
        return page

    try:
        yield open_page
        assert faults == []
    finally:
        for context in contexts:
            context.close()


def ask(page: Any, expression: str, argument: Any = None) -> Any:
    return page.evaluate(f"async (given) => {{ const map = {MAP}; return {expression}; }}", argument)


def settle(page: Any) -> None:
    ask(page, "map.loaded() && !map.isMoving() ? 0 : new Promise((done) => map.once('idle', done))")


def seen(page: Any, layer: str, name: str = "code") -> set[str]:
    found = ask(page, "map.queryRenderedFeatures({layers: [given]}).map((f) => f.properties)", layer)
    return {properties[name] for properties in found}


def spot(page: Any, code: str, site: MapSite) -> tuple[float, float]:
    """Where a point lies in the window."""
    at = site.points.set_index("code").geometry[code]
    place = ask(page, "map.project(given)", [at.x, at.y])
    frame = page.locator("#map .map-stage").bounding_box()
    return frame["x"] + place["x"], frame["y"] + place["y"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_city_its_names_and_every_point_are_drawn(visit: Visit, site: MapSite, size: tuple[int, int]) -> None:
    page = visit("/find", size)
    assert seen(page, "points") == set(site.points["code"])
    assert seen(page, "points", "state") == {"open", "closed", "unknown"}
    assert seen(page, "main-fill", "street_class") <= {"primary", "motorway", "motorway_link"}
    streets = seen(page, "main-name", "name") | seen(page, "middle-name", "name")
    assert streets and all(any("一" <= letter <= "鿿" for letter in name) for name in streets)
    assert page.inner_text(".map-credits") == "© 临江市（虚构）　审图号：GS(2026)0000号"
    assert not [path for path in site.asked if "glyph" in path or path.endswith(".pbf")]


def test_buttons_are_real_named_and_as_large_as_a_finger(visit: Visit) -> None:
    page = visit("/find", PHONE, reduced_motion="reduce")
    for label in (LABELS["zoomin"], LABELS["zoomout"]):
        frame = page.get_by_role("button", name=label, exact=True).bounding_box()
        assert min(frame["width"], frame["height"]) >= 44
    before = ask(page, "map.getZoom()")
    page.get_by_role("button", name=LABELS["zoomin"], exact=True).click()
    settle(page)
    assert ask(page, "map.getZoom()") == pytest.approx(before + 1, abs=0.01)
    assert page.get_attribute(".maplibregl-canvas", "aria-label") == LABELS["map"]


def test_an_item_of_the_list_lights_up_its_point(visit: Visit, site: MapSite) -> None:
    page = visit("/find")
    lit = "map.queryRenderedFeatures({layers: ['chosen']}).filter((f) => f.state.chosen).map((f) => f.properties.code)"
    first, second = site.points["code"][:2]
    page.hover(f"li[data-code={first}]")
    settle(page)
    assert set(ask(page, lit)) == {first}
    page.focus(f"li[data-code={second}] a")
    settle(page)
    assert set(ask(page, lit)) == {second}
    assert page.locator("li.chosen").get_attribute("data-code") == second


def test_an_item_out_of_sight_moves_the_map_at_once_where_motion_is_unwelcome(visit: Visit, site: MapSite) -> None:
    far = site.points.geometry.iloc[1]
    page = visit(f"/find?centre={far.x + 0.1},{far.y}", reduced_motion="reduce")
    page.focus(f"li[data-code={site.points['code'][1]}] a")
    centre = ask(page, "map.getCenter().toArray()")
    assert centre == pytest.approx([far.x, far.y], abs=1e-6)


def test_a_touched_point_leads_to_its_item_in_the_list(visit: Visit, site: MapSite) -> None:
    code = site.points["code"][11]
    at = site.points.geometry.iloc[11]
    page = visit(f"/find?centre={at.x},{at.y}", PHONE, has_touch=True)
    x, y = spot(page, code, site)
    page.touchscreen.tap(x + 15, y)  # beside it, but within a finger's width
    until(page, "code => document.activeElement.dataset.code === code", arg=code)
    assert page.url.endswith(f"centre={at.x},{at.y}"), "no place was sent"


def test_many_points_far_out_are_drawn_in_groups_that_say_how_many_and_open_on_a_tap(
    browser: Any, site: MapSite
) -> None:
    at = site.points.geometry.iloc[0]
    across, up = np.divmod(np.arange(144), 12)
    places = gpd.points_from_xy(at.x + across / 500, at.y + up / 500, crs=4326)
    codes = [f"M{n}" for n in range(144)]
    points = gpd.GeoDataFrame({"code": codes, "name": codes, "key": codes, "state": "open"}, geometry=places)
    with served(MapSite(points, site.files)) as crowded, visiting(browser, crowded) as open_page:
        page = open_page(f"/find?centre={at.x + 0.011},{at.y + 0.011}", reduced_motion="reduce")
        ask(page, "map.jumpTo({zoom: 11})")
        settle(page)
        shown = "map.queryRenderedFeatures({layers: ['groups', 'points']}).map((f) => f.properties)"
        groups = ask(page, shown)
        assert len(groups) < 40 and sum(group.get("point_count", 1) for group in groups) == 144
        assert all(group["open"] == group["point_count"] for group in groups if "point_count" in group)
        middle = page.locator("#map .map-stage").bounding_box()
        page.mouse.click(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
        until(page, f"async () => {MAP}.getZoom() > 11")
        assert "lon=" not in page.url
        ask(page, "map.jumpTo({zoom: 14})")
        settle(page)
        assert all("point_count" not in point for point in ask(page, shown))


def test_a_tap_beside_all_points_sends_the_place(visit: Visit, site: MapSite) -> None:
    at = site.points.geometry.iloc[0]
    page = visit(f"/find?centre={at.x},{at.y}")
    ask(page, "map.jumpTo({zoom: 17})")
    settle(page)
    x, y = spot(page, site.points["code"][0], site)
    want = ask(page, "map.unproject([map.project(given).x + 90, map.project(given).y + 70]).toArray()", [at.x, at.y])
    page.mouse.click(x + 90, y + 70)
    page.wait_for_url("**/find?lon=*&lat=*")
    sent = [float(part.partition("=")[2]) for part in page.url.partition("?")[2].split("&")]
    assert sent == pytest.approx(want, abs=2e-5)  # a pixel is a metre


def test_a_place_is_chosen_by_keyboard_alone(visit: Visit, site: MapSite) -> None:
    at = site.points.geometry.iloc[0]
    page = visit(f"/find?centre={at.x},{at.y}")
    page.locator("#here").focus()
    while page.evaluate("document.activeElement.tagName") != "CANVAS":
        page.keyboard.press("Tab")
    assert page.locator(".map-crosshair").is_visible()
    page.keyboard.press("ArrowRight")
    settle(page)
    lon, lat = ask(page, "map.getCenter().toArray()")
    assert lon > at.x + 1e-4
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/find?lon={lon:.6f}&lat={lat:.6f}")


def test_the_place_of_the_device_is_asked_only_on_request(visit: Visit) -> None:
    here = {"longitude": 118.0, "latitude": 31.0}
    page = visit("/find", geolocation=here, permissions=["geolocation"])
    page.evaluate(
        "() => { const ask = navigator.geolocation.getCurrentPosition.bind(navigator.geolocation); window.asked = 0;"
        " navigator.geolocation.getCurrentPosition = (...a) => { window.asked += 1; ask(...a); }; }"
    )
    ask(page, "map.panBy([40, 0])")
    settle(page)
    assert page.evaluate("window.asked") == 0
    page.click("#here")
    page.wait_for_url("**/find?lon=118.000000&lat=31.000000")


def test_a_refused_place_is_said_and_nothing_sent(visit: Visit) -> None:
    page = visit("/find", permissions=[])
    page.click("#here")
    page.wait_for_selector("[role=status]")
    assert page.inner_text("[role=status]") == LABELS["noposition"]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_moving_the_map_under_the_crosshair_writes_the_place_and_says_the_street(
    visit: Visit, site: MapSite, size: tuple[int, int]
) -> None:
    at = site.points.geometry.iloc[0]
    page = visit(f"/report?centre={at.x},{at.y}", size)
    assert (page.input_value("#lon"), page.input_value("#lat")) == ("", ""), "nobody has chosen yet"
    page.get_by_role("button", name=LABELS["zoomin"], exact=True).click()
    settle(page)
    assert page.input_value("#lon") == "", "a closer look is no choice"
    frame = page.locator("#map .map-stage").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 30, steps=5)
    page.mouse.up()
    settle(page)
    centre = ask(page, "map.getCenter().toArray()")
    assert [float(page.input_value("#lon")), float(page.input_value("#lat"))] == pytest.approx(centre, abs=1e-6)
    assert centre[0] > at.x and centre[1] < at.y
    assert page.get_attribute(".map-said", "aria-live") == "polite"
    assert page.inner_text(".map-said").startswith("准星在")
    cross = page.locator(".map-crosshair").bounding_box()
    assert cross["x"] + cross["width"] / 2 == pytest.approx(x, abs=1)
    assert cross["y"] + cross["height"] / 2 == pytest.approx(y, abs=1)


def test_a_touched_point_that_the_list_does_not_hold_opens_its_page(visit: Visit, site: MapSite) -> None:
    at, code = site.points.geometry.iloc[-1], site.points["code"].iloc[-1]
    assert len(site.points) > 12
    page = visit(f"/find?centre={at.x},{at.y}")
    page.mouse.click(*spot(page, code, site))
    page.wait_for_url(f"**/points/{code}")


def test_the_way_from_here_to_a_point_starts_at_the_device(visit: Visit, site: MapSite) -> None:
    at = site.points.geometry.iloc[0]
    here = {"longitude": at.x + 0.001, "latitude": at.y}
    page = visit(f"/point?centre={at.x},{at.y}", geolocation=here, permissions=["geolocation"])
    page.click("#here")
    page.wait_for_url(f"**/route?lon={at.x + 0.001:.6f}&lat={at.y:.6f}")


def test_one_point_has_one_mark(visit: Visit, site: MapSite) -> None:
    at = site.points.geometry.iloc[0]
    page = visit(f"/point?centre={at.x},{at.y}&state=closed")
    drawn = ask(page, "map.queryRenderedFeatures({layers: ['points']}).map((f) => f.properties.state)")
    assert set(drawn) == {"closed"} and len(drawn) == 1


def test_the_way_to_walk_is_drawn_whole(visit: Visit, site: MapSite) -> None:
    page = visit("/route?route=/route.geojson&state=open", PHONE)
    line = json.loads(site.files["/route.geojson"])["features"][0]["geometry"]["coordinates"]
    assert ask(page, "map.queryRenderedFeatures({layers: ['route']}).length") > 0
    assert ask(page, "given.every((place) => map.getBounds().contains(place))", line)
    assert seen(page, "points", "state") == {"open"}


def test_a_base_map_lies_under_all(visit: Visit, site: MapSite) -> None:
    asked = len(site.asked)
    page = visit("/find?base=/basemap/{z}/{x}/{y}")
    assert any(path.startswith("/basemap/") for path in site.asked[asked:])
    assert ask(page, "map.getStyle().layers.slice(0, 2).map((layer) => layer.id)") == ["ground", "base"]


def test_points_are_drawn_where_tiles_are_missing(visit: Visit, site: MapSite) -> None:
    page = visit("/find?tiles=/tiles/none.pmtiles")
    assert seen(page, "points") == set(site.points["code"])
    # the browser itself notes an answer of 404; there is no exception and nothing else
    assert {fault.partition(" 404")[0] for fault in page.faults} <= {
        "console: Failed to load resource: the server responded with a status of"
    }
    page.faults.clear()


def test_the_list_remains_where_the_browser_cannot_draw(playwright: Any, site: MapSite) -> None:
    with (
        playwright.chromium.launch(executable_path=chromium(), args=NO_WEBGL) as browser,
        visiting(browser, site) as visit,
    ):
        page = visit("/find", PHONE, ready="none")
        assert page.inner_text("#map") == LABELS["nomap"]
        assert page.locator("li[data-code]").count() == 12
        page.hover("li[data-code]")


def test_without_scripts_the_page_says_where_the_list_is(browser: Any, site: MapSite) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}/find")
    assert page.inner_text("#map") == LABELS["nomap"]
    assert not page.locator("#here").is_visible()
    context.close()
