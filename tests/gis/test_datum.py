from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gis import datum
from gis.crs import to_metric

FORWARD_AND_BACK = [
    (datum.gcj02_from_wgs84, datum.wgs84_from_gcj02),
    (datum.bd09_from_gcj02, datum.gcj02_from_bd09),
    (datum.bd09_from_wgs84, datum.wgs84_from_bd09),
]
MM_IN_DEGREES = 0.001 / 111_320


def china_grid(step: float) -> tuple[np.ndarray, np.ndarray]:
    # South China Sea to the Amur, Pamir to Ussuri, off the round numbers where the series have their zeros.
    return np.meshgrid(np.arange(73.31, 135.2, step), np.arange(3.37, 53.7, step))


@pytest.mark.parametrize(("forward", "back"), FORWARD_AND_BACK, ids=["gcj02", "bd09-gcj02", "bd09-wgs84"])
def test_round_trips_are_under_a_millimetre_over_all_of_china(forward, back) -> None:
    lon, lat = china_grid(0.1)
    for there, home in ((forward, back), (back, forward)):
        again_lon, again_lat = home(*there(lon, lat))
        assert np.hypot(again_lon - lon, again_lat - lat).max() < MM_IN_DEGREES


@pytest.mark.parametrize(("forward", "back"), FORWARD_AND_BACK, ids=["gcj02", "bd09-gcj02", "bd09-wgs84"])
def test_round_trips_hold_where_the_series_have_kinks(forward, back) -> None:
    lon = 105.0 + np.array([0, 1e-12, -1e-12, 1e-9, -1e-6, 1e-3])  # the root of |lon - 105|
    lat = np.full(6, 35.0)
    again_lon, again_lat = back(*forward(lon, lat))
    assert np.hypot(again_lon - lon, again_lat - lat).max() < MM_IN_DEGREES


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        # googollee/eviltransform, test table of the Python port (Shanghai, Shenzhen, Beijing)
        ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
        ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
        # wandergis/coordtransform, test/app.js
        ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
    ],
)
def test_gcj02_agrees_with_published_pairs(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert np.array(datum.gcj02_from_wgs84(*wgs84)) == pytest.approx(gcj02, abs=1e-9)
    assert np.array(datum.wgs84_from_gcj02(*gcj02)) == pytest.approx(wgs84, abs=1e-9)


def test_bd09_agrees_with_published_pairs() -> None:
    # wandergis/coordtransform, test/app.js; its way back is approximate, to about half a metre
    assert np.array(datum.bd09_from_gcj02(116.404, 39.915)) == pytest.approx(
        (116.41036949371029, 39.92133699351021), abs=1e-10
    )
    assert np.array(datum.gcj02_from_bd09(116.404, 39.915)) == pytest.approx(
        (116.39762729119315, 39.90865673957631), abs=5e-6
    )


def test_nothing_moves_outside_the_region() -> None:
    lon = np.array([-117.16, 0.0, 72.003, 137.8348, 105.0, 105.0])
    lat = np.array([32.7, 51.5, 35.0, 35.0, 0.8292, 55.8272])
    for forward, back in FORWARD_AND_BACK:
        for move in (forward, back):
            moved_lon, moved_lat = move(lon, lat)
            assert np.array_equal(moved_lon, lon)
            assert np.array_equal(moved_lat, lat)


def test_missing_coordinates_pass_through_beside_good_ones() -> None:
    lon, lat = datum.wgs84_from_bd09([np.nan, 118.8, 118.8], [32.0, np.nan, 32.0])
    assert np.isnan(lon[0])
    assert np.isnan(lat[1])
    assert np.isfinite([lon[2], lat[2]]).all()


def test_inputs_are_left_as_they_were_and_shapes_kept() -> None:
    lon, lat = china_grid(5.0)
    before = lon.copy(), lat.copy()
    for move in [f for pair in FORWARD_AND_BACK for f in pair]:
        assert move(lon, lat)[0].shape == lon.shape
    assert np.array_equal(lon, before[0])
    assert np.array_equal(lat, before[1])
    assert datum.gcj02_from_wgs84(118.8, 32.0)[0].shape == ()


def test_the_offset_over_china_is_hundreds_of_metres() -> None:
    lon, lat = china_grid(0.5)
    moved_lon, moved_lat = datum.gcj02_from_wgs84(lon, lat)
    offset_m = np.hypot((moved_lon - lon) * np.cos(np.radians(lat)), moved_lat - lat) * 111_320
    assert offset_m.min() > 20
    assert offset_m.max() < 1_000


def test_geometries_move_vertex_by_vertex_and_none_stays_none() -> None:
    line = shapely.LineString([(118.7, 32.0), (118.8, 32.1)])
    moved = datum.geometry_to_wgs84([line, None], "gcj02")
    expected = np.column_stack(datum.wgs84_from_gcj02([118.7, 118.8], [32.0, 32.1]))
    assert np.array_equal(shapely.get_coordinates(moved[0]), expected)
    assert moved[1] is None


def test_an_unknown_datum_is_refused_by_name() -> None:
    with pytest.raises(datum.DatumError, match="wgs72"):
        datum.to_wgs84(118.8, 32.0, "wgs72")


@pytest.mark.realdata
def test_the_mislabelled_district_layer_of_nanjing_lands_on_the_true_one(realdata: Path) -> None:
    file = realdata / "nanjing" / "nanjing_admin.gpkg"
    raw, true = (gpd.read_file(file, layer=name).union_all() for name in ("district_gcj02_RAW", "district"))
    (mended,) = datum.geometry_to_wgs84([raw], "gcj02")

    def metres_apart(shape) -> float:
        xy = [to_metric(*shapely.get_coordinates(s.centroid)[0], "EPSG:4549") for s in (shape, true)]
        return float(np.hypot(*np.subtract(xy[0], xy[1])))

    assert metres_apart(raw) > 400
    assert metres_apart(mended) < 5
