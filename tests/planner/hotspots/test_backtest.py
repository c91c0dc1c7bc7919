"""Backtests: baselines by brute force, what may not be known, the demo city and downtown San Diego."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from gis.errors import QuestionError
from layers.demo_city.build import build_demo_city
from planner.hotspots.backtest import MEASURES, OURS, Backtest, backtest
from planner.hotspots.baselines import BASELINES, baseline_means, score_baseline
from planner.hotspots.neighbours import tiling_neighbours
from planner.hotspots.scores import paired_summary

JANUARY = 2024 * 12
UTM_11N = 32611


def cube(
    streets: gpd.GeoSeries, at: gpd.GeoSeries, when: pd.Series, size_m: float, known: int
) -> dict[str, np.ndarray]:
    """Counts of reports per square and month: squares a street crosses or with a report in the first months."""
    month = (when.dt.year * 12 + when.dt.month - 1).to_numpy()
    months, column = np.unique(month, return_inverse=True)
    found = np.floor(np.column_stack([at.x, at.y]) / size_m).astype(np.int64)
    street = np.floor(streets.segmentize(size_m / 10).get_coordinates().to_numpy() / size_m).astype(np.int64)
    cells, index = np.unique(np.vstack([street, found[column < known], found]), axis=0, return_inverse=True)
    kept = np.zeros(len(cells), bool)
    kept[index[: -len(found)]] = True
    counts = np.zeros((len(cells), len(months)))
    np.add.at(counts, (index[-len(found) :], column), 1)
    cells, counts = cells[kept], counts[kept]
    indptr, indices = tiling_neighbours(cells[:, 0], cells[:, 1], "square")
    x, y = ((cells + 0.5) * size_m).T
    return {"counts": counts, "months": months, "x_m": x, "y_m": y, "indptr": indptr, "indices": indices}


def demo(seed: int) -> Backtest:
    city = build_demo_city("town", seed=seed)
    crs = city.streets.estimate_utm_crs()
    reports = city.reports
    given = cube(city.streets.geometry.to_crs(crs), reports.geometry.to_crs(crs), reports["found_at"], 250.0, 12)
    return backtest(**given, first_origin=12)


@pytest.fixture(scope="module")
def demo_town() -> Backtest:
    return demo(1)


@pytest.fixture(scope="module")
def san_diego(realdata: Path) -> Backtest:
    folder = realdata / "san_diego"
    seen = pd.read_csv(folder / "downtown_sleepers_2014_2019.csv.gz")
    at = gpd.GeoSeries(gpd.points_from_xy(seen["lon"], seen["lat"]), crs=4326).to_crs(UTM_11N)
    streets = gpd.read_file(folder / "downtown_grid_DERIVED.gpkg", layer="edges").geometry.to_crs(UTM_11N)
    return backtest(**cube(streets, at, pd.to_datetime(seen["month"]), 100.0, 24), first_origin=24)


def against(result: Backtest, measure: str) -> pd.DataFrame:
    summary = result.summary[result.summary["measure"] == measure].set_index("method")
    return summary.drop(index=OURS)


def test_baselines_are_what_their_names_say_by_brute_force() -> None:
    rng = np.random.default_rng(1)
    counts, months = rng.poisson(0.7, (30, 18)).astype(float), JANUARY + np.append(np.arange(9), np.arange(11, 20))
    x, y = rng.uniform(0, 1500, (2, 30))
    means = baseline_means(counts, months, x, y)
    assert set(means) == set(BASELINES)
    near = np.exp(-0.5 * (cdist(np.c_[x, y], np.c_[x, y]) / 200.0) ** 2) * (cdist(np.c_[x, y], np.c_[x, y]) <= 800)
    for k in range(1, 18):
        weight = 0.5 ** ((months[k] - months[:k]) / 3.0)
        year = counts[:, max(0, k - 12) : k].mean(axis=1)
        assert means["ewma"][:, k] == pytest.approx(counts[:, :k] @ weight / weight.sum())
        assert means["mean_12"][:, k] == pytest.approx(year)
        assert means["long_run"][:, k] == pytest.approx(counts[:, :k].mean(axis=1))
        assert means["last_month"][:, k] == pytest.approx(counts[:, k - 1])
        assert means["kde"][:, k] == pytest.approx((near / near.sum(axis=0)) @ year)
        assert means["kde"][:, k].sum() == pytest.approx(year.sum())


def test_a_baseline_is_scored_on_what_it_knew_and_never_finds_anything_impossible() -> None:
    rng = np.random.default_rng(2)
    counts, months = rng.poisson(rng.gamma(0.3, 2.0, 200)[:, None], (200, 16)).astype(float), JANUARY + np.arange(16)
    changed = counts.copy()
    changed[:, 13:] += 5.0
    x = np.arange(200) * 100.0
    first, second = (
        score_baseline(c, months, baseline_means(c, months, x, x)["last_month"], 8) for c in (counts, changed)
    )
    assert first[:5] == second[:5]
    assert first[5] != second[5]
    assert all(np.isfinite([s.log_score, s.log_score_poisson]).all() and 0.0 < s.floor < 1.0 for s in first)
    # the fitted law is a better one than Poisson about the month before
    assert np.mean([s.log_score for s in first]) > np.mean([s.log_score_poisson for s in first])


def test_a_peer_that_knows_the_truth_wins_and_one_that_knows_nothing_has_a_pai_of_one() -> None:
    rng = np.random.default_rng(3)
    rate = rng.gamma(0.4, 2.0, 300)
    counts = rng.poisson(rate[:, None], (300, 14)).astype(float)
    side = np.arange(300)
    result = backtest(
        counts, JANUARY + np.arange(14), side * 100.0, side * 0.0, *tiling_neighbours(side, side * 0, "square"),
        first_origin=8, peers={"truth": np.repeat(rate[:, None], 14, 1), "nothing": np.ones((300, 14))},
    )  # fmt: skip
    score = result.summary.pivot(index="method", columns="measure", values="mean")
    assert score["log_score"].idxmax() == "truth"
    assert score.loc["nothing", "pai"] == pytest.approx(1.0)
    assert score.loc["nothing", "hit_rate"] == pytest.approx(0.1)
    assert set(result.summary["measure"]) == set(MEASURES)
    assert (result.months.groupby("method").size() == 6).all()
    assert result.months.groupby("origin")["n"].nunique().eq(1).all()


def test_the_same_seed_gives_the_same_bytes_and_the_order_of_cells_moves_nothing() -> None:
    rng = np.random.default_rng(4)
    column, row = np.divmod(np.arange(144), 12)
    counts, months = rng.poisson(rng.gamma(0.4, 2.0, 144)[:, None], (144, 14)).astype(float), JANUARY + np.arange(14)

    def run(order: np.ndarray) -> Backtest:
        links = tiling_neighbours(column[order], row[order], "square")
        return backtest(counts[order], months, column[order] * 100.0, row[order] * 100.0, *links, first_origin=8)

    once, again, shuffled = run(np.arange(144)), run(np.arange(144)), run(rng.permutation(144))
    pd.testing.assert_frame_equal(once.summary, again.summary, check_exact=True)
    # the search ends within its tolerance, wherever sums in another order lead it
    pd.testing.assert_frame_equal(once.summary, shuffled.summary, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("first", [0, 5, 14])
def test_an_origin_with_too_little_before_it_or_nothing_after_is_refused(first: int) -> None:
    side = np.arange(5)
    with pytest.raises(QuestionError):
        backtest(np.ones((5, 14)), JANUARY + np.arange(14), side, side, *tiling_neighbours(side, side, "square"),
                 first_origin=first)  # fmt: skip


def test_in_the_demo_city_ours_has_the_better_probabilities(demo_town: Backtest) -> None:
    assert (against(demo_town, "log_score").loc[list(BASELINES), "won"] >= 0.8).all()
    assert against(demo_town, "log_score").loc["ewma", "low"] > 0
    spread = demo_town.calibration[demo_town.calibration["kind"] == "pit"]["seen"]
    assert spread.to_numpy() == pytest.approx(0.1, abs=0.01)


def test_over_demo_cities_ours_ranks_no_worse_than_any_baseline() -> None:
    towns = [demo(seed).months for seed in range(1, 7)]  # one alone is within chance of either side
    months = pd.concat([town.assign(origin=town["origin"] + 1_000 * k) for k, town in enumerate(towns)])
    pai = paired_summary(months, OURS, ("pai",), 0).set_index("method")
    assert (pai.loc[list(BASELINES), "high"] >= 0).all(), pai


@pytest.mark.realdata
def test_in_san_diego_ours_is_never_below_the_ewma_in_pai_beyond_noise(san_diego: Backtest) -> None:
    pai = against(san_diego, "pai")
    assert len(san_diego.months["origin"].unique()) == 43
    assert pai.loc["ewma", "high"] >= 0
    assert pai.loc["ewma", "ours_minus"] > -0.05
    assert (pai.loc[["mean_12", "long_run", "last_month", "kde"], "low"] > 0).all()


@pytest.mark.realdata
def test_in_san_diego_ours_has_the_better_log_score_in_four_months_of_five(san_diego: Backtest) -> None:
    score = against(san_diego, "log_score")
    assert (score.loc[list(BASELINES), "won"] >= 0.8).all()
    assert (score.loc[list(BASELINES), "low"] > 0).all()


@pytest.mark.realdata
def test_in_san_diego_what_was_expected_came(san_diego: Backtest) -> None:
    means = san_diego.calibration[san_diego.calibration["kind"] == "mean"]
    assert means["seen"].to_numpy() == pytest.approx(means["expected"].to_numpy(), rel=0.12)
    assert means["seen"].sum() == pytest.approx(means["expected"].sum(), rel=0.03)
