"""Coverage street by street: times at both ends and along, the backup point, covered metres, and the longest gaps."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions, StreetNetwork
from gis.reach import SegmentTimes
from gis.search_graph import SearchGraph, start_seconds
from gis.street_pieces import StreetPieces
from planner.area_statistics import sum_by
from planner.coverage_inputs import Placed
from planner.demand import AreaTier

#: Gaps listed per area of a tier, and per grid cell.
GAPS_LISTED, GAPS_LISTED_CELL = 5, 1
#: An uncovered stretch shorter than this is no gap worth a line.
SHORTEST_GAP_M = 1.0


def segment_table(
    network: StreetNetwork,
    times: SegmentTimes,
    backup: tuple[NDArray[np.float64], NDArray[np.int32]],
    point_code: NDArray[np.object_],
    covered_m: NDArray[np.float64],
    thresholds_s: tuple[int, ...],
) -> pd.DataFrame:
    """Return one row per segment, in network order.

    backup : (m, 2) seconds and points as from ``two_nearest_midway``. covered_m : (m, t).
    """
    seconds, which = backup
    codes = np.append(point_code, "")
    table = {
        "segment_id": network.segment_id,
        "name": network.name,
        "street_class": network.street_class,
        "length_m": network.length_m,
        "at_u_s": _finite(times.at_u_s),
        "at_v_s": _finite(times.at_v_s),
        "longest_s": _finite(times.longest_s),
        "mean_s": _finite(times.mean_s),
        "point": codes[which[:, 0]],
        "second_point": codes[which[:, 1]],
        "second_s": _finite(seconds[:, 1]),
    }
    table |= {f"covered_m_{t}": covered_m[:, i] for i, t in enumerate(thresholds_s)}
    return pd.DataFrame(table)


def two_nearest_midway(
    graph: SearchGraph, sources: Positions, node_s: NDArray[np.float64], node_source: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return (m, 2) seconds and points of the two nearest points at the middle of each segment.

    node_s, node_source : (n, 2) two nearest points of each node. Ties go to the lowest point; ``inf`` and -1 for none.
    A middle's two nearest are among the two of either end and the points on the segment itself.
    """
    half_s = np.where(np.isfinite(graph.seconds_per_m), graph.seconds_per_m, 0.0) * graph.length_m / 2
    over_u = np.where(graph.to_u[:, None], node_s[graph.u] + half_s[:, None], np.inf)
    over_v = np.where(graph.to_v[:, None], node_s[graph.v] + half_s[:, None], np.inf)
    seconds = np.concatenate([over_u, over_v], axis=1)
    which = np.concatenate([node_source[graph.u], node_source[graph.v]], axis=1).astype(np.int32)
    best_s, best = _two_least(seconds, which)

    start_s = start_seconds(graph, sources)
    for k in np.flatnonzero(np.isfinite(start_s)):
        s = sources.segment[k]
        along_m = sources.offset_m[k] - graph.length_m[s] / 2
        open_ = graph.to_v[s] if along_m >= 0 else graph.to_u[s]
        if open_ or along_m == 0:
            direct_s = start_s[k] + abs(along_m) * graph.seconds_per_m[s]
            row_s, row = np.append(best_s[s], direct_s), np.append(best[s], np.int32(k))
            best_s[s], best[s] = (a[0] for a in _two_least(row_s[None], row[None]))
    return best_s, best


def _two_least(seconds: NDArray[np.float64], which: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return per row the least and the least of another point, as (rows, 2) seconds and points."""
    rows = np.arange(len(seconds))
    seconds, last = seconds.copy(), np.iinfo(np.int32).max
    out_s, out = np.full((len(seconds), 2), np.inf), np.full((len(seconds), 2), -1, np.int32)
    for k in (0, 1):
        least = seconds.min(axis=1)
        tied = np.where((seconds == least[:, None]) & np.isfinite(seconds), which, last)
        column = tied.argmin(axis=1)
        found = np.isfinite(least)
        out_s[:, k] = least
        out[found, k] = which[rows, column][found]
        seconds[which == which[rows, column][:, None]] = np.inf
    return out_s, out


def gap_table(
    network: StreetNetwork,
    pieces: StreetPieces,
    tiers: tuple[AreaTier, ...],
    uncovered_m: NDArray[np.float64],
    longest_s: NDArray[np.float64],
    people_per_m: NDArray[np.float64],
    lost: Placed,
) -> pd.DataFrame:
    """List each area's longest stretches of one segment beyond the largest threshold, longest first.

    uncovered_m : (p,) metres of each piece out of reach, 0 on closed segments. longest_s : (m,) of each segment.
    people_per_m : (p,) people spread along each piece; lost : the homes out of reach. Both count as ``people``.
    Ties go to the greater time, then the lower segment id. Stretches under ``SHORTEST_GAP_M`` are not listed.
    """
    m = max(network.n_segments, 1)
    tables = []
    for tier in tiers:
        area = pieces.area[tier.level]
        kept = np.flatnonzero((area >= 0) & (uncovered_m > 0))
        key, inverse = np.unique(area[kept].astype(np.int64) * m + pieces.segment[kept], return_inverse=True)
        gap_m = np.bincount(inverse, uncovered_m[kept], minlength=len(key))
        people = sum_by(inverse.astype(np.int32), len(key), (uncovered_m * people_per_m)[kept])
        people += _at_keys(key, lost.area[tier.level].astype(np.int64) * m + lost.positions.segment, lost.weight)
        long = gap_m >= SHORTEST_GAP_M
        key, gap_m, people = key[long], gap_m[long], people[long]
        of_area, segment = key // m, key % m
        order = np.lexsort((network.segment_id[segment], -longest_s[segment], -gap_m, of_area))
        of_area, segment, gap_m, people = of_area[order], segment[order], gap_m[order], people[order]
        rank = np.arange(len(order)) - np.searchsorted(of_area, of_area)
        top = rank < (GAPS_LISTED_CELL if tier.level == "grid_cell" else GAPS_LISTED)
        of_area, segment = of_area[top], segment[top]
        tables.append(
            pd.DataFrame(
                {
                    "code": tier.code[of_area],
                    "name": tier.name[of_area],
                    "level": np.full(len(segment), tier.level, object),
                    "rank": rank[top] + 1,
                    "segment_id": network.segment_id[segment],
                    "street": network.name[segment],
                    "gap_m": gap_m[top],
                    "longest_s": _finite(longest_s[segment]),
                    "people": people[top],
                }
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _at_keys(keys: NDArray[np.int64], of: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (k,) the weight at each of ``keys`` (ascending); what lies at none of them is left out."""
    if not len(keys):
        return np.zeros(0)
    at = np.minimum(np.searchsorted(keys, of), len(keys) - 1)
    found = keys[at] == of
    return sum_by(at[found].astype(np.int32), len(keys), weight[found])


def _finite(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``seconds`` with NaN, which tables leave empty, where there is no way."""
    return np.where(np.isfinite(seconds), seconds, np.nan)
