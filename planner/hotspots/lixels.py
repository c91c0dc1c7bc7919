"""Streets cut into short pieces, the network's pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.network import StreetNetwork

#: More pieces than this are refused: their densities would not fit a small machine's memory.
MOST_LIXELS = 50_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Lixels:
    """The l pieces of all segments, ordered by segment and along each from u to v.

    segment : (l,) segment position. from_m, to_m : (l,) metres from the segment's u end, from_m < to_m.
    indptr : (m + 1,) the pieces of segment s are indptr[s]:indptr[s + 1]; they tile it. A segment without length has
        none.
    """

    segment: NDArray[np.int32]
    from_m: NDArray[np.float64]
    to_m: NDArray[np.float64]
    indptr: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of each piece (l,)."""
        return self.to_m - self.from_m


def lixels_of(network: StreetNetwork, lixel_m: float) -> Lixels:
    """Cut every segment into the fewest equal pieces of at most ``lixel_m``.

    Raises QuestionError unless ``lixel_m`` is a finite number of metres above zero, or where it makes too many pieces.
    Source: Xie & Yan 2008, doi:10.1016/j.compenvurbsys.2008.05.001 (the lixel; theirs are of one length but the last).
    """
    if not (np.isfinite(lixel_m) and lixel_m > 0):
        raise QuestionError(
            f"街段单元长度须大于 0 米，收到 {lixel_m}", f"lixel_m must be above 0 metres, got {lixel_m}"
        )
    length_m = network.length_m
    asked = np.ceil(length_m / lixel_m * (1 - 1e-12))
    count = np.where(length_m > 0, np.maximum(asked, 1.0), 0.0)
    if count.sum() > MOST_LIXELS:
        zh = f"街段单元过多（{count.sum():.0f} 个，最多 {MOST_LIXELS} 个），请加大单元长度"
        raise QuestionError(zh, f"{count.sum():.0f} lixels, at most {MOST_LIXELS}: ask for longer ones")

    pieces = count.astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(pieces)]).astype(np.int64)
    segment = np.repeat(np.arange(len(length_m), dtype=np.int32), pieces)
    place = np.arange(indptr[-1]) - np.repeat(indptr[:-1], pieces)
    whole_m, n = np.repeat(length_m, pieces), np.repeat(pieces, pieces)
    to_m = np.where(place + 1 == n, whole_m, whole_m * ((place + 1) / n))
    return Lixels(segment, whole_m * (place / n), to_m, indptr)
