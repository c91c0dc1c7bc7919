"""Headings at the ends of lines, and how one turns from one line into the next."""

import math
from collections.abc import Sequence

#: Metres at the end of a street from which its heading is told, so that a kink at the junction says nothing.
HEADING_M = 15.0
#: Degrees up to which one goes straight on, up to which a street of one name is one street, and from which one turns
#: back.
STRAIGHT, SAME_STREET, BACK = 35.0, 60.0, 150.0


def turning(arrives: float, leaves: float) -> str:
    """Return how one turns from one heading into another: "straight", "left", "right" or "back"; "" without either.

    arrives, leaves : degrees counter-clockwise from east, NaN where a line without length has no heading.
    """
    angle = bend(arrives, leaves)
    if math.isnan(angle):
        return ""
    if abs(angle) <= STRAIGHT:
        return "straight"
    if abs(angle) >= BACK:
        return "back"
    return "left" if angle > 0 else "right"


def bend(arrives: float, leaves: float) -> float:
    """Return the degrees turned to the left, in [-180, 180)."""
    return (leaves - arrives + 180.0) % 360.0 - 180.0


def leaving(xy: Sequence[tuple[float, float]]) -> float:
    """Return the heading in which one sets out along a line: degrees counter-clockwise from east, NaN without length.

    xy : vertices in metres; the first HEADING_M of the line count.
    """
    (x0, y0), walked, x, y = xy[0], 0.0, *xy[0]
    for bx, by in xy[1:]:
        long = math.hypot(bx - x, by - y)
        if walked + long >= HEADING_M:
            share = (HEADING_M - walked) / long
            x, y = x + (bx - x) * share, y + (by - y) * share
            break
        walked, x, y = walked + long, bx, by
    return math.nan if (x, y) == (x0, y0) else math.degrees(math.atan2(y - y0, x - x0))


def arriving(xy: Sequence[tuple[float, float]]) -> float:
    """Return the heading in which one comes to the end of a line, as ``leaving``."""
    return leaving(xy[::-1]) + 180.0
