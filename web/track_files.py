"""A run of tracks as files: a workbook, a GeoPackage of effort along streets, and a map that needs no network."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import ClassVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import QuestionError
from gis.file_writing import write_layers
from layers.run import Run
from layers.store import Store
from layers.version_rows import LayerVersion
from web import map_parts, workbook
from web.drawing import MODE_NAMES, Drawing, both
from web.offline_page import LINE_TOLERANCE, OfflineMap, bounds_of, render
from web.run_records import OSM_CREDIT, OSM_ENDINGS, Progress, sentence, write_files
from web.tables import MAX_CELLS, asked_and_sources, facts_sheet

#: (least passages, colour, words): how often a street was walked over its whole length.
CLASSES = (
    (0.0, "#a6cbe3", ("走过一部分", "in part")),
    (0.8, "#6baed6", ("一次", "once")),
    (1.8, "#2171b5", ("两三次", "two or three times")),
    (3.8, "#08306b", ("四次以上", "four times and more")),
)
OTHER_COLOUR, MISSED_COLOUR = "#cfcfcb", "#c8500a"
OTHER, MISSED = ("未走过的街面", "not walked"), ("计划要走而未走", "planned, not walked")
#: Degrees around what was walked within which other streets are drawn, and how many of them at most.
MARGIN, MOST_OTHERS = 0.004, 40_000
_SHEETS = {
    "done": "完成情况 Done",
    "missed": "未走路段 Missed",
    "tracks": "轨迹 Tracks",
    "flags": "疑点 Flags",
    "unmatched": "未匹配 Unmatched",
    "effort": "巡查量 Effort",
    "rejected": "不可用的行 Rejected",
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrackDrawing(Drawing):
    """The streets walked, ready to be drawn.

    segments : one row a segment walked or missed: segment_id, name, length_m, metres, seconds, passages (metres over
    length), missed (planned and not walked), with geometry. others : (k,) lines of streets near by.
    """

    title: ClassVar[tuple[str, str]] = ("巡查轨迹", "patrol tracks")

    others: NDArray[np.object_]

    @property
    def totals(self) -> list[tuple[str, str]]:
        """What the tracks add up to, (words, figure)."""
        tracks = self.tables["tracks"]
        facts = [
            ("轨迹 Tracks", f"{len(tracks):,}"),
            ("有疑点 Flagged", f"{int((tracks['flags'] != '').sum()):,}"),
            ("走过（公里）Walked (km)", f"{tracks['matched_m'].sum() / 1000:,.1f}"),
            ("街面（公里）Streets walked (km)", f"{self._street_m / 1000:,.1f}"),
            ("值班时间外剔除的点 Points off duty left out", f"{int(tracks['cut_off_duty'].sum()):,}"),
        ]
        done = self.tables["done"]
        if len(done) and done["planned_m"].sum() > 0:
            facts.append(("计划完成 Plan walked", f"{done['walked_m'].sum() / done['planned_m'].sum():.1%}"))
        return facts

    @property
    def _street_m(self) -> float:
        return float(np.minimum(self.segments["metres"], self.segments["length_m"]).sum())


def write_tracks(store: Store, run: Run, folder: Path, *, progress: Progress | None = None) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths."""
    return write_files(WRITERS, track_drawing(store, run), folder, progress)


def track_drawing(store: Store, run: Run) -> TrackDrawing:
    """Join ``run`` with the streets it was computed on; raises QuestionError where these have been pruned."""
    version = _streets_of(store, run)
    streets = store.load("streets", version=version.id)
    segments = _segments(streets, run)
    bounds = bounds_of(segments)
    credit = [OSM_CREDIT] if version.source.lower().endswith(OSM_ENDINGS) else []
    return TrackDrawing(
        city=store.setting("city_name") or "",
        level="city",
        areas=gpd.GeoDataFrame({"level": [], "people": []}, geometry=[], crs=4326),
        segments=segments,
        points=gpd.GeoDataFrame({"code": []}, geometry=[], crs=4326),
        tables=run.tables,
        notes=tuple(zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)),
        question=_question_in_words(run),
        data_date=store.setting("data_date") or "",
        fictional=store.setting("fictional") == "yes",
        attribution="; ".join(filter(None, [store.setting("attribution"), *credit])),
        approval_number=store.setting("approval_number") or "",
        others=_others(streets, set(segments["segment_id"]), bounds),
    )


def _streets_of(store: Store, run: Run) -> LayerVersion:
    kept = [v for v in store.versions("streets") if v.content_sha256 == run.inputs.get("streets")]
    if not kept:
        raise QuestionError(
            f"分析 {run.id} 所用的街道版本已清理", f"run {run.id} read a version of the streets that has been pruned"
        )
    return kept[0]


