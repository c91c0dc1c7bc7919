"""Workbook and GeoPackage: complete, harmless, repeatable, readable by others."""

import gc
import sqlite3
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest

from tests.web.conftest import HOSTILE
from web import drawing, tables, workbook
from web.columns import column
from web.drawing import CoverageDrawing

Draw = Callable[..., CoverageDrawing]


def read(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


def column_of(sheet: openpyxl.worksheet.worksheet.Worksheet, heading: str) -> list[object]:
    (found,) = [c for c in sheet.iter_cols() if str(c[0].value).endswith(heading)]
    return [cell.value for cell in found[1:]]


@pytest.fixture
def book(draw: Draw, tmp_path: Path) -> openpyxl.Workbook:
    tables.coverage_workbook(draw(), tmp_path / "coverage.xlsx")
    return read(tmp_path / "coverage.xlsx")


def test_the_workbook_has_a_sheet_for_each_table_with_bilingual_headings(book: openpyxl.Workbook) -> None:
    assert book.sheetnames == ["摘要 Summary", "区域 Areas", "最长缺口 Gaps", "路段 Segments", "说明 Notes"]
    for sheet in book:
        assert sheet.freeze_panes in {"A2", "C2"}
        for cell in sheet[1]:
            assert any(ord(c) > 0x2E7F for c in cell.value) and any(c.isascii() and c.isalpha() for c in cell.value)


def test_times_are_minutes_streets_kilometres_and_shares_percent(book: openpyxl.Workbook) -> None:
    areas = book["区域 Areas"]
    assert column_of(areas, "mean time (min)")[0] == pytest.approx(400 / 60)
    assert column_of(areas, "streets (km)")[0] == pytest.approx(40)
    shares = column_of(areas, "people within 15 min (%)")
    assert shares[:4] == pytest.approx([0.5, 0.5, 1.0, 0.25])
    assert shares[5] is None, "nobody lives there, so there is no share"
    assert {c.number_format for c in areas["A"]} >= {"@"}
    (percent,) = [c for c in areas.iter_cols() if str(c[0].value).endswith("people within 15 min (%)")]
    assert percent[1].number_format == "0.0%"


def test_the_summary_says_how_much_of_the_city_is_covered(book: openpyxl.Workbook) -> None:
    said = {row[0].value: row[1].value for row in book["摘要 Summary"].iter_rows(min_row=2)}
    assert said["城市 City"] == "临江市" and said["人口 People"] == "4,000"
    # the toy's subdistricts: 1000, 500 and 500 of 4,000 people
    assert said["15 分钟内 within 15 min：人口 people"] == "50.0%"
    values = " ".join(str(row[1].value) for row in book["摘要 Summary"].iter_rows(min_row=2))
    assert "虚构" in values and "近似" in values


def test_no_cell_of_any_sheet_is_a_formula(book: openpyxl.Workbook) -> None:
    values = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in values)
    texts = {cell.value: cell for cell in values if isinstance(cell.value, str)}
    for text in ("=1+1", "=HYPERLINK(1)"):
        assert texts[text].quotePrefix, "editing the cell must not turn it into a formula"
    assert HOSTILE in texts


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(A1)", "\t=1", "a\x00b", "\ufffe", "很" * 100, ""])
def test_any_text_can_be_written_and_read_back(tmp_path: Path, text: str) -> None:
    workbook.write({"s": pd.DataFrame({"name": [text, "z"]})}, tmp_path / "t.xlsx")
    cell = read(tmp_path / "t.xlsx")["s"]["A2"]
    assert cell.data_type != "f"
    assert (cell.value or "") == "".join(c for c in text if c == "\t" or (c >= " " and c != "\ufffe"))


def test_numbers_that_do_not_exist_are_empty_cells(tmp_path: Path) -> None:
    table = pd.DataFrame({"people": [1.0, np.nan, np.inf], "mixed": ["a", np.nan, 3]})
    workbook.write({"s": table}, tmp_path / "t.xlsx")
    sheet = read(tmp_path / "t.xlsx")["s"]
    assert [c.value for c in sheet["A"][1:]] == [1, None, None]
    assert [c.value for c in sheet["B"][1:]] == ["a", None, 3]


