"""Toy runs about hotspots over the demo town: its streets and areas, figures drawn from the rates it was made with."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
import shapely

from gis.crs import metric_crs, to_lonlat, to_metric
from gis.tiling import Tiling
from layers.demo_city.build import DemoCity, build_demo_city
from layers.run import Run
from layers.store import Store
from tests.web.conftest import HOSTILE

FIRST, LAST = "2025-07-01", "2026-06-30"
WEEKS = 52.0
Tables = dict[str, pd.DataFrame]


@lru_cache(maxsize=1)
def town() -> DemoCity:
    return build_demo_city("town")


def town_store(url: str) -> Store:
    """A store with the streets and areas of the demo town, one subdistrict under a hostile name."""
    city, store = town(), Store(url)
    store.create()
    store.import_layer("streets", "", city.streets, source="demo.gpkg", sha256="1" * 64)
    for level, table in city.areas.items():
        if level == "subdistrict":
            table = table.assign(name=[HOSTILE, *table["name"].iloc[1:]])
        store.import_layer("areas", level, table, source="demo.gpkg", sha256="2" * 64)
    for name, value in (("city_name", "临江市"), ("fictional", "yes"), ("data_date", LAST),
                        ("attribution", "虚构数据 invented data"), ("approval_number", "GS(2026)0000号")):  # fmt: skip
        store.set_setting(name, value)
    return store


def hotspot_run(store: Store, kind: str, tables: Tables, **asked: object) -> Run:
    """Save a run of ``kind`` over the toy's layers."""
    current = store.current()
    names = {("/".join(filter(None, key)), version.content_sha256) for key, version in current.items()}
    inputs = dict(names) | {"effort/abcdef012345": "4" * 64}
    parameters = {"first": FIRST, "last": LAST, "channels": ["patrol", "hotline", "public"], "within": [],
                  "cells": "hexagon", "cell_m": 300.0} | asked  # fmt: skip
    notes = pd.DataFrame([("off-street", "12 份报告附近没有街面，只计入格网与辖区",
                           "12 reports lie on no street: counted in cells and areas only")],
                         columns=["code", "zh", "en"])  # fmt: skip
    if kind == "hotspot-release":
        inputs, parameters = {}, {"year": 2026, "quarter": 1, **asked}
    tables = {"notes": notes, **tables, "summary": tables["summary"].assign(crs=crs())}
    return store.save_run(Run(kind, parameters, inputs, tables))


@lru_cache(maxsize=1)
def crs() -> str:
    west, south, east, north = town().streets.total_bounds
    return metric_crs((west + east) / 2, (south + north) / 2)


@lru_cache(maxsize=1)
def segments() -> pd.DataFrame:
    """Every segment: half of the quiet ones in the south never looked at, rates with an interval around them."""
    city, rng = town(), np.random.default_rng(7)
    table = city.streets[["segment_id", "length_m"]].reset_index(drop=True)
    true = city.true_rate.set_index("segment_id")["per_week"].reindex(table["segment_id"]).to_numpy(float)
    middle = shapely.centroid(city.streets.geometry.to_numpy())
    south = shapely.get_y(middle) < np.quantile(shapely.get_y(middle), 0.3)
    unknown = south & (rng.random(len(table)) < 0.6) & (true < np.quantile(true, 0.9))
    reports = rng.poisson(true * WEEKS * np.where(unknown, 0.02, 0.5))
    found = reports > 0
    spread = np.exp(rng.normal(0, 0.25, len(table)))
    return table.assign(
        state=np.where(unknown, "unknown", np.where(found, "found", "none")),
        reports=reports,
        patrol_reports=np.where(unknown, 0, rng.binomial(reports, 0.5)),
        passes=np.where(unknown, 0.0, rng.poisson(20, len(table))),
        density_km=true * WEEKS * 0.5 / table["length_m"] * 1000 * spread,
        rate_week=true * spread,
        rate_low=true * spread * 0.5,
        rate_high=true * spread * 1.9 + 0.001,
        per_minute=true * spread / (table["length_m"] / 60 + 1),
    )


