"""The compiled end of map matching: short out-and-back moves, which noise makes, taken out of a matched way."""

import numpy as np
from numba import njit

#: Metres within which two ends of stretches are one place.
SAME_M = 1e-6


@njit(cache=True)
def _back_m(segment, from_m, to_m, before, k, first, last, least_m):  # type: ignore[no-untyped-def]
    """Return how far the stretches from k on retrace those that end with ``before``, as far as ``least_m`` needs.

    The stretches kept so far lie from ``first`` to ``before``, those to come from k to ``last`` - 1.
    """
    total = 0.0
    i, j = before, k
    done_i, done_j = 0.0, 0.0  # metres of stretch i (from its end) and j (from its beginning) already paired
    while i >= first and j < last and total < least_m:
        out, home = to_m[i] - from_m[i], to_m[j] - from_m[j]
        if segment[i] != segment[j] or out * home >= 0.0:
            break
        at_i = to_m[i] - done_i * np.sign(out)
        at_j = from_m[j] + done_j * np.sign(home)
        if abs(at_i - at_j) > SAME_M:
            break
        left_i, left_j = abs(out) - done_i, abs(home) - done_j
        step = min(left_i, left_j)
        total += step
        done_i, done_j = done_i + step, done_j + step
        if left_i - step <= SAME_M:
            i, done_i = i - 1, 0.0
        if left_j - step <= SAME_M:
            j, done_j = j + 1, 0.0
        if done_i > 0.0 and done_j > 0.0:
            break
    return total


@njit(cache=True)
def without_spikes(chains, segment, from_m, to_m, begin_s, end_s, least_m):  # type: ignore[no-untyped-def]
    """Take moves out and back again of less than ``least_m`` (c,) out of ways, and join stretches of one direction.

    chains : (c + 1,) the stretches of each way, in order; each stretch begins where the one before it ends.
    The time spent out and back is spent standing where the move began. Returns the arrays anew:
    (chains, segment, from_m, to_m, begin_s, end_s).
    """
    # stretches kept are written into the front of the same arrays, which is always behind where they are read
    segment, from_m, to_m = segment.copy(), from_m.copy(), to_m.copy()
    begin_s, end_s = begin_s.copy(), end_s.copy()
    rows = np.zeros(chains.size, np.int64)
    top = 0
    for c in range(chains.size - 1):
        first = top
        last = chains[c + 1]
        k = chains[c]
        while k < last:
            if abs(to_m[k] - from_m[k]) <= SAME_M:
                if top > first:
                    end_s[top - 1] = max(end_s[top - 1], end_s[k])
                elif k + 1 < last:
                    begin_s[k + 1] = min(begin_s[k + 1], begin_s[k])
                k += 1
                continue
            if top > first and segment[top - 1] == segment[k] and abs(to_m[top - 1] - from_m[k]) <= SAME_M:
                if (to_m[top - 1] - from_m[top - 1]) * (to_m[k] - from_m[k]) > 0.0:
                    to_m[top - 1], end_s[top - 1] = to_m[k], end_s[k]
                    k += 1
                    continue
                retraced = _back_m(segment, from_m, to_m, top - 1, k, first, last, least_m[c])
                if retraced < least_m[c]:
                    step = min(abs(to_m[k] - from_m[k]), abs(to_m[top - 1] - from_m[top - 1]))
                    share = step / abs(to_m[k] - from_m[k])
                    from_m[k] += (to_m[k] - from_m[k]) * share
                    begin_s[k] += (end_s[k] - begin_s[k]) * share
                    share = step / abs(to_m[top - 1] - from_m[top - 1])
                    to_m[top - 1] -= (to_m[top - 1] - from_m[top - 1]) * share
                    end_s[top - 1] -= (end_s[top - 1] - begin_s[top - 1]) * share
                    if abs(to_m[top - 1] - from_m[top - 1]) <= SAME_M:
                        begin_s[k] = begin_s[top - 1]
                        top -= 1
                        if top > first:
                            begin_s[k] = end_s[top - 1]
                    else:
                        begin_s[k] = end_s[top - 1]
                    continue
            segment[top] = segment[k]
            from_m[top], to_m[top], begin_s[top], end_s[top] = from_m[k], to_m[k], begin_s[k], end_s[k]
            top += 1
            k += 1
        rows[c + 1] = top
    return (
        rows, segment[:top].copy(), from_m[:top].copy(), to_m[:top].copy(), begin_s[:top].copy(), end_s[:top].copy()
    )  # fmt: skip
