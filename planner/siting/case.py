"""One city and one question as arrays: who is to be served, from which columns, in how many seconds."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.modes import travel_by
from gis.reach import time_matrix
from gis.search_graph import SearchGraph
from planner.coverage_access import dwellings_of, places_along
from planner.coverage_inputs import CoverageInputs, Placed, select, together
from planner.coverage_reach import graph_of
from planner.demand import SpreadPeople, spread_totals
from planner.notes import Note
from planner.siting.cover_sets import CoverSets, merge_cover_sets
from planner.siting.question import SitingQuestion
from planner.siting.sites import Sites

UNITS = {"people": "people", "reports": "reports", "streets": "metres"}
#: Pairs of column and demand beyond which candidates are thinned: about 2.5 GB on the way to a model.
MOST_PAIRS = 60_000_000
#: Columns whose pairs are counted to foresee how many there will be.
SAMPLED = 200


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A siting question of a city, ready to be solved.

    demand : d places and their weight in ``unit`` ("people", "reports" a week, "metres" of street, or "share" of a
    mix). seconds : (s, d) within the time limit. spread : people known by totals, along the streets.
    """

    question: SitingQuestion
    city: CoverageInputs
    sites: Sites
    demand: Placed
    unit: str
    graph: SearchGraph
    seconds: csr_array
    spread: SpreadPeople
    notes: tuple[Note, ...]

    @property
    def total(self) -> float:
        """All demand."""
        return float(self.demand.weight.sum())

    def cover_sets(
        self, *, hour: int | None = None, pace: float = 1.0, weight: NDArray[np.float64] | None = None
    ) -> CoverSets:
        """Return the cover sets at the time limit.

        Several functions stand side by side: each counts by itself, a place's weight divided among them. hour : of the
        week, instead of the one asked about. pace : how many times slower people walk. weight : (d,) instead of the
        demand's own.
        """
        functions = self.question.functions or (None,)
        site, place = self._pairs(pace)
        sites, places = [], []
        for i, function in enumerate(functions):
            kept = self.sites.offering(function, hour)[site]
            sites.append(site[kept])
            places.append(place[kept] + i * len(self.demand))
        own = self.demand.weight if weight is None else weight
        pairs = csr_array(
            (np.ones(sum(map(len, sites)), np.int8), (np.concatenate(sites), np.concatenate(places))),
            shape=(len(self.sites), len(functions) * len(self.demand)),
        )
        return merge_cover_sets(
            pairs.indptr.astype(np.int64), pairs.indices.astype(np.int32), np.tile(own / len(functions), len(functions))
        )

    def _pairs(self, pace: float) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        within = self.seconds.data * pace <= self.question.limit_s
        site = np.repeat(np.arange(len(self.sites), dtype=np.int32), np.diff(self.seconds.indptr))
        return site[within], self.seconds.indices[within].astype(np.int32)


def case_of(
    city: CoverageInputs, question: SitingQuestion, sites: Sites, report_weeks: float, notes: list[Note]
) -> Case:
    """Place the question on the network.

    sites : existing points and candidates. report_weeks : how many weeks the discovery reports span.
    """
    walkable = np.isfinite(travel_by(city.network, "walk").seconds_per_m)
    spread = spread_totals(
        city.tiers, city.pieces, walkable, city.total_code, city.total_people, city.homes.weight, city.homes.area,
        spread=question.coverage.spread,
    )  # fmt: skip
    demand, unit = _demand(city, question, spread, walkable, report_weeks)
    graph = graph_of(city.network, question.coverage)
    sites, thinning = _thinned(graph, sites, demand, question)
    seconds = time_matrix(graph, sites.positions, demand.positions, question.limit_s)
    return Case(
        question, city, sites, demand, unit, graph, seconds, spread, (*city.notes, *spread.notes, *notes, *thinning)
    )


def _demand(
    city: CoverageInputs,
    question: SitingQuestion,
    spread: SpreadPeople,
    walkable: NDArray[np.bool_],
    report_weeks: float,
) -> tuple[Placed, str]:
    """Return the places to serve and their unit; those without weight are left out."""
    kinds = []
    for kind, _ in question.demand:
        if kind == "people":
            kinds.append(dwellings_of(city, spread.per_m))
        elif kind == "reports":
            kinds.append(replace(city.reports, weight=city.reports.weight / report_weeks))
        else:
            kinds.append(places_along(city.pieces, walkable[city.pieces.segment].astype(np.float64)))
    if len(kinds) == 1:
        return _with_weight(kinds[0]), UNITS[question.demand[0][0]]

    whole = sum(weight for _, weight in question.demand)
    shares = [
        replace(of, weight=of.weight * (weight / whole / max(float(of.weight.sum()), 1e-300)))
        for of, (_, weight) in zip(kinds, question.demand, strict=True)
    ]
    return _with_weight(together(shares)), "share"


def _with_weight(places: Placed) -> Placed:
    kept = places.weight > 0
    area = {level: of[kept] for level, of in places.area.items()}
    return Placed(places.weight[kept], select(places.positions, kept), area)


def _thinned(graph: SearchGraph, sites: Sites, demand: Placed, question: SitingQuestion) -> tuple[Sites, list[Note]]:
    """Leave out every so many candidates where all of them would make more pairs than a machine holds."""
    step = max(1, len(sites) // SAMPLED)
    sample = np.arange(len(sites)) % step == 0
    pairs = time_matrix(graph, sites.take(sample).positions, demand.positions, question.limit_s).nnz * step
    if pairs <= MOST_PAIRS:
        return sites, []
    every = int(np.ceil(pairs / MOST_PAIRS))
    kept = sites.existing | (np.arange(len(sites)) % every == 0)
    left, given = int(kept.sum()) - sites.n_existing, len(sites) - sites.n_existing
    said = Note(
        "candidates-thinned",
        f"候选点过多，每 {every} 个取 1 个：{given:,} 个中取 {left:,} 个（缩短时限或限定区域可全部采用）",
        f"too many candidates: one of every {every} was taken, {left:,} of {given:,} "
        "(a shorter time or a smaller area takes all)",
    )
    return sites.take(kept), [said]
