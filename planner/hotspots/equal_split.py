"""Equal-split kernel density on a network: waves that go on from junction to junction and share themselves out.

A wave leaves an event in both directions. Where it meets a junction of k arms it goes on along the others: each gets
1 / (k - 1) (discontinuous), or 2 / k while 2 / k - 1 of it, a loss unless k = 1, returns (continuous). At a dead end it
is reflected, so that no mass is lost, or ends there. Waves may meet a junction again, as long as they have come less
than the bandwidth. Lengths are in bandwidths.
Sources: Okabe, Satoh & Sugihara 2009, doi:10.1080/13658810802475491; Okabe & Sugihara 2012, doi:10.1002/9781119967101.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.network import StreetNetwork, arcs_of
from planner.hotspots.network_density_kernels import lay_around, lay_from_u, lay_from_v, mean_between

Floats = NDArray[np.float64]
#: Waves of one group followed one by one; after these, waves that enter an arc nearly together are merged.
EXACT_WAVES = 5_000
#: Waves are taken up in order of distance, in this many steps to a bandwidth; those merged lie within one step.
STEPS = 1024


class Arms(NamedTuple):
    """The arms of every junction; segments without length are no arms, and the nodes they join are one.

    node_u, node_v : (m,) junction at the ends of each segment.
    indptr (j + 1,), head, segment, forward, back (a,): arms of each junction, the junction each leads to, its segment,
        whether it runs from u to v, and the arm that leads back.
    """

    node_u: NDArray[np.int32]
    node_v: NDArray[np.int32]
    indptr: NDArray[np.int32]
    head: NDArray[np.int32]
    segment: NDArray[np.int32]
    forward: NDArray[np.bool_]
    back: NDArray[np.int32]


class Groups(NamedTuple):
    """Events that set out into the network by the same way.

    node (g,): the junction they reach first; by (g,): the arm that leads back to where they stand, -1 if at the
    junction itself. Members of group g are indptr[g]:indptr[g + 1] of event (k,) and start (k,), what they have come by
    the junction, ascending.
    """

    node: NDArray[np.int32]
    by: NDArray[np.int32]
    indptr: NDArray[np.int64]
    event: NDArray[np.int32]
    start: Floats


class Shares(NamedTuple):
    """What of a wave goes on along each other arm of a junction (j,), what returns (j,), what an event there sends."""

    onward: Floats
    returned: Floats
    sent: Floats


def arms_of(network: StreetNetwork) -> Arms:
    """Join what segments without length join, and lay out the arms of the junctions."""
    none = network.length_m <= 0
    n = network.n_nodes
    joined = coo_array((np.ones(none.sum()), (network.u[none], network.v[none])), shape=(n, n))
    junction = connected_components(joined, directed=False)[1].astype(np.int32)
    node_u, node_v = junction[network.u], junction[network.v]
    kept = np.flatnonzero(~none).astype(np.int32)
    count = int(junction.max()) + 1 if n else 0
    indptr, head, place, forward = arcs_of(node_u[kept], node_v[kept], count)
    at = np.empty((2, len(kept)), np.int32)
    at[forward.astype(np.int8), place] = np.arange(len(place), dtype=np.int32)
    return Arms(node_u, node_v, indptr, head, kept[place], forward, at[1 - forward.astype(np.int8), place])


def shares_of(arms: Arms, *, continuous: bool, reflect: bool) -> Shares:
    """Return the shares of the rule asked for."""
    k = np.diff(arms.indptr).astype(np.float64)
    dead_end = k == 1
    arms_at_least = np.maximum(k, 2.0)
    onward = 2.0 / arms_at_least if continuous else 1.0 / (arms_at_least - 1.0)
    returned = 2.0 / arms_at_least - 1.0 if continuous else np.zeros(len(k))
    returned[dead_end] = 1.0 if reflect else 0.0
    onward[dead_end] = 0.0
    return Shares(onward, returned, 2.0 / np.maximum(k, 1.0))


def groups_of(arms: Arms, length: Floats, segment: NDArray[np.int32], x: Floats) -> Groups:
    """Group events (e,) by the end they leave their segment over, or the junction they are at.

    Segments are those with length; an event at either end of its segment is at the junction.
    """
    e = np.arange(len(x), dtype=np.int32)
    at_u, at_v = x <= 0, x >= length[segment]
    inside = ~(at_u | at_v)
    arm = np.empty((2, len(length)), np.int32)
    arm[arms.forward.astype(np.int8), arms.segment] = np.arange(len(arms.segment), dtype=np.int32)
    over_u, over_v = e[inside], e[inside]
    at = np.concatenate([e[at_u], e[at_v & ~at_u]])
    event = np.concatenate([over_u, over_v, at])
    node = np.concatenate(
        [
            arms.node_u[segment[over_u]],
            arms.node_v[segment[over_v]],
            np.where(at_u, arms.node_u[segment], arms.node_v[segment])[at],
        ]
    )
    by = np.concatenate([arm[1, segment[over_u]], arm[0, segment[over_v]], np.full(len(at), -1, np.int32)])
    start = np.concatenate([x[over_u], length[segment[over_v]] - x[over_v], np.zeros(len(at))])
    order = np.lexsort((start, by, node))
    event, node, by, start = event[order], node[order], by[order], start[order]
    first = np.flatnonzero(np.r_[True, (node[1:] != node[:-1]) | (by[1:] != by[:-1])]) if len(event) else e[:0]
    return Groups(node[first], by[first], np.append(first, len(event)).astype(np.int64), event, start)


@njit(cache=True, error_model="numpy")
def _mass_beyond(event, start, first, last, weight, delay, coef):  # type: ignore[no-untyped-def]
    """Return what a wave that enters an arc after ``delay`` still has to lay down, summed over the group's events."""
    mass = 0.0
    for k in range(first, last):
        come = start[k] + delay
        if come >= 1.0:
            break
        mass += weight[event[k]] * (1.0 - come) * mean_between(coef, come, 1.0)
    return mass


