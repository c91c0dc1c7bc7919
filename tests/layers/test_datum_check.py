"""A layer read in the wrong datum is found out by its fit, and one read in the right datum never suspected."""

from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from gis.datum import bd09_from_wgs84, gcj02_from_wgs84, geometry_to_wgs84
from layers.datum_check import BOUNDARIES, SAME_PLACES, STREETS, DatumSuspicion, Reference, guess_datum_shift

DELIVERED = {"gcj02": gcj02_from_wgs84, "bd09": bd09_from_wgs84}
AREAS = ("city", "district", "subdistrict_APPROX_voronoi", "community_APPROX_voronoi")
POINTS = ("subdistrict_point", "community_point")
CITIES = {"nanjing": "nanjing_streets", "haikou": "haikou_streets", "jinan": "jinan_streets_directed"}


def delivered(shapes: NDArray[np.object_], datum: str) -> NDArray[np.object_]:
    return np.asarray(shapely.transform(shapes, DELIVERED[datum], interleaved=False), object)


def boundaries(shapes: NDArray[np.object_]) -> Reference:
    return Reference(BOUNDARIES, shapes, "边界", "boundaries")


def streets(shapes: NDArray[np.object_]) -> Reference:
    return Reference(STREETS, shapes, "街道", "streets")


def shown(suspicion: DatumSuspicion | None) -> tuple[str, bool] | None:
    return None if suspicion is None else (suspicion.datum, suspicion.of_reference)


# a made-up city


def made_up_city(seed: int = 1, west: float = 118.7, south: float = 32.0) -> dict[str, NDArray[np.object_]]:
    """Streets on an irregular grid cut at the edge, one area around them, points beside the streets."""
    rng = np.random.default_rng(seed)
    west_east = west + np.sort(rng.uniform(0, 0.1, 40))
    south_north = south + np.sort(rng.uniform(0, 0.1, 40))
    across = [shapely.LineString([(west, y), (west + 0.1, y)]) for y in south_north]
    along = [shapely.LineString([(x, south), (x, south + 0.1)]) for x in west_east]
    lines = shapely.get_parts(shapely.segmentize([*across, *along], 0.002))
    pieces = [shapely.LineString(pair) for line in lines for pair in zip(line.coords, line.coords[1:], strict=False)]
    at = rng.integers(0, len(pieces), 300)
    points = shapely.line_interpolate_point(np.array(pieces, object)[at], rng.uniform(0, 1, 300), normalized=True)
    xy = shapely.get_coordinates(points) + rng.normal(0, 0.0001, (300, 2))
    areas = [
        shapely.box(west, south, west + 0.06, south + 0.1),
        shapely.box(west + 0.06, south, west + 0.1, south + 0.1),
    ]
    return {
        "streets": np.array(pieces, object), "areas": np.array(areas, object), "points": np.asarray(shapely.points(xy)),
    }  # fmt: skip


@pytest.mark.parametrize("datum", DELIVERED)
def test_each_kind_of_layer_in_a_made_up_city_is_found_out(datum: str) -> None:
    city = made_up_city()
    against = {
        "areas": [boundaries(city["areas"]), streets(city["streets"])],
        "points": [streets(city["streets"]), Reference(SAME_PLACES, city["points"], "旧版", "earlier points")],
        "streets": [boundaries(city["areas"]), streets(city["streets"])],
    }
    for kind, references in against.items():
        shapes = delivered(city[kind], datum)
        for reference in references:
            found = guess_datum_shift(shapes, [reference])
            assert shown(found) == (datum, False), (kind, reference.en)
            assert found is not None
            assert found.flag == f"--datum {datum}"
            assert f"{found.offset_m:.0f} m" in found.note.en and f"--datum {datum}" in found.note.zh
            assert guess_datum_shift(city[kind], [reference]) is None, (kind, reference.en)


def test_the_offset_is_the_datums_displacement() -> None:
    city = made_up_city()
    gap = shapely.get_coordinates(delivered(city["areas"], "gcj02")) - shapely.get_coordinates(city["areas"])
    expected = np.median(np.hypot(gap[:, 0] * 94_350, gap[:, 1] * 110_900))  # metres per degree at 32 N
    found = guess_datum_shift(delivered(city["areas"], "gcj02"), [boundaries(city["areas"])])
    assert found is not None
    assert found.offset_m == pytest.approx(expected, rel=0.01)


def test_the_reference_is_blamed_where_it_is_the_one_that_is_off() -> None:
    city = made_up_city()
    found = guess_datum_shift(city["areas"], [boundaries(delivered(city["areas"], "gcj02"))])
    assert shown(found) == ("gcj02", True)
    assert found is not None and "import the boundaries again" in found.note.en
    earlier = Reference(BOUNDARIES, delivered(city["areas"], "gcj02"), "旧版", "earlier areas", replaced=True)
    assert guess_datum_shift(city["areas"], [earlier]) is None  # this very import puts it right


