"""Tracks as given: points with times, one run of them a track."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """n tracks of WGS84 points in the order given.

    name, person : (n,) text; indptr : (n + 1,) int64, points of track i are ``indptr[i]:indptr[i + 1]`` of lon, lat
    (degrees) and time_s (seconds since 1970 on the city's own clock).

    Raises QuestionError on shapes that differ or values that are not finite.
    """

    name: NDArray[np.object_]
    person: NDArray[np.object_]
    indptr: NDArray[np.int64]
    lon: Floats
    lat: Floats
    time_s: Floats

    def __post_init__(self) -> None:
        n, k = len(self.name), len(self.lon)
        right = len(self.person) == n and self.indptr.shape == (n + 1,) and self.lat.shape == self.time_s.shape == (k,)
        if not right or self.indptr[0] != 0 or self.indptr[-1] != k or (np.diff(self.indptr) < 0).any():
            raise QuestionError("轨迹数组的形状不一致", "the arrays of the tracks differ in shape")
        if not (np.isfinite(self.lon).all() and np.isfinite(self.lat).all() and np.isfinite(self.time_s).all()):
            raise QuestionError("轨迹点的坐标或时间缺失", "a point of a track lacks its place or time")

    def __len__(self) -> int:
        return len(self.name)

    @property
    def of_point(self) -> NDArray[np.int64]:
        """Which track each point belongs to (k,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def kept(self, points: NDArray[np.bool_]) -> "Tracks":
        """Return the same tracks with only the marked points (k,); a track may be left without any."""
        counts = np.bincount(self.of_point[points], minlength=len(self))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Tracks(self.name, self.person, indptr, self.lon[points], self.lat[points], self.time_s[points])
