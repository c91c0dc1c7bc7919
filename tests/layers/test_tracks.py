"""Points of tracks from files: every format, headings in both languages, zones, and every row accounted for."""

import zipfile
from datetime import datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gis.errors import FileRefusedError, RecordError
from layers.tracks import check_points, read_tracks

NOW = datetime(2026, 11, 20, 12)
GPX = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="phone" xmlns="http://www.topografix.com/GPX/1/1">
<trk><name>{name}</name><trkseg>
<trkpt lat="32.04" lon="118.78"><ele>3</ele><time>2026-11-19T12:00:00Z</time></trkpt>
<trkpt lat="32.041" lon="118.78"><time>2026-11-19T20:00:05+08:00</time></trkpt>
</trkseg></trk>
<trk><trkseg><trkpt lat="32.05" lon="118.79"></trkpt></trkseg></trk>
</gpx>"""


def rows(count: int = 3, **columns: object) -> pd.DataFrame:
    times = [f"2026-11-19 20:00:{5 * i:02d}" for i in range(count)]
    return pd.DataFrame({"网格员": "王一", "时间": times, "经度": 118.78, "纬度": 32.04} | columns)


def test_gpx_times_are_local_times_and_points_without_one_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "王一.gpx").write_text(GPX.format(name="夜巡"), "utf-8")
    read = read_tracks(tmp_path / "王一.gpx", now=NOW)
    assert read.accepted["track"].tolist() == ["夜巡", "夜巡"]
    assert [str(t) for t in read.accepted["time"]] == ["2026-11-19 20:00:00", "2026-11-19 20:00:05"]
    assert read.rejected[["row", "code"]].to_numpy().tolist() == [[3, "missing_value"]]


@pytest.mark.parametrize("name", ["points.csv", "points.xlsx", "points.geojson"])
def test_tables_in_chinese_are_understood(tmp_path: Path, name: str) -> None:
    table, path = rows(), tmp_path / name
    if name.endswith("csv"):
        table.to_csv(path, index=False, encoding="gb18030")
    elif name.endswith("xlsx"):
        table.to_excel(path, index=False)
    else:
        shapes = gpd.points_from_xy(table["经度"], table["纬度"])
        gpd.GeoDataFrame(table.drop(columns=["经度", "纬度"]), geometry=shapes, crs=4326).to_file(path)
    read = read_tracks(path, now=NOW)
    assert read.accepted["person"].tolist() == ["王一"] * 3
    assert [str(t) for t in read.accepted["time"]] == rows()["时间"].tolist()
    np.testing.assert_allclose(read.accepted[["lon", "lat"]], [[118.78, 32.04]] * 3)


def test_geojson_times_with_a_zone_are_brought_to_local_time(tmp_path: Path) -> None:
    shapes = gpd.points_from_xy([118.78], [32.04])
    table = gpd.GeoDataFrame({"time": ["2026-11-19T12:00:00Z"]}, geometry=shapes, crs=4326)
    table.to_file(tmp_path / "a.geojson")
    assert [str(t) for t in read_tracks(tmp_path / "a.geojson", now=NOW).accepted["time"]] == ["2026-11-19 20:00:00"]


@pytest.mark.parametrize(("value", "seconds"), [(1_795_089_600, 0), (1_795_089_600_500, 0.5)])
def test_times_counted_from_1970_are_read(value: int, seconds: float) -> None:
    table = gpd.GeoDataFrame({"timestamp": [value]}, geometry=[shapely.Point(118.78, 32.04)])
    found = check_points(table, "a", now=datetime(2027, 1, 1)).accepted["time"].iloc[0]
    assert found == pd.Timestamp("2026-11-19 20:00:00") + pd.Timedelta(seconds=seconds)


def test_accepted_and_rejected_are_all_that_was_given(tmp_path: Path) -> None:
    table = rows(6)
    table.loc[0, "经度"] = None
    table.loc[1, "经度"] = 300.0
    table.loc[2, "时间"] = "昨晚"
    table.loc[3, "时间"] = "2026-12-24 20:00:00"
    table.loc[4, "时间"] = None
    table.to_csv(tmp_path / "a.csv", index=False)
    read = read_tracks(tmp_path / "a.csv", now=NOW)
    assert len(read.accepted) + len(read.rejected) == 6
    codes = ["no_coordinates", "no_coordinates", "bad_date", "future_date", "missing_value"]
    assert read.rejected["code"].tolist() == codes and read.rejected["row"].tolist() == [1, 2, 3, 4, 5]
    assert (read.rejected["zh"] != "").all() and (read.rejected["en"] != "").all()


def test_a_folder_and_a_zip_of_files_read_alike(tmp_path: Path) -> None:
    folder = tmp_path / "tracks"
    folder.mkdir()
    (folder / "王一.gpx").write_text(GPX.format(name="夜巡"), "utf-8")
    rows().to_csv(folder / "b.csv", index=False)
    (folder / "readme.md").write_text("not a table")
    with zipfile.ZipFile(tmp_path / "tracks.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"inside/{file.name}")
    told: list[str] = []
    one, other = (read_tracks(p, now=NOW, tell=told.append) for p in (folder, tmp_path / "tracks.zip"))
    pd.testing.assert_frame_equal(one.accepted, other.accepted)
    pd.testing.assert_frame_equal(one.rejected, other.rejected)
    assert set(one.accepted["file"]) == {"王一.gpx", "b.csv"} and told == ["b.csv", "王一.gpx"] * 2


def test_a_file_without_times_or_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    rows().drop(columns="时间").to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(RecordError):
        read_tracks(tmp_path / "a.csv", now=NOW)
    (tmp_path / "none").mkdir()
    with pytest.raises(FileRefusedError):
        read_tracks(tmp_path / "none", now=NOW)
    (tmp_path / "bad.gpx").write_text('<!DOCTYPE x [<!ENTITY a "b">]><gpx>&a;</gpx>')
    with pytest.raises(FileRefusedError):
        read_tracks(tmp_path / "bad.gpx", now=NOW)


def test_coordinates_of_another_datum_are_shifted_where_it_is_named(tmp_path: Path) -> None:
    rows().rename(columns={"经度": "高德经度", "纬度": "高德纬度"}).to_csv(tmp_path / "a.csv", index=False)
    rows().to_csv(tmp_path / "b.csv", index=False)
    named = read_tracks(tmp_path / "a.csv", now=NOW).accepted
    told = read_tracks(tmp_path / "b.csv", now=NOW, datum="gcj02").accepted
    np.testing.assert_array_equal(named["lon"], told["lon"])
    assert abs(named["lon"].iloc[0] - 118.78) > 0.003
