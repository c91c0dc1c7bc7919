"""Open reports on the supervisor's desk: who and what is nearest, who can be sent, and which mean the same person."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from layers.accounts import Account, accounts
from layers.casebook import UnknownReportError, report
from layers.own_route import AND
from layers.referrals import REFERABLE, Referral, referrals
from layers.report_places import PlacedReport, placed_reports, same_person
from layers.report_states import NEEDS, RECEIVERS, STATES
from layers.scope import Scope
from layers.store import Store
from planner.nearby import Reached
from planner.nearest_help import nearest_crews, nearest_points
from web.server.city import PublicCity
from web.server.desk_view import CrewRow, feature
from web.server.language import _, said
from web.server.point_words import hours_words, minutes_of, walk_words
from web.server.staff_frame import when, who

#: Reports on one page of the list, and how many of the nearest crews each names.
PAGE, NEAREST = 20, 2


@dataclass(frozen=True, slots=True)
class NearCrew:
    """A crew and the walk from it, in words."""

    crew: CrewRow
    walk: str


@dataclass(frozen=True, slots=True)
class NearPoint:
    """An open point that can help: key of its page, the walk there and its hours in words."""

    key: str
    name: str
    walk: str
    hours: str


@dataclass(frozen=True, slots=True)
class Assignee:
    """An account that can be sent; words : with its crew and the walk, where it is out."""

    id: int
    words: str


@dataclass(frozen=True, slots=True)
class Referred:
    """Where a report was referred last. until : its deadline; received : when and by whom, "" while nobody was."""

    to: str
    until: str
    received: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier report that may mean the same person, so many metres away."""

    id: int
    metres: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One open report as the desk shows it."""

    id: int
    version: int
    urgent: bool
    medical: bool
    state: str
    needs: str
    people: int
    waiting: str
    place: str
    assigned_to: str
    crews: tuple[NearCrew, ...]
    point: NearPoint | None
    assignees: tuple[Assignee, ...]
    referred: Referred | None
    may_refer: bool
    twins: tuple[Twin, ...]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """One page of the open reports, and how many there are."""

    rows: tuple[ReportRow, ...]
    page: int
    pages: int
    total: int
    urgent: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a report that was given to somebody, or merged. back : the words of the way back, "" for none."""

    id: int
    version: int
    words: str
    back: str


def receipt_of(store: Store, me: Account, report_id: int) -> Receipt | None:
    """Return the receipt of a report that has just been moved; None where ``me`` sees no such report."""
    try:
        found = report(store, report_id, by=me)
    except UnknownReportError:
        return None
    if found.state == "duplicate":
        merged = _("报告 %(number)s 已并入报告 %(original)s。", number=found.id, original=found.duplicate_of)
        return Receipt(found.id, found.version, merged, _("撤销合并"))
    if found.state == "assigned":
        given = _("报告 %(number)s 已派给 %(name)s。", number=found.id, name=who(found.assigned_to))
        return Receipt(found.id, found.version, given, _("收回指派"))
    words = _("报告 %(number)s 现在是“%(state)s”。", number=found.id, state=said(STATES[found.state]))
    return Receipt(found.id, found.version, words, "")


def report_page(
    store: Store, city: PublicCity, me: Account, crews: Sequence[CrewRow], page: int, now: datetime
) -> ReportPage:
    """Return one page of the open reports ``me`` may see, urgent ones first, with who and what is nearest to each."""
    placed = placed_reports(store, by=me, now=now)
    pages = max(1, math.ceil(len(placed) / PAGE))
    page = min(max(page, 1), pages)
    shown = placed[(page - 1) * PAGE : page * PAGE]
    people = accounts(store, active=True) if shown else []
    twins = same_person(placed)
    able = [crew for crew in crews if not crew.ill]
    out = [crew for crew in able if crew.on_duty] or able  # before the evening begins, whoever will be out
    at = [(one.lon, one.lat) for one in shown]
    walks = (
        [] if city.network is None else nearest_crews(city.network, [(c.lon, c.lat) for c in out], at, len(out) or 1)
    )
    points = _points(city, shown, now)
    made = referrals(store, by=me, among=[one.report.id for one in shown]) if shown else []
    last = {one.report_id: one for one in reversed(made)}
    rows = [
        _row(one, me, people, [(out[r.point], r) for r in near], point, last, twins[one.report.id], now)
        for one, near, point in zip(shown, walks or [[] for _one in shown], points, strict=True)
    ]
    return ReportPage(tuple(rows), page, pages, len(placed), sum(one.report.urgency > 0 for one in placed))


