from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from gis.errors import QuestionError, StoreError
from layers.hours import HourOfWeek
from layers.run import parquet_bytes
from planner import runs
from planner.coverage import CoverageQuestion
from planner.runs import place_records, run_comparison, run_coverage
from tests.planner import toy_town as toy


@pytest.fixture
def own_town(new_store):
    """A town the test may change."""
    return toy.keep(new_store("own"), toy.layers_of_town())


def table_bytes(run) -> dict[str, bytes]:
    return {name: parquet_bytes(table) for name, table in run.tables.items()}


def test_the_same_question_of_the_same_records_is_answered_by_the_run_already_kept(own_town, question) -> None:
    first = run_coverage(own_town, question)
    steps: list[str] = []
    again = run_coverage(own_town, question, progress=steps.append)
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert steps == []
    assert len(own_town.runs("coverage")) == 1
    for name, table in first.tables.items():  # the store gives texts back in another pandas type
        pd.testing.assert_frame_equal(again.tables[name], table, check_dtype=False, check_exact=True)


def test_the_same_records_give_the_same_bytes_in_another_store(own_town, new_store, question) -> None:
    other = toy.keep(new_store("other"), dict(reversed(toy.layers_of_town().items())))
    first, second = run_coverage(own_town, question), run_coverage(other, question)
    assert (first.parameters, first.inputs, first.software) == (second.parameters, second.inputs, second.software)
    assert table_bytes(first) == table_bytes(second)


def test_answers_from_the_cache_of_places_equal_those_without_it(own_town, question) -> None:
    first = run_coverage(own_town, replace(question, thresholds_s=(60,)))
    fresh = run_coverage(own_town, question)  # reads what the first question left in the cache
    own_town.prune()
    again = run_coverage(own_town, replace(question, at=HourOfWeek(2, 600)))
    assert first.id != fresh.id != again.id
    assert (
        fresh.tables["totals"]["covered_people_900"].tolist() == again.tables["totals"]["covered_people_900"].tolist()
    )


def test_changed_records_make_a_new_run_and_old_versions_can_still_be_asked(own_town, question) -> None:
    before = run_coverage(own_town, question)
    old = own_town.current()["service-points", ""].id
    points = toy.service_points()
    own_town.import_layer("service-points", "", points[points["code"] != "P1"], source="toy", sha256="1")
    after = run_coverage(own_town, question)
    assert after.id != before.id
    assert after.tables["points"]["code"].tolist() == ["P2"]
    assert run_coverage(own_town, question, versions={("service-points", ""): old}).id == before.id


def test_duties_of_patrols_are_no_input_of_coverage_and_a_roster_only_on_a_day(own_town, question) -> None:
    asked, dated = replace(question, on=None), replace(question, on=date(2026, 3, 1))
    before = run_coverage(own_town, asked)
    duties = pd.DataFrame({"duty_id": ["D1"], "segment_id": [1]})
    worker = {"person": "张三", "role": "grid_worker", "area_code": "320102001001001", "from_date": date(2026, 1, 1)}
    own_town.import_layer("patrol-duties", "", duties, source="toy", sha256="1")
    own_town.import_layer("roster", "", pd.DataFrame([{**worker, "shift": "20:00-24:00"}]), source="toy", sha256="1")
    assert run_coverage(own_town, asked).id == before.id
    assert set(run_coverage(own_town, dated).inputs) == {*before.inputs, "roster"}


def test_a_comparison_says_what_every_area_gains_and_loses(own_town, question) -> None:
    before = run_coverage(own_town, question)
    after = run_coverage(own_town, replace(question, planned=True))
    change = run_comparison(own_town, before.id, after.id)
    areas = change.tables["areas"].set_index("code")
    assert areas.loc[toy.EAST, "change_covered_people_300"] == pytest.approx(30, abs=0.01)
    assert areas.loc[toy.NORTH, "change_covered_people_300"] == pytest.approx(0, abs=1e-9)
    assert areas.loc[toy.EAST, "change_median_s"] == pytest.approx(-900, abs=0.01)
    totals = change.tables["totals"].iloc[0]
    assert totals["change_covered_street_m_300"] == pytest.approx(300, abs=0.01)
    assert change.tables["parameters"].to_numpy().tolist() == [["planned", "False", "True"]]
    assert run_comparison(own_town, before.id, after.id).id == change.id


def test_comparing_a_run_with_itself_changes_nothing_and_swapping_turns_the_signs(own_town, question) -> None:
    before = run_coverage(own_town, question)
    after = run_coverage(own_town, replace(question, planned=True))
    same = run_comparison(own_town, before.id, before.id).tables["areas"]
    changed = [name for name in same if name.startswith("change_")]
    assert (same[changed].fillna(0) == 0).all(axis=None)
    there = run_comparison(own_town, before.id, after.id).tables["areas"][changed]
    back = run_comparison(own_town, after.id, before.id).tables["areas"][changed]
    pd.testing.assert_frame_equal(there, -back)


def test_an_area_only_one_of_two_runs_knows_is_told_apart(own_town, question) -> None:
    before = run_coverage(own_town, question)
    fewer = toy.areas("subdistrict")
    own_town.import_layer("areas", "subdistrict", fewer[fewer["code"] != toy.WEST], source="toy", sha256="1")
    after = run_coverage(own_town, question)
    areas = run_comparison(own_town, before.id, after.id).tables["areas"].set_index("code")
    assert areas["present"].value_counts().to_dict() == {"both": 8, "before": 1}
    assert areas.loc[toy.WEST, "change_people"] == pytest.approx(-130, abs=0.01)


