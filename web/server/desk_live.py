"""What the desk's script asks while the page stands open: what has changed, streets by name, what moves on the map."""

from flask import Blueprint, Flask, jsonify, render_template, request

from layers.desk_mark import desk_mark
from layers.nights import night
from layers.report_places import placed_reports
from web.server import staff_frame
from web.server.access import account, needs, own_store, public_city
from web.server.city import now
from web.server.desk_api import loading
from web.server.desk_board import NightLoadingError, desk_of
from web.server.desk_reports import report_features
from web.server.desk_shown import found, shown, tonight_of
from web.server.desk_view import feature, news_of, ways_features
from web.server.sign_in import Answer

#: Parts of the page that are drawn anew when something has changed.
PARTS = ("crews", "reports", "gaps", "log", "to", "sum")

pages = Blueprint("desk_live", __name__, url_prefix="/staff/nights")
staff_frame.dress(pages)
pages.register_error_handler(NightLoadingError, loading)


@pages.get("/<int:night_id>/live")
@needs("direct_patrol")
def live(night_id: int) -> Answer:
    """Tell a page what has changed since it was drawn: nothing, or its parts anew and what others did."""
    night(own_store(), night_id)
    mark = desk_mark(own_store(), night_id, by=account())
    since = request.args.get("since", 0, type=int)
    if request.args.get("mark") == mark:
        return jsonify(version=since, mark=mark)
    desk = tonight_of(desk_of(night_id))
    of = shown(desk)
    parts = {name: render_template("staff/desk_part.html", part=name, **of) for name in PARTS}
    gaps, later = of["gaps"], [one for one in desk.changes if one.number > since]
    body = {
        "version": desk.night.version, "mark": mark, "parts": parts, "news": news_of(desk.board, later, account().id),
        "counts": {
            "crews": len(of["crews"]), "reports": of["reports"].total, "log": len(desk.changes),
            "gaps": len(gaps.must) + len(gaps.vacant),
        },
    }  # fmt: skip
    return jsonify(body)


@pages.get("/<int:night_id>/streets")
@needs("direct_patrol")
def streets(night_id: int) -> Answer:
    """List the streets of a name, for the form that gives one to somebody else."""
    return render_template("staff/desk_part.html", part="found", **found(tonight_of(desk_of(night_id))))


@pages.get("/<int:night_id>/marks")
@needs("direct_patrol")
def marks(night_id: int) -> Answer:
    """Give the desk's map what moves on it, by source: crews, reports, open points, and the ways of the crew shown."""
    desk = tonight_of(desk_of(night_id))
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
    return jsonify({name: {"type": "FeatureCollection", "features": seen} for name, seen in sources.items()})


def register(app: Flask) -> None:
    """Add what the desk's script asks to the application."""
    app.register_blueprint(pages)
