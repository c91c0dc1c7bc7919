"""How far a phone's points lie off and how fast its bearer goes, told from the tracks themselves."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from planner.patrol.tracks.matching import USUAL_NOISE_M, Matched, MatchGround, match, usual_pace
from planner.patrol.tracks.points import Floats, Tracks

#: Spans of ``TRIED_S`` with points that are looked at from the beginning of a track, and looks that must be among them.
TRIED, TRIED_S, LEAST_LOOKS = 120, 8.0, 15
#: The median distance of points from the way found for them, in standard deviations of their error: 1.18 of the truth
#: (the median of a Rayleigh distribution), less because the way found leans towards the points.
MEDIAN_GAP = 1.05
LEAST_M, MOST_M = 4.0, 40.0
#: Metres of the usual way over which a pace is measured, spans that must tell of it, and the share of the usual pace
#: below which someone stands about.
PACE_M, LEAST_SPANS, STANDING = 60.0, 5, 0.3


class Measured(NamedTuple):
    """Of each track: noise_m (n,) standard deviation of a point's error each way; pace (n,) metres a second."""

    noise_m: Floats
    pace: Floats


def measured(ground: MatchGround, tracks: Tracks) -> Measured:
    """Measure each track's noise and pace by a first match of its beginning; the usual where little tells it.

    The noise is a robust estimate from the distance between points and the way found for them, as Newson & Krumm's
    (2009). The pace is that along the way: straight lines would be too short where there are many corners.
    """
    found = match(ground, tracks.beginning(TRIED, TRIED_S))
    return Measured(_noise(found, len(tracks)), _pace(found, len(tracks), usual_pace(ground.mode)))


def _noise(found: Matched, n: int) -> Floats:
    # looks of a stand lie on one spot, the mean of many points, and tell nothing of the error of one
    beside = (found.look_x[1:] == found.look_x[:-1]) & (found.look_y[1:] == found.look_y[:-1])
    placed = (found.look_segment >= 0) & ~np.r_[False, beside] & ~np.r_[beside, False]
    # the error of a mean of k points is that of one divided by the root of k
    gap_m = pd.Series((found.look_gap_m * np.sqrt(found.look_points))[placed])
    groups = gap_m.groupby(found.look_track[placed])
    told = groups.median()[groups.size() >= LEAST_LOOKS]
    noise = np.full(n, USUAL_NOISE_M)
    noise[told.index.to_numpy()] = np.clip(told.to_numpy() / MEDIAN_GAP, LEAST_M, MOST_M)
    return noise


def _pace(found: Matched, n: int, usual: float) -> Floats:
    """Return the median pace of the spans of the ways found in which the track moves (n,)."""
    pace = np.full(n, usual)
    if not len(found.track):
        return pace
    placed = np.flatnonzero(found.look_chain >= 0)
    chain, time_s = found.look_chain[placed], found.look_s[placed]
    first = np.r_[True, chain[1:] != chain[:-1]]
    # one clock on which the ways follow one another, too far apart to be mixed up
    start_s = time_s[first]
    apart_s = float((time_s - start_s[chain]).max()) + 2.0 * PACE_M / usual
    clock = time_s - start_s[chain] + apart_s * chain
    shift_s = apart_s * found.chain - start_s[found.chain]
    done_m = np.cumsum(found.metres)
    gone_m = np.interp(
        clock,
        np.column_stack([found.begin_s + shift_s, found.end_s + shift_s]).ravel(),
        np.column_stack([done_m - found.metres, done_m]).ravel(),
    )
    later = np.searchsorted(clock, clock + PACE_M / usual)
    since = np.flatnonzero(later < len(clock))
    since = since[chain[later[since]] == chain[since]]
    later = later[since]
    speed = pd.Series((gone_m[later] - gone_m[since]) / (clock[later] - clock[since]))
    moves = (speed > STANDING * usual).to_numpy()
    groups = speed[moves].groupby(found.look_track[placed][since][moves])
    told = groups.median()[groups.size() >= LEAST_SPANS]
    pace[told.index.to_numpy()] = np.clip(told.to_numpy(), 0.5 * usual, 2.0 * usual)
    return pace
