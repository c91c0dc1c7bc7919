"""OGC API - Features: the features of a collection, page by page, as GeoJSON."""

import json
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from flask import Blueprint, Flask, Response, abort, request

from layers.audit import note_reading
from layers.features import Collection, Feature, Wanted, feature, page
from layers.roles import about_people
from web.server.access import account, anyone, public_city
from web.server.api_schemas import GEOJSON, JSON, TEXT, Answer, Operation, operation, ref
from web.server.errors import problem
from web.server.ogc import COLLECTION, AskedWronglyError, Reader, base, link, reader
from web.server.ogc_parameters import (
    ANY_LIMIT,
    COMMON,
    MOST,
    boxes_of,
    filters_of,
    position_of,
    span_of,
    value_of,
)
from web.server.parameters import read, shown

pages = Blueprint("ogc_items", __name__, url_prefix="/ogc/collections/<name>/items")


@pages.get("")
@operation(Operation(
    "ogc_items", "一页要素 A page of features; each field is a parameter, too",
    {200: Answer("一页 one page", ref("Items"), GEOJSON)}, (400, 401, 404, 409), COMMON, COLLECTION,
))  # fmt: skip
@anyone
def items(name: str) -> Response:
    """Give a page of features."""
    who, zone = reader(), public_city().zone
    of = _read_by_name(who, name)
    asked = read((ANY_LIMIT, *COMMON[1:], *filters_of(of)), request.args, AskedWronglyError)
    wanted, start = _wanted(of, asked, zone), 0
    if asked["start"] is not None:
        version, start = _said("start", asked["start"], position_of)
        if version != of.version.id:  # rows have other numbers now, and some may have been withdrawn
            return problem(409, "图层已更新，请从第一页重新读取", "the layer has been imported anew: start again")
    found = page(who.store, of, wanted, limit=min(asked["limit"], MOST), start=start)
    links = [
        link("self", request.url, GEOJSON, "本页 this page"),
        link("collection", f"{base()}/collections/{name}", JSON, of.schema.zh),
    ]
    if found.following is not None:
        following = {**request.args.to_dict(), "start": f"{of.version.id}.{found.following}"}
        links.append(link("next", f"{request.base_url}?{urlencode(following)}", GEOJSON, "下一页 next page"))
    about = {
        "links": links, "timeStamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "numberMatched": found.matched, "numberReturned": len(found.features),
    }  # fmt: skip
    head = json.dumps(about, ensure_ascii=False)[1:-1]
    features = ",".join(_geojson(of, found.features, zone))
    return Response(f'{{"type":"FeatureCollection",{head},"features":[{features}]}}', mimetype=GEOJSON)


@pages.get("/<path:fid>")
@operation(Operation(
    "ogc_item", "一个要素 One feature", {200: Answer("要素 the feature", ref("Feature"), GEOJSON)},
    (400, 401, 404), path={**COLLECTION, "fid": TEXT},
))  # fmt: skip
@anyone
def item(name: str, fid: str) -> Response:
    """Give one feature."""
    read((), request.args, AskedWronglyError)
    who = reader()
    of = _read_by_name(who, name)
    found = None if "\0" in fid else feature(who.store, of, fid)
    if found is None:
        abort(404)
    about = f"{base()}/collections/{name}"
    links = [
        link("self", f"{about}/items/{quote(fid, safe='')}", GEOJSON, "本要素 this feature"),
        link("collection", about, JSON, of.schema.zh),
    ]
    (text,) = _geojson(of, [found], public_city().zone)
    return Response(f'{text[:-1]},"links":{json.dumps(links, ensure_ascii=False)}}}', mimetype=GEOJSON)


def _read_by_name(who: Reader, name: str) -> Collection:
    """Return a collection that is about to be read; of one about people, who reads it is written down first."""
    of = who.collection(name)
    if about_people(of.schema.name):
        me = account()
        note_reading(who.store, of.schema.name, account_id=me.id, area_code=me.area_code, now=datetime.now(UTC))
    return of


def _wanted(of: Collection, asked: dict[str, Any], zone: ZoneInfo) -> Wanted:
    boxes = _said("bbox", asked["bbox"], boxes_of) if asked["bbox"] is not None else ()
    begin, end = (None, None)
    if asked["datetime"] is not None:
        begin, end = _said("datetime", asked["datetime"], lambda text: span_of(text, zone))
    values = tuple(
        (field.name, _said(field.name, asked[field.name], lambda given, field=field: value_of(field, given, zone)))
        for field in of.fields
        if asked[field.name] is not None
    )
    return Wanted(boxes, begin, end, values)


def _said(name: str, given: Any, means: Any) -> Any:
    """Return what a parameter means; AskedWronglyError where it means nothing."""
    try:
        return means(given)
    except ValueError:
        zh, en = f"参数 {name} 看不懂：{shown(str(given))}", f"the parameter {name} cannot be read: {shown(str(given))}"
        raise AskedWronglyError(zh, en) from None


def _geojson(of: Collection, features: list[Feature], zone: ZoneInfo) -> list[str]:
    """Return each feature as GeoJSON; geometries are written whole columns at once."""
    shapes = shapely.to_geojson(shapely.from_wkb(np.array([f.wkb for f in features], object)))
    names = [field.name for field in of.fields]
    naming = names.index(of.id_field) if of.id_field else None
    written = []
    for one, shape in zip(features, shapes, strict=True):
        told = {name: _plain(value, zone) for name, value in zip(names, one.values, strict=True)}
        fid = str(one.row if naming is None else one.values[naming])
        properties = json.dumps(told, ensure_ascii=False)
        written.append(
            f'{{"type":"Feature","id":{json.dumps(fid, ensure_ascii=False)},"geometry":{shape or "null"},'
            f'"properties":{properties}}}'
        )
    return written


def _plain(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=zone).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def register(app: Flask) -> None:
    """Add the features to the application."""
    app.register_blueprint(pages)
