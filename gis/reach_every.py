"""What is within reach of every node at once: many bounded searches that share their work.

A search from every node is too much work taken one by one. So most of it is done once for all, or in lanes:

1. Nodes of low degree are eliminated from the network, each leaving shortcuts between the neighbours it had left. A
   few nodes remain: the core. Every shortest way now climbs from its start, crosses the core and climbs down again.
2. Neighbouring nodes form a cluster; one search finds the ground within the limit of it.
3. All nodes of a cluster are searched from together, one lane each, each street looked up once for all lanes: up,
   across the core until nothing changes, and down once, from every eliminated node's few remaining neighbours.

Source: elimination with shortcuts as in contraction hierarchies (Geisberger et al. 2012, doi 10.1287/trsc.1110.0401),
the sweep down in lanes as in PHAST (Delling et al. 2013, doi 10.1016/j.jpdc.2012.02.007), here bounded and exact.

Seconds are whole numbers of limit / 2**29 here, so sums are the same in any order and a way of h arcs is off by at
most h / 2 units; a node whose total could hang on that is counted again in float64 (``_count_exactly``).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.reach_kernels import new_queue, spread
from gis.search_graph import SearchGraph

#: Nodes searched from together: a multiple of any machine's vector length.
LANES = 128
#: A node with more neighbours left than this stays in the core; nobody may come to have more than SLOTS.
MOST_NEIGHBOURS = 8
SLOTS = 12
UNITS = 2**29
#: Below this a unit would be lost in float64's own rounding of the seconds.
LEAST_LIMIT_S = 1e-3
#: No way: twice this still fits 32 bits.
FAR = 2**30 - 1
#: Width of a bucket of the surrounding search, as a shift: 128 of them up to the limit.
BUCKET_SHIFT = 22


def reached_total(graph: SearchGraph, weight: NDArray[np.float64], limit_s: float) -> NDArray[np.float64]:
    """Sum, for every node, the weight of the nodes within ``limit_s`` seconds of it.

    weight : (n,) finite float64, for example the people living at each node. limit_s : finite, >= 0.

    Returns (n,) float64; entry i holds what a search from node i reaches: with ``graph.toward`` the nodes that can
    come to i in time, without it the nodes i can get to; a node always reaches itself. The set of nodes reached is
    exactly that of Dijkstra's search in float64 from each node; only the order of summation differs.
    Fast where neighbours in space are neighbours in position (as every network builder orders them), right anywhere;
    slower where many ways take the limit to a millionth, as on a lattice of equal blocks. Memory: about 200 bytes a
    node, and 512 bytes for each node within the limit of one cluster.
    Raises NetworkError on a weight of another length or not finite, or an impossible limit.
    """
    if weight.shape != (graph.n_nodes,) or not np.isfinite(weight).all():
        raise NetworkError("权重须逐节点给出且为有限值", f"expected {graph.n_nodes} finite weights, one per node")
    if not (np.isfinite(limit_s) and limit_s >= 0):
        raise NetworkError(f"时限无效：{limit_s}", f"the time limit must be finite and >= 0, got {limit_s}")

    if limit_s < LEAST_LIMIT_S or graph.n_nodes == 0:
        doubtful = np.ones(graph.n_nodes, bool)
        total: NDArray[np.float64] = np.zeros(graph.n_nodes)
    else:
        units = np.minimum(np.rint(graph.seconds * (UNITS / limit_s)), FAR).astype(np.int32)
        total, doubtful = _count_in_lanes(graph.indptr, graph.head, units, weight)
    again = np.flatnonzero(doubtful).astype(np.int32)
    _count_exactly(graph.indptr, graph.head, graph.seconds, again, weight, float(limit_s), total)
    return total


@njit(cache=True)
def _count_exactly(indptr, head, seconds, nodes, weight, limit_s, total):  # type: ignore[no-untyped-def]
    """Replace the totals of ``nodes`` by those of one float64 search each."""
    n = indptr.size - 1
    time_s = np.full(n, np.inf)
    source = np.full(n, -1, np.int32)
    touched = np.empty(n, np.int32)
    seed_s = np.zeros(1)
    label = np.zeros(1, np.int32)
    queue = new_queue(1024)
    width_s = max(limit_s / 256, 1e-9)
    for i in range(nodes.size):
        seed = nodes[i : i + 1]
        count, queue = spread(
            indptr, head, seconds, seed, seed_s, label, 0, 1, limit_s, width_s, time_s, source, touched, queue
        )
        reached = 0.0
        for j in range(count):
            v = touched[j]
            reached += weight[v]
            time_s[v] = np.inf
            source[v] = -1
        total[nodes[i]] = reached


@njit(cache=True)
def _wait_in(b, v, buckets, after, before, slot):  # type: ignore[no-untyped-def]
    """Move node v from the bucket it waits in, if any, to bucket b."""
    if slot[v] >= 0:
        if before[v] >= 0:
            after[before[v]] = after[v]
        else:
            buckets[slot[v]] = after[v]
        if after[v] >= 0:
            before[after[v]] = before[v]
    slot[v] = b
    after[v] = buckets[b]
    before[v] = -1
    if buckets[b] >= 0:
        before[buckets[b]] = v
    buckets[b] = v


@njit(cache=True)
def _surround(indptr, head, units, count, bound, buckets, after, before, slot, time, node, local):  # type: ignore[no-untyped-def]
    """Search outwards from the cluster ``node[:count]``; append the nodes within ``bound`` to ``node`` by distance.

    time, local : (n,) out, distance and position in ``node``. slot : (n,) the bucket a node waits in, -1 if none.
    Returns the length of the list, the cluster included.
    """
    listed = count
    for x in range(count):
        local[node[x]] = x
        time[node[x]] = 0
        _wait_in(0, node[x], buckets, after, before, slot)
    at = 0
    highest = 0
    while at <= highest:
        u = buckets[at]
        if u < 0:
            at += 1
            continue
        buckets[at] = after[u]
        if after[u] >= 0:
            before[after[u]] = -1
        slot[u] = -1
        if local[u] < 0:
            local[u] = listed
            node[listed] = u
            listed += 1
        for a in range(indptr[u], indptr[u + 1]):
            v = head[a]
            reached = time[u] + units[a]
            if reached < time[v] and reached <= bound:
                time[v] = reached
                b = reached >> BUCKET_SHIFT
                if slot[v] != b:
                    _wait_in(b, v, buckets, after, before, slot)
                    highest = max(highest, b)
    return listed


@njit(cache=True)
def _link(i, j, out, back, first, degree, other, away, home):  # type: ignore[no-untyped-def]
    """Give node i the neighbour j, or shorten the ways: ``out`` units from i to j, ``back`` from j to i."""
    for a in range(first[i], first[i] + degree[i]):
        if other[a] == j:
            away[a] = min(away[a], out)
            home[a] = min(home[a], back)
            return
    a = first[i] + degree[i]
    other[a], away[a], home[a] = j, out, back
    degree[i] += 1


@njit(cache=True)
def _links(indptr, head, units):  # type: ignore[no-untyped-def]
    """Lay the arcs out as links between neighbours, with room for shortcuts: (first, degree, other, away, home)."""
    n = indptr.size - 1
    room = np.zeros(n, np.int64)
    for u in range(n):
        for a in range(indptr[u], indptr[u + 1]):
            room[u] += 1
            room[head[a]] += 1
    first = np.zeros(n + 1, np.int64)
    for u in range(n):
        first[u + 1] = first[u] + max(room[u], SLOTS)
    degree = np.zeros(n, np.int32)
    other, away, home = np.empty(first[n], np.int32), np.empty(first[n], np.int32), np.empty(first[n], np.int32)
    for u in range(n):
        for a in range(indptr[u], indptr[u + 1]):
            v = head[a]
            if v != u and units[a] < FAR:
                _link(u, v, units[a], FAR, first, degree, other, away, home)
                _link(v, u, FAR, units[a], first, degree, other, away, home)
    return first, degree, other, away, home


@njit(cache=True)
def _may_go(k, first, degree, other):  # type: ignore[no-untyped-def]
    """Whether all neighbours of k have room for the shortcuts its elimination leaves."""
    for a in range(first[k], first[k] + degree[k]):
        i = other[a]
        if degree[i] + degree[k] - 2 > first[i + 1] - first[i]:
            return False
    return True


@njit(cache=True)
def _bypass(k, bound, first, degree, other, away, home, level):  # type: ignore[no-untyped-def]
    """Take node k out of its neighbours' lists, leaving them shortcuts no longer than ``bound``."""
    for a in range(first[k], first[k] + degree[k]):
        i = other[a]
        level[i] = max(level[i], level[k] + 1)
        last = first[i] + degree[i] - 1
        for e in range(first[i], last + 1):
            if other[e] == k:
                other[e], away[e], home[e] = other[last], away[last], home[last]
                degree[i] -= 1
                break
    for a in range(first[k], first[k] + degree[k]):
        for b in range(first[k], first[k] + degree[k]):
            if a != b:
                out, back = home[a] + away[b], home[b] + away[a]
                if out <= bound or back <= bound:
                    _link(other[a], other[b], min(out, FAR), min(back, FAR), first, degree, other, away, home)


