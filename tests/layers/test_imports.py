"""A file becomes a layer: the made-up ways in which files come, and the real cities."""

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from gis.datum import gcj02_from_wgs84
from gis.errors import FileRefusedError, LamplightError, RecordError
from layers.imports import ImportReport, import_file
from layers.store import Store
from tests.layers.conftest import SOUTH, WEST, frame, square

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)  # noon in the city


def bring(store: Store, layer: str, path: Path, **more: object) -> ImportReport:
    report = import_file(store, layer, path, now=NOW, **more)  # type: ignore[arg-type]
    assert report.given == report.accepted + report.rejected
    assert len(report.rejects) == report.rejected
    return report


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding)
    return path


def test_a_csv_with_chinese_headings_becomes_service_points(store: Store, tmp_path: Path) -> None:
    path = csv(
        tmp_path / "服务点.csv",
        "编号,名称,经度,纬度,服务功能,开放时间\n"
        "A,甲点,118.78,32.04,接待咨询,24小时\n"
        "B,乙点,,,救助引导,周一至周五 8:30-17:30\n"
        "C,丙点,118.79,32.05,喝茶,24小时\n",
    )
    report = bring(store, "service-points", path)
    assert (report.given, report.accepted, report.rejected) == (3, 1, 2)
    assert report.rejects["code"].tolist() == ["no_coordinates", "unknown_word"]
    assert report.rejects["名称"].tolist() == ["乙点", "丙点"]
    point = store.load("service-points").iloc[0]
    assert (point["name"], point["functions"], point["hours"]) == ("甲点", "reception", "24/7")
    assert report.version == store.current()["service-points", ""]
    assert report.version is not None
    assert (report.version.source, report.version.rejected) == ("服务点.csv", 2)
    assert len(report.version.file_sha256) == 64


def test_nothing_accepted_changes_nothing(store: Store, tmp_path: Path) -> None:
    good = bring(store, "service-points", csv(tmp_path / "a.csv", "编号,经度,纬度\nA,118.78,32.04\n"))
    report = bring(store, "service-points", csv(tmp_path / "b.csv", "编号,经度,纬度\nA,,\n"))
    assert (report.version, report.accepted, report.rejected) == (None, 0, 1)
    assert "nothing changed" in report.warnings[-1].en
    assert store.versions() == [good.version]


def areas_file(path: Path, levels: dict[str, shapely.Polygon]) -> Path:
    table = frame({"统计用区划代码": list(levels), "名称": [f"名{code}" for code in levels]}, list(levels.values()))
    table.to_file(path)
    return path


def test_tiers_mixed_in_one_table_become_a_version_each(store: Store, tmp_path: Path) -> None:
    levels = {"320100": square(0, 0, 0.1), "320102": square(0, 0, 0.05), "320102002": square(0, 0), "bad": square(0, 0)}
    report = bring(store, "areas", areas_file(tmp_path / "areas.gpkg", levels))
    assert [version.part for version in report.versions] == ["city", "district", "subdistrict"]
    assert report.part == ""
    assert report.rejects["code"].tolist() == ["bad_code"]
    assert store.load("areas", "district")["code"].tolist() == ["320102000000"]


def test_rejects_of_mixed_tiers_are_numbered_by_the_rows_of_the_file(sqlite_store: Store, tmp_path: Path) -> None:
    text = "code,name\n320100000000,市\n320102002000,街道\n320102000000,区\nX,?\n320102002001,社区\n"
    report = bring(sqlite_store, "areas", csv(tmp_path / "tiers.csv", text))
    assert report.rejects["row"].tolist() == [1, 2, 3, 4, 5]
    assert report.rejects["name"].tolist() == ["市", "街道", "区", "?", "社区"]


def test_points_without_functions_are_counted_among_the_accepted_only(sqlite_store: Store, tmp_path: Path) -> None:
    text = "编号,经度,纬度\nA,118.78,32.04\nB,,\nC,,\n"
    report = bring(sqlite_store, "service-points", csv(tmp_path / "points.csv", text))
    assert [w.en for w in report.warnings] == ["1 points name no function: taken for all four"]


