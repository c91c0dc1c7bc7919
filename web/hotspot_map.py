"""The single-file map of a run about hotspots: views of the same cells to switch between, a card for each."""

from html import escape
from pathlib import Path

import folium
import numpy as np
import shapely
from numpy.typing import NDArray

from web import drawing, map_parts
from web.drawing import both
from web.hotspot_classes import HOT_EDGE, Look, View
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_map_parts import STYLE, CellViews, Places
from web.hotspot_totals import totals
from web.hotspot_views import street_view, views_of
from web.hotspot_words import both_of
from web.offline_page import (
    AREA_TOLERANCE,
    LINE_TOLERANCE,
    OfflineMap,
    bounds_of,
    longest_that_fit,
    render,
)

#: Vertices of streets beyond which the page would grow too large to open.
MAX_VERTICES = 300_000
#: The view that lines never have: they stay a faint texture in all.
_NEVER = "-"


def hotspot_map(what: HotspotDrawing, path: Path) -> None:
    """Write one HTML file that needs no network: the cells in switchable views, a legend for each, cards on a click.

    A release shows neither streets nor anything but its cells and the outlines of areas. The same input gives the same
    bytes. Raises LamplightError where the browser assets have not been fetched.
    """
    views, street = views_of(what), street_view(what)
    lines, said = _streets_to_draw(what)
    shown = [*views, _as_ground(street, len(what.cells))] if street is not None else views
    page = OfflineMap()
    page.add_child(folium.map.CustomPane("ways", z_index=405))
    page.add_child(folium.map.CustomPane("cells", z_index=410))
    if len(lines):
        page.add_child(_street_layer(lines, street))
    outlines = _outlines(what)
    borders = [(drawing.OUTLINE_COLOUR, outlines)]
    page.add_child(map_parts.LineLayer("", borders, view=None, control=False, opacity=0.6))
    page.add_child(map_parts.LineLayer("", [(HOT_EDGE, hot_edges(what))], view=None, control=False))
    page.add_child(Places(_places(what)))
    page.add_child(map_parts.MetricScale())
    page.add_child(map_parts.Corner("topleft", '<div class="north">▲<br>北 N</div>'))
    bounds = bounds_of(*((what.segments, what.areas) if what.kind == "hotspot-scan" else (what.cells, what.areas)))
    if bounds is not None:
        page.add_child(map_parts.View(bounds, legend_px=300))
    page.add_child(CellViews(what, shown, _legend_html(what, shown, street, said)))
    path.write_bytes(render(page, what, style=STYLE).encode())


def _as_ground(street: View, cells: int) -> View:
    """Return the view of streets as one of cells: nothing drawn of them."""
    return View(street.name, street.heading, street.looks, np.full(cells, -1), street.remark)


def _streets_to_draw(what: HotspotDrawing) -> tuple[list[tuple[int, NDArray[np.object_]]], str]:
    """Return (class, lines) from the least class up, and a sentence where not all streets are drawn."""
    segments = what.segments[~what.segments.geometry.isna().to_numpy()]
    if not len(segments):
        return [], ""
    lines = shapely.simplify(segments.geometry.to_numpy(), LINE_TOLERANCE, preserve_topology=False)
    street = street_view(what)
    of = np.zeros(len(lines), int) if street is None else street.of[~what.segments.geometry.isna().to_numpy()]
    size, said = shapely.get_num_coordinates(lines), ""
    kept = np.ones(len(lines), bool)
    if size.sum() > MAX_VERTICES:
        # what stands out first, then the longest
        worth = segments["length_m"].to_numpy(float) + 1e6 * (of if street is not None else 0)
        kept = longest_that_fit(kept, size, worth, MAX_VERTICES)
        count = f"{kept.sum():,}/{len(lines):,}"
        said = f"只画较突出、较长的街面 the most notable and longest streets only ({count})"
    return [(k, lines[kept & (of == k)]) for k in sorted(set(of[kept].tolist()))], said


