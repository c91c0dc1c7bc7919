"""The public's points as files: each read back by another program, and nothing withheld in any of them."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as Xml
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from gis.errors import QuestionError, RecordError
from layers.hours import OpeningHours
from layers.public_points import public_points
from layers.records import FUNCTIONS
from layers.store import Store
from web.point_exports import EXPORTS, write_points

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
HOURS = (
    "24/7", "", "Mo-Fr 08:30-17:30; Sa 09:00-12:00", "Fr 22:00-06:00; Sa 09:00-12:00", "Mo-Su 22:00-06:00",
    "Mo-Fr 08:30-12:00,13:30-17:30; PH off", "Su 20:00-26:00", "Mo-Su 18:00-24:00", "Mo 06:00-24:00; Tu 00:00-08:00",
    "Jun-Sep Mo-Fr 08:00-20:00; Oct-May Mo-Fr 09:00-17:00", "Mo-Th 09:00-17:00; Fr 09:00-16:00",
)  # fmt: skip
#: What HSDS 3.1 asks of each object, and its words where it has a list of them.
REQUIRED = {
    "organization": {"id", "name", "description"},
    "service": {"id", "name", "status"},
    "service_at_location": {"id"},
    "location": {"id", "location_type"},
    "address": {"id", "address_1", "city", "state_province", "postal_code", "country", "address_type"},
    "phone": {"id", "number"},
    "schedule": {"id"},
}
KNOWN = {
    "organization": REQUIRED["organization"],
    "service": REQUIRED["service"] | {"organization_id", "description", "organization", "service_at_locations"},
    "service_at_location": {"id", "service_id", "location_id", "schedules", "location"},
    "location": REQUIRED["location"] | {
        "organization_id", "name", "description", "latitude", "longitude", "external_identifier",
        "external_identifier_type", "addresses", "phones",
    },
    "address": REQUIRED["address"] | {"location_id"},
    "phone": REQUIRED["phone"] | {"location_id", "type"},
    "schedule": {
        "id", "service_at_location_id", "freq", "interval", "wkst", "byday", "timezone", "opens_at", "closes_at",
        "description", "notes",
    },
}  # fmt: skip
EMBEDDED = {
    "organization": "organization", "service_at_locations": "service_at_location", "location": "location",
    "schedules": "schedule", "addresses": "address", "phones": "phone",
}  # fmt: skip


@pytest.fixture
def points() -> gpd.GeoDataFrame:
    """Points with every kind of hours, odd text, and gaps; one is only planned, none is withheld."""
    n = len(HOURS)
    return gpd.GeoDataFrame(
        {
            "code": [f"P{i:02d}" for i in range(n)],
            "name": ["=1+1", '<b>"甲"&乙</b>', *(f"第{i}点\x0b" for i in range(2, n))],
            "functions": [",".join(FUNCTIONS), "reporting", *["reception,guidance"] * (n - 2)],
            "hours": [OpeningHours.parse(text).text if text else "" for text in HOURS],
            "build_state": ["existing"] * (n - 1) + ["build"],
            "capacity": [float("nan")] * n,
            "phone": ["025-83700000", ""] * (n // 2) + ["+86 25 110"] * (n % 2),
            "address": ["某路 1 号", "", None] * (n // 3) + [""] * (n % 3),
            "last_verified": [date(2026, 1, 31), None] * (n // 2) + [pd.NaT] * (n % 2),
            "withheld": [False] * n,
        },
        geometry=shapely.points(118.7 + np.arange(n) / 7, 32 + np.arange(n) / 70),
        crs=4326,
    )


def written(kind: str, points: gpd.GeoDataFrame) -> bytes:
    return write_points(kind, points, city="甲市", zone=ZONE, now=NOW)[0]


def shown(points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return points[points["build_state"] == "existing"]


@pytest.mark.parametrize("kind", EXPORTS)
def test_a_withheld_point_is_refused_whatever_the_format(kind: str, points: gpd.GeoDataFrame) -> None:
    for value in (True, np.True_, float("nan")):
        told = points.assign(withheld=[False] * (len(points) - 1) + [value])
        with pytest.raises(RecordError, match="withheld point"):
            written(kind, told)
    with pytest.raises(RecordError, match="must say"):
        written(kind, points.drop(columns="withheld"))


@pytest.mark.parametrize("kind", EXPORTS)
def test_the_same_points_give_the_same_bytes_and_planned_ones_are_left_out(kind: str, points: gpd.GeoDataFrame) -> None:
    data, media_type = write_points(kind, points, city="甲市", zone=ZONE, now=NOW)
    assert data == written(kind, points.copy()) == written(kind, shown(points))
    assert media_type.startswith("application/")
    plain = data if kind != "xlsx" else b"".join(str(row).encode() for row in rows_of(data, 0))
    assert b"P00" in plain and b"P10" not in plain


@pytest.mark.parametrize("kind", EXPORTS)
def test_no_points_make_a_valid_file(kind: str, points: gpd.GeoDataFrame) -> None:
    data = written(kind, points.iloc[:0])
    if kind in ("hsds", "geojson"):
        told = json.loads(data)
        assert (told["contents"] if kind == "hsds" else told["features"]) == []


def test_an_unknown_format_is_refused(points: gpd.GeoDataFrame) -> None:
    with pytest.raises(QuestionError, match="hsds, geojson, kml, xlsx"):
        written("shp", points)


def test_points_come_from_the_store_the_way_the_public_sees_them(tmp_path: Path, points: gpd.GeoDataFrame) -> None:
    store = Store(str(tmp_path / "city.sqlite"))
    store.create()
    hidden = points.assign(withheld=points["code"] == "P03").assign(name=points["code"])
    store.import_layer("service-points", "", hidden, source="p", sha256="0" * 64)
    station = gpd.GeoDataFrame({"code": ["P00"], "name": ["救助站"]}, geometry=[shapely.Point(118.8, 32)], crs=4326)
    store.import_layer("rescue-stations", "", station, source="s", sha256="0" * 64)
    features = json.loads(written("geojson", public_points(store)))["features"]
    store.close()
    ids = [feature["id"] for feature in features]
    assert len(set(ids)) == len(ids) == len(shown(points))  # one withheld, one station
    assert "points/P03" not in ids and {"points/P00", "stations/P00"} <= set(ids)


# --- read back -----------------------------------------------------------------------------------------------------


def test_gdal_reads_the_geojson(points: gpd.GeoDataFrame, tmp_path: Path) -> None:
    (tmp_path / "points.geojson").write_bytes(written("geojson", points))
    read, there = pyogrio.read_dataframe(tmp_path / "points.geojson"), shown(points)
    assert read.crs.to_epsg() == 4326
    assert read["code"].tolist() == there["code"].tolist()
    assert [list(f) for f in read["functions"]] == [f.split(",") for f in there["functions"]]
    assert read["hours"].fillna("").tolist() == there["hours"].tolist()
    assert shapely.equals_exact(read.geometry.to_numpy(), there.geometry.to_numpy(), 1e-7).all()
    raw = json.loads(written("geojson", points))
    assert raw["type"] == "FeatureCollection" and "crs" not in raw
    assert all(set(f) == {"type", "id", "geometry", "properties"} for f in raw["features"])
    assert raw["features"][0]["properties"]["last_verified"] == "2026-01-31"
    assert raw["exported_at"] == "2026-03-01T12:00:00+08:00"


def test_gdal_reads_the_kml(points: gpd.GeoDataFrame, tmp_path: Path) -> None:
    (tmp_path / "points.kml").write_bytes(written("kml", points))
    read, there = pyogrio.read_dataframe(tmp_path / "points.kml"), shown(points)
    assert read["Name"].tolist() == [name.replace("\x0b", "") for name in there["name"]]
    assert read["code"].tolist() == there["code"].tolist()
    nights = read["hours"].iloc[3]
    assert nights == "周五 22:00-次日06:00, 周六 09:00-12:00 / Fr 22:00-06:00, Sa 09:00-12:00"
    assert shapely.equals_exact(shapely.force_2d(read.geometry.to_numpy()), there.geometry.to_numpy(), 1e-7).all()


def test_kml_keeps_to_the_order_of_its_schema(points: gpd.GeoDataFrame) -> None:
    root = Xml.fromstring(written("kml", points))
    order = ["name", "address", "phoneNumber", "ExtendedData", "Point"]
    space = "{http://www.opengis.net/kml/2.2}"
    for placemark in root.iter(f"{space}Placemark"):
        tags = [child.tag.removeprefix(space) for child in placemark]
        assert tags == [tag for tag in order if tag in tags]


def rows_of(data: bytes, sheet: int) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(data))
    return list(book.worksheets[sheet].iter_rows(values_only=True))


def test_the_workbook_has_both_languages_and_runs_no_formula(points: gpd.GeoDataFrame) -> None:
    head, *rows = rows_of(written("xlsx", points), 0)
    assert all(any("\u4e00" <= c <= "\u9fff" for c in cell) and "\n" in cell for cell in head)
    assert "last verified" in head[6] and "电话" in head[4]
    there = shown(points)
    assert [row[0] for row in rows] == there["code"].tolist()
    assert np.allclose([row[7:9] for row in rows], shapely.get_coordinates(there.geometry.to_numpy()), atol=1e-6)
    cell = openpyxl.load_workbook(io.BytesIO(written("xlsx", points))).worksheets[0]["B2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    assert ("城市 City", "甲市") in rows_of(written("xlsx", points), 1)


# --- Open Referral -------------------------------------------------------------------------------------------------


def objects(kind: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of an HSDS tree with its kind, outermost first."""
    yield kind, value
    for name, inner in value.items():
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                yield from objects(EMBEDDED[name], each)


