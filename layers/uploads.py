"""A file on its way into a layer: kept between its preview and its import, seen by the account that sent it alone.

Only accounts of the whole city import: a layer is replaced as a whole. What is previewed is what is imported, for both
read the kept bytes anew with the same settings, in the guarded process in which every foreign file is read.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from gis.errors import LamplightError, RecordError
from gis.files import list_layers
from gis.network_build import STREET_SUFFIXES
from layers.accounts import Account
from layers.audit import append
from layers.codes import LEVELS, Level, level_of
from layers.faults import text_fault
from layers.imports import Examined, ImportReport, LayerFile, examine, import_file, read_layer_file
from layers.moments import aware, stored
from layers.records import layer_schema
from layers.roles import require
from layers.schema import UPLOAD
from layers.scope import Scope, inside
from layers.store import Store
from layers.version_rows import LayerVersion

#: What was not imported by then is dropped.
KEPT = timedelta(hours=24)
#: An account keeps this many; the oldest gives way.
MOST_KEPT = 5
#: In characters, and in bytes as file systems count them.
LONGEST_NAME, LONGEST_NAME_BYTES = 120, 240


class UnknownUploadError(RecordError):
    """There is no such upload, or it is another account's, or it was dropped."""


class NotWholeCityError(RecordError):
    """A layer is the whole city's, and the account's area is a part of it."""


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How a file is to be read: what the command line's options say.

    file_layer, encoding : None to find out. columns : field -> heading, "" for no column. approximate : None to go by
    names. file_layers : what the file holds, told once it was kept.
    """

    file_layer: str | None = None
    encoding: str | None = None
    datum: str = "wgs84"
    approximate: bool | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    file_layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """One file kept. part : the tier of areas, "" to go by their codes. at : UTC, aware."""

    id: int
    at: datetime
    name: str
    layer: str
    part: str
    settings: ImportSettings
    content: bytes

    @property
    def reading(self) -> dict[str, Any]:
        """What ``read_layer_file`` is told."""
        told = self.settings
        return {"file_layer": told.file_layer, "encoding": told.encoding, "datum": told.datum}


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What an upload would become; nothing was stored.

    file : None where it could not be read. examined : None where its rows could not be judged. fault : why not.
    """

    upload: Upload
    file: LayerFile | None
    examined: Examined | None
    fault: LamplightError | None


def require_importer(by: Account) -> None:
    """Raise NotAllowedError or NotWholeCityError unless the role and the area of ``by`` let it import."""
    require(by.role, "import_layers")
    if level_of(by.area_code) is not Level.CITY:
        raise _not_whole_city()


def require_whole_city(store: Store, by: Account) -> None:
    """Raise as ``require_importer`` does, or where the unscoped ``store`` has areas outside that of ``by``."""
    require_importer(by)
    parts = {part for layer, part in store.current() if layer == "areas"}
    coarsest = next((str(level) for level in LEVELS if level in parts), None)
    codes = () if coarsest is None else store.load("areas", coarsest, fields=["code"])["code"]
    if not all(Scope.of(by.area_code).holds(code) for code in codes):
        raise _not_whole_city()


def keep(store: Store, name: str, layer: str, part: str, content: bytes, *, by: Account, now: datetime) -> Upload:
    """Keep a file for its preview, once its layers could be listed; older uploads of the account give way.

    Raises FileRefusedError, RecordError or NotWholeCityError; then nothing is kept.
    """
    require_importer(by)
    schema = layer_schema(layer)
    if part and part not in schema.parts:
        raise RecordError(f"图层 {layer} 没有层级 {part}", f"layer {layer} has no level {part!r}")
    name = _plain_name(name)
    if not content:
        raise RecordError("没有选择文件，或文件是空的", "no file was chosen, or it is empty")
    settings = ImportSettings(file_layers=_layers_of(name, layer, content))
    values = {
        "account_id": by.id, "area_code": by.area_code, "at": stored(now), "name": name, "layer": layer, "part": part,
        "settings": _json(settings), "content": content,
    }  # fmt: skip
    with store.transaction(writes=True) as connection:
        connection.execute(delete(UPLOAD).where(UPLOAD.c.at < stored(now - KEPT)))
        own = select(UPLOAD.c.id).where(UPLOAD.c.account_id == by.id).order_by(UPLOAD.c.id.desc())
        older = list(connection.scalars(own.offset(MOST_KEPT - 1)))
        connection.execute(delete(UPLOAD).where(UPLOAD.c.id.in_(older)))
        number = int(connection.execute(insert(UPLOAD).values(values)).inserted_primary_key[0])  # type: ignore[index]
    return Upload(number, now, name, layer, part, settings, content)


def load(store: Store, upload_id: int, *, by: Account, now: datetime) -> Upload:
    """Return an upload of ``by``; raises UnknownUploadError, or NotWholeCityError where ``by`` imports no more."""
    with store.transaction() as connection:
        row = connection.execute(select(UPLOAD).where(*_own(store, upload_id, by, now))).one_or_none()
    if row is None:
        raise _unknown()
    require_importer(by)
    told = json.loads(row.settings)
    settings = ImportSettings(**{**told, "file_layers": tuple(told["file_layers"])})
    return Upload(row.id, aware(row.at), row.name, row.layer, row.part, settings, bytes(row.content))


