"""Where people live on the network: at places, and spread along streets where only totals of areas are known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.notes import counted
from gis.street_pieces import StreetPieces
from layers.codes import parent_of
from planner.area_statistics import sum_by
from planner.notes import Note

SPREADS = ("streets", "communities")


@dataclass(frozen=True, slots=True, eq=False)
class AreaTier:
    """The a areas of one level in fixed order: their codes (parents by prefix) and names."""

    level: str
    code: NDArray[np.object_]
    name: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.code)


@dataclass(frozen=True, slots=True, eq=False)
class SpreadPeople:
    """People known only by totals, as a density along p street pieces.

    per_m : (p,) people per metre. placed, unplaced : people spread, and people of totals that found no street.
    notes : what was done, in words.
    """

    per_m: NDArray[np.float64]
    placed: float
    unplaced: float
    notes: tuple[Note, ...]


def spread_totals(
    tiers: tuple[AreaTier, ...],
    pieces: StreetPieces,
    walkable: NDArray[np.bool_],
    total_code: NDArray[np.object_],
    total_people: NDArray[np.float64],
    place_people: NDArray[np.float64],
    place_area: dict[str, NDArray[np.int32]],
    *,
    spread: str = "streets",
) -> SpreadPeople:
    """Spread totals of areas evenly over the metres of street one can walk on inside them.

    tiers : coarsest first. walkable : (m,) segments that take people. total_code, total_people : (t,) one total each,
    several for one area add up. place_people, place_area : (k,) people known by place, and their area per level.
    spread : "streets" for the same density everywhere in the area; "communities" for the same number of people in
    each of its communities that has streets, then evenly over those.

    A total counts everyone in its area. What places or totals of areas inside it already account for is taken off
    first and only the rest is spread, over the streets no finer total covers; where they exceed it, they stand.
    A total of an unknown area, or of one without a walkable street, is left unplaced.
    """
    level_of = {code: (tier.level, i) for tier in tiers for i, code in enumerate(tier.code)}
    given: dict[str, float] = {}
    unknown = 0.0
    for code, people in zip(total_code, total_people, strict=True):
        if code in level_of:
            given[code] = given.get(code, 0.0) + float(people)
        else:
            unknown += float(people)
    finest_first = [code for tier in reversed(tiers) for code in tier.code if code in given]
    owner_of_piece = _owner(tiers, finest_first, pieces.area, len(pieces.segment))
    owner_of_place = _owner(tiers, finest_first, place_area, len(place_people))
    rest, overlapping = _rests(finest_first, given, sum_by(owner_of_place, len(finest_first), place_people))

    metres = np.where(walkable[pieces.segment], pieces.to_m - pieces.from_m, 0.0)
    per_m, homeless = np.zeros(len(metres)), 0.0
    own = sum_by(owner_of_piece, len(finest_first), metres)
    plain = np.array([spread == "streets" or level_of[c][0] in ("community", "grid_cell") for c in finest_first], bool)
    density = np.divide(rest, own, out=np.zeros(len(rest)), where=(own > 0) & plain)
    held = owner_of_piece >= 0
    per_m[held] = density[owner_of_piece[held]]
    for i in np.flatnonzero((rest > 0) & ~(plain & (own > 0))):
        level, position = level_of[finest_first[i]]
        mine = np.flatnonzero(owner_of_piece == i if own[i] > 0 else pieces.area[level] == position)
        share = _share_by_community(tiers, finest_first[i], pieces, mine, metres[mine], spread)
        if share.sum() > 0:
            per_m[mine] += rest[i] * share
        else:
            homeless += rest[i]
    per_m[metres == 0] = 0.0
    placed = float(np.sum(rest)) - homeless
    notes = _spread_notes(spread, len(given), placed, unknown, homeless, overlapping)
    return SpreadPeople(per_m, placed, unknown + homeless, notes)


def _owner(
    tiers: tuple[AreaTier, ...], codes: list[str], area: dict[str, NDArray[np.int32]], size: int
) -> NDArray[np.int32]:
    """Return per item the position in ``codes`` of the finest area around it that has a total; -1 for none."""
    rank = {code: i for i, code in enumerate(codes)}
    owner = np.full(size, -1, np.int32)
    for tier in tiers:
        has = np.array([rank.get(code, -1) for code in tier.code] + [-1], np.int32)
        here = has[area[tier.level]]
        owner = np.where(here >= 0, here, owner)
    return owner


def _rests(
    finest_first: list[str], given: dict[str, float], at_places: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int]:
    """Return what of each total is left once places and finer totals are taken off, and how many totals had any."""
    known = at_places.copy()
    rest, overlapping = np.zeros(len(finest_first)), 0
    rank = {code: i for i, code in enumerate(finest_first)}
    for i, code in enumerate(finest_first):
        rest[i] = max(given[code] - known[i], 0.0)
        overlapping += known[i] > 0
        up = parent_of(code)
        while up and up not in rank:
            up = parent_of(up)
        if up:
            known[rank[up]] += known[i] + rest[i]
    return rest, overlapping


def _share_by_community(
    tiers: tuple[AreaTier, ...],
    code: str,
    pieces: StreetPieces,
    mine: NDArray[np.int64],
    metres: NDArray[np.float64],
    spread: str,
) -> NDArray[np.float64]:
    """Return the share of the area's people on each metre of its pieces ``mine``; zeros where it has no street."""
    total_m = metres.sum()
    evenly = np.where(metres > 0, 1.0 / total_m, 0.0) if total_m > 0 else np.zeros(len(metres))
    tier = next((t for t in tiers if t.level == "community"), None)
    if spread != "communities" or tier is None:
        return evenly

    below = np.array([_is_within(c, code) for c in tier.code] + [False], bool)
    community = np.where(below[pieces.area["community"][mine]], pieces.area["community"][mine], -1)
    street_m = sum_by(community, len(tier), metres)
    peopled = np.flatnonzero(street_m > 0)
    if len(peopled) == 0:
        return evenly
    per_m = np.zeros(len(tier) + 1)
    per_m[peopled] = 1.0 / (len(peopled) * street_m[peopled])
    return np.where(metres > 0, per_m[community], 0.0)


