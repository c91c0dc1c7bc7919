"""What every change of a report leaves behind: a step in its history and an entry in the audit log."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, insert

from layers.audit import append
from layers.moments import stored
from layers.schema import REPORT_STEP


def write_step(
    connection: Connection,
    report_id: int,
    *,
    at: datetime,
    account_id: int | None,
    before: str,
    after: str,
    note: str = "",
) -> None:
    """Add a step to a report's history; ``before`` and ``after`` are the same where its state stays."""
    values = {
        "report_id": report_id, "at": stored(at), "account_id": account_id, "before": before, "after": after,
        "note": note,
    }  # fmt: skip
    connection.execute(insert(REPORT_STEP).values(values))


def write_entry(
    connection: Connection,
    report_id: int,
    action: str,
    *,
    at: datetime,
    account_id: int | None,
    area_code: str,
    detail: Mapping[str, str | int] | None = None,
) -> None:
    """Append an entry about a report to the audit log; the last thing a transaction does."""
    append(
        connection, at=at, account_id=account_id, action=action, object=f"report:{report_id}", area_code=area_code,
        detail=detail,
    )  # fmt: skip
