import itertools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from esda import G_Local, Moran_Local
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.weights import W
from scipy.stats import false_discovery_control

from gis.errors import QuestionError
from planner.hotspots import local_permutations
from planner.hotspots.false_discovery import benjamini_hochberg, benjamini_yekutieli, neighbourhood_adjusted
from planner.hotspots.local_statistics import QUADRANTS, local_g, local_moran, normal_p, permuted_p
from planner.hotspots.neighbours import neighbours_from_pairs, neighbours_within, tiling_neighbours
from tests.requirements import missing

SPDEP = Path(__file__).parents[4] / "shared" / "instances" / "hotspots" / "spdep"
CLOSE = {"rtol": 0.0, "atol": 1e-12}


@pytest.fixture(scope="module")
def spdep():
    """Read a table of spdep's values from the folder of benchmark instances beside the checkout."""
    if not SPDEP.is_dir():
        missing("the folder of benchmark instances (shared/instances beside the checkout)")
    return lambda name: pd.read_csv(SPDEP / f"{name}.csv")


def links_of(pairs: pd.DataFrame, n: int) -> tuple:
    return neighbours_from_pairs(pairs["i"].to_numpy() - 1, pairs["j"].to_numpy() - 1, n)


def grid(rows: int, columns: int, kind: str = "square") -> tuple:
    row, column = (a.ravel() for a in np.mgrid[:rows, :columns])
    return tiling_neighbours(column, row, kind)


def pysal_weights(indptr, indices) -> W:
    return W({i: indices[indptr[i] : indptr[i + 1]].tolist() for i in range(len(indptr) - 1)}, silence_warnings=True)


@pytest.mark.realdata
def test_columbus_has_spdeps_gi_gi_star_and_local_moran(spdep) -> None:
    table = spdep("columbus_spdep")
    crime, links = table["CRIME"].to_numpy(), links_of(spdep("columbus_gal_nb"), len(table))
    moran = local_moran(crime, *links)
    found = {
        "Gstar_B": local_g(crime, *links), "G_W": local_g(crime, *links, star=False), "Ii": moran.value,
        "E": moran.expectation, "V": moran.variance, "Z": moran.z, "p": moran.p,
    }  # fmt: skip
    for column, values in found.items():
        np.testing.assert_allclose(values, table[column], **CLOSE, err_msg=column)


