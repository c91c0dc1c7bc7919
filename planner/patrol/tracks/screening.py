"""What is impossible or too good to be true about a track: flagged with a code and a count, never dropped."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.network import StreetNetwork
from gis.snapping import snap
from planner.patrol.tracks.points import Flags, Floats, Tracks

#: Metres a second nobody exceeds for long: a run, a fast e-bike, a car in a city.
FASTEST = {"walk": 3.5, "ebike": 14.0, "drive": 40.0}
#: Seconds over which a pace is measured, and standard deviations of one point's error that a distance is in doubt by.
PACE_S, SURE = 60.0, 6.0
#: Metres of a jump that no noise explains, and how many times the fastest pace it takes.
JUMP_M, JUMP_TIMES = 300.0, 3.0
#: Points in a row, and seconds, that one spot may be reported: a receiver's figures always flicker.
STILL_POINTS, STILL_S = 20, 300.0
#: Metres within which a point lies exactly halfway between its neighbours, or exactly on a street; degrees are
#: written to a decimetre at best.
EXACT_M = 0.15
#: Points in a row so exact that no receiver made them, and the share of a track's points.
EXACT_POINTS, EXACT_SHARE = 20, 0.9
#: Points of a track looked at first: only where these are that exact are all.
SAMPLE = 50
#: Share of a track's steps found in another track from which one is a copy.
COPY_SHARE = 0.5

#: code -> sentences; {count} of points or steps, {other} the track copied.
FLAGS = {
    "too-fast": (
        "{count} 个点之后一分钟的速度超出出行方式所能",
        "{count} points begin a minute faster than the mode allows",
    ),
    "teleport": ("{count} 处位置跳跃", "{count} jumps from place to place"),
    "time-backwards": ("{count} 处时间倒退", "time goes backwards {count} times"),
    "time-repeated": ("{count} 个点的时间重复", "{count} points repeat a time"),
    "frozen": ("{count} 个点坐标不变而时间在走", "{count} points stay at one exact spot while time passes"),
    "too-straight": (
        "{count} 个点等距排在一条直线上，没有误差",
        "{count} points lie evenly on a straight line without any error",
    ),
    "on-the-line": (
        "{count} 个点恰在路网中线上，没有误差",
        "{count} points lie exactly on the middle of streets, without any error",
    ),
    "as-planned": ("{count} 个点与计划路线完全重合", "{count} points lie exactly on the planned route"),
    "copy": ("{count} 步与轨迹 {other} 完全相同", "{count} steps are exactly those of track {other}"),
    "outside-city": ("{count} 个点在城市之外", "{count} points lie outside the city"),
}


class _Flag(NamedTuple):
    track: int
    code: str
    times: int
    other: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Steps from point to point within tracks, in time: which track, metres, seconds, and the point each ends at."""

    track: NDArray[np.int64]
    metres: Floats
    seconds: Floats
    point: NDArray[np.int64]


def screen(
    tracks: Tracks,
    network: StreetNetwork,
    modes: NDArray[np.object_],
    *,
    noise_m: Floats,
    in_city: Flags,
    planned: Flags | None = None,
) -> pd.DataFrame:
    """List what is odd about each track: columns track (number), code, count, zh, en.

    tracks : in the order given, on duty only. modes : (n,) how each moved. in_city : (k,) whether each point lies in
    the city. planned : (m,) segments of the plan, where there is one. noise_m : (n,) error of points each way, beyond
    which a pace must be too fast.
    """
    given_s = np.diff(tracks.time_s, prepend=0.0)
    starts = np.zeros(len(tracks.lon), bool)
    starts[tracks.indptr[:-1][tracks.points > 0]] = True
    flags = _counted(tracks.of_point, "time-backwards", (given_s < 0) & ~starts)
    flags += _counted(tracks.of_point, "outside-city", ~in_city)
    ordered = tracks.in_time()
    flags += [
        _Flag(int(i), "time-repeated", int(n))
        for i, n in enumerate(tracks.points - ordered.points)
        if n > 0
    ]  # fmt: skip
    x, y = to_metric(ordered.lon, ordered.lat, network.crs)
    steps = _steps(ordered, x, y)
    fastest = np.array([FASTEST[str(mode)] for mode in modes], np.float64)
    jump = _jumps(steps, fastest[steps.track], noise_m[steps.track])
    flags += _counted(steps.track, "teleport", jump)
    jumps = np.zeros(len(x), bool)
    jumps[steps.point[jump]] = True
    flags += _too_fast(ordered, x, y, fastest, noise_m, jumps)
    flags += _frozen(ordered, steps)
    flags += _straight(ordered, x, y)
    flags += _on_the_line(ordered, network, planned)
    flags += _copies(ordered, steps)
    rows = [
        (f.track, f.code, f.times, *(s.format(count=f.times, other=f.other) for s in FLAGS[f.code]))
        for f in sorted(flags, key=lambda f: (f.track, list(FLAGS).index(f.code)))
    ]
    return pd.DataFrame(rows, columns=["track", "code", "count", "zh", "en"]).astype(
        {"track": np.int64, "count": np.int64}
    )