def test_the_same_result_gives_the_same_bytes(draw: Draw, tmp_path: Path) -> None:
    for name, write in (("x.xlsx", tables.coverage_workbook), ("x.gpkg", tables.coverage_package)):
        write(draw(), tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(draw(), tmp_path / name)
        assert (tmp_path / name).read_bytes() == first, name


def test_rows_too_many_for_a_sheet_are_named_in_the_notes(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = draw()
    wide = len(what.areas.columns) + 2 * len(what.thresholds_s)
    monkeypatch.setattr(tables, "MAX_CELLS", wide * 6)
    monkeypatch.setitem(drawing.LEVEL_NAMES, "community", ("社区", "community"))
    tables.coverage_workbook(draw(segments=pd.concat([what.segments] * 30)), tmp_path / "c.xlsx")
    book = read(tmp_path / "c.xlsx")
    assert "路段 Segments" not in book.sheetnames
    assert len(column_of(book["区域 Areas"], "code")) == 6, "grid cells are left out"
    said = " ".join(str(c.value) for row in book["说明 Notes"].iter_rows() for c in row)
    assert "360 segments are in the GeoPackage" in said and "grid cell" in said


def test_the_package_holds_areas_segments_and_points_with_geometry(draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "coverage.gpkg"
    tables.coverage_package(draw(), path)
    layers = {str(name): kind for name, kind in pyogrio.list_layers(path)}
    assert list(layers)[:3] == ["areas", "segments", "points"]
    areas = gpd.read_file(path, layer="areas")
    assert areas.crs == "EPSG:4326"
    assert list(areas["code"]) == ["320102001000", "320102002000", "320102003000", "320102004000"]
    assert areas["share_900"].tolist()[:3] == pytest.approx([1.0, 0.25, 0.5]) and np.isnan(areas["share_900"][3])
    segments = gpd.read_file(path, layer="segments")
    assert len(segments) == 12 and segments["longest_s"].isna().sum() == 1
    points = gpd.read_file(path, layer="points")
    assert points.set_index("code")["withheld"].to_dict()["SP3"], "planners see withheld points, flagged"
    assert {"areas_city", "areas_district", "areas_grid_cell"} <= layers.keys()


def test_every_row_of_the_package_has_one_colour_in_its_style(draw: Draw, tmp_path: Path) -> None:
    path = tmp_path / "coverage.gpkg"
    tables.coverage_package(draw(), path)
    with sqlite3.connect(path) as db:
        styles = dict(db.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault"))
        assert {"areas", "segments"} <= styles.keys()
        for layer, style in styles.items():
            root = ElementTree.fromstring(style)
            rules = root.findall(".//rule")
            symbols = {s.get("name") for s in root.findall(".//symbol")}
            assert {r.get("symbol") for r in rules} == symbols
            counts = [
                db.execute(f'SELECT count(*) FROM "{layer}" WHERE {r.get("filter")}').fetchone()[0] for r in rules
            ]
            assert sum(counts) == db.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0], layer
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_result_without_points_or_extra_tables_is_still_written(draw: Draw, tmp_path: Path) -> None:
    bare = draw(points=draw().points.iloc[:0], tables={}, notes=())
    tables.coverage_package(bare, tmp_path / "c.gpkg")
    tables.coverage_workbook(bare, tmp_path / "c.xlsx")
    none = gpd.GeoDataFrame({"code": [], "name": [], "level": []}, geometry=[], crs=4326)
    for write, name in ((tables.coverage_package, "d.gpkg"), (tables.coverage_workbook, "d.xlsx")):
        write(draw(areas=none, tables={}), tmp_path / name)
    assert "points" not in {name for name, _ in pyogrio.list_layers(tmp_path / "c.gpkg")}


def test_an_unknown_column_keeps_its_name() -> None:
    assert column("something_new").heading == "something_new"
    assert column("covered_people_450").heading == "7.5 分钟内人口\npeople within 7.5 min"


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_workbook_that_cannot_be_written_leaves_nothing_half_open(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        workbook.write({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"y": ["z"]})}, tmp_path)
    gc.collect()
