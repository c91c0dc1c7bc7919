"""Time local spatial statistics beside esda, and compare with its values and with spdep's.

python -m benchmarks.local_statistics [--side 316] [--permutations 999] [--steps 24]

Cells are a square of ``--side`` by ``--side`` squares that touch at sides and corners. esda runs in this same process
on one thread, its weights made beforehand; times are CPU seconds, ours the best of several, esda's of one run after a
small one that compiles. Values are continuous: what equal sums count for differs (ours count in both tails).
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from benchmarks.measure import Measured, machine, measured, seconds  # noqa: E402
from planner.hotspots.emerging import emerging_classes  # noqa: E402
from planner.hotspots.false_discovery import benjamini_hochberg  # noqa: E402
from planner.hotspots.local_statistics import local_g, local_moran, normal_p, permuted_p  # noqa: E402
from planner.hotspots.mann_kendall import mann_kendall  # noqa: E402
from planner.hotspots.neighbours import neighbours_from_pairs, neighbours_within, tiling_neighbours  # noqa: E402

SPDEP = Path(__file__).parents[2] / "shared" / "instances" / "hotspots" / "spdep"
ROW = "{:<42} {:<9} {:>9} {:>8} {:>8}  {}"
#: Values must agree to this; pseudo p to so many standard errors; cells and shuffles in so many seconds.
AGREE, ERRORS, MARK_S = 1e-12, 7.0, 1.0


def main() -> int:
    """Run all; return 1 where an answer differs from a peer's or a mark is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=316, help="cells along a side (default: 316)")
    parser.add_argument("--permutations", type=int, default=999, help="shuffles (default: 999)")
    parser.add_argument("--steps", type=int, default=24, help="time steps of emerging hotspots (default: 24)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # the peer's own deprecations

    print(f"{machine()}; CPU seconds, one thread; a shared machine is noisy\n")
    good = _beside_esda(asked.side, asked.permutations)
    _more_of_ours(asked.side, asked.steps)
    print()
    good &= _against_spdep()
    return 0 if good else 1


def _beside_esda(side: int, permutations: int) -> bool:
    from esda import G_Local, Moran_Local
    from libpysal.weights import lat2W

    values, links = np.random.default_rng(0).gamma(1.0, size=side * side), _grid(side)

    def g(y, w, times):  # type: ignore[no-untyped-def]
        return G_Local(y, w, transform="B", star=True, permutations=times, keep_simulations=False, n_jobs=1, seed=1)

    def moran(y, w, times):  # type: ignore[no-untyped-def]
        return Moran_Local(y, w, permutations=times, keep_simulations=False, n_jobs=1, seed=1)

    small = lat2W(5, 5, rook=False)
    for peer in (g, moran):
        peer(values[:25], small, 9)  # compiles

    print(f"{side * side:,} cells, {permutations:,} permutations")
    print(ROW.format("task", "who", "CPU", "x ours", "peak MB", "largest difference"))
    ours_g, ours_moran = measured(lambda: local_g(values, *links)), measured(lambda: local_moran(values, *links))
    weights = lat2W(side, side, rook=False)
    theirs_g, theirs_moran = _once(lambda: g(values, weights, 0)), _once(lambda: moran(values, weights, 0))
    n = len(values)
    good = _lines("Gi*", ours_g, theirs_g, float(np.abs(ours_g.result - theirs_g.result.Zs).max()), AGREE)
    off = float(np.abs(ours_moran.result.value * (n - 1) / n - theirs_moran.result.Is).max())
    good &= _lines("local Moran", ours_moran, theirs_moran, off, AGREE)
    for statistic, peer in (("g_star", g), ("moran", moran)):
        ours = measured(lambda statistic=statistic: permuted_p(values, *links, statistic, permutations, 1))
        fresh = lat2W(side, side, rook=False)  # esda changes the weights it is given
        theirs = _once(lambda peer=peer, fresh=fresh: peer(values, fresh, permutations))
        one_sided = theirs.result.p_sim  # on the side the data are; twice that is ours
        error = np.sqrt(2 * np.maximum(one_sided, 5 / permutations) * (1 - one_sided) / permutations)
        off = float((np.abs(ours.result / 2 - one_sided) / error).max())
        good &= _lines(f"pseudo p, {statistic}", ours, theirs, off, ERRORS, "standard errors of chance")
        good &= ours.cpu_s <= MARK_S
    return good


def _more_of_ours(side: int, steps: int) -> None:
    """Time what has no peer here: many more shuffles, neighbours, adjusted p, classes over time."""
    rng, links = np.random.default_rng(0), _grid(side)
    values = rng.poisson(1.0, side * side).astype(np.float64)
    cube = rng.poisson(1.0, (side * side, steps)).astype(np.float64)
    p = permuted_p(values, *links, "g_star", 999, 1)
    tasks: dict[str, Callable[[], Any]] = {
        "neighbours": lambda: _grid(side),
        "pseudo p, 99,999 permutations": lambda: permuted_p(values, *links, "g_star", 99_999, 1),
        "Benjamini-Hochberg": lambda: benjamini_hochberg(p),
        f"emerging, {steps} steps": lambda: emerging_classes(cube, *links),
        f"emerging, {steps} steps, 9,999 permutations": lambda: emerging_classes(cube, *links, permutations=9999),
    }
    for task, call in tasks.items():
        ours = measured(call)
        print(ROW.format(task, "Lamplight", seconds(ours.cpu_s), "", f"{ours.peak_mb:.0f}", ""))


def _against_spdep() -> bool:
    """Print the largest differences to R's values, where the folder of instances stands beside the checkout."""
    if not SPDEP.is_dir():
        print("spdep: no folder of benchmark instances beside the checkout")
        return True
    columbus, grid, sids = (_table(f"{name}_spdep") for name in ("columbus", "getisord", "nc_sids"))
    moran_grid = _table("getisord_localmoran_spdep")
    links = _linked("columbus_gal_nb", len(columbus))
    crime = columbus["CRIME"].to_numpy()
    moran, near = local_moran(crime, *links), _near(grid, 30)
    rate = sids["SID74"].to_numpy() / sids["BIR74"].to_numpy()
    sids_z = local_g(rate, *_linked("nc_queen_nb", len(sids)))
    val, bands = grid["val"].to_numpy(), (30, 60, 90, 120)
    pairs = {
        "Columbus Gi*": (local_g(crime, *links), columbus["Gstar_B"]),
        "Columbus Gi": (local_g(crime, *links, star=False), columbus["G_W"]),
        **{f"Columbus local Moran, {c}": (getattr(moran, a), columbus[c]) for a, c in
           (("value", "Ii"), ("expectation", "E"), ("variance", "V"), ("z", "Z"), ("p", "p"))},
        **{f"Getis-Ord grid Gi, {r}": (local_g(val, *_near(grid, r), star=False), grid[f"G{r}"]) for r in bands},
        **{f"Getis-Ord grid Gi*, {r}": (local_g(val, *_near(grid, r)), grid[f"Gs{r}"]) for r in bands},
        "Getis-Ord grid local Moran": (local_moran(val, *near).value, moran_grid["Ii"]),
        "North Carolina Gi*": (sids_z, sids["Gstar_B"]),
        "North Carolina adjusted p": (benjamini_hochberg(normal_p(sids_z)), sids["padj_fdr"]),
    }  # fmt: skip
    good = True
    print("largest differences to spdep")
    for name, (ours, theirs) in pairs.items():
        off = float(np.abs(ours - theirs.to_numpy()).max())
        good &= off <= AGREE
        print(f"  {name:<34} {off:.1e}{'' if off <= AGREE else '  MISSED'}")
    trend = mann_kendall(_table("PrecipGL")["precip"].to_numpy())
    right = trend.s == 989 and abs(trend.p / 2.9206e-4 - 1) <= 1e-4
    print(f"  PrecipGL Mann-Kendall S {trend.s}, p {trend.p:.6g} (989, 0.00029206){'' if right else '  MISSED'}")
    return good and right


def _lines(task: str, ours: Measured, theirs: Measured, off: float, most: float, unit: str = "") -> bool:
    print(ROW.format(task, "Lamplight", seconds(ours.cpu_s), "", f"{ours.peak_mb:.0f}", ""))
    said = f"{off:.2g} {unit}{'' if off <= most else '  MISSED'}"
    print(ROW.format("", "esda", seconds(theirs.cpu_s), f"{theirs.cpu_s / ours.cpu_s:.1f}", "", said))
    return off <= most


def _once(call: Callable[[], Any]) -> Measured:
    """Time one call alone: the peer's shuffles take long, and compiled before."""
    start = time.process_time()
    result = call()
    return Measured(time.process_time() - start, float("nan"), result)


def _grid(side: int) -> tuple[Any, Any]:
    row, column = (a.ravel() for a in np.mgrid[:side, :side])
    return tiling_neighbours(column, row, "square")


def _near(table: pd.DataFrame, radius_m: float) -> tuple[Any, Any]:
    return neighbours_within(table["x"].to_numpy(), table["y"].to_numpy(), radius_m)


def _linked(name: str, n: int) -> tuple[Any, Any]:
    pairs = _table(name)
    return neighbours_from_pairs(pairs["i"].to_numpy() - 1, pairs["j"].to_numpy() - 1, n)


def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(SPDEP / f"{name}.csv")


if __name__ == "__main__":
    raise SystemExit(main())
