"""The scan statistic against a search of every window, written apart from it, and against chance."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import ks_2samp

from gis.errors import QuestionError
from planner.hotspots import scan_kernels
from planner.hotspots.scan import scan
from planner.hotspots.scan_question import ANALYSES, MODELS, ScanCase, ScanQuestion
from planner.hotspots.scan_search import search_of
from planner.hotspots.scan_windows import balls, circles, distinct, ellipses, within_share

N, UNITS = 9, 7


def random_case(rng: np.random.Generator, model: str, n: int = N, units: int = UNITS, cases: int = 40) -> ScanCase:
    x, y = rng.uniform(0, 100, (2, n))
    place, unit = rng.integers(0, n, cases), rng.integers(0, units, cases)
    place[: cases // 4], unit[: cases // 4] = place[0], np.minimum(unit[0] + rng.integers(0, 2, cases // 4), units - 1)
    expected = rng.gamma(2.0, 1.0, (n, units)) if model == "poisson" else None
    controls = rng.integers(0, 6, (n, units)) if model == "bernoulli" else None
    return ScanCase(x, y, place, unit, np.ones(cases, np.int64), units, expected, controls)


def ratio(c: float, e: float, total: int, people: int) -> float:
    """Log likelihood ratio from the likelihoods themselves."""
    if not people:
        return float(xlogy(c, c / e) + (xlogy(total - c, (total - c) / (total - e)) if e < total else 0.0))
    m = e * people / total
    out = people - m

    def of(k: float, n: float) -> float:
        return float(xlogy(k, k / n) + xlogy(n - k, (n - k) / n)) if n > 0 else 0.0

    return of(c, m) + of(total - c, out) - of(total, people)


def size_of(case: ScanCase, model: str) -> tuple[np.ndarray, int]:
    cases = case.table()
    total = cases.sum()
    if model == "poisson":
        return case.expected * total / case.expected.sum(), 0
    if model == "bernoulli":
        people = cases + case.controls
        return people * total / people.sum(), int(people.sum())
    return np.outer(cases.sum(axis=1), cases.sum(axis=0)) / total, 0


def zones_of(case: ScanCase, question: ScanQuestion, weight: np.ndarray):
    """All (places, penalty), by sorting distances about every place."""
    families = [(1.0, 0.0, 1.0)]
    if question.shape == "ellipse":
        power = {"none": 0, "medium": 0.5, "strong": 1}[question.penalty]
        for shape, count in zip((1.5, 2, 3, 4, 5), (4, 6, 9, 12, 15), strict=True):
            families += [(shape, np.pi * k / count, (4 * shape / (shape + 1) ** 2) ** power) for k in range(count)]
    for shape, angle, penalty in families:
        turn = np.array([[np.cos(angle) / shape, np.sin(angle) / shape], [-np.sin(angle), np.cos(angle)]])
        spots = turn @ np.array([case.x, case.y])
        for centre in range(len(case.x)):
            far = np.hypot(*(spots - spots[:, [centre]]))
            order = np.argsort(far)
            for k in range(1, len(order) + 1):
                inside = order[:k]
                if (
                    weight[inside].sum() > question.max_share * weight.sum() + 1e-9
                    or far[order[k - 1]] > question.max_radius
                ):
                    break
                yield inside, penalty


def best_by_search(case: ScanCase, question: ScanQuestion, cases: np.ndarray) -> float:
    size, people = size_of(case, question.model)
    total = int(cases.sum())
    units = cases.shape[1]
    longest = question.max_time_units or int(units * question.max_time_share)
    best = 0.0
    zones = list(zones_of(case, question, size.sum(axis=1)))
    if question.analysis == "spatial":
        cases, size, units, longest = cases.sum(1, keepdims=True), size.sum(1, keepdims=True), 1, 1
    if question.analysis == "temporal":
        zones = [(np.arange(len(case.x)), 1.0)]
    windows = [
        (s, t) for s in range(units) for t in range(s, units)
        if question.min_time_units <= t - s + 1 <= longest or question.analysis == "spatial"
        if question.analysis in ("retrospective", "temporal") or t == units - 1
    ]  # fmt: skip
    everyone = np.arange(len(case.x))
    judged = [(z, p, w) for z, p in zones for w in windows]
    if question.with_spatial:
        judged += [(z, p, (0, units - 1)) for z, p in zones]
    if question.with_temporal:
        judged += [(everyone, 1.0, w) for w in windows]
    for inside, penalty, (s, t) in judged:
        c, e = cases[inside, s : t + 1].sum(), size[inside, s : t + 1].sum()
        high = c > e and question.rates != "low" and c >= question.min_cases
        low = c < e and question.rates != "high"
        if (high or low) and 0 < e < total * (1 - 1e-12):
            best = max(best, penalty * ratio(c, e, total, people))
    return best


QUESTIONS = [
    ScanQuestion(model, analysis, rates=rates, replications=0)
    for model in MODELS for analysis in ANALYSES for rates in ("high", "low", "both")
    if not (model == "permutation" and analysis in ("spatial", "temporal"))
] + [
    ScanQuestion("poisson", "retrospective", shape="ellipse", penalty="strong", replications=0),
    ScanQuestion("bernoulli", "spatial", shape="ellipse", penalty="none", replications=0),
    ScanQuestion("permutation", "prospective", shape="ellipse", max_radius=20.0, replications=0),
    ScanQuestion("poisson", "retrospective", with_spatial=True, with_temporal=True, replications=0),
    ScanQuestion("bernoulli", "prospective", with_spatial=True, with_temporal=True, min_time_units=2, replications=0),
    ScanQuestion("permutation", "retrospective", min_time_units=2, max_time_units=3, max_radius=40.0, replications=0),
    ScanQuestion("poisson", "prospective", max_share=0.3, min_cases=4, max_time_share=0.9, replications=0),
]  # fmt: skip


def called(question: ScanQuestion) -> str:
    return "-".join((question.model, question.analysis, question.rates, question.shape))


@pytest.mark.parametrize("question", QUESTIONS, ids=called)
def test_no_window_is_better_than_the_most_likely_cluster(question: ScanQuestion) -> None:
    for seed in range(4):
        case = random_case(np.random.default_rng(seed), question.model)
        clusters = scan(case, question).clusters
        best = best_by_search(case, question, case.table())
        assert (clusters[0].llr if clusters else 0.0) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("question", QUESTIONS, ids=called)
def test_a_cluster_is_what_it_says(question: ScanQuestion) -> None:
    case = random_case(np.random.default_rng(9), question.model)
    size, people = size_of(case, question.model)
    taken = np.zeros(len(case.x), bool)
    for cluster in scan(case, question).clusters:
        places = np.arange(N) if question.analysis == "temporal" else cluster.places
        window = np.ix_(places, range(cluster.first_unit, cluster.last_unit + 1))
        if question.analysis == "spatial":
            window = np.ix_(places, range(UNITS))
        c, e = case.table()[window].sum(), size[window].sum()
        assert (cluster.observed, cluster.expected) == (c, pytest.approx(e))
        penalty = 1.0
        if question.shape == "ellipse":
            power = {"none": 0, "medium": 0.5, "strong": 1}[question.penalty]
            penalty = (4 * cluster.shape / (cluster.shape + 1) ** 2) ** power
        assert cluster.llr == pytest.approx(penalty * ratio(c, e, 40, people))
        assert cluster.relative_risk == pytest.approx((c / e) / ((40 - c) / (40 - e)))
        if question.analysis != "temporal":
            assert not taken[places].any()
            taken[places] = True


PLAIN = [q for q in QUESTIONS if not q.with_temporal and q.shape == "circle" and q.analysis != "temporal"]


@pytest.mark.parametrize("question", PLAIN, ids=called)
def test_every_lane_of_a_sweep_finds_what_a_search_of_all_windows_finds(question: ScanQuestion) -> None:
    rng = np.random.default_rng(3)
    case = random_case(rng, question.model)
    weight = size_of(case, question.model)[0].sum(axis=1)
    windows = within_share(circles(case.x, case.y, max_radius=question.max_radius), weight, question.max_share)
    one = question.analysis == "spatial"
    table = case.table().sum(1, keepdims=True) if one else case.table()
    expected, controls = (
        v if v is None or not one else v.sum(1, keepdims=True) for v in (case.expected, case.controls)
    )
    search = search_of(table, expected, controls, question, windows)
    lanes, units = 10, search.size.shape[1]
    drawn = [replace(case, unit=rng.permutation(case.unit)) for _ in range(lanes)]
    if question.model == "bernoulli":
        drawn = [case] * lanes
    counts = np.zeros((N, units, scan_kernels.LANES), np.float32)
    seen = np.array([np.flatnonzero(search.slot == k)[0] for k in range(units)])
    for r, other in enumerate(drawn):
        cases = other.table().sum(1, keepdims=True) if one else other.table()
        counts[:, :, r] = cases[:, seen]
    rows = distinct(windows, N)
    for dense in (True, False):
        best = np.zeros(scan_kernels.LANES)
        place = np.repeat(np.arange(N), [int(counts[j].sum()) for j in range(N)])
        begin = np.searchsorted(place, np.arange(N + 1)).astype(np.int64)
        when = np.concatenate([
            np.repeat(np.arange(units * scan_kernels.LANES), counts[j].ravel().astype(int)) for j in range(N)
        ]).astype(np.int32)  # fmt: skip
        scan_kernels.sweep(
            (rows.indptr, rows.place, rows.judged, rows.penalty), search.size, search.rule,
            (float(search.n_cases), float(search.people)), search.table, lanes, dense,
            counts if dense else counts[:0], begin, when, best, np.zeros((0, 4)),
        )  # fmt: skip
        for r, other in enumerate(drawn):
            # expectations stay those of the case: permuted times keep both margins, the others are given
            assert best[r] == pytest.approx(best_by_search(case, question, other.table()), rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_replications_are_spread_as_cases_drawn_by_numpy(model: str) -> None:
    rng = np.random.default_rng(5)
    case = random_case(rng, model, n=5, units=5, cases=30)
    question = ScanQuestion(model, "retrospective", replications=600, max_share=0.6)
    ours = scan(case, question).maxima
    size, _ = size_of(case, model)
    theirs = []
    for _ in range(300):
        if model == "permutation":
            cases = replace(case, unit=rng.permutation(case.unit)).table()
        elif model == "poisson":
            cases = rng.multinomial(30, size.ravel() / size.sum()).reshape(size.shape)
        else:
            room = case.table() + case.controls
            cases = rng.multivariate_hypergeometric(room.ravel(), 30).reshape(size.shape)
        theirs.append(best_by_search(case, question, cases))
    assert ks_2samp(ours, theirs).pvalue > 1e-3


def test_where_cases_outnumber_controls_the_controls_are_drawn_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(6)
    case = random_case(rng, "bernoulli", n=5, units=4, cases=60)
    case = replace(case, controls=rng.integers(0, 3, (5, 4)))
    room = case.table() + case.controls
    question = ScanQuestion("bernoulli", "spatial", replications=500, max_share=0.7)
    ours = scan(case, question).maxima
    theirs = []
    for _ in range(300):
        cases = rng.multivariate_hypergeometric(room.ravel(), 60).reshape(room.shape)
        people = room.sum(axis=1)
        best = 0.0
        for inside, _ in zones_of(case, question, people.astype(float)):
            c, e = cases[inside].sum(), people[inside].sum() * 60 / people.sum()
            if c > e and c >= 2:
                best = max(best, ratio(c, e, 60, int(people.sum())))
        theirs.append(best)
    assert ks_2samp(ours, theirs).pvalue > 1e-3


def test_a_seed_gives_the_same_replications_and_their_number_changes_none() -> None:
    case = random_case(np.random.default_rng(1), "poisson")
    question = ScanQuestion("poisson", "retrospective", replications=300)
    first, again = scan(case, question).maxima, scan(case, question).maxima
    assert first.tobytes() == again.tobytes()
    fewer = scan(case, replace(question, replications=77)).maxima
    assert fewer.tobytes() == first[:77].tobytes()
    assert not np.array_equal(scan(case, replace(question, seed=2)).maxima, first)


def test_shuffled_rows_of_cases_change_no_cluster() -> None:
    rng = np.random.default_rng(2)
    case = random_case(rng, "permutation")
    order = rng.permutation(len(case.place))
    mixed = replace(case, place=case.place[order], unit=case.unit[order])
    question = ScanQuestion("permutation", "prospective", replications=99)
    one, other = scan(case, question), scan(mixed, question)
    assert [(c.places.tolist(), c.llr, c.p_value) for c in one.clusters] == [
        (c.places.tolist(), c.llr, c.p_value) for c in other.clusters
    ]


def test_clusters_of_equal_likelihood_have_equal_p_values_and_come_in_the_order_of_places() -> None:
    x = np.arange(12.0) * 10
    unit, place = np.array([5, 5, 5, 0, 1, 2, 5, 5, 5, 3]), np.array([2, 2, 2, 4, 4, 4, 9, 9, 9, 4])
    case = ScanCase(x, np.zeros(12), place, unit, np.ones(10, np.int64), 6)
    result = scan(case, ScanQuestion("permutation", "prospective", max_radius=5.0, replications=199))
    assert [c.centre for c in result.clusters[:2]] == [2, 9]
    assert result.clusters[0].llr == pytest.approx(result.clusters[1].llr, rel=1e-12)
    assert result.clusters[0].p_value == result.clusters[1].p_value


def test_of_tied_windows_the_shortest_and_smallest_is_the_cluster() -> None:
    case = ScanCase(np.array([0.0, 1.0, 9.0]), np.zeros(3), np.array([0, 0, 0, 2, 2]), np.array([1, 1, 1, 0, 4]),
                    np.ones(5, np.int64), 5)  # fmt: skip
    cluster = scan(case, ScanQuestion("permutation", "retrospective", max_share=0.7, replications=0)).clusters[0]
    assert cluster.places.tolist() == [0]  # place 1 never had a case, units 2 and 3 neither
    assert (cluster.first_unit, cluster.last_unit) == (1, 1)


def test_progress_is_told_and_a_scan_stops_where_it_is_when_cancelled() -> None:
    case = random_case(np.random.default_rng(1), "poisson")
    told: list[tuple[int, int]] = []
    question = ScanQuestion("poisson", "spatial", replications=2_000)
    result = scan(case, question, progress=lambda done, of: told.append((done, of)), cancelled=lambda: len(told) == 3)
    assert result.cancelled and len(result.maxima) == told[-1][0] < 2_000
    assert all(a < b for (a, _), (b, _) in pairwise(told))
    assert result.clusters[0].p_value > 0


def test_a_scan_may_stop_once_enough_replications_are_as_large() -> None:
    case = random_case(np.random.default_rng(1), "poisson", cases=40)
    question = ScanQuestion("poisson", "spatial", replications=9_999)
    whole = scan(case, question)
    short = scan(case, replace(question, stop_after=20))
    as_large = np.flatnonzero(whole.maxima >= whole.clusters[0].llr)
    assert short.stopped == (len(as_large) >= 20)
    if short.stopped:
        assert len(short.maxima) == as_large[19] + 1
        assert short.clusters[0].p_value == 20 / len(short.maxima)


def test_balls_along_streets_keep_to_the_near_places_they_are_given() -> None:
    # two banks of a river: places 0-2 and 3-5 face each other 10 m apart, with no bridge
    x, y = np.array([0.0, 50, 100, 0, 50, 100]), np.array([0.0, 0, 0, 10, 10, 10])
    indptr = np.arange(0, 19, 3)
    place = np.array([0, 1, 2, 1, 0, 2, 2, 1, 0, 3, 4, 5, 4, 3, 5, 5, 4, 3], np.int32)
    far = np.array([0.0, 50, 100, 0, 50, 50, 0, 50, 100] * 2)
    cases = np.array([9, 8, 9, 1, 1, 1])
    case = ScanCase(x, y, np.arange(6), np.zeros(6, np.int64), cases, 1, np.ones((6, 1)))
    question = ScanQuestion("poisson", "spatial", shape="given", max_share=0.6, replications=99)
    cluster = scan(case, question, windows=balls(indptr, place, far)).clusters[0]
    assert sorted(cluster.places) == [0, 1, 2]
    assert (cluster.centre, cluster.radius) == (1, 50.0)  # of the centres of one zone the nearest to all
    crow = scan(case, replace(question, shape="circle")).clusters[0]
    assert sorted(crow.places) != [0, 1, 2]


def test_prospective_recurrence_is_the_time_between_analyses_over_p() -> None:
    case = replace(random_case(np.random.default_rng(1), "permutation"), unit_days=7.0)
    result = scan(case, ScanQuestion("permutation", "prospective", replications=99))
    assert result.clusters[0].recurrence_days == pytest.approx(7.0 / result.clusters[0].p_value)
    daily = scan(case, ScanQuestion("permutation", "prospective", replications=99, days_between=1.0))
    assert daily.clusters[0].recurrence_days == pytest.approx(1.0 / daily.clusters[0].p_value)


@pytest.mark.parametrize(
    "asked",
    [
        {"model": "normal"}, {"analysis": "seasonal"}, {"max_share": 0.0}, {"max_share": 1.2}, {"max_radius": 0.0},
        {"min_time_units": 3, "max_time_units": 2}, {"replications": -1}, {"seed": -1}, {"stop_after": 0},
        {"model": "permutation", "analysis": "spatial"}, {"model": "permutation", "with_spatial": True},
        {"analysis": "spatial", "with_temporal": True}, {"shape": "square"}, {"penalty": "mild"}, {"rates": "odd"},
    ],
)  # fmt: skip
def test_an_impossible_question_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(QuestionError):
        ScanQuestion(**{"model": "poisson", "analysis": "retrospective", **asked})


def test_a_case_that_lacks_what_its_model_needs_is_refused() -> None:
    case = random_case(np.random.default_rng(1), "permutation")
    for model in ("poisson", "bernoulli"):
        with pytest.raises(QuestionError):
            scan(case, ScanQuestion(model, "retrospective"))
    nobody = replace(case, expected=np.zeros((N, UNITS)) + (np.arange(N) != case.place[0])[:, None])
    with pytest.raises(QuestionError, match="none are expected"):
        scan(nobody, ScanQuestion("poisson", "retrospective"))
    with pytest.raises(QuestionError):
        replace(case, unit=case.unit + UNITS)
    with pytest.raises(QuestionError):
        scan(
            replace(case, place=case.place[:1], unit=case.unit[:1], count=case.count[:1]),
            ScanQuestion("permutation", "prospective"),
        )
    with pytest.raises(QuestionError, match="metres"):
        scan(replace(case, geographic=True), ScanQuestion("permutation", "prospective", shape="ellipse"))


def test_ellipses_find_a_diagonal_street_that_circles_miss() -> None:
    side = np.arange(8.0)
    x, y = (g.ravel() for g in np.meshgrid(side, side))
    on_street = np.abs(x - y) < 0.5
    case = ScanCase(x, y, np.arange(64), np.zeros(64, np.int64), np.where(on_street, 6, 1), 1, np.ones((64, 1)))
    round_ = scan(case, ScanQuestion("poisson", "spatial", replications=0)).clusters[0]
    long = scan(case, ScanQuestion("poisson", "spatial", shape="ellipse", penalty="none", replications=0)).clusters[0]
    assert long.llr > round_.llr
    assert long.shape > 1 and np.degrees(long.angle) == pytest.approx(45.0, abs=10.0)
    assert on_street[long.places].mean() > on_street[round_.places].mean()
    assert ellipses(x, y).penalty.min() == pytest.approx((4 * 5 / 36) ** 0.5)
