"""What the public sees of where people were found: the newest privacy release, as it was published."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.crs import metric_crs
from layers.store import Store
from planner.hotspots.publishing import CELLS
from planner.hotspots.release import shown_again
from planner.hotspots.release_budget import ledger_row
from planner.hotspots.runs import RELEASE
from web.hotspot_classes import class_of, edge_labels, round_edges
from web.hotspot_drawing import hotspot_drawing, metric
from web.hotspot_tables import release_table
from web.server.city import mark_of
from web.server.language import _, language

#: The drawing's longer side, in units of its own.
SIDE = 1000.0
CLASSES = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One number of a release; people and margin None where it is not shown."""

    name: str
    people: int | None
    margin: int | None


@dataclass(frozen=True, slots=True)
class Shape:
    """One unit of the finest tier: its outline as an SVG path, its class (-1: not shown) and what it is called."""

    path: str
    shade: int
    row: Row


@dataclass(frozen=True, slots=True)
class Release:
    """The newest release, ready for its page.

    tiers : name of each tier and its rows, coarsest first. hidden : how many numbers are not shown. rules : by which
    numbers were made fit for everyone. labels : of the classes of ``shapes``. width, height : of the drawing.
    """

    year: int
    quarter: int
    published: str
    tiers: tuple[tuple[str, tuple[Row, ...]], ...]
    shown: int
    hidden: int
    rules: tuple[str, ...]
    shapes: tuple[Shape, ...]
    labels: tuple[str, ...]
    width: float
    height: float


def newest_release(store: Store) -> Release | None:
    """Return the release of the latest quarter, None where nothing was released.

    Raises QuestionError where what is kept is not what was published.
    """
    runs = store.runs(RELEASE)
    if not runs:
        return None
    newest = max(runs, key=lambda run: (run.parameters["year"], run.parameters["quarter"]))
    return _release(store, newest.id, mark_of(store), language())


@lru_cache(maxsize=4)
def _release(store: Store, run_id: str, mark: tuple[object, ...], reader: str) -> Release:
    run = store.run(run_id)
    row = ledger_row({str(k): v for k, v in run.tables["ledger"].iloc[0].items()})
    shown_again(run.tables["published"], [row], row.year, row.quarter)

    drawing = hotspot_drawing(store, run)
    table = release_table(drawing)
    rows = _rows(table)
    names = {CELLS: _("格子"), "community": _("社区"), "subdistrict": _("街道（乡镇）"), "district": _("区县"),
             "city": _("全市"), "whole": _("全市")}  # fmt: skip
    levels = list(dict.fromkeys(table["level"]))[::-1]
    tiers = tuple((names[level], _listed(table, rows, level)) for level in levels)
    finest = (table["level"] == levels[-1]).to_numpy()
    shapes, labels, width, height = _shapes(drawing.cells.geometry.to_numpy()[finest], rows[finest])
    rules = tuple(run.tables["notes"]["zh" if reader == "zh" else "en"])
    hidden = int(table["withheld"].sum())
    return Release(
        row.year,
        row.quarter,
        row.created[:10],
        tiers,
        len(table) - hidden,
        hidden,
        rules,
        shapes,
        labels,
        width,
        height,
    )


def _rows(table: pd.DataFrame) -> NDArray[np.object_]:
    made = np.empty(len(table), object)
    for i, one in enumerate(table.to_dict("records")):
        numbers = [None if one["withheld"] or pd.isna(n) else int(n) for n in (one["people"], one["margin"])]
        made[i] = Row(one["name"] or one["unit"], *numbers)
    return made


def _listed(table: pd.DataFrame, rows: NDArray[np.object_], level: str) -> tuple[Row, ...]:
    """Return a tier's rows, most people first, those not shown last; of cells without a name only those shown."""
    own = rows[(table["level"] == level).to_numpy()]
    kept = [row for row in own if level != CELLS or row.people is not None]
    return tuple(sorted(kept, key=lambda row: (row.people is None, -(row.people or 0), row.name)))


def _shapes(
    outlines: NDArray[np.object_], rows: NDArray[np.object_]
) -> tuple[tuple[Shape, ...], tuple[str, ...], float, float]:
    """Return the units as paths, labels of their classes, and the drawing's size; nothing without outlines."""
    placed = ~shapely.is_missing(outlines)
    outlines, rows = outlines[placed], rows[placed]
    if not len(outlines):
        return (), (), 0.0, 0.0
    west, south, east, north = shapely.total_bounds(outlines)
    flat = metric(outlines, metric_crs((west + east) / 2, (south + north) / 2))
    west, south, east, north = shapely.total_bounds(flat)
    scale = SIDE / max(east - west, north - south)
    drawn = shapely.transform(flat, lambda xy: np.column_stack(((xy[:, 0] - west) * scale, (north - xy[:, 1]) * scale)))
    people = np.array([np.nan if row.people is None else row.people for row in rows], float)
    known = people[~np.isnan(people)]
    edges = round_edges(known, CLASSES, whole=True) if known.size else np.empty(0)
    shades = class_of(people, edges) if known.size else np.full(len(rows), -1)
    shades = np.where(np.isnan(people), -1, shades)
    shapes = tuple(Shape(_path(o), int(s), r) for o, s, r in zip(drawn, shades, rows, strict=True))
    labels = tuple(edge_labels(edges, whole=True)) if known.size else ()
    return shapes, labels, (east - west) * scale, (north - south) * scale


def _path(outline: shapely.Geometry) -> str:
    rings = shapely.get_rings(shapely.get_parts(outline))
    return "".join("M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in shapely.get_coordinates(ring)) + "Z" for ring in rings)
