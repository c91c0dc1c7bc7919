"""Where hotspots meet the store: load what a question needs, answer it, keep the answer as a ``Run``."""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic, process_time
from typing import TypeAlias

import pandas as pd

from gis.errors import QuestionError
from layers.run import Run
from layers.store import Store
from layers.version_rows import LayerVersion
from planner.coverage_notes import note_table
from planner.coverage_question import CoverageQuestion
from planner.hotspots.answers import ANSWERS
from planner.hotspots.effort_runs import effort_inputs
from planner.hotspots.frame import Frame
from planner.hotspots.publishing import (
    AREAS,
    alike,
    geography_from,
    geography_of,
    geography_text,
    hold_secret,
    hold_span,
    kind_of,
    quarter_counts,
    release_tables,
)  # fmt: skip
from planner.hotspots.question import HotspotQuestion
from planner.hotspots.records import HotspotRecords, last_day
from planner.hotspots.release import ReleaseQuestion, release, shown_again
from planner.hotspots.release_budget import ledger_row
from planner.loading import CityLoader, Progress, VersionKey
from planner.notes import Note
from planner.runs import run_inputs, software, used_versions
from planner.watch import News, Watch

Tables: TypeAlias = Mapping[str, pd.DataFrame]
HOTSPOT_STEPS = ("streets", "areas", "points", "population", "reports", "hotspots", "keeping")
RELEASE = "hotspot-release"
#: Layers that no question about hotspots reads.
UNREAD = frozenset({
    "service-points", "rescue-stations", "candidates", "forbidden-areas", "population", "roster", "patrol-duties",
    "calendar",
})  # fmt: skip


def run_hotspots(
    store: Store,
    question: HotspotQuestion,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    hear: Callable[[News], None] = lambda news: None,
) -> Run:
    """Answer ``question`` for the city in ``store`` and keep the answer.

    cancelled : asked often; what was repeated at random until then is the answer, kept as cancelled.
    The same question of the same records by the same software is answered by the run already kept. Raises StoreError
    if no streets have been imported, QuestionError on an ask that cannot be met.
    """
    used = used_versions(store, unread=UNREAD)
    walked, elsewhere = effort_inputs(store, used["streets", ""].content_sha256)
    asked = Run(question.kind, question.parameters, {**run_inputs(used), **walked}, software=software())
    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tell = progress or (lambda step: None)
    records = load_hotspots(store, used, list(walked.values()), tell)
    tell("hotspots")
    days, answer = ANSWERS[question.kind]
    frame = usual_days(question.frame, records, days, until=getattr(question, "week", None))
    watch = Watch(monotonic, cancelled=cancelled, hear=hear)
    tables, notes = answer(records, question, frame, watch)
    tell("keeping")
    # cells are told by column and row: where these lie on earth, the metres' system says
    summary = tables["summary"].assign(crs=records.city.network.crs)
    told = [*records.city.notes, *_effort_notes(records, elsewhere), *notes]
    tables = {**tables, "summary": summary, "notes": note_table(told)}
    asked = replace(asked, parameters={**asked.parameters, "cancelled": True}) if cancelled() else asked
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started))


def run_release(
    store: Store,
    question: ReleaseQuestion,
    *,
    cells: str,
    size_m: float,
    counted: int | None,
    now: dt.datetime | None = None,
    randbelow: Callable[[int], int] = secrets.randbelow,
    progress: Progress | None = None,
) -> Run:
    """Publish a quarter, once and for all, and keep what was published; a quarter published before is shown again.

    cells, size_m : of the first release; later ones keep its geography. counted : days of the quarter that count, by
    the calendar alone, as many as one person may count; None for all days, on the word that nobody is reported more
    often than ``question.counts_per_person``. now : local time, the clock's by default. randbelow : tests alone give
    another. Raises StoreError without streets, QuestionError on what no release may hold.
    """
    tell = progress or (lambda step: None)
    asked = Run(RELEASE, {"year": question.year, "quarter": question.quarter}, {})
    released = [store.run(run.id) for run in store.runs(RELEASE)]
    ledger = [ledger_row({str(k): v for k, v in run.tables["ledger"].iloc[0].items()}) for run in released]
    done = next((run for run in released if run.id == asked.id), None)
    if done is not None:
        shown_again(done.tables["published"], ledger, question.year, question.quarter)
        return done
    started = process_time()
    now = now or dt.datetime.now()
    records = load_hotspots(store, used_versions(store, unread=UNREAD), [], tell)
    tell("hotspots")
    fixed = geography_from(released[0].tables["geography"]) if released else None
    geography = fixed or geography_of(records.city, cells, size_m)
    if cells != kind_of(geography) or (cells not in AREAS and size_m != geography.size_m):
        kept = geography_text(geography)
        raise QuestionError(f"公开数据的格网已固定为 {kept}", f"the cells of public releases are fixed: {kept}")
    hold_span(records, question)
    counts = quarter_counts(records, geography, question, counted)
    found = release(counts, geography, question, ledger, now=now, randbelow=randbelow)
    before = [run.tables["published"] for run, row in zip(released, ledger, strict=True) if alike(row, question)]
    hold_secret(geography, [*before, found.table], question)
    tell("keeping")
    tables = release_tables(found, geography, records, counted)
    return store.save_run(
        replace(asked, tables=tables, seconds=process_time() - started), known=[run.id for run in released]
    )


def load_hotspots(
    store: Store, used: Mapping[VersionKey, LayerVersion], walked: list[str], tell: Progress
) -> HotspotRecords:
    """Return what the store knows of people found and of patrols; walked : ids of the runs of effort to count in."""
    loader = CityLoader(store, used, CoverageQuestion(), software(), tell)
    return loader.hotspots(loader.load(), walked)


def usual_days(frame: Frame, records: HotspotRecords, days: int | None, *, until: dt.date | None = None) -> Frame:
    """Return ``frame`` with its days set: up to the last report, ``days`` of them, or all there are.

    until : the day after the last that may be known, for what is to be foretold.
    """
    last = frame.last or last_day(records)
    if until is not None and frame.last is None:
        last = min(last, until - dt.timedelta(days=1))
    earliest = pd.Timestamp(records.reports["found_at"].min()).date() if len(records.reports) else last
    usual = earliest if days is None else max(earliest, last - dt.timedelta(days=days - 1))
    return replace(frame, first=frame.first or min(usual, last), last=last)


def _effort_notes(records: HotspotRecords, elsewhere: int) -> list[Note]:
    """Say what effort was left out. elsewhere : matchings of tracks on other streets than these."""
    notes = []
    if records.effort_lost:
        lost = f"{records.effort_lost:,}"
        notes.append(Note("effort-lost", f"{lost} 条巡查量记录的路段不在路网中，未计入",
                          f"{lost} records of effort name no known segment and were left out"))  # fmt: skip
    if elsewhere:
        notes.append(Note("effort-elsewhere", f"{elsewhere} 次轨迹匹配所用的是另一版路网，未计入",
                          f"{elsewhere} matchings of tracks were made on other streets and were left out"))  # fmt: skip
    return notes
