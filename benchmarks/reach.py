"""Time reach, its updates and floating catchments beside scipy, igraph, networkit, pandana and PySAL access.

python -m benchmarks.reach [--nodes 100000 ...] [--city nanjing|metro|FILE ...] [--only nearest,every,...]

Without arguments: a street-like network of 100,000 nodes and, where the folder of real data stands beside the
checkout, Nanjing. Peers run in this same process; times are CPU seconds on one thread, best of several.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from benchmarks.contests import City, Contest, contests  # noqa: E402
from benchmarks.measure import Measured, machine, measured, seconds  # noqa: E402
from benchmarks.street_like import street_like  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared" / "data"
TASKS = ("nearest", "catchments", "every", "update", "access")
ROW = "{:<44} {:<20} {:>9} {:>9} {:>8}  {:<20} {}"


def main() -> int:
    """Run the contests asked for; return 1 if an answer differs from a peer's or a mark is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="*", help="sizes of street-like networks (default: 100000)")
    parser.add_argument("--city", nargs="*", default=[], help="nanjing, metro (the demo city), or a street file")
    parser.add_argument("--only", default=",".join(TASKS), help=f"comma list of {', '.join(TASKS)}")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # peers' own deprecations

    wanted = asked.only.split(",")
    if not set(wanted) <= set(TASKS):
        parser.error(f"--only takes {', '.join(TASKS)}")
    print(f"{machine()}; CPU seconds, one thread, best of several; a shared machine is noisy\n")
    good = True
    for city in _cities(asked.nodes, asked.city):
        print(f"{city.name}: {city.network.n_nodes:,} nodes, {city.network.n_segments:,} segments")
        print(ROW.format("task", "who", "CPU", "x ours", "peak MB", "mark", "largest difference"))
        makers = contests(city)
        for task in wanted:
            good &= _hold(makers[task]())
        wanted = [task for task in wanted if task != "access"]  # it takes no network: once is enough
        print()
    return 0 if good else 1


def _cities(sizes: list[int] | None, named: list[str]) -> Iterator[City]:
    if sizes is None and not named:
        sizes, named = [100_000], ["nanjing"]
    for size in sizes or []:
        yield City("street-like", street_like(size))
    for name in named:
        if name == "nanjing":
            file = SHARED / "nanjing" / "nanjing_streets.gpkg"
            if not file.is_file():
                print("nanjing: no folder of real data beside the checkout\n")
                continue
            yield City("Nanjing", _read(file))
        elif name == "metro":
            from gis.network_build import network_from_records
            from layers.demo_city.build import build_streets

            yield City("demo city, metro", network_from_records(build_streets("metro")))
        else:
            yield City(name, _read(Path(name)))


def _read(file: Path):  # type: ignore[no-untyped-def]
    from gis.network_build import read_network

    return read_network(file)[0]


def _hold(contest: Contest) -> bool:
    """Time everyone, print a row each, and return whether answers agree and the mark is met."""
    ours = measured(contest.ours)
    own_s = ours.cpu_s / contest.per_call
    own_mark = (
        "" if contest.at_most_s is None else _verdict(f"<= {seconds(contest.at_most_s)}", own_s <= contest.at_most_s)
    )
    good = "MISSED" not in own_mark
    print(ROW.format(contest.task, "lamplight", seconds(own_s), "1", f"{ours.peak_mb:.0f}", own_mark, ""), flush=True)
    for name, make in contest.peers.items():
        good &= _beside(contest, name, make, ours, own_s)
    return good


def _beside(contest: Contest, name: str, make: Callable, ours: Measured, own_s: float) -> bool:  # type: ignore[type-arg]
    try:
        theirs = measured(make())
    except ImportError:
        print(ROW.format("", name, "not installed", "", "", "", ""))
        return True
    ratio = theirs.cpu_s / own_s
    met, mark = True, ""
    if contest.asked and contest.asked[0] == name:
        met = ratio >= contest.asked[1]
        mark = _verdict(f">= {contest.asked[1]:g} x", met)
    # The answer to compare is the last one given: updates have gone on since the first.
    difference = contest.differ(ours.result, theirs.result) if contest.differ else np.nan
    allowed = contest.close.get(name)
    agree = allowed is None or difference <= allowed
    said = f"{difference:.3g}" + ("" if agree else f"  DIFFERS: allowed {allowed:g}")
    print(ROW.format("", name, seconds(theirs.cpu_s), f"{ratio:.1f}", f"{theirs.peak_mb:.0f}", mark, said), flush=True)
    return met and agree


def _verdict(mark: str, met: bool) -> str:
    return f"{mark} {'met' if met else 'MISSED'}"


if __name__ == "__main__":
    raise SystemExit(main())
