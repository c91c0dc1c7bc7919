"""Whether a cluster of reports is more than chance, as tables."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.crs import to_lonlat
from gis.errors import QuestionError
from gis.modes import travel_by
from gis.network import Positions
from gis.reach import time_matrix
from gis.search_graph import search_graph
from gis.street_points import points_on
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.ground import Ground, ground_of
from planner.hotspots.question import ClusterQuestion
from planner.hotspots.records import Events, HotspotRecords, day_number, events_of
from planner.hotspots.relative_rates import cell_effort
from planner.hotspots.scan import ScanCase, ScanQuestion, ScanResult, scan
from planner.hotspots.scan_windows import Windows, balls
from planner.notes import Note
from planner.watch import Watch

Ints = NDArray[np.int64]
#: What is compared with effort or with other reports is counted by the week.
WEEK_DAYS = 7
#: Clusters this likely by chance are not worth a row.
LEAST_LIKELY, LEVEL = 0.5, 0.05
PATROL = CHANNELS.index("patrol")
CLUSTER_COLUMNS = (
    "cluster", "places", "lon", "lat", "radius_m", "first", "last", "observed", "expected", "relative_risk", "llr",
    "p_value", "gumbel_p", "recurrence_days", "significant",
)  # fmt: skip
#: One second a metre: times are metres.
METRE_KMH = 3.6


def scan_tables(
    records: HotspotRecords, question: ClusterQuestion, frame: Frame, watch: Watch
) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Return "summary" (one row), "clusters" (most likely first) and "members" (their cells), and notes.

    Raises QuestionError where the model lacks what it needs.
    """
    events, notes = events_of(records, frame)
    ground = ground_of(records, frame, events)
    starts = _units(frame, 1 if question.model == "space-time-permutation" else WEEK_DAYS)
    case, kept, said = _case(records, question, ground, events, starts)
    asked = ScanQuestion(
        model=question.model.removeprefix("space-time-"), analysis=question.analysis,
        shape={"network": "given"}.get(question.window, question.window), max_radius=question.most_m or np.inf,
        max_time_units=_longest(question, starts), replications=question.replications, seed=question.seed,
    )  # fmt: skip
    windows = _balls(ground, question.most_m) if question.window == "network" else None
    found = scan(
        case, asked, windows=windows, cancelled=lambda: watch.cancelled,
        progress=lambda done, of: watch.tell(f"{done:,} / {of:,}"),
    )  # fmt: skip
    if not len(found.maxima):
        raise QuestionError("尚无随机重排即被取消，没有结果", "cancelled before any random city was made: no answer")
    clusters, members = _tables(ground, kept, found, starts, question.analysis == "spatial")
    summary = pd.DataFrame({
        "model": [question.model], "when": [question.analysis], "window": [question.window], "places": [len(case.x)],
        "reports": [found.total_cases], "replications": [len(found.maxima)], "first": [_date(starts[0])],
        "last": [_date(starts[-1] - 1)],
    })  # fmt: skip
    return {"summary": summary, "clusters": clusters, "members": members}, [*notes, *said]


def _units(frame: Frame, days: int) -> Ints:
    """Return (t + 1,) days since 1970: the units of time, counted back from the last day."""
    assert frame.first is not None and frame.last is not None
    end, begin = day_number(frame.last) + 1, day_number(frame.first)
    count = (end - begin) // days
    if count < 2:
        raise QuestionError("时间过短，无法扫描", "the days asked about are too few to scan")
    return end - days * np.arange(count, -1, -1)


