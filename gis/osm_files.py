"""Street edges from OpenStreetMap data files and from osmnx graphs."""

import gzip
import tempfile
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import geopandas as gpd
import numpy as np
import osmium
import osmnx
import pandas as pd
import shapely
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from numpy.typing import NDArray

from gis.errors import FileRefusedError, NetworkError
from gis.notes import LamplightNote

#: Values of the highway tag that are no street one can pass. Source: osmnx 2, network type "all".
NO_STREET = frozenset(
    ["abandoned", "construction", "corridor_proposed", "no", "planned", "platform", "proposed", "raceway", "razed",
     "rest_area", "services"]
)  # fmt: skip
#: Ways that are one-way although no tag says so. Source: OSM wiki, Key:oneway, implied values.
_ONEWAY_CLASSES = frozenset({"motorway"})
_ONEWAY_JUNCTIONS = frozenset({"roundabout", "circular"})
_TAGS = ("highway", "name", "oneway", "maxspeed", "layer", "bridge", "tunnel", "junction")
#: Segments of one way are numbered from way id times this; OSM allows a way 2,000 nodes.
_PARTS_PER_WAY = 10_000
#: Bytes an unpacked GraphML file may have.
MAX_GRAPHML_BYTES = 2_000_000_000


def edges_from_osm(path: Path) -> tuple[gpd.GeoDataFrame, list[LamplightNote]]:
    """Read the streets of an OSM file (XML, gzip, bzip2 or PBF) as edges between shared nodes.

    Every way with a highway tag is taken, footways included, but for areas and ways that cannot be passed
    (``NO_STREET``). Ways are split at nodes they share with others or with themselves; node ids are OSM's,
    segment ids way id times 10,000 plus the part's number. Stretches whose nodes the file lacks are left out, counted.
    Raises FileRefusedError when the file cannot be read, NetworkError when it holds no streets.
    """
    try:
        tags, refs, way = _ways(path)
        known, lonlat = _locations(path, np.unique(refs))
    except (RuntimeError, OSError, ValueError) as error:
        raise FileRefusedError(f"无法读取 OSM 文件：{error}", f"the OSM file cannot be read: {error}") from error
    if not len(refs):
        raise NetworkError("OSM 文件中没有街道", "the OSM file holds no streets")

    at = np.minimum(np.searchsorted(known, refs), max(len(known) - 1, 0))
    there = known[at] == refs if len(known) else np.zeros(len(refs), bool)
    notes = []
    if not there.all():
        gone = len(np.unique(refs[~there]))
        zh, en = f"文件缺少街道的 {gone} 个节点，相应路段从略", f"the file lacks {gone} nodes of its streets: cut there"
        notes.append(LamplightNote(zh, en))
    # A missing node breaks its way in two: the stretches get numbers of their own.
    stretch = np.cumsum(np.r_[True, way[1:] != way[:-1]] | np.r_[False, ~there[:-1]] | ~there)[there]
    edges = _edges_between_shared(tags, refs[there], way[there], stretch, lonlat[at[there]])
    return edges, notes


def _ways(path: Path) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64]]:
    """Return the tags of each street (by position), and the node ids of all with their way's position."""
    tags: list[tuple[Any, ...]] = []
    refs: list[int] = []
    counts: list[int] = []
    ways = osmium.FileProcessor(str(path), osmium.osm.WAY).with_filter(osmium.filter.KeyFilter("highway"))
    for item in ways:
        if item.tags["highway"] in NO_STREET or item.tags.get("area") == "yes" or len(item.nodes) < 2:
            continue
        tags.append((item.id, *(item.tags.get(tag) for tag in _TAGS)))
        before = len(refs)
        refs.extend(node.ref for node in item.nodes)
        counts.append(len(refs) - before)
    table = pd.DataFrame(tags, columns=["way", *_TAGS], dtype=object)
    return table, np.array(refs, np.int64), np.repeat(np.arange(len(tags)), counts)


