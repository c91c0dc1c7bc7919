"""What must be patrolled, and how those on the roster patrol: how it is written, read, and kept from older stores."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import sqlalchemy as sa
from alembic import command

from gis.files import write_table
from layers.connection import _config, open_engine, parse_url, revision_of
from layers.imports import ImportReport, import_file
from layers.records import layer_schema
from layers.store import Store
from layers.validation import Context, Validated, validate
from tests.layers.conftest import NOON, SOUTH, TABLES, WEST, frame, square

HERE = shapely.Point(WEST, SOUTH)
LINE = shapely.LineString([(WEST, SOUTH), (WEST + 0.001, SOUTH)])
CITY = Context(now=NOON, boundary=square(0, 0, 0.1), known_segments=frozenset({3}), known_points=frozenset({"A"}))
DUTY = {"duty_id": "D1", "geometry": HERE}
WORKER = {"person": "张三", "role": "网格员", "area_code": "320102002001001", "from_date": "2025-01-01"}


def checked(layer: str, *records: dict[str, object]) -> Validated:
    columns = {key: [record.get(key) for record in records] for record in records for key in record}
    verdict = validate(layer, frame(columns, columns.pop("geometry", None)), context=CITY)
    assert len(verdict.accepted) + len(verdict.rejected) == len(records)
    return verdict


def kept(layer: str, record: dict[str, object], field: str, value: object) -> object:
    """What ``value`` of ``field`` is kept as, or the code of the reason why it is not."""
    verdict = checked(layer, {**record, field: value})
    return verdict.rejected["code"].iloc[0] if len(verdict.rejected) else verdict.accepted[field].iloc[0]


# duties


@pytest.mark.parametrize(
    ("field", "said"),
    {
        "times_a_week": {
            "每晚": 7, "nightly": 7, "每日": 7, "每周三次": 3, "每周2次": 2, "一周两次": 2, "每周": 1, "weekly": 1,
            "3次/周": 3, "4 times a week": 4, " 5 ": 5, 6.0: 6, None: 7, "0": "negative", "8": "too_large",
            "有空": "bad_number", "1.5": "bad_number",
        },
        "priority": {"2.5": 2.5, None: 1.0, 0: 0.0, -1: "negative", "高": "bad_number"},
        "must": {"是": True, "必巡": True, None: False, "否": False, "maybe": "unknown_word"},
        "sides": {"双侧": "both", "两侧": "both", "单侧": "either", None: "either", "中间": "unknown_word"},
        "service_kmh": {"3": 3.0, 0: "negative", "快": "bad_number"},
        "dwell_min": {"10": 10.0, 0: 0.0, -5: "negative"},
        "opens": {
            "21:00": "21:00", "21：30": "21:30", "9点": "09:00", "21点半": "21:30", "21:00:00": "21:00",
            "24:00": "24:00", None: "", "24:30": "bad_time", "21:60": "bad_time", "晚上": "bad_time",
            "-1:00": "bad_time",
        },
        "closes": {"02:00": "02:00", "次日2:00": "02:00", "1 day, 0:00:00": "24:00", "1900-01-01 00:00:00": "24:00"},
        "certificate": {"急救": "急救", None: ""},
    }.items(),
)  # fmt: skip
def test_each_field_of_a_duty_is_read_or_refused(field: str, said: dict[object, object]) -> None:
    assert {value: kept("patrol-duties", DUTY, field, value) for value in said} == said


def test_numbers_that_are_not_said_stay_unknown() -> None:
    duty = checked("patrol-duties", {**DUTY, "service_kmh": None, "dwell_min": ""}).accepted.iloc[0]
    assert np.isnan(duty["service_kmh"])
    assert np.isnan(duty["dwell_min"])


def test_a_duty_is_a_segment_or_a_place_or_an_areas_streets() -> None:
    verdict = checked(
        "patrol-duties",
        {"duty_id": "a", "segment_id": "3", "area_code": "320102002", "geometry": LINE},  # the segment is the finest
        {"duty_id": "b", "segment_id": "", "area_code": "320102002", "geometry": HERE},
        {"duty_id": "c", "segment_id": None, "area_code": "320102002001001", "geometry": None},
        {"duty_id": "d", "segment_id": None, "area_code": "", "geometry": None},
        {"duty_id": "e", "segment_id": None, "area_code": "nowhere", "geometry": None},
        {"duty_id": "f", "segment_id": None, "area_code": None, "geometry": LINE},
        {"duty_id": "g", "segment_id": "3.5", "area_code": None, "geometry": HERE},
    )
    assert verdict.rejected["row"].tolist() == [4, 5, 6, 7]
    assert verdict.rejected["code"].tolist() == ["no_duty_place", "bad_code", "wrong_geometry", "bad_number"]
    duties = verdict.accepted
    assert duties["segment_id"].isna().tolist() == [False, True, True]
    assert duties["segment_id"].iloc[0] == 3
    assert duties["area_code"].tolist() == [None, None, "320102002001001"]
    assert duties.geometry.isna().tolist() == [True, False, True]


def test_duties_without_an_id_are_named_and_repeated_ones_left_out() -> None:
    same = {"area_code": "320102002", "times_a_week": 3}
    verdict = checked("patrol-duties", same, same, {**same, "times_a_week": 1}, {**same, "duty_id": "D1"})
    assert verdict.rejected["code"].tolist() == ["duplicate_row"]
    assert verdict.accepted["duty_id"].tolist() == ["D1", "D2", "D3"]
    twice = checked("patrol-duties", DUTY, DUTY | {"priority": 2})
    assert twice.rejected["code"].tolist() == ["duplicate_code"]


def test_a_street_has_one_duty_and_a_second_is_left_out_with_its_reason() -> None:
    street = {"segment_id": 3, "geometry": None}
    verdict = checked("patrol-duties", street, {**street, "opens": "21:00"}, DUTY, DUTY | {"duty_id": "D2"})
    assert verdict.rejected[["row", "code"]].to_numpy().tolist() == [[2, "duplicate_code"]]
    assert verdict.rejected["en"].tolist() == ["segment_id occurs before in this file: 3"]


def test_segments_that_are_not_imported_are_warned_of_and_kept() -> None:
    verdict = checked("patrol-duties", {"segment_id": 3}, {"segment_id": 99}, {"segment_id": 98})
    assert len(verdict.accepted) == 3
    assert [w.en for w in verdict.warnings] == ["2 rows name a street segment that is not imported, such as 99"]
    assert [w.zh for w in verdict.warnings] == ["2 行的路段不在已导入的数据中，如 99"]


# the roster


@pytest.mark.parametrize(
    ("field", "said"),
    {
        "mode": {
            "步行": "walk", "电动车": "ebike", "e-bike": "ebike", "车辆": "drive", None: "walk", "马": "unknown_word",
        },
        "shift": {
            "20:00-24:00": "20:00-24:00", "20：00—24：00": "20:00-24:00", "22:00至次日2:00": "22:00-02:00", None: "",
            "8点-12点": "08:00-12:00", "20:00": "bad_shift", "20:00-20:00": "bad_shift", "24:00-02:00": "bad_shift",
            "20:00-25:00": "bad_shift", "夜班": "bad_shift", "1:00-2:00-3:00": "bad_shift",
        },
        "break_min": {"20": 20.0, -1: "negative"},
        "max_min": {"220": 220.0, 0: "negative"},
        "station": {"A": "A", None: ""},
        "pair": {"甲": "甲", 1.0: "1", None: ""},
        "certificates": {"急救、手语": "急救,手语", "急救, 急救": "急救", None: ""},
        "days_off": {
            "周日，周一": "Mon,Sun", "Sat,Sun": "Sat,Sun", "星期天": "Sun", "monday": "Mon", None: "",
            "节日": "unknown_word",
        },
    }.items(),
)  # fmt: skip
def test_each_patrol_field_of_the_roster_is_read_or_refused(field: str, said: dict[object, object]) -> None:
    assert {value: kept("roster", WORKER, field, value) for value in said} == said


def test_a_roster_without_patrol_fields_is_as_good_as_before() -> None:
    worker = checked("roster", WORKER).accepted.iloc[0]
    assert worker[["mode", "shift", "station", "pair", "certificates", "days_off"]].tolist() == ["walk"] + [""] * 5
    assert worker[["break_min", "max_min"]].isna().all()


def test_stations_that_are_not_imported_are_warned_of_and_kept() -> None:
    verdict = checked("roster", {**WORKER, "station": "A"}, {**WORKER, "station": "Z"})
    assert len(verdict.accepted) == 2
    assert [w.en for w in verdict.warnings] == ["1 rows name a station that is not imported, such as Z"]


# files


def bring(store: Store, layer: str, path: Path, text: str) -> ImportReport:
    path.write_text(text, "utf-8")
    return import_file(store, layer, path, now=NOON)


def test_duties_and_roster_are_held_against_what_the_store_has(sqlite_store: Store, tmp_path: Path) -> None:
    text = "路段编号,每周次数\n3,每晚\n4,每周\n"
    before = bring(sqlite_store, "patrol-duties", tmp_path / "d.csv", text)
    assert [w.en[:6] for w in before.warnings] == ["2 rows"]
    for layer in ("streets", "service-points", "rescue-stations", "grid-cells"):
        sqlite_store.import_layer(layer, "", TABLES[layer, ""](), source="f", sha256="0" * 64)
    after = bring(sqlite_store, "patrol-duties", tmp_path / "d.csv", text)
    assert [w.en for w in after.warnings] == ["1 rows name a street segment that is not imported, such as 4"]
    head = "姓名,角色,区划代码,任职日期,驻点编号\n"
    people = "张三,网格员,320102002001001,2025-01-01,A\n李四,网格员,320102002001001,2025-01-01,S1\n"
    assert bring(sqlite_store, "roster", tmp_path / "r.csv", head + people).warnings == ()
    cells = "区划代码,每周次数\n320102002001001,2\n"
    assert bring(sqlite_store, "patrol-duties", tmp_path / "c.csv", cells).warnings == ()
    check = f"要求编号,经度,纬度\nD1,{WEST},{SOUTH}\n"
    assert bring(sqlite_store, "patrol-duties", tmp_path / "p.csv", check).warnings == ()
    assert bring(sqlite_store, "patrol-duties", tmp_path / "c.csv", cells).accepted == 1  # nothing of it has a place


@pytest.mark.parametrize(
    ("layer", "ending"),
    [
        *(("roster", ending) for ending in ("csv", "xlsx", "gpkg", "parquet")),
        *(("patrol-duties", ending) for ending in ("csv", "xlsx", "gpkg", "geojson", "parquet")),
    ],
)
def test_what_is_exported_comes_in_again_the_same(sqlite_store: Store, tmp_path: Path, layer: str, ending: str) -> None:
    first = sqlite_store.import_layer(layer, "", TABLES[layer, ""](), source="f", sha256="0" * 64)
    path = tmp_path / f"{layer}.{ending}"
    write_table(sqlite_store.load(layer), path)
    again = import_file(sqlite_store, layer, path, now=NOON)
    assert again.rejected == 0, again.rejects
    assert again.version is not None
    assert again.version.content_sha256 == first.content_sha256


# older stores


@pytest.fixture
def older_store(store_url: str) -> str:
    """A store of the schema before patrols, with a roster in it."""
    with open_engine(parse_url(store_url)).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("CREATE EXTENSION IF NOT EXISTS postgis"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        version = {
            "id": 1, "layer": "roster", "part": "", "created_at": NOON, "source": "r.csv", "file_sha256": "0" * 64,
            "content_sha256": "1" * 64, "accepted": 2, "rejected": 0, "note": "", "approximate": False,
            "datum": "wgs84", "active": True,
        }  # fmt: skip
        people = [
            {"version_id": 1, "row": i, "person": name, "role": "grid_worker", "area_code": "320102002001001",
             "phone": "", "from_date": date(2025, 1, 1), "until_date": until}
            for i, (name, until) in enumerate([("张三", None), ("李四", date(2025, 12, 31))])
        ]  # fmt: skip
        for table, rows in (("layer_version", [version]), ("roster", people)):
            metadata = sa.MetaData()
            connection.execute(sa.insert(sa.Table(table, metadata, autoload_with=connection)), rows)
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT setval(pg_get_serial_sequence('layer_version', 'id'), 1)"))
    return store_url


@pytest.fixture
def upgraded(older_store: str) -> Store:
    store = Store(older_store)
    store.create()
    return store


def test_a_roster_kept_before_patrols_comes_back_with_sensible_values(upgraded: Store) -> None:
    roster = upgraded.load("roster")
    assert list(roster.columns) == [field.name for field in layer_schema("roster").fields]
    assert roster["person"].tolist() == ["张三", "李四"]
    assert roster["until_date"].tolist() == [None, date(2025, 12, 31)]
    assert (roster["mode"] == "walk").all()
    assert (roster[["shift", "station", "pair", "certificates", "days_off"]] == "").all(axis=None)
    assert roster[["break_min", "max_min"]].isna().all(axis=None)
    assert upgraded.current()["roster", ""].content_sha256 == "1" * 64  # what runs name as their input stays


def test_an_upgraded_store_takes_duties_and_new_rosters(upgraded: Store) -> None:
    for layer in ("roster", "patrol-duties"):
        table = TABLES[layer, ""]()
        upgraded.import_layer(layer, "", table, source="f", sha256="0" * 64)
        assert len(upgraded.load(layer)) == len(table)
    assert upgraded.load("roster", version=1)["person"].tolist() == ["张三", "李四"]
    assert upgraded.load("patrol-duties")["segment_id"].tolist() == [3, pd.NA, pd.NA]


def test_the_upgrade_can_be_undone(upgraded: Store, older_store: str) -> None:
    with open_engine(parse_url(older_store)).begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        assert revision_of(connection) == "0002"
        names = {column["name"] for column in sa.inspect(connection).get_columns("roster")}
        assert names == {
            "version_id", "row", "person", "role", "area_code", "phone", "from_date", "until_date",
        }  # fmt: skip
        assert not sa.inspect(connection).has_table("patrol_duties")
        assert connection.scalar(sa.text("SELECT count(*) FROM roster")) == 2
