"""Plan patrols of Nanjing and print what they cost and cover, with a check of every hard limit.

python -m benchmarks.patrol [--city core|nanjing] [--workers N] [--stations N] [--days 1|7] [--seconds S] [--seed N]

Streets are Nanjing's (the four core districts, or all); stations stand at junctions far apart; workers are spread over
them, one in six on an e-bike, a few in pairs. One street in ten is due nightly, three in ten three times a week, the
rest once; a few bridges have hours. Seconds of the whole run are wall time on the cores there are; peak MB counts the
process and its largest child.
"""

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import Point

from benchmarks.nanjing_siting import CORE_DISTRICTS
from layers.imports import import_file
from layers.run import Run
from layers.store import Store
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol, run_replan

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "nanjing"
EVENING = dt.date(2026, 3, 2)
TIMES, SHARES = (7, 3, 1), (0.1, 0.3, 0.6)
#: Codes of the independent checker.
FAULTS = ("routes", "unknown", "twice", "capacity", "direction", "not-theirs", "no-way", "closed", "shift", "longest")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--city", choices=("core", "nanjing"), default="core")
    parser.add_argument("--workers", type=int, default=60)
    parser.add_argument("--stations", type=int, default=20)
    parser.add_argument("--days", type=int, choices=(1, 7), default=1)
    parser.add_argument("--seconds", type=float, default=200.0, help="for the search, each night")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the store here; by default it is thrown away")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        store = nanjing_store(folder, core=asked.city == "core", workers=asked.workers, stations=asked.stations)
        within = CORE_DISTRICTS if asked.city == "core" else ()
        question = PatrolQuestion(EVENING, asked.days, within=within, seconds=asked.seconds, seed=asked.seed)
        began = time.monotonic()
        run = run_patrol(store, question)
        took_s = time.monotonic() - began
        print(f"{asked.city}, {asked.workers} workers, {asked.stations} stations: {took_s:.1f} s wall, "
              f"peak {_peak_mb():.0f} MB")  # fmt: skip
        report(run)
        if asked.days == 1:
            began = time.monotonic()
            ill = str(run.tables["crews"]["crew"].iloc[0])
            again = run_replan(store, run, dt.datetime.combine(EVENING, dt.time(22, 10)), ill=(ill,))
            print(f"without {ill} from 22:10: {time.monotonic() - began:.1f} s wall")
            report(again)


def report(run: Run) -> None:
    """Print one line a night."""
    for row in run.tables["plan"].to_dict("records"):
        print(
            f"{row['date']} {row['ended']:8} {row['routes']} of {row['crews']} crews; "
            f"{row['served']} of {row['services']} services, {row['must_served']} of {row['must']} that must be; "
            f"priority {row['priority_served'] / row['priority']:.1%}; deadhead {row['deadhead_share']:.1%}; "
            f"longest {row['longest_s'] / 60:.0f}, shortest {row['shortest_s'] / 60:.0f} min; "
            f"{row['walked_m'] / 1000:.0f} km"
        )
    faults = run.tables["notes"][run.tables["notes"]["code"].isin(FAULTS)]
    print(f"hard limits broken: {len(faults)}")


def nanjing_store(
    folder: Path, *, core: bool, workers: int, stations: int, shares: tuple[float, ...] = SHARES
) -> Store:
    """Return a store of Nanjing with stations, a roster and duties, all drawn from one seed.

    shares : of streets due as often a week as TIMES says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(f"sqlite:///{folder / 'nanjing.sqlite'}")
    store.create()
    if ("roster", "") in store.current():
        return store
    rng = np.random.default_rng(1)
    streets = gpd.read_file(DATA / "nanjing_streets.gpkg", layer="edges")
    districts = gpd.read_file(DATA / "nanjing_admin.gpkg", layer="district")
    inside = districts[districts["name"].isin(CORE_DISTRICTS)] if core else districts
    metric = streets.to_crs("EPSG:4549")
    middle = gpd.GeoDataFrame(geometry=metric.geometry.interpolate(0.5, normalized=True), crs=metric.crs)
    found = middle.sjoin(inside.to_crs(metric.crs)[["code", "geometry"]], predicate="within")
    here = streets.loc[found.index]
    centres = _far_apart(np.column_stack([found.geometry.x, found.geometry.y]), stations, rng)
    spots = gpd.GeoSeries([Point(xy) for xy in centres], crs=metric.crs).to_crs("EPSG:4326")
    points = gpd.GeoDataFrame(
        {"code": [f"P{i:03d}" for i in range(stations)], "name": [f"服务点{i + 1}" for i in range(stations)],
         "hours": "24/7"}, geometry=spots, crs="EPSG:4326")  # fmt: skip
    points.to_file(folder / "points.gpkg")
    code = found["code"].iloc[0]
    _roster(workers, stations, str(code), rng).to_csv(folder / "roster.csv", index=False)
    times = rng.choice(TIMES, len(here), p=shares)
    windowed = rng.random(len(here)) < 0.01
    duties = pd.DataFrame({
        "segment_id": here["edge_id"], "times_a_week": times,
        "priority": np.round(rng.lognormal(0.0, 0.7, len(here)), 2),
        "must": rng.random(len(here)) < 0.02, "opens": np.where(windowed, "21:00", ""),
        "closes": np.where(windowed, "24:00", ""),
    })  # fmt: skip
    duties.to_csv(folder / "duties.csv", index=False)
    for layer, file, part in (
        ("streets", DATA / "nanjing_streets.gpkg", None), ("areas", DATA / "nanjing_admin.gpkg", "city"),
        ("areas", DATA / "nanjing_admin.gpkg", "district"), ("service-points", folder / "points.gpkg", None),
        ("patrol-duties", folder / "duties.csv", None), ("roster", folder / "roster.csv", None),
    ):  # fmt: skip
        file_layer = "edges" if layer == "streets" else part
        report = import_file(store, layer, file, part=part, file_layer=file_layer)
        print(f"{layer}: {report.accepted} rows, {report.rejected} refused")
    return store


def _roster(workers: int, stations: int, code: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return grid workers: four-hour shifts, one in six on an e-bike, a break of a quarter of an hour for some."""
    number = np.arange(workers)
    return pd.DataFrame({
        "person": [f"网格员{i + 1}" for i in number], "role": "grid_worker", "area_code": code,
        "from_date": "2026-01-01", "mode": np.where(number % 6 == 5, "ebike", "walk"), "shift": "20:00-24:00",
        "break_min": np.where(rng.random(workers) < 0.5, 15, 0), "station": [f"P{i % stations:03d}" for i in number],
    })  # fmt: skip


def _far_apart(xy: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` of the points, each the farthest from those before among a sample."""
    chosen = [xy[rng.integers(len(xy))]]
    for _ in range(count - 1):
        sample = xy[rng.integers(len(xy), size=400)]
        chosen.append(sample[np.argmax(np.min(np.hypot(*(sample[:, None] - np.array(chosen)[None]).T), axis=0))])
    return np.array(chosen)


def _peak_mb() -> float:
    """Return the greatest memory of this process and of its largest child, together."""
    return sum(resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


if __name__ == "__main__":
    main()
