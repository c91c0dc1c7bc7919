"""Where patrol planning meets the store: load what a night or week needs, plan it, keep the answer as a ``Run``."""

import datetime as dt
import io
import os
import zipfile
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from time import monotonic, process_time
from typing import Any

import numpy as np
import pandas as pd

from gis.errors import QuestionError
from layers.run import Run, parquet_bytes, table_from_parquet
from layers.store import Store
from layers.version_rows import LayerVersion
from planner.coverage_notes import note_table
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import begin_process
from planner.hotspots.effort_runs import EFFORT, effort_inputs
from planner.loading import CityLoader, Progress, VersionKey
from planner.patrol.answer import Tables, night_tables, steps_and_legs, walks_of
from planner.patrol.night import Night
from planner.patrol.question import PatrolQuestion, parse_hours
from planner.patrol.records import Calendar, PatrolRecords, calendar_of, crews_on, lay_out, with_reports
from planner.patrol.replan import plan_again
from planner.patrol.rounds import Job, Solved, compile_search, plan_night, solve
from planner.patrol.variety import draw_plan
from planner.runs import run_inputs, software, used_versions
from planner.watch import News, Watch

PATROL_STEPS = ("streets", "areas", "points", "population", "reports", "patrol", "keeping")
#: Layers that a patrol does not read.
UNREAD = frozenset({"population", "candidates", "forbidden-areas", "weather", "calendar"})


class Pool:
    """Processes of this machine that solve parts side by side; none is started before the first part comes."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self.cores = os.cpu_count() or 1
        self._cancelled = cancelled
        self._stop: Event | None = None
        self._executor: ProcessPoolExecutor | None = None

    def submit(self, job: Job, seconds: float) -> Future[Solved]:
        """Begin to solve a part, and return its routes to come."""
        if self._executor is None:
            context = get_context("spawn")
            self._stop = context.Event()
            self._executor = ProcessPoolExecutor(self.cores, context, _begin, (self._stop,))
        return self._executor.submit(_solve, job, seconds)

    def stop_if_cancelled(self) -> None:
        """Pass the user's wish on to the processes."""
        if self._stop is not None and self._cancelled():
            self._stop.set()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


_stop: Event | None = None


def _begin(stop: Event) -> None:
    """Make a new process ready to solve parts until it is told to stop."""
    global _stop
    _stop = stop
    begin_process()


def _solve(job: Job, seconds: float) -> Solved:
    return solve(job, Watch(monotonic, seconds=seconds, cancelled=lambda: _stop is not None and _stop.is_set()))


def run_patrol(
    store: Store,
    question: PatrolQuestion,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    hear: Callable[[News], None] = lambda news: None,
) -> Run:
    """Plan the night or week of ``question`` for the city in ``store`` and keep the plan.

    cancelled : asked often; once it says so, the best plan so far is the answer, kept as a cancelled run. hear : told
    how the search stands. Each finished night of a week is kept at once, so that a week interrupted goes on where it
    stopped. Raises StoreError if no streets have been imported, QuestionError where nobody is on duty.
    """
    used = used_versions(store, unread=UNREAD)
    walked, _ = effort_inputs(store, used["streets", ""].content_sha256)
    asked = Run("patrol", question.parameters, {**run_inputs(used), **walked}, software=software())
    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tell = progress or (lambda step: None)
    records = load_records(store, used, walked.values(), tell)
    tell("patrol")
    compile_search()
    calendar = calendar_of(records, question, question.date)
    nights: list[Tables] = []
    with Pool(cancelled) as pool:
        for day in range(question.days):
            date = question.date + dt.timedelta(days=day)
            key = f"patrol-night:{asked.id}:{date}"
            kept = store.derived(key) if question.days > 1 else None
            if kept is None:
                tables = _plan_date(records, calendar, question, date, nights, pool, cancelled, hear)
                if question.days > 1 and not cancelled():
                    store.keep_derived(key, _packed(tables))
            else:
                tables = _unpacked(kept)
            nights.append(tables)
            if cancelled():
                break
    tell("keeping")
    if cancelled():
        asked = replace(asked, parameters={**asked.parameters, "cancelled": True})
    together = {name: pd.concat([night[name] for night in nights], ignore_index=True) for name in nights[0]}
    first = note_table([*records.city.notes, *calendar.notes])
    notes = pd.concat([first, together["notes"]], ignore_index=True).drop_duplicates(ignore_index=True)
    tables = {**together, "notes": notes}
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started))