def test_hsds_objects_have_the_fields_the_specification_asks_for(points: gpd.GeoDataFrame) -> None:
    page = json.loads(written("hsds", points))
    assert page["total_items"] == page["size"] == len(page["contents"]) == len(FUNCTIONS)
    assert (page["first_page"], page["last_page"], page["empty"]) == (True, True, False)
    seen = set()
    for service in page["contents"]:
        for kind, value in objects("service", service):
            seen.add(kind)
            assert REQUIRED[kind] <= set(value) <= KNOWN[kind], (kind, value)
            UUID(value["id"])
            assert value.get("status", "active") == "active"
            assert value.get("location_type", "physical") == value.get("address_type", "physical") == "physical"
    assert seen == set(REQUIRED)


def test_hsds_references_lead_to_what_they_name(points: gpd.GeoDataFrame) -> None:
    services = json.loads(written("hsds", points))["contents"]
    of_kind: dict[str, dict[str, dict[str, Any]]] = {}
    for service in services:
        assert service["organization_id"] == service["organization"]["id"]
        for at in service["service_at_locations"]:
            assert at["service_id"] == service["id"] and at["location_id"] == at["location"]["id"]
            assert all(s["service_at_location_id"] == at["id"] for s in at.get("schedules", []))
            location = at["location"]
            assert location["organization_id"] == service["organization"]["id"]
            for part in (*location.get("addresses", []), *location.get("phones", [])):
                assert part["location_id"] == location["id"]
        for kind, value in objects("service", service):
            assert of_kind.setdefault(kind, {}).setdefault(value["id"], value) == value, "one id, one object"
    assert len({i for ids in of_kind.values() for i in ids}) == sum(map(len, of_kind.values()))
    there = shown(points)
    assert {v["external_identifier"] for v in of_kind["location"].values()} == set(there["code"])
    assert len(of_kind["service_at_location"]) == sum(len(f.split(",")) for f in there["functions"])


