"""What the compiled search works on, made of a case and a question; and the best window of each family of zones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots import scan_kernels as kernels
from planner.hotspots.scan_question import RATES, ScanQuestion
from planner.hotspots.scan_windows import Windows, distinct

Floats = NDArray[np.float64]
#: Ratios of which the boundary is kept, from the first, each so much above the one before.
LEAST_RATIO, MOST_RATIO, RATIO_STEP = 0.25, 400.0, 1.03
#: Cases lie in a full table, not in lists, where it takes no more than this many numbers, or is this full.
TABLE_CELLS, TABLE_FULL = 6_000, 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """Zones, cases and what is expected of them, in units as the kernels see them.

    Where windows end with the last unit, time runs backward and units before every window are left out; ``slot`` (T,)
    says where each unit went, or -1.
    cases : (n, units). size : (n, units) expected, n_cases in all with the units left out. people : cases and controls
    of the Bernoulli model, 0 without. rule : shortest and longest window, 1 if windows end with the last unit, 1 if
    that of all units counts, 1 high + 2 low rates, fewest cases. table : see ``scan_kernels.sweep``.
    """

    windows: Windows
    cases: NDArray[np.int64]
    size: Floats
    n_cases: int
    people: int
    rule: NDArray[np.int64]
    slot: NDArray[np.int64]
    table: tuple[Any, ...]
    draw: tuple[Any, ...]

    def replicate(self, seed: int, begin: int, end: int) -> Floats:
        """Return the largest ratio of replications ``begin`` to ``end``, each the same whatever the others."""
        share, other, room, place, unit, spare, dense, rows = self.draw
        result: Floats = kernels.replicate(
            rows, self.size, self.rule, (float(self.n_cases), float(self.people)), self.table, share, other, room,
            self.slot, place, unit, seed, begin, end, spare, dense,
        )  # fmt: skip
        return result


def search_of(
    cases: NDArray[np.int64],
    expected: Floats | None,
    controls: NDArray[np.int64] | None,
    question: ScanQuestion,
    windows: Windows,
) -> Search:
    """Return the search of a case: (n, T) cases, with what its model needs.

    Raises QuestionError where that is missing, or cases lie where none are expected.
    """
    total = int(cases.sum())
    if total < 2:
        raise QuestionError(f"至少要 2 个病例，只有 {total} 个", f"at least 2 cases are needed, there are {total}")
    size, people = _size(cases, expected, controls, question.model)
    n_units = cases.shape[1]
    longest = _longest(question, n_units)
    alive = question.analysis in ("spatial", "prospective")
    slot = np.arange(n_units)
    if alive:
        slot = slot[::-1].copy()
        slot[slot >= (n_units if question.with_spatial else longest)] = -1
    seen = np.flatnonzero(slot >= 0)
    seen = seen[np.argsort(slot[seen])]
    sides = RATES[question.rates]
    shortest = min(question.min_time_units, n_units)
    rule = np.array([shortest, longest, alive, question.with_spatial, sides, question.min_cases], np.int64)
    if shortest > longest:
        raise QuestionError("最长时间窗短于最短时间窗", "the longest window in time is shorter than the shortest")
    kept = np.ascontiguousarray(size[:, seen])
    return Search(
        windows, cases[:, seen], kept, total, people, rule, slot, _table(kept, total, people, sides),
        _draw(cases, size, total, people, question.model, kept, windows),
    )  # fmt: skip


def best_of_rows(search: Search) -> list[tuple[float, int, int, int, int]]:
    """Return (ratio, row, entry, first unit, last unit) of the best window of each family that has one."""
    n, units = search.cases.shape
    dense = n * units <= 50 * TABLE_CELLS or int(search.cases.sum()) > n * units
    counts = np.zeros((n if dense else 0, units, kernels.LANES), np.float32)
    begin, when = np.zeros(n + 1, np.int64), np.zeros(0, np.int32)
    if dense:
        counts[:, :, 0] = search.cases
    else:
        begin[1:] = np.cumsum(search.cases.sum(axis=1))
        when = np.repeat(np.tile(np.arange(units, dtype=np.int32) * kernels.LANES, n), search.cases.ravel())
    each = np.zeros((len(search.windows.centre), 4))
    totals = float(search.n_cases), float(search.people)
    kernels.sweep(
        _rows(search.windows), search.size, search.rule, totals, search.table, 1, dense, counts, begin, when,
        np.zeros(kernels.LANES), each,
    )  # fmt: skip
    return [
        (float(each[r, 0]), int(r), int(each[r, 1]), int(each[r, 2]), int(each[r, 3]))
        for r in np.flatnonzero(each[:, 0] > 0)
    ]


def _size(
    cases: NDArray[np.int64], expected: Floats | None, controls: NDArray[np.int64] | None, model: str
) -> tuple[Floats, int]:
    """Return (n, T) cases expected under the null hypothesis, as many as there are, and the people (0: no controls)."""
    total = int(cases.sum())
    if model == "permutation":
        return cases.sum(axis=1)[:, None] * cases.sum(axis=0)[None, :] / total, 0
    if model == "poisson":
        if expected is None:
            raise QuestionError("泊松模型须有期望病例数", "the Poisson model needs the cases expected")
        if (cases[expected <= 0] > 0).any():
            raise QuestionError("期望为零处有病例", "there are cases where none are expected")
        return expected * (total / expected.sum()), 0
    if controls is None:
        raise QuestionError("伯努利模型须有对照", "the Bernoulli model needs controls")
    people = cases + controls
    if controls.sum() == 0:
        raise QuestionError("没有对照", "there are no controls")
    return people * (total / people.sum()), int(people.sum())


def _longest(question: ScanQuestion, n_units: int) -> int:
    if question.analysis == "spatial":
        return 1
    longest = question.max_time_units
    if longest is None:
        longest = int(np.floor(n_units * question.max_time_share + 1e-9))
    return min(longest, n_units)


def _table(size: Floats, total: int, people: int, sides: int) -> tuple[Any, ...]:
    """Return (ratios, node, base, high, low): boundaries of all ratios at expectations from least to most."""
    ratios = LEAST_RATIO * RATIO_STEP ** np.arange(np.ceil(np.log(MOST_RATIO / LEAST_RATIO) / np.log(RATIO_STEP)))
    ends = np.array([size[size > 0].min() * 0.99, 2.0 * max(total, 1)])
    base, last = (int(bits) for bits in ends.view(np.int64) >> kernels.NODE_BITS)
    node = (np.arange(base, last + 2, dtype=np.int64) << kernels.NODE_BITS).view(np.float64)
    none = np.zeros((3, 1, 1))
    high, low = (
        kernels.boundaries(ratios, node, float(total), float(people), below) if sides & side else none
        for side, below in ((1, False), (2, True))
    )
    return ratios, node, base, high, low


def _draw(
    cases: NDArray[np.int64], size: Floats, total: int, people: int, model: str, kept: Floats, windows: Windows
) -> tuple[Any, ...]:
    """Return what ``Search.replicate`` hands to the kernel to draw cases from."""
    n, units = size.shape
    rows = _rows(distinct(windows, n))
    room = np.zeros(0, np.int32)
    share, other = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    spare = False
    if model != "permutation":
        share, other = kernels.alias_table(size.ravel())
    if people:
        room = np.round(size.ravel() * (people / total)).astype(np.int32)
        spare = 2 * total > people
    drawn = people - total if spare else total
    at, times = np.zeros(drawn, np.int64), np.zeros(drawn, np.int64)
    if model == "permutation":
        at = np.repeat(np.arange(n), cases.sum(axis=1))
        times = np.repeat(np.arange(units), cases.sum(axis=0))
    inside = kept.size
    dense = bool(spare or inside <= TABLE_CELLS or kept.sum() > TABLE_FULL * inside)
    return share, other, room, at, times, spare, dense, rows


def _rows(windows: Windows) -> tuple[Any, ...]:
    return windows.indptr, windows.place, windows.judged, windows.penalty
