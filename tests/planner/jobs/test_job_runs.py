"""Jobs answered by processes that are killed, stopped, cancelled and many: each ends once, with the same bytes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from layers.job_queue import claim, queued
from layers.jobs import Job, cancel_job, job, job_lines
from layers.store import Store
from planner.coverage import CoverageQuestion
from planner.executors.runs import DASK
from planner.jobs.runs import JobRunner, is_dead, work
from planner.runs import run_siting
from tests.planner import toy_town
from tests.planner.jobs.conftest import (
    LONG,
    SHORT,
    _planner,
    kill_worker_of,
    over,
    searching,
    table_bytes,
    wait_until,
)
from tests.postgis_server import PostgisServer

ROOT = Path(__file__).parents[3]
Ask = Callable[..., Job]


def begun_again(store: Store, found: Job, bytes_: dict[str, bytes]) -> None:
    """The job was begun twice, ended once, and its one run is the undisturbed one's to the byte."""
    assert (found.state, found.attempts) == ("done", 2), job_lines(store, found.id)
    assert table_bytes(store.run(found.run_id)) == bytes_
    assert len(store.runs()) == 1
    assert found.progress.bound == pytest.approx(found.progress.value)
    assert "its worker died: waiting again" in [line.en for line in job_lines(store, found.id)]


def test_a_process_killed_in_mid_run_leaves_a_job_that_ends_with_the_same_bytes(
    store: Store, url: str, ask: Ask, undisturbed: dict[str, bytes]
) -> None:  # fmt: skip
    asked = ask(LONG)
    with JobRunner(url):
        pid = kill_worker_of(wait_until(store, asked.id, searching))
        ended = wait_until(store, asked.id, over)
        assert f":{pid}:" not in ended.worker
    begun_again(store, ended, undisturbed)


