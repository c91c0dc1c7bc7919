import datetime
import hashlib
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import shapely
from pandas.testing import assert_frame_equal

from gis import datum
from gis.coordinate_columns import coordinate_candidates
from gis.errors import FileRefusedError
from gis.file_writing import dbf_names, write_layers
from gis.files import list_layers, read_table, write_table
from gis.tabular import typed_text
from tests.gis.unguarded_reading import read_here

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # GDAL's remarks on odd text
DAY = datetime.date(2026, 3, 1)


def points() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {
            "name": ["玄武湖救助点", "新街口救助点", "栖霞救助点"],
            "街道代码": ["320102001000", "320102002000", "320113004000"],
            "电话": ["025-83281234", "02584011530", None],
            "capacity": [12.0, np.nan, 30.5],
            "people": [3, 40, 500],
        },
        geometry=shapely.points([118.78123456, 118.79, 118.9], [32.05, 32.06123456, 32.1]),
        crs=4326,
    )


def areas() -> gpd.GeoDataFrame:
    ring = shapely.box(118.78, 32.05, 118.79, 32.06)
    two = shapely.MultiPolygon([shapely.box(118.8, 32.05, 118.81, 32.06), shapely.box(118.82, 32.05, 118.83, 32.06)])
    return gpd.GeoDataFrame({"name": ["玄武湖街道", "梅园新村街道"], "n": [1, 2]}, geometry=[ring, two], crs=4326)


SUFFIXES = [".gpkg", ".geojson", ".shp", ".zip", ".csv", ".xlsx", ".parquet", ".kml"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_points_come_back_as_they_were_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"救助点{suffix}"
    write_table(points(), path, layer="救助点")
    back = read_table(path)

    assert back.layer == "救助点"
    assert back.notes == ()
    given, columns = points(), ["name", "街道代码", "电话", "capacity", "people"]
    renamed = back.table.rename(columns=dict(zip(dbf_names(columns), columns, strict=True)))
    assert_frame_equal(
        pd.DataFrame(renamed[columns]), pd.DataFrame(given[columns]), check_dtype=False, check_column_type=False
    )
    assert shapely.equals_exact(back.table.geometry.to_numpy(), given.geometry.to_numpy(), tolerance=1e-9).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_areas_come_back_as_they_were_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"街道{suffix}"
    write_table(areas(), path)
    back = read_here(path).table
    assert list(back["name"]) == ["玄武湖街道", "梅园新村街道"]
    assert list(back["n"]) == [1, 2]
    assert (
        shapely.area(shapely.symmetric_difference(back.geometry.to_numpy(), areas().geometry.to_numpy())).max() < 1e-12
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_table_gives_the_same_bytes(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = []
    for folder, zone in (("a", "Asia/Shanghai"), ("b", "America/Los_Angeles")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        path = tmp_path / folder / f"点{suffix}"
        write_table(points(), path)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        if suffix == ".xlsx":
            time.sleep(2.1)  # its parts carry times to two seconds
    monkeypatch.undo()
    time.tzset()
    assert digests[0] == digests[1]


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".xlsx", ".parquet"])
def test_days_hours_and_truth_values_keep_their_type(suffix: str, tmp_path: Path) -> None:
    table = gpd.GeoDataFrame(
        {
            "since": [DAY, None],
            "found_at": pd.to_datetime(["2026-03-01 23:59:30", "2026-03-02 00:00:00"]),
            "withheld": [True, False],
        },
        geometry=shapely.points([118.7, 118.8], [32.0, 32.1]),
        crs=4326,
    )
    write_table(table, tmp_path / f"a{suffix}")
    back = read_here(tmp_path / f"a{suffix}").table
    assert back["since"][0] == DAY
    assert pd.isna(back["since"][1])
    assert list(back["found_at"]) == list(table["found_at"])
    assert list(back["withheld"]) == [True, False]


@pytest.mark.parametrize("suffix", [".gpkg", ".csv", ".xlsx", ".parquet"])
def test_a_table_without_geometry_is_a_table(suffix: str, tmp_path: Path) -> None:
    roster = pd.DataFrame({"person": ["甲", "乙"], "area_code": ["320102001000", "320102001001"]})
    write_table(roster, tmp_path / f"a{suffix}")
    back = read_here(tmp_path / f"a{suffix}").table
    assert list(back["person"]) == ["甲", "乙"]
    assert list(back["area_code"]) == ["320102001000", "320102001001"]
    assert back.geometry.isna().all()


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".csv", ".xlsx", ".parquet"])
def test_rows_without_a_place_keep_their_row(suffix: str, tmp_path: Path) -> None:
    table = points()
    table.loc[1, "geometry"] = None
    write_table(table, tmp_path / f"a{suffix}")
    assert list(read_here(tmp_path / f"a{suffix}").table.geometry.isna()) == [False, True, False]


