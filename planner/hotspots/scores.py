"""How good a forecast was: finds in the cells it ranks highest, its probabilities, and differences with intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gis.errors import QuestionError
from planner.hotspots.forecast_dispersion import LEAST_MEAN, Floats, Scatter

#: Months in a block of the bootstrap, and draws of it.
BLOCK, DRAWS = 3, 2000
#: Classes of the mean and of the probability integral transform; intervals whose cover is counted.
CLASSES, INTERVALS = 10, (0.5, 0.8, 0.95)


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the top cells of a ranking held. share : of the area. Figures are nan in a month without a find.

    hits : finds in the top cells. hit_rate : their share of all. pai : prediction accuracy index, hit rate over share
    of area (Chainey, Tompson & Uhlig 2008, doi:10.1057/palgrave.sj.8350066). pei : prediction efficiency index, hits
    over the most hits any choice of the same area could have had (Hunt 2016, in Drawve & Wooditch 2019,
    doi:10.1016/j.jcrimjus.2018.12.006).
    """

    hits: float
    hit_rate: float
    pai: float
    pei: float


def rank_scores(mean: Floats, seen: Floats, share: float, area: Floats | None = None) -> Ranking:
    """Score the cells of greatest forecast per area, up to ``share`` of the area of all cells given.

    mean, seen : (n,). area : (n,) > 0, None where all are alike. Cells of one forecast per area are taken in
    proportion to their area, and the last ones in part, so no order of cells matters and the share is exact.
    Raises QuestionError on a share outside (0, 1] or an area not above 0.
    """
    if not 0.0 < share <= 1.0:
        raise QuestionError(f"面积比例须在 0 与 1 之间，给出的是 {share}",
                            f"the share of area must be above 0 and at most 1, got {share}")  # fmt: skip
    size = np.ones(len(mean)) if area is None else np.asarray(area, np.float64)
    if len(size) == 0 or not np.all(size > 0):
        raise QuestionError("单元面积须大于 0", "cells must have an area above 0")
    total = float(seen.sum())
    hits = _held(mean / size, seen, size, share)
    if total <= 0:
        return Ranking(hits, np.nan, np.nan, np.nan)
    return Ranking(hits, hits / total, hits / total / share, hits / _held(seen / size, seen, size, share))


def _held(rank: Floats, seen: Floats, size: Floats, share: float) -> float:
    """Return what the cells of highest rank hold, equals taken together and the last in part."""
    _, group = np.unique(-rank, return_inverse=True)
    held, taken = np.bincount(group, seen), np.bincount(group, size)
    upto = np.cumsum(taken)
    part = np.clip((share * upto[-1] - (upto - taken)) / taken, 0.0, 1.0)
    return float(held @ part)


def paired_summary(months: pd.DataFrame, ours: str, measures: tuple[str, ...], seed: int) -> pd.DataFrame:
    """Return each method's mean of each measure and how much better ours was, month by month.

    months : rows origin, method and the measures (greater is better). Rows of the result: method, measure, months,
    mean, ours_minus (mean difference), low, high (95 % interval), won (share of months in which ours was greater;
    an equal month counts half). Intervals: circular block bootstrap over months, blocks of three, so that runs of
    good months stay together (Politis & Romano 1992, in LePage & Billard, Exploring the limits of bootstrap;
    Künsch 1989, doi:10.1214/aos/1176347265). Months in which either is nan are left out.
    """
    rows = []
    for number, measure in enumerate(measures):
        table = months.pivot(index="origin", columns="method", values=measure)
        for method in dict.fromkeys(months["method"]):
            both = table[[ours, method]].to_numpy(np.float64) if method != ours else table[[ours, ours]].to_numpy()
            both = both[np.isfinite(both).all(axis=1)]
            row = {"method": method, "measure": measure, "months": len(both), "mean": _mean(both[:, 1])}
            if method != ours:
                off = both[:, 0] - both[:, 1]
                low, high = bootstrap_interval(off, np.random.default_rng([seed, number]))
                won = _mean((off > 0) + 0.5 * (off == 0))
                row |= {"ours_minus": _mean(off), "low": low, "high": high, "won": won}
            rows.append(row)
    columns = ["method", "measure", "months", "mean", "ours_minus", "low", "high", "won"]
    return pd.DataFrame(rows, columns=columns)


def bootstrap_interval(values: Floats, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of a series, by circular blocks; nan for fewer than two."""
    k = len(values)
    if k < 2:
        return float("nan"), float("nan")
    block = min(BLOCK, k)
    blocks = -(-k // block)
    first = rng.integers(0, k, (DRAWS, blocks))
    at = (first[:, :, None] + np.arange(block)).reshape(DRAWS, -1)[:, :k] % k
    low, high = np.quantile(values[at].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def calibration(seen: Floats, mean: Floats, scatters: list[Scatter]) -> pd.DataFrame:
    """Return whether what was forecast came true. seen, mean : (n, months); scatters : one a month.

    Rows by kind. ``mean``: cell-months in ten classes of about equal expected finds, expected and seen. ``pit``: ten
    classes of the non-randomised probability integral transform, each with a tenth expected (Czado, Gneiting & Held
    2009, doi:10.1111/j.1541-0420.2009.01191.x). ``interval``: central intervals of at least the probability in
    class_; as counts are whole they hold more, and what they were forecast to hold stands beside what they held.
    Columns: kind, class_, cells (cell-months), expected, seen.
    """
    flat, at = mean.T.ravel(), seen.T.ravel()
    order = np.argsort(flat, kind="stable")
    upto = np.cumsum(flat[order])
    of = np.minimum((CLASSES * upto / upto[-1]).astype(np.int64), CLASSES - 1)
    count = np.bincount(of, minlength=CLASSES)
    rows = [
        {"kind": "mean", "class_": str(k + 1), "cells": int(count[k]), "expected": e, "seen": s}
        for k, (e, s) in enumerate(
            zip(np.bincount(of, flat[order], CLASSES), np.bincount(of, at[order], CLASSES), strict=True)
        )
    ]
    edges = np.arange(CLASSES + 1) / CLASSES
    pit, inside, within = np.zeros(CLASSES), np.zeros(len(INTERVALS)), np.zeros(len(INTERVALS))
    for k, scatter in enumerate(scatters):
        high, low = scatter.at_most(seen[:, k], mean[:, k]), scatter.at_most(seen[:, k] - 1.0, mean[:, k])
        width = np.maximum(high - low, LEAST_MEAN)
        below = np.clip((edges[:, None] - low) / width, 0.0, 1.0).sum(axis=1)
        pit += np.diff(below)
        for j, share in enumerate(INTERVALS):
            least, most = (scatter.quantile(q, mean[:, k]) for q in ((1 - share) / 2, (1 + share) / 2))
            inside[j] += ((seen[:, k] >= least) & (seen[:, k] <= most)).sum()
            within[j] += (scatter.at_most(most, mean[:, k]) - scatter.at_most(least - 1.0, mean[:, k])).sum()
    rows += [
        {"kind": "pit", "class_": f"{edges[k]:.1f}-{edges[k + 1]:.1f}", "cells": len(at),
         "expected": 1.0 / CLASSES, "seen": pit[k] / len(at)} for k in range(CLASSES)
    ]  # fmt: skip
    rows += [
        {"kind": "interval", "class_": f"{share:.0%}", "cells": len(at), "expected": p / len(at), "seen": got / len(at)}
        for share, p, got in zip(INTERVALS, within, inside, strict=True)
    ]
    return pd.DataFrame(rows, columns=["kind", "class_", "cells", "expected", "seen"])
