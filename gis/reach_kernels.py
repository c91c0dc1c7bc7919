"""The compiled search: a bucket queue over exact float64 seconds, shared by every question of reach.

A queue is the tuple (buckets, key, node, following): ``buckets`` (BUCKETS,) first entry of each bucket or -1, the rest
a pool of entries that grows when full. All buckets are empty between searches, so one queue serves many.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

BUCKETS = 1024
#: Bucket numbers stop growing here, so that absurdly long times still fit an integer (the last bucket stays exact).
LAST_BUCKET = float(2**40)

Queue: TypeAlias = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]


@njit(cache=True)
def new_queue(entries: int) -> Queue:
    """Return an empty queue whose pool holds ``entries`` before it must grow."""
    buckets = np.full(BUCKETS, -1, np.int32)
    return buckets, np.empty(entries, np.float64), np.empty(entries, np.int32), np.empty(entries, np.int32)


@njit(cache=True)
def _longer(queue, entries):  # type: ignore[no-untyped-def]
    buckets, key, node, following = queue
    more_key = np.empty(entries, np.float64)
    more_node = np.empty(entries, np.int32)
    more_following = np.empty(entries, np.int32)
    for e in range(key.size):  # slices would take seconds more to compile
        more_key[e] = key[e]
        more_node[e] = node[e]
        more_following[e] = following[e]
    return buckets, more_key, more_node, more_following


@njit(cache=True)
def _seeded(seed_node, seed_s, seed_source, first, last, limit_s, time_s, source, touched, queue):  # type: ignore[no-untyped-def]
    """Label the seeds' nodes and return (nodes touched, entries made): the entries are the chain from the last made."""
    _, key, node, following = queue
    n_touched = 0
    made = 0
    for i in range(first, last):
        v = seed_node[i]
        d = seed_s[i]
        if d > limit_s:
            continue
        if d < time_s[v] or (d == time_s[v] and seed_source[i] < source[v]):
            if time_s[v] == np.inf:
                touched[n_touched] = v
                n_touched += 1
            time_s[v] = d
            source[v] = seed_source[i]
            key[made] = d
            node[made] = v
            following[made] = made - 1
            made += 1
    return n_touched, made


@njit(cache=True)
def _open_window(chain, per_s, queue):  # type: ignore[no-untyped-def]
    """Move the chain's entries near its earliest into buckets: (number of the first bucket, moved, chain left)."""
    buckets, key, _, following = queue
    base = LAST_BUCKET
    e = chain
    while e >= 0:
        base = min(base, key[e] * per_s)
        e = following[e]
    base_bucket = np.int64(base)
    left = np.int64(-1)
    moved = 0
    e = chain
    while e >= 0:
        after = following[e]
        b = np.int64(min(key[e] * per_s, LAST_BUCKET)) - base_bucket
        if b < BUCKETS:
            following[e] = buckets[b]
            buckets[b] = e
            moved += 1
        else:
            following[e] = left
            left = e
        e = after
    return base_bucket, moved, left


@njit(cache=True)
def holds(taken, v, s):  # type: ignore[no-untyped-def]
    """Tell whether row v of ``taken`` (n, j) holds s."""
    found = False
    for i in range(taken.shape[1]):
        found |= taken[v, i] == s
    return found


