"""Reports that led to an outcome enter the city's records once; what is private about ended ones goes in time."""

from datetime import UTC, datetime, timedelta

import geopandas as gpd
import numpy as np
import pytest
import sqlalchemy as sa

from gis.errors import StoreError
from layers.audit import entries
from layers.audit_check import verify
from layers.casebook import history, private_part, report
from layers.connection import transaction
from layers.intake import status
from layers.referrals import refer, referrals
from layers.report_keeping import coarsen, place_again, purge, to_layer
from layers.schema import INCOMING_REPORT, PHOTO
from layers.scope import Scope
from layers.store import Store
from tests.layers.conftest import CITY, NOON, TABLES, square
from tests.layers.report_city import (
    BETWEEN,
    HERE,
    IN_HERE,
    IN_THERE,
    JPEG,
    NOW,
    THERE,
    ReportCity,
    build,
    received,
)

LATER = NOW + timedelta(days=200)


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


def layer_ids(store: Store) -> list[str]:
    return store.load("reports")["report_id"].tolist()


# the reports layer


def test_reports_with_an_outcome_become_rows_beside_those_that_were_there(city: ReportCity) -> None:
    city.store.import_layer("reports", "", TABLES["reports", ""](), source="f", sha256="0" * 64, now=NOON)
    helped, closed, waiting, unfounded = (city.receive(now=NOW + timedelta(hours=i)) for i in range(4))
    city.helped(helped)
    city.helped(closed, "escorted")
    city.move(closed, "closed")
    city.move(waiting, "assigned")
    city.move(unfounded, "unfounded")
    version = to_layer(city.store, now=NOW)
    assert version is not None and version.accepted == 4
    table = city.store.load("reports").set_index("report_id")
    assert set(table.index) == {"R1", "R2", f"incoming-{helped}", f"incoming-{closed}"}
    row = table.loc[f"incoming-{closed}"]
    assert (row["outcome"], row["people"], row["channel"]) == ("escorted", 2, "public")
    assert (row.geometry.x, row.geometry.y) == IN_HERE
    assert row["found_at"].to_pydatetime() == datetime(2026, 3, 1, 13, 0)  # 05:00 UTC, in the city's zone


def test_doing_it_again_changes_nothing_and_makes_no_version(city: ReportCity) -> None:
    assert to_layer(city.store, now=NOW) is None
    city.helped(city.receive())
    assert to_layer(city.store, now=NOW) is not None
    assert to_layer(city.store, now=LATER) is None
    assert len(city.store.versions("reports")) == 1
    second = city.receive()
    city.helped(second)
    assert to_layer(city.store, now=LATER) is not None
    assert f"incoming-{second}" in layer_ids(city.store)


def test_an_outcome_taken_back_leaves_the_layer(city: ReportCity) -> None:
    first, second = city.receive(), city.receive()
    city.helped(first)
    city.helped(second)
    to_layer(city.store, now=NOW)
    city.move(first, "assigned")
    to_layer(city.store, now=NOW)
    assert layer_ids(city.store) == [f"incoming-{second}"]
    city.move(second, "assigned")
    assert to_layer(city.store, now=NOW) is not None
    assert layer_ids(city.store) == []
    assert to_layer(city.store, now=NOW) is None


def test_rows_made_from_reports_know_their_area_and_the_citys_zone(city: ReportCity) -> None:
    city.store.set_setting("timezone", "Asia/Urumqi")
    city.helped(city.receive())
    there = city.receive(IN_THERE)
    city.move(there, "assigned", assignee=city.neighbour.id)
    city.move(there, "on_the_way", "helped", outcome="informed")
    to_layer(city.store, now=NOW)
    assert len(city.store.within(Scope.of(HERE)).load("reports")) == 1
    assert city.store.load("reports")["found_at"][0].hour == 10  # 04:00 UTC


def test_an_approximate_layer_stays_marked_as_such(city: ReportCity) -> None:
    table = TABLES["reports", ""]()
    city.store.import_layer("reports", "", table, source="f", sha256="0" * 64, now=NOON, approximate=True, note="n")
    city.helped(city.receive())
    version = to_layer(city.store, now=NOW)
    assert version is not None and (version.approximate, version.note) == (True, "n")


# purging


def test_what_is_private_about_old_reports_is_blanked_and_the_rest_stays(city: ReportCity) -> None:
    receipt = received(city.store, photo_jpeg=JPEG)
    city.helped(receipt.id)
    refer(city.store, receipt.id, receiver="police", place="某派出所", by=city.supervisor, now=NOW)
    city.move(receipt.id, "closed", note="送至某处")
    waiting = city.receive()
    before = report(city.store, receipt.id, by=city.supervisor)
    assert purge(city.store, NOW, now=LATER) == 0  # not older than the limit
    assert purge(city.store, NOW + timedelta(seconds=1), now=LATER, account_id=city.administrator.id) == 2
    private = private_part(city.store, receipt.id, by=city.supervisor, now=LATER)
    assert (private.place, private.note, private.contact, private.photos) == ("", "", "", ())
    roughly, exactly = np.array([private.lon, private.lat]), np.array(IN_HERE)
    assert (roughly == roughly.round(2)).all() and not (roughly == exactly).any()
    assert np.abs(roughly - exactly).max() < 0.0051
    assert {step.note for step in private.steps} == {""}
    after = report(city.store, receipt.id, by=city.supervisor)
    assert (after.outcome, after.needs, after.area_code, after.state) == (
        before.outcome, before.needs, before.area_code, "closed"
    )  # fmt: skip
    assert private_part(city.store, waiting, by=city.supervisor, now=LATER).contact == ""
    assert [one.place for one in referrals(city.store, by=city.supervisor, report_id=receipt.id)] == [""]
    assert len(history(city.store, receipt.id, by=city.supervisor)) == 6
    assert status(city.store, receipt.token).state == "closed"
    with transaction(city.store._engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(PHOTO)) == 0
    noted = {(entry.object, entry.account_id) for entry in entries(city.store, action="purge")}
    assert noted == {(f"report:{n}", city.administrator.id) for n in (receipt.id, waiting)}
    assert purge(city.store, LATER, now=LATER) == 0
    assert verify(city.store).problems == ()


