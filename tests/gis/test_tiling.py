"""Cells over the plane: every point in just one, the nearest."""

import numpy as np
import pytest
import shapely
from scipy.spatial import cKDTree

from gis.errors import QuestionError
from gis.tiling import KINDS, Tiling


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_lies_in_its_cell_and_in_no_other(kind: str) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-900, 900, (2, 400))
    tiling = Tiling(kind, 130.0)
    column, row = tiling.cell_of(x, y)
    cells = np.unique(np.stack([column, row]), axis=1)
    polygons = tiling.polygons(*cells)
    inside = shapely.contains_xy(polygons[:, None], x[None], y[None])
    assert inside.sum(axis=0).tolist() == [1] * len(x)
    own = inside.argmax(axis=0)
    assert (cells[0][own] == column).all() and (cells[1][own] == row).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_nearest_centre_is_that_of_the_own_cell(kind: str) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-500, 500, (2, 500))
    tiling = Tiling(kind, 77.0)
    around = np.stack(np.meshgrid(np.arange(-25, 26), np.arange(-25, 26)), -1).reshape(-1, 2)
    centres = np.stack(tiling.centre(around[:, 0], around[:, 1]), -1)
    _, nearest = cKDTree(centres).query(np.stack([x, y], -1))
    assert (around[nearest] == np.stack(tiling.cell_of(x, y), -1)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_cells_touch_without_gap_or_overlap(kind: str) -> None:
    tiling = Tiling(kind, 10.0)
    column, row = np.stack(np.meshgrid(np.arange(6), np.arange(5)), -1).reshape(-1, 2).T
    polygons = tiling.polygons(column, row)
    assert np.allclose(shapely.area(polygons), tiling.area_m2)
    whole = shapely.union_all(shapely.set_precision(polygons, 1e-6))
    assert whole.geom_type == "Polygon" and len(whole.interiors) == 0
    assert whole.area == pytest.approx(30 * tiling.area_m2, rel=1e-6)


def test_other_kinds_and_sizes_are_refused() -> None:
    for kind, size in (("triangle", 10.0), ("square", 0.0), ("hexagon", np.nan)):
        with pytest.raises(QuestionError):
            Tiling(kind, size)
