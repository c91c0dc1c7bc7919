"""P-values from the largest ratios of replications."""

import numpy as np
from numpy.typing import NDArray

#: Ratios that differ by less than this share are tied; somewhat more than two judgements may differ by.
TIED = 3e-9


def rank_p(ratio: float, maxima: NDArray[np.float64], stopped_at: int | None = None) -> float:
    """Return the Monte Carlo p-value: the share of replications, the data among them, at least as large.

    Ties count against the cluster. If replication was stopped once ``stopped_at`` were as large as the first cluster's
    ratio, that cluster's is the share of those made (Besag & Clifford 1991, doi:10.1093/biomet/78.2.301).
    """
    as_large = int((maxima >= ratio * (1.0 - TIED)).sum())
    if stopped_at is not None and as_large == stopped_at:
        return as_large / len(maxima)
    return (as_large + 1) / (len(maxima) + 1)


def stop_index(maxima: NDArray[np.float64], ratio: float, enough: int) -> int | None:
    """Return how many replications it took to see ``enough`` as large as ``ratio``; None if there are fewer."""
    as_large = np.flatnonzero(maxima >= ratio * (1.0 - TIED))
    return int(as_large[enough - 1]) + 1 if len(as_large) >= enough else None


def gumbel_p(ratio: float, maxima: NDArray[np.float64]) -> float:
    """Return the p-value of a Gumbel distribution with the mean and spread of the maxima, NaN where it has none.

    Tells values below 1 / (replications + 1) apart. Source: Abrams, Kulldorff & Kleinman 2010,
    doi:10.1186/1476-072X-9-61.
    """
    if len(maxima) < 2 or not (spread := float(maxima.std(ddof=1))) > 0:
        return float("nan")
    scale = spread * np.sqrt(6.0) / np.pi
    mode = float(maxima.mean()) - np.euler_gamma * scale
    return float(-np.expm1(-np.exp(-(ratio - mode) / scale)))
