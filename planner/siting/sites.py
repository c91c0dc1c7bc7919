"""The columns every siting problem chooses from: the points there are, then the candidates."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.modes import travel_by
from gis.network import Positions, StreetNetwork
from gis.notes import counted
from gis.street_pieces import locate
from layers.records import ALWAYS_OPEN, FUNCTIONS
from planner.areas_around import lie_within
from planner.coverage_inputs import HOURS_A_WEEK, CoverageInputs, join, select
from planner.notes import Note
from planner.siting.question import SitingQuestion

EVERYTHING = frozenset(FUNCTIONS)
Floats = NDArray[np.float64]
#: A place without a name is named by a street at most this far off; metres in a degree of latitude.
NEAR_M, M_PER_DEGREE = 300.0, 111_320.0


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """s columns, the ``n_existing`` points of the city first, then candidates or their variants.

    code, name : (s,). place : (s,) what at most one variant is chosen of. state : (s,) "existing", "build",
    "convert" or "upgrade". cost : (s,) >= 0, 0 for existing points as they are. capacity : (s,) NaN where unknown.
    functions : (s,) frozensets. hours : (s,) opening hours as recorded. open_then : (s,) open at the hour asked about,
    all True where none was. open_week : (s, 168) open on the stroke of each hour, Monday 00:00 first.
    lon, lat : (s,) degrees.
    positions : (s,) on the network. withheld positions are in here as well: who draws them decides.
    """

    code: NDArray[np.object_]
    name: NDArray[np.object_]
    place: NDArray[np.object_]
    state: NDArray[np.object_]
    cost: NDArray[np.float64]
    capacity: NDArray[np.float64]
    functions: NDArray[np.object_]
    hours: NDArray[np.object_]
    open_then: NDArray[np.bool_]
    open_week: NDArray[np.bool_]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    positions: Positions
    n_existing: int = 0

    def __len__(self) -> int:
        return len(self.code)

    @property
    def existing(self) -> NDArray[np.bool_]:
        """(s,) whether each is a point of the city as it is."""
        return np.arange(len(self)) < self.n_existing

    def take(self, kept: NDArray[np.bool_]) -> "Sites":
        """Return the ``kept`` columns in order."""
        columns: dict[str, Any] = {name: getattr(self, name)[kept] for name in _COLUMNS}
        left = int(kept[: self.n_existing].sum())
        return Sites(**columns, positions=select(self.positions, kept), n_existing=left)

    def offering(self, function: str | None, hour: int | None = None) -> NDArray[np.bool_]:
        """Return (s,) which offer ``function`` (any, if None) at the hour asked about, or at ``hour`` of the week."""
        offered = np.array([function is None or function in of for of in self.functions], bool).reshape(len(self))
        return offered & (self.open_then if hour is None else self.open_week[:, hour])


_COLUMNS = tuple(field.name for field in fields(Sites) if field.name not in ("positions", "n_existing"))


def joined(existing: Sites, candidates: Sites) -> Sites:
    """Return the existing points, then the candidates."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(existing, name), getattr(candidates, name)]) for name in _COLUMNS
    }
    at = join([existing.positions, candidates.positions])
    return Sites(**columns, positions=at, n_existing=len(existing))


def candidate_sites(
    city: CoverageInputs, question: SitingQuestion, listed: Sites | None, forbidden: NDArray[np.object_]
) -> tuple[Sites, list[Note]]:
    """Return the candidates the question allows, with notes on those left out.

    listed : the imported candidates, already on the network. forbidden : (f,) WGS84 polygons.
    """
    if question.candidates == "layer" and listed is not None:
        sites = listed
    elif question.candidates == "midpoints":
        sites = _midpoints(city.network)
    else:
        sites = _junctions(city.network)
    notes = []
    off = sites.positions.segment < 0
    if off.any():
        far = int(off.sum())
        notes.append(Note(
            "candidates-unsnapped", f"{far} 个候选点距可用街道过远，未采用",
            counted(far, "candidate lies", "candidates lie") + " too far from usable streets: left out",
        ))  # fmt: skip
    inside = locate(forbidden, sites.lon, sites.lat) >= 0 if len(forbidden) else np.zeros(len(sites), bool)
    if inside.any():
        barred = int(inside.sum())
        notes.append(Note(
            "candidates-forbidden", f"{barred} 个候选点在禁设区内，未采用",
            counted(barred, "candidate lies", "candidates lie") + " in forbidden areas: left out",
        ))  # fmt: skip
    return sites.take(~off & ~inside & lie_within(city, sites.positions, question.within)), notes


