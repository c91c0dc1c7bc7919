"""The scan statistic: where and when there were more cases than chance gives, over windows of every place and size.

Sources: Kulldorff 1997 (doi:10.1080/03610929708831995); Kulldorff 2001, prospective (doi:10.1111/1467-985X.00186);
Kulldorff, Heffernan, Hartman, Assuncao & Mostashari 2005, space-time permutation (doi:10.1371/journal.pmed.0020059).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots import scan_kernels as kernels
from planner.hotspots.scan_p_values import TIED, gumbel_p, rank_p, stop_index
from planner.hotspots.scan_question import ScanCase, ScanQuestion
from planner.hotspots.scan_search import Search, best_of_rows, search_of
from planner.hotspots.scan_windows import Windows, circles, ellipses, everywhere, joined, within_share

#: Ratio, row of the windows, entry, first and last unit.
Row = tuple[float, int, int, int, int]
#: Replications between two looks at whether to go on.
CHUNK = 4 * kernels.LANES


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """A window that stands out.

    places : positions, nearest the centre first. centre : its place, -1 for all places. radius : of the farthest place
    (an ellipse: shorter half axis). shape, angle : see Windows. first_unit, last_unit : both included. llr : with the
    penalty. p_value, gumbel_p : NaN without replications. recurrence_days : of so strong a cluster by chance; NaN
    unless prospective.
    """

    places: NDArray[np.int32]
    centre: int
    radius: float
    shape: float
    angle: float
    first_unit: int
    last_unit: int
    observed: int
    expected: float
    relative_risk: float
    llr: float
    p_value: float = float("nan")
    gumbel_p: float = float("nan")
    recurrence_days: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class ScanResult:
    """Clusters, most likely first, none with a place of another; the largest ratio of each replication made.

    stopped : whether replication ended early because enough were as large. cancelled : because the user asked.
    """

    clusters: tuple[Cluster, ...]
    maxima: NDArray[np.float64]
    total_cases: int
    stopped: bool
    cancelled: bool


def scan(
    case: ScanCase,
    question: ScanQuestion,
    *,
    windows: Windows | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ScanResult:
    """Find the most likely cluster and others apart from it, and how often chance alone gives as strong a one.

    windows : for shape "given", such as ``scan_windows.balls``. progress : told replications done and asked for, every
    CHUNK; ``cancelled`` is asked as often, and what was done until then is returned.
    1. The best window about each centre is kept. 2. By ratio, those that share no place with a better one are clusters;
    ties go to fewer places, then the lower centre (of one zone's several centres,
    the nearest to all). 3. Cases are redrawn under the null hypothesis, and the best ratio of
    each replication is what all clusters are compared with. Same case, question and seed: same answer, to the bit.
    Raises QuestionError where the case lacks what the model needs, or has cases where none can be.
    """
    case = _for_analysis(case, question)
    search = search_of(case.table(), case.expected, case.controls, question, _windows(case, question, windows))
    found = _apart(best_of_rows(search), search)
    clusters = [_cluster(search, row) for row in found]
    maxima, stopped, ended = _replications(
        search, question, clusters[0].llr if clusters else np.inf, progress, cancelled
    )
    return ScanResult(
        tuple(_with_p(cluster, maxima, question, case, stopped) for cluster in clusters),
        maxima, search.n_cases, stopped, ended,
    )  # fmt: skip


def _for_analysis(case: ScanCase, question: ScanQuestion) -> ScanCase:
    """Return the case with one unit of time, or one place, where the analysis knows no others."""
    if question.analysis == "spatial":
        return replace(
            case, n_units=1, unit=np.zeros_like(case.unit), expected=_summed(case.expected, 1),
            controls=_summed(case.controls, 1),
        )  # fmt: skip
    if case.n_units < 2:
        raise QuestionError("时空扫描至少要两个时间单位", "a scan in time needs at least two units of time")
    if question.analysis == "temporal":
        return replace(
            case, x=np.zeros(1), y=np.zeros(1), place=np.zeros_like(case.place), expected=_summed(case.expected, 0),
            controls=_summed(case.controls, 0),
        )  # fmt: skip
    return case


def _summed(values, axis: int):  # type: ignore[no-untyped-def]
    return None if values is None else values.sum(axis=axis, keepdims=True)


def _windows(case: ScanCase, question: ScanQuestion, given: Windows | None) -> Windows:
    if (question.shape == "given") != (given is not None):
        raise QuestionError("自定窗口须与 shape=given 同用", 'windows go with shape "given", and only with it')
    n = len(case.x)
    if question.analysis == "temporal":
        return everywhere(1)
    if given is not None:
        windows = given
    elif question.shape == "circle":
        windows = circles(case.x, case.y, geographic=case.geographic, max_radius=question.max_radius)
    elif case.geographic:
        raise QuestionError("椭圆窗口须用平面坐标", "elliptic windows need coordinates in metres")
    else:
        windows = ellipses(case.x, case.y, penalty=question.penalty, max_radius=question.max_radius)
    if len(windows.place) and windows.place.max() >= n:
        raise QuestionError("窗口含不存在的地点", "the windows name places that do not exist")
    cases = case.table()
    weight = {"poisson": case.expected, "bernoulli": _people(case, cases), "permutation": cases}[question.model]
    if weight is not None:  # what a model lacks is refused where its search is made
        windows = within_share(windows, weight.sum(axis=1).astype(np.float64), question.max_share)
    return joined(windows, everywhere(n)) if question.with_temporal else windows


def _people(case: ScanCase, cases: NDArray[np.int64]) -> NDArray[np.int64] | None:
    return None if case.controls is None else case.controls + cases


def _apart(rows: list[Row], search: Search) -> list[Row]:
    """Return the best windows that share no place, by ratio, one a centre."""
    centre = search.windows.centre
    by_ratio = sorted(rows, key=lambda row: -row[0])
    ordered: list[Row] = []
    begin = 0
    for end in range(1, len(by_ratio) + 1):
        if end == len(by_ratio) or by_ratio[end][0] < by_ratio[begin][0] * (1.0 - TIED):
            ordered += _in_order(by_ratio[begin:end], search.windows)
            begin = end
    taken = np.zeros(len(search.size), bool)
    seen: set[int] = set()
    apart = []
    for row in ordered:
        places = search.windows.place[search.windows.indptr[row[1]] : row[2] + 1]
        if centre[row[1]] not in seen and not taken[places].any():
            apart.append(row)
            taken[places] = True
        seen.add(centre[row[1]])
    return apart


def _in_order(ties: list[Row], windows: Windows) -> list[Row]:
    """Return windows of one ratio: fewer places, then the lower centre; of one zone's centres the nearest to all."""
    ties = sorted(
        ties, key=lambda row: (row[2] - windows.indptr[row[1]], windows.centre[row[1]], windows.shape[row[1]])
    )
    nearest: dict[tuple[bytes, int, int], Row] = {}
    for row in ties:
        key = np.sort(windows.place[windows.indptr[row[1]] : row[2] + 1]).tobytes(), row[3], row[4]
        kept = nearest.setdefault(key, row)
        alike = windows.shape[row[1]] == windows.shape[kept[1]]
        if alike and windows.distance[row[2]] < windows.distance[kept[2]] * (1.0 - TIED):
            nearest[key] = row
    return list(nearest.values())


