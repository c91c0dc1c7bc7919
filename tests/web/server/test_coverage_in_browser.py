"""A planner looks at coverage in Chromium: by tier, service and hour of the week, on the map, as table and as file."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl

from layers.hours import HourOfWeek
from planner.coverage_question import CoverageQuestion
from planner.runs import run_coverage
from tests.web.server.chromium import whole
from tests.web.server.planner_site import Site, downloaded, drawn, figures, page, site

__all__ = ["page", "site"]
#: The colour of each area of the first map, as its class of share.
GRADES = """async (codes) => {
  const { map } = (await (await import('/static/clock.js')).drawn)[0];
  return Object.fromEntries(codes.map((code) => [code, map.getFeatureState({ source: 'areas', id: code }).grade]));
}"""
#: How many streets of gaps a map holds.
GAPS = "async () => (await (await import('/static/clock.js')).drawn)[0].map.querySourceFeatures('gaps').length"
#: Wednesday 03:00: few points are open.
HOUR = 51


def test_coverage_of_one_service_is_a_map_a_table_and_files(page: Any, site: Site) -> None:
    wide = page.viewport_size["width"] > 600
    service, tier = ("guidance", "community") if wide else ("reporting", "district")
    page.goto(f"{site.url}/staff/coverage")
    page.select_option("#function", service)
    page.select_option("#level", tier)
    page.locator(".coverage-ask button").click()
    page.wait_for_selector("text=这个问题还没有算过")
    whole(page)
    page.click("text=按现在的数据计算")
    page.wait_for_selector("text=排队中")
    site.answer_newest()
    drawn(page)  # the page has looked again by itself
    assert page.input_value("#function") == service and page.input_value("#level") == tier
    whole(page)
    if page.locator("a", has_text="全部 ").count():
        page.locator("a", has_text="全部 ").click()
        drawn(page)

    seen = figures(page)
    rows = {row["code"]: row for row in table_of(downloaded(page, "下载 CSV"))}
    assert set(seen) == set(rows) and len(seen) == len(site.store.load("areas", tier))
    for code, (people, covered, share, *_) in seen.items():
        assert people == f"{float(rows[code]['people']):,.0f}"
        assert covered == f"{float(rows[code]['covered_people']):,.0f}"
        assert share == (f"{float(rows[code]['share']) * 100:.1f} %" if rows[code]["share"] else "—")
    assert page.evaluate(GRADES, list(rows)) == {code: grade(row["share"]) for code, row in rows.items()}
    book = openpyxl.load_workbook(downloaded(page, "下载表格 XLSX"), read_only=True)
    cells = {str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row}
    package = downloaded(page, "下载 GeoPackage")
    codes = [set(gpd.read_file(package, layer=name).get("code", ())) for name in gpd.list_layers(package)["name"]]
    assert set(rows) <= cells and any(set(rows) <= of for of in codes)


def table_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))


def grade(share: str) -> int:
    """Return the class of five that a share falls into, the upper end included; -1 for none."""
    return sum(round(float(share), 9) > edge for edge in (0.2, 0.4, 0.6, 0.8)) if share else -1


def test_the_clock_moves_map_and_table_and_an_area_shows_its_gaps_of_that_hour(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/staff/coverage")
    drawn(page)
    assert page.locator("#clock-said").inner_text() == "不看时刻"
    at_any = figures(page)
    page.focus("#clock-hour")
    for _ in range(HOUR):
        page.keyboard.press("ArrowRight")
    assert page.locator("#clock-said").inner_text() == "周三 03:00"
    assert page.get_attribute("#clock-hour", "aria-valuetext") == "周三 03:00"
    moved = figures(page)
    assert moved != at_any
    whole(page)
    page.locator(".coverage-ask button").click()  # the form keeps the hour; the server's figures are the same
    page.wait_for_url(f"**hour={HOUR}*")
    drawn(page)
    assert figures(page) == moved
    the_week_goes_by(page)

    # the hour that the slider says goes along to an area, from the table and from the map
    move_to_the_night(page)
    page.locator("tr[data-area] a").first.click()
    page.wait_for_url("**area=*")
    assert f"hour={HOUR}" in page.url
    drawn(page)
    assert page.evaluate(GAPS) >= 1
    assert gaps(page) == gaps_of_a_run(site, page.get_attribute("tr.chosen", "data-area"))
    assert "只算周三 03:00开放的点位" in page.locator("#gaps").inner_text()
    whole(page)
    before = page.url
    page.locator("#map").click()  # the chosen area lies in the middle of it
    page.wait_for_url("**#gaps")
    drawn(page)
    assert page.locator("#gaps li").count() >= 1 and "area=" in before


def the_week_goes_by(page: Any) -> None:
    """Let the clock run for a moment, and stop it."""
    page.click("#clock-play")
    page.wait_for_selector("#clock-said:text('周三 04:00')")
    page.click("#clock-play")
    assert page.locator("#clock-play").inner_text() == "播放一周"


def move_to_the_night(page: Any) -> None:
    page.fill("#clock-hour", str(HOUR))
    assert page.locator("#clock-said").inner_text() == "周三 03:00"


def gaps(page: Any) -> list[str]:
    return [text.replace("\n", " ") for text in page.locator("#gaps li span").all_inner_texts()]


def gaps_of_a_run(site: Site, code: str) -> list[str]:
    """Return in the page's words the gaps of an area as a run that names the hour finds them."""
    at = HourOfWeek(HOUR // 24, HOUR % 24 * 60)
    table = run_coverage(site.store, replace(CoverageQuestion(), at=at)).tables["gaps"]
    own = table[table["code"] == code].sort_values(["people", "gap_m"], ascending=False, kind="stable")
    return [
        f"{row.gap_m:,.0f} 米走不到，沿线 {row.people:,.0f} 人，"
        + ("走不到任何点位" if row.longest_s != row.longest_s else f"最远处要走 {row.longest_s / 60:.0f} 分钟")
        for row in own.itertuples()
    ]
