"""The one geography of all releases: cells that never change, and the larger areas they add up to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Positions = NDArray[np.int64]
KINDS: Final = ("square", "hexagon", "area")
#: No square is narrower, and no hexagon across its flats.
LEAST_M: Final = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Geography:
    """Cells and the areas above them, tier by tier; each node but the top ones adds up into one node of the next tier.

    kind : "square", "hexagon" (``size_m`` wide, across the flats) or "area" (whole communities or larger; size 0).
    tiers : names of the tiers, finest first. ids : the ids of each tier.
    parents : for each tier but the last, (len(ids[t]),) positions in the tier above. A cell that straddles a border
    belongs to one area (say, by its centre): totals are those of cells, not of the area's outline, for two tables
    over two outlines would give away the people in between.

    The list of cells comes from the map alone, so that which cells there are tells nothing about people.
    Raises QuestionError on unknown kinds, cells under 300 m, ids given twice, and parents that are none.
    """

    kind: str
    size_m: float
    tiers: tuple[str, ...]
    ids: tuple[tuple[str, ...], ...]
    parents: tuple[Positions, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise QuestionError(
                f"公开数据只按方格、六边形或整片区域发布，收到 {self.kind!r}",
                f"the public gets squares, hexagons or whole areas, not {self.kind!r}",
            )
        if self.kind != "area" and not self.size_m >= LEAST_M:
            raise QuestionError(
                f"公开数据的格子不得小于 {LEAST_M:.0f} 米，收到 {self.size_m:g} 米",
                f"cells for the public are at least {LEAST_M:.0f} m wide, not {self.size_m:g} m",
            )
        _hold_tree(self.tiers, self.ids, self.parents)

    @property
    def n_cells(self) -> int:
        """How many cells the finest tier has."""
        return len(self.ids[0])

    @property
    def first(self) -> Positions:
        """(tiers + 1,) where each tier begins among all nodes, finest tier first, and their count."""
        return np.cumsum([0, *(len(ids) for ids in self.ids)])

    @property
    def parent(self) -> Positions:
        """(n_nodes,) the node above each node, -1 for the top tier."""
        first = self.first
        ups = [first[t + 1] + np.asarray(up, np.int64) for t, up in enumerate(self.parents)]
        return np.concatenate([*ups, np.full(len(self.ids[-1]), -1, np.int64)])

    @property
    def key(self) -> str:
        """A name that changes with any cell, area or parent (SHA-256, hexadecimal)."""
        digest = hashlib.sha256(repr((self.kind, float(self.size_m), self.tiers, self.ids)).encode())
        for up in self.parents:
            digest.update(np.asarray(up, "<i8").tobytes())
        return digest.hexdigest()

    def sums(self, cells: Positions) -> Positions:
        """Return (n_nodes,) the sum of each node's cells, (n_cells,)."""
        levels = [np.asarray(cells, np.int64)]
        for t, up in enumerate(self.parents):
            above = np.zeros(len(self.ids[t + 1]), np.int64)
            np.add.at(above, up, levels[-1])
            levels.append(above)
        return np.concatenate(levels)


def _hold_tree(tiers: Sequence[str], ids: Sequence[Sequence[str]], parents: Sequence[Positions]) -> None:
    if not ids or not ids[0] or len(tiers) != len(ids) or len(parents) != len(ids) - 1:
        raise QuestionError(
            f"层级不符：{len(tiers)} 个名称，{len(ids)} 层编号，{len(parents)} 组上级",
            f"tiers that do not match: {len(tiers)} names, {len(ids)} lists of ids, {len(parents)} of parents",
        )
    for tier, names in zip(tiers, ids, strict=True):
        if len(set(names)) != len(names):
            raise QuestionError(f"{tier} 层有重复编号", f"tier {tier} has an id twice")
    for t, up in enumerate(parents):
        if np.shape(up) != (len(ids[t]),) or np.min(up) < 0 or np.max(up) >= len(ids[t + 1]):
            raise QuestionError(
                f"{tiers[t]} 层的每一项须属于 {tiers[t + 1]} 层的一项",
                f"every node of tier {tiers[t]} needs one node of tier {tiers[t + 1]} above it",
            )
