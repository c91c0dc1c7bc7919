"""Which column holds which field, and what its values are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import RecordError
from layers.columns import field_sources, missing_required, plain_heading
from layers.parsing import parse_column
from layers.records import FUNCTIONS, LAYERS


@pytest.mark.parametrize(
    ("heading", "plain", "factor"),
    [
        ("resident_pop_2019_wan", "residentpop", 1e4), ("常住人口(万)", "常住人口", 1e4),
        ("2020年常住人口（万人）", "常住人口", 1e4),
        ("人口（人）", "人口", 1.0), ("Area Code", "areacode", 1.0), ("万", "万", 1.0), (" 名称 ", "名称", 1.0),
        (7, "7", 1.0),
    ],
)  # fmt: skip
def test_a_heading_is_read_without_year_and_unit(heading: object, plain: str, factor: float) -> None:
    assert plain_heading(heading) == (plain, factor)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_name_of_a_field_leads_to_it_and_to_no_other(layer: str) -> None:
    schema = LAYERS[layer]
    for field in schema.fields:
        for heading in (field.name, field.zh, *field.aliases):
            assert list(field_sources(schema, [heading])) == [field.name], heading


@given(st.permutations(["district", "adcode", "resident_pop_2019_wan", "urbanisation_pct"]))
def test_the_order_of_columns_does_not_matter(headings: list[str]) -> None:
    sources = field_sources(LAYERS["population"], headings)
    assert {name: source.column for name, source in sources.items()} == {
        "people": "resident_pop_2019_wan", "area_code": "adcode",
    }  # fmt: skip


def test_a_field_takes_its_own_name_before_an_alias_of_another() -> None:
    sources = field_sources(LAYERS["roster"], ["name", "person", "role", "code", "from_date"])
    assert sources["person"].column == "person"
    assert missing_required(LAYERS["roster"], sources) == []


def test_what_the_user_says_comes_first_and_must_exist() -> None:
    schema = LAYERS["population"]
    assert field_sources(schema, ["people", "甲（万）"], {"people": "甲（万）"})["people"] == ("甲（万）", 1e4)
    with pytest.raises(RecordError, match="no field 'persons'"):
        field_sources(schema, ["a"], {"persons": "a"})
    with pytest.raises(RecordError, match="no column 'b'"):
        field_sources(schema, ["a"], {"people": "b"})


def parsed(layer: str, field: str, values: list[object], **more: float) -> tuple[list[object], list[bool], list[bool]]:
    found = parse_column(LAYERS[layer].field(field), pd.Series(values, dtype=object), **more)
    return found.values.tolist(), found.blank.tolist(), found.wrong.tolist()


def test_numbers_are_read_with_separators_wide_digits_and_units() -> None:
    values, blank, wrong = parsed("population", "people", ["1,234", " ５６ ", "", None, "x", "1e400", float("nan"), 7])
    assert values[0] == 1234 and values[1] == 56 and values[7] == 7
    assert blank == [False, False, True, True, False, False, True, False]
    assert wrong == [False, False, False, False, True, True, False, False]
    assert parsed("population", "people", [57.52, "85"], factor=1e4)[0] == [575_200.0, 850_000.0]
    assert parsed("reports", "people", ["1.5", "2.0"])[2] == [True, False]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2025-03-01", "2025-03-01T00:00:00"), ("2025/3/1 8:30", "2025-03-01T08:30:00"),
        ("20250301", "2025-03-01T00:00:00"),
        ("2025年3月1日", "2025-03-01T00:00:00"), ("2025年3月1日 8点30分", "2025-03-01T08:30:00"),
        ("2025.3.1", "2025-03-01T00:00:00"),
        ("2025-03-01T08:30:15", "2025-03-01T08:30:15"), ("2025-03-01T00:30:00Z", "2025-03-01T08:30:00"),
        ("2025-03-01 08:30:00+08:00", "2025-03-01T08:30:00"), ("45717", "2025-03-01T00:00:00"),
        (45717.5, "2025-03-01T12:00:00"),
        ("2025-03", "2025-03-01T00:00:00"), ("２０２５-03-01", "2025-03-01T00:00:00"),
        ("2025-02-30", None), ("明天", None), ("13", None), ("2025-13-01", None),
    ],
)  # fmt: skip
def test_times_are_read_as_people_write_them(written: object, read: str | None) -> None:
    values, blank, wrong = parsed("reports", "found_at", [written, None])
    assert blank == [False, True]
    assert wrong == [read is None, False]
    assert read is None or values[0] == pd.Timestamp(read)


def test_typed_times_are_taken_to_local_time() -> None:
    times = pd.Series(pd.to_datetime(["2025-03-01T00:30:00Z", None]))
    found = parse_column(LAYERS["reports"].field("found_at"), times)
    assert found.values[0] == pd.Timestamp("2025-03-01 08:30")
    assert found.blank.tolist() == [False, True]


def test_words_of_a_vocabulary_are_read_in_both_languages() -> None:
    assert parsed("service-points", "operating_mode", ["服务嵌入式", "阵地融合式", "街社合作式", "Embedded", "??"]) == (
        ["embedded", "merged", "joint", "embedded", None], [False] * 5, [False] * 4 + [True]
    )  # fmt: skip
    assert parsed("roster", "role", ["街道救助督导员", "协管员", "网格员", "grid_worker"])[0] == [
        "supervisor", "assistant", "grid_worker", "grid_worker"
    ]  # fmt: skip
    assert parsed("service-points", "withheld", ["是", "否", 1, 0.0, True, "maybe"])[0][:5] == [
        True, False, True, False, True
    ]  # fmt: skip


def test_functions_come_out_in_one_order_whatever_the_input() -> None:
    given_words = ["临时服务、接待咨询", "guidance,reporting", "['reception']", "发现报告；发现报告", "喝茶"]
    values, _, wrong = parsed("service-points", "functions", given_words)
    assert values[:4] == ["reception,temporary_service", "reporting,guidance", "reception", "reporting"]
    assert wrong == [False] * 4 + [True]
    assert parsed("service-points", "functions", ["接待咨询,发现报告,救助引导,临时服务"])[0] == [",".join(FUNCTIONS)]


def test_a_spreadsheets_number_stays_the_phone_number_it_was() -> None:
    assert parsed("rescue-stations", "phone", [13800000000.0, "025-1", np.int64(5)])[0] == ["13800000000", "025-1", "5"]