def run_replan(
    store: Store,
    run: Run,
    now: dt.datetime,
    *,
    ill: Sequence[str] = (),
    reports: Sequence[tuple[float, float]] = (),
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    hear: Callable[[News], None] = lambda news: None,
) -> Run:
    """Plan the rest of a night of ``run`` again from ``now`` on, and keep the new plan as a run of its own.

    now : local time. ill : crews that stop at once. reports : (lon, lat) of reports that came in, each to be looked
    into. What was walked or begun by then stays, and so do all crews far from what changed. Raises QuestionError where
    the run holds no plan for that time, or the records it was made of were removed.
    """
    date = _night_at(run, now)
    asked = PatrolQuestion(
        dt.date.fromisoformat(str(run.parameters["date"])), 1, parse_hours(str(run.parameters["hours"])),
        tuple(run.parameters["within"]), seed=seed,
    )  # fmt: skip
    # a plan changed before keeps its sick and its reports
    all_ill = [*run.parameters.get("ill", []), *ill]
    all_reports = [*run.parameters.get("reports", []), *([lon, lat, now.isoformat()] for lon, lat in reports)]
    drawn_on = str(run.parameters.get("drawn_on", run.parameters["date"]))
    parameters = {"replans": run.id, "now": now.isoformat(), "ill": all_ill, "reports": all_reports,
                  "drawn_on": drawn_on, **asked.parameters, "date": date.isoformat()}  # fmt: skip
    new = Run("patrol", parameters, run.inputs, software=software())
    if any(kept.id == new.id for kept in store.runs(new.kind)):
        return store.run(new.id)
    started = process_time()
    tell = progress or (lambda step: None)
    tables = {name: t[t["date"] == date.isoformat()] for name, t in run.tables.items() if "date" in t}
    now_s = (now - dt.datetime.combine(date, dt.time())).total_seconds()
    records, night = night_again(store, run, date, all_reports, tell)
    compile_search()
    watch = Watch(monotonic, cancelled=cancelled, hear=hear)
    again, faults = plan_again(records, night, tables, date, now_s, all_ill, watch, seed)
    tell("keeping")
    notes = pd.concat([run.tables["notes"], note_table(faults)], ignore_index=True)
    return store.save_run(replace(new, tables={**again, "notes": notes}, seconds=process_time() - started))


def night_again(
    store: Store, run: Run, date: dt.date, reports: Sequence[Sequence[Any]], tell: Progress
) -> tuple[PatrolRecords, Night]:
    """Return the records ``run`` was made of and its night of ``date``, laid out as it was.

    reports : (lon, lat, when as local ISO text) of those that came in during the night, each a check, last.
    Raises QuestionError where the records were removed.
    """
    asked = PatrolQuestion(
        dt.date.fromisoformat(str(run.parameters["date"])), 1, parse_hours(str(run.parameters["hours"])),
        tuple(run.parameters["within"]),
    )  # fmt: skip
    walked = [run_id for name, run_id in run.inputs.items() if name.startswith(EFFORT)]
    records = load_records(store, _versions_of(store, run), walked, tell)
    tell("patrol")
    midnight = dt.datetime.combine(date, dt.time())
    told = [(lon, lat, (dt.datetime.fromisoformat(at) - midnight).total_seconds()) for lon, lat, at in reports]
    drawn_on = str(run.parameters.get("drawn_on", run.parameters["date"]))
    calendar = calendar_of(records, asked, dt.date.fromisoformat(drawn_on))
    crews, _ = crews_on(records, date, asked)
    tables = {name: run.tables[name] for name in ("steps", "uncovered")}
    planned = pd.concat([table.loc[table["date"] == date.isoformat(), "duty"] for table in tables.values()])
    kept = np.isin(calendar.duties.id.astype(str), planned.to_numpy(str))
    calendar = with_reports(calendar, records, told)
    due = np.r_[kept, np.ones(len(told), bool)]
    return records, lay_out(records, calendar, crews, due, np.full(len(due), "", object))


