"""What runners do with jobs: claim one, say how it goes, end it, and give those of dead workers to others.

Every call is one statement that says in which state, and in whose hands, the job must be: of several runners on one
store, one gets it, and a worker that was given up for dead can no longer end what another has begun.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from layers.job_rows import Job, JobProgress, job_of, progress_text
from layers.moments import stored
from layers.schema import JOB, JOB_LINE
from layers.store import Store

#: How often a job may be begun; one that ends its worker each time is not begun for ever.
MOST_ATTEMPTS = 3
#: A worker that has said nothing for so long is taken for dead.
STALE = timedelta(seconds=60)


class JobLostError(Exception):
    """A worker's job has been given to another, or ended."""


def queued(store: Store, *, limit: int = 100) -> list[int]:
    """Return the ids of the jobs that wait, oldest first."""
    query = select(JOB.c.id).where(JOB.c.state == "queued").order_by(JOB.c.id).limit(limit)
    with store.transaction() as connection:
        return list(connection.scalars(query))


def claim(store: Store, job_id: int, *, worker: str, now: datetime) -> Job | None:
    """Begin a job that waits and return it; None where it does not wait, or no longer."""
    values = {
        "state": "running", "worker": worker, "attempts": JOB.c.attempts + 1, "started_at": stored(now),
        "seen_at": stored(now), "progress": progress_text(JobProgress()),
    }  # fmt: skip
    waits = (JOB.c.id == job_id) & (JOB.c.state == "queued")
    with store.transaction(writes=True) as connection:
        row = connection.execute(update(JOB).where(waits).values(values).returning(JOB)).one_or_none()
        if row is None:
            return None
        again = row.attempts > 1
        zh = f"第 {row.attempts} 次开始" if again else "开始"
        _write_line(connection, job_id, now, zh, f"begun, attempt {row.attempts}" if again else "begun")
        return job_of(row)


def beat(store: Store, job_id: int, *, worker: str, now: datetime, progress: JobProgress | None = None) -> bool:
    """Say that the worker lives, and how far it has come; return whether somebody asked for an end.

    Raises JobLostError where the job is no longer the worker's.
    """
    values: dict[str, Any] = {"seen_at": stored(now)}
    if progress is not None:
        values["progress"] = progress_text(progress)
    with store.transaction(writes=True) as connection:
        change = update(JOB).where(*_held(job_id, worker)).values(values).returning(JOB.c.cancel_asked)
        asked = connection.scalar(change)
    if asked is None:
        raise JobLostError(job_id)
    return bool(asked)


def end_asked(store: Store, job_id: int, *, worker: str) -> bool:
    """Return whether somebody asked for an end; raises JobLostError as ``beat`` does."""
    with store.transaction() as connection:
        asked = connection.scalar(select(JOB.c.cancel_asked).where(*_held(job_id, worker)))
    if asked is None:
        raise JobLostError(job_id)
    return bool(asked)


def write_line(store: Store, job_id: int, zh: str, en: str, *, now: datetime) -> None:
    """Add a line to a job's log."""
    with store.transaction(writes=True) as connection:
        _write_line(connection, job_id, now, zh, en)


def finish(
    store: Store,
    job_id: int,
    state: str,
    *,
    worker: str,
    now: datetime,
    progress: JobProgress,
    run_id: str | None = None,
    zh: str = "",
    en: str = "",
) -> None:
    """End a job as "done", "failed" (zh, en : why) or "cancelled"; raises JobLostError as ``beat`` does."""
    values = {"state": state, "ended_at": stored(now), "run_id": run_id,
              "progress": progress_text(progress, zh=zh, en=en)}  # fmt: skip
    words = {"done": ("完成", "done"), "failed": (f"失败：{zh}", f"failed: {en}"), "cancelled": ("已取消", "cancelled")}
    with store.transaction(writes=True) as connection:
        ended = connection.scalar(update(JOB).where(*_held(job_id, worker)).values(values).returning(JOB.c.id))
        if ended is not None:
            _write_line(connection, job_id, now, *words[state])
    if ended is None:
        raise JobLostError(job_id)


def requeue(store: Store, *, now: datetime, is_dead: Callable[[str], bool]) -> None:
    """Let every job wait again whose worker is dead, so that another begins it; after the last attempt it has failed.

    is_dead : what is known of a worker by its word; one that has been silent for STALE counts as dead anyway. One whose
    end was asked for is cancelled.
    """
    limit = stored(now) - STALE
    with store.transaction() as connection:
        running = connection.execute(select(JOB).where(JOB.c.state == "running")).all()
    for row in running:
        if row.seen_at < limit or is_dead(row.worker):
            _give_up(store, row, now)


def give_back(store: Store, job_id: int, *, now: datetime, is_dead: Callable[[str], bool]) -> None:
    """Let a job wait again whose worker was stopped on purpose, as if it had not been begun; see ``requeue``."""
    with store.transaction() as connection:
        row = connection.execute(select(JOB).where(JOB.c.id == job_id, JOB.c.state == "running")).one_or_none()
    if row is None or not is_dead(row.worker):
        return
    with store.transaction(writes=True) as connection:
        values = {"state": "queued", "attempts": JOB.c.attempts - 1}
        change = update(JOB).where(*_held(job_id, row.worker)).values(values).returning(JOB.c.id)
        if connection.scalar(change) is not None:
            _write_line(connection, job_id, now, "服务停止，重新排队", "the service stopped: waiting again")


def _give_up(store: Store, row: Any, now: datetime) -> None:
    values: dict[str, Any]
    if row.cancel_asked:
        values = {"state": "cancelled", "ended_at": stored(now)}
        line = ("已取消", "cancelled")
    elif row.attempts >= MOST_ATTEMPTS:
        zh = f"工作进程 {row.attempts} 次中断（可能内存不足），不再重试"
        en = f"its worker died {row.attempts} times (too little memory, perhaps): not tried again"
        progress = progress_text(job_of(row).progress, zh=zh, en=en)
        values, line = {"state": "failed", "ended_at": stored(now), "progress": progress}, (zh, en)
    else:
        values, line = {"state": "queued"}, ("工作进程中断，重新排队", "its worker died: waiting again")
    held = (*_held(row.id, row.worker), JOB.c.attempts == row.attempts)
    with store.transaction(writes=True) as connection:
        if connection.scalar(update(JOB).where(*held).values(values).returning(JOB.c.id)) is not None:
            _write_line(connection, row.id, now, *line)


def _held(job_id: int, worker: str) -> tuple[Any, ...]:
    return JOB.c.id == job_id, JOB.c.state == "running", JOB.c.worker == worker


def _write_line(connection: Connection, job_id: int, now: datetime, zh: str, en: str) -> None:
    connection.execute(insert(JOB_LINE).values(job_id=job_id, at=stored(now), zh=zh, en=en))
