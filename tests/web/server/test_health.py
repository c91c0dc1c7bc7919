"""What those who keep the server running may ask, and what its log says."""

import json
import logging
from datetime import datetime

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from layers.store import Store
from tests.web.server.machines import bearer, token_of

CITY = "990100000000"


def test_a_server_that_can_serve_says_so(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "up"}
    assert client.get("/readyz").get_json() == {"status": "ready"}


def test_a_store_of_another_version_is_not_ready_but_the_process_is_up(client: FlaskClient, app: APIFlask) -> None:
    store: Store = app.extensions["lamplight.store"]
    with store.transaction(writes=True) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert client.get("/healthz").status_code == 200


def test_a_store_that_fails_is_not_ready(client: FlaskClient, app: APIFlask) -> None:
    store: Store = app.extensions["lamplight.store"]
    with store.transaction(writes=True) as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    assert client.get("/readyz").status_code == 503


def test_figures_count_requests_by_route_and_status(client: FlaskClient, app: APIFlask) -> None:
    for path in ("/api/v1/points/points/nowhere", "/api/v1/points/points/elsewhere", "/api/v1/me", "/no/such/page"):
        client.get(path)
    client.open("/healthz", method="BREW")
    families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    counts = {
        (s.labels["method"], s.labels["route"], s.labels["status"]): s.value
        for s in families["lamplight_requests"].samples
        if s.name == "lamplight_requests_total"
    }
    assert counts == {
        ("GET", "/api/v1/points/<kind>/<code>", "404"): 2,
        ("GET", "/api/v1/me", "401"): 1,
        ("GET", "none", "404"): 1,
        ("other", "none", "405"): 1,
    }
    times = [s for s in families["lamplight_request_seconds"].samples if s.name.endswith("_count")]
    assert sum(s.value for s in times) == 5


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200), ("127.8.8.8", {}, 200), ("::1", {}, 200), ("10.0.0.1", {}, 403), ("", {}, 403),
        ("203.0.113.9", {}, 403), ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 403), ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 403),
    ],
)  # fmt: skip
def test_figures_are_for_this_machine_alone(
    client: FlaskClient, address: str, headers: dict[str, str], status: int
) -> None:
    answer = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == status


def test_the_log_tells_what_was_asked_and_nothing_of_whom_or_where(
    client: FlaskClient, app: APIFlask, caplog: pytest.LogCaptureFixture
) -> None:
    token = token_of(app, "supervisor", CITY)
    caplog.set_level(logging.INFO, "lamplight.requests")
    client.get("/api/v1/nearest?lon=117.123456&lat=30.5", environ_base={"REMOTE_ADDR": "203.0.113.9"})
    client.get("/api/v1/me", headers=bearer(token))
    client.get(f"/t/{token}/ogc/collections/streets")
    client.get(f"/t/{token}/nothing")
    client.get("/api/v1/points/points/secret-name?lon=1")
    lines = [json.loads(record.message) for record in caplog.records if record.name == "lamplight.requests"]
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "/api/v1/nearest", 200), ("GET", "/api/v1/me", 200), ("GET", "/ogc/collections/<name>", 200),
        ("GET", "none", 404), ("GET", "/api/v1/points/<kind>/<code>", 422),
    ]  # fmt: skip
    assert all(line.keys() == {"time", "method", "route", "status", "ms"} and line["ms"] > 0 for line in lines)
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    for secret in (token, "203.0.113.9", "117.123456", "secret-name"):
        assert secret not in caplog.text
