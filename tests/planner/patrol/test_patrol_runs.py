"""Nights, weeks and changes of plan in a toy town whose every walk can be reckoned by hand."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gis.errors import QuestionError
from layers.run import Run
from layers.store import Store
from planner.patrol.question import PatrolQuestion
from planner.patrol.runs import run_patrol, run_replan
from planner.watch import News
from tests.planner import toy_town

MONDAY = dt.date(2024, 3, 4)
WORKER = {
    "role": "grid_worker", "area_code": toy_town.SOUTH, "phone": "", "from_date": dt.date(2024, 1, 1),
    "until_date": None, "mode": "walk", "shift": "20:00-24:00", "break_min": np.nan, "max_min": np.nan,
    "station": "P1", "pair": "", "certificates": "", "days_off": "",
}  # fmt: skip
DUTY = {
    "segment_id": None, "area_code": None, "name": "", "times_a_week": 7, "priority": 1.0, "must": False,
    "sides": "either", "service_kmh": np.nan, "opens": "", "closes": "", "dwell_min": np.nan, "certificate": "",
}  # fmt: skip


def town(tmp_path: Path, workers: list[dict], duties: list[dict]) -> Store:
    store = Store(f"sqlite:///{tmp_path / 'town.sqlite'}")
    store.create()
    roster = pd.DataFrame([{"person": f"W{i}", **WORKER, **worker} for i, worker in enumerate(workers, 1)])
    rows = [{"duty_id": f"D{i}", **DUTY, **duty} for i, duty in enumerate(duties, 1)]
    kept = toy_town.frame([None] * len(rows), **{name: [row[name] for row in rows] for name in ("duty_id", *DUTY)})
    kept["segment_id"] = kept["segment_id"].astype("Int64")
    layers = {**toy_town.layers_of_town(), ("roster", ""): roster, ("patrol-duties", ""): kept}
    return toy_town.keep(store, layers)


def streets(*segments: int, **said: object) -> list[dict]:
    return [{"segment_id": s, **said} for s in segments]


def plan(store: Store, **asked: object) -> Run:
    return run_patrol(store, PatrolQuestion(MONDAY, **{"seconds": 2.0, **asked}))


def hangs_together(run: Run) -> None:
    """Steps follow one another without a gap, and legs cover the metres of their steps."""
    steps, legs = run.tables["steps"], run.tables["legs"]
    for (_, crew), own in steps.groupby(["date", "crew"]):
        assert own["step"].tolist() == list(range(len(own)))
        assert own["begins"].tolist()[1:] == own["ends"].tolist()[:-1], crew
        assert own["kind"].iloc[0] == "start" and own["kind"].iloc[-1] == "end"
    walked = (legs["to_m"] - legs["from_m"]).abs().groupby([legs["date"], legs["crew"], legs["step"]]).sum()
    told = steps[steps["kind"].isin(["travel", "patrol"])].set_index(["date", "crew", "step"])["metres"]
    np.testing.assert_allclose(walked.reindex(told.index, fill_value=0.0), told)


def test_one_worker_walks_the_town_in_the_hour_it_takes(tmp_path: Path) -> None:
    run = plan(town(tmp_path, [{}], streets(1, 2, 3)))
    row = run.tables["plan"].iloc[0]
    # three streets of 600 m at 3 km/h, and 1,200 m between them and the station at 4.5 km/h, whatever the order
    assert row["served"] == 3 and row["longest_s"] == pytest.approx(3 * 720 + 1440)
    assert row["service_m"] == pytest.approx(1800) and row["deadhead_m"] == pytest.approx(1800)
    assert row["ended"] == "settled" and not len(run.tables["notes"][run.tables["notes"]["code"] == "longest"])
    hangs_together(run)


def test_a_wide_street_is_walked_once_a_side_in_both_directions_of_looking(tmp_path: Path) -> None:
    run = plan(town(tmp_path, [{}], streets(2, sides="both")))
    steps = run.tables["steps"]
    patrolled = steps[steps["duty"] == "D1"]
    assert len(patrolled) == 2 and set(patrolled["side"]) <= {"left", "right"}
    assert patrolled["priority"].sum() == pytest.approx(run.tables["plan"]["priority"].iloc[0] - others(run))


def others(run: Run) -> float:
    """The worth of streets that the rule makes due beside those recorded."""
    steps, left = run.tables["steps"], run.tables["uncovered"]
    return float(steps.loc[steps["duty"].str.startswith("S"), "priority"].sum() + left["priority"].sum())


def test_what_stays_uncovered_is_told_with_the_limit_that_stands_in_its_way(tmp_path: Path) -> None:
    duties = [
        *streets(4), *streets(5), {"segment_id": 2, "certificate": "急救"}, {"segment_id": 3, "opens": "09:00",
        "closes": "10:00"}, {"segment_id": 1, "service_kmh": 0.1},
    ]  # fmt: skip
    run = plan(town(tmp_path, [{}], duties))
    left = run.tables["uncovered"].set_index("segment_id")["code"].to_dict()
    assert left == {4: "no-way", 5: "no-mode", 2: "certificate", 3: "closed", 1: "longer-than-shift"}


def test_too_short_a_shift_takes_what_is_worth_most(tmp_path: Path) -> None:
    duties = [*streets(1), *streets(2, priority=5.0), *streets(3)]
    run = plan(town(tmp_path, [{"max_min": 35.0}], duties))  # 2,100 s: one street there and back, no more
    assert run.tables["steps"].loc[run.tables["steps"]["kind"] == "patrol", "duty"].tolist() == ["D2"]
    left = run.tables["uncovered"].set_index("duty")["code"]
    assert (left["D1"], left["D3"]) == ("no-time", "no-time")


def test_hours_and_a_break_are_kept(tmp_path: Path) -> None:
    duties = [{"segment_id": 3, "opens": "21:00", "closes": "22:00"}, *streets(1, 2)]
    steps = plan(town(tmp_path, [{"break_min": 15.0}], duties)).tables["steps"]
    windowed = steps[steps["duty"] == "D1"].iloc[0]
    assert windowed["begins"] >= "2024-03-04T21:00:00" and windowed["ends"] <= "2024-03-04T22:00:00"
    rested = steps[steps["kind"] == "break"]
    lasts = pd.to_datetime(rested["ends"]) - pd.to_datetime(rested["begins"])
    assert (lasts == pd.Timedelta(minutes=15)).all() and len(rested) <= 1


def test_partners_walk_together_and_nobody_without_one(tmp_path: Path) -> None:
    pair = [{"pair": "搭档"}, {"pair": "搭档"}, {"pair": "另", "days_off": "Mon"}, {"pair": "另"}, {"days_off": "Mon"}]
    run = plan(town(tmp_path, pair, streets(1, 2, 3)))
    assert run.tables["crews"]["persons"].tolist() == ["W1、W2"]
    assert "partner-off" in run.tables["notes"]["code"].tolist()


def test_two_workers_share_the_work(tmp_path: Path) -> None:
    run = plan(town(tmp_path, [{}, {"station": "P2"}], streets(1, 2, 3)))
    crews = run.tables["crews"]
    assert (crews["services"] > 0).all()
    assert crews["duration_s"].max() < 3600  # fairer, and shorter, than one alone
    hangs_together(run)


def test_the_same_seed_gives_the_same_plan_and_the_same_question_the_same_run(tmp_path: Path) -> None:
    one = plan(town(tmp_path, [{}, {"station": "P2"}], streets(1, 2, 3)))
    (tmp_path / "again").mkdir()
    other = plan(town(tmp_path / "again", [{}, {"station": "P2"}], streets(1, 2, 3)))
    assert one.id == other.id
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, other.tables[name])


def test_nobody_on_duty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no grid worker"):
        plan(town(tmp_path, [{"days_off": "Mon"}], streets(1)))


def test_a_week_does_every_street_as_often_as_asked_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    duties = [*streets(1), *streets(2, times_a_week=3), *streets(3, times_a_week=1)]
    alone_on_monday = [{"pair": "搭档"}, {"pair": "搭档", "days_off": "Mon"}]
    store = town(tmp_path, [{}, *alone_on_monday], duties)
    seen: list[str] = []

    def hear(news: News) -> None:
        seen.append(news.doing[:10])

    question = PatrolQuestion(MONDAY, 7, seconds=1.0)
    stopped = run_patrol(store, question, hear=hear, cancelled=lambda: len(set(seen)) > 2)
    assert stopped.parameters["cancelled"] and stopped.tables["plan"]["date"].nunique() == 3
    before = set(seen)
    seen.clear()
    whole = run_patrol(store, question, hear=hear)
    assert min(seen) == max(before)  # the two nights that were finished are not planned again
    assert "partner-off" in whole.tables["notes"]["code"].tolist()  # and what was to be said of them is not lost
    done = whole.tables["steps"]["duty"].value_counts()
    assert (done["D1"], done["D2"], done["D3"]) == (7, 3, 1)
    nights = pd.to_datetime(whole.tables["steps"].loc[whole.tables["steps"]["duty"] == "D2", "date"]).sort_values()
    assert nights.diff().dt.days.min() >= 2
    hangs_together(whole)


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_a_plan_drawn_at_random_costs_no_more_than_the_loss_allowed(tmp_path: Path, loss: float) -> None:
    run = plan(town(tmp_path, [{}, {"station": "P2"}], streets(1, 2, 3)), loss=loss)
    row = run.tables["variety"].iloc[0]
    assert row["paid"] <= loss + 1e-6
    assert 0.0 <= row["entropy_bits"] <= row["most_bits"]
    assert run.tables["plan"]["served"].iloc[0] == 3
    hangs_together(run)


class TestPlanningAgain:
    def test_what_was_walked_stays_and_the_others_take_over(self, tmp_path: Path) -> None:
        store = town(tmp_path, [{}, {"station": "P2"}], streets(1, 2, 3))
        run = plan(store)
        ill = str(run.tables["crews"].sort_values("services")["crew"].iloc[-1])
        again = run_replan(store, run, dt.datetime(2024, 3, 4, 20, 5), ill=[ill])
        hangs_but_for(again, ill)
        now = "2024-03-04T20:05:00"
        old, new = (r.tables["steps"] for r in (run, again))
        walked = old[old["ends"] <= now]
        assert len(walked.merge(new, on=list(old.columns))) == len(walked)
        assert not ((new["crew"] == ill) & (new["ends"] > now)).any()
        assert again.tables["plan"]["served"].iloc[0] == 3  # the other has time for all that is left

    def test_a_report_is_looked_into_after_it_came(self, tmp_path: Path) -> None:
        store = town(tmp_path, [{}], streets(1, 2, 3))
        run = plan(store)
        spot = toy_town.placed(toy_town.Point(900, 5))
        again = run_replan(store, run, dt.datetime(2024, 3, 4, 20, 20), reports=[(spot.x, spot.y)])
        looked = again.tables["steps"][again.tables["steps"]["duty"] == "report 1"]
        assert len(looked) == 1 and looked["begins"].iloc[0] >= "2024-03-04T20:20:00"
        assert again.tables["plan"]["served"].iloc[0] == 4
        hangs_together(again)

    def test_a_second_change_remembers_the_first(self, tmp_path: Path) -> None:
        store = town(tmp_path, [{}, {"station": "P2"}], streets(1, 2, 3))
        run = plan(store)
        spot, other = (toy_town.placed(toy_town.Point(*at)) for at in ((900, 5), (600, 450)))
        first = run_replan(store, run, dt.datetime(2024, 3, 4, 20, 2), ill=["C01"], reports=[(spot.x, spot.y)], seed=1)
        second = run_replan(store, first, dt.datetime(2024, 3, 4, 20, 4), reports=[(other.x, other.y)], seed=1)
        steps = second.tables["steps"]
        assert set(steps.loc[steps["kind"] == "check", "duty"]) == {"report 1", "report 2"}
        assert not ((steps["crew"] == "C01") & (steps["ends"] > "2024-03-04T20:02:00")).any()
        assert second.tables["plan"]["served"].iloc[0] == 5
        hangs_but_for(second, "C01")

    def test_an_hour_without_a_shift_or_an_unknown_crew_is_refused(self, tmp_path: Path) -> None:
        store = town(tmp_path, [{}], streets(1))
        run = plan(store)
        with pytest.raises(QuestionError, match="no shift"):
            run_replan(store, run, dt.datetime(2024, 3, 5, 9, 0))
        with pytest.raises(QuestionError, match="no crew"):
            run_replan(store, run, dt.datetime(2024, 3, 4, 20, 30), ill=["C77"])


def hangs_but_for(run: Run, ill: str) -> None:
    """The one who fell ill ends where it was; all others come home."""
    steps, legs = run.tables["steps"], run.tables["legs"]
    rest = {**run.tables, "steps": steps[steps["crew"] != ill], "legs": legs[legs["crew"] != ill]}
    hangs_together(Run(run.kind, run.parameters, run.inputs, rest))
