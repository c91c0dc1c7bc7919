"""Access to capacity: whom each point serves, and the floating-catchment score of the people around."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.network import Positions
from gis.notes import counted
from gis.reach import time_matrix
from gis.search_graph import SearchGraph
from gis.street_pieces import StreetPieces
from planner.access import GAUSSIAN_SHARE, ZONE_WEIGHTS, enhanced
from planner.coverage_inputs import CoverageInputs, HelpPoints, Placed, together
from planner.notes import Note

#: People spread along streets stand at places at most this far apart when access is measured.
DWELLING_STEP_M = 100.0
#: Scores and ratios are capacity per this many people.
PEOPLE_UNIT = 10_000.0


def dwellings_of(inputs: CoverageInputs, people_per_m: NDArray[np.float64]) -> Placed:
    """Return homes, and people spread along streets gathered at places at most ``DWELLING_STEP_M`` apart."""
    return together([inputs.homes, places_along(inputs.pieces, people_per_m)])


def places_along(pieces: StreetPieces, per_m: NDArray[np.float64]) -> Placed:
    """Return what lies along streets, gathered at places at most ``DWELLING_STEP_M`` apart.

    per_m : (p,) density along each piece; pieces without any give no place.
    """
    peopled = np.flatnonzero(per_m > 0)
    metres = (pieces.to_m - pieces.from_m)[peopled]
    count = np.ceil(metres / DWELLING_STEP_M).astype(np.int64)
    piece = np.repeat(peopled, count)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    part_m = np.repeat(metres / np.maximum(count, 1), count)
    along = Positions(
        pieces.segment[piece].astype(np.int32), pieces.from_m[piece] + (place + 0.5) * part_m, np.zeros(len(piece))
    )
    return Placed(per_m[piece] * part_m, along, {level: of[piece] for level, of in pieces.area.items()})


def seconds_matrix(graph: SearchGraph, sources: Positions, dwellings: Placed, limit_s: float) -> csr_array:
    """Return (dwellings x points) seconds within ``limit_s``, the walk between dwelling and street included."""
    matrix = time_matrix(graph, sources, dwellings.positions, limit_s).T.tocsr()
    matrix.sort_indices()
    return matrix


def point_table(
    points: HelpPoints,
    position: NDArray[np.int64],
    seconds: csr_array,
    people: NDArray[np.float64],
    thresholds_s: tuple[int, ...],
) -> pd.DataFrame:
    """Return one row per point that counts: people within each threshold of it (nearest or not), capacity, ratio.

    ratio : capacity per 10,000 people within the largest threshold; NaN where capacity is unknown or nobody is near.
    """
    weight = np.repeat(people, np.diff(seconds.indptr))
    table: dict[str, NDArray[np.generic]] = {"code": points.code[position], "name": points.name[position]}
    for t in thresholds_s:
        near = np.where(seconds.data <= t, weight, 0.0)
        table[f"people_{t}"] = np.bincount(seconds.indices, near, minlength=len(position))
    capacity = points.capacity[position]
    served = table[f"people_{thresholds_s[-1]}"].astype(np.float64)
    ratio = np.divide(capacity * PEOPLE_UNIT, served, out=np.full(len(served), np.nan), where=served > 0)
    return pd.DataFrame({**table, "capacity": capacity, "ratio": ratio})


def assumed_capacity(capacity: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[Note, ...]]:
    """Return capacities with the unknown ones filled in by the median known one, or by 1 where none is known."""
    known = np.isfinite(capacity)
    if known.all():
        return capacity, ()
    typical = float(np.median(capacity[known])) if known.any() else 1.0
    missing = int((~known).sum())
    note = Note(
        "capacity-assumed",
        f"{missing} 个点位没有登记容量，可达性按 {typical:g} 计算",
        counted(missing, "point has", "points have") + f" no recorded capacity: taken as {typical:g} for access",
    )
    return np.where(known, capacity, typical), (note,)


def access_scores(
    seconds: csr_array, people: NDArray[np.float64], capacity: NDArray[np.float64], thresholds_s: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the (dwellings,) E2SFCA score: capacity within reach per 10,000 people competing for it.

    The thresholds bound the zones. Three zones weigh as in Luo & Qi (``planner.access.ZONE_WEIGHTS``); any other number
    weighs each zone as the Gaussian of its middle.
    """
    edges = np.array(thresholds_s, np.float64)
    middle = (edges + np.append(0.0, edges[:-1])) / 2
    gaussian = np.exp(-(middle**2) / (2 * (GAUSSIAN_SHARE * edges[-1]) ** 2))
    weights = ZONE_WEIGHTS if len(edges) == len(ZONE_WEIGHTS) else tuple(gaussian)
    return enhanced(seconds, people, capacity, thresholds_s, weights).score * PEOPLE_UNIT