def _counted(track: NDArray[np.int64], code: str, marked: Flags) -> list[_Flag]:
    found, counts = np.unique(track[marked], return_counts=True)
    return [_Flag(int(i), code, int(n)) for i, n in zip(found, counts, strict=True)]


def _steps(tracks: Tracks, x: Floats, y: Floats) -> _Steps:
    of = tracks.of_point
    point = np.flatnonzero(of[1:] == of[:-1]) + 1
    metres = np.hypot(x[point] - x[point - 1], y[point] - y[point - 1])
    return _Steps(of[point], metres, tracks.time_s[point] - tracks.time_s[point - 1], point)


def _jumps(steps: _Steps, fastest: Floats, noise_m: Floats) -> Flags:
    """Tell which steps no vehicle makes, however far off their ends lie."""
    sure_m = steps.metres - SURE * noise_m
    return (steps.metres > JUMP_M) & (sure_m > JUMP_TIMES * fastest * steps.seconds)


def _too_fast(tracks: Tracks, x: Floats, y: Floats, fastest: Floats, noise_m: Floats, jumps: Flags) -> list[_Flag]:
    """Flag points from which the next minute leads farther than the fastest pace does; jumps are told apart."""
    of = tracks.of_point
    last_s = tracks.time_s.max(initial=0.0) + PACE_S
    clock = (of * 2.0 * last_s) + tracks.time_s  # of one track after another: far apart, so that none meets another
    later = np.searchsorted(clock, clock + PACE_S)
    point = np.flatnonzero(later < len(of))
    point = point[of[later[point]] == of[point]]
    later = later[point]
    sure_m = np.hypot(x[later] - x[point], y[later] - y[point]) - SURE * noise_m[of[point]]
    fast = sure_m > fastest[of[point]] * (tracks.time_s[later] - tracks.time_s[point])
    jumped = np.cumsum(jumps)
    return _counted(of[point], "too-fast", fast & (jumped[later] == jumped[point]))


