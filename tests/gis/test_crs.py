import numpy as np
import pyproj
import pytest

from gis.crs import CoordinateError, metric_crs, to_lonlat, to_metric


@pytest.mark.parametrize(
    ("lon", "lat", "crs"),
    [
        (118.8, 32.05, "EPSG:4549"),  # Nanjing
        (110.3, 20.0, "EPSG:4546"),  # Haikou, 111 E
        (117.0, 36.65, "EPSG:4548"),  # Jinan
        (114.05, 22.53, "EPSG:4547"),  # Futian
        (75.0, 39.0, "EPSG:4534"),
        (135.0, 48.0, "EPSG:4554"),
        (-117.16, 32.7, "EPSG:32611"),  # San Diego
        (151.2, -33.9, "EPSG:32756"),  # Sydney
        (118.8, -32.0, "EPSG:32750"),
        (180.0, 0.0, "EPSG:32660"),
    ],
)
def test_the_zone_is_picked_from_the_place(lon: float, lat: float, crs: str) -> None:
    assert metric_crs(lon, lat) == crs


def test_every_chinese_zone_is_the_one_its_register_entry_says() -> None:
    for meridian in range(75, 136, 3):
        zone = pyproj.CRS(metric_crs(float(meridian), 30.0))
        assert "CGCS2000 / 3-degree Gauss-Kruger" in zone.name
        parameters = {p.name: p.value for p in zone.coordinate_operation.params}
        assert parameters["Longitude of natural origin"] == meridian


def test_the_nearest_central_meridian_is_never_more_than_half_a_zone_away() -> None:
    for lon in np.arange(73.5, 136.5, 0.25):
        meridian = 75 + 3 * (int(metric_crs(lon, 35.0).removeprefix("EPSG:")) - 4534)
        assert abs(lon - meridian) <= 1.5


def test_metres_and_back_is_the_same_place() -> None:
    lon, lat = np.meshgrid(np.linspace(118.3, 119.3, 21), np.linspace(31.2, 32.7, 21))
    back = to_lonlat(*to_metric(lon, lat, "EPSG:4549"), "EPSG:4549")
    assert np.abs(back[0] - lon).max() < 1e-10
    assert np.abs(back[1] - lat).max() < 1e-10


def test_a_projected_metre_is_a_metre_on_the_ground() -> None:
    lon, lat = np.array([118.78, 118.79]), np.array([32.05, 32.06])
    _, _, true_m = pyproj.Geod(ellps="GRS80").inv(lon[0], lat[0], lon[1], lat[1])
    x, y = to_metric(lon, lat, metric_crs(118.78))
    assert np.hypot(*np.diff([x, y]).ravel()) == pytest.approx(true_m, rel=2e-4)


def test_missing_stays_missing() -> None:
    x, y = to_metric([118.8, np.nan], [32.0, 32.0], "EPSG:4549")
    assert np.isfinite(x[0])
    assert np.isnan(x[1])
    assert np.isnan(y[1])


@pytest.mark.parametrize(("lon", "lat"), [(181.0, 0.0), (0.0, 91.0), (float("nan"), 0.0), (float("inf"), 0.0)])
def test_a_place_off_the_earth_is_refused(lon: float, lat: float) -> None:
    with pytest.raises(CoordinateError):
        metric_crs(lon, lat)
