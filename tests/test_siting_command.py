"""``lamplight site`` as a planner meets it: the demo city, wrong input, Ctrl-C, and a process that is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pytest
from click.testing import CliRunner, Result

import lamplight

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def town(town_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The demo city's town, imported: its store's address, and the folder its layers lie in."""
    folder = tmp_path_factory.mktemp("siting") / "linjiang"
    shutil.copytree(town_folder, folder)
    return f"sqlite:///{folder / 'town.sqlite'}", folder


def ask(*args: str | Path) -> Result:
    return CliRunner().invoke(lamplight.main, [str(arg) for arg in args], catch_exceptions=True)


def answer(*args: str | Path) -> dict:
    result = ask(*args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def begun(db: str, *args: str) -> subprocess.Popen[str]:
    """Start a search in a process of its own."""
    code = "import lamplight; lamplight.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "site", *args, "--db", db, "--json"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def test_the_towns_next_points_are_proven_and_written_in_every_form(town: tuple[str, Path], tmp_path: Path) -> None:
    db, _ = town
    given = answer("site", "mclp", "--count", "3", "--minutes", "10", "--db", db, "--out", tmp_path)
    assert given["plan"]["optimal"] and given["plan"]["opened"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {f"site.{e}" for e in ("gpkg", "xlsx", "html", "png")}
    gained = given["totals"]["people_after"] - given["totals"]["people_before"]
    assert gained == pytest.approx(given["plan"]["value"] - given["plan"]["before"], rel=0.02)
    assert given["run"] in ask("runs", "--db", db).stdout
    assert "3" in ask("runs", given["run"], "--db", db).stdout


def test_a_file_of_candidates_is_imported_and_used(town: tuple[str, Path], tmp_path: Path) -> None:
    db, folder = town
    few = gpd.read_parquet(folder / "candidates.parquet").query("build_state == 'convert'").head(8)
    few.to_file(tmp_path / "候选点.gpkg")
    given = answer("site", "mclp", "--budget", "40", "--candidates", tmp_path / "候选点.gpkg", "--db", db)
    assert {site["code"] for site in given["sites"]} <= set(few["code"])
    assert given["plan"]["cost"] <= 40
    ask("import", "candidates", folder / "candidates.parquet", "--db", db)


@pytest.mark.parametrize(
    "words",
    [
        ["mclp"],
        ["mclp", "--count", "-1"],
        ["mclp", "--count", "1", "--budget", "5"],
        ["magic", "--count", "1"],
        ["mclp", "--count", "1", "--minutes", "0"],
        ["mclp", "--count", "1", "--minutes", "nan"],
        ["mclp", "--count", "1", "--minutes", "5,10"],
        ["mclp", "--count", "1", "--demand", "fish"],
        ["mclp", "--count", "1", "--demand", "people=0"],
        ["mclp", "--count", "1", "--demand", "people=much"],
        ["mclp", "--count", "1", "--within", "Atlantis"],
        ["mclp", "--count", "1", "--at", "Someday 25:00"],
        ["mclp", "--count", "1", "--candidates", "{folder}/missing.gpkg"],
        ["mclp", "--count", "1", "--candidates", "{folder}/roster.csv"],
        ["mclp", "--count", "1", "--close-allowed", "--from-scratch"],
        ["mclp", "--count", "1", "--seconds", "-1"],
        ["lscp", "--share", "2"],
        ["mix", "--candidates", "layer"],
        ["mix", "--budget", "1", "--candidates", "layer", "--district-least", "50"],
        ["periods", "--counts", "3,x"],
        ["periods"],
        ["robust", "--count", "1", "--scenario", "loss", "--scenario", "day"],
        ["frontier", "--against", "equity"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_input_is_one_line_and_exit_code_two(town: tuple[str, Path], words: list[str]) -> None:
    db, folder = town
    before = answer("layers", "--db", db), answer("runs", "--db", db)
    result = ask("site", *(word.format(folder=folder) for word in words), "--db", db)
    assert result.exit_code == 2, result.output
    refusals = [line for line in result.stderr.splitlines() if line.startswith("lamplight: ")]
    assert len(refusals) == 1 and "Traceback" not in result.output
    assert (answer("layers", "--db", db), answer("runs", "--db", db)) == before


def test_ctrl_c_leaves_the_best_plan_so_far_with_its_gap(town: tuple[str, Path]) -> None:
    db, _ = town
    child = begun(db, "equity", "--count", "15", "--minutes", "5", "--level", "community", "--seconds", "600")
    time.sleep(12)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    plan = json.loads(out)["plan"]
    assert plan["stopped"] in ("cancelled", "proven")
    assert plan["opened"] == 15 and plan["bound"] >= plan["value"] - 1e-9


def test_a_search_that_is_killed_leaves_the_store_as_it_was(town: tuple[str, Path]) -> None:
    db, _ = town
    before = answer("layers", "--db", db), answer("runs", "--db", db)
    for seconds in (2.0, 6.0):
        child = begun(db, "equity", "--count", "14", "--minutes", "5", "--level", "community", "--seconds", "600")
        time.sleep(seconds)
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        assert (answer("layers", "--db", db), answer("runs", "--db", db)) == before
