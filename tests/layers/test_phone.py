"""What phones send: kept exactly once and in order, in the hours on duty alone, and seen inside the area alone."""

import json
import random
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import insert, select, update

from layers.accounts import NewAccount, create_account
from layers.audit import entries
from layers.casebook import private_part, report
from layers.own_route import NoRouteError, tonight
from layers.phone import GapError, Kept, done_by_ticks, forget_tracks, keep_days, keep_events, night_points
from layers.phone_events import MOST_POINTS, PhoneRefusedError
from layers.phone_reports import take_report
from layers.referrals import referrals
from layers.report_keeping import to_layer
from layers.roles import NotAllowedError
from layers.run import Run
from layers.schema import ACCOUNT, INCOMING_REPORT, NIGHT, NIGHT_ROUTE, PHONE_EVENT
from layers.scope import Scope
from layers.store import Store
from tests.layers.report_city import CITY, HERE, IN_HERE, IN_THERE, NOW, OUTSIDE, SECRET, THERE, ReportCity, build

EVENING = date(2026, 3, 1)
#: 20:00 to 24:00 in the city.
FROM, UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 16, tzinfo=UTC)
LATE = FROM + timedelta(hours=1)
DEVICE = "telephone-1"
Event = dict[str, Any]


@pytest.fixture
def city(store: Store) -> Iterator[ReportCity]:
    yield build(store)


@pytest.fixture
def night(city: ReportCity) -> int:
    """The number of a night with a crew of the worker, one of both workers, and one of another area."""
    return open_night(city, C01=(HERE, "名worker"), C02=(HERE, "甲、乙"), C03=(THERE, "丙"))


def open_night(city: ReportCity, on: date = EVENING, **crews: tuple[str, str]) -> int:
    begins, ends = (datetime.combine(on, datetime.min.time()) + timedelta(hours=h) for h in (20, 24))
    table = pd.DataFrame(
        {"date": str(on), "crew": list(crews), "persons": [persons for _, persons in crews.values()],
         "home": [area for area, _ in crews.values()], "shift_from": begins.isoformat(),
         "shift_until": ends.isoformat()}
    )  # fmt: skip
    run = city.store.save_run(Run("patrol", {"date": str(on), "crews": sorted(crews)}, {}, {"crews": table}))
    with city.store.transaction(writes=True) as connection:
        row = {"date": on, "area_code": CITY, "run_id": run.id, "state": "open", "created_at": datetime(2026, 3, 1),
               "version": 0}  # fmt: skip
        number = int(connection.execute(insert(NIGHT).values(row).returning(NIGHT.c.id)).scalar_one())
        for crew, (area, persons) in crews.items():
            stops = json.dumps([["S1", ""], ["S2", "left"], ["S2", "right"]])
            route = {"night_id": number, "crew": crew, "area_code": area, "persons": persons, "route": stops,
                     "locked": False, "changed_in": 0}  # fmt: skip
            connection.execute(insert(NIGHT_ROUTE).values(route))
    return number


def ms(moment: datetime) -> float:
    return moment.timestamp() * 1000


def tick(number: int, night: int, duty: str = "S1", at: datetime = LATE, **more: Any) -> Event:
    return {"number": number, "at": ms(at), "kind": "tick", "night": night, "crew": "C01", "duty": duty, "side": "",
            "how": "gps", **more}  # fmt: skip


def track(number: int, night: int, *moments: datetime) -> Event:
    points = [[ms(moment), 118.78 + i / 1e4, 32.04, 8] for i, moment in enumerate(moments)]
    return {"number": number, "at": ms(moments[-1]), "kind": "track", "night": night, "crew": "C01", "points": points}


def found(number: int, night: int | None = None, place: tuple[float, float] = IN_HERE, **more: Any) -> Event:
    return {"number": number, "at": ms(LATE), "kind": "report", "night": night, "crew": "C01", "needs": ["lost"],
            "people": 1, "outcome": "guided", "lon": place[0], "lat": place[1],
            "key": str(uuid.UUID(int=number, version=4)), **more}  # fmt: skip


def send(city: ReportCity, *events: Event, now: datetime = LATE, device: str = DEVICE, **more: Any) -> Kept:
    own = city.as_(city.worker)

    def take(event: Any) -> Any:
        return take_report(city.store, own, event, by=city.worker, secret=SECRET)

    return keep_events(own, events, by=city.worker, device=device, now=now, take_report=take, **more)


