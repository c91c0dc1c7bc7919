import numpy as np
import pytest
from esda import G_Local
from hypothesis import given, settings
from hypothesis import strategies as st
from libpysal.weights import W

from gis.errors import QuestionError
from planner.hotspots.emerging import CLASSES, classes_of_steps, emerging_classes
from planner.hotspots.false_discovery import benjamini_hochberg
from planner.hotspots.local_statistics import local_g, normal_p
from planner.hotspots.mann_kendall import mann_kendall
from planner.hotspots.neighbours import neighbours_from_pairs, tiling_neighbours

#: Ten steps, the last one now: + hot, - cold, . neither; and whether z rises.
CONSTRUCTED = [
    (".........+", 0, "new"),
    ("........++", 0, "consecutive"),
    (".....+++++", 1, "consecutive"),
    ("++++++++++", 1, "intensifying"),
    ("++++.+++++", 1, "intensifying"),
    ("++++++++++", -1, "diminishing"),
    ("++++++++++", 0, "persistent"),
    ("+++-++++++", 0, "persistent"),
    ("+..++...++", 0, "sporadic"),
    ("++++++++.+", 0, "persistent"),
    (".+++++++.+", 1, "sporadic"),
    ("--.....+.+", 0, "oscillating"),
    ("-........+", 0, "oscillating"),
    ("-----+++++", 1, "oscillating"),
    ("+++++++++.", -1, "historical"),
    ("++++++++..", 0, "none"),
    ("+-.+-.+-..", 0, "none"),
    ("..........", 1, "none"),
    ("+", 0, "new"),
    (".", 0, "none"),
    ("++", 0, "persistent"),
    (".+", 0, "new"),
    ("-+", 0, "oscillating"),
]
BLOCK = (4, 10)


def grid(rows: int, columns: int) -> tuple:
    row, column = (a.ravel() for a in np.mgrid[:rows, :columns])
    return tiling_neighbours(column, row, "square")


def class_of(steps: str, rising: int) -> int:
    hot, cold = (np.array([[s == sign for s in steps]]) for sign in "+-")
    return int(classes_of_steps(hot, cold, np.array([rising], np.int8))[0])


@pytest.mark.parametrize(("steps", "rising", "name"), CONSTRUCTED)
def test_a_constructed_series_is_of_its_class_and_its_mirror_of_the_cold_one(
    steps: str, rising: int, name: str
) -> None:
    code = CLASSES.index(name)
    assert class_of(steps, rising) == code
    assert class_of(steps.translate(str.maketrans("+-", "-+")), -rising) == -code


def test_every_class_has_a_constructed_series() -> None:
    assert {name for _, _, name in CONSTRUCTED} == set(CLASSES)


def test_the_last_step_decides_between_hot_and_cold() -> None:
    assert class_of("+++++++++-", 0) == -CLASSES.index("oscillating")
    assert class_of("---------+", 0) == CLASSES.index("oscillating")


def hot_classes(steps: str, rising: int) -> list[str]:
    """Name every class of hot spots a series belongs to, each defined by itself, none by precedence."""
    share, last, hot = steps.count("+") / len(steps), steps[-1] == "+", steps.count("+")
    lasting = share >= 0.9
    new = last and hot == 1 and "-" not in steps
    run = len(steps) - len(steps.rstrip("+"))
    passing = last and not new and not lasting
    return [
        name
        for name, holds in {
            "new": new,
            "intensifying": last and not new and lasting and rising == 1,
            "diminishing": last and not new and lasting and rising == -1,
            "persistent": last and not new and lasting and rising == 0,
            "oscillating": passing and "-" in steps,
            "consecutive": passing and "-" not in steps and run == hot,
            "sporadic": passing and "-" not in steps and run < hot,
            "historical": steps[-1] == "." and lasting,
        }.items()
        if holds
    ]


@settings(max_examples=400, deadline=None)
@given(
    steps=st.text("+-.", min_size=1, max_size=14) | st.text("++++++++++-.", min_size=8, max_size=24),
    rising=st.sampled_from([-1, 0, 1]),
)
def test_every_series_is_of_exactly_one_class(steps: str, rising: int) -> None:
    hot = hot_classes(steps, rising)
    cold = hot_classes(steps.translate(str.maketrans("+-", "-+")), -rising)
    assert len(hot) + len(cold) <= 1
    code = CLASSES.index(hot[0]) if hot else -CLASSES.index(cold[0]) if cold else 0
    assert class_of(steps, rising) == code


