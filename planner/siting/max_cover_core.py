"""What is left to decide of a maximal cover once some sites are open, some shut, and equal rows merged again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.siting.cover_sets import CoverSets, undominated_sites
from planner.siting.max_cover_cuts import Triples


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """Open at most ``count`` of the sites of ``sets`` on top of ``base`` covered already.

    site : (m,) the columns of these sites in the whole instance. opened : columns of the whole instance that were
    opened on the way and are no longer in ``sets``. cuts : (q, 3) triples of rows whose cuts bear on the relaxation.
    """

    sets: CoverSets
    site: NDArray[np.int64]
    count: int
    base: float
    opened: NDArray[np.int64]
    cuts: Triples

    def most(self) -> float:
        """Return a bound on what a plan covers: all there is, or the heaviest sites as if none overlapped."""
        sets = self.sets
        owner = np.repeat(np.arange(sets.n_sites), np.diff(sets.site_ptr))
        heavy = np.sort(np.bincount(owner, sets.weight[sets.site_row], sets.n_sites))[::-1]
        return self.base + float(min(sets.weight.sum(), heavy[: self.count].sum()))

    def reduced(self, shut: NDArray[np.bool_], opened: NDArray[np.int64], count: int, cuts: Triples) -> "Core":
        """Return what is left to decide after shutting and opening sites, with ``count`` still to open.

        Rows that the opened sites cover go, rows that then have equal sites merge, and so do the rows of cuts; a cut
        that loses a row, or two of whose rows merge, goes too. Sites that another one dominates are shut as well.
        """
        covered = self.sets.covered(opened)
        free = ~shut
        free[opened] = False
        sets, site = self.sets.part(~covered, free), self.site[free]
        row_of = sets.row_of
        needed = undominated_sites(sets)
        if not needed.all():
            sets = sets.part(np.ones(sets.n_rows, bool), needed)
            site = site[needed]
            row_of = np.append(sets.row_of, -1)[row_of].astype(np.int32)
        mapped = np.sort(row_of[cuts], axis=1)
        whole = (mapped[:, 0] >= 0) & (mapped[:, 0] < mapped[:, 1]) & (mapped[:, 1] < mapped[:, 2])
        return Core(
            sets, site, min(count, sets.n_sites), self.base + float(self.sets.weight[covered].sum()),
            np.concatenate([self.opened, self.site[opened]]), mapped[whole],
        )  # fmt: skip

    def plan(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return columns of the whole instance: sites of the core, and those opened on the way to it."""
        return np.sort(np.concatenate([self.opened, self.site[chosen]]))