def test_hsds_schedules_say_the_same_week_as_the_hours(points: gpd.GeoDataFrame) -> None:
    for service in json.loads(written("hsds", points))["contents"]:
        for at in service["service_at_locations"]:
            text = points.set_index("code")["hours"][at["location"]["external_identifier"]]
            expected = OpeningHours(text).week_minutes() if text else np.zeros(10_080, bool)
            week = np.zeros(10_080, bool)
            for schedule in at.get("schedules", []):
                assert schedule["freq"] == "WEEKLY" and schedule["timezone"] == 8
                assert text in schedule["notes"]
                opens, closes = minute(schedule["opens_at"]), minute(schedule["closes_at"])
                assert opens < closes, "a reader that knows no nights must still be right"
                for day in schedule["byday"].split(","):
                    start = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].index(day) * 1440
                    week[start + opens : start + (1440 if closes == 1439 else closes)] = True
            assert (week == expected).all(), text


def minute(clock: str) -> int:
    assert clock.endswith("+08:00")
    hour, rest = clock.split(":")[:2]
    return int(hour) * 60 + int(rest[:2])


def test_a_night_past_midnight_and_a_day_without_end(points: gpd.GeoDataFrame) -> None:
    reception = json.loads(written("hsds", points))["contents"][0]
    by_code = {at["location"]["external_identifier"]: at["schedules"] for at in reception["service_at_locations"]}
    said = {code: [(s["byday"], s["opens_at"][:5], s["closes_at"][:5]) for s in s_] for code, s_ in by_code.items()}
    assert said["P00"] == [("MO,TU,WE,TH,FR,SA,SU", "00:00", "23:59")]
    assert said["P03"] == [("FR", "22:00", "23:59"), ("SA", "00:00", "06:00"), ("SA", "09:00", "12:00")]


def test_ids_stay_the_same_and_differ_between_cities(points: gpd.GeoDataFrame) -> None:
    first = json.loads(written("hsds", points))
    moved = points.assign(name="moved", geometry=points.geometry.translate(0.01)).iloc[::-1]
    again = json.loads(written("hsds", moved))
    other = json.loads(write_points("hsds", points, city="乙市", zone=ZONE, now=NOW)[0])

    def ids(page: dict[str, Any]) -> set[str]:
        return {value["id"] for service in page["contents"] for _, value in objects("service", service)}

    assert ids(first) == ids(again)
    assert not ids(first) & ids(other)
