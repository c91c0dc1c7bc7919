"""A run as shapes for the live map: what has which colour, what it says when it is touched, and the legend."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.crs import to_lonlat
from layers.run import Run
from layers.store import Store
from web import drawing, hotspot_classes, siting_drawing
from web.coverage_files import coverage_drawing
from web.drawing import MAX_AREAS, SHARE_COLOURS, SHARE_EDGES
from web.hotspot_drawing import HotspotDrawing, hotspot_drawing
from web.hotspot_facts import area_names
from web.hotspot_views import views_of
from web.hotspot_words import RATE, STATE_NAMES, interval
from web.patrol_drawing import patrol_drawing
from web.patrol_words import colour as crew_colour
from web.server.language import _, said
from web.siting_files import siting_drawing as draw_siting
from web.siting_words import ACTION_NAMES

#: Degrees to which shapes are rounded, and to which outlines of areas are thinned: a metre, and twenty.
_GRID, _THIN = 1e-5, 2e-4
PLACE_COLOUR = "#5c5c5c"
#: Kinds of runs that a map shows.
DRAWN = frozenset({
    "siting", "coverage", "patrol", "hotspot-map", "hotspot-forecast", "hotspot-scan", "hotspot-emerging",
})  # fmt: skip
Feature = dict[str, Any]


def map_of(store: Store, run: Run, *, streets: Store, level: str | None = None) -> dict[str, Any]:
    """Return the GeoJSON of a run: features with part, colour and title, and "legend", pairs of colour and words.

    store : as its reader may see the city. streets : the store without a scope, for routes that leave the own area.
    level : the tier of areas coloured. Raises QuestionError where records the run read have been pruned.
    """
    if run.kind == "patrol":
        features, legend = _patrol(streets, run)
    elif run.kind == "siting":
        features, legend = _siting(store, run, level)
    elif run.kind == "coverage":
        features, legend = _coverage(store, run, level)
    else:
        features, legend = _hotspots(store, run, level)
    return {"type": "FeatureCollection", "features": features, "legend": legend}


def own_row(run: Run, area_code: str) -> Mapping[str, Any] | None:
    """Return the row of one area in a run's table of areas; None where it has none."""
    areas = run.tables.get("areas")
    found = None if areas is None else areas[areas["code"].astype(str) == area_code]
    return None if found is None or not len(found) else found.to_dict("records")[0]


def _siting(store: Store, run: Run, level: str | None) -> tuple[list[Feature], list[list[str]]]:
    if not len(run.tables["totals"]):  # not the whole city's reader: shares are of what the own areas add up to
        areas = run.tables["areas"]
        figures = areas.select_dtypes("number").sum().to_frame().T
        run = replace(run, tables={**run.tables, "totals": figures})
    what = draw_siting(store, run, level=level)
    level, areas = what.areas_to_draw()
    gain, shares = what.gain(areas), (what.share(areas, "before"), what.share(areas, "after"))
    edges = siting_drawing.gain_edges(gain)
    colours = (*siting_drawing.GAIN_COLOURS, siting_drawing.LOSS_COLOUR, siting_drawing.SAME_COLOUR)
    of = siting_drawing.gain_class(gain, edges)
    titles = [f"{row}：{_share(was)} → {_share(now)}" for row, was, now in zip(areas["name"], *shares, strict=True)]
    features = _polygons(areas, [colours[i] for i in of], titles)
    classes = what.line_classes(what.segments)
    words = siting_drawing.street_words(what)
    for which in (siting_drawing.NEW, siting_drawing.LOST):
        lines = what.segments.geometry.to_numpy()[classes == which]
        features += _lines(lines, siting_drawing.STREET_COLOURS[which], said(words[which]))
    features += _places(what.points)
    for site in what.tables["sites"].sort_values("rank", ascending=False).to_dict("records"):
        if np.isfinite(site["lon"]) and np.isfinite(site["lat"]):
            closes = site["action"] == "close"
            colour = siting_drawing.CLOSED_COLOUR if closes else siting_drawing.NEW_COLOUR
            title = f"{said(ACTION_NAMES.get(site['action'], ('', '')))}：{siting_drawing.place_of(site)}"
            features.append(_point(site["lon"], site["lat"], colour, title, "×" if closes else f"{site['rank']:.0f}"))
    labels = siting_drawing.gain_labels(edges, what.measure)
    legend = [["", said(siting_drawing.gain_words(what.measure))]]
    legend += map(list, zip(siting_drawing.GAIN_COLOURS, labels, strict=True))
    legend += [[siting_drawing.STREET_COLOURS[siting_drawing.NEW], said(words[siting_drawing.NEW])]]
    legend += [[siting_drawing.NEW_COLOUR, _("新点（数字为名次）")], [PLACE_COLOUR, _("现有点")]]
    if (of == len(siting_drawing.GAIN_COLOURS)).any():
        legend.insert(5, [siting_drawing.LOSS_COLOUR, _("减少")])
    return features, legend


def _coverage(store: Store, run: Run, level: str | None) -> tuple[list[Feature], list[list[str]]]:
    what = coverage_drawing(store, run, level=level)
    drawn, areas = what.areas_to_draw()
    share = what.area_shares(areas)
    of = np.searchsorted(SHARE_EDGES, np.nan_to_num(share), side="left")
    colours = [drawing.NO_ONE_COLOUR if np.isnan(s) else SHARE_COLOURS[i] for s, i in zip(share, of, strict=True)]
    titles = [f"{name}：{_share(s)}" for name, s in zip(areas["name"], share, strict=True)]
    features = _polygons(areas, colours, titles)
    features += _places(what.points)
    legend = [["", said(drawing.share_words(what.measure, drawn))]]
    return features, [*legend, *map(list, zip(SHARE_COLOURS, drawing.share_labels(), strict=True))]