@njit(cache=True, error_model="numpy")
def _merge(chain, event, start, first, last, weight, coef, pool, stamp, mark, slot):  # type: ignore[no-untyped-def]
    """Merge the chain's waves that enter the same arc with the same sign, keeping their mass; return the chain."""
    arc, delay, share, following = pool
    kept = np.int32(-1)
    while chain >= 0:
        e = chain
        chain = following[e]
        key = 2 * arc[e] + (1 if share[e] < 0.0 else 0)
        if mark[key] != stamp:
            mark[key] = stamp
            slot[key] = e
            following[e] = kept
            kept = e
            continue
        k = slot[key]
        mass = share[e] * _mass_beyond(event, start, first, last, weight, delay[e], coef)
        mass += share[k] * _mass_beyond(event, start, first, last, weight, delay[k], coef)
        middle = (share[e] * delay[e] + share[k] * delay[k]) / (share[e] + share[k])  # of one sign: never 0
        of_one = _mass_beyond(event, start, first, last, weight, middle, coef)
        if of_one == 0.0:  # the later one has died out
            middle = min(delay[e], delay[k])
            of_one = _mass_beyond(event, start, first, last, weight, middle, coef)
        delay[k] = middle
        share[k] = mass / of_one if of_one > 0.0 else 0.0
        # the merged entry's place in the pool is lost until the group is done
    return kept


@njit(cache=True, error_model="numpy")
def _longer(pool):  # type: ignore[no-untyped-def]
    arc, delay, share, following = pool
    n = arc.size
    more = (np.empty(2 * n, np.int32), np.empty(2 * n), np.empty(2 * n), np.empty(2 * n, np.int32))
    for e in range(n):
        more[0][e] = arc[e]
        more[1][e] = delay[e]
        more[2][e] = share[e]
        more[3][e] = following[e]
    return more


