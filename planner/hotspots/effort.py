"""How often each segment was patrolled, by period and by part of the day."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import StreetNetwork

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS_A_DAY, DAYS_A_WEEK = 24.0, 7
#: How fast a patrol walks that looks.
PATROL_KMH = 3.0
#: Metres walked on shorter segments count as on one of this length: a step across is no pass.
LEAST_LENGTH_M = 5.0
#: Parts of the day that patrols and people differ in: night, day and evening, hours from midnight.
SHIFTS = ((0.0, 6.0), (6.0, 18.0), (18.0, 24.0))
SHIFT_NAMES = ("night", "day", "evening")


@dataclass(frozen=True, slots=True, eq=False)
class Effort:
    """r records of patrols, each of some passes of one segment within some days, spread evenly over some hours.

    segment : (r,) int32 positions. first_day, last_day : (r,) days since 1970, both included.
    from_hour, until_hour : (r,) hours since midnight, until past from, beyond 24 where a shift runs into the morning.
    passes : (r,) times the segment was walked over its whole length.
    """

    segment: NDArray[np.int32]
    first_day: Ints
    last_day: Ints
    from_hour: Floats
    until_hour: Floats
    passes: Floats

    def __len__(self) -> int:
        return len(self.segment)


def effort_of(network: StreetNetwork, recorded: pd.DataFrame, walked: Sequence[pd.DataFrame]) -> tuple[Effort, int]:
    """Return the effort on record and how many records name no segment of the network.

    recorded : the layer patrol-effort. walked : what tracks added (``weekly``, ``monthly``).
    """
    whole = recorded["walked_until"].where(recorded["walked_until"].notna(), recorded["walked_from"])
    begin, end = _hours(recorded["hours"])
    rows = recorded[["segment_id", "walked_from", "passes"]].assign(until=whole, begin=begin, end=end, metres=np.nan)
    rows = pd.concat([rows, *map(_as_recorded, walked)], ignore_index=True)
    segment, known = _positions(network, rows["segment_id"].to_numpy(np.int64))
    length_m = np.maximum(network.length_m[segment], LEAST_LENGTH_M)
    passes = np.where(rows["passes"].isna(), rows["metres"] / length_m, rows["passes"])
    columns = _days(rows["walked_from"]), _days(rows["until"]), rows["begin"], rows["end"], passes
    return Effort(segment[known].astype(np.int32), *(np.asarray(c)[known] for c in columns)), int((~known).sum())


def weekly(effort: pd.DataFrame) -> pd.DataFrame:
    """Return metres walked of each segment by week and hour of the day, from segment_id, date, hour, metres.

    Columns segment_id, walked_from, walked_until (days as ISO text, both included), hour, metres. A week begins on
    Monday; one that two months share is two, so that weeks add up to months.
    """
    day = pd.to_datetime(effort["date"].astype(str))
    month = day.dt.to_period("M").dt
    monday = day - pd.to_timedelta(day.dt.day_of_week, unit="D")
    first = monday.where(monday > month.start_time, month.start_time)
    last = (monday + pd.Timedelta(days=6)).where(lambda sunday: sunday < month.end_time, month.end_time)
    return _summed(effort, first, last)


def monthly(efforts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return what several calls of ``weekly`` gave, by month."""
    effort = pd.concat([_with_days(one) for one in efforts], ignore_index=True)
    month = pd.to_datetime(effort["walked_from"]).dt.to_period("M").dt
    return _summed(effort, month.start_time, month.end_time)


def _summed(effort: pd.DataFrame, first: "pd.Series[pd.Timestamp]", last: "pd.Series[pd.Timestamp]") -> pd.DataFrame:
    days = {"walked_from": first.dt.strftime("%Y-%m-%d"), "walked_until": last.dt.strftime("%Y-%m-%d")}
    by = effort[["segment_id", "hour", "metres"]].assign(**days)
    return by.groupby(["segment_id", "walked_from", "walked_until", "hour"], as_index=False, sort=True).sum()


def _with_days(effort: pd.DataFrame) -> pd.DataFrame:
    """Return what tracks added with the days it was walked on; before version 0.8 it named its month alone."""
    if "month" not in effort:
        return effort
    month = pd.to_datetime(effort["month"])
    return _summed(effort, month, month + pd.offsets.MonthEnd(0))


