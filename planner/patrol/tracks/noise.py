"""How far a phone's points lie off, told from the tracks themselves."""

import numpy as np
import pandas as pd

from planner.patrol.tracks.matching import USUAL_NOISE_M, MatchGround, match
from planner.patrol.tracks.points import Floats, Tracks

#: Spans of ``TRIED_S`` with points that are looked at from the beginning of a track, and looks that must be among them.
TRIED, TRIED_S, LEAST_LOOKS = 120, 8.0, 15
#: The median distance of points from the way found for them, in standard deviations of their error: 1.18 of the truth
#: (the median of a Rayleigh distribution), less because the way found leans towards the points.
MEDIAN_GAP = 1.05
LEAST_M, MOST_M = 4.0, 40.0


def measured_noise(ground: MatchGround, tracks: Tracks) -> Floats:
    """Return the standard deviation of each track's error each way (n,), in metres; the usual where little tells it.

    A robust estimate from the distance between points and the way found for them, as Newson & Krumm's (2009).
    """
    found = match(ground, tracks.beginning(TRIED, TRIED_S))
    # looks of a stand lie on one spot, the mean of many points, and tell nothing of the error of one
    beside = (found.look_x[1:] == found.look_x[:-1]) & (found.look_y[1:] == found.look_y[:-1])
    placed = (found.look_segment >= 0) & ~np.r_[False, beside] & ~np.r_[beside, False]
    # the error of a mean of k points is that of one divided by the root of k
    gap_m = pd.Series((found.look_gap_m * np.sqrt(found.look_points))[placed])
    groups = gap_m.groupby(found.look_track[placed])
    told = groups.median()[groups.size() >= LEAST_LOOKS]
    noise = np.full(len(tracks), USUAL_NOISE_M)
    noise[told.index.to_numpy()] = np.clip(told.to_numpy() / MEDIAN_GAP, LEAST_M, MOST_M)
    return noise
