"""Kernel density of events on streets: events per metre, by shortest paths or shared equally at junctions."""

from dataclasses import dataclass
from math import comb
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.network import Positions, StreetNetwork
from gis.reach_many import catch
from planner.hotspots.equal_split import EXACT_WAVES, arms_of, groups_of, lay_at_home, lay_waves, shares_of
from planner.hotspots.lixels import Lixels
from planner.hotspots.network_density_kernels import TERMS, Laid, Places, lay_simple, settle

Floats = NDArray[np.float64]
Split = Literal["simple", "discontinuous", "continuous"]
Kernel = Literal["epanechnikov", "quartic", "triangular", "uniform"]
DeadEnds = Literal["reflect", "open"]

#: Kernels as polynomials of distance in bandwidths on [0, 1); each has mass 1 over [-1, 1].
COEFFICIENTS: dict[str, tuple[float, ...]] = {
    "epanechnikov": (0.75, 0.0, -0.75),
    "quartic": (15 / 16, 0.0, -15 / 8, 0.0, 15 / 16),
    "triangular": (1.0, -1.0),
    "uniform": (0.5,),
}
#: Nodes found by the searches held at once: about 25 MB.
NODES_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class DensityOptions:
    """How events are spread over streets; checks itself.

    bandwidth_m : metres along the streets at which an event's density ends, finite and above 0.
    split : at a junction of k arms, what comes along one arm goes on whole along every other ("simple": a kernel of the
        shortest-path distance, which integrates to more than the number of events), by 1 / (k - 1) along every other
        ("discontinuous"), or by 2 / k along every other with 2 / k - 1 coming back ("continuous").
    kernel : a name in COEFFICIENTS.
    dead_ends : "reflect" keeps an equal-split density's mass; "open" loses what would go on beyond a dead end. Without
        meaning for "simple".
    """

    bandwidth_m: float
    split: Split = "discontinuous"
    kernel: Kernel = "epanechnikov"
    dead_ends: DeadEnds = "reflect"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.bandwidth_m) and self.bandwidth_m > 0):
            zh = f"带宽须大于 0 米，收到 {self.bandwidth_m}"
            raise QuestionError(zh, f"a bandwidth must be above 0 metres, got {self.bandwidth_m}")
        for what, given, known in (
            ("split", self.split, get_args(Split)),
            ("kernel", self.kernel, tuple(COEFFICIENTS)),
            ("dead_ends", self.dead_ends, get_args(DeadEnds)),
        ):
            if given not in known:
                zh = f"{what} 须为 {'、'.join(known)} 之一，收到 {given!r}"
                raise QuestionError(zh, f"{what} must be one of {', '.join(known)}, got {given!r}")


def network_density(
    network: StreetNetwork,
    at: Positions,
    weight: Floats | None,
    lixels: Lixels,
    *,
    bandwidth_m: float,
    split: Split = "discontinuous",
    kernel: Kernel = "epanechnikov",
    dead_ends: DeadEnds = "reflect",
) -> Floats:
    """Return (l,) the mean density over each lixel, in weight per metre of street.

    at : (k,) events; those unsnapped (segment -1) are left out. weight : (k,) finite >= 0; one each if None.
    The rest as in ``DensityOptions``. Streets are walked both ways.

    Means are integrals of the exact piecewise polynomial, not samples: of an equal-split density, the sum over all
    lixels of mean * length is the weight of all events, but for events on streets without length that lead nowhere.
    An event at a segment's very end stands at the junction and sends 2 / k along each of its k arms, whichever
    segment it was brought to. Segments without length are no arms. Paths may meet a junction again (round a block),
    not turn back between junctions. Beyond EXACT_WAVES of one event's waves, those that enter a segment within
    1/1024 of the bandwidth of each other are merged: mass is kept, and cost bounded.
    Raises QuestionError on weights, options or lixels that do not fit.
    Sources: Okabe, Satoh & Sugihara 2009, doi:10.1080/13658810802475491 (equal split); Xie & Yan 2008,
    doi:10.1016/j.compenvurbsys.2008.05.001 (simple).
    """
    options = DensityOptions(bandwidth_m, split, kernel, dead_ends)
    if len(lixels.indptr) != network.n_segments + 1:
        zh = f"街段单元来自 {len(lixels.indptr) - 1} 条路段的路网，本路网有 {network.n_segments} 条"
        en = f"lixels cut from {len(lixels.indptr) - 1} segments, but the network has {network.n_segments}"
        raise QuestionError(zh, en)
    events = _merged(at, checked_weight(weight, len(at)))
    scaled = network.length_m / bandwidth_m
    step = _equal_steps(network, lixels) / bandwidth_m
    places = Places(lixels.indptr, lixels.from_m / bandwidth_m, lixels.to_m / bandwidth_m, scaled, step)
    return _density(network, events, places, options, np.empty(0))


