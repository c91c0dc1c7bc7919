"""What a refusal does not tell: where the database stands, and what somebody wrote."""

import logging

import pytest
from apiflask import APIFlask

from gis.errors import StoreError
from tests.web.server.staff import CITY, HERE, Browser, add, signed_in
from tests.web.server.staff_world import send
from web.server.access import anyone

LONG = "9" * 30


def test_a_failing_store_is_not_named_to_the_public(app: APIFlask, caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> str:
        raise StoreError("数据库出错（postgresql://db.inside/city）", "the store postgresql://db.inside/city failed")

    app.add_url_rule("/fails", "fails", anyone(fails))
    for accepts in ("text/html", "application/json"):
        answer = app.test_client().get("/fails", headers={"Accept": accepts})
        assert answer.status_code == 503 and "db.inside" not in answer.text
    assert "db.inside" in caplog.text, "those who keep it running are told"


def test_the_log_of_a_fault_says_where_but_not_what_was_written(
    app: APIFlask, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    said = "139-0000-0000"

    def fails() -> str:
        raise ValueError(said)

    app.testing, app.config["PROPAGATE_EXCEPTIONS"] = False, False
    app.add_url_rule("/fails", "fails", anyone(fails))
    caplog.set_level(logging.INFO)
    answer = app.test_client().get("/fails")
    assert answer.status_code == 500 and said not in answer.text + caplog.text
    assert "ValueError in /fails" in caplog.text and "test_errors.py" in caplog.text


def test_a_number_or_a_text_that_no_store_holds_is_refused(app: APIFlask) -> None:
    boss, sun = signed_in(app, add(app, "boss", "administrator", CITY)), signed_in(app, add(app, "sun", area=CITY))
    number = send(app, HERE)
    for browser, path in (
        (sun, f"/staff/reports/{LONG}"), (sun, f"/staff/reports?after={LONG}"), (boss, f"/staff/accounts/{LONG}"),
        (sun, f"/staff/reports/{number}/photos/{LONG}"), (boss, f"/staff/audit?account={LONG}"),
    ):  # fmt: skip
        assert browser.get(path).status_code == 422, path
    assert sun.post(f"/staff/reports/{number}/step", to="assigned", version="1", assignee=LONG).status_code == 422
    stranger = Browser(app)
    for answer in (boss.get("/staff/audit?object=a%00"), stranger.sign_in("a\0b"), stranger.get("/report/status/a%00")):
        assert answer.status_code < 500
