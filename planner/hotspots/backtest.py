"""A forecast judged by what came after: each month foretold from the months before it, beside simple baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.baselines import baseline_means, score_baseline
from planner.hotspots.forecast import SOURCES, History, OneAhead, forecast_past
from planner.hotspots.forecast_dispersion import Floats, log_poisson
from planner.hotspots.scores import calibration, paired_summary, rank_scores

OURS = "memories"
MEASURES = ("hit_rate", "pai", "pei", "log_score")


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """What a rolling-origin backtest found.

    months : rows origin (year * 12 + month - 1), method, hits, hit_rate, pai, pei, log_score (mean over cells; a
    baseline's is that of its better law), log_score_poisson, expected (total), n (finds).
    summary : see planner.hotspots.scores.paired_summary. calibration : see planner.hotspots.scores.calibration, of our
    forecasts. weights : source, weight at the last origin. mean : (n, t) our forecasts, 0 before the first origin.
    """

    months: pd.DataFrame
    summary: pd.DataFrame
    calibration: pd.DataFrame
    weights: pd.DataFrame
    mean: Floats


def backtest(
    counts: Floats,
    months: NDArray[np.int64],
    x_m: Floats,
    y_m: Floats,
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    *,
    first_origin: int,
    share: float = 0.1,
    exposure: Floats | None = None,
    extent: Floats | None = None,
    area: Floats | None = None,
    peers: Mapping[str, Floats] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Backtest:
    """Forecast every month from column ``first_origin`` on from the months before it, and score all methods.

    counts : (n, t) whole numbers; months : (t,) year * 12 + month - 1. x_m, y_m : (n,) centres. indptr, indices :
    neighbours (CSR). share : of the area of all n cells, for hit rate, PAI and PEI. exposure : (n, t) effort.
    extent : (n,) metres of street or area, for the model. area : (n,) what the share is of; None for equal cells.
    peers : further methods' means (n, t), scored as baselines are. seed : of the bootstrap alone.
    progress : called with each method's name as its turn comes.

    The cells given are the studied area: which they are decides PAI, so say so beside it. Everything fitted, of our
    method and of the baselines, is fitted at each origin on earlier months alone.
    Raises QuestionError on fewer than six months before the first origin, wrong shapes or an impossible share.
    """
    tell = progress or (lambda _: None)
    tell(OURS)
    history = History(np.asarray(counts, np.float64), np.asarray(months, np.int64), indptr, indices, exposure, extent)
    ahead = forecast_past(history, first_origin)
    rows = _our_rows(history, ahead, share, area)
    means = baseline_means(history.counts, history.months, x_m, y_m) | dict(peers or {})
    for method, mean in means.items():
        tell(method)
        rows += _baseline_rows(history, method, mean, first_origin, share, area)
    table = pd.DataFrame(rows)
    span = range(first_origin, len(history.months))
    return Backtest(
        table,
        paired_summary(table, OURS, MEASURES, seed),
        calibration(history.counts[:, span], ahead.mean[:, span], [ahead.scatters[k] for k in span]),
        pd.DataFrame({"source": SOURCES, "weight": ahead.fit.weights}),
        ahead.mean,
    )


def _our_rows(history: History, ahead: OneAhead, share: float, area: Floats | None) -> list[dict[str, object]]:
    rows = []
    for k in range(ahead.first, len(history.months)):
        mean, seen = ahead.mean[:, k], history.counts[:, k]
        score = float(ahead.scatters[k].log_score(seen, mean).mean())
        rows.append(_row(history, k, OURS, mean, share, area, score, float(log_poisson(seen, mean).mean())))
    return rows


def _baseline_rows(
    history: History, method: str, mean: Floats, first: int, share: float, area: Floats | None
) -> list[dict[str, object]]:
    if mean.shape != history.counts.shape or not np.all(np.isfinite(mean)) or np.any(mean < 0):
        raise QuestionError(f"{method} 的期望值须与计数同形且非负",
                            f"means of {method} must be finite, 0 or more, and shaped like counts")  # fmt: skip
    scored = score_baseline(history.counts, history.months, mean, first)
    # The law that served the baseline better, as known afterwards: a favour to the baseline, never to ours.
    poisson = sum(s.log_score_poisson for s in scored) > sum(s.log_score for s in scored)
    return [
        _row(history, k, method, mean[:, k], share, area, s.log_score_poisson if poisson else s.log_score,
             s.log_score_poisson)
        for k, s in enumerate(scored, start=first)
    ]  # fmt: skip


def _row(
    history: History, column: int, method: str, mean: Floats, share: float, area: Floats | None, score: float,
    poisson: float,
) -> dict[str, object]:  # fmt: skip
    seen = history.counts[:, column]
    ranked = rank_scores(mean, seen, share, area)
    return {
        "origin": int(history.months[column]), "method": method, "hits": ranked.hits, "hit_rate": ranked.hit_rate,
        "pai": ranked.pai, "pei": ranked.pei, "log_score": score, "log_score_poisson": poisson,
        "expected": float(mean.sum()), "n": int(seen.sum()),
    }  # fmt: skip
