"""What a coverage result must say beside its figures, so that nobody reads more into them than is there."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.modes import MOTORWAY_KMH
from gis.network import StreetNetwork
from gis.notes import counted
from gis.search_graph import SearchGraph, start_seconds
from layers.codes import LEVEL_ZH
from layers.records import FUNCTION_ZH
from planner.coverage_inputs import CoverageInputs, select
from planner.coverage_question import CoverageQuestion
from planner.coverage_reach import Choice
from planner.notes import Note

LEVEL_WORDS = {**{str(level): word for level, word in LEVEL_ZH.items()}, "grid_cell": "网格"}
#: Names given in full in a note; of more, only the count.
NAMES_SHOWN = 10


def note_table(notes: list[Note]) -> pd.DataFrame:
    """Return the notes as a table (code, zh, en), in order, the same note once."""
    rows = list(dict.fromkeys((n.code, n.zh, n.en) for n in notes))
    return pd.DataFrame(rows, columns=["code", "zh", "en"])


def point_notes(inputs: CoverageInputs, question: CoverageQuestion, choice: Choice) -> Iterator[Note]:
    """State which points were left out, and why nothing is covered if no point is left."""
    if choice.asked == 0:
        yield Note("no-points", "没有任何服务点或救助站", "the city has no such service points or rescue stations")
    if choice.planned:
        yield Note(
            "points-planned",
            f"{choice.planned} 个点位尚待新建或改建，未计入",
            counted(choice.planned, "point is", "points are") + " still to be built or converted: not counted",
        )
    if question.function is not None and choice.without_function:
        yield Note(
            "points-function",
            f"{choice.without_function} 个点位不提供“{FUNCTION_ZH[question.function]}”功能，未计入",
            counted(choice.without_function, "point does", "points do")
            + f" not offer {question.function}: not counted",
        )
    if question.at is not None and choice.closed:
        yield Note(
            "points-closed",
            f"{choice.closed} 个点位在{question.at.label('zh')}不开放，未计入",
            counted(choice.closed, "point is", "points are") + f" closed on {question.at.label('en')}: not counted",
        )
    if choice.hours_unknown:
        yield Note(
            "points-hours-unknown",
            f"{choice.hours_unknown} 个点位没有登记开放时间，按时刻统计时视为不开放",
            counted(choice.hours_unknown, "point has", "points have")
            + " no recorded opening hours: closed at any hour asked",
        )
    segment = inputs.points.positions.segment[choice.position]
    unsnapped = choice.position[segment < 0]
    if len(unsnapped):
        zh, en = _names(inputs.points.name[unsnapped], inputs.points.code[unsnapped])
        yield Note(
            "points-unsnapped",
            f"{len(unsnapped)} 个点位距可用街道超过 {question.snap_limit_m:g} 米，无法到达：{zh}",
            counted(len(unsnapped), "point lies", "points lie")
            + f" over {question.snap_limit_m:g} m from usable streets, reaching nobody: {en}",
        )
    if choice.asked and len(choice.position) == 0:
        yield Note(
            "nobody-serves",
            "没有点位符合所问的功能与时刻，覆盖为零",
            "no point offers what was asked at that time: nothing is covered",
        )


def place_notes(inputs: CoverageInputs, question: CoverageQuestion) -> Iterator[Note]:
    """State what is missing among people, reports and areas, and what could not be put on the network."""
    if not inputs.population_given:
        yield Note(
            "no-population",
            "尚未导入人口：时间统计按街道长度计算，覆盖人口为零",
            "no population has been imported: times are averaged over street metres, and no people are counted",
        )
    if len(inputs.reports) == 0:
        yield Note("no-reports", "没有发现报告", "there are no discovery reports")
    if question.on is not None and inputs.roster is None:
        yield Note(
            "no-roster", "尚未导入人员名册：视为无人在岗", "no roster has been imported: every post counts as vacant"
        )
    if not inputs.tiers:
        yield Note("no-areas", "尚未导入辖区：只有全市合计", "no areas have been imported: only city totals are given")
    off = inputs.homes.positions.segment < 0
    if (inputs.homes.weight[off] > 0).any():
        people = inputs.homes.weight[off].sum()
        yield Note(
            "homes-unsnapped",
            f"{people:,.0f} 人居住地距可用街道超过 {question.snap_limit_m:g} 米，计入人口但视为不可达",
            counted(round(people), "person lives", "people live")
            + f" over {question.snap_limit_m:g} m from usable streets: counted, but unreached",
        )
    lost = int((inputs.reports.positions.segment < 0).sum())
    if lost:
        yield Note(
            "reports-unsnapped",
            f"{lost} 条发现报告距可用街道超过 {question.snap_limit_m:g} 米，视为未覆盖",
            counted(lost, "report lies", "reports lie")
            + f" over {question.snap_limit_m:g} m from any usable street: counted as not covered",
        )


def outside_notes(levels: pd.DataFrame) -> Iterator[Note]:
    """State what lies outside every area of a level: it counts in the city's totals and in no area."""
    for row in levels.to_dict("records"):
        if row["street_m_outside"] >= 1.0 or row["people_outside"] >= 0.5 or row["reports_outside"] > 0:
            level = str(row["level"])
            metres, people, reports = (int(row[f"{what}_outside"] + 0.5) for what in ("street_m", "people", "reports"))
            zh = [(metres, f"{metres:,} 米街道"), (people, f"{people:,} 人"), (reports, f"{reports:,} 条报告")]
            en = [
                (metres, f"{metres:,} m of street"),
                (people, counted(people, "person", "people")),
                (reports, counted(reports, "report", "reports")),
            ]
            yield Note(
                "outside-areas",
                f"{LEVEL_WORDS[level]}：各区域之外有{'、'.join(text for n, text in zh if n)}，只计入合计",
                f"{level.replace('_', ' ')}: outside all areas, {', '.join(text for n, text in en if n)}: "
                "in the totals only",
            )


