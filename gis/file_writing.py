"""Tables written out: the same table gives the same bytes, and a half-written file never bears the final name."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from gis.coordinate_columns import coordinate_candidates
from gis.errors import FileRefusedError

# Formats that stamp the hour of writing get this one: a file's bytes tell its content, not its age.
_STAMP = (2000, 1, 1, 0, 0, 0)
_STAMP_TEXT = "2000-01-01T00:00:00Z"
_DBF_NAME_BYTES, _DBF_TEXT_BYTES = 10, 254
_SHEET_ROWS = 1_048_576
_SHAPE_PARTS = (".shx", ".dbf", ".prj", ".cpg", ".shp")  # the one that makes it a layer comes last


def write_table(table: pd.DataFrame, path: str | Path, *, layer: str | None = None) -> None:
    """Write a table to .gpkg .geojson .shp .zip (a shapefile) .csv .xlsx .parquet or .kml, by the path's ending.

    table : a GeoDataFrame in any known CRS (written as WGS84), or a table without geometry. layer : its name where the
    format has one, else the file's stem. CSV and XLSX get lon and lat columns for points, wkt for anything else.
    Replaces what was there in one step. Raises FileRefusedError where the format cannot hold the table.
    """
    write_layers({layer or Path(path).stem: table}, path)


def write_layers(layers: Mapping[str, pd.DataFrame], path: str | Path) -> None:
    """Write several named tables to one file (.gpkg layers, .xlsx sheets); otherwise as write_table."""
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _WRITERS:
        known = " ".join(_WRITERS)
        raise FileRefusedError(
            f"{target.name}：不支持写出此类型，可用 {known}", f"{target.name}: cannot write this, use {known}"
        )
    if len(layers) != 1 and suffix not in (".gpkg", ".xlsx"):
        raise FileRefusedError(f"{target.name}：此格式只能容纳一个图层", f"{target.name}: this format holds one layer")

    target.parent.mkdir(parents=True, exist_ok=True)
    ready = {name: _in_wgs84(table) for name, table in layers.items()}
    # Beside the target, so that the final rename stays within one file system.
    with tempfile.TemporaryDirectory(prefix=".lamplight-", dir=target.parent) as folder:
        draft = Path(folder) / target.name
        _WRITERS[suffix](ready, draft)
        for part in _SHAPE_PARTS[:-1] if suffix == ".shp" else ():
            draft.with_suffix(part).replace(target.with_suffix(part))
        draft.replace(target)


def _in_wgs84(table: pd.DataFrame) -> pd.DataFrame:
    """Bring geometry to WGS84 and every column to one plain type; a table whose geometries are all None has none."""
    plain = pd.DataFrame({str(n): _plain_column(table[n]) for n in table.columns if table[n].dtype != "geometry"})
    plain.index = pd.RangeIndex(len(table))
    if not isinstance(table, gpd.GeoDataFrame) or table.active_geometry_name is None:
        return plain
    if len(table) and table.geometry.isna().all():
        return plain
    placed = table.geometry.set_crs(4326) if table.crs is None else table.geometry.to_crs(4326)
    ready: pd.DataFrame = gpd.GeoDataFrame(plain, geometry=placed.to_numpy(), crs=4326)
    return ready


def _plain_column(column: "pd.Series[Any]") -> "pd.Series[Any]":
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if pd.api.types.is_timedelta64_dtype(column):
        return column.astype(str).astype(object)
    if column.dtype != object:
        return column
    values = [
        None if v is None or v is pd.NA or v is pd.NaT or (isinstance(v, float) and np.isnan(v)) else v for v in column
    ]
    kinds = {type(v) for v in values if v is not None}
    if kinds == {date} or kinds == {bool}:
        return pd.Series(values, dtype=object)
    if kinds and kinds <= {datetime, pd.Timestamp}:
        return pd.Series(pd.to_datetime(pd.Series(values)))
    if kinds and all(issubclass(k, (int, float, np.number)) for k in kinds) and bool not in kinds:
        return pd.Series(values, dtype="float64" if None in values else None)
    return pd.Series([_as_text(v) for v in values], dtype=object)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


# --- GDAL formats --------------------------------------------------------------------------------------------------


@contextmanager
def _dated() -> Iterator[None]:
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _STAMP_TEXT})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _write_gpkg(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    with _dated():
        for i, (name, table) in enumerate(layers.items()):
            # The two columns GeoPackage adds must not meet one of the table's own.
            own = {"FID": _free_name("fid", table)}
            if isinstance(table, gpd.GeoDataFrame):
                own["GEOMETRY_NAME"] = _free_name("geom", table)
            pyogrio.write_dataframe(
                table, draft, layer=name, driver="GPKG", append=i > 0, use_arrow=True, layer_options=own
            )


def _free_name(name: str, table: pd.DataFrame) -> str:
    taken = {str(c).lower() for c in table.columns}
    while name in taken:
        name += "_"
    return name


def _write_geojson(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    ((_, table),) = layers.items()
    pyogrio.write_dataframe(_spatial(table, draft), draft, driver="GeoJSON", use_arrow=True, WRITE_NAME="NO")


def _write_kml(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    ((name, table),) = layers.items()
    named = _spatial(table, draft).rename(columns={"name": "Name"})
    pyogrio.write_dataframe(named, draft, layer=name, driver="LIBKML", use_arrow=True)


def _spatial(table: pd.DataFrame, draft: Path) -> gpd.GeoDataFrame:
    if not isinstance(table, gpd.GeoDataFrame):
        raise FileRefusedError(
            f"{draft.name}：表格没有几何，请写为 CSV 或 XLSX", f"{draft.name}: no geometry, write CSV or XLSX"
        )
    return table


def _cut(text: str, limit_bytes: int) -> str:
    """Cut to so many GB18030 bytes without cutting a character in two."""
    return text.encode("gb18030", "replace")[:limit_bytes].decode("gb18030", "ignore")


def dbf_names(names: list[str]) -> list[str]:
    """Shorten column names to 10 GB18030 bytes on a character boundary, unique whatever the case of letters."""
    seen: set[str] = set()
    out = []
    for name in names:
        short, n = _cut(name, _DBF_NAME_BYTES), 1
        while short.lower() in seen:
            tail = f"_{n}"
            short, n = _cut(name, _DBF_NAME_BYTES - len(tail)) + tail, n + 1
        seen.add(short.lower())
        out.append(short)
    return out


def _write_shp(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    ((_, given),) = layers.items()
    table = _spatial(given, draft).copy()
    families = set(shapely.get_dimensions(table.geometry.to_numpy())[table.geometry.notna()])
    if len(families) > 1:
        raise FileRefusedError(
            f"{draft.name}：Shapefile 不能混存点、线、面，请写为 GPKG",
            f"{draft.name}: a shapefile holds one geometry type, use GPKG",
        )
    columns = [c for c in table.columns if c != table.geometry.name]
    for name in columns:
        column = table[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            table[name] = column.dt.strftime("%Y-%m-%dT%H:%M:%S")  # dBase knows days, not hours
        elif column.dtype == object or pd.api.types.is_string_dtype(column):
            table[name] = [
                _cut(v, _DBF_TEXT_BYTES) if isinstance(v, str) else (None if pd.isna(v) else v) for v in column
            ]
    table = table.rename(columns=dict(zip(columns, dbf_names(columns), strict=True)))
    pyogrio.write_dataframe(
        table,
        draft,
        driver="ESRI Shapefile",
        encoding="GB18030",
        layer_options={"DBF_DATE_LAST_UPDATE": _STAMP_TEXT[:10]},
    )
    draft.with_suffix(".cpg").write_text("GB18030", "ascii")


def _write_zip(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    shp = draft.with_suffix(".shp")
    _write_shp(layers, shp)
    _pack({p.name: p.read_bytes() for p in map(shp.with_suffix, _SHAPE_PARTS)}, draft)


def _pack(members: Mapping[str, bytes], draft: Path) -> None:
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in members:
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, members[name])


# --- tables --------------------------------------------------------------------------------------------------------


def _with_coordinate_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Give points lon and lat columns and other shapes wkt, in place of those the table was once read from."""
    if not isinstance(table, gpd.GeoDataFrame):
        return table
    shapes = table.geometry.to_numpy()
    plain = pd.DataFrame(table.drop(columns=table.geometry.name))
    plain = plain.drop(columns=_coordinate_numbers(plain) + [c for c in plain.columns if c == "wkt"])
    if np.isin(shapely.get_type_id(shapes), (-1, 0)).all():
        return plain.assign(lon=shapely.get_x(shapes), lat=shapely.get_y(shapes))
    texts = shapely.to_wkt(shapes, rounding_precision=9)
    return plain.assign(wkt=pd.Series(texts, dtype=object).where(~shapely.is_missing(shapes), None))


