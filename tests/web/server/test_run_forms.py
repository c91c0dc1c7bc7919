"""The forms of runs: left as they are they ask what the command line asks, and all they say is there in English."""

import datetime as dt
import importlib
import json
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from gis.errors import LamplightError, QuestionError
from layers.jobs import JOB_KINDS
from planner.coverage_question import CoverageQuestion
from planner.hotspots.question import BacktestQuestion, ForecastQuestion, MapQuestion
from planner.patrol.question import PatrolQuestion
from planner.siting.question import PROBLEMS, SitingQuestion
from tests.web.server.test_language import FILES, translated
from web.server.run_forms import PROBLEMS as OFFERED
from web.server.run_forms import (
    RunForm,
    backtest_form,
    forecast_form,
    map_form,
    patrol_form,
    siting_form,
)

AREAS = {"": "全市", "990101000000": "灯湖区"}
TODAY = dt.date(2026, 7, 3)
FORMS = {
    "patrol": patrol_form(TODAY, AREAS), "map": map_form(AREAS), "forecast": forecast_form(AREAS),
    "backtest": backtest_form(AREAS), **{problem: siting_form(problem, AREAS) for problem in OFFERED},
}  # fmt: skip


def untouched(form: RunForm, **changed: str) -> MultiDict[str, str]:
    """Return what a browser sends of a form nobody touched but for ``changed``."""
    sent: MultiDict[str, str] = MultiDict()
    for ask in form.asks:
        value = ask.value(None)
        for one in value if isinstance(value, list) else [value]:
            sent.add(ask.name, one)
    for name, value in changed.items():
        sent[name] = value
    return sent


def test_every_problem_of_siting_is_offered() -> None:
    assert set(OFFERED) == set(PROBLEMS)


@pytest.mark.parametrize("problem", sorted(set(PROBLEMS) - {"mix"}))
def test_a_siting_form_left_as_it_is_asks_what_the_command_line_asks(problem: str) -> None:
    minutes = 60 if problem in ("pmedian", "pcenter", "cpmedian") else 15
    counted = problem not in ("lscp", "periods", "frontier")
    expected = SitingQuestion(
        problem, CoverageQuestion(thresholds_s=(minutes * 60,)), count=3 if counted else None,
        counts=(3, 3) if problem == "periods" else (),
    )  # fmt: skip
    assert FORMS[problem].question(untouched(FORMS[problem])) == expected


@pytest.mark.parametrize(("name", "expected"), [
    ("patrol", PatrolQuestion(TODAY, 7)), ("map", MapQuestion()), ("forecast", ForecastQuestion()),
    ("backtest", BacktestQuestion()),
])  # fmt: skip
def test_other_forms_left_as_they_are_ask_the_usual_question(name: str, expected: Any) -> None:
    question = FORMS[name].question(untouched(FORMS[name]))
    assert question == expected
    assert FORMS[name].kind in JOB_KINDS
    assert json.loads(json.dumps(question.parameters)) == json.loads(json.dumps(expected.parameters))


@pytest.mark.parametrize(("name", "changed", "says"), [
    ("mclp", {"count": "-1"}, "点数无效"),
    ("mclp", {"count": "3", "budget": "5"}, "--budget"),
    ("mclp", {"count": "three"}, "应是数字"),
    ("mclp", {"count": "2.5"}, "应是整数"),
    ("mclp", {"minutes": "0"}, "时间阈值无效"),
    ("mclp", {"within": "990999000000"}, "不在本账号的范围内"),
    ("mclp", {"candidates": "anywhere"}, "候选点来源无效"),
    ("mclp", {"people": "0"}, "需求种类缺失"),
    ("mclp", {"people": "nan"}, "应是数字"),
    ("mclp", {"seconds": "1e9"}, "时间上限"),
    ("mclp", {"at": "someday"}, ""),
    ("mix", {"budget": ""}, "--budget"),
    ("periods", {"counts": "3;x"}, "各期点数"),
    ("patrol", {"hours": "late"}, "时段无效"),
    ("patrol", {"days": "3"}, "一夜或一周"),
    ("patrol", {"date": ""}, "哪天晚上"),
    ("patrol", {"date": "soon"}, "日期无效"),
    ("patrol", {"loss": "2"}, "允许的损失"),
    ("map", {"permutations": "5"}, "模拟次数"),
    ("map", {"cell_m": "1"}, "网格边长"),
    ("map", {"first": "2026-02-01", "last": "2026-01-01"}, "截止日期"),
    ("forecast", {"cover": "1.5"}, "区间概率"),
    ("forecast", {"weather": "frogs"}, "天气类别"),
    ("backtest", {"share": "0"}, "面积比例"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_the_questions_own_words(
    name: str, changed: dict[str, str], says: str
) -> None:  # fmt: skip
    with pytest.raises(LamplightError) as refused:
        FORMS[name].question(untouched(FORMS[name], **changed))
    assert says in refused.value.zh and refused.value.en


def test_no_tick_means_none() -> None:
    sent = untouched(FORMS["robust"])
    sent.setlist("scenarios", [])
    with pytest.raises(QuestionError, match="scenario"):
        FORMS["robust"].question(sent)


def test_all_that_forms_and_links_say_is_there_in_english() -> None:
    english = {text: en for path in FILES for text, en in translated(path).items()}
    said = [text for form in FORMS.values() for text in (form.title, form.says)]
    for form in FORMS.values():
        for ask in form.asks:
            options = [] if ask.name == "within" else list(ask.options.values())
            said += [ask.label, ask.hint, *options]
    said += importlib.import_module("web.server.run_pages").STARTED.values()
    said += [words for _kind, words in importlib.import_module("web.server.hotspot_pages").VIEWS.values()]
    assert sorted({text for text in said if text and not english.get(text)}) == []