def test_a_layer_in_another_crs_is_written_in_degrees(tmp_path: Path) -> None:
    write_table(points().to_crs(4549), tmp_path / "a.gpkg")
    back = read_here(tmp_path / "a.gpkg").table
    assert shapely.equals_exact(back.geometry.to_numpy(), points().geometry.to_numpy(), tolerance=1e-9).all()


def test_projected_layers_are_brought_to_degrees_with_a_note(tmp_path: Path) -> None:
    points().to_crs(4549).to_file(tmp_path / "a.gpkg")
    back = read_here(tmp_path / "a.gpkg")
    assert [n.en for n in back.notes] == ["transformed from CGCS2000 / 3-degree Gauss-Kruger CM 120E to WGS84"]
    assert shapely.equals_exact(back.table.geometry.to_numpy(), points().geometry.to_numpy(), tolerance=1e-9).all()


def test_a_named_datum_is_undone(tmp_path: Path) -> None:
    shifted = points()
    xy = shapely.get_coordinates(shifted.geometry)
    shifted = shifted.set_geometry(shapely.points(*datum.bd09_from_wgs84(xy[:, 0], xy[:, 1])), crs=4326)
    write_table(shifted, tmp_path / "a.gpkg")
    back = read_table(tmp_path / "a.gpkg", datum="bd09").table
    assert shapely.equals_exact(back.geometry.to_numpy(), points().geometry.to_numpy(), tolerance=1e-9).all()
    with pytest.raises(datum.DatumError):
        read_table(tmp_path / "a.gpkg", datum="mars")


def test_layers_are_listed_in_order_and_read_by_name(tmp_path: Path) -> None:
    write_layers({"街道": areas(), "点": points()}, tmp_path / "a.gpkg")
    assert list_layers(tmp_path / "a.gpkg") == ["街道", "点"]
    assert len(read_table(tmp_path / "a.gpkg", layer="点").table) == 3
    first = read_table(tmp_path / "a.gpkg")
    assert first.layer == "街道"
    assert "点" in first.notes[0].en

    write_layers({"街道": areas(), "点": points()}, tmp_path / "a.xlsx")
    assert list_layers(tmp_path / "a.xlsx") == ["街道", "点"]
    assert read_table(tmp_path / "a.xlsx", layer="点").layer == "点"


def test_a_layer_that_bears_the_files_name_is_found_behind_another(tmp_path: Path) -> None:
    write_layers({"点": points(), "a": areas()}, tmp_path / "a.gpkg")
    assert len(read_here(tmp_path / "a.gpkg", layer="a").table) == 2
    write_table(areas(), tmp_path / "b.geojson")
    assert read_here(tmp_path / "b.geojson", layer="b").layer == "b"


