"""The single-file map of a coverage result."""

import math
from pathlib import Path

import folium
import numpy as np
import shapely
from folium.utilities import JsCode
from geopandas import GeoDataFrame
from numpy.typing import NDArray

from web import drawing, map_parts
from web.drawing import CoverageDrawing
from web.offline_page import LINE_TOLERANCE, OfflineMap, bounds_of, longest_that_fit, outlines, render
from web.offline_page import simplified as _simplified

#: Vertices of streets beyond which the file would outgrow about 8 MB.
MAX_VERTICES = 700_000
_STREET_VIEW = "街面到达时间 time along streets"


def coverage_map(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as one HTML file that needs no network.

    Areas of ``what.level`` are coloured by the share of people covered, one choice per threshold; streets by walking
    time at their farthest spot; points carry a card. Withheld points are left out. The same input gives the same
    bytes. Raises LamplightError where the browser assets have not been fetched.
    """
    level, areas = what.areas_to_draw()
    classes = drawing.time_classes(what.thresholds_s)
    lines, said = _streets_to_draw(what, classes)

    page = OfflineMap()
    page.add_child(_area_data(what, areas))
    for i, threshold_s in enumerate(what.thresholds_s):
        name = f"{drawing.minutes(threshold_s)} 分钟覆盖率 covered within {drawing.minutes(threshold_s)} min"
        page.add_child(map_parts.ShareLayer(name, i, show=threshold_s == what.headline_s))
    page.add_child(map_parts.ShareLayer(_STREET_VIEW, None, show=False))
    groups = [(k.colour, part) for k, part in zip(classes, lines, strict=True)][::-1]  # within reach on top
    page.add_child(map_parts.LineLayer("街面 streets", groups, view=_STREET_VIEW, control=True))
    page.add_child(map_parts.LineLayer("", [(drawing.OUTLINE_COLOUR, outlines(what, level))], view=None, control=False))
    marks = folium.FeatureGroup("服务点、救助站 points")
    marks.add_child(map_parts.PointMarks(map_parts.point_rows(what.shown_points())))
    page.add_child(marks)
    page.add_child(map_parts.MetricScale())
    page.add_child(map_parts.Corner("bottomleft", map_parts.legend_html(what, level, classes, said)))
    page.add_child(folium.LayerControl(collapsed=JsCode("window.innerWidth < 800")))
    bounds = bounds_of(areas, what.segments)
    if bounds is not None:
        page.add_child(map_parts.View(bounds))
    path.write_bytes(render(page, what).encode())


def _area_data(what: CoverageDrawing, areas: GeoDataFrame) -> map_parts.AreaData:
    share = np.stack([drawing.shares(areas, what.measure, t) for t in what.thresholds_s])
    within = [f"{drawing.minutes(t)} 分钟内 within {drawing.minutes(t)} min" for t in what.thresholds_s]
    labels = [*within, "人口 people", "街面 streets", "平均时间 mean time"]
    figures = (areas[column].to_numpy(float).tolist() for column in ("people", "street_m", "mean_s"))
    facts = [
        [
            *map(_percent, shares),
            f"{people:,.0f}",
            f"{street_m / 1000:,.1f} km",
            f"{mean_s / 60:,.1f} 分钟 min" if math.isfinite(mean_s) else "—",
        ]
        for shares, people, street_m, mean_s in zip(share.T.tolist(), *figures, strict=True)
    ]
    names = list(zip(areas["name"].astype(str), areas["code"].astype(str), strict=True))
    headline = what.thresholds_s.index(what.headline_s)
    shapes = _simplified(areas.geometry.to_numpy())
    return map_parts.AreaData(shapes, drawing.share_class(share), names, facts, labels, headline)


def _percent(share: float) -> str:
    return "—" if math.isnan(share) else f"{share:.1%}"


def _streets_to_draw(what: CoverageDrawing, classes: list[drawing.TimeClass]) -> tuple[list[NDArray[np.object_]], str]:
    """Return the lines of each time class and a sentence on what is drawn.

    All streets where they fit; else those beyond the last threshold; else the longest of these.
    """
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    lines = shapely.simplify(segments.geometry.to_numpy(), LINE_TOLERANCE, preserve_topology=False)
    found = drawing.time_class(segments["longest_s"], classes)
    size = shapely.get_num_coordinates(lines)
    said = ("已画全部街面", "all streets drawn")
    chosen = np.ones(len(lines), bool)
    if size.sum() > MAX_VERTICES:
        limit = drawing.minutes(what.headline_s)
        said = (f"只画 {limit} 分钟以外的街面", f"only streets beyond {limit} min drawn")
        chosen = found >= len(what.thresholds_s)
    if size[chosen].sum() > MAX_VERTICES:
        chosen = longest_that_fit(chosen, size, segments["length_m"].to_numpy(float), MAX_VERTICES)
        said = (said[0] + "中较长者", said[1] + ", the longest of them")
    counted = drawing.both(said) + f" ({chosen.sum():,}/{len(what.segments):,})"
    return [lines[chosen & (found == c)] for c in range(len(classes))], counted
