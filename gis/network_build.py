"""Street networks from edge layers, OSM files, osmnx graphs and stored records."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gis.crs import metric_crs, to_metric
from gis.edge_columns import tidy_edges
from gis.errors import NetworkError
from gis.file_checks import DEFAULT_LIMITS, Limits
from gis.file_guard import RESULT, run_guarded, scratch_folder
from gis.files import read_table
from gis.hilbert import hilbert_key
from gis.network import StreetNetwork, arcs_of
from gis.notes import LamplightNote
from gis.topology import merge_mirrors, split_where_meeting

#: Metres by which line ends at one node may differ before it is worth a remark.
NODE_SPREAD_M = 1.0
#: Share by which given lengths may differ in total from measured ones before it is worth a remark.
LENGTH_SHARE = 0.05
#: A given length is taken for a slip beyond this many times the measured one, or below its inverse.
LENGTH_FACTOR = 10.0

#: Metres within which line ends of a layer without topology are one node.
SNAP_TOLERANCE_M = 0.5
STREET_SUFFIXES = (".osm", ".xml", ".osm.gz", ".osm.bz2", ".pbf", ".graphml", ".graphml.gz")

Notes = tuple[LamplightNote, ...]


def read_network(path: Path | str, *, limits: Limits = DEFAULT_LIMITS) -> tuple[StreetNetwork, Notes]:
    """Read a street network from a file, with what was mended or guessed on the way.

    path : OSM data (.osm, .xml, .osm.gz, .osm.bz2, .osm.pbf), an OSMnx graph (.graphml, .graphml.gz), or any vector
        layer that ``gis.files`` reads. Foreign bytes are parsed in a process of their own within ``limits``.
    Raises NetworkError when the file holds no streets, FileRefusedError when it cannot be read.
    """
    if Path(path).name.lower().endswith(STREET_SUFFIXES):
        tidy, notes = _read_streets(Path(path), limits)
    else:
        read = read_table(path, limits=limits)
        tidy, more = tidy_edges(read.table)
        notes = [*read.notes, *more]
    return _build(tidy, notes, SNAP_TOLERANCE_M)


def _read_streets(path: Path, limits: Limits) -> tuple[pd.DataFrame, list[LamplightNote]]:
    with scratch_folder() as folder:
        reply = run_guarded({"do": "streets", "path": str(path.absolute())}, Path(folder), limits)
        with pa.OSFile(str(Path(folder) / RESULT), "rb") as source:
            tidy = pa.ipc.open_file(source).read_all().to_pandas()
    tidy["geometry"] = shapely.from_wkb(tidy["geometry"].to_numpy())
    return tidy, [LamplightNote(zh, en) for zh, en in reply["notes"]]


def network_from_edges(edges: gpd.GeoDataFrame, *, snap_tolerance_m: float = SNAP_TOLERANCE_M) -> StreetNetwork:
    """Build a network from an edge layer, as ``build_network`` does, without its remarks."""
    return build_network(edges, snap_tolerance_m=snap_tolerance_m)[0]


def network_from_osmnx(graph: Any) -> StreetNetwork:
    """Build a network from an osmnx graph (networkx MultiDiGraph or MultiGraph, any coordinate system).

    Reciprocal edges become one two-way segment; one-way edges keep the direction of travel.
    """
    from gis.osmnx_graphs import edges_from_osmnx  # osmnx takes seconds to load

    return build_network(edges_from_osmnx(graph))[0]


def build_network(
    edges: gpd.GeoDataFrame, *, snap_tolerance_m: float = SNAP_TOLERANCE_M
) -> tuple[StreetNetwork, Notes]:
    """Build a network from an edge layer, and say what was mended or guessed.

    edges : lines in any coordinate system geopandas knows (WGS84 if it names none). Columns used where present:
        segment_id | edge_id | eid; u, v; length_m; oneway; street_class | highway | class | fclass; name;
        free_kmh | maxspeed; layer, bridge, tunnel (which keep crossings apart).
    snap_tolerance_m : without u and v, ends this close are one node.

    With u and v the ends of lines are nodes and no others are made; without, lines are split where they meet. Mirrored
    edges of a directed layer become two-way segments. A node stands at the end of its segment with the lowest id.
    The result does not depend on the order of rows.
    Raises NetworkError when there is no usable line.
    """
    if not (np.isfinite(snap_tolerance_m) and snap_tolerance_m >= 0):
        raise NetworkError(f"捕捉容差无效：{snap_tolerance_m}", f"invalid snapping tolerance {snap_tolerance_m}")

    return _build(*tidy_edges(edges), snap_tolerance_m)


def _build(tidy: pd.DataFrame, notes: list[LamplightNote], snap_tolerance_m: float) -> tuple[StreetNetwork, Notes]:
    crs = _crs_of(tidy["geometry"].to_numpy())
    if (tidy["u"] == -1).all() and (tidy["v"] == -1).all():
        tidy, more = split_where_meeting(tidy, crs, snap_tolerance_m=snap_tolerance_m)
        notes += more
        if tidy.empty:
            raise NetworkError("图层中没有街道线", "the layer holds no street lines")
    tidy, more = merge_mirrors(tidy)
    notes += more
    measured = _measured_m(tidy["geometry"].to_numpy(), crs)
    tidy["length_m"] = _lengths(tidy["length_m"].to_numpy(), measured, notes)
    network = _assemble(tidy, crs)
    _remark_on_shape(network, measured, notes)
    return network, tuple(notes)


def network_from_records(table: gpd.GeoDataFrame) -> StreetNetwork:
    """Build a network from segments already valid, as ``network_to_records`` gives them, in any order of rows.

    table : columns segment_id, u, v (node ids), length_m, oneway, street_class, name, free_kmh; geometry in WGS84.
    Nothing is searched, merged or measured. Raises NetworkError when there are no segments.
    """
    if table.empty:
        raise NetworkError("没有街道路段", "there are no street segments")
    tidy = pd.DataFrame(table.drop(columns=table.geometry.name))
    tidy["geometry"] = table.geometry.to_numpy()
    # A column without any value comes back from a store as None throughout.
    tidy["free_kmh"] = pd.to_numeric(tidy["free_kmh"], errors="coerce")
    tidy = tidy.fillna({"street_class": "", "name": "", "oneway": 0})
    return _assemble(tidy, _crs_of(tidy["geometry"].to_numpy()))


def network_to_records(network: StreetNetwork) -> gpd.GeoDataFrame:
    """Return the segments as a table, u and v being node ids: what ``network_from_records`` reads."""
    columns = {
        "segment_id": network.segment_id,
        "u": network.node_id[network.u],
        "v": network.node_id[network.v],
        "length_m": network.length_m,
        "oneway": network.oneway,
        "street_class": network.street_class,
        "name": network.name,
        "free_kmh": network.free_kmh,
    }
    return gpd.GeoDataFrame(columns, geometry=network.geometry, crs=4326)


def components(network: StreetNetwork) -> NDArray[np.int32]:
    """Return for each node (n,) the number of its component, ignoring one-way rules.

    Components are numbered from 0 in the order of their first node.
    """
    shape = (network.n_nodes, network.n_nodes)
    links = coo_array((np.ones(network.n_segments, np.int8), (network.u, network.v)), shape=shape)
    labels: NDArray[np.int32] = connected_components(links.tocsr(), directed=False)[1].astype(np.int32)
    return labels


def _crs_of(shapes: NDArray[np.object_]) -> str:
    # The middle of the bounding box, unlike a mean, is the same to the last bit in every order of rows.
    west, south, east, north = shapely.total_bounds(shapes)
    return metric_crs(float(west + east) / 2, float(south + north) / 2)


def _measured_m(shapes: NDArray[np.object_], crs: str) -> NDArray[np.float64]:
    lonlat, line = shapely.get_coordinates(shapes, return_index=True)
    x, y = to_metric(lonlat[:, 0], lonlat[:, 1], crs)
    within = line[1:] == line[:-1]
    steps = np.hypot(np.diff(x), np.diff(y))[within]
    return np.bincount(line[1:][within], steps, minlength=len(shapes)).astype(np.float64)


def _lengths(
    given: NDArray[np.float64], measured: NDArray[np.float64], notes: list[LamplightNote]
) -> NDArray[np.float64]:
    """Take given lengths where they are plausible, measured ones elsewhere."""
    plausible = (given >= measured / LENGTH_FACTOR - 1) & (given <= measured * LENGTH_FACTOR + 1) & (given >= 0)
    slips = int((~plausible & ~np.isnan(given)).sum())
    if slips:
        zh = f"{slips} 条路段的给定长度不可信，改用量算长度"
        notes.append(LamplightNote(zh, f"{slips} given lengths are implausible: measured instead"))
    if plausible.any():
        there, here = given[plausible].sum(), measured[plausible].sum()
        if abs(there - here) > LENGTH_SHARE * here:
            zh = f"给定长度合计 {there / 1000:.1f} 公里，按几何量算为 {here / 1000:.1f} 公里"
            en = f"given lengths add up to {there / 1000:.1f} km, the lines measure {here / 1000:.1f} km"
            notes.append(LamplightNote(zh, en))
    return np.where(plausible, given, measured)


def _assemble(tidy: pd.DataFrame, crs: str) -> StreetNetwork:
    """Order nodes along a Hilbert curve and segments by their nodes, and lay out the arcs."""
    tidy = tidy.sort_values("segment_id", kind="stable", ignore_index=True)
    shapes = tidy["geometry"].to_numpy()
    ends = np.column_stack([tidy["u"].to_numpy(np.int64), tidy["v"].to_numpy(np.int64)]).ravel()
    at = np.stack([shapely.get_coordinates(shapely.get_point(shapes, end)) for end in (0, -1)], axis=1).reshape(-1, 2)
    node_id, first, back = np.unique(ends, return_index=True, return_inverse=True)
    lon, lat = at[first].T
    x, y = to_metric(lon, lat, crs)
    order = np.lexsort((node_id, lat, lon, hilbert_key(x, y)))
    position = np.empty(len(order), np.int32)
    position[order] = np.arange(len(order), dtype=np.int32)
    u, v = position[back.reshape(-1, 2)].T
    rows = np.lexsort((tidy["segment_id"], np.maximum(u, v), np.minimum(u, v)))
    u, v = np.ascontiguousarray(u[rows]), np.ascontiguousarray(v[rows])
    indptr, head, arc_segment, arc_forward = arcs_of(u, v, len(order))
    return StreetNetwork(
        node_id=node_id[order],
        lon=lon[order],
        lat=lat[order],
        x=x[order],
        y=y[order],
        crs=crs,
        segment_id=tidy["segment_id"].to_numpy(np.int64)[rows],
        u=u,
        v=v,
        length_m=tidy["length_m"].to_numpy(np.float64)[rows],
        oneway=tidy["oneway"].to_numpy(np.int8)[rows],
        street_class=tidy["street_class"].to_numpy(object)[rows],
        name=tidy["name"].to_numpy(object)[rows],
        free_kmh=tidy["free_kmh"].to_numpy(np.float64)[rows],
        geometry=shapes[rows],
        indptr=indptr,
        head=head,
        arc_segment=arc_segment,
        arc_forward=arc_forward,
    )


def _remark_on_shape(network: StreetNetwork, measured: NDArray[np.float64], notes: list[LamplightNote]) -> None:
    """Remark on nodes whose line ends lie apart and on lines without extent."""
    apart = np.zeros(network.n_nodes, bool)
    for end, node in ((0, network.u), (-1, network.v)):
        lonlat = shapely.get_coordinates(shapely.get_point(network.geometry, end))
        x, y = to_metric(lonlat[:, 0], lonlat[:, 1], network.crs)
        apart[node[np.hypot(x - network.x[node], y - network.y[node]) > NODE_SPREAD_M]] = True
    if apart.any():
        zh = f"{int(apart.sum())} 个节点的线端点相距超过 {NODE_SPREAD_M:g} 米，以编号最小的路段为准"
        en = f"{int(apart.sum())} nodes have line ends more than {NODE_SPREAD_M:g} m apart: the lowest id's was taken"
        notes.append(LamplightNote(zh, en))
    flat = int((measured == 0).sum())
    if flat:
        notes.append(LamplightNote(f"{flat} 条路段没有长度", f"{flat} segments have lines without extent"))
