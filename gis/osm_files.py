"""Street edges from OpenStreetMap data files."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import osmium
import pandas as pd
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from gis.edge_columns import tidy_edges
from gis.errors import FileRefusedError, NetworkError
from gis.file_checks import Limits, check_file
from gis.notes import LamplightNote

#: Values of the highway tag that are no street one can pass. Source: osmnx 2, network type "all".
NO_STREET = frozenset(
    ["abandoned", "construction", "no", "planned", "platform", "proposed", "raceway", "razed",
     "rest_area", "services"]
)  # fmt: skip
#: Ways that are one-way although no tag says so. Source: OSM wiki, Key:oneway, implied values.
_ONEWAY_CLASSES = frozenset({"motorway"})
_ONEWAY_JUNCTIONS = frozenset({"roundabout", "circular"})
_TAGS = ("highway", "name", "oneway", "maxspeed", "layer", "bridge", "tunnel", "junction")
#: Segments of one way are numbered from way id times this; OSM allows a way 2,000 nodes.
_PARTS_PER_WAY = 10_000
_GRAPHML = (".graphml", ".graphml.gz")


def leave_streets(path: Path, result: Path, limits: Limits) -> dict[str, Any]:
    """Parse an OSM or GraphML file, leave its tidy edges as an Arrow file, and return the remarks on them.

    Meant for the limited process in which foreign bytes are parsed. Raises FileRefusedError.
    """
    check_file(path, limits)
    notes: list[LamplightNote] = []
    try:
        if path.name.lower().endswith(_GRAPHML):
            from gis.osmnx_graphs import edges_from_graphml  # osmnx takes seconds to load

            edges = edges_from_graphml(path)
        else:
            edges, notes = edges_from_osm(path)
        tidy, more = tidy_edges(edges)
    except NetworkError as error:
        raise FileRefusedError(error.zh, error.en) from error
    tidy["geometry"] = shapely.to_wkb(tidy["geometry"].to_numpy())
    table = pa.Table.from_pandas(tidy, preserve_index=False)
    with pa.OSFile(str(result), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return {"notes": [[note.zh, note.en] for note in (*notes, *more)]}


def edges_from_osm(path: Path) -> tuple[gpd.GeoDataFrame, list[LamplightNote]]:
    """Read the streets of an OSM file (XML, gzip, bzip2 or PBF) as edges between shared nodes.

    Every way with a highway tag is taken, footways included, but for areas and ways that cannot be passed
    (``NO_STREET``). Ways are split at nodes they share with others or with themselves; node ids are OSM's,
    segment ids way id times 10,000 plus the part's number. Stretches whose nodes the file lacks are left out, counted.
    Raises FileRefusedError when the file cannot be read, NetworkError when it holds no streets.
    """
    try:
        tags, refs, way, lonlat = _ways(path)
    except (RuntimeError, OSError, ValueError) as error:
        raise FileRefusedError(f"无法读取 OSM 文件：{error}", f"the OSM file cannot be read: {error}") from error

    there: NDArray[np.bool_] = np.isfinite(lonlat[:, 0])
    if not there.any():
        raise NetworkError("OSM 文件中没有街道", "the OSM file holds no streets")
    notes = []
    if not there.all():
        gone = len(np.unique(refs[~there]))
        zh, en = f"文件缺少街道的 {gone} 个节点，相应路段从略", f"the file lacks {gone} nodes of its streets: cut there"
        notes.append(LamplightNote(zh, en))
    # A missing node breaks its way in two: the stretches get numbers of their own.
    stretch = np.cumsum(np.r_[True, way[1:] != way[:-1]] | np.r_[False, ~there[:-1]])[there]
    return _edges_between_shared(tags, refs[there], way[there], stretch, lonlat[there]), notes


def _ways(path: Path) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the tags of each street, and of all their vertices the node id, the street's position and the lonlat."""
    # Nodes are read first and by themselves: Overpass may write them after the ways.
    locations = osmium.NodeLocationsForWays(osmium.index.create_map("sparse_mem_array"))
    locations.ignore_errors()
    file = osmium.io.File(str(path), "osm") if path.suffix.lower() == ".xml" else osmium.io.File(str(path))
    with osmium.io.Reader(file, osmium.osm.NODE) as reader:
        osmium.apply(reader, locations)
    streets: Any = osmium.FileProcessor(file, osmium.osm.WAY).with_filter(locations)
    tags: list[tuple[Any, ...]] = []
    vertices: list[tuple[int, float, float]] = []
    counts: list[int] = []
    for way in streets.with_filter(osmium.filter.KeyFilter("highway")):
        if way.tags["highway"] in NO_STREET or way.tags.get("area") == "yes":
            continue
        tags.append((way.id, *(way.tags.get(tag) for tag in _TAGS)))
        counts.append(len(way.nodes))
        for node in way.nodes:
            place = (node.location.lon, node.location.lat) if node.location.valid() else (np.nan, np.nan)
            vertices.append((node.ref, *place))
    table = pd.DataFrame(tags, columns=["way", *_TAGS], dtype=object)
    refs = np.array([vertex[0] for vertex in vertices], np.int64)
    lonlat = np.array([vertex[1:] for vertex in vertices], np.float64).reshape(-1, 2)
    return table, refs, np.repeat(np.arange(len(tags)), counts), lonlat


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
