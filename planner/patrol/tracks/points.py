"""Tracks as given: points with times, one run of them a track."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
DAY_S = 86_400


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

    @property
    def points(self) -> NDArray[np.int64]:
        """How many points each track has (n,)."""
        return np.diff(self.indptr)

    def kept(self, points: Flags) -> "Tracks":
        """Return the same tracks with only the marked points (k,); a track may be left without any."""
        counts = np.bincount(self.of_point[points], minlength=len(self))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return Tracks(self.name, self.person, indptr, self.lon[points], self.lat[points], self.time_s[points])

    def beginning(self, windows: int, window_s: float) -> "Tracks":
        """Return the same tracks up to as many spans of ``window_s`` as hold points; times must not go backwards."""
        of = self.of_point
        starts = self.indptr[:-1][of]
        window = ((self.time_s - self.time_s[starts]) // window_s).astype(np.int64)
        fresh = np.r_[True, window[1:] != window[:-1]][: len(of)]
        fresh[self.indptr[:-1][self.points > 0]] = True
        count = np.cumsum(fresh)
        return self.kept(count - count[starts] < windows)

    def in_time(self) -> "Tracks":
        """Return the same tracks with points in the order of their times, of each time the first given."""
        order = np.lexsort((self.time_s, self.of_point))
        of, time_s = self.of_point[order], self.time_s[order]
        fresh = np.r_[True, (of[1:] != of[:-1]) | (time_s[1:] > time_s[:-1])][: len(of)]
        ordered = Tracks(self.name, self.person, self.indptr, self.lon[order], self.lat[order], time_s)
        return ordered.kept(fresh)


Shifts = Mapping[str, Sequence[tuple[float, float]]]


def on_duty(tracks: Tracks, shifts: Shifts, hours: tuple[int, int] | None) -> Flags:
    """Tell which points (k,) fall into their bearer's duty hours; of all others nothing may be kept.

    shifts : person -> (from, until) in seconds since 1970. hours : (from, until) in seconds since midnight of any day,
    until past from, for those without a shift of their own; None where only shifts count.
    """
    duty = np.zeros(len(tracks.lon), bool)
    for i, person in enumerate(tracks.person):
        part = slice(tracks.indptr[i], tracks.indptr[i + 1])
        if str(person) in shifts:
            for begins, ends in shifts[str(person)]:
                duty[part] |= (tracks.time_s[part] >= begins) & (tracks.time_s[part] <= ends)
        elif hours is not None:
            duty[part] = (tracks.time_s[part] - hours[0]) % DAY_S <= hours[1] - hours[0]
    return duty
