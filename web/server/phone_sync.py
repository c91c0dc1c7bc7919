"""What phones send: read from JSON, kept by ``layers.phone``, and answered so that a phone knows what it may forget."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from gis.errors import FileRefusedError
from gis.photos import reencode_photo
from layers.phone import GapError, Kept, keep_events
from layers.phone_events import PhoneEvent, PhoneRefusedError
from layers.phone_reports import take_report
from web.server.access import account, needs, own_store, whole_store
from web.server.app import derived_key
from web.server.city import now
from web.server.errors import problem
from web.server.parameters import sent_json

#: Of one sending: a report with a photo travels alone.
MOST_BYTES, MOST_PHOTO_BYTES = 8 << 20, 5 << 20

pages = Blueprint("phone_sync", __name__, url_prefix="/phone")


@pages.post("/events")
@needs("walk_patrol")
def events() -> Response:
    """Keep the events of one sending: {account, device, sent_at, events: [{number, at, kind, ...}]}.

    200 {kept, rejected, dropped}: all up to ``kept`` are here and may be forgotten, but for those rejected, each with
    the reason, for which it is 422. 409 {kept}: send again from the number after it. 403: the phone holds the events of
    another account. 422 without ``kept``: nothing of it could be read.
    """
    if (request.content_length or 0) > MOST_BYTES:
        return problem(413, "一次上传的内容太大", "this is too much to send at once")
    sent = sent_json()
    if not isinstance(sent, dict) or not isinstance(sent.get("events"), list):
        return problem(422, "上传的内容无法读取", "what was sent cannot be read")
    me = account()
    if sent.get("account") not in (None, me.id):
        return problem(
            403, "手机里存的是另一个账号的记录，请用那个账号登录", "these are another account's: sign in as that one"
        )
    photos = _Photos(sent["events"])
    try:
        kept = keep_events(
            own_store(), sent["events"], by=me, device=sent.get("device", ""), now=now(),
            sent_at_ms=sent.get("sent_at"), take_report=lambda event: _taken(event, photos),
        )  # fmt: skip
    except GapError as gap:
        return problem(409, gap.zh, gap.en, kept=gap.last)
    except PhoneRefusedError as error:
        return problem(422, error.zh, error.en)
    return _answer(kept)


def _answer(kept: Kept) -> Response:
    rejected = [{"number": one.number, "zh": one.zh, "en": one.en} for one in kept.rejected]
    answer = jsonify(kept=kept.last, rejected=rejected, dropped=kept.dropped)
    answer.status_code = 422 if rejected else 200
    return answer


def _taken(event: PhoneEvent, photos: "_Photos") -> Mapping[str, Any]:
    """Take a report in; it is received in the whole city, for a route may lead out of the worker's area."""
    secret = derived_key(current_app.extensions["lamplight.settings"], "report-token").encode()
    return take_report(
        whole_store(), own_store(), event, by=account(), secret=secret, photo_jpeg=photos.of(event.number)
    )


class _Photos:
    """The photos of a sending, each redrawn when it is asked for."""

    def __init__(self, given: list[Any]) -> None:
        self._given = {one["number"]: one.get("photo") for one in given if isinstance(one, dict) and "number" in one
                       and isinstance(one["number"], int)}  # fmt: skip

    def of(self, number: int) -> bytes | None:
        """Return the photo of an event as JPEG; raises PhoneRefusedError where it is none."""
        text = self._given.get(number)
        if text is None:
            return None
        try:
            data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
            if not 0 < len(data) <= MOST_PHOTO_BYTES:
                raise PhoneRefusedError("照片太大或为空", "the photo is too large or empty")
            return reencode_photo(data)
        except (binascii.Error, ValueError, FileRefusedError) as error:
            if isinstance(error, PhoneRefusedError):
                raise
            raise PhoneRefusedError(
                "照片不能用，请去掉照片后再发", "the photo cannot be used: send it without"
            ) from None


def register(app: Flask) -> None:
    """Add what phones send to the application."""
    app.register_blueprint(pages)
