"""Every row is accepted or rejected with a reason; nothing disappears."""

from datetime import date, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pandas.testing import assert_frame_equal

from gis.errors import RecordError
from layers.reasons import REASONS
from layers.rows import content_sha256
from layers.validation import Context, Validated, validate, write_rejects
from tests.layers.conftest import NOON, SOUTH, TABLES, WEST, frame, square

HERE = shapely.Point(WEST, SOUTH)
FAR = shapely.Point(WEST + 1, SOUTH)
CITY_CONTEXT = Context(now=NOON, boundary=square(0, 0, 0.1))
BOWTIE = shapely.Polygon([(118.78, 32.04), (118.79, 32.05), (118.79, 32.04), (118.78, 32.05)])
LINE = shapely.LineString([(WEST, SOUTH), (WEST + 0.001, SOUTH)])

#: For each reason: layer, part, one good row, and the change that makes it bad for that reason.
AREA = {"code": "320102002000", "name": "甲", "geometry": square(0, 0)}
POINT = {"code": "A", "name": "甲点", "functions": "救助引导", "geometry": HERE}
REPORT = {"report_id": "R1", "found_at": "2025-01-01 08:00", "people": 1, "geometry": HERE}
PEOPLE = {"people": 10, "area_code": None, "geometry": HERE}
CELL = {"code": "320102002001001", "geometry": square(0, 0, 0.001)}
WORKER = {"person": "张三", "role": "督导员", "area_code": "320102002000", "from_date": "2025-01-01"}
DUTY = {"duty_id": "D1", "times_a_week": 7, "opens": "21:00", "geometry": HERE}
CASES = {
    "missing_value": ("roster", "", WORKER, {"person": " "}),
    "bad_number": ("service-points", "", {**POINT, "capacity": "3"}, {"capacity": "三"}),
    "negative": ("population", "", PEOPLE, {"people": -1}),
    "bad_date": ("reports", "", REPORT, {"found_at": "昨天"}),
    "future_date": ("reports", "", REPORT, {"found_at": "2026-03-01 12:01"}),
    "date_order": ("roster", "", {**WORKER, "until_date": "2025-01-01"}, {"until_date": "2024-12-31"}),
    "unknown_word": ("service-points", "", POINT, {"functions": "喝茶"}),
    "bad_hours": ("service-points", "", {**POINT, "hours": "24小时"}, {"hours": "随时"}),
    "bad_code": ("areas", "subdistrict", AREA, {"code": "12"}),
    "wrong_level": ("areas", "subdistrict", AREA, {"code": "320102000000"}),
    "wrong_community": ("grid-cells", "", {**CELL, "community": "320102002001"}, {"community": "320102002009"}),
    "no_coordinates": ("service-points", "", POINT, {"geometry": None}),
    "no_place": ("population", "", PEOPLE, {"geometry": None}),
    "no_geometry": ("areas", "subdistrict", AREA, {"geometry": shapely.Polygon()}),
    "wrong_geometry": ("areas", "subdistrict", AREA, {"geometry": HERE}),
    "invalid_geometry": ("areas", "subdistrict", AREA, {"geometry": shapely.Polygon([(118.78, 32.04)] * 4)}),
    "bad_coordinates": ("reports", "", REPORT, {"geometry": shapely.Point(32.04, 118.78)}),
    "outside_city": ("reports", "", REPORT, {"geometry": FAR}),
    "duplicate_code": ("areas", "subdistrict", AREA, {"code": "320102001000"}),
    "too_large": ("patrol-duties", "", DUTY, {"times_a_week": 8}),
    "bad_time": ("patrol-duties", "", DUTY, {"opens": "24:01"}),
    "bad_shift": ("roster", "", {**WORKER, "shift": ""}, {"shift": "20:00"}),
    "no_duty_place": ("patrol-duties", "", DUTY, {"geometry": None}),
    "duplicate_row": ("reports", "", {**REPORT, "report_id": "R0"}, {"report_id": "R0"}),
}


def rows(*records: dict[str, object]) -> gpd.GeoDataFrame:
    columns = {key: [record.get(key) for record in records] for key in records[0]}
    shapes = columns.pop("geometry", None)
    return frame(columns, shapes)


def check(layer: str, part: str, table: gpd.GeoDataFrame, context: Context = CITY_CONTEXT) -> Validated:
    before = table.copy(deep=True)
    verdict = validate(layer, table, part=part, context=context)
    assert_frame_equal(pd.DataFrame(table), pd.DataFrame(before))
    assert len(verdict.accepted) + len(verdict.rejected) == len(table)
    return verdict


def test_every_reason_has_a_case() -> None:
    assert set(CASES) == set(REASONS)


