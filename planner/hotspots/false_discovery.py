"""Many cells tested at once: p-values adjusted so that a stated share of the cells called hotspots is false."""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Floats = NDArray[np.float64]


def benjamini_hochberg(p: Floats) -> Floats:
    """Return q, of p's shape: calling all with q <= a hotspots keeps the expected share of false ones at most a.

    p : any shape, all tests at once, in [0, 1]. q is the least of p m / rank over this and all larger p. Holds for
    independent tests and for those that depend positively, as neighbouring cells' do.
    Raises QuestionError on p outside [0, 1] or NaN.
    Source: Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x; for Gi*: Caldas de Castro & Singer 2006,
    doi:10.1111/j.0016-7363.2006.00682.x.
    """
    return _stepped_up(p, 1.0)


def benjamini_yekutieli(p: Floats) -> Floats:
    """Return q as ``benjamini_hochberg`` does, times 1 + 1/2 + ... + 1/m: holds however the tests depend.

    Source: Benjamini & Yekutieli 2001, doi:10.1214/aos/1013699998.
    """
    return _stepped_up(p, _harmonic(np.asarray(p).size))


def neighbourhood_adjusted(p: Floats, indptr: NDArray[np.integer], *, dependent: bool = False) -> Floats:
    """Return p (n,) times the number of tests in a cell's own neighbourhood, its neighbours and itself; at most 1.

    This is spdep's ``p.adjustSP`` with "fdr", "bonferroni", "holm" or "hochberg" (all alike there), and with "BY" if
    ``dependent``. It guards against the tests around a cell only: over a whole map it controls neither the share nor
    the number of false hotspots. Raises QuestionError on p outside [0, 1], NaN, or of another length.
    """
    p = _checked(p)
    if p.shape != (len(indptr) - 1,):
        raise QuestionError("p 值与网格数不符", f"p of shape {p.shape} for {len(indptr) - 1} cells")
    tests = np.diff(indptr).astype(np.int64) + 1
    factor = tests.astype(np.float64)
    if dependent:
        factor *= np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, tests.max(initial=0) + 1))])[tests]
    return np.minimum(1.0, factor * p)


def _harmonic(m: int) -> float:
    return float((1.0 / np.arange(1, m + 1)).sum())


def _stepped_up(p: Floats, factor: float) -> Floats:
    p = _checked(p)
    flat = p.ravel()
    order = np.argsort(flat)[::-1]
    m = flat.size
    q = np.empty(m)
    q[order] = np.minimum(1.0, np.minimum.accumulate(factor * m / np.arange(m, 0, -1) * flat[order]))
    return q.reshape(p.shape)


def _checked(p: Floats) -> Floats:
    p = np.asarray(p, np.float64)
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise QuestionError("p 值必须在 0 与 1 之间", "every p must lie in 0..1")
    return p
