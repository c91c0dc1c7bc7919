"""Who patrols the demo city by night, and what must be patrolled: drawn from where people were found of late."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from layers.demo_city.areas import AreaLayers
from layers.demo_city.ground import WGS84, Ground
from layers.demo_city.people import apportion
from layers.demo_city.plan import Floats, Ints
from layers.demo_city.recipe import Recipe, SizeRecipe
from layers.demo_city.segments import Streets
from layers.demo_city.services import beside_street

MOTORWAY = ("motorway", "motorway_link")
_ROSTER_BLANK: dict[str, Any] = {
    "mode": "walk", "shift": "", "break_min": np.nan, "max_min": np.nan, "station": "", "pair": "", "certificates": "",
    "days_off": "",
}  # fmt: skip
_DUTY_BLANK: dict[str, Any] = {
    "name": "", "times_a_week": 7, "priority": 1.0, "must": False, "sides": "either", "service_kmh": np.nan,
    "opens": "", "closes": "", "dwell_min": np.nan, "certificate": "",
}  # fmt: skip


def patrol_roster(
    roster: pd.DataFrame,
    grid_cells: gpd.GeoDataFrame,
    points: gpd.GeoDataFrame,
    reports: gpd.GeoDataFrame,
    size: SizeRecipe,
    recipe: Recipe,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return ``roster`` with some grid workers on the night rota, rather where people were found; the others by day.

    points : service points and rescue stations, code and geometry; a patrol begins at the one nearest to its cell.
    """
    spec = recipe.patrol
    grid = (roster["role"] == "grid_worker").to_numpy(bool)
    table = roster.assign(**_ROSTER_BLANK)
    table.loc[grid, ["shift", "days_off"]] = spec["day_shift"], spec["day_days_off"]
    in_office = np.flatnonzero(grid & roster["until_date"].isna().to_numpy())
    cell = pd.Index(grid_cells["code"]).get_indexer(roster["area_code"][in_office])
    _, found = grid_cells.sindex.query(_recent(reports, spec).geometry, predicate="within")
    chance = 1.0 + np.bincount(found, minlength=len(grid_cells))[cell]
    pairs = round(spec["in_pairs"] * size.patrol_workers / 2)
    crews = size.patrol_workers - pairs
    first = rng.choice(len(in_office), crews, replace=False, p=chance / chance.sum())
    middle = shapely.centroid(grid_cells.to_crs(recipe.place.crs).geometry.to_numpy())[cell]
    second = _partners(first[:pairs], np.setdiff1d(np.arange(len(in_office)), first), middle, grid_cells, cell)
    stands = shapely.STRtree(points.to_crs(recipe.place.crs).geometry.to_numpy())
    crew = pd.DataFrame(
        {
            "mode": _shared_out(spec["modes"], crews, rng),
            "shift": _shared_out(spec["shifts"], crews, rng),
            "break_min": np.array(spec["breaks_min"])[rng.integers(0, len(spec["breaks_min"]), crews)],
            "max_min": np.where(rng.random(crews) < spec["limited"], spec["limit_min"], np.nan),
            "station": points["code"].to_numpy(object)[stands.nearest(middle[first])],
            "pair": ["" if k >= pairs else f"搭档{k + 1:02d}" for k in range(crews)],
            "days_off": np.array(spec["days_off"], object)[rng.integers(0, len(spec["days_off"]), crews)],
        }
    )
    both = np.concatenate([np.arange(crews), np.arange(pairs)])
    rows = in_office[np.concatenate([first, second])]
    columns = list(crew.columns)
    table.loc[rows, columns] = crew.iloc[both].to_numpy(object)
    table.loc[rows, "certificates"] = _shared_out(spec["certificates"], len(rows), rng)
    return table.astype({"break_min": np.float64, "max_min": np.float64})


def _partners(
    first: Ints, free: Ints, middle: NDArray[np.object_], grid_cells: gpd.GeoDataFrame, cell: Ints
) -> NDArray[np.int64]:
    """Choose for each of ``first`` the nearest of ``free`` whose cell lies in the same subdistrict."""
    subdistrict = grid_cells["code"].str[:9].to_numpy(object)[cell]
    chosen: list[int] = []
    for worker in first.tolist():
        near = free[(subdistrict[free] == subdistrict[worker]) & ~np.isin(free, chosen)]
        chosen.append(int(near[np.argmin(shapely.distance(middle[near], middle[worker]))]))
    return np.array(chosen, np.int64)


