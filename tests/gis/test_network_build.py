"""Networks from edge layers, OSM files and osmnx graphs: what is split, welded, merged and kept."""

import gzip
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import osmium
import osmnx
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from shapely.geometry import LineString, MultiLineString, Point

from gis.crs import metric_crs, to_lonlat, to_metric
from gis.edge_columns import oneway_of, speed_kmh
from gis.errors import FileRefusedError, NetworkError
from gis.hilbert import hilbert_key
from gis.network import StreetNetwork
from gis.network_build import (
    build_network,
    components,
    network_from_edges,
    network_from_osmnx,
    network_from_records,
    network_to_records,
    read_network,
)
from gis.osm_files import NO_STREET

CRS = metric_crs(118.8, 32.0)
X0, Y0 = (float(value) for value in to_metric(118.8, 32.0, CRS))


def metric_line(*points: tuple[float, float]) -> LineString:
    """A WGS84 line whose vertices lie these metres east and north of a place in Nanjing."""
    x, y = np.array(points, float).T
    return LineString(np.column_stack(to_lonlat(X0 + x, Y0 + y, CRS)))


def layer(lines: list[LineString], **columns: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(columns, geometry=lines, crs=4326)


def same(a: StreetNetwork, b: StreetNetwork) -> None:
    for name in StreetNetwork.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if name == "geometry":
            left, right = shapely.to_wkb(left), shapely.to_wkb(right)
        if name == "crs":
            assert left == right
        else:
            np.testing.assert_array_equal(left, right, err_msg=name)


def degrees(network: StreetNetwork) -> list[int]:
    return sorted(np.diff(network.indptr).tolist())


# --- topology from lines that bring none ---------------------------------------------------------------------------


def test_two_lines_that_cross_become_four_segments_around_one_junction() -> None:
    net = network_from_edges(layer([metric_line((0, 0), (100, 0)), metric_line((50, -50), (50, 50))]))
    assert (net.n_nodes, net.n_segments) == (5, 4)
    assert degrees(net) == [1, 1, 1, 1, 4]
    np.testing.assert_allclose(net.length_m, 50, atol=0.01)


def test_an_end_near_another_street_joins_it_within_the_tolerance_only() -> None:
    near = layer([metric_line((0, 0), (100, 0)), metric_line((50, 0.4), (50, 50))])
    far = layer([metric_line((0, 0), (100, 0)), metric_line((50, 0.6), (50, 50))])
    assert network_from_edges(near).n_segments == 3
    assert network_from_edges(far).n_segments == 2
    assert network_from_edges(far, snap_tolerance_m=1.0).n_segments == 3


def test_an_end_that_overshoots_leaves_no_stub() -> None:
    net = network_from_edges(layer([metric_line((0, 0), (100, 0)), metric_line((50, -0.3), (50, 50))]))
    assert degrees(net) == [1, 1, 1, 3]


@pytest.mark.parametrize("columns", [{"bridge": ["yes", None]}, {"tunnel": ["no", "T"]}, {"layer": [1, 0]}])
def test_a_bridge_or_tunnel_crosses_without_a_junction(columns: dict[str, list[object]]) -> None:
    crossing = [metric_line((0, 0), (100, 0)), metric_line((50, -50), (50, 50))]
    assert network_from_edges(layer(crossing, **columns)).n_segments == 2


def test_a_bridge_still_joins_the_street_it_ends_on() -> None:
    lines = [metric_line((0, 0), (50, 0), (100, 0)), metric_line((50, 0), (50, 80))]
    assert network_from_edges(layer(lines, bridge=[None, "yes"])).n_segments == 3


def test_a_line_that_crosses_itself_is_split_there() -> None:
    net = network_from_edges(layer([metric_line((0, 0), (100, 0), (100, 50), (50, 50), (50, -50))]))
    assert degrees(net) == [1, 1, 4]
    assert (net.u == net.v).sum() == 1


def test_a_ring_that_meets_nothing_stays_a_loop() -> None:
    net = network_from_edges(layer([metric_line((0, 0), (50, 0), (50, 50), (0, 0))]))
    assert (net.n_nodes, net.n_segments, int(net.u[0]), int(net.v[0])) == (1, 1, 0, 0)
    assert net.length_m[0] == pytest.approx(100 + 50 * 2**0.5, abs=0.05)


def test_streets_drawn_over_one_another_are_cut_at_each_others_ends_and_counted_once() -> None:
    net, notes = build_network(layer([metric_line((0, 0), (60, 0), (100, 0)), metric_line((60, 0), (100, 0))]))
    assert net.n_segments == 2
    assert any("repeated" in note.en for note in notes)


def test_the_first_piece_keeps_the_id_and_a_given_length_is_shared_out() -> None:
    lines = [metric_line((0, 0), (100, 0)), metric_line((25, -50), (25, 50)), metric_line((400, 0), (500, 0))]
    net = network_from_edges(layer(lines, segment_id=[7, 9, 8], length_m=[200.0, None, 100.0]))
    lengths = dict(zip(net.segment_id.tolist(), net.length_m.tolist(), strict=True))
    assert sorted(lengths) == [7, 8, 9, 10, 11]
    assert lengths[7] == pytest.approx(50, rel=1e-3)
    assert lengths[10] == pytest.approx(150, rel=1e-3)
    assert lengths[8] == 100.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_splitting_matches_shapely_noding_and_ignores_row_order(
    ends: list[tuple[int, int, int, int]], shuffler: "np.random.Generator"
) -> None:
    lines = [metric_line((10 * a, 10 * b), (10 * c, 10 * d)) for a, b, c, d in ends if (a, b) != (c, d)]
    if not lines:
        return
    net = network_from_edges(layer(lines))

    # Noding with GEOS, then counting every stretch once, is an independent way to the total.
    def flat(line: LineString) -> LineString:
        return LineString(np.round(np.column_stack(to_metric(*line.coords.xy, CRS)) - [X0, Y0]))

    noded = shapely.union_all([flat(line) for line in lines], grid_size=1e-6)
    junctions = np.unique(shapely.get_coordinates(noded).round(3), axis=0)
    if not cKDTree(junctions).query_pairs(
        2.0
    ):  # junctions this near may be welded, and the lines between them become one
        keys = {tuple(sorted([a, b])) for a, b in zip(net.u.tolist(), net.v.tolist(), strict=True)}
        once = sum(np.hypot(net.x[a] - net.x[b], net.y[a] - net.y[b]) for a, b in keys)
        assert once == pytest.approx(noded.length, rel=1e-4, abs=2.5)  # welding moves ends by up to half a metre
    shuffled = list(lines)
    shuffler.shuffle(shuffled)
    same(net, network_from_edges(layer(shuffled)))


# --- layers that bring their topology ------------------------------------------------------------------------------


def test_given_nodes_are_used_and_crossings_do_not_split() -> None:
    lines = [metric_line((0, 0), (100, 0)), metric_line((50, -50), (50, 50))]
    net = network_from_edges(layer(lines, u=[10, 30], v=[20, 40]))
    assert net.n_segments == 2
    assert sorted(net.node_id.tolist()) == [10, 20, 30, 40]
    assert components(net).max() == 1


def test_a_node_stands_at_the_end_of_its_lowest_segment_and_a_wide_spread_is_remarked_on() -> None:
    lines = [metric_line((100, 3), (200, 0)), metric_line((0, 0), (100, 0))]
    net, notes = build_network(layer(lines, segment_id=[2, 1], u=[2, 1], v=[3, 2]))
    at = int(np.flatnonzero(net.node_id == 2)[0])
    assert net.y[at] - Y0 == pytest.approx(0, abs=1e-3)
    assert any("more than 1 m apart" in note.en for note in notes)


def test_node_names_that_are_no_numbers_are_renumbered_with_a_remark() -> None:
    net, notes = build_network(layer([metric_line((0, 0), (9, 0))], u=["东门"], v=["west"]))
    assert net.n_nodes == 2
    assert any("renumbered" in note.en for note in notes)


def test_gaps_in_the_node_columns_fall_back_to_splitting_with_a_remark() -> None:
    lines = [metric_line((0, 0), (100, 0)), metric_line((50, -50), (50, 50))]
    net, notes = build_network(layer(lines, u=[1, None], v=[2, 3]))
    assert net.n_segments == 4
    assert any("gaps" in note.en for note in notes)


def test_mirrored_edges_become_one_two_way_segment_and_lone_ones_one_way() -> None:
    a, b = metric_line((0, 0), (60, 5), (100, 0)), metric_line((100, 0), (200, 0))
    net, notes = build_network(layer([a, a.reverse(), b], segment_id=[5, 3, 4], u=[1, 2, 2], v=[2, 1, 3]))
    assert dict(zip(net.segment_id.tolist(), net.oneway.tolist(), strict=True)) == {3: 0, 4: 1}
    assert net.length_m.sum() == pytest.approx(100.6 + 100, abs=0.5)
    assert any("1 mirrored pairs" in note.en for note in notes)


def test_a_one_way_column_outranks_the_guess_for_lone_edges() -> None:
    a, b = metric_line((0, 0), (100, 0)), metric_line((100, 0), (200, 0))
    net = network_from_edges(layer([a, a.reverse(), b], u=[1, 2, 2], v=[2, 1, 3], oneway=["no", "no", "no"]))
    assert net.oneway.tolist() == [0, 0]


def test_one_way_carriageways_of_equal_length_stay_apart() -> None:
    there, back = metric_line((0, 0), (50, 10), (100, 0)), metric_line((100, 0), (50, -10), (0, 0))
    columns = {"u": [1, 2], "v": [2, 1], "length_m": [102.0, 102.0]}
    net = network_from_edges(layer([there, back], oneway=["yes", "yes"], **columns))
    assert net.oneway.tolist() == [1, 1]
    assert network_from_edges(layer([there, back], oneway=["no", "no"], **columns)).oneway.tolist() == [0]


def test_parallel_segments_that_are_no_mirror_images_stay() -> None:
    a, b = metric_line((0, 0), (50, 20), (100, 0)), metric_line((100, 0), (50, -30), (0, 0))
    net = network_from_edges(layer([a, b], u=[1, 2], v=[2, 1]))
    assert (net.n_segments, net.n_nodes) == (2, 2)


def test_a_line_without_extent_is_kept_where_it_joins_nodes() -> None:
    net, notes = build_network(layer([metric_line((0, 0), (0, 0)), metric_line((0, 0), (9, 0))], u=[1, 2], v=[2, 3]))
    assert net.length_m.min() == 0
    assert any("without extent" in note.en for note in notes)


def test_implausible_lengths_are_measured_and_a_total_off_by_five_percent_is_remarked_on() -> None:
    lines = [metric_line((100 * k, 0), (100 * k + 100, 0)) for k in range(4)]
    columns = {"u": [0, 1, 2, 3], "v": [1, 2, 3, 4]}
    net, notes = build_network(layer(lines, length_m=[110.0, -1.0, np.inf, 1e6], **columns))
    np.testing.assert_allclose(np.sort(net.length_m), [100, 100, 100, 110], atol=0.05)
    assert any("3 given lengths are implausible" in note.en for note in notes)
    assert any("add up" in note.en for note in notes)


def test_attributes_are_read_under_their_usual_names() -> None:
    lines = [metric_line((0, 0), (9, 0)), metric_line((9, 0), (9, 9))]
    columns = {
        "HIGHWAY": ["['steps', 'path']", "residential"],
        "路名": ["中山路", None],
        "maxspeed": ["40 mph", "CN:urban"],
    }
    net = network_from_edges(layer(lines, eid=[1, 2], u=[1, 2], v=[2, 3], oneway=["-1", True], **columns))
    order = np.argsort(net.segment_id)
    assert net.name[order].tolist() == ["中山路", ""]
    assert net.street_class[order].tolist() == ["steps", "residential"]
    assert net.oneway[order].tolist() == [-1, 1]
    assert net.free_kmh[order][0] == pytest.approx(64.37376)
    assert np.isnan(net.free_kmh[order][1])


@pytest.mark.parametrize(
    ("tag", "value"),
    [("yes", 1), (True, 1), (1.0, 1), ("F", 1), ("-1", -1), ("T", -1), ("no", 0), (None, 0), ("alternating", 0)],
)
def test_one_way_tags_are_understood(tag: object, value: int) -> None:
    assert oneway_of(tag) == value


@pytest.mark.parametrize(
    ("tag", "value"),
    [("60", 60), (60, 60), ("60;80", 60), (["60", "40"], 40), ("50 km/h", 50), ("none", None), (0, None), (None, None)],
)
def test_speeds_are_understood(tag: object, value: float | None) -> None:
    assert np.isnan(speed_kmh(tag)) if value is None else speed_kmh(tag) == value


def test_lines_of_several_parts_join_or_come_apart() -> None:
    a, b, c = ((0, 0), (50, 0)), ((50, 0), (100, 0)), ((300, 0), (400, 0))
    lines = [metric_line(*part) for part in (a, b, c)]
    joined = layer([MultiLineString(lines[:2])], u=[1], v=[2])
    assert network_from_edges(joined).n_segments == 1
    assert network_from_edges(layer([MultiLineString(lines)])).n_segments == 2


def test_rows_without_a_usable_line_are_counted() -> None:
    odd = [None, Point(118.8, 32.0), LineString(), LineString([(118.8, np.nan), (118.9, 32.0)])]
    net, notes = build_network(layer([*odd, metric_line((0, 0), (9, 0))]))
    assert net.n_segments == 1
    assert any("4 rows" in note.en for note in notes)


def test_a_layer_in_another_system_gives_the_same_network() -> None:
    lines = [metric_line((0, 0), (100, 0)), metric_line((100, 0), (100, 80))]
    plain = layer(lines, segment_id=[1, 2], u=[1, 2], v=[2, 3])
    projected = network_from_edges(plain.to_crs(CRS))
    np.testing.assert_allclose(projected.length_m, network_from_edges(plain).length_m, rtol=1e-9)


def test_a_layer_without_streets_or_without_degrees_is_refused() -> None:
    with pytest.raises(NetworkError, match="no street lines"):
        network_from_edges(layer([Point(118.8, 32.0)]))
    with pytest.raises(NetworkError, match="no longitudes"):
        network_from_edges(gpd.GeoDataFrame(geometry=[LineString([(5e5, 3e6), (5e5, 3.1e6)])]))
    with pytest.raises(NetworkError, match="tolerance"):
        network_from_edges(layer([metric_line((0, 0), (9, 0))]), snap_tolerance_m=-1)


# --- order in memory, records ---------------------------------------------------------------------------------------


def test_the_hilbert_curve_visits_every_cell_in_unit_steps() -> None:
    side = np.arange(0, 65536, 4096)[:16].astype(float)
    x, y = (grid.ravel() for grid in np.meshgrid(np.append(side, 65535), np.append(side, 65535)))
    inner = (x < 65535) & (y < 65535)
    order = np.argsort(hilbert_key(x, y)[inner])
    steps = np.abs(np.diff(x[inner][order])) + np.abs(np.diff(y[inner][order]))
    assert steps.max() == 4096


@pytest.mark.realdata
def test_segments_are_ordered_by_their_nodes_and_arcs_agree_with_them(realdata: Path) -> None:
    net = network_from_edges(pyogrio.read_dataframe(realdata / "haikou" / "haikou_streets.gpkg", layer="edges"))
    low = np.minimum(net.u, net.v)
    assert (np.diff(low) >= 0).all()
    # Neighbours in memory are neighbours on the ground: consecutive nodes lie much closer than random ones.
    step = np.hypot(np.diff(net.x), np.diff(net.y))
    assert np.median(step) < 500
    tail = np.repeat(np.arange(net.n_nodes), np.diff(net.indptr))
    np.testing.assert_array_equal(np.where(net.arc_forward, net.u[net.arc_segment], net.v[net.arc_segment]), tail)


def test_records_give_back_the_same_network_in_any_order() -> None:
    lines = [metric_line((0, 0), (100, 0)), metric_line((50, -50), (50, 50)), metric_line((0, 0), (0, 0.1), (0, 0))]
    net = network_from_edges(layer(lines, name=["a", "b", "c"], oneway=[1, 0, -1]))
    records = network_to_records(net)
    same(net, network_from_records(records))
    same(net, network_from_records(records.sample(frac=1, random_state=3)))
    with pytest.raises(NetworkError):
        network_from_records(records.iloc[:0])


def test_components_agree_with_networkx() -> None:
    rng = np.random.default_rng(5)
    u, v = rng.integers(0, 60, 45), rng.integers(0, 60, 45)
    place = rng.uniform(0, 5000, (60, 2))
    lines = [metric_line(place[a], place[b]) for a, b in zip(u, v, strict=True)]
    net = network_from_edges(layer(lines, u=u.tolist(), v=v.tolist()))
    expected = nx.Graph(zip(u.tolist(), v.tolist(), strict=True))
    groups = {frozenset(net.node_id[components(net) == k].tolist()) for k in range(components(net).max() + 1)}
    assert groups == {frozenset(group) for group in nx.connected_components(expected)}


# --- OSM files and osmnx graphs -------------------------------------------------------------------------------------

OSM = """<?xml version="1.0" encoding="UTF-8"?><osm version="0.6" generator="test">
{nodes}
<way id="10"><nd ref="1"/><nd ref="2"/><nd ref="3"/><tag k="highway" v="residential"/><tag k="name" v="中山路"/></way>
<way id="11"><nd ref="2"/><nd ref="4"/><tag k="highway" v="footway"/></way>
<way id="12"><nd ref="3"/><nd ref="5"/><tag k="highway" v="tertiary"/><tag k="oneway" v="-1"/></way>
<way id="13"><nd ref="4"/><nd ref="5"/><tag k="highway" v="proposed"/></way>
<way id="14"><nd ref="1"/><nd ref="4"/><nd ref="5"/><nd ref="1"/><tag k="highway" v="pedestrian"/>
<tag k="area" v="yes"/></way>
<way id="15"><nd ref="5"/><nd ref="6"/><nd ref="7"/><nd ref="5"/><tag k="highway" v="service"/>
<tag k="junction" v="roundabout"/><tag k="maxspeed" v="20"/></way>
<way id="16"><nd ref="7"/><nd ref="99"/><nd ref="8"/><nd ref="9"/><tag k="highway" v="path"/></way>
<way id="17"><nd ref="1"/><nd ref="9"/><tag k="building" v="yes"/></way>
</osm>"""
PLACES = [(0, 0), (100, 0), (200, 0), (100, 100), (200, 100), (250, 100), (250, 150), (300, 200), (400, 200)]


@pytest.fixture
def osm_file(tmp_path: Path) -> Path:
    nodes = ""
    for number, (x, y) in enumerate(PLACES, start=1):
        lon, lat = to_lonlat(X0 + x, Y0 + y, CRS)
        nodes += f'<node id="{number}" lon="{lon:.7f}" lat="{lat:.7f}"/>\n'
    path = tmp_path / "toy.osm"
    path.write_text(OSM.format(nodes=nodes), "utf-8")
    return path


def test_an_osm_file_is_split_at_shared_nodes_and_keeps_direction_class_and_name(osm_file: Path) -> None:
    net, notes = read_network(osm_file)
    assert sorted(net.segment_id.tolist()) == [100000, 100001, 110000, 120000, 150000, 150001, 160000]
    by_id = {int(s): k for k, s in enumerate(net.segment_id)}
    assert net.name[by_id[100001]] == "中山路"
    assert net.street_class[by_id[110000]] == "footway"
    assert net.oneway[by_id[120000]] == -1
    assert net.oneway[by_id[150000]] == 1
    assert net.free_kmh[by_id[150000]] == 20
    assert sorted(net.node_id.tolist()) == [1, 2, 3, 4, 5, 7, 8, 9]
    assert any("lacks 1 nodes" in note.en for note in notes)


def test_every_osm_format_gives_the_same_network(osm_file: Path, tmp_path: Path) -> None:
    expected, _ = read_network(osm_file)
    packed = tmp_path / "toy.osm.gz"
    packed.write_bytes(gzip.compress(osm_file.read_bytes()))
    same(expected, read_network(packed)[0])
    binary = tmp_path / "toy.osm.pbf"
    with osmium.SimpleWriter(str(binary)) as writer:
        for item in osmium.FileProcessor(str(osm_file)):
            writer.add(item)
    same(expected, read_network(binary)[0])
    ways_first = tmp_path / "ways_first.xml"
    lines = osm_file.read_text("utf-8").splitlines()
    nodes = [line for line in lines if line.startswith("<node")]
    others = [line for line in lines[1:-1] if not line.startswith("<node")]
    ways_first.write_text("\n".join([lines[0], *others, *nodes, lines[-1]]), "utf-8")
    same(expected, read_network(ways_first)[0])


def test_files_that_hold_no_streets_are_refused_in_one_line(tmp_path: Path) -> None:
    for name, content in {
        "empty.osm": '<osm version="0.6"/>',
        "broken.osm": '<osm version="0.6"><way id="1">',
        "bomb.graphml": '<!DOCTYPE x [<!ENTITY a "b">]><graphml>&a;</graphml>',
        "other.graphml": "<graphml xmlns='http://graphml.graphdrawing.org/xmlns'><graph edgedefault='directed'/>"
        "</graphml>",
        "fake.osm.pbf": "no pbf at all",
    }.items():
        path = tmp_path / name
        path.write_text(content, "utf-8")
        with pytest.raises(FileRefusedError):
            read_network(path)


def graph() -> nx.MultiDiGraph:
    """Two-way 1-2 with a bend, one-way 2-3, and a two-way loop at 3 as osmnx writes it."""
    g = nx.MultiDiGraph(crs="epsg:4326")
    for node, (x, y) in {1: (0, 0), 2: (100, 0), 3: (200, 0)}.items():
        lon, lat = to_lonlat(X0 + x, Y0 + y, CRS)
        g.add_node(node, x=float(lon), y=float(lat))
    bend, loop = metric_line((0, 0), (50, 9), (100, 0)), metric_line((200, 0), (250, 0), (250, 50), (200, 0))
    g.add_edge(1, 2, osmid=1, oneway=False, length=102.0, highway=["steps", "footway"], name=["A", "B"], geometry=bend)
    g.add_edge(2, 1, osmid=1, oneway=False, length=102.0, highway=["steps", "footway"], geometry=bend.reverse())
    g.add_edge(2, 3, osmid=2, oneway=True, length=100.0, highway="primary", reversed=True, maxspeed=["60", "40"])
    g.add_edge(3, 3, osmid=3, oneway=False, length=170.7, highway="service", geometry=loop)
    g.add_edge(3, 3, osmid=3, oneway=False, length=170.7, highway="service", geometry=loop.reverse())
    return g


def test_an_osmnx_graph_keeps_one_way_streets_and_merges_reciprocal_edges() -> None:
    net = network_from_osmnx(graph())
    assert net.n_segments == 3
    by_class = {str(c): k for k, c in enumerate(net.street_class)}
    assert sorted(by_class) == ["primary", "service", "steps"]
    assert net.oneway[by_class["steps"]] == 0 == net.oneway[by_class["service"]]
    primary = by_class["primary"]
    assert net.oneway[primary] == 1
    assert net.node_id[net.u[primary]] == 2
    assert net.free_kmh[primary] == 40
    assert net.name[by_class["steps"]] == "A / B"
    assert net.length_m.sum() == pytest.approx(102 + 100 + 170.7)


def test_an_undirected_or_projected_osmnx_graph_gives_the_same_streets() -> None:
    plain = network_from_osmnx(graph())
    for other in (osmnx.convert.to_undirected(graph()), osmnx.project_graph(graph())):
        net = network_from_osmnx(other)
        np.testing.assert_allclose(np.sort(net.length_m), np.sort(plain.length_m))
        assert np.abs(net.oneway).sum() == 1
    with pytest.raises(NetworkError):
        network_from_osmnx(nx.MultiDiGraph(crs="epsg:4326"))


# --- real cities ----------------------------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize(("city", "segments", "nodes"), [("nanjing", 43_644, 29_504), ("haikou", 11_776, 8_441)])
def test_a_city_is_read_whole_and_unchanged_by_shuffling(realdata: Path, city: str, segments: int, nodes: int) -> None:
    edges = pyogrio.read_dataframe(realdata / city / f"{city}_streets.gpkg", layer="edges")
    net, notes = build_network(edges)
    assert (net.n_segments, net.n_nodes, notes) == (segments, nodes, ())
    assert components(net).max() == 0
    assert net.length_m.sum() == pytest.approx(edges["length_m"].sum(), rel=1e-12)
    same(net, network_from_edges(edges.sample(frac=1, random_state=1)))
    if city == "nanjing":
        assert net.length_m.sum() / 1000 == pytest.approx(14_520, abs=1)
        assert (net.u == net.v).sum() == 88
        low, high = np.minimum(net.u, net.v).astype(np.int64), np.maximum(net.u, net.v)
        assert segments - len(np.unique(low * net.n_nodes + high)) == 396


@pytest.mark.realdata
def test_a_city_read_through_the_file_reader_is_the_same(realdata: Path) -> None:
    path = realdata / "haikou" / "haikou_streets.gpkg"
    same(read_network(path)[0], network_from_edges(pyogrio.read_dataframe(path, layer="edges")))


@pytest.mark.realdata
def test_nanjing_without_its_node_columns_keeps_its_metres_and_stays_in_one_piece(realdata: Path) -> None:
    edges = pyogrio.read_dataframe(realdata / "nanjing" / "nanjing_streets.gpkg", layer="edges")
    net = network_from_edges(edges[["edge_id", "geometry"]])
    assert components(net).max() == 0
    # The layer draws bridges and tunnels without saying so: each crossing adds a node, none takes one away.
    assert net.n_nodes >= 29_504 - 500
    assert net.length_m.sum() == pytest.approx(edges.to_crs(4549).length.sum(), rel=2e-4)


@pytest.mark.realdata
def test_jinans_directed_layer_counts_every_street_once(realdata: Path) -> None:
    edges = pyogrio.read_dataframe(realdata / "jinan" / "jinan_streets_directed.gpkg", layer="edges")
    net, notes = build_network(edges)
    assert net.n_nodes == 12_766
    assert components(net).max() + 1 == 26
    assert 2 * (net.oneway == 0).sum() + (net.oneway == 1).sum() == len(edges) == 28_597
    assert (net.oneway == 1).sum() / len(edges) == pytest.approx(0.27, abs=0.005)
    assert {note.en for note in notes} >= {"1 segments have lines without extent"}
    # Independently: the ground covered, whatever the direction.
    ground = edges.assign(low=edges[["u", "v"]].min(axis=1), high=edges[["u", "v"]].max(axis=1))
    assert net.length_m.sum() == pytest.approx(
        ground.drop_duplicates(["low", "high", "length_m"])["length_m"].sum(), rel=1e-3
    )


@pytest.mark.realdata
def test_futians_graph_keeps_footways_and_one_way_streets(realdata: Path) -> None:
    net, _ = read_network(realdata / "shenzhen_futian" / "futian_osmnx_all.graphml.gz")
    assert net.n_nodes == 1_751
    assert 2 * (net.oneway == 0).sum() + (net.oneway != 0).sum() == 4_009
    assert (net.street_class == "footway").sum() == 726 / 2
    assert "景田路" in set(net.name)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("extract", "nodes", "edges"),
    [
        ("beijing_tsinghua_2017", None, None),
        ("shanghai_center_roads_2025", 3_813, 8_958),
        ("shenzhen_nanshan_2021", None, None),
    ],
)
def test_osm_extracts_have_the_street_metres_that_osmnx_finds(
    realdata: Path, tmp_path: Path, extract: str, nodes: int | None, edges: int | None
) -> None:
    packed = realdata / "osm_xml_extracts" / f"{extract}.osm.gz"
    net, _ = read_network(packed)
    plain = tmp_path / "plain.osm"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    peer = osmnx.graph_from_xml(plain, retain_all=True, simplify=False)
    others = [
        (u, v, k)
        for u, v, k, tags in peer.edges(keys=True, data=True)
        if tags.get("highway", "no") in NO_STREET or tags.get("area") == "yes"
    ]
    peer.remove_edges_from(others)
    table = osmnx.graph_to_gdfs(peer, nodes=False).to_crs(net.crs).reset_index()
    ends = pd.DataFrame(np.sort(table[["u", "v"]], axis=1), columns=["low", "high"]).assign(way=table["osmid"])
    assert net.length_m.sum() == pytest.approx(table.length[~ends.duplicated()].sum(), rel=1e-6)
    peer.remove_nodes_from(list(nx.isolates(peer)))
    assert components(net).max() + 1 == nx.number_weakly_connected_components(peer)
    if nodes is not None:
        largest = osmnx.simplify_graph(osmnx.truncate.largest_component(peer))
        assert (len(largest), largest.number_of_edges()) == (nodes, edges)
