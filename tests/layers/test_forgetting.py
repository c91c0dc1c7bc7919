"""What is kept for a time only goes when its time is over, nothing else does, and the audit log says how much went."""

from datetime import UTC, datetime, timedelta

import pytest

from gis.errors import StoreError
from layers.accounts import Account, NewAccount, create_account
from layers.audit import entries
from layers.audit_check import verify
from layers.forgetting import forget_jobs, forget_sessions, forget_uploads
from layers.job_queue import claim, finish
from layers.job_rows import JobProgress
from layers.jobs import UnknownJobError, ask_job, cancel_job, job, job_lines, jobs
from layers.run import Run
from layers.scope import Scope
from layers.sessions import LONGEST, open_session, revoke_session, session_id, sessions, touch_session
from layers.store import Store
from tests.layers.conftest import CITY

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
DISTRICT = "320102000000"


def account(store: Store, area: str = CITY) -> Account:
    new = NewAccount(f"planner{area}", "planner", "planner", area, "x", f"unique{area}")
    return create_account(store, new, by=None, now=NOW)


def ended(store: Store, by: Account, number: int, at: datetime, run_id: str | None = None) -> int:
    asked = ask_job(store, "coverage", {"thresholds_s": [number]}, by=by, now=NOW)
    claim(store, asked.id, worker="w", now=NOW)
    finish(store, asked.id, "done", worker="w", now=at, progress=JobProgress(), run_id=run_id)
    return asked.id


def noted(store: Store, action: str) -> list[tuple[str, object]]:
    return [(one.area_code, one.detail) for one in entries(store, action=action)]


def test_jobs_go_with_their_lines_long_after_their_end_and_their_runs_stay(store: Store) -> None:
    by = account(store)
    kept = store.save_run(Run("coverage", {"n": 1}, {}, software="s"), now=NOW)
    old = ended(store, by, 1, NOW, kept.id)
    dropped = ask_job(store, "coverage", {"thresholds_s": [2]}, by=by, now=NOW)
    cancel_job(store, dropped.id, by=by, now=NOW)
    young = ended(store, by, 3, NOW + timedelta(days=2))
    waits = ask_job(store, "coverage", {"thresholds_s": [4]}, by=by, now=NOW)
    assert forget_jobs(store, NOW, now=NOW) == 0, "not before the moment itself"
    assert forget_jobs(store, NOW + timedelta(days=1), now=NOW) == 2
    assert [one.id for one in jobs(store)] == [waits.id, young]
    with pytest.raises(UnknownJobError):
        job_lines(store, old)
    assert len(job_lines(store, young)) == 2
    assert store.run(kept.id).id == kept.id
    assert noted(store, "forget_jobs") == [(CITY, {"rows": 2})]
    assert verify(store).problems == ()


def test_the_newest_job_stays_so_that_no_number_comes_again(store: Store) -> None:
    by = account(store)
    first, last = ended(store, by, 1, NOW), ended(store, by, 2, NOW)
    assert forget_jobs(store, NOW + timedelta(days=1), now=NOW) == 1
    assert job(store, last).state == "done"
    assert ask_job(store, "coverage", {"thresholds_s": [3]}, by=by, now=NOW).id > last > first


def test_sessions_go_once_none_could_last_so_long(store: Store) -> None:
    city, district = account(store), account(store, DISTRICT)
    old = [open_session(store, by.id, device="Firefox", now=NOW) for by in (city, city, district)]
    revoke_session(store, session_id(old[0]), by=city, now=NOW)
    later = NOW + timedelta(hours=1)
    fresh = open_session(store, city.id, device="Firefox", now=later)
    assert forget_sessions(store, now=NOW + LONGEST) == 0
    assert forget_sessions(store, now=NOW + LONGEST + timedelta(seconds=1)) == 3
    assert [one.id for one in sessions(store, city.id)] == [session_id(fresh)]
    assert touch_session(store, fresh, now=later) is not None
    assert noted(store, "forget_sessions") == [(DISTRICT, {"rows": 1}), (CITY, {"rows": 2})]


def test_nothing_due_leaves_no_entry_and_one_areas_store_forgets_nothing(sqlite_store: Store) -> None:
    by = account(sqlite_store)
    ended(sqlite_store, by, 1, NOW)
    mine = sqlite_store.within(Scope.of(CITY))
    for forget in (
        lambda store: forget_jobs(store, NOW, now=NOW), lambda store: forget_sessions(store, now=NOW),
        lambda store: forget_uploads(store, now=NOW),
    ):  # fmt: skip
        assert forget(sqlite_store) == 0
        with pytest.raises(StoreError):
            forget(mine)
    assert not [one for one in entries(sqlite_store) if one.action.startswith("forget")]