def test_the_tier_asked_for_is_the_one_imported(sqlite_store: Store, tmp_path: Path) -> None:
    path = areas_file(tmp_path / "areas.gpkg", {"320102": square(0, 0), "320102002": square(0, 0)})
    report = bring(sqlite_store, "areas", path, part="subdistrict")
    assert (report.part, report.accepted) == ("subdistrict", 1)
    assert report.rejects["code"].tolist() == ["wrong_level"]
    with pytest.raises(RecordError, match="no level 'village'"):
        bring(sqlite_store, "areas", path, part="village")


@pytest.mark.parametrize("name", ["areas_APPROX.gpkg", "近似边界.gpkg"])
def test_a_name_that_says_approximate_marks_the_version(sqlite_store: Store, tmp_path: Path, name: str) -> None:
    path = areas_file(tmp_path / name, {"320102": square(0, 0)})
    report = bring(sqlite_store, "areas", path)
    assert report.version is not None and report.version.approximate
    assert "approximate" in report.notes[-1].en
    exact = bring(sqlite_store, "areas", path, approximate=False)
    assert exact.version is not None and not exact.version.approximate


def test_columns_may_be_named_by_the_user(sqlite_store: Store, tmp_path: Path) -> None:
    path = csv(tmp_path / "people.csv", "x1,经度,纬度\n12,118.78,32.04\n")
    with pytest.raises(RecordError, match="people"):
        bring(sqlite_store, "population", path)
    report = bring(sqlite_store, "population", path, columns={"people": "x1"})
    assert report.accepted == 1


def test_a_roster_needs_no_coordinates(sqlite_store: Store, tmp_path: Path) -> None:
    text = (
        "姓名,角色,区划代码,任职日期,离任日期\n"
        "张三,督导员,320102002,2025-01-01,\n李四,网格员,320102002001001,2025/2/1,2024-1-1\n"
    )
    report = bring(sqlite_store, "roster", csv(tmp_path / "r.csv", text))
    assert (report.accepted, report.rejects["code"].tolist()) == (1, ["date_order"])


def test_a_report_from_the_future_is_told_by_the_citys_clock(sqlite_store: Store, tmp_path: Path) -> None:
    text = "发现时间,经度,纬度\n2026-03-01 11:59,118.78,32.04\n2026-03-01 12:01,118.78,32.05\n"
    report = bring(sqlite_store, "reports", csv(tmp_path / "r.csv", text))
    assert report.rejects["code"].tolist() == ["future_date"]
    sqlite_store.set_setting("timezone", "Asia/Tokyo")
    assert bring(sqlite_store, "reports", csv(tmp_path / "r.csv", text)).rejected == 0
    sqlite_store.set_setting("timezone", "Mars/Olympus")
    with pytest.raises(RecordError, match="Mars"):
        bring(sqlite_store, "reports", csv(tmp_path / "r.csv", text))


def test_points_beyond_the_citys_boundary_are_left_out(sqlite_store: Store, tmp_path: Path) -> None:
    bring(sqlite_store, "areas", areas_file(tmp_path / "areas.gpkg", {"320100": square(0, 0, 0.1)}))
    text = "编号,经度,纬度\nA,118.8,32.06\nB,121.4,31.2\n"
    report = bring(sqlite_store, "service-points", csv(tmp_path / "p.csv", text))
    assert report.rejects["code"].tolist() == ["outside_city"]


def test_the_datum_given_is_the_datum_undone(sqlite_store: Store, tmp_path: Path) -> None:
    lon, lat = (float(value) for value in gcj02_from_wgs84(118.8, 32.06))
    text = f"编号,经度,纬度\nA,{lon:.9f},{lat:.9f}\n"
    report = bring(sqlite_store, "service-points", csv(tmp_path / "p.csv", text), datum="gcj02")
    assert report.version is not None and report.version.datum == "gcj02"
    point = sqlite_store.load("service-points").geometry.iloc[0]
    assert (point.x, point.y) == (pytest.approx(118.8, abs=1e-8), pytest.approx(32.06, abs=1e-8))


