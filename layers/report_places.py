"""Where the open reports are, for those who send somebody there, and which of them may mean the same person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select

from gis.crs import metric_crs, to_metric
from layers.accounts import Account
from layers.audit import append
from layers.casebook import IncomingReport, reports, visible
from layers.moments import stored
from layers.report_states import OPEN_STATES, nearby_m
from layers.roles import require
from layers.schema import AUDIT_ENTRY, INCOMING_REPORT
from layers.store import Store

#: The most places shown at once.
MOST = 500
#: Who looks again within this time, with no new report, is written down once.
_ONCE_IN = timedelta(hours=1)
_READ = "read_places"


@dataclass(frozen=True, slots=True)
class PlacedReport:
    """An open report with its place: lon, lat in WGS84 degrees, and what its reporter called it."""

    report: IncomingReport
    lon: float
    lat: float
    place: str


def placed_reports(store: Store, *, by: Account, now: datetime) -> list[PlacedReport]:
    """Return the open reports ``by`` may see with their places, urgent ones first, then newest first, at most MOST.

    That ``by`` read them is written down: once an hour, and whenever there are new ones.
    Raises NotAllowedError where ``by`` may not read places or does not direct reports.
    """
    require(by.role, "direct_reports")
    require(by.role, "read_private")
    found = reports(store, by=by, states=OPEN_STATES, limit=MOST)
    if not found:
        return []
    query = select(INCOMING_REPORT.c.id, INCOMING_REPORT.c.geometry, INCOMING_REPORT.c.place)
    query = query.where(INCOMING_REPORT.c.id.in_([one.id for one in found]), *visible(store, by))
    with store.transaction() as connection:
        at = {row.id: row for row in connection.execute(query)}
    _write_down(store, by, max(one.id for one in found), len(found), now)
    return [
        PlacedReport(one, at[one.id].geometry.x, at[one.id].geometry.y, at[one.id].place)
        for one in found
        if one.id in at
    ]


def same_person(placed: Sequence[PlacedReport]) -> dict[int, list[tuple[int, float]]]:
    """Return for each report the others that may mean the same person, as (id, metres), the nearest first.

    Two reports may when they share a need and lie no farther apart than ``nearby_m`` of the needs they share.
    """
    if not placed:
        return {}
    lon, lat = np.array([(one.lon, one.lat) for one in placed]).T
    x, y = to_metric(lon, lat, metric_crs(float(lon.mean()), float(lat.mean())))
    found: dict[int, list[tuple[int, float]]] = {}
    for i, one in enumerate(placed):
        away = np.hypot(x - x[i], y - y[i])
        near = []
        for j in np.argsort(away, kind="stable"):
            common = set(one.report.needs) & set(placed[j].report.needs)
            if j != i and common and away[j] <= nearby_m(common):
                near.append((placed[j].report.id, float(away[j])))
        found[one.report.id] = near
    return found


def _write_down(store: Store, by: Account, newest: int, count: int, now: datetime) -> None:
    last = select(AUDIT_ENTRY.c.detail).where(
        AUDIT_ENTRY.c.account_id == by.id, AUDIT_ENTRY.c.action == _READ, AUDIT_ENTRY.c.at >= stored(now - _ONCE_IN)
    )
    with store.transaction() as connection:
        known = [int(json.loads(detail)["newest"]) for detail in connection.scalars(last)]
    if max(known, default=-1) >= newest:
        return
    with store.transaction(writes=True) as connection:
        append(
            connection, at=now, account_id=by.id, action=_READ, object=f"area:{by.area_code}", area_code=by.area_code,
            detail={"reports": count, "newest": newest},
        )  # fmt: skip