def test_a_format_of_one_layer_refuses_two(tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match="one layer"):
        write_layers({"a": areas(), "b": points()}, tmp_path / "a.geojson")
    with pytest.raises(FileRefusedError, match="one geometry type"):
        write_table(pd.concat([areas(), points()]), tmp_path / "a.shp")
    with pytest.raises(FileRefusedError, match="cannot write"):
        write_table(points(), tmp_path / "a.dxf")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.shp"
    write_table(points(), path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(FileRefusedError):
        write_table(pd.DataFrame({"a": [1]}), path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_named_like_a_formats_own_are_kept(suffix: str, tmp_path: Path) -> None:
    table = areas().assign(fid=[5, 5], geom=["甲", "乙"], location=["东", "西"])
    write_table(table, tmp_path / f"a{suffix}")
    back = read_here(tmp_path / f"a{suffix}").table
    assert list(back["fid"]) == [5, 5]
    assert list(back["geom"]) == ["甲", "乙"]
    assert list(back["location"]) == ["东", "西"]
    assert back.geometry.notna().all()


def test_coordinates_read_from_columns_are_written_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("名称,经度,纬度,lon_gcj02,lat_gcj02\n甲,118.78,32.05,118.7,32.0\n", "utf-8")
    table = read_here(tmp_path / "a.csv").table
    moved = table.set_geometry(table.translate(0.01, 0), crs=4326)
    write_table(moved, tmp_path / "b.csv")
    assert list(pd.read_csv(tmp_path / "b.csv").columns) == ["名称", "lon_gcj02", "lat_gcj02", "lon", "lat"]
    assert read_here(tmp_path / "b.csv").table.geometry[0].x == pytest.approx(118.79)


def test_values_no_format_agrees_on_are_written_as_text(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "kind": pd.Categorical(["甲", "乙"]),
            "zoned": pd.to_datetime(["2026-03-01", "2026-03-02"]).tz_localize("Asia/Shanghai"),
            "maybe": pd.array([1, None], dtype="Int64"),
            "mixed": [1, "a"],
            "lasting": pd.to_timedelta([1, 2], unit="h"),
            "list": [[1, 2], {"甲": None}],
        }
    )
    for suffix in (".gpkg", ".csv", ".xlsx", ".parquet"):
        write_table(table, tmp_path / f"a{suffix}")
        back = read_here(tmp_path / f"a{suffix}").table
        assert list(back["kind"]) == ["甲", "乙"]
        assert list(back["mixed"]) == ["1", "a"]
        assert list(back["list"]) == ["[1, 2]", '{"甲": null}']
        assert back["maybe"][0] == 1


def test_writing_leaves_the_table_as_it_was(tmp_path: Path) -> None:
    table = points()
    for suffix in SUFFIXES:
        write_table(table, tmp_path / f"a{suffix}")
    assert table.equals(points())


def test_shapefile_names_are_cut_between_characters_and_stay_unique() -> None:
    names = dbf_names(["街道办事处名称", "街道办事处代码", "a" * 12, "A" * 12, "a街道办事处"])
    assert names == ["街道办事处", "街道办事_1", "a" * 10, "A" * 8 + "_1", "a街道办事"]
    assert all(len(n.encode("gb18030")) <= 10 for n in names)


def test_shapefiles_say_their_encoding_and_cut_text_between_characters(tmp_path: Path) -> None:
    table = areas().assign(备注=["救助" * 100, ""])
    write_table(table, tmp_path / "a.shp")
    assert (tmp_path / "a.cpg").read_text() == "GB18030"
    assert read_here(tmp_path / "a.shp").table["备注"][0] == "救助" * 63 + "救"


def test_text_that_looks_like_a_formula_is_text_in_a_spreadsheet_and_comes_back(tmp_path: Path) -> None:
    texts = ["=HYPERLINK(1)", "+86 25", "-甲", "@a", "-5", "'quoted"]
    table = pd.DataFrame({"t": texts})
    write_table(table, tmp_path / "a.csv")
    write_table(table, tmp_path / "a.xlsx")
    lines = (tmp_path / "a.csv").read_text("utf-8-sig").splitlines()
    assert lines[1:] == ["'=HYPERLINK(1)", "'+86 25", "'-甲", "'@a", "-5", "'quoted"]
    cells = openpyxl.load_workbook(tmp_path / "a.xlsx").active["A"]
    assert [c.data_type for c in cells] == ["s"] * 7
    for suffix in (".csv", ".xlsx"):
        assert list(read_here(tmp_path / f"a{suffix}").table["t"]) == texts


@pytest.mark.parametrize(
    ("headings", "datum_asked", "expected"),
    [
        (["名称", "经度", "纬度"], "wgs84", (["经度", "纬度"], "lonlat", "")),
        (["LNG", "LAT"], "wgs84", (["LNG", "LAT"], "lonlat", "")),
        (["x", "y", "z"], "wgs84", (["x", "y"], "lonlat", "")),
        (
            ["lon_wgs84_approx", "lat_wgs84_approx"],
            "wgs84",
            (["lon_wgs84_approx", "lat_wgs84_approx"], "lonlat", "wgs84"),
        ),
        (
            ["lon_gcj02", "lat_gcj02", "lon_wgs84", "lat_wgs84"],
            "wgs84",
            (["lon_wgs84", "lat_wgs84"], "lonlat", "wgs84"),
        ),
        (
            ["lon_gcj02", "lat_gcj02", "lon_wgs84", "lat_wgs84"],
            "gcj02",
            (["lon_gcj02", "lat_gcj02"], "lonlat", "gcj02"),
        ),
        (["经度（WGS84）", "纬度（WGS84）"], "wgs84", (["经度（WGS84）", "纬度（WGS84）"], "lonlat", "wgs84")),
        (["百度经度", "百度纬度"], "wgs84", (["百度经度", "百度纬度"], "lonlat", "bd09")),
        (["gcj_lng", "gcj_lat"], "wgs84", (["gcj_lng", "gcj_lat"], "lonlat", "gcj02")),
        (["名称", "坐标"], "wgs84", (["坐标"], "pair", "")),
        (["名称", "高德坐标"], "wgs84", (["高德坐标"], "pair", "gcj02")),
        (["WKT", "a"], "wgs84", (["WKT"], "wkt", "")),
        (["latest", "longest", "地址", "exit", "xylophone"], "wgs84", ([], "", "")),
        (["经度"], "wgs84", ([], "", "")),
    ],
)
def test_coordinate_headings_are_recognised(headings: list[str], datum_asked: str, expected: tuple) -> None:
    found = coordinate_candidates(headings, datum_asked)
    assert (found[0] if found else ([], "", "")) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2"], [1, 2]),
        (["1", ""], [1.0, np.nan]),
        (["1.5", "-2e3"], [1.5, -2000.0]),
        (["012", "345"], ["012", "345"]),
        (["320102001000", "320102002000"], ["320102001000", "320102002000"]),
        (["0.5", "0"], [0.5, 0.0]),
        (["甲", "1"], ["甲", "1"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["", ""], [None, None]),
    ],
)
def test_text_becomes_numbers_only_where_it_is_numbers(texts: list[str], expected: list) -> None:
    result = typed_text(pd.Series(texts, dtype=object))
    assert [None if pd.isna(v) else v for v in result] == [None if pd.isna(v) else v for v in expected]


