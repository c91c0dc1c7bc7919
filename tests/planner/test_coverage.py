"""Every figure of the toy town (see toy_town) by hand; figures carry millimetres of drawing error, hence ``CLOSE``."""

import json

import numpy as np
import pandas as pd
import pytest

from gis.errors import QuestionError
from layers.hours import HourOfWeek
from planner.coverage import CoverageQuestion, coverage_json
from planner.runs import run_coverage
from tests.planner import toy_town as toy

CLOSE = {"abs": 0.02}
SCALED = {"rel": 1e-4}


def area(run, code: str) -> pd.Series:
    return run.tables["areas"].set_index("code").loc[code]


def notes(run) -> dict[str, str]:
    return dict(zip(run.tables["notes"]["code"], run.tables["notes"]["en"], strict=True))


def test_people_of_an_area_are_counted_where_they_live_and_where_totals_spread_them(run) -> None:
    people = run.tables["areas"].set_index("code")["people"]
    assert people[[toy.CITY, toy.WEST, toy.EAST, toy.SOUTH, toy.NORTH]].tolist() == pytest.approx(
        [172, 130, 37, 10, 120], **CLOSE
    )
    assert area(run, toy.CELL)["people"] == 10


def test_covered_people_are_those_whose_walk_fits_the_threshold(run) -> None:
    # the home at x = 50 walks 20 m to the street and 50 m along it; North's people stand 0 to 300 s from P2
    assert area(run, toy.WEST)[["covered_people_300", "covered_people_900"]].tolist() == pytest.approx(
        [130] * 2, **CLOSE
    )
    assert area(run, toy.EAST)[["covered_people_300", "covered_people_900"]].tolist() == [0, 0]


def test_covered_street_metres_are_exact_parts_of_segments_in_each_area(run) -> None:
    names = [f"covered_street_m_{t}" for t in (300, 600, 900)]
    assert area(run, toy.WEST)[names].tolist() == pytest.approx([700, 1300, 1300], **CLOSE)
    assert area(run, toy.EAST)[names].tolist() == pytest.approx([0, 0, 300], **CLOSE)
    segments = run.tables["segments"].set_index("segment_id")
    covered = segments[[f"covered_m_{t}" for t in (300, 600, 900)]]
    assert covered.loc[2].tolist() == pytest.approx([0, 100, 400], **CLOSE)
    assert covered.loc[5].tolist() == [0, 0, 0]


def test_mean_median_and_95th_percentile_are_taken_over_people(run) -> None:
    west = area(run, toy.WEST)
    assert west["mean_s"] == pytest.approx((10 * 70 + 120 * 150) / 130, **CLOSE)
    assert west["median_s"] == pytest.approx((65 - 10) / 0.4, **CLOSE)
    assert west["p95_s"] == pytest.approx((0.95 * 130 - 10) / 0.4, **CLOSE)


def test_people_nobody_reaches_are_stated_and_take_away_the_quantile_they_reach_into(run) -> None:
    east = area(run, toy.EAST)
    assert east["unreached_people"] == 7
    assert east["median_s"] == pytest.approx(1000, **CLOSE)
    assert np.isnan(east["p95_s"])
    assert "7 people live over 200 m" in notes(run)["homes-unsnapped"]


def test_an_area_without_people_or_streets_says_so_and_divides_by_nothing(run) -> None:
    empty = area(run, toy.EMPTY)
    assert empty[["people", "street_m", "reports", "covered_people_900"]].tolist() == [0, 0, 0, 0]
    assert empty[["mean_s", "median_s", "p95_s", "access"]].isna().all()
    assert empty["note_en"] == "no street; nobody lives here"
    assert empty["note_zh"] == "没有街道；无人居住"


def test_street_metres_of_every_level_and_outside_it_add_up_to_the_network(run) -> None:
    levels = run.tables["levels"]
    assert (levels["street_m"] + levels["street_m_outside"]).tolist() == pytest.approx([3300] * len(levels), abs=1e-6)
    assert (levels["people"] + levels["people_outside"]).tolist() == pytest.approx([172] * len(levels), abs=1e-6)
    by_level = run.tables["areas"].groupby("level")["street_m"].sum()
    assert by_level[levels["level"]].tolist() == pytest.approx(levels["street_m"].tolist(), abs=1e-6)
    assert (
        "300 m of street, 5 people" in notes(run)["outside-areas"] or "300 m" in notes(run)["components-without-point"]
    )


