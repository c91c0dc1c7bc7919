"""Where names go on a drawn map: largest first, none over another."""

import numpy as np
from numpy.typing import NDArray

from web.fonts import ems

_BREAK_AFTER = "、，。；：,;· "


def place(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    width: NDArray[np.float64],
    height: NDArray[np.float64],
    room: NDArray[np.float64],
    taken: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Choose where labels can be written, in the order given, so that no two boxes meet.

    x, y : (k, c) centres each label may have, best first; NaN where it has fewer. width, height : (k,) of the boxes,
    in the same unit. room : (k,) the width a label may have. taken : (q, 4) boxes (left, bottom, right, top) already
    in use. Returns (k,) the position of the centre chosen, -1 where the label is left out.
    """
    used = np.empty((len(taken) + len(x), 4))
    used[: len(taken)] = taken
    count = len(taken)
    chosen = np.full(len(x), -1)
    for i in np.flatnonzero(width <= room):
        half_w, half_h = width[i] / 2, height[i] / 2
        inside = used[:count]
        for k in np.flatnonzero(~np.isnan(x[i])):
            left, bottom, right, top = x[i, k] - half_w, y[i, k] - half_h, x[i, k] + half_w, y[i, k] + half_h
            meets = (inside[:, 0] < right) & (inside[:, 2] > left) & (inside[:, 1] < top) & (inside[:, 3] > bottom)
            if not meets.any():
                used[count] = left, bottom, right, top
                count += 1
                chosen[i] = k
                break
    return chosen


def wrap(text: str, width: float) -> list[str]:
    """Break ``text`` into lines of at most ``width`` font sizes, at a space or a Chinese mark where there is one."""
    lines, rest = [], text.strip()
    while rest and ems(rest) > width:
        sizes = np.cumsum([ems(c) for c in rest])
        most = max(1, int(np.searchsorted(sizes, width, side="right")))
        at = max((i + 1 for i, c in enumerate(rest[:most]) if c in _BREAK_AFTER), default=most)
        # a break far from the edge looks worse than one inside a Chinese sentence
        at = at if at > most * 0.6 else most
        lines.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*lines, rest] if rest or not lines else lines


def shortened(text: str, most: float) -> str:
    """Cut a text that is wider than ``most`` font sizes, and say so with an ellipsis."""
    if ems(text) <= most:
        return text
    kept = text
    while ems(kept) > most - 1:
        kept = kept[:-1]
    return kept + "…"


def round_length(most: float) -> float:
    """Return the longest length of 1, 2 or 5 times a power of ten that is not above ``most``."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (0.5, 1, 2, 5) if step * power <= most))