@lru_cache(maxsize=1)
def cells() -> pd.DataFrame:
    """The hexagons around the middles of segments, with what their segments add up to."""
    rng, table = np.random.default_rng(8), segments()
    middle = shapely.line_interpolate_point(town().streets.geometry.to_numpy(), 0.5, normalized=True)
    column, row = Tiling("hexagon", 300.0).cell_of(*to_metric(shapely.get_x(middle), shapely.get_y(middle), crs()))
    by = table.assign(column=column, row=row, looked=table["state"] != "unknown").groupby(["column", "row"])
    out = by.agg(
        street_m=("length_m", "sum"), reports=("reports", "sum"), patrol_reports=("patrol_reports", "sum"),
        rate_week=("rate_week", "sum"), rate_low=("rate_low", "sum"), rate_high=("rate_high", "sum"),
        looked=("looked", "mean"), walked_km=("passes", "sum"),
    ).reset_index()  # fmt: skip
    out["state"] = np.where(out["looked"] < 0.4, "unknown", np.where(out["reports"] > 0, "found", "none"))
    z = (out["rate_week"] - out["rate_week"].mean()) / out["rate_week"].std() * 2
    p = np.exp(-np.abs(z))
    return out.drop(columns="looked").assign(
        walked_km=np.where(out["state"] == "unknown", 0.0, out["walked_km"] * 0.1),
        density_km2=out["reports"] / 0.078,
        gi_z=z, gi_p=p, gi_q=np.minimum(p * 3, 1.0), hot=(z > 3.6),
        moran_i=z * 0.3, moran_p=p, moran_class=np.where(p > 0.05, "", np.where(z > 0, "HH", rng.choice(["LL", "LH"]))),
    )  # fmt: skip


def areas() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    rows = []
    for level, table in town().areas.items():
        names = [HOSTILE, *table["name"].iloc[1:]] if level == "subdistrict" else table["name"]
        for code, name in zip(table["code"], names, strict=True):
            found = int(rng.integers(5, 400))
            rate = found / WEEKS * 1.8
            rows.append(
                {"level": level, "code": code, "name": name, "street_m": found * 300.0, "reports": found,
                 "patrol_reports": found // 2, "passive_reports": found - found // 2, "walked_km": found * 2.5,
                 "state": "found", "rate_week": rate, "rate_low": rate * 0.7, "rate_high": rate * 1.4,
                 "rate_km_week": rate / (found * 0.3)}
            )  # fmt: skip
    return pd.DataFrame(rows)


def map_tables() -> Tables:
    street, cell = segments(), cells()
    summary = {
        "first": FIRST, "last": LAST, "reports": int(street["reports"].sum()),
        "patrol_reports": int(street["patrol_reports"].sum()),
        "passive_reports": int((street["reports"] - street["patrol_reports"]).sum()), "off_street": 12,
        "street_m": float(street["length_m"].sum()),
        "looked_m": float(street.loc[street["state"] != "unknown", "length_m"].sum()),
        "walked_km": float(cell["walked_km"].sum()),
        "unknown_m": float(street.loc[street["state"] == "unknown", "length_m"].sum()), "bandwidth_m": 180.0,
        "split": "discontinuous", "detectability": 0.62, "detectability_low": 0.4, "detectability_high": 0.9,
        "told_share": 0.03, "expected_week": 63.2, "low_week": 51.0, "high_week": 77.9,
    }  # fmt: skip
    return {"summary": pd.DataFrame([summary]), "segments": street, "cells": cell, "areas": areas()}


