"""The supervisor's desk: tonight's routes on map and list, who is where, what is missing, who is waiting for help."""

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import Blueprint, Flask, jsonify, make_response, render_template, request

from gis.errors import LamplightError
from layers.desk_mark import desk_mark
from layers.night_records import NightChange, NightRoute, PatrolNight
from layers.nights import changes_since, night
from layers.own_route import AND
from layers.phone import Ticked, done_by_ticks
from layers.report_places import placed_reports
from layers.store import Store
from planner.desk.board import Board
from planner.desk.runs import seconds_of
from planner.patrol.question import DAY_S
from planner.roster import roster_gaps
from planner.roster_duty import left_in
from web.server import staff_frame
from web.server.access import account, needs, own_area, own_store, public_city, whole_store
from web.server.city import now
from web.server.desk_board import Desk, Loading, desk_of
from web.server.desk_reports import ReportPage, report_features, report_page
from web.server.desk_view import (
    FRESH,
    CrewRow,
    LeftRow,
    change_rows,
    crew_rows,
    feature,
    left_over,
    news_of,
    stops_named,
    ways_features,
)
from web.server.errors import status_of
from web.server.language import _, language, said
from web.server.point_words import date_words
from web.server.public_pages import map_says
from web.server.sign_in import Answer

#: Streets listed by one search; the list says when there are more.
MOST_STOPS = 40
#: Hours between which places can be asked for where the night is another than tonight.
HALF_HOUR_S, AN_HOUR_S = 1800, 3600
#: Places of crews are told to this many seconds, so that the walks to them are reckoned once for many who ask.
STEADY_S = 60.0
#: Parts of the page that are drawn anew when something has changed.
PARTS = ("crews", "reports", "gaps", "log", "to", "sum")
_ASKED = re.compile(r"(\d{2}):(\d{2})")
AGAIN_S = 2
#: How long a page waits for a night that is being read before it says so.
WAIT_S = 3.0

pages = Blueprint("desk", __name__, url_prefix="/staff/nights")
staff_frame.dress(pages)


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
    found, store = desk.night, own_store()
    begins_s = float(desk.board.ground.night.crews.from_s.min())
    asked = _ASKED.fullmatch(request.args.get("at", ""))
    live = asked is None and is_tonight(found)
    at_s = begins_s + AN_HOUR_S
    if live:
        at_s = seconds_of(found.date, now(), public_city().zone)
        at_s -= at_s % STEADY_S
    elif asked:
        at_s = float(int(asked[1]) * 3600 + int(asked[2]) * 60)
    routes = [desk.own[crew] for crew in sorted(desk.own)]
    changes = changes_since(store, found.id, 0)
    return Tonight(found, routes, changes, done_by_ticks(store, found.id), desk.board, at_s, live)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing tonight: streets, people without a route, offices nobody holds."""

    must: list[LeftRow]
    other: int
    idle: list[dict[str, str]]
    vacant: list[dict[str, str]]


@pages.get("/<int:night_id>")
@needs("direct_patrol")
def one(night_id: int) -> Answer:
    """Show the desk of one night."""
    return desk_page(night_id)


@pages.get("/<int:night_id>/live")
@needs("direct_patrol")
def live(night_id: int) -> Answer:
    """Tell a page what has changed since it was drawn: nothing, or its parts anew and what others did."""
    night(own_store(), night_id)
    mark = desk_mark(own_store(), night_id, by=account())
    since = request.args.get("since", 0, type=int)
    if request.args.get("mark") == mark:
        return jsonify(version=since, mark=mark)
    found = desk_of(night_id)
    if isinstance(found, Loading):
        return jsonify(version=since, mark="")
    desk = tonight_of(found)
    shown = _shown(desk, mark)
    parts = {name: render_template("staff/desk_part.html", part=name, **shown) for name in PARTS}
    gaps, later = shown["gaps"], [one for one in desk.changes if one.number > since]
    body = {
        "version": desk.night.version, "mark": mark, "parts": parts, "news": news_of(desk.board, later, account().id),
        "counts": {
            "crews": len(shown["crews"]), "reports": shown["reports"].total, "log": len(desk.changes),
            "gaps": len(gaps.must) + len(gaps.vacant),
        },
    }  # fmt: skip
    return jsonify(body)


@pages.get("/<int:night_id>/streets")
@needs("direct_patrol")
def streets(night_id: int) -> Answer:
    """List the streets of a name, for the form that gives one to somebody else."""
    found = desk_of(night_id)
    if isinstance(found, Loading):
        return ""
    return render_template("staff/desk_part.html", part="found", **_found(tonight_of(found)))


@pages.get("/<int:night_id>/marks")
@needs("direct_patrol")
def marks(night_id: int) -> Answer:
    """Give the desk's map what moves on it, by source: crews, reports, open points, and the ways of the crew shown."""
    found = desk_of(night_id)
    if isinstance(found, Loading):
        return jsonify({})
    desk = tonight_of(found)
    city, at = public_city(), now()
    open_ = city.open_at(at)
    points = zip(city.points.geometry, city.points["name"], open_, strict=True)
    crews = desk.crews()
    sources = {
        "ways": ways_features(desk.board, [crew.name for crew in crews if crew.name == request.args.get("crew")]),
        "crews": [
            feature("Point", [round(c.lon, 6), round(c.lat, 6)], crew=c.name, colour=c.colour)
            for c in crews
            if not c.ill
        ],
        "reports": report_features(placed_reports(own_store(), by=account(), now=at)),
        "help": [feature("Point", [round(p.x, 6), round(p.y, 6)], name=str(name)) for p, name, on in points if on],
    }
    return jsonify({name: {"type": "FeatureCollection", "features": found} for name, found in sources.items()})


