"""Bringing a file into a layer: choose it, see what would become of it, correct how it is read, import it once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import shapely
from flask import Blueprint, Flask, Response, abort, json, redirect, render_template, request, url_for

from gis.datum import DATUMS, bd09_from_wgs84, gcj02_from_wgs84, to_wgs84
from gis.errors import LamplightError, RecordError
from gis.file_writing import csv_bytes
from layers.codes import LEVEL_ZH, LEVELS
from layers.columns import field_sources
from layers.datum_check import NAMES
from layers.moments import aware
from layers.parsing import text_of
from layers.reasons import REASONS
from layers.records import LAYERS, Field, LayerSchema, layer_schema
from layers.roles import may_read_layer
from layers.uploads import (
    ImportSettings,
    NotWholeCityError,
    Preview,
    Upload,
    drop,
    import_upload,
    keep,
    load,
    preview,
    require_whole_city,
    settle,
)
from web.server import staff_frame
from web.server.access import account, needs, own_store, whole_store
from web.server.app import MOST_BYTES
from web.server.city import now
from web.server.downloads import download
from web.server.errors import status_of
from web.server.language import _, language, said
from web.server.public_pages import map_says
from web.server.sign_in import Answer

#: Of a text file, as its program saved it; the first is to find out.
ENCODINGS = ("", "UTF-8", "GB18030", "BIG5", "UTF-16")
#: Rows shown of what was accepted and of what was not; positions drawn on the map.
ROWS_SHOWN, REJECTS_SHOWN, POSITIONS = 6, 30, 400
_FROM_WGS84 = {"gcj02": gcj02_from_wgs84, "bd09": bd09_from_wgs84}

pages = Blueprint("imports", __name__, url_prefix="/staff/import")
staff_frame.dress(pages)
pages.context_processor(lambda: {"aware": aware})


@pages.get("")
@needs("import_layers")
def choose() -> Answer:
    """Ask for a layer and a file."""
    return _choose()


@pages.post("")
@needs("import_layers")
def send() -> Answer:
    """Take a file and go to its preview."""
    file = request.files.get("file")
    name, content = ("", b"") if file is None else (file.filename or "", file.read())
    layer, part = request.form.get("layer", ""), request.form.get("part", "")
    try:
        require_whole_city(whole_store(), account())  # only whose area is all of it sees more than the own store here
        kept = keep(own_store(), name, layer, part if layer == "areas" else "", content, by=account(), now=now())
    except LamplightError as error:
        return _choose(error, layer)
    return redirect(url_for("imports.look", upload_id=kept.id), 303)


@pages.get("/<int:upload_id>")
@needs("import_layers")
def look(upload_id: int) -> Answer:
    """Show what would become of a file."""
    return _look(load(own_store(), upload_id, by=account(), now=now()))


@pages.post("/<int:upload_id>")
@needs("import_layers")
def decide(upload_id: int) -> Answer:
    """Read the file in another way, or import it: only as it was last shown."""
    me, at = account(), now()
    kept = load(own_store(), upload_id, by=me, now=at)
    settings, part = _settings(kept), request.form.get("part", "") if kept.layer == "areas" else ""
    changed = (replace(settings, file_layers=kept.settings.file_layers), part) != (kept.settings, kept.part)
    importing = request.form.get("do") == "import"
    try:
        if changed:
            settle(own_store(), upload_id, settings, part, by=me, now=at)
        if changed or not importing:
            address = url_for("imports.look", upload_id=upload_id, changed="yes" if importing else None)
            return redirect(address, 303)
        report = import_upload(whole_store(), upload_id, by=me, now=at)  # a layer is replaced as a whole
    except LamplightError as error:
        return _look(kept, error)
    if report.version is None:
        nothing = report.warnings[-1]
        return _look(kept, RecordError(nothing.zh, nothing.en))
    return redirect(url_for("imports.done", version_id=report.version.id), 303)


@pages.post("/<int:upload_id>/drop")
@needs("import_layers")
def give_up(upload_id: int) -> Answer:
    """Forget a file."""
    drop(own_store(), upload_id, by=account(), now=now())
    return redirect(url_for("imports.choose"), 303)


@pages.get("/<int:upload_id>/rejected.csv")
@needs("import_layers")
def rejected(upload_id: int) -> Response:
    """Give the rows left out, with reasons, as a file; not of a layer one may not read."""
    kept = load(own_store(), upload_id, by=account(), now=now())
    if not may_read_layer(account().role, kept.layer):
        abort(403)
    found = preview(whole_store(), kept, by=account(), now=now()).examined
    if found is None:
        abort(404)
    return download(csv_bytes(found.rejects), "text/csv", f"rejected-{kept.layer}.csv")


@pages.get("/done/<int:version_id>")
@needs("import_layers")
def done(version_id: int) -> Answer:
    """Tell which versions an import made."""
    made = own_store().versions()
    this = next((version for version in made if version.id == version_id), None)
    if this is None:
        abort(404)
    together = [
        v for v in made if (v.created_at, v.file_sha256, v.layer) == (this.created_at, this.file_sha256, this.layer)
    ]
    return render_template(
        "staff/import_done.html", title=_("导入完成"), versions=together[::-1], layer=_layer_name(this.layer),
        part_name=_part_name, may_measure=account().may("plan_city"),
    )  # fmt: skip


def _choose(error: LamplightError | None = None, layer: str = "") -> Answer:
    try:
        require_whole_city(whole_store(), account())
        barred = ""
    except NotWholeCityError as not_whole:
        barred = said(not_whole)
    page = render_template(
        "staff/import.html", title=_("导入图层"), barred=barred, fault="" if error is None or barred else said(error),
        layers={name: _layer_name(name) for name in LAYERS}, chosen=layer, parts=_parts(), most_mb=MOST_BYTES >> 20,
        current=_current(),
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


def _look(kept: Upload, error: LamplightError | None = None) -> Answer:
    """Show a preview; error : what was refused."""
    schema, shown = layer_schema(kept.layer), may_read_layer(account().role, kept.layer)
    found = preview(whole_store(), kept, by=account(), now=now())
    fault = error or found.fault
    page = render_template(
        "staff/import_preview.html", title=_("导入预览：%(layer)s", layer=_layer_name(kept.layer)), kept=kept,
        found=found, fault="" if fault is None else said(fault), shown=shown, parts=_parts(), encodings=ENCODINGS,
        changed=request.args.get("changed") == "yes", columns=_columns(schema, found), counts=_counts(found),
        reasons=_reasons(found, shown), rejects=_rejects(found) if shown else [],
        rows=_first_rows(schema, found) if shown else None, notes=_notes(found, shown), datums=NAMES,
        suspected=_suspected(found), map=_map(found) if shown and schema.has_geometry else None, map_says=map_says(),
        part_name=_part_name,
    )  # fmt: skip
    return page if error is None else (page, status_of(error))


# what the page is made of


def _layer_name(layer: str) -> str:
    return layer_schema(layer).zh if language() == "zh" else layer.replace("-", " ")


def _part_name(part: str) -> str:
    return next((LEVEL_ZH[level] if language() == "zh" else str(level) for level in LEVELS if str(level) == part), "")


def _parts() -> dict[str, str]:
    return {"": _("按代码判断"), **{str(level): _part_name(str(level)) for level in LEVELS}}


def _current() -> list[tuple[str, Any]]:
    """Return what is imported now: (name of the layer, version)."""
    names = {name: place for place, name in enumerate(LAYERS)}
    versions = sorted(own_store().current().values(), key=lambda v: (names[v.layer], v.part))
    return [(f"{_layer_name(v.layer)} {_part_name(v.part)}".strip(), v) for v in versions]


def _settings(kept: Upload) -> ImportSettings:
    """Return how the form says that a file is to be read; a word it does not offer is taken for the usual."""
    given = request.form
    file_layer, encoding = given.get("file_layer", ""), given.get("encoding", "")
    datum = given.get("datum", "wgs84")
    columns = {
        field.name: "" if given[key] == "-" else given[key].removeprefix("=")
        for field in layer_schema(kept.layer).fields
        if given.get(key := f"column.{field.name}", "")
    }
    return ImportSettings(
        file_layer=file_layer if file_layer in kept.settings.file_layers else None,
        encoding=encoding if encoding and encoding in ENCODINGS else None,
        datum=datum if datum in DATUMS else "wgs84",
        approximate=True if given.get("approximate") == "yes" else None,
        columns=columns,
    )


def _counts(found: Preview) -> dict[str, int] | None:
    if found.examined is None:
        return None
    accepted, rejected = found.examined.accepted, len(found.examined.rejects)
    return {"given": accepted + rejected, "accepted": accepted, "rejected": rejected}


def _columns(schema: LayerSchema, found: Preview) -> list[dict[str, Any]]:
    """Return each field, the headings there are and the one it is read from; of streets none, which are a network."""
    if found.file is None or schema.name == "streets":
        return []
    headings = [str(c) for c in found.file.table.columns if c != "geometry"]
    given = {k: v for k, v in found.upload.settings.columns.items() if v in ("", *headings)}
    sources = field_sources(schema, headings, given)
    return [
        {
            "name": field.name, "words": field.zh if language() == "zh" else field.name.replace("_", " "),
            "required": field.required, "chosen": str(sources[field.name].column) if field.name in sources else None,
            "given": field.name in given, "headings": headings,
        }
        for field in schema.fields
    ]  # fmt: skip


def _reasons(found: Preview, shown: bool) -> list[dict[str, Any]]:
    """Return why rows are left out: how many for each reason, in both languages, with an example that may be shown."""
    if found.examined is None:
        return []
    rejects = found.examined.rejects
    return [
        {
            "code": code, "count": len(own),
            "zh": own["zh"].iloc[0] if shown else _general(code, 0),
            "en": own["en"].iloc[0] if shown else _general(code, 1),
        }
        for code, own in rejects.groupby("code", sort=False)
    ]  # fmt: skip


def _general(code: str, which: int) -> str:
    """Return a reason without what stood in the row."""
    return REASONS[code][which].format_map(
        dict.fromkeys(("field", "field_zh", "value", "lowest", "highest", "expected", "expected_zh"), "…")
    )


def _rejects(found: Preview) -> list[dict[str, str]]:
    if found.examined is None:
        return []
    rows = found.examined.rejects.head(REJECTS_SHOWN)
    told = ("row", "code", "zh", "en")
    return [
        {
            **{name: str(row[name]) for name in told},
            "given": " · ".join(text for name in rows if name not in told and (text := _cell(row[name]))),
        }
        for row in rows.to_dict("records")
    ]


def _first_rows(schema: LayerSchema, found: Preview) -> dict[str, Any] | None:
    """Return the first records as they would be stored, columns that hold nothing left out."""
    if found.examined is None or not found.examined.accepted:
        return None
    table = next(v.accepted for v in found.examined.verdicts.values() if len(v.accepted)).head(ROWS_SHOWN)
    records = table.to_dict("records")
    rows = [{f.name: _stored(f, row[f.name]) for f in schema.fields} for row in records]
    used = [f for f in schema.fields if any(row[f.name] for row in rows)]
    headings = [f.zh if language() == "zh" else f.name.replace("_", " ") for f in used]
    cells = [[row[f.name] for f in used] for row in rows]
    if schema.geometry.startswith("point"):
        headings.append(_("位置"))
        for row, record in zip(cells, records, strict=True):
            place = record["geometry"]
            row.append("" if place is None else f"{place.x:.5f}, {place.y:.5f}")
    return {"headings": headings, "rows": cells}


def _stored(field: Field, value: Any) -> str:
    """Return a value as people call it: a vocabulary's words in Chinese for its readers, a flag as yes or no."""
    if field.kind == "flag":
        return _("是") if value else _("否")
    text = _cell(value)
    if language() != "zh" or not field.choices:
        return text
    spelled: dict[str, str] = {}
    for spelling, word in field.choices.items():
        if not spelling.isascii():
            spelled.setdefault(word, spelling)
    return "、".join(spelled.get(word, word) for word in text.split(",")) if text else ""


