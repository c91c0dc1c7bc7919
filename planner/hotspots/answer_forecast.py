"""How many people are expected to be found where and when in a coming week, as tables."""

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planner.hotspots.effort import PATROL_KMH, passes_by
from planner.hotspots.forecast import Forecast, forecast_next
from planner.hotspots.forecast_profile import Profile, time_profile
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.ground import Ground, ground_of
from planner.hotspots.months import FIRST_YEAR, MONTHS_A_YEAR, Months, months_of
from planner.hotspots.neighbours import neighbours_from_pairs
from planner.hotspots.question import WEATHER, ForecastQuestion
from planner.hotspots.records import EPOCH, Events, HotspotRecords, day_number, events_of
from planner.notes import Note
from planner.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_MONTHS, WEEK_DAYS, HOURS_A_DAY = 7, 7, 24
#: Days before the week in which a patrol makes a street looked at.
LOOKED_DAYS = 365


def forecast_tables(
    records: HotspotRecords, question: ForecastQuestion, frame: Frame, watch: Watch
) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Return "summary" (one row), "segments", "cells", "profile" (weekday, hour) and "weather", and notes.

    Finds are those of patrols as they went of late, and of others; expected at an hour of the week = expected of the
    week x share of the hour x factor of the weather. Raises QuestionError where there are too few months.
    """
    assert frame.last is not None
    events, notes = events_of(records, frame)
    ground = ground_of(records, frame, events)
    months, said = months_of(records, frame, LEAST_MONTHS)
    week = question.week or frame.last + dt.timedelta(days=1)
    profile, weather = _profile(records, events, question, notes)
    factor = weather.set_index("weather")["factor"].get(question.weather, 1.0) if question.weather else 1.0
    watch.tell("cells")
    cube, network = ground.cube(events, months.starts), ground.network
    ahead = _forecast(cube, months, ground.links, ground.cells.street_m, week, question.cover)
    by_cell = _of_week(ahead, week, float(factor))
    watch.tell("streets")
    streets = np.flatnonzero(ground.walkable)
    street_cube, street_m = _street_cube(ground, events, months.starts), network.length_m[streets]
    ahead = _forecast(street_cube, months, _street_links(ground, streets), street_m, week, question.cover)
    by_street = _of_week(ahead, week, float(factor))
    passes = _passes_a_week(records, ground, week)
    looked = passes > 0
    by_patrol = float((events.channel == CHANNELS.index("patrol")).mean())
    expected = by_street["expected_week"]
    patrolled_min = np.maximum(passes[streets], 1.0) * np.maximum(street_m, 1.0) / (PATROL_KMH * 1000 / 60)
    in_cells = ground.per_cell(looked.astype(np.float64)) > 0
    cells = pd.DataFrame({
        "column": ground.cells.column, "row": ground.cells.row, **by_cell, "state": _state(in_cells, cube),
    })  # fmt: skip
    segments = pd.DataFrame({
        "segment_id": network.segment_id[streets], "length_m": street_m, "state": _state(looked[streets], street_cube),
        **by_street, "per_minute": np.where(looked[streets], by_patrol * expected / patrolled_min, np.nan),
    })  # fmt: skip
    weekday, hour = np.divmod(np.arange(WEEK_DAYS * HOURS_A_DAY), HOURS_A_DAY)
    shares = pd.DataFrame({"weekday": weekday, "hour": hour, "share": profile.share.ravel()})
    summary = pd.DataFrame({
        "week_from": [week.isoformat()], "week_until": [(week + dt.timedelta(days=6)).isoformat()],
        "expected": [cells["expected_week"].sum()], "months": [int(months.counted.sum())],
        "weather": [question.weather], "cover": [question.cover],
    })  # fmt: skip
    tables = {"summary": summary, "segments": segments, "cells": cells, "profile": shares, "weather": weather}
    return tables, [*notes, *said]


def _forecast(
    counts: Floats, months: Months, links: tuple[NDArray[np.int32], NDArray[np.int32]], extent_m: Floats, week: dt.date,
    cover: float,
) -> Forecast:  # fmt: skip
    """Forecast the month of the week from the months that were counted."""
    number = months.number[months.counted]
    month = max(week.year * MONTHS_A_YEAR + week.month - 1, int(number[-1]) + 1)
    return forecast_next(counts[:, months.counted], number, *links, extent=extent_m, next_month=month, cover=cover)


def _of_week(of: Forecast, week: dt.date, factor: float) -> dict[str, Floats]:
    """Return what a forecast of a month says of one week of it."""
    first = np.datetime64(of.month - FIRST_YEAR * MONTHS_A_YEAR, "M")
    days = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int)
    mean = of.mean * (factor * WEEK_DAYS / days)
    edge = (1.0 - of.cover) / 2.0
    return {"expected_week": mean, "low": of.scatter.quantile(edge, mean), "high": of.scatter.quantile(1 - edge, mean)}


def _street_cube(ground: Ground, events: Events, starts: Ints) -> Floats:
    """Return (n, t) reports of each street that may be walked in each month."""
    t, on = len(starts) - 1, events.at.segment.astype(np.int64)
    month = np.searchsorted(starts, events.day, side="right") - 1
    kept = (on >= 0) & (month >= 0) & (month < t)
    counts = np.bincount(on[kept] * t + month[kept], minlength=ground.network.n_segments * t)
    return np.asarray(counts.reshape(-1, t)[ground.walkable], np.float64)


def _street_links(ground: Ground, streets: Ints) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return which of the streets meet at a junction."""
    network, n = ground.network, len(streets)
    end = np.r_[network.u[streets], network.v[streets]].astype(np.int64)
    street = np.r_[np.arange(n), np.arange(n)]
    order = np.argsort(end, kind="stable")
    starts = np.searchsorted(end[order], np.arange(network.n_nodes + 1))
    size = np.diff(starts)
    of = np.repeat(np.arange(network.n_nodes), size**2)
    k = np.arange(len(of)) - np.repeat(np.cumsum(size**2) - size**2, size**2)
    a, b = (street[order[starts[of] + part]] for part in np.divmod(k, size[of]))
    apart = a != b
    return neighbours_from_pairs(a[apart], b[apart], n)


