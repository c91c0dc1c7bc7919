"""The public's points as files for other programs: Open Referral HSDS, GeoJSON, KML and XLSX, as bytes.

What is withheld cannot leave through here: a table that holds such a row, or cannot say so, is refused.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from xml.etree import ElementTree as Xml

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError, RecordError
from layers.dated_hours import MINUTES_A_DAY
from layers.hours import OpeningHours
from layers.public_points import STANDING
from layers.records import FUNCTION_ZH, FUNCTIONS
from web import workbook

KML = "http://www.opengis.net/kml/2.2"
#: Ids are drawn from this and from what they name, so that they stay the same from one export to the next.
_NAMESPACE = UUID("8d0c1f5e-6b0b-4c0e-9c4b-3f6f0f6a4d21")
#: Seven decimals are a centimetre.
_DECIMALS = 7
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
#: What XML 1.0 cannot hold.
_ILLEGAL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535))
_FUNCTION_EN = {name: name.replace("_", " ") for name in FUNCTIONS}
_FUNCTION_MEANS = {
    "reception": "接待来访，提供咨询 / somebody to talk to, and advice",
    "reporting": "接收街面发现的报告 / takes reports of people in need on the street",
    "guidance": "引导、陪同到救助站 / shows or accompanies the way to a rescue station",
    "temporary_service": "临时饮食、休息等服务 / food, rest and shelter for a while",
}
_HEADINGS = {
    "code": "编号 code", "functions": "服务功能 functions", "hours": "开放时间 hours", "phone": "电话 phone",
    "address": "地址 address", "last_verified": "核实日期 last verified",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Point:
    """One public point; key : unlike any other's; functions : in the vocabulary's order; hours : None if not stated."""

    key: str
    code: str
    name: str
    functions: tuple[str, ...]
    hours: OpeningHours | None
    phone: str
    address: str
    last_verified: str
    lon: float
    lat: float

    @property
    def functions_said(self) -> str:
        """What it offers, in both languages."""
        return "，".join(f"{FUNCTION_ZH[name]} {_FUNCTION_EN[name]}" for name in self.functions)

    @property
    def hours_said(self) -> str:
        """When it is open, in both languages."""
        if self.hours is None:
            return ""
        return f"{self.hours.label('zh')} / {self.hours.label('en')}"


def write_points(kind: str, points: gpd.GeoDataFrame, *, city: str, zone: tzinfo, now: datetime) -> tuple[bytes, str]:
    """Return the public's points as a file's bytes, and its media type; the same input gives the same bytes.

    kind : "hsds", "geojson", "kml" or "xlsx". points : as ``layers.public_points`` gives them, or a table of
    service-points without withheld rows, of which those only planned are left out; WGS84.
    city : its name. zone : the city's, in which hours are. now : aware, the moment the file speaks of.
    Raises RecordError where a row is withheld or the table does not say, QuestionError on another kind.
    """
    if kind not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise QuestionError(f"没有导出格式 {kind}（可用：{known}）", f"no export {kind!r}: expected {known}")
    write, media_type = _WRITERS[kind]
    return write(_public(points), city, now.astimezone(zone)), media_type


def _public(points: gpd.GeoDataFrame) -> list[_Point]:
    """Take over the rows; by construction nothing withheld gets past here."""
    if "withheld" not in points and "key" not in points:
        raise RecordError("导出的点位须说明是否公开", "points to be exported must say whether they are withheld")
    if "withheld" in points and points["withheld"].astype(bool).any():
        raise RecordError("不公开的点位不能导出", "a withheld point must not be exported")
    if "build_state" in points:
        points = points[points["build_state"].isin(STANDING)]
    lonlat = np.round(np.column_stack([points.geometry.x, points.geometry.y]), _DECIMALS)
    rows = zip(points.to_dict("records"), lonlat.tolist(), strict=True)
    return [_point(row, *at) for row, at in rows]


def _point(row: dict[Any, Any], lon: float, lat: float) -> _Point:
    offered = str(row["functions"]).split(",")
    hours, verified = _text(row["hours"]), row["last_verified"]
    return _Point(
        key=_text(row.get("key")) or f"points/{row['code']}",
        code=_text(row["code"]),
        name=_text(row["name"]) or _text(row["code"]),
        functions=tuple(name for name in FUNCTIONS if name in offered),
        hours=OpeningHours.parse(hours) if hours else None,
        phone=_text(row["phone"]),
        address=_text(row["address"]),
        last_verified=verified.isoformat()[:10] if isinstance(verified, date) and not pd.isna(verified) else "",
        lon=lon,
        lat=lat,
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, [], ())}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"


# --- Open Referral -------------------------------------------------------------------------------------------------


def _hsds(points: list[_Point], city: str, now: datetime) -> bytes:
    """Write one page of services, each with its organization and the locations where it is offered.

    Source: Human Services Data Specification 3.1: the schemas of its objects, embedded in one another, and the API
    reference's page.
    """
    services = [_service(name, points, city, now) for name in FUNCTIONS if any(name in p.functions for p in points)]
    page = {
        "total_items": len(services), "total_pages": 1, "page_number": 1, "size": len(services), "first_page": True,
        "last_page": True, "empty": not services, "contents": services,
    }  # fmt: skip
    return _json(page)


def _id(city: str, *names: str) -> str:
    return str(uuid5(_NAMESPACE, "\n".join((city, *names))))


def _service(function: str, points: list[_Point], city: str, now: datetime) -> dict[str, Any]:
    service_id = _id(city, "service", function)
    organization = {
        "id": _id(city, "organization"),
        "name": f"{city}街面救助服务 Street rescue service",
        "description": "为街面上需要帮助的人提供救助服务 / Help for people in need on the streets",
    }
    offered = [point for point in points if function in point.functions]
    return {
        "id": service_id,
        "organization_id": organization["id"],
        "name": f"{FUNCTION_ZH[function]} {_FUNCTION_EN[function]}",
        "description": _FUNCTION_MEANS[function],
        "status": "active",
        "organization": organization,
        "service_at_locations": [_service_at_location(point, function, service_id, city, now) for point in offered],
    }


def _service_at_location(point: _Point, function: str, service_id: str, city: str, now: datetime) -> dict[str, Any]:
    at_id, location_id = _id(city, "service at location", function, point.key), _id(city, "location", point.key)
    return _filled({
        "id": at_id,
        "service_id": service_id,
        "location_id": location_id,
        "schedules": _schedules(point, at_id, city, now),
        "location": _location(point, location_id, city),
    })  # fmt: skip


def _location(point: _Point, location_id: str, city: str) -> dict[str, Any]:
    phone = {"id": _id(city, "phone", point.key), "location_id": location_id, "number": point.phone, "type": "voice"}
    # the schema asks for a province and a postal code, which nobody recorded
    address = {
        "id": _id(city, "address", point.key), "location_id": location_id, "address_1": point.address, "city": city,
        "state_province": "", "postal_code": "", "country": "CN", "address_type": "physical",
    }  # fmt: skip
    verified = f"核实日期 last verified: {point.last_verified}" if point.last_verified else ""
    return _filled({
        "id": location_id,
        "location_type": "physical",
        "organization_id": _id(city, "organization"),
        "name": point.name,
        "description": verified,
        "latitude": point.lat,
        "longitude": point.lon,
        "external_identifier": point.code,
        "external_identifier_type": "服务点编号 code of the point",
        "addresses": [address] if point.address else [],
        "phones": [phone] if point.phone else [],
    })  # fmt: skip


def _schedules(point: _Point, at_id: str, city: str, now: datetime) -> list[dict[str, Any]]:
    """Return the hours of an ordinary week, one schedule for each pair of times.

    HSDS has no word for a closing time on the next day, nor for 24 hours: a night is two schedules, and a day that
    ends at midnight closes at 23:59, as its guidance has it. Holidays and seasons are in the description and notes.
    """
    if point.hours is None:
        return []
    seconds = int((now.utcoffset() or now - now).total_seconds())
    offset = f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}:{abs(seconds) % 3600 // 60:02d}"
    return [
        {
            "id": _id(city, "schedule", at_id, f"{opens} {closes}"),
            "service_at_location_id": at_id,
            "freq": "WEEKLY",
            "interval": 1,
            "wkst": "MO",
            "byday": ",".join(_WEEKDAYS[day] for day in days),
            "timezone": seconds / 3600,
            "opens_at": f"{_clock(opens)}{offset}",
            "closes_at": f"{_clock(min(closes, MINUTES_A_DAY - 1))}{offset}",
            "description": point.hours_said,
            "notes": f"OSM opening_hours: {point.hours.text}",
        }
        for (opens, closes), days in _spans(point.hours.week_minutes()).items()
    ]


def _spans(week: NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Return (first minute, minute after the last) of a day -> weekdays with that span, by first weekday and minute."""
    found: dict[tuple[int, int], list[int]] = {}
    for day, minutes in enumerate(week.reshape(len(_WEEKDAYS), MINUTES_A_DAY)):
        edges = np.flatnonzero(np.diff(np.r_[False, minutes, False]))
        for opens, closes in list(pairwise(edges.tolist()))[::2]:
            found.setdefault((opens, closes), []).append(day)
    return found


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


