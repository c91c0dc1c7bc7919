"""Density on the plane against every pair of event and cell, scikit-learn and the mass of a kernel."""

import numpy as np
import pytest

from gis.errors import QuestionError
from planner.hotspots.planar_density import planar_density, planar_density_at


def by_pairs(x, y, weight, to_x, to_y, bandwidth_m):
    d2 = ((x[:, None] - to_x) ** 2 + (y[:, None] - to_y) ** 2) / bandwidth_m**2
    return (weight[:, None] * np.maximum(1 - d2, 0)).sum(axis=0) * 2 / (np.pi * bandwidth_m**2)


def centres(x0, y0, cell_m, columns, rows):
    across, up = np.meshgrid(x0 + (np.arange(columns) + 0.5) * cell_m, y0 + (np.arange(rows) + 0.5) * cell_m)
    return across.ravel(), up.ravel()


@pytest.mark.parametrize(("columns", "rows", "cell_m", "bandwidth_m"), [
    (40, 25, 50.0, 500.0), (25, 40, 50.0, 500.0), (150, 7, 11.0, 40.0), (1, 1, 300.0, 900.0), (60, 60, 100.0, 30.0),
])  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_a_raster_equals_the_sum_over_all_events(seed, columns, rows, cell_m, bandwidth_m) -> None:
    rng = np.random.default_rng([seed, columns])
    x0, y0 = 480_000.0 + rng.uniform(0, 100), 3_540_000.0
    x = x0 + rng.uniform(-0.3, 1.3, 300) * columns * cell_m
    y = y0 + rng.uniform(-0.3, 1.3, 300) * rows * cell_m
    x[:5], y[:5] = x0 + 0.5 * cell_m, y0 + 0.5 * cell_m  # in one place, right on a centre
    weight = rng.uniform(0, 3, 300)
    raster = {"x0": x0, "y0": y0, "cell_m": cell_m, "columns": columns, "rows": rows}
    got = planar_density(x, y, weight, **raster, bandwidth_m=bandwidth_m)
    expected = by_pairs(x, y, weight, *centres(**raster), bandwidth_m).reshape(rows, columns)
    assert got.shape == (rows, columns)
    assert got == pytest.approx(expected, rel=1e-8, abs=1e-13 * expected.max())
    assert (got[expected == 0] == 0).all()


def test_a_very_wide_raster_keeps_its_digits() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.uniform(0, 200_000, 3000), rng.uniform(0, 50, 3000)
    got = planar_density(x, y, None, x0=0.0, y0=0.0, cell_m=10.0, columns=20_000, rows=5, bandwidth_m=80.0)
    to_x, to_y = centres(0.0, 0.0, 10.0, 20_000, 5)
    near = np.sort(rng.choice(len(to_x), 2000, replace=False))
    expected = by_pairs(x, y, np.ones(3000), to_x[near], to_y[near], 80.0)
    assert np.abs(got.ravel()[near] - expected).max() < 1e-12 * expected.max()


def test_points_equal_the_sum_over_all_events_and_the_raster() -> None:
    rng = np.random.default_rng(5)
    x, y, weight = rng.uniform(0, 5000, 500), rng.uniform(0, 4000, 500), rng.uniform(0, 2, 500)
    to_x, to_y = rng.uniform(-2000, 7000, 800), rng.uniform(-2000, 6000, 800)
    for bandwidth_m in (35.0, 400.0, 20_000.0):
        got = planar_density_at(x, y, weight, to_x, to_y, bandwidth_m=bandwidth_m)
        expected = by_pairs(x, y, weight, to_x, to_y, bandwidth_m)
        assert got == pytest.approx(expected, rel=1e-10, abs=1e-14 * expected.max())
    raster = planar_density(x, y, weight, x0=0, y0=0, cell_m=100, columns=50, rows=40, bandwidth_m=400.0)
    there = planar_density_at(x, y, weight, *centres(0, 0, 100, 50, 40), bandwidth_m=400.0)
    assert raster.ravel() == pytest.approx(there, rel=1e-9, abs=1e-18)


def test_points_equal_scikit_learns() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(6)
    at, to = rng.normal(0, 500, (200, 2)), rng.normal(0, 500, (100, 2))
    tree = neighbors.KernelDensity(bandwidth=300.0, kernel="epanechnikov").fit(at)
    got = planar_density_at(*at.T, None, *to.T, bandwidth_m=300.0)
    assert got == pytest.approx(200 * np.exp(tree.score_samples(to)), rel=1e-9)


def test_a_fine_raster_holds_the_weight_of_all_events() -> None:
    rng = np.random.default_rng(7)
    x, y, weight = rng.uniform(1000, 2000, 50), rng.uniform(1000, 2000, 50), rng.uniform(0, 3, 50)
    got = planar_density(x, y, weight, x0=0, y0=0, cell_m=5.0, columns=600, rows=600, bandwidth_m=600.0)
    assert got.sum() * 25.0 == pytest.approx(weight.sum(), rel=1e-4)


def test_no_events_make_no_density() -> None:
    none = np.zeros(0)
    raster = planar_density(none, none, None, x0=0, y0=0, cell_m=5.0, columns=3, rows=2, bandwidth_m=9.0)
    assert raster.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert planar_density_at(none, none, None, [1.0], [2.0], bandwidth_m=9.0).tolist() == [0]


@pytest.mark.parametrize("bad", [
    {"x": [np.nan]}, {"x": [1.0, 2.0]}, {"weight": np.array([-1.0])}, {"cell_m": 0.0}, {"columns": 0}, {"rows": -3},
    {"columns": -2, "rows": -2}, {"bandwidth_m": -1.0}, {"x0": np.inf}, {"columns": 10**6, "rows": 10**6},
])  # fmt: skip
def test_impossible_rasters_are_refused(bad: dict) -> None:
    asked = {"x": [1.0], "y": [1.0], "weight": None, "x0": 0.0, "y0": 0.0, "cell_m": 1.0, "columns": 2, "rows": 2}
    with pytest.raises(QuestionError):
        planar_density(**(asked | {"bandwidth_m": 3.0} | bad))