def _cluster(search: Search, row: Row) -> Cluster:
    llr, r, entry, first, last = row
    windows = search.windows
    places = windows.place[windows.indptr[r] : entry + 1]
    begin, end = sorted(int(np.flatnonzero(search.slot == unit)[0]) for unit in (first, last))
    observed = int(search.cases[places, first : last + 1].sum())
    expected = float(search.size[places, first : last + 1].sum())
    rest = (search.n_cases - observed) / (search.n_cases - expected)
    return Cluster(
        places, int(windows.centre[r]), float(windows.distance[entry]), float(windows.shape[r]),
        float(windows.angle[r]), begin, end, observed, expected,
        observed / expected / rest if rest > 0 else float("inf"), llr,
    )  # fmt: skip


def _replications(
    search: Search,
    question: ScanQuestion,
    ratio: float,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[NDArray[np.float64], bool, bool]:
    """Return (maxima, stopped, cancelled)."""
    maxima = np.empty(0)
    while len(maxima) < question.replications:
        if cancelled():
            return maxima, False, True
        end = min(len(maxima) + CHUNK, question.replications)
        maxima = np.concatenate([maxima, search.replicate(question.seed, len(maxima), end)])
        progress(len(maxima), question.replications)
        if question.stop_after is not None:
            enough = stop_index(maxima, ratio, question.stop_after)
            if enough is not None:
                return maxima[:enough], True, False
    return maxima, False, False


def _with_p(
    cluster: Cluster, maxima: NDArray[np.float64], question: ScanQuestion, case: ScanCase, stopped: bool
) -> Cluster:
    if not len(maxima):
        return cluster
    p = rank_p(cluster.llr, maxima, question.stop_after if stopped else None)
    days = question.days_between or case.unit_days
    return replace(
        cluster, p_value=p, gumbel_p=gumbel_p(cluster.llr, maxima),
        recurrence_days=days / p if question.analysis == "prospective" else float("nan"),
    )  # fmt: skip


__all__ = ["Cluster", "ScanCase", "ScanQuestion", "ScanResult", "scan"]