def _shared_out(share: Mapping[str, float], count: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """Give each of ``count`` a key of ``share``, every key at least once, in proportion to the values."""
    times = apportion(count, np.array(list(share.values()), np.float64), least=1)
    return rng.permutation(np.repeat(np.array(list(share), object), times))


def _recent(reports: gpd.GeoDataFrame, spec: Mapping[str, Any]) -> gpd.GeoDataFrame:
    since = pd.Timestamp(spec["looked_back_until"]) - pd.Timedelta(days=spec["looked_back_days"])
    return reports[reports["found_at"] > since]


def duty_layer(
    streets: Streets,
    layers: AreaLayers,
    water: Any,
    reports: gpd.GeoDataFrame,
    ground: Ground,
    recipe: Recipe,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """Return the layer ``patrol-duties``: bridges, underpasses, hot streets, wide streets, some areas, and checks.

    Every street has one duty at most, of the first kind it is; most streets have none.
    """
    spec, table = recipe.patrol, streets.table
    recent = _recent(reports, spec)
    count = _reports_by_segment(table, recent, recipe.place.crs)
    kinds = _kinds(table, count, spec)
    parts = []
    for kind, what in spec["duties"].items():
        on = np.flatnonzero(kinds == kind)
        part = _rows(what, table["name"].to_numpy(object)[on]).assign(segment_id=table["segment_id"].to_numpy()[on])
        if kind == "hot":
            wide = (table["street_class"] == "primary").to_numpy(bool)[on]
            part["priority"] = np.minimum(count[on], spec["most_priority"]).astype(np.float64)
            part["sides"] = np.where(wide, "both", "either")
        parts.append(part)
    parts.append(_area_rows(layers, recent, spec))
    parts += _check_rows(streets, len(layers.areas["subdistrict"]), count, water, ground, recipe, rng)
    duties = pd.concat(parts, ignore_index=True)
    duties["segment_id"] = duties["segment_id"].astype("Int64")
    duties.insert(0, "duty_id", [f"LJ-D{k + 1:05d}" for k in range(len(duties))])
    duties["area_code"] = duties["area_code"].astype(object).where(duties["area_code"].notna(), None)
    order = ["duty_id", "segment_id", "area_code", *_DUTY_BLANK]
    shapes = duties["geometry"].astype(object).where(duties["geometry"].notna(), None)
    return gpd.GeoDataFrame(duties[order], geometry=shapes.to_numpy(object), crs=WGS84)


def _reports_by_segment(table: gpd.GeoDataFrame, reports: gpd.GeoDataFrame, crs: str) -> Ints:
    walked = np.flatnonzero(~table["street_class"].isin(MOTORWAY).to_numpy(bool))
    tree = shapely.STRtree(table.geometry.iloc[walked].to_crs(crs).to_numpy())
    return np.bincount(walked[tree.nearest(reports.to_crs(crs).geometry.to_numpy())], minlength=len(table))


def _kinds(table: gpd.GeoDataFrame, count: Ints, spec: Mapping[str, Any]) -> NDArray[np.object_]:
    """Return (m,) the kind of duty of each street, "" for none."""
    street_class = table["street_class"].to_numpy(object)
    motorway = np.isin(street_class, MOTORWAY)
    line = table.geometry.to_numpy()
    _, below = shapely.STRtree(line[~motorway]).query(line[street_class == "motorway"], predicate="crosses")
    under = np.zeros(len(table), bool)
    under[np.flatnonzero(~motorway)[below]] = True
    most = np.argsort(-count, kind="stable")[: round(spec["hot_share"] * len(table))]
    hot = np.isin(np.arange(len(table)), most) & (count >= spec["hot_least"])
    conditions = {
        "bridge": table["name"].str.endswith("桥").to_numpy(bool) & ~motorway,
        "underpass": under & (street_class == "primary"),
        "passage": under & (street_class == "secondary"),
        "hot": hot,
        "wide": street_class == "primary",
    }
    return np.select(list(conditions.values()), list(conditions), "").astype(object)


def _rows(what: Mapping[str, Any], names: NDArray[np.object_]) -> pd.DataFrame:
    """Return a duty for each name, as ``what`` says; "title" there is how the duty is called after the street."""
    said = {key: value for key, value in what.items() if key in _DUTY_BLANK}
    called = [what.get("title", "{}").format(name) for name in names]
    nowhere = {"segment_id": None, "area_code": None, "geometry": None}
    return pd.DataFrame({**_DUTY_BLANK, **said, **nowhere, "name": called}, index=range(len(names)))


def _area_rows(layers: AreaLayers, reports: gpd.GeoDataFrame, spec: Mapping[str, Any]) -> pd.DataFrame:
    """Return duties for all streets of the communities where most people were found."""
    communities = layers.areas["community"]
    _, found = communities.sindex.query(reports.geometry, predicate="within")
    busy = np.argsort(-np.bincount(found, minlength=len(communities)), kind="stable")
    chosen = np.sort(busy[: max(2, round(spec["area_share"] * len(communities)))])
    rows = _rows(spec["area"], communities["name"].to_numpy(object)[chosen])
    return rows.assign(area_code=communities["code"].to_numpy(object)[chosen])


def _check_rows(
    streets: Streets,
    subdistricts: int,
    count: Ints,
    water: Any,
    ground: Ground,
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[pd.DataFrame]:
    """Return checks at points: at the foot of bridges, and beside named streets where people are found."""
    spec, table = recipe.patrol, streets.table
    name, line = table["name"].to_numpy(object), table.geometry.to_numpy()
    bridges = np.flatnonzero(table["name"].str.endswith("桥"))
    bridges = np.sort(rng.permutation(bridges)[: max(1, round(spec["caves"] * len(bridges)))])
    parts = [_rows(spec["checks"]["cave"], name[bridges])]
    parts[0]["geometry"] = shapely.line_interpolate_point(line[bridges], 0.02, normalized=True)
    chance: Floats = np.where((name != "") & (table["street_class"] == "secondary"), count + 0.2, 0.0)
    for kind in ("atm", "hall"):
        wanted = max(1, round(spec["checks"][kind]["a_subdistrict"] * subdistricts))
        on = np.sort(rng.choice(len(name), wanted, replace=False, p=chance / chance.sum()))
        lon, lat = beside_street(streets, on, water, recipe.services["beside_street_m"], ground, rng)
        parts.append(_rows(spec["checks"][kind], name[on]).assign(geometry=shapely.points(lon, lat)))
    return parts