def report_features(placed: Sequence[PlacedReport]) -> list[dict[str, object]]:
    """Return the open reports as marks of the map."""
    return [
        feature(
            "Point",
            [round(one.lon, 6), round(one.lat, 6)],
            id=one.report.id,
            urgent=int(one.report.urgency > 0),
            name=str(one.report.id),
        )
        for one in reversed(placed)  # urgent ones lie on top
    ]


def _row(
    one: PlacedReport, me: Account, people: Sequence[Account], near: Sequence[tuple[CrewRow, Reached]],
    point: NearPoint | None, referred: Mapping[int, Referral], twins: Sequence[tuple[int, float]], now: datetime,
) -> ReportRow:  # fmt: skip
    here = one.report
    names = {other.id: other.name for other in people}
    return ReportRow(
        here.id, here.version, here.urgency > 0, "medical" in here.needs, said(STATES[here.state]),
        _("、").join(said(NEEDS[need].words) for need in here.needs), here.people,
        _waiting(now - here.received_at), one.place,
        "" if here.assigned_to is None else names.get(here.assigned_to, f"#{here.assigned_to}"),
        tuple(NearCrew(crew, _walk(reached)) for crew, reached in near[:NEAREST]), point,
        _assignees(here.area_code, here.assigned_to, people, near), _referred(referred.get(here.id), now),
        me.may("refer") and here.state in REFERABLE,
        tuple(Twin(number, round(metres)) for number, metres in twins if number < here.id),
    )  # fmt: skip


def _assignees(
    area_code: str, but: int | None, people: Sequence[Account], near: Sequence[tuple[CrewRow, Reached]]
) -> tuple[Assignee, ...]:
    """Return who may be sent to a place: those out first, the nearest before the others."""
    able = [p for p in people if p.id != but and p.may("work_reports") and Scope.of(p.area_code).holds(area_code)]
    first = []
    for crew, reached in near:
        first += [
            Assignee(p.id, f"{crew.name} {p.name}（{_walk(reached)}）")
            for p in able
            if p.name in crew.persons.split(AND)
        ]
    known = {one.id for one in first}
    return (*first, *(Assignee(p.id, p.name) for p in able if p.id not in known))


def _referred(made: Referral | None, now: datetime) -> Referred | None:
    if made is None:
        return None
    to = " · ".join(filter(None, (said(RECEIVERS[made.receiver].words), made.place)))
    received = f"{when(made.received_at)} {made.received_by}" if made.received_at else ""
    return Referred(to, when(made.due_at), received, made.overdue(now))


def _points(city: PublicCity, shown: Sequence[PlacedReport], now: datetime) -> list[NearPoint | None]:
    functions = [words.split(",") for words in city.points["functions"]]
    found = nearest_points(
        city.walks, functions, city.open_at(now), [(one.lon, one.lat) for one in shown],
        [one.report.needs for one in shown],
    )  # fmt: skip
    return [None if near is None else _point(city, near, now) for near in found]


def _point(city: PublicCity, near: Reached, now: datetime) -> NearPoint:
    row = city.points.iloc[near.point]
    hours = hours_words(city.hours_state(near.point, now), city.local(now))
    return NearPoint(str(row["key"]), str(row["name"]), _walk(near), hours)


def _walk(reached: Reached) -> str:
    return walk_words(minutes_of(reached.seconds))


def _waiting(since: timedelta) -> str:
    minutes = max(0, int(since.total_seconds() // 60))
    if minutes < 60:
        return _("等了 %(count)s 分钟", count=minutes)
    if minutes < 48 * 60:
        return _("等了 %(count)s 小时", count=minutes // 60)
    return _("等了 %(count)s 天", count=minutes // (24 * 60))
