"""A toy siting result: three sites open, one point closes, and a withheld point has a part in everything."""

import geopandas as gpd
import numpy as np
import pandas as pd

from layers.run import Run
from tests.web.conftest import HOSTILE, area_rows, point_rows, segment_rows
from web.siting_drawing import SitingDrawing

#: The withheld point of the toy: no page for the public may hold any of these.
SECRET_NAME, SECRET_CODE, SECRET_LON, SECRET_LAT = "庇护所秘密", "SP3", 118.73, 32.03
FIGURES = ("people", "street_m", "reports")
PARAMETERS = {
    "problem": "mclp", "limit_s": 600, "count": 3, "budget": None, "demand": [["people", 1.0]], "functions": [],
    "at": None, "mode": "walk", "walk_kmh": 4.5, "candidates": "junctions", "existing": "closable",
    "level": "subdistrict", "share": 1.0,
}  # fmt: skip


def areas(after: float = 0.8) -> pd.DataFrame:
    """The toy city's areas, half of each within reach before."""
    table = pd.DataFrame(area_rows())[["code", "name", "level", *FIGURES]]
    for what in FIGURES:
        table[f"{what}_before"], table[f"{what}_after"] = table[what] * 0.5, table[what] * after
    return table


def sites(count: int = 3) -> pd.DataFrame:
    """``count`` sites to open, one point to close, and the withheld point to close."""
    none = {"runner_up": "", "runner_up_name": "", "runner_up_lon": np.nan, "runner_up_lat": np.nan,
            "runner_up_loses": np.nan, "adds_alone": np.nan, "adds_last": np.nan, "steady": np.nan,
            "cost": 0.0}  # fmt: skip
    common = {"street": "文昌路", "area_code": "320102001000", "area_name": "东街道", "segment_id": 1, "offset_m": 5.0,
              "capacity": np.nan, "load": np.nan, "period": 0}  # fmt: skip
    rows = [
        {**common, "action": ("build", "convert", "upgrade")[i % 3], "code": f"J{i}", "name": "", "cost": 1.0 + i,
         "lon": 118.702 + 0.001 * i, "lat": 32.003, "adds_alone": 300.0 - i, "adds_last": 200.0 - i,
         "runner_up": f"J{i + 50}", "runner_up_name": f"文昌路 / 支路{i}", "runner_up_lon": 118.704,
         "runner_up_lat": 32.006, "runner_up_loses": 7.0, "steady": 0.9}
        for i in range(count)
    ]  # fmt: skip
    if count > 1:
        rows[1]["name"] = HOSTILE
        rows[1] |= {
            "runner_up": SECRET_CODE,
            "runner_up_name": SECRET_NAME,
            "runner_up_lon": SECRET_LON,
            "runner_up_lat": SECRET_LAT,
        }
    rows += [
        {**common, **none, "action": "close", "code": "SP1", "name": "甲服务点", "lon": 118.71, "lat": 32.01},
        {**common, **none, "action": "close", "code": SECRET_CODE, "name": SECRET_NAME, "lon": SECRET_LON,
         "lat": SECRET_LAT},
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(rank=range(1, len(rows) + 1))


def plan(**changed: object) -> pd.DataFrame:
    facts = {
        "problem": "mclp", "unit": "people", "value": 3200.0, "bound": 3213.4, "gap": 0.0041875, "optimal": False,
        "total": 4000.0, "before": 2000.0, "existing": 4, "opened": 3, "closed": 2, "cost": 6.0, "stopped": "time",
    }  # fmt: skip
    return pd.DataFrame([{**facts, **changed}])


def frontier(count: int = 4) -> pd.DataFrame:
    step = np.arange(count, dtype=float)
    return pd.DataFrame(
        {"cost": step, "count": step.astype(int), "value": 2000 + 400 * step, "bound": 2000 + 400 * step,
         "gap": np.where(step == 1, np.inf, 0.0), "optimal": step != 1, "worst_share": np.nan, "gini": np.nan,
         "sites": [",".join(f"J{i}" for i in range(n)) for n in range(count)]}
    )  # fmt: skip


def tables(**changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table of a siting run but areas and segments."""
    city = areas().iloc[:1]
    left = pd.DataFrame(
        [("320102002000", HOSTILE, "subdistrict", 400.0, 12.0)],
        columns=["area_code", "name", "level", "people", "unreachable"],
    )
    story = pd.DataFrame(
        [("新增三个点位。", "Three new points."), (f"关闭{SECRET_NAME}。", f"Closes {SECRET_CODE}.")],
        columns=["zh", "en"],
    )
    notes = pd.DataFrame([("x", "说明一", "note one")], columns=["code", "zh", "en"])
    whole = city[[c for c in city if c not in ("code", "name", "level")]].reset_index(drop=True)
    return {"plan": plan(), "sites": sites(), "totals": whole, "frontier": frontier(0), "left_out": left,
            "story": story, "notes": notes, **changed}  # fmt: skip


def segments() -> pd.DataFrame:
    """Streets within reach before, newly, never and no longer, in turn."""
    table = pd.DataFrame(segment_rows())[["segment_id", "length_m"]]
    turn = np.arange(len(table)) % 4
    table["before_m"] = table["length_m"] * np.isin(turn, (0, 3))
    table["after_m"] = table["length_m"] * np.isin(turn, (0, 1))
    table["longest_before_s"] = table["longest_after_s"] = np.where(turn == 2, np.nan, 300.0)
    return table


def draw_siting(parameters: dict[str, object] | None = None, **changed: object) -> SitingDrawing:
    """Make the toy result, with any field, parameter or table replaced."""
    fields = SitingDrawing.__dataclass_fields__.keys() - {"notes"}
    replaced = {name: table for name, table in changed.items() if name not in fields}
    shapes = [row["geometry"] for row in area_rows()]
    lines = [row["geometry"] for row in segment_rows()]
    made: dict[str, object] = {
        "city": "临江市", "level": "subdistrict",
        "areas": gpd.GeoDataFrame(areas(), geometry=shapes, crs=4326),
        "segments": gpd.GeoDataFrame(segments(), geometry=lines, crs=4326),
        "points": gpd.GeoDataFrame(pd.DataFrame(point_rows()), geometry="geometry", crs=4326),
        "tables": tables(**replaced), "notes": (("说明一", "note one"),), "question": ("步行", "on foot"),
        "parameters": {**PARAMETERS, **(parameters or {})}, "data_date": "2026-07-01", "fictional": True,
        "approximate": True, "attribution": "© OpenStreetMap contributors", "approval_number": "GS(2026)0000号",
    }  # fmt: skip
    return SitingDrawing(**{**made, **{k: v for k, v in changed.items() if k in fields}})  # type: ignore[arg-type]


def no_areas() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"code": [], "name": [], "level": []}, geometry=[], crs=4326)


def toy_run(inputs: dict[str, str] | None = None, **changed: pd.DataFrame) -> Run:
    """The toy result as a run."""
    whole = {"areas": areas(), "segments": segments(), **tables()}
    return Run("siting", PARAMETERS, inputs or {}, {**whole, **changed}, "lamplight 0")
