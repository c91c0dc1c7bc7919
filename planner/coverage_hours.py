"""Whom the open points reach at each of the 168 hours of the week."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.search_graph import SearchGraph
from planner.coverage_inputs import CoverageInputs, select
from planner.coverage_question import CoverageQuestion
from planner.coverage_reach import points_by_hour, totals_within


def hour_table(
    inputs: CoverageInputs, question: CoverageQuestion, graph: SearchGraph, people_per_m: NDArray[np.float64]
) -> pd.DataFrame:
    """Return 168 rows, Monday 00:00 first: open points, people and street metres covered for the whole city.

    Points without recorded hours are taken for closed. One search serves all hours at which the same points are open.
    """
    open_sets, set_of_hour = points_by_hour(inputs.points, question)
    pieces = inputs.pieces
    piece = (pieces.segment, pieces.from_m, pieces.to_m)
    if not people_per_m.any():  # whole segments give the same street metres from fewer pieces
        m = inputs.network.n_segments
        piece = (np.arange(m, dtype=np.int32), np.zeros(m), inputs.network.length_m)
        people_per_m = np.zeros(m)
    totals = [
        totals_within(
            graph, select(inputs.points.positions, open_), inputs.homes, piece, people_per_m, question.thresholds_s
        )
        for open_ in open_sets
    ]
    hour = np.arange(len(set_of_hour))
    table: dict[str, NDArray[np.generic]] = {
        "weekday": hour // 24,
        "hour": hour % 24,
        "open_points": open_sets.sum(axis=1)[set_of_hour],
    }
    for i, t in enumerate(question.thresholds_s):
        table[f"covered_people_{t}"] = np.array([of.people[i] for of in totals])[set_of_hour]
        table[f"covered_street_m_{t}"] = np.array([of.street_m[i] for of in totals])[set_of_hour]
    return pd.DataFrame(table)
