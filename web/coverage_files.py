"""A coverage run as files: GeoPackage, workbook, map and picture, all from one drawing."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd

from gis.errors import QuestionError
from layers.hours import parse_hour_of_week
from layers.run import Run
from layers.store import LayerVersion, Store
from planner.coverage_answer import level_to_show
from web.drawing import FUNCTION_NAMES, CoverageDrawing, minutes
from web.maps import coverage_map
from web.pictures import coverage_picture
from web.tables import coverage_package, coverage_workbook

Progress = Callable[[str], None]
OSM_CREDIT = "© OpenStreetMap contributors"
OSM_ENDINGS = (".osm", ".osm.gz", ".osm.bz2", ".pbf", ".graphml", ".graphml.gz")
WRITERS = {
    "coverage.gpkg": coverage_package,
    "coverage.xlsx": coverage_workbook,
    "coverage.html": coverage_map,
    "coverage.png": coverage_picture,
}
MODE_NAMES = {"walk": ("步行", "on foot"), "ebike": ("电动车", "by e-bike"), "drive": ("驾车", "by car")}


def write_coverage(
    store: Store, run: Run, folder: Path, *, level: str | None = None, progress: Progress | None = None
) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths.

    level : the tier the maps colour; where None, the finest that reads on one page.
    Raises QuestionError if the run has no area of that tier.
    """
    what = coverage_drawing(store, run, level=level)
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in WRITERS.items():
        if progress is not None:
            progress(name)
        write(what, folder / name)
    return [folder / name for name in WRITERS]


def coverage_drawing(store: Store, run: Run, *, level: str | None = None) -> CoverageDrawing:
    """Join ``run`` with the geometry of the records it was computed from."""
    versions = _versions_read(store, run)
    areas = _areas(store, run, versions)
    used = versions.values()
    streets = versions["streets"]
    credit = [OSM_CREDIT] if streets.source.lower().endswith(OSM_ENDINGS) else []
    return CoverageDrawing(
        city=store.setting("city_name") or "",
        level=level_to_show(run, level),
        thresholds_s=tuple(run.parameters["thresholds_s"]),
        areas=areas,
        segments=_segments(store, run, streets),
        points=_points(store, versions),
        tables={name: table for name, table in run.tables.items() if name not in ("areas", "segments")},
        notes=tuple(zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)),
        question=_question_in_words(run),
        data_date=store.setting("data_date") or "",
        fictional=store.setting("fictional") == "yes",
        approximate=any(version.approximate for version in used if version.layer in ("areas", "grid-cells")),
        attribution="; ".join(filter(None, [store.setting("attribution"), *credit])),
        approval_number=store.setting("approval_number") or "",
    )


def _versions_read(store: Store, run: Run) -> dict[str, LayerVersion]:
    """Return, by name of the input, the layer version a run read; raises QuestionError if it was pruned."""
    kept = {("/".join(filter(None, (v.layer, v.part))), v.content_sha256): v for v in reversed(store.versions())}
    found = {name: kept.get((name, content)) for name, content in run.inputs.items()}
    gone = [name for name, version in found.items() if version is None]
    if gone:
        raise QuestionError(
            f"分析 {run.id} 所用的数据版本已清理：{'、'.join(gone)}",
            f"run {run.id} read versions that have been pruned: {', '.join(gone)}",
        )
    return {name: version for name, version in found.items() if version is not None}


def _areas(store: Store, run: Run, versions: dict[str, LayerVersion]) -> gpd.GeoDataFrame:
    drawn = [
        store.load(version.layer, version.part, version=version.id)[["code", "geometry"]]
        for version in versions.values()
        if version.layer in ("areas", "grid-cells")
    ]
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
    kinds = [name for name in ("service-points", "rescue-stations") if name in versions]
    tables = [store.load(kind, version=versions[kind].id).assign(kind=kind) for kind in kinds]
    if not tables:
        return gpd.GeoDataFrame({"code": [], "name": [], "kind": []}, geometry=[], crs=4326)
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs=4326)


def _question_in_words(run: Run) -> tuple[str, str]:
    asked = run.parameters
    limits = "、".join(minutes(t) for t in asked["thresholds_s"])
    zh, en = MODE_NAMES[asked["mode"]]
    words_zh, words_en = [f"{zh} {limits} 分钟"], [f"{limits.replace('、', ', ')} min {en}"]
    if asked["function"]:
        zh, en = FUNCTION_NAMES[asked["function"]]
        words_zh.append(f"提供{zh}")
        words_en.append(f"offering {en}")
    if asked["at"]:
        hour = parse_hour_of_week(asked["at"])
        words_zh.append(f"{hour.label('zh')} 开放")
        words_en.append(f"open {hour.label('en')}")
    return "，".join(words_zh), ", ".join(words_en)
