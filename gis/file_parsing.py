"""Bytes to a table, in whichever process this is called: the parsing half of gis.files.

Called by gis.file_guard, in a process that may use little and reach nothing; nothing else calls it.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FieldError, GeometryError
from pyproj import CRS
from pyproj.exceptions import CRSError

from gis.coordinate_repair import geometries_from_wkb, mend
from gis.errors import FileRefusedError
from gis.file_checks import Limits, plain
from gis.file_unpacking import Source
from gis.notes import LamplightNote
from gis.shapefile_text import shapefile_encoding
from gis.tabular import (
    PlainTable,
    chosen_layer,
    other_layers,
    read_csv_table,
    read_xlsx_table,
    sheet_titles,
    too_many,
    typed_text,
)

GEOMETRY = "geometry"
# Columns LIBKML adds to every feature, whatever the file holds.
_KML_FILLER = {
    "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility", "drawOrder", "icon", "snippet",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parsed:
    """A table whose geometries (n,) are valid WGS84 or None."""

    table: pa.Table
    shapes: NDArray[np.object_]
    layer: str
    driver: str
    encoding: str
    notes: tuple[LamplightNote, ...]


@dataclass(frozen=True, slots=True)
class _Raw:
    table: pa.Table
    shapes: NDArray[np.object_] | None
    layer: str
    encoding: str
    notes: list[LamplightNote]
    crs: str | None
    datum: str
    crs_expected: bool = True


def parse(source: Source, *, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> Parsed:
    """Read one layer of an unpacked source to a WGS84 table; raises FileRefusedError."""
    raw = _READERS[source.kind.name](source, layer, encoding, datum, limits)
    if raw.table.num_rows > limits.max_rows:
        raise too_many(source.name, "行", "rows", raw.table.num_rows, limits.max_rows)
    if raw.table.num_columns > limits.max_columns:
        raise too_many(source.name, "列", "columns", raw.table.num_columns, limits.max_columns)
    if raw.table.num_rows == 0:
        raise FileRefusedError(f"{source.name}：没有任何记录", f"{source.name}: holds no records")

    notes = list(raw.notes)
    table = _with_unique_names(raw.table, notes)
    if raw.shapes is None:
        shapes = np.full(table.num_rows, None, dtype=object)
    else:
        shapes, more = mend(raw.shapes, raw.crs, datum=raw.datum, crs_expected=raw.crs_expected)
        notes += more
        if shapely.is_missing(shapes).all() and not shapely.is_missing(raw.shapes).all():
            why_zh, why_en = "；".join(n.zh for n in more), "; ".join(n.en for n in more)
            raise FileRefusedError(
                f"{source.name}：没有可用的几何（{why_zh}）", f"{source.name}: no usable geometry ({why_en})"
            )
    return Parsed(table, shapes, raw.layer, source.kind.driver or source.kind.name, raw.encoding, tuple(notes))


def layers_of(source: Source) -> list[str]:
    """Name the layers of an unpacked source; raises FileRefusedError."""
    if source.kind.name == "xlsx":
        return sheet_titles(source)
    if not source.kind.driver:
        return [source.stem]
    # GDAL names the one layer of a file that names none after the file, which here bears a name of ours.
    return [source.stem if name == source.path.stem else name for name in _gdal_layers(source)]


def _with_unique_names(table: pa.Table, notes: list[LamplightNote]) -> pa.Table:
    """Name every column once, none of them "geometry"; a null byte or control character has no place in a name."""
    seen, names = {GEOMETRY}, []
    for given in table.column_names:
        base = plain(given).strip() or "column"
        name, n = base, 2
        while name.lower() in seen:
            name, n = f"{base}_{n}", n + 1
        seen.add(name.lower())
        names.append(name)
        if name != given:
            notes.append(
                LamplightNote(f"列“{plain(given)}”改名为“{name}”", f"column {plain(given)!r} renamed {name!r}")
            )
    return table.rename_columns(names)


# --- GDAL ----------------------------------------------------------------------------------------------------------


def _refused(source: Source, fault: Exception) -> FileRefusedError:
    if isinstance(fault, UnicodeError):
        return FileRefusedError(
            f"{source.name}：文字不是 UTF-8 编码，请转换或指明编码",
            f"{source.name}: text is not UTF-8; convert it or name its encoding",
        )
    said = str(fault).replace(str(source.path.parent / "source"), source.stem).partition("; It might help")[0]
    reason = plain(said)
    return FileRefusedError(
        f"{source.name}：{source.kind.name} 文件损坏或无法解读（{reason}）",
        f"{source.name}: damaged or unreadable {source.kind.name} ({reason})",
    )


_GDAL_FAULTS = (
    DataSourceError,
    DataLayerError,
    FieldError,
    GeometryError,
    UnicodeError,
    pa.ArrowException,
    RuntimeError,
)


def _gdal_layers(source: Source) -> list[str]:
    try:
        return [str(name) for name, _ in pyogrio.list_layers(source.path)]
    except _GDAL_FAULTS as fault:
        raise _refused(source, fault) from None


def _read_gdal_layer(
    source: Source, layer: str, encoding: str | None, limits: Limits
) -> tuple[dict[str, Any], pa.Table]:
    try:
        info = pyogrio.read_info(source.path, layer=layer)
        if len(info["fields"]) > limits.max_columns:
            raise too_many(source.name, "列", "columns", len(info["fields"]), limits.max_columns)
        meta, table = pyogrio.read_arrow(
            source.path, layer=layer, encoding=encoding, max_features=limits.max_rows + 1, datetime_as_string=False
        )
        table.validate(full=True)  # text that is no UTF-8 would otherwise fail later, somewhere else
    except _GDAL_FAULTS as fault:
        raise _refused(source, fault) from None
    return meta, table


def _split_geometry(
    source: Source, table: pa.Table, layer: str
) -> tuple[pa.Table, NDArray[np.object_] | None, list[LamplightNote]]:
    at = [i for i, f in enumerate(table.schema) if (f.metadata or {}).get(b"ARROW:extension:name") == b"geoarrow.wkb"]
    if not at:
        return table, None, []
    try:
        shapes, notes = geometries_from_wkb(table.column(at[0]))
    except NotImplementedError:  # arcs, which shapely has no type for; read this way they come as lines
        _, _, straight, _ = pyogrio.raw.read(source.path, layer=layer, columns=[], max_features=table.num_rows)
        shapes, notes = geometries_from_wkb(list(straight))
        notes.append(LamplightNote("曲线几何已转换为折线", "curves turned into straight pieces"))
    for i in reversed(at):
        table = table.remove_column(i)
    return table, shapes, notes


def _read_gdal(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    names = _gdal_layers(source)
    if not names:
        raise FileRefusedError(f"{source.name}：没有任何图层", f"{source.name}: holds no layer")
    layer = chosen_layer(source, layer, names)
    chosen = layer or names[0]
    if source.kind.name == "gpkg":
        _refuse_view(source, chosen)
    meta, table = _read_gdal_layer(source, chosen, encoding, limits)
    table, shapes, notes = _split_geometry(source, table, chosen)
    if source.kind.name == "gpkg":
        table = _without_zone(table)
    if layer is None:
        notes = other_layers(names, chosen) + notes
    shown = source.stem if chosen == source.path.stem else chosen
    return _Raw(table, shapes, shown, str(meta["encoding"]), notes, meta["crs"], datum)


def _refuse_view(source: Source, layer: str) -> None:
    """Refuse a layer that is a query or a virtual table: reading it would run what its author wrote."""
    try:
        with closing(sqlite3.connect(f"{source.path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            kinds = file.execute("select type, rootpage from sqlite_master where name = ?", (layer,)).fetchall()
    except sqlite3.Error as fault:
        raise _refused(source, fault) from None
    if any(kind != "table" or not root for kind, root in kinds):
        raise FileRefusedError(
            f"{source.name}：图层“{layer}”是视图或虚拟表，请另存为普通图层",
            f"{source.name}: layer {layer!r} is a view or virtual table; save it as a plain layer",
        )


_CRS_MEMBER = re.compile(rb'"crs"\s*:\s*\{(?P<inside>[^{}]*(?:\{[^{}]*\})?[^{}]*)\}')
_ZONE = r":\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)$"
_CRS_NAME = re.compile(rb'"name"\s*:\s*"(?P<name>[^"]*:[^"]*)"')


def _read_geojson(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    """Read features in the CRS their old-style ``crs`` member names; one GDAL cannot read it would take for WGS84."""
    with source.path.open("rb") as stream:
        member = _CRS_MEMBER.search(stream.read(1 << 16))
    if member:
        named = _CRS_NAME.search(member["inside"])
        crs = plain(named["name"].decode("utf-8", "replace")) if named else "-"
        try:
            CRS.from_user_input(crs)
        except CRSError:
            raise FileRefusedError(
                f"{source.name}：坐标系“{crs}”无法识别", f"{source.name}: the crs it names cannot be read: {crs!r}"
            ) from None
    raw = _read_gdal(source, layer, encoding, datum, limits)
    return replace(raw, table=_with_zones(source, layer, raw.table))


def _with_zones(source: Source, layer: str | None, table: pa.Table) -> pa.Table:
    """Put back the zone that times were written with: GDAL hands their figures on without it."""
    bare = [f.name for f in table.schema if pa.types.is_timestamp(f.type) and f.type.tz is None]
    if not bare:
        return table
    _, text = pyogrio.read_arrow(
        source.path, layer=layer, columns=bare, read_geometry=False, max_features=table.num_rows,
        datetime_as_string=True,
    )  # fmt: skip
    for name in bare:
        if (told := text.column(name).to_pandas()).str.contains(_ZONE, na=False).any():
            times = pd.to_datetime(told, format="ISO8601", utc=True, errors="coerce")
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(times))
    return table


def _without_zone(table: pa.Table) -> pa.Table:
    """Take times as the local ones they were written as: GeoPackage stamps every time UTC, known or not."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is not None:
            naive = table.column(i).cast(pa.timestamp(field.type.unit))
            table = table.set_column(i, field.name, naive)
    return table


