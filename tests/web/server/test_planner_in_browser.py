"""A planner in Chromium: sites sought, ended early, compared, accepted; a week of patrols; hotspots; files imported."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import shapely

from gis.datum import gcj02_from_wgs84
from layers.scenarios import scenarios
from layers.store import Store
from planner.jobs.runs import JobRunner
from tests.web.server.chromium import follow, until, whole
from tests.web.server.planner_site import Site, drawn, page, site

__all__ = ["page", "site"]
#: Where the map of an import draws the reading that stands out.
SHOWN = """async () => {
  const map = await (await import('/static/map.js')).drawn;
  return ['wgs84', 'gcj02', 'bd09'].filter((d) => map.getPaintProperty(d, 'circle-radius') === 5).join();
}"""
#: A district of the town with few on duty: its week is soon planned.
DISTRICT = "990103000000"


@pytest.fixture(scope="module")
def runner(site: Site) -> Iterator[JobRunner]:
    """What answers jobs beside the server."""
    with JobRunner(site.address) as running:
        yield running


def start(page: Any, site: Site, form: str, *, seconds: str = "", **answers: str) -> None:
    """Fill a form of a run in and send it; afterwards its job is on the page."""
    page.goto(f"{site.url}/staff/runs/new/{form}")
    page.locator("main summary").click()  # the menu has headings of its own
    if seconds:
        page.fill("#seconds", seconds)
    for name, value in answers.items():
        box = page.locator(f"#{name}")
        box.select_option(value) if box.evaluate("(e) => e.matches('select')") else box.fill(value)
    whole(page)
    page.click("form.asked-form button[type=submit]")
    page.wait_for_url("**/staff/jobs/*")


def result(page: Any) -> None:
    """Wait for the result of the job on the page, and open it."""
    page.wait_for_selector("text=查看结果", timeout=300_000)
    follow(page.locator("text=查看结果"))
    page.wait_for_selector("#map-legend:not([hidden])")


def whence(page: Any, site: Site) -> None:
    """Fail where a result does not say how good it is, which run it is, and of which data."""
    run = site.store.run(page.url.rsplit("/", 1)[1])
    assert len(page.locator(".result").inner_text().partition("有多可靠：")[2]) > 4
    origin = page.locator("section:has(#origin)")
    origin.locator("summary").click()
    assert run.id in origin.inner_text() and run.software in origin.inner_text()
    read = origin.locator("li").all_inner_texts()
    known = site.store.current()["streets", ""]
    assert len(read) == len(run.inputs) and any(known.source in text for text in read)
    whole(page)


def test_a_search_is_followed_ended_early_and_compared_with_a_proven_plan(
    page: Any, site: Site, runner: JobRunner
) -> None:
    # fairness among areas with so many points among thousands of places: not proven for many minutes
    start(page, site, "siting?problem=equity", seconds="600", count="30", minutes="5", candidates="midpoints")
    page.wait_for_selector("progress.job-bar")
    page.wait_for_selector(".job-figures:has-text('已证明至少')", timeout=300_000)
    assert "目前最好" in page.locator(".job-figures").inner_text()
    assert "第 " in page.locator(".job-now").inner_text() and page.locator(".job-log li").count() >= 3
    whole(page)
    page.click("text=取消任务")
    page.wait_for_selector("text=已提前结束，保留了当时最好的结果", timeout=120_000)
    result(page)
    whence(page, site)

    start(page, site, "siting", seconds="2", minutes="10")
    result(page)
    assert "10 分钟内多覆盖" in page.locator(".result").inner_text()
    assert "已证明" in page.locator(".result").inner_text()
    whence(page, site)
    mine = page.url
    follow(page.locator("text=与另一个方案比较"))
    assert page.locator("main table tbody tr").count() >= 3 and page.locator("dl.facts dd").count() == 2
    whole(page)
    page.goto(mine)
    page.fill("#name", "三个新点")
    page.click("button:text-is('采纳')")
    page.wait_for_url("**/staff/scenarios/*")
    drawn(page)
    assert "三个新点" in page.locator("main").inner_text()
    assert scenarios(site.store)[0].name == "三个新点"
    whole(page)


def test_a_week_of_patrols_is_started_and_read(page: Any, site: Site, runner: JobRunner) -> None:
    start(page, site, "patrol", seconds="0", date="2026-03-30", within=DISTRICT)
    result(page)
    nights = {f"2026-{day}" for day in ("03-30", "03-31", "04-01", "04-02", "04-03", "04-04", "04-05")}
    run = site.store.run(page.url.rsplit("/", 1)[1])
    assert set(run.tables["plan"]["date"].astype(str)) == nights
    whence(page, site)


def test_hotspots_say_how_sure_they_are_and_where_nobody_looked(page: Any, site: Site, runner: JobRunner) -> None:
    start(page, site, "hotspot-map", permutations="99")
    result(page)
    start(page, site, "hotspot-forecast")
    result(page)
    start(page, site, "hotspot-backtest", origins="3")
    page.wait_for_selector("text=查看结果", timeout=300_000)

    page.goto(f"{site.url}/staff/hotspots")
    page.wait_for_selector("#map-legend:not([hidden])")
    text = page.locator("main").inner_text()
    assert "不明" in text and "没人去看，不等于没有人" in text and "–" in page.locator("main table").first.inner_text()
    whole(page)
    follow(page.locator("main .chip:text-is('下一周')"))
    page.wait_for_selector("#map-legend:not([hidden])")
    tables = page.locator("main table").all_inner_texts()
    assert any(re.search(r"\(\d[\d.,]*–\d", table) for table in tables), "an interval beside each figure"
    whole(page)
    follow(page.locator("main .chip:text-is('预测准不准')"))
    page.wait_for_selector("figure.chart polyline.own")
    methods = page.locator("figure.chart polyline").count()
    assert page.locator("figure.chart .legend li").count() == methods + 1
    assert len(page.get_attribute("figure.chart polyline.own", "points").split()) == 3, "the months tested"
    whole(page)


def points_file(store: Store, folder: Path) -> tuple[Path, np.ndarray]:
    """Write 60 points along the streets as a phone's map gives them (GCJ-02, GBK); return where they truly are."""
    lines = store.load("streets").geometry.to_numpy()
    middle = shapely.line_interpolate_point(lines[:: len(lines) // 61][:60], 0.5, normalized=True)
    lon, lat = gcj02_from_wgs84(shapely.get_x(middle), shapely.get_y(middle))
    rows = [f"N{i:02d},便民点{i},{x:.6f},{y:.6f},{'喝茶' if i == 59 else '接待咨询'}"
            for i, (x, y) in enumerate(zip(lon, lat, strict=True))]  # fmt: skip
    path = folder / "高德导出.csv"
    path.write_text("\n".join(["编号,叫法,经度,纬度,服务功能", *rows]), "gb18030")
    return path, shapely.get_coordinates(middle)


def send(page: Any, site: Site, path: Path) -> None:
    page.goto(f"{site.url}/staff/import")
    page.select_option("#layer", "service-points")
    page.set_input_files("#file", path)
    page.click("main form button[type=submit]")
    page.wait_for_url("**/staff/import/*")


def test_a_file_is_put_right_on_the_map_and_imported_once(page: Any, site: Site, tmp_path: Path) -> None:
    path, true = points_file(site.store, tmp_path)
    before = len(site.store.versions())
    send(page, site, path)
    page.wait_for_selector("text=坐标系可能不对")
    page.wait_for_selector("#map[data-ready=true]")
    assert page.evaluate(SHOWN) == "wgs84"
    page.check("input[value=gcj02]")
    until(page, f"async () => (await ({SHOWN})()) === 'gcj02'")
    page.select_option("#encoding", "GB18030")
    page.select_option("#column-name", "=叫法")
    page.click("text=按这些设置重新预览")
    page.wait_for_selector("text=60 行 = 59 接受 + 1 拒绝")
    assert page.locator("text=坐标系可能不对").count() == 0
    assert "服务功能的取值无法识别：喝茶" in page.locator("section:has(#rejected)").inner_text()
    assert "便民点0" in page.locator("section:has(#first-rows)").inner_text()
    whole(page)
    preview = page.url
    page.click("text=导入这 59 行")
    page.wait_for_selector("text=导入完成")
    whole(page)
    points = site.store.load("service-points").sort_values("code")
    assert np.abs(shapely.get_coordinates(points.geometry.to_numpy()) - true[:59]).max() < 2e-6
    assert set(points["name"]) == {f"便民点{i}" for i in range(59)}
    assert len(site.store.versions()) == before + 1
    assert page.goto(preview).status == 404, "imported once and for all"


def test_a_sheet_of_a_workbook_is_chosen_and_nothing_changes_before_the_import(
    page: Any, site: Site, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["说明"])
    book.create_sheet("点位").append(["编号", "名称", "经度", "纬度", "服务功能"])
    book["点位"].append(["A1", "一号点", 117.2, 30.5, "接待咨询"])
    book.save(tmp_path / "台账.xlsx")
    before = site.store.current()
    send(page, site, tmp_path / "台账.xlsx")
    page.select_option("#file_layer", "点位")
    page.click("text=按这些设置重新预览")
    page.wait_for_selector("text=1 行 = ")
    whole(page)
    page.click("button:text-is('放弃')")
    page.wait_for_url("**/staff/import")
    assert site.store.current() == before
    whole(page)