def _patrol(store: Store, run: Run) -> tuple[list[Feature], list[list[str]]]:
    """Draw the routes of the first night; who sees crews of the own area alone has no plan of the whole."""
    nights = run.tables["crews"][["date"]].drop_duplicates().sort_values("date", ignore_index=True)
    if not len(nights):
        return [], []
    what = patrol_drawing(store, replace(run, tables={**run.tables, "plan": nights}))
    features, legend = [], []
    for number, route in enumerate(what.on(what.dates[0]), 1):
        lines = shapely.transform(route.lines_of("patrol"), lambda xy: _degrees(xy, what.crs))
        features += _lines(lines, crew_colour(number), route.name)
        legend.append([crew_colour(number), route.name])
    return features, legend


def _degrees(xy: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    return np.column_stack(to_lonlat(xy[:, 0], xy[:, 1], crs))


def _hotspots(store: Store, run: Run, level: str | None) -> tuple[list[Feature], list[list[str]]]:
    what = hotspot_drawing(store, run)
    if run.kind == "hotspot-map":
        return _area_rates(what, level)
    view = views_of(what)[0]
    of = view.of if view.of.ndim == 1 else view.of[-1]
    shown = np.flatnonzero((of != hotspot_classes.NOWHERE) & ~what.cells.geometry.isna().to_numpy())
    cells = what.cells.iloc[shown]
    looks = [view.looks[i] for i in of[shown]]
    titles = list(map(str, area_names(what)[shown]))
    if run.kind == "hotspot-forecast":
        titles = [f"{name}：{_expected(row)}" for name, row in zip(titles, cells.to_dict("records"), strict=True)]
    features = _polygons(cells, [look.colour for look in looks], titles, [look.hatched for look in looks])
    legend = [["", said(view.heading)], *([("hatch" if k.hatched else k.colour), said(k.words)] for k in view.used)]
    return features, legend


def _area_rates(what: HotspotDrawing, level: str | None) -> tuple[list[Feature], list[list[str]]]:
    """Colour the areas of a tier by how many people can be found, where anybody looked."""
    areas = what.at_level(level or what.level)
    rate, unknown = areas["rate_week"].to_numpy(float), areas["state"].eq("unknown").to_numpy(bool)
    edges = hotspot_classes.even_edges(rate[~unknown])
    looks = hotspot_classes.scale(edges, hotspot_classes.WARM)
    of = hotspot_classes.class_of(np.nan_to_num(rate), edges)
    blind = unknown | np.isnan(rate)
    colours = [hotspot_classes.GROUND_COLOUR if b else looks[i].colour for b, i in zip(blind, of, strict=True)]
    titles = [f"{row['name']}：{rate_of(row)}" for row in areas.to_dict("records")]
    legend = [["", said(RATE)], *([look.colour, look.words[0]] for look in looks)]
    legend.append(["hatch", said(STATE_NAMES["unknown"])])
    return _polygons(areas, colours, titles, list(blind)), legend


def rate_of(row: Mapping[str, Any]) -> str:
    """Write how many people can be found in an area in a week, with the interval; "unknown" where nobody looked."""
    if row["state"] == "unknown" or pd.isna(row["rate_week"]):
        return _("不明")
    return interval(row["rate_week"], row["rate_low"], row["rate_high"])


def _expected(row: Mapping[str, Any]) -> str:
    return _("不明") if row["state"] == "unknown" else interval(row["expected_week"], row["low"], row["high"])


def _polygons(
    shapes: gpd.GeoDataFrame, colours: list[str], titles: list[str], hatched: list[bool] | None = None
) -> list[Feature]:  # fmt: skip
    drawn = _rounded(shapely.simplify(shapes.geometry.to_numpy(), _THIN if len(shapes) <= MAX_AREAS // 10 else _GRID))
    hatch = hatched or [False] * len(drawn)
    return [
        _feature(shape, "area", colour, title, hatch=bool(h))
        for shape, colour, title, h in zip(drawn, colours, titles, hatch, strict=True)
    ]


def _lines(lines: NDArray[np.object_], colour: str, title: str) -> list[Feature]:
    """Return all lines of one look as one feature."""
    placed = _rounded(lines[~shapely.is_missing(lines)])
    together = shapely.multilinestrings(shapely.get_parts(placed))
    return [_feature(together, "line", colour, title)] if len(placed) else []


def _places(points: gpd.GeoDataFrame) -> list[Feature]:
    named = zip(points.geometry, points["name"], strict=True)
    return [_point(place.x, place.y, PLACE_COLOUR, str(name), "") for place, name in named if place is not None]


def _point(lon: float, lat: float, colour: str, title: str, mark: str) -> Feature:
    return _feature(shapely.Point(round(lon, 6), round(lat, 6)), "point", colour, title, mark=mark)


def _feature(shape: Any, part: str, colour: str, title: str, **more: Any) -> Feature:
    properties = {"part": part, "colour": colour, "title": title, **more}
    return {"type": "Feature", "geometry": shapely.geometry.mapping(shape), "properties": properties}


def _rounded(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.asarray(shapely.transform(shapes, lambda xy: np.round(xy, 5)), object)


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}"
