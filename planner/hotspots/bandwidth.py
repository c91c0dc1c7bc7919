"""A bandwidth chosen by how well the density of all other events foretells each."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import QuestionError
from gis.network import Positions, StreetNetwork
from planner.hotspots.lixels import lixels_of
from planner.hotspots.network_density import (
    DeadEnds,
    DensityOptions,
    Kernel,
    Split,
    checked_weight,
    density_of_others,
    network_density,
)
from planner.hotspots.planar_density import planar_density_at

Floats = NDArray[np.float64]


def choose_bandwidth(
    network: StreetNetwork,
    at: Positions,
    weight: Floats | None,
    candidates_m: Sequence[float],
    *,
    split: Split = "discontinuous",
    kernel: Kernel = "epanechnikov",
    dead_ends: DeadEnds = "reflect",
) -> tuple[float, Floats]:
    """Choose among bandwidths by leave-one-out likelihood: (best, scores (c,)); the shorter of equals.

    at, weight : events as in ``network_density``; those unsnapped or of weight 0 have no say.
    A score is the weighted mean over events of the log of the density at it of all others, as a share of their mass
    per metre. So that an event far from all others does not decide alone, this density is mixed with one that is even
    over all streets, with a share of 1 / (n + 1) for n events. What an event's own waves bring back to it is left out.
    A "simple" density does not keep mass: it is divided by what it integrates to.
    Raises QuestionError without candidates or with fewer than two events.
    Source: likelihood cross-validation, Silverman 1986, doi:10.1201/9781315140919, section 3.4.4.
    """
    given = checked_weight(weight, len(at))
    given = np.where(at.segment >= 0, given, 0.0)
    street_m = float(network.length_m.sum())
    whole = lixels_of(network, max(float(network.length_m.max(initial=0.0)), 1.0))

    def others(bandwidth_m: float) -> tuple[Floats, float]:
        options = DensityOptions(bandwidth_m, split, kernel, dead_ends)
        density = network_density(
            network, at, given, whole, bandwidth_m=bandwidth_m, split=split, kernel=kernel, dead_ends=dead_ends
        )
        return density_of_others(network, at, given, options), float((density * whole.length_m).sum())

    scores = np.array([_score(*others(b), given, street_m) for b in _in_order(candidates_m, given)])
    return _best(candidates_m, scores)


def choose_planar_bandwidth(
    x: ArrayLike, y: ArrayLike, weight: Floats | None, candidates_m: Sequence[float], *, area_m2: float
) -> tuple[float, Floats]:
    """Choose among bandwidths for ``planar_density`` as ``choose_bandwidth`` does on streets.

    area_m2 : the area events can lie in, for the even density mixed in.
    """
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    given = checked_weight(weight, len(east))
    if not (np.isfinite(area_m2) and area_m2 > 0):
        raise QuestionError(f"面积须大于 0，收到 {area_m2}", f"area_m2 must be above 0, got {area_m2}")

    def others(bandwidth_m: float) -> Floats:
        density = planar_density_at(east, north, given, east, north, bandwidth_m=bandwidth_m)
        left = density - given * (2.0 / (np.pi * bandwidth_m**2))
        return np.where(left > 1e-12 * density, left, 0.0)

    mass = float(given.sum())
    scores = np.array([_score(others(b), mass, given, area_m2) for b in _in_order(candidates_m, given)])
    return _best(candidates_m, scores)


def _in_order(candidates_m: Sequence[float], weight: Floats) -> Sequence[float]:
    if not len(candidates_m):
        raise QuestionError("没有可选的带宽", "there is no bandwidth to choose from")
    if (weight > 0).sum() < 2:
        raise QuestionError("选带宽至少要有两个事件", "choosing a bandwidth takes two events at least")
    return candidates_m


def _score(others: Floats, mass: float, weight: Floats, extent: float) -> float:
    """Return the mean log density of the others at each event, mixed with an even density over ``extent``."""
    counts = weight > 0
    w, left = weight[counts], others[counts]
    even = 1.0 / (len(w) + 1.0)
    share_left = 1.0 - w / w.sum()
    if mass <= 0:
        return -np.inf
    foretold = (1.0 - even) * left / (mass * share_left) + even / extent
    return float((w * np.log(foretold)).sum() / w.sum())


def _best(candidates_m: Sequence[float], scores: Floats) -> tuple[float, Floats]:
    order = np.lexsort((np.asarray(candidates_m, np.float64), -scores))
    return float(candidates_m[order[0]]), scores
