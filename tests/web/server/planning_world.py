"""What the planner's pages are tested with: a siting plan worked out by hand, and toy hotspots, over the demo town."""

import json
from datetime import UTC, datetime

import pandas as pd
import shapely
from sqlalchemy import insert

from gis.datum import gcj02_from_wgs84
from layers.accounts import Account
from layers.moments import stored
from layers.run import Run
from layers.schema import UPLOAD
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.runs import run_inputs, run_siting, software, used_versions
from planner.siting.question import SitingQuestion
from tests.web import hotspot_toy, siting_toy
from tests.web.server.staff import CITY, DISTRICT, ELSEWHERE, HERE

#: Areas of the plan: people in each, and within reach before and after. ELSEWHERE loses what HERE gains twice over.
PEOPLE = {CITY: (1000, 500, 600), DISTRICT: (600, 300, 500), HERE: (400, 200, 400), ELSEWHERE: (400, 200, 100)}
LEVELS = {CITY: "city", DISTRICT: "district", HERE: "subdistrict", ELSEWHERE: "subdistrict"}


def siting_run(store: Store, within: tuple[str, ...] = (), *, count: int = 2, seed: int = 0) -> Run:
    """Keep a siting plan with one site in HERE and one in ELSEWHERE, which is not called by its real name."""
    used = used_versions(store, unread=())
    streets = store.load("streets", fields=["segment_id", "length_m"])
    half = len(streets) // 2
    segments = pd.DataFrame({
        "segment_id": streets["segment_id"], "length_m": streets["length_m"], "before_m": 0.0,
        "after_m": streets["length_m"].where(streets.index < half, 0.0), "longest_before_s": 300.0,
        "longest_after_s": 300.0,
    })  # fmt: skip
    names = {code: f"辖区{i}" for i, code in enumerate(PEOPLE)}
    areas = pd.DataFrame([_area(code, names[code]) for code in PEOPLE])
    sites = siting_toy.sites(2).iloc[:2].assign(
        rank=[1, 2], area_code=[HERE, ELSEWHERE], area_name=["近处", "异地"], code=["J1", "J2"], name="", place="",
        action="build", lon=[117.2, 117.21], lat=[30.5, 30.51], functions="reception", hours="24/7", runner_up="",
        runner_up_lon=float("nan"), runner_up_lat=float("nan"),
    )  # fmt: skip
    tables = siting_toy.tables(
        plan=siting_toy.plan(opened=2, closed=0, value=600.0, before=500.0, bound=607.2, gap=0.012, total=1000.0,
                             candidates=10, worth_unit="people"),
        sites=sites, totals=areas.iloc[:1].drop(columns=["code", "name", "level"]).reset_index(drop=True),
        left_out=pd.DataFrame(columns=["area_code", "name", "level", "people", "unreachable"]),
        story=pd.DataFrame([("全市的故事。", "A story of the city.")], columns=["zh", "en"]),
    )  # fmt: skip
    question = SitingQuestion("mclp", count=count, within=within, seed=seed)
    everything = {**tables, "areas": areas, "segments": segments}
    inputs = {name: sha for name, sha in run_inputs(used).items() if not name.startswith(("roster", "reports"))}
    return store.save_run(Run("siting", question.parameters, inputs, everything, software(), 1.0))


def _area(code: str, name: str) -> dict[str, object]:
    whole, before, after = PEOPLE[code]
    figures = {"people": whole, "people_before": before, "people_after": after}
    streets = {key.replace("people", "street_m"): value * 10.0 for key, value in figures.items()}
    reports = {key.replace("people", "reports"): value / 10 for key, value in figures.items()}
    return {"code": code, "name": name, "level": LEVELS[code], **figures, **streets, **reports}


def hotspot_runs(store: Store) -> dict[str, Run]:
    """Keep a map, a forecast and a backtest of hotspots; in ELSEWHERE nobody looked."""
    tables = hotspot_toy.map_tables()
    blind = tables["areas"]["code"] == ELSEWHERE
    areas = tables["areas"].assign(state=tables["areas"]["state"].mask(blind, "unknown"))
    areas[["rate_week", "rate_low", "rate_high", "rate_km_week"]] = areas[
        ["rate_week", "rate_low", "rate_high", "rate_km_week"]
    ].mask(blind)
    return {
        "hotspot-map": hotspot_toy.hotspot_run(store, "hotspot-map", {**tables, "areas": areas}),
        "hotspot-forecast": hotspot_toy.hotspot_run(store, "hotspot-forecast", hotspot_toy.forecast_tables()),
        "hotspot-backtest": hotspot_toy.hotspot_run(store, "hotspot-backtest", hotspot_toy.backtest_tables()),
    }


def put_upload(store: Store, owner: Account, text: str = "编号,名称,经度,纬度\nA,异地点,117.2,30.5\n") -> int:
    """Put a file on its way into the service points, whoever may not have sent it."""
    settings = {"file_layer": None, "encoding": None, "datum": "wgs84", "approximate": None, "columns": {},
                "file_layers": ["点"]}  # fmt: skip
    values = {
        "account_id": owner.id, "area_code": owner.area_code, "at": stored(datetime.now(UTC)), "name": "点.csv",
        "layer": "service-points", "part": "", "settings": json.dumps(settings), "content": text.encode(),
    }  # fmt: skip
    with store.transaction(writes=True) as connection:
        key = connection.execute(insert(UPLOAD).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def planning_results(store: Store, planner: Account) -> dict[str, object]:
    """Keep what the planner's pages show: a real siting plan, hotspots, and a file to be previewed."""
    run = run_siting(store, SitingQuestion("mclp", CoverageQuestion(thresholds_s=(900,)), count=3, seconds=2.0))
    hotspot_runs(store)
    lines = store.load("streets").geometry.to_numpy()
    middle = shapely.line_interpolate_point(lines[:: len(lines) // 60][:60], 0.5, normalized=True)
    places = zip(*gcj02_from_wgs84(shapely.get_x(middle), shapely.get_y(middle)), strict=True)
    rows = [f"N{i:02d},便民点{i},{x:.6f},{y:.6f},{'喝茶' if i == 7 else '接待咨询'}" for i, (x, y) in enumerate(places)]
    upload = put_upload(store, planner, "\n".join(["编号,名称,经度,纬度,服务功能", *rows]))
    return {"run": run.id, "upload": upload, "version": store.current()["service-points", ""].id}
