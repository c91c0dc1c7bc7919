"""Cuts for maximal cover: three rows that no whole number of sites can cover as cheaply as the relaxation does.

With u[i] = 1 - z[i] the part of row i left uncovered, every row says ``u[i] + sum of y over its sites >= 1``. Half the
sum of three rows, coefficients and right-hand side rounded up, holds for every plan: ``u[a] + u[b] + u[c] + sum of
ceil(k[j] / 2) y[j] >= 2``, site j covering k[j] of the three (a {0, 1/2} Chvatal-Gomory cut; Caprara & Fischetti 1996,
doi:10.1007/BF02592196). A point with rows exactly covered violates it where sites that cover one or all three of them
sum to less than one: three sites of a half each that cover three rows in pairs, the commonest lie of the relaxation.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from planner.siting.cover_sets import CoverSets, Floats

#: A triple counts from this violation on (at most a half of it is left in the cut itself).
LEAST = 0.05
#: Triples looked through and cuts added in one round, and how often one row may be in them.
TRIPLES, CUTS, PER_ROW = 4_000_000, 8_000, 2
#: Elementary steps of one search.
WORK = 1_500_000_000
#: Parts of a site or a row below this count as none.
UNUSED = 1e-6

Triples = NDArray[np.int32]


def cut_rows(sets: CoverSets, triples: Triples) -> csr_array:
    """Return the (q, m + n) left-hand sides of cuts over sites y and covered parts z; each is at least -1."""
    q = len(triples)
    member = csr_array(
        (np.ones(triples.size), triples.ravel(), np.arange(0, triples.size + 1, 3)), shape=(q, sets.n_rows)
    )
    on_sites = csr_array(member @ sets.row_matrix())
    on_sites.data = np.ceil(on_sites.data / 2)
    indptr = on_sites.indptr + member.indptr
    indices, data = np.empty(indptr[-1], np.int32), np.full(indptr[-1], -1.0)
    of = np.repeat(np.arange(q), np.diff(on_sites.indptr))
    at = np.arange(len(of)) + 3 * of
    indices[at], data[at] = on_sites.indices, on_sites.data
    indices[(indptr[1:, None] - np.arange(3, 0, -1)).ravel()] = sets.n_sites + triples.ravel()
    return csr_array((data, indices, indptr), shape=(q, sets.n_sites + sets.n_rows))


def violated(sets: CoverSets, y: Floats, z: Floats) -> Triples:
    """Return (q, 3) triples of rows whose cut the point (y, z) violates, heavy and much violated ones first.

    Rows that the same sites in use cover stand in for one another, so that triples are sought among distinct supports
    and then drawn row by row, each row in at most ``PER_ROW`` cuts.
    """
    excess = 1 - 2 * z + sets.row_matrix() @ y
    tight = np.flatnonzero(excess < 1 - LEAST)
    in_use = y > UNUSED
    support = sets.part(np.isin(np.arange(sets.n_rows), tight), in_use)
    of = support.row_of[tight]
    if support.n_rows == 0:
        return np.empty((0, 3), np.int32)
    order = np.lexsort((tight, -sets.weight[tight], of))
    rows = tight[order[of[order] >= 0]].astype(np.int32)
    first = np.concatenate([[0], np.cumsum(np.bincount(of[of >= 0], minlength=support.n_rows))]).astype(np.int64)
    least = np.full(support.n_rows, np.inf)
    np.minimum.at(least, of[of >= 0], excess[tight][of >= 0])
    found, depth = _triples(
        support.row_ptr, support.row_site, support.site_ptr, support.site_row, y[in_use], np.maximum(least, 0.0),
        np.argsort(-support.weight, kind="stable").astype(np.int32), LEAST, TRIPLES, WORK,
    )  # fmt: skip
    score = depth * support.weight[found].min(axis=1)
    best = np.argsort(-score, kind="stable")
    triples = _drawn(found[best], first, rows, np.zeros(sets.n_rows, np.int32), PER_ROW, CUTS)
    short = -1 - cut_rows(sets, triples) @ np.concatenate([y, z])
    return np.asarray(triples[short > LEAST / 2], np.int32)


@njit(cache=True)
def _triples(row_ptr, row_site, site_ptr, site_row, y, excess, order, least, room, limit):  # type: ignore[no-untyped-def]
    """Return (rows (k, 3), violation (k,)): rows in turn, with pairs that share sites, with thirds that share theirs.

    The violation is one less the excess and the sites that an odd number of the three share.
    """
    n, m = row_ptr.size - 1, site_ptr.size - 1
    mass, rank = np.zeros(n), np.empty(n, np.int32)
    for a in range(n):
        rank[order[a]] = a
        for e in range(row_ptr[a], row_ptr[a + 1]):
            mass[a] += y[row_site[e]]
    odd = np.zeros(m, np.bool_)
    shared, shared_third = np.zeros(n), np.zeros(n)
    seconds, thirds = np.empty(n, np.int32), np.empty(n, np.int32)
    rows, depth = np.empty((room, 3), np.int32), np.empty(room)
    found, work = 0, 0
    for o in range(n):
        a = order[o]
        n_seconds = 0
        for e in range(row_ptr[a], row_ptr[a + 1]):
            j = row_site[e]
            odd[j] = True
            work += site_ptr[j + 1] - site_ptr[j]
            for f in range(site_ptr[j], site_ptr[j + 1]):
                b = site_row[f]
                if rank[b] > o:
                    if shared[b] == 0:
                        seconds[n_seconds] = b
                        n_seconds += 1
                    shared[b] += y[j]
        for q in range(n_seconds):
            b = seconds[q]
            apart = mass[a] + mass[b] - 2 * shared[b] + excess[a] + excess[b]
            shared[b] = 0.0
            if apart >= 2 or excess[a] + excess[b] > 1 - least or work > limit or found >= room:
                continue
            n_thirds = 0
            for e in range(row_ptr[b], row_ptr[b + 1]):
                odd[row_site[e]] ^= True
            for side in (a, b):
                for e in range(row_ptr[side], row_ptr[side + 1]):
                    j = row_site[e]
                    if odd[j]:
                        work += site_ptr[j + 1] - site_ptr[j]
                        for f in range(site_ptr[j], site_ptr[j + 1]):
                            c = site_row[f]
                            if rank[c] > rank[b]:
                                if shared_third[c] == 0:
                                    thirds[n_thirds] = c
                                    n_thirds += 1
                                shared_third[c] += y[j]
            for t in range(n_thirds):
                c = thirds[t]
                short = 1 - (apart + mass[c] - 2 * shared_third[c] + excess[c])
                shared_third[c] = 0.0
                if short > least and found < room:
                    rows[found, 0], rows[found, 1], rows[found, 2], depth[found] = a, b, c, short
                    found += 1
            for e in range(row_ptr[b], row_ptr[b + 1]):
                odd[row_site[e]] ^= True
        for e in range(row_ptr[a], row_ptr[a + 1]):
            odd[row_site[e]] = False
    return rows[:found].copy(), depth[:found].copy()


@njit(cache=True)
def _drawn(found, first, rows, used, per_row, room):  # type: ignore[no-untyped-def]
    """Turn triples of supports into triples of rows: heaviest with heaviest, and so on, while each has one left."""
    at = first.copy()
    next_at = np.empty(3, np.int64)
    out = np.empty((room, 3), np.int32)
    n = 0
    for t in range(found.shape[0]):
        for k in range(3):
            s = found[t, k]
            while at[s] < first[s + 1] and used[rows[at[s]]] >= per_row:
                at[s] += 1
            next_at[k] = at[s]
        while n < room:
            left = True
            for k in range(3):
                end = first[found[t, k] + 1]
                while next_at[k] < end and used[rows[next_at[k]]] >= per_row:
                    next_at[k] += 1
                left = left and next_at[k] < end
            if not left:
                break
            for k in range(3):
                i = rows[next_at[k]]
                next_at[k] += 1
                out[n, k] = i
                used[i] += 1
            n += 1
    return out[:n].copy()