def rows(city: ReportCity) -> list[Any]:
    with city.store.transaction() as connection:
        return list(connection.execute(select(PHONE_EVENT).order_by(PHONE_EVENT.c.id)))


def numbers(city: ReportCity) -> list[int]:
    return [row.number for row in rows(city)]


def test_an_event_sent_again_is_kept_once(city: ReportCity, night: int) -> None:
    assert send(city, tick(1, night), tick(2, night)) == Kept(2, (), 0)
    assert send(city, tick(1, night), tick(2, night), tick(3, night)).last == 3
    assert send(city, tick(2, night)).last == 3
    assert numbers(city) == [1, 2, 3]
    row = rows(city)[0]
    assert (row.area_code, row.crew, row.night_id) == (HERE, "C01", night) and row.at == LATE.replace(tzinfo=None)


def test_a_gap_is_refused_and_answered_with_the_last_number_kept(city: ReportCity, night: int) -> None:
    send(city, tick(1, night))
    with pytest.raises(GapError) as refused:
        send(city, tick(3, night))
    assert refused.value.last == 1 and numbers(city) == [1]
    assert send(city, tick(1, night), device="telephone-2").last == 1, "each phone counts by itself"


NO_SENDING: list[list[Any]] = [
    [], [{"number": 0}], [{"number": True}], [{"number": "1"}], ["1"], [{"number": 1}, {"number": 3}],
    [{"number": 1}, {"number": 1}], [{"number": 2**60}], [{"number": n} for n in range(1, 202)],
]  # fmt: skip


def test_a_sending_without_an_order_is_none(city: ReportCity) -> None:
    for events in NO_SENDING:
        with pytest.raises(PhoneRefusedError):
            send(city, *events)
    with pytest.raises(PhoneRefusedError):
        send(city, {"number": 1}, device="no device!")
    assert rows(city) == []


WRONG: list[Callable[[int], Event]] = [
    lambda n: tick(1, n, kind="dance"), lambda n: tick(1, n, kind=["tick"]), lambda n: tick(1, n, at_=0) | {"at": None},
    lambda n: tick(1, n) | {"at": 1e300}, lambda n: tick(1, n) | {"at": float("nan")}, lambda n: tick(1, n, duty=""),
    lambda n: tick(1, n, duty="x" * 81), lambda n: tick(1, n, duty=7), lambda n: tick(1, n, side="up"),
    lambda n: tick(1, n, how="dream"), lambda n: tick(1, n) | {"night": "1"}, lambda n: tick(1, n) | {"night": n + 99},
    lambda n: tick(1, n) | {"night": None}, lambda n: tick(1, n) | {"crew": "C03"}, lambda n: tick(1, n) | {"crew": 5},
    lambda n: tick(1, n, kind="check", dwell_s=-1), lambda n: tick(1, n, kind="check", dwell_s="5"),
    lambda n: tick(1, n, kind="reason", reason="lazy"),
    lambda n: tick(1, n, kind="reason", reason="gate", note="x" * 201),
    lambda n: tick(1, n, kind="reason", reason="gate", note="a\x00b"), lambda n: track(1, n, LATE) | {"points": []},
    lambda n: track(1, n, *[LATE] * (MOST_POINTS + 1)), lambda n: track(1, n, LATE) | {"points": [[1, 2, 3]]},
    lambda n: track(1, n, LATE) | {"points": [[ms(LATE), 500, 32, 8]]},
    lambda n: track(1, n, LATE) | {"points": [[ms(LATE), None, 32, 8]]}, lambda n: found(1, n, needs=[]),
    lambda n: found(1, n, needs="lost"), lambda n: found(1, n, needs=[1]), lambda n: found(1, n, lon="x"),
    lambda n: found(1, n, place=OUTSIDE), lambda n: found(1, n, outcome="ignored"), lambda n: found(1, n, key="1"),
    lambda n: found(1, n, outcome="referred"), lambda n: found(1, n, receiver="police"),
    lambda n: found(1, n, people=0), lambda n: found(1, n, people=1.5), lambda n: found(1, n, note="x" * 2001),
]  # fmt: skip


