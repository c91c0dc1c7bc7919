"""A run of tracks as files: everything in the run is in them, the map needs no network, the bytes repeat."""

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest

from gis.errors import QuestionError
from gis.network import StreetNetwork
from gis.network_build import network_to_records
from layers.run import Run
from layers.store import Store
from planner.patrol.tracks.answer import TrackCase, match_answer
from planner.patrol.tracks.question import MatchQuestion
from tests.gis.model_networks import network_of
from tests.planner.patrol.drawn_tracks import line, tracks_at
from web.track_files import track_drawing, write_tracks
from web.track_text import track_text


@pytest.fixture
def town() -> StreetNetwork:
    return network_of([(0, 0), (400, 0), (800, 0), (400, 400)], [0, 1, 1], [1, 2, 3])


@pytest.fixture
def store(tmp_path: Path, town: StreetNetwork) -> Store:
    store = Store(str(tmp_path / "city.db"))
    store.create()
    store.import_layer("streets", "", network_to_records(town), source="streets.osm", sha256="0" * 64)
    yield store
    store.close()


@pytest.fixture
def run(store: Store, town: StreetNetwork) -> Run:
    walk = line([(0, 0), (800, 0), (0, 0)], 1600.0, 5.0, start_s=72_000.0)
    walk[:, :2] += np.random.default_rng(1).normal(0, 5, (len(walk), 2))
    question = MatchQuestion(hours=(72_000, 86_400))
    tables = match_answer(TrackCase(town, tracks_at(walk), np.zeros(1, np.int64), 0.0), question)
    missed = pd.DataFrame({"date": ["1970-01-01"], "crew": ["C01"], "segment_id": [3], "name": ["=1+1"],
                           "planned_m": [400.0], "walked_m": [0.0], "priority": [1.0], "must": [True]})  # fmt: skip
    tables |= {"missed": missed, "rejected": pd.DataFrame({"row": [7], "code": ["bad_date"], "zh": ["-"], "en": ["-"]})}
    streets = store.current()["streets", ""].content_sha256
    parameters = {"mode": "walk", "hours": "20:00-24:00", "plan": None}
    return store.save_run(Run("tracks", parameters, {"streets": streets}, tables))


def test_every_table_of_the_run_is_a_sheet(store: Store, run: Run, tmp_path: Path) -> None:
    paths = write_tracks(store, run, tmp_path / "out")
    assert [p.name for p in paths] == ["tracks.xlsx", "tracks.gpkg", "tracks.html"]
    book = openpyxl.load_workbook(paths[0])
    sheets = ["摘要 Summary", "未走路段 Missed", "轨迹 Tracks", "巡查量 Effort", "不可用的行 Rejected", "说明 Notes"]
    assert book.sheetnames == sheets
    assert book["轨迹 Tracks"]["A2"].value == "track 0" and book["未走路段 Missed"]["D2"].value == "=1+1"


def test_the_package_holds_every_segment_walked_or_missed(store: Store, run: Run, tmp_path: Path) -> None:
    write_tracks(store, run, tmp_path / "out")
    table = pyogrio.read_dataframe(tmp_path / "out" / "tracks.gpkg", layer="effort").set_index("segment_id")
    assert set(table.index) == {1, 2, 3} and table["missed"].to_dict() == {1: False, 2: False, 3: True}
    assert table["passages"][1] == pytest.approx(2, abs=0.1) and table["metres"][3] == 0


def test_the_map_needs_no_network_and_repeats_byte_for_byte(store: Store, run: Run, tmp_path: Path) -> None:
    one, other = (write_tracks(store, run, tmp_path / name) for name in ("one", "other"))
    text = one[2].read_text("utf-8")
    assert "planned, not walked" in text and 'src="http' not in text and "OpenStreetMap contributors" in text
    assert [p.read_bytes() for p in (one[0], one[2])] == [p.read_bytes() for p in (other[0], other[2])]


def test_streets_that_are_gone_are_said_to_be(store: Store, run: Run) -> None:
    gone = Run("tracks", run.parameters, {"streets": "f" * 64}, run.tables)
    with pytest.raises(QuestionError):
        track_drawing(store, gone)


def test_the_text_names_every_track_each_doubt_once_and_the_notes(store: Store, run: Run) -> None:
    text = track_text(store, run)
    assert text.count("track 0") == 1
    assert "走过（公里）Walked (km): 1.6" in text
    for code in run.tables["flags"]["code"].unique():
        assert text.count(f"[{code}]") == 1
    assert all(en in text for en in run.tables["notes"]["en"])
