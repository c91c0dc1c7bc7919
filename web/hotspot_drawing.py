"""A run about hotspots joined with its streets, areas and cells, ready to be drawn and tabled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pandas import DataFrame

from gis.crs import metric_crs, to_lonlat, to_metric
from gis.errors import QuestionError
from gis.tiling import Tiling
from layers.run import Run
from layers.store import Store
from layers.version_rows import LayerVersion
from web import hotspot_words
from web.drawing import Drawing
from web.hotspot_words import CELL_NAMES, Words, channels_in_words
from web.run_records import OSM_CREDIT, OSM_ENDINGS, sentence

#: Layers of a run's inputs that a drawing needs.
_DRAWN = ("streets", "areas")
#: Tiers from the one whose names fit on a map.
_LEVELS_SHOWN = ("subdistrict", "district", "city", "community")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HotspotDrawing(Drawing):
    """One run about hotspots with its geometry.

    kind, parameters : as the run has them. cells : its "cells" table, or of a scan "members", with geometry, WGS84;
    ``segments`` : its "segments" table, or every street where it has none. summary : the row of its "summary".
    """

    kind: str
    parameters: Mapping[str, Any]
    cells: gpd.GeoDataFrame
    summary: Mapping[str, Any]

    def area_shares(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return (n,) NaN: areas are drawn as outlines with names."""
        return np.full(len(areas), np.nan)

    def line_classes(self, segments: DataFrame) -> NDArray[np.int64]:
        """Return (m,) one class: streets are ground unless a view says otherwise."""
        return np.zeros(len(segments), np.int64)


class HotspotMap(HotspotDrawing):
    """Where people can be found, corrected for where anyone looked."""

    title: ClassVar[Words] = ("街面热点", "Street hotspots")


class HotspotScan(HotspotDrawing):
    """Clusters a scan statistic found."""

    title: ClassVar[Words] = ("聚集区扫描", "Scan for clusters")


class HotspotEmerging(HotspotDrawing):
    """How hot spots came and went."""

    title: ClassVar[Words] = ("热点演变", "Emerging hotspots")


class HotspotForecast(HotspotDrawing):
    """What the coming week is expected to bring."""

    title: ClassVar[Words] = ("热点预测", "Hotspot forecast")


class HotspotBacktest(HotspotDrawing):
    """How well forecasts of past months did."""

    title: ClassVar[Words] = ("预测回测", "Backtest of forecasts")


class HotspotRelease(HotspotDrawing):
    """Counts that anyone may see."""

    title: ClassVar[Words] = ("救助热点公开数据", "Public hotspot data")


_KINDS = {
    "hotspot-map": HotspotMap,
    "hotspot-scan": HotspotScan,
    "hotspot-emerging": HotspotEmerging,
    "hotspot-forecast": HotspotForecast,
    "hotspot-backtest": HotspotBacktest,
    "hotspot-release": HotspotRelease,
}


def hotspot_drawing(store: Store, run: Run) -> HotspotDrawing:
    """Join ``run`` with the geometry of the records it was computed from.

    A release gets no streets. Raises QuestionError on another kind of run, or where these records have been pruned.
    """
    if run.kind not in _KINDS:
        raise QuestionError(f"不是热点分析：{run.kind}", f"not a run about hotspots: {run.kind}")
    versions = _versions_read(store, run)
    areas = _areas(store, run, versions)
    streets = versions.get("streets")
    present = [level for level in _LEVELS_SHOWN if level in set(areas["level"])]
    osm = streets is not None and streets.source.lower().endswith(OSM_ENDINGS)
    return _KINDS[run.kind](
        city=store.setting("city_name") or "",
        level=present[0] if present else "city",
        areas=areas,
        segments=_segments(store, run, streets),
        points=gpd.GeoDataFrame({"code": [], "name": [], "kind": []}, geometry=[], crs=4326),
        tables=run.tables,
        notes=tuple(zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)),
        question=question_in_words(run),
        data_date=store.setting("data_date") or "",
        fictional=store.setting("fictional") == "yes",
        approximate=any(version.approximate for name, version in versions.items() if name != "streets"),
        attribution="; ".join(filter(None, [store.setting("attribution"), OSM_CREDIT if osm else ""])),
        approval_number=store.setting("approval_number") or "",
        kind=run.kind,
        parameters=run.parameters,
        cells=_cells(run, areas),
        summary=run.tables["summary"].iloc[0].to_dict() if len(run.tables["summary"]) else {},
    )