def space_time(links: tuple, t: int, lags: int) -> dict[int, list[int]]:
    """List for every cell and step its neighbours in this step and ``lags`` before, and itself before."""
    indptr, indices = links
    around = [[i, *indices[indptr[i] : indptr[i + 1]].tolist()] for i in range(len(indptr) - 1)]
    return {
        i * t + k: [j * t + m for m in range(max(0, k - lags), k + 1) for j in around[i] if (j, m) != (i, k)]
        for i in range(len(around))
        for k in range(t)
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lags", [0, 1, 3, 9])
def test_z_is_esdas_gi_star_over_neighbours_in_space_and_time_and_q_and_trend_follow(lags: int) -> None:
    counts, links = np.random.default_rng(6).poisson(2.0, (30, 6)).astype(float), grid(5, 6)
    cells = emerging_classes(counts, *links, lags=lags)
    lists = space_time(links, 6, lags)
    theirs = G_Local(counts.ravel(), W(lists, silence_warnings=True), transform="B", permutations=0, star=True).Zs
    np.testing.assert_allclose(cells.z.ravel(), theirs, rtol=1e-12, atol=1e-12)
    pairs = np.array([(i, j) for i, near in lists.items() for j in near])
    flat = local_g(counts.ravel(), *neighbours_from_pairs(*pairs.T, counts.size))
    np.testing.assert_allclose(cells.z.ravel(), flat, rtol=1e-13, atol=1e-13)
    assert cells.q.ravel().tolist() == benjamini_hochberg(normal_p(cells.z.ravel())).tolist()
    alone = emerging_classes(counts, *links, lags=0).z
    for i in range(30):
        trend = mann_kendall(np.round(alone[i], 9))
        assert (cells.trend_z[i], cells.trend_p[i]) == (trend.z, trend.p)


#: How a block of cells is hotter (above 1) or colder than the rest, step by step, and what becomes of it.
CUBES = {
    "new_hot": [1] * 11 + [9],
    "consecutive_hot": [1] * 9 + [9] * 3,
    "intensifying_hot": [4 + k for k in range(12)],
    "diminishing_hot": [16 - k for k in range(12)],
    "persistent_hot": [9] * 12,
    "sporadic_hot": [1, 9, 9, 1, 1, 9, 1, 1, 9, 1, 1, 9],
    "oscillating_hot": [0, 0, 0, 1, 1, 9, 1, 1, 9, 1, 1, 9],
    "historical_hot": [9] * 11 + [1],
    "persistent_cold": [0] * 12,
    "new_cold": [1] * 11 + [0],
    "historical_cold": [0] * 11 + [1],
}


@pytest.mark.parametrize("name", CUBES)
def test_a_block_of_cells_in_a_made_up_city_is_of_the_class_it_was_made_for(name: str) -> None:
    rng = np.random.default_rng(1)
    row, column = (a.ravel() for a in np.mgrid[:24, :24])
    inside = (row >= BLOCK[0]) & (row < BLOCK[1]) & (column >= BLOCK[0]) & (column < BLOCK[1])
    profile = np.array(CUBES[name], float)
    rate = 10.0 * np.where(inside[:, None], profile, 1.0)
    counts = rate + rng.uniform(-1.0, 1.0, rate.shape)
    cells = emerging_classes(counts, *grid(24, 24), lags=0)
    middle = cells.names().reshape(24, 24)[BLOCK[0] + 1 : BLOCK[1] - 1, BLOCK[0] + 1 : BLOCK[1] - 1]
    assert set(middle.ravel()) == {name}
    assert np.mean(cells.names() == "none") > 0.8


def test_chance_alone_makes_hardly_any_cell_emerge() -> None:
    counts = np.random.default_rng(9).poisson(3.0, (900, 12)).astype(float)
    for permutations in (0, 9999):
        cells = emerging_classes(counts, *grid(30, 30), permutations=permutations, correction="yekutieli")
        assert np.mean(cells.kind != 0) < 0.01


@pytest.mark.parametrize("lags", [0, 1, 4])
def test_chance_alone_shows_a_trend_in_no_more_cells_than_the_level_says(lags: int) -> None:
    counts = np.random.default_rng(24).poisson(2.0, (2500, 24)).astype(float)
    assert np.mean(emerging_classes(counts, *grid(50, 50), lags=lags).trend_p <= 0.05) < 0.07


def test_the_same_seed_gives_the_same_bytes() -> None:
    counts = np.random.default_rng(9).poisson(0.3, (100, 8)).astype(float)
    first, again, other = (emerging_classes(counts, *grid(10, 10), permutations=99, seed=s) for s in (3, 3, 4))
    assert first.q.tobytes() == again.q.tobytes() != other.q.tobytes()
    assert first.kind.tobytes() == again.kind.tobytes()
    assert first.z.tobytes() == other.z.tobytes()


@pytest.mark.filterwarnings("error")
def test_islands_and_cubes_without_variation_have_no_class() -> None:
    for permutations in (0, 99):
        for constant in (0.0, 0.1):
            still = emerging_classes(np.full((9, 5), constant), *grid(3, 3), permutations=permutations)
            assert np.isnan(still.z).all()
            assert (still.q == 1).all() and (still.trend_p == 1).all() and not still.kind.any()
            assert set(still.names()) == {"none"}
        counts = np.random.default_rng(0).poisson(2.0, (4, 6)).astype(float)
        counts[3] = 1000.0
        links = neighbours_from_pairs(np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1]), 4)
        cells = emerging_classes(counts, *links, permutations=permutations)
        assert np.isnan(cells.z[3]).all() and not np.isnan(cells.z[:3]).any()
        assert (cells.q[3] == 1).all() and cells.kind[3] == 0 and cells.trend_p[3] == 1
        assert emerging_classes(np.empty((0, 3)), *grid(0, 0), permutations=permutations).kind.shape == (0,)


def test_equal_steps_show_no_trend_however_their_sums_round() -> None:
    counts = np.repeat(np.random.default_rng(3).random((49, 1)), 9, axis=1)
    assert (emerging_classes(counts, *grid(7, 7), lags=0).trend_p == 1).all()


@pytest.mark.parametrize(
    "settings_",
    [{"lags": -1}, {"level": 0.0}, {"trend_level": 1.0}, {"correction": "holm"}, {"permutations": -1}],
)
def test_impossible_settings_are_refused(settings_: dict) -> None:
    with pytest.raises(QuestionError):
        emerging_classes(np.ones((4, 3)), *grid(2, 2), **settings_)


def test_cubes_that_do_not_fit_are_refused() -> None:
    for counts in (np.ones((5, 3)), np.full((4, 3), np.nan), np.ones(4), np.ones((4, 0))):
        with pytest.raises(QuestionError):
            emerging_classes(counts, *grid(2, 2))
    with pytest.raises(QuestionError):
        classes_of_steps(np.ones((1, 2), bool), np.ones((1, 2), bool), np.zeros(1, np.int8))
