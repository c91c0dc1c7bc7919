"""Where people are found now, as tables: by street, by cell and by area, corrected for where anyone looked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.network import Positions
from planner.areas_around import areas_of
from planner.hotspots.bandwidth import choose_bandwidth
from planner.hotspots.effort import PATROL_KMH, passes_by
from planner.hotspots.exploration import priorities
from planner.hotspots.exposure import Detection
from planner.hotspots.false_discovery import benjamini_hochberg
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.ground import Ground, ground_of, parts_of
from planner.hotspots.heat_density import heat_density
from planner.hotspots.local_statistics import QUADRANTS, local_g, local_moran, permuted_p
from planner.hotspots.neighbours import Links, tiling_neighbours
from planner.hotspots.network_density import network_density
from planner.hotspots.planar_density import planar_density_at
from planner.hotspots.question import MapQuestion
from planner.hotspots.rates import Rates
from planner.hotspots.records import Events, HotspotRecords, day_number, events_of
from planner.hotspots.street_rates import Watched, street_rates, watched
from planner.notes import Note
from planner.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
M_A_KM, M2_A_KM2 = 1_000.0, 1e6
#: Bandwidths in metres that cross-validation chooses from.
BANDWIDTHS_M = (50.0, 75.0, 100.0, 150.0, 200.0, 300.0)
#: Cells and local clusters are marked where false discoveries among them are at most this share.
LEVEL = 0.05
PATROL = CHANNELS.index("patrol")
#: Quadrants of local Moran in short.
SHORT = {"high-high": "HH", "low-low": "LL", "high-low": "HL", "low-high": "LH"}
#: Cells with less street than this count as if they had so much.
LEAST_KM = 0.05
AREA_COLUMNS = (
    "level", "code", "name", "street_m", "reports", "patrol_reports", "passive_reports", "walked_km", "state",
    "rate_week", "rate_low", "rate_high", "rate_km_week",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Streets:
    """What is known of the city's m segments; rates are of the n streets ``watch.segment``, as ``of`` (m,) finds them.

    passes : (m,) in the period. reports, by_patrol : (m,) on the nearest street.
    """

    watch: Watched
    rates: Rates
    detection: Detection
    of: Ints
    passes: Floats
    reports: Floats
    by_patrol: Floats

    def summed(self, segment: Ints, group: Ints, share: Floats, groups: int) -> Rates:
        """Return the rates of groups of parts of segments: part j is ``share`` of a segment, in a group."""
        street = self.of[segment]
        known = street >= 0
        at, rates = street[known], self.rates
        parts = Rates(rates.shape[at], rates.rate[at], rates.unknown[at], rates.count[at], rates.scale_sd)
        return parts.summed(group[known], groups, share[known])


def map_tables(
    records: HotspotRecords, question: MapQuestion, frame: Frame, watch: Watch
) -> tuple[dict[str, pd.DataFrame], list[Note]]:
    """Return "summary" (one row), "segments", "cells" and "areas", and notes.

    Rates are of people who can be found per week, with 90 % intervals; densities count reports of the period as they
    are. Raises QuestionError where there is nothing to map.
    """
    events, notes = events_of(records, frame)
    ground = ground_of(records, frame, events)
    watch.tell("rates")
    streets = _streets(records, question, frame, ground, events)
    watch.tell("density")
    bandwidth_m = question.bandwidth_m or _bandwidth(ground, events)
    density = _density(ground, events, question.split, bandwidth_m)
    segments = _segment_table(ground, streets, density)
    watch.tell("cells")
    cells = _cell_table(ground, events, streets, question, bandwidth_m)
    areas = _area_table(records, ground, events, streets, frame.within)
    summary = _summary(records, question, frame, ground, events, streets, segments, bandwidth_m)
    return {"summary": summary, "segments": segments, "cells": cells, "areas": areas}, [
        *notes, *_said(streets, bandwidth_m, events),
    ]  # fmt: skip


def _streets(records: HotspotRecords, question: MapQuestion, frame: Frame, ground: Ground, events: Events) -> _Streets:
    assert frame.first is not None and frame.last is not None
    network = ground.network
    months = parts_of(day_number(frame.first), day_number(frame.last))
    of = watched(network, ground.walkable, events, records.effort, months)
    rates, detection = street_rates(of, detectability=question.detectability)
    position = np.full(network.n_segments, -1)
    position[of.segment] = np.arange(len(of.segment))
    period = np.array([months[0], months[-1]])
    passes = passes_by(records.effort, network.n_segments, period, per_shift=False)[:, 0]
    on = events.at.segment
    counts = [np.bincount(on[(on >= 0) & mine], minlength=network.n_segments).astype(np.float64)
              for mine in (np.ones(len(events), bool), events.channel == PATROL)]  # fmt: skip
    return _Streets(of, rates, detection, position, passes, *counts)


def _bandwidth(ground: Ground, events: Events) -> float:
    """Return the bandwidth under which each report is best foretold by the others."""
    placed = events.at.segment >= 0
    if placed.sum() < 3:
        return BANDWIDTHS_M[-2]
    return choose_bandwidth(ground.network, events.at, np.ones(len(events)), BANDWIDTHS_M)[0]


def _density(ground: Ground, events: Events, split: str, bandwidth_m: float) -> Floats:
    """Return (l,) reports per metre of street."""
    if split == "heat":
        return heat_density(ground.network, events.at, None, ground.lixels, sigma_m=bandwidth_m / 2)
    return network_density(
        ground.network, events.at, None, ground.lixels, bandwidth_m=bandwidth_m, split=split,  # type: ignore[arg-type]
    )  # fmt: skip


def _segment_table(ground: Ground, streets: _Streets, density: Floats) -> pd.DataFrame:
    network, lixels, at = ground.network, ground.lixels, streets.watch.segment
    mass = np.bincount(lixels.segment, density * lixels.length_m, network.n_segments)
    length_m = network.length_m[at]
    service_s = np.maximum(length_m, 1.0) * 3.6 / PATROL_KMH
    worth = priorities(
        streets.rates, length_m, service_s, detectability=streets.detection.detectability, seed=0, exploration=0.0
    )
    return pd.DataFrame({
        "segment_id": network.segment_id[at], "length_m": length_m, "state": _state(streets.rates),
        "reports": streets.reports[at].astype(np.int64), "patrol_reports": streets.by_patrol[at].astype(np.int64),
        "passes": streets.passes[at],
        "density_km": np.divide(mass[at], length_m, out=np.zeros(len(at)), where=length_m > 0) * M_A_KM,
        "rate_week": streets.rates.mean, "rate_low": streets.rates.low, "rate_high": streets.rates.high,
        "per_minute": worth.expected,
    })  # fmt: skip


def _state(rates: Rates) -> NDArray[np.object_]:
    return np.where(rates.state == "none_found", "none", rates.state).astype(object)


def _cell_table(
    ground: Ground, events: Events, streets: _Streets, question: MapQuestion, bandwidth_m: float
) -> pd.DataFrame:
    cells, lixels, n = ground.cells, ground.lixels, len(ground.cells)
    used = cells.lixel_cell >= 0
    segment, cell = lixels.segment[used].astype(np.int64), cells.lixel_cell[used]
    parts = pd.DataFrame({"segment": segment, "cell": cell, "metres": lixels.length_m[used]})
    parts = parts.groupby(["segment", "cell"], as_index=False).sum()
    on, of = parts["segment"].to_numpy(), parts["cell"].to_numpy()
    share = parts["metres"].to_numpy() / ground.network.length_m[on]
    rates = streets.summed(on, of, share, n)
    at = cells.around(events.x, events.y)
    reports, by_patrol = (np.bincount(at[mine & (at >= 0)], minlength=n)
                          for mine in (np.ones(len(events), bool), events.channel == PATROL))  # fmt: skip
    x, y = cells.tiling.centre(cells.column, cells.row)
    wide_m = max(bandwidth_m, cells.tiling.size_m)  # else reports between centres would not be seen
    table = pd.DataFrame({
        "column": cells.column, "row": cells.row, "street_m": cells.street_m, "reports": reports,
        "patrol_reports": by_patrol,
        "walked_km": ground.per_cell(streets.passes * ground.network.length_m) / M_A_KM,
        **_rate_columns(rates, reports),
        "density_km2": planar_density_at(events.x, events.y, None, x, y, bandwidth_m=wide_m) * M2_A_KM2,
    })  # fmt: skip
    return table.assign(**_clusters(ground, table, question))


def _rate_columns(rates: Rates, reports: NDArray[np.int64]) -> dict[str, Any]:
    """Return state and rate of cells or areas; where nothing is known of a rate, there is none."""
    state = np.where(rates.unknown, "unknown", np.where(reports > 0, "found", "none")).astype(object)
    nothing = ~np.isfinite(rates.rate)
    mean, low, high = (np.where(nothing, np.nan, of) for of in (rates.mean, rates.low, rates.high))
    return {"state": state, "rate_week": mean, "rate_low": low, "rate_high": high}


def _clusters(ground: Ground, cells: pd.DataFrame, question: MapQuestion) -> dict[str, Any]:
    """Return Gi* and local Moran of the cells whose rate per kilometre of street is known, with pseudo p and q.

    Without any patrol on record all rates are unknown, and reports per kilometre stand for them.
    """
    n, street_km = len(cells), cells["street_m"].to_numpy() / M_A_KM
    known = (cells["state"] != "unknown").to_numpy() & (street_km > 0)
    held = cells["rate_week"].to_numpy()
    if not known.any():
        known, held = street_km > 0, cells["reports"].to_numpy(np.float64)
    links: Links = tiling_neighbours(ground.cells.column[known], ground.cells.row[known], ground.cells.tiling.kind)
    value = held[known] / np.maximum(street_km[known], LEAST_KM)
    moran = local_moran(value, *links)
    p_g, p_m = (
        permuted_p(value, *links, statistic, question.permutations, question.seed) for statistic in ("g_star", "moran")
    )
    quadrant = np.array([SHORT.get(name, "") for name in QUADRANTS], object)[moran.quadrant]
    z, q_m = local_g(value, *links), benjamini_hochberg(p_m)
    made = {"gi_z": z, "gi_p": p_g, "gi_q": benjamini_hochberg(p_g)}
    made |= {"moran_i": moran.value, "moran_p": p_m, "moran_q": q_m}
    columns: dict[str, Any] = {}
    for name, of in made.items():
        whole = np.full(n, np.nan)
        whole[known] = of
        columns[name] = whole
    hot, kind = np.zeros(n, bool), np.full(n, "", object)
    hot[known] = (made["gi_q"] <= LEVEL) & (z > 0)
    kind[known] = np.where(q_m <= LEVEL, quadrant, "")
    return {**columns, "hot": hot, "moran_class": kind}


def _area_table(
    records: HotspotRecords, ground: Ground, events: Events, streets: _Streets, asked: tuple[str, ...]
) -> pd.DataFrame:
    """Return a row an area of every tier, with street in the areas ``asked`` about where any are."""
    city, network, lixels = records.city, ground.network, ground.lixels
    around = areas_of(city.pieces, Positions(lixels.segment, (lixels.from_m + lixels.to_m) / 2, np.zeros(len(lixels))))
    length_m = lixels.length_m
    on = lixels.segment.astype(np.int64)
    tables = []
    for tier in city.tiers:
        of, n = around[tier.level].astype(np.int64), len(tier)
        inside = (of >= 0) & ground.walkable[on]
        street_m = np.bincount(of[inside], length_m[inside], n)
        walked = np.bincount(of[inside], (length_m * streets.passes[on])[inside], n) / M_A_KM
        rates = streets.summed(on[inside], of[inside], (length_m / network.length_m[on])[inside], n)
        area = events.area[tier.level]
        by = [np.bincount(area[(area >= 0) & mine], minlength=n)
              for mine in (np.ones(len(events), bool), events.channel == PATROL)]  # fmt: skip
        rate = _rate_columns(rates, by[0])
        per_km = np.divide(rate["rate_week"], street_m / M_A_KM, out=np.full(n, np.nan), where=street_m > 0)
        tables.append(pd.DataFrame({
            "level": tier.level, "code": tier.code, "name": tier.name, "street_m": street_m, "reports": by[0],
            "patrol_reports": by[1], "passive_reports": by[0] - by[1], "walked_km": walked, **rate,
            "rate_km_week": per_km,
        }))  # fmt: skip
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(AREA_COLUMNS))
    here = (table["street_m"] > 0).to_numpy() | (not asked)  # of areas beside those asked about nothing is said
    return table[here].reset_index(drop=True)


def _summary(
    records: HotspotRecords, question: MapQuestion, frame: Frame, ground: Ground, events: Events, streets: _Streets,
    segments: pd.DataFrame, bandwidth_m: float,
) -> pd.DataFrame:  # fmt: skip
    every = np.zeros(len(streets.watch.segment), np.int64)
    whole = streets.rates.summed(every, 1)
    by_patrol = int((events.channel == PATROL).sum())
    length_m = segments["length_m"]
    low, high = streets.detection.interval()
    return pd.DataFrame({
        "first": [str(frame.first)], "last": [str(frame.last)], "reports": [len(events)], "patrol_reports": [by_patrol],
        "passive_reports": [len(events) - by_patrol], "off_street": [int((events.at.segment < 0).sum())],
        "street_m": [length_m.sum()], "looked_m": [length_m[segments["passes"] > 0].sum()],
        "walked_km": [float((segments["passes"] * length_m).sum()) / M_A_KM],
        "unknown_m": [length_m[segments["state"] == "unknown"].sum()], "bandwidth_m": [bandwidth_m],
        "split": [question.split], "detectability": [streets.detection.detectability], "detectability_low": [low],
        "detectability_high": [high], "told_share": [streets.detection.told_share],
        "expected_week": [float(whole.mean[0])], "low_week": [float(whole.low[0])], "high_week": [float(whole.high[0])],
    })  # fmt: skip


def _said(streets: _Streets, bandwidth_m: float, events: Events) -> list[Note]:
    notes = []
    if bandwidth_m == BANDWIDTHS_M[-1]:
        zh, en = f"带宽取所试的最大值 {bandwidth_m:g} 米", f"the bandwidth is the widest tried, {bandwidth_m:g} m"
        notes.append(Note("bandwidth-edge", f"{zh}（--bandwidth-m 可另定）", f"{en} (--bandwidth-m sets another)"))
    if (events.people > 1).any():
        zh = "一份报告计一次发现，不论其中几人"
        notes.append(Note("finds", zh, "a report counts as one find, however many people it speaks of"))
    if not streets.watch.passes.any():
        zh = "没有巡查量记录：不知道哪里有人看过，人数只是由报告推测"
        notes.append(Note("no-effort", zh, "no patrol is on record: where anyone looked is unknown, rates are guesses"))
    elif streets.detection.guessed:
        zh = "报告不足以估计巡查发现概率，采用通常值"
        en = "too few reports tell how well patrols see: a usual value is taken"
        notes.append(Note("detectability-guessed", zh, en))
    if lost := streets.watch.unrecorded:
        zh = f"有的月份有巡查发现却没有巡查量记录，这些月份的 {lost:,} 份报告推算人数时未计入"
        en = f"{lost:,} reports of months in which patrols found people and none is on record are left out of rates"
        notes.append(Note("unrecorded-months", zh, en))
    return notes
