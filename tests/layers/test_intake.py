"""Reports come in exactly once, whole or not at all, and say nothing private to whoever holds a link."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields, replace
from datetime import date, timedelta

import geopandas as gpd
import pandas as pd
import pytest
import sqlalchemy as sa

from layers.audit import entries
from layers.audit_check import verify
from layers.casebook import UnknownReportError, private_part, report
from layers.connection import transaction
from layers.intake import FaultyReportError, NearbyReport, nearby_reports, receive, status
from layers.report_states import ORDINARY, URGENT
from layers.schema import INCOMING_REPORT, PHOTO, REPORT_STEP
from layers.scope import Scope
from layers.store import Store
from tests.layers.conftest import CITY, NOON
from tests.layers.report_city import (
    BETWEEN,
    HERE,
    IN_HERE,
    IN_THERE,
    JPEG,
    NEW,
    NOW,
    OUTSIDE,
    SECRET,
    THERE,
    ReportCity,
    build,
    received,
    with_areas,
)

KEY = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


@pytest.fixture
def served(store: Store) -> Store:
    return with_areas(store)


def count(store: Store, table: sa.Table) -> int:
    with transaction(store._engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_report_is_kept_whole(city: ReportCity) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    kept = report(city.store, receipt.id, by=city.supervisor)
    assert (kept.state, kept.needs, kept.people, kept.area_code, kept.channel, kept.version) == (
        "received", ("food_clothes",), 2, HERE, "public", 1
    )  # fmt: skip
    assert kept.received_at == kept.changed_at == NOW
    private = private_part(city.store, receipt.id, by=city.supervisor, now=NOW)
    assert (private.lon, private.lat, private.place, private.note, private.contact, len(private.photos)) == (
        *IN_HERE, NEW.place, NEW.note, NEW.contact, 1
    )  # fmt: skip


def test_the_same_submission_gives_the_same_receipt_and_no_second_report(served: Store) -> None:
    first = received(served, key=KEY, photo_jpeg=JPEG)
    again = received(served, OUTSIDE, key=KEY.upper(), needs=("medical",), now=NOW + timedelta(days=1))
    assert (again.id, again.token) == (first.id, first.token)
    assert (first.again, again.again) == (False, True)
    assert [count(served, table) for table in (INCOMING_REPORT, REPORT_STEP, PHOTO)] == [1, 1, 1]
    assert len(entries(served, action="receive")) == 1


def test_submissions_at_the_same_moment_are_one_report(served: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: received(served, key=KEY, photo_jpeg=JPEG), range(16)))
    assert len({(r.id, r.token) for r in receipts}) == 1
    assert [r.again for r in receipts].count(False) == 1
    assert [count(served, table) for table in (INCOMING_REPORT, REPORT_STEP, PHOTO)] == [1, 1, 1]


def test_many_reports_at_the_same_moment_are_all_kept(served: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda _: received(served), range(24)))
    assert len({r.id for r in receipts}) == len({r.token for r in receipts}) == 24
    assert (verify(served).entries, verify(served).problems) == (24, ())


def test_neither_key_nor_token_is_kept_nor_made_without_the_secret(served: Store) -> None:
    receipt = received(served, key=KEY)
    with transaction(served._engine) as connection:
        row = str(connection.execute(sa.select(INCOMING_REPORT)).one())
    assert receipt.token not in row and KEY not in row and KEY.replace("-", "") not in row
    assert len(receipt.token) == 43
    other = receive(served, NEW, submission_key=KEY, secret=b"another secret, as long", now=NOW)
    assert other.id == receipt.id and other.token != receipt.token
    assert status(served, other.token).state == "received"  # the link given last is the one that opens


@pytest.mark.parametrize("key", ["", "x", "1", str(uuid.UUID(int=0)), "6fa459ea-ee8a-11ef-8b5a-0242ac120002", "a" * 32])
def test_a_key_that_could_be_guessed_is_refused(sqlite_store: Store, key: str) -> None:
    with pytest.raises(FaultyReportError) as refused:
        receive(sqlite_store, NEW, submission_key=key, secret=SECRET, now=NOW)
    assert set(refused.value.faults) == {"submission_key"}


def test_a_short_secret_is_refused(sqlite_store: Store) -> None:
    with pytest.raises(ValueError, match="too short"):
        receive(sqlite_store, NEW, submission_key=KEY, secret=b"short", now=NOW)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("lon", float("nan"), "position"), ("lat", 91.0, "position"), ("lon", float("inf"), "position"),
        ("lon", -181.0, "position"), ("needs", (), "needs"), ("needs", ("gold",), "needs"), ("people", 0, "people"),
        ("people", 100, "people"), ("people", True, "people"), ("place", "x" * 201, "place"),
        ("place", "a\nb", "place"), ("note", "x" * 2001, "note"), ("note", "a\x00b", "note"),
        ("note", "a\u202eb", "note"), ("contact", "x" * 101, "contact"), ("contact", "a\x07", "contact"),
        ("channel", "pigeon", "channel"), ("lon", OUTSIDE[0], "position"),
    ],
)  # fmt: skip
def test_each_field_is_checked(sqlite_store: Store, field: str, value: object, fault: str) -> None:
    with_areas(sqlite_store)
    with pytest.raises(FaultyReportError) as refused:
        receive(sqlite_store, replace(NEW, **{field: value}), submission_key=KEY, secret=SECRET, now=NOW)  # type: ignore[arg-type]
    assert set(refused.value.faults) == {fault}
    assert count(sqlite_store, INCOMING_REPORT) == 0


def test_every_fault_comes_at_once_in_both_languages(served: Store) -> None:
    bad = replace(NEW, lon=OUTSIDE[0], needs=(), people=0, place="x" * 201, contact="\x07")
    with pytest.raises(FaultyReportError) as refused:
        receive(served, bad, submission_key=KEY, secret=SECRET, now=NOW, photo_jpeg=b"GIF89a")
    assert set(refused.value.faults) == {"position", "needs", "people", "place", "contact", "photo"}
    assert all(zh and en.isascii() for zh, en in refused.value.faults.values())
    assert received(served, key=KEY).again is False


def test_lines_emoji_and_rare_characters_may_stand_in_a_note(served: Store) -> None:
    receipt = received(served, note="第一行\n第二行 👨‍👩‍👧 𠮷'; DROP TABLE account; --")
    assert status(served, receipt.token).state == "received"


def test_a_place_between_the_finest_areas_is_the_citys(city: ReportCity) -> None:
    assert report(city.store, city.receive(BETWEEN), by=city.centre).area_code == CITY


def test_a_scoped_store_receives_in_its_own_area_only(city: ReportCity) -> None:
    mine = city.store.within(Scope.of(HERE))
    assert received(mine).again is False
    with pytest.raises(FaultyReportError) as refused:
        received(mine, IN_THERE)
    assert set(refused.value.faults) == {"position"}


@pytest.mark.parametrize(
    ("hour_utc", "day", "expected"),
    [(15, "2026-03-01", URGENT), (20, "2026-02-28", URGENT), (4, "2026-03-01", ORDINARY), (15, "2026-02-28", ORDINARY)],
)
def test_whatever_comes_in_a_cold_night_is_urgent(city: ReportCity, hour_utc: int, day: str, expected: int) -> None:
    """23:00 and (the next day) 04:00 in the city belong to the night that began the evening before; noon to none."""
    weather = gpd.GeoDataFrame(pd.DataFrame({"date": [date.fromisoformat(day)], "weather": ["cold"]}))
    city.store.import_layer("weather", "", weather, source="f", sha256="0" * 64, now=NOON)
    at = NOW.replace(hour=hour_utc) - timedelta(days=hour_utc == 20)
    assert report(city.store, city.receive(now=at), by=city.supervisor).urgency == expected


def test_the_holder_of_a_link_sees_states_and_times_and_nothing_else(city: ReportCity) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    city.helped(receipt.id)
    found = status(city.store, receipt.token)
    assert {field.name for field in fields(found)} == {"state", "received_at", "changed_at", "steps"}
    assert (found.state, [state for _, state in found.steps]) == (
        "helped", ["received", "assigned", "on_the_way", "helped"]
    )  # fmt: skip
    said = str(asdict(found))
    assert not any(word in said for word in (NEW.place, NEW.note, NEW.contact, "guided", "名", HERE[:6], "118."))
    for token in ("", "x", receipt.token[:-1], receipt.token + "A", "x" * 10_000):
        with pytest.raises(UnknownReportError):
            status(city.store, token)


def test_only_open_recent_reports_with_a_need_in_common_are_near(city: ReportCity) -> None:
    near = city.receive(needs=("food_clothes", "medical"))
    city.receive(IN_THERE)
    city.receive(needs=("lost",))
    city.move(city.receive(), "unfounded")
    city.receive(now=NOW - timedelta(days=4))
    city.receive(now=NOW - timedelta(hours=5))
    city.receive(now=NOW - timedelta(days=2))
    asked = nearby_reports(city.store, *IN_HERE, ("food_clothes", "other"), now=NOW)
    assert asked == [NearbyReport(age, ("food_clothes",)) for age in ("hour", "today", "earlier")]
    assert len(nearby_reports(city.store, *IN_HERE, (), now=NOW)) == 4
    city.move(near, "assigned")
    assert len(nearby_reports(city.store, *IN_HERE, ("medical",), now=NOW)) == 1
    assert nearby_reports(city.store, *OUTSIDE, (), now=NOW) == []
    with pytest.raises(FaultyReportError):
        nearby_reports(city.store, float("nan"), 0.0, (), now=NOW)


def test_somebody_who_walks_about_is_near_from_farther_away(city: ReportCity) -> None:
    city.receive(needs=("lost", "food_clothes"))
    lon, lat = IN_HERE[0] + 0.005, IN_HERE[1]  # some 470 m
    assert len(nearby_reports(city.store, lon, lat, ("lost",), now=NOW)) == 1
    assert nearby_reports(city.store, lon, lat, ("food_clothes",), now=NOW) == []


def test_asking_from_many_places_tells_the_cell_of_a_report_and_no_more(city: ReportCity) -> None:
    """Every place in one cell of 0.002 degrees gets the same answer, wherever in its own cell the report lies."""

    def answers(place: tuple[float, float]) -> list[int]:
        receipt = city.receive(place)
        steps = [i * 0.0005 + 0.0001 for i in range(-16, 17)]
        found = [
            len(nearby_reports(city.store, 118.785 + dx, 32.045 + dy, (), now=NOW)) for dx in steps for dy in steps[::4]
        ]
        city.move(receipt, "unfounded")
        return found

    first = answers((118.7841, 32.0441))
    assert set(first) == {0, 1} and first == answers((118.7859, 32.0459)) != answers((118.7861, 32.0459))


def test_the_area_of_a_report_follows_the_boundaries_of_the_moment(city: ReportCity) -> None:
    assert report(city.store, city.receive(IN_THERE), by=city.supervisor).area_code == THERE
