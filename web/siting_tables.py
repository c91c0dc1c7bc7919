"""Siting as files for other programs: a workbook for readers, a GeoPackage for a desktop GIS."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from gis.file_writing import write_layers
from web import drawing, qgis_styles, siting_drawing, siting_words, workbook
from web.drawing import both
from web.siting_drawing import SitingDrawing
from web.tables import add_segments, asked_and_sources, facts_sheet, readable, tiers_that_fit

_IN_PLAN_UNIT, _IN_SITE_UNIT = ("value", "bound"), ("adds_alone", "adds_last", "runner_up_loses")
#: Tables with sheets of their own, or told in the summary.
_TOLD = ("plan", "sites", "totals", "left_out", "frontier", "story", "notes")
_REACH = ("kept", "new", "beyond", "lost")


def siting_workbook(what: SitingDrawing, path: Path) -> None:
    """Write a siting result as XLSX: summary, sites, areas, those left out, the frontier, segments, story, notes.

    It is for planners: withheld points are in it. Headings in Chinese and English; what a site adds is in the plan's
    unit, times in minutes, streets in km. The same input gives the same bytes.
    """
    left_out: list[tuple[str, str]] = []
    sheets = {
        "摘要 Summary": _summary(what),
        "点位 Sites": _sites_sheet(what),
        "区域 Areas": readable(
            tiers_that_fit(pd.DataFrame(_plain(_with_gain(what, what.areas))), "区域 Areas", left_out)
        ),
        "未覆盖 Left out": readable(_left_out(what)),
    }
    if len(what.tables["frontier"]):
        sheets["权衡 Frontier"] = _in_unit(what.tables["frontier"], _IN_PLAN_UNIT, what.plan["unit"])
    for name, table in what.tables.items():
        if name not in _TOLD and len(table):
            sheets[name] = readable(tiers_that_fit(table, name, left_out))
    add_segments(sheets, what, left_out)
    sheets["要点 Story"] = what.tables["story"][["zh", "en"]]
    sheets["说明 Notes"] = pd.DataFrame([*what.notes, *left_out], columns=["zh", "en"])
    workbook.write(sheets, path)


def siting_package(what: SitingDrawing, path: Path) -> None:
    """Write a siting result as a GeoPackage that QGIS opens in colour.

    Layers: sites, runners_up, points (withheld ones flagged), segments with what they gain, areas (the tier asked for)
    and areas_<tier> for the others; those without a row are left out. It is for planners: withheld points are in it.
    The same input gives the same bytes.
    """
    sites = what.tables["sites"]
    seconds = sites[np.isfinite(sites["runner_up_lon"].to_numpy(float))].reindex(columns=["rank", "code", *_RUNNER_UP])
    layers: dict[str, pd.DataFrame] = {
        "sites": _points(sites, "lon", "lat"),
        "runners_up": _points(seconds, "runner_up_lon", "runner_up_lat"),
        "points": what.points,
        "segments": _segments_with_gain(what),
        "areas": _with_gain(what, what.at_level(what.level)),
    }
    layers |= {
        f"areas_{level}": _with_gain(what, what.at_level(level)) for level in drawing.LEVELS if level != what.level
    }
    kept = {name: table for name, table in layers.items() if len(table) or name in ("areas", "segments")}
    write_layers(kept, path)
    edges = siting_drawing.gain_edges(what.gain(what.areas_to_draw()[1]))
    styles = {name: _area_style(what, edges) for name in kept if name.startswith("areas")}
    marks = {"sites": (siting_drawing.NEW_COLOUR, "4.5"), "runners_up": ("#ffffff", "2.5")}
    styles |= {name: _mark_style(*look) for name, look in marks.items() if name in kept}
    qgis_styles.embed(path, {**styles, "segments": _segment_style(what)}, "siting")


_RUNNER_UP = ("runner_up", "runner_up_name", "runner_up_lon", "runner_up_lat", "runner_up_loses")


def _points(table: pd.DataFrame, lon: str, lat: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table[lon], table[lat]), crs=4326)


def _plain(table: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame(table.drop(columns=table.geometry.name))


def _with_gain(what: SitingDrawing, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return areas.assign(
        share_before=what.share(areas, "before"),
        share_after=what.share(areas, "after"),
        **{f"gained_{what.measure}": what.gain(areas)},
    )


def _segments_with_gain(what: SitingDrawing) -> gpd.GeoDataFrame:
    segments = what.segments
    return segments.assign(
        gained_m=segments["after_m"] - segments["before_m"],
        reach=np.array(_REACH, object)[what.line_classes(segments)],
    )


def _in_unit(table: pd.DataFrame, columns: tuple[str, ...], unit: str) -> pd.DataFrame:
    """Return a table whose figures in a unit are headed by it."""
    return table.rename(columns={name: f"{name}@{unit}" for name in columns})


def _left_out(what: SitingDrawing) -> pd.DataFrame:
    named = what.tables["left_out"].rename(columns={"people": "beyond"})
    return _in_unit(named, ("beyond", "unreachable"), siting_words.demand_unit(what.parameters))


def _sites_sheet(what: SitingDrawing) -> pd.DataFrame:
    """Return the points that change, actions in words, columns that hold nothing left out."""
    sites = what.tables["sites"]
    actions = {name: both(words) for name, words in siting_words.ACTION_NAMES.items()}
    words = sites["action"].map(actions).fillna(sites["action"])
    empty = [c for c in sites if c not in ("rank", "code") and sites[c].replace("", np.nan).isna().all()]
    said = sites.assign(action=words).drop(columns=empty if len(sites) else [])
    return _in_unit(said, _IN_SITE_UNIT, what.site_unit)


def _summary(what: SitingDrawing) -> pd.DataFrame:
    """Return the first sheet: what was asked, what the plan brings, how sure that is, and what it changes."""
    plan, unit = what.plan, what.plan["unit"]
    facts = [
        *asked_and_sources(what),
        ("结论 Result", "\n".join(what.headline)),
        ("把握 Proof", "\n".join(siting_words.proof(plan))),
        ("离最优 From the best", both(siting_words.gap(plan))),
        *(
            (label, siting_words.measured(plan[name], unit) if np.isfinite(plan[name]) else "")
            for label, name in (
                ("目标值 Value", "value"),
                ("最优值的界 Bound of the best", "bound"),
                ("之前 Before", "before"),
                ("全部 Whole", "total"),
            )
        ),
        ("现有点 Existing points", f"{plan['existing']:,.0f}"),
        ("新增 Opened", f"{plan['opened']:,.0f}"),
        ("关闭 Closed", f"{plan['closed']:,.0f}"),
        ("费用 Cost", f"{plan['cost']:,g}" if np.isfinite(plan["cost"]) else ""),
    ]
    totals = pd.DataFrame([what.totals])
    for measure, column in siting_words.COLUMNS.items():
        shares = [drawing.parts_of(totals[f"{column}_{side}"], totals[column])[0] for side in ("before", "after")]
        if np.isfinite(shares).all():
            said = both(siting_words.DEMAND_OF[measure])
            label = f"{what.limit} 分钟内{said} within {what.limit} min"
            facts.append((label, f"{shares[0]:.1%} → {shares[1]:.1%}"))
    return facts_sheet(facts)


def _area_style(what: SitingDrawing, edges: np.ndarray) -> str:
    gained = f'"gained_{what.measure}"'
    least = min(0.5, edges[0] / 100)
    same, loss = ("不变", "no change"), ("减少", "fewer")
    rules = [
        (f"{gained} IS NULL OR ({gained} > {-least} AND {gained} < {least})", both(same), siting_drawing.SAME_COLOUR),
        (f"{gained} <= {-least}", both(loss), siting_drawing.LOSS_COLOUR),
    ]
    labels = siting_drawing.gain_labels(edges, what.measure)
    low: float | None = None
    for i, (high, label, colour) in enumerate(zip(edges, labels, siting_drawing.GAIN_COLOURS, strict=True)):
        above = f"{gained} >= {least}" if low is None else f"{gained} > {low}"
        last = i == len(edges) - 1
        rules.append((above if last else f"{above} AND {gained} <= {high}", label, colour))
        low = high
    return qgis_styles.fills(rules)


def _segment_style(what: SitingDrawing) -> str:
    words = siting_drawing.street_words(what)
    rules = [
        (f"\"reach\" = '{reach}'", both(said), colour)
        for reach, said, colour in zip(_REACH, words, siting_drawing.STREET_COLOURS, strict=True)
    ]
    return qgis_styles.style("line", "SimpleLine", rules, lambda c: {"line_color": c, "line_width": "0.4"})


def _mark_style(colour: str, size: str) -> str:
    look = {"color": colour, "outline_color": "#222222", "size": size, "name": "circle"}
    return qgis_styles.style("marker", "SimpleMarker", [("TRUE", "", colour)], lambda c: look)
