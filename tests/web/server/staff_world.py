"""Reports in the demo town's areas, for the tests of the staff's pages."""

import io
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache

from flask import Flask
from PIL import Image
from sqlalchemy import update

from layers.accounts import Account
from layers.casebook import IncomingReport, move, report
from layers.intake import NewReport, receive
from layers.schema import INCOMING_REPORT
from layers.store import Store
from tests.web.server.staff import store_of


def send(app: Flask, area: str, *, contact: str = "13900000000", photo: bool = False, **more: object) -> int:
    """Let somebody report from the middle of the first community of an area; return the report's number."""
    lon, lat = middle(app, area)
    said = {"needs": ("food_clothes",), "place": "桥下", "note": "老人躺着", "contact": contact, **more}
    receipt = receive(
        store_of(app), NewReport(lon, lat, **said), submission_key=str(uuid.uuid4()), secret=b"s" * 32,  # type: ignore[arg-type]
        now=datetime.now(UTC) - timedelta(hours=1), photo_jpeg=jpeg() if photo else None,
    )  # fmt: skip
    return receipt.id


_MIDDLES: dict[str, tuple[float, float]] = {}


def middle(app: Flask, area: str) -> tuple[float, float]:
    """Return a place inside an area: the demo town is the same in every test."""
    if area not in _MIDDLES:
        areas = store_of(app).load("areas", "community")
        inside = areas[areas["code"].str.startswith(area.rstrip("0"))].sort_values("code")
        place = inside.geometry.iloc[0].representative_point()
        _MIDDLES[area] = (place.x, place.y)
    return _MIDDLES[area]


@cache
def jpeg() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 6), (120, 140, 90)).save(written, "JPEG")
    return written.getvalue()


def take(store: Store, number: int, to: str, by: Account, **more: object) -> IncomingReport:
    """Take a report one step further."""
    version = report(store, number, by=by).version
    return move(store, number, to, by=by, version=version, now=datetime.now(UTC), **more)  # type: ignore[arg-type]


def put(store: Store, number: int, area: str) -> None:
    """Put a report into an area by its code alone."""
    with store.transaction(writes=True) as connection:
        connection.execute(update(INCOMING_REPORT).where(INCOMING_REPORT.c.id == number).values(area_code=area))
