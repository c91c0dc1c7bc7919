"""A small city with somebody in every role, and reports that come in."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from layers.accounts import Account, NewAccount, create_account
from layers.casebook import IncomingReport, move, report
from layers.intake import NewReport, Receipt, receive
from layers.scope import Scope
from layers.store import Store
from tests.layers.conftest import CITY, NOON, SOUTH, TABLES, WEST

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)  # noon in the city
SECRET = b"a secret of sixteen bytes"
DISTRICT, HERE, THERE = "320102000000", "320102002000", "320102003000"
#: A place in HERE, one in THERE, one between them that is the city's alone, one outside.
IN_HERE, IN_THERE, BETWEEN, OUTSIDE = (
    (WEST + 0.005, SOUTH + 0.005), (WEST + 0.015, SOUTH + 0.005), (WEST + 0.025, SOUTH + 0.005), (WEST - 0.5, SOUTH)
)  # fmt: skip
NEW = NewReport(*IN_HERE, ("food_clothes",), 2, "桥洞下", "穿蓝色外套", "13800000000")
JPEG = b"\xff\xd8\xff\xe0 a photo"


@dataclass(frozen=True)
class ReportCity:
    """The whole store, and an account in each role; ``as_`` is what one of them sees."""

    store: Store
    supervisor: Account
    worker: Account
    colleague: Account
    neighbour: Account
    centre: Account
    hospital: Account
    station: Account
    planner: Account
    administrator: Account

    def as_(self, account: Account) -> Store:
        return self.store.within(Scope.of(account.area_code))

    def receive(self, place: tuple[float, float] = IN_HERE, *, now: datetime = NOW, **changes: object) -> int:
        return received(self.store, place, now=now, **changes).id

    def move(self, report_id: int, *steps: str, by: Account | None = None, **given: object) -> IncomingReport:
        """Take steps by the supervisor, the last one with what is given."""
        who = by or self.supervisor
        found = report(self.store, report_id, by=self.supervisor)
        for i, step in enumerate(steps):
            more = given if i == len(steps) - 1 else {}
            if step == "assigned" and "assignee" not in more:
                more = {**more, "assignee": self.worker.id}
            found = move(self.as_(who), report_id, step, by=who, version=found.version, now=NOW, **more)  # type: ignore[arg-type]
        return found

    def helped(self, report_id: int, outcome: str = "guided") -> IncomingReport:
        return self.move(report_id, "assigned", "on_the_way", "helped", outcome=outcome)


def received(
    store: Store, place: tuple[float, float] = IN_HERE, *, now: datetime = NOW, key: str = "",
    photo_jpeg: bytes | None = None, **changes: object,
) -> Receipt:  # fmt: skip
    new = replace(NEW, lon=place[0], lat=place[1], **changes)  # type: ignore[arg-type]
    submission_key = key or str(uuid.uuid4())
    return receive(store, new, submission_key=submission_key, secret=SECRET, now=now, photo_jpeg=photo_jpeg)


def with_areas(store: Store) -> Store:
    for part in ("city", "subdistrict"):
        store.import_layer("areas", part, TABLES["areas", part](), source="file", sha256="0" * 64, now=NOON)
    return store


def build(store: Store) -> ReportCity:
    with_areas(store)

    def account(username: str, role: str, area_code: str, receiver: str = "") -> Account:
        new = NewAccount(username, f"名{username}", role, area_code, "hash", f"unique {username}", receiver)
        return create_account(store, new, by=None, now=NOW)

    return ReportCity(
        store,
        supervisor=account("supervisor", "supervisor", DISTRICT),
        worker=account("worker", "grid_worker", HERE),
        colleague=account("colleague", "grid_worker", HERE),
        neighbour=account("neighbour", "supervisor", THERE),
        centre=account("centre", "guidance_centre", CITY),
        hospital=account("hospital", "partner", CITY, "hospital"),
        station=account("station", "partner", CITY, "rescue_station"),
        planner=account("planner", "planner", CITY),
        administrator=account("administrator", "administrator", CITY),
    )