def test_a_bad_event_uses_up_its_number_says_why_and_holds_nobody_up(city: ReportCity, night: int) -> None:
    for i, wrong in enumerate(WRONG):
        bad = wrong(night)
        bad.pop("at_", None)
        first, behind = bad | {"number": 2 * i + 1}, tick(2 * i + 2, night)
        kept = send(city, first, behind)
        assert kept.last == 2 * i + 2, bad
        [told] = kept.rejected
        assert told.number == 2 * i + 1 and told.zh and told.en, bad
        assert send(city, first).rejected == (told,), "the answer may have been lost on the way"
    assert [row.kind for row in rows(city)] == ["rejected", "tick"] * len(WRONG)
    with city.store.transaction() as connection:
        assert connection.execute(select(INCOMING_REPORT)).all() == []


def test_parallel_senders_keep_each_number_once_and_in_order(city: ReportCity, night: int) -> None:
    events = [tick(n, night, f"S{n}") for n in range(1, 61)]
    shuffled = random.Random(7)
    batches = [events[start : start + 20] for start in range(0, 50, 5)] * 4
    shuffled.shuffle(batches)

    def sender(batch: list[Event]) -> None:
        for _ in range(40):
            try:
                send(city, *batch)
                return
            except GapError as gap:
                send(city, *events[gap.last : gap.last + 7])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sender, batches))
    found = numbers(city)
    assert found == list(range(1, max(found) + 1)) and max(found) >= 60
    assert [json.loads(row.content)["duty"] for row in rows(city)] == [f"S{n}" for n in found]


def test_points_outside_the_hours_on_duty_are_dropped_and_counted(city: ReportCity, night: int) -> None:
    second = timedelta(seconds=1)
    moments = (FROM - second, FROM, LATE, UNTIL, UNTIL + second)
    assert send(city, track(1, night, *moments), now=UNTIL + timedelta(hours=1)).dropped == 2
    [row] = rows(city)
    assert [point[0] for point in json.loads(row.content)["points"]] == [ms(m) for m in moments[1:4]]
    points = night_points(city.store, night)
    assert list(points["time"]) == [pd.Timestamp("2026-03-01 20:00"), pd.Timestamp("2026-03-01 21:00"),
                                    pd.Timestamp("2026-03-02 00:00")]  # fmt: skip
    assert set(points["person"]) == {"名worker"}


def test_whoever_falls_ill_is_off_duty_from_then(city: ReportCity, night: int) -> None:
    with city.store.transaction(writes=True) as connection:
        connection.execute(
            update(NIGHT_ROUTE).where(NIGHT_ROUTE.c.crew == "C01").values(ill_from=datetime(2026, 3, 1, 13))
        )
    send(city, track(1, night, FROM, LATE, LATE + timedelta(minutes=1)), now=UNTIL)
    assert len(night_points(city.store, night)) == 2


def test_a_clock_that_is_wrong_is_put_right_by_the_servers(city: ReportCity, night: int) -> None:
    fast = timedelta(hours=3)
    send(city, tick(1, night, at=LATE + fast), track(2, night, LATE + fast - timedelta(minutes=5)),
         sent_at_ms=ms(LATE + fast))  # fmt: skip
    assert [row.at for row in rows(city)] == [
        LATE.replace(tzinfo=None),
        (LATE - timedelta(minutes=5)).replace(tzinfo=None),
    ]
    assert night_points(city.store, night)["time"].iloc[0] == pd.Timestamp("2026-03-01 20:55")
    send(city, tick(3, night, at=LATE + timedelta(seconds=90)), sent_at_ms=ms(LATE + timedelta(seconds=90)))
    assert rows(city)[-1].at == LATE.replace(tzinfo=None), "never later than it was received"
    send(city, tick(4, night, at=LATE - timedelta(seconds=90)), sent_at_ms=ms(LATE - timedelta(seconds=90)))
    assert rows(city)[-1].at == (LATE - timedelta(seconds=90)).replace(tzinfo=None), "a minute or two is nobody's fault"


