"""The city as the question of coverage sees it: everything placed on the network, nothing left to look up."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions, StreetNetwork
from gis.street_pieces import StreetPieces
from planner.demand import AreaTier
from planner.notes import Note

HOURS_A_WEEK = 168


@dataclass(frozen=True, slots=True, eq=False)
class HelpPoints:
    """The k service points and rescue stations of a city, whatever their state.

    code, name : (k,). functions : (k,) frozensets. capacity : (k,) NaN where unknown. positions : (k,) on the network.
    station, planned : (k,) whether it is a rescue station, whether it is still to be built or converted.
    hours_known : (k,) whether opening hours are recorded. open_week : (k, 168) open on the stroke of each hour,
    Monday 00:00 first. open_then : (k,) open at the hour asked about; all True if none was.
    """

    code: NDArray[np.object_]
    name: NDArray[np.object_]
    functions: NDArray[np.object_]
    capacity: NDArray[np.float64]
    positions: Positions
    station: NDArray[np.bool_]
    planned: NDArray[np.bool_]
    hours_known: NDArray[np.bool_]
    open_week: NDArray[np.bool_]
    open_then: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.code)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Weights at k places: people who live there, or one for each discovery report.

    weight : (k,) >= 0. positions : (k,) on the network. area : per level, (k,) position of the area around it or -1.
    """

    weight: NDArray[np.float64]
    positions: Positions
    area: dict[str, NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class CoverageInputs:
    """A city on its network.

    tiers : coarsest first, grid cells (level "grid_cell") last; pieces.area, homes.area and reports.area have the same
    levels. homes : people known by place; total_code, total_people : (t,) people known by totals of areas.
    population_given : False if the city has no population layer at all. roster : see ``planner.roster``; None without.
    notes : what the reader must know of the records themselves (approximate boundaries, ...).
    """

    network: StreetNetwork
    tiers: tuple[AreaTier, ...]
    pieces: StreetPieces
    points: HelpPoints
    homes: Placed
    total_code: NDArray[np.object_]
    total_people: NDArray[np.float64]
    population_given: bool
    reports: Placed
    roster: pd.DataFrame | None
    notes: tuple[Note, ...] = ()


def select(positions: Positions, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Positions:
    """Return the ``chosen`` positions, in their order."""
    return Positions(positions.segment[chosen], positions.offset_m[chosen], positions.gap_m[chosen])


def join(parts: Sequence[Positions]) -> Positions:
    """Return the positions of all ``parts``, one after the other."""
    return Positions(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("segment", "offset_m", "gap_m")))


def chosen(places: Placed, those: NDArray[np.bool_]) -> Placed:
    """Return the places ``those``, in their order."""
    area = {level: of[those] for level, of in places.area.items()}
    return Placed(places.weight[those], select(places.positions, those), area)


def together(parts: list[Placed]) -> Placed:
    """Return the places of all ``parts``, one after the other; their areas are of the same levels."""
    area = {level: np.concatenate([p.area[level] for p in parts]) for level in parts[0].area}
    return Placed(np.concatenate([p.weight for p in parts]), join([p.positions for p in parts]), area)
