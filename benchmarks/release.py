"""Print what a public release is worth against what it costs: epsilon, cell width, and how the cells were counted.

python -m benchmarks.release [--demo town|city|metro|none] [--draws N]

San Diego: monthly counts of people sleeping rough down town (where the folder of real data stands beside the checkout);
one person is in a count once a month, so three times a quarter. The demo city: its discovery reports, all of them with
one person assumed to be in three, or only those of days fixed beforehand, where one cell a night bounds it.
Cells narrower than 300 m are refused by the product and shown for comparison, by their noise alone.

recall: of the true top tenth of cells, the share that is in the noisy top tenth / that a reader of the table picks.
error: mean absolute, of the numbers shown. shown: of cells that hold 10 people or more. under 10: of the numbers
shown, those whose true number is smaller. Means over quarters and draws; the noise here is seeded, never in a release.
"""

import argparse
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely import contains_xy

from gis.crs import metric_crs, to_metric
from gis.tiling import Tiling
from layers.demo_city.build import build_demo_city
from planner.hotspots.release import Numbers, ReleaseQuestion, numbers
from planner.hotspots.release_counts import bounded_counts, counted_days
from planner.hotspots.release_geography import LEAST_M, Geography
from planner.hotspots.release_noise import noisy

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WIDTHS_M, EPSILONS = (100.0, 200.0, 300.0, 500.0, 1000.0), (Fraction(1, 4), Fraction(1, 2), Fraction(1))
ROW = "{:<26} {:>6} {:>6} {:>8} {:>5} {:>3}  {:>6} {:>6}  {:>7} {:>6} {:>8}"
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Who was seen where and when: x, y in metres, date, people; ``inside`` says which cell centres are in the city."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    day: NDArray[np.datetime64]
    people: Ints
    inside: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]

    @property
    def quarters(self) -> list[tuple[int, int]]:
        """Whole quarters, first and last left out."""
        period = pd.PeriodIndex(pd.to_datetime(self.day), freq="Q")
        return [(p.year, p.quarter) for p in sorted(period.unique())[1:-1]]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", choices=("town", "city", "metro", "none"), default="city")
    parser.add_argument("--draws", type=int, default=5)
    asked = parser.parse_args()

    print(ROW.format("city", "width", "cells", "how", "eps", "C", "noisy", "read", "error", "shown", "under 10"))
    if (DATA / "san_diego").is_dir():
        _print("San Diego, down town", san_diego(), ((0, 1), (0, 3)), asked.draws)
    if asked.demo != "none":
        _print(f"demo city, {asked.demo}", demo_city(asked.demo), ((0, 1), (0, 3), (3, 3)), asked.draws)
    return 0


def san_diego() -> Sightings:
    """Return the monthly counts; cells are those that ever held anyone (no outline of the walked area is public)."""
    table = pd.read_csv(DATA / "san_diego" / "downtown_sleepers_2014_2019.csv.gz").dropna(subset=["count"])
    x, y = (table[f"{c}_epsg2230_ft"].to_numpy() * 1200 / 3937 for c in "xy")
    return Sightings(
        x, y, pd.to_datetime(table["month"]).to_numpy("datetime64[D]"), table["count"].to_numpy(np.int64),
        lambda cx, cy: np.ones(len(cx), bool),
    )  # fmt: skip


def demo_city(size: str) -> Sightings:
    """Return the demo city's discovery reports; cells are those whose centre lies inside its boundary."""
    city = build_demo_city(size)
    outline = city.areas["city"].geometry.iloc[0]
    crs = metric_crs(outline.centroid.x, outline.centroid.y)
    reports = city.reports
    shape = city.areas["city"].to_crs(crs).geometry.iloc[0]
    x, y = to_metric(reports.geometry.x.to_numpy(), reports.geometry.y.to_numpy(), crs)
    day = pd.to_datetime(reports["found_at"]).dt.tz_localize(None).to_numpy("datetime64[D]")
    return Sightings(x, y, day, reports["people"].to_numpy(np.int64), lambda cx, cy: contains_xy(shape, cx, cy))


