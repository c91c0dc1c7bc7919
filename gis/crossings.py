"""Lines taken apart into straight elements, and where the elements of two sets meet."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

#: Elements are taken to touch within this share of their own length; a cut too many does no harm.
_TOUCH = 1e-9
#: Sine of the angle below which two elements are taken for parallel.
_PARALLEL = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """The e straight two-point elements of k lines, in the order they are drawn.

    line : (e,) position of the line; first : (e,) position of the element's start among all the lines' vertices.
    start, end : (e, 2) coordinates. along : (e,) distance from the line's start to the element's, in those units.
    """

    line: Positions
    first: Positions
    start: Floats
    end: Floats
    along: Floats

    @property
    def length(self) -> Floats:
        """Length of each element (e,)."""
        length: Floats = np.hypot(*(self.end - self.start).T)
        return length

    def shapes(self) -> NDArray[np.object_]:
        """Return the elements as two-point lines (e,)."""
        shapes: NDArray[np.object_] = shapely.linestrings(np.stack([self.start, self.end], axis=1))
        return shapes


def elements_of(vertices: Floats, line: Positions) -> Elements:
    """Take lines apart into their elements.

    vertices : (n, 2) coordinates of all lines after one another; line : (n,) the line each belongs to, ascending.
    """
    first = np.flatnonzero(line[1:] == line[:-1])
    start, end = vertices[first], vertices[first + 1]
    run = np.concatenate([[0.0], np.cumsum(np.hypot(*(end - start).T))])[:-1]
    of = line[first]
    lines, at = np.unique(of, return_index=True)
    return Elements(of, first, start, end, run - run[at][np.searchsorted(lines, of)])


def cross_shares(p: Floats, p_end: Floats, q: Floats, q_end: Floats) -> tuple[Positions, Floats, Floats]:
    """Find where each of k elements p crosses or touches its partner q: (pair, share of p, share of q).

    p, p_end, q, q_end : (k, 2) ends of the paired elements. Returned are the pairs that meet, with how far along p
    and q the meeting lies, in [0, 1]. Parallel elements that overlap give up to four meetings: each end of one that
    lies on the other. A pair that does not meet is absent.
    """
    d, e, gap = p_end - p, q_end - q, q - p
    scale = np.hypot(*d.T) * np.hypot(*e.T)
    turn = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
    askew = np.flatnonzero(np.abs(turn) > _PARALLEL * scale)
    t = (gap[askew, 0] * e[askew, 1] - gap[askew, 1] * e[askew, 0]) / turn[askew]
    s = (gap[askew, 0] * d[askew, 1] - gap[askew, 1] * d[askew, 0]) / turn[askew]
    meets = (t >= -_TOUCH) & (t <= 1 + _TOUCH) & (s >= -_TOUCH) & (s <= 1 + _TOUCH)
    pairs, on_p, on_q = [askew[meets]], [t[meets]], [s[meets]]

    flat = np.flatnonzero(np.abs(turn) <= _PARALLEL * scale)
    for on, share in ((q, 0.0), (q_end, 1.0)):
        there, at = _lies_on(on[flat], p[flat], p_end[flat])
        pairs.append(flat[there])
        on_p.append(at)
        on_q.append(np.full(len(at), share))
    for on, share in ((p, 0.0), (p_end, 1.0)):
        there, at = _lies_on(on[flat], q[flat], q_end[flat])
        pairs.append(flat[there])
        on_p.append(np.full(len(at), share))
        on_q.append(at)
    return np.concatenate(pairs), np.clip(np.concatenate(on_p), 0, 1), np.clip(np.concatenate(on_q), 0, 1)


def _lies_on(point: Floats, start: Floats, end: Floats) -> tuple[Positions, Floats]:
    """Return which points lie on their element, and at what share of it."""
    share, distance = nearest_share(point, start, end)
    there = np.flatnonzero(distance <= _TOUCH * np.hypot(*(end - start).T))
    return there, share[there]


def nearest_share(point: Floats, start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Return the share (k,) of each element nearest its point, and how far (k,) the point is from it."""
    d = end - start
    square = (d * d).sum(axis=1)
    along = ((point - start) * d).sum(axis=1)
    share = np.clip(np.divide(along, square, out=np.zeros_like(along), where=square > 0), 0, 1)
    return share, np.hypot(*(start + share[:, None] * d - point).T)
