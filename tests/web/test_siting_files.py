"""Workbook and GeoPackage of a siting result, and all files from a store."""

import json
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest

from gis.errors import QuestionError
from layers.store import Store
from tests.planner import toy_town
from tests.web.conftest import HOSTILE
from tests.web.siting_toy import SECRET_CODE, draw_siting, frontier, no_areas, plan, sites, tables, toy_run
from web import siting_tables
from web.siting_drawing import runner_up_of
from web.siting_files import WRITERS, siting_drawing, write_siting


def book(path: Path, **changed: object) -> openpyxl.Workbook:
    siting_tables.siting_workbook(draw_siting(**changed), path / "site.xlsx")
    return openpyxl.load_workbook(path / "site.xlsx")


def headings(sheet: openpyxl.worksheet.worksheet.Worksheet) -> list[str]:
    return [str(cell.value) for cell in sheet[1]]


def test_the_workbook_tells_everything_in_both_languages(tmp_path: Path) -> None:
    made = book(tmp_path, frontier=frontier(), draws=pd.DataFrame({"draw": [1], "value": [2.0]}))
    assert made.sheetnames == ["摘要 Summary", "点位 Sites", "区域 Areas", "未覆盖 Left out", "权衡 Frontier", "draws",
                               "路段 Segments", "要点 Story", "说明 Notes"]  # fmt: skip
    for sheet in made:
        for words in headings(sheet) if sheet.title != "draws" else []:
            assert any(ord(c) > 0x2E7F for c in words) and any(c.isascii() and c.isalpha() for c in words), words
    said = {row[0].value: row[1].value for row in made["摘要 Summary"].iter_rows(min_row=2)}
    assert said["离最优 From the best"] == "离最优至多差 0.42 % at most 0.42 % from the best possible"
    assert said["目标值 Value"] == "3,200 人 people"
    assert said["10 分钟内人口 people within 10 min"] == "50.0% → 80.0%"
    assert "单独增加（人）\nadds alone (people)" in headings(made["点位 Sites"])
    assert not any(words.startswith("负荷") for words in headings(made["点位 Sites"])), "nobody filled it"


def test_what_sites_add_is_in_the_unit_of_their_own_worth(tmp_path: Path) -> None:
    made = book(tmp_path, plan=plan(problem="equity", unit="share", value=0.4, worth_unit="metres"))
    assert "单独增加（公里）\nadds alone (km)" in headings(made["点位 Sites"])