def test_runs_that_cannot_be_compared_are_refused(own_town, question) -> None:
    coverage = run_coverage(own_town, question)
    other = run_coverage(own_town, replace(question, thresholds_s=(60,)))
    with pytest.raises(QuestionError, match="different time thresholds"):
        run_comparison(own_town, coverage.id, other.id)
    comparison = run_comparison(own_town, coverage.id, coverage.id)
    with pytest.raises(QuestionError, match="not a coverage run"):
        run_comparison(own_town, coverage.id, comparison.id)
    with pytest.raises(StoreError):
        run_comparison(own_town, coverage.id, "zzz")


def test_a_city_without_streets_or_an_unknown_version_is_refused(new_store, own_town, question) -> None:
    with pytest.raises(StoreError, match="no streets"):
        run_coverage(new_store("empty"), question)
    with pytest.raises(StoreError, match="no version 999"):
        run_coverage(own_town, question, versions={("service-points", ""): 999})
    roster = own_town.current()["roster", ""].id
    with pytest.raises(StoreError):
        run_coverage(own_town, question, versions={("service-points", ""): roster})


def test_streets_alone_are_enough_for_an_answer(new_store, question) -> None:
    run = run_coverage(toy.keep(new_store("bare"), {("streets", ""): toy.streets()}), question)
    assert run.tables["totals"]["street_m"].tolist() == [3300]
    assert len(run.tables["areas"]) == 0
    assert {"no-points", "no-population", "no-reports", "no-areas"} <= set(run.tables["notes"]["code"])


def test_without_population_times_are_over_the_metres_one_can_walk(new_store, question) -> None:
    layers = {key: table for key, table in toy.layers_of_town().items() if key[0] != "population"}
    run = run_coverage(toy.keep(new_store("streets only"), layers), question)
    east = run.tables["areas"].set_index("code").loc[toy.EAST]
    assert east["median_s"] == pytest.approx(850, abs=0.01)  # 600 to 1,100 s along 500 m; the motorway left aside
    assert east["people"] == east["unreached_people"] == 0
    assert set(run.tables["inequality"]["weighed_by"]) == {"street_m"}
    assert "no-population" in set(run.tables["notes"]["code"])


def test_a_point_in_the_river_reaches_nobody_and_is_named(new_store, question) -> None:
    layers = toy.layers_of_town()
    points = toy.service_points().iloc[:2].assign(code=["W1", "P2"], name=["River Boat", "Night Centre"])
    points.loc[points["code"] == "W1", "geometry"] = toy.placed(toy.Point(1000, 1000))
    run = run_coverage(toy.keep(new_store("river"), layers | {("service-points", ""): points}), question)
    assert run.tables["areas"].set_index("code").loc[toy.SOUTH, "covered_people_300"] == 0
    named = run.tables["notes"].set_index("code").loc["points-unsnapped"]
    assert "River Boat" in named["en"]
    assert "River Boat" in named["zh"]


def test_a_run_names_its_software_and_leaves_its_seconds_out_of_its_identity(own_town, question, monkeypatch) -> None:
    first = run_coverage(own_town, question)
    assert first.software.startswith("lamplight ")
    assert first.seconds > 0
    monkeypatch.setattr(runs, "software", lambda: "lamplight 99")
    assert run_coverage(own_town, question).id != first.id


def test_rescue_stations_offer_every_function_around_the_clock(new_store, question) -> None:
    layers = toy.layers_of_town()
    station = toy.frame([toy.Point(1200, 0)], code=["S1"], name=["Relief Station"])
    store = toy.keep(new_store("stations"), layers | {("rescue-stations", ""): station})
    asked = CoverageQuestion(walk_kmh=3.6, function="temporary_service", at=HourOfWeek(6, 120))
    assert run_coverage(store, asked).tables["points"]["code"].tolist() == ["S1"]
    only = run_coverage(store, replace(question, places="rescue-stations"))
    assert only.tables["points"]["code"].tolist() == ["S1"]
    assert run_coverage(store, replace(question, places="service-points")).tables["points"]["code"].tolist() == [
        "P1",
        "P2",
    ]


def test_a_roster_that_was_never_imported_leaves_every_post_vacant_and_says_so(new_store, question) -> None:
    layers = {key: table for key, table in toy.layers_of_town().items() if key[0] != "roster"}
    asked = replace(question, on=toy.dt.date(2024, 7, 1))
    run = run_coverage(toy.keep(new_store("vacant"), layers), asked)
    assert len(run.tables["roster"]) == 3 + 3 + 1
    assert "no-roster" in set(run.tables["notes"]["code"])


def test_placing_records_beforehand_answers_nothing_and_changes_no_answer(new_store, own_town, question) -> None:
    ahead = toy.keep(new_store("ahead"), toy.layers_of_town())
    place_records(ahead)
    assert ahead.runs() == []
    assert table_bytes(run_coverage(ahead, question)) == table_bytes(run_coverage(own_town, question))
    with pytest.raises(StoreError, match="no streets"):
        place_records(new_store("nothing"))


def test_a_city_without_areas_has_every_column_no_row_and_can_be_compared(own_town, new_store, question) -> None:
    bare = {key: table for key, table in toy.layers_of_town().items() if key[0] not in ("areas", "grid-cells")}
    store = toy.keep(new_store("bare"), bare)
    before, after = run_coverage(store, question), run_coverage(store, replace(question, walk_kmh=3.0))
    assert list(before.tables["areas"].columns) == list(run_coverage(own_town, question).tables["areas"].columns)
    assert before.tables["areas"].empty
    change = run_comparison(store, before.id, after.id)
    assert change.tables["areas"].empty
    assert change.tables["totals"]["change_covered_street_m_300"].item() < 0