# --- maps and tables -----------------------------------------------------------------------------------------------


def _geojson(points: list[_Point], city: str, now: datetime) -> bytes:
    """Source: RFC 7946."""
    features = [
        {
            "type": "Feature",
            "id": point.key,
            "geometry": {"type": "Point", "coordinates": [point.lon, point.lat]},
            "properties": {
                "code": point.code,
                "name": point.name,
                "functions": list(point.functions),
                "hours": None if point.hours is None else point.hours.text,
                "hours_zh": None if point.hours is None else point.hours.label("zh"),
                "phone": point.phone or None,
                "address": point.address or None,
                "last_verified": point.last_verified or None,
            },
        }
        for point in points
    ]
    return _json({"type": "FeatureCollection", "city": city, "exported_at": _moment(now), "features": features})


def _moment(now: datetime) -> str:
    return now.isoformat(timespec="seconds")


def _kml(points: list[_Point], city: str, now: datetime) -> bytes:
    """Source: OGC KML 2.2."""
    root = Xml.Element("kml", {"xmlns": KML})
    document = Xml.SubElement(root, "Document")
    _element(document, "name", f"{city} 救助服务点 service points")
    _element(document, "description", _moment(now))
    for point in points:
        placemark = Xml.SubElement(document, "Placemark")
        _element(placemark, "name", point.name)
        _element(placemark, "address", point.address)
        _element(placemark, "phoneNumber", f"tel:{point.phone}" if point.phone else "")
        data = Xml.SubElement(placemark, "ExtendedData")
        for name, value in _filled(_said(point)).items():
            entry = Xml.SubElement(data, "Data", {"name": name})
            _element(entry, "displayName", _HEADINGS[name])
            Xml.SubElement(entry, "value").text = value.translate(_ILLEGAL)
        _element(Xml.SubElement(placemark, "Point"), "coordinates", f"{point.lon:.7f},{point.lat:.7f}")
    Xml.indent(root, " ")
    return bytes(Xml.tostring(root, encoding="UTF-8", xml_declaration=True)) + b"\n"


