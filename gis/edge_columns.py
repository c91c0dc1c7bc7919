"""What the columns of a street layer mean: one tidy table, whatever the layer calls them."""

import ast
import re
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import NetworkError
from gis.notes import LamplightNote

ID_COLUMNS = ("segment_id", "edge_id", "eid")
CLASS_COLUMNS = ("street_class", "highway", "class", "fclass")
SPEED_COLUMNS = ("free_kmh", "maxspeed")
NAME_COLUMNS = ("name", "路名", "道路名称", "名称")
ONEWAY_COLUMNS = ("oneway", "单行")
KMH_PER_MPH, KMH_PER_KNOT = 1.609344, 1.852
_ONEWAY = {"yes": 1, "true": 1, "1": 1, "f": 1, "ft": 1, "-1": -1, "reverse": -1, "t": -1, "tf": -1}
_SPEED = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph|knots)?")
_NOTHING = {"", "none", "nan", "<na>", "no", "f", "false", "0"}


def tidy_edges(edges: gpd.GeoDataFrame) -> tuple[pd.DataFrame, list[LamplightNote]]:
    """Return the edges under their canonical columns, in WGS84, ordered by id, with what was mended.

    Columns: segment_id, u, v (ids; both -1 throughout where the layer has no topology), length_m (NaN unless given
    and plausible), oneway (0, 1, -1), oneway_known, street_class, name, free_kmh (NaN unknown), level (bridges above
    0, tunnels below), geometry (two-dimensional lines). Rows without a usable line are dropped and counted.
    The order depends on ids or, without unique ids, on the geometry: never on the rows' order.
    Raises NetworkError when nothing is left or the coordinates are no longitudes and latitudes.
    """
    notes: list[LamplightNote] = []
    table, shapes = _lines(_in_wgs84(edges), notes)
    tidy = pd.DataFrame({"segment_id": _ids(table, shapes, notes)})
    tidy["u"], tidy["v"] = _ends(table, notes)
    tidy["length_m"] = _numbers(_column(table, ("length_m",)))
    oneway = _column(table, ONEWAY_COLUMNS)
    tidy["oneway"] = np.array([oneway_of(value) for value in oneway], np.int8)
    tidy["oneway_known"] = any(name in table.columns for name in ONEWAY_COLUMNS)
    tidy["street_class"] = np.array([first_text(value) for value in _column(table, CLASS_COLUMNS)], object)
    tidy["name"] = np.array([joined_text(value) for value in _column(table, NAME_COLUMNS)], object)
    tidy["free_kmh"] = np.array([speed_kmh(value) for value in _column(table, SPEED_COLUMNS)], np.float64)
    tidy["level"] = _levels(table)
    tidy["geometry"] = shapes
    return tidy.sort_values("segment_id", kind="stable", ignore_index=True), notes


