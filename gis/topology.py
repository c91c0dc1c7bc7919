"""Nodes for lines that bring none, and one segment for streets drawn once in each direction."""

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from gis.crossings import Elements, cross_shares, elements_of, nearest_share
from gis.crs import to_metric
from gis.notes import LamplightNote

#: A layer is directed once this share of its edges has a mirror image.
DIRECTED_SHARE = 0.1
#: Metres within which two vertices are one.
_SAME_M = 1e-6

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]


def merge_mirrors(tidy: pd.DataFrame) -> tuple[pd.DataFrame, list[LamplightNote]]:
    """Make one two-way segment of every edge and its mirror image; lone edges of a directed layer become one-way.

    tidy : as from ``tidy_edges``, with u and v. Two edges mirror each other when they join the same nodes in opposite
    directions along the same line, or (edges with no such partner, and not said to be one-way) at the same length to
    the centimetre. The layer is directed when at least ``DIRECTED_SHARE`` of its edges have a mirror image; otherwise
    it is returned as it came. Of a pair the edge with the lower id stays. A lone edge keeps what the one-way column
    says, if there is one.
    """
    u, v, ids = tidy["u"].to_numpy(), tidy["v"].to_numpy(), tidy["segment_id"].to_numpy()
    shapes = tidy["geometry"].to_numpy()
    drawn, mirrored = shapely.to_wkb(shapes), shapely.to_wkb(shapely.reverse(shapes))
    low, high = np.minimum(u, v), np.maximum(u, v)
    loop = u == v
    forward = np.where(loop, drawn < mirrored, u < v)
    pair_of = _pair_off(low, high, pd.factorize(np.where(drawn < mirrored, drawn, mirrored))[0], forward, ids)
    known = tidy["oneway_known"].to_numpy()
    rest = np.flatnonzero((pair_of < 0) & ~loop & ~(known & (tidy["oneway"].to_numpy() != 0)))
    lengths = pd.factorize(np.round(tidy["length_m"].to_numpy()[rest], 2))[0]  # NaN: -1, paired with nothing below
    by_length = _pair_off(low[rest], high[rest], np.where(lengths < 0, -1 - rest, lengths), forward[rest], ids[rest])
    pair_of[rest] = np.where(by_length >= 0, rest[by_length], -1)
    paired = pair_of >= 0
    if not paired.any() or paired.sum() < DIRECTED_SHARE * len(tidy):
        return tidy, []

    merged = tidy.copy()
    lone = ~paired & ~known
    merged["oneway"] = np.where(paired, 0, np.where(lone, 1, tidy["oneway"].to_numpy())).astype(np.int8)
    keep = ~paired | (ids < ids[pair_of])
    zh = f"有向图层：{int(paired.sum()) // 2} 对往返边各合并为一条双向路段，另有 {int(lone.sum())} 条定为单行"
    en = (
        f"directed layer: {int(paired.sum()) // 2} mirrored pairs merged to two-way segments, {int(lone.sum())} one-way"
    )
    return merged[keep].reset_index(drop=True), [LamplightNote(zh, en)]


def _pair_off(low: Positions, high: Positions, key: Positions, forward: NDArray[np.bool_], ids: Positions) -> Positions:
    """Pair forward with backward edges of equal (low, high, key), in order of ids: partner's position or -1."""
    frame = pd.DataFrame({"low": low, "high": high, "key": key, "forward": forward, "id": ids})
    frame = frame.sort_values("id", kind="stable")
    frame["rank"] = frame.groupby(["low", "high", "key", "forward"]).cumcount()
    frame["at"] = frame.index
    on = ["low", "high", "key", "rank"]
    both = frame[frame["forward"]].merge(frame[~frame["forward"]], on=on, suffixes=("", "_back"))
    partner = np.full(len(low), -1, np.int64)
    partner[both["at"]] = both["at_back"]
    partner[both["at_back"]] = both["at"]
    return partner