def _read_shapefile(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    chosen_layer(source, layer, [])
    notes: list[LamplightNote] = []
    used = encoding or shapefile_encoding(source.path, source.name, notes)
    # Where the index was left behind, GDAL makes another one: beside the link to the file, not beside the file.
    pyogrio.set_gdal_config_options({"SHAPE_RESTORE_SHX": not source.path.with_suffix(".shx").exists()})
    raw = _read_gdal(source, None, used, datum, limits)
    return replace(raw, encoding=used, notes=notes + raw.notes)


def _read_kml(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    """Read one folder, or all of them one after another; KML is WGS84 by definition."""
    names = _gdal_layers(source)
    layer = chosen_layer(source, layer, names)
    parts = [_read_gdal(source, name, encoding, datum, limits) for name in ([layer] if layer else names)]
    parts = [p for p in parts if p.table.num_rows]
    if not parts:
        raise FileRefusedError(f"{source.name}：没有任何地标", f"{source.name}: holds no placemark")
    tables = [_kml_columns(p.table) for p in parts]
    if len(parts) > 1:
        folders = [pa.array([p.layer] * p.table.num_rows, pa.string()) for p in parts]
        tables = [t.append_column("folder", f) for t, f in zip(tables, folders, strict=True)]
    table = pa.concat_tables(tables, promote_options="permissive")
    shapes = np.concatenate([np.full(p.table.num_rows, None) if p.shapes is None else p.shapes for p in parts])
    notes = [n for p in parts for n in p.notes]
    return _Raw(table, shapes, parts[0].layer, "UTF-8", notes, "EPSG:4326", datum)


def _read_gpx(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    """Read the points of all tracks, or the waypoints where there is no track; GPX is WGS84 by definition.

    A column ``track`` bears the name of each point's track, its number where it has none.
    """
    found = []
    for name in [layer] if layer else ["track_points", "waypoints"]:
        raw = _read_gdal(source, name, encoding, datum, limits)
        if raw.table.num_rows:
            found.append(raw)
            break
    if not found:
        raise FileRefusedError(f"{source.name}：没有任何轨迹点", f"{source.name}: holds no points of tracks")
    frame = _with_zones(source, found[0].layer, found[0].table).to_pandas()
    if "time" in frame and frame["time"].dt.tz is None:
        frame["time"] = frame["time"].dt.tz_localize("UTC")  # as the standard says
    if "track_fid" in frame:
        named = (
            _read_gdal(source, "tracks", encoding, datum, limits).table.to_pandas().get("name", pd.Series(dtype=str))
        )
        names = {i: name for i, name in enumerate(named) if isinstance(name, str) and name.strip()}
        frame.insert(0, "track", [names.get(i, str(i + 1)) for i in frame["track_fid"]])
    table = pa.Table.from_pandas(frame.dropna(axis="columns", how="all"), preserve_index=False)
    return replace(found[0], table=table, encoding="UTF-8")


def _kml_columns(table: pa.Table) -> pa.Table:
    """Keep what the file says, as numbers where it is numbers; KML itself knows only text."""
    frame = table.to_pandas()
    filler = [c for c in frame.columns if c in _KML_FILLER]
    unused = [c for c in ("id", "Name", "description") if c in frame.columns and frame[c].isna().all()]
    frame = frame.drop(columns=filler + unused).rename(columns={} if "name" in frame.columns else {"Name": "name"})
    for name in frame.columns:
        if pd.api.types.is_string_dtype(frame[name]):
            frame[name] = typed_text(frame[name].fillna("").astype(object))
    return pa.Table.from_pandas(frame, preserve_index=False)


# --- without GDAL --------------------------------------------------------------------------------------------------


def _read_parquet(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    import geopandas as gpd
    import pyarrow.parquet as pq

    chosen_layer(source, layer, [])
    try:
        facts = pq.ParquetFile(source.path)
        if facts.metadata.num_rows > limits.max_rows:
            raise too_many(source.name, "行", "rows", facts.metadata.num_rows, limits.max_rows)
        if facts.metadata.num_columns > limits.max_columns:
            raise too_many(source.name, "列", "columns", facts.metadata.num_columns, limits.max_columns)
        if b"geo" not in (facts.schema_arrow.metadata or {}):
            note = LamplightNote(
                "Parquet 文件没有地理元数据，按无坐标表格读取", "no geo metadata: read as a plain table"
            )
            table = PlainTable(pd.read_parquet(source.path), None, "UTF-8", (note,), datum, source.stem)
            return _from_plain(table)
        frame = gpd.read_parquet(source.path)
    except FileRefusedError:
        raise
    except (
        pa.ArrowException,
        ValueError,
        KeyError,
        TypeError,
        OSError,
        AttributeError,
        CRSError,
        shapely.errors.ShapelyError,
    ) as fault:
        raise _refused(source, fault) from None
    crs = frame.crs.to_wkt() if frame.crs else None
    columns = frame.drop(columns=frame.geometry.name).columns
    # the index keeps the count of rows where there is no other column
    table = pa.Table.from_pandas(pd.DataFrame(frame)[[*columns]].reset_index(names="_row"), preserve_index=False)
    table = table.remove_column(0)
    return _Raw(table, frame.geometry.to_numpy(object), source.stem, "UTF-8", [], crs, datum)


def _read_csv(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    chosen_layer(source, layer, [])
    return _from_plain(read_csv_table(source, encoding, datum, limits))


def _read_xlsx(source: Source, layer: str | None, encoding: str | None, datum: str, limits: Limits) -> _Raw:
    return _from_plain(read_xlsx_table(source, layer, datum, limits))


def _from_plain(plain_table: PlainTable) -> _Raw:
    table = pa.Table.from_pandas(plain_table.table, preserve_index=False)
    return _Raw(
        table, plain_table.shapes, plain_table.layer, plain_table.encoding, list(plain_table.notes), None,
        plain_table.datum, crs_expected=False,
    )  # fmt: skip


_READERS: dict[str, Callable[[Source, str | None, str | None, str, Limits], _Raw]] = {
    "gpkg": _read_gdal,
    "geojson": _read_geojson,
    "shp": _read_shapefile,
    "kml": _read_kml,
    "gpx": _read_gpx,
    "csv": _read_csv,
    "csv.gz": _read_csv,
    "xlsx": _read_xlsx,
    "parquet": _read_parquet,
}
