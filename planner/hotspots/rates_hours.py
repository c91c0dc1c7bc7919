"""At what hours people are found in each part of the city, where that differs from the city as a whole."""

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.exposure import Detection, exposure_of
from planner.hotspots.rates_prior import blurred

Floats = NDArray[np.float64]

#: Kernels from wide to narrow, each starting from the last with the weight of so many reports of each shift.
KERNELS_M, BORROWED = (600.0, 300.0, 150.0), 5.0


def local_hours(
    count: Floats, passes: Floats, weeks: Floats, detection: Detection, x: Floats, y: Floats, size: Floats
) -> Floats:
    """Return (n, s) the shares of each segment's people by shift, rows summing to 1.

    count : (n, m, s) reports of either channel. passes : (n, m, s). weeks : (m,). x, y, size : (n,).
    Around each segment, reports of a shift are set against those expected by effort if hours were as in the wider
    surroundings (first the whole city): shares move by (reports + 5) / (expected + 5). Effort that misses a place's
    own hours, such as day patrols at a place of the night, then counts for less.
    """
    seen = exposure_of(passes, weeks, detection.detectability)
    watched = np.einsum("ims,m->is", seen + detection.told_share * (1 - seen), weeks * detection.month)
    by_shift = count.sum(axis=1)
    hours = np.tile(detection.shift, (len(x), 1))
    for kernel_m in KERNELS_M:
        expected = hours * watched * size[:, None]
        here = np.column_stack([blurred(of, x, y, kernel_m) for of in by_shift.T])
        due = np.column_stack([blurred(of, x, y, kernel_m) for of in expected.T])
        due *= (here.sum(axis=1) / np.maximum(due.sum(axis=1), 1e-12))[:, None]
        hours = hours * (here + BORROWED) / (due + BORROWED)
        hours /= hours.sum(axis=1, keepdims=True)
    return np.asarray(hours, np.float64)