def _runs(track: NDArray[np.int64], marked: Flags) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (first, last + 1) of every unbroken run of marked rows of one track."""
    joined = marked[1:] & marked[:-1] & (track[1:] == track[:-1])
    begins = np.flatnonzero(marked & ~np.r_[False, joined][: len(marked)])
    ends = np.flatnonzero(marked & ~np.r_[joined, False][: len(marked)]) + 1
    return begins, ends


def _frozen(tracks: Tracks, steps: _Steps) -> list[_Flag]:
    same = (tracks.lon[steps.point] == tracks.lon[steps.point - 1]) & (
        tracks.lat[steps.point] == tracks.lat[steps.point - 1]
    )
    begins, ends = _runs(steps.track, same)
    took_s = np.r_[0.0, np.cumsum(steps.seconds)]
    long_ = (ends - begins >= STILL_POINTS) & (took_s[ends] - took_s[begins] >= STILL_S)
    counts = np.bincount(steps.track[begins[long_]], (ends - begins)[long_] + 1, len(tracks)).astype(np.int64)
    return [_Flag(int(i), "frozen", int(counts[i])) for i in np.flatnonzero(counts)]


def _straight(tracks: Tracks, x: Floats, y: Floats) -> list[_Flag]:
    """Flag runs in which every point lies where the one before it and the one after it say, as they move on."""
    of = tracks.of_point
    if len(of) < 3:
        return []
    middle = np.flatnonzero(of[2:] == of[:-2]) + 1
    span_s = tracks.time_s[middle + 1] - tracks.time_s[middle - 1]
    share = (tracks.time_s[middle] - tracks.time_s[middle - 1]) / span_s
    off_x = x[middle] - x[middle - 1] - share * (x[middle + 1] - x[middle - 1])
    off_y = y[middle] - y[middle - 1] - share * (y[middle + 1] - y[middle - 1])
    moves = np.hypot(x[middle + 1] - x[middle - 1], y[middle + 1] - y[middle - 1]) > 2.0
    begins, ends = _runs(of[middle], (np.hypot(off_x, off_y) < EXACT_M) & moves)
    long_ = ends - begins >= EXACT_POINTS
    counts = np.bincount(of[middle][begins[long_]], (ends - begins)[long_], len(tracks)).astype(np.int64)
    return [_Flag(int(i), "too-straight", int(counts[i])) for i in np.flatnonzero(counts)]


def _on_the_line(tracks: Tracks, network: StreetNetwork, planned: Flags | None) -> list[_Flag]:
    """Flag tracks whose points lie on streets more exactly than any receiver measures."""
    per_track = np.maximum(tracks.points // SAMPLE, 1)
    within = np.arange(len(tracks.lon)) - tracks.indptr[tracks.of_point]
    sampled = tracks.kept(within % per_track[tracks.of_point] == 0)
    suspects = _exact_points(sampled, network)[0] >= EXACT_SHARE * np.maximum(sampled.points, 1)
    if not suspects.any():
        return []
    counts, segment = _exact_points(tracks.kept(suspects[tracks.of_point]), network)
    on_plan = np.zeros(len(tracks), np.int64)
    if planned is not None:
        on_plan = np.bincount(
            tracks.of_point[suspects[tracks.of_point]], planned[segment] & (segment >= 0), len(tracks)
        )
    sure = (counts >= EXACT_POINTS) & (counts >= EXACT_SHARE * tracks.points)
    return [
        _Flag(int(i), "as-planned" if on_plan[i] >= EXACT_SHARE * counts[i] else "on-the-line", int(counts[i]))
        for i in np.flatnonzero(sure)
    ]


def _exact_points(tracks: Tracks, network: StreetNetwork) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return (n,) how many points of each track lie exactly on streets, and (k,) the segment of those, -1 of others."""
    at = snap(network, tracks.lon, tracks.lat)
    exact = at.gap_m < EXACT_M
    return np.bincount(tracks.of_point[exact], minlength=len(tracks)), np.where(exact, at.segment, -1).astype(np.int32)


def _copies(tracks: Tracks, steps: _Steps) -> list[_Flag]:
    """Flag tracks that repeat another one's points, whatever their times; of two alike the one that began later."""
    if not len(steps.point):
        return []
    moves = steps.metres > 0
    track = steps.track[moves]
    ends = steps.point[moves]
    step = np.column_stack([tracks.lon[ends - 1], tracks.lat[ends - 1], tracks.lon[ends], tracks.lat[ends]])
    _, key = np.unique(np.round(step * 1e7).astype(np.int64), axis=0, return_inverse=True)
    began = np.full(len(tracks), np.inf)
    filled = tracks.points > 0
    began[filled] = tracks.time_s[tracks.indptr[:-1][filled]]
    age = np.empty(len(tracks), np.int64)
    age[np.lexsort((np.arange(len(tracks)), began))] = np.arange(len(tracks))
    pairs = pd.DataFrame({"key": key.ravel(), "track": track, "age": age[track]}).drop_duplicates()
    first = pairs.sort_values(["key", "age"], kind="stable").drop_duplicates("key").set_index("key")
    pairs = pairs.assign(first=first["track"].reindex(pairs["key"]).to_numpy())
    copied = pairs[pairs["first"] != pairs["track"]]
    own = pairs.groupby("track").size()
    found = copied.groupby(["track", "first"], as_index=False).size()
    return [
        _Flag(int(i), "copy", int(n), str(tracks.name[other]))
        for i, other, n in zip(found["track"], found["first"], found["size"], strict=True)
        if n >= max(COPY_SHARE * own[i], EXACT_POINTS)
    ]
