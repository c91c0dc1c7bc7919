"""Rates corrected for effort against raw counts, counts per pass and plain KDE, on demo towns whose truth is known.

python -m benchmarks.rates [--seeds 20] [--first 1] [--detectability D]

The rates are those of ``planner.hotspots.street_rates``, from the town's layers as a store would hold them. Rank
correlation (Spearman) is with the true people per week, over segments ever patrolled, from all 24 months. Cover is the
share of these segments whose true rate lies in the 90 % interval; also of those with 5 reports or more and of those
that truly hold as much as the busiest tenth. The log score is per segment, of all reports of the last 6 months given
their effort, from rates fitted on the first 18: higher is better. The peers are helped: their bandwidth, pseudo-count
and dispersion are those that score best on the very months predicted, and their total is right. "off_by" is the error
of log detectability over its stated standard error. With --detectability D it is fixed. CPU seconds: rates of one town.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import nbinom, spearmanr

from gis.crs import to_metric
from gis.modes import travel_by
from gis.network import Positions
from gis.network_build import network_from_records
from layers.demo_city.build import build_demo_city
from layers.demo_city.recipe import load_recipe
from planner.hotspots.effort import effort_of
from planner.hotspots.exposure import Detection, effective_weeks
from planner.hotspots.frame import CHANNELS
from planner.hotspots.ground import starts_of
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.records import Events
from planner.hotspots.street_rates import Watched, nearest_shares, street_rates, watched

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TRAINING = 18
BANDWIDTHS_M = (50.0, 75.0, 100.0, 150.0, 200.0, 300.0)


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """A demo town: what is known of it, the (n,) true people per week, where (k, 2) and in which month reports fell."""

    known: Watched
    truth: Floats
    spot: Floats
    month: NDArray[np.int64]


def demo_town(seed: int, size: str = "town", *, cut: Callable[[Ints], Ints] = np.asarray) -> Town:
    """Make a demo city and lay its reports and patrols on its streets as the product does; cut : months otherwise."""
    city = build_demo_city(size=size, seed=seed)
    network = network_from_records(city.streets)
    effort, lost = effort_of(network, city.patrol_effort, ())
    assert not lost
    when = pd.to_datetime(city.reports["found_at"])
    x, y = to_metric(city.reports.geometry.x.to_numpy(), city.reports.geometry.y.to_numpy(), network.crs)
    minute = when.to_numpy("datetime64[m]").astype(np.int64)
    off = Positions(np.full(len(x), -1, np.int32), np.zeros(len(x)), np.zeros(len(x)))
    events = Events(
        minute // 1440, minute % 1440 / 60.0, pd.Categorical(city.reports["channel"], categories=CHANNELS).codes,
        city.reports["people"].to_numpy(np.float64), off, x, y, {},
    )  # fmt: skip
    begin, end = (np.datetime64(load_recipe().reports[name]) for name in ("begin", "end"))
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    starts = starts_of(begin, end, 1)
    known = watched(network, walkable, events, effort, cut(starts))
    truth = city.true_rate.set_index("segment_id")["per_week"].loc[network.segment_id[known.segment]]
    month = np.searchsorted(starts, events.day, side="right") - 1
    return Town(known, truth.to_numpy(np.float64), np.column_stack([x, y]), month)


def until(of: Watched, months: int) -> Watched:
    """Return what was known after so many months."""
    early = of.month < months
    number, rows = np.cumsum(early) - 1, early[of.report]
    return replace(
        of, passes=of.passes[:, :months], weeks=of.weeks[:months], calendar_month=of.calendar_month[:months],
        by_patrol=of.by_patrol[early], month=of.month[early], shift=of.shift[early], report=number[of.report[rows]],
        street=of.street[rows], gap_m=of.gap_m[rows],
    )  # fmt: skip


def counted(of: Watched) -> Floats:
    """Return (n, t, shifts) reports of either channel on the nearest street."""
    return of.counts(np.ones(len(of.month), bool), nearest_shares(of))


def expected_weeks(of: Watched, early: Watched, detection: Detection) -> Floats:
    """Return (n,) for how many weeks after ``early`` each street was as good as watched, by what was known then."""
    t = len(early.weeks)
    season = dict(zip(early.calendar_month, detection.month, strict=True))
    then = replace(detection, month=np.array([season[m] for m in of.calendar_month[t:]]))
    hours = local_hours(counted(early), early.passes, early.weeks, detection, of.x, of.y, of.length_m)
    return effective_weeks(of.passes[:, t:], of.weeks[t:], then, hours=hours).weeks


def log_score(count: Floats, mean: Floats, shape: Floats | float) -> float:
    """Return the mean log chance of counts under negative binomials."""
    mean = np.maximum(mean, 1e-12)
    return float(nbinom.logpmf(count, shape, shape / (shape + mean)).mean())


def helped(count: Floats, relative: Floats) -> float:
    """Return the best log score of a mean proportional to ``relative``, over dispersions; the total is the true one."""
    mean = relative * count.sum() / relative.sum()
    return max(log_score(count, mean, shape) for shape in (0.3, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0, 50.0))


def kde(of: Watched, spot: Floats, bandwidth_m: float) -> Floats:
    """Return (n,) reports per metre of kernel density at each segment's middle, times its length."""
    pairs = cKDTree(np.column_stack([of.x, of.y])).sparse_distance_matrix(
        cKDTree(spot), 4 * bandwidth_m, output_type="coo_matrix"
    )
    weight = np.exp(-0.5 * (pairs.data / bandwidth_m) ** 2) / bandwidth_m**2
    return np.asarray(np.bincount(pairs.row, weight, len(of.x)) * of.length_m)


