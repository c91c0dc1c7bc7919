"""The rates of a city's streets, from its reports and the record of its patrols."""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.network import StreetNetwork
from gis.street_points import points_on
from planner.hotspots.effort import DAYS_A_WEEK, SHIFTS, Effort, passes_by
from planner.hotspots.exposure import Detection, effective_weeks, estimate_detection, exposure_of
from planner.hotspots.frame import CHANNELS
from planner.hotspots.neighbours import Links, meeting
from planner.hotspots.rates import Rates, corrected_rates
from planner.hotspots.rates_hours import local_hours
from planner.hotspots.rates_location import shares_of
from planner.hotspots.records import Events

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A report may belong to any street within so far; metres that reports of patrols and of others lie off it, at first.
NEAR_M, OFF_M = 60.0, (4.0, 15.0)
#: Times that reports are shared anew among the streets near them.
TURNS = 3
PATROL = CHANNELS.index("patrol")
_SHORTEST_M = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """k reports near n streets that were patrolled through t stretches of time, months or weeks.

    segment : (n,) positions in the network, those a patrol may walk. passes : (n, t, shifts). weeks, calendar_month :
    (t,). x, y, length_m : (n,) metres, the middle and length. classes : (n, c) 0/1 of street classes. beside : which
    streets meet.
    by_patrol, month, shift : (k,). report, street, gap_m : (c,) candidates: report ``report`` lies ``gap_m`` from
    street ``street``; each report has at least one. unrecorded : reports left out with the stretches in which patrols
    found someone and none is on record.
    """

    segment: Ints
    passes: Floats
    weeks: Floats
    calendar_month: Ints
    x: Floats
    y: Floats
    length_m: Floats
    classes: Floats
    beside: Links
    by_patrol: NDArray[np.bool_]
    month: Ints
    shift: Ints
    report: Ints
    street: Ints
    gap_m: Floats
    unrecorded: int

    def counts(self, of: NDArray[np.bool_], share: Floats) -> Floats:
        """Return (n, t, shifts) the reports marked in ``of`` (k,), each split by the shares (c,) of its candidates."""
        rows = np.flatnonzero(of[self.report])
        at = self.report[rows]
        n, t, s = self.passes.shape
        flat = (self.street[rows] * t + self.month[at]) * s + self.shift[at]
        return np.asarray(np.bincount(flat, share[rows], n * t * s).reshape(n, t, s), np.float64)


def watched(
    network: StreetNetwork, walkable: NDArray[np.bool_], events: Events, effort: Effort, starts: Ints
) -> Watched:
    """Lay reports and patrols of months, or other stretches of time, on the streets; starts : (t + 1,) days since 1970.

    A report farther than NEAR_M from any street that may be walked is left out. So is a stretch in which patrols found
    someone and none is on record: how much was looked, and what was left to others to report, is not known. Where no
    stretch has any on record, finds count as reports of others: they tell of places, if not of how many people.
    """
    segment = np.flatnonzero(walkable)
    length_m = np.maximum(network.length_m[segment], _SHORTEST_M)
    x, y = points_on(network, segment, network.length_m[segment] / 2)
    passes = passes_by(effort, network.n_segments, starts)[segment]
    month = np.searchsorted(starts, events.day, side="right") - 1
    inside = (month >= 0) & (month < len(starts) - 1)
    by_patrol = (events.channel == PATROL) & passes.any()
    known = passes.any(axis=(0, 2)) | (np.bincount(month[inside & by_patrol], minlength=len(starts) - 1) == 0)
    count = int(inside.sum())
    inside[inside] = known[month[inside]]
    lines = shapely.transform(
        network.geometry[segment], lambda at: np.column_stack(to_metric(at[:, 0], at[:, 1], network.crs))
    )
    spots = shapely.points(events.x, events.y)
    report, street = shapely.STRtree(lines).query(spots[inside], predicate="dwithin", distance=NEAR_M)
    gap_m = shapely.distance(spots[inside][report], lines[street])
    kept, number = np.unique(report, return_inverse=True)
    used = np.flatnonzero(inside)[kept]
    classes = np.unique(network.street_class[segment].astype(str), return_inverse=True)
    begins = starts[:-1][known].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return Watched(
        segment, passes[:, known], np.diff(starts)[known] / DAYS_A_WEEK, begins % 12 + 1, x, y, length_m,
        np.eye(len(classes[0]))[classes[1]], meeting(network.u[segment], network.v[segment]), by_patrol[used],
        np.cumsum(known)[month[used]] - 1, _shift_of(events.hour[used]), number, street, gap_m,
        count - int(inside.sum()),
    )  # fmt: skip


def _shift_of(hour: Floats) -> Ints:
    return np.searchsorted([end for _, end in SHIFTS[:-1]], hour, side="right").astype(np.int64)


def street_rates(of: Watched, *, detectability: float | None = None) -> tuple[Rates, Detection]:
    """Return people who can be found per week on each of the n streets, and how they are found.

    detectability : None to estimate it. Reports count on the nearest street; how patrols see is learnt from reports
    shared among the streets near them, by what is expected there, since a few laid on the wrong street hide it.
    """
    nearest = nearest_shares(of)
    found, told = (of.counts(mine, nearest) for mine in (of.by_patrol, ~of.by_patrol))
    by_find, by_word = found, told
    off_m = list(OFF_M)
    for turn in range(TURNS):
        detection = estimate_detection(by_find, by_word, of.passes, of.weeks, of.calendar_month)
        if detectability is not None:
            detection = replace(detection, detectability=detectability, sd_log=0.0, guessed=False)
        hours = local_hours(found + told, of.passes, of.weeks, detection, of.x, of.y, of.length_m)
        exposure = effective_weeks(of.passes, of.weeks, detection, hours=hours)
        rates = corrected_rates(
            found.sum(axis=(1, 2)), told.sum(axis=(1, 2)), exposure, of.x, of.y, of.length_m, covariates=of.classes
        )
        if turn + 1 < TURNS:
            by_find, by_word = _shared(of, detection, rates.mean, off_m)
    return rates, detection


def nearest_shares(of: Watched) -> Floats:
    """Return (c,) 1 for each report's nearest candidate, the lowest street where equal."""
    share = np.zeros(len(of.report))
    order = np.lexsort((of.street, of.gap_m, of.report))
    share[order[np.r_[True, np.diff(of.report[order]) != 0][: len(order)]]] = 1.0
    return share


def _shared(of: Watched, detection: Detection, rate: Floats, off_m: list[float]) -> tuple[Floats, Floats]:
    """Return reports of patrols and of others (n, t, shifts), shared among streets; ``off_m`` is fitted in place."""
    seen = exposure_of(of.passes, of.weeks, detection.detectability)
    counts = []
    for k, mine in enumerate((of.by_patrol, ~of.by_patrol)):
        rows = np.flatnonzero(mine[of.report])
        which = np.unique(of.report[rows], return_inverse=True)[1]
        street, at = of.street[rows], of.report[rows]
        chance = seen[street, of.month[at], of.shift[at]]
        expected = rate[street] * (chance if k == 0 else 1.0 - chance)
        share = np.zeros(len(of.report))
        share[rows], off_m[k] = shares_of(which, of.gap_m[rows], of.length_m[street], expected, off_m[k])
        counts.append(of.counts(mine, share))
    return counts[0], counts[1]
