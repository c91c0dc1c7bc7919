"""Importing with a preview, as a planner's browser without a script does it."""

import csv
import io
import re
import zipfile
from typing import Any

import numpy as np
import pytest
import shapely
from apiflask import APIFlask

from gis.datum import gcj02_from_wgs84
from layers.audit import entries
from layers.store import Store
from tests.web.server.planning_world import put_upload
from tests.web.server.staff import CITY, HERE, Browser, add, alert, signed_in, store_of


@pytest.fixture
def planner(app: APIFlask) -> Browser:
    return signed_in(app, add(app, "plan", "planner", CITY))


def sent(browser: Browser, text: str, *, layer: str = "service-points", name: str = "点.csv", encoding: str = "utf-8",
         content: bytes | None = None) -> Any:  # fmt: skip
    """Send a file; return the page of its preview, or the refusal."""
    browser.get("/staff/import")
    file = io.BytesIO(text.encode(encoding) if content is None else content)
    answer = browser.client.post(
        "/staff/import", data={"csrf_token": browser.word, "layer": layer, "file": (file, name)}
    )  # fmt: skip
    return browser.get(answer.location) if answer.status_code == 303 else answer


def address(preview: Any) -> str:
    return str(preview.request.path)


def places(store: Store, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return places on the streets of the town."""
    lines = store.load("streets").geometry.to_numpy()
    middle = shapely.line_interpolate_point(lines[:: max(len(lines) // count, 1)][:count], 0.5, normalized=True)
    return shapely.get_x(middle), shapely.get_y(middle)


def table(lon: np.ndarray, lat: np.ndarray, *, bad: int = 0) -> str:
    """Return a CSV of service points; the first ``bad`` rows offer what there is not."""
    rows = [
        f"N{i:03d},便民点{i},{x:.6f},{y:.6f},{'喝茶' if i < bad else '接待咨询'}"
        for i, (x, y) in enumerate(zip(lon, lat, strict=True))
    ]
    return "\n".join(["编号,名称,经度,纬度,服务功能", *rows])


def test_a_gbk_file_goes_from_preview_to_a_new_version(app: APIFlask, planner: Browser) -> None:
    store = store_of(app)
    before = store.current()["service-points", ""]
    preview = sent(planner, table(*places(store, 40), bad=3), encoding="gb18030")
    assert preview.status_code == 200
    assert "40 行 = 37 接受 + 3 拒绝" in preview.text and "gb18030" in preview.text.lower()
    assert "服务功能的取值无法识别：喝茶" in preview.text and "functions holds an unknown word" in preview.text
    assert "便民点5" in preview.text, "the first rows accepted are shown"
    assert store.current()["service-points", ""] == before
    done = planner.post(address(preview), do="import", datum="wgs84")
    assert done.status_code == 303
    after = store.current()["service-points", ""]
    assert (after.accepted, after.rejected, after.source) == (37, 3, "点.csv")
    told = planner.get(done.location)
    assert f"第 {after.id} 版" in told.text and "重新测算覆盖" in told.text
    assert entries(store, action="import_layer")[0].detail["versions"] == str(after.id)
    assert planner.get(address(preview)).status_code == 404, "imported once and for all"


def test_a_wrong_datum_is_suspected_shown_and_put_right(app: APIFlask, planner: Browser) -> None:
    store = store_of(app)
    lon, lat = places(store, 60)
    preview = sent(planner, table(*gcj02_from_wgs84(lon, lat)))
    assert "坐标系可能不对" in preview.text and "更吻合" in preview.text
    changed = planner.post(address(preview), do="import", datum="gcj02")
    assert changed.location.endswith("?changed=yes"), "what was never previewed is not imported"
    seen = planner.get(changed.location)
    assert "还没有导入" in seen.text and "坐标系可能不对" not in seen.text
    assert planner.post(address(preview), do="import", datum="gcj02").status_code == 303
    points = store.load("service-points").sort_values("code").geometry
    assert np.abs(points.x.to_numpy() - lon).max() < 2e-6 and np.abs(points.y.to_numpy() - lat).max() < 2e-6


def test_the_map_is_given_the_file_in_each_reading(app: APIFlask, planner: Browser) -> None:
    lon, lat = places(store_of(app), 30)
    preview = sent(planner, table(*gcj02_from_wgs84(lon, lat)))
    readings = app.json.loads(re.search(r'data-readings="([^"]+)"', preview.text)[1].replace("&#34;", '"'))  # type: ignore[index]
    assert set(readings) == {"wgs84", "gcj02", "bd09"}
    assert np.abs(np.array(readings["gcj02"]) - np.column_stack([lon, lat])).max() < 3e-6


def test_columns_are_matched_by_hand(app: APIFlask, planner: Browser) -> None:
    text = table(*places(store_of(app), 20)).replace("名称", "叫什么")
    preview = sent(planner, text)
    assert "没有对应的列" in preview.text
    again = planner.post(
        address(preview), **{"do": "look", "datum": "wgs84", "column.name": "=叫什么", "column.functions": "-"}
    )
    seen = planner.get(again.location)
    assert "便民点1" in seen.text and 'value="=叫什么" selected' in seen.text
    fields = {"do": "import", "datum": "wgs84", "column.name": "=叫什么", "column.functions": "-"}
    assert planner.post(address(preview), **fields).status_code == 303
    points = store_of(app).load("service-points")
    assert points["name"].str.startswith("便民点").all()
    assert (points["functions"].str.count(",") == 3).all(), "a column left out counts as said nothing: all four"


def test_a_required_column_missing_can_be_chosen(app: APIFlask, planner: Browser) -> None:
    preview = sent(planner, "谁,做什么\n王某,网格员\n", layer="areas", name="a.csv")
    assert preview.status_code == 200 and "缺少必填列" in alert(preview) and "导入这" not in preview.text


def test_rejected_rows_can_be_taken_away_with_their_reasons(app: APIFlask, planner: Browser) -> None:
    preview = sent(planner, table(*places(store_of(app), 20), bad=4))
    answer = planner.get(f"{address(preview)}/rejected.csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert [row["row"] for row in rows] == ["1", "2", "3", "4"]
    assert all(row["zh"] and row["en"] and row["服务功能"] == "喝茶" for row in rows)


def test_a_row_left_out_is_no_formula_in_a_spreadsheet(app: APIFlask, planner: Browser) -> None:
    lon, lat = places(store_of(app), 1)
    text = f'编号,名称,经度,纬度,服务功能,=1+1\nA,"=HYPERLINK(""http://x"")",{lon[0]:.6f},{lat[0]:.6f},@喝茶,-3\n'
    told = planner.get(f"{address(sent(planner, text))}/rejected.csv").data.decode("utf-8-sig")
    assert not any(cell.startswith(("=", "+", "@")) for row in csv.reader(io.StringIO(told)) for cell in row), told
    assert ",-3" in told, "a number stays one"


def test_a_hostile_file_is_refused_in_the_guards_own_words(app: APIFlask, planner: Browser) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.csv", b"0" * (40 << 20))
    answer = sent(planner, "", name="a.zip", content=bomb.getvalue())
    assert answer.status_code == 422 and "a.zip" in alert(answer)
    assert sent(planner, "", name="").status_code == 422
    assert sent(planner, "x", layer="no-such-layer").status_code == 422


def test_the_limit_is_said_and_kept(app: APIFlask, planner: Browser) -> None:
    assert "12 MB" in planner.get("/staff/import").text
    assert sent(planner, "", content=b"0" * (13 << 20)).status_code == 413


def test_another_accounts_file_does_not_exist(app: APIFlask, planner: Browser) -> None:
    number = put_upload(store_of(app), add(app, "other", "planner", CITY))
    for path in (f"/staff/import/{number}", f"/staff/import/{number}/rejected.csv"):
        answer = planner.get(path)
        assert answer.status_code == 404 and "异地点" not in answer.text
    planner.get("/staff/import")
    for path in (f"/staff/import/{number}", f"/staff/import/{number}/drop"):
        assert planner.post(path, do="import").status_code == 404


def test_a_file_can_be_given_up(app: APIFlask, planner: Browser) -> None:
    preview = sent(planner, table(*places(store_of(app), 5)))
    assert planner.post(f"{address(preview)}/drop").status_code == 303
    assert planner.get(address(preview)).status_code == 404


def test_whose_area_is_a_part_is_told_that_layers_are_the_whole_citys(app: APIFlask) -> None:
    part = signed_in(app, add(app, "part", "planner", HERE))
    page = part.get("/staff/import")
    assert page.status_code == 200 and "只有辖区为全市的账号才能导入" in page.text and 'type="file"' not in page.text
    assert sent(part, "编号,经度,纬度\nA,117.2,30.5\n").status_code == 422


def test_of_a_layer_about_persons_only_numbers_and_reasons_are_shown(app: APIFlask, planner: Browser) -> None:
    text = f"姓名,角色,区划代码,任职日期\n王秘密,网格员,{HERE},2026-01-01\n李秘密,厨师,{HERE},2026-01-01\n"
    preview = sent(planner, text, layer="roster", name="名册.csv")
    assert "2 行 = 1 接受 + 1 拒绝" in preview.text and "涉及个人" in preview.text
    assert "秘密" not in preview.text and "厨师" not in preview.text and "data-readings" not in preview.text
    assert planner.get(f"{address(preview)}/rejected.csv").status_code == 403
    assert planner.post(address(preview), do="import", datum="wgs84").status_code == 303
    assert store_of(app).load("roster")["person"].tolist() == ["王秘密"]
