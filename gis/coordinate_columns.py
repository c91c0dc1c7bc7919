"""Which columns of a plain table are its coordinates, told from Chinese and English headings."""

import re

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.datum import DATUMS
from gis.errors import FileRefusedError
from gis.notes import LamplightNote

_LON = {"经度", "lng", "lon", "long", "longitude", "x", "经", "point_x", "coord_x"}
_LAT = {"纬度", "lat", "latitude", "y", "纬", "point_y", "coord_y"}
_PAIR = {"坐标", "经纬度", "lnglat", "lonlat", "location", "coordinate", "coordinates"}
_WKT = {"wkt", "geometry", "geom", "the_geom"}
_DATUM_WORDS = {
    **dict.fromkeys(("wgs84", "wgs", "4326", "gps", "cgcs2000"), "wgs84"),
    **dict.fromkeys(("gcj02", "gcj", "gaode", "amap", "高德", "火星", "腾讯"), "gcj02"),
    **dict.fromkeys(("bd09", "bd09ll", "bd", "baidu", "百度"), "bd09"),
}
_PAIR_TEXT = r"^\W*?(-?[\d.]+)\s*[,，; ]\s*(-?[\d.]+)\W*$"

Candidate = tuple[list[str], str, str]


def heading_meaning(heading: str) -> tuple[str, str]:
    """Tell what a heading stands for: ("lon"|"lat"|"pair"|"wkt"|"", datum it names or "")."""
    words = [w for w in re.split(r"[\s_\-（）()\[\]【】:：]+", heading.strip().lower()) if w]
    named = next((_DATUM_WORDS[w] for w in words if w in _DATUM_WORDS), "")
    for prefix, of in _DATUM_WORDS.items():
        # Chinese headings are written without spaces: 高德经度
        if not named and not prefix.isascii() and heading.startswith(prefix):
            named, words = of, [heading[len(prefix) :]]
    for meaning, names in (("lon", _LON), ("lat", _LAT), ("pair", _PAIR), ("wkt", _WKT)):
        if words and (words[0] in names or "_".join(words[:2]) in names or (named and names & set(words))):
            return meaning, named
    return "", named


def coordinate_candidates(headings: list[str], datum: str) -> list[Candidate]:
    """List the columns that may hold coordinates, best first: (names, "lonlat" | "pair" | "wkt", datum named or "").

    A longitude and a latitude come before one column of both, and that before WKT. Among equals, headings that name
    ``datum`` come first, then those that name none, then the others; then the order of the columns.
    """
    meant = [(heading, *heading_meaning(heading)) for heading in headings]
    order = list(dict.fromkeys([datum, "", *DATUMS]))

    def named(meaning: str, of: str) -> list[str]:
        return [h for h, is_a, names in meant if is_a == meaning and names == of]

    out = [
        ([named("lon", of)[0], named("lat", of)[0]], "lonlat", of)
        for of in order
        if named("lon", of) and named("lat", of)
    ]
    return out + [([h], form, of) for form in ("pair", "wkt") for of in order for h in named(form, of)]


def place(
    table: pd.DataFrame, datum: str, notes: list[LamplightNote]
) -> tuple[pd.DataFrame, NDArray[np.object_] | None, str]:
    """Make geometries from a table's coordinate columns: (table, geometries (n,) or None, the datum they are in).

    A heading that names a datum is believed where ``datum`` is the default, WGS84, and noted where it is not.
    Columns of numbers stay in the table, a WKT column goes. Raises FileRefusedError on degrees, minutes and seconds.
    """
    for columns, form, named in coordinate_candidates([str(c) for c in table.columns], datum):
        shapes = _READERS[form](table, columns)
        if shapes is None:
            continue
        if named and named != datum:
            datum = _settle(columns[0], named, datum, notes)
        return table.drop(columns=columns) if form == "wkt" else table, shapes, datum
    return table, None, datum


def _settle(heading: str, named: str, datum: str, notes: list[LamplightNote]) -> str:
    if datum != "wgs84":
        zh = f"列名“{heading}”标明 {named}，与指定的 {datum} 不同，按指定的处理"
        notes.append(LamplightNote(zh, f"heading {heading!r} names {named}, but {datum} was asked for and is used"))
        return datum
    zh = f"列名“{heading}”标明 {named}，按 {named} 转换"
    notes.append(LamplightNote(zh, f"heading {heading!r} names {named}: converted from it"))
    return named


def _from_lonlat(table: pd.DataFrame, columns: list[str]) -> NDArray[np.object_]:
    return _points(*(_degrees(table[name], name) for name in columns))


def _from_pair(table: pd.DataFrame, columns: list[str]) -> NDArray[np.object_] | None:
    parts = table[columns[0]].astype(str).str.extract(_PAIR_TEXT)
    if not parts.notna().all(axis=1).any():
        return None
    return _points(*(pd.to_numeric(parts[i], errors="coerce").to_numpy(np.float64) for i in (0, 1)))


def _from_wkt(table: pd.DataFrame, columns: list[str]) -> NDArray[np.object_] | None:
    texts = [t if isinstance(t, str) else None for t in table[columns[0]]]
    shapes = np.asarray(shapely.from_wkt(texts, on_invalid="ignore"), dtype=object)
    return None if shapely.is_missing(shapes).all() else shapes


_READERS = {"lonlat": _from_lonlat, "pair": _from_pair, "wkt": _from_wkt}


def _degrees(values: "pd.Series[float]", heading: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(values, errors="coerce")
    if len(values) and numbers.isna().all() and values.notna().any():
        sample = str(values.dropna().iloc[0])[:40]
        raise FileRefusedError(
            f"“{heading}”列不是十进制度（例：{sample}）",
            f"column {heading!r} is not in decimal degrees (such as {sample!r})",
        )
    return numbers.to_numpy(np.float64)


def _points(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.object_]:
    """Make points; rows with neither coordinate have none, a half or infinite one is left for the repair to name."""
    shapes = shapely.points(lon, lat)
    shapes[np.isnan(lon) & np.isnan(lat)] = None
    return np.asarray(shapes, dtype=object)
