"""A town of streets in a grid, with every kind of duty and crew, planned for one night and put on the desk."""

import datetime as dt

import numpy as np
import pandas as pd
from shapely import LineString, Point

from layers.night_opening import planned_routes
from layers.run import Run
from layers.store import Store
from planner.desk.board import Board, Line
from planner.desk.runs import load_ground
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol
from tests.planner import toy_town

MONDAY = dt.date(2024, 3, 4)
SIDE, BLOCK_M = 8, 120.0
#: Crews: two on foot with a break, one on a bicycle, one in a car, one whose shift is short, one with a certificate.
WORKERS: list[dict[str, object]] = [
    {"break_min": 15.0}, {"break_min": 10.0, "station": "P2"}, {"mode": "ebike", "station": "P3"},
    {"mode": "drive", "station": "P2"}, {"shift": "20:00-21:10", "area_code": toy_town.EAST_COMMUNITY},
    {"certificates": "急救", "station": "P3", "area_code": toy_town.EAST_COMMUNITY},
]  # fmt: skip


def grid_town(url: str) -> tuple[Store, Run]:
    """Return the town's store, made at the address ``url``, and the plan of Monday night."""
    rng = np.random.default_rng(11)
    store = Store(url)
    store.create()
    streets = _streets(rng)
    points = toy_town.frame(
        [Point(0, 0), Point(840, 480), Point(360, 840)], code=["P1", "P2", "P3"], name=["一号点", "二号点", "三号点"],
        functions=["reception"] * 3, hours=["24/7"] * 3, build_state=["existing"] * 3, capacity=[10.0] * 3,
    )  # fmt: skip
    roster = pd.DataFrame([
        {"person": f"W{i}", "role": "grid_worker", "area_code": toy_town.SOUTH, "from_date": dt.date(2024, 1, 1),
         "until_date": None, "mode": "walk", "shift": "20:00-23:30", "break_min": np.nan, "max_min": np.nan,
         "station": "P1", "pair": "", "certificates": "", "days_off": "", **said}
        for i, said in enumerate(WORKERS, 1)
    ])  # fmt: skip
    layers = {("areas", part): toy_town.areas(part) for part in ("city", "district", "subdistrict", "community")}
    layers |= {("streets", ""): streets, ("service-points", ""): points, ("roster", ""): roster,
               ("patrol-duties", ""): _duties(streets, rng)}  # fmt: skip
    toy_town.keep(store, layers)
    return store, run_patrol(store, PatrolQuestion(MONDAY, hours=(72_000, 84_600), seconds=2.0))


def board_of_town(store: Store, run: Run, *, now_s: float | None = None) -> Board:
    """Return the board as it was planned."""
    ground = load_ground(store, run.id, MONDAY)
    return Board(
        ground, {crew: Line(crew, route) for crew, route in planned_routes(run.tables, MONDAY).items()}, now_s
    )  # fmt: skip


def _streets(rng: np.random.Generator) -> pd.DataFrame:
    """Return the grid, one street in ten one-way, one in eight gone, and a street on its own that no way leads to."""
    at = [(i * BLOCK_M, j * BLOCK_M) for i in range(SIDE) for j in range(SIDE)]
    beside = [(n, n + 1) for n in range(SIDE * SIDE) if (n + 1) % SIDE]
    pairs = [*beside, *((n, n + SIDE) for n in range(SIDE * SIDE - SIDE))]
    pairs = [pair for pair in pairs if rng.random() > 1 / 8]
    ends = [*at, (2000.0, 0.0), (2100.0, 0.0)]
    pairs.append((SIDE * SIDE, SIDE * SIDE + 1))
    length_m = [float(np.hypot(ends[a][0] - ends[b][0], ends[a][1] - ends[b][1])) for a, b in pairs]
    return toy_town.frame(
        [LineString([ends[a], ends[b]]) for a, b in pairs], segment_id=list(range(1, len(pairs) + 1)),
        u=[a for a, _ in pairs], v=[b for _, b in pairs], length_m=length_m,
        oneway=rng.choice([0, 1, -1], len(pairs), p=[0.9, 0.05, 0.05]).tolist(),
        street_class=["residential"] * (len(pairs) - 2) + ["footway", "residential"],
        name=[f"{i}号路" for i in range(1, len(pairs) + 1)], free_kmh=[np.nan] * len(pairs),
    )  # fmt: skip


def _duties(streets: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return a duty for every street, looked at slowly so that there is more than all can do, and five checks.

    Some have hours, both sides or a certificate.
    """
    n = len(streets)
    hours = [("21:00", "22:00") if rng.random() < 0.1 else ("", "") for _ in range(n)]
    rows = [
        {"duty_id": f"D{i}", "segment_id": i, "name": f"{i}号路", "opens": opens, "closes": closes,
         "sides": "both" if rng.random() < 0.1 else "either", "dwell_min": np.nan,
         "certificate": "急救" if rng.random() < 0.05 else ""}
        for i, (opens, closes) in enumerate(hours, 1)
    ]  # fmt: skip
    shapes: list[object] = [None] * n
    for k in range(5):
        rows.append({
            "duty_id": f"K{k}", "segment_id": None, "name": f"{k}号桥下", "sides": "either", "opens": "20:30",
            "closes": "23:00", "certificate": "", "dwell_min": 4.0,
        })  # fmt: skip
        shapes.append(Point(BLOCK_M * rng.integers(1, 7) + 30.0, BLOCK_M * rng.integers(1, 7) + 4.0))
    more = {"area_code": None, "times_a_week": 7, "priority": 1.0, "must": False, "service_kmh": 0.7}
    names = ("duty_id", "segment_id", "name", "sides", "opens", "closes", "certificate", "dwell_min", *more)
    kept = toy_town.frame(shapes, **{name: [{**more, **row}[name] for row in rows] for name in names})
    kept["segment_id"] = kept["segment_id"].astype("Int64")
    return kept
