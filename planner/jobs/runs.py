"""Where long work meets the store: jobs are claimed, answered beside the pages, and given up when their worker dies."""

import datetime as dt
import os
import secrets
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from types import MappingProxyType
from typing import Any

from gis.errors import LamplightError, StoreError
from layers.connection import absolute_address
from layers.job_queue import JobLostError, beat, claim, end_asked, finish, give_back, queued, requeue, write_line
from layers.job_rows import Job, JobProgress
from layers.run import Run
from layers.store import Store
from planner.executors.runs import open_executor
from planner.hotspots.runs import HOTSPOT_STEPS, run_hotspots
from planner.jobs.kinds import NightTracksQuestion, ReplanQuestion, question_of
from planner.jobs.words import step_words
from planner.patrol.runs import PATROL_STEPS, run_patrol, run_replan
from planner.patrol.tracks.runs import TRACK_STEPS, run_night_tracks
from planner.runs import SITING_STEPS, STEPS, run_coverage, run_siting
from planner.watch import News

#: How often a worker looks whether somebody asked for an end, and at most writes how far it has come.
LOOKED_EVERY_S = 0.5
#: How often it says at least that it lives, and how often a runner looks for those that do not.
BEATEN_EVERY_S = 5.0
#: How long a runner whose executor could not be opened leaves it.
RESTED_S = 10.0


class _EndedError(Exception):
    """Somebody asked for an end before there was anything to keep."""


class Telling:
    """How a worker speaks with the store while it computes: a thread of its own writes and reads, twice a second.

    What it gives the computation touches no database: ``progress`` and ``hear`` are told how it goes, ``cancelled``
    says whether an end was asked for. All raise JobLostError once the job is another's; ``progress`` ends what cannot
    be asked to end.
    """

    def __init__(self, store: Store, job: Job, worker: str, steps: tuple[str, ...]) -> None:
        self.now = JobProgress(steps=len(steps))
        self._store, self._job, self._worker, self._steps = store, job, worker, steps
        self._said: list[str] = []
        self._asked = self._lost = False
        self._over = Event()
        self._thread = Thread(target=self._speak, daemon=True)

    def progress(self, step: str) -> None:
        """Hear that ``step`` has begun."""
        self._hold()
        if self._asked and step != self._steps[-1]:
            raise _EndedError
        done = self._steps.index(step) if step in self._steps else self.now.steps_done
        self.now = replace(self.now, step=step, steps_done=done, doing="")
        self._said.append(step)

    def hear(self, news: News) -> None:
        """Hear how a search stands; a figure it does not name stays as it was."""
        self._hold()
        value = news.value if isfinite(news.value) else self.now.value
        bound = news.bound if isfinite(news.bound) else self.now.bound
        self.now = replace(self.now, doing=news.doing, value=value, bound=bound)

    def cancelled(self) -> bool:
        """Tell whether somebody asked for an end."""
        self._hold()
        return self._asked

    def _hold(self) -> None:
        if self._lost:
            raise JobLostError(self._job.id)

    def _speak(self) -> None:
        written, beaten_s = JobProgress(), monotonic()
        while not self._over.wait(LOOKED_EVERY_S):
            progress = self.now
            try:
                self._write_lines()
                if progress != written or monotonic() - beaten_s >= BEATEN_EVERY_S:
                    asked = beat(self._store, self._job.id, worker=self._worker, now=_now(), progress=progress)
                    written, beaten_s = progress, monotonic()
                else:
                    asked = end_asked(self._store, self._job.id, worker=self._worker)
            except JobLostError:
                self._lost = True
                return
            except StoreError:
                continue  # a database that is away for a while; too long, and the job is another's
            self._asked = self._asked or asked

    def _write_lines(self) -> None:
        while self._said:
            write_line(self._store, self._job.id, *step_words(self._said[0]), now=_now())
            del self._said[0]

    def __enter__(self) -> "Telling":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._write_lines()


Answer = Callable[[Store, Any, Telling], Run]


def _coverage(store: Store, question: Any, telling: Telling) -> Run:
    return run_coverage(store, question, progress=telling.progress)