def _longest(question: ClusterQuestion, starts: Ints) -> int | None:
    """Return the greatest length of a window, in units of time, at most half of all."""
    if question.most_days is None:
        return None
    return max(min(question.most_days // int(starts[1] - starts[0]), (len(starts) - 1) // 2), 1)


def _case(
    records: HotspotRecords, question: ClusterQuestion, ground: Ground, events: Events, starts: Ints
) -> tuple[ScanCase, Ints, list[Note]]:
    """Return cases by cell and unit of time, with what the model holds against them; and the cell of each place."""
    cells, t = ground.cells, len(starts) - 1
    x, y = cells.tiling.centre(cells.column, cells.row)
    if question.model == "space-time-permutation":
        counts, expected, controls, notes = ground.cube(events, starts), None, None, list[Note]()
    elif question.model == "bernoulli":
        patrol = events.channel == PATROL
        counts, controls = (ground.cube(events.take(of), starts) for of in (~patrol, patrol))
        expected, notes = None, []
        if not counts.any() or not controls.any():
            raise QuestionError(
                "须同时有巡查发现与热线、群众报告", "there must be finds of patrols and reports of others"
            )
    else:
        counts, expected, notes = _against_effort(records, ground, events, starts)
        controls = None
    # cells where nothing can be found are no places, but for balls along streets, which are of all cells
    possible = next((held for held in (expected, controls) if held is not None), counts)
    kept = np.flatnonzero(counts.any(axis=1) | possible.any(axis=1) | (question.window == "network"))
    place, unit = np.nonzero(counts[kept])
    case = ScanCase(
        x[kept], y[kept], place, unit, counts[kept][place, unit].astype(np.int64), t,
        expected=None if expected is None else expected[kept],
        controls=None if controls is None else controls[kept].astype(np.int64),
        unit_days=float(starts[1] - starts[0]),
    )  # fmt: skip
    return case, kept, notes


def _against_effort(
    records: HotspotRecords, ground: Ground, events: Events, starts: Ints
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Note]]:
    """Return (n, t) finds of patrols, and what their effort would find if people were everywhere alike."""
    walked = cell_effort(records, ground, starts)
    if not walked.any():
        raise QuestionError("没有巡查量记录，请改用 space-time-permutation",
                            "no patrol effort is on record: use space-time-permutation")  # fmt: skip
    counts = ground.cube(events.take(events.channel == PATROL), starts)
    lost = counts[walked <= 0].sum()
    counts[walked <= 0] = 0.0
    if not counts.any():
        raise QuestionError("没有巡查发现", "there are no finds of patrols")
    notes = []
    if lost:
        zh = f"{int(lost):,} 份巡查发现处当时没有巡查量记录，未计入"
        notes = [Note("finds-unwalked", zh, f"{int(lost):,} finds where no patrol is on record were left out")]
    return counts, walked * (counts.sum() / walked.sum()), notes


def _balls(ground: Ground, most_m: float | None) -> Windows:
    """Return zones of cells by distance along the streets, from a street in the middle of each."""
    cells, lixels, network = ground.cells, ground.lixels, ground.network
    if most_m is None:
        raise QuestionError("沿街窗口须给出最大半径", "windows along the streets need a greatest radius")
    x, y = cells.tiling.centre(cells.column, cells.row)
    middle = Positions(lixels.segment, (lixels.from_m + lixels.to_m) / 2, np.zeros(len(lixels)))
    used = np.flatnonzero(cells.lixel_cell >= 0)
    at_x, at_y = points_on(network, middle.segment[used], middle.offset_m[used])
    of = cells.lixel_cell[used]
    order = np.lexsort((np.hypot(at_x - x[of], at_y - y[of]), of))
    cell, first = np.unique(of[order], return_index=True)
    chosen = used[order[first]]
    places = Positions(middle.segment[chosen], middle.offset_m[chosen], np.zeros(len(chosen)))
    graph = search_graph(network, travel_by(network, "walk", walk_kmh=METRE_KMH))
    near = time_matrix(graph, places, places, most_m).tocoo()
    alone = np.setdiff1d(np.arange(len(cells)), cell)
    rows, columns = np.r_[cell[near.coords[0]], alone], np.r_[cell[near.coords[1]], alone]
    metres = np.r_[near.data, np.zeros(len(alone))]
    order = np.argsort(rows, kind="stable")
    indptr = np.r_[0, np.cumsum(np.bincount(rows, minlength=len(cells)))]
    return balls(indptr, columns[order].astype(np.int32), metres[order], max_radius=most_m)


def _tables(
    ground: Ground, kept: Ints, found: ScanResult, starts: Ints, spatial: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the clusters and their cells; kept : (p,) the cell of each place scanned."""
    cells = ground.cells
    rows: list[tuple[object, ...]] = []
    members = []
    for cluster in found.clusters:
        if not cluster.p_value <= LEAST_LIKELY:
            continue
        number, of = len(rows) + 1, kept[cluster.places]
        middle = kept[cluster.centre : cluster.centre + 1] if cluster.centre >= 0 else of
        x, y = cells.tiling.centre(cells.column[middle], cells.row[middle])
        lon, lat = to_lonlat(x.mean(), y.mean(), ground.network.crs)
        first = "" if spatial else _date(starts[cluster.first_unit])
        last = "" if spatial else _date(starts[cluster.last_unit + 1] - 1)
        rows.append((
            number, len(of), float(lon), float(lat), cluster.radius, first, last, cluster.observed, cluster.expected,
            cluster.relative_risk, cluster.llr, cluster.p_value, cluster.gumbel_p, cluster.recurrence_days,
            cluster.p_value <= LEVEL,
        ))  # fmt: skip
        members.append(pd.DataFrame({"cluster": number, "column": cells.column[of], "row": cells.row[of]}))
    empty = pd.DataFrame({"cluster": [], "column": [], "row": []}, dtype=np.int64)
    return pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS)), pd.concat([empty, *members], ignore_index=True)


def _date(day: int) -> str:
    return str(np.datetime64(int(day), "D"))
