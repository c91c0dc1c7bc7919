"""Kill the server in the middle of its work, again and again, and look whether anything that was said is lost.

python -m benchmarks.kill [--kills 200] [--db ADDRESS]

Each round starts `lamplight serve` on a demo town, lets clients send reports and, beside it, `lamplight import` replace
a layer, then kills both with SIGKILL at a random moment. After each: the database's own integrity check; every report
that was acknowledged is there, once, and so is the audit log, unbroken; the layer is one whole import. Reports that
were cut off are sent again in the next round under the same key, as a telephone does, and must be there once as well.
Ends with status 1 where anything was lost, doubled or half done.
"""

import argparse
import hashlib
import http.client
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import Path

import pyogrio
import sqlalchemy as sa

from benchmarks.web import wait_for
from layers.audit_check import verify
from layers.schema import INCOMING_REPORT
from layers.store import Store

LAMPLIGHT = Path(sys.executable).with_name("lamplight")
CLIENTS = 4
#: How long a round goes on after the server is up, seconds.
ROUND_S = (0.05, 1.5)
ROWS = 200


class Ledger:
    """The keys of reports: cut off, and acknowledged with a token. One for all clients and rounds."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: set[str] = set()
        self.acknowledged: dict[str, str] = {}

    def next_key(self) -> str:
        """Return a key that was cut off, to be sent again, or a new one."""
        with self.lock:
            key = self.open.pop() if self.open and random.random() < 0.5 else str(uuid.uuid4())
            self.open.discard(key)
        return key

    def settle(self, key: str, token: str | None) -> None:
        """Note what became of a key: its report's token, or None where no answer came."""
        with self.lock:
            if token is None:
                self.open.add(key)
            else:
                self.acknowledged[key] = token


class Client:
    """A telephone that sends reports, each from an address of its own so that no limit holds it back."""

    def __init__(self, port: int, ledger: Ledger, place: tuple[float, float]) -> None:
        self._port, self._ledger, self._place = port, ledger, place

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop or until the server is gone."""
        while not stop.is_set():
            key = self._ledger.next_key()
            token = None
            try:
                token = self._send(key)
            except (OSError, http.client.HTTPException):
                stop.set()  # killed
            finally:
                self._ledger.settle(key, token)

    def _send(self, key: str) -> str | None:
        address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20, source_address=(address, 0))
        line.request("GET", "/report")
        page = line.getresponse()
        cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
        lon, lat = self._place
        fields = {"csrf_token": token[1] if token else "", "key": key, "sure": "yes", "lon": lon, "lat": lat,
                  "place": "桥下 under the bridge", "needs": "food_clothes", "people": "1"}  # fmt: skip
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        line.request("POST", "/report", urllib.parse.urlencode(fields), headers)
        answer = line.getresponse()
        body = answer.read()
        line.close()
        if answer.status in (200, 400, 422):
            print(body.decode(errors="replace"), file=sys.stderr)
            os._exit(2)  # the form has changed: there is nothing to measure
        found = re.search(r"/report/received/([^?]+)", answer.getheader("Location") or "")
        return found[1] if found else None


def main() -> int:
    """Kill and look; 1 where something was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--db", help="an empty PostgreSQL database instead of a SQLite file")
    asked = parser.parse_args()
    ledger, faults = Ledger(), []
    with tempfile.TemporaryDirectory() as folder:
        db = asked.db or f"sqlite:///{folder}/town.sqlite"
        place = make_town(db, Path(folder))
        files = _layer_files(db, Path(folder))
        for n in range(1, asked.kills + 1):
            _round(db, ledger, place, random.choice(files))
            faults = _look(db, ledger)
            if n % 10 == 0 or faults:
                print(
                    f"{n} kills: {len(ledger.acknowledged)} reports acknowledged, {len(ledger.open)} cut off",
                    flush=True,
                )
            if faults:
                break
    print("\n".join(faults) or "nothing lost, nothing doubled, nothing half done")
    return bool(faults)


def make_town(db: str, folder: Path) -> tuple[float, float]:
    command = [LAMPLIGHT, "demo", "--size", "town", "--out", folder / "town", "--db", db]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = Store(db)
    point = store.load("service-points").geometry.iloc[0]
    store.close()
    return float(point.x), float(point.y)


def _layer_files(db: str, folder: Path) -> list[Path]:
    """Write reports as files of different length, so that half an import shows."""
    store = Store(db)
    table = store.load("reports").iloc[: 3 * ROWS]
    store.close()
    paths = []
    for n in (1, 2, 3):
        paths.append(folder / f"reports-{n}.gpkg")
        pyogrio.write_dataframe(table.iloc[: n * ROWS], paths[-1])
    return paths


def _round(db: str, ledger: Ledger, place: tuple[float, float], file: Path) -> None:
    port = random.randrange(20_000, 60_000)
    environment = os.environ | {"LAMPLIGHT_SECRET": SECRET, "LAMPLIGHT_PLAIN_HTTP": "yes"}
    quiet: dict[str, object] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    server = subprocess.Popen([LAMPLIGHT, "serve", "--port", str(port), "--db", db], start_new_session=True, **quiet)
    importer = subprocess.Popen([LAMPLIGHT, "import", "reports", file, "--db", db], start_new_session=True, **quiet)
    wait_for(port, server)
    stop = threading.Event()
    clients = [threading.Thread(target=Client(port, ledger, place).run, args=(stop,)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(random.uniform(*ROUND_S))
    for process in (server, importer):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    stop.set()
    for client in clients:
        client.join()


def marks_of(ledger: Ledger) -> set[str]:
    """Return what the store keeps of the tokens it gave."""
    with ledger.lock:
        return {hashlib.sha256(token.encode()).hexdigest() for token in ledger.acknowledged.values()}


def _look(db: str, ledger: Ledger) -> list[str]:
    """Return what is wrong with the store now."""
    store = Store(db)
    with store.transaction() as connection:
        kept = connection.execute(sa.select(INCOMING_REPORT.c.token_sha256)).scalars().all()
        sound = connection.dialect.name != "sqlite" or connection.scalar(sa.text("PRAGMA integrity_check")) == "ok"
    version = store.current()["reports", ""]
    told = marks_of(ledger)
    checks: dict[str, Callable[[], bool]] = {
        "the database is damaged": lambda: sound,
        "an acknowledged report is lost": lambda: told <= set(kept),
        "two reports were given one token": lambda: len(told) == len(ledger.acknowledged),
        "a report is there twice": lambda: len(kept) <= len(told) + len(ledger.open),
        "the layer is half an import": lambda: len(store.load("reports")) == version.accepted,
        "the audit log is broken": lambda: not verify(store).problems,
    }
    faults = [what for what, holds in checks.items() if not holds()]
    store.close()
    return faults


SECRET = secrets.token_urlsafe(48)

if __name__ == "__main__":
    sys.exit(main())