def test_reading_follows_a_link_the_user_made(tmp_path: Path) -> None:
    write_table(points(), tmp_path / "a.gpkg")
    (tmp_path / "b.gpkg").symlink_to(tmp_path / "a.gpkg")
    assert len(read_here(tmp_path / "b.gpkg").table) == 3


@pytest.mark.realdata
def test_the_files_of_nanjing_are_read_as_they_are(realdata: Path) -> None:
    nanjing = realdata / "nanjing"
    stations = read_table(nanjing / "nanjing_rescue_stations.csv")
    assert len(stations.table) == 7
    assert stations.table.geometry.notna().all()

    tree = read_table(nanjing / "nanjing_admin_tree_2016.csv.gz").table
    assert len(tree) == 1_470
    assert tree["code"].str.len().eq(12).all()

    raw = read_table(nanjing / "nanjing_admin.gpkg", layer="district_gcj02_RAW", datum="gcj02").table
    true = read_table(nanjing / "nanjing_admin.gpkg", layer="district").table
    assert len(raw) == len(true) == 11
    assert raw.union_all().centroid.distance(true.union_all().centroid) * 111_320 < 5
    assert len(read_table(nanjing / "nanjing_streets.gpkg", layer="edges").table) == 43_644


@pytest.mark.realdata
def test_an_invalid_boundary_of_jinan_is_mended_with_a_note(realdata: Path) -> None:
    file = realdata / "jinan" / "jinan_admin.gpkg"
    reads = [read_here(file, layer=name) for name in list_layers(file)]
    assert all(r.table.geometry.dropna().is_valid.all() for r in reads)
