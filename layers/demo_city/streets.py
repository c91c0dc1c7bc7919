"""The demo city's streets: edges of the plan's lattice, joined into segments between junctions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from layers.demo_city.plan import (
    FOOTWAY,
    LIVING,
    PARK,
    RESIDENTIAL,
    SECONDARY,
    SERVICE,
    TERTIARY,
    WATER,
    Ints,
    Plan,
)
from layers.demo_city.recipe import PlanRecipe, SizeRecipe

CLASSES = ("primary", "secondary", "tertiary", "residential", "living_street", "service", "footway")
#: Line numbers below zero: streets of the plan have a line, paths inside blocks have none.
NO_LINE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Lattice edges that carry a street. tail, head : (e,) flat lattice nodes. line : (e,) the named street or -1.

    rank : (e,) PRIMARY .. FOOTWAY. bridge : (e,) number of the bridge the edge is part of, or -1.
    """

    tail: Ints
    head: Ints
    line: Ints
    rank: Ints
    bridge: Ints

    def __len__(self) -> int:
        return len(self.tail)

    def take(self, which: NDArray[np.bool_] | Ints) -> "Edges":
        """Return the edges ``which``, a mask or positions."""
        return Edges(self.tail[which], self.head[which], self.line[which], self.rank[which], self.bridge[which])


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Segments as runs of lattice nodes. node : all runs one after the other; start : (s + 1,) where each begins.

    line, rank, bridge : (s,) as of the edges. edge_chain : (e,) the run each edge went into.
    river_bridges : bridges numbered below this cross the river, the others the stream.
    """

    node: Ints
    start: Ints
    line: Ints
    rank: Ints
    bridge: Ints
    edge_chain: Ints
    river_bridges: int

    def __len__(self) -> int:
        return len(self.line)


def lay_streets(plan: Plan, size: SizeRecipe, recipe: PlanRecipe, rng: np.random.Generator) -> Chains:
    """Lay streets on the plan's lattice: lines, paths inside blocks, bridges; one connected whole."""
    edges = _line_edges(plan)
    edges, river_bridges = _bridge_water(edges, plan, size)
    edges = _join(edges, _paths_inside(plan, recipe, rng), plan)
    edges = _largest_part(edges)
    chains = chain_edges(edges)
    edges = edges.take(~_left_out(chains, plan, recipe, rng)[chains.edge_chain])
    return chain_edges(_largest_part(edges), river_bridges)


def _line_edges(plan: Plan) -> Edges:
    """Cut lines into lattice edges, where the city lies on both sides."""
    lines = plan.lines
    count = lines.end - lines.start
    line = np.repeat(np.arange(len(lines)), count)
    step = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count) + lines.start[line]
    along, at = lines.along_x[line], lines.at[line]
    row, column = np.where(along, at, step), np.where(along, step, at)
    width = plan.columns + 1
    tail = row * width + column
    head = tail + np.where(along, 1, width)
    padded = np.pad(plan.block_at, 1, constant_values=-1)
    here = padded[row + 1, column + 1]
    other = np.where(along, padded[row, column + 1], padded[row + 1, column])
    inner = (here >= 0) & (other >= 0) & (here != other)
    # stretches of one street under one name count as one line, so that a segment may run on from one into the next
    late = lines.start + lines.end >= plan.columns
    _, first, stretch = np.unique(
        np.column_stack([lines.street, lines.rank, late]), axis=0, return_index=True, return_inverse=True
    )
    line = first[stretch.reshape(-1)][line]
    edges = Edges(tail, head, line, lines.rank[line], np.full(len(line), -1)).take(inner)
    order = np.lexsort((edges.rank, edges.head, edges.tail))
    edges = edges.take(order)
    first = np.ones(len(edges), bool)
    first[1:] = (np.diff(edges.tail) != 0) | (np.diff(edges.head) != 0)
    return edges.take(first)