def _locations(path: Path, wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ids, ascending, and lonlat of those wanted nodes that the file holds."""
    found: list[tuple[int, float, float]] = []
    nodes = osmium.FileProcessor(str(path), osmium.osm.NODE).with_filter(osmium.filter.IdFilter(wanted.tolist()))
    for item in nodes:
        if item.location.valid():
            found.append((item.id, item.location.lon, item.location.lat))
    ids = np.array([row[0] for row in found], np.int64)
    known, first = np.unique(ids, return_index=True)
    lonlat = np.array([row[1:] for row in found], np.float64).reshape(-1, 2)
    return known, lonlat[first]


def _edges_between_shared(
    tags: pd.DataFrame,
    refs: NDArray[np.int64],
    way: NDArray[np.int64],
    stretch: NDArray[np.int64],
    lonlat: NDArray[np.float64],
) -> gpd.GeoDataFrame:
    """Split the stretches at nodes that occur more than once; repeats of one node in a row count once."""
    fresh = np.r_[True, (refs[1:] != refs[:-1]) | (stretch[1:] != stretch[:-1])]
    refs, way, stretch, lonlat = refs[fresh], way[fresh], stretch[fresh], lonlat[fresh]
    _, back, uses = np.unique(refs, return_inverse=True, return_counts=True)
    joint = uses[back] > 1
    joint |= np.r_[True, stretch[1:] != stretch[:-1]] | np.r_[stretch[1:] != stretch[:-1], True]
    stops = np.flatnonzero(joint)
    opens = np.flatnonzero(stretch[stops[1:]] == stretch[stops[:-1]])
    start, end = stops[opens], stops[opens + 1]
    if not len(start):
        raise NetworkError("OSM 文件中没有街道", "the OSM file holds no streets")

    size = end - start + 1
    piece = np.repeat(np.arange(len(start)), size)
    vertex = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size) + np.repeat(start, size)
    of = way[start]
    part = np.arange(len(of)) - np.searchsorted(of, of)
    edges = tags.iloc[of].reset_index(drop=True)
    edges["segment_id"] = edges.pop("way").to_numpy(np.int64) * _PARTS_PER_WAY + part
    edges["u"], edges["v"] = refs[start], refs[end]
    implied = edges["highway"].isin(_ONEWAY_CLASSES) | edges.pop("junction").isin(_ONEWAY_JUNCTIONS)
    edges["oneway"] = edges["oneway"].where(edges["oneway"].notna() | ~implied, "yes")
    return gpd.GeoDataFrame(edges, geometry=shapely.linestrings(lonlat[vertex], indices=piece), crs=4326)


def edges_from_graphml(path: Path) -> gpd.GeoDataFrame:
    """Read the edges of an OSMnx graph from GraphML, gzipped or not.

    Raises FileRefusedError on a file that is too large, declares entities, or is no OSMnx graph.
    """
    opened = gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")
    try:
        with opened as source:
            content = source.read(MAX_GRAPHML_BYTES + 1)
        if len(content) > MAX_GRAPHML_BYTES:
            raise FileRefusedError("GraphML 文件过大", f"the GraphML file exceeds {MAX_GRAPHML_BYTES} bytes unpacked")
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "graph.graphml"
            plain.write_bytes(content)
            # osmnx reads with the standard parser: a document type (entity bombs, outside files) is refused before.
            for _, element in iterparse(str(plain), forbid_dtd=True):
                element.clear()
            graph = osmnx.load_graphml(plain)
    except (DefusedXmlException, ParseError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, FileRefusedError):
            raise
        zh, en = f"不是可用的 OSMnx GraphML 文件：{error}", f"not a usable OSMnx GraphML file: {error}"
        raise FileRefusedError(zh, en) from error
    return edges_from_osmnx(graph)


def edges_from_osmnx(graph: Any) -> gpd.GeoDataFrame:
    """Return the edges of an osmnx graph in WGS84, drawn from u to v, under our column names.

    graph : networkx MultiDiGraph or MultiGraph with node attributes x and y and a graph attribute crs.
    Edges are numbered by (u, v, key). Raises NetworkError on a graph without edges or without those attributes.
    """
    if not graph.number_of_edges():
        raise NetworkError("图中没有边", "the graph has no edges")
    try:
        nodes, edges = osmnx.convert.graph_to_gdfs(graph, fill_edge_geometry=True)
    except (KeyError, ValueError, AttributeError) as error:
        zh, en = f"不是 OSMnx 图：{error}", f"not an osmnx graph: {error}"
        raise NetworkError(zh, en) from error

    edges = edges.reset_index().sort_values(["u", "v", "key"], kind="stable", ignore_index=True)
    edges["segment_id"] = np.arange(len(edges))
    shapes = edges.geometry.to_numpy()
    start = shapely.get_point(shapes, 0)
    u_at, v_at = (nodes.geometry.loc[edges[end]].to_numpy() for end in ("u", "v"))
    # Undirected graphs store some lines against their edge.
    against = shapely.distance(start, v_at) < shapely.distance(start, u_at)
    edges = edges.set_geometry(np.where(against, shapely.reverse(shapes), shapes))
    oneway = edges["oneway"].map(lambda value: value is True or value == "True") if "oneway" in edges else False
    edges["oneway"] = np.where(oneway, np.where(against, -1, 1), 0)
    return edges.rename(columns={"length": "length_m"}).to_crs(4326)
