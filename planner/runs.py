"""The one place where planning meets the store: load what a question needs, answer it, keep the answer as a ``Run``."""

import hashlib
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from importlib import metadata
from time import monotonic, process_time
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import QuestionError, StoreError
from gis.hilbert import hilbert_key
from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.snapping import snap
from gis.street_pieces import StreetPieces, cut_by_areas, locate
from layers.codes import LEVELS
from layers.hours import OpeningHours
from layers.records import ALL_FUNCTIONS, layer_schema
from layers.rows import canonical_table
from layers.run import Run
from layers.store import LayerVersion, Store
from planner.comparison import compare_coverage
from planner.coverage import CoverageInputs, CoverageQuestion, measure_coverage
from planner.coverage_inputs import HOURS_A_WEEK, HelpPoints, Placed, select
from planner.coverage_question import PLANNED_STATES
from planner.demand import AreaTier
from planner.notes import Note
from planner.siting.question import SitingQuestion
from planner.siting.sites import Sites, candidate_sites, joined
from planner.siting.watch import News, Watch

#: Called with the name of each step (one of ``STEPS``) as it begins.
Progress: TypeAlias = Callable[[str], None]
VersionKey: TypeAlias = tuple[str, str]
Tables: TypeAlias = Mapping[str, pd.DataFrame]
GRID_CELL = "grid_cell"
ONLY_SITING = frozenset({"candidates", "forbidden-areas"})
STEPS = ("streets", "areas", "points", "population", "reports", "coverage", "keeping")
SITING_STEPS = ("streets", "areas", "points", "population", "reports", "siting", "keeping")
DAYS_A_WEEK = 7.0