def _coordinate_numbers(plain: pd.DataFrame) -> list[str]:
    """Name the columns that would be read as WGS84 positions before the ones about to be written."""
    found = coordinate_candidates([str(c) for c in plain.columns], "wgs84")
    names, form, named = found[0] if found else ([], "", "")
    numbers = (
        form == "lonlat" and named in ("", "wgs84") and all(pd.api.types.is_numeric_dtype(plain[n]) for n in names)
    )
    return names + _coordinate_numbers(plain.drop(columns=names)) if numbers else []


_FORMULA = re.compile(r"[=+@\-\t\r]")
_NUMBER = re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?")


def _guard(value: Any) -> Any:
    # A spreadsheet runs text that begins like a formula; the apostrophe stops it, and reading takes it off again.
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _write_csv(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    ((_, given),) = layers.items()
    draft.write_bytes(csv_bytes(_with_coordinate_columns(given)))


def csv_bytes(table: pd.DataFrame) -> bytes:
    """Return a table as CSV that spreadsheets read as UTF-8, with no text they would run as a formula."""
    guarded = table.copy(deep=False)
    guarded.columns = [_guard(name) for name in table.columns]
    for place in range(len(table.columns)):
        column = table.iloc[:, place]
        if column.dtype == object or pd.api.types.is_string_dtype(column):
            guarded.isetitem(place, column.map(_guard).array)
    # the byte order mark makes Excel read UTF-8
    return guarded.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def _write_xlsx(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, given in layers.items():
        table = _with_coordinate_columns(given)
        if len(table) >= _SHEET_ROWS:
            raise FileRefusedError(f"{draft.name}：超过 XLSX 的行数上限", f"{draft.name}: more rows than XLSX can hold")
        sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", " ", name)[:31])
        sheet.freeze_panes = "A2"
        columns = [table[n].astype(object).where(table[n].notna(), None).tolist() for n in table.columns]
        sheet.append([_cell(sheet, str(n)) for n in table.columns])
        for row in zip(*columns, strict=True):
            sheet.append([_cell(sheet, v) for v in row])
    stream = io.BytesIO()
    book.save(stream)
    with zipfile.ZipFile(stream) as made:
        members = {name: made.read(name) for name in sorted(made.namelist())}
    core = "docProps/core.xml"
    members[core] = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _STAMP_TEXT.encode(), members[core])
    _pack(members, draft)


def _cell(sheet: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if isinstance(value, str):
        value = ILLEGAL_CHARACTERS_RE.sub("", value)
        if value.startswith("="):
            cell = WriteOnlyCell(sheet, value)
            cell.data_type = "s"
            return cell
    elif isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    elif isinstance(value, datetime):
        return value.isoformat() if value.tzinfo else value  # a spreadsheet knows no time zones
    return value


def _write_parquet(layers: Mapping[str, pd.DataFrame], draft: Path) -> None:
    ((_, table),) = layers.items()
    table.to_parquet(draft, index=False)


_WRITERS = {
    ".gpkg": _write_gpkg, ".geojson": _write_geojson, ".json": _write_geojson, ".shp": _write_shp, ".zip": _write_zip,
    ".csv": _write_csv, ".xlsx": _write_xlsx, ".parquet": _write_parquet, ".kml": _write_kml,
}  # fmt: skip
