"""Zones of the scan statistic: circles, ellipses and balls along streets, grown from a centre place by place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from gis.errors import QuestionError

#: Radius of the Earth in SaTScan, kilometres.
EARTH_KM = 6367.0
#: Length over width of the ellipses scanned besides the circle, and how many angles each (SaTScan's own).
SHAPES: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0, 5.0)
ANGLES: tuple[int, ...] = (4, 6, 9, 12, 15)
#: Exponent of (4 shape / (shape + 1)^2), by which a ratio is multiplied.
PENALTIES = {"none": 0.0, "medium": 0.5, "strong": 1.0}
#: Distances that differ by less than this share are equal.
EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class Windows:
    """R families of zones: zone k of row r is the places ``place[indptr[r]:k + 1]``, of radius ``distance[k]``.

    indptr : (R + 1,) int64. place : (m,) int32. distance : (m,), not falling within a row; of an ellipse, its shorter
    half axis. judged : (m,) False where no zone ends (the next place stands at the same spot). centre : (R,) place or
    -1. shape, angle : (R,) length over width, radians of the longer axis against x. penalty : (R,) in (0, 1].
    """

    indptr: NDArray[np.int64]
    place: NDArray[np.int32]
    distance: NDArray[np.float64]
    judged: NDArray[np.bool_]
    centre: NDArray[np.int32]
    shape: NDArray[np.float64]
    angle: NDArray[np.float64]
    penalty: NDArray[np.float64]

    def row_of(self) -> NDArray[np.int64]:
        """Return (m,) the row of each entry."""
        return np.repeat(np.arange(len(self.centre)), np.diff(self.indptr))


def circles(
    x: NDArray[np.float64], y: NDArray[np.float64], *, geographic: bool = False, max_radius: float = np.inf
) -> Windows:
    """Return circles about every place, growing by one place at a time up to ``max_radius``.

    x, y : (n,) metres, and radii in metres; or, ``geographic``, degrees of longitude and latitude, and radii in
    kilometres of great circle. Of places equally far the one of lesser x, then y, then number comes first.
    """
    if not geographic:
        return _grown(np.column_stack([x, y]), x, y, max_radius)
    lon, lat = np.radians(x), np.radians(y)
    spot = EARTH_KM * np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    chord = 2 * EARTH_KM * np.sin(min(max_radius / (2 * EARTH_KM), np.pi / 2))
    windows = _grown(spot, x, y, chord)
    arc = 2 * EARTH_KM * np.arcsin(np.minimum(windows.distance / (2 * EARTH_KM), 1.0))
    return replace(windows, distance=arc)


def ellipses(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    shapes: Sequence[float] = SHAPES,
    angles: Sequence[int] = ANGLES,
    penalty: str = "medium",
    max_radius: float = np.inf,
) -> Windows:
    """Return circles and ellipses about every place, of each shape at evenly spaced angles.

    x, y : (n,) metres. ``max_radius`` bounds the shorter half axis. Raises QuestionError on a shape below 1 or an
    unknown penalty. Source: Kulldorff, Huang, Pickle & Duczmal 2006, doi:10.1002/sim.2490.
    """
    if len(shapes) != len(angles) or min(shapes, default=1.0) < 1.0 or min(angles, default=1) < 1:
        raise QuestionError(
            f"椭圆的长宽比须不小于 1，且各有角度数，收到 {list(shapes)}、{list(angles)}",
            f"ellipses need shapes of at least 1 and a number of angles each, not {list(shapes)}, {list(angles)}",
        )
    if penalty not in PENALTIES:
        raise QuestionError(f"没有这种狭长惩罚：{penalty}", f"no such non-compactness penalty: {penalty}")
    families = [circles(x, y, max_radius=max_radius)]
    for shape, count in zip(shapes, angles, strict=True):
        factor = (4.0 * shape / (shape + 1.0) ** 2) ** PENALTIES[penalty]
        for angle in np.pi * np.arange(count) / count:
            along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            family = _grown(np.column_stack([along / shape, across]), x, y, max_radius)
            rows = len(family.centre)
            families.append(
                replace(family, shape=np.full(rows, shape), angle=np.full(rows, angle), penalty=np.full(rows, factor))
            )
    return _joined(families)


def balls(
    indptr: NDArray[np.int64], place: NDArray[np.int32], distance: NDArray[np.float64], *, max_radius: float = np.inf
) -> Windows:
    """Return zones from given neighbours: those of place i are ``place[indptr[i]:indptr[i + 1]]``, itself among them.

    distance : of each, such as metres along streets; need not be sorted. Raises QuestionError where a list lacks its
    own place, repeats one, or a distance is negative or NaN.
    """
    n = len(indptr) - 1
    row = np.repeat(np.arange(n), np.diff(indptr))
    if not (distance >= 0).all() or (len(place) > 0 and (place.min() < 0 or place.max() >= n)):
        raise QuestionError("邻近表有负距离或不存在的地点", "a neighbour list has a negative distance or no such place")
    pairs = row * np.int64(n) + place
    if len(np.unique(pairs)) < len(pairs) or not np.isin(np.arange(n) * np.int64(n + 1), pairs).all():
        raise QuestionError("邻近表须含自身且不重复", "a neighbour list must hold its own place, and none twice")
    near = np.flatnonzero(distance <= max_radius)
    order = near[np.lexsort((place[near], place[near] != row[near], distance[near], row[near]))]
    begins = np.concatenate([[0], np.cumsum(np.bincount(row[near], minlength=n))])
    return _windows(begins, place[order], distance[order], np.ones(len(order), bool), np.arange(n))


def everywhere(n: int) -> Windows:
    """Return one zone: all n places."""
    judged = np.zeros(n, bool)
    judged[-1:] = True
    return _windows(np.array([0, n]), np.arange(n), np.zeros(n), judged, np.array([-1]))


def joined(first: Windows, second: Windows) -> Windows:
    """Return the zones of both."""
    return _joined([first, second])


def within_share(windows: Windows, weight: NDArray[np.float64], share: float) -> Windows:
    """Return the zones that hold at most ``share`` of the weight, (n,) of each place."""
    row = windows.row_of()
    running = np.concatenate([[0.0], np.cumsum(weight[windows.place], dtype=np.float64)])
    inside = running[1:] - running[windows.indptr[row]]
    kept = inside <= share * weight.sum() * (1.0 + 1e-9)
    return _kept(windows, kept, row)


def distinct(windows: Windows, n: int) -> Windows:
    """Return the same zones, each set of places judged once (under its mildest penalty).

    Sets are told apart by the exclusive-or of 64 random bits of each place (Zobrist).
    """
    bits = np.random.default_rng(20).integers(0, 2**63, n, dtype=np.int64)[windows.place]
    running = np.concatenate([[0], np.bitwise_xor.accumulate(bits)]) if len(bits) else np.zeros(1, np.int64)
    row = windows.row_of()
    key = running[1:] ^ running[windows.indptr[row]]
    candidates = np.flatnonzero(windows.judged)
    candidates = candidates[np.argsort(-windows.penalty[row[candidates]], kind="stable")]
    judged = np.zeros(len(key), bool)
    judged[candidates[np.unique(key[candidates], return_index=True)[1]]] = True
    last = np.full(len(windows.centre), -1)
    last[row[judged]] = np.flatnonzero(judged)  # entries after a row's last judged zone serve nothing
    return _kept(replace(windows, judged=judged), np.arange(len(key)) <= last[row], row)


def _grown(spot: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], max_radius: float) -> Windows:
    """Return zones by straight distance between spots (n, d), one family for each spot of the map."""
    n = len(x)
    _, first = np.unique(np.column_stack([x, y]), axis=0, return_index=True)
    centres = np.sort(first)
    tree = cKDTree(spot) if np.isfinite(max_radius) else None
    places, distances, counts = [], [], []
    everyone = np.arange(n)
    for centre in centres:
        near = everyone
        if tree is not None:
            near = np.array(tree.query_ball_point(spot[centre], max_radius * (1.0 + 1e-9)), np.int64)
        far = np.sqrt(((spot[near] - spot[centre]) ** 2).sum(axis=1))
        # far is rounded: equal distances must not be told apart by their last bits
        tied = np.round(far / max(far.max(), 1e-300) / EQUAL)
        order = np.lexsort((near, y[near], x[near], tied))
        order = order[far[order] <= max_radius * (1.0 + EQUAL)]
        places.append(near[order])
        distances.append(far[order])
        counts.append(len(order))
    place, indptr = np.concatenate(places), np.concatenate([[0], np.cumsum(counts)])
    judged = np.ones(len(place), bool)
    judged[:-1] = (x[place[1:]] != x[place[:-1]]) | (y[place[1:]] != y[place[:-1]])
    judged[indptr[1:] - 1] = True
    return _windows(indptr, place, np.concatenate(distances), judged, centres)


def _windows(indptr, place, distance, judged, centre) -> Windows:  # type: ignore[no-untyped-def]
    rows = len(centre)
    return Windows(
        indptr.astype(np.int64), place.astype(np.int32), distance.astype(np.float64), judged,
        centre.astype(np.int32), np.ones(rows), np.zeros(rows), np.ones(rows),
    )  # fmt: skip


def _joined(families: Sequence[Windows]) -> Windows:
    sizes = np.concatenate([np.diff(w.indptr) for w in families])
    fields = ("place", "distance", "judged", "centre", "shape", "angle", "penalty")
    return Windows(
        np.concatenate([[0], np.cumsum(sizes)]), *(np.concatenate([getattr(w, f) for w in families]) for f in fields)
    )


def _kept(windows: Windows, kept: NDArray[np.bool_], row: NDArray[np.int64]) -> Windows:
    counts = np.bincount(row[kept], minlength=len(windows.centre))
    return replace(
        windows,
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        place=windows.place[kept],
        distance=windows.distance[kept],
        judged=windows.judged[kept],
    )
