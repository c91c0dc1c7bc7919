"""Branch and bound for sites with capacities: Lagrangian bounds, what they rule out, and small models at the leaves.

The assignment rows are relaxed (every demand once), which leaves a knapsack a site. The bound is that of the
partition into clusters where demands are whole, and that of the linear relaxation where they may be split.
Source: Ceselli & Righini 2005, doi:10.1002/net.20059; Diaz & Fernandez 2006, doi:10.1016/j.ejor.2004.10.016.
"""

import heapq
import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.siting.capacitated_incumbent import Incumbent
from planner.siting.capacitated_kernels import ascend, relax, rule_out
from planner.siting.capacitated_models import clusters_of, partition, split_sites
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.watch import Watch

#: Steps of the relaxation: a first few, at the root, at every other node, and between two looks at the watch.
FIRST_ROUNDS, ROOT_ROUNDS, NODE_ROUNDS, LOOK_ROUNDS = 50, 1500, 100, 10
#: Work of one look, in pairs: what a kernel does before the watch is asked again.
LOOK_PAIRS = 20_000_000
#: Random swaps of sites tried once the root is bounded.
SHAKES = 500
#: Clusters and pairs up to which a node is handed to HiGHS.
MOST_CLUSTERS, MOST_PAIRS = 3000, 20_000
#: Ways of splitting a node that are tried, and the steps of the relaxation each trial takes.
TRIAL_WAYS, TRIAL_ROUNDS = 10, 30


@dataclass(slots=True, eq=False)
class Relaxed:
    """A relaxation at its best prices.

    bound : no plan of this problem is better. price : (d,). mean : (pairs,) near the relaxed optimum.
    worth, chosen : (s,) what each site gives back, and the best of them. last, next : the least worth chosen among
    those not open, the most left out.
    """

    bound: float
    price: Floats
    mean: Floats
    worth: Floats
    chosen: NDArray[np.bool_]
    last: float
    next: float


def search(problem: Problem, incumbent: Incumbent, watch: Watch, rng: np.random.Generator) -> float:
    """Improve ``incumbent`` until it is proven best or the watch is over; return a bound on every plan."""
    order, price = itertools.count(), first_prices(problem)
    first = _relaxation(problem, price)
    incumbent.offer(np.flatnonzero(first.chosen))  # so that there is a plan, however short the time
    incumbent.offer(greedy_sites(problem, watch))
    heap: list[tuple[float, int, Problem, Floats, int]] = [(first.bound, next(order), problem, price, ROOT_ROUNDS)]
    proven_apart = np.inf  # the least bound of the nodes HiGHS solved
    while heap and not watch.over:
        bound, _, node, price, rounds = heapq.heappop(heap)
        if bound >= cutoff(incumbent):
            return min(proven_apart, incumbent.value)
        incumbent.tell(watch, "branch", bound)
        if rounds == ROOT_ROUNDS:  # a short run and a good plan first: what they rule out makes the rest quick
            node, relaxed = tighten(node, price, FIRST_ROUNDS, incumbent, watch)
            incumbent.shake(rng, SHAKES, watch)
            node, relaxed = _without_the_ruled_out(node, relaxed, cutoff(incumbent))
            price = relaxed.price
        node, relaxed = tighten(node, price, rounds, incumbent, watch)
        if rounds == ROOT_ROUNDS:
            incumbent.shake(rng, SHAKES, watch)
            node, relaxed = tighten(node, relaxed.price, NODE_ROUNDS, incumbent, watch)
            if node.whole:
                node, relaxed = narrow(node, relaxed, incumbent, watch)
        relaxed.bound = max(relaxed.bound, bound)
        if relaxed.bound >= cutoff(incumbent):
            continue
        if watch.over:
            heapq.heappush(heap, (relaxed.bound, next(order), node, relaxed.price, NODE_ROUNDS))
            break
        solved, proven = finish(node, relaxed, incumbent, watch)
        if solved:
            proven = max(relaxed.bound, proven)
            if proven < cutoff(incumbent):  # cut short, or done to the solver's tolerance: no more is proven of it
                proven_apart = min(proven_apart, proven)
            continue
        for child, at in branches(node, relaxed, incumbent, watch):
            heapq.heappush(heap, (max(at.bound, relaxed.bound), next(order), child, at.price, NODE_ROUNDS))
    return min(proven_apart, lowest(heap, incumbent))


def lowest(heap: list[tuple[float, int, Problem, Floats, int]], incumbent: Incumbent) -> float:
    """Return the bound over all open nodes; the incumbent's own value where none could hold better."""
    return min([incumbent.value, *(bound for bound, *_ in heap if bound < cutoff(incumbent))])


def cutoff(incumbent: Incumbent) -> float:
    """Return the bound from which no plan is better than the incumbent."""
    if incumbent.value == np.inf:
        return np.inf
    if incumbent.step:
        return incumbent.value - incumbent.step + 1e-6
    return incumbent.value - 1e-7 * abs(incumbent.value)


