"""A job as the store keeps it, and as the rest of the system sees it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from layers.moments import aware, aware_or_none


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job has come.

    step : what is being done, one of ``steps`` of which ``steps_done`` are over. doing : what its search does; value,
    bound : the best found and the best proven possible so far, None before there are any.
    """

    step: str = ""
    steps_done: int = 0
    steps: int = 0
    doing: str = ""
    value: float | None = None
    bound: float | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The progress as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Job:
    """A question somebody asked and what became of it.

    state : of ``layers.jobs.JOB_STATES``. area_code : where it lies; account_id : who asked. started_at : of its last
    attempt; attempts : how often it was begun. run_id : of its result, None before; one that was cancelled may have
    one as well, the best found by then. zh, en : why it failed, "" otherwise. Times UTC, aware.
    """

    id: int
    kind: str
    parameters: Mapping[str, Any]
    state: str
    area_code: str
    account_id: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress
    run_id: str | None
    zh: str
    en: str
    cancel_asked: bool
    attempts: int
    worker: str


@dataclass(frozen=True, slots=True)
class JobLine:
    """One line of a job's log, in both languages; at : UTC, aware."""

    at: datetime
    zh: str
    en: str


def job_of(row: Any) -> Job:
    """Return the job a row of the table ``job`` keeps."""
    kept = json.loads(row.progress)
    zh, en = kept.pop("zh", ""), kept.pop("en", "")
    return Job(
        id=row.id, kind=row.kind, parameters=json.loads(row.parameters), state=row.state, area_code=row.area_code,
        account_id=row.account_id, created_at=aware(row.created_at), started_at=aware_or_none(row.started_at),
        ended_at=aware_or_none(row.ended_at), progress=JobProgress(**kept), run_id=row.run_id, zh=zh, en=en,
        cancel_asked=row.cancel_asked, attempts=row.attempts, worker=row.worker,
    )  # fmt: skip


def progress_text(progress: JobProgress, *, zh: str = "", en: str = "") -> str:
    """Return what the table keeps of a job's progress, and of why it failed."""
    why = {"zh": zh, "en": en} if zh or en else {}
    return json.dumps({**progress.values, **why}, ensure_ascii=False)
