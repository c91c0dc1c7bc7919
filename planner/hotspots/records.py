"""What a city's records say of people found and of where anyone looked."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.network import Positions
from planner.areas_around import area_named
from planner.coverage_inputs import CoverageInputs, select
from planner.hotspots.effort import Effort
from planner.hotspots.frame import CHANNELS, Frame
from planner.notes import Note

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: This many reports of one place, minute, channel, outcome and number of people were entered as one batch.
BATCH = 10
EPOCH = dt.date(1970, 1, 1)
_MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """k discovery reports.

    day : (k,) days since 1970. hour : (k,) of the day, 0 to 24. channel : (k,) position in CHANNELS. people : (k,).
    at : on the network, segment -1 off it. x, y : (k,) metres. area : per level, (k,) position of the area around.
    """

    day: Ints
    hour: Floats
    channel: Ints
    people: Floats
    at: Positions
    x: Floats
    y: Floats
    area: dict[str, NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.day)

    def take(self, kept: NDArray[np.bool_]) -> "Events":
        """Return the ``kept`` reports in order."""
        area = {level: of[kept] for level, of in self.area.items()}
        return Events(
            self.day[kept], self.hour[kept], self.channel[kept], self.people[kept], select(self.at, kept),
            self.x[kept], self.y[kept], area,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class HotspotRecords:
    """A city, its reports (columns found_at, channel, outcome, people; x, y in metres), effort and weather by date.

    city.reports : where the rows of ``reports`` lie. effort_lost : records of effort that name no known segment.
    """

    city: CoverageInputs
    reports: pd.DataFrame
    x: Floats
    y: Floats
    effort: Effort
    effort_lost: int
    weather: pd.DataFrame


def day_number(date: dt.date) -> int:
    """Return days since 1970."""
    return (date - EPOCH).days


def last_day(records: HotspotRecords) -> dt.date:
    """Return the date of the last report. Raises QuestionError where there is none."""
    if not len(records.reports):
        raise QuestionError("没有发现报告（lamplight import reports 文件）",
                            "there are no discovery reports (lamplight import reports FILE)")  # fmt: skip
    return pd.Timestamp(records.reports["found_at"].max()).date()


def events_of(records: HotspotRecords, frame: Frame) -> tuple[Events, list[Note]]:
    """Return the reports a question is about, and what was left out and why.

    frame : its dates must be set. Many equal rows of one minute count as one report. Raises QuestionError where no
    report is left.
    """
    assert frame.first is not None and frame.last is not None
    city, every = records.city, every_event(records)
    day, channel = every.day, every.channel
    asked = (day >= day_number(frame.first)) & (day <= day_number(frame.last))
    asked &= np.isin(channel, [CHANNELS.index(name) for name in frame.channels])
    asked &= within(city, every, frame.within) & (every.people > 0)
    again = asked & repeated(records)
    off = asked & ~again & (every.at.segment < 0)
    kept = asked & ~again
    if not kept.any():
        raise QuestionError(f"{frame.first} 至 {frame.last} 没有发现报告",
                            f"there is no discovery report from {frame.first} to {frame.last}")  # fmt: skip
    return every.take(kept), _left_out(int(again.sum()), int(off.sum()))


def within(city: CoverageInputs, events: Events, codes: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return (k,) which reports lie in an area of ``codes``; all where none is named. Raises on an unknown code."""
    inside = np.full(len(events), not codes)
    for code in codes:
        tier, at = area_named(city.tiers, code)
        inside |= events.area[tier.level] == at
    return inside


def every_event(records: HotspotRecords) -> Events:
    """Return all reports there are, batches included."""
    table, city = records.reports, records.city
    minute = _minutes(table)
    day = minute // _MINUTES_A_DAY
    channel = pd.Categorical(table["channel"], categories=CHANNELS).codes.astype(np.int64)
    return Events(
        day, (minute - day * _MINUTES_A_DAY) / 60.0, channel, table["people"].to_numpy(np.float64),
        city.reports.positions, records.x, records.y, city.reports.area,
    )  # fmt: skip


def _minutes(table: pd.DataFrame) -> Ints:
    """Return minutes since 1970 of each report."""
    return np.asarray(pd.to_datetime(table["found_at"]).to_numpy("datetime64[m]").astype(np.int64))


def repeated(records: HotspotRecords) -> NDArray[np.bool_]:
    """Return (k,) which reports only repeat one before them, where there are BATCH or more of the same."""
    table, x, y = records.reports, records.x, records.y
    minute = _minutes(table)
    same = pd.DataFrame({"minute": minute, "x": np.round(x, 1), "y": np.round(y, 1),
                         "channel": table["channel"].to_numpy(), "outcome": table["outcome"].to_numpy(),
                         "people": table["people"].to_numpy()})  # fmt: skip
    size = same.groupby(list(same.columns), sort=False)["minute"].transform("size").to_numpy()
    return np.asarray(same.duplicated().to_numpy() & (size >= BATCH))


def _left_out(again: int, off: int) -> list[Note]:
    notes = []
    if again:
        notes.append(Note("batch", f"{again:,} 份报告与同一分钟同一地点的报告完全相同（整批录入），未重复计入",
                          f"{again:,} reports repeat one of the same minute and place (entered as a batch): "
                          "counted once"))  # fmt: skip
    if off:
        notes.append(Note("off-street", f"{off:,} 份报告附近没有街面，只计入格网与辖区",
                          f"{off:,} reports lie on no street: counted in cells and areas only"))  # fmt: skip
    return notes
