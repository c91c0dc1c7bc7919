"""What becomes of reports in the end: those helped enter the city's records, and what is private is blanked in time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sqlalchemy import Connection, delete, select, text, update

from gis.errors import StoreError
from layers.geometry_type import SRID
from layers.moments import aware, stored
from layers.placing import area_codes
from layers.report_log import write_entry
from layers.rows import canonical_table, content_sha256
from layers.schema import INCOMING_REPORT, LAYER_VERSION, PHOTO, REFERRAL, REPORT_STEP
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE
from layers.version_rows import LayerVersion, NewVersion, RowWriter, active_versions, load_rows

#: How a report that came in is called among the city's discovery reports: this and its number.
ID_PREFIX = "incoming-"
#: Where a person was found is kept this coarsely (about 1 km) once a report is purged: decimals of a degree.
_PURGED_DECIMALS = 2
_A_TRANSACTION = 500


def to_layer(store: Store, *, now: datetime) -> LayerVersion | None:
    """Make every report that led to an outcome a row of the ``reports`` layer, in one import beside what is there.

    A row is found at the city's local time and bears the report's number, so that doing it again changes nothing; one
    whose outcome was taken back leaves the layer again, one purged since stays as it was. None where nothing is new.
    Raises StoreError on a scoped store.
    """
    _whole(store)
    zone = ZoneInfo(store.setting("timezone") or DEFAULT_TIMEZONE)
    with store.transaction(writes=True) as connection:
        if connection.dialect.name == "postgresql":  # nobody imports between reading the layer and writing it again
            connection.execute(text(f"LOCK TABLE {LAYER_VERSION.name} IN SHARE ROW EXCLUSIVE MODE"))
        before = next((v for v in active_versions(connection) if v.layer == "reports"), None)
        table = canonical_table("reports", _merged(connection, before, zone))
        approximate = before is not None and before.approximate
        content = content_sha256("reports", table, approximate=approximate)
        if len(table) == 0 if before is None else content == before.content_sha256:
            return None
        new = NewVersion(
            "reports", "", table, "incoming reports", content, before.note if before else "", approximate=approximate
        )  # fmt: skip
        return RowWriter(connection).insert(new, table, stored(now))


def _merged(connection: Connection, before: LayerVersion | None, zone: ZoneInfo) -> gpd.GeoDataFrame:
    """Return the layer's rows that did not come from here, or whose report is purged, and those of all outcomes."""
    report = INCOMING_REPORT.c
    helped = select(INCOMING_REPORT).where(report.outcome != "", report.state.in_(("helped", "closed")))
    fresh = _layer_rows(connection.execute(helped.where(report.purged_at.is_(None))).all(), zone)
    if before is None:
        return fresh
    purged = {f"{ID_PREFIX}{i}" for i in connection.scalars(select(report.id).where(report.purged_at.is_not(None)))}
    kept = load_rows(connection, before)
    stays = ~kept["report_id"].str.startswith(ID_PREFIX) | kept["report_id"].isin(purged)
    parts = [part for part in (kept[stays], fresh) if len(part)]
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=SRID) if parts else fresh


def _layer_rows(rows: Sequence[Any], zone: ZoneInfo) -> gpd.GeoDataFrame:
    found_at = [aware(row.received_at).astimezone(zone).replace(tzinfo=None) for row in rows]
    columns = {
        "report_id": [f"{ID_PREFIX}{row.id}" for row in rows],
        "found_at": pd.Series(found_at, dtype="datetime64[us]"),
        "channel": [row.channel for row in rows],
        "outcome": [row.outcome for row in rows],
        "people": [row.people for row in rows],
    }
    return gpd.GeoDataFrame(columns, geometry=np.array([row.geometry for row in rows], object), crs=SRID)


def purge(store: Store, before: datetime, *, now: datetime, account_id: int | None = None) -> int:
    """Blank contact, note, place and photos of reports last touched before ``before``; return how many they were.

    Ended or not: what nobody has worked on for so long helps nobody any more, and its words must not stay. So are the
    words of their referrals: where somebody was taken, and by whom received. Their number, times, needs, outcome and
    area stay; where it was stays to about a kilometre, so ``to_layer`` comes first. Some hundred reports a transaction,
    each in the audit log. Raises StoreError on a scoped store.
    """
    _whole(store)
    report = INCOMING_REPORT.c
    due = select(report.id, report.area_code, report.geometry).where(
        report.changed_at < stored(before), report.purged_at.is_(None)
    )
    count = 0
    while True:
        with store.transaction(writes=True) as connection:
            rows = connection.execute(due.order_by(report.id).limit(_A_TRANSACTION).with_for_update()).all()
            _blank(connection, rows, now)
            for row in rows:
                write_entry(connection, row.id, "purge", at=now, account_id=account_id, area_code=row.area_code)
        count += len(rows)
        if len(rows) < _A_TRANSACTION:
            return count


def _blank(connection: Connection, rows: Any, now: datetime) -> None:
    ids = [row.id for row in rows]
    connection.execute(delete(PHOTO).where(PHOTO.c.report_id.in_(ids)))
    connection.execute(update(REPORT_STEP).where(REPORT_STEP.c.report_id.in_(ids)).values(note=""))
    connection.execute(update(REFERRAL).where(REFERRAL.c.report_id.in_(ids)).values(place="", received_by=""))
    for row in rows:
        roughly = shapely.Point(*(round(degrees, _PURGED_DECIMALS) for degrees in (row.geometry.x, row.geometry.y)))
        values = {
            "contact": "", "note": "", "place": "", "geometry": roughly, "purged_at": stored(now),
            "version": INCOMING_REPORT.c.version + 1,
        }  # fmt: skip
        connection.execute(update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == row.id).values(values))


def place_again(store: Store, *, now: datetime) -> int:
    """Find the area of every report anew after boundaries were imported; return how many moved.

    One that lies outside all of them now is the whole city's. Purged reports stay: their place is too coarse.
    """
    _whole(store)
    report = INCOMING_REPORT.c
    query = select(report.id, report.area_code, report.geometry).where(report.purged_at.is_(None)).order_by(report.id)
    with store.transaction(writes=True) as connection:
        areas = {v.part: load_rows(connection, v) for v in active_versions(connection) if v.layer == "areas"}
        rows = connection.execute(query).all()
        places = gpd.GeoDataFrame(geometry=np.array([row.geometry for row in rows], object), crs=SRID)
        codes = area_codes("reports", places, areas, {})
        moved = [(row, str(code)) for row, code in zip(rows, codes, strict=True) if code not in ("", row.area_code)]
        for row, code in moved:
            connection.execute(update(INCOMING_REPORT).where(report.id == row.id).values(area_code=code))
        for row, code in moved:
            was = {"before": row.area_code}
            write_entry(connection, row.id, "place_again", at=now, account_id=None, area_code=code, detail=was)
    return len(moved)


def _whole(store: Store) -> None:
    if store.scope is not None:
        raise StoreError("本账号不能改动全市数据", "the whole city's records cannot be changed from one area")
