"""The verb of long work: what it refuses, in one line; that it runs and stops is tested with the jobs it runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import lamplight


def refused(*words: str) -> str:
    answer = CliRunner().invoke(lamplight.main, ["worker", *words])
    assert answer.exit_code == 2 and len(answer.output.strip().splitlines()) == 1
    return answer.output


def test_a_store_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    assert "there is no store" in refused("--db", f"sqlite:///{tmp_path / 'none.sqlite'}")


def test_a_cluster_nobody_named_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMPLIGHT_DASK", raising=False)
    assert "LAMPLIGHT_DASK" in refused("--dask")


def test_it_runs_one_job_at_least(tmp_path: Path) -> None:
    assert "0" in refused("--workers", "0", "--db", f"sqlite:///{tmp_path / 'none.sqlite'}")
