"""The command line as a user meets it: every verb, and every wrong input."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import geopandas as gpd
import pytest
from click.testing import CliRunner, Result
from shapely import LineString, Point, box

import demo_verb
import hotspot_verbs
import lamplight
import question_options
import serve_verb
import terminal
from gis import datum, modes, tiling
from layers import imports, records
from layers.codes import LEVELS
from layers.demo_city import build
from layers.demo_city.recipe import load_recipe
from planner import coverage_question, demand, runs
from planner.hotspots import frame
from planner.hotspots import question as hotspot_question
from planner.hotspots.runs import HOTSPOT_STEPS
from planner.patrol.runs import PATROL_STEPS
from planner.patrol.tracks.runs import TRACK_STEPS
from planner.siting import question

ROOT = Path(__file__).parents[1]


def test_every_step_a_bar_can_show_has_words() -> None:
    steps = {*build.STEPS, *imports.STEPS, *runs.STEPS, *runs.SITING_STEPS, *PATROL_STEPS, *TRACK_STEPS, *HOTSPOT_STEPS}
    steps |= {*serve_verb.STEPS, *runs.PLACE_STEPS}
    assert set(terminal.STEP_WORDS) == steps


def test_every_option_of_every_verb_is_explained() -> None:
    verbs = {**lamplight.main.commands, **lamplight.patrol.commands, **lamplight.hotspots.commands}
    for name, verb in verbs.items():
        for option in verb.params:
            assert isinstance(option, click.Argument) or option.help, f"{name} {option.name}"


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(lamplight.main, [str(arg) for arg in args], catch_exceptions=True)


def answer(*args: str | Path) -> dict:
    result = ask(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two streets of about 1.9 and 2.2 km that cross, one district of 1,000 people, one point at the crossing."""
    tmp_path = tmp_path_factory.mktemp("crossroads")
    lines = [LineString([(118.79, 32.05), (118.81, 32.05)]), LineString([(118.8, 32.04), (118.8, 32.06)])]
    gpd.GeoDataFrame({"name": ["东西街", "南北街"]}, geometry=lines, crs=4326).to_file(tmp_path / "streets.gpkg")
    area = {"code": ["320102000000"], "name": ["甲区"], "people": [1000]}
    gpd.GeoDataFrame(area, geometry=[box(118.78, 32.03, 118.82, 32.07)], crs=4326).to_file(tmp_path / "areas.gpkg")
    point = {"名称": ["十字路口服务点"], "服务功能": ["接待咨询"], "开放时间": ["周一至周五 8:30-17:30"]}
    gpd.GeoDataFrame(point, geometry=[Point(118.8, 32.05)], crs=4326).to_file(tmp_path / "points.geojson")
    db = f"sqlite:///{tmp_path / 'city.sqlite'}"
    answer("init", "--name", "甲市", "--db", db)
    answer("import", "streets", tmp_path / "streets.gpkg", "--db", db)
    answer("import", "areas", tmp_path / "areas.gpkg", "--db", db)
    answer("import", "service-points", tmp_path / "points.geojson", "--db", db)
    answer("import", "population", tmp_path / "areas.gpkg", "--db", db)
    return tmp_path


@pytest.fixture
def crossroads(built: Path, tmp_path: Path) -> tuple[str, Path]:
    """A copy of the crossroads to change at will: its store's address, its folder."""
    folder = tmp_path / "crossroads"
    shutil.copytree(built, folder)
    return f"sqlite:///{folder / 'city.sqlite'}", folder


def test_the_words_held_here_are_those_of_the_modules_that_own_them() -> None:
    assert set(lamplight.LAYERS) == set(records.LAYERS)
    assert list(question_options.LEVELS) == [str(getattr(level, "value", level)) for level in LEVELS]
    assert set(question_options.FUNCTIONS) == set(records.FUNCTIONS)
    assert set(question_options.DATUMS) == set(datum.DATUMS)
    assert question_options.MODES == modes.MODES
    assert question_options.WALK_KMH == modes.WALK_KMH
    assert question_options.PLACES == coverage_question.PLACES
    assert tuple(question_options.SPREADS) == tuple(demand.SPREADS)
    assert question_options.PROBLEMS == question.PROBLEMS
    assert question_options.SCENARIOS == question.SCENARIOS
    assert question_options.FRONTIERS == question.FRONTIERS
    words = hotspot_verbs
    asked = hotspot_question
    assert (words.CHANNELS, words.SPLITS, words.STEPS) == (frame.CHANNELS, asked.SPLITS, asked.STEPS)
    assert (words.MODELS, words.WINDOWS, words.WEATHER) == (asked.MODELS, asked.WINDOWS, asked.WEATHER)
    assert set(words.ANALYSES) == set(asked.ANALYSES) and set(words.CELLS) == set(tiling.KINDS)
    for size in demo_verb.SIZES:
        load_recipe().size(size)


