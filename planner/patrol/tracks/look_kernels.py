"""The compiled beginning of map matching: points condensed to looks, and the pace a track keeps."""

import numpy as np
from numba import njit

#: Metres of the usual way over which a track's pace is measured: far more than the noise, mostly without a corner.
PACE_M = 60.0
#: Seconds for each metre of noise from which staying in one spot is standing, and the mean squared distance from the
#: spot, in variances, up to which it is: noise alone makes two, a slow walk of 0.4 m/s more than three in that time.
STAND_S_PER_M, STAND_SPREAD = 18.0, 3.2


@njit(cache=True)
def condense(x, y, time_s, indptr, window_s, gap_s):  # type: ignore[no-untyped-def]
    """Average points of one time window to one look: (indptr, x, y, time_s, points averaged).

    indptr : (n + 1,) points, window_s : (n,) seconds of each track. The first and the last point of a track, and those
    beside a gap, stay by themselves: they say where it ends.
    """
    looks = np.zeros(indptr.size, np.int64)
    out_x, out_y, out_s, many = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.zeros(x.size, np.int64)
    n = 0
    for track in range(indptr.size - 1):
        first, last = indptr[track], indptr[track + 1]
        alone, since = True, 0.0
        for i in range(first, last):
            opens = i == first or time_s[i] - time_s[i - 1] > gap_s
            closes = i == last - 1 or time_s[i + 1] - time_s[i] > gap_s
            if opens or closes or alone or time_s[i] - since >= window_s[track]:
                out_x[n], out_y[n], out_s[n] = 0.0, 0.0, 0.0
                since = time_s[i]
                n += 1
            k = many[n - 1] + 1
            out_x[n - 1] += (x[i] - out_x[n - 1]) / k
            out_y[n - 1] += (y[i] - out_y[n - 1]) / k
            out_s[n - 1] += (time_s[i] - out_s[n - 1]) / k
            many[n - 1] = k
            alone = opens or closes
        looks[track + 1] = n
    return looks, out_x[:n].copy(), out_y[:n].copy(), out_s[:n].copy(), many[:n].copy()


@njit(cache=True)
def stand(x, y, time_s, indptr, noise_m, gap_s):  # type: ignore[no-untyped-def]
    """Bring the points of each stand to their mean, in place: while someone stands, points wander and he does not.

    noise_m : (n,) of each track. A stand is a longest run of points, long enough, no farther from their mean than
    noise explains.
    """
    for track in range(indptr.size - 1):
        first, last = indptr[track], indptr[track + 1]
        most = STAND_SPREAD * noise_m[track] ** 2
        i = first
        while i < last:
            j, mean_x, mean_y, spread = i, 0.0, 0.0, 0.0
            while j < last and (j == i or time_s[j] - time_s[j - 1] <= gap_s):
                k = j - i + 1
                dx, dy = x[j] - mean_x, y[j] - mean_y
                after_x, after_y = mean_x + dx / k, mean_y + dy / k
                after = spread + dx * (x[j] - after_x) + dy * (y[j] - after_y)  # Welford's sum of squares
                if after > most * k and k > 3:
                    break
                mean_x, mean_y, spread = after_x, after_y, after
                j += 1
            if j - i > 3 and time_s[j - 1] - time_s[i] >= STAND_S_PER_M * noise_m[track] and spread <= most * (j - i):
                for k in range(i, j):
                    x[k], y[k] = mean_x, mean_y
                i = j
            else:
                i += 1


@njit(cache=True)
def paces(looks, x, y, time_s, gap_s, usual):  # type: ignore[no-untyped-def]
    """Return the metres a second each track keeps while it moves (n,), within half and twice the usual.

    It is the median of the straight ways made in the time the usual pace takes for ``PACE_M``, or more; tracks too
    short for that have the usual pace.
    """
    out = np.full(looks.size - 1, usual)
    least_s = PACE_M / usual
    for track in range(looks.size - 1):
        first, last = looks[track], looks[track + 1]
        found = np.empty(last - first)
        n, j = 0, first
        for i in range(first, last):
            while j < last and time_s[j] - time_s[i] < least_s:
                j += 1
            if j < last and time_s[j] - time_s[i] <= gap_s:
                found[n] = np.hypot(x[j] - x[i], y[j] - y[i]) / (time_s[j] - time_s[i])
                n += found[n] > 0.3 * usual  # slower than that is standing about
        if n >= 5:
            for i in range(n, found.size):
                found[i] = np.inf
            found.sort()
            out[track] = min(max(found[np.int64(0.5 * n)], 0.5 * usual), 2.0 * usual)
    return out