def _print(name: str, seen: Sightings, ways: tuple[tuple[int, int], ...], draws: int) -> None:
    for width_m in WIDTHS_M:
        cell, n = _cells(seen, width_m)
        for days, most in ways:
            tables = [_counts(seen, cell, n, year, quarter, days) for year, quarter in seen.quarters]
            how = f"{days} days" if days else "all"
            for protection, epsilon in (*(("noise", e) for e in EPSILONS), ("suppression", Fraction(1))):
                if protection == "suppression" and (width_m < LEAST_M or most != ways[0][1]):
                    continue
                rows = list(_worth(tables, width_m, protection, epsilon, most, draws))
                figures = pd.DataFrame(rows).mean()
                none = protection == "suppression"
                print(ROW.format(
                    name, f"{width_m:.0f} m", n, how, "none" if none else str(epsilon), "" if none else most,
                    *(_told(figures[c], ".2f") for c in ("noisy", "read")), _told(figures["error"], ".1f"),
                    *(_told(figures[c], ".1%") for c in ("shown", "under")),
                ))  # fmt: skip


def _told(figure: float, form: str) -> str:
    return "-" if np.isnan(figure) else format(figure, form)


def _cells(seen: Sightings, width_m: float) -> tuple[Ints, int]:
    """Return the cell of each sighting, -1 outside, and how many cells the city has."""
    tiling = Tiling("square", width_m)
    column, row = tiling.cell_of(seen.x, seen.y)
    c0, r0, c1 = column.min(), row.min(), column.max()
    at = (row - r0) * (c1 - c0 + 1) + column - c0
    every = np.arange((row.max() - r0 + 1) * (c1 - c0 + 1))
    inside = seen.inside(*tiling.centre(every % (c1 - c0 + 1) + c0, every // (c1 - c0 + 1) + r0))
    if inside.all():
        inside = np.isin(every, at)
    place = np.where(inside, np.cumsum(inside) - 1, -1)
    return place[at], int(inside.sum())


def _counts(seen: Sightings, cell: Ints, n: int, year: int, quarter: int, days: int) -> Ints:
    if days:
        return bounded_counts(cell, seen.day, seen.people, counted_days(year, quarter, days), n)
    period = pd.PeriodIndex(pd.to_datetime(seen.day), freq="Q")
    meant = (period.year == year) & (period.quarter == quarter) & (cell >= 0)
    return np.bincount(cell[meant], seen.people[meant], minlength=n).astype(np.int64)


def _worth(
    tables: list[Ints], width_m: float, protection: str, epsilon: Fraction, most: int, draws: int
) -> Iterator[dict[str, float]]:
    below = random.Random(1).randrange
    n = len(tables[0])
    for counts in tables:
        for draw in range(draws if protection == "noise" else 1):
            figures = {"noisy": np.nan, "read": np.nan, "error": np.nan, "shown": np.nan, "under": np.nan}
            if protection == "noise":
                figures["noisy"] = _recall(counts, noisy(counts, most / epsilon, below))
            if width_m >= LEAST_M:
                question = ReleaseQuestion(
                    year=2020, quarter=1, epsilon=epsilon, counts_per_person=most, protection=protection
                )
                town = Geography("square", width_m, ("cell",), (tuple(map(str, range(n))),))
                figures |= _read(counts, numbers(counts, town, question, below))
            yield figures
            if draw and n > 5_000:
                break  # many cells are as good as many draws


def _read(counts: Ints, out: Numbers) -> dict[str, float]:
    shown, full = ~out.hidden, counts >= 10
    return {
        "read": _recall(counts, np.where(shown, out.people, 0)),
        "error": float(np.abs(out.people - counts)[shown].mean()) if shown.any() else np.nan,
        "shown": float(shown[full].mean()) if full.any() else np.nan,
        "under": float((~full)[shown].mean()) if shown.any() else np.nan,
    }


def _recall(counts: Ints, told: Ints) -> float:
    """Return which share of the true top tenth is in the told top tenth; neither holds empty cells."""
    m = min(max(len(counts) // 10, 1), int((counts > 0).sum()))
    if m == 0:
        return np.nan
    best, picked = (np.argsort(-values, kind="stable")[:m] for values in (counts, told))
    picked = picked[told[picked] > 0]
    # cells that tie with the last of the true tenth are as good as it
    return float((counts[picked] >= counts[best[-1]]).sum() / m)


if __name__ == "__main__":
    raise SystemExit(main())
