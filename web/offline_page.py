"""A single-file page with a map: folium and Leaflet with every asset inside, so it opens where there is no network."""

from html import escape

import folium
import numpy as np
import shapely
from branca.element import Element, Figure
from folium.template import Template
from geopandas import GeoDataFrame
from numpy.typing import NDArray

from web import assets, drawing, map_parts
from web.drawing import Drawing

#: Detail dropped from lines and boundaries, in degrees: about 3 m and 10 m, below a pixel until zoomed far in.
LINE_TOLERANCE, AREA_TOLERANCE = 3e-5, 1e-4


class OfflineMap(folium.Map):
    """A folium map without its content-network links; the page brings its own scripts and styles."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012  folium reads them from the class
    default_css: list[tuple[str, str]] = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(tiles=None, prefer_canvas=True, font_size="13px", zoom_snap=0.25, attribution_control=False)
        self.add_child(folium.map.CustomPane("streets", z_index=420))


class _Verbatim(Element):
    """Text written as it is; folium would read a plain Element's text as a template."""

    _template = Template("{{ this.text }}")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def render(page: OfflineMap, what: Drawing, *, style: str = "", panel: str = "") -> str:
    """Return the page as HTML, under its title and over its foot.

    style : rules added to every page's. panel : HTML beside the map. The same parts give the same text. Raises
    LamplightError where the browser assets have not been fetched.
    """
    figure = page.get_root()
    assert isinstance(figure, Figure)
    figure.title = escape(f"{what.city} {drawing.both(what.title)}")
    figure.header.add_child(_Verbatim(map_parts.POLICY), index=0)
    figure.header.add_child(_Verbatim(f"<style>{assets.style('leaflet/dist/leaflet.css')}</style>"))
    figure.header.add_child(_Verbatim(f"<script>{assets.script('leaflet/dist/leaflet.js')}</script>"))
    figure.header.add_child(_Verbatim(f"<style>{map_parts.STYLE}{style}</style>"))
    figure.html.add_child(_Verbatim(map_parts.title_html(what) + panel + map_parts.foot_html(what)), index=0)
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


def simplified(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Write boundaries as GeoJSON with detail below a pixel dropped; neighbours keep their common line."""
    if not len(shapes):
        return shapes
    thin = shapely.coverage_simplify(shapes, AREA_TOLERANCE) if shapely.coverage_is_valid(shapes) else shapes
    rounded = shapely.set_precision(thin, 1e-5, mode="pointwise")
    return shapely.to_geojson(np.where(shapely.is_empty(rounded), shapes, rounded))


def longest_that_fit(
    chosen: NDArray[np.bool_], size: NDArray[np.int64], length_m: NDArray[np.float64], most: int
) -> NDArray[np.bool_]:
    """Return (m,) which of the ``chosen`` lines to keep: the longest, up to ``most`` vertices; size : (m,) of each."""
    by_length = np.flatnonzero(chosen)[np.argsort(-length_m[chosen], kind="stable")]
    kept = chosen.copy()
    kept[by_length[np.cumsum(size[by_length]) > most]] = False
    return kept


def outlines(what: Drawing, level: str) -> NDArray[np.object_]:
    """Return the lines between districts, for areas finer than those."""
    if drawing.LEVELS.index(level) <= drawing.LEVELS.index("district"):
        return np.empty(0, object)
    shapes = shapely.simplify(what.at_level("district").geometry.to_numpy(), AREA_TOLERANCE)
    parts = shapely.get_parts(shapely.boundary(shapes))
    return parts[~shapely.is_empty(parts)]


def bounds_of(*tables: GeoDataFrame) -> list[list[float]] | None:
    """Return [[south, west], [north, east]] of the first table with anything placed; None where there is none."""
    for table in tables:
        west, south, east, north = (float(v) for v in table.total_bounds)
        if np.isfinite([west, south, east, north]).all():
            return [[south, west], [north, east]]
    return None
