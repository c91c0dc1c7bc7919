"""Coverage rolled up: one row for every area of every tier and grid cell, the city's totals, and what lies outside."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import RecordError
from layers.codes import parent_of
from planner.area_statistics import WeightedTimes, sum_by, time_statistics
from planner.demand import AreaTier

Floats = NDArray[np.float64]
Groups = NDArray[np.int32]
QUANTILES = {"median_s": 0.5, "p95_s": 0.95}


@dataclass(frozen=True, slots=True, eq=False)
class AreaMeasures:
    """What is rolled up, before any area is looked at. t thresholds, p pieces, h homes, r reports, s dwellings.

    metres, covered_m : (p,), (p, t) street. people_per_m : (p,) people spread along it.
    home_people, home_covered : (h,), (h, t). report_weight, report_covered : (r,), (r, t).
    timed_homes, timed_streets : what times are averaged over; ``item`` is the home, the piece.
    dwelling_people, dwelling_access : (s,) people and their access score where access is measured.
    homes, pieces, reports, dwellings : per level, the area of each; their tiers are the keys.
    """

    thresholds_s: tuple[int, ...]
    metres: Floats
    covered_m: Floats
    people_per_m: Floats
    home_people: Floats
    home_covered: Floats
    report_weight: Floats
    report_covered: Floats
    timed_homes: WeightedTimes
    timed_streets: WeightedTimes
    dwelling_people: Floats
    dwelling_access: Floats
    homes: dict[str, Groups]
    pieces: dict[str, Groups]
    reports: dict[str, Groups]
    dwellings: dict[str, Groups]
    population_given: bool


def area_table(measures: AreaMeasures, tiers: tuple[AreaTier, ...]) -> pd.DataFrame:
    """Return one row per area, coarsest tier first, in the order of ``tiers``."""
    tables = []
    for tier in tiers:
        groups = tuple(of[tier.level] for of in (measures.pieces, measures.homes, measures.reports, measures.dwellings))
        columns = _summary(measures, groups, len(tier))  # type: ignore[arg-type]
        note_zh, note_en = _area_notes(columns, measures.population_given)
        known = {
            "code": tier.code,
            "name": tier.name,
            "level": np.full(len(tier), tier.level, object),
            "parent": np.array([_parent(code) for code in tier.code], object),
        }
        tables.append(pd.DataFrame({**known, **columns, "note_zh": note_zh, "note_en": note_en}))
    return pd.concat(tables, ignore_index=True) if tables else _no_areas(measures)


def _no_areas(measures: AreaMeasures) -> pd.DataFrame:
    """Return the table of a city without areas: every column, no row."""
    words = ("code", "name", "level", "parent", "note_zh", "note_en")
    figures = total_table(measures).iloc[:0]
    return pd.concat([pd.DataFrame({w: np.empty(0, object) for w in words[:4]}), figures], axis=1).assign(
        **{w: np.empty(0, object) for w in words[4:]}
    )


def total_table(measures: AreaMeasures) -> pd.DataFrame:
    """Return the single row of the whole network, inside areas or not."""
    sizes = (measures.metres, measures.home_people, measures.report_weight, measures.dwelling_people)
    groups = tuple(np.zeros(len(a), np.int32) for a in sizes)
    return pd.DataFrame(_summary(measures, groups, 1))  # type: ignore[arg-type]


def level_table(measures: AreaMeasures, tiers: tuple[AreaTier, ...]) -> pd.DataFrame:
    """Return per level what lies inside its areas and what lies outside all of them; the two add up to the total."""
    rows = []
    people_m = measures.metres * measures.people_per_m
    for tier in tiers:
        row: dict[str, object] = {"level": tier.level, "areas": len(tier)}
        for name, of, weight in (
            ("street_m", measures.pieces, measures.metres),
            ("reports", measures.reports, measures.report_weight),
        ):
            row[name] = float(weight[of[tier.level] >= 0].sum())
            row[f"{name}_outside"] = float(weight[of[tier.level] < 0].sum())
        in_home, in_piece = measures.homes[tier.level] >= 0, measures.pieces[tier.level] >= 0
        row["people"] = float(measures.home_people[in_home].sum() + people_m[in_piece].sum())
        row["people_outside"] = float(measures.home_people[~in_home].sum() + people_m[~in_piece].sum())
        rows.append(row)
    return pd.DataFrame(rows)


def _summary(
    measures: AreaMeasures, groups: tuple[Groups, Groups, Groups, Groups], n: int
) -> dict[str, NDArray[np.generic]]:
    """Return the columns of figures for ``n`` groups of pieces, homes, reports and dwellings."""
    of_piece, of_home, of_report, of_dwelling = groups
    people = sum_by(of_home, n, measures.home_people)
    people += sum_by(of_piece, n, measures.metres * measures.people_per_m)
    street = sum_by(of_piece, n, measures.metres)
    reports = sum_by(of_report, n, measures.report_weight)
    times, group = _joined(measures, of_home, of_piece)
    stats = time_statistics(group, n, times, tuple(QUANTILES.values()))
    columns: dict[str, NDArray[np.generic]] = {"people": people, "street_m": street, "reports": reports}
    columns["mean_s"] = stats.mean_s
    columns.update(zip(QUANTILES, stats.quantile_s, strict=True))
    # without population, times are over metres: then nobody is known to be unreached
    columns["unreached_people"] = stats.unreached if measures.population_given else np.zeros(n)
    for i, t in enumerate(measures.thresholds_s):
        covered = sum_by(of_home, n, measures.home_covered[:, i])
        covered += sum_by(of_piece, n, measures.covered_m[:, i] * measures.people_per_m)
        columns[f"covered_people_{t}"] = np.minimum(covered, people)
        columns[f"covered_street_m_{t}"] = np.minimum(sum_by(of_piece, n, measures.covered_m[:, i]), street)
        columns[f"covered_reports_{t}"] = sum_by(of_report, n, measures.report_covered[:, i])
    weight = sum_by(of_dwelling, n, measures.dwelling_people)
    score = sum_by(of_dwelling, n, measures.dwelling_people * measures.dwelling_access)
    columns["access"] = np.divide(score, weight, out=np.full(n, np.nan), where=weight > 0)
    return columns


def _joined(measures: AreaMeasures, of_home: Groups, of_piece: Groups) -> tuple[WeightedTimes, Groups]:
    """Return homes and parts of streets as one set of weighted times, with the group of each."""
    a, b = measures.timed_homes, measures.timed_streets
    times = WeightedTimes(
        *(np.concatenate([getattr(a, f), getattr(b, f)]) for f in ("item", "weight", "start_s", "end_s"))
    )
    return times, np.concatenate([of_home[a.item], of_piece[b.item]])


def _area_notes(
    columns: dict[str, NDArray[np.generic]], population_given: bool
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    empty = (columns["people"] == 0) & population_given
    bare = columns["street_m"] == 0
    cut_off = ~empty & ~bare & np.isnan(columns["mean_s"].astype(np.float64))
    zh, en = np.full(len(empty), "", object), np.full(len(empty), "", object)
    for where, in_zh, in_en in (
        (bare, "没有街道", "no street"),
        (empty, "无人居住", "nobody lives here"),
        (cut_off, "没有可到达的服务点", "no point can be reached"),
    ):
        zh[where] = [f"{said}；{in_zh}" if said else in_zh for said in zh[where]]
        en[where] = [f"{said}; {in_en}" if said else in_en for said in en[where]]
    return zh, en


def _parent(code: str) -> str:
    try:
        return parent_of(code) or ""
    except RecordError:
        return ""