def _segments(streets: gpd.GeoDataFrame, run: Run) -> gpd.GeoDataFrame:
    """Return the segments walked or missed, with how much."""
    walked = run.tables["effort"].groupby("segment_id")[["metres", "seconds"]].sum()
    missed = set(run.tables["missed"]["segment_id"])
    chosen = streets[streets["segment_id"].isin(set(walked.index) | missed)]
    table = chosen[["segment_id", "name", "length_m", "geometry"]].reset_index(drop=True)
    for name in walked:
        table[name] = walked[name].reindex(table["segment_id"]).fillna(0.0).to_numpy(float)
    length = table["length_m"].to_numpy(float)
    table["passages"] = np.divide(table["metres"], length, out=np.zeros(len(table)), where=length > 0)
    table["missed"] = table["segment_id"].isin(missed)
    return table


def _others(streets: gpd.GeoDataFrame, drawn: set[int], bounds: list[list[float]] | None) -> NDArray[np.object_]:
    """Return the lines of other streets around what was walked; none where they are too many for a page."""
    if bounds is None:
        return np.empty(0, object)
    (south, west), (north, east) = bounds
    window = shapely.box(west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN)
    lines = streets.geometry[~streets["segment_id"].isin(drawn)].to_numpy()
    lines = lines[shapely.intersects(window, lines)]
    return lines if len(lines) <= MOST_OTHERS else np.empty(0, object)


def _question_in_words(run: Run) -> tuple[str, str]:
    asked = run.parameters
    words = [MODE_NAMES[asked["mode"]]]
    if asked["hours"]:
        words.append((f"值班 {asked['hours']}", f"on duty {asked['hours']}"))
    if asked["plan"]:
        words.append((f"对照计划 {asked['plan']}", f"against plan {asked['plan']}"))
    return sentence(words)


def track_workbook(what: TrackDrawing, path: Path) -> None:
    """Write a result as XLSX: summary, plan done, missed segments, tracks, flags, effort by segment and hour, notes.

    A table too long for a sheet is left to --json, and the notes say so. The same input gives the same bytes.
    """
    sheets = {"摘要 Summary": facts_sheet([*asked_and_sources(what), *what.totals])}
    left_out = []
    for name, title in _SHEETS.items():
        table = what.tables[name]
        if not len(table):
            continue
        if table.size <= MAX_CELLS:
            sheets[title] = table
        else:
            count = f"{len(table):,}"
            left_out.append((f"{title}：{count} 行过多，见 --json", f"{title}: {count} rows are in --json"))
    notes = pd.DataFrame([*what.notes, *left_out], columns=["zh", "en"])
    workbook.write({**sheets, "说明 Notes": notes}, path)


def track_package(what: TrackDrawing, path: Path) -> None:
    """Write the effort along streets as a GeoPackage: layer "effort", a row a segment walked or missed."""
    write_layers({"effort": what.segments}, path)


def track_map(what: TrackDrawing, path: Path) -> None:
    """Write one HTML file that needs no network: streets by how often they were walked, planned ones not walked.

    The same input gives the same bytes. Raises LamplightError where the browser assets have not been fetched.
    """
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    lines = shapely.simplify(segments.geometry.to_numpy(), LINE_TOLERANCE, preserve_topology=False)
    missed = segments["missed"].to_numpy(bool)
    passages = segments["passages"].to_numpy(float)
    of = np.searchsorted([least for least, _, _ in CLASSES], passages, "right") - 1
    walked = passages > 0
    groups = [(OTHER_COLOUR, shapely.simplify(what.others, LINE_TOLERANCE, preserve_topology=False))]
    groups += [(colour, lines[walked & ~missed & (of == i)]) for i, (_, colour, _) in enumerate(CLASSES)]
    groups.append((MISSED_COLOUR, lines[missed]))

    page = OfflineMap()
    page.add_child(map_parts.LineLayer("", groups, view=None, control=False))
    page.add_child(map_parts.MetricScale())
    page.add_child(map_parts.Corner("bottomleft", _legend_html(what, bool(missed.any()))))
    bounds = bounds_of(segments)
    if bounds is not None:
        page.add_child(map_parts.View(bounds))
    path.write_bytes(render(page, what).encode())


def _legend_html(what: TrackDrawing, missed: bool) -> str:
    """Return the legend with the totals over it."""
    items = [map_parts.line_item(colour, words) for _, colour, words in CLASSES]
    items += [map_parts.line_item(MISSED_COLOUR, MISSED)] if missed else []
    items += [map_parts.line_item(OTHER_COLOUR, OTHER)] if len(what.others) else []
    totals = "".join(f"<li>{escape(words)}：{escape(figure)}</li>" for words, figure in what.totals)
    return (
        "<details open><summary>图例 Legend</summary>"
        f"<h2>合计 In total</h2><ul>{totals}</ul>"
        f"<h2>{both(('走过次数', 'Times walked'))}</h2><ul>{''.join(items)}</ul></details>"
    )


WRITERS = {"tracks.xlsx": track_workbook, "tracks.gpkg": track_package, "tracks.html": track_map}