def test_the_last_word_about_each_service_counts(city: ReportCity, night: int) -> None:
    minute = timedelta(minutes=1)
    send(
        city, tick(1, night, "S1"), tick(2, night, "S2", side="left", at=LATE + minute),
        tick(3, night, "S2", side="left", undo=True, at=LATE + 2 * minute, how="hand"),
        tick(4, night, "S3", kind="reason", reason="gate", note="锁了", at=LATE + minute),
        tick(5, night, "P1", kind="check", dwell_s=299.6, how="hand"),
        tick(6, night, "S4", kind="reason", reason="other"), tick(7, night, "S4", at=LATE + minute),
        now=UNTIL,
    )  # fmt: skip
    said = {(one.duty, one.side): one for one in done_by_ticks(city.store, night)}
    assert {key: (one.state, one.how, one.reason, one.dwell_s) for key, one in said.items()} == {
        ("S1", ""): ("done", "gps", "", None), ("S3", ""): ("cannot", "hand", "gate", None),
        ("P1", ""): ("done", "hand", "", 300), ("S4", ""): ("done", "gps", "", None),
    }  # fmt: skip
    assert said["S3", ""].note == "锁了" and said["S1", ""].account_id == city.worker.id


def test_what_lies_outside_the_area_does_not_exist(city: ReportCity, night: int) -> None:
    send(city, tick(1, night), track(2, night, LATE))
    for account, there in ((city.supervisor, 1), (city.neighbour, 0)):
        seen = city.as_(account)
        assert len(done_by_ticks(seen, night)) == there and len(night_points(seen, night)) == there
    nowhere = city.store.within(Scope("", ""))
    assert done_by_ticks(nowhere, night) == [] and night_points(nowhere, night).empty
    with pytest.raises(NotAllowedError):
        keep_events(city.as_(city.supervisor), [tick(1, night)], by=city.supervisor, device=DEVICE, now=LATE)
    colleague = keep_events(city.as_(city.colleague), [tick(1, night)], by=city.colleague, device=DEVICE, now=LATE)
    assert [one.number for one in colleague.rejected] == [1], "the route of somebody else"


# the report of what was found


def test_a_report_is_in_the_records_as_the_worker_found_it(city: ReportCity, night: int) -> None:
    for _ in range(2):  # the second time as after a lost answer, from a phone that never heard of the first
        send(city, found(1, night, note="桥下，有棉被"))
        with city.store.transaction(writes=True) as connection:
            connection.execute(PHONE_EVENT.delete())
    send(city, found(1, night))
    with city.store.transaction() as connection:
        [row] = connection.execute(select(INCOMING_REPORT)).all()
    assert (row.channel, row.state, row.outcome, row.assigned_to) == ("patrol", "helped", "guided", city.worker.id)
    assert row.received_at == LATE.replace(tzinfo=None) and row.note == "桥下，有棉被"
    assert json.loads(rows(city)[0].content) == {"report": row.id, "outcome": "guided", "state": "helped"}
    to_layer(city.store, now=LATE)
    layer = city.store.load("reports")
    assert list(layer["outcome"]) == ["guided"] and layer["found_at"].iloc[0] == pd.Timestamp("2026-03-01 21:00")


def test_a_report_is_not_dated_long_ago(city: ReportCity, night: int) -> None:
    send(city, found(1, night, at=ms(LATE - timedelta(days=400))))
    with city.store.transaction() as connection:
        [row] = connection.execute(select(INCOMING_REPORT)).all()
    assert row.received_at == (LATE - timedelta(days=7)).replace(tzinfo=None)
    assert all(one.at >= LATE - timedelta(days=7) for one in entries(city.store) if one.object == f"report:{row.id}")


def test_a_report_without_an_outcome_waits_for_the_supervisor(city: ReportCity) -> None:
    send(city, found(1, outcome=""))
    number = json.loads(rows(city)[0].content)["report"]
    assert report(city.as_(city.supervisor), number, by=city.supervisor).state == "received"
    assert rows(city)[0].night_id is None and rows(city)[0].area_code == HERE


def test_a_referred_person_has_a_referral(city: ReportCity, night: int) -> None:
    send(city, found(1, night, outcome="referred", receiver="hospital"))
    number = json.loads(rows(city)[0].content)["report"]
    [made] = referrals(city.store, by=city.supervisor, report_id=number)
    assert (made.receiver, made.made_to, made.made_by) == ("hospital", city.hospital.id, city.worker.id)
    assert report(city.store, number, by=city.supervisor).outcome == "referred"


def test_a_report_from_beyond_ones_area_goes_to_those_it_belongs_to(city: ReportCity, night: int) -> None:
    send(city, found(1, night, IN_THERE, note="公园长椅"))
    number = json.loads(rows(city)[0].content)["report"]
    seen = report(city.as_(city.neighbour), number, by=city.neighbour)
    part = private_part(city.as_(city.neighbour), number, by=city.neighbour, now=NOW)
    assert seen.state == "received" and part.note.startswith("公园长椅") and "已引导" in part.note


