"""Random patrols over a grid of streets, for comparisons: small ones solved exactly, large ones beside greedy."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from planner.patrol.problem import Crews, PatrolProblem, Services

WALK_MPS, RIDE_MPS, LOOK_MPS = 1.2, 3.5, 0.8
#: Seconds of crew time that one unit of priority outweighs: coverage comes before time.
PER_PRIORITY_S = 10_000.0


def random_patrol(
    seed: int,
    *,
    n: int = 12,
    crews: int = 2,
    stations: int = 1,
    modes: int = 1,
    windows: bool = False,
    side: int = 0,
    share: float = 0.6,
) -> PatrolProblem:
    """Return ``n`` services (streets, one in eight a point) on a grid of ``side`` streets, priorities skewed.

    share : of all work, roughly, that fits into the shifts. One street in four may be done in one direction only. With
    windows, one service in three has hours. Modes, where two, are walking and riding; they take turns.
    """
    rng = np.random.default_rng(seed)
    side = side or max(3, int(np.ceil(np.sqrt(n))))
    ends, metres = _streets(side, rng)
    distance_m = _distances(side * side, ends, metres)
    picked = np.sort(rng.permutation(len(ends))[:n])
    begins = ends[picked].astype(np.int32)
    if len(begins) < n:
        raise ValueError(f"a grid of {side} has only {len(ends)} streets")
    is_point = rng.random(n) < 1 / 8
    begins[is_point, 1] = begins[is_point, 0]
    look_s = np.where(is_point, 120.0, metres[picked] / LOOK_MPS)
    speed = np.array([WALK_MPS, RIDE_MPS])[:modes]
    both_ways = np.repeat(((rng.random(n) < 0.75) | is_point)[None], modes, axis=0)
    priority = np.ceil(rng.pareto(1.2, n) * 5).clip(1, 200)
    at = rng.permutation(side * side)[:stations].astype(np.int32)
    mode = (np.arange(crews) % modes).astype(np.int32)
    base = at[np.arange(crews) % stations]
    work_s = 1.3 * look_s.sum() * share / crews + 2 * distance_m[at].mean() / WALK_MPS
    longest_s = work_s * rng.uniform(0.8, 1.2, crews)
    from_s = 72_000.0 + np.where(np.arange(crews) % 2 == 1, 600.0, 0.0)
    opens_s, closes_s = np.full(n, -np.inf), np.full(n, np.inf)
    if windows:
        timed = rng.random(n) < 1 / 3
        opens_s[timed] = 72_000.0 + rng.uniform(0.0, 0.6, timed.sum()) * work_s
        closes_s[timed] = opens_s[timed] + look_s[timed] + rng.uniform(0.1, 0.4, timed.sum()) * work_s
    return PatrolProblem(
        Services(
            begins, np.ascontiguousarray(begins[:, ::-1]), both_ways, np.repeat(look_s[None], modes, axis=0),
            np.ones(n), priority * PER_PRIORITY_S, opens_s, closes_s,
        ),
        Crews(
            mode, base, base, from_s, from_s + longest_s * 1.1, longest_s, np.zeros(crews), np.zeros(crews),
            np.full(crews, np.inf), np.zeros(crews, np.int32), np.zeros((1, n)),
        ),
        np.stack([distance_m / v for v in speed]).astype(np.float32),
    )  # fmt: skip


def priority_of(problem: PatrolProblem, routes: tuple[np.ndarray, ...]) -> float:
    """Return the priority covered."""
    served = np.concatenate([np.zeros(0, np.int32), *routes])
    return float(problem.services.left_out[served].sum()) / PER_PRIORITY_S


def _streets(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (m, 2) ends and (m,) metres of the streets of a grid."""
    node = np.arange(side * side).reshape(side, side)
    ends = np.concatenate(
        [
            np.column_stack([node[:, :-1].ravel(), node[:, 1:].ravel()]),
            np.column_stack([node[:-1].ravel(), node[1:].ravel()]),
        ]
    )
    return ends, rng.uniform(60.0, 240.0, len(ends))


def _distances(n: int, ends: np.ndarray, metres: np.ndarray) -> np.ndarray:
    return dijkstra(csr_array((metres, (ends[:, 0], ends[:, 1])), shape=(n, n)), directed=False)