@njit(cache=True)
def _eliminate(bound, first, degree, other, away, home):  # type: ignore[no-untyped-def]
    """Eliminate nodes of low degree, lowest first; return (n,) levels: neighbours left lie higher, the core highest.

    Neighbours of a node eliminated wait for the next round, so that levels stay few. Ties go to the lowest position.
    """
    n = degree.size
    level = np.zeros(n, np.int32)
    gone = np.zeros(n, np.bool_)
    round_ = np.zeros(n, np.int32)
    rounds = 0
    for most in range(1, MOST_NEIGHBOURS + 1):
        found = 1
        while found > 0:
            rounds += 1
            found = 0
            for k in range(n):
                if gone[k] or degree[k] > most or round_[k] == rounds or not _may_go(k, first, degree, other):
                    continue
                for a in range(first[k], first[k] + degree[k]):
                    round_[other[a]] = rounds
                _bypass(k, bound, first, degree, other, away, home, level)
                gone[k] = True
                found += 1
    core = level.max() + 1
    for k in range(n):
        if not gone[k]:
            level[k] = core
    return level


@njit(cache=True)
def _by_level(node, listed, level, core, order, starts):  # type: ignore[no-untyped-def]
    """Sort local positions 0:listed by level into ``order``, keeping their order within a level (counting sort)."""
    starts[:] = 0
    for x in range(listed):
        starts[level[node[x]] + 1] += 1
    for at in range(core + 1):
        starts[at + 1] += starts[at]
    begin = starts[core]
    for x in range(listed):
        at = level[node[x]]
        order[starts[at]] = x
        starts[at] += 1
    return begin


