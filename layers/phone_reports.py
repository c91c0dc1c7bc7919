"""A discovery that a grid worker reports from the street: received once, and taken as far as its outcome says."""

from datetime import datetime
from typing import Any

from gis.errors import RecordError
from layers.accounts import Account, partners_for
from layers.casebook import move, report
from layers.intake import MOST_NOTE, NewReport, receive
from layers.phone_events import PhoneEvent, PhoneRefusedError
from layers.point_area import area_of_point
from layers.referrals import refer, referrals
from layers.report_states import OUTCOMES, RECEIVERS
from layers.store import Store

#: The states a report goes through under the hands of who found the person.
_PATH = ("received", "assigned", "on_the_way", "helped")


def take_report(
    store: Store, own: Store, event: PhoneEvent, *, by: Account, secret: bytes, photo_jpeg: bytes | None = None
) -> dict[str, Any]:
    """Receive the report of a phone's event, once, and take it to its outcome; return what to keep of the event.

    store : of the whole city, for a route may lead out of the worker's own area; own : as ``by`` sees it. The report
    is received at the moment it was made. One outside the area of ``by`` stays "received" for those it belongs to,
    with the outcome among its words; so does one that somebody else has taken on meanwhile.
    Raises FaultsError, PhoneRefusedError or another RecordError where it cannot stand; then no report is made.
    """
    said = event.content
    outcome, receiver = said["outcome"], said["receiver"]
    _check(outcome, receiver)
    mine = _in_area(store, own, said["lon"], said["lat"])
    new = NewReport(
        said["lon"], said["lat"], tuple(said["needs"]), said["people"], said["place"],
        said["note"] if mine else _with_outcome(said["note"], outcome), channel="patrol",
    )  # fmt: skip
    receipt = receive(
        store, new, submission_key=said["key"], secret=secret, now=event.at, photo_jpeg=photo_jpeg, account_id=by.id
    )
    state = _followed(own, receipt.id, outcome, receiver, by, event.at) if mine and outcome else "received"
    return {"report": receipt.id, "outcome": outcome, "state": state}


def _check(outcome: str, receiver: str) -> None:
    if outcome not in ("", *OUTCOMES):
        raise PhoneRefusedError(f"没有这种处置结果：{outcome[:40]}", f"there is no outcome {outcome[:40]!r}")
    if (outcome == "referred") != (receiver in RECEIVERS) or (receiver and outcome != "referred"):
        raise PhoneRefusedError(
            "“已转介”须选择救助站、医院或公安", "“referred” needs a rescue station, a hospital or the police"
        )


def _in_area(store: Store, own: Store, lon: float, lat: float) -> bool:
    with store.transaction() as connection:
        code = area_of_point(connection, lon, lat)
    return code is not None and (own.scope is None or own.scope.holds(code))


def _with_outcome(note: str, outcome: str) -> str:
    if not outcome:
        return note
    words = OUTCOMES[outcome]
    added = f"\n【网格员当场处置：{words.zh} / the worker on the spot: {words.en}】"
    return f"{note}{added}".strip() if len(note) + len(added) <= MOST_NOTE else note


def _followed(own: Store, report_id: int, outcome: str, receiver: str, by: Account, at: datetime) -> str:
    """Take a report from where it is to "helped", as far as it is in the hands of ``by``; return where it stands."""
    state = "received"
    try:
        found = report(own, report_id, by=by)
        while (state := found.state) in _PATH[:-1]:
            following = _PATH[_PATH.index(state) + 1]
            if following == "helped" and outcome == "referred" and not referrals(own, by=by, report_id=report_id):
                _refer(own, report_id, found.area_code, receiver, by, at)
            found = move(
                own, report_id, following, by=by, version=found.version, now=at,
                assignee=by.id if following == "assigned" else None, outcome=outcome if following == "helped" else "",
            )  # fmt: skip
    except RecordError:  # others have taken it on since: theirs is the say, and the report is there
        pass
    return state


def _refer(own: Store, report_id: int, area_code: str, receiver: str, by: Account, at: datetime) -> None:
    """Refer a report to the one partner of its kind, or to none in particular where there are several or none."""
    partners = [partner.id for partner in partners_for(own, area_code) if partner.receiver == receiver]
    made_to = partners[0] if len(partners) == 1 else None
    refer(own, report_id, receiver=receiver, place="", by=by, now=at, made_to=made_to)
