"""`lamplight batch`: the question as the verbs of one city ask it, a summary for readers and programs, exit codes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import lamplight
from layers.run import Run
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import DASK
from planner.runs import run_coverage
from tests.planner import toy_town


def lamplight_batch(*words: object) -> Result:
    return CliRunner().invoke(lamplight.main, ["batch", *map(str, words)])


@pytest.fixture(autouse=True)
def no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DASK, raising=False)


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    """A list of two counties with stores, and one that has none."""
    for code in ("320102", "320104"):
        store = Store(str(tmp_path / f"{code}.sqlite"))
        store.create()
        toy_town.keep(store, toy_town.layers_of_town())
        store.close()
    file = tmp_path / "counties.csv"
    file.write_text("code,source,name\n320102,320102.sqlite,玄武区\n320104,320104.sqlite,\n320105,none.sqlite,\n")
    return file


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """What one city alone is told."""
    store = Store(str(tmp_path / "town.sqlite"))
    store.create()
    yield run_coverage(toy_town.keep(store, toy_town.layers_of_town()), CoverageQuestion(walk_kmh=3.6))
    store.close()


def test_a_batch_says_how_many_were_answered_and_why_one_was_not(cities: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    words = ("coverage", "--cities", cities, "--out", out, "--walk-kmh", 3.6, "--workers", 1)
    done = lamplight_batch(*words)
    assert done.exit_code == 1, done.output
    assert "3 个区县：已算 2，已有 0，未成 1，未算 0 / 3 counties: 2 answered" in done.output
    assert "! 320105000000 找不到数据库" in done.output
    assert "合计 total" in done.output

    again = lamplight_batch(*words, "--json")
    told = json.loads(again.stdout)
    assert told["states"] == {"kept": 2, "failed": 1}
    totals = run.tables["totals"].iloc[0]
    assert told["whole"]["people"] == 2 * totals["people"]
    assert [county["people"] for county in told["counties"]] == [totals["people"], totals["people"], None]

    table = pd.read_parquet(out / "summary.parquet")
    assert list(table["code"]) == ["320102000000", "320104000000", "320105000000"]
    assert list(pd.read_csv(out / "summary.csv", dtype={"code": str})["code"]) == list(table["code"])
    sheet = openpyxl.load_workbook(out / "summary.xlsx").active
    assert [cell.value for cell in sheet[2]][:4] == ["320102000000", "玄武区", "已有 there already", totals["people"]]

    cities.write_text("code,source\n320102,320102.sqlite\n")
    shutil.rmtree(out)
    assert lamplight_batch(*words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("coverage", "--cities", "nowhere", "--out", "out"), "there is no folder or list nowhere"),
        (("coverage", "--cities", ".", "--out", "out"), "no county in ."),
        (("coverage", "--cities", "list.csv", "--out", "out", "--workers", "0"), "at least 1 worker"),
        (("coverage", "--cities", "list.csv", "--out", "out", "--minutes", "0"), "bad time threshold"),
        (("coverage", "--cities", "provinces", "--out", "provinces/out"), "--out must lie outside"),
        (("coverage", "--cities", "list.csv"), "--out"),
        (("site", "mclp", "--cities", "list.csv", "--out", "out"), "count"),
        (("site", "p-median", "--cities", "list.csv", "--out", "out"), "p-median"),
    ],
)
def test_a_batch_that_cannot_begin_is_one_line_and_exit_code_2(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "provinces" / "320102").mkdir(parents=True)
    if "list.csv" in words:
        (tmp_path / "list.csv").write_text("code,source\n320102,provinces/320102\n")
    if "." in words:
        shutil.rmtree("provinces")
    refused = lamplight_batch(*words)
    assert refused.exit_code == 2, refused.output
    assert said in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "summary.csv").exists()


def test_a_scheduler_that_is_not_there_ends_the_batch(
    cities: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DASK, "nonsense")
    refused = lamplight_batch("coverage", "--cities", cities, "--out", tmp_path / "out")
    assert refused.exit_code == 2
    assert "cannot reach the Dask scheduler at nonsense" in refused.stderr
