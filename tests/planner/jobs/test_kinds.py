"""Every question comes back from the parameters a job keeps of it, whatever was asked."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import LamplightError, QuestionError
from gis.modes import MODES
from layers.hours import HourOfWeek
from layers.jobs import JOB_KINDS
from layers.records import FUNCTIONS
from planner.coverage_question import PLACES, CoverageQuestion
from planner.demand import SPREADS
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.question import (
    ANALYSES,
    MODELS,
    SPLITS,
    STEPS,
    WEATHER,
    WINDOWS,
    BacktestQuestion,
    ClusterQuestion,
    EmergingQuestion,
    ForecastQuestion,
    MapQuestion,
)
from planner.jobs.kinds import KINDS, NightTracksQuestion, ReplanQuestion, question_of
from planner.jobs.runs import ANSWERS
from planner.patrol.question import PatrolQuestion
from planner.siting.question import (
    CANDIDATES,
    DEMANDS,
    EXISTING,
    FRONTIERS,
    LEVELS_OF_EQUITY,
    PROBLEMS,
    SCENARIOS,
    SitingQuestion,
)

days = st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1))
seeds = st.integers(0, 2**31)
codes = st.lists(st.sampled_from(["320102000000", "320102001000", "江阳区"]), unique=True, max_size=3).map(tuple)
hours = st.builds(HourOfWeek, st.integers(0, 6), st.integers(0, 1439))
share = st.floats(0.01, 1.0)
changes = st.lists(st.fixed_dictionaries({"code": st.text(max_size=4), "action": st.just("close")}), max_size=2)
coverage = st.builds(
    CoverageQuestion,
    thresholds_s=st.lists(st.integers(1, 86_400), min_size=1, max_size=4).map(tuple),
    function=st.none() | st.sampled_from(FUNCTIONS),
    at=st.none() | hours,
    mode=st.sampled_from(sorted(MODES)),
    walk_kmh=st.floats(0.1, 30.0) | st.integers(1, 30),
    places=st.sampled_from(PLACES),
    planned=st.booleans(),
    spread=st.sampled_from(SPREADS),
    snap_limit_m=st.floats(1.0, 1e5),
    on=st.none() | days,
    plan=st.none() | st.just("0123456789ab"),
    scenario=st.just(3),
    changes=changes.map(tuple),
) | st.builds(CoverageQuestion, at=hours)
siting = st.builds(
    lambda coverage, seconds_s, **asked: SitingQuestion(
        coverage=replace(coverage, thresholds_s=(seconds_s,), function=None), **asked
    ),
    coverage,
    st.integers(1, 86_400),
    problem=st.sampled_from(PROBLEMS).filter(lambda word: word != "mix"),
    count=st.integers(0, 40),
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple),
    share=share,
    functions=st.lists(st.sampled_from(FUNCTIONS), unique=True).map(tuple),
    demand=st.lists(st.tuples(st.sampled_from(DEMANDS), share), min_size=1, max_size=3, unique_by=lambda d: d[0]).map(
        tuple
    ),
    candidates=st.sampled_from(CANDIDATES),
    within=codes,
    existing=st.sampled_from(EXISTING),
    level=st.sampled_from(LEVELS_OF_EQUITY),
    district_least=st.none() | st.integers(0, 9),
    district_most=st.none() | st.integers(0, 9),
    scenarios=st.lists(st.sampled_from(SCENARIOS), unique=True, min_size=1).map(tuple),
    against=st.sampled_from(FRONTIERS),
    capacity=st.floats(1, 1e6),
    second_share=share,
    seconds=st.floats(0, 1000),
    seed=seeds,
) | st.builds(SitingQuestion, problem=st.just("mix"), budget=st.floats(0, 1e9))
patrol = st.builds(
    lambda start, minutes, **asked: PatrolQuestion(hours=(start * 60, (start + minutes) * 60), **asked),
    st.integers(0, 1439),
    st.integers(1, 1440),
    date=days,
    days=st.sampled_from([1, 7]),
    within=codes,
    loss=st.none() | share,
    seconds=st.floats(0, 1000),
    seed=seeds,
)
degrees = st.floats(-90, 90)
replan = st.builds(
    ReplanQuestion,
    run=st.just("0123456789ab"),
    now=st.datetimes(),
    ill=st.lists(st.text(max_size=3), max_size=3).map(tuple),
    reports=st.lists(st.tuples(degrees, degrees), max_size=3).map(tuple),
    seed=seeds,
)
frames = st.builds(
    Frame,
    first=st.none() | st.just(dt.date(2024, 1, 1)),
    last=st.none() | st.just(dt.date(2025, 1, 1)),
    channels=st.lists(st.sampled_from(CHANNELS), min_size=1, unique=True).map(tuple),
    within=codes,
    cells=st.sampled_from(["hexagon", "square"]),
    cell_m=st.floats(20, 20_000),
)
positive = st.none() | st.floats(0.1, 1e4)
repeats = st.integers(99, 99_999)
level = st.floats(0.01, 0.99)
QUESTIONS: dict[str, st.SearchStrategy[Any]] = {
    "coverage": coverage,
    "siting": siting,
    "patrol": patrol,
    "replan": replan,
    "night-tracks": st.builds(NightTracksQuestion, st.integers(1, 2**31)),
    "hotspot-map": st.builds(MapQuestion, frames, st.sampled_from(SPLITS), positive, positive, repeats, seeds),
    "hotspot-scan": st.builds(
        ClusterQuestion, frames, st.sampled_from(MODELS[1:]), st.sampled_from(ANALYSES), st.sampled_from(WINDOWS),
        positive, st.none() | st.integers(1, 400), repeats, seeds,
    ),
    "hotspot-emerging": st.builds(EmergingQuestion, frames, st.sampled_from(STEPS), level),
    "hotspot-forecast": st.builds(
        ForecastQuestion, frames, st.none() | days, st.sampled_from(["", *WEATHER]), level
    ),
    "hotspot-backtest": st.builds(BacktestQuestion, frames, st.none() | st.integers(1, 60), level, seeds),
}  # fmt: skip


def test_every_kind_of_job_has_a_question_and_an_answer() -> None:
    assert set(KINDS) == set(ANSWERS) == set(JOB_KINDS)
    assert set(QUESTIONS) == set(KINDS)


@pytest.mark.parametrize("kind", QUESTIONS)
@given(data=st.data())
def test_a_question_comes_back_from_its_parameters(kind: str, data: st.DataObject) -> None:
    asked = data.draw(QUESTIONS[kind])
    kept = json.loads(json.dumps(dict(asked.parameters), sort_keys=True))
    again = question_of(kind, kept)
    assert again == asked and type(again) is type(asked)
    assert json.dumps(dict(again.parameters), sort_keys=True) == json.dumps(kept, sort_keys=True)


def test_parameters_that_are_none_are_refused_in_one_sentence() -> None:
    for kind in KINDS:
        for wrong in ({}, {"at": 5}, {"within": None, "date": "tomorrow", "run": None, "now": "x"}):
            with pytest.raises(LamplightError):
                question_of(kind, wrong)
    with pytest.raises(QuestionError):
        question_of("unheard", {})
    with pytest.raises(QuestionError):
        ReplanQuestion("0" * 12, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