def _replan(store: Store, question: ReplanQuestion, telling: Telling) -> Run:
    return run_replan(
        store, store.run(question.run), question.now, ill=question.ill, reports=question.reports, seed=question.seed,
        progress=telling.progress, cancelled=telling.cancelled, hear=telling.hear,
    )  # fmt: skip


def _night_tracks(store: Store, question: NightTracksQuestion, telling: Telling) -> Run:
    return run_night_tracks(store, question.night, progress=telling.progress)


def _heard(run: Callable[..., Run]) -> Answer:
    """Return how a question is answered by a function that takes all that a Telling gives."""

    def answer(store: Store, question: Any, telling: Telling) -> Run:
        return run(store, question, progress=telling.progress, cancelled=telling.cancelled, hear=telling.hear)

    return answer


#: kind of job -> (the steps it tells of, what answers it).
ANSWERS: Mapping[str, tuple[tuple[str, ...], Answer]] = MappingProxyType({
    "coverage": (STEPS, _coverage),
    "siting": (SITING_STEPS, _heard(run_siting)),
    "patrol": (PATROL_STEPS, _heard(run_patrol)),
    "replan": (PATROL_STEPS, _replan),
    "night-tracks": (TRACK_STEPS, _night_tracks),
    **{f"hotspot-{name}": (HOTSPOT_STEPS, _heard(run_hotspots))
       for name in ("map", "scan", "emerging", "forecast", "backtest")},
})  # fmt: skip


# one job, in a process of its own


def work(url: str, job_id: int) -> str:
    """Answer one job of the store at ``url`` and return the state it ended in; "" where it is not to be had.

    Of several workers that are handed one job, one answers it. Called in worker processes, so it takes and returns
    plain values; what goes wrong with the question is kept with the job, not raised.
    """
    store = Store(url)
    worker = f"{_here()}:{os.getpid()}:{secrets.token_hex(4)}"
    try:
        job = claim(store, job_id, worker=worker, now=_now())
        if job is None:  # a cluster hands the job of a dead worker on by itself
            requeue(store, now=_now(), is_dead=is_dead)
            job = claim(store, job_id, worker=worker, now=_now())
        return "" if job is None else _answer(store, job, worker)
    except JobLostError:
        return ""
    finally:
        store.close()


def _answer(store: Store, job: Job, worker: str) -> str:
    """Answer a job that is this worker's, and end it."""
    steps, answer = ANSWERS.get(job.kind, ((), _coverage))
    state, run_id, why = "done", None, ("", "")
    with Telling(store, job, worker, steps) as telling:
        try:
            run = answer(store, question_of(job.kind, job.parameters), telling)
            state = "cancelled" if run.parameters.get("cancelled") else "done"
            run_id = run.id
        except _EndedError:
            state = "cancelled"
        except JobLostError:
            raise
        except LamplightError as error:
            state, why = "failed", (error.zh, error.en)
        except Exception as error:  # whatever it is, the job must end and say so
            # where it happened, without the error's own words: they may quote what somebody wrote
            frames = "".join(traceback.format_tb(error.__traceback__))
            print(f"lamplight: job {job.id}: {type(error).__name__}\n{frames}", file=sys.stderr)
            state, why = "failed", (f"程序出错（{type(error).__name__}），详见服务日志",
                                    f"the program failed ({type(error).__name__}): see the server's log")  # fmt: skip
    done = replace(telling.now, steps_done=len(steps)) if state == "done" else telling.now
    zh, en = why
    finish(store, job.id, state, worker=worker, now=_now(), progress=done, run_id=run_id, zh=zh, en=en)
    return state


def is_dead(worker: str) -> bool:
    """Tell whether a worker was a process of this machine that is no more; False of those that cannot be seen."""
    here, _, rest = worker.rpartition(":")[0].rpartition(":")
    if here != _here() or not rest.isdigit() or sys.platform == "win32":
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _here() -> str:
    """Return the word for where process numbers count: this machine, and in it this container."""
    try:
        space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        space = 0
    return f"{socket.gethostname()}/{space}"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# the runner


class _StoppedError(Exception):
    """The runner stops, whatever its processes are doing."""


