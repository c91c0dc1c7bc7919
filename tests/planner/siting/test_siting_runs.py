"""Siting asked of whole cities: the toy town by hand, and every plan held against a coverage run of its own."""

from collections.abc import Callable

import numpy as np
import pytest
from shapely import Point, box

from gis.errors import QuestionError
from layers.run import Run
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.runs import run_coverage, run_siting
from planner.siting.question import PROBLEMS, SitingQuestion
from tests.planner import toy_town

WALK = CoverageQuestion(thresholds_s=(300,), walk_kmh=3.6)
ASKED = {
    "lscp": {}, "mix": {"budget": 2.0, "candidates": "layer"}, "periods": {"counts": (1, 1)}, "frontier": {"count": 3},
    "capacitated": {"count": 1, "capacity": 50.0}, "cpmedian": {"count": 1, "capacity": 200.0},
    "robust": {"count": 1, "scenarios": ("day", "night", "winter")},
}  # fmt: skip


def ask(problem: str, **more: object) -> SitingQuestion:
    return SitingQuestion(problem, WALK, **{"seconds": 120.0, **ASKED.get(problem, {"count": 1}), **more})


@pytest.fixture(scope="module")
def sited(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The toy town with candidates: (1200, 0), (2000, 0), and an upgrade of P1."""
    store = Store(str(tmp_path_factory.mktemp("sited") / "town.db"))
    store.create()
    candidates = toy_town.frame(
        [Point(1200, 0), Point(1200, 0), Point(2000, 0), Point(100, 0)],
        code=["C1a", "C1b", "C2", "U1"],
        name=["东门", "东门旧房", "桥头", "一号点"],
        place=["C1", "C1", "", "P1"],
        build_state=["build", "convert", "build", "upgrade"],
        cost=[3.0, 2.0, 1.0, 1.0],
        hours=["24/7"] * 4,
    )
    return toy_town.keep(store, {**toy_town.layers_of_town(), ("candidates", ""): candidates})


def facts(run: Run) -> dict[str, object]:
    return run.tables["plan"].iloc[0].to_dict()


def opened(run: Run) -> set[str]:
    sites = run.tables["sites"]
    return set(sites["code"][sites["action"] != "close"])


def test_one_more_point_goes_where_most_people_are_out_of_reach(sited: Store) -> None:
    run = run_siting(sited, ask("mclp"))
    # P1 reaches the home at 70 s, P2 all of North; thirty people at x = 1100 are the most left
    assert opened(run) <= {"J2", "J1"} and len(opened(run)) == 1
    assert facts(run)["before"] == pytest.approx(130)
    assert facts(run)["value"] == pytest.approx(160)
    assert facts(run)["optimal"] and facts(run)["stopped"] == "proven"


def test_the_last_homes_off_the_streets_are_named_and_not_called_infeasible(sited: Store) -> None:
    run = run_siting(sited, ask("lscp"))
    assert facts(run)["value"] == 2 and facts(run)["optimal"]
    note = run.tables["notes"].set_index("code").loc["out-of-reach"]
    assert "7" in note["en"] and "no candidate reaches" in note["en"]
    assert run.tables["left_out"]["unreachable"].sum() == pytest.approx(7)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_plan_reaches_what_coverage_measures_once_it_stands(sited: Store, problem: str) -> None:
    run = run_siting(sited, ask(problem))
    today, then = run_coverage(sited, WALK), run_coverage(sited, CoverageQuestion((300,), walk_kmh=3.6, plan=run.id))
    for when, measured in (("before", today), ("after", then)):
        for what in ("people", "street_m", "reports"):
            given = run.tables["areas"].set_index("code")[f"{what}_{when}"]
            other = measured.tables["areas"].set_index("code")[f"covered_{what}_300"]
            np.testing.assert_allclose(given, other.loc[given.index], atol=1e-9)
    assert facts(run)["gap"] <= 1e-6, "a town this small is proven"


def test_sites_add_up_and_have_stand_ins(sited: Store) -> None:
    run = run_siting(sited, ask("mclp", count=2))
    sites = run.tables["sites"]
    assert sites["adds_last"].sum() == pytest.approx(35)
    assert (sites["runner_up_loses"] >= -1e-9).all()
    assert sites["adds_last"].is_monotonic_decreasing


def test_the_place_that_would_serve_best_in_a_sites_stead_is_named(sited: Store) -> None:
    run = run_siting(sited, ask("mclp", count=1, candidates="layer"))
    (site,) = run.tables["sites"].to_dict("records")
    names = {"C1a": "东门", "C1b": "东门旧房", "C2": "桥头", "U1": "一号点"}
    assert site["runner_up_name"] == names[site["runner_up"]] != names[site["code"]]
    told = f"改用{site['runner_up_name']}（{site['runner_up']}）只损失"
    assert run.tables["story"]["zh"].str.contains(told, regex=False).sum() == 1


def test_a_budget_buys_the_cheaper_variant_of_a_place(sited: Store) -> None:
    run = run_siting(sited, ask("mix", budget=3.0))
    assert opened(run) == {"C1b", "C2"}
    assert facts(run)["cost"] == 3.0


def test_points_that_may_be_moved_are_closed_where_they_serve_nobody_best(sited: Store) -> None:
    run = run_siting(sited, ask("mclp", count=0, existing="closable"))
    # two points stand: North with 120 people keeps one, thirty people in the east take the other from P1's ten
    assert facts(run)["value"] == pytest.approx(150)
    assert list(run.tables["sites"]["action"]) == ["build", "close"]


def test_several_functions_count_each_by_itself(sited: Store) -> None:
    run = run_siting(sited, ask("mclp", functions=("reporting", "guidance"), count=0))
    # P1 guides and does not report, P2 reports and does not guide: each reaches its people for half of what is asked
    assert facts(run)["value"] == pytest.approx(10 / 2 + 120 / 2)


def test_new_points_keep_out_of_forbidden_areas_and_inside_the_areas_named(new_store: Callable[[str], Store]) -> None:
    lake = toy_town.frame([box(1150, -50, 1250, 50)], name=["Lake"], reason=["water"])
    store = toy_town.keep(new_store("lake"), {**toy_town.layers_of_town(), ("forbidden-areas", ""): lake})
    run = run_siting(store, ask("mclp", count=6))
    assert "J2" not in opened(run)
    assert "candidates-forbidden" in set(run.tables["notes"]["code"])
    inside = run_siting(store, ask("mclp", count=1, within=(toy_town.WEST,)))
    assert set(inside.tables["sites"]["area_code"]) <= {toy_town.WEST}
    with pytest.raises(QuestionError, match="no area with the code or name 'Atlantis'"):
        run_siting(store, ask("mclp", within=("Atlantis",)))


def test_demand_may_be_reports_streets_or_a_mix(sited: Store) -> None:
    reports = run_siting(sited, ask("mclp", demand=(("reports", 1.0),)))
    assert facts(reports)["unit"] == "reports" and facts(reports)["total"] == pytest.approx(7.0)  # two in two days
    streets = run_siting(sited, ask("mclp", demand=(("streets", 1.0),)))
    assert facts(streets)["total"] == pytest.approx(2100.0)
    mix = run_siting(sited, ask("mclp", demand=(("people", 3.0), ("streets", 1.0))))
    assert facts(mix)["unit"] == "share" and facts(mix)["total"] == pytest.approx(1.0)


def test_the_same_question_gives_the_same_tables(sited: Store, new_store: Callable[[str], Store]) -> None:
    other = toy_town.keep(new_store("again"), toy_town.layers_of_town())
    first = run_siting(other, ask("mclp", count=2, seed=5))
    again = toy_town.keep(new_store("twice"), toy_town.layers_of_town())
    second = run_siting(again, ask("mclp", count=2, seed=5))
    assert first.id == second.id
    for name, table in first.tables.items():
        assert table.equals(second.tables[name]), name


def test_a_cancelled_search_gives_its_best_plan_and_is_searched_again(sited: Store) -> None:
    question = ask("mclp", count=2, seed=77)
    cut = run_siting(sited, question, cancelled=lambda: True)
    assert cut.parameters["cancelled"] is True
    assert facts(cut)["bound"] >= facts(cut)["value"]
    whole = run_siting(sited, question)
    assert whole.id != cut.id and facts(whole)["stopped"] == "proven"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"problem": "magic"}, "unknown problem"),
        ({"problem": "mclp", "count": None}, "needs --count"),
        ({"problem": "mclp", "count": -1}, "number of points"),
        ({"problem": "mix"}, "needs --budget"),
        ({"problem": "periods"}, "needs --counts"),
        ({"problem": "lscp", "share": 1.5}, "share to reach"),
        ({"problem": "lscp", "budget": 3.0}, "--budget is for"),
        ({"problem": "mclp", "count": 1, "demand": ()}, "at least one"),
        ({"problem": "mclp", "count": 1, "demand": (("fish", 1.0),)}, "unknown demand"),
        ({"problem": "mclp", "count": 1, "seconds": float("nan")}, "time limit"),
        ({"problem": "mclp", "count": 1, "coverage": CoverageQuestion()}, "one time threshold"),
    ],
)
def test_impossible_questions_are_refused_in_words(bad: dict[str, object], said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        SitingQuestion(**bad)


def test_places_without_a_name_are_named_by_a_street_near_by(tmp_path) -> None:
    store = Store(str(tmp_path / "town.db"))
    store.create()
    streets = toy_town.streets().assign(name=["Main Street", "", "", "", "环路"])
    toy_town.keep(store, {**toy_town.layers_of_town(), ("streets", ""): streets})
    run = run_siting(store, ask("pmedian", count=4, candidates="midpoints"))
    named = run.tables["sites"].set_index("code")["name"]
    # the middle of the second street is 100 m from the ring; the others have no named street within 300 m
    assert named.to_dict() == {"M1": "Main Street", "M2": "环路附近", "M3": "", "M4": ""}
