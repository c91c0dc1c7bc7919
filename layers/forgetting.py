"""What the store keeps for a time only: ended jobs, sessions, files nobody imported. Each removal is in the audit log.

Points of tracks have rules of their own (``layers.phone``), and so has what is private in reports
(``layers.report_keeping``).
"""

from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, Table, delete, func, select

from layers.audit import append
from layers.moments import stored
from layers.schema import ACCOUNT, JOB, SESSION, UPLOAD
from layers.sessions import LONGEST
from layers.store import Store
from layers.uploads import KEPT


def forget_jobs(store: Store, before: datetime, *, now: datetime) -> int:
    """Remove the jobs that ended before ``before``, with their logs; return how many. Their runs stay.

    So does the newest job, whatever its age: numbers go on where they were, and the audit log names jobs by them.
    Raises StoreError on a scoped store, as all of these do.
    """
    newest = select(func.max(JOB.c.id)).scalar_subquery()
    return _forget(store, JOB, (JOB.c.ended_at < stored(before)) & (JOB.c.id < newest), "jobs", now)


def forget_sessions(store: Store, *, now: datetime) -> int:
    """Remove the sessions that can have come to nothing but an end, for none lasts longer; return how many."""
    return _forget(store, SESSION, SESSION.c.created_at < stored(now - LONGEST), "sessions", now)


def forget_uploads(store: Store, *, now: datetime) -> int:
    """Remove the files that were not imported in time, whoever sent them; return how many."""
    return _forget(store, UPLOAD, UPLOAD.c.at < stored(now - KEPT), "uploads", now)


def _forget(store: Store, table: Table, due: ColumnElement[bool], what: str, now: datetime) -> int:
    """Delete the rows that are ``due``, and write down how many they were in each area, or of its accounts."""
    of_account = select(ACCOUNT.c.area_code).where(ACCOUNT.c.id == table.c.account_id).scalar_subquery()
    area = table.c.area_code if "area_code" in table.c else of_account
    with store.writing() as connection:
        gone = Counter(map(str, connection.scalars(delete(table).where(due).returning(area))))
        for area_code, count in sorted(gone.items()):
            append(
                connection, at=now, account_id=None, action=f"forget_{what}", object=what, area_code=area_code,
                detail={"rows": count},
            )  # fmt: skip
    return gone.total()
