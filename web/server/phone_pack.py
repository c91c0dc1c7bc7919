"""Tonight's route as a phone takes it along: what to do in order, in words, with every street's line and its ground."""

import datetime as dt
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pandas import DataFrame

from gis.crs import to_lonlat
from layers.night_opening import planned_routes
from layers.own_route import OwnRoute
from layers.run import Run
from layers.store import Store
from planner.patrol.tracks.night_plan import Tables, plan_as_changed
from web import patrol_words
from web.patrol_drawing import PatrolDrawing, Route, patrol_drawing
from web.patrol_turns import Item, items

#: Streets this far from the route are drawn around it, in metres.
AROUND_M = 350.0
#: So many drawings and plans are kept in memory: of whole nights as planned, and of routes that were changed.
KEPT_DRAWINGS, KEPT_RUNS = 32, 4
_TURNED = {"left": "right", "right": "left", "": ""}
#: Lays a changed route out with its exact ways: None where that is not known yet.
Exact = Callable[[OwnRoute], Tables | None]


class Packs:
    """Makes packs; the streets of a night as planned are read once for all its crews.

    store : of the whole city, for a route leads where its crew is sent, and its streets are nobody's secret. Whose
    route it is was asked before, of the store as the account sees it. exact : asked for the ways of changed routes.
    """

    def __init__(self, store: Store, exact: Exact) -> None:
        self._store, self._exact = store, exact
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._drawings: OrderedDict[tuple[Any, ...], PatrolDrawing] = OrderedDict()
        self._turn = Lock()

    def pack(self, own: OwnRoute) -> dict[str, Any]:
        """Return what ``own`` is to be walked by, as JSON values; "mark" changes whenever any of it does."""
        with self._turn:
            drawing, route = self._laid_out(own)
        listed = [_item(item, route, drawing.crs) for item in items(route)]
        said = {"night": own.night.id, "crew": own.route.crew, "persons": own.route.persons,
                "mode": str(route.crew["mode"]), "items": listed, "ground": _ground(drawing, route),
                "attribution": drawing.attribution, "approval": drawing.approval_number}  # fmt: skip
        mark = hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]
        return {**said, "mark": mark}

    def _laid_out(self, own: OwnRoute) -> tuple[PatrolDrawing, Route]:
        run, crew, date = self._run(own.night.run_id), own.route.crew, own.night.date
        key: tuple[Any, ...] = (run.id, date)
        tables: Mapping[str, DataFrame] = run.tables
        if planned_routes(run.tables, date).get(crew) != own.route.route:
            changed, exact = plan_as_changed(run.tables, date, [own.route]), self._exact(own)
            key = (*key, crew, own.route.route, exact is not None)
            tables = {**run.tables, **changed, **(exact or {})}
        if key not in self._drawings:
            self._drawings[key] = patrol_drawing(self._store, replace(run, tables=tables))
            while len(self._drawings) > KEPT_DRAWINGS:
                self._drawings.popitem(last=False)
        self._drawings.move_to_end(key)
        drawing = self._drawings[key]
        return drawing, next(r for r in drawing.routes if (r.crew["crew"], r.date) == (crew, str(date)))

    def _run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            self._runs[run_id] = self._store.run(run_id)
            while len(self._runs) > KEPT_RUNS:
                self._runs.popitem(last=False)
        self._runs.move_to_end(run_id)
        return self._runs[run_id]


def _item(item: Item, route: Route, crs: str) -> dict[str, Any]:
    """Return a line of the turn list with what is to be ticked off and where it leads."""
    steps = route.steps[route.steps["step"].isin(item.steps)]
    legs = route.legs["step"].isin(item.steps).to_numpy()
    way = [_lonlat(line, crs) for line in route.lines[legs]]
    at = _lonlat(shapely.Point(item.at), crs)[0] if np.isfinite(item.at).all() else None
    services = [_service(step, route, crs) for step in steps.to_dict("records")] if item.ticks else []
    name = patrol_words.street(str(steps["name"].iloc[0]), _near(route, item))
    return {
        "kind": item.kind, "zh": item.zh, "en": item.en, "name": {"zh": name[0], "en": name[1]},
        "begins": patrol_words.clock(item.begins), "ends": patrol_words.clock(item.ends), "must": bool(item.must),
        "metres": round(item.metres), "at": at, "way": way, "services": services,
    }  # fmt: skip


def _near(route: Route, item: Item) -> str:
    near = route.legs["near"][route.legs["step"].isin(item.steps)]
    return str(near.iloc[0]) if len(near) else ""


def _service(step: dict[Any, Any], route: Route, crs: str) -> dict[str, Any]:
    """Return one thing to tick off; its side is told as the street is drawn, as the night's routes tell it."""
    own = (route.legs["step"] == step["step"]).to_numpy()
    legs, side = route.legs[own], str(step["side"])
    against = bool(len(legs)) and float(legs["from_m"].iloc[0]) > float(legs["to_m"].iloc[0])
    line = [place for part in route.lines[own] for place in _lonlat(part, crs)]
    x, y = route.at[step["step"]] if step["step"] < len(route.at) else (np.nan, np.nan)
    return {
        "duty": str(step["duty"]), "side": _TURNED[side] if against else side, "metres": round(float(step["metres"])),
        "line": line, "at": _lonlat(shapely.Point(x, y), crs)[0] if np.isfinite([x, y]).all() else None,
        "dwell_s": _lasts_s(step) if step["kind"] == "check" else None,
    }  # fmt: skip


def _lasts_s(step: dict[Any, Any]) -> int:
    begins, ends = (dt.datetime.fromisoformat(str(step[name])) for name in ("begins", "ends"))
    return round((ends - begins).total_seconds())


def _ground(drawing: PatrolDrawing, route: Route) -> list[dict[str, Any]]:
    """Return the streets around a route, so that its map needs no network."""
    streets: DataFrame = drawing.segments
    if len(route.lines):
        west, south, east, north = shapely.total_bounds(route.lines)
        box = shapely.box(west - AROUND_M, south - AROUND_M, east + AROUND_M, north + AROUND_M)
        corner_lon, corner_lat = _degrees(np.array(box.exterior.coords), drawing.crs)
        window = shapely.box(min(corner_lon), min(corner_lat), max(corner_lon), max(corner_lat))
        streets = streets[shapely.intersects(window, np.asarray(streets.geometry, object))]
    return [
        {"name": name or "", "class": kind or "", "line": _rounded(shapely.get_coordinates(shape))}
        for name, kind, shape in zip(streets["name"], streets["street_class"], streets["geometry"], strict=True)
    ]


def _lonlat(shape: Any, crs: str) -> list[list[float]]:
    return _rounded(np.column_stack(_degrees(shapely.get_coordinates(shape), crs)))


def _degrees(metres: NDArray[np.float64], crs: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lon, lat = to_lonlat(metres[:, 0], metres[:, 1], crs)
    return np.asarray(lon), np.asarray(lat)


def _rounded(places: NDArray[np.float64]) -> list[list[float]]:
    """Return places to about a metre's tenth."""
    return [[round(float(lon), 6), round(float(lat), 6)] for lon, lat in places]
