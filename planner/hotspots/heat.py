"""What streets are worth to a patrol: the discoveries a pass is expected to make, with room to explore."""

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from planner.hotspots.effort import walked_by
from planner.hotspots.exploration import priorities
from planner.hotspots.ground import parts_of
from planner.hotspots.recent import recent_rates, stretches_of
from planner.hotspots.records import HotspotRecords, day_number, every_event, repeated
from planner.hotspots.street_rates import street_rates, watched

Floats = NDArray[np.float64]
#: Months before the patrol's that are looked back on, beside the days of its own.
MONTHS = 24
#: One pass is judged at this speed; only the order and ratios of streets matter.
SERVICE_M_A_S = 1.0


def heat_of(records: HotspotRecords, walkable: NDArray[np.bool_], drawn_on: dt.date) -> Floats | None:
    """Return (m,) discoveries per metre that a pass through each segment is expected to make, over the city's mean.

    drawn_on : the day of the patrol; reports and patrols of the months before count, recent ones more where rates are
    seen to change, streets beside patrolled ones more where people are seen to go there (``planner.hotspots.memory``).
    Rates are drawn from what is known of them by its date (Thompson sampling), so that little-known streets get their
    turn; where all may have changed at once, streets nobody looked at since come first. None where no patrol or no
    report is on record: then nothing can be corrected.
    """
    if not len(records.effort) or not len(records.reports):
        return None
    last = np.datetime64(drawn_on) - 1
    first = (last.astype("datetime64[M]") - MONTHS).astype("datetime64[D]")
    starts = parts_of(int(first.astype(np.int64)), int(last.astype(np.int64)))
    events = every_event(records)
    inside = (events.day >= starts[0]) & (events.day < starts[-1]) & (events.people > 0) & ~repeated(records)
    if not inside.any() or not walkable.any():
        return None
    effort = walked_by(records.effort, int(last.astype(np.int64)))
    of = watched(records.city.network, walkable, events.take(inside), effort, stretches_of(starts))
    _, detection = street_rates(of)
    rates, unseen = recent_rates(of, detection)
    worth = priorities(
        rates, of.length_m, of.length_m / SERVICE_M_A_S, detectability=detection.detectability,
        seed=day_number(drawn_on), unseen=unseen,
    ).planned  # fmt: skip
    mean = float(worth @ of.length_m / of.length_m.sum())
    heat = np.zeros(records.city.network.n_segments)
    heat[of.segment] = worth / mean if mean > 0 else 1.0
    return heat
