"""Which candidates cover which demand, with demand of equal cover sets merged into one row."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
#: Demands merged together.
BLOCK = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class CoverSets:
    """n rows of merged demand and m candidate sites, in compressed sparse rows both ways.

    site_ptr (m + 1,) int64, site_row int32 : the rows each site covers, ascending. row_ptr (n + 1,) int64, row_site
    int32 : the sites that cover each row, ascending; no two rows have the same sites and none has no site.
    row_of : (d,) int32 the row each of the d demands went into, -1 where no candidate covers it or its cover set
    carries no weight. weight : (n,) float64 > 0, the demand of each row. uncoverable : the demand no candidate covers.
    """

    site_ptr: NDArray[np.int64]
    site_row: Ints
    row_ptr: NDArray[np.int64]
    row_site: Ints
    row_of: Ints
    weight: Floats
    uncoverable: float

    @property
    def n_sites(self) -> int:
        """Count of candidates."""
        return len(self.site_ptr) - 1

    @property
    def n_rows(self) -> int:
        """Count of rows of merged demand."""
        return len(self.row_ptr) - 1

    def row_matrix(self) -> csr_array:
        """Return the (n, m) matrix of ones: row i, site j where j covers i."""
        ones = np.ones(len(self.row_site))
        return csr_array((ones, self.row_site, self.row_ptr), shape=(self.n_rows, self.n_sites))

    def covered(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (n,) which rows a choice of sites covers."""
        hit = np.zeros(self.n_rows, bool)
        for j in chosen:
            hit[self.site_row[self.site_ptr[j] : self.site_ptr[j + 1]]] = True
        return hit

    def part(self, row: NDArray[np.bool_], site: NDArray[np.bool_]) -> "CoverSets":
        """Return the rows and sites marked, both renumbered, with rows that now have equal sites merged again.

        ``row_of`` of the part refers to rows of this; rows left without a site are uncoverable there.
        """
        owner = np.repeat(np.arange(self.n_sites), np.diff(self.site_ptr))
        kept = row[self.site_row] & site[owner]
        at = np.cumsum(site) - 1
        count = np.bincount(at[owner[kept]], minlength=int(site.sum()))
        ptr = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        return merge_cover_sets(ptr, self.site_row[kept], np.where(row, self.weight, 0.0))


def merge_cover_sets(site_ptr: NDArray[np.int64], site_demand: Ints, weight: Floats) -> CoverSets:
    """Merge demands that the same candidates cover: a plan covers either all or none of them.

    site_ptr : (m + 1,), site_demand : the demands each candidate covers, those of candidate j at
    ``site_ptr[j]:site_ptr[j + 1]``, each listed once or more. weight : (d,) finite, >= 0.

    Every candidate has a random key of 128 bits, every demand the sum of the keys of its candidates, and demands of
    equal sums are one row: two that differ are taken for equal with a chance below 1e-26 even among a million rows.
    Rows are numbered by their first demand. Takes time and memory proportional to the input.
    Raises QuestionError on shapes that do not fit, demands out of range, or weights negative or not finite.
    """
    ptr = np.ascontiguousarray(site_ptr, np.int64)
    demand = np.ascontiguousarray(site_demand, np.int32)
    need = np.ascontiguousarray(weight, np.float64)
    _check(ptr, demand, need)

    if not _ascend(ptr, demand):
        tidy = csr_array((np.ones(len(demand), np.int8), demand, ptr), shape=(len(ptr) - 1, len(need)))
        tidy = csr_array((tidy.indices >= 0, tidy.indices, tidy.indptr), shape=tidy.shape)
        tidy.sum_duplicates()
        ptr, demand = tidy.indptr.astype(np.int64), tidy.indices.astype(np.int32)
    site_key = np.random.default_rng(len(need)).integers(0, 2**64, (len(ptr) - 1, 2), np.uint64)
    row_of, first, total = _merged(ptr, demand, need, site_key)
    weighs = total > 0
    if not weighs.all():
        at = np.append(np.where(weighs, np.cumsum(weighs) - 1, -1), -1).astype(np.int32)  # the last: of no row at all
        row_of, first, total = at[row_of], first[weighs], total[weighs]
    out_ptr, site_row = _restricted(ptr, demand, first)
    row_ptr, row_site = _transposed(out_ptr, site_row, len(first))
    return CoverSets(out_ptr, site_row, row_ptr, row_site, row_of, total, max(float(need.sum() - total.sum()), 0.0))