def _bridge_water(edges: Edges, plan: Plan, size: SizeRecipe) -> tuple[Edges, int]:
    """Take away what lies in the water, but for a few river bridges (counted) and arterials across the stream."""
    width = plan.columns + 1
    row, column = edges.tail // width, edges.tail % width
    level = edges.head - edges.tail == 1
    in_river = ~level & (row >= plan.river_row - 1) & (row <= plan.river_row)
    in_river |= level & (row == plan.river_row)
    in_stream = (level & (column >= plan.stream_column - 1) & (column <= plan.stream_column)) | (
        ~level & (column == plan.stream_column)
    )
    in_stream &= (row > plan.river_row) & ~in_river
    bridge = np.full(len(edges), -1)

    whole = in_river & ~level
    columns, halves = np.unique(column[whole], return_counts=True)
    rank = np.array([edges.rank[whole & (column == c)].min(initial=SERVICE) for c in columns])
    ready = columns[(halves == 2) & (rank <= SECONDARY) & (np.abs(columns - plan.stream_column) > 3)]
    chosen = ready[_spread(len(ready), size.river_bridges)]
    on_bridge = whole & np.isin(column, chosen)
    bridge[on_bridge] = np.searchsorted(chosen, column[on_bridge])

    across = in_stream & level
    rows, halves = np.unique(row[across & (edges.rank <= TERTIARY)], return_counts=True)
    rows = rows[halves == 2]
    on_bridge = across & np.isin(row, rows)
    bridge[on_bridge] = len(chosen) + np.searchsorted(rows, row[on_bridge])
    line = edges.line.copy()
    line[bridge >= 0] = _first_of(bridge, edges.line)[bridge[bridge >= 0]]
    kept = ~(in_river | in_stream) | (bridge >= 0)
    return Edges(edges.tail, edges.head, line, edges.rank, bridge).take(kept), len(chosen)


def _first_of(bridge: Ints, line: Ints) -> Ints:
    """Return the lowest line on each bridge, so that its two halves are one segment."""
    lowest = np.full(int(bridge.max(initial=-1)) + 1, int(line.max(initial=0)))
    np.minimum.at(lowest, bridge[bridge >= 0], line[bridge >= 0])
    return lowest


def _spread(available: int, wanted: int) -> Ints:
    """Return up to ``wanted`` positions spread evenly over ``available``."""
    wanted = min(wanted, available)
    return ((np.arange(wanted) + 0.5) * available / max(wanted, 1)).astype(np.int64)


def _paths_inside(plan: Plan, recipe: PlanRecipe, rng: np.random.Generator) -> Edges:
    """Lay dead ends, footpaths through blocks and the paths of parks."""
    w, h = plan.x1 - plan.x0, plan.y1 - plan.y0
    roomy = (w >= 2) & (h >= 2) & (plan.use != WATER)
    runs: list[Ints] = []  # columns: row, column, d_row, d_column, count, rank
    for _ in range(2):
        block = np.flatnonzero(roomy & (plan.use != PARK) & (rng.random(len(w)) < recipe.dead_end_share))
        runs.append(_stubs(plan, block, np.full(len(block), RESIDENTIAL), False, rng))
    block = np.flatnonzero(roomy & (plan.use != PARK) & (rng.random(len(w)) < recipe.footpath_share))
    runs.append(_stubs(plan, block, np.full(len(block), FOOTWAY), True, rng))
    block = np.flatnonzero(roomy & (plan.use == PARK))
    for _ in range(3):
        runs.append(_stubs(plan, block, np.full(len(block), FOOTWAY), True, rng))
    runs.append(_park_diagonals(plan, rng))
    run = np.concatenate(runs)
    owner = np.repeat(np.arange(len(run)), run[:, 4])
    step = np.arange(len(owner)) - np.repeat(np.cumsum(run[:, 4]) - run[:, 4], run[:, 4])
    row, column = run[owner, 0] + step * run[owner, 2], run[owner, 1] + step * run[owner, 3]
    width = plan.columns + 1
    here = row * width + column
    there = (row + run[owner, 2]) * width + column + run[owner, 3]
    none = np.full(len(owner), NO_LINE)
    return Edges(np.minimum(here, there), np.maximum(here, there), none, run[owner, 5], none)


def _stubs(plan: Plan, block: Ints, rank: Ints, through: bool, rng: np.random.Generator) -> Ints:
    """Return one run per block from a point of its rim inwards, or right ``through``."""
    upright = rng.random(len(block)) < 0.5
    x0, x1, y0, y1 = plan.x0[block], plan.x1[block], plan.y0[block], plan.y1[block]
    wide = np.where(upright, x1 - x0, y1 - y0)
    deep = np.where(upright, y1 - y0, x1 - x0)
    at = 1 + (rng.random(len(block)) * (wide - 1)).astype(np.int64)
    count = deep if through else 1 + (rng.random(len(block)) * (deep - 1)).astype(np.int64)
    far = (rng.random(len(block)) < 0.5) & (not through)
    begin, sign = np.where(far, deep, 0), np.where(far, -1, 1)
    row = np.where(upright, y0 + begin, y0 + at)
    column = np.where(upright, x0 + at, x0 + begin)
    return np.column_stack([row, column, np.where(upright, sign, 0), np.where(upright, 0, sign), count, rank])