def _street_layer(lines: list[tuple[int, NDArray[np.object_]]], street: View | None) -> map_parts.LineLayer:
    if street is None:
        groups = [(drawing.OUTLINE_COLOUR, own) for _, own in lines]
        return map_parts.LineLayer("", groups, view=_NEVER, control=False, pane="ways")
    groups = [(street.looks[k].colour, own) for k, own in lines if k >= 0]
    return map_parts.LineLayer("", groups, view=escape(both_of(street.name)), control=False, pane="ways")


def hot_edges(what: HotspotDrawing) -> NDArray[np.object_]:
    """Return the outlines (lines) of significant hot spots, touching ones as one; none where the run has no such."""
    cells = what.cells
    if "hot" not in cells or not cells["hot"].any():
        return np.empty(0, object)
    chosen = cells.geometry.to_numpy()[cells["hot"].to_numpy(bool)]
    # neighbours projected one by one meet within a hair: join them by rounding first
    joined = shapely.union_all(shapely.set_precision(chosen, 1e-7))
    parts = shapely.get_parts(shapely.boundary(joined))
    return parts[~shapely.is_empty(parts)]


def _outlines(what: HotspotDrawing) -> NDArray[np.object_]:
    """Return the boundaries of the areas whose names the map shows."""
    shapes = shapely.simplify(what.at_level(what.level).geometry.to_numpy(), AREA_TOLERANCE)
    parts = shapely.get_parts(shapely.boundary(shapes))
    return parts[~shapely.is_empty(parts)]


def _places(what: HotspotDrawing) -> list[tuple[float, float, str, str]]:
    rows = []
    levels = {"district": "place district"} | ({what.level: "place fine"} if what.level != "city" else {})
    for level, mark in levels.items():
        areas = what.at_level(level)
        points = shapely.point_on_surface(areas.geometry.to_numpy())
        for point, name in zip(points, areas["name"].astype(str), strict=True):
            rows.append((round(point.y, 5), round(point.x, 5), mark, name))
    if what.kind == "hotspot-scan":
        for row in what.tables["clusters"].to_dict("records"):
            rows.append((round(float(row["lat"]), 5), round(float(row["lon"]), 5), "cluster", str(row["cluster"])))
    return rows


def _legend_html(what: HotspotDrawing, views: list[View], street: View | None, said: str) -> str:
    """Return the legend of every view, each in a part of its own, with the totals below."""
    heads = "".join(f'<span data-view="{i}">{escape(both(view.heading))}</span>' for i, view in enumerate(views))
    parts = []
    for i, view in enumerate(views):
        lined = street is not None and view.name == street.name
        looks = street.used if lined and street is not None else view.used
        items = "".join(_item(look, lined) for look in looks or view.looks)
        remark = f'<p class="remark">{escape(both(view.remark))}</p>' if view.remark[0] else ""
        drawn = f"<small>{escape(said)}</small>" if lined and said else ""
        parts.append(f'<div data-view="{i}"><ul>{items}</ul>{remark}{drawn}</div>')
    hot = '<ul><li><i class="edge"></i>显著热点 significant hot spot</li></ul>' if len(hot_edges(what)) else ""
    facts = "".join(f"<li><span>{escape(words)}</span><b>{escape(said)}</b></li>" for words, said in totals(what))
    total = f'<h2>合计 In total</h2><ul class="totals">{facts}</ul>' if facts else ""
    notes = "".join(f"<small>{escape(both(note))}</small>" for note in what.notes)
    if notes and what.kind != "hotspot-release":  # whose notes are the remark of its views
        total += f"<h2>说明 Notes</h2>{notes}"
    return f"<details open><summary>图例 Legend <br>{heads}</summary>{''.join(parts)}{hot}{total}</details>"


def _item(look: Look, lined: bool) -> str:
    words = escape(both_of(look.words))
    if lined:
        return f'<li><i class="line" style="color:{look.colour}"></i>{words}</li>'
    kind = ' class="hatch"' if look.hatched else ""
    return f'<li><i{kind} style="background:{look.colour}"></i>{words}</li>'
