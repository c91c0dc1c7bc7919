"""Positions on streets lie where the drawn lines run."""

import numpy as np
import shapely

from gis.crs import to_metric
from gis.network_build import build_network
from gis.street_points import points_on
from layers.demo_city.build import build_streets


def test_positions_lie_where_shapely_puts_them() -> None:
    network, _ = build_network(build_streets("town").iloc[:400])
    rng = np.random.default_rng(1)
    segment = rng.integers(0, network.n_segments, 500)
    share = np.r_[np.zeros(20), np.ones(20), rng.random(460)]
    x, y = points_on(network, segment, network.length_m[segment] * share)
    lines = shapely.transform(network.geometry, lambda at: np.column_stack(to_metric(*at.T, network.crs)))
    expected = shapely.line_interpolate_point(lines[segment], share, normalized=True)
    assert np.abs(x - shapely.get_x(expected)).max() < 1e-3 and np.abs(y - shapely.get_y(expected)).max() < 1e-3


def test_no_position_gives_no_point() -> None:
    network, _ = build_network(build_streets("town").iloc[:5])
    x, y = points_on(network, np.empty(0, np.int32), np.empty(0))
    assert len(x) == len(y) == 0
