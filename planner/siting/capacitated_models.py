"""What HiGHS is asked in the end: which clusters partition the demand, which of the last sites split demand uses.

The models are parts of a search, whose news they do not tell: their values and bounds are not the search's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array, eye_array, vstack

from planner.milp import Model, solve
from planner.siting.capacitated_kernels import clusters_within
from planner.siting.capacitated_problem import Floats, Ints, Problem
from planner.watch import Watch


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The clusters that a plan below a cutoff may consist of.

    ptr (c + 1,), pair : the pairs of each. site : (c,) positions in the problem's sites. cost : (c,).
    """

    ptr: Ints
    pair: Ints
    site: Ints
    cost: Floats


def clusters_of(
    problem: Problem, price: Floats, worth: Floats, chosen: NDArray[np.bool_], last: float, room: float, most: int
) -> Clusters | None:
    """List all clusters of less reduced cost than ``room``; None if there are more than ``most``."""
    ptr, site, cost = np.zeros(most + 1, np.int64), np.zeros(most, np.int64), np.zeros(most)
    pair = np.zeros(32 * most, np.int64)
    count = clusters_within(
        problem.ptr, problem.demand, problem.cost, problem.need, problem.capacity, price, worth, chosen, last, room,
        most, ptr, pair, site, cost,
    )  # fmt: skip
    if count < 0:
        return None
    return Clusters(ptr[: count + 1], pair[: ptr[count]], site[:count], cost[:count])


def partition(problem: Problem, clusters: Clusters, watch: Watch) -> tuple[tuple[Ints, Ints] | None, float]:
    """Choose clusters that hold every demand once, at the least cost; return the plan and what is proven.

    The plan is (sites (k,) columns, where (d,) position among them or k for left out), None where none was found;
    the bound is ``inf`` where there is none. Source: Lorena & Senne 2004, doi:10.1016/S0305-0548(03)00039-X.
    """
    d, n = len(problem.need), len(clusters.cost)
    if problem.must and len(np.unique(problem.demand[clusters.pair])) < d:
        return None, np.inf
    ones = np.ones(len(clusters.pair))
    holds = csr_array((ones, problem.demand[clusters.pair], clusters.ptr), shape=(n, d)).T
    at = csr_array((np.ones(n), (clusters.site, np.arange(n))), shape=(problem.n_sites, n))
    new = csr_array((~problem.open[clusters.site]).astype(float)[None, :])
    left_out = 0 if problem.must else d
    out = eye_array(d, format="csr")[:, :left_out]
    matrix = block_array([[holds, out], [vstack([at, new]), csr_array((problem.n_sites + 1, left_out))]], format="csc")
    model = Model(
        np.concatenate([clusters.cost, problem.without[:left_out]]),
        np.zeros(n + left_out),
        np.ones(n + left_out),
        matrix,
        np.concatenate([np.ones(d), np.zeros(problem.n_sites + 1)]),
        np.concatenate([np.ones(d), np.ones(problem.n_sites), [problem.places]]),
        np.ones(n + left_out, bool),
    )
    solved = solve(model, _silent(watch), doing="partition")
    if solved.infeasible:
        return None, np.inf
    if solved.x is None:
        return None, solved.bound
    taken = np.flatnonzero(solved.x[:n] > 0.5)
    sites = problem.site[clusters.site[taken]]
    where = np.full(d, len(sites), np.int64)
    for k, cluster in enumerate(taken):
        where[problem.demand[clusters.pair[clusters.ptr[cluster] : clusters.ptr[cluster + 1]]]] = k
    return (sites, where), solved.bound


def split_sites(problem: Problem, watch: Watch) -> tuple[Ints | None, float]:
    """Choose the sites over which demand is split at the least cost; return their columns and what is proven.

    None where no plan was found; the bound is ``inf`` where there is none.
    """
    n, s = len(problem.cost), problem.n_sites
    d, site = len(problem.need), problem.pair_site
    new = np.flatnonzero(~problem.open)
    pairs = np.arange(n)
    load = problem.need[problem.demand]
    most = np.minimum(problem.capacity, np.bincount(site, load, s))
    holds = csr_array((np.ones(n), (problem.demand, pairs)), shape=(d, n))
    loads = csr_array((load, (site, pairs)), shape=(s, n))
    column = np.full(s, -1)
    column[new] = np.arange(len(new))
    limits = csr_array((-most[new], (new, np.arange(len(new)))), shape=(s, len(new)))
    tied = np.flatnonzero(~problem.open[site])
    rows = np.arange(len(tied))
    serves = csr_array((np.ones(len(tied)), (rows, tied)), shape=(len(tied), n))
    opens = csr_array((-np.ones(len(tied)), (rows, column[site[tied]])), shape=(len(tied), len(new)))
    matrix = block_array(
        [[holds, None], [loads, limits], [serves, opens], [None, csr_array(np.ones((1, len(new))))]], format="csc"
    )
    saved = problem.cost if problem.must else problem.cost - problem.without[problem.demand]
    model = Model(
        np.concatenate([saved, np.zeros(len(new))]),
        np.zeros(n + len(new)),
        np.ones(n + len(new)),
        matrix,
        np.concatenate([np.full(d, 1.0 if problem.must else 0.0), np.full(s + len(tied) + 1, -np.inf)]),
        np.concatenate([np.ones(d), np.where(problem.open, most, 0.0), np.zeros(len(tied)), [problem.places]]),
        np.concatenate([np.zeros(n, bool), np.ones(len(new), bool)]),
    )
    solved = solve(model, _silent(watch), doing="split")
    if solved.infeasible:
        return None, np.inf
    bound = solved.bound + (0.0 if problem.must else float(problem.without.sum()))
    if solved.x is None:
        return None, bound
    chosen = problem.open.copy()
    chosen[new] = solved.x[n:] > 0.5
    return np.sort(problem.site[chosen]), bound


def _silent(watch: Watch) -> Watch:
    """Return a watch that ends with ``watch`` and tells nobody."""
    return Watch(cancelled=lambda: watch.over)