def undominated_rows(sets: CoverSets) -> NDArray[np.bool_]:
    """Return (n,) the rows that matter where every row is to be covered.

    A row whose sites include all sites of another row is covered whenever that one is.
    """
    dropped: NDArray[np.bool_] = _nested(sets.row_ptr, sets.row_site, sets.site_ptr, sets.site_row, True)
    return ~dropped


def undominated_sites(sets: CoverSets) -> NDArray[np.bool_]:
    """Return (m,) the sites worth a thought where all cost the same.

    A site whose rows another site covers too is never needed; of sites with equal rows the lowest is kept, a site
    without rows is not.
    """
    dropped: NDArray[np.bool_] = _nested(sets.site_ptr, sets.site_row, sets.row_ptr, sets.row_site, False)
    return ~dropped & (np.diff(sets.site_ptr) > 0)


def _check(ptr: NDArray[np.int64], demand: Ints, weight: Floats) -> None:
    if ptr.ndim != 1 or len(ptr) == 0 or ptr[0] != 0 or ptr[-1] != len(demand) or (np.diff(ptr) < 0).any():
        raise QuestionError(
            "候选点的覆盖指针须从零递增到条目数", "the candidates' pointers must rise from 0 to the count of entries"
        )
    if weight.ndim != 1 or (len(demand) and not 0 <= demand.min() <= demand.max() < len(weight)):
        raise QuestionError(
            f"覆盖的需求点须在 0 到 {len(weight) - 1} 之间", f"covered demands must lie in 0..{len(weight) - 1}"
        )
    if len(weight) and not (weight.min() >= 0 and np.isfinite(weight.max())):  # NaN fails the first
        raise QuestionError("需求须为不小于零的有限值", "demand must be finite and >= 0")


@njit(cache=True)
def _ascend(ptr, demand):  # type: ignore[no-untyped-def]
    """Return whether the demands of every site ascend strictly."""
    for j in range(ptr.size - 1):
        for e in range(ptr[j] + 1, ptr[j + 1]):
            if demand[e] <= demand[e - 1]:
                return False
    return True


@njit(cache=True)
def _merged(ptr, demand, weight, site_key):  # type: ignore[no-untyped-def]
    """Return (row of each demand, first demand of each row, weight of each row), rows without weight included.

    Demand is taken in blocks whose keys stay in the cache: a site's demands lie far apart.
    """
    row_of = np.empty(weight.size, np.int32)
    at = ptr[:-1].copy()
    key = np.empty((BLOCK, 2), np.uint64)
    room, n = 1024, 0
    slot = np.full(4 * room, -1, np.int32)
    row_key, first, total = np.empty(2 * room, np.uint64), np.empty(room, np.int32), np.zeros(room)
    for begin in range(0, weight.size, BLOCK):
        end = min(begin + BLOCK, weight.size)
        _add_keys(ptr, demand, site_key, begin, end, at, key)
        done = begin
        while done < end:
            done, n = _look_up(key, weight, begin, done, end, slot, n, row_key, first, total, row_of)
            if n == room:
                room *= 2
                row_key, first, total = _room(row_key, 2 * room), _room(first, room), _room(total, room)
                slot = _slots(row_key, n, 4 * room)
    return row_of, first[:n].copy(), total[:n].copy()


@njit(cache=True)
def _look_up(key, weight, begin, done, end, slot, n, row_key, first, total, row_of):  # type: ignore[no-untyped-def]
    """Find the rows of the demands of a block from ``done`` on, until there is no room for more rows.

    Returns (first demand not done, count of rows). Apart from what grows the arrays, or the loop takes twice as long.
    """
    mask = np.uint64(slot.size - 1)
    for d in range(done, end):
        a, b = key[d - begin, 0], key[d - begin, 1]
        if a == 0 and b == 0:
            row_of[d] = -1
            continue
        h = a & mask
        while slot[h] >= 0 and (row_key[2 * slot[h]] != a or row_key[2 * slot[h] + 1] != b):
            h = (h + np.uint64(1)) & mask
        g = slot[h]
        if g < 0:
            if n == first.size:
                return d, n
            g = n
            slot[h], row_key[2 * g], row_key[2 * g + 1], first[g], total[g] = g, a, b, d, 0.0
            n += 1
        row_of[d] = g
        total[g] += weight[d]
    return end, n


