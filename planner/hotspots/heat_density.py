"""Kernel density on streets by diffusion: the heat kernel, a Gaussian that knows of junctions and dead ends."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from gis.errors import QuestionError
from gis.network import Positions, StreetNetwork
from planner.hotspots.lixels import Lixels
from planner.hotspots.network_density import checked_weight

Floats = NDArray[np.float64]
#: Steps of time, of two stages each.
STEPS = 16
#: Cells are at most this share of sigma.
FINENESS = 0.25
#: Both stages of the stiffly stable method of order 2 (Alexander 1977, doi:10.1137/0714068) solve with this share.
STAGE = 1.0 - np.sqrt(0.5)


def heat_density(
    network: StreetNetwork, at: Positions, weight: Floats | None, lixels: Lixels, *, sigma_m: float
) -> Floats:
    """Return (l,) the mean density over each lixel after the events' heat has spread, in weight per metre of street.

    at : (k,) events; those unsnapped are left out. weight : (k,) finite >= 0; one each if None.
    sigma_m : standard deviation in metres that an event on an endless street would spread to, finite and above 0.
    lixels : tile every street; those longer than a quarter of sigma are solved in finer cells.

    Heat flows along streets and into all arms of a junction alike, and no way out at dead ends: the limit of the
    continuous equal split with a Gaussian kernel. Finite volumes in space, 16 implicit steps of order 2 in time; every
    step keeps the sum over cells, so the sum of mean * length is the weight of all events on streets with length.
    Raises QuestionError on weights, sigma or lixels that do not fit.
    Source: McSwiggan, Baddeley & Nair 2017, doi:10.1111/sjos.12255.
    """
    if not (np.isfinite(sigma_m) and sigma_m > 0):
        raise QuestionError(f"标准差须大于 0 米，收到 {sigma_m}", f"sigma_m must be above 0 metres, got {sigma_m}")
    given = checked_weight(weight, len(at))
    if len(lixels.indptr) != network.n_segments + 1:
        zh = f"街段单元来自 {len(lixels.indptr) - 1} 条路段的路网，本路网有 {network.n_segments} 条"
        en = f"lixels cut from {len(lixels.indptr) - 1} segments, but the network has {network.n_segments}"
        raise QuestionError(zh, en)
    if not len(lixels):
        return np.zeros(0)

    split = np.maximum(np.ceil(lixels.length_m / (FINENESS * sigma_m)), 1).astype(np.int64)
    cells = _finer(lixels, split)
    between, node_of = _conductance(network, cells)
    heat = _spread(between, cells.length_m, _start(network, cells, at, given, node_of), 0.5 * sigma_m**2)
    mass = np.bincount(np.repeat(np.arange(len(lixels)), split), heat * cells.length_m, len(lixels))
    return np.asarray(mass / lixels.length_m)


def _finer(lixels: Lixels, split: NDArray[np.int64]) -> Lixels:
    """Cut lixel i into split[i] equal cells."""
    ends = np.concatenate([[0], np.cumsum(split)])
    lixel = np.repeat(np.arange(len(split)), split)
    place = np.arange(ends[-1]) - ends[lixel]
    begin, width = lixels.from_m[lixel], lixels.length_m[lixel] / split[lixel]
    to_m = np.where(place + 1 == split[lixel], lixels.to_m[lixel], begin + width * (place + 1))
    return Lixels(lixels.segment[lixel], begin + width * place, to_m, ends[lixels.indptr])


def _conductance(network: StreetNetwork, cells: Lixels) -> tuple[coo_array, NDArray[np.int64]]:
    """Return what flows per second and difference between cells and junctions (c + j unknowns), and junctions (n,).

    Half a cell's length lies between its middle and each of its ends. Junctions hold no heat; nodes joined by segments
    without length are one.
    """
    count, n = len(cells), network.n_nodes
    none = network.length_m <= 0
    joined = coo_array((np.ones(none.sum()), (network.u[none], network.v[none])), shape=(n, n))
    n_junctions, junction = connected_components(joined, directed=False)
    inner = np.flatnonzero(cells.segment[1:] == cells.segment[:-1])
    streets = np.flatnonzero(np.diff(cells.indptr) > 0)
    first, last = cells.indptr[streets], cells.indptr[streets + 1] - 1
    at_u, at_v = count + junction[network.u[streets]], count + junction[network.v[streets]]
    a = np.concatenate([inner, first, last])
    b = np.concatenate([inner + 1, at_u, at_v])
    half = 0.5 * cells.length_m
    flow = 1.0 / np.concatenate([half[inner] + half[inner + 1], half[first], half[last]])
    size = count + n_junctions
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    return coo_array((np.tile(flow, 2), both), shape=(size, size)), junction.astype(np.int64)


def _start(network: StreetNetwork, cells: Lixels, at: Positions, weight: Floats, node_of: NDArray[np.int64]) -> Floats:
    """Return (c,) weight per metre: each event shared between the two cells whose middles it lies between.

    Beyond the last middle it is all its cell's: there an event stands within half a cell of a junction.
    """
    placed = np.flatnonzero(at.segment >= 0)
    segment, x_m, w = at.segment[placed].astype(np.int64), at.offset_m[placed].copy(), weight[placed]
    first_at = np.full(int(node_of.max()) + 1, -1)
    streets = np.flatnonzero(np.diff(cells.indptr) > 0)[::-1]
    first_at[node_of[network.v[streets]]] = 2 * streets + 1
    first_at[node_of[network.u[streets]]] = 2 * streets
    none = network.length_m[segment] <= 0
    instead = first_at[node_of[network.u[segment[none]]]]
    segment[none] = instead // 2
    x_m[none] = np.where(instead % 2 == 1, network.length_m[instead // 2], 0.0)
    kept = segment >= 0
    segment, x_m, w = segment[kept], x_m[kept], w[kept]

    far = 2.0 * (float(network.length_m.max()) + 1.0)
    middle = 0.5 * (cells.from_m + cells.to_m)
    after = np.searchsorted(middle + far * cells.segment, x_m + far * segment, "right")
    after = np.clip(after, cells.indptr[segment], cells.indptr[segment + 1])
    low = np.maximum(after - 1, cells.indptr[segment])
    high = np.minimum(after, cells.indptr[segment + 1] - 1)
    gap = np.where(high > low, middle[high] - middle[low], 1.0)
    share = np.where(high > low, np.clip((x_m - middle[low]) / gap, 0.0, 1.0), 0.0)
    mass = np.bincount(low, w * (1.0 - share), len(cells)) + np.bincount(high, w * share, len(cells))
    return np.asarray(mass / cells.length_m)


def _spread(between: coo_array, length_m: Floats, start: Floats, time: float) -> Floats:
    """Let heat flow for ``time`` and return (c,) what every cell has per metre."""
    count, size = len(length_m), between.shape[0]
    out = np.asarray(between.sum(axis=1)).ravel()
    holds = np.zeros(size)
    holds[:count] = length_m
    alone = np.where((out == 0) & (holds == 0), 1.0, 0.0)  # a junction of nothing
    laplacian = diags_array(out) - between.tocsr()
    step = time / STEPS
    solver = splu(
        (diags_array(holds + alone) + STAGE * step * laplacian).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    heat = np.zeros(size)
    heat[:count] = start
    for _ in range(STEPS):
        one = solver.solve(holds * heat)
        # the first stage has moved STAGE of the step: the second starts where its slope leads over the rest
        heat = solver.solve(holds * (heat + (1.0 - STAGE) / STAGE * (one - heat)))
    return heat[:count]