def scan_tables() -> Tables:
    cell = cells().sort_values("rate_week", ascending=False, kind="stable", ignore_index=True)
    clusters, members = [], []
    x, y = Tiling("hexagon", 300.0).centre(cell["column"].to_numpy(), cell["row"].to_numpy())
    taken = np.zeros(len(cell), bool)
    for i in range(4):
        at = int(np.flatnonzero(~taken)[0])
        near = (np.hypot(x - x[at], y - y[at]) < 650 - 100 * i) & ~taken
        taken |= np.hypot(x - x[at], y - y[at]) < 1500
        lon, lat = to_lonlat([x[at]], [y[at]], crs())
        p = (0.001, 0.004, 0.03, 0.31)[i]
        clusters.append(
            {"cluster": i + 1, "places": int(near.sum()), "lon": float(lon[0]), "lat": float(lat[0]),
             "radius_m": 650.0 - 100 * i, "first": "2026-04-01", "last": LAST, "observed": 60 - 12 * i,
             "expected": 20.5 - 3 * i, "relative_risk": 3.1 - 0.3 * i, "llr": 24.0 - 5 * i, "p_value": p,
             "gumbel_p": p * 0.8, "recurrence_days": 90 / p, "significant": p < 0.05}
        )  # fmt: skip
        members += [(i + 1, c, r) for c, r in cell.loc[near, ["column", "row"]].itertuples(index=False)]
    summary = {"model": "space-time-permutation", "when": "prospective", "window": "circle", "places": len(cell),
               "reports": 2100, "replications": 999, "first": FIRST, "last": LAST}  # fmt: skip
    return {"summary": pd.DataFrame([summary]), "clusters": pd.DataFrame(clusters),
            "members": pd.DataFrame(members, columns=["cluster", "column", "row"])}  # fmt: skip


CLASSES = ("new", "consecutive", "intensifying", "persistent", "diminishing", "sporadic", "oscillating", "historical")


def emerging_tables() -> Tables:
    rng, cell = np.random.default_rng(10), cells()
    months = pd.date_range("2024-07-01", periods=24, freq="MS")
    z = cell["gi_z"].to_numpy()[:, None] + rng.normal(0, 1.2, (len(cell), 24)) + np.linspace(-1, 1, 24)
    reports = rng.poisson(cell["rate_week"].to_numpy()[:, None] * 2, (len(cell), 24))
    n, steps = len(cell), len(months)
    cold = np.where(z[:, -6:].max(axis=1) < -1.2, "cold sporadic", "none")
    named = np.where(z[:, -1] > 3, rng.choice(CLASSES, n), cold)
    table = cell[["column", "row"]].assign(
        reports=reports.sum(axis=1), **{"class": named}, trend_z=z[:, -6:].mean(axis=1) - z[:, :6].mean(axis=1),
        trend_p=0.2, last_z=z[:, -1],
    )  # fmt: skip
    long = pd.DataFrame({
        "column": np.repeat(cell["column"].to_numpy(), steps), "row": np.repeat(cell["row"].to_numpy(), steps),
        "step": np.tile(months.strftime("%Y-%m-%d"), n), "reports": reports.ravel(), "z": z.ravel(),
        "hot": z.ravel() > 2.5,
    })  # fmt: skip
    summary = {"steps": steps, "step": "month", "cells": n, "first": "2024-07-01", "last": LAST}
    return {"summary": pd.DataFrame([summary]), "cells": table, "steps": long}


def forecast_tables() -> Tables:
    street, cell = segments(), cells()
    band = {"rate_week": "expected_week", "rate_low": "low", "rate_high": "high"}
    hours = np.arange(24)
    share = np.exp(-(((hours[None] - 21) % 24 - 12) ** 2 - 144) / 90) * (1 + 0.2 * np.arange(7)[:, None])
    share /= share.sum()
    profile = pd.DataFrame({"weekday": np.repeat(np.arange(7), 24), "hour": np.tile(hours, 7), "share": share.ravel()})
    summary = {"week_from": "2026-07-01", "week_until": "2026-07-07", "expected": 63.2, "low": 48.0, "high": 80.0,
               "weather": "wet"}  # fmt: skip
    return {
        "summary": pd.DataFrame([summary]),
        "segments": street.rename(columns=band)[["segment_id", "length_m", "state", *band.values(), "per_minute"]],
        "cells": cell.rename(columns=band)[["column", "row", *band.values(), "state"]],
        "profile": profile,
        "weather": pd.DataFrame(
            {"days": [300, 40, 15, 10], "weather": ["mild", "wet", "cold", "hot"], "factor": [1.0, 0.72, 0.85, 1.12]}
        ),
    }


METHODS = {"memories": 0.0, "ewma": -1.0, "mean_12": -1.5, "long_run": -2.0, "last_month": -4.0, "kde": -0.5}


