"""The description of what machines ask: each route's operation beside its view, gathered into one OpenAPI document."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from flask import Flask

from layers.records import FUNCTIONS
from layers.report_states import STATES
from web.server.errors import SENTENCES
from web.server.parameters import Parameter
from web.server.parameters import described as parameter_of

View = TypeVar("View", bound=Callable[..., Any])
Json = dict[str, Any]
JSON, GEOJSON, PROBLEM = "application/json", "application/geo+json", "application/problem+json"


class Answer(NamedTuple):
    """What one status brings: in words, and a JSON Schema; None where the body is no JSON."""

    means: str
    schema: Json | None = None
    media_type: str = JSON


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as machines are told of it.

    name : its operationId. errors : the statuses it may refuse with. path : name in the path -> JSON Schema.
    secured : whether it needs a token.
    """

    name: str
    means: str
    answers: Mapping[int, Answer]
    errors: Sequence[int] = ()
    parameters: Sequence[Parameter] = ()
    path: Mapping[str, Json] = field(default_factory=dict)
    secured: bool = False


#: Any route may be refused so: too many requests, and a store that does not answer.
ALWAYS = (429, 503)


def operation(of: Operation) -> Callable[[View], View]:
    """Declare how a view is described."""

    def declare(view: View) -> View:
        view.operation = of  # type: ignore[attr-defined]
        return view

    return declare


def described(of: Operation) -> Json:
    """Return an operation as OpenAPI describes it."""
    answers = {str(status): _answer(answer) for status, answer in of.answers.items()}
    for status in sorted({*of.errors, *ALWAYS, *((401, 403) if of.secured else ())}):
        if str(status) not in answers:
            zh, en = SENTENCES.get(status, SENTENCES[400])
            answers[str(status)] = _answer(Answer(f"{zh} / {en}", ref("Problem"), PROBLEM))
    path = [{"name": name, "in": "path", "required": True, "schema": s} for name, s in of.path.items()]
    found = {
        "operationId": of.name, "summary": of.means, "parameters": [*path, *map(parameter_of, of.parameters)],
        "responses": answers,
    }  # fmt: skip
    return found | ({"security": [{"token": []}]} if of.secured else {})


def _answer(answer: Answer) -> Json:
    found: Json = {"description": answer.means}
    if answer.media_type:
        schema = answer.schema if answer.schema is not None else {"type": "string", "format": "binary"}
        found["content"] = {answer.media_type: {"schema": schema}}
    return found


def paths_of(app: Flask) -> Json:
    """Return the path items of every route that is described."""
    found: Json = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        of = getattr(app.view_functions[rule.endpoint], "operation", None)
        if of is not None:
            found[template_of(rule.rule)] = {"get": described(of)}
    return found


def template_of(rule: str) -> str:
    """Return a route as OpenAPI writes it.

    >>> template_of("/api/v1/points/<kind>/<path:code>")
    '/api/v1/points/{kind}/{code}'
    """
    return re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule)


def ref(name: str) -> Json:
    """Return a reference to one of ``SCHEMAS``."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json, *, optional: Sequence[str] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def listed(of: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": of}


TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
INTEGER: Json = {"type": "integer"}
MOMENT: Json = {"type": "string", "format": "date-time"}
OPEN: Json = {"type": "boolean", "nullable": True, "description": "null: 未说明开放时间 / its hours are not stated"}


def or_null(schema: Json) -> Json:
    """Return a schema that null fits, too."""
    return {**schema, "nullable": True}


_POINT = {
    "key": TEXT, "kind": {"type": "string", "enum": ["points", "stations"]}, "code": TEXT, "name": TEXT,
    "functions": listed({"type": "string", "enum": list(FUNCTIONS)}), "hours": TEXT, "phone": TEXT, "address": TEXT,
    "last_verified": or_null({"type": "string", "format": "date"}), "lon": NUMBER, "lat": NUMBER, "open": OPEN,
}  # fmt: skip
SCHEMAS: Mapping[str, Json] = {
    "Problem": _object(
        {"type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT, "detail_zh": TEXT, "detail_en": TEXT}
    ),
    "Point": _object(_POINT),
    "ReachedPoint": _object({**_POINT, "walk_s": {"type": "number", "minimum": 0}}),
    "PointDetail": _object({**_POINT, "hours_zh": TEXT, "changes_at": or_null(MOMENT)}),
    "Nearest": _object({"points": listed(ref("ReachedPoint"))}),
    "Points": _object({"points": listed(ref("Point")), "total": INTEGER, "next": or_null(TEXT)}),
    "FeatureCollection": _object(
        {"type": {"type": "string", "enum": ["FeatureCollection"]}, "features": listed(ref("Feature"))}
    ),
    "Feature": _object(
        {
            "type": {"type": "string", "enum": ["Feature"]},
            "id": TEXT,
            "geometry": or_null({"type": "object"}),
            "properties": {"type": "object"},
        },
        optional=("id",),
    ),
    "Me": _object(
        {"username": TEXT, "name": TEXT, "role": TEXT, "area_code": TEXT, "tier": TEXT, "permissions": listed(TEXT)}
    ),
    "Report": _object(
        {
            "id": INTEGER, "received_at": MOMENT, "changed_at": MOMENT, "channel": TEXT,
            "state": {"type": "string", "enum": list(STATES)}, "outcome": TEXT, "urgency": INTEGER, "area_code": TEXT,
            "needs": listed(TEXT), "people": INTEGER, "assigned_to": or_null(INTEGER),
            "duplicate_of": or_null(INTEGER), "version": INTEGER,
        }
    ),
    "Reports": _object({"reports": listed(ref("Report")), "next": or_null(TEXT)}),
    "State": _object({"status": TEXT}),
    "Link": _object({"rel": TEXT, "href": TEXT, "type": TEXT, "title": TEXT}),
    "Landing": _object({"title": TEXT, "description": TEXT, "links": listed(ref("Link"))}),
    "Conformance": _object({"conformsTo": listed(TEXT)}),
    "Collection": _object(
        {
            "id": TEXT, "title": TEXT, "itemType": TEXT, "crs": listed(TEXT), "links": listed(ref("Link")),
            "properties": {"type": "object"}, "extent": {"type": "object"},
        },
        optional=("extent",),
    ),
    "Collections": _object({"links": listed(ref("Link")), "collections": listed(ref("Collection"))}),
    "Items": _object(
        {
            "type": {"type": "string", "enum": ["FeatureCollection"]}, "features": listed(ref("Feature")),
            "links": listed(ref("Link")), "timeStamp": MOMENT, "numberMatched": INTEGER, "numberReturned": INTEGER,
        }
    ),
}  # fmt: skip
SECURITY: Json = {"token": {"type": "http", "scheme": "bearer"}}