def test_children_add_up_to_their_parent_where_boundaries_nest(run) -> None:
    areas = run.tables["areas"].set_index("code")
    for name in ("people", "street_m", "covered_people_600", "covered_street_m_900", "reports"):
        assert areas.loc[[toy.SOUTH, toy.NORTH], name].sum() == pytest.approx(areas.loc[toy.WEST, name], abs=1e-6)


def test_reports_are_counted_where_they_happened(run) -> None:
    assert area(run, toy.WEST)[["reports", "covered_reports_300"]].tolist() == [1, 1]
    assert area(run, toy.EAST)[["reports", "covered_reports_600", "covered_reports_900"]].tolist() == [1, 0, 1]


def test_a_segment_knows_its_times_and_its_backup_point(run) -> None:
    segments = run.tables["segments"].set_index("segment_id")
    north = segments.loc[3]
    assert (north["at_u_s"], north["at_v_s"]) == (pytest.approx(500, **CLOSE), pytest.approx(0, **CLOSE))
    assert north["longest_s"] == pytest.approx(550, **CLOSE)
    assert (north["point"], north["second_point"]) == ("P2", "P1")
    assert north["second_s"] == pytest.approx(800, **CLOSE)
    assert segments.loc[4, ["at_u_s", "longest_s", "second_s"]].isna().all()
    assert segments.loc[4, "point"] == ""


def test_the_longest_gaps_name_their_streets(run) -> None:
    gaps = run.tables["gaps"]
    city = gaps[gaps["code"] == toy.CITY]
    assert city["street"].tolist() == ["Far Lane", "Main Street East"]
    assert city["gap_m"].tolist() == pytest.approx([300, 200], **CLOSE)
    assert city["people"].tolist() == pytest.approx([5, 30], **CLOSE)  # the home without a way, the one at 1,000 s
    assert gaps[gaps["code"] == toy.EAST]["gap_m"].tolist() == pytest.approx([200], **CLOSE)
    assert toy.WEST not in set(gaps["code"])


def test_the_hours_of_the_week_follow_who_is_open(run) -> None:
    hours = run.tables["hours"].set_index(["weekday", "hour"])
    assert len(hours) == 168
    assert hours.loc[(0, 7), "open_points"] == 1
    assert hours.loc[(0, 8), "open_points"] == 2
    assert hours.loc[(6, 12), "covered_people_900"] == pytest.approx(120, **CLOSE)
    assert hours.loc[(4, 17), "covered_people_900"] == pytest.approx(130, **CLOSE)
    assert hours.loc[(6, 2), "covered_street_m_900"] == pytest.approx(600 + 300 + 300, **CLOSE)


def test_a_question_about_an_hour_agrees_with_that_row_of_the_week(town, question) -> None:
    night = run_coverage(town, CoverageQuestion(walk_kmh=3.6, at=HourOfWeek(6, 120)))
    row = night.tables["hours"].set_index(["weekday", "hour"]).loc[(6, 2)]
    totals = night.tables["totals"].iloc[0]
    for name in ("covered_people_300", "covered_street_m_300", "covered_people_900", "covered_street_m_900"):
        assert totals[name] == pytest.approx(row[name], abs=1e-6)
    assert "1 point is closed on Sun 02:00" in notes(night)["points-closed"]


def test_a_function_changes_whom_the_points_reach(town) -> None:
    reporting = run_coverage(town, CoverageQuestion(walk_kmh=3.6, function="reporting"))
    assert reporting.tables["points"]["code"].tolist() == ["P2"]
    assert area(reporting, toy.SOUTH)["covered_people_300"] == 0


def test_a_function_nobody_offers_is_stated_and_covers_nothing(town) -> None:
    run = run_coverage(town, CoverageQuestion(walk_kmh=3.6, function="temporary_service"))
    assert "nobody-serves" in notes(run)
    totals = run.tables["totals"].iloc[0]
    assert totals["covered_people_900"] == totals["covered_street_m_900"] == 0
    assert np.isnan(totals["median_s"])
    assert totals["unreached_people"] == pytest.approx(172, **CLOSE)
    assert run.tables["inequality"]["gini"].isna().all()
    json.dumps(coverage_json(run), allow_nan=False)


def test_planned_points_count_only_in_a_scenario(town) -> None:
    now = run_coverage(town, CoverageQuestion(walk_kmh=3.6))
    then = run_coverage(town, CoverageQuestion(walk_kmh=3.6, planned=True))
    assert "1 point is still to be built" in notes(now)["points-planned"]
    assert area(then, toy.EAST)["covered_people_300"] == pytest.approx(30, **CLOSE)
    assert area(now, toy.EAST)["covered_people_300"] == 0


