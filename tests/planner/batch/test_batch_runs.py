"""A batch answers every county once, whatever dies under it, and leaves the same whole files."""

import logging
import os
import shutil
import signal
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from distributed import LocalCluster

from benchmarks.small_counties import write_county
from layers.imports import import_file
from layers.run import Run
from layers.store import Store
from planner.batch import runs
from planner.batch.counties import County
from planner.batch.loading import list_counties
from planner.batch.runs import Ask, run_batch
from planner.batch.summary import Row, row, whole
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import DASK
from planner.runs import run_coverage
from planner.siting.question import SitingQuestion
from tests.planner import toy_town
from tests.planner.batch.conftest import QUESTION, digests

Answer = Callable[[County], dict[str, Any]]


def once_after(answers: int, act: Callable[[], None]) -> Callable[[Row], None]:
    """Return a listener that acts once, when so many counties have been heard of."""
    heard: list[Row] = []

    def hear(found: Row) -> None:
        heard.append(found)
        if len(heard) == answers:
            act()

    return hear


def each_once(table: pd.DataFrame, counties: list[County]) -> bool:
    return list(table["code"]) == [county.code for county in counties] and set(table["state"]) <= {"answered", "kept"}


# --- killed and broken off -----------------------------------------------------------------------------------------


def test_a_killed_worker_costs_no_county_and_changes_no_byte(
    province: list[County], alone: dict[str, str], tmp_path: Path
) -> None:
    def kill() -> None:
        os.kill(active_children()[0].pid or 0, signal.SIGKILL)

    table = run_batch(province, QUESTION, tmp_path / "out", workers=2, hear=once_after(3, kill))
    assert each_once(table, province)
    assert digests(tmp_path / "out") == alone


