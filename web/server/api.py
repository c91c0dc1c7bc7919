"""What other programs ask of the city: the nearest open point, all points, the way there; for staff their reports."""

import json
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np
import shapely
from apiflask import APIFlask
from flask import Blueprint, Response, abort, request
from numpy.typing import NDArray

from gis.errors import NetworkError, QuestionError
from layers import casebook
from layers.hours import OpeningHours
from layers.public_points import KINDS
from layers.records import FUNCTIONS
from layers.report_states import STATES
from layers.roles import ROLE_PERMISSIONS, tier_of
from planner.nearby import Reached
from web.server.access import account, anyone, needs, own_store, public_city
from web.server.api_schemas import (
    GEOJSON,
    JSON,
    SCHEMAS,
    SECURITY,
    TEXT,
    Answer,
    Operation,
    operation,
    paths_of,
    ref,
)
from web.server.city import PublicCity, now
from web.server.parameters import Parameter, read

pages = Blueprint("api", __name__, url_prefix="/api/v1")

#: How long a map may show a point as open that has just closed.
FRESH_S = 30
PLACE = (
    Parameter("lon", "number", "经度 longitude, WGS84", lowest=-180, highest=180, required=True),
    Parameter("lat", "number", "纬度 latitude, WGS84", lowest=-90, highest=90, required=True),
)
CHOICE = (
    Parameter("function", "text", "有此服务功能 offering this function", FUNCTIONS),
    Parameter("open", "text", "现在开放，或全天开放 open now, or at all times", ("now", "always")),
)
COUNT = Parameter("count", "integer", "最多几个 how many at most", lowest=1, highest=50, default=5)
PAGE = (
    Parameter("limit", "integer", "每页几个 how many a page", lowest=1, highest=1000, default=100),
    Parameter("offset", "integer", "跳过几个 how many to pass over", lowest=0, highest=10**9, default=0),
)
REPORTS = (
    Parameter("state", "text", "只要此状态 only in this state", tuple(STATES)),
    Parameter("limit", "integer", "每页几个 how many a page", lowest=1, highest=200, default=50),
    Parameter("after", "integer", "上一页最后一个编号 id of the last one before", lowest=1, highest=2**62),
)
KIND_AND_CODE = {"kind": {"type": "string", "enum": list(KINDS.values())}, "code": TEXT}


@pages.get("/nearest")
@operation(Operation(
    "nearest", "步行最近的服务点 The nearest points on foot; none far from every street",
    {200: Answer("由近到远 soonest first", ref("Nearest"))}, (422,), (*PLACE, *CHOICE, COUNT),
))  # fmt: skip
@anyone
def nearest() -> Response:
    """Answer which points are the nearest on foot: asked most of all, so its parts are put together ready-made."""
    asked, city, moment = read((*PLACE, *CHOICE, COUNT), request.args, QuestionError), public_city(), now()
    chosen = _chosen(city, asked["function"], asked["open"], moment)
    found = _reached(city, asked, chosen)
    texts, opens = _texts(city), _opens(city, moment)
    points = [f'{texts[i]},"open":{opens[i]},"walk_s":{seconds:.1f}}}' for i, seconds in found]
    return Response(f'{{"points":[{",".join(points)}]}}', mimetype=JSON)


def _reached(city: PublicCity, asked: dict[str, Any], chosen: NDArray[np.bool_] | None) -> list[Reached]:
    try:
        return city.nearest(asked["lon"], asked["lat"], chosen, asked["count"])
    except NetworkError:  # so far away that the city's metric system cannot say where
        return []


@pages.get("/points")
@operation(Operation(
    "points", "所有公开的服务点 Every public point", {200: Answer("一页 one page", ref("Points"))}, (422,),
    (*CHOICE, *PAGE),
))  # fmt: skip
@anyone
def points() -> Response:
    """List the public's points, page by page."""
    asked, city, moment = read((*CHOICE, *PAGE), request.args, QuestionError), public_city(), now()
    chosen = _chosen(city, asked["function"], asked["open"], moment)
    rows = np.arange(len(city.points)) if chosen is None else np.flatnonzero(chosen)
    shown = rows[asked["offset"] : asked["offset"] + asked["limit"]].tolist()
    texts, opens = _texts(city), _opens(city, moment)
    listed = ",".join(f'{texts[i]},"open":{opens[i]}}}' for i in shown)
    after = asked["offset"] + asked["limit"]
    following = _following({**asked, "offset": after}) if after < len(rows) else None
    return Response(f'{{"points":[{listed}],"total":{len(rows)},"next":{json.dumps(following)}}}', mimetype=JSON)