def first_prices(problem: Problem) -> Floats:
    """Return for each demand its cost at about as many sites as a plan leaves one open of."""
    d = len(problem.need)
    rank = int(np.ceil(problem.n_sites / max(problem.places + int(problem.open.sum()), 1)))
    order = np.lexsort((problem.cost, problem.demand))
    count = np.bincount(problem.demand, minlength=d)
    first = np.concatenate([[0], np.cumsum(count)])[:-1]
    price = problem.without.copy()
    far = count >= rank
    price[far] = np.minimum(price[far], problem.cost[order][(first + rank - 1)[far]])
    return price


def greedy_sites(problem: Problem, watch: Watch) -> Ints:
    """Return the open sites and ``places`` more, each serving what is left at the most saving."""
    left = np.ones(len(problem.need))
    chosen = problem.open.copy()
    for new in range(1 + problem.places):
        if watch.over:
            break
        alone = replace(
            problem, open=problem.open & (new == 0), places=min(new, 1), need=problem.need * left,
            without=problem.without * left, cost=problem.cost * left[problem.demand],
        )  # fmt: skip
        step = _relaxation(alone, alone.without)
        left = np.clip(left * (1.0 - np.bincount(problem.demand, step.mean, len(left))), 0.0, 1.0)
        chosen |= step.chosen
    return np.flatnonzero(chosen)


