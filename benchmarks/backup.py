"""Back up a store of a million reports while a server writes to it, restore it, and look whether anything is missing.

python -m benchmarks.backup [--reports 1000000] [--db ADDRESS]

--db : an empty PostgreSQL database to restore into, beside a SQLite file. Printed: seconds and megabytes of each step,
and whether every report acknowledged before the backup began is in every copy, and every copy is what the file says.
The mark: restoring a million reports takes less than 60 s. Ends with status 1 where it is missed or anything is.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import sqlalchemy as sa

from benchmarks.kill import CLIENTS, LAMPLIGHT, SECRET, Client, Ledger, make_town, marks_of
from benchmarks.web import wait_for
from layers.backup import restore_backup, write_backup
from layers.schema import INCOMING_REPORT
from layers.store import Store

MARK_S = 60.0


def main() -> int:
    """Print the figures; 1 where something is missing or the mark is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--db", help="an empty PostgreSQL database to restore into as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db, file = f"sqlite:///{folder}/town.sqlite", Path(folder) / "city.backup"
        place = make_town(db, Path(folder))
        _add_reports(db, asked.reports, place)
        before = _back_up_under_load(db, file, place)
        good = True
        for copy in (f"sqlite:///{folder}/copy.sqlite", *([asked.db] if asked.db else [])):
            good &= _restored(file, copy, before, asked.reports)
    return not good


def _add_reports(db: str, count: int, place: tuple[float, float]) -> None:
    rng = np.random.default_rng(1)
    minutes = rng.integers(0, 2 * 365 * 1440, count)
    table = gpd.GeoDataFrame(
        {
            "report_id": [f"R{n:07d}" for n in range(count)],
            "found_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min"),
            "channel": rng.choice(["patrol", "hotline", "public"], count),
            "outcome": rng.choice(["informed", "guided", "escorted"], count),
            "people": rng.integers(1, 4, count),
        },
        geometry=gpd.points_from_xy(*(at + rng.normal(0, 0.01, count) for at in place)), crs=4326,
    )  # fmt: skip
    store = Store(db)
    store.import_layer("reports", "", table, source="made.parquet", sha256="0" * 64)
    store.close()


def _back_up_under_load(db: str, file: Path, place: tuple[float, float]) -> set[str]:
    """Return the marks of reports acknowledged before the backup began."""
    port = random.randrange(20_000, 60_000)
    environment = os.environ | {"LAMPLIGHT_SECRET": SECRET, "LAMPLIGHT_PLAIN_HTTP": "yes"}
    quiet: dict[str, object] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    server = subprocess.Popen([LAMPLIGHT, "serve", "--port", str(port), "--db", db], **quiet)
    wait_for(port, server)
    ledger, stop = Ledger(), threading.Event()
    clients = [threading.Thread(target=Client(port, ledger, place).run, args=(stop,)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(3.0)
    before = marks_of(ledger)
    began = time.perf_counter()
    write_backup(db, file, now=datetime.now(UTC), progress=lambda step: None)
    seconds = time.perf_counter() - began
    stop.set()
    for client in clients:
        client.join()
    server.terminate()
    server.wait()
    print(f"backup: {seconds:.1f} s, {file.stat().st_size / 1e6:.0f} MB; reports acknowledged before it {len(before)}, "
          f"and while it ran {len(ledger.acknowledged) - len(before)}", flush=True)  # fmt: skip
    return before


def _restored(file: Path, db: str, before: set[str], count: int) -> bool:
    began = time.perf_counter()
    restore_backup(file, db, progress=lambda step: None)
    seconds = time.perf_counter() - began
    store = Store(db)
    with store.transaction() as connection:
        kept = set(connection.execute(sa.select(INCOMING_REPORT.c.token_sha256)).scalars())
    whole = before <= kept and len(store.load("reports", fields=["report_id"])) == count
    store.close()
    said = "nothing is missing" if whole else "SOMETHING IS MISSING"
    print(f"restore into {db.partition(':')[0]}: {seconds:.1f} s; {said}")
    return whole and seconds < MARK_S


if __name__ == "__main__":
    sys.exit(main())
