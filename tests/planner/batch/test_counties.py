"""A province's folders and files say by their names which county they are of and what they hold."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gis.errors import FileRefusedError, QuestionError
from planner.batch.counties import County, county_of, holding_of, told_apart
from planner.batch.loading import input_hash, list_counties


@pytest.mark.parametrize(
    ("stem", "held"),
    [
        ("streets", ("streets", "", "wgs84")),
        ("街面路段", ("streets", "", "wgs84")),
        ("areas-community", ("areas", "community", "wgs84")),
        ("Areas District", ("areas", "district", "wgs84")),
        ("service_points_gcj02", ("service-points", "", "gcj02")),
        ("服务点-bd09", ("service-points", "", "bd09")),
        ("population-2026", ("population", "", "wgs84")),
    ],
)
def test_a_files_name_says_what_it_holds(stem: str, held: tuple[str, str, str]) -> None:
    found = holding_of(stem)
    assert found is not None
    assert (found.layer, found.part, found.datum) == held


@pytest.mark.parametrize("stem", ["street", "readme", "servicepoints", "", "population2026"])
def test_a_name_that_is_no_layers_holds_nothing(stem: str) -> None:
    assert holding_of(stem) is None


def test_files_are_imported_from_the_streets_up_and_areas_from_the_coarsest_down() -> None:
    stems = ["population", "areas-community", "service-points", "areas-city", "streets"]
    order = [holding.layer + holding.part for holding in sorted(h for h in map(holding_of, stems) if h is not None)]
    assert order == ["streets", "areascity", "areascommunity", "service-points", "population"]


@pytest.mark.parametrize(
    ("label", "code", "name"),
    [
        ("320102", "320102000000", ""),
        ("320102 玄武区", "320102000000", "玄武区"),
        ("320102_玄武区", "320102000000", "玄武区"),
        ("320102000000", "320102000000", ""),
        ("3201-南京", "320100000000", "南京"),
    ],
)
def test_a_folders_name_says_which_county_it_is(label: str, code: str, name: str) -> None:
    assert county_of(label, "", "x") == County(code, name, "x")


@pytest.mark.parametrize("label", ["玄武区", "32", "000102", "3201021", "320102001001001", ""])
def test_a_label_that_is_no_code_is_a_fault_in_both_languages(label: str) -> None:
    fault = county_of(label, "", "x").fault
    assert fault is not None
    assert all(fault)


def test_of_two_counties_with_one_code_none_is_asked() -> None:
    told = told_apart([County("320103000000", "", "c"), County("320102000000", "", "a"),
                       County("320102000000", "", "b")])  # fmt: skip
    assert [county.code for county in told] == ["320102000000", "320103000000"]
    assert told[0].fault == (
        "代码 320102000000 出现 2 次：a, b", "code 320102000000 stands 2 times: a, b"
    )  # fmt: skip
    assert told[1].fault is None


def test_a_folder_lists_a_county_a_folder_and_a_geopackage(tmp_path: Path) -> None:
    for name in ("320104 秦淮区", "320102", "docs", ".git"):
        (tmp_path / name).mkdir()
    for name in ("320105 建邺区.gpkg", "readme.txt"):
        (tmp_path / name).touch()
    found = list_counties(tmp_path)
    assert [(c.code, c.name, c.fault is None) for c in found] == [
        ("320102000000", "", True), ("320104000000", "秦淮区", True), ("320105000000", "建邺区", True),
        ("docs", "", False),
    ]  # fmt: skip


def test_a_list_names_folders_beside_it_and_stores(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("代码,来源,名称\n320102,xuanwu,玄武区\n320104,postgresql://office@db/qinhuai,\n99,x,\n", "gb18030")
    found = list_counties(file)
    assert [(c.code, c.name, c.source) for c in found[:2]] == [
        ("320102000000", "玄武区", str(tmp_path / "xuanwu")),
        ("320104000000", "", "postgresql://office@db/qinhuai"),
    ]
    assert found[2].fault is not None


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("区县,人口\n320102,5\n")
    with pytest.raises(FileRefusedError, match="needs the columns code and source"):
        list_counties(file)


@pytest.mark.parametrize("make", [lambda p: None, Path.mkdir], ids=["nothing there", "an empty folder"])
def test_without_counties_there_is_nothing_to_ask(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "cities")
    with pytest.raises(QuestionError):
        list_counties(tmp_path / "cities")


@pytest.fixture
def county(tmp_path: Path) -> County:
    folder = tmp_path / "a" / "320102"
    folder.mkdir(parents=True)
    for name in ("streets.shp", "streets.dbf", "population.csv"):
        (folder / name).write_text(name)
    return County("320102000000", "", str(folder))


ASKED = {"kind": "coverage", "minutes": 10}


def test_the_hash_of_the_inputs_does_not_tell_where_they_lie(county: County, tmp_path: Path) -> None:
    before = input_hash(county, ASKED, "wgs84")
    moved = Path(county.source).rename(tmp_path / "elsewhere")
    (moved / "notes.docx").write_text("no layer")
    assert input_hash(County(county.code, "", str(moved)), ASKED, "wgs84") == before


def test_the_hash_of_the_inputs_changes_with_each_of_them(county: County) -> None:
    folder, seen = Path(county.source), [input_hash(county, ASKED, "wgs84")]
    seen.append(input_hash(county, {**ASKED, "minutes": 11}, "wgs84"))
    seen.append(input_hash(county, ASKED, "gcj02"))
    seen.append(input_hash(County(county.code, "玄武区", county.source), ASKED, "wgs84"))
    (folder / "streets.dbf").write_text("another name of a street")
    seen.append(input_hash(county, ASKED, "wgs84"))
    (folder / "population.csv").rename(folder / "reports.csv")
    seen.append(input_hash(county, ASKED, "wgs84"))
    assert len(set(seen)) == len(seen)