@njit(cache=True)
def _drain(  # type: ignore[no-untyped-def]
    indptr, head, seconds, limit_s, per_s, base, state, time_s, source, touched, taken, buckets, key, node, following
):
    """Empty the window's buckets in order, until done or until the pool could run out; ``state`` says where we are."""
    b, waiting, later, spare, top, n_touched = state
    room = key.size
    while waiting > 0:
        e = buckets[b]
        if e < 0:
            b += 1
            continue
        u = node[e]
        d = key[e]
        begin, end = indptr[u], indptr[u + 1]
        if top + end - begin > room:
            break
        buckets[b] = following[e]
        following[e] = spare
        spare = e
        waiting -= 1
        if d != time_s[u]:
            continue
        s = source[u]
        for a in range(begin, end):
            v = head[a]
            reached = d + seconds[a]
            known = time_s[v]
            if reached > known or reached > limit_s or (reached == known and s >= source[v]):
                continue
            if taken.size > 0 and holds(taken, v, s):
                continue
            if known == np.inf:
                touched[n_touched] = v
                n_touched += 1
            time_s[v] = reached
            source[v] = s
            if spare >= 0:
                e = spare
                spare = following[e]
            else:
                e = top
                top += 1
            key[e] = reached
            node[e] = v
            into = np.int64(min(reached * per_s, LAST_BUCKET)) - base
            if into < BUCKETS:
                following[e] = buckets[into]
                buckets[into] = e
                waiting += 1
            else:
                following[e] = later
                later = e
    return b, waiting, later, spare, top, n_touched


@njit(cache=True)
def spread(  # type: ignore[no-untyped-def]
    indptr, head, seconds, seed_node, seed_s, seed_source, first, last, limit_s, width_s, time_s, source, touched, queue
):
    """Search from seeds ``first:last`` and return (count of nodes touched, queue).

    time_s, source : (n,) in and out, ``inf`` and -1 before: the least (time, source) over all ways from the seeds,
        each way's time summed in float64 from its seed on, so equal to Dijkstra's bit for bit.
    touched : (n,) out, the nodes labelled, in the order first met. width_s : bucket width; steers speed, not results.
    Source: buckets after Dial (1969, doi 10.1145/363269.363610); inside a bucket labels are corrected until none
    changes, as in delta-stepping (Meyer & Sanders 2003, doi 10.1016/S0196-6774(03)00076-2). Buckets hold a window of
    keys; what lies beyond (long segments) waits in a chain until the window has passed.
    """
    taken = np.empty((0, 0), np.int32)
    return spread_beside(
        indptr, head, seconds, seed_node, seed_s, seed_source, np.int64(first), np.int64(last), limit_s, width_s,
        time_s, source, touched, taken, queue,
    )  # fmt: skip


@njit(cache=True)
def spread_beside(  # type: ignore[no-untyped-def]
    indptr, head, seconds, seed_node, seed_s, seed_source, first, last, limit_s, width_s, time_s, source, touched,
    taken, queue,
):  # fmt: skip
    """Search as ``spread`` does, but never label a node with a source among its ``taken`` (n, j); seeds neither."""
    if queue[1].size < last - first:
        queue = _longer(queue, last - first)
    n_touched, top = _seeded(seed_node, seed_s, seed_source, first, last, limit_s, time_s, source, touched, queue)
    per_s = 1.0 / width_s
    later = top - 1
    spare = np.int64(-1)  # numba compiles once more for every literal argument
    while later >= 0:
        base, waiting, later = _open_window(later, per_s, queue)
        b = np.int64(0)
        while True:
            buckets, key, node, following = queue
            state = (b, waiting, later, spare, top, n_touched)
            b, waiting, later, spare, top, n_touched = _drain(
                indptr, head, seconds, limit_s, per_s, base, state, time_s, source, touched, taken, buckets, key, node,
                following,
            )  # fmt: skip
            if waiting == 0:
                break
            queue = _longer(queue, 2 * key.size + 64)
    return n_touched, queue


@njit(cache=True)
def spread_once(indptr, head, seconds, seed_node, seed_s, seed_source, limit_s, width_s):  # type: ignore[no-untyped-def]
    """Search once from all seeds: (time_s, source) of every node."""
    n = indptr.size - 1
    time_s = np.full(n, np.inf)
    source = np.full(n, -1, np.int32)
    touched = np.empty(n, np.int32)
    queue = new_queue(1024)
    taken = np.empty((0, 0), np.int32)
    spread_beside(
        indptr, head, seconds, seed_node, seed_s, seed_source, np.int64(0), seed_node.size, limit_s, width_s, time_s,
        source, touched, taken, queue,
    )  # fmt: skip
    return time_s, source