@njit(cache=True)
def _add_keys(ptr, demand, site_key, begin, end, at, key):  # type: ignore[no-untyped-def]
    """Sum up the keys of the sites of each demand of a block; ``at`` moves on past it in every site's list."""
    for d in range(end - begin):
        key[d, 0] = np.uint64(0)
        key[d, 1] = np.uint64(0)
    for j in range(at.size):
        e, last, a, b = at[j], ptr[j + 1], site_key[j, 0], site_key[j, 1]
        while e < last and demand[e] < end:
            d = demand[e] - begin
            key[d, 0] += a
            key[d, 1] += b
            e += 1
        at[j] = e


@njit(cache=True)
def _slots(row_key, n, size):  # type: ignore[no-untyped-def]
    """Return the table in which n rows are looked up by the low bits of their keys; -1 where a slot is free."""
    slot = np.full(size, -1, np.int32)
    mask = np.uint64(size - 1)
    for g in range(n):
        h = row_key[2 * g] & mask
        while slot[h] >= 0:
            h = (h + np.uint64(1)) & mask
        slot[h] = g
    return slot


@njit(cache=True)
def _restricted(ptr, demand, first):  # type: ignore[no-untyped-def]
    """Return (ptr, row) : the rows each site covers, where row g stands for demand first[g]; both ascend."""
    out_ptr = np.zeros(ptr.size, np.int64)
    out = np.empty(1024, np.int32)
    n = 0
    for j in range(ptr.size - 1):
        e, g = ptr[j], 0
        while e < ptr[j + 1] and g < first.size:
            if demand[e] < first[g]:
                e = _reach(demand, e, ptr[j + 1], first[g])
            elif first[g] < demand[e]:
                g = _reach(first, g, first.size, demand[e])
            else:
                if n == out.size:
                    out = _room(out, n + 1)
                out[n] = g
                n += 1
                e += 1
                g += 1
        out_ptr[j + 1] = n
    return out_ptr, out[:n].copy()


@njit(cache=True)
def _reach(values, low, high, wanted):  # type: ignore[no-untyped-def]
    """Return the first place from ``low`` on, before ``high``, whose value is at least ``wanted``; they ascend."""
    step = 1
    while low + step < high and values[low + step] < wanted:
        low += step
        step *= 2
    high = min(low + step, high)
    low += 1  # what stood at low is less
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _room(values, needed):  # type: ignore[no-untyped-def]
    """Return the array, at least doubled where it holds fewer than ``needed``."""
    if needed <= values.size:
        return values
    more = np.empty(max(needed, 2 * values.size), values.dtype)
    for i in range(values.size):
        more[i] = values[i]
    return more


@njit(cache=True)
def _transposed(ptr, index, n):  # type: ignore[no-untyped-def]
    """Return (ptr, index) of the transpose of a matrix of ones with n columns."""
    back_ptr = np.zeros(n + 1, np.int64)
    for e in range(index.size):
        back_ptr[index[e] + 1] += 1
    for i in range(n):
        back_ptr[i + 1] += back_ptr[i]
    at = back_ptr.copy()
    back = np.empty(index.size, np.int32)
    for j in range(ptr.size - 1):
        for e in range(ptr[j], ptr[j + 1]):
            back[at[index[e]]] = j
            at[index[e]] += 1
    return back_ptr, back


@njit(cache=True)
def _nested(ptr, index, back_ptr, back, drop_larger):  # type: ignore[no-untyped-def]
    """Return which lists to drop: those that include another, or those that another includes; of twins the later.

    For each list the owners of its elements are intersected, from both ends inwards, until only itself is left: few
    elements do, for ends of a list tend to lie on opposite sides of what it spans.
    """
    n = ptr.size - 1
    dropped = np.zeros(n, np.bool_)
    held = np.zeros(n, np.int32)  # elements of list r that list s was seen to have
    for r in range(n):
        size = ptr[r + 1] - ptr[r]
        if size == 0 or (drop_larger and dropped[r]):
            continue
        left = 1
        for k in range(size):
            x = index[ptr[r] + k // 2] if k % 2 == 0 else index[ptr[r + 1] - 1 - k // 2]
            left = 0
            for f in range(back_ptr[x], back_ptr[x + 1]):
                s = back[f]
                if held[s] == k and s != r:
                    more = ptr[s + 1] - ptr[s] - size
                    if more > 0 or (more == 0 and (s > r) == drop_larger):
                        held[s] = k + 1
                        left += 1
            if left == 0:
                break
        first = index[ptr[r]]
        for f in range(back_ptr[first], back_ptr[first + 1]):
            s = back[f]
            if left and held[s] == size:
                dropped[s if drop_larger else r] = True
            held[s] = 0
    return dropped