def _plain(
    code: list[str], name: NDArray[np.object_], lon: NDArray[np.float64], lat: NDArray[np.float64], at: Positions
) -> Sites:
    """Return candidates that are mere places: to be built, of cost 1, offering everything around the clock."""
    count = len(code)
    codes, every = np.array(code, object), np.full(count, EVERYTHING, object)
    return Sites(
        codes, name, codes, np.full(count, "build", object), np.ones(count), np.full(count, np.nan), every,
        np.full(count, ALWAYS_OPEN, object), np.ones(count, bool), np.ones((count, HOURS_A_WEEK), bool), lon, lat, at,
    )  # fmt: skip


def _junctions(network: StreetNetwork) -> Sites:
    """Return the nodes where one can walk and streets meet or end, each on a segment that can be walked."""
    walkable = np.isfinite(travel_by(network, "walk").seconds_per_m)
    open_ = np.flatnonzero(walkable)
    node = np.concatenate([network.u[open_], network.v[open_]])
    first = np.unique(node, return_index=True)
    nodes, at = first[0], first[1] % max(len(open_), 1)
    segment = open_[at].astype(np.int32)
    offset_m = np.where(network.u[segment] == nodes, 0.0, network.length_m[segment])
    lon, lat = network.lon[nodes], network.lat[nodes]
    names = _named(_crossings(network, nodes), network, lon, lat)
    code = [f"J{i}" for i in network.node_id[nodes]]
    return _plain(code, names, lon, lat, Positions(segment, offset_m, np.zeros(len(nodes))))


def _crossings(network: StreetNetwork, nodes: NDArray[np.int32]) -> NDArray[np.object_]:
    """Name junctions by the streets that meet there: 文昌路 / 江滨路."""
    names = np.full(len(nodes), "", object)
    for i, v in enumerate(nodes):
        met = network.name[network.arc_segment[network.indptr[v] : network.indptr[v + 1]]]
        names[i] = " / ".join(dict.fromkeys(n for n in met if n))
    return names


def _named(names: NDArray[np.object_], network: StreetNetwork, lon: Floats, lat: Floats) -> NDArray[np.object_]:
    """Return the names, places without one named by the nearest street that has one: 文昌路附近, near Main Street."""
    names, named, nameless = names.copy(), np.flatnonzero(network.name != ""), np.flatnonzero(names == "")
    if len(named) and len(nameless):
        squeeze = np.array([np.cos(np.radians(lat.mean())), 1.0])  # a degree as long to the east as to the north
        streets = shapely.STRtree(shapely.transform(network.geometry[named], lambda at: at * squeeze))
        at = shapely.points(np.column_stack([lon, lat])[nameless] * squeeze)
        of, street = streets.query_nearest(at, max_distance=NEAR_M / M_PER_DEGREE, all_matches=False)
        for i, name in zip(nameless[of], network.name[named[street]], strict=True):
            names[i] = f"near {name}" if name.isascii() else f"{name}附近"
    return names


def _midpoints(network: StreetNetwork) -> Sites:
    """Return the middle of every segment that can be walked."""
    open_ = np.flatnonzero(np.isfinite(travel_by(network, "walk").seconds_per_m)).astype(np.int32)
    middle = shapely.line_interpolate_point(network.geometry[open_], 0.5, normalized=True)
    lon, lat = shapely.get_x(middle), shapely.get_y(middle)
    names = _named(network.name[open_], network, lon, lat)
    code = [f"M{i}" for i in network.segment_id[open_]]
    return _plain(code, names, lon, lat, Positions(open_, network.length_m[open_] / 2, np.zeros(len(open_))))
