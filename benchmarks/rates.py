"""Rates corrected for effort against raw counts, counts per pass and plain KDE, on demo towns whose truth is known.

python -m benchmarks.rates [--seeds 20] [--detectability D]

Rank correlation (Spearman) is with the true people per week, over segments ever patrolled, from all 24 months. Cover is
the share of these segments whose true rate lies in the 90 % interval. The log score is per segment, of all reports of
the last 6 months given their effort, from rates fitted on the first 18: higher is better. The peers are helped: their
bandwidth, pseudo-count and dispersion are those that score best on the very months predicted, and their total is right.
With --detectability D it is fixed, to show how much hangs on it. CPU seconds are of the rates of one town.
"""

import argparse
import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import nbinom, spearmanr

from layers.demo_city.build import build_demo_city
from planner.hotspots.exposure import Detection, effective_weeks, estimate_detection, exposure_of
from planner.hotspots.rates import Rates, corrected_rates
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.rates_location import shares_of

Floats = NDArray[np.float64]
SHIFTS = ("night", "day", "evening")
#: Reports may belong to a street within so far; metres they lie off it to begin with, by patrols and others.
NEAR_M, SPREAD_M = 60.0, (4.0, 15.0)
TRAINING = 18
BANDWIDTHS_M = (50.0, 75.0, 100.0, 150.0, 200.0, 300.0)


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """A demo town as arrays; ``candidates`` are rows (report, segment, gap_m) of reports near segments."""

    found: Floats
    told: Floats
    passes: Floats
    weeks: Floats
    calendar_month: NDArray[np.int64]
    x: Floats
    y: Floats
    length_m: Floats
    classes: Floats
    truth: Floats
    by_patrol: NDArray[np.bool_]
    month: NDArray[np.int64]
    shift: NDArray[np.int64]
    candidates: tuple[NDArray[np.int64], NDArray[np.int64], Floats]
    spot: Floats

    def until(self, months: int) -> "Town":
        """Return the town as known after so many months."""
        kept = self.month < months
        number = np.cumsum(kept) - 1
        report, segment, gap_m = self.candidates
        rows = kept[report]
        return replace(
            self, found=self.found[:, :months], told=self.told[:, :months], passes=self.passes[:, :months],
            weeks=self.weeks[:months], calendar_month=self.calendar_month[:months], by_patrol=self.by_patrol[kept],
            month=self.month[kept], shift=self.shift[kept], spot=self.spot[kept],
            candidates=(number[report[rows]], segment[rows], gap_m[rows]),
        )  # fmt: skip


def demo_town(seed: int, size: str = "town") -> Town:
    """Make a demo city and lay its reports on the nearest street."""
    city = build_demo_city(size=size, seed=seed)
    lines = city.streets.to_crs("EPSG:4548").geometry.to_numpy()
    spots = city.reports.to_crs("EPSG:4548").geometry.to_numpy()
    tree = shapely.STRtree(lines)
    report, nearest = tree.query_nearest(spots, all_matches=False)
    at = np.full(len(spots), -1)
    at[report] = nearest
    near = tree.query(spots, predicate="dwithin", distance=NEAR_M)
    begin = city.tracks["month"].min()
    months = pd.date_range(begin, periods=24, freq="MS")
    when = city.reports["found_at"]
    month = ((when.dt.year - begin.year) * 12 + when.dt.month - begin.month).to_numpy(np.int64)
    shift = np.digitize(when.dt.hour.to_numpy(), [6, 18]).astype(np.int64)
    by_patrol = (city.reports["channel"] == "patrol").to_numpy(bool)
    shape = len(lines), len(months), len(SHIFTS)
    counts = [np.zeros(shape), np.zeros(shape)]
    for of, mine in zip(counts, (by_patrol, ~by_patrol), strict=True):
        np.add.at(of, (at[mine], month[mine], shift[mine]), 1.0)
    passes = np.zeros(shape)
    row = np.searchsorted(city.streets["segment_id"].to_numpy(), city.tracks["segment_id"].to_numpy())
    column = np.searchsorted(months.to_numpy(), city.tracks["month"].to_numpy())
    for k, name in enumerate(SHIFTS):
        passes[row, column, k] = city.tracks[f"passes_{name}"]
    middle = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    return Town(
        counts[0], counts[1], passes, months.days_in_month.to_numpy() / 7.0, months.month.to_numpy(np.int64),
        shapely.get_x(middle), shapely.get_y(middle), city.streets["length_m"].to_numpy(np.float64),
        pd.get_dummies(city.streets["street_class"]).to_numpy(np.float64), city.true_rate["per_week"].to_numpy(),
        by_patrol, month, shift, (near[0], near[1], shapely.distance(spots[near[0]], lines[near[1]])),
        np.column_stack([shapely.get_x(spots), shapely.get_y(spots)]),
    )  # fmt: skip


