import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.carp import problem_of, ways_of
from benchmarks.carp_check import judge
from benchmarks.carp_files import Instance, read_instance
from benchmarks.carp_proof import least_cost, number_of_sets
from planner.patrol.search import search
from planner.watch import FOREVER
from tests.requirements import missing

INSTANCES = Path(__file__).parents[4] / "shared" / "instances" / "carp"

#: A square of streets of cost 10, one diagonal of 12 that nobody need serve.
SQUARE = """\
 NOMBRE : square
 COMENTARIO : UB=44, LB=40
 VERTICES : 4
 ARISTAS_REQ : 4
 ARISTAS_NOREQ : 1
 VEHICULOS : 2
 CAPACIDAD : 3
 TIPO_COSTES_ARISTAS : EXPLICITOS
 COSTE_TOTAL_REQ : 40
 LISTA_ARISTAS_REQ :
 ( 1, 2)   coste 10   demanda 1
 ( 2, 3)   coste 10   demanda 1
 ( 3, 4)   coste 10   demanda 1
 ( 4, 1)   coste 10   demanda 1
 LISTA_ARISTAS_NOREQ :
 ( 1, 3)   coste 12
 DEPOSITO :   1
"""
#: The same with two sides one way round, and dearer to serve than to pass.
MIXED = """\
NAME : square\r
NODES : 4\r
REQ_EDGES : 2\r
NOREQ_EDGES : 1\r
REQ_ARCS : 2\r
NOREQ_ARCS : 1\r
VEHICLES : 0\r
CAPACITY : 3\r
DUMPING_COST : 0\r
LIST_REQ_EDGES :\r
(1,2)   serv_cost 15   trav_cost 10   demand 1\r
(2,3)   serv_cost 15   trav_cost 10   demand 1\r
LIST_REQ_ARCS :\r
(3,4)   serv_cost 15   trav_cost 10   demand 1\r
(4,1)   serv_cost 15   trav_cost 10   demand 1\r
LIST_NOREQ_EDGES :\r
(1,3)   cost 12\r
LIST_NOREQ_ARCS :\r
(1,4)   cost 30\r
DEPOT : 1\r
"""


def read(tmp_path: Path, text: str) -> Instance:
    path = tmp_path / "square.dat"
    path.write_text(text, "latin-1")
    return read_instance(path)


def test_spanish_headings_are_read(tmp_path: Path) -> None:
    square = read(tmp_path, SQUARE)
    assert (square.name, square.n_nodes, square.capacity, square.vehicles, square.depot) == ("square", 4, 3.0, 2, 0)
    assert (len(square.task), len(square.arc), square.best_known, square.remark) == (4, 10, 44.0, "")
    assert square.both_ways.all()
    assert square.task.tolist() == [[0, 1], [1, 2], [2, 3], [3, 0]]


