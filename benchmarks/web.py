"""Time the server under load: the nearest open point and the public's page, on waitress and on granian.

python -m benchmarks.web [--size town|city] [--seconds S] [--only waitress,granian] [--store FILE]

The server is a process of its own; the load comes from this one over loopback, each connection from addresses of its
own (Linux lets every 127.x.y.z be a source), so that both share the machine's cores. Places asked from are drawn in the
city's extent. Printed: requests per second, quantiles of the wait, errors; then the wait of 100 polite questions a
second from fifty addresses, alone and while one address asks ten times as much. Goals on two idle cores: nearest at
2,000 requests a second and more with 95 % answered in 50 ms, no errors; polite clients' 95 % less than doubled.
"""

import argparse
import itertools
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.web_load import Crowd, run
from layers.store import Store

ROOT = Path(__file__).parents[1]
CONNECTIONS = 48
POLITE_PER_S, FLOOD_PER_S = 100.0, 1000.0
ROW = "{:<10} {:<26} {:>9} {:>8} {:>8} {:>8} {:>7}"


def main() -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("town", "city"), default="city")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="waitress,granian")
    parser.add_argument("--store", type=Path, help="a store made earlier, instead of building the demo city")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = asked.store or _demo(asked.size, Path(folder))
        requests = _requests(store)
        print(ROW.format("server", "asked", "per s", "p50 ms", "p95 ms", "p99 ms", "errors"))
        missed = [name for name in asked.only.split(",") for port in _served(name, store)
                  if not _measured(name, port, requests, asked.seconds)]  # fmt: skip
    print(f"goals missed: {', '.join(missed)}" if missed else "goals met")
    return bool(missed)


def _demo(size: str, folder: Path) -> Path:
    lamplight = Path(sys.executable).with_name("lamplight")
    subprocess.run([lamplight, "demo", "--size", size, "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return folder / f"linjiang-{size}.sqlite"


def _requests(path: Path) -> dict[str, Callable[[], bytes]]:
    """Return what gives the requests to time, by name."""
    store = Store(f"sqlite:///{path}")
    west, south, east, north = store.load("service-points").total_bounds
    store.close()
    rng = random.Random(1)

    def get(target: str) -> bytes:
        return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()

    def place() -> str:
        return f"lon={rng.uniform(west, east):.5f}&lat={rng.uniform(south, north):.5f}"

    return {
        "nearest open point": lambda: get(f"/api/v1/nearest?{place()}&open=now&count=3"),
        "public page": lambda: get(f"/?{place()}"),
        "public page, no place": lambda: get("/"),
    }


@contextmanager
def _running(name: str, store: Path) -> Iterator[int]:
    port = random.Random().randrange(20_000, 60_000)
    environment = os.environ | {
        "LAMPLIGHT_SECRET": secrets.token_urlsafe(48), "LAMPLIGHT_PLAIN_HTTP": "yes",
        "LAMPLIGHT_DB": f"sqlite:///{store}",
    }  # fmt: skip
    binaries = Path(sys.executable).parent
    commands = {
        "waitress": [binaries / "lamplight", "serve", "--port", str(port), "--db", f"sqlite:///{store}"],
        "granian": [binaries / "granian", "--interface", "wsgi", "--port", str(port), "--workers", "2",
                    "--blocking-threads", "2", "--no-ws", "web.server.wsgi:app"],
    }  # fmt: skip
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(commands[name], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(port, server)
            yield port
        finally:
            server.terminate()
            server.wait(10)


def _served(name: str, store: Path) -> Iterator[int]:
    with _running(name, store) as port:
        yield port


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        if server.poll() is not None:
            raise SystemExit(f"the server ended with {server.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not come up")


def _addresses(net: int, count: int = 60_000) -> Iterator[str]:
    return itertools.cycle(f"127.{net}.{n // 250}.{n % 250 + 1}" for n in range(count))


def _measured(name: str, port: int, requests: dict[str, Callable[[], bytes]], seconds: float) -> bool:
    good = True
    for net, (what, request) in enumerate(requests.items(), 1):
        run(port, [Crowd(what, request, 8, _addresses(net))], 1.0)  # warm
        crowd = Crowd(what, request, CONNECTIONS, _addresses(100 + net))
        took = run(port, [crowd], seconds)
        _print(name, crowd, len(crowd.waits_s) / took)
        if what == "nearest open point":
            errors = sum(crowd.statuses.values()) - crowd.statuses[200]
            good &= len(crowd.waits_s) / took >= 2000 and crowd.quantile_ms(0.95) < 50 and not errors
    nearest = requests["nearest open point"]
    alone = Crowd("polite, alone", nearest, 50, _addresses(200, 50), POLITE_PER_S)
    run(port, [alone], seconds)
    _print(name, alone, len(alone.waits_s) / seconds)
    beside = Crowd("polite, beside a flood", nearest, 50, _addresses(201, 50), POLITE_PER_S)
    flood = Crowd("the flood", nearest, 50, _addresses(202, 1), FLOOD_PER_S)
    run(port, [beside, flood], seconds)
    _print(name, beside, len(beside.waits_s) / seconds)
    _print(name, flood, len(flood.waits_s) / seconds)
    print(json.dumps({"server": name, "p95_ratio": round(beside.quantile_ms(0.95) / alone.quantile_ms(0.95), 2)}))
    return good and beside.quantile_ms(0.95) < 2 * alone.quantile_ms(0.95)


def _print(name: str, crowd: Crowd, per_s: float) -> None:
    errors = sum(crowd.statuses.values()) - crowd.statuses[200]
    waits = (f"{crowd.quantile_ms(share):.1f}" for share in (0.5, 0.95, 0.99))
    print(ROW.format(name, crowd.name, f"{per_s:,.0f}", *waits, errors), flush=True)


if __name__ == "__main__":
    sys.exit(main())
