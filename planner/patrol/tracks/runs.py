"""Where tracks meet the store: read the points, judge and match them, keep what they tell as a ``Run``."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import FileRefusedError, QuestionError
from layers.imports import file_sha256
from layers.run import Run
from layers.store import Store
from layers.surroundings import surroundings_of
from layers.tracks import TrackPoints, read_tracks
from planner.hotspots.effort_runs import keep_effort, merge_effort
from planner.patrol.tracks.answer import MATCH_STEPS, Tables, TrackCase, match_answer
from planner.patrol.tracks.points import Tracks
from planner.patrol.tracks.question import AUTO, MatchQuestion
from planner.runs import run_inputs, software, used_versions

TRACK_STEPS = ("reading", "streets", *MATCH_STEPS, "keeping")
#: A silence of this length ends a track: what follows is another duty.
PARTED_S = 4 * 3600.0
_FILE = "file/"


def run_match(
    store: Store,
    path: Path,
    question: MatchQuestion,
    *,
    now: dt.datetime | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Run:
    """Match the tracks in ``path`` (a file, a folder or a zip) to the streets in ``store`` and keep what they tell.

    now : UTC, the clock's by default; it decides what is too old: points are not read, and runs of tracks kept longer
    than the question allows are removed from the store. columns : field -> column of the files,
    where headings do not tell. progress : called with each step's name. The run holds no point of any track; rows
    left out are its table "rejected". The same question of the same files is answered by the run already kept.
    Raises StoreError without streets or plan, FileRefusedError or RecordError on files that cannot be read,
    QuestionError where the plan is no patrol.
    """
    tell, now = progress or (lambda step: None), now or dt.datetime.now(dt.UTC)
    old = now - dt.timedelta(days=question.keep_days)
    store.remove_runs("tracks", old)
    merge_effort(store, old)
    around = surroundings_of(store).context("tracks", "", now, {})
    used = {
        key: version
        for key, version in used_versions(store, unread=()).items()
        if key in (("streets", ""), ("areas", "city"), ("areas", "district"))
    }
    plan = None if question.plan is None else _plan(store, question.plan)
    forget_before = around.now.date() - dt.timedelta(days=question.keep_days)
    inputs = {**run_inputs(used), **_hashes(path)}
    asked = Run("tracks", question.parameters(forget_before), inputs, software=software())
    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tell("reading")
    datum = "wgs84" if question.datum == AUTO else question.datum
    read = read_tracks(path, datum=datum, now=around.now, timezone=around.timezone, columns=columns)
    if not len(read.accepted):
        raise FileRefusedError(f"{path.name}：没有可用的轨迹点", f"{path.name}: no point of a track can be used")
    tracks, file = tracks_of(read.accepted)
    tell("streets")
    network = store.load_network(version=used["streets", ""].id)
    before_s = (forget_before - dt.date(1970, 1, 1)).total_seconds()
    case = TrackCase(network, tracks, file, before_s, plan, around.boundary)
    tables = {**match_answer(case, question, tell=tell), "rejected": read.rejected}
    tables["notes"] = _with_reading(tables["notes"], read)
    tell("keeping")
    if len(tables["effort"]):  # first, so that no run of tracks is ever kept without what it adds
        hashes = [sha for name, sha in inputs.items() if name.startswith(_FILE)]
        keep_effort(store, tables["effort"], question.duty, hashes, used["streets", ""].content_sha256, now)
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started), now=now)


def tracks_of(points: pd.DataFrame) -> tuple[Tracks, NDArray[np.int64]]:
    """Return the tracks in a table of points (file, track, person, time, lon, lat), and the number of each one's file.

    Points of one file, track and person are one track, until a silence of four hours. A track without a name is
    called after its person, else its file; a person without one after the track, else the file.
    """
    time_s = points["time"].to_numpy("datetime64[us]").astype(np.int64) / 1e6
    key = points.groupby(["file", "track", "person"], sort=False).ngroup().to_numpy()
    order = np.lexsort((time_s, key))
    parts = np.r_[True, (np.diff(key[order]) != 0) | (np.diff(time_s[order]) > PARTED_S)][: len(order)]
    part = np.empty(len(order), np.int64)
    part[order] = np.cumsum(parts) - 1
    rows = np.argsort(part, kind="stable")  # the order given stays within each
    first = rows[np.r_[True, np.diff(part[rows]) != 0][: len(rows)]]
    stem = points["file"].str.replace(r"\.[^.]*$", "", regex=True)
    names = points["track"].where(points["track"] != "", points["person"]).where(lambda name: name != "", stem)
    person = points["person"].where(points["person"] != "", points["track"]).where(lambda name: name != "", stem)
    name = names.iloc[first].reset_index(drop=True)
    again = name.groupby(name).cumcount()
    name = name.where(again == 0, name + " (" + (again + 1).astype(str) + ")")
    indptr = np.r_[0, np.cumsum(np.bincount(part))].astype(np.int64)
    tracks = Tracks(
        name.to_numpy(object), person.iloc[first].to_numpy(object), indptr, points["lon"].to_numpy(float)[rows],
        points["lat"].to_numpy(float)[rows], time_s[rows],
    )  # fmt: skip
    return tracks, pd.factorize(points["file"].iloc[first])[0].astype(np.int64)


def _plan(store: Store, run_id: str) -> Tables:
    run = store.run(run_id)
    if run.kind != "patrol":
        raise QuestionError(f"分析 {run.id} 不是巡查计划", f"run {run.id} is a {run.kind}, not a plan of patrols")
    return dict(run.tables)


def _hashes(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    return {f"{_FILE}{file.name}": file_sha256(file) for file in files}


def _with_reading(notes: pd.DataFrame, read: TrackPoints) -> pd.DataFrame:
    """Add what reading the files had to say."""
    rows = [("file", note.zh, note.en) for note in read.notes]
    if len(read.rejected):
        count = f"{len(read.rejected):,}"
        rows.append(("rejected", f"{count} 行无法使用，未计入", f"{count} rows could not be used and were left out"))
    return pd.concat([notes, pd.DataFrame(rows, columns=["code", "zh", "en"])], ignore_index=True)