def _is_within(code: str | None, ancestor: str) -> bool:
    while code and code != ancestor:
        code = parent_of(code)
    return bool(code)


def _spread_notes(
    spread: str, totals: int, placed: float, unknown: float, homeless: float, overlapping: int
) -> tuple[Note, ...]:
    notes = []
    if placed > 0:
        how_zh = "各社区均分后沿社区内街道均匀分布" if spread == "communities" else "沿区域内可步行街道均匀分布"
        how_en = (
            "in equal parts over their communities, then evenly along the streets there"
            if spread == "communities"
            else "evenly along the walkable streets inside them"
        )
        notes.append(
            Note(
                "population-spread",
                f"{totals} 个区域只有人口总数，{placed:,.0f} 人按{how_zh}（近似）",
                f"{placed:,.0f} people known only by area totals ({totals}) were spread {how_en} (approximate)",
            )
        )
    if overlapping:
        notes.append(
            Note(
                "population-twice",
                f"{overlapping} 个区域的人口总数内另有居住点或下级总数：采用居住点和下级总数，只分摊其余人口",
                counted(overlapping, "total contains", "totals contain")
                + " population places or finer totals: those were used, and only the people left over were spread",
            )
        )
    if unknown > 0:
        notes.append(
            Note(
                "population-area-unknown",
                f"{unknown:,.0f} 人的区域代码不存在，未计入",
                counted(round(unknown), "person", "people") + " in totals of unknown areas: not placed",
            )
        )
    if homeless > 0:
        notes.append(
            Note(
                "population-no-street",
                f"{homeless:,.0f} 人所在区域没有可步行街道，未计入",
                counted(round(homeless), "person", "people")
                + " in totals of areas without a walkable street: not placed",
            )
        )
    return tuple(notes)
