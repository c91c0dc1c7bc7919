"""The demo town's streets and areas in a store of the test's own, with somebody who asks."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from layers.accounts import Account, NewAccount, create_account
from layers.jobs import Job, ask_job, job, job_lines
from layers.run import Run, parquet_bytes
from layers.store import Store
from planner.runs import run_siting
from planner.siting.question import SitingQuestion
from tests.web.hotspot_toy import town, town_store

#: A search of a few seconds, proven to the end, so that every whole run of it gives the same bytes.
CITY, DISTRICTS = "990100000000", ("990101000000", "990103000000")
LONG = SitingQuestion("mclp", count=5, within=DISTRICTS, demand=(("streets", 1.0),), seconds=600.0)
SHORT = SitingQuestion("mclp", count=1, within=("990101004000",), demand=(("streets", 1.0),), seconds=600.0)


@pytest.fixture(scope="session")
def long_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in one SQLite file, to be copied and never written to."""
    path = tmp_path_factory.mktemp("jobs") / "town.sqlite"
    store = town_store(f"sqlite:///{path}")
    new = NewAccount("planner", "规划", "planner", CITY, "hash", "planner")
    create_account(store, new, by=None, now=datetime.now(UTC))
    store.close()
    return path


@pytest.fixture(scope="session")
def undisturbed(long_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of every table of LONG, answered here and in one go."""
    path = tmp_path_factory.mktemp("plain") / "town.sqlite"
    shutil.copy(long_store, path)
    store = Store(f"sqlite:///{path}")
    run = run_siting(store, LONG)
    store.close()
    assert run.tables["plan"]["stopped"].iloc[0] == "proven"
    return table_bytes(run)


def table_bytes(run: Run) -> dict[str, bytes]:
    return {name: parquet_bytes(table) for name, table in run.tables.items()}


@pytest.fixture
def url(long_store: Path, tmp_path: Path) -> str:
    shutil.copy(long_store, tmp_path / "town.sqlite")
    return f"sqlite:///{tmp_path / 'town.sqlite'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def ask(store: Store) -> Callable[[Any], Job]:
    """Queue a question as the planner of the city."""
    by = _planner(store)

    def asking(question: Any, kind: str = "siting") -> Job:
        return ask_job(store, kind, question.parameters, by=by, now=datetime.now(UTC))

    return asking


def _planner(store: Store) -> Account:
    from layers.accounts import accounts

    return accounts(store)[0]


def wait_until(store: Store, job_id: int, holds: Callable[[Job], bool], patience_s: float = 180.0) -> Job:
    """Return the job once ``holds`` says so of it; a machine under load gets its time."""
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        found = job(store, job_id)
        if holds(found):
            return found
        time.sleep(0.05)
    raise AssertionError((job(store, job_id), job_lines(store, job_id)))


def searching(found: Job) -> bool:
    """Tell whether a job is in the middle of its search."""
    return found.state == "running" and found.progress.step == "siting" and found.progress.value is not None


def over(found: Job) -> bool:
    return found.state in ("done", "failed", "cancelled")


def kill_worker_of(found: Job) -> int:
    """Kill the process that answers a job, and return its number."""
    pid = int(found.worker.split(":")[-2])
    assert pid != os.getpid()
    os.kill(pid, signal.SIGKILL)
    return pid


__all__ = ["DISTRICTS", "LONG", "SHORT", "kill_worker_of", "over", "searching", "table_bytes", "town", "wait_until"]
