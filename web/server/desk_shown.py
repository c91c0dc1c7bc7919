"""What the desk shows of a night as it stands: crews, open reports, what is missing, changes, streets found by name."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import request

from layers.night_records import NightChange, NightRoute, PatrolNight
from layers.nights import changes_since
from layers.own_route import AND
from layers.phone import Ticked, done_by_ticks
from layers.store import Store
from planner.desk.board import Board
from planner.desk.runs import seconds_of
from planner.patrol.question import DAY_S
from planner.roster import roster_gaps
from planner.roster_duty import left_in
from web.server import staff_frame
from web.server.access import account, own_area, own_store, public_city, whole_store
from web.server.city import now
from web.server.desk_board import Desk
from web.server.desk_reports import ReportPage, report_page
from web.server.desk_view import FRESH, CrewRow, LeftRow, change_rows, crew_rows, left_over, stops_named
from web.server.language import _, language

#: Streets listed by one search; the list says when there are more.
MOST_STOPS = 40
#: Where a night is another than tonight, crews are shown where they are this long after it began.
AN_HOUR_S = 3600.0
#: Places of crews are told to this many seconds, so that the walks to them are reckoned once for many who ask.
STEADY_S = 60.0
_ASKED = re.compile(r"(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True, eq=False)
class Tonight:
    """One night as it stands for whoever asks: what the store holds of it, and the board of its routes.

    routes : of the own area. at_s : the hour crews are shown at, in seconds since the evening's midnight; live :
    whether that is now.
    """

    night: PatrolNight
    routes: list[NightRoute]
    changes: list[NightChange]
    ticked: list[Ticked]
    board: Board
    at_s: float
    live: bool

    def crews(self) -> list[CrewRow]:
        """Return the crews as the list shows them."""
        return crew_rows(self.board, self.routes, self.ticked, self.at_s, now() - FRESH if self.live else None)


def tonight_of(desk: Desk) -> Tonight:
    """Return what pages show of a night on the desk, at the hour that is asked for, else now, else an hour into it."""
    night, store = desk.night, own_store()
    begins_s = float(desk.board.ground.night.crews.from_s.min())
    asked = _ASKED.fullmatch(request.args.get("at", ""))
    live = asked is None and is_tonight(night)
    at_s = begins_s + AN_HOUR_S
    if live:
        at_s = seconds_of(night.date, now(), public_city().zone)
        at_s -= at_s % STEADY_S
    elif asked:
        at_s = float(int(asked[1]) * 3600 + int(asked[2]) * 60)
    routes = [desk.own[crew] for crew in sorted(desk.own)]
    changes = changes_since(store, night.id, 0)
    return Tonight(night, routes, changes, done_by_ticks(store, night.id), desk.board, at_s, live)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing tonight: streets, people without a route, offices nobody holds."""

    must: list[LeftRow]
    other: int
    idle: list[dict[str, str]]
    vacant: list[dict[str, str]]


def is_tonight(found: PatrolNight) -> bool:
    """Tell whether a night is going on, or begins today."""
    local = public_city().local(now())
    return 0 <= (local - dt.datetime.combine(found.date, dt.time())).total_seconds() < DAY_S * 1.5


def shown(desk: Tonight) -> dict[str, Any]:
    """Return what the parts of the desk are drawn from."""
    crews = desk.crews()
    reports = report_page(
        own_store(), public_city(), account(), crews, request.args.get("page", 1, type=int) or 1, now()
    )
    gaps = _gaps(desk)
    return {
        "night": desk.night, "crews": crews, "reports": reports, "gaps": gaps, "may_change": desk.night.state == "open",
        "changes": change_rows(desk.board, desk.changes, desk.night), "summary": _summary(crews, gaps, reports),
    }  # fmt: skip


def _summary(crews: Sequence[CrewRow], gaps: Gaps, reports: ReportPage) -> str:
    out = [crew for crew in crews if crew.stops and not crew.ill]
    must = _("必巡街段都有人") if not gaps.must else _("必巡而无人 %(count)s 段", count=len(gaps.must))
    values = {"crews": len(out), "km": f"{sum(crew.km for crew in out):.1f}", "must": must, "reports": reports.total,
              "urgent": reports.urgent}  # fmt: skip
    return _(
        "%(crews)s 组出巡，共 %(km)s 公里；%(must)s；待处理报告 %(reports)s 份，其中紧急 %(urgent)s 份。", **values
    )


def found(desk: Tonight) -> dict[str, Any]:
    """Return the streets that are searched for."""
    query, chosen = request.args.get("street", "").strip()[:40], request.args.get("stop", "")[:120]
    stops, more = stops_named(desk.board, desk.routes, own_area(), query, chosen, MOST_STOPS)
    return {"stops": stops, "more_stops": more, "query": query}


def _gaps(desk: Tonight) -> Gaps:
    # of the whole city's plan: read for the streets inside the own area alone
    uncovered = _reasons(whole_store(), desk.night.run_id, desk.night.date.isoformat())
    reasons = {duty: zh if language() == "zh" else en for duty, (zh, en) in uncovered.items()}
    must, other = left_over(desk.board, own_area(), reasons)
    idle = [
        {"persons": r.persons, "why": _("病假") if r.ill_from else _("没有分到街段")}
        for r in desk.routes
        if not r.route
    ]
    store = own_store()
    if ("roster", "") not in store.current():
        return Gaps(must, other, idle, [])
    roster = store.load("roster")
    named = {name for route in desk.routes for name in route.persons.split(AND)}
    hours = shift(desk)
    idle += [{"persons": name, "why": _("在班，未编组")} for name in left_in(roster, desk.night.date, hours, named)]
    levels = [level for level in ("subdistrict", "community", "grid_cell") if ("areas", level) in store.current()]
    vacant = []
    for level in levels:
        areas = store.load("areas", level, fields=["code", "name"]).assign(level=level)
        empty = roster_gaps(areas[["code", "name", "level"]], roster, desk.night.date)
        vacant += [{"name": staff_frame.area_name(code) if level != "grid_cell" else code, "role": role_words(missing)}
                   for code, missing in zip(empty["area_code"], empty["missing"], strict=True)]  # fmt: skip
    return Gaps(must, other, idle, vacant)


def role_words(role: str) -> str:
    """Say what an office of the roster is called."""
    words = {"supervisor": _("缺督导员"), "assistant": _("缺协管员"), "grid_worker": _("缺网格员")}
    return words[role]


@lru_cache(maxsize=8)
def _reasons(store: Store, run_id: str, day: str) -> dict[str, tuple[str, str]]:
    """Return duty -> why the plan of one night left it out, of the whole city."""
    table = store.run(run_id).tables["uncovered"]
    table = table[table["date"] == day]
    return {str(duty): (zh, en) for duty, zh, en in zip(table["duty"], table["zh"], table["en"], strict=True)}


def shift(desk: Tonight) -> tuple[int, int]:
    """Return from when until when somebody is out, in seconds since midnight."""
    crews = desk.board.ground.night.crews
    return int(crews.from_s.min()), int(crews.until_s.max())
