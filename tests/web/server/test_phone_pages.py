"""Tonight's route as the phone is given it, and what the server answers to what phones send."""

import base64
import json
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask
from sqlalchemy import select

from layers.nights import change, close, night, routes
from layers.schema import INCOMING_REPORT, PHONE_EVENT, PHOTO
from tests.web.server.phone_night import DWELL_S, FROM, NAME, UNTIL, Clock, PhoneNight, clock, make_night
from tests.web.server.staff import CITY, Browser, add, signed_in, store_of
from tests.web.server.test_report_pages import picture

__all__ = ["clock"]
LATE = FROM + timedelta(minutes=30)


@pytest.fixture
def walk(app: APIFlask, clock: Clock) -> Iterator[PhoneNight]:
    clock.at(LATE)
    yield make_night(store_of(app))


@pytest.fixture
def phone(app: APIFlask, walk: PhoneNight) -> Browser:
    return signed_in(app, walk.worker)


def tonight(browser: Browser, query: str = "") -> dict[str, Any]:
    answer = browser.get(f"/phone/tonight.json{query}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def send(browser: Browser, *events: dict[str, Any], **more: Any) -> Any:
    word = browser.get("/phone/token").json["csrf_token"]
    sent = {"device": "telephone-1", "events": list(events), **more}
    return browser.client.post("/phone/events", json=sent, headers={"X-CSRFToken": word, "Accept": "application/json"})


def tick(number: int, walk: PhoneNight, **more: Any) -> dict[str, Any]:
    return {"number": number, "at": LATE.timestamp() * 1000, "kind": "tick", "night": walk.night_id, "crew": "C01",
            "duty": walk.duties[0], "side": "", "how": "hand", **more}  # fmt: skip


def found(number: int, walk: PhoneNight, **more: Any) -> dict[str, Any]:
    lon, lat = walk.streets[0][0]
    return {**tick(number, walk), "kind": "report", "needs": ["lost"], "people": 2, "outcome": "informed",
            "lon": float(lon), "lat": float(lat), "key": str(uuid.UUID(int=number, version=4)), **more}  # fmt: skip


def rows(app: APIFlask, table: Any) -> list[Any]:
    with store_of(app).transaction() as connection:
        return list(connection.execute(select(table)).all())


def test_the_route_is_given_in_order_with_the_lines_as_they_are_walked(phone: Browser, walk: PhoneNight) -> None:
    given = tonight(phone)
    assert (given["state"], given["crew"], given["persons"], given["account"]["name"]) == ("ready", "C01", NAME, NAME)
    assert given["items"][0]["kind"] == "start" and given["items"][-1]["kind"] == "end"
    services = [service for item in given["items"] for service in item["services"]]
    assert [service["duty"] for service in services] == walk.duties
    lines = [service["line"] for service in services if service["line"]]
    for line, street in zip(lines, walk.streets, strict=True):
        np.testing.assert_allclose(line, street, atol=2e-6)
    [check] = [service for service in services if service["dwell_s"] is not None]
    assert check["dwell_s"] == DWELL_S
    np.testing.assert_allclose(check["at"], walk.streets[1][-1], atol=2e-6)
    assert all(item["zh"] and item["en"] and re.fullmatch(r"\d\d:\d\d", item["begins"]) for item in given["items"])
    ends = np.array([place for street in walk.streets for place in (street[0], street[-1])])
    ground = np.array([place for street in given["ground"] for place in street["line"]])
    assert all(np.hypot(*(ground - end).T).min() < 1e-5 for end in ends), "the streets around hold the route's"


def test_a_street_looked_at_once_a_side_is_told_apart_as_the_nights_routes_tell_it(
    app: APIFlask, phone: Browser, walk: PhoneNight
) -> None:
    services = [service for item in tonight(phone)["items"] for service in item["services"]]
    [route] = routes(store_of(app), walk.night_id)
    assert [(service["duty"], service["side"]) for service in services] == list(route.route)
    assert {side for _, side in route.route} == {"", "left", "right"}


def test_what_is_recorded_and_until_when_is_said(app: APIFlask, phone: Browser, clock: Clock) -> None:
    given = tonight(phone)
    assert (given["from_said"], given["until_said"], given["keep_days"]) == ("20:00", "24:00", 90)
    assert (given["from"], given["until"]) == (FROM.timestamp() * 1000, UNTIL.timestamp() * 1000)
    assert given["deleted_on"] == "2027-02-19", "ninety days after midnight of 21 November"
    store_of(app).set_setting("track_keep_days", "30")
    assert tonight(phone)["deleted_on"] == "2026-12-21"


def test_what_the_phone_holds_already_is_not_sent_again(phone: Browser, walk: PhoneNight) -> None:
    mark = tonight(phone)["mark"]
    short = tonight(phone, f"?have={mark}")
    assert short["mark"] == mark and "items" not in short and short["done"] == []
    send(phone, tick(1, walk))
    [done] = tonight(phone, f"?have={mark}")["done"]
    assert (done["duty"], done["state"], done["how"]) == (walk.duties[0], "done", "hand")


def test_a_supervisors_change_reaches_the_phone(app: APIFlask, phone: Browser, walk: PhoneNight) -> None:
    store, mark = store_of(app), tonight(phone)["mark"]
    kept = [[walk.duties[1], ""], ["P1", ""]]
    version = night(store, walk.night_id).version
    change(store, walk.night_id, version, "move", {"C01": {"route": kept}}, by=walk.boss, now=LATE)
    given = tonight(phone, f"?have={mark}")
    assert [s["duty"] for item in given["items"] for s in item["services"]] == [walk.duties[1], "P1"]
    np.testing.assert_allclose(given["items"][2]["services"][0]["line"], walk.streets[1], atol=2e-6)
    close(store, walk.night_id, by=walk.boss, now=LATE)
    assert tonight(phone)["closed"] is True


def test_without_a_route_it_is_said_so(app: APIFlask, walk: PhoneNight) -> None:
    given = tonight(signed_in(app, add(app, "idle", "grid_worker", CITY)))
    assert given["state"] == "none" and "姓名idle" in given["said"]["zh"] and given["said"]["en"]


def test_the_page_as_a_phone_keeps_it_says_nothing_about_anybody(app: APIFlask, phone: Browser) -> None:
    for language in ("zh", "en"):
        kept = Browser(app).client.get(f"/phone/shell/{language}")
        assert kept.status_code == 200 and NAME not in kept.text and "csrf" not in kept.text
        assert "data-account" not in kept.text
    assert Browser(app).client.get("/phone/shell/fr").status_code == 404
    page = phone.get("/phone")
    assert NAME not in page.text
    manifest = phone.get("/phone/manifest.webmanifest").json
    assert manifest["scope"] == manifest["start_url"] == "/phone" and manifest["display"] == "standalone"
    worker = phone.get("/phone/sw.js")
    assert worker.headers["Service-Worker-Allowed"] == "/phone" and "javascript" in worker.mimetype
    named = set(re.findall(r'(?:src|href)="(/(?:static|assets)/[^"]+)"', page.text))
    assert all(phone.client.get(address).status_code == 200 for address in named)
    imported = {name for address in named if address.endswith(".js")
                for name in re.findall(r'from "\./([\w.]+)"', phone.client.get(address).text)}  # fmt: skip
    assert {f"/static/{name}" for name in imported} <= named, "what a phone keeps is what the page names"


def test_events_are_answered_with_the_last_number_kept(app: APIFlask, phone: Browser, walk: PhoneNight) -> None:
    answer = send(phone, tick(1, walk), tick(2, walk))
    assert answer.status_code == 200 and answer.json == {"kept": 2, "rejected": [], "dropped": 0}
    assert send(phone, tick(2, walk)).json["kept"] == 2
    gap = send(phone, tick(9, walk))
    assert gap.status_code == 409 and gap.json["kept"] == 2
    bad = send(phone, tick(3, walk, how="dream"), tick(4, walk))
    assert bad.status_code == 422 and bad.json["kept"] == 4
    [why] = bad.json["rejected"]
    assert why["number"] == 3 and why["zh"] and why["en"]
    assert [row.kind for row in rows(app, PHONE_EVENT)] == ["tick", "tick", "rejected", "tick"]


NO_SENDING = (
    b"", b"{", b"[]", b"[" * 200_000, b'{"events": 5}', b'{"events": [], "device": "telephone-1"}',
    b'{"events": [[]], "device": "telephone-1"}', b'{"events": [{"number": 1}]}',
)  # fmt: skip


def test_what_is_no_sending_is_refused_whole(app: APIFlask, phone: Browser, walk: PhoneNight) -> None:
    word = phone.get("/phone/token").json["csrf_token"]
    headers = {"X-CSRFToken": word, "Accept": "application/json"}
    for sent in NO_SENDING:
        answer = phone.client.post("/phone/events", data=sent, content_type="application/json", headers=headers)
        assert answer.status_code == 422 and "kept" not in answer.json and answer.json["detail_zh"], sent
    assert rows(app, PHONE_EVENT) == []


def test_events_of_another_account_or_without_a_session_are_not_taken(
    app: APIFlask, phone: Browser, walk: PhoneNight
) -> None:
    assert send(phone, tick(1, walk), account=walk.boss.id).status_code == 403
    public = Browser(app).client.post("/phone/events", json={}, headers={"Accept": "application/json"})
    assert public.status_code in (400, 401)
    assert phone.client.post("/phone/events", json={"events": []}).status_code == 400, "without its token"
    boss = signed_in(app, walk.boss)
    assert boss.client.get("/phone/token").status_code == 403 and rows(app, PHONE_EVENT) == []


def test_a_report_with_a_photo_is_received_once(app: APIFlask, phone: Browser, walk: PhoneNight) -> None:
    photo = base64.b64encode(picture(700).getvalue()).decode()
    for _ in range(2):
        assert send(phone, found(1, walk, photo=photo, note="长椅")).json["kept"] == 1
    [report], [kept], [event] = (rows(app, table) for table in (INCOMING_REPORT, PHOTO, PHONE_EVENT))
    assert (report.channel, report.state, report.outcome, report.people) == ("patrol", "helped", "informed", 2)
    assert kept.jpeg.startswith(b"\xff\xd8\xff") and "长椅" not in event.content and len(event.content) < 200
    assert json.loads(event.content)["report"] == report.id


def test_a_photo_that_is_none_is_told_and_its_report_stays_on_the_phone(
    app: APIFlask, phone: Browser, walk: PhoneNight
) -> None:
    for i, photo in enumerate(("", "no base64!", base64.b64encode(b"GIF89a no photo").decode(), 7)):
        answer = send(phone, found(2 * i + 1, walk, photo=photo), tick(2 * i + 2, walk))
        assert answer.status_code == 422 and answer.json["kept"] == 2 * i + 2, photo
        assert "照片" in answer.json["rejected"][0]["zh"]
    assert rows(app, INCOMING_REPORT) == []


def test_a_sending_that_is_too_large_is_refused(app: APIFlask, phone: Browser, walk: PhoneNight) -> None:
    answer = send(phone, tick(1, walk, note="x" * (9 << 20)))
    assert answer.status_code == 413 and rows(app, PHONE_EVENT) == []
