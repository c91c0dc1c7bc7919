"""How unevenly a share is spread over areas of different size."""

import numpy as np
from numpy.typing import NDArray


def gini(share: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Return the weighted Gini coefficient of ``share`` over areas of ``weight`` people.

    share : (n,) >= 0, e.g. the part of an area's people within reach; NaN counts as an area left out.
    weight : (n,) >= 0; areas of weight 0 do not count.

    0 where every person lives in an equally served area, towards 1 where few hold all. NaN where nobody lives
    anywhere or nothing is held by anyone. Half the relative mean absolute difference between two people drawn at
    random, computed from the sorted Lorenz curve.
    Source: Gastwirth 1972, https://doi.org/10.2307/1937992
    """
    people, held = lorenz(share, weight)
    if len(people) < 2:
        return float("nan")
    area_under = float(np.sum(np.diff(people) * (held[1:] + held[:-1])) / 2)
    return min(max(1.0 - 2.0 * area_under, 0.0), 1.0)


def lorenz(share: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Lorenz curve as (cumulative share of weight, cumulative share held), both from 0 to 1.

    share, weight : (n,) as in ``gini``. Areas run from the least to the most served, ties by input order.
    Returns two arrays of n' + 1 points; both empty where no weight or nothing held exists.
    """
    counted = (weight > 0) & np.isfinite(share)
    x, w = share[counted], weight[counted]
    order = np.argsort(x, kind="stable")
    people, held = np.cumsum(w[order]), np.cumsum((x * w)[order])
    if len(order) == 0 or held[-1] <= 0:
        return np.empty(0), np.empty(0)
    return np.append(0.0, people / people[-1]), np.append(0.0, held / held[-1])