def test_a_runner_killed_in_mid_run_leaves_a_job_that_another_runner_ends_with_the_same_bytes(
    store: Store, url: str, ask: Ask, undisturbed: dict[str, bytes]
) -> None:  # fmt: skip
    asked = ask(LONG)
    command = [sys.executable, "-c", "import lamplight; lamplight.main()", "worker", "--db", url, "--workers", "1"]
    where: dict[str, Any] = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # a test run that a script began behind itself hears no Ctrl-C, and what it starts would hear none either
    where["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    first = subprocess.Popen(command, **where)
    wait_until(store, asked.id, searching)
    first.kill()
    first.wait()
    assert job(store, asked.id).state == "running"
    second = subprocess.Popen(command, **where)
    ended = wait_until(store, asked.id, over)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0  # Ctrl-C ends it without a word
    begun_again(store, ended, undisturbed)


def test_a_dask_worker_killed_in_mid_run_leaves_a_job_that_ends_with_the_same_bytes(
    store: Store, url: str, ask: Ask, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    from distributed import LocalCluster

    asked = ask(LONG)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        monkeypatch.setenv(DASK, cluster.scheduler_address)
        with JobRunner(url):
            held = wait_until(store, asked.id, searching)
            workers = {int(info.pid) for info in cluster.workers.values()}
            assert kill_worker_of(held) in workers
            ended = wait_until(store, asked.id, over)
    begun_again(store, ended, undisturbed)


def test_the_processes_of_a_patrol_end_with_the_worker_that_is_killed() -> None:
    begun = (
        "from planner.patrol.runs import Pool; import time; pool = Pool(lambda: False);"
        "pool.submit(None, 1.0).exception(); print(*pool._executor._processes, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", begun], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert children
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children, timeout=60)[1] == []


def test_a_runner_that_stops_leaves_its_job_as_if_it_had_not_begun(store: Store, url: str, ask: Ask) -> None:
    asked = ask(LONG)
    with JobRunner(url):
        held = wait_until(store, asked.id, searching)
    left = job(store, asked.id)
    assert (left.state, left.attempts) == ("queued", 0) and is_dead(held.worker)
    assert store.runs() == []


def test_a_search_that_is_cancelled_ends_soon_with_the_best_plan_so_far(store: Store, url: str, ask: Ask) -> None:
    from datetime import UTC, datetime

    asked = ask(LONG)
    with JobRunner(url):
        wait_until(store, asked.id, searching)
        cancel_job(store, asked.id, by=_planner(store), now=datetime.now(UTC))
        ended = wait_until(store, asked.id, over)
    assert (ended.state, ended.attempts) == ("cancelled", 1)
    run = store.run(ended.run_id)
    assert run.parameters["cancelled"] and run.tables["plan"]["stopped"].iloc[0] == "cancelled"
    assert ask(LONG).id != asked.id


def test_a_process_that_dies_with_nothing_to_do_is_begun_anew_with_the_next_job(
    store: Store, url: str, ask: Ask
) -> None:  # fmt: skip
    with JobRunner(url):
        pid = kill_worker_of(wait_until(store, ask(SHORT).id, over))
        second = wait_until(store, ask(replace(SHORT, count=2)).id, over)
    assert second.state == "done" and f":{pid}:" not in second.worker


def test_many_runners_on_one_store_answer_each_job_once(store: Store, url: str, ask: Ask) -> None:
    asked = [ask(replace(SHORT, count=count)) for count in range(1, 7)]
    runners = [JobRunner(url) for _ in range(2)]
    for runner in runners:
        runner.start()
    ended = [wait_until(store, one.id, over) for one in asked]
    for runner in runners:
        runner.stop()
    assert {(one.state, one.attempts) for one in ended} == {("done", 1)}
    assert len({one.run_id for one in ended}) == len(store.runs("siting")) == 6
    for one in asked:
        assert [line.en for line in job_lines(store, one.id)].count("begun") == 1


# one job, answered here


def test_progress_tells_the_steps_and_the_log_names_them(store: Store, url: str, ask: Ask) -> None:
    asked = ask(SHORT)
    assert work(url, asked.id) == "done"
    ended = job(store, asked.id)
    assert ended.progress.steps_done == ended.progress.steps == 7
    plan = store.run(ended.run_id).tables["plan"]
    assert ended.progress.value == pytest.approx(plan["value"].iloc[0])
    said = [line.en for line in job_lines(store, asked.id)]
    assert said[0] == "begun" and said[-1] == "done" and "looking for the best sites" in said
    assert all(line.zh and line.at.tzinfo for line in job_lines(store, asked.id))


def test_the_same_inputs_are_answered_by_the_run_that_is_kept(store: Store, url: str, ask: Ask) -> None:
    kept = run_siting(store, SHORT)
    asked = ask(SHORT)
    assert work(url, asked.id) == "done"
    assert job(store, asked.id).run_id == kept.id and len(store.runs()) == 1
    assert ask(SHORT).id == asked.id and queued(store) == []


def test_a_question_that_cannot_be_answered_fails_in_both_languages(store: Store, url: str, ask: Ask) -> None:
    asked = ask(replace(SHORT, candidates="layer"))
    assert work(url, asked.id) == "failed"
    ended = job(store, asked.id)
    assert ended.zh == "尚未导入候选点" and "no candidates" in ended.en and ended.run_id is None
    with store.transaction(writes=True) as connection:  # parameters of an older version, say
        connection.exec_driver_sql("UPDATE job SET parameters = '{}', state = 'queued'")
    assert work(url, asked.id) == "failed" and "incomplete" in job(store, asked.id).en


def test_a_program_that_fails_ends_its_job_and_tells_no_secrets(
    store: Store, url: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(" ".join(["a", "secret"]))

    monkeypatch.setattr("planner.jobs.runs.question_of", broken)
    asked = ask(SHORT)
    assert work(url, asked.id) == "failed"
    ended = job(store, asked.id)
    assert "ZeroDivisionError" in ended.en and "secret" not in ended.en + ended.zh
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told and "in broken" in told and "a secret" not in told


def test_a_job_in_other_hands_is_left_alone(store: Store, url: str, ask: Ask) -> None:
    from datetime import UTC, datetime

    asked = ask(SHORT)
    elsewhere = claim(store, asked.id, worker="another-machine/1:77:ab", now=datetime.now(UTC))
    assert elsewhere is not None and not is_dead(elsewhere.worker)
    assert work(url, asked.id) == "" and work(url, 99) == ""
    assert job(store, asked.id).worker == elsewhere.worker


def test_only_processes_of_this_machine_that_are_no_more_count_as_dead() -> None:
    from planner.jobs.runs import _here

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert is_dead(f"{_here()}:{gone.pid}:ab")
    assert not is_dead(f"{_here()}:{os.getpid()}:ab")
    assert not is_dead(f"elsewhere/1:{gone.pid}:ab") and not is_dead("w") and not is_dead("")


@pytest.mark.postgis
def test_jobs_run_on_postgresql_too(postgis_server: PostgisServer, request: pytest.FixtureRequest) -> None:
    from datetime import UTC, datetime

    from layers.accounts import NewAccount, create_account
    from layers.jobs import ask_job

    url = postgis_server.new_database(request)
    store = Store(url)
    store.create()
    toy_town.keep(store, toy_town.layers_of_town())
    new = NewAccount("planner", "规划", "planner", toy_town.CITY, "hash", "planner")
    by = create_account(store, new, by=None, now=datetime.now(UTC))
    asked = ask_job(store, "coverage", CoverageQuestion().parameters, by=by, now=datetime.now(UTC))
    with JobRunner(url):
        ended = wait_until(store, asked.id, over)
    assert ended.state == "done" and store.run(ended.run_id).kind == "coverage"
    store.close()
