"""The pages of one place of help: what it does and when, its notice for a wall, and the way there on foot."""

import io
from typing import Any

import segno
from flask import Blueprint, Flask, Response, abort, json, render_template, request, url_for

from layers.hours import OpeningHours
from web.server.access import anyone, public_city
from web.server.asked_place import asked_place
from web.server.city import PublicCity, now
from web.server.hours_table import holidays_words, other_days, week_words
from web.server.language import _
from web.server.point_list import Listed, listed
from web.server.point_words import (
    STALE_DAYS,
    coming_day_words,
    metres_words,
    minutes_of,
    mode_words,
    step_words,
    unsettled_words,
    verified_words,
    walk_words,
    weekday_words,
)
from web.server.public_pages import map_says

QUIET_MODULES = 2

pages = Blueprint("points", __name__)

POINT = "/<any(points, stations):kind>/<code>"


@pages.get(POINT)
@anyone
def point(kind: str, code: str) -> str:
    """Show one place of help."""
    city, position = _of(kind, code)
    asked = asked_place()
    seconds = None
    if asked.at is not None:
        allowed = (city.points["key"] == f"{kind}/{code}").to_numpy(bool)
        reached = city.nearest(*asked.at, allowed, 1)
        seconds = reached[0].seconds if reached else None
    told = listed(city, position, now(), seconds)
    return render_template("point.html", title=told.name, kind=kind, asked=asked, **_told(city, position, told))


@pages.get(f"{POINT}/notice")
@anyone
def notice(kind: str, code: str) -> str:
    """Show one place of help as a notice of half a sheet, to be printed and hung up."""
    city, position = _of(kind, code)
    told = listed(city, position, now())
    return render_template("notice.html", title=told.name, kind=kind, **_told(city, position, told))


@pages.get(f"{POINT}/qr.svg")
@anyone
def qr(kind: str, code: str) -> Response:
    """Draw the address of a page as a QR code."""
    _of(kind, code)
    drawn = io.BytesIO()
    address = url_for("points.point", kind=kind, code=code, _external=True)
    segno.make(address, error="m").save(drawn, kind="svg", border=QUIET_MODULES, light="#fff", omitsize=True)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@pages.get(f"{POINT}/way")
@anyone
def way(kind: str, code: str) -> str:
    """Tell the way to a place of help, step by step."""
    city, position = _of(kind, code)
    asked, told = asked_place(), listed(city, position, now())
    route = None if asked.at is None or city.walks is None else city.walks.route(*asked.at, position)
    return render_template(
        "way.html", title=_("怎么走"), kind=kind, asked=asked, told=told, route=route,
        steps=[step_words(step) for step in route.steps] if route else [],
        walk=walk_words(minutes_of(route.seconds)) if route else "", length=metres_words(route.metres) if route else "",
        geojson=url_for(
            "points.way_geojson", kind=kind, code=code, lon=f"{asked.lon:.6f}", lat=f"{asked.lat:.6f}"
        ) if route else "",
        map_says=map_says(), places=asked.choices_at("points.way", kind=kind, code=code),
    )  # fmt: skip


@pages.get(f"{POINT}/way.geojson")
@anyone
def way_geojson(kind: str, code: str) -> Response:
    """Give the way to a place of help as a line, WGS84."""
    city, position = _of(kind, code)
    asked = asked_place()
    route = None if asked.at is None or city.walks is None else city.walks.route(*asked.at, position)
    if route is None:
        abort(404)
    line = {"type": "LineString", "coordinates": route.line.round(6).tolist()}
    properties = {"minutes": minutes_of(route.seconds), "metres": round(route.metres)}
    feature = {"type": "Feature", "geometry": line, "properties": properties}
    body = json.dumps({"type": "FeatureCollection", "features": [feature]})
    return Response(body, mimetype="application/geo+json")


def _of(kind: str, code: str) -> tuple[PublicCity, int]:
    """Return the city and which of its points the address names; there is no page for one withheld or planned."""
    city = public_city()
    position = city.position(f"{kind}/{code}")
    if position is None:
        abort(404)
    return city, position


def _told(city: PublicCity, position: int, told: Listed) -> dict[str, Any]:
    """Return what pages tell of a point beyond what lists do."""
    row, local = city.points.iloc[position], city.local(now())
    hours = OpeningHours(row["hours"]) if row["hours"] else None
    verified = row["last_verified"] or None
    return {
        "told": told, "mode": mode_words(row["operating_mode"] or ""),
        "week": list(zip(weekday_words(), week_words(hours), strict=True)) if hours else [],
        "today": local.weekday(), "holidays": holidays_words(hours) if hours else "",
        "others": [
            (coming_day_words(day, city.calendar), words) for day, words in other_days(hours, local, city.calendar)
        ] if hours else [],
        "unsettled": unsettled_words(city.calendar, local.date()) if hours and not hours.never_closes() else "",
        "verified": verified, "ago": verified_words(verified, local.date()) if verified else "",
        "stale": verified is not None and (local.date() - verified).days > STALE_DAYS,
        "map_says": map_says(), "address": request.url_root.rstrip("/") + f"/{told.key}",
    }  # fmt: skip


def register(app: Flask) -> None:
    """Add the pages of places of help to the application."""
    app.register_blueprint(pages)
