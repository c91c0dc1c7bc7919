"""A week of patrols by street: how often each was to be walked, and how often it was."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from layers.scope import Scope
from planner.desk.ground import Ground
from planner.patrol.question import PatrolQuestion
from planner.patrol.records import Calendar, calendar_of

DAYS = 7


@dataclass(frozen=True, slots=True)
class WalkedNight:
    """What is known of one night: planned : duties in a route; done : duties ticked off; over : whether it is past."""

    date: dt.date
    planned: frozenset[str]
    done: frozenset[str]
    over: bool


@dataclass(frozen=True, slots=True)
class StreetWeek:
    """One street, all its segments together.

    segments : how many there are; times : a week, the most of any. due, walked, planned : passes of segments: due in
    the seven days, walked of them (more than due does not count), planned for the nights still to come; missed :
    neither walked nor planned. must : whether any must be walked. nights : date -> (walked, planned) segments of it.
    """

    name: str
    segments: int
    times: int
    due: int
    walked: int
    planned: int
    missed: int
    must: bool
    nights: Mapping[dt.date, tuple[int, int]]


@lru_cache(maxsize=4)
def week_calendar(ground: Ground, within: tuple[str, ...]) -> Calendar:
    """Return all duties of the patrol a night was planned for, those not due that night too."""
    return calendar_of(ground.records, PatrolQuestion(ground.date, within=within), ground.date)


def street_weeks(calendar: Calendar, area: Scope, nights: Sequence[WalkedNight], today: dt.date) -> list[StreetWeek]:
    """Return the streets inside ``area`` over the seven days up to ``today``, the most missed first.

    nights : of the seven days, and those planned for later. Of a night that is not over what is planned counts as
    well as what is done.
    """
    duties = calendar.duties
    groups: dict[str, list[int]] = {}
    for i, cell in enumerate(calendar.cell):
        if area.holds(str(cell)):
            groups.setdefault(str(duties.name[i]), []).append(i)
    counted = [one for one in nights if one.date > today - dt.timedelta(days=DAYS)]
    found = [_street(name, members, calendar, counted) for name, members in groups.items()]
    return sorted(found, key=lambda one: (-one.missed, not one.must, -one.times, one.name))


def _street(name: str, members: list[int], calendar: Calendar, nights: Sequence[WalkedNight]) -> StreetWeek:
    duties = calendar.duties
    due = walked = planned = missed = 0
    for i in members:
        duty, times = str(duties.id[i]), int(duties.times_a_week[i])
        was = min(times, sum(duty in one.done for one in nights))
        will = min(times - was, sum(duty in one.planned - one.done for one in nights if not one.over))
        due, walked, planned, missed = due + times, walked + was, planned + will, missed + times - was - will
    ids = {str(duties.id[i]) for i in members}
    by_night = {one.date: (len(one.done & ids), len(one.planned & ids)) for one in nights}
    return StreetWeek(
        name, len(members), max(int(duties.times_a_week[i]) for i in members), due, walked, planned, missed,
        any(bool(duties.must[i]) for i in members), by_night,
    )  # fmt: skip