def _night_at(run: Run, now: dt.datetime) -> dt.date:
    """Return the night of ``run`` whose shifts hold the time ``now``."""
    if run.kind != "patrol":
        raise QuestionError(f"分析 {run.id} 不是巡查计划", f"run {run.id} is a {run.kind}, not a plan of patrols")
    crews = run.tables["crews"]
    at = now.isoformat()
    held = crews[(crews["shift_from"] <= at) & (at < crews["shift_until"])]
    if not len(held):
        raise QuestionError(f"计划 {run.id} 在 {at} 没有班次", f"plan {run.id} has no shift at {at}")
    return dt.date.fromisoformat(str(held["date"].iloc[0]))


def _versions_of(store: Store, run: Run) -> dict[VersionKey, LayerVersion]:
    """Return the layer versions ``run`` was made of, newer ones aside."""
    by_content = {("/".join(filter(None, (v.layer, v.part))), v.content_sha256): v for v in store.versions()}
    used = {}
    for name, sha in run.inputs.items():
        if name.startswith(EFFORT):
            continue
        version = by_content.get((name, sha))
        if version is None:
            raise QuestionError(
                f"计划 {run.id} 所用的图层 {name} 已被清除，请重新排班",
                f"layer {name} that plan {run.id} was made of was removed: plan again",
            )
        used[version.layer, version.part] = version
    return used


def load_records(
    store: Store, used: dict[VersionKey, LayerVersion], walked: Collection[str], tell: Progress
) -> PatrolRecords:
    """Return the city in ``store`` as a patrol needs it; walked : ids of the runs of effort to count in."""
    loader = CityLoader(store, used, CoverageQuestion(), software(), tell)
    return loader.patrol(loader.load(), walked)


def _plan_date(
    records: PatrolRecords,
    calendar: Calendar,
    question: PatrolQuestion,
    date: dt.date,
    before: list[Tables],
    pool: Pool,
    cancelled: Callable[[], bool],
    hear: Callable[[News], None],
) -> Tables:
    """Plan one night, its notes among the tables; ``before`` : the tables of the week's nights so far."""
    crews, notes = crews_on(records, date, question)
    late = _left_over(calendar, before)
    night = lay_out(records, calendar, crews, calendar.due[:, date.weekday()] | late, _usual(calendar, before))

    def look(news: News) -> None:
        pool.stop_if_cancelled()
        hear(replace(news, doing=f"{date} {news.doing}") if question.days > 1 else news)

    watch = Watch(monotonic, seconds=question.seconds, cancelled=cancelled, hear=look)
    seed = int(np.random.default_rng([question.seed, date.toordinal()]).integers(2**31))
    planned = plan_night(night, watch, pool, seconds=question.seconds, seed=seed)
    routes, variety = planned.routes, {}
    if question.loss is not None:
        unhurried = Watch(monotonic, cancelled=cancelled, hear=look)
        routes, row = draw_plan(night, routes, question.loss, unhurried, pool, date, seed)
        variety = {"variety": row}
    ended = "cancelled" if cancelled() else "time" if planned.cut_short else "settled"
    walks = walks_of(night, routes)
    notes += [fault for walk in walks for fault in walk.faults]
    steps, legs = steps_and_legs(records, night, walks, date)
    tables = night_tables(records, night, steps, legs, date, ended, question.seed)
    return {**tables, **variety, "notes": note_table(notes)}


def _left_over(calendar: Calendar, before: list[Tables]) -> np.ndarray:
    """Return (d,) what the night before left uncovered for want of time: it is due again."""
    if not before:
        return np.zeros(len(calendar.duties), bool)
    left = before[-1]["uncovered"]
    return np.isin(calendar.duties.id.astype(str), left.loc[left["code"] == "no-time", "duty"].to_numpy(str))


def _usual(calendar: Calendar, before: list[Tables]) -> np.ndarray:
    """Return (d,) the names of who walked each duty last in this week, "" for none."""
    usual: dict[str, str] = {}
    for night in before:
        persons = dict(zip(night["crews"]["crew"], night["crews"]["persons"], strict=True))
        done = night["steps"][night["steps"]["duty"] != ""]
        usual |= dict(zip(done["duty"], done["crew"].map(persons), strict=True))
    return np.array([usual.get(str(duty), "") for duty in calendar.duties.id], object)


def _packed(tables: Tables) -> bytes:
    """Return tables as bytes for the store's cache."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, table in tables.items():
            archive.writestr(name, parquet_bytes(table))
    return buffer.getvalue()


def _unpacked(data: bytes) -> Tables:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: table_from_parquet(archive.read(name)) for name in archive.namelist()}