# whose route


def test_the_route_of_tonight_is_that_of_the_crew_that_bears_ones_name(city: ReportCity, night: int) -> None:
    own = tonight(city.as_(city.worker), by=city.worker, now=FROM - timedelta(hours=3))
    assert (own.night.id, own.route.crew, own.from_at, own.until_at) == (night, "C01", FROM, UNTIL)
    assert own.route.route[1] == ("S2", "left")
    assert tonight(city.as_(city.worker), by=city.worker, now=UNTIL + timedelta(hours=2)).night.id == night
    for moment in (FROM - timedelta(days=1), UNTIL + timedelta(hours=4)):
        with pytest.raises(NoRouteError):
            tonight(city.as_(city.worker), by=city.worker, now=moment)
    with pytest.raises(NoRouteError, match="名colleague"):
        tonight(city.as_(city.colleague), by=city.colleague, now=LATE)
    with pytest.raises(NotAllowedError):
        tonight(city.as_(city.supervisor), by=city.supervisor, now=LATE)


def test_two_routes_of_one_name_are_nobodys_but_a_namesake_elsewhere_is_somebody_else(city: ReportCity) -> None:
    open_night(city, C03=(THERE, "名worker"), C02=(HERE, "甲、名worker"))
    assert tonight(city.as_(city.worker), by=city.worker, now=LATE).route.crew == "C02"
    open_night(city, C01=(HERE, "名worker"), C02=(HERE, "甲、名worker"))
    with pytest.raises(NoRouteError, match="C02、C01、C02"):
        tonight(city.as_(city.worker), by=city.worker, now=LATE)


def test_of_two_nights_that_touch_the_one_going_on_counts(city: ReportCity) -> None:
    open_night(city, EVENING - timedelta(days=1), C01=(HERE, "名worker"))
    today = open_night(city, C02=(HERE, "名worker"))
    at = FROM - timedelta(hours=19, minutes=30)  # half past midnight: yesterday's ended half an hour ago
    assert tonight(city.as_(city.worker), by=city.worker, now=at).route.crew == "C02"
    assert tonight(city.as_(city.worker), by=city.worker, now=LATE).night.id == today


# how long


def test_points_go_after_their_days_and_ticks_stay(city: ReportCity, night: int) -> None:
    send(city, tick(1, night), track(2, night, LATE), track(3, night, UNTIL), now=UNTIL)
    assert keep_days(city.store) == 90
    assert forget_tracks(city.store, now=LATE + timedelta(days=90)) == 0
    assert forget_tracks(city.store, now=LATE + timedelta(days=90, seconds=1)) == 1
    assert numbers(city) == [1, 3] and len(done_by_ticks(city.store, night)) == 1
    assert [entry.detail for entry in entries(city.store, action="forget_tracks")] == [{"events": 1}]
    city.store.set_setting("track_keep_days", "7")
    assert forget_tracks(city.store, now=UNTIL + timedelta(days=8)) == 1 and night_points(city.store, night).empty
    assert forget_tracks(city.store, now=UNTIL + timedelta(days=9)) == 0
    assert send(city, tick(4, night)).last == 4, "numbers go on where they were"


def test_the_numbers_of_a_phone_whose_newest_event_is_forgotten_do_not_begin_anew(city: ReportCity, night: int) -> None:
    send(city, tick(1, night), track(2, night, LATE))
    forget_tracks(city.store, now=LATE + timedelta(days=100))
    assert send(city, track(2, night, LATE), tick(3, night)).last == 3
    assert numbers(city).count(2) <= 1


def test_an_account_of_another_name_takes_over_nothing(city: ReportCity, night: int) -> None:
    send(city, tick(1, night))
    new = NewAccount("another", "名worker", "grid_worker", HERE, "hash", "unique another")
    namesake = create_account(city.store, new, by=None, now=NOW)
    kept = keep_events(city.as_(namesake), [tick(1, night, "S9")], by=namesake, device=DEVICE, now=LATE)
    assert kept.last == 1 and len(rows(city)) == 2
    with city.store.transaction() as connection:
        assert connection.scalar(select(ACCOUNT.c.name).where(ACCOUNT.c.id == namesake.id)) == "名worker"