@njit(cache=True)
def _relax(from_x, to_y, w):  # type: ignore[no-untyped-def]
    """Shorten all lanes of y by the way over x; return whether any lane changed."""
    better = np.int32(0)
    for lane in range(LANES):
        t = np.int32(from_x[lane] + w)
        old = to_y[lane]
        better |= np.int32(t < old)
        to_y[lane] = t if t < old else old
    return better != 0


@njit(cache=True)
def _spread_lanes(time, listed, core_begin, order, node, local, first, degree, other, away, home, dirty):  # type: ignore[no-untyped-def]
    """Find the lanes' times to all nodes listed: up from the dirty ones, across the core, down to the others."""
    for i in range(core_begin):
        x = order[i]
        if dirty[x]:
            dirty[x] = False
            u = node[x]
            for a in range(first[u], first[u] + degree[u]):
                y = local[other[a]]
                if y >= 0 and away[a] < FAR and _relax(time[x], time[y], away[a]):
                    dirty[y] = True
    changed = True
    while changed:
        changed = False
        for i in range(core_begin, listed):
            x = order[i]
            if dirty[x]:
                dirty[x] = False
                u = node[x]
                for a in range(first[u], first[u] + degree[u]):
                    y = local[other[a]]
                    if y >= 0 and away[a] < FAR and _relax(time[x], time[y], away[a]):
                        dirty[y] = True
                        changed = True
    for i in range(core_begin - 1, -1, -1):
        x = order[i]
        u = node[x]
        for a in range(first[u], first[u] + degree[u]):
            y = local[other[a]]
            if y >= 0 and home[a] < FAR:
                _relax(time[y], time[x], home[a])


@njit(cache=True)
def _add_reached(time, listed, node, weight, reached, near):  # type: ignore[no-untyped-def]
    """Add up, per lane, the weights of nodes within reach; mark lanes with a node too near the limit to tell."""
    doubt = listed // 2 + 1
    low, high = np.int32(UNITS - doubt), np.int32(UNITS + doubt)
    reached[:] = 0.0
    near[:] = 0
    for x in range(listed):
        row = time[x]
        w = weight[node[x]]
        for lane in range(LANES):
            reached[lane] += w if row[lane] <= low else 0.0
        for lane in range(LANES):
            near[lane] |= np.int32(row[lane] > low) & np.int32(row[lane] <= high)


@njit(cache=True)
def _count_in_lanes(indptr, head, units, weight):  # type: ignore[no-untyped-def]
    """Return (total, doubtful) of every node; doubtful where a node lies too near the limit to decide in units."""
    n = indptr.size - 1
    bound = UNITS + n // 2 + 1
    first, degree, other, away, home = _links(indptr, head, units)
    level = _eliminate(bound, first, degree, other, away, home)
    core = level.max()
    buckets = np.full((bound >> BUCKET_SHIFT) + 1, -1, np.int32)
    after, before, slot = np.empty(n, np.int32), np.empty(n, np.int32), np.full(n, -1, np.int32)
    reach, local = np.full(n, FAR, np.int32), np.full(n, -1, np.int32)
    node, order, dirty = np.empty(n, np.int32), np.empty(n, np.int32), np.zeros(n, np.bool_)
    starts = np.empty(core + 2, np.int32)
    pool = np.empty((0, LANES), np.int32)
    reached, near = np.empty(LANES), np.empty(LANES, np.int32)
    total, doubtful = np.empty(n), np.empty(n, np.bool_)
    for begin in range(0, n, LANES):
        count = min(LANES, n - begin)
        for lane in range(count):
            node[lane] = begin + lane
        listed = _surround(indptr, head, units, count, bound, buckets, after, before, slot, reach, node, local)
        if pool.shape[0] < listed:
            pool = np.empty((listed * 5 // 4, LANES), np.int32)
        time = pool[:listed]
        time[:, :] = FAR
        for lane in range(count):
            time[lane, lane] = 0
            dirty[lane] = True
        core_begin = _by_level(node, listed, level, core, order, starts)
        _spread_lanes(time, listed, core_begin, order, node, local, first, degree, other, away, home, dirty)
        _add_reached(time, listed, node, weight, reached, near)
        for lane in range(count):
            total[begin + lane] = reached[lane]
            doubtful[begin + lane] = near[lane] != 0
        for x in range(listed):
            reach[node[x]] = FAR
            local[node[x]] = -1
    return total, doubtful