def backtest_tables() -> Tables:
    rng = np.random.default_rng(11)
    months = pd.date_range("2025-07-01", periods=12, freq="MS").strftime("%Y-%m")
    summary, rows = [], []
    for i, (method, worse) in enumerate(METHODS.items()):
        pai = 7 + worse + rng.normal(0, 0.6, len(months))
        known = np.nan if i == 0 else 1.0
        summary.append(
            {"method": method, "pai": pai.mean(), "hit_rate": pai.mean() / 10, "pei": 0.8 + worse / 20,
             "log_score": -2.1 + worse / 10, "pai_difference": -worse * known, "pai_low": (-worse - 1.1) * known,
             "pai_high": (-worse + 1.2) * known, "pai_won": 0.75 * known, "log_difference": -worse / 10 * known,
             "log_low": (-worse / 10 - 0.1) * known, "log_high": (-worse / 10 + 0.1) * known, "log_won": 0.8 * known,
             "months": 12}
        )  # fmt: skip
        for month, value in zip(months, pai, strict=True):
            rows.append({"origin": month, "method": method, "hits": value * 5, "hit_rate": value / 10, "pai": value,
                         "pei": value / 9, "log_score": -2.0, "expected": 101.0, "n": 100})  # fmt: skip
    expected = 0.004 * 2.0 ** np.arange(10)
    cells = np.array([3000, 1500, 800, 500, 300, 200, 120, 80, 50, 30])
    seen = expected * cells * rng.normal(1, 0.1, 10)
    classes = pd.DataFrame({"kind": "mean", "bin": [str(k + 1) for k in range(10)], "cells": cells,
                            "expected": expected * cells, "observed": seen})  # fmt: skip
    held = pd.DataFrame({"kind": "interval", "bin": ["50%", "90%"], "cells": 6580, "expected": [0.62, 0.95],
                         "observed": [0.63, 0.945]})  # fmt: skip
    calibration = pd.concat([classes, held], ignore_index=True).assign(method="memories")
    weights = pd.DataFrame({"source": ["own_8", "even"], "weight": [0.7, 0.3]})
    return {"summary": pd.DataFrame(summary), "months": pd.DataFrame(rows), "calibration": calibration,
            "weights": weights}  # fmt: skip


def release_tables() -> Tables:
    """Counts of a quarter by community and subdistrict, many withheld."""
    rows = [
        {"unit": code, "column": 0, "row": 0, "name": name, "level": level}
        for level in ("community", "subdistrict")
        for code, name in town().areas[level][["code", "name"]].itertuples(index=False)
    ]
    return _published(pd.DataFrame(rows), np.random.default_rng(12).integers(0, 12, len(rows)) * 5.0, "community", 0.0)


def release_cell_tables() -> Tables:
    """Counts of a quarter by cell."""
    cell = cells()
    units = [f"{c}:{r}" for c, r in zip(cell["column"], cell["row"], strict=True)]
    table = cell[["column", "row"]].assign(unit=units, name="", level="cells")
    return _published(table, np.round(cell["reports"].to_numpy() / 5) * 5.0, "hexagon", 300.0)


def _published(table: pd.DataFrame, number: np.ndarray, kind: str, size_m: float) -> Tables:
    hidden = number < 10
    table = table.assign(
        reports=np.where(hidden, np.nan, number), margin=np.where(hidden, np.nan, 4.0),
        withheld=np.where(hidden, "few", ""),
    )  # fmt: skip
    summary = {"quarter": "2026Q1", "epsilon": 0.25, "least": 10, "geography": kind, "cells": kind, "cell_m": size_m,
               "published": "2026-07-10", "shown": int((~hidden).sum()), "withheld": int(hidden.sum())}  # fmt: skip
    notes = pd.DataFrame([("least", "少于 10 人者不公布，数字取整", "none under 10; numbers are rounded"),
                          ("noise", "已加随机噪声", "random noise was added")],
                         columns=["code", "zh", "en"])  # fmt: skip
    return {"summary": pd.DataFrame([summary]), "cells": table, "notes": notes}


TABLES: Mapping[str, object] = {
    "hotspot-map": map_tables,
    "hotspot-scan": scan_tables,
    "hotspot-emerging": emerging_tables,
    "hotspot-forecast": forecast_tables,
    "hotspot-backtest": backtest_tables,
    "hotspot-release": release_tables,
}
