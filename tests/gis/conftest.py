"""What the tests of the kernels share."""

import pytest

from gis.network import StreetNetwork
from tests.gis.model_networks import network_of


@pytest.fixture(scope="session")
def toy_town() -> StreetNetwork:
    """Return a town of nine nodes, worked by hand.

    0 --100-- 1 --100-- 2        segments 0, 1
    |         ||        |        2: 0-3; 3 and 4: 1-4 twice (parallel, 100 and 160 m); 5: 2-5
    3 --100-> 4 --100-- 5 @6     6: one-way 3 to 4; 7; 8: loop of 130 m at 5
              |                  9: 4-6, no length (a kerb)
              6    7 --50-- 8    10: an island
    """
    xy = [(0, 200), (100, 200), (200, 200), (0, 100), (100, 100), (200, 100), (100, 100), (400, 0), (450, 0)]
    u = [0, 1, 0, 1, 1, 2, 3, 4, 5, 4, 7]
    v = [1, 2, 3, 4, 4, 5, 4, 5, 5, 6, 8]
    length_m = [100, 100, 100, 100, 160, 100, 100, 100, 130, 0, 50]
    oneway = [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    return network_of(xy, u, v, length_m, oneway, ["residential"] * 11)
