"""What a passer-by typed into the form, read into a report; faults are told all at once, each beside its field."""

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore

from werkzeug.datastructures import FileStorage, MultiDict

from gis.errors import FileRefusedError
from gis.photos import reencode_photo
from layers.intake import MOST_NOTE, NewReport
from layers.report_states import NEEDS
from web.server.language import _, language, said
from web.server.place_search import LONGEST_QUERY, Place, Places

MOST_PHOTO_BYTES = 10 << 20
#: Photos redrawn at the same time; each takes a process.
_DRAWING = BoundedSemaphore(2)
#: A report sent later than this after it was written says so.
LATE, LATEST = timedelta(minutes=10), timedelta(days=4)
#: In the page's order.
FIELDS = ("position", "place", "needs", "people", "note", "contact", "photo", "website")


@dataclass(frozen=True, slots=True)
class Entry:
    """A form as read.

    new : the report, with a place and a number of people that cannot stand where the form has none that can.
    photo_jpeg : redrawn. places : of the name typed, to choose from where none is chosen yet.
    faults : field of ``FIELDS`` -> sentence in the reader's language; those that only this form can have.
    """

    new: NewReport
    photo_jpeg: bytes | None
    places: tuple[Place, ...]
    faults: dict[str, str]


def is_submission_key(text: str) -> bool:
    """Return whether ``text`` is a random UUID, written as usual."""
    try:
        key = uuid.UUID(text)
    except ValueError:
        return False
    return key.version == 4 and str(key) == text


def read_entry(filled: "MultiDict[str, str]", photo: FileStorage | None, places: Places, now: datetime) -> Entry:
    """Read a filled form; what only the store can know, whether the place is in the city say, is not checked here."""
    faults: dict[str, str] = {}
    at, offered = position_of(filled), places_named(filled, places)
    if at is None:
        faults["position"] = _no_position(filled, offered)
    people = _people(filled.get("people", ""))
    if people is None:
        faults["people"] = _("人数请填整数，例如 1。")
    if filled.get("website"):
        faults["website"] = _("这一栏请留空：它用来挡住自动程序。")
    jpeg = _photo(photo, faults)
    report = _report(filled, at or (math.nan, math.nan), people or 0, now)
    return Entry(report, jpeg, offered if at is None else (), faults)


def sentences(faults: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the store's faults of the page's fields in the reader's language."""
    which, stop = (0, "。") if language() == "zh" else (1, ".")
    told = {name: faults[name][which] for name in FIELDS if name in faults}
    return {name: text[0].upper() + text[1:].rstrip("。.") + stop for name, text in told.items()}


def position_of(filled: "MultiDict[str, str]") -> tuple[float, float] | None:
    """Return the place chosen from the names offered, else the one under the crosshair; None where there is neither."""
    texts = (filled.get("match") or f"{filled.get('lon', '')},{filled.get('lat', '')}").split(",")
    try:
        lon, lat = map(float, texts)
    except ValueError:
        return None
    return (lon, lat) if abs(lon) <= 180 and abs(lat) <= 90 else None


def places_named(filled: "MultiDict[str, str]", places: Places) -> tuple[Place, ...]:
    """Return the places of the city that the name typed may mean, or else the description of the place."""
    for words in (filled.get("street", ""), filled.get("place", "")):
        if words.strip() and (found := places.search(words.strip()[:LONGEST_QUERY])):
            return tuple(found)
    return ()


def _no_position(filled: "MultiDict[str, str]", offered: tuple[Place, ...]) -> str:
    if offered:
        return _("请在下列地点中选一个最近的。")
    if filled.get("street", "").strip():
        return _("没有找到这个名称。请换一条附近道路、社区或服务点的名称。")
    return _("请标出地点：移动地图使准星对准，或输入道路名称查找。")


def _people(text: str) -> int | None:
    text = text.strip() or "1"
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def _report(filled: "MultiDict[str, str]", at: tuple[float, float], people: int, now: datetime) -> NewReport:
    needs = tuple(need for need in NEEDS if need in filled.getlist("needs"))
    place, note, contact = (filled.get(name, "").strip() for name in ("place", "note", "contact"))
    street = filled.get("street", "").strip()
    if filled.get("match") and street and street not in place:
        place = f"{street} {place}".strip()
    late = _late(filled.get("written_at", ""), now)
    return NewReport(
        *at, needs, people, place, f"{note}{late}" if len(note) + len(late) <= MOST_NOTE else note, contact
    )


def _late(written: str, now: datetime) -> str:
    """Say when a report was written that waited on a phone: whoever goes there must know how old it is."""
    if not (written.isascii() and written.isdigit() and len(written) <= 13):
        return ""
    moment = datetime.fromtimestamp(int(written) / 1000, UTC)
    if not LATE < now - moment < LATEST:
        return ""
    hours, minutes = divmod(int((now - moment).total_seconds()) // 60, 60)
    return f"\n【写好 {hours} 小时 {minutes} 分钟后才有网络发出 / sent {hours} h {minutes} min after it was written】"


def _photo(photo: FileStorage | None, faults: dict[str, str]) -> bytes | None:
    data = photo.read(MOST_PHOTO_BYTES + 1) if photo is not None else b""
    if not data:
        return None
    if len(data) > MOST_PHOTO_BYTES:
        faults["photo"] = _("照片超过 10 MB，请换一张小一些的，或不附照片。")
        return None
    try:
        with _DRAWING:
            return reencode_photo(data)
    except FileRefusedError as error:
        faults["photo"] = _("照片不能用：%(said)s。可以换一张，或不附照片。", said=said(error))
        return None
