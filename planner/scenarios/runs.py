"""What a scenario changes, at once: the city stays in memory, and one search starts from the points that then count."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from threading import Lock
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.search_graph import SearchGraph
from layers.codes import Level, level_of
from layers.run import Run
from layers.store import Store
from planner.comparison import compare_coverage
from planner.coverage import CoverageInputs, CoverageQuestion, measure_gaps, spread_people
from planner.coverage_inputs import HelpPoints, select
from planner.coverage_reach import choose_points, graph_of, within
from planner.loading import CityLoader
from planner.runs import run_inputs, software, unread_layers, used_versions

Floats: TypeAlias = NDArray[np.float64]
#: Cities kept in memory at a time: one a way of moving.
KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """Whom points reach in one area: people and street metres there are, and within each threshold (t,)."""

    people: float
    street_m: float
    covered_people: Floats
    covered_street_m: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _City:
    """A city ready to be searched: people_per_m (p,) along each piece."""

    inputs: CoverageInputs
    graph: SearchGraph
    people_per_m: Floats


class WhatIf:
    """Answers whom points would reach, and whom not, without keeping a run; what is slow to load stays in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._cities: OrderedDict[str, _City] = OrderedDict()

    def reached(self, question: CoverageQuestion, area_code: str) -> Reached:
        """Return whom the points of ``question`` reach in one area.

        Raises StoreError if no streets have been imported, QuestionError on a scenario that no longer fits the points.
        """
        city, points = self._city(question)
        inputs, pieces = city.inputs, city.inputs.pieces
        sources = select(points.positions, choose_points(points, question).position)
        piece = (pieces.segment, pieces.from_m, pieces.to_m)
        found = within(city.graph, sources, inputs.homes, piece, city.people_per_m, question.thresholds_s)
        on_piece, at_home = _inside(inputs, area_code)
        per_m, metres = city.people_per_m[on_piece], found.metres[on_piece]
        length = (pieces.to_m - pieces.from_m)[on_piece]
        return Reached(
            people=float(inputs.homes.weight[at_home].sum() + per_m @ length),
            street_m=float(length.sum()),
            covered_people=found.home_people[at_home].sum(axis=0) + per_m @ metres,
            covered_street_m=metres.sum(axis=0),
        )

    def gaps(self, question: CoverageQuestion, area_code: str) -> pd.DataFrame:
        """Return the rows of one area in the table "gaps" that a run of ``question`` has. Raises as ``reached``."""
        city, points = self._city(question)
        table = measure_gaps(replace(city.inputs, points=points), question, city.people_per_m)
        return table[table["code"] == area_code] if len(table) else table

    def _city(self, question: CoverageQuestion) -> tuple[_City, HelpPoints]:
        """Return the city of ``question``, from memory where it is there, and the points as the question has them."""
        used = used_versions(self._store, unread=unread_layers(question))
        bare = replace(question, scenario=None, changes=(), function=None, at=None)
        mark = repr((sorted(run_inputs(used).items()), sorted(bare.parameters.items(), key=str)))
        with self._lock:
            city = self._cities.get(mark) or self._load(mark, bare)
            self._cities.move_to_end(mark)
        loader = CityLoader(self._store, used, question, software(), lambda step: None)
        return city, loader.points(city.inputs.network)

    def _load(self, mark: str, question: CoverageQuestion) -> _City:
        used = used_versions(self._store, unread=unread_layers(question))
        inputs = CityLoader(self._store, used, question, software(), lambda step: None).load()
        made = _City(inputs, graph_of(inputs.network, question), spread_people(inputs, question).per_m)
        self._cities[mark] = made
        while len(self._cities) > KEPT:
            self._cities.popitem(last=False)
        return made


def _inside(inputs: CoverageInputs, area_code: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pieces of street (p,) and homes (h,) lie in an area; all of them in the city's."""
    level = level_of(area_code)
    if level == Level.CITY:
        return np.ones(len(inputs.pieces), bool), np.ones(len(inputs.homes), bool)
    tier = next((tier for tier in inputs.tiers if tier.level == str(level)), None)
    if tier is None or area_code not in tier.code:  # an area without boundaries holds nothing
        return np.zeros(len(inputs.pieces), bool), np.zeros(len(inputs.homes), bool)
    number = int(np.flatnonzero(tier.code == area_code)[0])
    return inputs.pieces.area[tier.level] == number, inputs.homes.area[tier.level] == number


def gains_and_losses(before: Run, after: Run) -> dict[str, pd.DataFrame]:
    """Return what ``after`` changes against ``before``, two coverage runs as their reader sees them.

    Tables as ``planner.comparison.compare_coverage`` gives them, and "segments": of the streets with other metres
    covered, segment_id, name and change_covered_street_m_<t>. Raises QuestionError on runs that cannot be compared.
    """
    tables = compare_coverage(before, after)
    thresholds = before.parameters["thresholds_s"]
    covered = [f"covered_m_{t}" for t in thresholds]
    old, new = (run.tables["segments"].set_index("segment_id") for run in (before, after))
    both = old.index.intersection(new.index, sort=False)
    change = new.loc[both, covered] - old.loc[both, covered]
    change.columns = pd.Index([f"change_covered_street_m_{t}" for t in thresholds])
    changed = change[(change.abs() > 0.5).any(axis=1)]
    return {**tables, "segments": changed.assign(name=new.loc[changed.index, "name"]).reset_index()}