@pages.get("/points/<kind>/<code>")
@operation(Operation(
    "point", "一个服务点 One point", {200: Answer("服务点 the point", ref("PointDetail"))}, (404, 422),
    path=KIND_AND_CODE,
))  # fmt: skip
@anyone
def point(kind: str, code: str) -> Response:
    """Answer all that is public of one point."""
    read((), request.args, QuestionError)
    city, moment = public_city(), now()
    i = _position(city, kind, code)
    state, hours = city.hours_state(i, moment), str(city.points["hours"].iat[i])
    changes_at = state.changes_at.replace(tzinfo=city.zone).isoformat() if state and state.changes_at else None
    more = {
        "open": state.is_open if state else None, "changes_at": changes_at,
        "hours_zh": OpeningHours(hours).label("zh") if hours else "",
    }  # fmt: skip
    return Response(json.dumps({**_plain(city, i), **more}, ensure_ascii=False), mimetype=JSON)


@pages.get("/points.geojson")
@operation(Operation(
    "points_geojson", "所有公开的服务点，供地图使用 Every public point, for maps",
    {200: Answer("服务点 the points", ref("FeatureCollection"), GEOJSON), 304: Answer("未变 unchanged", None, "")},
    (422,),
))  # fmt: skip
@anyone
def points_geojson() -> Response:
    """Give a map every point and whether it is open."""
    read((), request.args, QuestionError)
    city = public_city()
    answer = Response(_geojson(city, _minute(city, now())), mimetype=GEOJSON)
    answer.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@pages.get("/points/<kind>/<code>/way")
@operation(Operation(
    "way", "步行怎么走 The way there on foot; no feature where there is none",
    {200: Answer("路线 the way", ref("FeatureCollection"), GEOJSON)}, (404, 422), PLACE, KIND_AND_CODE,
))  # fmt: skip
@anyone
def way(kind: str, code: str) -> Response:
    """Answer how to walk from a place to a point."""
    asked, city = read(PLACE, request.args, QuestionError), public_city()
    i = _position(city, kind, code)
    features, found = [], None
    with suppress(NetworkError):  # so far away that the city's metric system cannot say where
        found = city.walks and city.walks.route(asked["lon"], asked["lat"], i)
    if found:
        line = {"type": "LineString", "coordinates": found.line.round(7).tolist()}
        told = {
            "walk_s": round(found.seconds, 1), "metres": round(found.metres, 1),
            "steps": [{**asdict(step), "metres": round(step.metres, 1)} for step in found.steps],
        }  # fmt: skip
        features = [{"type": "Feature", "geometry": line, "properties": told}]
    collection = {"type": "FeatureCollection", "features": features}
    return Response(json.dumps(collection, ensure_ascii=False), mimetype=GEOJSON)


@pages.get("/me")
@operation(Operation(
    "me", "本账号 The account that asks", {200: Answer("账号 the account", ref("Me"))}, (422,), secured=True
))  # fmt: skip
@needs()
def me() -> Response:
    """Answer whose token this is and what it may do."""
    read((), request.args, QuestionError)
    who = account()
    told = {name: getattr(who, name) for name in ("username", "name", "role", "area_code")}
    told |= {"tier": str(tier_of(who.area_code)), "permissions": sorted(ROLE_PERMISSIONS[who.role])}
    return Response(json.dumps(told, ensure_ascii=False), mimetype=JSON)


@pages.get("/reports")
@operation(Operation(
    "reports", "本辖区的报告，不含隐私部分 The reports of one's area, without their private part",
    {200: Answer("一页 one page", ref("Reports"))}, (404, 422), REPORTS, secured=True,
))  # fmt: skip
@needs("read_reports")
def reports() -> Response:
    """List the reports of the account's area, coarse, page by page."""
    asked = read(REPORTS, request.args, QuestionError)
    states = (asked["state"],) if asked["state"] else ()
    found = casebook.reports(
        own_store(), by=account(), states=states, limit=asked["limit"], after=asked["after"]
    )  # fmt: skip
    following = _following({**asked, "after": found[-1].id}) if len(found) == asked["limit"] else None
    told = {"reports": [_told(report) for report in found], "next": following}
    return Response(json.dumps(told, ensure_ascii=False), mimetype=JSON)