def _passes_a_week(records: HotspotRecords, ground: Ground, week: dt.date) -> Floats:
    """Return (m,) passes of each segment a week, in the year before."""
    end = day_number(week)
    period = np.array([end - LOOKED_DAYS, end])
    passes = passes_by(records.effort, ground.network.n_segments, period, per_shift=False)[:, 0]
    return passes * (WEEK_DAYS / LOOKED_DAYS)


def _state(looked: NDArray[np.bool_], counts: Floats) -> NDArray[np.object_]:
    """Return "unknown" where no patrol looked of late, else whether anyone was ever reported there."""
    return np.where(looked, np.where(counts.any(axis=1), "found", "none"), "unknown").astype(object)


def _profile(
    records: HotspotRecords, events: Events, question: ForecastQuestion, notes: list[Note]
) -> tuple[Profile, pd.DataFrame]:
    """Return the profile of a week, and the factors of the weather where the layer weather says what it was."""
    weekday = (events.day + EPOCH.weekday()) % WEEK_DAYS
    hour = np.minimum(events.hour.astype(np.int64), HOURS_A_DAY - 1)
    table = records.weather
    if not len(table):
        if question.weather:
            zh = "没有天气记录（lamplight import weather 文件），未作天气校正"
            notes.append(Note("no-weather", zh, "no weather is on record (lamplight import weather FILE): unused"))
        return time_profile(weekday, hour), pd.DataFrame({"weather": list(WEATHER), "factor": 1.0, "days": 0})
    day = pd.to_datetime(table["date"]).to_numpy("datetime64[D]").astype(np.int64)
    kind = pd.Categorical(table["weather"], categories=WEATHER).codes.astype(np.int64)
    first, last = events.day.min(), events.day.max()
    during = (day >= first) & (day <= last)
    class_of = np.full(int(last - first) + 1, -1)
    class_of[day[during] - first] = kind[during]
    days = np.bincount(kind[during], minlength=len(WEATHER))
    profile = time_profile(
        weekday, hour, class_of[events.day - first], weather_hours=days.astype(np.float64) * HOURS_A_DAY
    )
    return profile, pd.DataFrame({"weather": list(WEATHER), "factor": profile.weather_factor, "days": days})
