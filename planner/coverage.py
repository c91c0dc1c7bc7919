"""Coverage: which people, streets and reports lie within reach of a service point, per area and per segment.

People known by place count where they live; people known by totals are spread along streets as a density per metre.
Every figure is exact for these: covered people are density times covered metres, and means and quantiles of time are
taken over the straight parts of the time along each piece of street (``gis.reach.time_ramps``), never over samples.
Only access scores gather spread people at places 100 m apart.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.modes import travel_by
from gis.network import Positions
from gis.reach import Nearest, covered_metres, k_nearest, nearest, segment_times, time_ramps
from gis.search_graph import SearchGraph
from planner.area_statistics import WeightedTimes, sum_by
from planner.coverage_access import access_scores, assumed_capacity, dwellings_of, point_table, seconds_matrix
from planner.coverage_answer import coverage_json
from planner.coverage_areas import AreaMeasures, area_table, level_table, total_table
from planner.coverage_hours import hour_tables
from planner.coverage_inputs import CoverageInputs, Placed, chosen, select
from planner.coverage_notes import network_notes, note_table, outside_notes, place_notes, point_notes
from planner.coverage_question import CoverageQuestion
from planner.coverage_reach import Choice, choose_points, graph_of, reached_weight, seconds_to
from planner.coverage_segments import gap_table, segment_table, two_nearest_midway
from planner.demand import SpreadPeople, spread_totals
from planner.inequality_tables import inequality_tables
from planner.roster import roster_gaps

__all__ = ["CoverageInputs", "CoverageQuestion", "coverage_json", "measure_coverage", "measure_gaps"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Reach:
    """One search and what it reaches: covered_m (p, t), home_s (h,), report_s (r,)."""

    graph: SearchGraph
    sources: Positions
    near: Nearest
    covered_m: Floats
    home_s: Floats
    report_s: Floats


def measure_coverage(inputs: CoverageInputs, question: CoverageQuestion) -> dict[str, pd.DataFrame]:
    """Answer ``question`` for the city ``inputs``.

    Returns tables: "areas" (one row per area of every tier and grid cell), "totals" (the whole network, one row),
    "levels" (inside and outside the areas of each level), "segments", "gaps", "hours", "clock" and "area_hours" (see
    ``planner.coverage_hours``), "inequality", "lorenz", "points", "roster" (areas without the person they should have;
    empty where no date was asked) and "notes". Times are seconds, lengths metres; NaN where a figure does not exist,
    never an infinity. access is capacity per 10,000 people (E2SFCA), averaged over the people of the area.
    """
    choice = choose_points(inputs.points, question)
    spread = spread_people(inputs, question)
    reach = _reach(inputs, question, choice)
    dwellings = dwellings_of(inputs, spread.per_m)
    seconds = seconds_matrix(reach.graph, reach.sources, dwellings, float(question.thresholds_s[-1]))
    capacity, capacity_notes = assumed_capacity(inputs.points.capacity[choice.position])
    access = access_scores(seconds, dwellings.weight, capacity, question.thresholds_s)
    measures = _measures(inputs, question, spread, reach, dwellings, access)

    areas, levels = area_table(measures, inputs.tiers), level_table(measures, inputs.tiers)
    inequality, lorenz = inequality_tables(areas, question.thresholds_s, population_given=inputs.population_given)
    segments, gaps = _street_tables(inputs, question, choice, reach, spread.per_m)
    notes = [
        *inputs.notes,
        *place_notes(inputs, question),
        *spread.notes,
        *point_notes(inputs, question, choice),
        *network_notes(inputs, question, reach.graph, choice, spread.per_m * measures.metres),
        *outside_notes(levels),
        *capacity_notes,
    ]
    return {
        "areas": areas,
        "totals": total_table(measures).assign(unplaced_people=spread.unplaced),
        "levels": levels,
        "segments": segments,
        "gaps": gaps,
        **hour_tables(inputs, question, reach.graph, spread.per_m),
        "inequality": inequality,
        "lorenz": lorenz,
        "points": point_table(inputs.points, choice.position, seconds, dwellings.weight, question.thresholds_s),
        "roster": _roster(areas, inputs, question),
        "notes": note_table(notes),
    }


def measure_gaps(inputs: CoverageInputs, question: CoverageQuestion, people_per_m: Floats) -> pd.DataFrame:
    """Return the table "gaps" of ``measure_coverage`` alone.

    people_per_m : (p,) people spread along each piece, as ``spread_people`` finds them.
    """
    reach = _reach(inputs, question, choose_points(inputs.points, question))
    longest_s = segment_times(reach.graph, reach.sources, reach.near).longest_s
    return _gaps(inputs, question, reach, longest_s, people_per_m)


def spread_people(inputs: CoverageInputs, question: CoverageQuestion) -> SpreadPeople:
    """Spread people known by totals along the streets of their areas."""
    # people live along streets one can walk on, however they travel
    walkable = np.isfinite(travel_by(inputs.network, "walk").seconds_per_m)
    return spread_totals(
        inputs.tiers, inputs.pieces, walkable, inputs.total_code, inputs.total_people,
        inputs.homes.weight, inputs.homes.area, spread=question.spread,
    )  # fmt: skip


def _reach(inputs: CoverageInputs, question: CoverageQuestion, choice: Choice) -> _Reach:
    graph = graph_of(inputs.network, question)
    sources = select(inputs.points.positions, choice.position)
    near = nearest(graph, sources)
    pieces = inputs.pieces
    covered_m = covered_metres(graph, sources, near, pieces.segment, pieces.from_m, pieces.to_m, question.thresholds_s)
    home_s = seconds_to(graph, sources, near, inputs.homes)
    return _Reach(graph, sources, near, covered_m, home_s, seconds_to(graph, sources, near, inputs.reports))


def _measures(
    inputs: CoverageInputs,
    question: CoverageQuestion,
    spread: SpreadPeople,
    reach: _Reach,
    dwellings: Placed,
    access: Floats,
) -> AreaMeasures:
    homes, reports, pieces = inputs.homes, inputs.reports, inputs.pieces
    thresholds = question.thresholds_s
    metres = pieces.to_m - pieces.from_m
    # without a population layer, times are averaged over the metres the mode may use
    passable = np.isfinite(reach.graph.seconds_per_m[pieces.segment])
    per_m = spread.per_m if inputs.population_given else passable.astype(np.float64)
    item = np.arange(len(homes), dtype=np.int32)
    return AreaMeasures(
        thresholds_s=thresholds,
        metres=metres,
        covered_m=reach.covered_m,
        people_per_m=spread.per_m,
        home_people=homes.weight,
        home_covered=reached_weight(reach.home_s, homes.weight, thresholds),
        report_weight=reports.weight,
        report_covered=reached_weight(reach.report_s, reports.weight, thresholds),
        timed_homes=WeightedTimes(item, homes.weight, reach.home_s, reach.home_s),
        timed_streets=_timed_streets(inputs, reach, per_m),
        dwelling_people=dwellings.weight,
        dwelling_access=access,
        homes=homes.area,
        pieces=pieces.area,
        reports=reports.area,
        dwellings=dwellings.area,
        population_given=inputs.population_given,
    )


def _timed_streets(inputs: CoverageInputs, reach: _Reach, per_m: Floats) -> WeightedTimes:
    """Return the straight parts of the time along every piece that carries weight."""
    pieces = inputs.pieces
    kept = np.flatnonzero(per_m > 0)
    ramps = time_ramps(
        reach.graph, reach.sources, reach.near, pieces.segment[kept], pieces.from_m[kept], pieces.to_m[kept]
    )
    piece = kept[ramps.piece].astype(np.int32)
    return WeightedTimes(piece, ramps.metres * per_m[piece], ramps.start_s, ramps.end_s)


def _street_tables(
    inputs: CoverageInputs, question: CoverageQuestion, choice: Choice, reach: _Reach, people_per_m: Floats
) -> tuple[pd.DataFrame, pd.DataFrame]:
    network, pieces, graph = inputs.network, inputs.pieces, reach.graph
    times = segment_times(graph, reach.sources, reach.near)
    backup = two_nearest_midway(graph, reach.sources, *k_nearest(graph, reach.sources, 2))
    covered = [sum_by(pieces.segment, network.n_segments, of) for of in reach.covered_m.T]
    covered_m = np.minimum(np.column_stack(covered), network.length_m[:, None])
    codes = inputs.points.code[choice.position]
    segments = segment_table(network, times, backup, codes, covered_m, question.thresholds_s)
    return segments, _gaps(inputs, question, reach, times.longest_s, people_per_m)


def _gaps(
    inputs: CoverageInputs, question: CoverageQuestion, reach: _Reach, longest_s: Floats, people_per_m: Floats
) -> pd.DataFrame:
    pieces = inputs.pieces
    open_ = np.isfinite(reach.graph.seconds_per_m[pieces.segment])
    uncovered_m = np.where(open_, pieces.to_m - pieces.from_m - reach.covered_m[:, -1], 0.0)
    lost = chosen(inputs.homes, (reach.home_s > question.thresholds_s[-1]) & (inputs.homes.positions.segment >= 0))
    return gap_table(inputs.network, pieces, inputs.tiers, uncovered_m, longest_s, people_per_m, lost)


def _roster(areas: pd.DataFrame, inputs: CoverageInputs, question: CoverageQuestion) -> pd.DataFrame:
    if question.on is None:
        return pd.DataFrame({"area_code": [], "name": [], "level": [], "missing": []}, dtype=object)
    roster = pd.DataFrame() if inputs.roster is None else inputs.roster
    return roster_gaps(areas, roster, question.on)
