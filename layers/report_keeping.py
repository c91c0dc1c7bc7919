"""What becomes of reports in the end: those helped enter the city's records, and what is private is blanked in time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, delete, select, text, update

from layers.audit import append
from layers.codes import normalise_code
from layers.geometry_type import SRID
from layers.moments import aware, stored
from layers.placing import area_codes
from layers.report_log import write_entry
from layers.rows import canonical_table, content_sha256
from layers.schema import DERIVED, INCOMING_REPORT, LAYER_VERSION, PHOTO, REFERRAL, REPORT_STEP, SETTING
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
    zone = ZoneInfo(store.setting("timezone") or DEFAULT_TIMEZONE)
    with store.writing() as connection:
        before = _alone_with_layer(connection)
        table = canonical_table("reports", _merged(connection, before, zone))
        approximate = before is not None and before.approximate
        content = content_sha256("reports", table, approximate=approximate)
        if len(table) == 0 if before is None else content == before.content_sha256:
            return None
        new = NewVersion(
            "reports", "", table, "incoming reports", content, before.note if before else "", approximate=approximate
        )  # fmt: skip
        return RowWriter(connection).insert(new, table, stored(now))


def coarsen(store: Store, before: datetime, *, now: datetime) -> int:
    """Keep where the layer's reports found before ``before`` were to about a kilometre; return how many it changed.

    They make a new version, marked as approximate, in the place of all others: those knew better, and so did what was
    derived from them. A row that stands for a report which is not purged yet stays as it is, or ``to_layer`` would
    bring its place back. In the audit log as the whole city's. Raises StoreError on a scoped store.
    """
    zone = ZoneInfo(store.setting("timezone") or DEFAULT_TIMEZONE)
    limit = before.astimezone(zone).replace(tzinfo=None)
    with store.writing() as connection:
        known = _alone_with_layer(connection)
        if known is None:
            return 0
        table = load_rows(connection, known)
        exact = _row_ids(connection, INCOMING_REPORT.c.purged_at.is_(None))
        places = np.asarray(table.geometry, object)
        roughly = _roughly(places)
        changed = (table["found_at"] < limit) & ~table["report_id"].isin(exact) & ~shapely.equals(places, roughly)
        count = int(changed.sum())
        if count:
            table = canonical_table("reports", table.set_geometry(np.where(changed, roughly, places), crs=SRID))
            new = NewVersion(
                "reports", "", table, known.source, known.file_sha256, known.note, known.rejected, True, known.datum
            )  # fmt: skip
            RowWriter(connection).insert(new, table, stored(now))
            connection.execute(delete(DERIVED).where(DERIVED.c.key.startswith("places:reports:")))
        older = (LAYER_VERSION.c.layer == "reports") & ~LAYER_VERSION.c.active
        versions = connection.execute(delete(LAYER_VERSION).where(older)).rowcount
        if versions:
            city = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "city_code"))
            append(
                connection, at=now, account_id=None, action="coarsen_reports", object="layer:reports",
                area_code=normalise_code(city) if city else "", detail={"rows": count, "versions": versions},
            )  # fmt: skip
    return count


def _alone_with_layer(connection: Connection) -> LayerVersion | None:
    """Return the layer's active version, which nobody replaces before the transaction ends; None without one."""
    if connection.dialect.name == "postgresql":  # on SQLite every writer is alone
        connection.execute(text(f"LOCK TABLE {LAYER_VERSION.name} IN SHARE ROW EXCLUSIVE MODE"))
    return next((v for v in active_versions(connection) if v.layer == "reports"), None)


def _row_ids(connection: Connection, which: ColumnElement[bool]) -> set[str]:
    """Return what the layer calls the reports for which ``which`` holds."""
    return {f"{ID_PREFIX}{number}" for number in connection.scalars(select(INCOMING_REPORT.c.id).where(which))}


def _roughly(places: Any) -> NDArray[np.object_]:
    """Return points moved to the nearest full ``_PURGED_DECIMALS`` of a degree."""
    rounded = [[round(degrees, _PURGED_DECIMALS) for degrees in of] for of in shapely.get_coordinates(places).tolist()]
    return np.asarray(shapely.points(np.reshape(rounded, (-1, 2))), object)


def _merged(connection: Connection, before: LayerVersion | None, zone: ZoneInfo) -> gpd.GeoDataFrame:
    """Return the layer's rows that did not come from here, or whose report is purged, and those of all outcomes."""
    report = INCOMING_REPORT.c
    helped = select(INCOMING_REPORT).where(report.outcome != "", report.state.in_(("helped", "closed")))
    fresh = _layer_rows(connection.execute(helped.where(report.purged_at.is_(None))).all(), zone)
    if before is None:
        return fresh
    kept = load_rows(connection, before)
    purged = _row_ids(connection, report.purged_at.is_not(None))
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
    report = INCOMING_REPORT.c
    due = select(report.id, report.area_code, report.geometry).where(
        report.changed_at < stored(before), report.purged_at.is_(None)
    )
    count = 0
    while True:
        with store.writing() as connection:
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
    for row, place in zip(rows, _roughly([row.geometry for row in rows]), strict=True):
        values = {
            "contact": "", "note": "", "place": "", "geometry": place, "purged_at": stored(now),
            "version": INCOMING_REPORT.c.version + 1,
        }  # fmt: skip
        connection.execute(update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == row.id).values(values))


def place_again(store: Store, *, now: datetime) -> int:
    """Find the area of every report anew after boundaries were imported; return how many moved.

    One that lies outside all of them now is the whole city's. Purged reports stay: their place is too coarse.
    """
    report = INCOMING_REPORT.c
    query = select(report.id, report.area_code, report.geometry).where(report.purged_at.is_(None)).order_by(report.id)
    with store.writing() as connection:
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