def test_an_independent_witness_outranks_an_earlier_version_with_the_same_fault() -> None:
    city = made_up_city()
    wrong = delivered(city["areas"], "gcj02")
    assert shown(guess_datum_shift(wrong, [streets(city["streets"]), boundaries(wrong)])) == ("gcj02", False)
    assert guess_datum_shift(wrong, [boundaries(wrong)]) is None


def test_a_layer_that_was_converted_needlessly_is_found_out_too() -> None:
    city = made_up_city()
    converted = geometry_to_wgs84(city["areas"], "gcj02")
    found = guess_datum_shift(converted, [boundaries(city["areas"])], declared="gcj02")
    assert shown(found) == ("wgs84", False)
    right = geometry_to_wgs84(delivered(city["areas"], "gcj02"), "gcj02")
    assert guess_datum_shift(right, [boundaries(city["areas"])], declared="gcj02") is None


def test_nothing_is_concluded_from_little_or_elsewhere() -> None:
    city = made_up_city()
    few = delivered(city["points"][:7], "gcj02")
    assert guess_datum_shift(few, [streets(city["streets"])]) is None
    assert guess_datum_shift(few, []) is None
    assert guess_datum_shift(np.array([], object), [streets(city["streets"])]) is None
    assert guess_datum_shift(np.array([None, shapely.Point()], object), [streets(city["streets"])]) is None
    abroad = made_up_city(west=2.3, south=48.8)
    assert guess_datum_shift(abroad["areas"], [boundaries(abroad["areas"])]) is None


def test_random_points_have_no_datum() -> None:
    rng = np.random.default_rng(3)
    for seed in range(6):
        city = made_up_city(seed)
        points = np.asarray(shapely.points(rng.uniform([118.7, 32.0], [118.8, 32.1], (400, 2))))
        assert guess_datum_shift(points, [streets(city["streets"])]) is None


# real cities


@cache
def real(folder: Path, city: str) -> dict[str, NDArray[np.object_]]:
    layers = (*AREAS, *POINTS, "district_gcj02_RAW")
    admin = folder / city / f"{city}_admin.gpkg"
    shapes = {name: shapely.make_valid(gpd.read_file(admin, layer=name).geometry.to_numpy()) for name in layers}
    shapes["streets"] = gpd.read_file(folder / city / f"{CITIES[city]}.gpkg", layer="edges").geometry.to_numpy()
    return shapes


@pytest.mark.realdata
@pytest.mark.parametrize("city", CITIES)
def test_the_raw_districts_are_flagged_against_boundaries_and_streets(realdata: Path, city: str) -> None:
    shapes = real(realdata, city)
    expected_m = {"nanjing": 542, "haikou": 505, "jinan": 538}[city]
    for references in (
        [boundaries(shapes["city"])],
        [boundaries(shapes["district"])],
        [boundaries(shapes["city"]), streets(shapes["streets"])],
        [boundaries(shapes["subdistrict_APPROX_voronoi"])],
    ):
        found = guess_datum_shift(shapes["district_gcj02_RAW"], references)
        assert shown(found) == ("gcj02", False)
        assert found is not None and found.offset_m == pytest.approx(expected_m, abs=1)


@pytest.mark.realdata
@pytest.mark.parametrize(("city", "flagged"), [("nanjing", True), ("haikou", True), ("jinan", False)])
def test_streets_alone_tell_where_they_are_cut_at_the_citys_edge(realdata: Path, city: str, flagged: bool) -> None:
    """Jinan's streets cover a part of the city and run on beyond its edge: they cannot tell, and do not guess."""
    shapes = real(realdata, city)
    found = guess_datum_shift(shapes["district_gcj02_RAW"], [streets(shapes["streets"])])
    assert shown(found) == (("gcj02", False) if flagged else None)


@pytest.mark.realdata
@pytest.mark.parametrize("city", CITIES)
def test_no_layer_that_is_right_is_suspected(realdata: Path, city: str) -> None:
    shapes = real(realdata, city)
    for name in (*AREAS, *POINTS, "streets"):
        for other in ("city", "subdistrict_APPROX_voronoi", "streets"):
            reference = streets(shapes[other]) if other == "streets" else boundaries(shapes[other])
            assert guess_datum_shift(shapes[name], [reference]) is None, (name, other)


@pytest.mark.realdata
@pytest.mark.parametrize("city", CITIES)
@pytest.mark.parametrize("datum", DELIVERED)
def test_communities_as_points_are_found_out_by_the_streets(realdata: Path, city: str, datum: str) -> None:
    shapes = real(realdata, city)
    found = guess_datum_shift(delivered(shapes["community_point"], datum), [streets(shapes["streets"])])
    assert shown(found) == (datum, False)