@dataclass(slots=True)
class _Slot:
    """One job at a time, in an executor of its own: a process that dies takes no other job with it."""

    context: AbstractContextManager[Executor] | None = None
    executor: Executor | None = None
    job_id: int | None = None
    future: Future[str] | None = None

    def begin(self, url: str, job_id: int) -> None:
        try:
            self.future = self._open().submit(work, url, job_id)
        except BrokenExecutor:  # its process died while it had nothing to do
            self.close()
            self.future = self._open().submit(work, url, job_id)
        self.job_id = job_id

    def _open(self) -> Executor:
        if self.executor is None:
            context = open_executor(1)
            self.executor, self.context = context.__enter__(), context
        return self.executor

    @property
    def error(self) -> BaseException | None:
        """What ended the job's future without an answer: a process that died, a cluster that went away."""
        if self.future is None or not self.future.done():
            return None
        return CancelledError() if self.future.cancelled() else self.future.exception()

    def end(self) -> None:
        """Look at what became of the job, once it is over; a broken executor is made anew with the next one."""
        if self.future is None or not self.future.done():
            return
        error = self.error
        if error is not None:
            print(f"lamplight: job {self.job_id}: {type(error).__name__}: {error}", file=sys.stderr)
            self.close()
        self.job_id = self.future = None

    def close(self) -> None:
        """Kill what still runs here."""
        if self.context is not None:
            with suppress(Exception):  # a cluster that went away cannot be left in good order
                self.context.__exit__(_StoppedError, _StoppedError(), None)
        self.context = self.executor = None


class JobRunner:
    """Hands the queued jobs of a store to executors, beside whatever else this process does.

    url : the store's address. workers : how many jobs at once. Any number of runners, on any machines, may serve one
    store: each job is begun by one of them. What a dead worker left is begun again, by whichever runner sees it first.
    """

    def __init__(self, url: str, workers: int = 1) -> None:
        self._url = absolute_address(url)
        self._slots = [_Slot() for _ in range(workers)]
        self._over, self._ended = Event(), Event()
        self._thread = Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Kill the processes; the jobs they had wait again, as if they had not been begun."""
        self._over.set()
        self._thread.join()

    def wait(self) -> None:
        """Return once the runner was stopped."""
        # Not by joining its thread: before Python 3.13 a join that Ctrl-C breaks takes the thread for ended, and the
        # process would leave while its own processes are being killed. Not without an end: some systems hear no Ctrl-C.
        while self._thread.is_alive() and not self._ended.wait(1.0):
            pass

    def __enter__(self) -> "JobRunner":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        store = Store(self._url)
        rested_s = looked_s = 0.0
        try:
            while not self._over.wait(LOOKED_EVERY_S if monotonic() >= rested_s else RESTED_S):
                try:
                    broke = any(slot.error for slot in self._slots)
                    for slot in self._slots:
                        slot.end()
                    if broke or monotonic() - looked_s >= BEATEN_EVERY_S:
                        looked_s = monotonic()
                        requeue(store, now=_now(), is_dead=is_dead)
                    self._begin(store)
                except LamplightError as error:  # the database or the cluster is away: it may come back
                    print(f"lamplight: {error}", file=sys.stderr)
                    rested_s = monotonic() + RESTED_S
                except Exception:  # whatever a library raises of a cluster that went away: there are other jobs
                    traceback.print_exc(file=sys.stderr)
                    for slot in self._slots:
                        slot.close()
                    rested_s = monotonic() + RESTED_S
        finally:
            self._leave(store)
            self._ended.set()

    def _begin(self, store: Store) -> None:
        free = [slot for slot in self._slots if slot.future is None]
        if not free:
            return
        taken = {slot.job_id for slot in self._slots}
        waiting = [job_id for job_id in queued(store) if job_id not in taken]
        for slot, job_id in zip(free, waiting, strict=False):
            slot.begin(self._url, job_id)

    def _leave(self, store: Store) -> None:
        begun = [slot.job_id for slot in self._slots if slot.job_id is not None]
        for slot in self._slots:
            slot.close()
        for job_id in begun:
            try:
                give_back(store, job_id, now=_now(), is_dead=is_dead)
            except LamplightError as error:
                print(f"lamplight: {error}", file=sys.stderr)
        store.close()
