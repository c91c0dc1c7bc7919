"""A province's records brought in: which counties there are, and the files of one into a store of its own."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gis.errors import FileRefusedError, LamplightError, QuestionError, RecordError
from gis.file_checks import KINDS
from gis.files import list_layers, read_table
from layers.codes import code_range
from layers.imports import file_sha256, import_file
from layers.store import Store
from planner.batch.counties import County, Holding, Words, county_of, holding_of, told_apart

GEOPACKAGE = ".gpkg"
HASH_DIGITS = 16
_STORES = (".sqlite", ".db")
_HEADINGS = {
    "code": ("code", "代码", "区划代码", "统计用区划代码"),
    "source": ("source", "来源", "folder", "目录", "store", "数据库"),
    "name": ("name", "名称"),
}
_READABLE = tuple(suffix for kind in KINDS for suffix in kind.suffixes)
#: Files that go with a shapefile, and those that file managers and office programs leave about.
_ASIDE = (".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix", ".qmd", ".shp.xml")
_CLUTTER = (".", "~$", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One file, or one layer of a GeoPackage, to be imported."""

    holding: Holding
    path: Path
    file_layer: str | None = None

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return self.file_layer or self.path.name


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a county's files: its name, rows refused, and what to look at."""

    name: str
    refused: int
    remarks: tuple[Words, ...]


def list_counties(path: Path) -> list[County]:
    """Return the counties of a folder (one folder or GeoPackage each) or of a list (CSV, XLSX), in order of code.

    A folder or GeoPackage is called by its code, and perhaps a name behind it: 320102, "320102 玄武区.gpkg". A list has
    columns code, source (a folder or GeoPackage, seen from the list, or a store's address) and perhaps name. A county
    that cannot be asked carries its fault. Raises QuestionError where there is nothing to read, FileRefusedError on a
    list that is none.
    """
    if path.is_dir():
        found = [_folder(p) for p in sorted(path.iterdir()) if not p.name.startswith(_CLUTTER) and _holds_county(p)]
    elif path.is_file():
        found = _listed(path)
    else:
        raise QuestionError(f"没有文件夹或清单 {path}", f"there is no folder or list {path}")
    if not found:
        raise QuestionError(
            f"{path} 中没有区县（每个区县一个以代码命名的文件夹或 .gpkg）",
            f"no county in {path}: expected a folder or .gpkg for each, called by its code",
        )
    return told_apart(found)


def is_store(source: str) -> bool:
    """Tell whether a county's source is a store's address rather than files."""
    return "://" in source or source.lower().endswith(_STORES)