def best_first(segments: pd.DataFrame) -> pd.DataFrame:
    """Order segments by what a minute of patrol finds; where that is not known, by the people expected in a week."""
    people = next(name for name in ("rate_week", "expected_week") if name in segments)
    return segments.sort_values(["per_minute", people, "segment_id"], ascending=[False, False, True], kind="stable")


def _versions_read(store: Store, run: Run) -> dict[str, LayerVersion]:
    """Return, by name of the input, the versions of streets and areas a run read.

    A release reads no layer that may change after it: it is drawn on the areas of today.
    """
    if run.kind == "hotspot-release":
        return {"/".join(key): version for key, version in store.current().items() if key[0] == "areas"}
    kept = {("/".join(filter(None, (v.layer, v.part))), v.content_sha256): v for v in reversed(store.versions())}
    wanted = {name: content for name, content in run.inputs.items() if name.split("/")[0] in _DRAWN}
    gone = [item[0] for item in wanted.items() if item not in kept]
    if gone:
        raise QuestionError(
            f"分析 {run.id} 所用的数据版本已清理：{'、'.join(gone)}",
            f"run {run.id} read versions that have been pruned: {', '.join(gone)}",
        )
    return {item[0]: kept[item] for item in wanted.items()}


def _areas(store: Store, run: Run, versions: Mapping[str, LayerVersion]) -> gpd.GeoDataFrame:
    """Return every area of the city, with its figures where the run has any."""
    tables = [
        store.load("areas", version.part, version=version.id)[["code", "name", "geometry"]].assign(level=version.part)
        for name, version in versions.items()
        if name.startswith("areas/")
    ]
    empty = gpd.GeoDataFrame({"code": [], "name": [], "level": []}, geometry=[], crs=4326)
    drawn = gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs=4326) if tables else empty
    if "areas" not in run.tables:
        return drawn.assign(people=np.nan)
    results = run.tables["areas"]
    shapes = drawn.drop_duplicates("code").set_index("code")["geometry"]
    placed = shapes.reindex(results["code"]).to_numpy()
    return gpd.GeoDataFrame(results.assign(people=np.nan), geometry=placed, crs=4326)


def _segments(store: Store, run: Run, streets: LayerVersion | None) -> gpd.GeoDataFrame:
    if streets is None or run.kind in ("hotspot-release", "hotspot-backtest"):
        return gpd.GeoDataFrame({"segment_id": [], "length_m": []}, geometry=[], crs=4326)
    loaded = store.load("streets", version=streets.id, fields=("segment_id", "name", "length_m", "street_class"))
    if "segments" not in run.tables:
        return loaded[["segment_id", "name", "length_m", "street_class", "geometry"]]
    results = run.tables["segments"]
    by = loaded.set_index("segment_id").reindex(results["segment_id"])
    named = results.assign(name=by["name"].fillna("").to_numpy(), street_class=by["street_class"].to_numpy())
    return gpd.GeoDataFrame(named, geometry=by["geometry"].to_numpy(), crs=4326)


