"""Routes for other devices and programs: GPX for a phone or a handheld, KML for a globe, GeoJSON for a desktop GIS."""

import datetime as dt
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.crs import to_lonlat
from gis.file_writing import write_table
from web.drawing import MODE_NAMES, both
from web.patrol_drawing import PatrolDrawing, Route
from web.patrol_turns import items
from web.patrol_words import clock, km, minutes

GPX = "http://www.topografix.com/GPX/1/1"
_SCHEMA = f"{GPX} http://www.topografix.com/GPX/1/1/gpx.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
#: What XML 1.0 cannot hold.
_ILLEGAL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535))
#: Kinds of steps that are places; the others are ways.
STOPS = ("start", "check", "wait", "break", "end")


def patrol_gpx(what: PatrolDrawing, path: Path) -> None:
    """Write GPX 1.1: a waypoint for each stop and turn, then a track for each crew with its planned times.

    Times are UTC; they are left out where the city's time zone is unknown to this machine. The same input gives the
    same bytes.
    """
    zone = _zone(what.timezone)
    root = Xml.Element("gpx", {
        "version": "1.1", "creator": "Lamplight", "xmlns": GPX, "xmlns:xsi": _XSI, "xsi:schemaLocation": _SCHEMA,
    })  # fmt: skip
    metadata = Xml.SubElement(root, "metadata")
    _text(metadata, "name", f"{what.city} {both(what.title)}".strip())
    _text(metadata, "desc", both(what.question))
    routes = [route for route in what.routes if route.goes_out]
    # the schema wants all waypoints before all tracks
    for route in routes:
        for item in items(route):
            if np.isfinite(item.at).all():
                point = _point(root, "wpt", *_lonlat(what, np.array([item.at]))[0], _utc(item.begins, zone))
                _text(point, "name", f"{route.crew['crew']} {clock(item.begins)} {item.zh}")
                _text(point, "desc", item.en)
                _text(point, "type", item.kind)
    for route in routes:
        track = Xml.SubElement(root, "trk")
        _text(track, "name", f"{route.date} {route.name}")
        _text(track, "desc", _said(route))
        segment = Xml.SubElement(track, "trkseg")
        for (lon, lat), moment in _timed(what, route):
            _point(segment, "trkpt", lon, lat, _utc(moment, zone))
    Xml.indent(root, " ")
    path.write_bytes(Xml.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n")


def patrol_kml(what: PatrolDrawing, path: Path) -> None:
    """Write KML: for each crew a placemark of its whole way, then one for each stop."""
    rows: list[dict[str, Any]] = []
    for route in what.routes:
        if route.goes_out and len(route.lines):
            lines = shapely.multilinestrings(_placed(what, route))
            rows.append({"Name": f"{route.date} {route.name}", "Description": _said(route), "geometry": lines})
    for row in _stops(what):
        name = f"{row['crew']} {clock(row['begins'])} {row['name']}".strip()
        rows.append({"Name": name, "Description": f"{row['date']} {row['kind']}", "geometry": row["geometry"]})
    write_table(_frame(rows, ["Name", "Description"]), path)


def patrol_geojson(what: PatrolDrawing, path: Path) -> None:
    """Write GeoJSON: a feature for each step of each crew, lines for ways and points for stops, with its times."""
    rows = [row for route in what.routes for row in _ways(what, route)] + list(_stops(what))
    columns = ["date", "crew", "persons", "step", "kind", "begins", "ends", "duty", "name", "side", "metres",
               "priority", "must"]  # fmt: skip
    write_table(_frame(rows, columns), path)


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> gpd.GeoDataFrame:
    if not rows:
        return gpd.GeoDataFrame(pd.DataFrame(columns=columns), geometry=[], crs=4326)
    return gpd.GeoDataFrame(pd.DataFrame(rows)[[*columns, "geometry"]], geometry="geometry", crs=4326)


def _ways(what: PatrolDrawing, route: Route) -> list[dict[str, Any]]:
    lines, of_step = _placed(what, route), route.legs.groupby("step").indices
    rows = []
    for step in route.steps.to_dict("records"):
        if step["step"] in of_step:
            shape = _joined(lines[of_step[step["step"]]])
            rows.append({**step, "persons": route.crew["persons"], "geometry": shape})
    return rows


def _joined(lines: NDArray[np.object_]) -> shapely.LineString:
    """Return lines that follow one another as one."""
    xy = shapely.get_coordinates(lines)
    new = np.r_[True, (np.diff(xy, axis=0) != 0).any(axis=1)]
    return shapely.LineString(xy[new] if new.sum() > 1 else xy[:2])


def _stops(what: PatrolDrawing) -> list[dict[str, Any]]:
    rows = []
    for route in what.routes:
        lonlat = _lonlat(what, route.at)
        for step, at in zip(route.steps.to_dict("records"), lonlat, strict=True):
            if step["kind"] in STOPS and np.isfinite(at).all():
                rows.append({**step, "persons": route.crew["persons"], "geometry": shapely.Point(at)})
    return rows


def _said(route: Route) -> str:
    crew = route.crew
    mode = both(MODE_NAMES.get(str(crew["mode"]), (str(crew["mode"]), "")))
    return (
        f"{mode}; {clock(crew['shift_from'])}-{clock(crew['shift_until'])}; {km(crew['walked_m'])}; "
        f"{minutes(crew['duration_s'])} min; {crew['services']} 项任务 duties"
    )


def _lonlat(what: PatrolDrawing, metres: NDArray[np.float64]) -> NDArray[np.float64]:
    lon, lat = to_lonlat(metres[:, 0], metres[:, 1], what.crs)
    return np.round(np.column_stack([lon, lat]), 7)


def _placed(what: PatrolDrawing, route: Route) -> NDArray[np.object_]:
    return shapely.transform(route.lines, lambda xy: _lonlat(what, xy))


def _timed(what: PatrolDrawing, route: Route) -> list[tuple[tuple[float, float], str]]:
    """Return every vertex of a route with the time it is reached at an even pace within its step."""
    lines, of_step = _placed(what, route), route.legs.groupby("step").indices
    out: list[tuple[tuple[float, float], str]] = []
    for step in route.steps.to_dict("records"):
        begins, ends = dt.datetime.fromisoformat(step["begins"]), dt.datetime.fromisoformat(step["ends"])
        legs = of_step.get(step["step"])
        if legs is None:
            if out and ends > begins:
                out.append((out[-1][0], step["ends"]))
            continue
        along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(shapely.get_coordinates(route.lines[legs]), axis=0).T))]
        share = along / along[-1] if along[-1] > 0 else np.linspace(0, 1, len(along))
        for (lon, lat), part in zip(shapely.get_coordinates(lines[legs]).tolist(), share.tolist(), strict=True):
            moment = (begins + (ends - begins) * part).replace(microsecond=0).isoformat()
            if not out or out[-1] != ((lon, lat), moment):
                out.append(((lon, lat), moment))
    return out


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _utc(moment: str, zone: ZoneInfo | None) -> str:
    if zone is None:
        return ""
    at = dt.datetime.fromisoformat(moment).replace(tzinfo=zone)
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _point(parent: Xml.Element, tag: str, lon: float, lat: float, time: str) -> Xml.Element:
    point = Xml.SubElement(parent, tag, {"lat": f"{lat:.7f}", "lon": f"{lon:.7f}"})
    if time:
        _text(point, "time", time)
    return point


def _text(parent: Xml.Element, tag: str, text: str) -> None:
    Xml.SubElement(parent, tag).text = text.translate(_ILLEGAL)