def _park_diagonals(plan: Plan, rng: np.random.Generator) -> Ints:
    block = plan.block_at
    park = plan.use[block] == PARK
    row, column = np.nonzero(park & (rng.random(block.shape) < 0.35))
    falling = rng.random(len(row)) < 0.5
    one = np.ones_like(row)
    return np.column_stack(
        [np.where(falling, row + 1, row), column, np.where(falling, -1, 1), one, one, np.full(len(row), FOOTWAY)]
    )


def _join(streets: Edges, paths: Edges, plan: Plan) -> Edges:
    """Put paths beside streets; where both lie on one edge the street stays."""
    every = Edges(
        *(
            np.concatenate([a, b])
            for a, b in (
                (streets.tail, paths.tail),
                (streets.head, paths.head),
                (streets.line, paths.line),
                (streets.rank, paths.rank),
                (streets.bridge, paths.bridge),
            )
        )
    )
    key = every.tail * (plan.columns + 1) ** 2 + every.head
    _, first = np.unique(key, return_index=True)
    return every.take(np.sort(first))


def _largest_part(edges: Edges) -> Edges:
    nodes, flat = np.unique(np.concatenate([edges.tail, edges.head]), return_inverse=True)
    tail, head = flat[: len(edges)], flat[len(edges) :]
    graph = coo_array((np.ones(len(edges), np.int8), (tail, head)), shape=(len(nodes), len(nodes)))
    _, part = connected_components(graph, directed=False)
    return edges.take(part[tail] == np.bincount(part).argmax())


def _left_out(chains: Chains, plan: Plan, recipe: PlanRecipe, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose minor segments to leave out, more of them towards the edge of the city."""
    middle = chains.node[(chains.start[:-1] + chains.start[1:]) // 2]
    width = plan.columns + 1
    block = plan.block_at[np.minimum(middle // width, width - 2), np.minimum(middle % width, width - 2)]
    density = plan.density[block]
    low, high = recipe.missing_minor
    minor = (chains.rank >= RESIDENTIAL) & (chains.rank <= LIVING) & (chains.bridge < 0)
    return np.asarray(minor & (rng.random(len(chains)) < low + (high - low) * (1 - density)))


def chain_edges(edges: Edges, river_bridges: int = 0) -> Chains:
    """Join edges into runs that end only at junctions, dead ends and where the street changes.

    Runs are ordered by their first edge. Works by pointer doubling over arcs: an arc that arrives at a plain bend
    leads on to the arc that leaves it. No ring without a junction may be among the edges.
    """
    m = len(edges)
    tail = np.concatenate([edges.tail, edges.head])
    order = np.argsort(tail, kind="stable")
    _, begin, degree = np.unique(tail[order], return_index=True, return_counts=True)
    one, two = order[begin[degree == 2]], order[begin[degree == 2] + 1]
    a, b = one % m, two % m
    same = (edges.line[a] == edges.line[b]) & (edges.rank[a] == edges.rank[b]) & (edges.bridge[a] == edges.bridge[b])
    one, two = one[same], two[same]
    arcs = np.arange(2 * m)
    last = arcs.copy()
    last[(one + m) % (2 * m)] = two
    last[(two + m) % (2 * m)] = one
    ahead = (last != arcs).astype(np.int64)
    while True:
        further = last[last]
        if (further == last).all():
            break
        ahead, last = ahead + ahead[last], further
    first_of = np.full(2 * m, -1)
    starts = np.ones(2 * m, bool)
    starts[two] = starts[one] = False
    first_of[last[starts]] = arcs[starts]
    kept = first_of[last] < (last + m) % (2 * m)  # of each run and its mirror image keep one
    kept |= (first_of[last] == arcs) & (last == arcs) & (arcs < m)
    arc = arcs[kept]
    arc = arc[np.lexsort((-ahead[arc], first_of[last[arc]]))]
    heading = np.flatnonzero(starts[arc])
    length = np.diff(np.append(heading, len(arc)))
    start = np.concatenate([[0], np.cumsum(length + 1)])
    node = np.empty(start[-1], np.int64)
    node[start[:-1]] = tail[arc[heading]]
    inner = np.ones(len(node), bool)
    inner[start[:-1]] = False
    node[inner] = tail[(arc + m) % (2 * m)]
    edge_chain = np.empty(m, np.int64)
    edge_chain[arc % m] = np.repeat(np.arange(len(length)), length)
    lead = arc[heading] % m
    return Chains(node, start, edges.line[lead], edges.rank[lead], edges.bridge[lead], edge_chain, river_bridges)