def _cells(run: Run, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the run's cells, or those in clusters, with outlines; a unit without a column is the area of its code."""
    table = run.tables.get("cells", run.tables.get("members"))
    if table is None or not len(table):
        return gpd.GeoDataFrame({"column": [], "row": []}, geometry=[], crs=4326)
    table = table.reset_index(drop=True)
    # a release counts in cells, in areas or in both; areas are told by their codes
    tiled = (
        table["unit"].str.contains(":", regex=False).to_numpy(bool) if "unit" in table else np.ones(len(table), bool)
    )
    shapes = np.full(len(table), None, object)
    if tiled.any():
        column, row = (table.loc[tiled, name].to_numpy(np.int64) for name in ("column", "row"))
        shapes[tiled] = cell_shapes(_tiling(run), column, row, _crs(run, areas))
    if "unit" in table:
        table = table if "reports" in table else table.rename(columns={"people": "reports"})
        by_code = areas.drop_duplicates("code").set_index("code")["geometry"]
        shapes[~tiled] = by_code.reindex(table.loc[~tiled, "unit"]).to_numpy()
    return gpd.GeoDataFrame(table, geometry=shapes, crs=4326)


def _tiling(run: Run) -> Tiling:
    asked = run.parameters if "cell_m" in run.parameters else run.tables["summary"].iloc[0]
    return Tiling(str(asked["cells"]), float(asked["cell_m"]))


def _crs(run: Run, areas: gpd.GeoDataFrame) -> str:
    summary = run.tables["summary"]
    known = summary["crs"].iloc[0] if "crs" in summary and len(summary) else run.parameters.get("crs")
    if known:
        return str(known)
    west, south, east, north = areas.total_bounds
    return metric_crs((west + east) / 2, (south + north) / 2)


def cell_shapes(
    tiling: Tiling, column: NDArray[np.int64], row: NDArray[np.int64], crs: str
) -> NDArray[np.object_]:  # fmt: skip
    """Return the outlines of cells (k,) in WGS84."""
    return shapely.transform(
        tiling.polygons(column, row), lambda xy: np.column_stack(to_lonlat(xy[:, 0], xy[:, 1], crs))
    )


def metric(shapes: NDArray[np.object_], crs: str) -> NDArray[np.object_]:
    """Project outlines and lines to metres."""
    return shapely.transform(shapes, lambda xy: np.column_stack(to_metric(xy[:, 0], xy[:, 1], crs)))


def question_in_words(run: Run) -> Words:
    """Say what was asked: the period, by which channels, where, in which cells."""
    asked = run.parameters
    # a run as it is listed has no tables
    facts, months = run.tables.get("summary", pd.DataFrame()), run.tables.get("months", pd.DataFrame())
    summary = facts.iloc[0].to_dict() if len(facts) else {}
    if run.kind == "hotspot-backtest" and len(months):
        origins = months["origin"].astype(str)
        words = [(f"检验 {origins.min()} 至 {origins.max()}", f"judged from {origins.min()} to {origins.max()}")]
    else:
        words = _period(asked, summary)
    if run.kind not in ("hotspot-release",):
        words.append(channels_in_words(asked.get("channels")))
    if asked.get("within"):
        where = [str(name) for name in asked["within"]]
        words.append(("限于" + "、".join(where), "within " + ", ".join(where)))
    if asked.get("cells") and run.kind != "hotspot-release":
        zh, en = hotspot_words.named(CELL_NAMES, asked["cells"])
        words.append((f"{asked['cell_m']:g} 米{zh}", f"{en} of {asked['cell_m']:g} m"))
    return sentence(words)


def _period(asked: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Words]:
    if "quarter" in summary:
        year, quarter = str(summary["quarter"])[:4], str(summary["quarter"])[-1]
        return [(f"{year} 年第 {quarter} 季度", f"quarter {quarter} of {year}")]
    if "week_from" in summary:
        since, until = summary["week_from"], summary["week_until"]
        return [(f"预测 {since} 至 {until}", f"forecast for {since} to {until}")]
    since, until = (summary.get(name) or asked.get(name) for name in ("first", "last"))
    return [(f"{since} 至 {until}", f"{since} to {until}")] if since or until else []
