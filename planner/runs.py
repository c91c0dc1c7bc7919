"""The one place where planning meets the store: load what a question needs, answer it, keep the answer as a ``Run``."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from time import monotonic, process_time
from typing import TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd

from gis.errors import QuestionError, StoreError
from gis.network import StreetNetwork
from gis.vector_tiles import area_names, border_lines, street_lines, water_areas, write_tiles
from layers.codes import LEVELS
from layers.run import Run
from layers.scenario_content import canonical
from layers.store import Store
from layers.version_rows import LayerVersion
from planner.comparison import compare_coverage
from planner.coverage import CoverageQuestion, measure_coverage
from planner.loading import CityLoader, Progress, VersionKey
from planner.nearby import Nearby, nearby_from_bytes, nearby_of
from planner.siting.question import SitingQuestion
from planner.siting.sites import candidate_sites, joined
from planner.watch import News, Watch

Tables: TypeAlias = Mapping[str, pd.DataFrame]
#: Layers that coverage does not read.
NOT_COVERAGE = frozenset({"candidates", "forbidden-areas", "patrol-duties", "patrol-effort", "weather", "calendar"})
#: Layers that are drawn on the city's live map.
DRAWN = ("streets", "areas", "forbidden-areas")
STEPS = ("streets", "areas", "points", "population", "reports", "coverage", "keeping")
#: Of the last part of an import: placing the records, then drawing the city's map.
PLACE_STEPS = (*STEPS, "tiles")
SITING_STEPS = ("streets", "areas", "points", "population", "reports", "siting", "keeping")


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
    used = used_versions(store, versions, unread=unread_layers(question))
    tell = progress or (lambda step: None)

    def measure() -> Tables:
        city = CityLoader(store, used, question, software(), tell).load()
        tell("coverage")
        tables = measure_coverage(city, question)
        tell("keeping")
        return tables

    return _answer(store, _asked(question, used), measure)


def kept_coverage(store: Store, question: CoverageQuestion) -> tuple[Run | None, bool]:
    """Return the answer to ``question`` that is kept, and whether it is of the records as they are now.

    Where it is not, the newest there is; None where the question was never asked. Raises StoreError if no streets
    have been imported.
    """
    asked = _asked(question, used_versions(store, unread=unread_layers(question)))
    alike = [run.id for run in store.runs("coverage") if _same(run.parameters, asked.parameters)]
    if not alike:
        return None, False
    fresh = asked.id in alike
    return store.run(asked.id if fresh else alike[0]), fresh


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

    if question.coverage.scenario is not None:
        raise QuestionError(
            "选址从现有点位出发，不能以情景为起点", "siting starts from the live points, not a scenario"
        )
    layers = {"candidates"} if question.candidates == "layer" else set()
    used = used_versions(store, unread=unread_layers(question.coverage, also=layers | {"forbidden-areas"}))
    if question.candidates == "layer" and ("candidates", "") not in used:
        raise QuestionError("尚未导入候选点", "no candidates have been imported (lamplight import candidates FILE)")
    tell = progress or (lambda step: None)
    asked = Run("siting", question.parameters, run_inputs(used), software=software())

    def solve() -> Tables:
        loader = CityLoader(store, used, question.coverage, software(), tell)
        city = loader.load()
        existing, listed, forbidden, weeks = loader.siting(city, question)
        tell("siting")
        candidates, notes = candidate_sites(city, question, listed, forbidden)
        case = case_of(city, question, joined(existing, candidates), weeks, notes)
        tables = answer(case, Watch(monotonic, seconds=question.seconds, cancelled=cancelled, hear=hear))
        tell("keeping")
        return tables

    if any(run.id == asked.id for run in store.runs(asked.kind)):
        return store.run(asked.id)
    started = process_time()
    tables = solve()
    if cancelled():
        asked = replace(asked, parameters={**asked.parameters, "cancelled": True})
    return store.save_run(replace(asked, tables=tables, seconds=process_time() - started))


def place_records(store: Store, *, progress: Progress | None = None) -> None:
    """Put every record on the network and into its areas ahead of the first question, as the last step of an import.

    Nothing is answered; what is derived stays in the store until the next prune, and later questions start from it.
    Raises StoreError if no streets have been imported.
    """
    question = CoverageQuestion()
    used = used_versions(store, unread=unread_layers(question))
    CityLoader(store, used, question, software(), progress or (lambda step: None)).load()


def walks_to(store: Store, points: gpd.GeoDataFrame) -> tuple[StreetNetwork | None, Nearby | None]:
    """Return the city's streets and the ways on foot to ``points`` (WGS84), kept in the store's cache.

    None and None where no streets have been imported.
    """
    version = store.current().get(("streets", ""))
    if version is None:
        return None, None
    network = store.load_network(version=version.id)
    lon, lat = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    places = hashlib.sha256(np.column_stack([lon, lat]).tobytes()).hexdigest()
    key = f"walks {software()} {version.content_sha256} {places}"
    kept = store.derived(key)
    if kept is not None:
        return network, nearby_from_bytes(network, kept)
    walks = nearby_of(network, lon, lat)
    store.keep_derived(key, walks.to_bytes())
    return network, walks


def city_tiles(store: Store) -> bytes:
    """Return the city's streets, water, borders and names of areas as one PMTiles archive, kept in the store's cache.

    Layers water, streets, borders, areas, as a live map draws them; nothing that is not public. Empty where neither
    streets nor areas have been imported.
    """
    current = store.current()
    used = {key: v for key, v in sorted(current.items()) if key[0] in DRAWN}
    if not any(v.accepted for (layer, _), v in used.items() if layer != "forbidden-areas"):
        return b""
    contents = hashlib.sha256("".join(f"{key}{v.content_sha256}" for key, v in used.items()).encode()).hexdigest()
    key = f"tiles {software()} {contents}"
    kept = store.derived(key)
    if kept is not None:
        return kept
    layers = {}
    if ("forbidden-areas", "") in used:
        layers["water"] = water_areas(store.load("forbidden-areas", version=used["forbidden-areas", ""].id))
    if ("streets", "") in used:
        layers["streets"] = street_lines(
            store.load("streets", version=used["streets", ""].id, fields=("name", "street_class"))
        )
    parts = {level: used["areas", level] for level in LEVELS if ("areas", level) in used}
    tiers = {str(level): store.load("areas", level, version=v.id) for level, v in parts.items()}
    if tiers:
        layers |= {"borders": border_lines(tiers), "areas": area_names(tiers)}
    with tempfile.TemporaryDirectory(prefix="lamplight-") as folder:
        path = Path(folder) / "city.pmtiles"
        write_tiles(path, layers)
        made = path.read_bytes()
    store.keep_derived(key, made)
    return made


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


def run_inputs(used: Mapping[VersionKey, LayerVersion]) -> dict[str, str]:
    """Return what a run read: name -> content hash."""
    return {"/".join(filter(None, key)): used[key].content_sha256 for key in sorted(used)}


def _asked(question: CoverageQuestion, used: Mapping[VersionKey, LayerVersion]) -> Run:
    """Return the run that answers ``question``, without its answer."""
    inputs = run_inputs(used)
    if question.scenario is not None:
        content = canonical(question.changes)
        inputs[f"scenario/{question.scenario}"] = hashlib.sha256(content.encode()).hexdigest()
    return Run("coverage", question.parameters, inputs, software=software())


def used_versions(
    store: Store, wanted: Mapping[VersionKey, int] | None = None, *, unread: Collection[str]
) -> dict[VersionKey, LayerVersion]:
    """Return the layer versions a question reads: all that are active or ``wanted``, but those of ``unread`` layers.

    wanted : (layer, part) -> version id instead of the active one. Raises StoreError where one does not exist, or no
    streets have been imported.
    """
    used = store.current()
    by_id = {v.id: v for v in store.versions()}
    for key, number in (wanted or {}).items():
        version = by_id.get(number)
        if version is None or (version.layer, version.part) != key:
            name = " ".join(filter(None, key))
            raise StoreError(f"图层 {name} 没有版本 {number}", f"layer {name} has no version {number}")
        used[key] = version
    if ("streets", "") not in used:
        raise StoreError("尚未导入街道，无法计算", "no streets have been imported: there is nothing to measure")
    return {key: version for key, version in used.items() if key[0] not in unread}


def _same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return json.dumps(dict(one), sort_keys=True) == json.dumps(dict(other), sort_keys=True)


def unread_layers(question: CoverageQuestion, *, also: Collection[str] = ()) -> set[str]:
    """Return the layers a question of coverage does not read; ``also`` : those read by siting beside."""
    unread = {"all": set(), "service-points": {"rescue-stations"}, "rescue-stations": {"service-points"}}
    return unread[question.places] | (set() if question.on else {"roster"}) | (NOT_COVERAGE - set(also))
