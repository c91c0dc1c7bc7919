"""Open the executor that long work runs on: processes of this machine, or the Dask cluster of ``LAMPLIGHT_DASK``."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

from gis.errors import LamplightError

#: The environment's word for a Dask scheduler's address, such as tcp://10.1.2.3:8786.
DASK = "LAMPLIGHT_DASK"
#: How long a scheduler may take to answer, and its first worker to come.
_PATIENCE_S = 5
#: More than the cores of any cluster we know; its scheduler keeps what has to wait.
_DASK_WIDTH = 1000


class ExecutorError(LamplightError):
    """Processes that cannot be started, or a scheduler that cannot be reached or has no workers."""


@contextmanager
def open_executor(workers: int | None = None) -> Iterator[Executor]:
    """Yield an executor: spawned processes of this machine, or Dask's where ``LAMPLIGHT_DASK`` names a scheduler.

    workers : how many processes, as many as cores by default; a Dask cluster has its own number. They ignore Ctrl-C,
    which is for the process that opened them, and end with it. What is submitted must be a function of a module.
    On leaving, what has not begun is cancelled and what has is waited for; leaving by an exception kills the
    processes (a Dask worker goes on with what it has begun, and nobody hears of it).
    Raises ExecutorError on less than one worker, or a scheduler that does not answer or has no workers.
    """
    if workers is not None and workers < 1:
        raise ExecutorError(f"进程数应至少为 1，而不是 {workers}", f"expected at least 1 worker, got {workers}")
    address = os.environ.get(DASK, "").strip()
    with _dask(address) if address else _processes(workers or os.cpu_count() or 1) as executor:
        yield executor


def at_once(workers: int | None = None) -> int:
    """Return how many pieces of work ``open_executor(workers)`` can take at a time without one having to wait."""
    return _DASK_WIDTH if os.environ.get(DASK, "").strip() else workers or os.cpu_count() or 1


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    executor = ProcessPoolExecutor(workers, get_context("spawn"), begin_process)
    try:
        yield executor
    except BaseException:
        for process in list((executor._processes or {}).values()):  # Python 3.14 has kill_workers for this
            process.kill()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def begin_process() -> None:
    """Make a pool's new process ready: the keyboard speaks to the one that began it, and without that one it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # a killed parent closes nothing: its processes would wait for work for ever


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    from distributed import Client  # takes a second to load, and most installations have no cluster

    try:
        asyncio.run(_knock(address))
        client = Client(address, timeout=_PATIENCE_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ExecutorError(
            f"无法连接 Dask 调度器 {address}（{DASK}）：{reason}",
            f"cannot reach the Dask scheduler at {address} ({DASK}): {reason}",
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError:
            raise ExecutorError(
                f"Dask 调度器 {address} 没有工作进程", f"the Dask scheduler at {address} has no workers"
            ) from None
        executor: Executor = client.get_executor()  # type: ignore[no-untyped-call]
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)


async def _knock(address: str) -> None:
    """Raise OSError or ValueError where no scheduler answers: a Client that fails leaves threads that complain."""
    from distributed.comm.core import connect

    connecting = connect(address, timeout=_PATIENCE_S)  # type: ignore[no-untyped-call]
    comm = await asyncio.wait_for(connecting, 2 * _PATIENCE_S)  # it waits for ever for a stranger's greeting
    await comm.close()