def test_motorways_count_as_street_and_are_said_to_be_out_of_reach(run) -> None:
    assert notes(run)["streets-closed"].startswith("1,200 m of street (motorways")


def test_streets_closed_for_want_of_a_class_are_said_to_be_judged_by_speed(new_store) -> None:
    streets = toy.streets().assign(street_class="", free_kmh=[30.0] * 4 + [100.0])
    store = toy.keep(new_store("unclassed"), {**toy.layers_of_town(), ("streets", ""): streets})
    said = run_coverage(store, CoverageQuestion(walk_kmh=3.6)).tables["notes"].set_index("code").loc["streets-closed"]
    assert said["en"].startswith("1,200 m of street have no road class")
    assert "at least 90 km/h" in said["en"]
    assert "不低于 90 公里/小时" in said["zh"]


def test_a_component_without_a_point_is_stated(run) -> None:
    assert "300 m of street and 5 people cannot be reached" in notes(run)["components-without-point"]


def test_the_roster_names_the_areas_without_a_person_on_the_day(town) -> None:
    asked = CoverageQuestion(walk_kmh=3.6, on=toy.dt.date(2024, 7, 1))
    missing = run_coverage(town, asked).tables["roster"]
    assert list(zip(missing["area_code"], missing["missing"], strict=True)) == [
        (toy.EAST, "supervisor"),
        (toy.EMPTY, "supervisor"),
        (toy.NORTH, "assistant"),
        (toy.EAST_COMMUNITY, "assistant"),
        (toy.CELL, "grid_worker"),
    ]


def test_a_point_counts_the_people_around_it_whether_or_not_it_is_their_nearest(run) -> None:
    points = run.tables["points"].set_index("code")
    assert points.loc["P1", ["people_300", "people_900"]].tolist() == pytest.approx([10, 10 + 120 / 4], **CLOSE)
    assert points.loc["P2", "people_300"] == pytest.approx(120, **CLOSE)
    assert points.loc["P2", "ratio"] == pytest.approx(20 / 120 * 10_000, **SCALED)


def test_access_shares_each_points_capacity_among_all_the_people_it_reaches(run) -> None:
    # P1's 10 places: the 10 people at home in its first zone, and a quarter of North's 120 (the 75 m of North Road
    # next to Main Street, gathered 838 s away) in its third; P2's 20 places: North's 120 in its first zone
    p1, p2 = 10 / (10 * 1.0 + 30 * 0.22), 20 / 120
    south, north, east = (area(run, code)["access"] / 10_000 for code in (toy.SOUTH, toy.NORTH, toy.EAST))
    assert south == pytest.approx(p1, **SCALED)
    assert north == pytest.approx(p2 + p1 * 0.22 / 4, **SCALED)
    assert east == 0


def test_the_answer_for_machines_holds_what_was_promised_and_no_nan(run) -> None:
    answer = json.loads(json.dumps(coverage_json(run), allow_nan=False, ensure_ascii=False))
    assert {"run", "thresholds_s", "totals", "areas"} <= answer.keys()
    assert answer["thresholds_s"] == [300, 600, 900]
    east = next(a for a in answer["areas"] if a["code"] == toy.EAST)
    assert (east["name"], east["level"]) == ("East", "subdistrict")
    assert east["p95_s"] is None
    assert east["covered_street_m"]["900"] == pytest.approx(300, **CLOSE)
    assert east["covered_reports"] == {"300": 0, "600": 0, "900": 1}
    assert answer["totals"]["street_m"] == pytest.approx(3300)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds_s": ()},
        {"thresholds_s": (0,)},
        {"thresholds_s": (90_000,)},
        {"thresholds_s": (1.5,)},
        {"thresholds_s": (float("nan"),)},
        {"function": "cooking"},
        {"mode": "swim"},
        {"places": "everywhere"},
        {"spread": "thinly"},
        {"walk_kmh": 0},
        {"walk_kmh": float("nan")},
        {"snap_limit_m": -1},
    ],
)
def test_an_impossible_question_is_refused_in_both_languages(wrong) -> None:
    with pytest.raises(QuestionError) as refused:
        CoverageQuestion(**wrong)
    assert refused.value.zh
    assert refused.value.en


def test_thresholds_are_put_in_order_and_said_once() -> None:
    assert CoverageQuestion(thresholds_s=(900, 300, 900)).thresholds_s == (300, 900)
