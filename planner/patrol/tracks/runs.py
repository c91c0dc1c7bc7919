"""Where tracks meet the store: read the points, judge and match them, keep what they tell as a ``Run``."""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import FileRefusedError, LamplightError, QuestionError
from layers.imports import file_sha256
from layers.nights import night, routes
from layers.phone import keep_days, night_points
from layers.run import Run
from layers.store import Store
from layers.surroundings import surroundings_of
from layers.tracks import REJECT_COLUMNS, TrackPoints, read_tracks
from planner.hotspots.effort_runs import keep_effort, merge_effort
from planner.patrol.tracks.answer import MATCH_STEPS, Tables, TrackCase, match_answer
from planner.patrol.tracks.night_plan import plan_as_changed
from planner.patrol.tracks.points import Tracks
from planner.patrol.tracks.question import AUTO, MatchQuestion
from planner.runs import run_inputs, software, used_versions

TRACK_STEPS = ("reading", "streets", *MATCH_STEPS, "keeping")
#: A silence of this length ends a track: what follows is another duty.
PARTED_S = 4 * 3600.0
_FILE = "file/"


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Tracks about to be matched, wherever they come from.

    parameters, inputs : what names them in the run, beside the question and the layers. plan : tables to compare with.
    read : called with the city's time, its zone, and the datum asked for. none : told where no point can be used.
    files, also : what effort is known by, so that the same walk never counts twice.
    """

    parameters: Mapping[str, object]
    inputs: Mapping[str, str]
    plan: Tables | None
    read: Callable[[dt.datetime, str, str], TrackPoints]
    none: LamplightError
    files: Sequence[str]
    also: Mapping[str, str]


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

    def read(local: dt.datetime, timezone: str, datum: str) -> TrackPoints:
        return read_tracks(path, datum=datum, now=local, timezone=timezone, columns=columns)

    plan = None if question.plan is None else _plan(store, question.plan)
    hashes = _hashes(path)
    nothing = FileRefusedError(f"{path.name}：没有可用的轨迹点", f"{path.name}: no point of a track can be used")
    given = _Given({}, hashes, plan, read, nothing, list(hashes.values()), {})
    return _matched(store, question, given, now or dt.datetime.now(dt.UTC), progress or (lambda step: None))


def run_night_tracks(
    store: Store,
    night_id: int,
    *,
    now: dt.datetime | None = None,
    progress: Callable[[str], None] | None = None,
) -> Run:
    """Match what phones sent of a night to the streets and hold it against the night's plan as supervisors left it.

    The run is of the same kind, with the same tables, as that of tracks from files; its parameters name the night.
    Where more has come in since, or a route has changed, it is another run, and effort counts the newest alone.
    Raises UnknownNightError, StoreError without streets or plan, QuestionError where no track has come in.
    """
    on, crews = night(store, night_id), routes(store, night_id)
    question = MatchQuestion(plan=on.run_id, keep_days=keep_days(store))
    points = night_points(store, night_id)
    told = hashlib.sha256(repr([(one.crew, one.persons, one.route) for one in crews]).encode()).hexdigest()
    seen = hashlib.sha256(points.to_csv(index=False).encode()).hexdigest()
    nothing = QuestionError(f"{on.date} 还没有收到轨迹", f"no track of {on.date} has come in yet")
    given = _Given(
        {"night": night_id, "date": on.date.isoformat()}, {"night": told, "points": seen},
        plan_as_changed(_plan(store, on.run_id), on.date, crews),
        lambda local, timezone, datum: TrackPoints(points, pd.DataFrame(columns=list(REJECT_COLUMNS)), ()), nothing,
        [hashlib.sha256(f"night {night_id}".encode()).hexdigest()], {"points": seen},
    )  # fmt: skip
    return _matched(store, question, given, now or dt.datetime.now(dt.UTC), progress or (lambda step: None))


def _matched(
    store: Store, question: MatchQuestion, given: _Given, now: dt.datetime, tell: Callable[[str], None]
) -> Run:
    """Return the run of ``given``, the one already kept where there is one."""
    old = now - dt.timedelta(days=question.keep_days)
    store.remove_runs("tracks", old)
    merge_effort(store, old)
    around = surroundings_of(store).context("tracks", "", now, {})
    used = {
        key: version
        for key, version in used_versions(store, unread=()).items()
        if key in (("streets", ""), ("areas", "city"), ("areas", "district"))
    }
    forget_before = around.now.date() - dt.timedelta(days=question.keep_days)
    parameters = {**question.parameters(forget_before), **given.parameters}
    asked = Run("tracks", parameters, {**run_inputs(used), **given.inputs}, software=software())
    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tell("reading")
    datum = "wgs84" if question.datum == AUTO else question.datum
    read = given.read(around.now, around.timezone, datum)
    if not len(read.accepted):
        raise given.none
    tracks, file = tracks_of(read.accepted)
    tell("streets")
    network = store.load_network(version=used["streets", ""].id)
    before_s = (forget_before - dt.date(1970, 1, 1)).total_seconds()
    case = TrackCase(network, tracks, file, before_s, given.plan, around.boundary)
    tables = {**match_answer(case, question, tell=tell), "rejected": read.rejected}
    tables["notes"] = _with_reading(tables["notes"], read)
    tell("keeping")
    if len(tables["effort"]):  # first, so that no run of tracks is ever kept without what it adds
        streets = used["streets", ""].content_sha256
        keep_effort(store, tables["effort"], question.duty, given.files, streets, now, also=given.also)
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
