"""Which areas positions on the streets lie in, and areas by their code or name."""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.network import Positions
from gis.street_pieces import StreetPieces
from planner.coverage_inputs import CoverageInputs
from planner.demand import AreaTier


def areas_of(pieces: StreetPieces, positions: Positions) -> dict[str, NDArray[np.int32]]:
    """Return per level the (k,) area each position's piece of street lies in, -1 outside all and off the network."""
    if not len(pieces.segment):
        return {level: np.full(len(positions), -1, np.int32) for level in pieces.area}
    placed = positions.segment >= 0
    longest = float(pieces.to_m.max()) + 1.0
    key = pieces.segment * longest + pieces.from_m
    wanted = np.where(placed, positions.segment * longest + np.nan_to_num(positions.offset_m), 0.0)
    piece = np.clip(np.searchsorted(key, wanted, side="right") - 1, 0, None)
    return {level: np.where(placed, of[piece], -1).astype(np.int32) for level, of in pieces.area.items()}


def lie_within(city: CoverageInputs, positions: Positions, codes: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return (k,) which positions lie in an area of ``codes``; all where none is named. Raises on an unknown code."""
    inside = np.full(len(positions), not codes)
    area = areas_of(city.pieces, positions)
    for code in codes:
        tier, at = area_named(city.tiers, code)
        inside |= area[tier.level] == at
    return inside


def area_named(tiers: tuple[AreaTier, ...], code: str) -> tuple[AreaTier, int]:
    """Return the tier and position of the area ``code`` (or of that name). Raises QuestionError if there is none."""
    padded = code.ljust(12, "0") if code.isdigit() else code
    for tier in tiers:
        found = np.flatnonzero((tier.code == padded) | (tier.name == code))
        if len(found):
            return tier, int(found[0])
    raise QuestionError(f"没有代码或名称为 {code} 的辖区", f"there is no area with the code or name {code!r}")