def run_coverage(
    store: Store,
    question: CoverageQuestion,
    *,
    versions: Mapping[VersionKey, int] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Answer ``question`` for the city in ``store`` and keep the answer.

    versions : (layer, part) -> version id to use instead of the active one, for a comparison with earlier records.
    The same question of the same records by the same software is answered by the run already kept. Raises StoreError
    if no streets have been imported or a version does not exist.
    """
    used = _versions(store, question, versions or {})
    tell = progress or (lambda step: None)

    def measure() -> Tables:
        city = _City(store, used, question, tell).load()
        tell("coverage")
        tables = measure_coverage(city, question)
        tell("keeping")
        return tables

    return _answer(store, Run("coverage", question.parameters, _inputs(used), software=software()), measure)


def run_siting(
    store: Store,
    question: SitingQuestion,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    hear: Callable[[News], None] = lambda news: None,
) -> Run:
    """Answer ``question`` for the city in ``store`` and keep the answer.

    cancelled : asked often; once it says so, the best plan so far is the answer, with the gap proven so far.
    hear : told how the search stands. A run that was cancelled is kept as one, so that asking again searches again;
    nothing is written before the answer is whole. Raises StoreError if no streets have been imported, QuestionError
    on an ask that cannot be met.
    """
    from planner.siting.answer import answer  # the solver takes a while to load, and coverage needs none
    from planner.siting.case import case_of

    layers = {"candidates"} if question.candidates == "layer" else set()
    used = _versions(store, question.coverage, {}, also=layers | {"forbidden-areas"})
    if question.candidates == "layer" and ("candidates", "") not in used:
        raise QuestionError("尚未导入候选点", "no candidates have been imported (lamplight import candidates FILE)")
    tell = progress or (lambda step: None)
    asked = Run("siting", question.parameters, _inputs(used), software=software())
    watch = Watch(monotonic, seconds=question.seconds, cancelled=cancelled, hear=hear)

    def solve() -> Tables:
        loader = _City(store, used, question.coverage, tell)
        city = loader.load()
        existing, listed, forbidden, weeks = loader.siting(city, question)
        tell("siting")
        candidates, notes = candidate_sites(city, question, listed, forbidden)
        tables = answer(case_of(city, question, joined(existing, candidates), weeks, notes), watch)
        tell("keeping")
        return tables

    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tables = solve()
    if watch.cancelled:
        asked = replace(asked, parameters={**asked.parameters, "cancelled": True})
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started))


def place_records(store: Store, *, progress: Progress | None = None) -> None:
    """Put every record on the network and into its areas ahead of the first question, as the last step of an import.

    Nothing is answered; what is derived stays in the store until the next prune, and later questions start from it.
    Raises StoreError if no streets have been imported.
    """
    question = CoverageQuestion()
    _City(store, _versions(store, question, {}), question, progress or (lambda step: None)).load()


def run_comparison(store: Store, before: str, after: str) -> Run:
    """Keep, and return, what coverage run ``after`` gains or loses against run ``before`` (their ids).

    Raises StoreError if either does not exist, QuestionError if they cannot be compared.
    """
    old, new = store.run(before), store.run(after)
    parameters = {"before": old.id, "after": new.id}
    inputs = {
        f"{side}/{name}": sha for side, run in (("before", old), ("after", new)) for name, sha in run.inputs.items()
    }
    asked = Run("comparison", parameters, inputs, software=software())
    return _answer(store, asked, lambda: compare_coverage(old, new))


def software() -> str:
    """Return the version of this software, which every run carries."""
    return f"lamplight {metadata.version('lamplight')}"


def _answer(store: Store, asked: Run, compute: Callable[[], Tables]) -> Run:
    """Return the run kept for what was asked, or compute its tables and keep it."""
    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tables = compute()
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started))


def _inputs(used: Mapping[VersionKey, LayerVersion]) -> dict[str, str]:
    """Return what a run read: name -> content hash."""
    return {"/".join(filter(None, key)): used[key].content_sha256 for key in sorted(used)}


def _versions(
    store: Store, question: CoverageQuestion, wanted: Mapping[VersionKey, int], *, also: Collection[str] = ()
) -> dict[VersionKey, LayerVersion]:
    """Return the layer versions the question reads; ``also`` : layers that only some questions read."""
    used = store.current()
    by_id = {v.id: v for v in store.versions()}
    for key, number in wanted.items():
        version = by_id.get(number)
        if version is None or (version.layer, version.part) != key:
            name = " ".join(filter(None, key))
            raise StoreError(f"图层 {name} 没有版本 {number}", f"layer {name} has no version {number}")
        used[key] = version
    if ("streets", "") not in used:
        raise StoreError("尚未导入街道，无法计算覆盖", "no streets have been imported: there is nothing to measure")
    unread = {"all": set(), "service-points": {"rescue-stations"}, "rescue-stations": {"service-points"}}
    left_out = unread[question.places] | (set() if question.on else {"roster"}) | (ONLY_SITING - set(also))
    return {key: version for key, version in used.items() if key[0] not in left_out}


class _City:
    """Loads one question's inputs, step by step; what is slow to derive is kept in the store's cache."""

    def __init__(
        self, store: Store, used: Mapping[VersionKey, LayerVersion], question: CoverageQuestion, progress: Progress
    ) -> None:
        self._store = store
        self._used = used
        self._question = question
        self._tell = progress
        self._not_in_force = 0

    def load(self) -> CoverageInputs:
        """Return everything the question of coverage needs, on the network."""
        self._tell("streets")
        network = self._store.load_network(version=self._used["streets", ""].id)
        usable = np.isfinite(travel_by(network, "walk").seconds_per_m)
        if self._question.mode == "drive":
            usable &= np.isfinite(travel_by(network, "drive").seconds_per_m)
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
        services, stations = self._table("service-points"), self._table("rescue-stations")
        station = np.repeat([False, True], [len(services), len(stations)])
        both = pd.concat(
            [services, stations.assign(functions=ALL_FUNCTIONS, build_state="existing")], ignore_index=True
        )
        hours = both["hours"].fillna("").astype(str).str.strip().to_numpy(object)
        parts = [self._arrays(layer, network, usable, {}) for layer in ("service-points", "rescue-stations")]
        at = (np.concatenate([part[name] for part in parts]) for name in ("segment", "offset_m", "gap_m"))
        week = [OpeningHours.parse(text).week_table() if text else np.zeros(HOURS_A_WEEK, bool) for text in hours]
        moment = self._question.at
        then = [moment is None or (bool(text) and OpeningHours.parse(text).open_at(moment)) for text in hours]
        return HelpPoints(
            code=both["code"].to_numpy(object),
            name=both["name"].to_numpy(object),
            functions=_functions(both["functions"]),
            capacity=both["capacity"].to_numpy(np.float64),
            positions=Positions(*at),
            station=station,
            planned=both["build_state"].isin(list(PLANNED_STATES)).to_numpy(bool),
            hours_known=hours != "",
            open_week=np.array(week, bool).reshape(len(both), HOURS_A_WEEK),
            open_then=np.array(then, bool),
        )

    def siting(
        self, city: CoverageInputs, question: SitingQuestion
    ) -> tuple[Sites, Sites | None, NDArray[np.object_], float]:
        """Return (existing points, imported candidates, forbidden polygons, weeks the discovery reports span)."""
        points, standing = city.points, np.flatnonzero(~city.points.planned)
        both = [self._table(layer) for layer in ("service-points", "rescue-stations")]
        lon, lat = (np.concatenate(of)[standing] for of in zip(*map(_lonlat, both), strict=True))
        existing = Sites(
            points.code[standing], points.name[standing], points.code[standing],
            np.full(len(standing), "existing", object), np.zeros(len(standing)), points.capacity[standing],
            points.functions[standing], points.open_then[standing], points.open_week[standing], lon, lat,
            select(points.positions, standing), len(standing),
        )  # fmt: skip
        listed = self._candidates(city.network, question) if question.candidates == "layer" else None
        forbidden = self._table("forbidden-areas").geometry.to_numpy()
        found = pd.to_datetime(self._table("reports", fields=("found_at",))["found_at"])
        days = (found.max() - found.min()).days + 1.0 if len(found) else DAYS_A_WEEK
        return existing, listed, forbidden, days / DAYS_A_WEEK

    def _candidates(self, network: StreetNetwork, question: SitingQuestion) -> Sites:
        table, moment = self._table("candidates"), question.coverage.at
        usable = np.isfinite(travel_by(network, "walk").seconds_per_m)
        placed = self._arrays("candidates", network, usable, {})
        hours = [OpeningHours.parse(text) for text in table["hours"]]
        week = np.array([h.week_table() for h in hours], bool).reshape(len(table), HOURS_A_WEEK)
        code, place = table["code"].to_numpy(object), table["place"].to_numpy(object)
        return Sites(
            code, table["name"].to_numpy(object), np.where(place == "", code, place),
            table["build_state"].to_numpy(object), table["cost"].fillna(1.0).to_numpy(np.float64),
            table["capacity"].to_numpy(np.float64), _functions(table["functions"]),
            np.array([moment is None or h.open_at(moment) for h in hours], bool), week, *_lonlat(table),
            Positions(placed["segment"], placed["offset_m"], placed["gap_m"]),
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
        return f"{what}:{software()}:{hashlib.sha256(repr((read, day)).encode()).hexdigest()}"

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


def _functions(listed: pd.Series) -> NDArray[np.object_]:
    """Return comma lists as (k,) frozensets."""
    return np.array([None, *(frozenset(str(f).split(",")) for f in listed)], object)[1:]


def _lonlat(table: gpd.GeoDataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = table["geometry"].to_numpy() if len(table) else np.empty(0, object)
    return shapely.get_x(points), shapely.get_y(points)