def network_density_at(
    network: StreetNetwork,
    at: Positions,
    weight: Floats | None,
    to: Positions,
    *,
    bandwidth_m: float,
    split: Split = "discontinuous",
    kernel: Kernel = "epanechnikov",
    dead_ends: DeadEnds = "reflect",
) -> Floats:
    """Return (p,) the density at each point ``to``, as ``network_density`` does for lixels; NaN where unsnapped.

    A discontinuous density at a segment's very end is that of this segment.
    """
    options = DensityOptions(bandwidth_m, split, kernel, dead_ends)
    events = _merged(at, checked_weight(weight, len(at)))
    return _density_at(network, events, to, options, np.empty(0))


def density_of_others(network: StreetNetwork, at: Positions, weight: Floats, options: DensityOptions) -> Floats:
    """Return (k,) the density at each event of all other events; NaN where unsnapped.

    What an event's own waves bring back to its place (round a block, from a dead end) is left out, too.
    """
    events = _merged(at, weight)
    own = np.zeros(len(events.x_m))
    density = _density_at(network, events, at, options, own)
    if options.split == "simple":
        own[:] = COEFFICIENTS[options.kernel][0]
    mine = np.full(len(at), np.nan)
    mine[events.placed] = own[events.group] / options.bandwidth_m
    others = density - mine * weight
    return np.where(others > 1e-12 * density, others, np.where(np.isnan(others), np.nan, 0.0))


def checked_weight(weight: Floats | None, count: int) -> Floats:
    """Return weights (count,) of float64, ones if None; refuse any that are missing, infinite or below zero."""
    if weight is None:
        return np.ones(count)
    given = np.asarray(weight, np.float64)
    if given.shape != (count,):
        zh = f"权重个数 {given.shape} 与事件数 {count} 不符"
        raise QuestionError(zh, f"{given.shape} weights for {count} events")
    if not (np.isfinite(given) & (given >= 0)).all():
        raise QuestionError("权重须为不小于 0 的有限数", "weights must be finite and not below 0")
    return given


def _equal_steps(network: StreetNetwork, lixels: Lixels) -> Floats:
    """Return (m,) the length of a segment's lixels where they are equal pieces of all of it, else 0."""
    count = np.diff(lixels.indptr)
    step_m = np.divide(network.length_m, count, out=np.zeros(len(count)), where=count > 0)
    place = np.arange(len(lixels)) - lixels.indptr[:-1][lixels.segment]
    off_m = np.abs(lixels.from_m - place * step_m[lixels.segment])
    off_m += np.abs(lixels.to_m - (place + 1) * step_m[lixels.segment])
    uneven = off_m > 1e-12 * network.length_m[lixels.segment]
    step_m[lixels.segment[uneven]] = 0.0
    return step_m


class _Events(NamedTuple):
    """Events in the same place as one: (e,) segment, x_m, weight, ordered; ``group`` tells it of each in ``placed``."""

    segment: NDArray[np.int32]
    x_m: Floats
    weight: Floats
    placed: NDArray[np.int64]
    group: NDArray[np.int64]


def _merged(at: Positions, weight: Floats) -> _Events:
    placed = np.flatnonzero(at.segment >= 0)
    segment, x_m = at.segment[placed], at.offset_m[placed]
    order = np.lexsort((x_m, segment))
    s, x = segment[order], x_m[order]
    new = np.r_[True, (s[1:] != s[:-1]) | (x[1:] != x[:-1])] if len(s) else np.zeros(0, np.bool_)
    group = np.empty(len(s), np.int64)
    group[order] = np.cumsum(new) - 1
    count = int(new.sum())
    total = np.bincount(group, weight[placed], count).astype(np.float64)  # of nothing, integers
    return _Events(s[new], x[new], total, placed, group)


def _density_at(network: StreetNetwork, events: _Events, to: Positions, options: DensityOptions, own: Floats) -> Floats:
    placed = np.flatnonzero(to.segment >= 0)
    segment, x_m = to.segment[placed], to.offset_m[placed]
    if options.split != "simple":
        segment, x_m = _off_the_lengthless(network, segment, x_m)
    order = np.lexsort((x_m, segment))
    indptr = np.searchsorted(segment[order], np.arange(network.n_segments + 1)).astype(np.int64)
    x = np.minimum(x_m, network.length_m[segment])[order] / options.bandwidth_m
    found = np.full(len(to), np.nan)
    scaled = network.length_m / options.bandwidth_m
    places = Places(indptr, x, x, scaled, np.zeros(len(scaled)))
    found[placed[order]] = _density(network, events, places, options, own)
    return found


