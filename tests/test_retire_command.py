"""The verb of every night: what it removes is told in numbers and in words, and twice is once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

import lamplight
from layers.job_queue import claim, finish
from layers.job_rows import JobProgress
from layers.jobs import ask_job
from layers.sessions import open_session
from layers.store import Store
from tests.layers.conftest import CITY, TABLES
from tests.layers.test_forgetting import account

LONG_AGO = datetime.now(UTC) - timedelta(days=100)


def told(db: str, *words: str) -> str:
    answer = CliRunner().invoke(lamplight.main, ["retire", "--db", db, *words])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_what_is_old_goes_and_is_counted(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'city.sqlite'}"
    store = Store(db)
    store.create()
    by = account(store)
    for n in range(3):
        asked = ask_job(store, "coverage", {"thresholds_s": [n]}, by=by, now=LONG_AGO)
        claim(store, asked.id, worker="w", now=LONG_AGO)
        finish(store, asked.id, "done", worker="w", now=LONG_AGO, progress=JobProgress())
        open_session(store, by.id, device="", now=LONG_AGO)
    store.import_layer("reports", "", TABLES["reports", ""](), source="f", sha256="0" * 64)
    nothing = json.loads(told(db, "--job-days", "101", "--json"))
    assert (nothing["jobs"], nothing["sessions"], nothing["coarsened"]) == (0, 3, 0)
    assert json.loads(told(db, "--place-days", "30", "--json"))["jobs"] == 2
    again = told(db, "--place-days", "30")
    assert "0 jobs" in again and "0 old places" in again and "没有新的办结报告" in again and CITY not in again
    assert all(place.x == round(place.x, 2) for place in store.load("reports").geometry)
    store.close()
