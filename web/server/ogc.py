"""OGC API - Features: what may be asked for, and by whom; the features themselves are in ``ogc_items``.

Source: OGC API - Features - Part 1: Core, 17-069r4; classes core, GeoJSON and OpenAPI 3.0.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Blueprint, Flask, Response, abort, request

from gis.errors import LamplightError
from layers.features import Collection, collections, extent
from layers.roles import about_people, may
from layers.store import Store
from web.server.access import anyone, current_account, own_store, public_city, whole_store
from web.server.api_schemas import (
    GEOJSON,
    JSON,
    SCHEMAS,
    SECURITY,
    TEXT,
    Answer,
    Json,
    Operation,
    described,
    operation,
    ref,
)
from web.server.ogc_parameters import filters_of, parameters_of
from web.server.parameters import read

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CLASSES = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "oas30", "geojson")
)
COLLECTION = {"name": TEXT}
_TOKEN_PATH = re.compile(r"/t/([A-Za-z0-9._~-]{1,200})(/ogc(?:/.*)?)")

pages = Blueprint("ogc", __name__, url_prefix="/ogc")


class AskedWronglyError(LamplightError, ValueError):
    """A request that breaks the rules of OGC API, which says 400 to it."""


class TokenInPath:
    """Takes a token from the path, /t/TOKEN/ogc/..., as if it had come in a header: map programs lose headers.

    What follows sees neither the token in the path nor a route with one; addresses in answers keep it.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        found = _TOKEN_PATH.fullmatch(environ.get("PATH_INFO", ""))
        if found:
            token, path = found.groups()
            environ = {
                **environ, "HTTP_AUTHORIZATION": f"Bearer {token}", "PATH_INFO": path,
                "SCRIPT_NAME": f"{environ.get('SCRIPT_NAME', '')}/t/{token}",
            }  # fmt: skip
            environ.pop("HTTP_COOKIE", None)  # nobody but the token says who asks
        return self._app(environ, start_response)


class Reader(NamedTuple):
    """Who asks, as far as layers are concerned: the store they see, and what of it."""

    store: Store
    role: str | None
    found: dict[str, Collection]

    def collection(self, name: str) -> Collection:
        """Return a collection; one that may not be seen is one that does not exist."""
        return self.found.get(name) or abort(404)


def reader() -> Reader:
    """Return who asks; 401 where a token is given that is none: silence would look like a city without records."""
    who = current_account()
    if who is None and "Authorization" in request.headers:
        abort(401)
    sees_more = who is not None and may(who.role, "read_layers")
    store, role = (own_store(), who.role) if who and sees_more else (whole_store(), None)
    return Reader(store, role, collections(store, role))


def base() -> str:
    """Return the address of the landing page, as the caller wrote it."""
    return f"{request.url_root}ogc"


def link(rel: str, href: str, media_type: str, title: str) -> Json:
    """Return one link."""
    return {"rel": rel, "href": href, "type": media_type, "title": title}


def answered(body: Json, media_type: str = JSON) -> Response:
    """Return a body as JSON."""
    return Response(json.dumps(body, ensure_ascii=False), content_type=media_type)


def _operation(name: str, means: str, schema: str, *errors: int, **more: Any) -> Operation:
    return Operation(name, means, {200: Answer(means, ref(schema))}, (400, 401, *errors), **more)


@pages.get("", strict_slashes=False)
@operation(_operation("ogc_landing", "OGC API 首页；令牌也可写在路径 /t/{token}/ogc 里 Landing page", "Landing"))
@anyone
def landing() -> Response:
    """Say what there is."""
    read((), request.args, AskedWronglyError)
    reader()
    at, name = base(), public_city().name
    links = [
        link("self", at, JSON, "本页 this page"),
        link("alternate", request.url_root, "text/html", "公众地图 the public's map"),
        link("service-desc", f"{at}/api", OPENAPI, "接口说明 description of the interface"),
        link("conformance", f"{at}/conformance", JSON, "遵循的规范 what it conforms to"),
        link("data", f"{at}/collections", JSON, "图层 the layers"),
    ]
    return answered(
        {"title": name or "Lamplight", "description": "街面救助图层 layers of street rescue", "links": links}
    )


