"""Backtest forecasts on downtown San Diego and two demo cities, beside simple baselines and gradient boosting.

python -m benchmarks.forecast [--data FOLDER] [--seeds 1 2] [--people] [--no-boosting]

Monthly rolling origins; everything is fitted at each origin on earlier months alone. Cells are squares (100 m in San
Diego, 250 m in the demo city) that a street crosses or that held a find before the first origin; later finds elsewhere
are counted and left out. PAI, PEI and hit rate at 10 % of these cells. A sighting or report counts 1; with --people San
Diego's counts are people. Differences are ours minus theirs, month by month, with 95 % block bootstrap intervals.
Gradient boosting: scikit-learn's HistGradientBoostingRegressor (Poisson loss) on the same memories, fitted anew at
each origin; its probabilities get the same floor and scatter as a baseline's.
"""

import argparse
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from layers.demo_city.build import build_demo_city
from planner.hotspots.backtest import OURS, Backtest, backtest
from planner.hotspots.forecast import History
from planner.hotspots.forecast_fit import BURN_IN
from planner.hotspots.forecast_memory import memories
from planner.hotspots.neighbours import tiling_neighbours

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "san_diego"
UTM_11N = 32611
MEASURES = ("pai", "pei", "hit_rate", "log_score")
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--people", action="store_true")
    parser.add_argument("--no-boosting", action="store_true")
    asked = parser.parse_args()
    if asked.data.is_dir():
        history, x_m, y_m, outside = san_diego(asked.data, asked.people)
        report("San Diego 2014-2019", history, x_m, y_m, outside, 24, not asked.no_boosting)
    else:
        print("San Diego left out: its folder is not there")
    for seed in asked.seeds:
        history, x_m, y_m, outside = demo_city(seed)
        report(f"demo city, seed {seed}", history, x_m, y_m, outside, 12, not asked.no_boosting)


def san_diego(folder: Path, people: bool) -> tuple[History, Floats, Floats, int]:
    seen = pd.read_csv(folder / "downtown_sleepers_2014_2019.csv.gz")
    at = gpd.GeoSeries(gpd.points_from_xy(seen["lon"], seen["lat"]), crs=4326).to_crs(UTM_11N)
    streets = gpd.read_file(folder / "downtown_grid_DERIVED.gpkg", layer="edges").geometry.to_crs(UTM_11N)
    worth = seen["count"].to_numpy(np.float64) if people else np.ones(len(seen))
    return monthly(streets, at, pd.to_datetime(seen["month"]), worth, 100.0, 24)


def demo_city(seed: int) -> tuple[History, Floats, Floats, int]:
    city = build_demo_city("town", seed=seed)
    crs = city.streets.estimate_utm_crs()
    at = city.reports.geometry.to_crs(crs)
    streets = city.streets.geometry.to_crs(crs)
    return monthly(streets, at, city.reports["found_at"], np.ones(len(at)), 250.0, 12)


def monthly(
    streets: gpd.GeoSeries, at: gpd.GeoSeries, when: pd.Series, worth: Floats, size_m: float, known: int
) -> tuple[History, Floats, Floats, int]:
    """Return counts per square and month, the squares' centres, and finds outside all squares."""
    months, column = np.unique((when.dt.year * 12 + when.dt.month - 1).to_numpy(), return_inverse=True)
    found = np.floor(np.column_stack([at.x, at.y]) / size_m).astype(np.int64)
    street = np.floor(streets.segmentize(size_m / 10).get_coordinates().to_numpy() / size_m).astype(np.int64)
    cells, index = np.unique(np.vstack([street, found[column < known], found]), axis=0, return_inverse=True)
    kept = np.zeros(len(cells), bool)
    kept[index[: -len(found)]] = True
    counts = np.zeros((len(cells), len(months)))
    np.add.at(counts, (index[-len(found) :], column), worth)
    outside = int((~kept[index[-len(found) :]]).sum())
    cells = cells[kept]
    x, y = ((cells + 0.5) * size_m).T
    links = tiling_neighbours(cells[:, 0], cells[:, 1], "square")
    return History(counts[kept], months.astype(np.int64), *links), x, y, outside


def report(
    name: str, history: History, x_m: Floats, y_m: Floats, outside: int, first: int, with_boosting: bool
) -> None:
    peers, took = {}, "not run"
    if with_boosting:
        began = time.process_time()
        peers = {"boosting": boosting(history, first)}
        took = f"{time.process_time() - began:.1f} s"

    def run() -> Backtest:
        return backtest(
            history.counts, history.months, x_m, y_m, history.indptr, history.indices, first_origin=first, peers=peers
        )

    run()  # compilers
    began = time.process_time()
    result = run()
    n, t = history.counts.shape
    print(f"\n{name}: {n} cells, {t} months, {t - first} origins, {history.counts.sum():.0f} counted, {outside} rows "
          f"outside the cells; backtest {time.process_time() - began:.1f} s CPU, boosting {took}")  # fmt: skip
    show(result)


def show(result: Backtest) -> None:
    print(f"{'method':11}" + "".join(f"{m:>9}{OURS[:4] + '-it':>9}{'95 %':>19}{'won':>6}" for m in MEASURES))
    for method in dict.fromkeys(result.summary["method"]):
        rows = result.summary[result.summary["method"] == method].set_index("measure")
        line = f"{method:11}"
        for measure in MEASURES:
            row = rows.loc[measure]
            line += f"{row['mean']:9.4f}"
            line += " " * 34 if method == OURS else (
                f"{row['ours_minus']:9.4f}  [{row['low']:7.4f},{row['high']:7.4f}]{row['won']:6.0%}"
            )  # fmt: skip
        print(line)
    for kind in ("mean", "pit", "interval"):
        rows = result.calibration[result.calibration["kind"] == kind]
        form = "{:.0f}/{:.0f}" if kind == "mean" else "{:.3f}/{:.3f}"
        parts = (f"{row.class_} " + form.format(row.seen, row.expected) for row in rows.itertuples())
        print(f"  {kind} (seen/expected): " + ", ".join(parts))


def boosting(history: History, first: int) -> Floats:
    """Return (n, t) the means of gradient boosting on the same memories and the place, fitted before each origin.

    From column ``BURN_IN`` + 3 on, so that its floor and scatter have a past of their own to be fitted on.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    n, t = history.counts.shape
    sources = memories(history, int(history.months[-1]) + 1)
    means = np.zeros((n, t))
    for origin in range(BURN_IN, t):
        if origin < BURN_IN + 3:
            means[:, origin] = sources[origin, :, 1]
            continue
        x = sources[BURN_IN:origin].reshape(-1, sources.shape[2])
        y = history.counts[:, BURN_IN:origin].T.ravel()
        model = HistGradientBoostingRegressor(
            loss="poisson", learning_rate=0.05, max_iter=120, max_leaf_nodes=15, min_samples_leaf=40,
            l2_regularization=1.0, random_state=0,
        )  # fmt: skip
        means[:, origin] = model.fit(x, y).predict(sources[origin])
    return means


if __name__ == "__main__":
    main()
