"""A planner in Chromium: points added, moved, closed and upgraded on a scenario's map, and two set side by side."""

from typing import Any

import openpyxl
import pytest

from layers.accounts import credentials
from layers.scenario_content import entries_from
from layers.scenarios import content_of, history, points_before, scenarios
from tests.web.server.chromium import follow, until, whole
from tests.web.server.planner_site import Site, downloaded, drawn, figures, page, site
from tests.web.server.scenario_world import scenario_with_changes

__all__ = ["page", "site"]
#: A map's box on the page, and its MapLibre map: the page's own module, asked for again.
MAPS = "async () => (await (await import('/static/clock.js')).drawn)"
#: How many points a scenario's map draws in each state.
STATES = """async () => {
  const { map } = (await (await import('/static/clock.js')).drawn)[0];
  const { features } = await map.getSource('dots').getData();
  const count = (state) => features.filter(({ properties }) => properties.state === state).length;
  return ['added', 'moved', 'changed', 'closed'].map(count);
}"""


def test_points_change_in_a_scenario_and_never_in_the_layer(page: Any, site: Site) -> None:
    live = site.store.current()["service-points", ""]
    page.goto(f"{site.url}/staff/scenarios")
    page.fill("[name=name]", "浏览器里的方案")
    page.locator("main form button").click()
    drawn(page)
    number = int(page.url.rsplit("/", 1)[1])
    press_map(page)
    assert page.input_value("#add-lon") == page.input_value("#move-lon") != ""
    move_a_point(page)
    add_a_point(page)
    drawn(page)
    effect = page.locator("table.figures td:last-child").all_inner_texts()
    assert len(effect) == 6 and any(text != "0" for text in effect), "what it changes is said at once"
    whole(page)
    change(page, "关闭点位", "close", 3)
    change(page, "提升点位", "upgrade", 4, lambda form: form.locator("[value=temporary_service]").check())
    change(page, "改开放时间", "hours", 5, lambda form: form.locator("[name=hours]").fill("24/7"))
    drawn(page)
    assert page.evaluate(STATES) == [1, 1, 2, 1]
    assert [one.action for one in history(site.store, number)] == ["move", "add", "close", "upgrade", "hours"]
    whole(page)
    page.locator("button", has_text="撤销第 5 项").click()
    page.wait_for_selector("li.undone:has-text('改开放时间')")
    assert len(changes_of(site, number)) == 4
    assert site.store.current()["service-points", ""] == live


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


def move_a_point(page: Any) -> None:
    """Move the first point to where the map was pressed."""
    page.locator("summary", has_text="移动点位").click()
    page.select_option("#move-code", index=1)
    page.locator("[data-tool=move] button").click()
    page.wait_for_selector("text=第 2 版")


def add_a_point(page: Any) -> None:
    """Add one where the map is pressed: the form of it opens by itself."""
    drawn(page)
    press_map(page)
    page.fill("#add-name", "夜间点")
    page.fill("#add-hours", "每天 20:00-次日6:00")
    page.locator("[data-tool=add] button").click()
    page.wait_for_selector("text=第 3 版")


def change(page: Any, words: str, action: str, point: int, fill: Any = lambda form: None) -> None:
    """Change another point by its form."""
    before = page.locator("ol.history li").count()
    page.locator("summary", has_text=words).click()
    page.select_option(f"#{action}-code", index=point)
    form = page.locator(f"details:has(#{action}-code)")
    fill(form)
    form.locator("button").click()
    page.wait_for_selector(f"ol.history li >> nth={before}")


def changes_of(site: Site, number: int) -> list[Any]:
    return sorted(entries_from(content_of(site.store, number)), key=lambda entry: str(entry["action"]))


def test_two_scenarios_are_compared_side_by_side(page: Any, site: Site) -> None:
    known = credentials(site.store, "planner")
    assert known is not None
    one, other = (scenario_with_changes(site.store, known.account, name) for name in ("冬季方案", "春季方案"))
    keep_less_of_the_other(page, site, other.id)
    page.goto(f"{site.url}/staff/scenarios")
    follow(page.locator(f"a[href*='b={one.id}']", has_text="与现状对照"))
    assert page.locator("h1").inner_text() == f"现状 → {one.name}"
    page.select_option("#a", str(other.id))
    page.locator("button", has_text="对照").click()
    page.wait_for_url(f"**a={other.id}*")
    for _ in range(2):  # neither has been measured yet
        page.locator("button", has_text="按现在的数据计算").first.click()
        page.wait_for_selector("text=排队中")
        site.answer_newest()
        follow(page.locator("a", has_text="看看好了没有"))
    drawn(page, "#map-b")
    whole(page)
    the_maps_move_together(page)
    page.focus("#clock-hour")
    page.keyboard.press("ArrowRight")
    for cells in figures(page).values():
        was, is_now, difference = (int(text.replace(",", "").replace("+", "")) for text in cells[:3])
        assert is_now - was == pytest.approx(difference, abs=1)
    assert page.locator("section:has(#loss-title) li").count() >= 1, "who loses by the point closed is named"
    whole(page)
    the_workbook_says_the_same(page, site, one.id, other.id)


def keep_less_of_the_other(page: Any, site: Site, number: int) -> None:
    """Call a scenario otherwise and take its later changes back, by its page: the point it closed is open again."""
    page.goto(f"{site.url}/staff/scenarios/{number}")
    page.locator("summary", has_text="改名、归档").click()
    page.fill("#name", "只增设和移动")
    page.locator("button", has_text="保存").click()
    page.wait_for_selector("h1:text-is('只增设和移动')")
    for n in (5, 4, 3):
        page.locator("button", has_text=f"撤销第 {n} 项").click()
        page.wait_for_selector(f"li.undone[value='{n}']")
    assert len(changes_of(site, number)) == 2


def view(page: Any, which: int) -> list[float]:
    found: list[float] = page.evaluate(
        f"async (n) => {{ const {{ map }} = (await ({MAPS})())[n]; const {{ lng, lat }} = map.getCenter();"
        " return [lng, lat, map.getZoom()]; }", which,
    )  # fmt: skip
    return found


def the_maps_move_together(page: Any) -> None:
    before = view(page, 0)
    assert view(page, 1) == pytest.approx(before, abs=1e-6)
    page.locator("#map .map-buttons button").first.click()
    until(page, f"async (was) => (await ({MAPS})())[0].map.getZoom() > was + 0.9", arg=before[2])
    assert view(page, 1) == pytest.approx(view(page, 0), abs=1e-6) and view(page, 0) != before


def the_workbook_says_the_same(page: Any, site: Site, one: int, other: int) -> None:
    """Compare the file's changes with what the two scenarios hold, and its subdistricts with those of the store."""
    book = openpyxl.load_workbook(downloaded(page, "下载对照表"))
    told = [row[1] for row in book["改动 Changes"].iter_rows(min_row=2, values_only=True)]
    assert sorted(told) == sorted(str(e["code"]) for number in (one, other) for e in changes_of(site, number))
    codes = {str(row[0]) for row in book["区域 Areas"].iter_rows(min_row=2, values_only=True)}
    assert set(site.store.load("areas", "subdistrict")["code"]) <= codes
    assert len(points_before(site.store, one)) > len(told) and len(scenarios(site.store)) >= 2
