"""A city's records brought from the store onto its network, as ``planner.runs`` hands them to the algorithms."""

import hashlib
import io
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.errors import QuestionError
from gis.hilbert import hilbert_key
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.snapping import snap
from gis.street_pieces import StreetPieces, cut_by_areas, locate
from layers.codes import LEVELS
from layers.records import POINT_LAYERS, layer_schema
from layers.rows import canonical_table
from layers.store import Store
from layers.version_rows import LayerVersion
from planner.coverage import CoverageInputs, CoverageQuestion
from planner.coverage_inputs import HelpPoints, Placed, join, select
from planner.demand import AreaTier
from planner.hotspots.effort import effort_of
from planner.hotspots.records import HotspotRecords
from planner.notes import Note
from planner.patrol.records import PatrolRecords
from planner.points import function_sets, help_points, laid, listed, opening, with_sites
from planner.scenarios.overlay import overlay
from planner.siting.question import SitingQuestion
from planner.siting.sites import Sites

#: Called with the name of each step as it begins.
Progress: TypeAlias = Callable[[str], None]
VersionKey: TypeAlias = tuple[str, str]
GRID_CELL = "grid_cell"
DAYS_A_WEEK = 7.0


class CityLoader:
    """Loads one question's inputs, step by step; what is slow to derive is kept in the store's cache."""

    def __init__(
        self,
        store: Store,
        used: Mapping[VersionKey, LayerVersion],
        question: CoverageQuestion,
        software: str,
        progress: Progress,
    ) -> None:
        self._store, self._software = store, software
        self._used = used
        self._question = question
        self._tell = progress
        self._not_in_force = 0

    def load(self) -> CoverageInputs:
        """Return everything the question of coverage needs, on the network."""
        self._tell("streets")
        network = self._store.load_network(version=self._used["streets", ""].id)
        usable = self._usable(network)
        self._tell("areas")
        tiers, polygons = self._areas()
        pieces = self._pieces(network, polygons)
        self._tell("points")
        points = self._points(network, usable)
        self._tell("population")
        people = self._arrays("population", network, usable, polygons)
        self._tell("reports")
        found = _placed(self._arrays("reports", network, usable, polygons))
        roster = self._table("roster") if ("roster", "") in self._used else None
        return CoverageInputs(
            network, tiers, pieces, points, _placed(people), people["total_code"].astype(object),
            people["total_people"], ("population", "") in self._used, found, roster, tuple(self._notes()),
        )  # fmt: skip

    def points(self, network: StreetNetwork) -> HelpPoints:
        """Return the points alone, on the streets already loaded."""
        return self._points(network, self._usable(network))

    def _usable(self, network: StreetNetwork) -> NDArray[np.bool_]:
        usable = np.isfinite(travel_by(network, "walk").seconds_per_m)
        if self._question.mode == "drive":
            usable &= np.isfinite(travel_by(network, "drive").seconds_per_m)
        return usable

    def _table(self, layer: str, part: str = "", *, fields: tuple[str, ...] | None = None) -> gpd.GeoDataFrame:
        """Return the records of a layer's part, or an empty table if it was never imported."""
        version = self._used.get((layer, part))
        if version is None:
            return canonical_table(
                layer, pd.DataFrame({f.name: [] for f in layer_schema(layer).fields} | {"geometry": []})
            )
        return self._store.load(layer, part, version=version.id, fields=fields)

    def _areas(self) -> tuple[tuple[AreaTier, ...], dict[str, NDArray[np.object_]]]:
        """Return the tiers that were imported, coarsest first, and their polygons by level."""
        tiers, polygons = [], {}
        for level, layer, part in [
            *((str(level), "areas", str(level)) for level in LEVELS),
            (GRID_CELL, "grid-cells", ""),
        ]:
            if (layer, part) in self._used:
                table = self._in_force(self._table(layer, part))
                tiers.append(AreaTier(level, table["code"].to_numpy(object), table["name"].to_numpy(object)))
                polygons[level] = table.geometry.to_numpy()
        return tuple(tiers), polygons

    def _in_force(self, areas: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the areas in force on the day asked about; all of them where no day was named."""
        if self._question.on is None or "valid_from" not in areas:
            return areas
        first, last = pd.to_datetime(areas["valid_from"]), pd.to_datetime(areas["valid_to"])
        day = pd.Timestamp(self._question.on)
        kept = (first.isna() | (first <= day)) & (last.isna() | (day <= last))
        self._not_in_force += int((~kept).sum())
        return areas[kept.to_numpy()]

    def _pieces(self, network: StreetNetwork, polygons: dict[str, NDArray[np.object_]]) -> StreetPieces:
        def cut() -> dict[str, NDArray[Any]]:
            made = cut_by_areas(network, polygons)
            areas = {f"area_{level}": of for level, of in made.area.items()}
            return {"segment": made.segment, "from_m": made.from_m, "to_m": made.to_m, **areas}

        arrays = self._derived(self._key("pieces", "streets", "areas", "grid-cells"), cut)
        area = {level: arrays[f"area_{level}"] for level in polygons}
        return StreetPieces(arrays["segment"], arrays["from_m"], arrays["to_m"], area)

    def _arrays(
        self, layer: str, network: StreetNetwork, usable: NDArray[np.bool_], polygons: dict[str, NDArray[np.object_]]
    ) -> dict[str, NDArray[Any]]:
        """Return where the rows of ``layer`` stand on the network and in which areas, and the people they count.

        Population rows without a place come as ``total_code``, ``total_people``; elsewhere these are empty.
        """
        limit_m = self._question.snap_limit_m

        def place() -> dict[str, NDArray[Any]]:
            table = self._table(layer, fields=("people", "area_code") if layer == "population" else ())
            here = table["geometry"].notna().to_numpy(bool)
            people = table["people"].to_numpy(np.float64) if layer == "population" else np.ones(len(table))
            codes = table["area_code"].to_numpy(object)[~here] if layer == "population" else np.empty(0, object)
            lon, lat = _lonlat(table[here])
            # neighbours asked after one another find the index warm: half the time for a city's reports
            order = np.argsort(hilbert_key(lon, lat), kind="stable")
            at = snap(network, lon[order], lat[order], limit_m=limit_m, usable=usable)
            arrays: dict[str, NDArray[Any]] = {"segment": at.segment, "offset_m": at.offset_m, "gap_m": at.gap_m}
            arrays |= {f"area_{level}": locate(of, lon[order], lat[order]) for level, of in polygons.items()}
            back = np.argsort(order)
            arrays = {name: values[back] for name, values in arrays.items()}
            totals = {"total_code": codes.astype("U15"), "total_people": people[~here]}
            return {**arrays, "weight": people[here], **totals}

        key = self._key(f"places:{layer}", layer, "streets", "areas", "grid-cells")
        return self._derived(f"{key}:{limit_m:g}:{hashlib.sha256(usable.tobytes()).hexdigest()[:16]}", place)

    def _points(self, network: StreetNetwork, usable: NDArray[np.bool_]) -> HelpPoints:
        question = self._question
        parts = [self._arrays(layer, network, usable, {}) for layer in POINT_LAYERS]
        points, at = listed(*map(self._table, POINT_LAYERS)), join([_placed(part).positions for part in parts])
        onto_streets = partial(snap, network, limit_m=question.snap_limit_m, usable=usable)
        if question.plan is not None:
            planned = with_sites(points, self._sites(question.plan))
            points, at = planned.points, laid(planned, at, onto_streets)
        if question.changes:
            changed = overlay(points, question.changes)
            points, at = changed.points, laid(changed, at, onto_streets)
        return help_points(points, at, question.at)

    def _sites(self, plan: str) -> pd.DataFrame:
        run = self._store.run(plan)
        if run.kind != "siting":
            raise QuestionError(f"分析 {run.id} 不是选址方案", f"run {run.id} is a {run.kind}, not a plan of sites")
        return run.tables["sites"]

    def siting(
        self, city: CoverageInputs, question: SitingQuestion
    ) -> tuple[Sites, Sites | None, NDArray[np.object_], float]:
        """Return (existing points, imported candidates, forbidden polygons, weeks the discovery reports span)."""
        points, standing = city.points, np.flatnonzero(~city.points.planned)
        both = [self._table(layer) for layer in POINT_LAYERS]
        lon, lat = (np.concatenate(of)[standing] for of in zip(*map(_lonlat, both), strict=True))
        hours = np.concatenate([of["hours"].fillna("").to_numpy(object) for of in both])[standing]
        existing = Sites(
            points.code[standing], points.name[standing], points.code[standing],
            np.full(len(standing), "existing", object), np.zeros(len(standing)), points.capacity[standing],
            points.functions[standing], hours, points.open_then[standing], points.open_week[standing], lon, lat,
            select(points.positions, standing), len(standing),
        )  # fmt: skip
        listed = self._candidates(city.network, question) if question.candidates == "layer" else None
        forbidden = self._table("forbidden-areas").geometry.to_numpy()
        found = pd.to_datetime(self._table("reports", fields=("found_at",))["found_at"]).dt.normalize()
        days = (found.max() - found.min()).days + 1.0 if len(found) else DAYS_A_WEEK
        return existing, listed, forbidden, days / DAYS_A_WEEK

    def patrol(self, city: CoverageInputs, walked: Collection[str]) -> PatrolRecords:
        """Return what the records say of patrols, beside the city; walked : ids of runs of effort."""
        network = city.network
        usable = np.isfinite(travel_by(network, "walk").seconds_per_m)
        duties = self._table("patrol-duties")
        here = duties["geometry"].notna().to_numpy(bool)
        placed = self._arrays("patrol-duties", network, usable, {})
        at = Positions(np.full(len(here), -1, np.int32), np.full(len(here), np.nan), np.full(len(here), np.inf))
        for name in ("segment", "offset_m", "gap_m"):
            getattr(at, name)[here] = placed[name]
        both = [self._table(layer) for layer in POINT_LAYERS]
        lon, lat = (np.concatenate(of) for of in zip(*map(_lonlat, both), strict=True))
        x, y = to_metric(lon, lat, network.crs)
        found_at = pd.to_datetime(self._table("reports", fields=("found_at",))["found_at"])
        roster = self._table("roster")
        hotspots = self.hotspots(city, walked)
        return PatrolRecords(city, duties, at, roster, found_at, np.asarray(x), np.asarray(y), lon, lat, hotspots)

    def hotspots(self, city: CoverageInputs, walked: Collection[str]) -> HotspotRecords:
        """Return what the records say of people found and of where anyone looked; walked : ids of runs of effort."""
        reports = self._table("reports", fields=("found_at", "channel", "outcome", "people"))
        x, y = to_metric(*_lonlat(reports), city.network.crs)
        tables = [self._store.run(run_id).tables["effort"] for run_id in walked]
        effort, lost = effort_of(city.network, self._table("patrol-effort"), tables)
        weather = self._table("weather")
        return HotspotRecords(
            city, pd.DataFrame(reports.drop(columns="geometry")), np.asarray(x), np.asarray(y), effort, lost, weather
        )

    def _candidates(self, network: StreetNetwork, question: SitingQuestion) -> Sites:
        table = self._table("candidates")
        usable = np.isfinite(travel_by(network, "walk").seconds_per_m)
        placed = _placed(self._arrays("candidates", network, usable, {})).positions
        open_week, open_then = opening(table["hours"].to_numpy(object), question.coverage.at)
        code, place = table["code"].to_numpy(object), table["place"].to_numpy(object)
        return Sites(
            code, table["name"].to_numpy(object), np.where(place == "", code, place),
            table["build_state"].to_numpy(object), table["cost"].fillna(1.0).to_numpy(np.float64),
            table["capacity"].to_numpy(np.float64), function_sets(table["functions"]),
            table["hours"].to_numpy(object), open_then, open_week, *_lonlat(table), placed,
        )  # fmt: skip

    def _notes(self) -> list[Note]:
        """Return what the records themselves say of their worth."""
        notes = []
        for (layer, part), version in sorted(self._used.items()):
            if version.approximate:
                name = " ".join(filter(None, (layer, part)))
                notes.append(
                    Note(
                        "approximate",
                        f"图层 {name} 的边界或位置为近似",
                        f"the boundaries or places of layer {name} are approximate",
                    )
                )
        if self._not_in_force:
            notes.append(
                Note(
                    "areas-not-in-force",
                    f"{self._not_in_force} 个辖区在 {self._question.on} 不在有效期内，未计入",
                    f"{self._not_in_force} areas are not in force on {self._question.on} and were left out",
                )
            )
        return notes

    def _key(self, what: str, *layers: str) -> str:
        read = sorted((key, v.content_sha256) for key, v in self._used.items() if key[0] in layers)
        day = self._question.on if self._not_in_force else None
        return f"{what}:{self._software}:{hashlib.sha256(repr((read, day)).encode()).hexdigest()}"

    def _derived(self, key: str, derive: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """Return arrays from the store's cache, or derive and cache them."""
        kept = self._store.derived(key)
        if kept is not None:
            with np.load(io.BytesIO(kept), allow_pickle=False) as file:
                return dict(file)
        arrays = derive()
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        self._store.keep_derived(key, buffer.getvalue())
        return arrays


def _placed(arrays: dict[str, NDArray[Any]]) -> Placed:
    positions = Positions(arrays["segment"], arrays["offset_m"], arrays["gap_m"])
    area = {name.removeprefix("area_"): of for name, of in arrays.items() if name.startswith("area_")}
    return Placed(arrays["weight"], positions, area)


def _lonlat(table: gpd.GeoDataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = table["geometry"].to_numpy() if len(table) else np.empty(0, object)
    return shapely.get_x(points), shapely.get_y(points)
