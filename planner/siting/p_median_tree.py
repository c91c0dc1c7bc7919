"""Branch and bound for the p-median: a Lagrangian bound at each node, sites settled by reduced costs, best bound first.

A node is a set of sites to open and one to close. Its bound starts from its parent's prices, so a few dozen steps do.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.siting.p_median_branching import Branching
from planner.siting.p_median_incumbent import Incumbent
from planner.siting.p_median_lagrange import Part, ascend, settled, without
from planner.watch import Watch

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DOING = "p-median"
#: Descents from shaken plans before the first bound, and again once it is known.
WANDER_FIRST, WANDER_THEN = 300, 1500
#: Subgradient rounds at the root in all, and between two looks at the watch and the local search.
ROOT_ROUNDS, ROOT_BLOCK = 3000, 100
ROOT_STEP, ROOT_PATIENCE = 1.5, 20
#: Rounds at a node, from where its parent stood.
NODE_ROUNDS, NODE_STEP, NODE_PATIENCE = 200, 1.0, 15
#: Prices hardly move past this many times where they stand at the root; farther sites are left out of the lists.
REACH = 1.5
#: Splits between two rounds of shaking.
NODES_BETWEEN = 100
#: The local search starts from each of so many nodes, then from one in so many.
TRY_ALL, TRY_ONE_IN = 200, 10


class Node(NamedTuple):
    """Sites to open and to close, and the next to decide; ordered by bound, then by age."""

    bound: float
    age: int
    opened: NDArray[np.int32]
    closed: NDArray[np.int32]
    price: NDArray[np.float32]
    branch: int


class Tree:
    """The search for plans better than the incumbent; ``bound`` holds for all plans at any time."""

    def __init__(self, part: Part, incumbent: Incumbent, watch: Watch) -> None:
        self._part, self._incumbent, self._watch = part, incumbent, watch
        self._open: list[Node] = []
        self._age = self._visits = 0
        self._branching = Branching(len(part.free))
        self.bound = -np.inf
        self._short = 0.0  # by how much the root stayed below what there is to meet

    def search(self) -> float:
        """Search until nothing better is left or the watch is over; return the bound proven."""
        if self._part.to_open in (0, len(self._part.free)):
            return self._incumbent.total
        self._incumbent.wander(WANDER_FIRST, self._watch)
        price = self._root()
        if price is not None:
            none = np.empty(0, np.int32)
            self._branch(self._visit(none, none, price, self.bound))
        self._raise(self.bound)  # the incumbent may have come down to it since
        return self.bound

    def _root(self) -> Floats | None:
        """Bound all plans, from prices between the nearest and the next site of the incumbent; return the best prices.

        None once nothing better is left or the watch is over.
        """
        incumbent, part = self._incumbent, self._part
        first, second = incumbent.nearest_two()
        price = (first + np.minimum(second, 3.0 * first)) / 2
        share = np.zeros(len(part.free))
        step = ROOT_STEP
        self._raise(settled(part, price, np.inf, *self._marks()))
        for _ in range(ROOT_ROUNDS // ROOT_BLOCK):
            if self._watch.over:
                return None
            bound, step = ascend(
                part, price, share, incumbent.target, incumbent.target, step, ROOT_PATIENCE, ROOT_BLOCK
            )
            self._raise(bound)
            self._try(np.empty(0, np.int32), part, share)
            if self.bound >= incumbent.target or step < 1e-3:
                break
        if self.bound < incumbent.target:
            incumbent.wander(WANDER_THEN, self._watch)
        if self._watch.over or self.bound >= incumbent.target:
            return None
        self._short = incumbent.target - self.bound
        self._part = _within_reach(part, np.maximum(REACH * price, second))
        return price

    def _branch(self, root: Node | None) -> None:
        """Split the node of the least bound until none is left."""
        self._open = [] if root is None else [root]
        splits = 0
        while self._open and not self._watch.over:
            node = heapq.heappop(self._open)
            self._raise(node.bound)
            if node.bound >= self._incumbent.target:
                self._open = []
                break
            site = np.array([node.branch], np.int32)
            sides = [(np.append(node.opened, site), node.closed), (node.opened, np.append(node.closed, site))]
            for opened, (open_here, closed_here) in zip((1, 0), sides, strict=True):
                child = self._visit(open_here, closed_here, node.price, node.bound)
                reached = self._incumbent.target if child is None else child.bound
                self._branching.note(node.branch, opened, reached - node.bound)
                if child is not None:
                    heapq.heappush(self._open, child)
            splits += 1
            if splits % NODES_BETWEEN == 0:
                self._incumbent.wander(NODES_BETWEEN, self._watch)
        self._raise(self._open[0].bound if self._open else np.inf)

    def _visit(
        self, opened: NDArray[np.int32], closed: NDArray[np.int32], inherited: NDArray[np.floating], floor: float
    ) -> Node | None:
        """Bound the plans that open and close these sites; return None where none is better than the incumbent."""
        incumbent = self._incumbent
        is_open, is_closed = self._marks(opened, closed)
        part = without(self._part, is_open, is_closed)
        if not 0 <= part.to_open <= part.free.sum():
            return None
        price: Floats = np.minimum(inherited.astype(np.float64), part.miss)
        share = np.zeros(len(part.free))
        bound = float(part.miss.sum())
        if 0 < part.to_open < part.free.sum():
            bound, _ = ascend(part, price, share, incumbent.target, self._aim, NODE_STEP, NODE_PATIENCE, NODE_ROUNDS)
            if bound >= incumbent.target:
                return None
            more_open, more_closed = self._marks()
            settled(part, price, incumbent.target, more_open, more_closed)
            part = without(part, more_open, more_closed)
            price = np.minimum(price, part.miss)
            opened = np.append(opened, np.flatnonzero(more_open).astype(np.int32))
            closed = np.append(closed, np.flatnonzero(more_closed).astype(np.int32))
        if not 0 <= part.to_open <= part.free.sum():
            return None
        one_left = part.to_open in (0, part.free.sum())
        self._visits += 1
        if one_left or self._visits <= TRY_ALL or self._visits % TRY_ONE_IN == 0:
            self._try(opened, part, share)
        if one_left:
            return None
        branch = self._branching.choose(part, price, share, bound, incumbent.target, self._aim)
        self._age += 1
        return Node(max(bound, floor), self._age, opened, closed, price.astype(np.float32), branch)

    @property
    def _aim(self) -> float:
        """Where the prices of a node aim: as far beyond what they are to meet as the root stayed below it."""
        return self._incumbent.target + self._short

    def _try(self, opened: NDArray[np.int32], part: Part, share: Floats) -> None:
        """Try the sites opened with those of the rest that were open most often."""
        free = np.flatnonzero(part.free)
        often = free[np.argsort(-share[free], kind="stable")[: part.to_open]]
        self._incumbent.try_from(np.concatenate([opened.astype(np.int64), often]), self._watch)

    def _raise(self, bound: float) -> None:
        """Note a bound on all plans, and tell of it."""
        incumbent = self._incumbent
        if bound >= incumbent.target:
            bound = incumbent.proven
        self.bound = max(self.bound, bound)
        self._watch.tell(DOING, value=incumbent.total, bound=self.bound)

    def _marks(self, *sites: NDArray[np.int32]) -> list[Mask]:
        """Return a mask of each of the sets of sites, two empty ones without."""
        masks = [np.zeros(len(self._part.free), bool) for _ in sites or (0, 1)]
        for mask, some in zip(masks, sites, strict=False):
            mask[some] = True
        return masks


def _within_reach(part: Part, reach: Floats) -> Part:
    """Drop the sites that cost a demand more than ``reach`` (d,), and let being without one cost no more than that.

    No plan costs more by it, so a bound on what is left is a bound on all.
    """
    miss = np.minimum(part.miss, reach)
    near = part.cost < np.repeat(miss, np.diff(part.ptr))
    before = np.concatenate([[0], np.cumsum(near)])
    return part._replace(ptr=before[part.ptr], site=part.site[near], cost=part.cost[near], miss=miss)