def one_town(seed: int, fixed: float | None) -> dict[str, float]:
    """Return the figures of one town."""
    town = demo_town(seed)
    return told_of(town, fixed) | foretold_of(town, fixed)


def told_of(town: Town, fixed: float | None) -> dict[str, float]:
    """Return how the rates of all months compare with the truth."""
    of, truth = town.known, town.truth
    began = time.process_time()
    rates, detection = street_rates(of, detectability=fixed)
    took_s = time.process_time() - began
    known, inside = ~rates.unknown, (rates.low <= truth) & (truth <= rates.high)
    often, busy = known & (rates.count >= 5), known & (truth >= np.quantile(truth, 0.9))
    count, walked = counted(of).sum(axis=(1, 2)), of.passes.sum(axis=(1, 2))
    off = np.log(detection.detectability / load_recipe().reports["detectability"])

    def rank(what: Floats) -> float:
        return float(spearmanr(what[known], truth[known]).statistic)

    return {
        "cover": float(inside[known].mean()),
        "cover_of_5_reports_or_more": float(inside[often].mean()),
        "cover_of_truly_busy": float(inside[busy].mean()),
        "truth_below": float((truth < rates.low)[known].mean()),
        "truth_above": float((truth > rates.high)[known].mean()),
        "rank_ours": rank(rates.mean),
        "rank_raw": rank(count),
        "rank_per_pass": rank(count / np.maximum(walked, 1)),
        "rank_kde": max(rank(kde(of, town.spot, h)) for h in BANDWIDTHS_M),
        "detectability": detection.detectability,
        "sd_log": detection.sd_log,
        "off_by": float(off / max(detection.sd_log, 1e-9)),
        "told_share": detection.told_share,
        "scale": float(rates.mean[known].sum() / truth[known].sum()),
        "unpatrolled": float((walked == 0).sum()),
        "unpatrolled_said_unknown": float(rates.unknown[walked == 0].mean()) if (walked == 0).any() else 1.0,
        "patrolled_said_unknown": float(rates.unknown[walked > 0].mean()),
        "cpu_s": took_s,
    }


def foretold_of(town: Town, fixed: float | None) -> dict[str, float]:
    """Return the log scores of the last months, from the first ones."""
    of, early = town.known, until(town.known, TRAINING)
    spot = town.spot[town.month < TRAINING]
    rates, detection = street_rates(early, detectability=fixed)
    weeks, look = expected_weeks(of, early, detection), ~rates.unknown
    future, raw = counted(of)[:, TRAINING:].sum(axis=(1, 2))[look], counted(early).sum(axis=(1, 2))[look]
    was, will = early.passes.sum(axis=(1, 2))[look], of.passes[:, TRAINING:].sum(axis=(1, 2))[look]
    pseudo = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5)
    return {
        "log_ours": log_score(future, (rates.mean * weeks)[look], rates.shape[look]),
        "log_raw": max(helped(future, raw + p) for p in pseudo),
        "log_per_pass": max(helped(future, (raw + p) / (was + p) * will + 1e-3) for p in pseudo),
        "log_kde": max(helped(future, kde(early, spot, h)[look] + 1e-9) for h in BANDWIDTHS_M),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--detectability", type=float, help="fixed instead of estimated")
    asked = parser.parse_args()
    rows = pd.DataFrame([one_town(seed, asked.detectability) for seed in range(asked.first, asked.first + asked.seeds)])
    print(f"{asked.seeds} demo towns; mean, spread over towns (standard deviation), least, greatest")
    for name in rows.columns:
        of = rows[name]
        print(f"{name:26} {of.mean():8.3f} {of.std():8.3f} {of.min():8.3f} {of.max():8.3f}")
    for what in ("rank", "log"):
        for peer in ("raw", "per_pass", "kde"):
            wins = (rows[f"{what}_ours"] > rows[f"{what}_{peer}"]).sum()
            print(f"{what}: ours better than {peer} in {wins} of {len(rows)} towns")


if __name__ == "__main__":
    main()