def _cell(value: Any) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    text = text_of(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _notes(found: Preview, shown: bool) -> list[str]:
    """Return what to look at first, then what was assumed; warnings may quote rows of a layer one may not read."""
    suspicions = () if found.examined is None else found.examined.suspicions
    warnings = () if found.examined is None else found.examined.warnings[len(suspicions) :]
    told = [said(note) for note in (*(warnings if shown else ()), *(found.file.notes if found.file else ()))]
    hidden = len(warnings) if not shown else 0
    return [*told, *([_("另有 %(count)s 条提示引用了行内文字，不显示", count=hidden)] if hidden else [])]


def _suspected(found: Preview) -> dict[str, Any] | None:
    """Return which datum the file is probably on, where that is not the one it is read in."""
    for one in () if found.examined is None else found.examined.suspicions:
        against = one.against_zh if language() == "zh" else one.against_en
        return {"datum": "" if one.of_reference else one.datum, "name": NAMES[one.datum], "offset": round(one.offset_m),
                "against": against, "fit": one.fit, "declared_fit": one.declared_fit}  # fmt: skip
    return None


def _map(found: Preview) -> dict[str, str] | None:
    """Return positions of the file in each reading, as the map draws them, and the box around them and the city."""
    if found.file is None:
        return None
    shapes = np.asarray(found.file.table.geometry, object)
    places = shapely.get_coordinates(shapes[~shapely.is_missing(shapes)])
    if not len(places):
        return None
    lon, lat = places[np.unique(np.linspace(0, len(places) - 1, min(POSITIONS, len(places))).astype(int))].T
    read_as = found.upload.settings.datum
    if read_as in _FROM_WGS84:
        lon, lat = _FROM_WGS84[read_as](lon, lat)
    readings = {datum: np.round(np.column_stack(to_wgs84(lon, lat, datum)), 6).tolist() for datum in DATUMS}
    every = np.concatenate(list(readings.values()))
    bounds = ",".join(f"{side:.6f}" for side in (*every.min(axis=0) - 0.002, *every.max(axis=0) + 0.002))
    return {"readings": json.dumps(readings), "bounds": bounds}


def register(app: Flask) -> None:
    """Add the pages of importing to the application."""
    app.register_blueprint(pages)
