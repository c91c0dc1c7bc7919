"""Which street a report belongs to, where its place is not exact: shares among the streets near by."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def shares_of(report: Ints, gap_m: Floats, length_m: Floats, weight: Floats, spread_m: float) -> tuple[Floats, float]:
    """Return (k,) the share of its report that each candidate takes, and how far reports lie off their streets.

    report : (k,) which report each candidate row is for, 0 to r - 1; each report has at least one row.
    gap_m, length_m : (k,) straight metres from the report to the candidate segment, and the segment's length.
    weight : (k,) expected reports of this channel on the candidate before its place is known, such as rate x chance
    of being seen there in that month and shift. spread_m : metres that reports lie off their street (standard
    deviation). Shares of a report sum to 1; where all weights are nil the nearest candidate takes all.

    The spread returned is the root mean square of the gaps under the shares: two or three calls, each with the spread
    of the last, fit it (expectation-maximisation; Dempster, Laird & Rubin 1977).
    Weights should not hold the report itself (use the mean expected from neighbours), or streets that got a report by
    chance keep drawing their neighbours' reports.
    """
    score = weight / length_m * np.exp(-0.5 * (gap_m / spread_m) ** 2)
    count = int(report.max()) + 1 if len(report) else 0
    total = np.bincount(report, score, count)
    nearest = np.full(count, np.inf)
    np.minimum.at(nearest, report, gap_m)
    alone = (gap_m == nearest[report]).astype(np.float64)
    alone /= np.bincount(report, alone, count)[report]
    lost = total[report] <= 0
    share = np.where(lost, alone, score / np.where(lost, 1.0, total[report]))
    spread = float(np.sqrt(np.average(gap_m**2, weights=share))) if len(share) else spread_m
    return np.asarray(share, np.float64), max(spread, 0.1)
