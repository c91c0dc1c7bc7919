"""What a plan changes, measured exactly: people, streets and reports within reach before and after."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions
from gis.reach import covered_metres, nearest, segment_times
from planner.area_statistics import sum_by
from planner.coverage_inputs import select
from planner.coverage_reach import reached_weight, seconds_to
from planner.siting.case import Case

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Reach:
    """One state of the city: (p,) metres covered, (h,) people at home and (r,) reports reached, (m,) longest times."""

    covered_m: Floats
    home: Floats
    report: Floats
    longest_s: Floats


def effect_tables(case: Case, open_: NDArray[np.int64]) -> dict[str, pd.DataFrame]:
    """Return tables "areas", "totals" and "segments" with figures before and after ``open_`` replaces what stands.

    Where several functions are asked for, a figure is the mean over them. Times are to the nearest point of any of
    them, NaN where none is reached.
    """
    before, after = _reach(case, np.arange(case.sites.n_existing)), _reach(case, open_)
    pieces, city = case.city.pieces, case.city
    metres = pieces.to_m - pieces.from_m
    tables = []
    for tier in city.tiers:
        groups = (pieces.area[tier.level], city.homes.area[tier.level], city.reports.area[tier.level])
        named = pd.DataFrame({"code": tier.code, "name": tier.name, "level": np.full(len(tier), tier.level, object)})
        tables.append(pd.concat([named, _figures(case, metres, groups, len(tier), before, after)], axis=1))
    whole = tuple(np.zeros(len(of), np.int32) for of in (metres, city.homes.weight, city.reports.weight))
    totals = _figures(case, metres, whole, 1, before, after)
    none = pd.DataFrame({name: np.empty(0, object) for name in ("code", "name", "level")})
    areas = pd.concat(tables, ignore_index=True) if tables else pd.concat([none, totals.iloc[:0]], axis=1)
    return {"areas": areas, "totals": totals, "segments": _segments(case, before, after)}


def _reach(case: Case, open_: NDArray[np.int64]) -> _Reach:
    """Measure one state, averaged over the functions asked for."""
    functions = case.question.functions or (None,)
    states = []
    for function in functions:
        chosen = open_[case.sites.offering(function)[open_]]
        states.append(_one(case, select(case.sites.positions, chosen)))
    return _Reach(
        np.mean([s.covered_m for s in states], axis=0),
        np.mean([s.home for s in states], axis=0),
        np.mean([s.report for s in states], axis=0),
        np.min([s.longest_s for s in states], axis=0),
    )


def _one(case: Case, sources: Positions) -> _Reach:
    city, pieces, limit = case.city, case.city.pieces, case.question.coverage.thresholds_s
    near = nearest(case.graph, sources)
    covered = covered_metres(case.graph, sources, near, pieces.segment, pieces.from_m, pieces.to_m, limit)[:, 0]
    home = reached_weight(seconds_to(case.graph, sources, near, city.homes), city.homes.weight, limit)[:, 0]
    report = reached_weight(seconds_to(case.graph, sources, near, city.reports), city.reports.weight, limit)[:, 0]
    return _Reach(covered, home, report, segment_times(case.graph, sources, near).longest_s)


def _figures(
    case: Case,
    metres: Floats,
    groups: tuple[NDArray[np.int32], ...],
    n: int,
    before: _Reach,
    after: _Reach,
) -> pd.DataFrame:
    """Return the columns of figures for ``n`` groups of pieces, homes and reports."""
    of_piece, of_home, of_report = groups
    per_m, homes, reports = case.spread.per_m, case.city.homes.weight, case.city.reports.weight
    columns: dict[str, Floats] = {
        "people": sum_by(of_home, n, homes) + sum_by(of_piece, n, metres * per_m),
        "street_m": sum_by(of_piece, n, metres),
        "reports": sum_by(of_report, n, reports),
    }
    for name, state in (("before", before), ("after", after)):
        people = sum_by(of_home, n, state.home) + sum_by(of_piece, n, state.covered_m * per_m)
        columns[f"people_{name}"] = np.minimum(people, columns["people"])
        columns[f"street_m_{name}"] = np.minimum(sum_by(of_piece, n, state.covered_m), columns["street_m"])
        columns[f"reports_{name}"] = sum_by(of_report, n, state.report)
    order = [f"{what}{when}" for what in ("people", "street_m", "reports") for when in ("", "_before", "_after")]
    return pd.DataFrame({name: columns[name] for name in order})


def _segments(case: Case, before: _Reach, after: _Reach) -> pd.DataFrame:
    network, pieces = case.city.network, case.city.pieces
    table: dict[str, NDArray[np.generic]] = {"segment_id": network.segment_id, "length_m": network.length_m}
    for name, state in (("before", before), ("after", after)):
        table[f"{name}_m"] = np.minimum(sum_by(pieces.segment, network.n_segments, state.covered_m), network.length_m)
    for name, state in (("before", before), ("after", after)):
        table[f"longest_{name}_s"] = np.where(np.isfinite(state.longest_s), state.longest_s, np.nan)
    return pd.DataFrame(table)