def split_where_meeting(
    tidy: pd.DataFrame, crs: str, *, snap_tolerance_m: float
) -> tuple[pd.DataFrame, list[LamplightNote]]:
    """Give lines without topology their nodes: split wherever streets meet, and weld ends that nearly touch.

    tidy : as from ``tidy_edges``; crs : its metric system. Lines of one level (bridges and tunnels lie on others) meet
    where they cross or touch, and where an end comes within ``snap_tolerance_m`` of another line. Lines of different
    levels meet only where an end of one comes that near to a vertex of the other. Meetings within the tolerance of one
    another become one node. Pieces welded to nothing are dropped, as are exact repeats; both are counted.

    Returns the pieces with u and v; the first piece of a line keeps its id, later ones are numbered after the highest
    id. A given length is shared out over the pieces.
    """
    lonlat, line = shapely.get_coordinates(tidy["geometry"].to_numpy(), return_index=True)
    xy = np.column_stack(to_metric(lonlat[:, 0], lonlat[:, 1], crs))
    elements = elements_of(xy, line)
    cut_line, cut_along, cut_lonlat = _cuts(elements, xy, lonlat, tidy["level"].to_numpy(), snap_tolerance_m)
    cut_xy = np.column_stack(to_metric(cut_lonlat[:, 0], cut_lonlat[:, 1], crs))
    node, place = _weld(cut_xy, cut_lonlat, snap_tolerance_m)
    vertex_along = np.zeros(len(xy))
    vertex_along[elements.first + 1] = elements.along + elements.length
    pieces = _pieces(tidy, (line, vertex_along, lonlat), (cut_line, cut_along, node), place, snap_tolerance_m)
    return _without_repeats(pieces, len(tidy))


def _cuts(
    elements: Elements, xy: Floats, lonlat: Floats, level: Positions, tolerance_m: float
) -> tuple[Positions, Floats, Floats]:
    """Return every place where a line begins, ends or meets another: (line, metres along it, lonlat)."""
    shapes = elements.shapes()
    tree = shapely.STRtree(shapes)
    e, f = tree.query(shapes)
    e, f = e[e < f], f[e < f]
    neighbours = (elements.line[e] == elements.line[f]) & (f == e + 1)
    e, f = e[~neighbours], f[~neighbours]
    same = level[elements.line[e]] == level[elements.line[f]]
    e, f = e[same], f[same]
    pair, on_e, on_f = cross_shares(elements.start[e], elements.end[e], elements.start[f], elements.end[f])
    at = [np.concatenate([e[pair], f[pair]])]
    share = [np.concatenate([on_e, on_f])]

    first = np.flatnonzero(np.r_[True, elements.line[1:] != elements.line[:-1]])
    last = np.r_[first[1:], len(elements.line)] - 1
    at += [first, last]
    share += [np.zeros(len(first)), np.ones(len(last))]
    tips = np.concatenate([elements.first[first], elements.first[last] + 1])
    tip_line = np.concatenate([elements.line[first], elements.line[last]])
    tip, near = tree.query(shapely.points(xy[tips]), predicate="dwithin", distance=tolerance_m)
    nearest, _ = nearest_share(xy[tips[tip]], elements.start[near], elements.end[near])
    from_vertex_m = np.minimum(nearest, 1 - nearest) * elements.length[near]
    same = level[tip_line[tip]] == level[elements.line[near]]
    # The stretch of its own line that leads to a tip is near it, but meets nothing there.
    tip_along = np.concatenate([np.zeros(len(first)), elements.along[last] + elements.length[last]])[tip]
    apart_m = np.abs(elements.along[near] + nearest * elements.length[near] - tip_along)
    other = (tip_line[tip] != elements.line[near]) | (apart_m > 2 * tolerance_m)
    # A vertex within the tolerance is where the line is cut: two cuts side by side would only be welded again.
    nearest = np.where(from_vertex_m <= tolerance_m, np.round(nearest), nearest)
    meets = other & (same | (from_vertex_m <= tolerance_m))
    at.append(near[meets])
    share.append(nearest[meets])

    where, shares = np.concatenate(at), np.concatenate(share)
    start, end = lonlat[elements.first[where]], lonlat[elements.first[where] + 1]
    place = np.where(shares[:, None] == 1, end, start + shares[:, None] * (end - start))
    return elements.line[where], elements.along[where] + shares * elements.length[where], place