def test_a_killed_dask_worker_costs_no_county_and_changes_no_byte(
    province: list[County], alone: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        monkeypatch.setenv(DASK, cluster.scheduler_address)
        kill = once_after(3, lambda: os.kill(cluster.workers[0].pid, signal.SIGKILL))
        table = run_batch(province, QUESTION, tmp_path / "out", hear=kill)
    assert each_once(table, province)
    assert digests(tmp_path / "out") == alone


def deadly(county: County, ask: Ask) -> Row:
    """Answer nothing; the third county is the death of whoever tries."""
    if county.code == "320103000000":
        os.kill(os.getpid(), signal.SIGKILL)
    return row(county, "answered", hash="0")


def test_a_county_that_kills_every_worker_fails_alone(
    province: list[County], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "answer_county", deadly)
    monkeypatch.setattr(runs, "ATTEMPTS", 3)
    table = run_batch(province, QUESTION, tmp_path / "out", workers=2).set_index("code")
    assert dict(table["state"].drop("320103000000").value_counts()) == {"answered": len(province) - 1}
    assert table.loc["320103000000", "state"] == "failed"
    assert table.loc["320103000000", "en"] == "its process died 3 times (out of memory?)"


@pytest.mark.usefixtures("in_threads")
def test_a_batch_broken_off_goes_on_where_it_stopped(
    province: list[County], alone: dict[str, str], tmp_path: Path
) -> None:
    stop: list[bool] = []
    table = run_batch(
        province, QUESTION, tmp_path / "out", workers=1, cancelled=lambda: bool(stop),
        hear=once_after(4, lambda: stop.append(True)),
    )  # fmt: skip
    done = dict(table["state"].value_counts())
    assert done.keys() == {"answered", "left"}
    assert 4 <= done["answered"] < len(province)
    assert set(digests(tmp_path / "out").items()) < set(alone.items())
    (tmp_path / "out" / "areas" / ".draft-of-a-killed-process").touch()

    table = run_batch(province, QUESTION, tmp_path / "out", workers=1)
    assert dict(table["state"].value_counts()) == {
        "kept": done["answered"], "answered": len(province) - done["answered"]
    }  # fmt: skip
    assert digests(tmp_path / "out") == alone


# --- what the answers say ------------------------------------------------------------------------------------------


def test_a_countys_row_and_files_say_what_its_run_says(
    province: list[County], run: Run, answer: Answer, tmp_path: Path
) -> None:
    found = answer(province[0])
    totals = run.tables["totals"].iloc[0]
    assert (found["people"], found["street_m"], found["points"]) == (totals["people"], totals["street_m"], 2)
    for t in (300, 600, 900):
        assert found[f"share_people_{t}"] == totals[f"covered_people_{t}"] / totals["people"]
    files = {folder.name: next(folder.iterdir()) for folder in (tmp_path / "out").iterdir()}
    assert {file.name for file in files.values()} == {f"{province[0].code}-{run.id}.parquet"}
    for name in ("areas", "segments", "points"):
        kept = gpd.read_parquet(files[name])
        assert list(kept["county"].unique()) == [province[0].code]
        plain = pd.DataFrame(kept.drop(columns=["county", "geometry"]))
        pd.testing.assert_frame_equal(plain, run.tables[name].reset_index(drop=True))
        assert kept.crs == 4326
    streets = gpd.read_parquet(files["segments"]).set_index("segment_id").geometry.sort_index()
    assert list(streets) == list(toy_town.streets().set_index("segment_id").geometry)
    assert gpd.read_parquet(files["areas"]).set_index("code").geometry[toy_town.WEST].equals(
        toy_town.areas("subdistrict").geometry.iloc[0]
    )  # fmt: skip


def test_all_counties_together_are_the_sum_of_their_people(province: list[County], answer: Answer) -> None:
    table = pd.DataFrame([answer(county) for county in province[:2]] + [row(province[2], "failed")])
    together = whole(table)
    assert together["people"] == 2 * table["people"][0]
    assert together["share_people_600"] == pytest.approx(table["share_people_600"][0])


@pytest.mark.usefixtures("in_threads")
def test_sites_are_chosen_for_every_county(province: list[County], tmp_path: Path) -> None:
    question = SitingQuestion("mclp", CoverageQuestion(thresholds_s=(300,), walk_kmh=3.6), count=1)
    table = run_batch(province[:2], question, tmp_path / "out", workers=1)
    assert list(table["opened"]) == [1, 1]
    assert (table["share_after"] > table["share_before"]).all()
    assert list(table["stopped"]) == ["proven", "proven"]
    sites = pd.concat(map(gpd.read_parquet, (tmp_path / "out" / "sites").iterdir()))
    assert list(sites.geometry.x) == list(sites["lon"])


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One county's folder of files."""
    return write_county(tmp_path_factory.mktemp("province"), 0, side=4, seed=3)


@pytest.fixture
def folder(handed_in: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(handed_in, tmp_path / "province" / handed_in.name))


@pytest.mark.usefixtures("in_threads")
def test_files_are_read_as_an_import_reads_them_and_again_only_once_they_change(folder: Path, tmp_path: Path) -> None:
    counties, out = list_counties(folder.parent), tmp_path / "out"
    (folder / "会议纪要.docx").touch()
    first = run_batch(counties, QUESTION, out, workers=1).iloc[0]
    store = Store(str(tmp_path / "city.sqlite"))
    store.create()
    for layer, file in (("streets", "streets.parquet"), ("areas", "areas.parquet"),
                        ("service-points", "service-points.csv"), ("population", "population.csv")):  # fmt: skip
        import_file(store, layer, folder / file)
    imported = run_coverage(store, QUESTION)
    store.close()
    assert (first["code"], first["name"], first["state"]) == ("990101000000", "第1县", "answered")
    assert first["people"] == imported.tables["totals"]["people"][0]
    kept = pd.read_parquet(next((out / "segments").iterdir())).drop(columns=["county", "geometry"])
    pd.testing.assert_frame_equal(kept, imported.tables["segments"])
    assert "会议纪要.docx" in first["en"]

    before = digests(out)
    assert run_batch(counties, QUESTION, out, workers=1).iloc[0]["state"] == "kept"
    assert digests(out) == before

    people = folder / "population.csv"
    people.write_bytes(people.read_bytes().replace(b"\n", b"\n5,118.0,30.0\n", 1)[: -len("5,118.0,30.0\n")])
    shutil.copyfile(folder / "service-points.csv", people.with_name("service-points-2.csv"))
    failed = run_batch(counties, QUESTION, out, workers=1).iloc[0]
    assert failed["state"] == "failed"
    assert failed["en"] == "service-points-2.csv and service-points.csv hold the same layer"
    assert digests(out) == {}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "streets.parquet").unlink(), "no streets: expected a file streets.*"),
        (lambda f: (f / "streets.parquet").write_bytes(b"PAR1"), "streets.parquet"),
        (lambda f: (f / "streets.parquet").chmod(0) or shutil.rmtree(f), "cannot read folder"),
    ],
    ids=["no streets", "no parquet", "no folder"],
)
def test_a_county_that_cannot_be_read_says_why_in_both_languages(
    folder: Path, answer: Answer, spoil: Callable[[Path], object], said: str
) -> None:
    county = list_counties(folder.parent)[0]
    spoil(folder)
    found = answer(county)
    assert found["state"] == "failed"
    assert said in found["en"]
    assert any("\u4e00" <= mark <= "\u9fff" for mark in found["zh"])


def test_another_countys_areas_are_told_by_their_codes(folder: Path, answer: Answer) -> None:
    moved = folder.rename(folder.with_name("990102"))
    (moved / "population.csv").unlink()
    found = answer(list_counties(moved.parent)[0])
    assert found["en"] == "no area belongs to 990102000000 (such as 990101000000)"


@pytest.mark.usefixtures("in_threads")
def test_what_cannot_be_asked_stands_in_the_summary_beside_what_can(province: list[County], tmp_path: Path) -> None:
    missing = County("320120000000", "", str(tmp_path / "nowhere.sqlite"))
    faulty = County("玄武区", "", "x", ("不是代码", "no code"))
    table = run_batch([province[0], missing, faulty], QUESTION, tmp_path / "out", workers=1).set_index("code")
    assert dict(table["state"]) == {
        "320101000000": "answered", "320120000000": "failed", "玄武区": "failed"
    }  # fmt: skip
    assert "there is no store at" in table.loc["320120000000", "en"]
    assert table.loc["玄武区", "zh"] == "不是代码"
