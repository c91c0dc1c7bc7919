"""One address that asks too much is turned away; nobody else notices."""

import json

from werkzeug.test import create_environ, run_wsgi_app

from web.server import flood
from web.server.flood import BURST, PER_SECOND, FloodGate
from web.server.limits import asker_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"here"]


def ask(gate: FloodGate, address: str) -> tuple[int, bytes, dict[str, str]]:
    body, status, headers = run_wsgi_app(gate, create_environ("/", environ_base={"REMOTE_ADDR": address}))
    return int(status.split()[0]), b"".join(body), dict(headers)


def test_a_burst_passes_and_what_is_beyond_is_refused_until_time_has_gone_by() -> None:
    clock = Clock()
    gate = FloodGate(application, clock)
    statuses = [ask(gate, "10.0.0.1")[0] for _ in range(int(BURST) + 5)]
    assert statuses == [200] * int(BURST) + [429] * 5
    status, body, headers = ask(gate, "10.0.0.1")
    assert status == 429 and headers["Retry-After"] == "1"
    assert json.loads(body)["status"] == 429 and headers["Content-Type"] == "application/problem+json"
    assert ask(gate, "10.0.0.2")[0] == 200
    clock.now = 1.0
    assert [ask(gate, "10.0.0.1")[0] for _ in range(int(PER_SECOND) + 1)] == [200] * int(PER_SECOND) + [429]


def test_an_ipv6_network_is_one_asker() -> None:
    gate = FloodGate(application, Clock())
    for n in range(int(BURST)):
        assert ask(gate, f"2001:db8::{n:x}")[0] == 200
    assert ask(gate, "2001:db8::ffff")[0] == 429
    assert ask(gate, "2001:db8:0:1::1")[0] == 200


def test_an_ipv4_address_is_the_same_asker_however_it_is_written() -> None:
    assert asker_of("::ffff:192.0.2.7") == asker_of("192.0.2.7") != asker_of("192.0.2.8")
    assert asker_of("not an address") == asker_of("") == "?"


def test_only_so_many_addresses_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr(flood, "MOST_ADDRESSES", 3)
    gate = FloodGate(application, Clock())
    for n in range(10):
        ask(gate, f"10.0.0.{n}")
    assert len(gate._buckets) == 3