def tighten(
    problem: Problem, price: Floats, rounds: int, incumbent: Incumbent, watch: Watch, *, offers: bool = True
) -> tuple[Problem, Relaxed]:
    """Bound a node, try the sites it suggests, and take out what no better plan holds."""
    relaxed = _relaxation(problem, price)
    state = np.array([relaxed.bound, 1.0, 0.0])
    direction = np.empty(len(price))
    exact = np.empty(problem.n_sites, bool)
    taken = np.zeros(len(problem.demand))
    look = max(1, min(LOOK_ROUNDS, LOOK_PAIRS // max(len(problem.demand), 1)))
    before = -np.inf
    for _ in range(0, rounds, look):
        if watch.over:
            break
        aim = min(incumbent.value, state[0] + 0.1 * max(abs(state[0]), 1.0))
        done = ascend(
            problem.ptr, problem.demand, problem.cost, problem.need, problem.without, problem.capacity, problem.open,
            problem.places, problem.whole, relaxed.price, relaxed.mean, direction, state, aim, look,
            cutoff(incumbent), relaxed.worth, exact, taken, relaxed.chosen,
        )  # fmt: skip
        if state[0] > before:
            before = state[0]
            if offers:
                incumbent.offer(np.sort(problem.site[relaxed.chosen]))
        if offers:
            incumbent.tell(watch, "bound", state[0] if rounds == ROOT_ROUNDS else np.nan)
        if done < look or state[0] >= cutoff(incumbent):
            break
    mean = relaxed.mean
    relaxed = _relaxation(problem, relaxed.price)
    relaxed.mean = mean
    return _without_the_ruled_out(problem, relaxed, cutoff(incumbent))


def _relaxation(problem: Problem, price: Floats) -> Relaxed:
    s = problem.n_sites
    worth, exact, chosen = np.empty(s), np.empty(s, bool), np.empty(s, bool)
    taken = np.zeros(len(problem.demand))
    price = np.clip(price, 0.0, problem.without)
    bound, last, after = relax(
        problem.ptr, problem.demand, problem.cost, problem.need, problem.without, problem.capacity, problem.open,
        problem.places, problem.whole, price, worth, exact, taken, chosen,
    )  # fmt: skip
    mean = np.where(chosen[problem.pair_site], taken, 0.0)
    return Relaxed(bound, price, mean, worth, chosen, last, after)


def _without_the_ruled_out(problem: Problem, relaxed: Relaxed, limit: float) -> tuple[Problem, Relaxed]:
    room = limit - relaxed.bound
    keep = np.ones(len(problem.demand), bool)
    if np.isfinite(room):
        rule_out(
            problem.ptr, problem.demand, problem.cost, problem.need, problem.capacity, problem.whole, relaxed.price,
            relaxed.worth, relaxed.chosen, relaxed.last, room, keep,
        )  # fmt: skip
    opened = problem.open | (relaxed.chosen & (relaxed.worth - relaxed.next >= room))
    return _reduced(problem, relaxed, keep, opened)


def _reduced(
    problem: Problem, relaxed: Relaxed, keep: NDArray[np.bool_], opened: NDArray[np.bool_]
) -> tuple[Problem, Relaxed]:
    """Return problem and relaxation without sites that serve nobody, or for which no place is left."""
    used = np.zeros(problem.n_sites, bool)
    used[problem.pair_site[keep]] = True
    closed = ~opened & ~used
    if problem.places <= int((opened & ~problem.open).sum()):
        closed = ~opened
    stays = keep & ~closed[problem.pair_site]
    smaller = problem.only(keep, closed, opened)
    mean = relaxed.mean[stays]
    relaxed = Relaxed(
        relaxed.bound, relaxed.price, mean, relaxed.worth[~closed], relaxed.chosen[~closed], relaxed.last, relaxed.next
    )
    return smaller, relaxed


def finish(problem: Problem, relaxed: Relaxed, incumbent: Incumbent, watch: Watch) -> tuple[bool, float]:
    """Solve a small enough node; return whether it was, and what is proven of it."""
    if not problem.whole:
        if int((~problem.open).sum()) <= problem.places:
            sites = np.sort(problem.site)
            incumbent.ship(sites)
            return True, np.inf
        if len(problem.demand) > MOST_PAIRS:
            return False, relaxed.bound
        chosen, bound = split_sites(problem, watch)
        if chosen is not None:
            incumbent.ship(chosen)
        return True, bound
    at_best = _relaxation(problem, relaxed.price)
    room = cutoff(incumbent) - at_best.bound
    if not np.isfinite(room):
        return False, relaxed.bound
    clusters = clusters_of(
        problem, at_best.price, at_best.worth, at_best.chosen, at_best.last, room, MOST_CLUSTERS
    )  # fmt: skip
    if clusters is None:
        return False, relaxed.bound
    plan, bound = partition(problem, clusters, watch)
    if plan is not None:
        incumbent.keep(*plan)
    return True, bound


def narrow(problem: Problem, relaxed: Relaxed, incumbent: Incumbent, watch: Watch) -> tuple[Problem, Relaxed]:
    """Look for a better plan among the clusters of least reduced cost, as long as that gives one."""
    while not watch.over and relaxed.bound < cutoff(incumbent):
        at_best = _relaxation(problem, relaxed.price)
        room = cutoff(incumbent) - at_best.bound
        clusters = None
        for _ in range(20):
            clusters = clusters_of(
                problem, at_best.price, at_best.worth, at_best.chosen, at_best.last, room, 3 * MOST_CLUSTERS
            )
            if clusters is not None:
                break
            room /= 1.5
        if clusters is None:
            break
        before = incumbent.value
        plan, bound = partition(problem, clusters, watch)
        if plan is not None:
            incumbent.keep(*plan)
        # a better plan with any other cluster costs at least the bound and the room
        relaxed.bound = max(relaxed.bound, min(bound, at_best.bound + room))
        if incumbent.value >= before:
            break
        problem, relaxed = tighten(problem, relaxed.price, NODE_ROUNDS, incumbent, watch)
    return problem, relaxed


def branches(problem: Problem, relaxed: Relaxed, incumbent: Incumbent, watch: Watch) -> list[tuple[Problem, Relaxed]]:
    """Split a node in two where that raises both bounds most, of a few ways tried; one part where the other is done.

    With and without one of the least decided sites, or by where one of the least decided demands goes.
    """
    best: list[tuple[Problem, Relaxed]] = []
    most = -1.0
    for ways in _by_site(problem, relaxed) or _by_demand(problem, relaxed):
        parts = []
        for part in ways:
            parts.append(tighten(part, relaxed.price, TRIAL_ROUNDS, incumbent, watch, offers=False))
        alive = [(part, r) for part, r in parts if r.bound < cutoff(incumbent)]
        if len(alive) < 2 or watch.over:
            return alive if len(alive) < 2 else parts
        gains = [max(r.bound - relaxed.bound, 1e-6) for _, r in parts]
        if gains[0] * gains[1] > most:
            best, most = parts, gains[0] * gains[1]
    return best


def _by_site(problem: Problem, relaxed: Relaxed) -> list[list[Problem]]:
    """Return ways to split a node by a site: with it, without it."""
    if int((~problem.open).sum()) <= problem.places and problem.whole:
        return []
    every = np.ones(len(problem.demand), bool)
    none = np.zeros(problem.n_sites, bool)
    share = np.zeros(problem.n_sites)
    np.maximum.at(share, problem.pair_site, relaxed.mean)
    doubt = np.where(problem.open, -1.0, np.minimum(share, 1.0 - share))
    ways = []
    for j in np.argsort(-doubt, kind="stable")[:TRIAL_WAYS]:
        if doubt[j] < 0.0:
            break
        this = none.copy()
        this[j] = True
        ways.append([problem.only(every, none, this), problem.only(every, this, none)])
    return ways


def _by_demand(problem: Problem, relaxed: Relaxed) -> list[list[Problem]]:
    """Return ways to split a node by a demand: to one half of its sites, to the other."""
    if not problem.whole:
        return []
    d = len(problem.need)
    none = np.zeros(problem.n_sites, bool)
    squares = np.bincount(problem.demand, relaxed.mean**2, d)
    several = np.bincount(problem.demand, minlength=d) > 1
    ways = []
    for i in np.argsort(np.where(several, squares, np.inf), kind="stable")[:TRIAL_WAYS]:
        if not several[i]:
            break
        pairs = np.flatnonzero(problem.demand == i)
        pairs = pairs[np.argsort(-relaxed.mean[pairs], kind="stable")]
        way = []
        for gone in (pairs[::2], pairs[1::2]):
            keep = np.ones(len(problem.demand), bool)
            keep[gone] = False
            way.append(problem.only(keep, none, none))
        ways.append(way)
    return ways
