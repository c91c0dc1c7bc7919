"""A run joined with the records it was computed from, and written as files."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gis.errors import QuestionError
from layers.hours import parse_hour_of_week
from layers.records import POINT_LAYERS
from layers.run import Run
from layers.scenario_content import Entry
from layers.store import Store
from layers.version_rows import LayerVersion
from planner.coverage_answer import level_to_show
from planner.scenarios.overlay import overlay
from web.drawing import FUNCTION_NAMES

Progress = Callable[[str], None]
OSM_CREDIT = "© OpenStreetMap contributors"
OSM_ENDINGS = (".osm", ".osm.gz", ".osm.bz2", ".pbf", ".graphml", ".graphml.gz")


def write_files(
    writers: Mapping[str, Callable[[Any, Path], None]], what: object, folder: Path, progress: Progress | None
) -> list[Path]:
    """Write a drawing into ``folder`` with every writer, by the name of its file, and return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in writers.items():
        if progress is not None:
            progress(name)
        write(what, folder / name)
    return [folder / name for name in writers]


def service_in_words(functions: Iterable[str], at: str | None) -> list[tuple[str, str]]:
    """Say which services are asked for and when, (Chinese, English) each."""
    words = [(f"提供{FUNCTION_NAMES[f][0]}", f"offering {FUNCTION_NAMES[f][1]}") for f in functions]
    if at:
        hour = parse_hour_of_week(at)
        words.append((f"{hour.label('zh')} 开放", f"open {hour.label('en')}"))
    return words


def sentence(words: list[tuple[str, str]]) -> tuple[str, str]:
    """Join parts of a question into one, in each language."""
    return "，".join(zh for zh, _ in words), ", ".join(en for _, en in words)


def drawing_of(store: Store, run: Run, level: str | None) -> dict[str, Any]:
    """Return the fields of a ``Drawing`` that every kind of run fills alike.

    Raises QuestionError if the run has no area of ``level``, or read records that have been pruned.
    """
    versions = _versions_read(store, run)
    streets = versions["streets"]
    credit = [OSM_CREDIT] if streets.source.lower().endswith(OSM_ENDINGS) else []
    bounds = [version for version in versions.values() if version.layer in ("areas", "grid-cells")]
    return {
        "city": store.setting("city_name") or "",
        "level": level_to_show(run, level),
        "areas": _areas(store, run, bounds),
        "segments": _segments(store, run, streets),
        "points": _as_planned(store, run, _points(store, versions)),
        "tables": {name: table for name, table in run.tables.items() if name not in ("areas", "segments")},
        "notes": tuple(zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)),
        "data_date": store.setting("data_date") or "",
        "fictional": store.setting("fictional") == "yes",
        "approximate": any(version.approximate for version in bounds),
        "attribution": "; ".join(filter(None, [store.setting("attribution"), *credit])),
        "approval_number": store.setting("approval_number") or "",
    }


def _as_planned(store: Store, run: Run, points: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the points as the plan or scenario a run supposes leaves them; what a plan opens is marked as planned."""
    if run.parameters.get("changes"):
        return _under_scenario(points, run.parameters["changes"])
    if not run.parameters.get("plan"):
        return points
    sites = store.run(run.parameters["plan"]).tables["sites"]
    opened = sites[sites["action"].isin(["build", "convert"])]
    new = gpd.GeoDataFrame(
        opened[["code", "name", "functions", "hours", "capacity"]].assign(
            kind="service-points", build_state=opened["action"], withheld=False
        ),
        geometry=gpd.points_from_xy(opened["lon"], opened["lat"]),
        crs=4326,
    )
    # a point that is improved stays the record it was, with what its owner withholds
    better = sites[sites["action"] == "upgrade"].set_index("place")[["functions", "hours"]]
    left = points[~points["code"].isin(sites["code"][sites["action"] == "close"])].copy()
    for field in better:
        left[field] = left["code"].map(better[field]).fillna(left.get(field, ""))
    return gpd.GeoDataFrame(pd.concat([left, new], ignore_index=True), crs=4326)


def _under_scenario(points: gpd.GeoDataFrame, entries: list[Entry]) -> gpd.GeoDataFrame:
    """Return the points as the scenario a coverage run supposes leaves them."""
    made = overlay(points, entries)
    table = made.points
    put = ~np.isnan(made.lon)
    shapes = table["geometry"].to_numpy(object)
    shapes[put] = gpd.points_from_xy(made.lon[put], made.lat[put])
    added = made.source < 0
    table.loc[added, "kind"] = "service-points"
    if "withheld" in table:
        table["withheld"] = table["withheld"].where(~added, False)
    return gpd.GeoDataFrame(table, geometry=shapes, crs=4326)


def _versions_read(store: Store, run: Run) -> dict[str, LayerVersion]:
    """Return, by name of the input, the layer version a run read; raises QuestionError if it was pruned."""
    kept = {("/".join(filter(None, (v.layer, v.part))), v.content_sha256): v for v in reversed(store.versions())}
    read = {name: content for name, content in run.inputs.items() if not name.startswith("scenario/")}
    found = {name: kept.get((name, content)) for name, content in read.items()}
    gone = [name for name, version in found.items() if version is None]
    if gone:
        raise QuestionError(
            f"分析 {run.id} 所用的数据版本已清理：{'、'.join(gone)}",
            f"run {run.id} read versions that have been pruned: {', '.join(gone)}",
        )
    return {name: version for name, version in found.items() if version is not None}


def _areas(store: Store, run: Run, bounds: list[LayerVersion]) -> gpd.GeoDataFrame:
    drawn = [store.load(version.layer, version.part, version=version.id)[["code", "geometry"]] for version in bounds]
    results = run.tables["areas"]
    if not drawn:
        return gpd.GeoDataFrame(results, geometry=[None] * len(results), crs=4326)
    shapes = pd.concat(drawn, ignore_index=True).drop_duplicates("code").set_index("code")["geometry"]
    return gpd.GeoDataFrame(results, geometry=shapes.reindex(results["code"]).to_numpy(), crs=4326)


def _segments(store: Store, run: Run, streets: LayerVersion) -> gpd.GeoDataFrame:
    lines = store.load("streets", version=streets.id).set_index("segment_id")["geometry"]
    results = run.tables["segments"]
    return gpd.GeoDataFrame(results, geometry=lines.reindex(results["segment_id"]).to_numpy(), crs=4326)


def _points(store: Store, versions: dict[str, LayerVersion]) -> gpd.GeoDataFrame:
    kinds = [name for name in POINT_LAYERS if name in versions]
    tables = [store.load(kind, version=versions[kind].id).assign(kind=kind) for kind in kinds]
    if not tables:
        return gpd.GeoDataFrame({"code": [], "name": [], "kind": []}, geometry=[], crs=4326)
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs=4326)