def _density(network: StreetNetwork, events: _Events, places: Places, options: DensityOptions, own: Floats) -> Floats:
    """Lay all events and settle. own : (e,) out unless empty, an equal-split kernel of weight 1 at its own place."""
    coefficients = COEFFICIENTS[options.kernel]
    terms = len(coefficients)
    coef = np.zeros(TERMS)
    coef[:terms] = coefficients
    count = len(places.low)
    laid = Laid(np.zeros((network.n_segments, 2, terms)), np.zeros((count, 2 * terms + 1)), coef)
    if len(events.x_m) and count:
        if options.split == "simple":
            _lay_simple(network, events, places, laid, options.bandwidth_m)
        else:
            _lay_equal_split(network, events, places, laid, options, own)
    table = np.array(
        [[coef[j + n] * comb(j + n, n) if j + n < terms else 0.0 for n in range(terms)] for j in range(terms)]
    )
    return np.asarray(settle(*places[:4], laid.whole, laid.left, table)) / options.bandwidth_m


def _lay_simple(network: StreetNetwork, events: _Events, places: Places, laid: Laid, bandwidth_m: float) -> None:
    """Search from the ends of segments with events, so many at a time that what they reach fits in memory."""
    u, v, n = network.u, network.v, network.n_nodes
    x = np.minimum(events.x_m, network.length_m[events.segment]) / bandwidth_m
    segments, first = np.unique(events.segment, return_index=True)
    with_places = (np.diff(places.indptr) > 0)[network.arc_segment]
    arcs = np.concatenate([[0], np.cumsum(with_places)])[network.indptr].astype(np.int64)
    arc_segment, arc_length = network.arc_segment[with_places], places.length[network.arc_segment]
    by_node = np.lexsort((np.maximum(u, v)[segments], np.minimum(u, v)[segments]))  # neighbours share their searches
    last = np.append(first[1:], len(x))
    begin, step = 0, 512
    while begin < len(segments):
        chosen = by_node[begin : begin + step]
        begin += step
        nodes = np.unique(np.concatenate([u[segments[chosen]], v[segments[chosen]]]))
        k = np.arange(len(nodes) + 1)
        indptr, node, distance = catch(
            network.indptr,
            network.head,
            arc_length,
            nodes,
            np.zeros(len(nodes)),
            k[:-1].astype(np.int32),
            k,
            1.0,
            1 / 64,
        )
        row = np.full(n, -1, np.int64)
        row[nodes] = k[:-1]
        count = last[chosen] - first[chosen]
        some = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        e = np.arange(some[-1]) + np.repeat(first[chosen] - some[:-1], count)
        lay_simple(
            segments[chosen], some, x[e], events.weight[e], u, v, row, indptr, node, distance, arcs, arc_segment,
            *places, *laid,
        )  # fmt: skip
        step = max(1, min(len(segments), int(step * min(64.0, NODES_AT_ONCE / max(len(node), 1)))))


def _lay_equal_split(
    network: StreetNetwork, events: _Events, places: Places, laid: Laid, options: DensityOptions, own: Floats
) -> None:
    segment, x_m = _off_the_lengthless(network, events.segment, events.x_m)
    x = x_m / options.bandwidth_m
    x[x_m >= network.length_m[segment]] = places.length[segment[x_m >= network.length_m[segment]]]
    arms = arms_of(network)
    shares = shares_of(arms, continuous=options.split == "continuous", reflect=options.dead_ends == "reflect")
    on_a_street = network.length_m[segment] > 0
    weight = np.where(on_a_street, events.weight, 0.0)
    groups = groups_of(arms, places.length, segment, x)
    lay_at_home(segment, x, weight, own, *places[:4], laid.left, laid.coef)
    lay_waves(arms, shares, groups, segment, x, weight, own, EXACT_WAVES, *places, *laid)


def _off_the_lengthless(
    network: StreetNetwork, segment: NDArray[np.int32], x_m: Floats
) -> tuple[NDArray[np.int32], Floats]:
    """Move what stands on a segment without length to the end of the first street that meets it, if any does."""
    standing = np.flatnonzero(network.length_m[segment] <= 0)
    segment, x_m = segment.copy(), x_m.copy()
    if not len(standing):
        return segment, x_m
    arms = arms_of(network)
    junction = arms.node_u[segment[standing]]
    met = arms.indptr[junction] < arms.indptr[junction + 1]
    standing, arm = standing[met], arms.indptr[junction[met]]
    segment[standing] = arms.segment[arm]
    x_m[standing] = np.where(arms.forward[arm], 0.0, network.length_m[arms.segment[arm]])
    return segment, x_m