def test_duplicates_and_unfounded_reports_are_purged_too(city: ReportCity) -> None:
    first, second, third = (city.receive() for _ in range(3))
    city.move(first, "unfounded")
    city.move(second, "duplicate", original=third)
    assert purge(city.store, LATER, now=LATER) == 3


def test_more_than_one_transaction_of_reports_is_purged(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    city = build(sqlite_store)
    for _ in range(5):
        city.move(city.receive(), "unfounded")
    monkeypatch.setattr("layers.report_keeping._A_TRANSACTION", 2)
    assert purge(city.store, LATER, now=LATER) == 5


def test_the_layer_keeps_the_place_of_a_report_purged_since(city: ReportCity) -> None:
    report_id = city.receive()
    city.helped(report_id)
    city.move(report_id, "closed")
    to_layer(city.store, now=NOW)
    purge(city.store, LATER, now=LATER)
    assert to_layer(city.store, now=LATER) is None
    (place,) = city.store.load("reports").geometry
    assert (place.x, place.y) == IN_HERE


# the layer's places


def places(store: Store) -> dict[str, tuple[float, float]]:
    table = store.load("reports")
    return dict(zip(table["report_id"], zip(table.geometry.x, table.geometry.y, strict=True), strict=True))


def test_old_places_of_the_layer_lose_their_exactness_in_every_version(city: ReportCity) -> None:
    table = TABLES["reports", ""]()
    for sha in ("0" * 64, "1" * 64):
        city.store.import_layer("reports", "", table, source="f", sha256=sha, now=NOON)
    city.store.keep_derived("places:reports:x", b"segments")
    city.store.keep_derived("places:population:x", b"segments")
    exact = places(city.store)
    # R1 was found at 02:00 on the first of January, R2 on the next day: in the city's time, eight hours ahead
    limit = datetime(2024, 12, 31, 18, 0, tzinfo=UTC)
    assert coarsen(city.store, limit, now=NOW) == 0 and places(city.store) == exact
    assert len(city.store.versions("reports")) == 1, "older versions go all the same: what is old in them is exact"
    assert city.store.derived("places:reports:x") is not None
    assert coarsen(city.store, limit + timedelta(seconds=1), now=NOW) == 1
    found = places(city.store)
    assert found["R2"] == exact["R2"]
    assert found["R1"] == tuple(round(degrees, 2) for degrees in exact["R1"]) != exact["R1"]
    (version,) = city.store.versions("reports")
    assert version.approximate and version.active and version.accepted == 2
    assert city.store.derived("places:reports:x") is None and city.store.derived("places:population:x") is not None
    assert coarsen(city.store, limit + timedelta(seconds=1), now=LATER) == 0
    assert city.store.versions("reports") == [version]
    assert [e.detail for e in entries(city.store, action="coarsen_reports")] == [
        {"rows": 1, "versions": 1}, {"rows": 0, "versions": 1}
    ]  # fmt: skip
    assert verify(city.store).problems == ()


def test_a_place_taken_from_a_report_stays_exact_until_the_report_is_purged(city: ReportCity) -> None:
    report_id = city.receive()
    city.helped(report_id)
    to_layer(city.store, now=NOW)
    assert coarsen(city.store, LATER, now=LATER) == 0
    assert to_layer(city.store, now=LATER) is None
    purge(city.store, LATER, now=LATER)
    assert coarsen(city.store, LATER, now=LATER) == 1
    assert places(city.store) == {f"incoming-{report_id}": tuple(round(degrees, 2) for degrees in IN_HERE)}
    assert to_layer(city.store, now=LATER) is None, "and does not come back"


def test_a_city_without_the_layer_has_nothing_to_coarsen(sqlite_store: Store) -> None:
    assert coarsen(sqlite_store, NOW, now=NOW) == 0


# boundaries


def test_reports_move_when_boundaries_come_after_them(city: ReportCity) -> None:
    here, there, between = city.receive(), city.receive(IN_THERE), city.receive(BETWEEN)
    assert place_again(city.store, now=NOW) == 0
    moved = gpd.GeoDataFrame({"code": [THERE], "name": ["乙"]}, geometry=[square(0, 0)], crs=4326)
    city.store.import_layer("areas", "subdistrict", moved, source="f", sha256="1" * 64, now=NOON)
    assert place_again(city.store, now=NOW) == 2
    with transaction(city.store._engine) as connection:
        rows = dict(connection.execute(sa.select(INCOMING_REPORT.c.id, INCOMING_REPORT.c.area_code)).all())
    assert rows == {here: THERE, there: CITY, between: CITY}
    assert [e.detail for e in entries(city.store, action="place_again")] == [{"before": THERE}, {"before": HERE}]


def test_one_areas_store_does_none_of_this(city: ReportCity) -> None:
    mine = city.as_(city.supervisor)
    for attempt in (
        lambda: to_layer(mine, now=NOW), lambda: purge(mine, NOW, now=NOW), lambda: place_again(mine, now=NOW),
        lambda: coarsen(mine, NOW, now=NOW),
    ):  # fmt: skip
        with pytest.raises(StoreError):
            attempt()
