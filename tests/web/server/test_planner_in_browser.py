"""A planner in Chromium: a file in the wrong datum put right and imported, then three sites sought and accepted."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from gis.datum import gcj02_from_wgs84
from layers.scenarios import scenarios
from layers.store import Store
from planner.jobs.runs import JobRunner
from tests.web.server.chromium import DESK, PHONE, until, violations
from tests.web.server.screens import Town, served, sign_in

#: Where the map draws the reading that stands out.
SHOWN = """async () => {
  const map = await (await import('/static/map.js')).drawn;
  return ['wgs84', 'gcj02', 'bd09'].filter((d) => map.getPaintProperty(d, 'circle-radius') === 5).join();
}"""


@pytest.fixture
def address(shown_file: tuple[Path, Town], tmp_path: Path) -> str:
    """The store of a town; what the browser shows depends on no database."""
    shutil.copy(shown_file[0], tmp_path / "town.sqlite")
    return f"sqlite:///{tmp_path / 'town.sqlite'}"


@pytest.fixture
def town(shown_file: tuple[Path, Town], address: str) -> Iterator[Town]:
    with served(address, shown_file[1]) as made:
        yield made


def points_file(store: Store, folder: Path) -> tuple[Path, np.ndarray]:
    """Write 60 points along the streets as a phone's map gives them (GCJ-02, GBK); return where they truly are."""
    lines = store.load("streets").geometry.to_numpy()
    middle = shapely.line_interpolate_point(lines[:: len(lines) // 60][:60], 0.5, normalized=True)
    lon, lat = gcj02_from_wgs84(shapely.get_x(middle), shapely.get_y(middle))
    rows = [f"N{i:02d},便民点{i},{x:.6f},{y:.6f},{'喝茶' if i == 59 else '接待咨询'}"
            for i, (x, y) in enumerate(zip(lon, lat, strict=True))]  # fmt: skip
    path = folder / "高德导出.csv"
    path.write_text("\n".join(["编号,名称,经度,纬度,服务功能", *rows]), "gb18030")
    return path, shapely.get_coordinates(middle)


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_planner_imports_a_file_and_accepts_three_sites(
    browser: Any, town: Town, address: str, tmp_path: Path, size: tuple[int, int]
) -> None:
    store = Store(address)
    path, true = points_file(store, tmp_path)
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    faults: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((town.url, "blob:")) else faults.append(r.url))
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    sign_in(page, town, "planner")

    # a file in the wrong datum: seen on the map, put right, imported
    page.goto(f"{town.url}/staff/import")
    page.select_option("#layer", "service-points")
    page.set_input_files("#file", path)
    page.click("main form button[type=submit]")
    page.wait_for_selector("text=坐标系可能不对")
    page.wait_for_selector("#map[data-ready=true]")
    assert page.evaluate(SHOWN) == "wgs84"
    page.check("input[value=gcj02]")
    until(page, f"async () => (await ({SHOWN})()) === 'gcj02'")
    page.click("text=按这些设置重新预览")
    page.wait_for_selector("text=60 行 = 59 接受 + 1 拒绝")
    assert page.locator("text=坐标系可能不对").count() == 0 and violations(page) == []
    page.click("text=导入这 59 行")
    page.wait_for_selector("text=导入完成")
    points = store.load("service-points").sort_values("code").geometry
    assert np.abs(np.column_stack([points.x, points.y]) - true[:59]).max() < 2e-6

    # three new sites: asked, computed beside the server, read, accepted
    page.goto(f"{town.url}/staff/runs/new/siting")
    page.fill("#minutes", "10")
    page.click("main summary")  # the menu has headings of its own
    page.fill("#seconds", "2")
    page.click("text=开始")
    page.wait_for_url("**/staff/jobs/*")
    with JobRunner(address):
        page.wait_for_selector("text=查看结果", timeout=120_000)
    page.click("text=查看结果")
    page.wait_for_url("**/staff/runs/*")
    page.wait_for_selector("#map-legend:not([hidden])")
    assert "10 分钟内多覆盖" in page.locator(".result").inner_text()
    assert "已证明" in page.locator(".result").inner_text()
    assert violations(page) == []
    page.fill("#name", "三个新点")
    page.click("button:text-is('采纳')")
    page.wait_for_url("**/staff/scenarios/*")
    assert "三个新点" in page.locator("main").inner_text()
    assert scenarios(store)[0].name == "三个新点"
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0 and faults == []
    context.close()
