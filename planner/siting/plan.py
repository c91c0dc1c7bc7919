"""What every siting method returns: the sites chosen, what they are worth, and what is proven of them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A plan is called optimal once no other can be better by more than this part of its value.
OPTIMAL_GAP = 1e-6
#: Where no column is fixed.
NO_SITES: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A choice of candidate columns with a proven bound.

    chosen : (k,) int64 columns, ascending, fixed ones included. value : the objective at ``chosen``, computed from the
    data and not read off a solver. bound : no plan whatever is better than this; it rests on finished proofs only
    (``inf`` or ``-inf`` where nothing is proven yet). maximised : whether more is better.
    """

    chosen: NDArray[np.int64]
    value: float
    bound: float
    maximised: bool

    @property
    def gap(self) -> float:
        """How much better another plan could be at most, as a part of this one's value; 0 once none can be."""
        missing = self.bound - self.value if self.maximised else self.value - self.bound
        if missing <= 0:
            return 0.0
        return missing / abs(self.value) if self.value else math.inf

    @property
    def optimal(self) -> bool:
        """Whether no other plan is better, to ``OPTIMAL_GAP``."""
        return self.gap <= OPTIMAL_GAP