def test_mixed_instances_are_read(tmp_path: Path) -> None:
    square = read(tmp_path, MIXED)
    assert square.both_ways.tolist() == [True, True, False, False]
    assert square.task_cost.tolist() == [15.0] * 4
    assert square.vehicles is None
    assert np.isnan(square.best_known)
    assert sorted(map(tuple, square.arc.tolist())) == [
        (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (2, 0), (2, 1), (2, 3), (3, 0)
    ]  # fmt: skip


def test_vehicles_that_cannot_carry_the_load_are_no_bound(tmp_path: Path) -> None:
    square = read(tmp_path, SQUARE.replace("VEHICULOS : 2", "VEHICULOS : 1"))
    assert square.vehicles is None
    assert "not taken as a bound" in square.remark


def test_the_depot_and_the_numbers_of_nodes_are_free(tmp_path: Path) -> None:
    far = read(tmp_path, SQUARE.replace("DEPOSITO :   1", "DEPOSITO :   3"))
    assert far.depot == 2
    renamed = SQUARE.replace("( 1, 2)", "( 100, 2)").replace("( 4, 1)", "( 4, 100)").replace("( 1, 3)", "( 100, 3)")
    assert read(tmp_path, renamed.replace("DEPOSITO :   1", "DEPOSITO :   100")).depot == 3


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (SQUARE, "", "no capacity"),
        (SQUARE, "12 13\n1 2 3\n", "no required edges"),
        ("( 2, 3)   coste 10   demanda 1", "( 2, 3)   coste 10 11 demanda 1", "line 12"),
        ("( 2, 3)   coste 10   demanda 1", "( 2, 3)   coste ten   demanda 1", "line 12"),
        ("( 2, 3)   coste 10   demanda 1", "( 2, 3)   coste 10   demanda 4", "a task takes 4"),
        ("( 2, 3)   coste 10   demanda 1", "( 2, 30)   coste 10   demanda 1", "4 nodes stated, 5 used"),
        (SQUARE[SQUARE.index(" ( 2, 3)") :], "", "ends early"),
    ],
)
def test_what_is_no_instance_is_refused_with_the_reason(tmp_path: Path, was: str, now: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        read(tmp_path, SQUARE.replace(was, now))
    assert "square.dat" in str(refused.value)


def test_a_wrong_count_is_said_but_the_list_is_solved(tmp_path: Path) -> None:
    square = read(tmp_path, SQUARE.replace("ARISTAS_REQ : 4", "ARISTAS_REQ : 5"))
    assert (len(square.task), square.remark) == (4, "5 req edges stated, 4 listed")


def test_the_cost_is_that_of_the_best_directions(tmp_path: Path) -> None:
    square = read(tmp_path, SQUARE)
    # round three sides and back by the fourth; then the fourth, there and back
    assert judge(square, [[0, 1, 2], [3]]).cost == 40 + 20
    # two sides each, back across the square
    assert judge(square, [[0, 1], [2, 3]]).cost == 2 * (20 + 12)
    assert judge(square, [[1, 0], []]).cost == 12 + 20
    mixed = read(tmp_path, MIXED)
    # arcs are served their own way round only: 1-2-3 back across, 3-4-1 over the diagonal; 4 by 3 rather than straight
    assert judge(mixed, [[0, 1], [2, 3]]).cost == (30 + 12) + (12 + 30)
    assert judge(mixed, [[3, 2]]).cost == (12 + 10 + 15) + (12 + 15 + 10)


@pytest.mark.parametrize("text", [SQUARE, MIXED])
@pytest.mark.parametrize("vehicles", [2, 3])
def test_the_least_cost_proven_is_that_of_the_best_of_all_plans(tmp_path: Path, text: str, vehicles: int) -> None:
    square = read(tmp_path, text)
    least = min(
        judge(square, [order[a:b] for a, b in itertools.pairwise([0, *cuts, 4])]).cost
        for order in itertools.permutations(range(4))
        for cuts in itertools.combinations_with_replacement(range(5), vehicles - 1)
        if max(b - a for a, b in itertools.pairwise([0, *cuts, 4])) <= square.capacity
    )
    assert number_of_sets(square, vehicles) == 4 + 6 + 4  # of four tasks up to three
    assert least_cost(square, vehicles, np.inf) == least_cost(square, vehicles, least) == least


#: Broken plans for the square, and what is said.
BROKEN = [
    ([[0, 1], [2]], "1 tasks not served"),
    ([[0, 1], [2, 3, 0]], "1 tasks served again"),
    ([[0, 1, 2, 3]], "route 1 carries 4 of 3"),
    ([[0, 1], [2], [3]], "3 routes for 2 vehicles"),
]


@pytest.mark.parametrize(("routes", "said"), BROKEN)
def test_broken_routes_are_caught(tmp_path: Path, routes: list[list[int]], said: str) -> None:
    assert said in judge(read(tmp_path, SQUARE), routes).faults
    assert judge(read(tmp_path, SQUARE), [[0, 1], [], [2, 3]]).faults == ()


def test_a_task_without_a_way_is_caught(tmp_path: Path) -> None:
    cut = read(tmp_path, MIXED.replace("(4,1)", "(1,4)"))
    assert judge(cut, [[0, 1], [2], [3]]).faults == ("no way between two tasks",)


@pytest.fixture(scope="session")
def published() -> Path:
    if not INSTANCES.is_dir():
        missing("the folder of arc routing instances (shared/instances/carp beside the checkout)")
    return INSTANCES


def stated(path: Path) -> Iterator[int]:
    """The counts a file states: nodes, required edges, other edges, required arcs, other arcs."""
    text = path.read_text("latin-1")
    for words in ("VERTICES|NODES", "ARISTAS_REQ|REQ_EDGES", "ARISTAS_NOREQ|NOREQ_EDGES", "REQ_ARCS", "NOREQ_ARCS"):
        found = re.search(rf"^\s*(?:{words})\s*:\s*(\d+)", text, re.MULTILINE)
        yield int(found[1]) if found else 0


@pytest.mark.realdata
def test_every_published_file_holds_what_it_states(published: Path) -> None:
    files = [*published.glob("*/*.dat"), *published.glob("*/*.txt")]
    assert len(files) >= 86
    for path in files:
        instance = read_instance(path)
        nodes, required, edges, required_arcs, arcs = stated(path)
        assert instance.n_nodes == nodes
        assert int(instance.both_ways.sum()) == required
        assert len(instance.task) == required + required_arcs
        assert len(instance.arc) == 2 * (required + edges) + required_arcs + arcs
        assert instance.remark == ""
        assert np.isfinite(instance.best_known) == (path.suffix == ".dat")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["gdb1", "gdb3", "gdb4", "gdb6", "gdb11", "gdb14", "gdb16", "gdb19"])
def test_small_instances_are_solved_to_the_best_known(published: Path, name: str) -> None:
    instance = read_instance(published / "gdb" / f"{name}.dat")
    assert instance.vehicles is not None
    plan = search(problem_of(instance, ways_of(instance), instance.vehicles), FOREVER, seed=1, iterations=30_000)
    judged = judge(instance, [route.tolist() for route in plan.routes])
    assert judged.faults == ()
    assert judged.cost == pytest.approx(plan.cost) == instance.best_known


@pytest.mark.realdata
def test_vehicles_with_no_room_to_spare_are_filled_at_the_least_cost_there_is(published: Path) -> None:
    instance = replace(read_instance(published / "gdb" / "gdb12.dat"), capacity=31.0)
    assert 7 * instance.capacity - instance.load.sum() == 5
    plan = search(problem_of(instance, ways_of(instance), 7), FOREVER, seed=1, iterations=30_000)
    assert judge(instance, [route.tolist() for route in plan.routes]).faults == ()
    assert plan.cost == pytest.approx(least_cost(instance, 7, np.inf))


@pytest.mark.realdata
def test_a_mixed_instance_is_solved_within_its_bound(published: Path) -> None:
    instance = read_instance(published / "mcarp" / "mval1A.txt")
    assert instance.vehicles == 2
    plan = search(problem_of(instance, ways_of(instance), 2), FOREVER, seed=1, iterations=10_000)
    judged = judge(instance, [route.tolist() for route in plan.routes])
    assert judged.faults == ()
    assert judged.cost == pytest.approx(plan.cost)
    # all that is served, and nothing twice, is the least any plan can cost
    assert judged.cost >= instance.task_cost.sum()