@pytest.mark.parametrize("reason", CASES)
def test_a_row_is_left_out_for_its_reason_and_the_others_stay(reason: str) -> None:
    layer, part, good, change = CASES[reason]
    first = {
        "areas": {"code": "320102001000"},
        "reports": {"report_id": "R0"},
        "service-points": {"code": "0"},
        "patrol-duties": {"duty_id": "D0"},
    }
    table = rows({**good, **first.get(layer, {})}, {**good, **change})
    verdict = check(layer, part, table)
    assert verdict.rejected["code"].tolist() == [reason], verdict.rejected
    assert verdict.rejected["row"].tolist() == [2]
    assert len(verdict.accepted) == 1
    line = verdict.rejected.iloc[0]
    assert line["zh"] and line["en"] and "{" not in line["zh"] + line["en"]
    assert check(layer, part, rows(good)).rejected.empty


def test_reports_a_minute_ago_count_and_the_clock_is_the_one_given() -> None:
    table = rows({**REPORT, "found_at": "2026-03-01 11:59"})
    assert check("reports", "", table).rejected.empty
    earlier = Context(now=datetime(2026, 3, 1, 11))
    assert check("reports", "", table, earlier).rejected["code"].tolist() == ["future_date"]


def test_a_sentence_about_a_place_never_shows_where_it_is() -> None:
    table = rows({**REPORT, "geometry": FAR}, {**REPORT, "geometry": shapely.Point(32.04, 118.78)})
    for line in check("reports", "", table).rejected.itertuples():
        assert not any(character.isdigit() for character in line.zh + line.en)


def test_rows_near_the_boundary_count_as_the_citys() -> None:
    just_outside = shapely.Point(WEST - 0.005, SOUTH)  # some 470 m
    assert check("reports", "", rows({**REPORT, "geometry": just_outside})).rejected.empty
    assert check("reports", "", rows({**REPORT, "geometry": FAR}), Context(now=NOON)).rejected.empty


@pytest.mark.parametrize(("layer", "part"), sorted(key for key in TABLES if key[0] != "streets"))
def test_the_order_of_rows_changes_nothing(layer: str, part: str) -> None:
    table = TABLES[layer, part]()
    one = check(layer, part, table)
    other = check(layer, part, table.iloc[::-1].reset_index(drop=True))
    assert one.rejected.empty, one.rejected
    assert content_sha256(layer, one.accepted) == content_sha256(layer, other.accepted)


def test_rows_without_an_id_are_named_whatever_their_order() -> None:
    reports = [{"found_at": f"2025-01-0{day} 08:00", "people": day, "geometry": HERE} for day in (3, 1, 2)]
    one, other = check("reports", "", rows(*reports)), check("reports", "", rows(*reports[::-1]))
    assert one.accepted["report_id"].tolist() == ["R1", "R2", "R3"]
    assert_frame_equal(pd.DataFrame(one.accepted), pd.DataFrame(other.accepted))
    mixed = [{**reports[0], "report_id": "R2"}, {**reports[1], "report_id": ""}, {**reports[2], "report_id": None}]
    assert check("reports", "", rows(*mixed)).accepted["report_id"].tolist() == ["R1", "R2", "R3"]


def test_identical_reports_are_left_out_and_counted() -> None:
    sighting = {"found_at": "2025-01-01 08:00", "people": 1, "geometry": HERE}
    verdict = check("reports", "", rows(sighting, sighting, {**sighting, "people": 2}, sighting))
    assert verdict.rejected["code"].tolist() == ["duplicate_row", "duplicate_row"]
    assert verdict.rejected["row"].tolist() == [2, 4]


def test_a_required_column_that_is_absent_stops_the_import() -> None:
    with pytest.raises(RecordError, match=r"people.*the file has name") as caught:
        check("population", "", rows({"name": "甲", "geometry": HERE}))
    assert "人口" in caught.value.zh


def test_an_empty_file_gives_an_empty_layer() -> None:
    verdict = check("areas", "city", frame({"code": []}, []))
    assert verdict.accepted.empty
    assert list(verdict.rejected.columns)[:4] == ["row", "code", "zh", "en"]


def test_an_invalid_polygon_is_mended_and_said_so() -> None:
    verdict = check("areas", "subdistrict", rows({**AREA, "geometry": BOWTIE}))
    shape = verdict.accepted.geometry.iloc[0]
    assert shape.is_valid
    assert shape.area == pytest.approx(0.00005)
    assert shape.geom_type == "MultiPolygon"
    assert "1 invalid" in verdict.warnings[0].en