def corrected(town: Town, fixed: float | None = None) -> tuple[Rates, Detection, Floats]:
    """Return the rates: detection from reports shared among near streets, counts from the nearest."""
    found, told = town.found, town.told
    spreads = list(SPREAD_M)
    for turn in range(3):
        detection = estimate_detection(found, told, town.passes, town.weeks, town.calendar_month)
        if fixed is not None:
            detection = replace(detection, detectability=fixed)
        hours = local_hours(town.found + town.told, town.passes, town.weeks, detection, town.x, town.y, town.length_m)
        exposure = effective_weeks(town.passes, town.weeks, detection, hours=hours)
        rates = corrected_rates(
            town.found.sum(axis=(1, 2)), town.told.sum(axis=(1, 2)), exposure, town.x, town.y, town.length_m,
            covariates=town.classes,
        )  # fmt: skip
        if turn < 2:
            found, told = _shared(town, detection, rates.mean, spreads)
    return rates, detection, hours


def _shared(town: Town, detection: Detection, rate: Floats, spreads: list[float]) -> tuple[Floats, Floats]:
    seen = exposure_of(town.passes, town.weeks, detection.detectability)
    report, segment, gap_m = town.candidates
    counts = []
    for k, mine in enumerate((town.by_patrol, ~town.by_patrol)):
        rows = np.flatnonzero(mine[report])
        which = np.unique(report[rows], return_inverse=True)[1]
        cell = segment[rows], town.month[report[rows]], town.shift[report[rows]]
        chance = seen[cell] if k == 0 else 1 - seen[cell]
        share, spreads[k] = shares_of(
            which, gap_m[rows], town.length_m[segment[rows]], rate[segment[rows]] * chance, spreads[k]
        )
        of = np.zeros(town.passes.shape)
        np.add.at(of, cell, share)
        counts.append(of)
    return counts[0], counts[1]


def log_score(count: Floats, mean: Floats, shape: Floats | float) -> float:
    """Return the mean log chance of counts under negative binomials."""
    mean = np.maximum(mean, 1e-12)
    return float(nbinom.logpmf(count, shape, shape / (shape + mean)).mean())


def helped(count: Floats, relative: Floats) -> float:
    """Return the best log score of a mean proportional to ``relative``, over dispersions; the total is the true one."""
    mean = relative * count.sum() / relative.sum()
    return max(log_score(count, mean, shape) for shape in (0.3, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0, 50.0))


def kde(town: Town, bandwidth_m: float) -> Floats:
    """Return (n,) reports per metre of kernel density at each segment's middle, times its length."""
    pairs = cKDTree(np.column_stack([town.x, town.y])).sparse_distance_matrix(
        cKDTree(town.spot), 4 * bandwidth_m, output_type="coo_matrix"
    )
    weight = np.exp(-0.5 * (pairs.data / bandwidth_m) ** 2) / bandwidth_m**2
    return np.asarray(np.bincount(pairs.row, weight, len(town.x)) * town.length_m)


def one_town(seed: int, fixed: float | None) -> dict[str, float]:
    """Return the figures of one town."""
    town = demo_town(seed)
    began = time.process_time()
    rates, detection, _ = corrected(town, fixed)
    took_s = time.process_time() - began
    known, truth = ~rates.unknown, town.truth
    often = known & (rates.count >= 5)
    inside = (rates.low <= truth) & (truth <= rates.high)
    count = (town.found + town.told).sum(axis=(1, 2))
    walked = town.passes.sum(axis=(1, 2))

    early = town.until(TRAINING)
    past, detection_then, hours = corrected(early, fixed)
    season = dict(zip(early.calendar_month, detection_then.month, strict=True))
    then = replace(detection_then, month=np.array([season[m] for m in town.calendar_month[TRAINING:]]))
    weeks = effective_weeks(town.passes[:, TRAINING:], town.weeks[TRAINING:], then, hours=hours).weeks
    future = (town.found + town.told)[:, TRAINING:].sum(axis=(1, 2))
    was, will = early.passes.sum(axis=(1, 2)), town.passes[:, TRAINING:].sum(axis=(1, 2))
    raw = (early.found + early.told).sum(axis=(1, 2))
    look = ~past.unknown
    pseudo = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5)

    def rank(of: Floats) -> float:
        return float(spearmanr(of[known], truth[known]).statistic)

    return {
        "cover": float(inside[known].mean()),
        "cover_of_5_reports_or_more": float(inside[often].mean()),
        "below": float((truth < rates.low)[known].mean()),
        "rank_ours": rank(rates.mean),
        "rank_raw": rank(count),
        "rank_per_pass": rank(count / np.maximum(walked, 1)),
        "rank_kde": max(rank(kde(town, h)) for h in BANDWIDTHS_M),
        "log_ours": log_score(future[look], (past.mean * weeks)[look], past.shape[look]),
        "log_raw": max(helped(future[look], (raw + p)[look]) for p in pseudo),
        "log_per_pass": max(helped(future[look], ((raw + p) / (was + p) * will + 1e-3)[look]) for p in pseudo),
        "log_kde": max(helped(future[look], kde(early, h)[look] + 1e-9) for h in BANDWIDTHS_M),
        "detectability": detection.detectability,
        "sd_log": detection.sd_log,
        "told_share": detection.told_share,
        "scale": float(rates.mean[known].sum() / truth[known].sum()),
        "unknown": float(rates.unknown.sum()),
        "unpatrolled": float((walked == 0).sum()),
        "unpatrolled_said_unknown": float(rates.unknown[walked == 0].mean()) if (walked == 0).any() else 1.0,
        "cpu_s": took_s,
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
