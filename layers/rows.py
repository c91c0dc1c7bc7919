"""A layer's table between memory and the store: canonical form, content hash, driver values and back."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import RecordError
from layers.geometry_type import SRID, encode_geometries
from layers.records import SCOPE_COLUMN, Field, LayerSchema, layer_schema


def canonical_table(layer: str, table: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return ``table`` with exactly the columns of ``layer``, their types, and rows in one stated order.

    Rows are ordered by the fields that name them (by every field where none do), then by position, so the order of
    the input never shows. Absent optional columns take their default; polygons become multipolygons; z is dropped.
    Raises RecordError where a required column is absent or holds nothing.
    """
    schema = layer_schema(layer)
    columns = {field.name: _column(field, table) for field in schema.fields}
    frame = pd.DataFrame(columns, index=range(len(table)))
    if not schema.has_geometry:
        return gpd.GeoDataFrame(_ordered(schema, frame))
    geometry = _geometries(schema, table)
    x, y = _first_positions(geometry)
    frame = frame.assign(_row=np.arange(len(frame)), _x=x, _y=y)
    frame = _ordered(schema, frame)
    order = frame.pop("_row").to_numpy()
    return gpd.GeoDataFrame(frame.drop(columns=["_x", "_y"]), geometry=geometry[order], crs=SRID)


def _ordered(schema: LayerSchema, frame: pd.DataFrame) -> pd.DataFrame:
    positions = [name for name in ("_x", "_y") if name in frame]
    by = [*schema.unique, *(f.name for f in schema.fields if f.name not in schema.unique), *positions]
    if schema.unique and frame[list(schema.unique)].duplicated().sum() == 0:
        by = list(schema.unique)
    return frame.sort_values(by, kind="stable", na_position="last", ignore_index=True)