def test_no_cell_is_a_formula_and_missing_figures_are_empty(tmp_path: Path) -> None:
    hostile = sites().assign(name="=1+1")
    cells = [cell for sheet in book(tmp_path, sites=hostile) for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    assert not {"nan", "inf"} & {str(cell.value) for cell in cells}
    assert HOSTILE in {cell.value for cell in cells}


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, write in (("x.xlsx", siting_tables.siting_workbook), ("x.gpkg", siting_tables.siting_package)):
        write(draw_siting(), tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(draw_siting(), tmp_path / name)
        assert (tmp_path / name).read_bytes() == first, name


def test_the_package_holds_sites_runners_up_gains_and_flagged_points(tmp_path: Path) -> None:
    path = tmp_path / "site.gpkg"
    siting_tables.siting_package(draw_siting(), path)
    layers = {str(name) for name, _ in pyogrio.list_layers(path)}
    assert {"sites", "runners_up", "points", "segments", "areas", "areas_district"} <= layers
    opened = gpd.read_file(path, layer="sites")
    assert opened["code"].tolist() == ["J0", "J1", "J2", "SP1", SECRET_CODE] and opened.crs == "EPSG:4326"
    assert gpd.read_file(path, layer="runners_up")["rank"].tolist() == [1, 2, 3]
    area = gpd.read_file(path, layer="areas").set_index("code")
    assert area.loc["320102001000", "gained_people"] == pytest.approx(300)
    assert area.loc["320102001000", "share_after"] == pytest.approx(0.8)
    assert np.isnan(area.loc["320102004000", "share_after"]), "nobody lives there, so there is no share"
    street = gpd.read_file(path, layer="segments")
    assert street["reach"].tolist()[:4] == ["kept", "new", "beyond", "lost"]
    assert street["gained_m"].tolist()[:4] == [0.0, 3700.0, 0.0, -3700.0]
    assert gpd.read_file(path, layer="points").set_index("code")["withheld"].to_dict()[SECRET_CODE]


def test_a_result_kept_before_runners_up_had_names_is_told_by_their_codes(tmp_path: Path) -> None:
    drawing = draw_siting(sites=sites().drop(columns="runner_up_name"))
    assert next(runner_up_of(site) for site in drawing.shown_sites().to_dict("records")) == "J50"
    siting_tables.siting_package(drawing, tmp_path / "plan.gpkg")
    assert gpd.read_file(tmp_path / "plan.gpkg", layer="runners_up")["runner_up_name"].isna().all()


@pytest.mark.parametrize("after", [0.2, 0.5, 0.8])
def test_every_row_of_the_package_has_one_colour_in_its_style(tmp_path: Path, after: float) -> None:
    path = tmp_path / "site.gpkg"
    what = draw_siting()
    what.areas["people_after"] = what.areas["people"] * np.linspace(after, 1.0, len(what.areas))
    siting_tables.siting_package(what, path)
    with sqlite3.connect(path) as db:
        styles = dict(db.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault"))
        assert {"areas", "segments", "sites", "runners_up"} <= styles.keys()
        for layer, style in styles.items():
            filters = [rule.get("filter") for rule in ElementTree.fromstring(style).findall(".//rule[@filter]")]
            counts = [db.execute(f'SELECT count(*) FROM "{layer}" WHERE {f}').fetchone()[0] for f in filters]
            assert sum(counts) == db.execute(f'SELECT count(*) FROM "{layer}"').fetchone()[0], layer


def test_a_result_without_areas_sites_or_points_is_still_written(tmp_path: Path) -> None:
    bare = {name: table.iloc[:0] for name, table in tables().items() if name not in ("plan", "totals")}
    what = draw_siting(areas=no_areas(), points=draw_siting().points.iloc[:0], **bare)
    siting_tables.siting_package(what, tmp_path / "a.gpkg")
    siting_tables.siting_workbook(what, tmp_path / "a.xlsx")
    assert {str(name) for name, _ in pyogrio.list_layers(tmp_path / "a.gpkg")} >= {"segments", "areas"}


@pytest.fixture
def town(tmp_path: Path) -> Store:
    store = Store(f"sqlite:///{tmp_path / 'town.sqlite'}")
    store.create()
    return toy_town.keep(store, toy_town.layers_of_town())


def test_a_run_of_a_city_is_written_in_every_format_from_one_drawing(town: Store, tmp_path: Path) -> None:
    inputs = {"/".join(filter(None, key)): version.content_sha256 for key, version in town.current().items()}
    streets, west = town.load("streets"), {"code": [toy_town.WEST], "name": ["West"], "level": ["subdistrict"]}
    figures = {f"{what}{side}": [10.0] for what in ("people", "street_m", "reports")
               for side in ("", "_before", "_after")}  # fmt: skip
    reach = pd.DataFrame({"segment_id": streets["segment_id"], "length_m": 100.0, "before_m": 0.0, "after_m": 100.0,
                          "longest_before_s": np.nan, "longest_after_s": 300.0})  # fmt: skip
    run = toy_run(inputs, areas=pd.DataFrame({**west, **figures}), segments=reach)
    told: list[str] = []
    paths = write_siting(town, run, tmp_path / "out", level="community", progress=told.append)
    assert [path.name for path in paths] == told == list(WRITERS) and all(path.stat().st_size for path in paths)
    what = siting_drawing(town, run)
    assert what.level == "subdistrict" and not what.areas.geometry.isna().any()
    assert what.question == ("覆盖最多，步行 10 分钟", "reach the most, 10 min on foot")
    assert set(what.points["code"]) == {"P1", "P2", "P3"}
    gone = toy_run({**inputs, "streets": "0" * 64})
    with pytest.raises(QuestionError, match="pruned"):
        siting_drawing(town, gone)
    assert json.dumps(what.plan, default=float)
