"""The single-file map of a siting result: the city before, after, and who gains."""

import math
from pathlib import Path

import folium
import numpy as np
import shapely
from folium.utilities import JsCode
from geopandas import GeoDataFrame
from numpy.typing import NDArray

from web import drawing, map_parts, siting_drawing, siting_map_parts, siting_words
from web.offline_page import LINE_TOLERANCE, OfflineMap, bounds_of, longest_that_fit, outlines, render, simplified
from web.siting_drawing import BEYOND, KEPT, LOST, NEW, SitingDrawing
from web.siting_map_parts import AFTER, BEFORE, GAIN

#: Vertices of streets beyond which the file would outgrow about 8 MB.
MAX_VERTICES = 700_000
#: Drawn from below: (layer, classes of streets, opacity); what stays as it is lets the areas shine through.
_STREETS = (("其余街面 other streets", (KEPT, BEYOND), 0.45), ("有变化的街面 streets that change", (LOST, NEW), 0.95))


def siting_map(what: SitingDrawing, path: Path) -> None:
    """Write a siting result as one HTML file that needs no network.

    Views to choose from colour areas of ``what.level`` by the share within the time limit before and after, and by how
    many more are within it, with the streets that are newly within reach and those still beyond. Sites are numbered,
    closed points crossed out; each has a card that says why it is there. A panel holds the headline, the story and the
    sites. Withheld points are left out. The same input gives the same bytes. Raises LamplightError where the browser
    assets have not been fetched.
    """
    level, areas = what.areas_to_draw()
    edges = siting_drawing.gain_edges(what.gain(areas))
    lines, said = _streets_to_draw(what)

    page = OfflineMap()
    if len(areas):
        page.add_child(_area_data(what, areas, edges))
        page.add_child(map_parts.ShareLayer(BEFORE, 0, show=False))
        page.add_child(map_parts.ShareLayer(AFTER, 1, show=False))
        colours = (siting_drawing.SAME_COLOUR, *siting_drawing.GAIN_COLOURS, siting_drawing.LOSS_COLOUR)
        page.add_child(map_parts.ShareLayer(GAIN, 2, show=True, colours=colours))
    view = GAIN if len(areas) else None
    for name, kinds, opacity in _STREETS:
        groups = [(siting_drawing.STREET_COLOURS[c], lines[c]) for c in kinds]
        page.add_child(map_parts.LineLayer(name, groups, view=view, control=True, opacity=opacity))
    page.add_child(map_parts.LineLayer("", [(drawing.OUTLINE_COLOUR, outlines(what, level))], view=None, control=False))
    points = folium.FeatureGroup("服务点、救助站 points")
    points.add_child(map_parts.PointMarks(map_parts.point_rows(what.shown_points())))
    page.add_child(points)
    seconds = folium.FeatureGroup("次选点位 runners-up", show=False)
    seconds.add_child(siting_map_parts.RunnerUpMarks(siting_map_parts.runner_up_rows(what)))
    page.add_child(seconds)
    sites = folium.FeatureGroup("点位变动 sites")
    sites.add_child(siting_map_parts.SiteMarks(siting_map_parts.site_rows(what)))
    page.add_child(sites)
    page.add_child(map_parts.MetricScale())
    drawn = {c for c in range(len(lines)) if len(lines[c])}
    legend = siting_map_parts.legend_html(what, level, edges, drawn, said)
    page.add_child(map_parts.Corner("bottomleft", legend))
    page.add_child(siting_map_parts.OpenOn(GAIN))  # after all that it changes
    page.add_child(map_parts.Corner("topleft", siting_map_parts.NORTH))
    page.add_child(folium.LayerControl(collapsed=JsCode("window.innerWidth < 800")))
    bounds = bounds_of(areas, what.segments)
    if bounds is not None:
        page.add_child(map_parts.View(bounds, legend_px=270))
    text = render(page, what, style=siting_map_parts.STYLE, panel=siting_map_parts.panel_html(what))
    path.write_bytes(text.encode())


def _area_data(what: SitingDrawing, areas: GeoDataFrame, edges: NDArray[np.float64]) -> map_parts.AreaData:
    before, after = what.share(areas, "before"), what.share(areas, "after")
    gain = what.gain(areas)
    column = siting_words.COLUMNS[what.measure]
    per, decimals = (1000, 1) if what.measure == "street" else (1, 0)
    beyond = (areas[column] - areas[f"{column}_after"]).to_numpy(float) / per
    whole = areas[column].to_numpy(float) / per
    facts = [
        [
            f"{_percent(b)} → {_percent(a)}",
            _figure(g, decimals, sign="+"),
            _figure(rest, decimals),
            _figure(all_, decimals),
        ]
        for b, a, g, rest, all_ in zip(before, after, gain, beyond, whole, strict=True)
    ]
    zh, en = siting_words.DEMAND_OF[what.measure]
    km = (" km" if what.measure == "street" else "",) * 2
    labels = [
        f"{what.limit} 分钟内 within {what.limit} min",
        f"新增 more{km[0]}",
        f"仍在外 still beyond{km[0]}",
        f"{zh} {en}{km[0]}",
    ]
    classes = np.stack(
        [drawing.share_class(before), drawing.share_class(after), siting_drawing.gain_class(gain, edges)]
    )
    names = list(zip(areas["name"].astype(str), areas["code"].astype(str), strict=True))
    return map_parts.AreaData(simplified(areas.geometry.to_numpy()), classes, names, facts, labels, 0)


def _percent(share: float) -> str:
    return "—" if math.isnan(share) else f"{share:.0%}"


def _figure(value: float, decimals: int, sign: str = "") -> str:
    return "—" if math.isnan(value) else f"{value:{sign},.{decimals}f}"


def _streets_to_draw(what: SitingDrawing) -> tuple[list[NDArray[np.object_]], str]:
    """Return the lines of each class and a sentence on what is drawn.

    All streets where they fit; else those that change or lie beyond reach; else the longest of these.
    """
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    lines = shapely.simplify(segments.geometry.to_numpy(), LINE_TOLERANCE, preserve_topology=False)
    found = what.line_classes(segments)
    size = shapely.get_num_coordinates(lines)
    said = ("已画全部街面", "all streets drawn")
    if not what.timed:
        said = (said[0] + "，按各段过半长度归类", said[1] + ", each by the greater part of its length")
    chosen = np.ones(len(lines), bool)
    if size.sum() > MAX_VERTICES:
        said = ("只画有变化或未覆盖的街面", "only streets that change or lie beyond reach are drawn")
        chosen = found != KEPT
    if size[chosen].sum() > MAX_VERTICES:
        chosen = longest_that_fit(chosen, size, segments["length_m"].to_numpy(float), MAX_VERTICES)
        said = (said[0] + "中较长者", said[1] + ", the longest of them")
    counted = drawing.both(said) + f" ({chosen.sum():,}/{len(what.segments):,})"
    return [lines[chosen & (found == c)] for c in range(len(siting_drawing.STREET_COLOURS))], counted