def network_notes(
    inputs: CoverageInputs,
    question: CoverageQuestion,
    graph: SearchGraph,
    choice: Choice,
    piece_people: NDArray[np.float64],
) -> Iterator[Note]:
    """State the streets closed to the mode and the parts of the network without a point.

    piece_people : (p,) people spread along each piece of street.
    """
    network = inputs.network
    yield from _closed_notes(network, graph)
    if question.mode == "drive":
        yield Note("drive", "驾车时间按从点位出发计算", "driving times are from the point to the place")
    parts, part_of_node = _parts(network, graph)
    if parts > 1:
        sources = select(inputs.points.positions, choice.position)
        usable = np.isfinite(start_seconds(graph, sources))
        served = np.zeros(parts, bool)
        served[part_of_node[network.u[sources.segment[usable]]]] = True
        open_ = np.isfinite(graph.seconds_per_m)
        lost = open_ & ~served[part_of_node[network.u]]
        metres = float(network.length_m[lost].sum())
        homes = inputs.homes.positions.segment
        people = inputs.homes.weight[(homes >= 0) & lost[homes]].sum() + piece_people[lost[inputs.pieces.segment]].sum()
        count = len(np.unique(part_of_node[network.u[lost]]))
        if count and served.any():
            yield Note(
                "components-without-point",
                f"路网有 {count} 个互不连通的部分没有点位，共 {metres:,.0f} 米街道、{people:,.0f} 人不可达",
                counted(count, "disconnected part of the network has", "disconnected parts of the network have")
                + f" no point: {metres:,.0f} m of street and "
                + counted(round(people), "person", "people")
                + " cannot be reached",
            )


def _closed_notes(network: StreetNetwork, graph: SearchGraph) -> Iterator[Note]:
    """State the streets closed to the mode, and apart from them those judged by speed for want of a road class."""
    closed, unclassed = ~np.isfinite(graph.seconds_per_m), network.street_class == ""
    by_class_m = float(network.length_m[closed & ~unclassed].sum())
    by_speed_m = float(network.length_m[closed & unclassed].sum())
    if by_class_m > 0:
        yield Note(
            "streets-closed",
            f"{by_class_m:,.0f} 米街道（如高速公路）不允许该出行方式通行：计入街道长度，不可达",
            f"{by_class_m:,.0f} m of street (motorways and the like) are closed to this mode: "
            "they count as street and are out of reach",
        )
    if by_speed_m > 0:
        yield Note(
            "streets-closed",
            f"{by_speed_m:,.0f} 米街道没有道路类别，因自由流速度不低于 {MOTORWAY_KMH:g} 公里/小时按高速公路处理，"
            "不允许该出行方式通行：计入街道长度，不可达",
            f"{by_speed_m:,.0f} m of street have no road class and are taken for motorways by their free-flow speed of "
            f"at least {MOTORWAY_KMH:g} km/h, closed to this mode: they count as street and are out of reach",
        )


def _parts(network: StreetNetwork, graph: SearchGraph) -> tuple[int, NDArray[np.int32]]:
    open_ = np.isfinite(graph.seconds_per_m)
    u, v = network.u[open_], network.v[open_]
    links = coo_array((np.ones(len(u), np.int8), (u, v)), shape=(network.n_nodes, network.n_nodes))
    parts, label = connected_components(links, directed=False)
    return int(parts), np.asarray(label, np.int32)


def _names(names: NDArray[np.object_], codes: NDArray[np.object_]) -> tuple[str, str]:
    shown = [str(name) or str(code) for name, code in zip(names, codes, strict=True)][:NAMES_SHOWN]
    more = len(names) - len(shown)
    return "、".join(shown) + (f" 等 {len(names)} 个" if more else ""), ", ".join(shown) + (
        f" and {more} more" if more else ""
    )
