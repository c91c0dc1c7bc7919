"""Questions about hotspots of the demo town, whose truth is known: from the store to kept tables."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from gis.errors import QuestionError
from gis.street_points import points_on
from layers.demo_city.build import build_demo_city
from layers.run import Run
from layers.store import Store
from planner.coverage_inputs import select
from planner.hotspots.answer_emerging import emerging_tables
from planner.hotspots.effort import Effort
from planner.hotspots.frame import Frame
from planner.hotspots.heat import heat_of
from planner.hotspots.question import (
    BacktestQuestion,
    ClusterQuestion,
    EmergingQuestion,
    ForecastQuestion,
    MapQuestion,
)
from planner.hotspots.records import HotspotRecords
from planner.hotspots.runs import UNREAD, load_hotspots, run_hotspots, usual_days
from planner.runs import used_versions
from planner.watch import FOREVER

MAP = MapQuestion(permutations=99, bandwidth_m=200.0)


@pytest.fixture(scope="module")
def mapped(linjiang: Store) -> Run:
    return run_hotspots(linjiang, MAP)


@pytest.fixture(scope="module")
def truth() -> pd.Series:
    return build_demo_city("town").true_rate.set_index("segment_id")["per_week"]


def test_every_report_is_counted_once_in_streets_cells_and_areas(mapped: Run) -> None:
    summary = mapped.tables["summary"].iloc[0]
    segments, cells, areas = (mapped.tables[name] for name in ("segments", "cells", "areas"))
    assert segments["reports"].sum() + summary["off_street"] == summary["reports"] == cells["reports"].sum()
    assert cells["street_m"].sum() == pytest.approx(segments["length_m"].sum())
    assert cells["walked_km"].sum() == pytest.approx(summary["walked_km"])
    for _, tier in areas.groupby("level"):
        assert tier["reports"].sum() <= summary["reports"]
        assert (tier["patrol_reports"] + tier["passive_reports"] == tier["reports"]).all()
    district = areas[areas["level"] == "district"]
    assert district["rate_week"].sum() == pytest.approx(cells["rate_week"].sum(), rel=0.02)
    assert summary["low_week"] < summary["expected_week"] < summary["high_week"]


def test_streets_nobody_walked_are_unknown_and_no_others(mapped: Run) -> None:
    segments = mapped.tables["segments"]
    unknown = segments["state"] == "unknown"
    assert 0.01 < unknown.mean() < 0.2
    assert (unknown | (segments["passes"] > 0)).all() and not segments.loc[unknown, "passes"].any()
    looked = segments[~unknown]
    assert ((looked["state"] == "found") == (looked["reports"] > 0)).all()
    wide = segments["rate_high"] / segments["rate_week"]
    assert wide[unknown].median() > wide[~unknown].median()  # less is known of them


def test_corrected_rates_tell_the_truth_better_than_reports_do(mapped: Run, truth: pd.Series) -> None:
    segments = mapped.tables["segments"]
    known = segments[segments["state"] != "unknown"]
    true = truth.loc[known["segment_id"]].to_numpy()
    ours = spearmanr(known["rate_week"], true).statistic
    for peer in ("reports", "density_km", "patrol_reports"):
        assert ours > spearmanr(known[peer], true).statistic + 0.02, peer
    inside = ((known["rate_low"] <= true) & (true <= known["rate_high"])).mean()
    assert 0.85 < inside < 0.95  # of this one town; benchmarks.rates judges twenty


def test_the_density_of_streets_adds_up_to_the_reports(mapped: Run) -> None:
    segments = mapped.tables["segments"]
    mass = (segments["density_km"] * segments["length_m"] / 1000).sum()
    assert mass == pytest.approx(mapped.tables["summary"]["reports"].iloc[0], rel=0.01)  # a little lies on motorways


def test_the_same_question_gives_the_same_bytes_and_a_kept_run_answers_it(linjiang: Store, mapped: Run) -> None:
    assert run_hotspots(linjiang, MAP).id == mapped.id and len(linjiang.runs("hotspot-map")) == 1
    before = {name: table.copy() for name, table in mapped.tables.items()}
    again = run_hotspots(linjiang, MapQuestion(permutations=99, bandwidth_m=200.0, seed=1))
    for name in ("segments", "areas", "summary"):  # the seed is the local statistics' alone
        pd.testing.assert_frame_equal(before[name], again.tables[name])
    assert not before["cells"]["gi_p"].equals(again.tables["cells"]["gi_p"])


@pytest.mark.parametrize(
    ("question", "tables"),
    [
        (ClusterQuestion(replications=99), {"clusters", "members"}),
        (ClusterQuestion(model="poisson", analysis="spatial", replications=99), {"clusters", "members"}),
        (ClusterQuestion(model="bernoulli", analysis="spatial", replications=99), {"clusters", "members"}),
        (ClusterQuestion(window="network", most_m=800.0, replications=99), {"clusters", "members"}),
        (EmergingQuestion(step="quarter"), {"cells", "steps"}),
        (ForecastQuestion(Frame(cell_m=600.0)), {"segments", "cells", "profile", "weather"}),
        (BacktestQuestion(Frame(cells="square", cell_m=500.0), origins=3), {"months", "calibration", "weights"}),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_every_question_is_answered_and_kept(linjiang: Store, question: object, tables: set[str]) -> None:
    run = run_hotspots(linjiang, question)
    kept = linjiang.run(run.id)
    assert set(kept.tables) == tables | {"summary", "notes"}
    assert len(kept.tables["summary"]) >= 1 and kept.tables["summary"]["crs"].iloc[0] == "EPSG:4548"


def test_reports_cluster_where_patrol_effort_does_not_explain_them(linjiang: Store, truth: pd.Series) -> None:
    run = run_hotspots(linjiang, ClusterQuestion(model="poisson", analysis="spatial", replications=99))
    first = run.tables["clusters"].iloc[0]
    assert first["significant"] and first["relative_risk"] > 1.5 and first["p_value"] == pytest.approx(0.01)
    members = run.tables["members"]
    assert (members["cluster"] == 1).sum() == first["places"]


def test_the_week_ahead_is_as_busy_as_the_weeks_before(linjiang: Store) -> None:
    run = run_hotspots(linjiang, ForecastQuestion(Frame(cell_m=600.0)))
    reports = linjiang.load("reports", fields=["found_at"])
    usual = len(reports) / 104.3
    assert run.tables["summary"]["expected"].iloc[0] == pytest.approx(usual, rel=0.3)
    assert run.tables["profile"]["share"].sum() == pytest.approx(1.0) and len(run.tables["profile"]) == 168
    segments = run.tables["segments"]
    assert (segments["low"] <= segments["high"]).all() and (segments["expected_week"] > 0).all()


def test_a_week_gone_by_is_foretold_from_what_was_known_then(linjiang: Store) -> None:
    past = run_hotspots(linjiang, ForecastQuestion(Frame(cell_m=600.0), week=dt.date(2025, 7, 7)))
    then = Frame(last=dt.date(2025, 7, 6), cell_m=600.0)
    same = run_hotspots(linjiang, ForecastQuestion(then, week=dt.date(2025, 7, 7)))
    pd.testing.assert_frame_equal(past.tables["cells"], same.tables["cells"])
    now = run_hotspots(linjiang, ForecastQuestion(Frame(cell_m=600.0)))
    assert past.tables["summary"]["expected"].iloc[0] != now.tables["summary"]["expected"].iloc[0]


def test_streets_left_unpatrolled_do_not_turn_into_hotspots(linjiang: Store) -> None:
    records = load_hotspots(linjiang, used_versions(linjiang, unread=UNREAD), [], lambda step: None)
    question = EmergingQuestion(step="quarter")
    frame = usual_days(question.frame, records, 731)
    tables, _ = emerging_tables(records, question, frame, FOREVER)
    hot = tables["cells"][~tables["cells"]["class"].isin(["none"])]
    gone = hot.head(len(hot) // 2)
    tiling = frame.tiling
    network = records.city.network
    middle = points_on(network, np.arange(network.n_segments), network.length_m / 2)
    key = set(zip(gone["column"], gone["row"], strict=True))
    left = np.array([pair in key for pair in zip(*tiling.cell_of(*middle), strict=True)])
    effort = records.effort
    kept = ~left[effort.segment]
    fewer = Effort(*(getattr(effort, name)[kept] for name in effort.__slots__))
    at = np.array([pair in key for pair in zip(*tiling.cell_of(records.x, records.y), strict=True)])
    seen = ~(at & (records.reports["channel"] == "patrol").to_numpy())
    reports = type(records.city.reports)(
        np.ones(seen.sum()), select(records.city.reports.positions, seen),
        {level: of[seen] for level, of in records.city.reports.area.items()},
    )  # fmt: skip
    city = {f: getattr(records.city, f) for f in records.city.__slots__} | {"reports": reports}
    without = HotspotRecords(
        type(records.city)(**city), records.reports[seen].reset_index(drop=True), records.x[seen], records.y[seen],
        fewer, 0, records.weather,
    )  # fmt: skip
    after, _ = emerging_tables(without, question, frame, FOREVER)
    both = after["cells"].merge(gone[["column", "row"]], on=["column", "row"])
    assert (both["class"] == "none").mean() > 0.6  # but for cells whose neighbours are still hot


def test_weather_changes_a_week_only_where_it_is_on_record(tmp_path: Path) -> None:
    city = build_demo_city("town")
    store = Store(str(tmp_path / "weather.sqlite"))
    store.create()
    days = pd.date_range("2024-07-01", "2026-06-30").date
    wet = np.arange(len(days)) % 3 == 0
    found = pd.to_datetime(city.reports["found_at"]).dt.date
    rainy = found.isin(set(days[wet]))
    reports = city.reports[~rainy | (np.arange(len(found)) % 2 == 0)]  # half as many are found on wet days
    weather = pd.DataFrame({"date": days, "weather": np.where(wet, "wet", "mild")})
    for layer, table in (("streets", city.streets), ("reports", reports), ("weather", weather)):
        store.import_layer(layer, "", table, source="demo", sha256="0")
    usual, foreseen = (run_hotspots(store, ForecastQuestion(weather=kind)) for kind in ("", "wet"))
    factor = foreseen.tables["weather"].set_index("weather")["factor"]
    assert factor["wet"] / factor["mild"] == pytest.approx(0.5, abs=0.08)
    ratio = foreseen.tables["summary"]["expected"].iloc[0] / usual.tables["summary"]["expected"].iloc[0]
    assert ratio == pytest.approx(factor["wet"], rel=1e-6)
    store.close()


def test_what_cannot_be_answered_is_refused_in_both_languages(linjiang: Store, town: Store) -> None:
    for store, question in (
        (town, EmergingQuestion()), (town, ForecastQuestion()), (town, BacktestQuestion()),
        (town, ClusterQuestion(model="poisson", analysis="spatial")),
        (linjiang, MapQuestion(Frame(first=dt.date(2030, 1, 1), last=dt.date(2030, 2, 1)))),
        (linjiang, MapQuestion(Frame(within=("nowhere",)))), (linjiang, BacktestQuestion(origins=30)),
        (linjiang, ClusterQuestion(Frame(first=dt.date(2026, 6, 30)))),
    ):  # fmt: skip
        with pytest.raises(QuestionError) as refusal:
            run_hotspots(store, question)
        assert refusal.value.zh and refusal.value.en


def test_two_reports_are_mapped_too(town: Store) -> None:
    run = run_hotspots(town, MapQuestion(permutations=99))
    assert run.tables["summary"]["reports"].iloc[0] == 2
    assert set(run.tables["segments"]["state"]) == {"unknown"}
    assert "no-effort" in set(run.tables["notes"]["code"])


def mapped_with(effort: pd.DataFrame | None, folder: Path) -> Run:
    """A map of the demo town with other patrols on record."""
    city, store = build_demo_city("town"), Store(str(folder / "town.sqlite"))
    store.create()
    for layer, table in (("streets", city.streets), ("reports", city.reports), ("patrol-effort", effort)):
        if table is not None:
            store.import_layer(layer, "", table, source="demo", sha256="0")
    run = run_hotspots(store, MAP)
    store.close()
    return run


def test_finds_from_before_the_record_of_patrols_do_not_raise_rates(mapped: Run, tmp_path: Path) -> None:
    city = build_demo_city("town")
    late = mapped_with(city.patrol_effort[city.patrol_effort["walked_from"].astype(str) >= "2026-04-01"], tmp_path)
    [left_out] = late.tables["notes"].loc[late.tables["notes"]["code"] == "unrecorded-months", "en"]
    assert left_out.startswith(f"{int((city.reports['found_at'] < '2026-04-01').sum()):,} reports")
    assert "unrecorded-months" not in set(mapped.tables["notes"]["code"])
    whole, part = (run.tables["summary"].iloc[0] for run in (mapped, late))
    assert part["reports"] == whole["reports"] and part["patrol_reports"] == whole["patrol_reports"]
    assert 0.5 < part["expected_week"] / whole["expected_week"] < 2.0


def test_without_any_record_of_patrols_reports_give_the_order_and_a_guess_the_level(tmp_path: Path) -> None:
    run = mapped_with(None, tmp_path)
    segments, summary = run.tables["segments"], run.tables["summary"].iloc[0]
    assert set(segments["state"]) == {"unknown"} and "no-effort" in set(run.tables["notes"]["code"])
    assert 0.5 < summary["expected_week"] / (summary["reports"] / 104 / summary["told_share"]) < 2.0
    assert summary["low_week"] < summary["expected_week"] / 2 and summary["high_week"] > summary["expected_week"] * 2
    assert spearmanr(segments["rate_week"], segments["reports"]).statistic > 0.6


def test_streets_are_worth_what_a_pass_would_find_and_another_day_explores_others(
    linjiang: Store, town: Store, truth: pd.Series
) -> None:
    records = load_hotspots(linjiang, used_versions(linjiang, unread=UNREAD), [], lambda step: None)
    network = records.city.network
    walkable = network.street_class != "motorway"
    today, again, later = (heat_of(records, walkable, dt.date(2026, 7, day)) for day in (1, 1, 2))
    assert today is not None and later is not None
    assert np.array_equal(today, again) and not np.array_equal(today, later)
    on = walkable & (network.length_m > 5)
    assert np.average(today[on], weights=network.length_m[on]) == pytest.approx(1.0, rel=0.01)
    true = truth.loc[network.segment_id].to_numpy() / np.maximum(network.length_m, 1)
    assert spearmanr(today[on], true[on]).statistic > 0.6
    assert heat_of(records, walkable, dt.date(2020, 1, 1)) is None
    bare = load_hotspots(town, used_versions(town, unread=UNREAD), [], lambda step: None)
    assert heat_of(bare, np.ones(bare.city.network.n_segments, bool), dt.date(2024, 4, 1)) is None


@pytest.mark.parametrize(
    "bad",
    [
        lambda: MapQuestion(split="even"), lambda: MapQuestion(bandwidth_m=0.0), lambda: MapQuestion(permutations=9),
        lambda: MapQuestion(detectability=-1.0), lambda: ClusterQuestion(model="normal"),
        lambda: ClusterQuestion(analysis="spatial"), lambda: ClusterQuestion(most_m=-5.0),
        lambda: ClusterQuestion(replications=10**9), lambda: EmergingQuestion(step="day"),
        lambda: EmergingQuestion(level=2.0), lambda: ForecastQuestion(weather="fog"),
        lambda: ForecastQuestion(cover=1.0), lambda: BacktestQuestion(share=0.0), lambda: BacktestQuestion(origins=0),
    ],
)  # fmt: skip
def test_questions_refuse_what_makes_no_sense(bad) -> None:
    with pytest.raises(QuestionError) as refusal:
        bad()
    assert refusal.value.zh and refusal.value.en
