"""What a patrol run looks like, whichever way it is rendered: every crew's route with its ground, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pandas import DataFrame

from gis.crs import metric_crs, to_metric
from gis.errors import QuestionError
from layers.records import POINT_LAYERS
from layers.run import Run
from layers.store import Store
from layers.surroundings import DEFAULT_TIMEZONE
from layers.version_rows import LayerVersion
from web.drawing import Drawing
from web.offline_page import bounds_of
from web.run_records import OSM_CREDIT, OSM_ENDINGS

#: Said instead of the name of a station whose place its owner withholds; its mark and the way to it are not drawn.
WITHHELD = "不公开的点位 a withheld point"
#: Metres around the routes within which other streets are drawn, and that part of the routes' extent, if it is more.
MARGIN_M, MARGIN_SHARE = 400.0, 0.4
Lines = NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One crew's night.

    number : from 1 within the date; chooses the colour. crew : its row. steps : its rows in order, a step's ``name``
    filled from the street. legs : its rows in order with ``street``, ``near`` (a named street by an unnamed one, else
    "") and ``metres``. lines : (l,) each leg as walked, in metres. at : (s, 2) metres where each step ends, NaN where
    that is unknown. known : whether the station's place may be told.
    """

    number: int
    crew: Mapping[str, Any]
    steps: DataFrame
    legs: DataFrame
    lines: Lines
    at: NDArray[np.float64]
    known: bool

    @property
    def goes_out(self) -> bool:
        """Whether the crew serves anything."""
        return int(self.crew["services"]) > 0

    @property
    def date(self) -> str:
        """The evening it begins."""
        return str(self.crew["date"])

    @property
    def name(self) -> str:
        """The crew with its persons."""
        return f"{self.crew['crew']} {self.crew['persons']}".strip()

    @property
    def middle(self) -> NDArray[np.float64] | None:
        """The place (2,) halfway through what it patrols; None where it patrols no street."""
        lines = self.lines_of("patrol")
        if not len(lines):
            return None
        along = np.cumsum(shapely.length(lines))
        i = int(np.searchsorted(along, along[-1] / 2))
        return shapely.get_coordinates(shapely.line_interpolate_point(lines[i], 0.5, normalized=True))[0]

    def lines_of(self, *kinds: str) -> Lines:
        """Return the legs walked in steps of these kinds."""
        kind = self.steps.set_index("step")["kind"].reindex(self.legs["step"]).to_numpy(object)
        return self.lines[np.isin(kind, kinds)]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PatrolDrawing(Drawing):
    """One patrol run with its geometry, ready to be drawn and tabled.

    segments : the streets around the routes. routes : every crew of every date. crs : of their metres. timezone : of
    the local times. tables : plan, crews, steps, uncovered (with ``geometry`` in degrees), notes, as the run has them
    but for the names and places of withheld points.
    """

    title: ClassVar[tuple[str, str]] = ("巡查路线", "Patrol routes")

    routes: tuple[Route, ...]
    crs: str
    timezone: str

    @property
    def dates(self) -> list[str]:
        """The evenings planned."""
        return [str(date) for date in self.tables["plan"]["date"]]

    def on(self, date: str) -> list[Route]:
        """Return the routes of one evening that serve anything."""
        return [route for route in self.routes if route.date == date and route.goes_out]

    def of(self, name: str, date: str) -> DataFrame:
        """Return a table's rows of one evening."""
        table = self.tables[name]
        return table[(table["date"] == date).to_numpy()]

    def area_shares(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return (n,) NaN: a patrol colours no areas."""
        return np.full(len(areas), np.nan)

    def line_classes(self, segments: DataFrame) -> NDArray[np.int64]:
        """Return (m,) zeros: all streets are the ground of the map."""
        return np.zeros(len(segments), np.int64)


def patrol_drawing(store: Store, run: Run) -> PatrolDrawing:
    """Join ``run`` with the streets it was computed on; raises QuestionError where these have been pruned."""
    streets_version = _version(store, run, "streets")
    streets = store.load("streets", version=streets_version.id)
    points = _points(store, run)
    withheld = set(points["code"][points.get("withheld", pd.Series(False, points.index)).fillna(False).astype(bool)])
    crews, steps = _masked(run, withheld)
    crs, lines = _metric(streets)
    found = dict(zip(streets["segment_id"].tolist(), range(len(streets)), strict=True))
    routes = _routes(crews, steps, run.tables["legs"], streets, lines, found, crs, withheld)
    uncovered = _placed(run.tables["uncovered"], streets, found)
    credit = [OSM_CREDIT] if streets_version.source.lower().endswith(OSM_ENDINGS) else []
    tables = {**run.tables, "crews": crews, "steps": steps, "uncovered": uncovered}
    return PatrolDrawing(
        city=store.setting("city_name") or "",
        level="city",
        areas=gpd.GeoDataFrame({"level": [], "people": [], "name": [], "code": []}, geometry=[], crs=4326),
        segments=_ground(streets, lines, routes),
        points=points,
        tables={name: table for name, table in tables.items() if name != "legs"},
        notes=tuple(zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)),
        question=_question(run),
        data_date=store.setting("data_date") or "",
        fictional=store.setting("fictional") == "yes",
        attribution="; ".join(filter(None, [store.setting("attribution"), *credit])),
        approval_number=store.setting("approval_number") or "",
        routes=routes,
        crs=crs,
        timezone=store.setting("timezone") or DEFAULT_TIMEZONE,
    )


def metric(shapes: Lines, crs: str) -> Lines:
    """Project shapes to metres."""
    return shapely.transform(shapes, lambda c: np.column_stack(to_metric(c[:, 0], c[:, 1], crs)))


def _version(store: Store, run: Run, layer: str) -> LayerVersion:
    kept = [v for v in store.versions(layer) if v.content_sha256 == run.inputs.get(layer)]
    if not kept:
        raise QuestionError(
            f"分析 {run.id} 所用的街道版本已清理", f"run {run.id} read a version of the streets that has been pruned"
        )
    return kept[0]


def _points(store: Store, run: Run) -> gpd.GeoDataFrame:
    """Return service points and stations of the versions the run read, none where it read none."""
    tables = []
    for kind in POINT_LAYERS:
        kept = [v for v in store.versions(kind) if v.content_sha256 == run.inputs.get(kind)]
        if kept:
            tables.append(store.load(kind, version=kept[0].id).assign(kind=kind))
    if not tables:
        return gpd.GeoDataFrame({"code": [], "name": [], "kind": []}, geometry=[], crs=4326)
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), crs=4326)


def _masked(run: Run, withheld: set[str]) -> tuple[DataFrame, DataFrame]:
    """Return crews and steps without names and places of withheld stations."""
    crews, steps = run.tables["crews"].copy(), run.tables["steps"].copy()
    hidden = crews["station_code"].isin(list(withheld)).to_numpy()
    if hidden.any():
        of = set(zip(crews["date"][hidden], crews["crew"][hidden], strict=True))
        crews.loc[hidden, ["station_code", "station_name"]] = "", WITHHELD
        crews.loc[hidden, ["station_lon", "station_lat"]] = np.nan
        own = np.array([key in of for key in zip(steps["date"], steps["crew"], strict=True)], bool)
        steps.loc[own & steps["kind"].isin(["start", "end"]).to_numpy(), "name"] = WITHHELD
    return crews, steps


def _metric(streets: gpd.GeoDataFrame) -> tuple[str, Lines]:
    bounds = bounds_of(streets) or [[32.0, 118.0], [32.1, 118.1]]
    (south, west), (north, east) = bounds
    crs = metric_crs((west + east) / 2, (south + north) / 2)
    return crs, metric(streets.geometry.to_numpy(), crs)


def _routes(
    crews: DataFrame, steps: DataFrame, legs: DataFrame, streets: gpd.GeoDataFrame, lines: Lines,
    found: Mapping[int, int], crs: str, withheld: set[str],
) -> tuple[Route, ...]:  # fmt: skip
    row = np.array([found[int(s)] for s in legs["segment_id"]], np.int64)
    walked = _as_walked(legs, streets["length_m"].to_numpy(float)[row], lines[row])
    names = streets["name"].fillna("").astype(str).to_numpy(object)
    near = _near(names, lines, np.unique(row))
    legs = legs.assign(
        street=names[row], near=[near.get(r, "") for r in row.tolist()], metres=abs(legs["to_m"] - legs["from_m"])
    )
    by_steps = dict(tuple(steps.groupby(["date", "crew"])))
    by_legs = legs.groupby(["date", "crew"]).indices
    numbers: dict[str, int] = {}
    made = []
    for crew in crews.to_dict("records"):
        key = (crew["date"], crew["crew"])
        numbers[crew["date"]] = numbers.get(crew["date"], 0) + 1
        own = by_steps.get(key, steps.iloc[:0]).sort_values("step", kind="stable").reset_index(drop=True)
        of = by_legs.get(key, np.empty(0, np.int64))
        known = crew["station_name"] != WITHHELD
        if not known:
            # the way from and to the station would lead there
            ways = own["step"][own["kind"] == "travel"].to_numpy()
            of = of[~np.isin(legs["step"].to_numpy()[of], [*ways[:1], *ways[-1:]])]
        own_legs, own_lines = legs.iloc[of].reset_index(drop=True), walked[of]
        own = own.assign(name=_named(own, own_legs))
        at = _places(own, own_legs, own_lines, _station(crew, crs) if known else (np.nan, np.nan))
        made.append(Route(numbers[crew["date"]], crew, own, own_legs, own_lines, at, known))
    return tuple(made)


def _station(crew: Mapping[str, Any], crs: str) -> tuple[float, float]:
    x, y = to_metric([crew["station_lon"]], [crew["station_lat"]], crs)
    return float(x[0]), float(y[0])


def _as_walked(legs: DataFrame, length_m: NDArray[np.float64], lines: Lines) -> Lines:
    """Return each leg's stretch of its street, in the direction it is walked."""
    begins, ends = legs["from_m"].to_numpy(float), legs["to_m"].to_numpy(float)
    low, high = np.minimum(begins, ends), np.maximum(begins, ends)
    out = lines.copy()
    part = (low > 1e-6) | (high < length_m - 1e-6)
    for i in np.flatnonzero(part & (length_m > 0)):
        out[i] = _between(lines[i], low[i] / length_m[i], high[i] / length_m[i])
    back = begins > ends
    out[back] = shapely.reverse(out[back])
    return out


def _between(line: shapely.LineString, low: float, high: float) -> shapely.LineString:
    """Return the part of a line between two shares of its length."""
    xy = shapely.get_coordinates(line)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    low, high = min(low, 1.0) * along[-1], min(high, 1.0) * along[-1]
    inside = (along > low) & (along < high)
    at = np.r_[low, along[inside], high]
    return shapely.LineString(np.column_stack([np.interp(at, along, xy[:, 0]), np.interp(at, along, xy[:, 1])]))


def _near(names: NDArray[np.object_], lines: Lines, used: NDArray[np.int64]) -> dict[int, str]:
    """Return, for each unnamed street used, the name of the nearest one that has a name."""
    named, unnamed = np.flatnonzero(names != ""), used[names[used] == ""]
    if not len(named) or not len(unnamed):
        return {}
    middle = shapely.line_interpolate_point(lines[unnamed], 0.5, normalized=True)
    nearest = shapely.STRtree(lines[named]).nearest(middle)
    return dict(zip(unnamed.tolist(), names[named[nearest]].tolist(), strict=True))


def _named(steps: DataFrame, legs: DataFrame) -> list[str]:
    first = legs.drop_duplicates("step").set_index("step")["street"]
    street = first.reindex(steps["step"]).fillna("").to_numpy(object)
    patrolled = (steps["kind"] == "patrol").to_numpy()
    own = steps["name"].fillna("").to_numpy(object)
    return [s if p and not n else n for n, s, p in zip(own, street, patrolled, strict=True)]


def _places(steps: DataFrame, legs: DataFrame, lines: Lines, station: tuple[float, float]) -> NDArray[np.float64]:
    """Return (s, 2) where each step ends: the end of its last leg, else where the one before ended."""
    at = np.full((len(steps), 2), np.nan)
    last = {step: i for i, step in enumerate(legs["step"].tolist())}
    now = np.array(station)
    for i, (step, kind) in enumerate(zip(steps["step"].tolist(), steps["kind"], strict=True)):
        if step in last:
            now = shapely.get_coordinates(lines[last[step]])[-1]
        elif kind == "end":
            now = np.array(station)
        at[i] = now
    return at


def _placed(uncovered: DataFrame, streets: gpd.GeoDataFrame, found: Mapping[int, int]) -> gpd.GeoDataFrame:
    """Return what is left uncovered with its street, a check at the middle of it."""
    rows = [found[int(s)] for s in uncovered["segment_id"]]
    lines = streets.geometry.to_numpy()[rows]
    check = (uncovered["metres"] == 0).to_numpy()
    shapes = np.where(check, shapely.line_interpolate_point(lines, 0.5, normalized=True), lines) if len(rows) else []
    return gpd.GeoDataFrame(uncovered.reset_index(drop=True), geometry=shapes, crs=4326)


def _ground(streets: gpd.GeoDataFrame, lines: Lines, routes: tuple[Route, ...]) -> gpd.GeoDataFrame:
    """Return the streets around the routes, all where nobody goes out."""
    walked = [route.lines for route in routes if len(route.lines)]
    if walked:
        left, bottom, right, top = shapely.total_bounds(np.concatenate(walked))
        margin_m = max(MARGIN_M, MARGIN_SHARE * max(right - left, top - bottom))
        window = shapely.box(left, bottom, right, top).buffer(margin_m, join_style="mitre")
        streets = streets[shapely.intersects(window, lines)]
    return streets[["segment_id", "name", "street_class", "geometry"]].reset_index(drop=True)


def _question(run: Run) -> tuple[str, str]:
    """Say which nights, and at what hours, were asked for."""
    dates = [str(date) for date in run.tables["plan"]["date"]]
    words = [*dict.fromkeys([dates[0], dates[-1]])]
    # figures read alike in both languages
    return f"{' – '.join(words)} {run.parameters.get('hours', '')}".strip(), ""
