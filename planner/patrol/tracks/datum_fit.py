"""In which datum a phone wrote a track: the one in which it follows the streets."""

import numpy as np
from numpy.typing import NDArray

from gis.datum import DATUMS, to_wgs84
from planner.patrol.tracks.matching import USUAL_NOISE_M, MatchGround, match
from planner.patrol.tracks.points import Floats, Tracks

#: Spans of ``TRIED_S`` with points that are tried from the beginning of a track, and how much nearer to streets another
#: datum must bring them: some minutes often settle it (by chance a ratio of two sums of twenty squared gaps is below a
#: half once in sixty times), eight minutes of walking nearly always; who stays on one square needs more.
TRIALS, TRIED_S = ((20, 0.5), (60, 0.7), (240, 0.8)), 8.0
#: Looks that must be there to tell from.
LEAST_LOOKS = 15


def fitted_datum(ground: MatchGround, tracks: Tracks, group: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return the datum of each track (n,): the one in which its looks lie nearest to the ways found.

    tracks : as written, in the order of their times. group : (n,) tracks of one file bear one number. A track that
    tells too little goes by the other tracks of its file; what nothing speaks against is WGS84.
    """
    sums, counts = np.zeros((len(DATUMS), len(tracks))), np.zeros(len(tracks))
    own = np.full(len(tracks), -1)
    for spans, nearer in TRIALS:
        open_ = own < 0
        tried = tracks.kept(open_[tracks.of_point]).beginning(spans, TRIED_S)
        for d, datum in enumerate(DATUMS):
            lon, lat = to_wgs84(tried.lon, tried.lat, datum)
            moved = Tracks(tried.name, tried.person, tried.indptr, lon, lat, tried.time_s)
            misfit, looks = _misfit(ground, moved)
            sums[d, open_], counts[open_] = misfit[open_], looks[open_]
        own[open_] = _clear(sums, counts, nearer)[open_]
    groups = int(group.max(initial=-1)) + 1
    pooled = np.array([np.bincount(group, s, groups) for s in sums])
    of_group = _clear(pooled, np.bincount(group, counts, groups).astype(np.float64), TRIALS[-1][1])
    chosen = np.where(own >= 0, own, of_group[group])
    return np.array(DATUMS, object)[np.maximum(chosen, 0)]


def _misfit(ground: MatchGround, tracks: Tracks) -> tuple[Floats, Floats]:
    """Return (n,) the summed squared gaps of a track's looks, and how many looks; no gap counts as the widest."""
    found = match(ground, tracks)
    widest = 3.0 * USUAL_NOISE_M
    gap = np.where(found.look_segment >= 0, np.minimum(found.look_gap_m, widest), widest)
    n = len(tracks)
    of = found.look_track
    squares, looks = np.bincount(of, gap**2, n), np.bincount(of, minlength=n)
    return squares.astype(np.float64), looks.astype(np.float64)


def _clear(sums: Floats, counts: Floats, nearer: float) -> NDArray[np.int64]:
    """Return (n,) the datum of the least sum where it is clear; -1 where there is too little to tell from."""
    best = sums.argmin(axis=0)
    least = sums.min(axis=0)
    others = np.where(np.arange(len(sums))[:, None] == best, np.inf, sums).min(axis=0)
    told = (counts >= LEAST_LOOKS) & (least < nearer * others)
    return np.where(told, best, -1)