def _element(parent: Xml.Element, tag: str, text: str) -> None:
    if text:
        Xml.SubElement(parent, tag).text = text.translate(_ILLEGAL)


def _said(point: _Point) -> dict[str, str]:
    return {
        "code": point.code, "functions": point.functions_said, "hours": point.hours_said, "phone": point.phone,
        "address": point.address, "last_verified": point.last_verified,
    }  # fmt: skip


def _xlsx(points: list[_Point], city: str, now: datetime) -> bytes:
    columns = ["code", "name", "functions", "hours", "phone", "address", "last_verified", "lon", "lat"]
    rows = [{**_said(point), "name": point.name, "lon": point.lon, "lat": point.lat} for point in points]
    about = pd.DataFrame(
        [("城市 City", city), ("导出时间 Exported", _moment(now))], columns=["项目 Item", "内容 Value"]
    )
    sheets = {"服务点 Service points": pd.DataFrame(rows, columns=columns), "说明 Notes": about}
    with tempfile.TemporaryDirectory(prefix="lamplight-") as folder:
        path = Path(folder) / "points.xlsx"
        workbook.write(sheets, path)
        return path.read_bytes()


_WRITERS: dict[str, tuple[Callable[[list[_Point], str, datetime], bytes], str]] = {
    "hsds": (_hsds, "application/json"),
    "geojson": (_geojson, "application/geo+json"),
    "kml": (_kml, "application/vnd.google-earth.kml+xml"),
    "xlsx": (_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
#: The kinds of files ``write_points`` makes.
EXPORTS = tuple(_WRITERS)