def test_streets_without_topology_become_a_network(sqlite_store: Store, tmp_path: Path) -> None:
    lines = [
        shapely.LineString([(WEST, SOUTH), (WEST + 0.01, SOUTH)]),
        shapely.LineString([(WEST + 0.005, SOUTH - 0.005), (WEST + 0.005, SOUTH + 0.005)]),
    ]
    path = tmp_path / "streets.geojson"
    frame({"name": ["东街", "北街"], "highway": ["residential", "primary"]}, lines).to_file(path)
    report = bring(sqlite_store, "streets", path)
    assert report.accepted == 4
    network = sqlite_store.load_network()
    assert (network.n_segments, network.n_nodes) == (4, 5)


def test_what_cannot_be_read_is_one_clear_error_and_changes_nothing(sqlite_store: Store, tmp_path: Path) -> None:
    for name, content in {"a.gpkg": b"no database", "b.exe": b"MZ", "c.csv": b"", "d.geojson": b"{"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(LamplightError):
            bring(sqlite_store, "streets" if name.startswith("a") else "areas", tmp_path / name)
    with pytest.raises(FileRefusedError, match=r"none\.gpkg"):
        bring(sqlite_store, "areas", tmp_path / "none.gpkg")
    assert sqlite_store.versions() == []


def test_progress_is_told_step_by_step(sqlite_store: Store, tmp_path: Path) -> None:
    steps: list[str] = []
    path = csv(tmp_path / "p.csv", "编号,经度,纬度\nA,118.78,32.04\n")
    bring(sqlite_store, "service-points", path, progress=steps.append)
    assert steps == ["read", "validate", "store"]


def test_a_shuffled_file_makes_the_same_content(sqlite_store: Store, tmp_path: Path) -> None:
    lines = [
        f"{name},{118.78 + i / 1000},32.04,{day}" for i, (name, day) in enumerate([("甲", 3), ("乙", 1), ("丙", 2)])
    ]
    head = "名称,经度,纬度,x"
    one = bring(sqlite_store, "rescue-stations", csv(tmp_path / "1.csv", "\n".join([head, *lines])))
    two = bring(sqlite_store, "rescue-stations", csv(tmp_path / "2.csv", "\n".join([head, *lines[::-1]])))
    assert one.version is not None and two.version is not None
    assert one.version.content_sha256 == two.version.content_sha256
    assert one.version.file_sha256 != two.version.file_sha256


# real cities


@pytest.mark.realdata
def test_nanjing_comes_in_whole_and_the_gcj02_trap_is_caught(sqlite_store: Store, realdata: Path) -> None:
    store, folder = sqlite_store, realdata / "nanjing"
    admin = folder / "nanjing_admin.gpkg"
    streets = bring(store, "streets", folder / "nanjing_streets.gpkg", file_layer="edges")
    assert (streets.accepted, streets.rejected) == (43_644, 0)
    counts = {"city": 1, "district": 11, "subdistrict_APPROX_voronoi": 111, "community_APPROX_voronoi": 521}
    for layer, count in counts.items():
        report = bring(store, "areas", admin, file_layer=layer)
        assert (report.accepted, report.rejected, report.warnings) == (count, 0, ())
        assert report.version is not None
        assert report.version.approximate == ("APPROX" in layer)
    stations = bring(store, "rescue-stations", folder / "nanjing_rescue_stations.csv")
    assert (stations.accepted, stations.warnings) == (7, ())
    assert store.load("rescue-stations")["position_note"].str.contains("centre").all()
    people = bring(store, "population", folder / "nanjing_population_district_2019.csv")
    assert (people.accepted, people.warnings) == (11, ())
    totals = store.load("population")
    assert totals["people"].sum() == 8_500_000
    assert set(totals["area_code"]) == set(store.load("areas", "district")["code"])

    raw = bring(store, "areas", admin, file_layer="district_gcj02_RAW")
    assert raw.suspicions[0].flag == "--datum gcj02"
    assert "542 m" in raw.warnings[0].en and "GCJ-02" in raw.warnings[0].zh
    mended = bring(store, "areas", admin, file_layer="district_gcj02_RAW", datum="gcj02")
    assert mended.suspicions == ()
    right = gpd.read_file(admin, layer="district").set_index("code").geometry
    ours = store.load("areas", "district").set_index("code").geometry
    assert (shapely.hausdorff_distance(ours.sort_index(), right.sort_index()) < 1e-6).all()
    assert bring(store, "areas", admin, file_layer="subdistrict_point").rejects["code"].unique().tolist() == [
        "wrong_geometry"
    ]


@pytest.mark.realdata
def test_haikou_comes_in_and_its_stations_lack_coordinates(store: Store, realdata: Path) -> None:
    folder = realdata / "haikou"
    assert bring(store, "streets", folder / "haikou_streets.gpkg", file_layer="edges").accepted == 11_776
    raw = bring(store, "areas", folder / "haikou_admin.gpkg", file_layer="district_gcj02_RAW")
    assert "505 m off the streets" in raw.warnings[0].en  # the trap is caught by the streets alone
    for layer, count in (("district", 4), ("subdistrict_APPROX_voronoi", 39)):
        report = bring(store, "areas", folder / "haikou_admin.gpkg", file_layer=layer)
        assert (report.accepted, report.warnings) == (count, ())
    stations = bring(store, "rescue-stations", folder / "haikou_rescue_stations.csv")
    assert stations.rejects["code"].tolist() == ["no_coordinates"] * 2
    assert stations.version is None


@pytest.mark.realdata
def test_jinan_comes_in_with_one_way_streets_and_a_line_without_length(sqlite_store: Store, realdata: Path) -> None:
    admin = realdata / "jinan" / "jinan_admin.gpkg"
    for layer, count in {"district": 10, "subdistrict_APPROX_voronoi": 114}.items():
        report = bring(sqlite_store, "areas", admin, file_layer=layer)
        assert (report.accepted, report.rejected, report.suspicions) == (count, 0, ())
    streets = bring(sqlite_store, "streets", realdata / "jinan" / "jinan_streets_directed.gpkg", file_layer="edges")
    assert streets.accepted > 14_000
    assert set(sqlite_store.load("streets")["oneway"]) <= {-1, 0, 1}


@pytest.mark.realdata
def test_futian_comes_in_from_graphml(sqlite_store: Store, realdata: Path) -> None:
    path = realdata / "shenzhen_futian" / "futian_osmnx_all.graphml.gz"
    report = bring(sqlite_store, "streets", path)
    assert report.rejected == 0
    table = sqlite_store.load("streets")
    assert (table["name"] != "").any() and "footway" in set(table["street_class"])
    with pytest.raises(RecordError, match="WGS84"):
        bring(sqlite_store, "streets", path, datum="gcj02")


@pytest.mark.realdata
def test_sightings_of_another_country_come_in_as_reports(sqlite_store: Store, realdata: Path, tmp_path: Path) -> None:
    sqlite_store.set_setting("timezone", "America/Los_Angeles")
    table = pd.read_csv(realdata / "san_diego" / "downtown_sleepers_2014_2019.csv.gz", dtype=str).iloc[:2_000]
    table.to_csv(tmp_path / "sightings.csv", index=False)
    report = bring(sqlite_store, "reports", tmp_path / "sightings.csv")
    assert (report.accepted, report.rejected, report.suspicions) == (2_000, 0, ())
    assert sqlite_store.load("reports")["people"].sum() == table["count"].astype(int).sum()
