"""Views of hotspots: classes in round numbers, with the colours and words that maps and pictures share."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from web.hotspot_words import figure

Words = tuple[str, str]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: ColorBrewer's sequential YlOrRd and Blues: ordered for every eye, in print, too.
WARM = ("#fff3b2", "#fecc5c", "#fd8d3c", "#f03b20", "#9e0024")
COOL = ("#d6e6f4", "#abcfe6", "#6aaed6", "#3787c0", "#0b559f")
#: Lines need more ink than areas to be told from the ground.
INK = ("#cdbf7c", "#eda83a", "#e8702a", "#c8201f", "#6b0010")
NONE_COLOUR, GROUND_COLOUR, HATCH_COLOUR = "#e6ebdf", "#ffffff", "#8d8d8d"
HOT_COLOUR, MAYBE_COLOUR, COLD_COLOUR = "#b2182b", "#f4a582", "#4393c3"
HOT_EDGE = "#111111"
#: Less than this is as good as nothing.
LEAST = 1e-12
#: Drawn nowhere: of no class.
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Look:
    """How one class is drawn and what it is called."""

    colour: str
    words: Words
    hatched: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One way to look at the same shapes.

    name : as in a list to choose from. heading : what the colours mean, with the unit. looks : the classes, from the
    least. of : (n,) position in ``looks`` of each shape, NOWHERE for none; with ``steps`` (k, n). steps : labels.
    remark : what a reader must know.
    """

    name: Words
    heading: Words
    looks: tuple[Look, ...]
    of: Ints
    remark: Words = ("", "")
    steps: tuple[str, ...] = ()

    @property
    def used(self) -> list[Look]:
        """The classes that any shape has; of a scale all, so that it reads as one."""
        return [look for i, look in enumerate(self.looks) if not look.words[1] or (self.of == i).any()]


def round_edges(values: Floats, count: int = 5, *, whole: bool = False) -> Floats:
    """Return ascending upper ends, round (1, 2, 5 times ten), of all classes but the last, which is open.

    values : those above 0 decide: about a twentieth of them lies above the last end. whole : ends are whole numbers.
    Fewer than ``count`` - 1 ends where the values do not spread that far.
    """
    positive = np.sort(values[np.isfinite(values) & (values > LEAST)])
    if not len(positive):
        return np.array([1.0])
    most = float(positive[min(int(0.95 * len(positive)), len(positive) - 1)])
    power = math.floor(math.log10(most))
    series = [float(f"{digit}e{p}") for p in range(power - 5, power + 1) for digit in (1, 2, 5)]
    ends = [end for end in series if end <= most * (1 + 1e-9) and (not whole or end >= 1)]
    ends = ends[-(count - 1) :] or [1.0 if whole else series[0]]
    # a class that would hold all but a few is no class
    while len(ends) > 1 and float(positive[0]) > ends[1]:
        ends.pop(0)
    return np.array(ends)


def even_edges(values: Floats, count: int = 5) -> Floats:
    """Return at most ``count`` - 1 ascending upper ends, round and a step apart, of values of one magnitude.

    Values that spread wider than ten to one, or hardly at all, have the ends of ``round_edges``.
    """
    positive = values[np.isfinite(values) & (values > LEAST)]
    least, most = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    if not 1.25 * least <= most <= 10 * least:
        return round_edges(values, count)
    power = math.floor(math.log10(most - least))
    for step in (float(f"{digit}e{p}") for p in range(power - 1, power + 2) for digit in (1, 2, 5)):
        ends = np.arange(math.floor(least / step) + 1, math.ceil(most / step)) * step
        if len(ends) < count:
            break
    return np.round(ends, 12)


def edge_labels(edges: Floats, *, whole: bool = False) -> list[str]:
    """Return the classes as text: 0–0.1, 0.1–0.2, > 0.2; of whole numbers 1, 2–5, > 5."""
    ends = [figure(edge, 3) for edge in edges]
    if not whole:
        lows = ["0", *ends[:-1]]
        return [f"{low}–{high}" for low, high in zip(lows, ends, strict=True)] + [f"> {ends[-1]}"]
    labels, low = [], 1
    for edge in edges.astype(int):
        labels.append(f"{low}" if low >= edge else f"{low}–{edge:,}")
        low = edge + 1
    return [*labels, f"≥ {low:,}"]


def class_of(values: Floats, edges: Floats) -> Ints:
    """Return (n,) the class of each value, upper ends included; NOWHERE for NaN."""
    found = np.searchsorted(edges, np.round(values, 12), side="left")
    return np.where(np.isnan(values), NOWHERE, found).astype(np.int64)


def scale(edges: Floats, colours: tuple[str, ...], *, whole: bool = False) -> list[Look]:
    """Return the looks of the classes ``edges`` divides; fewer classes than colours take the darker ones."""
    labels = edge_labels(edges, whole=whole)
    taken = np.linspace(0, len(colours) - 1, len(labels)).round().astype(int) if len(labels) > 1 else [-1]
    return [Look(colours[i], (label, "")) for i, label in zip(taken, labels, strict=True)]
