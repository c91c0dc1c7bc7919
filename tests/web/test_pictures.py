"""The page for a brief: repeatable, lettered, without withheld points, for any shape of city."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from PIL import Image

from tests.requirements import missing
from web import fonts, picture_maps, pictures
from web.drawing import CoverageDrawing

Draw = Callable[..., CoverageDrawing]


def picture(what: CoverageDrawing, path: Path) -> bytes:
    pictures.coverage_picture(what, path)
    return path.read_bytes()


def test_the_same_result_gives_the_same_bytes_and_an_a4_page(draw: Draw, tmp_path: Path) -> None:
    first = picture(draw(), tmp_path / "a.png")
    assert picture(draw(), tmp_path / "b.png") == first
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
        assert abs(width / height - 297 / 210) < 0.01
        assert width >= 150 * 11.6
        assert len(np.unique(np.asarray(image.convert("L")))) > 50, "something is drawn"


def test_withheld_and_unplaced_points_change_nothing(draw: Draw, tmp_path: Path) -> None:
    public = draw().points
    public = public[~public["code"].isin(["SP3", "SP4"])]
    assert picture(draw(points=public), tmp_path / "a.png") == picture(draw(), tmp_path / "b.png")


def test_shares_and_warnings_change_the_page(draw: Draw, tmp_path: Path) -> None:
    pages = {
        picture(what, tmp_path / "a.png")
        for what in (draw(), draw(fictional=False), draw(approximate=False), draw(approval_number=""),
                     draw(level="district"), draw(thresholds_s=(300,)))
    }  # fmt: skip
    assert len(pages) == 6


def test_a_city_without_areas_points_or_streets_still_gets_a_page(draw: Draw, tmp_path: Path) -> None:
    full = draw()
    bare = gpd.GeoDataFrame({"code": [], "name": [], "level": []}, geometry=[], crs=4326)
    picture(draw(areas=bare, points=full.points.iloc[:0], tables={}), tmp_path / "a.png")
    picture(
        draw(areas=full.areas.iloc[:0], points=full.points.iloc[:0], segments=full.segments.iloc[:0]),
        tmp_path / "b.png",
    )


def test_without_a_chinese_font_names_become_codes_and_the_page_says_so(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = fonts.lettering((fonts.WITHOUT,))
    assert not bare.chinese
    assert bare.name("新街口街道", "320102003000") == "320102003000"
    assert bare.label(("图例", "Legend")) == "Legend"
    assert bare.text("© 测绘 2026") == "© ?? 2026"
    monkeypatch.setattr(pictures, "lettering", lambda: bare)
    written: list[str] = []
    plain = pictures.Figure.text
    monkeypatch.setattr(
        pictures.Figure, "text", lambda self, x, y, s, **kw: (written.append(s), plain(self, x, y, s, **kw))[1]
    )
    picture(draw(), tmp_path / "a.png")
    assert any(fonts.NO_CHINESE_FONT in text for text in written)
    assert all(bare.can(text) for text in written)


def test_chinese_names_are_written_in_chinese_where_a_font_has_them() -> None:
    letters = fonts.lettering()
    if not letters.chinese:
        missing("a Chinese font (Noto Sans CJK)")
    assert letters.name("新街口街道", "320102003000") == "新街口街道"
    assert letters.label(("图例", "Legend")) == "图例 Legend"


@pytest.mark.parametrize(("wide", "high", "stacked"), [(10.0, 20.0, False), (20.0, 20.0, False), (60.0, 10.0, True)])
def test_a_wide_city_s_maps_stand_one_above_the_other(wide: float, high: float, stacked: bool) -> None:
    first, second, _ = pictures._rooms((0.0, 0.0, wide * 1000, high * 1000))
    assert (first[1] > second[1]) == stacked
    assert (first[0] < second[0]) != stacked


def winding_area(outline: Outline) -> float:
    """The area a fill by winding number covers, where no part overlaps another."""
    rings = np.split(outline.vertices, np.flatnonzero(outline.codes == Outline.MOVETO)[1:])
    return abs(sum(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2 for x, y in (r.T for r in rings)))


def test_holes_and_parts_of_an_area_stay_in_its_outline_whichever_way_rings_run() -> None:
    shell, hole = [(0, 0), (3, 0), (3, 3), (0, 3)], [(1, 1), (2, 1), (2, 2), (1, 2)]
    for given_hole in (hole, hole[::-1]):
        parts = shapely.MultiPolygon([shapely.Polygon(shell, [given_hole]), shapely.box(5, 5, 6, 6)])
        shapes = np.array([parts, shapely.Polygon(), shapely.box(8, 8, 9, 9)])
        first, empty, last = picture_maps.outlines_of(shapes)
        assert winding_area(first) == 9 - 1 + 1
        assert len(empty.vertices) == 0
        assert winding_area(last) == 1 and last.contains_point((8.5, 8.5))


@given(st.floats(1e3, 2e5), st.floats(1e3, 2e5), st.sampled_from([0.86, 1.0]))
def test_maps_and_enlarged_part_share_the_room_without_overlap(wide: float, high: float, shrink: float) -> None:
    rooms = [
        shapely.box(x, y, x + w, y + h) for x, y, w, h in filter(None, pictures._rooms((0, 0, wide, high), shrink))
    ]
    left, bottom, width, height = pictures.MAP_ROOM
    whole = shapely.box(left, bottom, left + width, bottom + height).buffer(1e-9)
    assert all(whole.contains(room) for room in rooms)
    assert all(a.intersection(b).area < 1e-9 for i, a in enumerate(rooms) for b in rooms[:i])


def test_a_crowded_centre_is_drawn_again_enlarged(draw: Draw, tmp_path: Path) -> None:
    full = draw().at_level("subdistrict")
    row = full.iloc[[0]]
    small = [shapely.box(118.7 + i / 500, 32.0, 118.7 + i / 500 + 0.002, 32.002) for i in range(12)]
    wide = [shapely.box(118.7, 32.01, 118.76, 32.3)]
    areas = gpd.GeoDataFrame(
        pd.concat([row] * 13, ignore_index=True).drop(columns="geometry"), geometry=small + wide, crs=4326
    )
    scene = picture_maps.scene_of(draw(areas=areas), fonts.lettering())
    scale = pictures._scale_of(scene.frame)
    assert picture_maps.is_crowded(scene, scale)
    left, bottom, right, top = picture_maps.crowded_window(scene, scale, 200.0, 100.0) or (0, 0, 0, 0)
    assert (right - left) / (top - bottom) == pytest.approx(2)
    assert (right - left) / 200 <= scale / 1.8 + 1e-9
    centres = shapely.centroid(scene.shapes[:12])
    assert shapely.contains(shapely.box(left, bottom, right, top), centres).sum() >= 6
    picture(draw(areas=areas), tmp_path / "a.png")
    assert picture_maps.crowded_window(scene, scale / 100, 200.0, 100.0) is None
