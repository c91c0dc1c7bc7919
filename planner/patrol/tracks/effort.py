"""How much was walked of each segment in each hour, over all workers: names stay behind."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import StreetNetwork
from planner.patrol.tracks.matching import Matched
from planner.patrol.tracks.points import DAY_S

HOUR_S = 3600.0


def effort_by_hour(network: StreetNetwork, matched: Matched) -> pd.DataFrame:
    """Return metres and seconds walked of each segment by date and hour.

    Rows (segment_id, date, hour, metres, seconds) in that order, local time; a piece that spans hours is shared among
    them by time. Metres count every passage. Nothing tells who walked.
    """
    first = (matched.begin_s // HOUR_S).astype(np.int64)
    last = np.maximum((np.nextafter(matched.end_s, -np.inf) // HOUR_S).astype(np.int64), first)
    count = last - first + 1
    piece = np.repeat(np.arange(len(first)), count)
    hour = first[piece] + np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    seconds = np.minimum(matched.end_s[piece], (hour + 1) * HOUR_S) - np.maximum(matched.begin_s[piece], hour * HOUR_S)
    whole_s = (matched.end_s - matched.begin_s)[piece]
    share = np.where(whole_s > 0, seconds / np.where(whole_s > 0, whole_s, 1.0), 1.0)
    table = pd.DataFrame(
        {
            "segment_id": network.segment_id[matched.segment[piece]],
            "when": hour,
            "metres": matched.metres[piece] * share,
            "seconds": seconds,
        }
    )
    table = table.groupby(["segment_id", "when"], as_index=False, sort=True).sum()
    when = table["when"].to_numpy(np.int64)
    return pd.DataFrame(
        {
            "segment_id": table["segment_id"],
            "date": _dates(when * int(HOUR_S) // DAY_S),
            "hour": when % 24,
            "metres": table["metres"],
            "seconds": table["seconds"],
        }
    )


def _dates(days: NDArray[np.int64]) -> NDArray[np.object_]:
    """Return ISO dates (n,) of days since 1970."""
    return days.astype("datetime64[D]").astype(str).astype(object)