def _as_recorded(walked: pd.DataFrame) -> pd.DataFrame:
    """Return what tracks added as the layer records effort: metres walked in some days at an hour of the day."""
    walked = _with_days(walked)
    hour = walked["hour"].to_numpy(np.float64)
    return pd.DataFrame({
        "segment_id": walked["segment_id"], "walked_from": pd.to_datetime(walked["walked_from"]),
        "until": pd.to_datetime(walked["walked_until"]), "begin": hour, "end": hour + 1.0, "metres": walked["metres"],
    })  # fmt: skip


def _positions(network: StreetNetwork, segment_id: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the positions of segments by their ids, and which ids are known at all."""
    order = np.argsort(network.segment_id, kind="stable")
    place = np.clip(np.searchsorted(network.segment_id[order], segment_id), 0, network.n_segments - 1)
    return order[place], network.segment_id[order[place]] == segment_id


def walked_by(effort: Effort, day: int) -> Effort:
    """Return the effort as it is known on ``day``, days since 1970: what tracks add to a week that is going on.

    A record of a week or less that began by then is of the days until then, and not spread over those to come.
    """
    going_on = (effort.first_day <= day) & (effort.last_day > day) & (effort.last_day - effort.first_day < DAYS_A_WEEK)
    return replace(effort, last_day=np.where(going_on, day, effort.last_day))


def passes_by(effort: Effort, n_segments: int, starts: Ints, *, per_shift: bool = True) -> NDArray[np.float64]:
    """Return (n_segments, periods, shifts) passes; (n_segments, periods) without ``per_shift``.

    starts : (periods + 1,) days since 1970 on which each period begins, and the day after the last.
    A record that spans several periods or shifts is shared among them by days and hours.
    """
    periods, shifts = len(starts) - 1, len(SHIFTS)
    first = np.clip(np.searchsorted(starts, effort.first_day, side="right") - 1, 0, periods)
    last = np.clip(np.searchsorted(starts, effort.last_day, side="right") - 1, -1, periods - 1)
    count = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(effort)), count)
    period = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    within = np.minimum(effort.last_day[row] + 1, starts[period + 1]) - np.maximum(
        effort.first_day[row], starts[period]
    )
    days = effort.last_day - effort.first_day + 1
    passes = effort.passes[row] * np.maximum(within, 0) / days[row]
    cell = effort.segment[row].astype(np.int64) * periods + period
    shares = _shift_shares(effort)[row]
    size = n_segments * periods
    if not per_shift:
        return np.asarray(np.bincount(cell, passes, size).reshape(n_segments, periods), np.float64)
    by = [np.bincount(cell, passes * shares[:, k], size) for k in range(shifts)]
    return np.asarray(np.stack(by, axis=-1).reshape(n_segments, periods, shifts), np.float64)


def _shift_shares(effort: Effort) -> Floats:
    """Return (r, shifts) which share of each record's hours falls into each part of the day."""
    width = effort.until_hour - effort.from_hour
    shares = np.empty((len(effort), len(SHIFTS)))
    for k, (begin, end) in enumerate(SHIFTS):
        hours = np.zeros(len(effort))
        for day in (0.0, HOURS_A_DAY):  # past midnight it is the next night
            low = np.maximum(effort.from_hour, begin + day)
            hours += np.maximum(np.minimum(effort.until_hour, end + day) - low, 0.0)
        shares[:, k] = hours / width
    return shares


def _hours(texts: pd.Series) -> tuple[Floats, Floats]:
    """Return shifts such as "22:00-02:00" as hours since midnight; the whole day where nothing is said."""
    known: dict[str, tuple[float, float]] = {"": (0.0, HOURS_A_DAY)}
    for text in texts.unique():
        if text:
            begin, end = (int(clock[:2]) + int(clock[3:]) / 60 for clock in str(text).split("-"))
            known[text] = begin, end if end > begin else end + HOURS_A_DAY
    pairs = np.array([known[text] for text in texts], np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _days(dates: pd.Series) -> Ints:
    """Return days since 1970."""
    return np.asarray(pd.to_datetime(dates).to_numpy("datetime64[D]").astype(np.int64))
