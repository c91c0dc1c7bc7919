"""Who of the roster is on duty at night and has no part in it."""

import datetime as dt
from collections.abc import Collection

import pandas as pd

from planner.patrol.question import parse_hours

#: As the roster names the days off.
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def left_in(roster: pd.DataFrame, date: dt.date, hours: tuple[int, int], persons: Collection[str]) -> list[str]:
    """Return the grid workers on duty in the night of ``date`` who are not among ``persons``, by name.

    roster : as the layer. hours : of the patrol, in seconds since midnight; whoever records no shift has these.
    """
    day = pd.Timestamp(date)
    begins, ends = pd.to_datetime(roster["from_date"]), pd.to_datetime(roster["until_date"])
    here = (roster["role"] == "grid_worker") & (begins.isna() | (begins <= day)) & (ends.isna() | (ends >= day))
    off = roster["days_off"].fillna("").map(lambda days: WEEKDAYS[date.weekday()] in str(days).split(","))
    shifts = [parse_hours(text) if text else hours for text in roster["shift"].fillna("")]
    meets = pd.Series([min(end, hours[1]) > max(start, hours[0]) for start, end in shifts], roster.index, bool)
    found = roster.loc[here & ~off & meets, "person"].astype(str)
    return sorted(name for name in set(found) - set(persons) if name.strip())
