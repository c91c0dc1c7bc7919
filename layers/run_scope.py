"""What of a kept analysis somebody sees who may see one area: the rows that lie inside it, and nothing of the rest.

Each table of each kind of run says here what tells where its rows lie. A table that is not declared is empty for
everybody below the city; who sees the city sees the whole run.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from gis.crs import to_lonlat
from gis.errors import RecordError
from gis.street_pieces import locate
from gis.tiling import Tiling
from layers.codes import PREFIX_DIGITS, Level, normalise_code
from layers.run import Run, table_from_parquet
from layers.schema import LAYER_TABLES, LAYER_VERSION, NIGHT_ROUTE, RUN, RUN_TABLE, SCENARIO, SETTING
from layers.scope import Scope, inside
from layers.version_rows import active_versions, load_rows

Flags = NDArray[np.bool_]
#: "city": figures of the city as a whole, which nobody below it sees; "asked": of the areas asked about, seen by whom
#: they all belong to; "open": nothing that lies anywhere; "note": notes, but for those that name places.
Way = Literal[
    "city", "asked", "open", "note", "area", "segment", "point", "crew", "person", "track", "cell", "cluster", "unit"
]
#: Codes of notes that name points wherever they stand, withheld ones too.
NAMING_NOTES = ("points-unsnapped",)


@dataclass(frozen=True, slots=True)
class Declared:
    """How the rows of a table are told apart.

    way : what ``column`` names. emptied : columns about all that was asked, or places beside the row's own, emptied
    unless the run was asked about the reader's area alone. city : columns about the whole city, emptied always.
    points : columns of codes of points, each emptied where its point lies outside.
    """

    way: Way
    column: str = ""
    emptied: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    city: tuple[str, ...] = ()


_CITY, _ASKED, _OPEN, _NOTES = Declared("city"), Declared("asked"), Declared("open"), Declared("note", "code")
_AREA, _SEGMENT, _CELL = Declared("area", "code"), Declared("segment", "segment_id"), Declared("cell")
_CREW, _CLUSTER = Declared("crew"), Declared("cluster")
#: kind of run -> table -> how its rows are told apart.
DECLARED: Mapping[str, Mapping[str, Declared]] = MappingProxyType({
    "coverage": {
        "areas": _AREA, "gaps": _AREA, "roster": Declared("area", "area_code"), "points": Declared("point", "code"),
        "segments": Declared("segment", "segment_id", points=("point", "second_point")),
        **dict.fromkeys(("totals", "levels", "hours", "inequality", "lorenz"), _CITY), "notes": _NOTES,
        "area_hours": _AREA, "clock": _OPEN,
    },
    "comparison": {"areas": _AREA, "totals": _CITY, "parameters": _OPEN},
    "siting": {
        "plan": Declared(
            "open", emptied=("candidates", "opened", "closed", "cost"),
            city=("value", "bound", "total", "before", "existing"),
        ),
        "sites": Declared("area", "area_code", (
            "runner_up", "runner_up_name", "runner_up_lon", "runner_up_lat", "runner_up_loses",
        )),
        "areas": _AREA, "left_out": Declared("area", "area_code"), "segments": _SEGMENT,
        **dict.fromkeys(("totals", "frontier", "story"), _CITY), "notes": _NOTES,
    },
    "patrol": {
        "crews": _CREW, "steps": _CREW, "legs": _CREW, "uncovered": _SEGMENT, "plan": _ASKED, "variety": _ASKED,
        "notes": _NOTES,
    },
    "effort": {"effort": _SEGMENT},
    "tracks": {
        "tracks": Declared("person", "person"), "effort": _SEGMENT, "unmatched": Declared("track", "track"),
        "flags": Declared("track", "track"), "done": _CREW, "missed": _CREW, "rejected": _CITY, "notes": _NOTES,
    },
    "hotspot-map": {
        "segments": _SEGMENT, "cells": _CELL, "areas": _AREA, "notes": _NOTES,
        "summary": Declared("open", emptied=(
            "reports", "patrol_reports", "passive_reports", "off_street", "street_m", "looked_m", "walked_km",
            "unknown_m", "expected_week", "low_week", "high_week",
        )),
    },
    "hotspot-scan": {
        "clusters": _CLUSTER, "members": _CLUSTER, "notes": _NOTES,
        "summary": Declared("open", emptied=("places", "reports")),
    },
    "hotspot-emerging": {
        "cells": _CELL, "steps": _CELL, "notes": _NOTES, "summary": Declared("open", emptied=("cells", "reports")),
    },
    "hotspot-forecast": {
        "cells": _CELL, "segments": _SEGMENT, "profile": _OPEN, "weather": _OPEN, "notes": _NOTES,
        "summary": Declared("open", emptied=("expected", "low", "high")),
    },
    "hotspot-backtest": {
        "summary": _OPEN, "months": Declared("open", emptied=("hits", "expected", "n")), "calibration": _ASKED,
        "weights": _OPEN, "notes": _NOTES,
    },
    "hotspot-release": {
        "published": Declared("unit", "id"), "cells": Declared("unit", "unit"), "geography": Declared("unit", "id"),
        "summary": Declared("open", emptied=("shown", "withheld")), "ledger": _OPEN, "notes": _NOTES,
    },
})  # fmt: skip
#: Parameters that name another run, whose secrets a run shares.
_REFERS = ("plan", "before", "after", "replans")
#: Inputs that are somebody's files, their names given by people.
_FILE = "file/"


@dataclass(frozen=True, slots=True, eq=False)
class SeenRun(Run):
    """A run as it is seen from one area, named as the whole one is."""

    whole_id: str = ""

    @property
    def id(self) -> str:
        """The id of the whole run."""
        return self.whole_id


def narrowing(connection: Connection, scope: Scope | None) -> Scope | None:
    """Return the scope that runs are narrowed to; None where there is none, or it holds the whole city."""
    return None if scope is None or sees_city(connection, scope) else scope


def sees_city(connection: Connection, scope: Scope) -> bool:
    """Tell whether ``scope`` holds the whole city that is kept here."""
    if len(scope.lowest) > PREFIX_DIGITS[Level.CITY]:
        return False
    areas = LAYER_TABLES["areas"]
    if connection.execute(select(areas.c.row).where(inside(areas, scope)).limit(1)).first() is not None:
        return True
    code = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "city_code"))
    return code is not None and scope.holds(normalise_code(code))


def is_seen(connection: Connection, parameters: Mapping[str, Any], scope: Scope) -> bool:
    """Tell whether a run with ``parameters`` exists for ``scope``, which is below the city.

    It does not where it was asked about other areas alone, of a scenario of another area, or of a run that does not.
    """
    within = parameters.get("within") or []
    codes = [str(code) for code in within]
    if codes and all(code.isdigit() and not _meet(scope, code) for code in codes):
        return False
    scenario = parameters.get("scenario")
    if scenario is not None and not _scenario_seen(connection, scenario, scope):
        return False
    for name in _REFERS:
        other = parameters.get(name)
        kept = connection.scalar(select(RUN.c.parameters).where(RUN.c.id == str(other))) if other else None
        if kept is not None and not is_seen(connection, json.loads(kept), scope):
            return False
    return True


def _meet(scope: Scope, code: str) -> bool:
    """Tell whether an area lies inside ``scope`` or around it."""
    try:
        own = Scope.of(code)
    except RecordError:
        return False
    return scope.holds(code) or own.lowest <= scope.lowest < own.beyond


def _scenario_seen(connection: Connection, scenario: object, scope: Scope) -> bool:
    if not isinstance(scenario, int):
        return False
    query = select(SCENARIO.c.id).where(SCENARIO.c.id == scenario, inside(SCENARIO, scope))
    return connection.scalar(query) is not None


def seen_run(connection: Connection, run: Run, scope: Scope) -> Run:
    """Return ``run`` as it is seen from ``scope``, which is below the city: its tables' rows inside it alone.

    Of its parameters and inputs, reports outside, crews of others and names of files are left out as well.
    """
    places = _Places(connection, run, scope)
    declared = DECLARED.get(run.kind, {})
    tables = {name: _seen_table(table, declared.get(name, _CITY), places) for name, table in run.tables.items()}
    parameters = dict(run.parameters)
    if "reports" in parameters:
        parameters["reports"] = [one for one in parameters["reports"] if places.area.holding([one[0]], [one[1]])[0]]
    if "ill" in parameters:
        own = {crew for _, crew in places.crews}
        parameters["ill"] = [crew for crew in parameters["ill"] if crew in own]
    inputs = {name: sha for name, sha in run.inputs.items() if not name.startswith(_FILE)}
    return SeenRun(run.kind, parameters, inputs, tables, run.software, run.seconds, run.created_at, run.id)


def _seen_table(table: pd.DataFrame, declared: Declared, places: "_Places") -> pd.DataFrame:
    seen = table[places.rows(table, declared)].reset_index(drop=True)
    for name in declared.points:
        if name in seen:
            seen[name] = seen[name].where(seen[name].isin(places.points), "")
    emptied = declared.city if places.asked_alone else (*declared.city, *declared.emptied)
    for name in emptied:
        if name in seen:
            seen[name] = np.nan if pd.api.types.is_numeric_dtype(seen[name]) else ""
    return seen


class Area:
    """The ground inside a scope, by the areas that are active now."""

    def __init__(self, connection: Connection, scope: Scope) -> None:
        tiers = [version for version in active_versions(connection) if version.layer == "areas"]
        tables = [load_rows(connection, tier, fields=["code"], scope=scope) for tier in tiers]
        self._shapes = [np.asarray(table["geometry"], object) for table in tables if len(table)]

    def holding(self, lon: Any, lat: Any) -> Flags:
        """Return (k,) which places (WGS84 degrees) lie inside."""
        found = np.zeros(len(np.atleast_1d(lon)), bool)
        for shapes in self._shapes:
            found |= locate(shapes, lon, lat) >= 0
        return found


class _Places:
    """What tells where the rows of a run lie, each looked up once, and only when it is asked for."""

    def __init__(self, connection: Connection, run: Run, scope: Scope) -> None:
        self._connection, self._run, self._scope = connection, run, scope

    @cached_property
    def asked_alone(self) -> bool:
        """Whether the run was asked about areas inside the scope and nothing else."""
        within = self._run.parameters.get("within") or []
        return bool(within) and all(self._scope.holds(str(code)) for code in within)

    def rows(self, table: pd.DataFrame, declared: Declared) -> Flags:
        """Return (n,) which rows of a table are seen."""
        way = declared.way
        if way in ("city", "asked", "open"):
            return np.full(len(table), way == "open" or (way == "asked" and self.asked_alone))
        needs = {"crew": {"date", "crew"}, "cell": {"column", "row"}, "cluster": {"cluster"}}
        if not needs.get(way, {declared.column}) <= set(table.columns):
            return np.zeros(len(table), bool)
        if way == "note":
            return np.asarray(~table["code"].isin(NAMING_NOTES), bool)
        if way == "cell":
            return self._cells(table)
        if way == "crew":
            return _are_in(zip(table["date"].astype(str), table["crew"], strict=True), self.crews, len(table))
        column = table["cluster" if way == "cluster" else declared.column]
        if way in ("area", "unit"):
            inside_ = np.array([self._scope.holds(str(code)) for code in column], bool)
            return inside_ | self._named_cells(column) if way == "unit" else inside_
        known: set[Any] = getattr(self, f"{way}s")
        return _are_in(column, known, len(table))

    @cached_property
    def area(self) -> Area:
        """The ground inside."""
        return Area(self._connection, self._scope)

    @cached_property
    def segments(self) -> set[Any]:
        """Ids of the street segments inside, of the streets the run was made of."""
        return self._coded("streets", "segment_id")

    @cached_property
    def points(self) -> set[Any]:
        """Codes of the points inside, those of the plan or scenario it counts in too."""
        found = self._coded("service-points", "code") | self._coded("rescue-stations", "code")
        placed = [e for e in self._run.parameters.get("changes") or [] if "area_code" in e]
        inside_ = {e["code"] for e in placed if self._scope.holds(str(e["area_code"]))}
        found = (found - {e["code"] for e in placed}) | inside_
        sites = self._other("sites")
        if sites is not None:
            found |= set(sites["code"][[self._scope.holds(str(code)) for code in sites["area_code"]]])
        return found

    @cached_property
    def crews(self) -> set[tuple[str, str]]:
        """(date, crew) of the crews at home inside."""
        return {(date, crew) for date, crew, _, own in self._crews if own}

    @cached_property
    def persons(self) -> set[str]:
        """Crews, and the persons of crews, that are at home inside on every date."""
        inside_, outside = set[str](), set[str]()
        for _, crew, persons, own in self._crews:
            (inside_ if own else outside).update((crew, *persons.split("、")))
        return inside_ - outside

    @cached_property
    def tracks(self) -> set[str]:
        """Names of the tracks of those persons."""
        table = self._run.tables.get("tracks")
        return set() if table is None else set(table["track"][table["person"].isin(self.persons)])

    @cached_property
    def clusters(self) -> set[Any]:
        """Numbers of the clusters of which every cell lies inside."""
        members = self._run.tables.get("members")
        if members is None or not len(members):
            return set()
        whole = pd.Series(self._cells(members)).groupby(members["cluster"].to_numpy()).all()
        return set(whole.index[whole])

    @cached_property
    def _crews(self) -> list[tuple[str, str, str, bool]]:
        """(date, crew, persons, whether at home inside) of the run's crews, or of those of the plan it names."""
        if "night" in self._run.parameters:
            return self._night_crews(int(self._run.parameters["night"]), str(self._run.parameters["date"]))
        table = self._run.tables.get("crews")
        table = self._other("crews") if table is None else table
        if table is None:
            return []
        rows = table[["date", "crew", "persons", "home"]].astype(str).itertuples(index=False)
        return [(date, crew, persons, self._scope.holds(home)) for date, crew, persons, home in rows]

    def _night_crews(self, night_id: int, date: str) -> list[tuple[str, str, str, bool]]:
        """Return the crews of a night: those inside as supervisors left them, the others as its tracks found them."""
        query = select(NIGHT_ROUTE.c.crew, NIGHT_ROUTE.c.persons).where(
            NIGHT_ROUTE.c.night_id == night_id, inside(NIGHT_ROUTE, self._scope)
        )
        own = {row.crew: row.persons for row in self._connection.execute(query)}
        done = self._run.tables.get("done")
        rows = [] if done is None else done[["crew", "persons"]].astype(str).itertuples(index=False)
        others = [(date, crew, persons, False) for crew, persons in rows if crew not in own]
        return [*((date, crew, persons, True) for crew, persons in own.items()), *others]

    def _cells(self, table: pd.DataFrame) -> Flags:
        """Return (n,) which cells have their centre inside."""
        return self._centred(table["column"].to_numpy(np.int64), table["row"].to_numpy(np.int64))

    def _named_cells(self, names: pd.Series) -> Flags:
        """Return (n,) which of the names are a cell's, as "column:row", with its centre inside."""
        found = np.zeros(len(names), bool)
        parts = names.astype(str).str.extract(r"^(-?\d+):(-?\d+)$").dropna().astype(np.int64)
        found[parts.index] = self._centred(parts[0].to_numpy(), parts[1].to_numpy())
        return found

    def _centred(self, column: NDArray[np.int64], row: NDArray[np.int64]) -> Flags:
        summary = self._run.tables.get("summary")
        first: dict[Any, Any] = {} if summary is None or not len(summary) else summary.iloc[0].to_dict()
        asked = {**first, **self._run.parameters}  # a summary may count cells under the word for their shape
        if not len(column) or not {"cells", "cell_m", "crs"} <= set(asked):
            return np.zeros(len(column), bool)
        tiling = Tiling(str(asked["cells"]), float(asked["cell_m"]))
        return self.area.holding(*to_lonlat(*tiling.centre(column, row), str(asked["crs"])))

    def _coded(self, layer: str, field: str) -> set[Any]:
        """Return a field of the rows inside of the layer's version that the run was made of; none where it is gone."""
        kept = (LAYER_VERSION.c.layer == layer) & (LAYER_VERSION.c.content_sha256 == self._run.inputs.get(layer))
        newest = (
            select(LAYER_VERSION.c.id).where(kept).order_by(LAYER_VERSION.c.active.desc(), LAYER_VERSION.c.id.desc())
        )
        version = self._connection.scalar(newest.limit(1))
        table = LAYER_TABLES[layer]
        query = select(table.c[field]).where(table.c.version_id == version, inside(table, self._scope))
        return set(self._connection.scalars(query))

    def _other(self, name: str) -> pd.DataFrame | None:
        """Return a table of the run that this one's plan names; None where there is none."""
        plan = self._run.parameters.get("plan")
        query = select(RUN_TABLE.c.parquet).where(RUN_TABLE.c.run_id == plan, RUN_TABLE.c.name == name)
        parquet = self._connection.scalar(query) if plan else None
        return None if parquet is None else table_from_parquet(parquet)


def _are_in(values: Any, known: set[Any], count: int) -> Flags:
    return np.fromiter((value in known for value in values), bool, count)
