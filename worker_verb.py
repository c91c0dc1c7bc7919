"""The command line's verb of long work: runs the jobs that pages queued, on this machine or for a cluster."""

import os
import signal
from contextlib import suppress

import click

from gis.errors import QuestionError
from terminal import say, store_options


@click.command(short_help="任务 Run the jobs that wait in the store, without a web server.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N",
              help="How many jobs at once; as many as this machine has cores by default.")  # fmt: skip
@click.option("--dask", is_flag=True, help="Join the Dask scheduler at LAMPLIGHT_DASK with N workers instead.")
@store_options
def worker(workers: int | None, dask: bool, db: str, as_json: bool) -> None:
    """Run the jobs that wait in the store, until Ctrl-C; any number of these, on any machines, may serve one store.

    Where LAMPLIGHT_DASK names a Dask scheduler (tcp://10.1.2.3:8786), jobs are handed to its cluster, N at once. With
    --dask this machine joins that cluster and answers what it is handed.
    """
    from planner.executors.runs import DASK

    count = workers or os.cpu_count() or 1
    address = os.environ.get(DASK, "").strip()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is a Ctrl-C
    if dask and not address:
        raise QuestionError(f"须用 {DASK} 指明 Dask 调度器的地址", f"{DASK} must name the Dask scheduler's address")
    with suppress(KeyboardInterrupt):
        if dask:
            _join(address, count, as_json)
        else:
            _run(db, count, address, as_json)


def _join(address: str, count: int, as_json: bool) -> None:
    from planner.jobs.cluster import join_cluster

    said = {"scheduler": address, "workers": count}
    say(said, as_json, f"加入 Dask 集群 / joining the Dask cluster at {address}: {count}")
    join_cluster(address, count)


def _run(db: str, count: int, address: str, as_json: bool) -> None:
    from layers.store import Store
    from planner.jobs.runs import JobRunner

    store = Store(db)
    store.current()  # a store that is missing or old is told at once
    where = address or "processes"
    said = {"store": store.address, "workers": count, "runs_on": where}
    store.close()
    with JobRunner(db, count) as runner:
        say(said, as_json, f"等待任务 / waiting for jobs of {said['store']}: {count} ({where})")
        runner.wait()
