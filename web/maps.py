"""The single-file map: folium and Leaflet with every asset inside, so it opens where there is no network."""

import math
from html import escape
from pathlib import Path

import folium
import numpy as np
import shapely
from branca.element import Element, Figure
from folium.template import Template
from folium.utilities import JsCode
from geopandas import GeoDataFrame
from numpy.typing import NDArray

from web import assets, drawing, map_parts
from web.drawing import CoverageDrawing

#: Vertices of streets beyond which the file would outgrow about 8 MB.
MAX_VERTICES = 700_000
#: Detail dropped from lines and boundaries, in degrees: about 3 m and 10 m, below a pixel until zoomed far in.
LINE_TOLERANCE, AREA_TOLERANCE = 3e-5, 1e-4
_STREET_VIEW = "街面到达时间 time along streets"


class _OfflineMap(folium.Map):
    """A folium map without its content-network links; the page brings its own scripts and styles."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012  folium reads them from the class
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class _Verbatim(Element):
    """Text written as it is; folium would read a plain Element's text as a template."""

    _template = Template("{{ this.text }}")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def coverage_map(what: CoverageDrawing, path: Path) -> None:
    """Write a coverage result as one HTML file that needs no network.

    Areas of ``what.level`` are coloured by the share of people covered, one choice per threshold; streets by walking
    time at their farthest spot; points carry a card. Withheld points are left out. The same input gives the same
    bytes. Raises LamplightError where the browser assets have not been fetched.
    """
    level, areas = what.areas_to_draw()
    classes = drawing.time_classes(what.thresholds_s)
    lines, said = _streets_to_draw(what, classes)

    page = _OfflineMap(tiles=None, prefer_canvas=True, font_size="13px", zoom_snap=0.25, attribution_control=False)
    page.add_child(folium.map.CustomPane("streets", z_index=420))
    page.add_child(_area_data(what, areas))
    for i, threshold_s in enumerate(what.thresholds_s):
        name = f"{drawing.minutes(threshold_s)} 分钟覆盖率 covered within {drawing.minutes(threshold_s)} min"
        page.add_child(map_parts.ShareLayer(name, i, show=threshold_s == what.headline_s))
    page.add_child(map_parts.ShareLayer(_STREET_VIEW, None, show=False))
    groups = [(k.colour, part) for k, part in zip(classes, lines, strict=True)][::-1]  # within reach on top
    page.add_child(map_parts.LineLayer("街面 streets", groups, view=_STREET_VIEW, control=True))
    outlines = [(drawing.OUTLINE_COLOUR, _outlines(what, level))]
    page.add_child(map_parts.LineLayer("", outlines, view=None, control=False))
    marks = folium.FeatureGroup("服务点、救助站 points")
    marks.add_child(map_parts.PointMarks(map_parts.point_rows(what.shown_points())))
    page.add_child(marks)
    page.add_child(map_parts.MetricScale())
    page.add_child(map_parts.Corner("bottomleft", map_parts.legend_html(what, level, classes, said)))
    page.add_child(folium.LayerControl(collapsed=JsCode("window.innerWidth < 800")))
    bounds = _bounds(areas, what.segments)
    if bounds is not None:
        page.add_child(map_parts.View(bounds))
    path.write_bytes(_render(page, what).encode())


def _render(page: _OfflineMap, what: CoverageDrawing) -> str:
    figure = page.get_root()
    assert isinstance(figure, Figure)
    figure.title = escape(f"{what.city} {drawing.both(drawing.TITLE)}")
    figure.header.add_child(_Verbatim(map_parts.POLICY), index=0)
    figure.header.add_child(_Verbatim(f"<style>{assets.style('leaflet/dist/leaflet.css')}</style>"))
    figure.header.add_child(_Verbatim(f"<script>{assets.script('leaflet/dist/leaflet.js')}</script>"))
    figure.header.add_child(_Verbatim(f"<style>{map_parts.STYLE}</style>"))
    figure.html.add_child(_Verbatim(map_parts.title_html(what) + map_parts.foot_html(what)), index=0)
    _number(figure)
    return figure.render()


def _number(figure: Figure) -> None:
    # folium names everything by random numbers; counted names give the same bytes for the same map
    waiting: list[Element] = [figure]
    count = 0
    while waiting:
        element = waiting.pop()
        element._id = f"{count}"
        count += 1
        parts = [element.header, element.html, element.script] if isinstance(element, Figure) else []
        waiting.extend([*parts, *element._children.values()][::-1])


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


def _simplified(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Write boundaries as GeoJSON with detail below a pixel dropped; neighbours keep their common line."""
    if not len(shapes):
        return shapes
    thin = shapely.coverage_simplify(shapes, AREA_TOLERANCE) if shapely.coverage_is_valid(shapes) else shapes
    rounded = shapely.set_precision(thin, 1e-5, mode="pointwise")
    return shapely.to_geojson(np.where(shapely.is_empty(rounded), shapes, rounded))


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
        by_length = np.flatnonzero(chosen)[np.argsort(-segments["length_m"].to_numpy(float)[chosen], kind="stable")]
        chosen[by_length[np.cumsum(size[by_length]) > MAX_VERTICES]] = False
        said = (said[0] + "中较长者", said[1] + ", the longest of them")
    counted = drawing.both(said) + f" ({chosen.sum():,}/{len(what.segments):,})"
    return [lines[chosen & (found == c)] for c in range(len(classes))], counted


def _outlines(what: CoverageDrawing, level: str) -> NDArray[np.object_]:
    """Return the lines between districts, for areas finer than those."""
    if drawing.LEVELS.index(level) <= drawing.LEVELS.index("district"):
        return np.empty(0, object)
    shapes = shapely.simplify(what.at_level("district").geometry.to_numpy(), AREA_TOLERANCE)
    parts = shapely.get_parts(shapely.boundary(shapes))
    return parts[~shapely.is_empty(parts)]


def _bounds(*tables: GeoDataFrame) -> list[list[float]] | None:
    for table in tables:
        west, south, east, north = (float(v) for v in table.total_bounds)
        if np.isfinite([west, south, east, north]).all():
            return [[south, west], [north, east]]
    return None
