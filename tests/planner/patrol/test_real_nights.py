"""Nights of real cities: rules of the road kept, every step where the last one ended, every limit checked again."""

import datetime as dt
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point

from benchmarks.patrol import FAULTS
from gis.network import StreetNetwork
from layers.imports import import_file
from layers.run import Run
from layers.store import Store
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol, run_replan

pytestmark = pytest.mark.realdata
EVENING = dt.date(2026, 3, 3)
MODES = ("walk", "walk", "ebike", "drive")


@pytest.fixture(scope="module", params=["haikou", "jinan", "shenzhen_futian"])
def city(request: pytest.FixtureRequest, realdata: Path, tmp_path_factory: pytest.TempPathFactory):
    """A city with eight workers at four stations, planned for one night."""
    folder = realdata / request.param
    file = next(f for f in sorted(folder.iterdir()) if "streets" in f.name or ".graphml" in f.name)
    store = Store(str(tmp_path_factory.mktemp(request.param) / "city.db"))
    store.create()
    layer = "edges" if file.suffix == ".gpkg" and request.param != "jinan" else None
    import_file(store, "streets", file, file_layer=layer)
    network = store.load_network()
    with_staff(store, network, np.random.default_rng(5))
    yield store, network, run_patrol(store, PatrolQuestion(EVENING, seconds=4.0))
    store.close()


def with_staff(store: Store, network: StreetNetwork, rng: np.random.Generator) -> None:
    """Keep four stations in the busy middle of the city, and two workers at each."""
    middle = np.median(network.x), np.median(network.y)
    near = np.argsort(np.hypot(network.x - middle[0], network.y - middle[1]))[:400]
    at = rng.choice(near, 4, replace=False)
    points = gpd.GeoDataFrame(
        {"code": [f"P{i}" for i in range(4)], "name": [f"点{i}" for i in range(4)], "functions": "reception",
         "hours": "24/7", "build_state": "existing"},
        geometry=[Point(network.lon[n], network.lat[n]) for n in at], crs="EPSG:4326",
    )  # fmt: skip
    store.import_layer("service-points", "", points, source="test", sha256="0")
    workers = pd.DataFrame({
        "person": [f"甲{i}" for i in range(8)], "role": "grid_worker", "area_code": "320102001001",
        "from_date": dt.date(2026, 1, 1), "until_date": None, "mode": [MODES[i % 4] for i in range(8)],
        "shift": "20:00-24:00", "break_min": [15.0 if i % 3 else np.nan for i in range(8)],
        "station": [f"P{i % 4}" for i in range(8)],
    })  # fmt: skip
    store.import_layer("roster", "", workers, source="test", sha256="0")


Night = tuple[Store, StreetNetwork, Run]


def test_no_hard_limit_is_broken_and_everyone_walks_at_most_the_shift(city: Night) -> None:
    _, _, run = city
    assert not run.tables["notes"]["code"].isin(FAULTS).any()
    crews = run.tables["crews"]
    assert (crews["duration_s"] <= 4 * 3600 + 1).all()
    assert (crews["services"] > 0).sum() >= 6


def test_each_step_begins_where_and_when_the_last_one_ended(city: Night) -> None:
    _, network, run = city
    steps, legs = run.tables["steps"], run.tables["legs"]
    place = places(network)
    for crew, own in steps.groupby("crew"):
        assert own["step"].tolist() == list(range(len(own)))
        assert own["begins"].tolist()[1:] == own["ends"].tolist()[:-1]
        stretches = legs[legs["crew"] == crew].sort_values("step", kind="stable")
        ends = [place(row) for row in stretches.to_dict("records")]
        for (_, last), (first, _) in pairwise(ends):
            assert last == first, crew


def places(network: StreetNetwork) -> Callable[[dict], tuple[object, object]]:
    """Tell where a leg begins and ends: a junction, or a spot inside a segment."""
    position = {int(s): i for i, s in enumerate(network.segment_id)}
    # junctions joined by a segment without length are one place
    same = np.arange(network.n_nodes)
    for s in np.flatnonzero(network.length_m == 0):
        same[same == same[network.v[s]]] = same[network.u[s]]

    def spot(s: int, x: float) -> object:
        if x <= 1e-6:
            return int(same[network.u[s]])
        if x >= network.length_m[s] - 1e-6:
            return int(same[network.v[s]])
        return s, round(x, 3)

    def ends(row: dict) -> tuple[object, object]:
        s = position[int(row["segment_id"])]
        return spot(s, row["from_m"]), spot(s, row["to_m"])

    return ends


def test_cars_keep_to_one_way_streets_and_nobody_walks_a_motorway(city: Night) -> None:
    _, network, run = city
    position = {int(s): i for i, s in enumerate(network.segment_id)}
    legs = run.tables["legs"]
    mode = legs["crew"].map(run.tables["crews"].set_index("crew")["mode"])
    on = legs["segment_id"].map(position).to_numpy()
    along = np.sign(legs["to_m"] - legs["from_m"]).to_numpy()
    one_way = network.oneway[on]
    loops = network.u[on] == network.v[on]
    driven = (mode == "drive").to_numpy() & (one_way != 0) & ~loops
    assert (along[driven] == one_way[driven]).all()
    assert not ((network.street_class[on] == "motorway") & (mode != "drive").to_numpy()).any()


def test_every_service_is_done_once_or_told_with_a_reason(city: Night) -> None:
    _, _, run = city
    plan = run.tables["plan"].iloc[0]
    done = run.tables["steps"]["duty"].replace("", np.nan).dropna()
    assert not done.duplicated().any()
    left = run.tables["uncovered"]
    assert len(done) == plan["served"] and len(done) + len(left) == plan["services"]
    assert (left["zh"] != "").all() and (left["en"] != "").all()
    assert not set(done) & set(left["duty"])


def test_planning_again_keeps_what_was_walked(city: Night) -> None:
    store, _, run = city
    again = run_replan(store, run, dt.datetime(2026, 3, 3, 22, 10), ill=["C01"])
    now = "2026-03-03T22:10:00"
    old, new = (r.tables["steps"] for r in (run, again))
    walked = old[old["ends"] <= now]
    assert len(walked.merge(new, on=list(old.columns))) == len(walked)
    assert not ((new["crew"] == "C01") & (new["ends"] > now)).any()
    assert not again.tables["notes"]["code"].isin(FAULTS).any()
    late = pd.to_datetime(new.groupby("crew")["ends"].max())
    assert (late <= pd.Timestamp("2026-03-04T00:00:01")).all()
