"""Which candidates cover which demand, with demand of equal cover sets merged into one row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CoverSets:
    """n rows of merged demand and m candidate sites, in compressed sparse rows both ways.

    site_ptr (m + 1,) int64, site_row int32 : the rows each site covers. row_ptr (n + 1,) int64, row_site int32 : the
    sites that cover each row, ascending; no two rows have the same sites and none has no site.
    row_of : (d,) int32 the row each of the d demands went into, -1 where no candidate covers it.
    weight : (n,) float64 > 0, the demand of each row. uncoverable : the demand no candidate covers.
    """

    site_ptr: NDArray[np.int64]
    site_row: Ints
    row_ptr: NDArray[np.int64]
    row_site: Ints
    row_of: Ints
    weight: Floats
    uncoverable: float

    @property
    def n_sites(self) -> int:
        """Count of candidates."""
        return len(self.site_ptr) - 1

    @property
    def n_rows(self) -> int:
        """Count of rows of merged demand."""
        return len(self.row_ptr) - 1

    def row_matrix(self) -> csr_array:
        """Return the (n, m) matrix of ones: row i, site j where j covers i."""
        ones = np.ones(len(self.row_site))
        return csr_array((ones, self.row_site, self.row_ptr), shape=(self.n_rows, self.n_sites))

    def covered(self, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (n,) which rows a choice of sites covers."""
        hit = np.zeros(self.n_rows, bool)
        for j in chosen:
            hit[self.site_row[self.site_ptr[j] : self.site_ptr[j + 1]]] = True
        return hit