def _in_wgs84(edges: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if edges.crs is not None and edges.crs.to_epsg() != 4326:
        edges = edges.to_crs(4326)
    x0, y0, x1, y1 = edges.total_bounds
    if x0 < -180 or y0 < -90 or x1 > 180 or y1 > 90:
        raise NetworkError(
            "街道图层的坐标不是经纬度，且未注明坐标系",
            "the street layer's coordinates are no longitudes and latitudes, and it names no coordinate system",
        )
    return edges


def _lines(edges: gpd.GeoDataFrame, notes: list[LamplightNote]) -> tuple[pd.DataFrame, NDArray[np.object_]]:
    """Keep rows with a finite line; lines of several parts are joined where they can be, else taken apart."""
    shapes = shapely.force_2d(edges.geometry.to_numpy())
    multi = shapely.get_type_id(shapes) == shapely.GeometryType.MULTILINESTRING
    shapes[multi] = shapely.line_merge(shapes[multi])
    parts, row = shapely.get_parts(shapes, return_index=True)
    broken = np.zeros(len(parts), bool)
    vertices, of = shapely.get_coordinates(parts, return_index=True)
    broken[of[~np.isfinite(vertices).all(axis=1)]] = True
    usable = (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(parts) & ~broken
    parts, row = parts[usable], row[usable]
    lost = len(edges) - len(np.unique(row))
    if lost:
        notes.append(LamplightNote(f"{lost} 行没有可用的线，已略去", f"{lost} rows without a usable line left out"))
    if not len(parts):
        raise NetworkError("图层中没有街道线", "the layer holds no street lines")
    table = pd.DataFrame(edges.drop(columns=edges.geometry.name)).iloc[row].reset_index(drop=True)
    lower = table.columns.map(str).str.lower()  # shapefiles shout
    return table.set_axis(lower, axis=1) if lower.is_unique else table, parts


def _column(table: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.object_]:
    for name in names:
        if name in table.columns:
            values: NDArray[np.object_] = table[name].astype(object).to_numpy()
            return values
    return np.full(len(table), None, object)


def _numbers(values: NDArray[np.object_]) -> NDArray[np.float64]:
    return pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").to_numpy(np.float64)


def _whole(values: NDArray[np.object_]) -> NDArray[np.int64] | None:
    """Return the values as whole numbers, or None where any is missing, broken or too large to be exact."""
    numbers = _numbers(values)
    if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any() or (np.abs(numbers) > 2**62).any():
        return None
    return np.array([int(value) for value in values], np.int64)


def _ids(table: pd.DataFrame, shapes: NDArray[np.object_], notes: list[LamplightNote]) -> NDArray[np.int64]:
    present = [name for name in ID_COLUMNS if name in table.columns]
    given = _whole(_column(table, ID_COLUMNS)) if present else None
    if given is not None and len(np.unique(given)) == len(given):
        return given
    if present:
        zh, en = f"{present[0]} 列有空缺或重复，路段已重新编号", f"column {present[0]} has gaps or repeats: renumbered"
        notes.append(LamplightNote(zh, en))
    # Ordered by what the rows hold, so that shuffled rows give the same ids.
    keys = pd.DataFrame({"shape": shapely.to_wkb(shapes)})
    for name in sorted(table.columns.map(str)):
        keys[f"column {name}"] = table[name].astype(str).to_numpy()
    order = keys.sort_values(list(keys.columns), kind="stable").index.to_numpy()
    ids = np.empty(len(table), np.int64)
    ids[order] = np.arange(len(table))
    return ids


def _ends(table: pd.DataFrame, notes: list[LamplightNote]) -> tuple[NDArray[np.int64] | int, NDArray[np.int64] | int]:
    if not {"u", "v"} <= set(table.columns):
        return -1, -1
    u, v = _column(table, ("u",)), _column(table, ("v",))
    ends = _whole(np.concatenate([u, v]))
    if ends is None:
        names = pd.Series(np.concatenate([u, v]), dtype=object)
        if names.isna().any() or (names.astype(str).str.strip() == "").any():
            zh = "u、v 列有空缺，改为在街道相接处打断"
            notes.append(LamplightNote(zh, "columns u and v have gaps: streets were split where they meet instead"))
            return -1, -1
        ends = np.unique(names.astype(str).to_numpy(str), return_inverse=True)[1].astype(np.int64)
        notes.append(LamplightNote("节点编号不是整数，已重新编号", "node ids are no whole numbers: renumbered"))
    return ends[: len(u)], ends[len(u) :]


def _levels(table: pd.DataFrame) -> NDArray[np.int64]:
    layer = np.nan_to_num(_numbers(np.array([first_text(v) for v in _column(table, ("layer",))], object)))
    bridge = np.array([first_text(v).lower() not in _NOTHING for v in _column(table, ("bridge",))], np.int64)
    tunnel = np.array([first_text(v).lower() not in _NOTHING for v in _column(table, ("tunnel",))], np.int64)
    return np.where(layer != 0, layer, bridge - tunnel).astype(np.int64)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA


def _several(value: Any) -> list[Any]:
    """Return a tag's values as a list, also where osmnx wrote the list as text: "['steps', 'footway']"."""
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return [value]
    return list(value) if isinstance(value, list | tuple | np.ndarray) else [value]


def first_text(value: Any) -> str:
    """Return a tag's value as text, the first of several, "" for nothing: ``["steps", "footway"]`` is "steps"."""
    first = next(iter(_several(value)), None)
    return "" if _missing(first) else str(first).strip()


def joined_text(value: Any) -> str:
    """Return a tag's value as text, several joined by " / " in their own order without repeats, "" for nothing."""
    texts = ["" if _missing(one) else str(one).strip() for one in _several(value)]
    return " / ".join(dict.fromkeys(text for text in texts if text))


def oneway_of(value: Any) -> int:
    """Read a one-way tag: 1 along the line, -1 against it, 0 both ways (also for reversible and alternating)."""
    if isinstance(value, bool | np.bool_):
        return int(value)
    text = first_text(value).lower().removesuffix(".0")
    return _ONEWAY.get(text, 0)


def speed_kmh(value: Any) -> float:
    """Read a speed in km/h from a number or a tag such as "60", "40 mph" or "60;80" (the first); NaN if none.

    A list gives its lowest speed. Words ("CN:urban", "none") and zero give NaN.
    """
    speeds = []
    for one in _several(value):
        found = None if _missing(one) else _SPEED.match(str(one).lower())
        if found and 0 < float(found[1]) < 1000:
            speeds.append(float(found[1]) * {"mph": KMH_PER_MPH, "knots": KMH_PER_KNOT}.get(found[2] or "", 1.0))
    return min(speeds, default=float("nan"))
