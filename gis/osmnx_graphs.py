"""Street edges from osmnx graphs, in memory or in GraphML files.

Imported only where a graph is at hand: osmnx takes seconds to load.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import geopandas as gpd
import networkx
import numpy as np
import osmnx
import shapely

from gis.errors import FileRefusedError, NetworkError
from gis.file_checks import open_packed


def edges_from_graphml(path: Path) -> gpd.GeoDataFrame:
    """Read the edges of an OSMnx graph from a checked GraphML file, gzipped or not.

    Raises FileRefusedError on a file that is no OSMnx graph.
    """
    try:
        with tempfile.TemporaryDirectory() as folder, open_packed(path) as source:
            # osmnx takes a path to a plain file only.
            plain = Path(folder) / "graph.graphml"
            with plain.open("wb") as sink:
                shutil.copyfileobj(source, sink)
            graph = osmnx.load_graphml(plain)
    except (ParseError, networkx.NetworkXError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        zh, en = f"不是可用的 OSMnx GraphML 文件：{error!r}", f"not a usable OSMnx GraphML file: {error!r}"
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
