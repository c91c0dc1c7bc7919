"""One city and one question as arrays: who is to be served, from which columns, in how many seconds."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from gis.errors import QuestionError
from gis.modes import travel_by
from gis.reach import time_matrix
from gis.search_graph import SearchGraph
from planner.areas_around import areas_of
from planner.coverage_access import dwellings_of, places_along
from planner.coverage_inputs import CoverageInputs, Placed, select, together
from planner.coverage_reach import graph_of
from planner.demand import AreaTier, SpreadPeople, spread_totals
from planner.notes import Note
from planner.siting.cover_sets import CoverSets, merge_cover_sets
from planner.siting.question import SitingQuestion
from planner.siting.sites import Sites

UNITS = {"people": "people", "reports": "reports", "streets": "metres"}
#: Pairs of column and demand beyond which candidates are thinned: about 2.5 GB on the way to a model.
MOST_PAIRS = 60_000_000
#: The same where demand is assigned within capacities: every step of that method goes through all pairs.
MOST_ASSIGNED = 10_000_000
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

    def pairs(self, *, hour: int | None = None, pace: float = 1.0) -> csr_array:
        """Return (s, f * d) the seconds of every column to every place it serves within the time limit.

        Places stand once for each of the f functions asked for (once if none is), one function after the other.
        hour : of the week, instead of the one asked about. pace : how many times slower people walk.
        """
        functions = self.question.functions or (None,)
        seconds = self.seconds.data * pace
        site = np.repeat(np.arange(len(self.sites)), np.diff(self.seconds.indptr))
        kept = [(seconds <= self.question.limit_s) & self.sites.offering(f, hour)[site] for f in functions]
        place = np.concatenate([self.seconds.indices[k] + i * len(self.demand) for i, k in enumerate(kept)])
        served = (np.concatenate([site[k] for k in kept]), place)
        made = csr_array(
            (np.concatenate([seconds[k] for k in kept]), served),
            shape=(len(self.sites), len(functions) * len(self.demand)),
        )
        made.sort_indices()
        return made

    @property
    def weights(self) -> NDArray[np.float64]:
        """(f * d,) the weight of each place for each function: all functions together count a place once."""
        count = max(len(self.question.functions), 1)
        return np.tile(self.demand.weight / count, count)

    def area(self, level: str) -> NDArray[np.int32]:
        """Return (f * d,) the area of each place for each function."""
        return np.tile(self.demand.area[level], max(len(self.question.functions), 1))

    def tier(self, level: str) -> AreaTier:
        """Return the areas of one level. Raises QuestionError if none were imported."""
        for tier in self.city.tiers:
            if tier.level == level:
                return tier
        raise QuestionError(f"尚未导入该层级的辖区：{level}", f"no areas of level {level} have been imported")

    def districts(self) -> tuple[NDArray[np.int32], int]:
        """Return (s,) the district each column lies in (-1 for none), and how many districts there are."""
        tier = next((t for t in self.city.tiers if t.level == "district"), None)
        if tier is None:
            return np.full(len(self.sites), -1, np.int32), 0
        return areas_of(self.city.pieces, self.sites.positions)["district"], len(tier)

    def cover_sets(self, pairs: csr_array) -> CoverSets:
        """Return who covers whom by ``pairs``."""
        return merge_cover_sets(pairs.indptr.astype(np.int64), pairs.indices.astype(np.int32), self.weights)


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
    most = MOST_ASSIGNED if question.problem in ("capacitated", "cpmedian") else MOST_PAIRS
    if pairs <= most:
        return sites, []
    every = int(np.ceil(pairs / most))
    kept = sites.existing | (np.arange(len(sites)) % every == 0)
    left, given = int(kept.sum()) - sites.n_existing, len(sites) - sites.n_existing
    said = Note(
        "candidates-thinned",
        f"候选点过多，每 {every} 个取 1 个：{given:,} 个中取 {left:,} 个（缩短时限或限定区域可全部采用）",
        f"too many candidates: one of every {every} was taken, {left:,} of {given:,} "
        "(a shorter time or a smaller area takes all)",
    )
    return sites.take(kept), [said]