def _weld(xy: Floats, lonlat: Floats, tolerance_m: float) -> tuple[Positions, Floats]:
    """Return the node (k,) of each cut and the nodes' lonlat (n, 2): cuts within the tolerance share a node.

    Nodes are in order of longitude, then latitude; a node stands at its westernmost (then southernmost) cut.
    """
    order = np.lexsort((lonlat[:, 1], lonlat[:, 0]))
    distinct, back = np.unique(lonlat[order], axis=0, return_inverse=True)
    at = np.empty((len(distinct), 2))
    at[back.ravel()] = xy[order]
    near = cKDTree(at).query_pairs(max(tolerance_m, _SAME_M), output_type="ndarray")
    links = coo_array((np.ones(len(near), np.int8), (near[:, 0], near[:, 1])), shape=(len(at), len(at)))
    group = connected_components(links, directed=False)[1]
    _, standing, group = np.unique(group, return_index=True, return_inverse=True)
    node = np.empty(len(xy), np.int64)
    node[order] = group[back.ravel()]
    return node, distinct[standing]


def _pieces(
    tidy: pd.DataFrame,
    vertices: tuple[Positions, Floats, Floats],
    cuts: tuple[Positions, Floats, Positions],
    place: Floats,
    tolerance_m: float,
) -> pd.DataFrame:
    """Cut the lines: one row a piece, drawn from node to node. vertices, cuts : (line, metres along, lonlat/node)."""
    cut_line, cut_along, cut_node = cuts
    order = np.lexsort((cut_node, cut_along, cut_line))
    cut_line, cut_along, cut_node = cut_line[order], cut_along[order], cut_node[order]
    opens = np.flatnonzero(cut_line[1:] == cut_line[:-1])
    metres = cut_along[opens + 1] - cut_along[opens]
    # Two cuts welded to one node make no piece, unless a true loop lies between them.
    opens = opens[(cut_node[opens] != cut_node[opens + 1]) | (metres > 2 * tolerance_m)]
    of, start, end = cut_line[opens], cut_along[opens], cut_along[opens + 1]

    line, along, lonlat = vertices
    base = 2 * (max(along.max(initial=0.0), 1.0) + 1)
    after = np.searchsorted(of * base + start, line * base + along, side="left") - 1
    inside = (after >= 0) & (of[after] == line) & (along - start[after] > _SAME_M) & (end[after] - along > _SAME_M)
    piece = np.concatenate([np.arange(len(of)), after[inside], np.arange(len(of))])
    rank = np.repeat([0, 1, 2], [len(of), inside.sum(), len(of)])
    points = np.concatenate([place[cut_node[opens]], lonlat[inside], place[cut_node[opens + 1]]])
    order = np.lexsort((np.concatenate([start, along[inside], end]), rank, piece))

    pieces = tidy.iloc[of].reset_index(drop=True)
    whole = np.zeros(len(tidy))
    np.maximum.at(whole, line, along)
    pieces["length_m"] *= np.divide(end - start, whole[of], out=np.ones(len(of)), where=whole[of] > 0)
    pieces["u"], pieces["v"] = cut_node[opens], cut_node[opens + 1]
    pieces["geometry"] = shapely.linestrings(points[order], indices=piece[order])
    later = np.flatnonzero(np.r_[False, of[1:] == of[:-1]])
    ids = pieces["segment_id"].to_numpy().copy()
    ids[later] = tidy["segment_id"].max() + 1 + np.arange(len(later))
    pieces["segment_id"] = ids
    return pd.DataFrame(pieces)


def _without_repeats(pieces: pd.DataFrame, lines: int) -> tuple[pd.DataFrame, list[LamplightNote]]:
    """Drop pieces drawn twice in the same direction; say how many lines became how many segments."""
    key = pd.DataFrame({"u": pieces["u"], "v": pieces["v"], "shape": shapely.to_wkb(pieces["geometry"].to_numpy())})
    repeated = key.duplicated()
    zh = f"图层没有拓扑：{lines} 条线在相接处打断为 {int((~repeated).sum())} 条路段"
    en = f"no topology in the layer: {lines} lines split where they meet into {int((~repeated).sum())} segments"
    notes = [LamplightNote(zh, en)]
    if repeated.any():
        zh, en = f"{int(repeated.sum())} 条重复路段已略去", f"{int(repeated.sum())} repeated segments left out"
        notes.append(LamplightNote(zh, en))
    return pieces[~repeated].reset_index(drop=True), notes
