"""Vector tiles, read back by GDAL, which reads the archive knowing nothing of how it was written."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from shapely.geometry import LineString, Point, box

from gis.errors import FileRefusedError
from gis.tile_archive import tile_id, write_archive
from gis.vector_tiles import MAX_ZOOM, area_names, border_lines, street_lines, water_areas, write_tiles
from layers.codes import LEVELS
from layers.demo_city.build import DemoCity, build_demo_city

WEST, SOUTH = 118.78, 32.05


def table(rows: list[tuple[Any, ...]], *columns: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, columns=[*columns, "geometry"], geometry="geometry", crs=4326)


def streets(count: int = 6) -> gpd.GeoDataFrame:
    """Parallel streets of two segments each, all within one tile of the last zoom."""
    kinds = ("primary", "secondary_link", "footway")
    rows = []
    for i in range(count):
        y = SOUTH + 0.0005 * i
        middle = WEST + 0.001
        for a, b in ((WEST, middle), (middle, middle + 0.001)):
            rows.append((f"临江{i}路", kinds[i % 3], LineString([(a, y), (b, y)])))
    return table(rows, "name", "street_class")


def tiers() -> dict[str, gpd.GeoDataFrame]:
    """A city of two districts side by side, the eastern one of two communities."""
    city = box(0, 0, 2, 2)
    west, east = box(0, 0, 1, 2), shapely.Polygon([(1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (1, 1)])
    lower, upper = box(1, 0, 2, 1), box(1, 1, 2, 2)
    west = shapely.segmentize(west, 1.0)
    return {
        "city": table([("3201", "临江市", shapely.segmentize(city, 1.0))], "code", "name"),
        "district": table([("320101", "江南区", west), ("320102", "江北区", east)], "code", "name"),
        "community": table([("1", "上社区", upper), ("2", "下社区", lower)], "code", "name"),
    }  # fmt: skip


def read(path: Path, layer: str, zoom: int = MAX_ZOOM) -> gpd.GeoDataFrame:
    return pyogrio.read_dataframe(path, layer=layer, ZOOM_LEVEL=zoom)


@pytest.fixture(scope="module")
def town() -> DemoCity:
    return build_demo_city("town")


@pytest.fixture(scope="module")
def town_tiles(town: DemoCity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiles") / "town.pmtiles"
    parts = {str(level): town.areas[level] for level in LEVELS}
    write_tiles(
        path, {"streets": street_lines(town.streets), "borders": border_lines(parts), "areas": area_names(parts)}
    )
    return path


def test_every_row_is_in_the_tile_of_the_last_zoom_with_its_chinese_name(tmp_path: Path) -> None:
    lines = street_lines(streets())
    write_tiles(tmp_path / "t.pmtiles", {"streets": lines})
    back = read(tmp_path / "t.pmtiles", "streets")
    columns = ["name", "street_class"]
    assert (
        back[columns].sort_values(columns).to_numpy().tolist()
        == lines[columns].sort_values(columns).to_numpy().tolist()
    )
    assert set(back.columns) - {"mvt_id"} == {"name", "street_class", "geometry"}
    metres = back.set_crs(3857, allow_override=True).geometry.hausdorff_distance(
        lines.set_index("name").loc[back["name"]].reset_index().geometry.to_crs(3857)
    )
    assert metres.max() < 1.0


def test_smaller_streets_appear_only_further_in(tmp_path: Path) -> None:
    write_tiles(tmp_path / "t.pmtiles", {"streets": street_lines(streets())})
    seen = {zoom: set(read(tmp_path / "t.pmtiles", "streets", zoom)["street_class"]) for zoom in (8, 9, 10, 12, 13)}
    main, middle = {"primary"}, {"primary", "secondary_link"}
    assert seen == {8: main, 9: main, 10: middle, 12: middle, 13: {*middle, "footway"}}


def test_segments_of_one_street_become_one_line_and_none_is_lost(town: DemoCity) -> None:
    toy = street_lines(streets())
    assert len(toy) == 6
    lines = street_lines(town.streets)
    assert len(lines) < 0.6 * len(town.streets)
    assert shapely.length(lines.geometry).sum() == pytest.approx(shapely.length(town.streets.geometry).sum())
    kinds = ["name", "street_class"]
    assert set(map(tuple, lines[kinds].to_numpy())) == set(map(tuple, town.streets[kinds].to_numpy()))


def test_all_streets_of_the_demo_town_lie_in_its_tiles(town: DemoCity, town_tiles: Path) -> None:
    drawn = read(town_tiles, "streets").set_crs(3857, allow_override=True)
    assert set(drawn["name"].fillna("")) == set(town.streets["name"])
    middles = town.streets.geometry.to_crs(3857).interpolate(0.5, normalized=True).to_numpy()
    _, metres = shapely.STRtree(drawn.geometry.to_numpy()).query_nearest(
        middles, return_distance=True, all_matches=False
    )
    assert metres.max() < 1.0


def test_every_area_of_the_demo_town_is_named_once_inside_its_border(town: DemoCity, town_tiles: Path) -> None:
    # a name near the rim of a tile is in its neighbour, too
    back = read(town_tiles, "areas").set_crs(3857, allow_override=True).to_crs(4326).drop_duplicates("code")
    given = {a.code: (a.name, a.geometry) for level in LEVELS for a in town.areas[level].itertuples(index=False)}
    assert set(back["code"]) == set(given)
    for row in back.itertuples(index=False):
        name, shape = given[row.code]
        assert row.name == name
        assert shape.buffer(1e-5).contains(row.geometry)


def test_water_is_what_is_forbidden_for_being_water_and_nothing_else(town: DemoCity) -> None:
    kept = {"水域", "Water", "湖泊"}
    reasons = ["水域", "文物保护", "水源保护区", "Water", "", "湖泊"]
    areas = town.forbidden_areas.iloc[[0] * len(reasons)].assign(reason=reasons, name=reasons)
    assert set(water_areas(areas)["name"]) == kept
    assert len(water_areas(areas.iloc[:0])) == 0
    assert shapely.area(water_areas(town.forbidden_areas).geometry).sum() == shapely.area(town.water.geometry).sum()


def test_a_border_is_drawn_once_under_its_highest_tier() -> None:
    borders = border_lines(tiers())
    lengths = borders.assign(length=shapely.length(borders.geometry)).groupby("level")["length"].sum()
    assert lengths.to_dict() == {"city": 8.0, "district": 2.0, "community": 1.0}
    assert borders.set_index("level")["min_zoom"].groupby("level").first().to_dict() == {
        "city": 5, "district": 7, "community": 10,
    }  # fmt: skip


def test_areas_of_several_parts_have_the_same_borders_as_of_one() -> None:
    several = {k: t.assign(geometry=[shapely.MultiPolygon([g]) for g in t.geometry]) for k, t in tiers().items()}
    assert border_lines(several).equals(border_lines(tiers()))


def test_borders_of_the_demo_town_cover_the_outline_of_every_area(town: DemoCity) -> None:
    borders = border_lines({str(level): town.areas[level] for level in LEVELS})
    drawn = shapely.union_all(borders.geometry.to_numpy())
    assert drawn.length == pytest.approx(shapely.length(borders.geometry).sum())
    for level in LEVELS:
        outlines = shapely.union_all(town.areas[level].boundary.to_numpy())
        assert outlines.difference(drawn.buffer(1e-9)).length == 0


def test_the_same_tables_give_the_same_bytes_and_replace_the_old_file(tmp_path: Path) -> None:
    layers = {"streets": street_lines(streets(9)), "areas": area_names(tiers())}
    first, second = tmp_path / "a.pmtiles", tmp_path / "b.pmtiles"
    second.write_bytes(b"old")
    write_tiles(first, layers)
    write_tiles(second, layers)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pmtiles", "b.pmtiles"]


def test_nothing_to_draw_is_refused_in_both_languages(tmp_path: Path) -> None:
    empty = table([("", "primary", None)], "name", "street_class").assign(min_zoom=8)
    with pytest.raises(FileRefusedError) as caught:
        write_tiles(tmp_path / "t.pmtiles", {"streets": empty})
    assert "没有可绘制的要素" in caught.value.zh and "nothing to draw" in caught.value.en
    assert list(tmp_path.iterdir()) == []


def test_rows_without_a_geometry_are_left_out(tmp_path: Path) -> None:
    given = table([("甲路", Point(WEST, SOUTH)), ("乙路", None)], "name").assign(min_zoom=14)
    write_tiles(tmp_path / "t.pmtiles", {"places": given})
    assert read(tmp_path / "t.pmtiles", "places")["name"].tolist() == ["甲路"]


def test_an_archive_of_more_tiles_than_its_first_page_can_list_is_read_in_full(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    # texts of all lengths, so that the directory of their tiles does not shrink to nothing
    rows = [
        (i, rng.bytes(int(rng.integers(400))).hex(), Point(lon, lat))
        for i, (lon, lat) in enumerate(rng.uniform((110, 28), (119, 34), (9_000, 2)))
    ]
    write_tiles(tmp_path / "t.pmtiles", {"points": table(rows, "n", "text").assign(min_zoom=14)})
    header = (tmp_path / "t.pmtiles").read_bytes()[:127]
    assert int.from_bytes(header[48:56], "little") > 0, "there are leaf directories"
    assert set(read(tmp_path / "t.pmtiles", "points")["n"]) == set(range(9_000))


def test_tiles_are_numbered_as_the_specification_says() -> None:
    # the examples of PMTiles version 3, section "Tile ID"
    examples = {(0, 0, 0): 0, (1, 0, 0): 1, (1, 0, 1): 2, (1, 1, 1): 3, (1, 1, 0): 4, (2, 0, 0): 5,
                (12, 3423, 1763): 19078479}  # fmt: skip
    assert {tile: tile_id(*tile) for tile in examples} == examples
    all_of_five = sorted(tile_id(5, c, r) for c in range(32) for r in range(32))
    assert all_of_five == list(range(341, 341 + 1024))


def test_an_archives_bounds_are_those_given(tmp_path: Path) -> None:
    write_archive(
        tmp_path / "t.pmtiles", {(0, 0, 0): b""}, bounds=(-1.5, 2.0, 3.25, 4.0), metadata={"vector_layers": []}
    )
    header = (tmp_path / "t.pmtiles").read_bytes()[:127]
    assert np.frombuffer(header[102:118], "<i4").tolist() == [-15_000_000, 20_000_000, 32_500_000, 40_000_000]
