"""Long work runs on processes of this machine, or on the Dask cluster that the environment names."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster

from planner.executors.runs import DASK, ExecutorError, open_executor

PATIENCE_S = 60.0


def square(value: int) -> tuple[int, int]:
    return value * value, os.getpid()


def sleep_on(marker: str) -> None:
    Path(marker).touch()
    time.sleep(2 * PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "it never came about"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DASK, raising=False)


@pytest.mark.usefixtures("no_dask")
def test_work_runs_in_processes_of_this_machine() -> None:
    with open_executor(2) as executor:
        found = list(executor.map(square, range(5)))
    assert [value for value, _ in found] == [0, 1, 4, 9, 16]
    assert os.getpid() not in {pid for _, pid in found}
    assert not any(psutil.pid_exists(pid) for _, pid in found)


@pytest.mark.usefixtures("no_dask")
def test_a_worker_leaves_the_keyboard_to_whoever_opened_it() -> None:
    with open_executor(1) as executor:
        pid = executor.submit(square, 1).result()[1]
        os.kill(pid, signal.SIGINT)
        assert executor.submit(square, 3).result() == (9, pid)


@pytest.mark.usefixtures("no_dask")
def test_a_killed_worker_breaks_the_pool_and_the_next_one_works() -> None:
    with open_executor(1) as executor:
        os.kill(executor.submit(square, 1).result()[1], signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            executor.submit(square, 2).result()
    with open_executor(1) as executor:
        assert executor.submit(square, 2).result()[0] == 4


@pytest.mark.usefixtures("no_dask")
def test_leaving_by_an_exception_kills_what_runs(tmp_path: Path) -> None:
    running = tmp_path / "running"
    with pytest.raises(KeyboardInterrupt), open_executor(1) as executor:
        pid = executor.submit(square, 1).result()[1]
        executor.submit(sleep_on, str(running))
        until(running.exists)
        raise KeyboardInterrupt
    assert not psutil.pid_exists(pid)


@pytest.mark.usefixtures("no_dask")
def test_a_worker_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\n"
        "from planner.executors.runs import open_executor\n"
        "from tests.planner.test_executors import square\n"
        "if __name__ == '__main__':\n"
        "    with open_executor(1) as executor:\n"
        "        print(executor.submit(square, 1).result()[1], flush=True)\n"
        "        sys.stdin.read()\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.usefixtures("no_dask")
@pytest.mark.parametrize("workers", [0, -3])
def test_less_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(ExecutorError, match="at least 1 worker"), open_executor(workers):
        pass


def test_work_runs_on_the_cluster_that_the_environment_names(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DASK, scheduler)
    with open_executor() as executor:
        found = list(executor.map(square, range(4)))
        alone = executor.submit(square, 7).result()
    assert [value for value, _ in found] == [0, 1, 4, 9]
    assert alone[0] == 49
    assert alone[1] != os.getpid()


def test_the_cluster_outlives_who_used_it(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DASK, scheduler)
    pids = set()
    for _ in range(2):
        with open_executor() as executor:
            pids.add(executor.submit(square, 1).result()[1])
    assert len(pids) == 1


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:80", "tcp://["])
def test_an_address_that_is_none_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DASK, address)
    with pytest.raises(ExecutorError, match="cannot reach the Dask scheduler") as refusal, open_executor():
        pass
    assert "无法连接 Dask 调度器" in refusal.value.zh


def test_a_scheduler_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv(DASK, f"tcp://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ExecutorError, match="cannot reach the Dask scheduler"), open_executor():
            pass


def test_a_scheduler_without_workers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        monkeypatch.setenv(DASK, cluster.scheduler_address)
        with pytest.raises(ExecutorError, match="has no workers"), open_executor():
            pass
