"""The order of points along a Hilbert curve, so that neighbours on the ground are neighbours in memory."""

import numpy as np
from numpy.typing import NDArray

_LEVEL = 16  # 65,536 cells a side: about two metres over a city of 100 km


def hilbert_key(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each point's distance (n,) along a Hilbert curve over the points' own bounding square.

    x, y : (n,) finite coordinates in any unit. Points closer than 1/65,536 of the extent may share a key.
    Source: Hilbert (1891), doi:10.1007/BF01199431; the bitwise form is Warren, Hacker's Delight (2012), ch. 16.
    """
    if not len(x):
        return np.zeros(0, np.int64)

    side = max(np.ptp(x), np.ptp(y)) or 1.0
    top = (1 << _LEVEL) - 1
    a = ((x - x.min()) / side * top).astype(np.int64)
    b = ((y - y.min()) / side * top).astype(np.int64)
    key = np.zeros(len(x), np.int64)
    for bit in range(_LEVEL - 1, -1, -1):
        step = 1 << bit
        right, upper = (a & step) > 0, (b & step) > 0
        key += step * step * ((3 * right) ^ upper)
        # Turn the quadrant so that the curve inside it starts where the last one ended.
        flip = ~upper & right
        a, b = (
            np.where(flip, step - 1 - (a & (step - 1)), a & (step - 1)),
            np.where(flip, step - 1 - (b & (step - 1)), b & (step - 1)),
        )
        a, b = np.where(upper, a, b), np.where(upper, b, a)
    return key