def input_hash(county: County, asked: Mapping[str, Any], datum: str) -> str:
    """Return the hash of what goes into the answer: the question, the county, and the bytes of its files.

    Raises FileRefusedError where a file cannot be read.
    """
    source = Path(county.source)
    files = [source] if source.suffix.lower() == GEOPACKAGE else _files(source)
    held = [(p.name, file_sha256(p)) for p in files if source.is_file() or holding_of(_stem(p)) is not None]
    text = json.dumps([county.code, county.name, dict(asked), datum, held], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


@contextmanager
def county_store(county: County, datum: str) -> Iterator[tuple[Store, Imported]]:
    """Yield a county's store: its own where it has one, else one in memory that its files were imported into.

    Raises RecordError without streets, on two files of one layer, or records of another county; FileRefusedError on a
    file that cannot be read.
    """
    store = Store(county.source if is_store(county.source) else "sqlite://")
    try:
        if is_store(county.source):
            yield store, Imported(county.name or store.setting("city_name") or "", 0, ())
        else:
            store.create()
            yield store, _import(store, county, datum)
    finally:
        store.close()


def _holds_county(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == GEOPACKAGE


def _folder(path: Path) -> County:
    return county_of(path.stem if path.is_file() else path.name, "", str(path.absolute()))


def _listed(path: Path) -> list[County]:
    table = read_table(path).table
    names = {str(column).strip().lower(): column for column in table.columns}
    columns = {field: next((names[h] for h in known if h in names), None) for field, known in _HEADINGS.items()}
    if columns["code"] is None or columns["source"] is None:
        raise FileRefusedError(
            f"{path.name}：清单须有 code（代码）和 source（来源）两列",
            f"{path.name}: a list needs the columns code and source",
        )
    rows = table[[c for c in columns.values() if c is not None]].astype(object)
    rows = rows.where(rows.notna(), "").rename(columns={c: field for field, c in columns.items()})
    return [
        county_of(_plain(row["code"]), str(row.get("name", "")), _source(path.parent, str(row["source"]).strip()))
        for row in rows.to_dict("records")
    ]


def _plain(code: object) -> str:
    return f"{code:.0f}" if isinstance(code, float) else str(code).strip()


def _source(beside: Path, text: str) -> str:
    return text if "://" in text else str((beside / text).absolute())


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith(_CLUTTER) and p.is_file())
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileRefusedError(f"无法读取文件夹 {folder}：{reason}", f"cannot read folder {folder}: {reason}") from None


def _stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _parts(county: County, datum: str) -> tuple[list[Part], list[str]]:
    """Return what to import, in order, and the names of files or layers that hold no layer."""
    source = Path(county.source)
    if source.suffix.lower() == GEOPACKAGE:
        layers = list_layers(source)
        held = {layer: holding_of(layer, datum) for layer in layers}
        parts = [Part(holding, source, layer) for layer, holding in held.items() if holding is not None]
        return sorted(parts), [layer for layer, holding in held.items() if holding is None]
    files = [p for p in _files(source) if not p.name.lower().endswith(_ASIDE)]
    found = {p: holding_of(_stem(p), datum) for p in files if p.name.lower().endswith(_READABLE)}
    return (
        sorted(Part(holding, path) for path, holding in found.items() if holding is not None),
        [path.name for path in files if found.get(path) is None],
    )


def _import(store: Store, county: County, datum: str) -> Imported:
    parts, unread = _parts(county, datum)
    if not any(part.holding.layer == "streets" for part in parts):
        raise RecordError("没有街面路网（缺文件 streets.*）", "no streets: expected a file streets.*")
    seen: dict[tuple[str, str], str] = {}
    refused, remarks = 0, []
    for part in parts:
        report = _named(part, store)
        refused += report.rejected
        remarks += [(f"{part.label}：{note.zh}", f"{part.label}: {note.en}") for note in report.warnings]
        for version in report.versions:
            other = seen.setdefault((version.layer, version.part), part.label)
            if other != part.label:
                raise RecordError(
                    f"{other} 与 {part.label} 是同一图层", f"{other} and {part.label} hold the same layer"
                )
    if unread:
        listed = ", ".join(unread)
        remarks.append((f"未读（名称不是图层）：{listed}", f"not read (not called by a layer): {listed}"))
    return Imported(county.name or _own_name(store, county), refused, tuple(remarks))


def _named(part: Part, store: Store) -> Any:
    """Import one part; a refusal begins with its name."""
    holding = part.holding
    try:
        report = import_file(
            store, holding.layer, part.path, part=holding.part or None, file_layer=part.file_layer, datum=holding.datum
        )
    except LamplightError as error:
        if part.label in error.en:
            raise
        raise RecordError(f"{part.label}：{error.zh}", f"{part.label}: {error.en}") from None
    if not report.versions:
        first = next(iter(report.rejects.itertuples()), None)
        zh, en = ("没有数据行", "it has no rows") if first is None else (str(first.zh), str(first.en))
        raise RecordError(
            f"{part.label}：没有一行可用（{zh}）", f"{part.label}: no row was accepted ({en})"
        )  # fmt: skip
    return report


def _own_name(store: Store, county: County) -> str:
    """Return the county's name as its areas tell it; raises RecordError where they are all another county's."""
    lowest, highest = code_range(county.code)
    names: dict[str, str] = {}
    for _, level in sorted(key for key in store.current() if key[0] == "areas"):
        areas = store.load("areas", level, fields=("code", "name"))
        names |= dict(zip(areas["code"].astype(str), areas["name"].astype(str), strict=True))
    if names and not _any_inside(names, lowest, highest):
        other = min(names)
        raise RecordError(
            f"辖区代码均不属于 {county.code}（如 {other}）", f"no area belongs to {county.code} (such as {other})"
        )
    return names.get(county.code, "")


def _any_inside(codes: Iterable[str], lowest: str, highest: str) -> bool:
    return any(lowest <= code <= highest for code in codes)