def _first_positions(geometry: NDArray[np.object_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bounds = shapely.bounds(geometry)
    return bounds[:, 0], bounds[:, 1]


def _geometries(schema: LayerSchema, table: pd.DataFrame) -> NDArray[np.object_]:
    if "geometry" not in table:
        if schema.geometry == "point or none":
            return np.full(len(table), None, object)
        raise RecordError(f"图层 {schema.name} 缺少几何", f"layer {schema.name} has no geometry")
    geometry = shapely.force_2d(np.asarray(table["geometry"], object))
    if schema.geometry == "polygon":
        single = shapely.get_type_id(geometry) == shapely.GeometryType.POLYGON
        geometry = geometry.copy()
        geometry[single] = [shapely.MultiPolygon([polygon]) for polygon in geometry[single]]
    return np.asarray(geometry, object)


def _column(field: Field, table: pd.DataFrame) -> pd.Series:
    if field.name not in table:
        if field.required:
            raise RecordError(f"缺少必填列：{field.zh}（{field.name}）", f"required column {field.name!r} is missing")
        return _typed(field, pd.Series([field.default] * len(table), dtype=object))
    column = table[field.name].reset_index(drop=True)
    if field.default is not None and not (field.required and field.kind == "number"):
        column = column.astype(object).where(column.notna(), field.default)
    return _typed(field, column)


def _typed(field: Field, column: pd.Series) -> pd.Series:
    if field.kind == "number":
        return pd.to_numeric(column).astype("float64")
    if field.kind == "integer":
        return column.astype("Int64" if field.may_be_null else "int64")
    if field.kind == "flag":
        return column.astype(bool)
    if field.kind == "datetime":
        return pd.to_datetime(column).astype("datetime64[us]")
    blank = column.isna()
    if field.kind == "date":
        dates = pd.to_datetime(column).dt.date if blank.sum() < len(column) else column
        return _nullable(dates, blank)
    return _nullable(column.astype(object).map(str, na_action="ignore"), blank)


def _nullable(values: pd.Series, blank: pd.Series) -> pd.Series:
    """Return ``values`` as objects with None (not NaN) where ``blank``."""
    objects = values.to_numpy(object, copy=True)
    objects[blank.to_numpy(bool)] = None
    return pd.Series(objects, dtype=object)  # else pandas makes it text, and None NaN


def content_sha256(layer: str, table: gpd.GeoDataFrame, *, approximate: bool = False) -> str:
    """Return the hash of a canonical table's records: equal for equal records, whatever file they came from.

    approximate : counts as well, for results must say it.
    """
    schema = layer_schema(layer)
    digest = hashlib.sha256(f"{schema.name}:{len(table)}:{'approximate' if approximate else 'exact'}".encode())
    for field in schema.fields:
        digest.update(f"\x1d{field.name}:{field.kind}\x1e".encode())
        digest.update(_column_bytes(field, table[field.name]))
    if schema.has_geometry:
        wkb = shapely.to_wkb(np.asarray(table["geometry"], object), byte_order=1)
        digest.update(b"\x1dgeometry\x1e")
        for shape in wkb:
            digest.update(len(shape or b"").to_bytes(8, "little") + (shape or b""))
    return digest.hexdigest()


def _column_bytes(field: Field, column: pd.Series) -> bytes:
    if field.kind == "number":
        values = column.to_numpy(np.float64)
        return np.where(np.isnan(values), np.nan, values + 0.0).tobytes()  # one NaN, one zero
    if field.kind in {"integer", "flag"}:
        absent = column.isna().to_numpy() if field.may_be_null else np.empty(0, bool)
        return column.fillna(0).to_numpy(np.int64).tobytes() + absent.tobytes()
    if field.kind == "datetime":
        return column.to_numpy("datetime64[us]").astype(np.int64).tobytes()
    return "\x1f".join("\x00" if value is None else str(value) for value in column.tolist()).encode()


def driver_rows(
    layer: str, table: gpd.GeoDataFrame, version_id: int, area_codes: NDArray[np.object_], dialect: str
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return (column names, rows) of a canonical table as the driver of ``dialect`` takes them.

    area_codes : (n,) of the area each row lies in.
    """
    schema = layer_schema(layer)
    columns: dict[str, Iterable[Any]] = {"version_id": [version_id] * len(table), "row": range(len(table))}
    columns[SCOPE_COLUMN] = area_codes.tolist()
    for field in schema.fields:
        columns[field.name] = _driver_values(field, table[field.name], dialect)
    if schema.has_geometry:
        columns["geometry"] = encode_geometries(np.asarray(table["geometry"], object), dialect)
    return list(columns), list(zip(*columns.values(), strict=True))


def _driver_values(field: Field, column: pd.Series, dialect: str) -> list[Any]:
    if field.kind in {"integer", "number"}:
        return list(column.astype(object).where(column.notna(), None))
    if dialect == "sqlite":
        if field.kind == "datetime":
            texts = np.datetime_as_string(column.to_numpy("datetime64[us]"), unit="us")
            return [text.replace("T", " ") for text in texts.tolist()]
        if field.kind == "date":
            return [None if day is None else day.isoformat() for day in column.tolist()]
        if field.kind == "flag":
            return column.astype(int).tolist()
    if field.kind == "datetime":
        return list(column.dt.to_pydatetime())
    return list(column.tolist())


def table_from_rows(
    layer: str, rows: Sequence[Sequence[Any]], fields: Sequence[Field] | None = None
) -> gpd.GeoDataFrame:
    """Return the table that selected ``rows`` hold: ``fields`` (all of ``layer``), then WKB if it has geometry."""
    schema = layer_schema(layer)
    fields = schema.fields if fields is None else fields
    columns = list(zip(*rows, strict=True)) if rows else [()] * (len(fields) + schema.has_geometry)
    named = zip(fields, columns, strict=False)
    frame = pd.DataFrame({field.name: _typed(field, pd.Series(values, dtype=object)) for field, values in named})
    if not schema.has_geometry:
        return gpd.GeoDataFrame(frame)
    wkb = np.array([None if shape is None else bytes(shape) for shape in columns[-1]], object)
    return gpd.GeoDataFrame(frame, geometry=shapely.from_wkb(wkb), crs=SRID)