def _told(report: casebook.IncomingReport) -> dict[str, Any]:
    moments = {name: getattr(report, name).isoformat() for name in ("received_at", "changed_at")}
    return {**asdict(report), **moments}


def _following(asked: dict[str, Any]) -> str:
    return f"{request.base_url}?{urlencode({name: value for name, value in asked.items() if value is not None})}"


def _position(city: PublicCity, kind: str, code: str) -> int:
    found = city.position(f"{kind}/{code}")
    if found is None:
        abort(404)
    return found


# what requests share, made once for a city, or for a minute of it


@lru_cache(maxsize=2)
def _texts(city: PublicCity) -> tuple[str, ...]:
    """Return each point as JSON, its last brace left off."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return tuple(plain(_plain(city, i))[:-1] for i in range(len(city.points)))


def _plain(city: PublicCity, i: int) -> dict[str, Any]:
    row = city.points.iloc[i]
    verified = row["last_verified"]
    return {
        "key": row["key"], "kind": KINDS[row["kind"]], "code": row["code"], "name": row["name"],
        "functions": [word for word in row["functions"].split(",") if word], "hours": row["hours"],
        "phone": row["phone"], "address": row["address"],
        "last_verified": verified.isoformat() if isinstance(verified, date) else None,
        "lon": round(row.geometry.x, 7), "lat": round(row.geometry.y, 7),
    }  # fmt: skip


def _minute(city: PublicCity, moment: datetime) -> datetime:
    return city.local(moment).replace(second=0, microsecond=0)


def _opens(city: PublicCity, moment: datetime) -> tuple[str, ...]:
    """Return whether each point is open, as JSON."""
    return _opens_at(city, _minute(city, moment))


@lru_cache(maxsize=4)
def _opens_at(city: PublicCity, minute: datetime) -> tuple[str, ...]:
    opens, hours = city.open_at(minute.replace(tzinfo=city.zone)), city.points["hours"]
    return tuple(
        ("true" if is_open else "false") if text else "null" for is_open, text in zip(opens, hours, strict=True)
    )


@lru_cache(maxsize=2)
def _geojson(city: PublicCity, minute: datetime) -> str:
    states = {"true": "open", "false": "closed", "null": "unknown"}
    shapes = shapely.to_geojson(city.points.geometry.to_numpy())
    opens = _opens_at(city, minute)
    features = []
    for i, (key, kind, code, name) in enumerate(
        zip(*(city.points[column] for column in ("key", "kind", "code", "name")), strict=True)
    ):
        told = {"key": key, "kind": KINDS[kind], "code": code, "name": name, "state": states[opens[i]]}
        properties = json.dumps(told, ensure_ascii=False)
        features.append(f'{{"type":"Feature","geometry":{shapes[i]},"properties":{properties}}}')
    return f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}'


def _chosen(city: PublicCity, function: str | None, opening: str | None, moment: datetime) -> NDArray[np.bool_] | None:
    if function is None and opening is None:
        return None
    return _chosen_at(city, function, opening, _minute(city, moment) if opening == "now" else None)


@lru_cache(maxsize=64)
def _chosen_at(
    city: PublicCity, function: str | None, opening: str | None, minute: datetime | None
) -> NDArray[np.bool_]:  # fmt: skip
    chosen = np.ones(len(city.points), bool)
    if function is not None:
        chosen &= city.offering(function)
    if opening == "always":
        chosen &= city.always_open()
    if minute is not None:
        chosen &= city.open_at(minute.replace(tzinfo=city.zone))
    chosen.flags.writeable = False
    return chosen


def register(app: APIFlask) -> None:
    """Add the interface and its description, which every described route of the application is part of."""
    app.register_blueprint(pages)
    app.view_functions["openapi.spec"] = anyone(app.view_functions["openapi.spec"])

    @app.spec_processor
    def describe(spec: Any) -> Any:
        components = {"schemas": dict(SCHEMAS), "securitySchemes": SECURITY}
        return {**spec, "paths": paths_of(app), "components": components}