@njit(cache=True, error_model="numpy")
def _lay_on_arm(  # type: ignore[no-untyped-def]
    low, high, whole, left, coef, s, first, last, length, step, forward, delay, share, event, start, begin, end,
    segment, x, weight, own,
):  # fmt: skip
    """Lay the waves of a group's events (members begin:end) on the arm s they enter ``delay`` after their junction."""
    side = 0 if forward else 1
    for k in range(begin, end):
        come = start[k] + delay
        if come >= 1.0:
            break
        e = event[k]
        sent = share * weight[e]
        if come + length <= 1.0:
            for j in range(whole.shape[2]):
                whole[s, side, j] += sent
                sent *= come
        elif forward:
            lay_from_u(low, high, whole, left, coef, s, first, last, length, step, come, 1.0 - come, sent)
        else:
            since = length + come - 1.0
            lay_from_v(low, high, whole, left, coef, s, first, last, length, step, come, since, sent, False)
        if own.size > 0 and segment[e] == s:
            far = come + (x[e] if forward else length - x[e])
            if far < 1.0:
                own[e] += share * mean_between(coef, far, far)


@njit(cache=True, error_model="numpy")
def lay_waves(  # type: ignore[no-untyped-def]
    arms, shares, groups, segment, x, weight, own, exact_waves, indptr, low, high, length, step, whole, left, coef,
):  # fmt: skip
    """Follow every group's waves over junctions until they have come a bandwidth, laying them on each arm.

    segment, x, weight : (e,) events. own : (e,) in and out, the kernel an event sends back to its own place; or empty.
    exact_waves : how many waves of a group to follow before waves are merged. The rest: ``Places`` and ``Laid``.
    """
    _, _, arm_indptr, arm_head, arm_segment, arm_forward, arm_back = arms
    onward, returned, sent = shares
    group_node, group_by, members, event, start = groups
    bucket = np.full(STEPS, -1, np.int32)
    arc, late, part, following = np.empty(1024, np.int32), np.empty(1024), np.empty(1024), np.empty(1024, np.int32)
    mark = np.full(2 * arm_head.size, -1, np.int64)
    slot = np.empty(2 * arm_head.size, np.int32)
    stamp = np.int64(0)
    for g in range(group_node.size):
        begin, end = members[g], members[g + 1]
        spare, chain = np.int32(-1), np.int32(-1)
        top = b = waves = 0
        junction, by, delay, share = group_node[g], group_by[g], 0.0, 1.0
        while True:
            if delay + start[begin] < 1.0:  # a wave has come to a junction: queue what goes on
                if top + arm_indptr[junction + 1] - arm_indptr[junction] > arc.size:
                    arc, late, part, following = _longer((arc, late, part, following))
                into = min(int(delay * STEPS), STEPS - 1)
                for a in range(arm_indptr[junction], arm_indptr[junction + 1]):
                    passed = sent[junction] if by < 0 else (returned[junction] if a == by else onward[junction])
                    if passed == 0.0:
                        continue
                    if spare >= 0:
                        e = spare
                        spare = following[e]
                    else:
                        e = np.int32(top)
                        top += 1
                    arc[e], late[e], part[e] = a, delay, share * passed
                    following[e] = bucket[into]
                    bucket[into] = e
            if chain < 0:
                while b < STEPS and bucket[b] < 0:
                    b += 1
                if b == STEPS:
                    break
                chain = bucket[b]
                bucket[b] = -1
                if waves > exact_waves:
                    stamp += 1
                    pool = (arc, late, part, following)
                    chain = _merge(chain, event, start, begin, end, weight, coef, pool, stamp, mark, slot)
            e = chain
            chain = following[e]
            arm, delay, share = arc[e], late[e], part[e]
            following[e] = spare
            spare = e
            waves += 1
            if share == 0.0:  # nothing left after a merger
                delay = 2.0
                continue
            s = arm_segment[arm]
            _lay_on_arm(
                low, high, whole, left, coef, s, indptr[s], indptr[s + 1], length[s], step[s], arm_forward[arm], delay,
                share, event, start, begin, end, segment, x, weight, own,
            )  # fmt: skip
            delay += length[s]
            junction, by = arm_head[arm], arm_back[arm]


@njit(cache=True, error_model="numpy")
def lay_at_home(segment, x, weight, own, indptr, low, high, length, left, coef):  # type: ignore[no-untyped-def]
    """Lay every event that is no junction's on its own segment, as far as its ends."""
    for e in range(x.size):
        s = segment[e]
        if 0.0 < x[e] < length[s]:
            lay_around(low, high, left, coef, indptr[s], indptr[s + 1], length[s], x[e], 0.0, length[s], weight[e])
            if own.size > 0:
                own[e] += coef[0]
