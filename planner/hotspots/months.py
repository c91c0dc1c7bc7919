"""Reports by calendar month, as forecasts learn from them."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.frame import Frame
from planner.hotspots.ground import starts_of
from planner.hotspots.records import HotspotRecords, every_event
from planner.notes import Note

Ints = NDArray[np.int64]
MONTHS_A_YEAR, FIRST_YEAR = 12, 1970


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """t whole calendar months, in order.

    starts : (t + 1,) days since 1970. number : (t,) year * 12 + month - 1. counted : (t,) whether anyone counted.
    """

    starts: Ints
    number: Ints
    counted: NDArray[np.bool_]


def months_of(records: HotspotRecords, frame: Frame, least: int) -> tuple[Months, list[Note]]:
    """Return the whole months of a frame, and notes.

    A month without a single report in the whole city and without any patrol on record is one nobody counted in.
    Raises QuestionError where fewer than ``least`` months were counted.
    """
    assert frame.first is not None and frame.last is not None
    starts = starts_of(np.datetime64(frame.first), np.datetime64(frame.last), 1)
    t = len(starts) - 1
    number = starts[:-1].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    day, effort = every_event(records).day, records.effort
    firsts, lasts = (np.r_[day, of] for of in (effort.first_day, effort.last_day))
    # a record of several months counts in each of them: how many begin and end in each, added up
    opened = np.bincount(np.clip(np.searchsorted(starts, firsts, side="right") - 1, 0, t), minlength=t + 1)
    closed = np.bincount(np.clip(np.searchsorted(starts, lasts, side="right"), 0, t), minlength=t + 1)
    counted = np.cumsum(opened - closed)[:t] > 0
    if counted.sum() < least:
        raise QuestionError(f"至少需要 {least} 个有记录的完整月份（现有 {counted.sum()} 个）",
                            f"{least} whole months with records are needed, there are {counted.sum()}")  # fmt: skip
    silent = int((~counted).sum())
    notes = []
    if silent:
        zh = f"{silent} 个月没有任何报告与巡查记录，视为无人统计"
        notes = [Note("months-uncounted", zh, f"{silent} months hold neither reports nor patrols: nobody counted then")]
    return Months(starts, number + FIRST_YEAR * MONTHS_A_YEAR, counted), notes


def month_text(number: int) -> str:
    """Return the first day of a month as ISO text."""
    return dt.date(number // MONTHS_A_YEAR, number % MONTHS_A_YEAR + 1, 1).isoformat()
