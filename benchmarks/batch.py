"""Ask the question of coverage of a made-up province, with one worker and several, and with workers being killed.

python -m benchmarks.batch [--counties 500] [--workers 2] [--timed 60] [--kill-every 12] [--dask] [--folder DIR]

First some counties with one worker and with several: counties a minute, for each worker, and what more of them gain.
Then all counties twice: left alone, and while a worker is killed with SIGKILL at random moments. Both must leave the
same files, byte for byte, and one row a county; ends with status 1 where they do not. --dask: on a Dask cluster of
local processes instead of the process pool, killed as well (its nannies start new ones).
"""

import argparse
import hashlib
import logging
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from pathlib import Path

from benchmarks.small_counties import write_province
from planner.batch.counties import County
from planner.batch.loading import list_counties
from planner.batch.runs import run_batch
from planner.batch.summary import Row
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import DASK


def digests(out: Path) -> dict[str, str]:
    """Return the hash of every file below ``out`` by its name."""
    found = sorted(p for p in out.rglob("*") if p.is_file())
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all that it began and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in used)


def ask(
    counties: list[County], out: Path, workers: int | None, told: Callable[[], None] = lambda: None
) -> tuple[float, Counter[str], list[str]]:
    """Answer the counties; return the seconds, how many there are of each state, and what is wrong with the rows."""
    heard: Counter[str] = Counter()

    def hear(row: Row) -> None:
        heard.update([row["code"]])
        told()

    begun = time.monotonic()
    table = run_batch(counties, CoverageQuestion(), out, workers=workers, hear=hear)
    seconds = time.monotonic() - begun
    wrong = [f"{code} was answered {n} times" for code, n in heard.items() if n > 1]
    wrong += [f"{code} stands twice" for code in table["code"][table["code"].duplicated()]]
    wrong += [f"{row.code}: {row.en}" for row in table.itertuples() if row.state not in ("answered", "kept")]
    if set(table["code"]) != {county.code for county in counties}:
        wrong.append("the rows are not those of the counties")
    return seconds, Counter(table["state"]), wrong


class Killer:
    """Kills one of ``pids()`` at a random moment after some counties were answered, again and again.

    every : counties between two kills on average.
    """

    def __init__(self, pids: Callable[[], list[int]], every: int, second: float) -> None:
        self.killed: list[int] = []
        self._pids, self._every, self._second = pids, every, second
        self._rng = random.Random(7)
        self._left = self._next()
        self._threads: list[threading.Timer] = []

    def told(self) -> None:
        """Count an answer; it may be the one after which a worker dies, some moments on."""
        self._left -= 1
        if self._left <= 0:
            self._left = self._next()
            self._threads.append(threading.Timer(self._rng.uniform(0, self._second), self._kill))
            self._threads[-1].start()

    def close(self) -> None:
        """Kill nobody any more."""
        for thread in self._threads:
            thread.cancel()
            thread.join()

    def _next(self) -> int:
        return self._rng.randint(1, 2 * self._every - 1)

    def _kill(self) -> None:
        found = self._pids()
        if found:
            pid = self._rng.choice(found)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)


def pool_pids() -> list[int]:
    return [process.pid for process in active_children() if process.pid is not None]


@contextmanager
def cluster(workers: int) -> Iterator[Callable[[], list[int]]]:
    """Start a Dask cluster of local processes and name it in the environment; yields what tells its workers' pids."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as made:
        os.environ[DASK] = made.scheduler_address
        try:
            yield lambda: [nanny.pid for nanny in made.workers.values() if nanny.pid is not None]
        finally:
            del os.environ[DASK]


def scaling(counties: list[County], folder: Path, workers: int) -> None:
    """Print counties a minute with one worker and with ``workers``."""
    rates = {}
    for n in (1, workers):
        used = cpu_seconds()
        seconds, states, _ = ask(counties, folder / f"timed-{n}", n)
        used = (cpu_seconds() - used) / len(counties)
        rates[n] = 60 * len(counties) / seconds
        print(f"{len(counties)} counties, {n} worker(s): {seconds:.0f} s, {rates[n]:.1f} a minute, "
              f"{rates[n] / n:.1f} a minute and worker, {used:.2f} CPU s each; {dict(states)}", flush=True)  # fmt: skip
    print(f"{workers} workers are {rates[workers] / rates[1]:.2f} times as fast as one", flush=True)


def compare(counties: list[County], folder: Path, workers: int, pids: Callable[[], list[int]], every: int) -> bool:
    """Answer all counties left alone, then with workers killed; print what differs and tell whether nothing does."""
    seconds, states, wrong = ask(counties, folder / "alone", workers)
    alone = digests(folder / "alone")
    print(f"left alone: {seconds:.0f} s, {60 * len(counties) / seconds:.1f} a minute, {dict(states)}, "
          f"{len(alone)} files", flush=True)  # fmt: skip
    killer = Killer(pids, every, seconds / len(counties) * workers)
    seconds, states, also_wrong = ask(counties, folder / "killed", workers, killer.told)
    killer.close()
    struck = digests(folder / "killed")
    differ = sorted(name for name in alone.keys() | struck.keys() if alone.get(name) != struck.get(name))
    print(f"{len(killer.killed)} workers killed: {seconds:.0f} s, {60 * len(counties) / seconds:.1f} a minute, "
          f"{dict(states)}, {len(struck)} files, {len(differ)} of them differ", flush=True)  # fmt: skip
    for line in [*wrong, *also_wrong, *differ][:20]:
        print(f"! {line}")
    return not (wrong or also_wrong or differ)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counties", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--timed", type=int, default=60, help="counties to time with one worker and several; 0 for none"
    )
    parser.add_argument("--kill-every", type=int, default=12, help="counties between two kills on average")
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the counties and their answers here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        begun = time.monotonic()
        write_province(folder / "province", given.counties)
        counties = list_counties(folder / "province")
        print(f"{len(counties)} counties written in {time.monotonic() - begun:.0f} s", flush=True)
        if given.timed and not given.dask:
            scaling(counties[: given.timed], folder, given.workers)
        if given.dask:
            with cluster(given.workers) as pids:
                same = compare(counties, folder, given.workers, pids, given.kill_every)
        else:
            same = compare(counties, folder, given.workers, pool_pids, given.kill_every)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