def desk_page(
    night_id: int, *, trial: dict[str, Any] | None = None, fault: LamplightError | None = None, status: int = 200
) -> Answer:
    """Return the desk of a night with what is being tried, or with what was refused."""
    mark = desk_mark(own_store(), night_id, by=account())
    found = desk_of(night_id, wait_s=WAIT_S)
    if isinstance(found, Loading):
        return waiting(found)
    desk = tonight_of(found)
    page = make_response(render_template(
        "staff/desk.html", title=_("今晚巡查"), day=date_words(desk.night.date), trial=trial, mark=mark,
        fault="" if fault is None else said(fault), note=_note(desk), hours=_hours(desk), at=_at(desk),
        map_says=map_says(), words=_words(), **_shown(desk, mark), **_found(desk),
    ))  # fmt: skip
    page.status_code = status if fault is None else status_of(fault)
    return page


def waiting(found: Loading) -> Answer:
    """Return the page that waits until the streets of a night have been read, and asks again by itself."""
    page = make_response(render_template("staff/desk_wait.html", title=_("今晚巡查"), step=step_words(found.step)))
    page.headers["Refresh"] = str(AGAIN_S)
    return page


def step_words(step: str) -> str:
    """Say what the loading of a night is at."""
    words = {
        "waiting": _("排队"), "streets": _("读取街道"), "areas": _("读取辖区"), "points": _("读取服务点"),
        "population": _("读取人口"), "reports": _("读取报告"), "patrol": _("安排任务"), "routes": _("推算各组时间"),
    }  # fmt: skip
    return words.get(step, "")


def _shown(desk: Tonight, mark: str) -> dict[str, Any]:
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


def _found(desk: Tonight) -> dict[str, Any]:
    """Return the streets that are searched for."""
    query, chosen = request.args.get("street", "").strip()[:40], request.args.get("stop", "")[:120]
    stops, more = stops_named(desk.board, desk.routes, own_area(), query, chosen, MOST_STOPS)
    return {"stops": stops, "more_stops": more, "query": query}


def _gaps(desk: Tonight) -> Gaps:
    reasons = {duty: zh if language() == "zh" else en for duty, (zh, en) in _uncovered(whole_store(), desk).items()}
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
    hours = _shift(desk)
    idle += [{"persons": name, "why": _("在班，未编组")} for name in left_in(roster, desk.night.date, hours, named)]
    levels = [level for level in ("subdistrict", "community", "grid_cell") if ("areas", level) in store.current()]
    vacant = []
    for level in levels:
        areas = store.load("areas", level, fields=["code", "name"]).assign(level=level)
        found = roster_gaps(areas[["code", "name", "level"]], roster, desk.night.date)
        vacant += [{"name": staff_frame.area_name(code) if level != "grid_cell" else code, "role": role_words(missing)}
                   for code, missing in zip(found["area_code"], found["missing"], strict=True)]  # fmt: skip
    return Gaps(must, other, idle, vacant)


def role_words(role: str) -> str:
    """Say what an office of the roster is called."""
    words = {"supervisor": _("缺督导员"), "assistant": _("缺协管员"), "grid_worker": _("缺网格员")}
    return words[role]


@lru_cache(maxsize=8)
def _reasons(store: Store, run_id: str, day: str) -> dict[str, tuple[str, str]]:
    table = store.run(run_id).tables["uncovered"]
    table = table[table["date"] == day]
    return {str(duty): (zh, en) for duty, zh, en in zip(table["duty"], table["zh"], table["en"], strict=True)}


def _uncovered(store: Store, desk: Tonight) -> dict[str, tuple[str, str]]:
    # of the whole city's plan: read for the streets inside the own area alone
    return _reasons(store, desk.night.run_id, desk.night.date.isoformat())


def _shift(desk: Tonight) -> tuple[int, int]:
    """Return from when until when somebody is out, in seconds since midnight."""
    crews = desk.board.ground.night.crews
    return int(crews.from_s.min()), int(crews.until_s.max())


def _hours(desk: Tonight) -> list[tuple[str, str]]:
    """Return the hours for which places of crews can be asked: now, where it is tonight, and each half hour."""
    first, last = _shift(desk)
    halves = range(first - first % HALF_HOUR_S, last + 1, HALF_HOUR_S)
    here = [("", _("现在"))] if is_tonight(desk.night) else []
    return here + [(_hour(s), _hour_words(s)) for s in halves]


def _at(desk: Tonight) -> str:
    return "" if desk.live else _hour(int(desk.at_s))


def _hour(seconds: int) -> str:
    """Return how an hour is asked for: after midnight the evening goes on, 24:30."""
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def _hour_words(seconds: int) -> str:
    """Return how an hour is said: after midnight it is one of the next day."""
    return _hour(seconds) if seconds <= DAY_S else _("次日 %(clock)s", clock=_hour(int(seconds - DAY_S)))


def is_tonight(found: PatrolNight) -> bool:
    """Tell whether a night is going on, or begins today."""
    local = public_city().local(now())
    return 0 <= (local - dt.datetime.combine(found.date, dt.time())).total_seconds() < DAY_S * 1.5


def _note(desk: Tonight) -> str:
    if desk.night.state != "open":
        return _("本班次已收班。")
    if not is_tonight(desk.night):
        return _("这不是今晚，是 %(day)s 的班次。", day=date_words(desk.night.date))
    return ""


def _words() -> str:
    words = {
        "map": _("今晚路线的地图。列表里有全部内容"), "zoomin": _("放大"), "zoomout": _("缩小"),
        "offline": _("没有连上服务器，改动没有保存。请再试一次。"),
    }  # fmt: skip
    return json.dumps(words, ensure_ascii=False)


def register(app: Flask) -> None:
    """Add the desk to the application."""
    app.register_blueprint(pages)