def test_population_is_either_a_place_or_an_areas_total() -> None:
    table = rows(
        {"people": 1, "area_code": None, "geometry": HERE},
        {"people": 2, "area_code": "320102", "geometry": None},
        {"people": 3, "area_code": "320102002001", "geometry": HERE},  # the place is finer than the community
        {"people": 4, "area_code": "320102002", "geometry": HERE},  # a whole subdistrict does not live in one spot
        {"people": 5, "area_code": "P-17", "geometry": HERE},  # not an area's code, and not needed
        {"people": 6, "area_code": "P-17", "geometry": None},
        {"people": 7, "area_code": None, "geometry": square(0, 0, 0.001)},
    )
    verdict = check("population", "", table)
    assert verdict.rejected[["row", "code"]].to_numpy().tolist() == [[6, "bad_code"]]
    kept = verdict.accepted.sort_values("people")
    assert kept["area_code"].tolist() == [None, "320102000000", None, "320102002000", None, None]
    assert kept.geometry.isna().tolist() == [False, True, False, True, False, False]
    assert square(0, 0, 0.001).contains(kept.geometry.iloc[-1])


def test_grid_cells_know_their_community_from_their_code() -> None:
    verdict = check("grid-cells", "", rows(CELL))
    assert verdict.accepted["community"].tolist() == ["320102002001"]


def test_codes_without_a_parent_are_warned_of_not_rejected() -> None:
    known = Context(now=NOON, known_codes=frozenset({"320102000000"}))
    assert check("areas", "subdistrict", rows(AREA), known).warnings == ()
    orphan = check("areas", "subdistrict", rows({**AREA, "code": "320199001000"}), known)
    assert "320199000000" in orphan.warnings[0].en
    assert check("areas", "subdistrict", rows(AREA), Context(now=NOON)).warnings == ()  # no tier above yet


def test_odd_appointments_are_warned_of() -> None:
    odd = check("roster", "", rows({**WORKER, "area_code": "320102002001"}), CITY_CONTEXT)
    assert "another tier" in odd.warnings[0].en
    assert check("roster", "", rows(WORKER)).warnings == ()


def test_points_without_functions_are_taken_for_all_four_and_said_so() -> None:
    verdict = check("service-points", "", rows({"code": "A", "geometry": HERE}))
    assert verdict.accepted["functions"].iloc[0] == "reception,reporting,guidance,temporary_service"
    assert "all four" in verdict.warnings[0].en
    assert check("service-points", "", rows(POINT)).warnings == ()


def test_chinese_headings_and_values_make_the_same_record() -> None:
    table = frame(
        {
            "编号": ["A"], "名称": ["甲点"], "服务功能": ["接待咨询、临时服务"], "开放时间": ["周一至周五 8:30-17:30"],
            "运行模式": ["街社合作式"], "建设状态": ["新建"], "容量(人)": ["12"], "电话": [2.5e10], "地址": ["某路"],
            "核实日期": ["2025年5月6日"], "不公开": ["是"],
        },
        [HERE],
    )  # fmt: skip
    point = check("service-points", "", table).accepted.iloc[0]
    assert point.drop("geometry").tolist() == [
        "A", "甲点", "reception,temporary_service", "Mo-Fr 08:30-17:30", "joint", "build", 12.0, "25000000000", "某路",
        date(2025, 5, 6), True,
    ]  # fmt: skip


def test_rejects_are_written_with_their_reasons_and_the_columns_given(tmp_path: Path) -> None:
    table = rows({**REPORT, "found_at": "昨天", "code": "x"}, {**REPORT, "code": "y"})
    verdict = check("reports", "", table)
    write_rejects(verdict.rejected, tmp_path / "rejects.csv")
    text = (tmp_path / "rejects.csv").read_text("utf-8-sig")
    back = pd.read_csv(tmp_path / "rejects.csv", encoding="utf-8-sig")
    assert list(back.columns) == ["row", "code", "zh", "en", "report_id", "found_at", "people", "given_code"]
    assert back.iloc[0][["row", "code", "given_code"]].tolist() == [1, "bad_date", "x"]
    assert "POINT" not in text


def test_a_thousand_random_rows_are_all_accounted_for() -> None:
    rng = np.random.default_rng(7)
    n = 1_000
    choose = lambda *values: [values[i] for i in rng.integers(0, len(values), n)]  # noqa: E731 - a table of choices
    table = frame(
        {
            "id": choose("", "a", "b", *map(str, range(50))),
            "时间": choose("2025-01-01", "2027-01-01", "", "x", "2025/1/1 8:30"),
            "渠道": choose("巡查", "热线", "??", ""),
            "人数": choose("1", "-1", "", "1.5", "9"),
        },
        choose(HERE, None, FAR, LINE, shapely.MultiPoint([HERE]), shapely.Point()),
    )
    verdict = check("reports", "", table)
    assert set(verdict.rejected["row"]).isdisjoint(set(range(1, n + 1)) - set(verdict.rejected["row"]))
    assert verdict.rejected["row"].is_unique
    assert verdict.accepted["report_id"].is_unique
    assert (verdict.accepted.geom_type == "Point").all()
    assert set(verdict.accepted["channel"]) <= {"patrol", "hotline"}