@pytest.mark.realdata
@pytest.mark.parametrize("radius_m", [30, 60, 90, 120])
def test_the_grid_of_getis_and_ord_has_spdeps_gi_and_gi_star_at_every_distance(spdep, radius_m: int) -> None:
    table = spdep("getisord_spdep")
    links = neighbours_within(table["x"].to_numpy(), table["y"].to_numpy(), radius_m)
    values = table["val"].to_numpy()
    np.testing.assert_allclose(local_g(values, *links, star=False), table[f"G{radius_m}"], rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(local_g(values, *links), table[f"Gs{radius_m}"], rtol=1e-13, atol=1e-12)


@pytest.mark.realdata
def test_the_grid_of_getis_and_ord_has_spdeps_local_moran(spdep) -> None:
    table = spdep("getisord_localmoran_spdep")
    moran = local_moran(table["val"].to_numpy(), *neighbours_within(table["x"].to_numpy(), table["y"].to_numpy(), 30.0))
    found = (moran.value, moran.expectation, moran.variance, moran.z, moran.p)
    for values, column in zip(found, table.columns[3:], strict=True):
        np.testing.assert_allclose(values, table[column], **CLOSE, err_msg=column)


@pytest.mark.realdata
def test_north_carolina_has_spdeps_gi_star_and_adjusted_p(spdep) -> None:
    table = spdep("nc_sids_spdep")
    rate = 1000.0 * table["SID74"].to_numpy() / table["BIR74"].to_numpy()
    z = local_g(rate, *links_of(spdep("nc_queen_nb"), len(table)))
    np.testing.assert_allclose(z, table["Gstar_B"], **CLOSE)
    np.testing.assert_allclose(benjamini_hochberg(normal_p(z)), table["padj_fdr"], **CLOSE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["square", "hexagon"])
@pytest.mark.parametrize("draw", [lambda rng: rng.poisson(1.5, 180), lambda rng: rng.normal(100, 3, 180)])
def test_gi_gi_star_and_local_moran_are_esdas(kind: str, draw) -> None:
    values, links = draw(np.random.default_rng(3)).astype(float), grid(12, 15, kind)
    for star in (False, True):  # binary weights: esda's variance of row-standardised ones is not that of the paper
        theirs = G_Local(values, pysal_weights(*links), transform="B", permutations=0, star=star).Zs
        np.testing.assert_allclose(local_g(values, *links, star=star), theirs, **CLOSE)
    for shared in (True, False):
        ours = local_moran(values, *links, shared=shared)
        theirs = Moran_Local(values, pysal_weights(*links), transformation="r" if shared else "b", permutations=0)
        np.testing.assert_allclose(ours.value * (len(values) - 1) / len(values), theirs.Is, **CLOSE)
        np.testing.assert_allclose(ours.expectation, theirs.EIc, **CLOSE)
        np.testing.assert_allclose(ours.variance, theirs.VIc, rtol=1e-12, atol=1e-12)
        assert ours.quadrant.tolist() == theirs.q.tolist()
    assert QUADRANTS[1:] == ("high-high", "low-high", "low-low", "high-low")  # as esda numbers them


def one_by_one(values: np.ndarray, links: tuple, permutations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Count sums at least and at most the observed ones, cell by cell and shuffle by shuffle, in whole numbers."""
    indptr, indices = links
    width = int(np.diff(indptr).max()) + 1
    deck, shuffles = list(range(len(values))), []
    for chance in np.random.default_rng([seed]).random((permutations, width)):
        for j, c in enumerate(chance):
            at = j + int(c * (len(deck) - j))
            deck[j], deck[at] = deck[at], deck[j]
        shuffles.append(deck[:width])
    at_least, at_most = np.zeros(len(values), int), np.zeros(len(values), int)
    for i in range(len(values)):
        around = indices[indptr[i] : indptr[i + 1]]
        observed = sum(values[around].tolist())
        for shuffle in shuffles:
            others = [j for j in shuffle if j != i][: len(around)]
            drawn = sum(values[others].tolist())
            at_least[i] += drawn >= observed
            at_most[i] += drawn <= observed
    return at_least, at_most


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 5), columns=st.integers(2, 6), spread=st.integers(1, 1000))
def test_one_shuffle_for_all_cells_counts_what_going_through_every_cell_and_shuffle_counts(
    seed: int, rows: int, columns: int, spread: int
) -> None:
    links = grid(rows, columns)
    values = np.random.default_rng(seed).integers(-spread, spread + 1, rows * columns).astype(float)
    at_least, at_most = one_by_one(values, links, 60, seed)
    p = permuted_p(values, *links, "g", 60, seed, alternative="greater")
    assert p.tolist() == ((at_least + 1) / 61).tolist()
    assert permuted_p(values, *links, "g", 60, seed, alternative="less").tolist() == ((at_most + 1) / 61).tolist()
    both = np.minimum(1.0, 2 * (np.minimum(at_least, at_most) + 1) / 61)
    assert permuted_p(values, *links, "g_star", 60, seed).tolist() == both.tolist()
    # a scale that float64 cannot keep exactly must not part what is equal
    assert permuted_p(values * 0.1, *links, "g_star", 60, seed).tolist() == both.tolist()


def test_pseudo_p_tends_to_the_share_of_all_draws() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0])
    links = neighbours_from_pairs(np.array([0, 0, 0, 1, 1, 7]), np.array([1, 5, 7, 4, 5, 6]), 8)
    p = permuted_p(values, *links, "moran", 200_000, 5, alternative="greater")
    indptr, indices = links
    for i in range(8):
        others = [j for j in range(8) if j != i]
        around = indices[indptr[i] : indptr[i + 1]]
        side = np.sign(values[i] - values.mean())
        observed = side * values[around].sum()
        sums = [side * values[list(c)].sum() for c in itertools.combinations(others, len(around))]
        exact = np.mean(np.array(sums) >= observed - 1e-9)
        assert p[i] == pytest.approx(exact, abs=5 * np.sqrt(0.25 / 200_000))


@pytest.mark.filterwarnings("ignore")
def test_pseudo_p_differ_from_esdas_by_chance_alone() -> None:
    rng = np.random.default_rng(11)
    row, column = (a.ravel() for a in np.mgrid[:20, :20])
    values = rng.normal(size=400) + 2.0 * np.exp(-((row - 8) ** 2 + (column - 8) ** 2) / 20)
    links, times = grid(20, 20), 4999
    theirs = Moran_Local(values, pysal_weights(*links), permutations=times, n_jobs=1, seed=2).p_sim
    error = np.sqrt(2 * np.maximum(theirs, 5 / times) * (1 - theirs) / times)
    for statistic in ("g", "g_star", "moran"):
        ours = permuted_p(values, *links, statistic, times, 3) / 2  # esda's is one-sided, the side chosen by the data
        assert (np.abs(ours - theirs) / error).max() < 6
        assert ours.min() < 2 / times


def test_under_chance_as_many_cells_are_called_as_the_level_says() -> None:
    values = np.random.default_rng(4).normal(size=10_000)
    p = permuted_p(values, *grid(100, 100), "moran", 999, 8)
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() == pytest.approx(level, rel=0.25)
    assert benjamini_hochberg(permuted_p(values, *grid(100, 100), "g_star", 99_999, 8)).min() > 0.05


def test_the_same_seed_gives_the_same_bytes_however_many_shuffles_are_held_at_a_time(monkeypatch) -> None:
    values, links = np.random.default_rng(2).gamma(0.5, size=300), grid(15, 20)
    first = permuted_p(values, *links, "g_star", 999, 7)
    assert permuted_p(values, *links, "g_star", 999, 7).tobytes() == first.tobytes()
    assert permuted_p(values, *links, "g_star", 999, 8).tobytes() != first.tobytes()
    monkeypatch.setattr(local_permutations, "BLOCK", 1000)
    assert permuted_p(values, *links, "g_star", 999, 7).tobytes() == first.tobytes()


def test_pseudo_p_for_alike_and_for_unlike_neighbours_follow_the_cells_own_side() -> None:
    values = np.zeros(49)
    values[24] = 10.0  # alone among low ones: high-low, an outlier, and Gi* cannot tell
    values[[0, 1, 7, 8]] = 10.0  # a corner of high ones
    alike, unlike = (permuted_p(values, *grid(7, 7), "moran", 999, 1, alternative=a) for a in ("greater", "less"))
    assert alike[0] < 0.01 and unlike[0] > 0.9
    assert alike[24] == 1.0 and unlike[24] < 1.0
    assert local_moran(values, *grid(7, 7)).quadrant[[0, 24]].tolist() == [1, 4]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e9 / 7])
def test_a_field_in_which_nothing_varies_has_no_statistic_and_p_of_one(constant: float) -> None:
    values, links = np.full(49, constant), grid(7, 7)
    moran = local_moran(values, *links)
    for z in (local_g(values, *links), local_g(values, *links, star=False), moran.value, moran.z):
        assert np.isnan(z).all()
        assert (normal_p(z) == 1).all()
    assert not moran.quadrant.any()
    for statistic in ("g", "g_star", "moran"):
        assert (permuted_p(values, *links, statistic, 99, 1) == 1).all()


@pytest.mark.filterwarnings("error")
def test_islands_have_no_statistic_and_count_in_the_mean() -> None:
    column, row = np.array([0, 1, 2, 3, 9]), np.array([0, 0, 0, 0, 9])
    links, values = tiling_neighbours(column, row, "square"), np.array([1.0, 2.0, 4.0, 8.0, 100.0])
    moran = local_moran(values, *links)
    for z in (local_g(values, *links), local_g(values, *links, star=False), moran.value, moran.expectation, moran.z):
        assert np.isnan(z).tolist() == [False] * 4 + [True]
    assert moran.quadrant.tolist() == [3, 3, 3, 3, 0]
    assert moran.p[4] == 1
    for statistic in ("g", "g_star", "moran"):
        assert permuted_p(values, *links, statistic, 99, 1)[4] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = G_Local(values, pysal_weights(*links), transform="B", permutations=0, star=True).Zs
    np.testing.assert_allclose(local_g(values, *links)[:4], theirs[:4], **CLOSE)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_cells_all_neighbours_are_told_nothing(n: int) -> None:
    values, links = np.arange(float(n)), grid(1, n) if n < 3 else neighbours_within(np.zeros(3), np.zeros(3), 1.0)
    moran = local_moran(values, *links)
    for z in (local_g(values, *links), local_g(values, *links, star=False), moran.z):
        assert z.shape == (n,)
        assert np.isnan(z).all()
    assert (permuted_p(values, *links, "moran", 9, 1) == 1).all()


@pytest.mark.filterwarnings("error")
def test_gi_of_a_cell_that_alone_differs_is_nothing_since_the_others_do_not_vary() -> None:
    values = np.full(25, 0.1)
    values[12] = 7.3
    z = local_g(values, *grid(5, 5), star=False)
    assert np.isnan(z).tolist() == [i == 12 for i in range(25)]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), shift=st.floats(-1e3, 1e3), scale=st.floats(0.01, 100))
def test_units_and_the_order_of_cells_change_no_z(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    row, column = (a.ravel() for a in np.mgrid[:6, :6])
    values, order = rng.gamma(1.0, size=36), rng.permutation(36)
    links = tiling_neighbours(column, row, "hexagon")
    moved = tiling_neighbours(column[order], row[order], "hexagon")
    for z in (local_g, lambda v, *at: local_g(v, *at, star=False), lambda v, *at: local_moran(v, *at).z):
        np.testing.assert_allclose(
            z(shift + scale * values[order], *moved), z(values, *links)[order], rtol=1e-6, atol=1e-6
        )


@settings(max_examples=60, deadline=None)
@given(p=st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=60))
def test_adjusted_p_are_scipys(p: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(np.array(p)), false_discovery_control(p, method="bh"), rtol=1e-12)
    np.testing.assert_allclose(benjamini_yekutieli(np.array(p)), false_discovery_control(p, method="by"), rtol=1e-12)


def test_a_cube_of_p_is_adjusted_as_one_family() -> None:
    p = np.random.default_rng(0).random((5, 4))
    assert benjamini_hochberg(p).ravel().tolist() == benjamini_hochberg(p.ravel()).tolist()
    assert not benjamini_hochberg(np.empty(0)).size


def test_p_adjusted_for_a_neighbourhood_are_multiplied_by_its_tests() -> None:
    # R's p.adjust(0.01, method, n = k + 1): "fdr" k + 1 fold, "BY" times the harmonic number as well
    indptr, p = np.array([0, 0, 1, 4]), np.array([0.01, 0.01, 0.3])
    assert neighbourhood_adjusted(p, indptr).tolist() == pytest.approx([0.01, 0.02, 1.0])
    assert neighbourhood_adjusted(p, indptr, dependent=True).tolist() == pytest.approx([0.01, 0.03, 1.0])


@pytest.mark.parametrize(
    "ask",
    [
        lambda links: local_g(np.arange(5.0), *links),
        lambda links: local_g(np.array([1.0, np.nan, 2, 3]), *links),
        lambda links: local_moran(np.ones((2, 2)), *links),
        lambda links: permuted_p(np.arange(4.0), *links, "geary", 99, 1),
        lambda links: permuted_p(np.arange(4.0), *links, "g", 0, 1),
        lambda links: permuted_p(np.arange(4.0), *links, "g", 9, 1, alternative="both"),
        lambda links: benjamini_hochberg(np.array([0.5, 1.5])),
        lambda links: benjamini_yekutieli(np.array([np.nan])),
        lambda links: neighbourhood_adjusted(np.ones(3), links[0]),
    ],
)
def test_what_cannot_be_told_is_refused(ask) -> None:
    with pytest.raises(QuestionError):
        ask(grid(2, 2))
