"""Whom the open points reach at each of the 168 hours of the week, in the whole city and in each of its areas."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.search_graph import SearchGraph
from planner.area_statistics import sum_by
from planner.coverage_inputs import CoverageInputs, select
from planner.coverage_question import CoverageQuestion
from planner.coverage_reach import Within, points_by_hour, within

GRID_CELL = "grid_cell"


def hour_tables(
    inputs: CoverageInputs, question: CoverageQuestion, graph: SearchGraph, people_per_m: NDArray[np.float64]
) -> dict[str, pd.DataFrame]:
    """Return tables "hours", "clock" and "area_hours"; one search serves all hours at which the same points are open.

    hours : 168 rows, Monday 00:00 first: open points, people and street metres covered for the whole city.
    clock : 168 rows: which set of open points (``open_set``) holds at each hour.
    area_hours : for each such set, each area of every tier but grid cells: what is covered while it is open.
    Points without recorded hours are taken for closed.
    """
    open_sets, set_of_hour = points_by_hour(inputs.points, question)
    tiers = [tier for tier in inputs.tiers if tier.level != GRID_CELL]
    pieces = inputs.pieces
    piece = (pieces.segment, pieces.from_m, pieces.to_m)
    if not tiers and not people_per_m.any():  # whole segments give the same street metres from fewer pieces
        m = inputs.network.n_segments
        piece = (np.arange(m, dtype=np.int32), np.zeros(m), inputs.network.length_m)
        people_per_m = np.zeros(m)
    totals, by_area = [], []
    for number, open_ in enumerate(open_sets):
        sources = select(inputs.points.positions, open_)
        found = within(graph, sources, inputs.homes, piece, people_per_m, question.thresholds_s)
        totals.append(found.totals())
        for tier in tiers:
            known = {"open_set": number, "level": tier.level, "code": tier.code}
            by_area.append(pd.DataFrame({**known, **of_tier(inputs, found, tier.level, len(tier))}))
    hour = np.arange(len(set_of_hour))
    clock = {"weekday": hour // 24, "hour": hour % 24}
    table: dict[str, NDArray[np.generic]] = {**clock, "open_points": open_sets.sum(axis=1)[set_of_hour]}
    for i, t in enumerate(question.thresholds_s):
        table[f"covered_people_{t}"] = np.array([of.people[i] for of in totals])[set_of_hour]
        table[f"covered_street_m_{t}"] = np.array([of.street_m[i] for of in totals])[set_of_hour]
    return {
        "hours": pd.DataFrame(table),
        "clock": pd.DataFrame({**clock, "open_set": set_of_hour}),
        "area_hours": pd.concat(by_area, ignore_index=True) if by_area else pd.DataFrame({"open_set": [], "level": []}),
    }


def of_tier(inputs: CoverageInputs, found: Within, level: str, n_areas: int) -> dict[str, NDArray[np.float64]]:
    """Return what is covered in each area of a tier, as columns covered_people_<t> and covered_street_m_<t>."""
    of_piece, of_home = inputs.pieces.area[level], inputs.homes.area[level]
    columns = {}
    for i, t in enumerate(found.thresholds_s):
        metres = found.metres[:, i]
        people = sum_by(of_home, n_areas, found.home_people[:, i])
        columns[f"covered_people_{t}"] = people + sum_by(of_piece, n_areas, metres * found.people_per_m)
        columns[f"covered_street_m_{t}"] = sum_by(of_piece, n_areas, metres)
    return columns
