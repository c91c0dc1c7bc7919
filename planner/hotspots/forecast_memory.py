"""What a forecast may rest on: each cell's own past at several memories, its neighbours', and an even spread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Half-lives in months of a cell's own memory, and of the memories also seen through roots, presence and neighbours.
HALF_LIVES = (1.0, 2.0, 4.0, 8.0, 16.0, np.inf)
PAIR = (2.0, 8.0)
#: What the past is made of, in this order.
SOURCES = (
    *(f"own_{h:g}" for h in HALF_LIVES),
    *(f"typical_{h:g}" for h in PAIR),
    *(f"present_{h:g}" for h in PAIR),
    *(f"ring{ring}_{h:g}" for h in PAIR for ring in (1, 2)),
    "ring1_present_8",
    "even",
)
#: Where effort is given, a memory begins with this many mean months of the whole city's rate.
PRIOR_MONTHS = 0.5
#: A cell's extent counts as at least this share of the mean one.
LEAST_EXTENT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Counts of n cells in t months, in order, and where the cells lie.

    counts : (n, t) >= 0. months : (t,) year * 12 + month - 1, ascending; months nobody counted are simply absent.
    indptr, indices : neighbours of each cell (CSR). exposure : (n, t) effort of each cell and month, >= 0; None where
    unknown (1 throughout). extent : (n,) metres of street or area of each cell; None where all are alike.
    Raises QuestionError on anything else.
    """

    counts: Floats
    months: Ints
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    exposure: Floats | None = None
    extent: Floats | None = None

    def __post_init__(self) -> None:
        n, t = self.counts.shape
        _check(len(self.months) == t and bool(np.all(np.diff(self.months) > 0)), "月份须递增且与计数列数相同",
               f"months must ascend, one for each of the {t} columns of counts")  # fmt: skip
        whole = bool(np.all(np.isfinite(self.counts)) and np.all(self.counts >= 0))
        _check(whole and bool(np.all(self.counts == np.floor(self.counts))), "计数须为非负整数",
               "counts must be whole numbers of 0 or more")  # fmt: skip
        _check(len(self.indptr) == n + 1, "邻接表与单元数不符", f"neighbours must be given for all {n} cells")
        if self.exposure is not None:
            fit = self.exposure.shape == (n, t) and bool(np.all(np.isfinite(self.exposure) & (self.exposure >= 0)))
            _check(fit, "巡查力度须为与计数同形的非负数", "exposure must be finite, 0 or more, and shaped like counts")
        if self.extent is not None:
            fit = self.extent.shape == (n,) and bool(np.all(np.isfinite(self.extent) & (self.extent >= 0)))
            _check(fit and self.extent.sum() > 0, "单元规模须为非负数", "extent must be finite, 0 or more, not all 0")

    def until(self, column: int) -> "History":
        """Return the history before a column of ``counts``."""
        exposure = None if self.exposure is None else self.exposure[:, :column]
        return History(self.counts[:, :column], self.months[:column], self.indptr, self.indices, exposure, self.extent)


def _check(holds: bool, zh: str, en: str) -> None:
    if not holds:
        raise QuestionError(zh, en)


def memories(history: History, next_month: int) -> NDArray[np.float32]:
    """Return (t + 1, n, sources) what each source expects of a cell in each month, from earlier months alone.

    The last row is for ``next_month``. Rates are per month, or per unit of exposure where that is known. Sources: the
    cell's mean with exponential forgetting at each half-life; the squared mean of roots (a month of many weighs less);
    how often anything was found; means of the neighbours and of theirs, by extent; an even spread at the recent level.
    """
    n, t = history.counts.shape
    months = np.append(history.months, next_month)
    size = np.ones(n) if history.extent is None else history.extent / history.extent.mean()
    size = np.maximum(size, LEAST_EXTENT)
    ring = _ring(history, size)
    means = [_Memory(history, history.counts, h) for h in HALF_LIVES]
    roots = [_Memory(history, np.sqrt(history.counts), h) for h in PAIR]
    presence = [_Memory(history, (history.counts > 0).astype(np.float64), h) for h in PAIR]
    of_pair = [HALF_LIVES.index(h) for h in PAIR]
    out = np.empty((t + 1, n, len(SOURCES)), np.float32)
    for k in range(t + 1):
        own = [m.mean() for m in means]
        present = [m.mean() for m in presence]
        rings = []
        for j in of_pair:
            first = ring @ own[j]
            rings += [first, ring @ first]
        even = own[of_pair[0]].mean() * size / size.mean()
        columns = [*own, *(m.mean() ** 2 for m in roots), *present, *rings, ring @ present[-1], even]
        for j, column in enumerate(columns):
            out[k, :, j] = column
        if k < t:
            for m in (*means, *roots, *presence):
                m.take_in(k, int(months[k + 1] - months[k]))
    return out


class _Memory:
    """A mean that forgets: sums of values and of effort that halve every ``half_life`` months."""

    def __init__(self, history: History, values: Floats, half_life: float) -> None:
        self._values, self._exposure, self._half_life = values, history.exposure, half_life
        self._sum = np.zeros(len(values))
        self._effort: Floats | float = 0.0 if history.exposure is None else np.zeros(len(values))

    def take_in(self, column: int, gap: int) -> None:
        """Add a month, and let ``gap`` months pass."""
        keep = 0.5 ** (gap / self._half_life)
        effort = 1.0 if self._exposure is None else self._exposure[:, column]
        self._sum = (self._sum + self._values[:, column]) * keep
        self._effort = (self._effort + effort) * keep

    def mean(self) -> Floats:
        """Return (n,) values per unit of effort; 0 before anything was taken in."""
        if isinstance(self._effort, float):
            return self._sum / self._effort if self._effort > 0 else self._sum
        total = float(self._effort.sum())
        if total <= 0:
            return self._sum
        prior = PRIOR_MONTHS * total / len(self._sum)
        return np.asarray((self._sum + prior * float(self._sum.sum()) / total) / (self._effort + prior), np.float64)


def _ring(history: History, size: Floats) -> csr_array:
    """Return (n, n) the mean over neighbours per extent, times the cell's own; 0 for a cell without neighbours."""
    n = len(size)
    flat = csr_array((np.ones(len(history.indices)), history.indices, history.indptr), shape=(n, n))
    around = np.asarray(flat @ size, np.float64)
    per = np.divide(size, around, out=np.zeros(n), where=around > 0)
    return csr_array(flat.multiply(per[:, None]))