def test_coverage_of_a_crossroads_is_what_a_ruler_says(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    given = answer("coverage", "--minutes", "5,60", "--db", db, "--out", folder / "out")
    assert given["thresholds_s"] == [300, 3600]
    area = given["areas"][0]
    assert (area["code"], area["level"]) == ("320102000000", "district")
    assert area["people"] == pytest.approx(1000)
    # four arms, each 4.5 km/h for 5 minutes
    assert area["covered_street_m"]["300"] == pytest.approx(4 * 375.0, abs=0.5)
    assert area["covered_people"]["300"] == pytest.approx(1000 * 1500.0 / area["street_m"], abs=0.5)
    assert area["covered_people"]["3600"] == pytest.approx(1000)
    assert {path.name for path in (folder / "out").iterdir()} == {
        f"coverage.{e}" for e in ("xlsx", "gpkg", "html", "png")
    }


def test_nobody_is_reached_when_the_point_is_closed_or_does_something_else(crossroads: tuple[str, Path]) -> None:
    db, _ = crossroads
    assert answer("coverage", "--db", db, "--at", "Sun 02:00")["totals"]["covered_people"]["900"] == 0
    assert answer("coverage", "--db", db, "--at", "周三 10:00")["totals"]["covered_people"]["900"] > 0
    assert answer("coverage", "--db", db, "--function", "guidance")["totals"]["covered_people"]["900"] == 0
    assert answer("coverage", "--db", db, "--function", "reception")["totals"]["covered_people"]["900"] > 0


def test_the_same_question_gives_the_kept_run_and_the_same_bytes(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    first = answer("coverage", "--db", db, "--out", folder / "a")
    again = answer("coverage", "--db", db, "--out", folder / "b")
    assert first == again
    assert len(answer("runs", "--db", db)["runs"]) == 1
    for path in (folder / "a").iterdir():
        assert path.read_bytes() == (folder / "b" / path.name).read_bytes(), path.name


def test_a_second_import_keeps_the_first_for_comparison(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    before = answer("coverage", "--db", db)
    gpd.GeoDataFrame({"name": ["甲", "乙"]}, geometry=[Point(118.8, 32.05), Point(118.792, 32.05)], crs=4326).to_file(
        folder / "more.geojson"
    )
    version = answer("import", "service-points", folder / "more.geojson", "--db", db)["versions"][0]
    after = answer("coverage", "--db", db)
    change = answer("compare", before["run"], after["run"], "--level", "district", "--db", db)
    assert change["areas"][0]["change_covered_people_300"] > 0
    assert "甲区" in ask("compare", before["run"], after["run"], "--level", "district", "--db", db).output
    old = next(
        v["version"]
        for v in answer("layers", "--db", db)["layers"]
        if v["layer"] == "service-points" and not v["current"]
    )
    assert old != version
    assert answer("coverage", "--db", db, "--version", str(old))["totals"] == before["totals"]
    assert answer("layers", "--prune", "--db", db)["removed"] == [old]


def test_layers_come_out_as_they_went_in(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    for name in ("points.gpkg", "points.csv", "points.xlsx", "points.parquet"):
        assert answer("export", "service-points", folder / name, "--db", db)["rows"] == 1
        report = answer("import", "service-points", folder / name, "--db", db)
        assert (report["given"], report["accepted"], report["rejected"]) == (1, 1, 0), name


@pytest.mark.parametrize(
    "words",
    [
        ["coverage", "--minutes", "five"],
        ["coverage", "--minutes", "0"],
        ["coverage", "--minutes", "-5"],
        ["coverage", "--minutes", "1e300"],
        ["coverage", "--minutes", "1e400"],
        ["coverage", "--out", "\udcd6\udcd0"],
        ["coverage", "--minutes", "nan"],
        ["coverage", "--minutes", ""],
        ["coverage", "--at", "Someday 25:00"],
        ["coverage", "--function", "cooking"],
        ["coverage", "--walk-kmh", "nan"],
        ["coverage", "--walk-kmh", "-1"],
        ["coverage", "--on", "31.12.2026"],
        ["coverage", "--version", "99"],
        ["coverage", "--level", "community", "--out", "{folder}/x"],
        ["coverage", "--no-such-option"],
        ["import", "streets", "{folder}/missing.gpkg"],
        ["import", "streets", "{folder}"],
        ["import", "streets", "{folder}/points.geojson"],
        ["import", "areas", "{folder}/streets.gpkg"],
        ["import", "cats", "{folder}/streets.gpkg"],
        ["import", "areas", "{folder}/areas.gpkg", "--column", "code"],
        ["import", "areas", "{folder}/areas.gpkg", "--level", "community"],
        ["import", "streets", "{folder}/streets.gpkg", "--file-layer", "none"],
        ["export", "areas", "{folder}/x.gpkg"],
        ["export", "streets", "{folder}/x.doc"],
        ["export", "reports", "{folder}/x.csv"],
        ["compare", "a1", "b2"],
        ["compare", "a1"],
        ["runs", "zzz"],
        ["init", "--timezone", "Mars/Olympus"],
        ["nonsense"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_input_is_one_line_and_exit_code_two(crossroads: tuple[str, Path], words: list[str]) -> None:
    db, folder = crossroads
    before = answer("layers", "--db", db)
    result = ask(*(word.format(folder=folder) for word in words), *(["--db", db] if words != ["nonsense"] else []))
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("lamplight: ")
    assert "Traceback" not in result.output
    assert answer("layers", "--db", db) == before


@pytest.mark.parametrize(
    "url", ["sqlite:///{folder}/none.sqlite", "postgresql://nobody:secret@127.0.0.1:1/x", "mysql://x", "nonsense"]
)
def test_a_store_that_is_not_there_is_one_line_without_its_password(tmp_path: Path, url: str) -> None:
    result = ask("coverage", "--db", url.format(folder=tmp_path))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.output


def test_an_import_killed_at_any_moment_is_there_whole_or_not_at_all(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    rows = 60_000
    places = gpd.points_from_xy([118.8] * rows, [32.05 + i * 1e-7 for i in range(rows)])
    gpd.GeoDataFrame({"people": [1] * rows}, geometry=places, crs=4326).to_parquet(folder / "many.parquet")
    before = answer("layers", "--db", db)["layers"]
    code = "import lamplight; lamplight.main()"
    command = [sys.executable, "-c", code, "import", "population", str(folder / "many.parquet"), "--db", db]
    for seconds in (1.0, 2.0, 3.0):
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        after = answer("layers", "--db", db)["layers"]
        assert [v["rows"] for v in after if v not in before and v["current"]] in ([], [rows])
        people = answer("coverage", "--db", db)["totals"]["people"]
        assert people == pytest.approx(1000 if after == before else rows)


def test_a_level_asked_for_is_the_only_one_listed_and_an_unknown_one_is_refused(crossroads: tuple[str, Path]) -> None:
    db, _ = crossroads
    assert [a["level"] for a in answer("coverage", "--db", db, "--level", "district")["areas"]] == ["district"]
    assert ask("coverage", "--db", db, "--level", "community").exit_code == 2


def test_the_demo_city_never_goes_into_the_store_of_another(crossroads: tuple[str, Path]) -> None:
    db, folder = crossroads
    before = answer("layers", "--db", db)
    assert ask("demo", "--db", db, "--out", folder / "demo").exit_code == 2
    assert answer("layers", "--db", db) == before


def test_another_programs_sqlite_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "diary.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE diary (entry TEXT)")
    result = ask("init", "--db", f"sqlite:///{path}")
    assert result.exit_code == 2 and "another program" in result.stderr
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("diary",)]