def settle(
    store: Store, upload_id: int, settings: ImportSettings, part: str, *, by: Account, now: datetime
) -> Upload:  # fmt: skip
    """Say how an upload is to be read from now on; raises as ``load`` does."""
    found = load(store, upload_id, by=by, now=now)
    if part and part not in layer_schema(found.layer).parts:
        raise RecordError(f"图层 {found.layer} 没有层级 {part}", f"layer {found.layer} has no level {part!r}")
    settings = replace(settings, file_layers=found.settings.file_layers)
    with store.transaction(writes=True) as connection:
        changed = update(UPLOAD).where(*_own(store, upload_id, by, now))
        connection.execute(changed.values(settings=_json(settings), part=part))
    return replace(found, settings=settings, part=part)


def drop(store: Store, upload_id: int, *, by: Account, now: datetime) -> None:
    """Forget an upload; raises as ``load`` does."""
    load(store, upload_id, by=by, now=now)
    with store.transaction(writes=True) as connection:
        connection.execute(delete(UPLOAD).where(*_own(store, upload_id, by, now)))


def preview(store: Store, upload: Upload, *, by: Account, now: datetime) -> Preview:
    """Return what ``upload`` would become, held against all that ``store`` (unscoped) has; raises NotWholeCityError."""
    require_whole_city(store, by)
    try:
        with _as_file(upload.name, upload.content) as path:
            read = read_layer_file(path, upload.layer, **upload.reading)
    except LamplightError as error:
        return Preview(upload, None, None, error)
    try:
        examined = examine(
            store, upload.layer, read.table, part=upload.part or None, datum=upload.settings.datum,
            columns=upload.settings.columns, now=now,
        )  # fmt: skip
    except RecordError as error:
        return Preview(upload, read, None, error)
    return Preview(upload, read, examined, None)


def import_upload(store: Store, upload_id: int, *, by: Account, now: datetime) -> ImportReport:
    """Import an upload as it was previewed: new versions, the entry in the audit log and its end in one transaction.

    store : unscoped. Where no row is accepted nothing changes and the upload stays. Raises as ``load`` and
    ``import_file`` do.
    """
    require_whole_city(store, by)
    upload = load(store.within(Scope.of(by.area_code)), upload_id, by=by, now=now)
    told = upload.settings

    def also(connection: Connection, made: Sequence[LayerVersion]) -> None:
        # whoever pressed twice imports once: the second finds the upload gone, and takes its versions back
        if not connection.execute(delete(UPLOAD).where(*_own(store, upload_id, by, now))).rowcount:
            raise _unknown()
        detail: dict[str, str | int] = {
            "versions": ",".join(str(version.id) for version in made), "sha256": made[0].file_sha256,
            "accepted": sum(version.accepted for version in made), "rejected": sum(v.rejected for v in made),
        }  # fmt: skip
        append(
            connection, at=now, account_id=by.id, action="import_layer", object=f"layer:{upload.layer}",
            area_code=by.area_code, detail=detail,
        )  # fmt: skip

    with _as_file(upload.name, upload.content) as path:
        return import_file(
            store, upload.layer, path, part=upload.part or None, **upload.reading, approximate=told.approximate,
            columns=told.columns, now=now, also=also,
        )  # fmt: skip


def _own(store: Store, upload_id: int, by: Account, now: datetime) -> list[ColumnElement[bool]]:
    scopes = [Scope.of(by.area_code), *([] if store.scope is None else [store.scope])]
    mine = [UPLOAD.c.id == upload_id, UPLOAD.c.account_id == by.id, UPLOAD.c.at >= stored(now - KEPT)]
    return [*mine, *(inside(UPLOAD, scope) for scope in scopes)]


def _not_whole_city() -> NotWholeCityError:
    return NotWholeCityError(
        "图层属于全市：只有辖区为全市的账号才能导入",
        "a layer is the whole city's: only accounts of the whole city import",
    )


def _unknown() -> UnknownUploadError:
    return UnknownUploadError(
        "没有这个待导入的文件：可能已导入、已放弃，或已超过 24 小时",
        "there is no such file to import: it was imported or dropped, or is more than 24 hours old",
    )


def _plain_name(name: str) -> str:
    """Return a file's name without the folders some browsers send; raises RecordError on none."""
    plain = name.replace("\\", "/").rpartition("/")[2].strip()
    if plain.strip(".") == "" or text_fault(plain, LONGEST_NAME) or len(plain.encode()) > LONGEST_NAME_BYTES:
        raise RecordError("文件名无效，或没有选择文件", "no file was chosen, or its name is not one")
    return plain


def _layers_of(name: str, layer: str, content: bytes) -> tuple[str, ...]:
    """Return what the file holds; one of OpenStreetMap is the streets and nothing else."""
    if layer == "streets" and name.lower().endswith(STREET_SUFFIXES):
        return ()
    with _as_file(name, content) as path:
        return tuple(list_layers(path))


@contextmanager
def _as_file(name: str, content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lamplight-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def _json(settings: ImportSettings) -> str:
    return json.dumps({**asdict(settings), "columns": dict(settings.columns)}, ensure_ascii=False, sort_keys=True)
