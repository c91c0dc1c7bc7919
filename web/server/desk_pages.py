"""The supervisor's desk: tonight's routes on map and list, who is where, what is missing, who is waiting for help."""

import json
from typing import Any

from flask import Blueprint, Flask, make_response, render_template, request

from gis.errors import LamplightError
from layers.desk_mark import desk_mark
from planner.jobs.words import step_words
from planner.patrol.question import DAY_S
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.desk_board import NightLoadingError, desk_of
from web.server.desk_reports import receipt_of
from web.server.desk_shown import Tonight, found, is_tonight, shift, shown, tonight_of
from web.server.errors import status_of
from web.server.language import _, said
from web.server.point_words import date_words
from web.server.public_pages import map_says
from web.server.sign_in import Answer

#: Hours for which places can be asked are so far apart.
HALF_HOUR_S = 1800
#: A page that waits for a night asks again after this long.
AGAIN_S = 2
#: How long a page waits for a night that is being read before it says so.
WAIT_S = 3.0

pages = Blueprint("desk", __name__, url_prefix="/staff/nights")
staff_frame.dress(pages)


@pages.get("/<int:night_id>")
@needs("direct_patrol")
def one(night_id: int) -> Answer:
    """Show the desk of one night."""
    return desk_page(night_id)


def desk_page(
    night_id: int, *, trial: dict[str, Any] | None = None, fault: LamplightError | None = None, status: int = 200
) -> Answer:
    """Return the desk of a night with what is being tried, or with what was refused."""
    mark = desk_mark(own_store(), night_id, by=account())
    desk, moved = tonight_of(desk_of(night_id, wait_s=WAIT_S)), request.args.get("moved", type=int)
    page = make_response(render_template(
        "staff/desk.html", title=_("今晚巡查"), day=date_words(desk.night.date), trial=trial, mark=mark,
        fault="" if fault is None else said(fault), note=_note(desk), hours=_hours(desk), at=_at(desk),
        receipt=None if moved is None else receipt_of(own_store(), account(), moved), map_says=map_says(),
        words=_words(), **shown(desk), **found(desk),
    ))  # fmt: skip
    page.status_code = status if fault is None else status_of(fault)
    return page


def waiting(loading: NightLoadingError) -> Answer:
    """Return the page that waits until the streets of a night have been read, and asks again by itself."""
    if "X-Part" in request.headers:  # the page stands there and has asked for a part alone
        trial = {"said": said(loading), "good": False}
        return render_template("staff/desk_part.html", part="trial", night=None, trial=trial), 202
    step = said(step_words(loading.step))
    page = make_response(render_template("staff/desk_wait.html", title=_("今晚巡查"), step=step))
    page.headers["Refresh"] = str(AGAIN_S)
    return page


def _hours(desk: Tonight) -> list[tuple[str, str]]:
    """Return the hours for which places of crews can be asked: now, where it is tonight, and each half hour."""
    first, last = shift(desk)
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
    """Add the desk to the application, and the page that waits for it, whatever page of the staff asked."""
    app.register_blueprint(pages)
    app.register_error_handler(NightLoadingError, waiting)