@pages.get("/conformance")
@operation(_operation("ogc_conformance", "遵循的规范 What it conforms to", "Conformance"))
@anyone
def conformance() -> Response:
    """Say which classes of the standard are kept."""
    read((), request.args, AskedWronglyError)
    reader()
    return answered({"conformsTo": list(CLASSES)})


@pages.get("/api")
@operation(Operation(
    "ogc_api", "接口说明，按所见图层 Description for the caller's layers",
    {200: Answer("OpenAPI 3.0", {"type": "object"}, OPENAPI)}, (400, 401),
))  # fmt: skip
@anyone
def api() -> Response:
    """Describe the interface, with the collections the caller may see."""
    read((), request.args, AskedWronglyError)
    plain = {"/": landing, "/conformance": conformance, "/api": api, "/collections": collections_page}
    paths = {path: {"get": described(view.operation)} for path, view in plain.items()}  # type: ignore[attr-defined]
    for name, of in reader().found.items():
        title = of.schema.zh
        items = {200: Answer(title, ref("Items"), GEOJSON)}
        one = {200: Answer(title, ref("Feature"), GEOJSON)}
        paths[f"/collections/{name}"] = {"get": described(_operation(f"about_{name}", title, "Collection"))}
        paths[f"/collections/{name}/items"] = {
            "get": described(Operation(f"items_{name}", title, items, (400, 401, 409), parameters_of(of)))
        }
        paths[f"/collections/{name}/items/{{fid}}"] = {
            "get": described(Operation(f"item_{name}", title, one, (400, 401, 404), path={"fid": TEXT}))
        }
    return answered(
        {
            "openapi": "3.0.3",
            "info": {"title": public_city().name or "Lamplight", "version": "1"},
            "servers": [{"url": base()}],
            "paths": paths,
            "components": {"schemas": dict(SCHEMAS), "securitySchemes": SECURITY},
        },
        OPENAPI,
    )


@pages.get("/collections")
@operation(_operation("ogc_collections", "可见的图层 The layers one may see", "Collections"))
@anyone
def collections_page() -> Response:
    """List what the caller may see."""
    read((), request.args, AskedWronglyError)
    who, at = reader(), f"{base()}/collections"
    links = [link("self", at, JSON, "本页 this page"), link("alternate", request.url_root, "text/html", "公众地图 map")]
    return answered({"links": links, "collections": [_told(who, of) for of in who.found.values()]})


@pages.get("/collections/<name>")
@operation(_operation("ogc_collection", "一个图层 One layer", "Collection", 404, path=COLLECTION))
@anyone
def collection(name: str) -> Response:
    """Describe one collection."""
    read((), request.args, AskedWronglyError)
    who = reader()
    return answered(_told(who, who.collection(name)))


def _told(who: Reader, of: Collection) -> Json:
    at = f"{base()}/collections/{of.name}"
    told: Json = {
        "id": of.name, "title": of.schema.zh, "itemType": "feature", "crs": [CRS84],
        "links": [
            link("self", at, JSON, of.schema.zh),
            link("items", f"{at}/items", GEOJSON, of.schema.zh),
        ],
        "properties": {parameter.name: parameter.means for parameter in filters_of(of)},
    }  # fmt: skip
    # of a single row it would be the very place, and what is only listed is not written down as read
    box = None if about_people(of.schema.name) else extent(who.store, of)
    if box is not None:
        told["extent"] = {"spatial": {"bbox": [list(box)], "crs": CRS84}}
    return told


def register(app: Flask) -> None:
    """Add the interface to the application, and tokens in paths."""
    app.register_blueprint(pages)
    app.wsgi_app = TokenInPath(app.wsgi_app)  # type: ignore[method-assign]
