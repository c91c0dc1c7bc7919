"""Two years of discovery reports in the demo city, made the way real ones are: truth x effort, then chance.

People who need help are found at a true rate per street, clustered round stations, underpasses, parks and markets,
each with its season and hours. Patrols walk some streets far more than others and find a person with a chance that
saturates with their passes; of those they miss, passers-by report a few. Truth and effort are kept beside the reports.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.plan import PARK, Floats, Ints, Plan
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.segments import Streets
from layers.demo_city.tiers import Tiers

SHIFTS = ("night", "day", "evening")
SHIFT_HOURS = {"night": range(6), "day": range(6, 18), "evening": range(18, 24)}
CHANNELS = ("patrol", "hotline", "public")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the process gives. reports : the layer ``reports``, in order of time.

    tracks : patrol effort, one row per segment and month walked: segment_id, month (its first day), passes_night,
    passes_day, passes_evening, walked_m. true_rate : per segment, people who could be found there per week (per_week)
    and how many of them by each kind of place.
    """

    reports: gpd.GeoDataFrame
    tracks: pd.DataFrame
    true_rate: pd.DataFrame


def find_people(
    plan: Plan,
    streets: Streets,
    tiers: Tiers,
    outline: Any,
    ground: Ground,
    size: SizeRecipe,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Found:
    """Make true rates, patrol effort and the reports that follow from both; reports lie inside ``outline``."""
    spec = recipe.reports
    months = pd.date_range(spec["begin"], spec["end"], freq="MS")
    weeks = np.array([(min(m + pd.offsets.MonthEnd(0), pd.Timestamp(spec["end"])) - m).days + 1 for m in months]) / 7
    rate = _true_rates(plan, streets, ground, size, spec, rng)
    passes = _patrol_passes(streets, plan, tiers, weeks, spec, rng)
    by_patrol, by_others = _expected(rate, passes, months, weeks, spec)
    scale = size.reports / (by_patrol.sum() + by_others.sum())
    rate, by_patrol, by_others = rate * scale, by_patrol * scale, by_others * scale
    return Found(
        _reports(streets, by_patrol, by_others, months, outline, ground, spec, rng),
        _tracks(streets, passes, months),
        _rate_table(streets, rate, spec),
    )


def _true_rates(
    plan: Plan, streets: Streets, ground: Ground, size: SizeRecipe, spec: Any, rng: np.random.Generator
) -> Floats:
    """Return (m, kinds) relative rates of each kind of place along each segment, shares as in the recipe."""
    x, y = ground.metres(streets.row, streets.column)
    walked = np.where(_walkable(streets), streets.table["length_m"].to_numpy(), 0.0)
    density = plan.density[streets.block]
    places = _places(plan, streets, size, rng)
    rate = np.empty((len(x), len(spec["kinds"])))
    for k, (kind, what) in enumerate(spec["kinds"].items()):
        if kind == "background":
            near = density**0.8 * rng.gamma(1.2, 1.0, len(x))
        else:
            row, column = places[kind]
            at = np.column_stack(ground.metres(row, column))
            strength = np.append(rng.gamma(1.5, 1.0, len(at)), 0.0)
            gap, which = cKDTree(at).query(
                np.column_stack([x, y]), k=min(4, len(at)), distance_upper_bound=3 * what["reach_m"]
            )
            near = (np.exp(-0.5 * (gap / what["reach_m"]) ** 2) * strength[which]).reshape(len(x), -1).sum(axis=1)
        rate[:, k] = near * walked
        rate[:, k] *= what["share"] / rate[:, k].sum()
    return rate


def _walkable(streets: Streets) -> NDArray[np.bool_]:
    return np.asarray(~streets.table["street_class"].isin(["motorway", "motorway_link"]).to_numpy(bool))


def _places(
    plan: Plan, streets: Streets, size: SizeRecipe, rng: np.random.Generator
) -> dict[str, tuple[Floats, Floats]]:
    """Choose stations, underpasses, parks and markets: rows and columns on the plan."""
    table = streets.table
    bridge = table["name"].str.endswith("桥").to_numpy(bool) | (table["street_class"] == "motorway_link").to_numpy(bool)
    under = np.flatnonzero(bridge & (rng.random(len(bridge)) < 0.6))
    crowded = np.flatnonzero(plan.density > 0.25)
    row, column = (plan.y0 + plan.y1) / 2, (plan.x0 + plan.x1) / 2

    def some(blocks: Ints, count: int) -> tuple[Floats, Floats]:
        drawn = np.sort(rng.choice(blocks, min(count, len(blocks)), replace=False))
        return row[drawn], column[drawn]

    parks = np.flatnonzero(plan.use == PARK)
    return {
        "station": some(crowded, max(2, size.districts)),
        "underpass": (streets.row[under], streets.column[under]),
        "park": some(parks, max(4, len(parks) // 2)),
        "market": some(crowded, max(6, size.subdistricts)),
    }


def _patrol_passes(
    streets: Streets, plan: Plan, tiers: Tiers, weeks: Floats, spec: Any, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Return (m, months, shifts) passes of patrols: more on arterials and in the centre, growing; none in some."""
    by_class = streets.table["street_class"].map(spec["by_class"]).fillna(0.0).to_numpy(np.float64)
    worker = np.exp(rng.normal(0, spec["worker_spread"], int(tiers.grid_cell.max()) + 1))
    worker[worker < np.quantile(worker, spec["unpatrolled"])] = 0.0
    block = streets.block
    weekly = spec["passes_per_week"] * by_class * (0.25 + plan.density[block]) * worker[tiers.grid_cell[block]]
    growth = 1 + spec["growth"] * np.linspace(0, 1, len(weeks))
    share = np.array([spec["shift_share"][s] for s in SHIFTS])
    passes = np.empty((len(weekly), len(weeks), len(SHIFTS)), np.int16)
    for month, (length, grown) in enumerate(zip(weeks, growth, strict=True)):
        passes[:, month] = rng.poisson(weekly[:, None] * (share * length * grown)[None, :])
    return passes


def _expected(
    rate: Floats, passes: NDArray[np.int16], months: pd.DatetimeIndex, weeks: Floats, spec: Any
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (m, months, shifts) expected reports by patrols and by others, for ``rate`` people per week."""
    kinds = spec["kinds"].values()
    season = np.array([k["months"] for k in kinds])
    season /= season.mean(axis=1, keepdims=True)
    shift = np.array([k["shifts"] for k in kinds])
    by_patrol = np.empty(passes.shape, np.float32)
    by_others = np.empty(passes.shape, np.float32)
    for month, length in enumerate(weeks):
        present = rate @ (season[:, months[month].month - 1, None] * shift) * length
        seen = -np.expm1(-spec["detectability"] * passes[:, month] / length)
        by_patrol[:, month] = present * seen
        by_others[:, month] = present * (1 - seen) * spec["passive"]
    return by_patrol, by_others


def _reports(
    streets: Streets,
    by_patrol: NDArray[np.float32],
    by_others: NDArray[np.float32],
    months: pd.DatetimeIndex,
    outline: Any,
    ground: Ground,
    spec: Any,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Draw reports from their expected counts and place each in time and beside its street."""
    drawn = [_spell_out(rng.poisson(expected)) for expected in (by_patrol, by_others)]
    segment, month, shift = (np.concatenate([a, b]) for a, b in zip(*drawn, strict=True))
    count = len(segment)
    others = np.arange(count) >= len(drawn[0][0])
    channel = np.where(others, np.where(rng.random(count) < spec["hotline"], 1, 2), 0)
    second = _seconds(month, shift, months, spec, rng)
    order = np.lexsort((segment, second))
    segment, channel, second = segment[order], channel[order], second[order]
    lon, lat = _spots(streets, segment, channel, outline, ground, spec, rng)
    found_at = pd.Timestamp(spec["begin"]) + pd.to_timedelta(second, unit="s")
    outcomes = spec["outcomes"]
    chance = np.array(list(outcomes.values()))
    return gpd.GeoDataFrame(
        {
            "report_id": [f"LJ{k + 1:07d}" for k in range(count)],
            "found_at": found_at,
            "channel": np.array(CHANNELS, object)[channel],
            "outcome": np.array(list(outcomes), object)[rng.choice(len(chance), count, p=chance / chance.sum())],
            "people": 1 + rng.poisson(spec["companions"], count),
        },
        geometry=shapely.points(lon, lat),
        crs=WGS84,
    )


def _spell_out(counts: NDArray[np.int64]) -> tuple[Ints, Ints, Ints]:
    """Return segment, month and shift of each report counted in (m, months, shifts)."""
    segment, month, shift = np.nonzero(counts)
    times = counts[segment, month, shift]
    return np.repeat(segment, times), np.repeat(month, times), np.repeat(shift, times)


def _seconds(month: Ints, shift: Ints, months: pd.DatetimeIndex, spec: Any, rng: np.random.Generator) -> Ints:
    """Draw when each report was made, in seconds since the first month began, to the minute."""
    begin_day = (months - months[0]).days.to_numpy()
    days = np.diff(np.append(begin_day, (pd.Timestamp(spec["end"]) + timedelta(days=1) - months[0]).days))
    hour = np.empty(len(month), np.int64)
    weight = np.array(spec["hours"], np.float64)
    for k, name in enumerate(SHIFTS):
        hours = np.array(SHIFT_HOURS[name])
        mine = np.flatnonzero(shift == k)
        hour[mine] = hours[rng.choice(len(hours), len(mine), p=weight[hours] / weight[hours].sum())]
    day = begin_day[month] + (rng.random(len(month)) * days[month]).astype(np.int64)
    return np.asarray((day * 24 + hour) * 3600 + rng.integers(0, 60, len(month)) * 60)


def _spots(
    streets: Streets,
    segment: Ints,
    channel: Ints,
    outline: Any,
    ground: Ground,
    spec: Any,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Place reports beside their street, less exactly where others than patrols tell; never outside the city."""
    off_m = np.array([spec["off_street_m"][c] for c in CHANNELS])[channel]
    line = streets.table.geometry.to_numpy()[segment]
    at = shapely.line_interpolate_point(line, rng.uniform(0.02, 0.98, len(segment)), normalized=True)
    lon, lat = shapely.get_x(at), shapely.get_y(at)
    angle = rng.uniform(0, 2 * np.pi, len(segment))
    off_lon, off_lat = ground.shifted(lon, lat, np.abs(rng.normal(0, off_m)), angle)
    shapely.prepare(outline)
    inside = shapely.contains_xy(outline, off_lon, off_lat)
    return np.where(inside, off_lon, np.round(lon, 8)), np.where(inside, off_lat, np.round(lat, 8))


def _tracks(streets: Streets, passes: NDArray[np.int16], months: pd.DatetimeIndex) -> pd.DataFrame:
    total = passes.sum(axis=2)
    segment, month = np.nonzero(total)
    return pd.DataFrame(
        {
            "segment_id": streets.table["segment_id"].to_numpy()[segment],
            "month": months[month],
            **{f"passes_{name}": passes[segment, month, k] for k, name in enumerate(SHIFTS)},
            "walked_m": np.round(total[segment, month] * streets.table["length_m"].to_numpy()[segment], 1),
        }
    )


def _rate_table(streets: Streets, rate: Floats, spec: Any) -> pd.DataFrame:
    kinds = {f"{kind}_per_week": rate[:, k] for k, kind in enumerate(spec["kinds"])}
    return pd.DataFrame({"segment_id": streets.table["segment_id"].to_numpy(), "per_week": rate.sum(axis=1), **kinds})
