"""Words on a siting result: what it brings, how sure that is; never more than is proven."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.siting.answer_json import siting_json
from planner.siting.quantities import percent_at_most
from tests.web.siting_toy import PARAMETERS, areas, frontier, plan, sites, tables, toy_run
from web import siting_words
from web.siting_text import siting_text

TOTALS = areas().iloc[0].to_dict()
PROBLEMS = list(siting_words.PROBLEM_NAMES)
UNITS = ["people", "reports", "metres", "share", "points", "people_s", "reports_s", "metres_s", "share_s",
         "s"]  # fmt: skip


def row(**changed: object) -> dict[str, object]:
    return plan(**changed).to_dict("records")[0]


def test_a_proven_plan_is_called_best_and_no_other() -> None:
    assert siting_words.gap(row(optimal=True, gap=0.0)) == ("已证明最优", "proven best")
    assert siting_words.gap(row(gap=0.0042)) == ("离最优至多差 0.42 %", "at most 0.42 % from the best possible")
    for gap in (1e-9, 0.0042, 3.0, math.inf, math.nan):
        for problem in PROBLEMS:
            for words in (siting_words.gap(row(gap=gap, problem=problem)), siting_words.proof(row(gap=gap))):
                assert "已证明最优" not in words[0] and "proven best" not in words[1]


@given(st.floats(1e-12, 50))
def test_a_gap_in_words_is_never_less_than_the_gap_nor_nothing(gap: float) -> None:
    said = float(percent_at_most(gap).removesuffix(" %")) / 100
    assert said >= gap * (1 - 1e-6) and said > 0
    assert said <= gap * 1.11


def test_the_headline_counts_what_is_gained() -> None:
    assert siting_words.headline(row(closed=0), TOTALS, PARAMETERS) == (
        "新增 3 个点位，10 分钟内多覆盖 1,200 人",
        "3 new points bring 1,200 more people within 10 minutes",
    )
    zh, en = siting_words.headline(row(opened=1, closed=0), TOTALS, PARAMETERS)
    assert zh.startswith("新增 1 个点位") and en.startswith("1 new point brings")
    zh, en = siting_words.headline(row(opened=0, closed=0, value=2000.0), TOTALS, PARAMETERS)
    assert (zh, en) == ("点位不变：10 分钟内可达 2,000 人", "no point changes: 2,000 people within 10 minutes")
    assert "少覆盖 100 人" in siting_words.headline(row(value=1900.0), TOTALS, PARAMETERS)[0]
    assert "可达 3,200 人" in siting_words.headline(row(before=math.nan), TOTALS, PARAMETERS)[0]


def test_fewest_points_say_the_share_that_is_reached_not_the_share_asked_for() -> None:
    said = siting_words.headline(row(problem="lscp", unit="points", value=7.0), TOTALS, PARAMETERS)
    assert "80.0%" in said[0] and "80.0% of people" in said[1]
    proof = siting_words.proof(row(problem="lscp", unit="points", value=7.0, bound=5.2, gap=0.26))
    assert proof[1].startswith("proven: at least 6 points are needed")


def test_times_are_told_as_an_average_or_as_the_longest() -> None:
    total = row(problem="pmedian", unit="people_s", value=4000 * 300.0, before=4000 * 480.0)
    assert "平均到达时间从 8.0 分钟缩短到 5.0 分钟" in siting_words.headline(total, TOTALS, PARAMETERS)[0]
    longest = row(problem="pcenter", unit="s", value=900.0, before=1800.0)
    assert "shorten the longest way from 30.0 to 15.0 minutes" in siting_words.headline(longest, TOTALS, PARAMETERS)[1]


def test_figures_before_that_do_not_compare_are_not_compared() -> None:
    within = siting_words.headline(row(problem="capacitated", value=500.0), TOTALS, PARAMETERS)
    assert "500 人" in within[0] and "少" not in within[0]
    timed = row(problem="cpmedian", unit="people_s", value=4000 * 300.0, before=4000 * 100.0)
    assert "从" not in siting_words.headline(timed, TOTALS, PARAMETERS)[0]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("unit", UNITS)
def test_every_problem_and_unit_has_words_in_both_languages(problem: str, unit: str) -> None:
    for before in (2000.0, math.nan, math.inf):
        facts = row(problem=problem, unit=unit, before=before)
        for zh, en in (siting_words.headline(facts, TOTALS, PARAMETERS), siting_words.proof(facts)):
            assert any(ord(c) > 0x2E7F for c in zh)
            assert en.isascii() and "nan" not in en and "inf" not in en
    assert siting_words.measured(12.5, unit) and siting_words.measured(math.nan, unit)


def test_shares_are_of_what_was_asked_for_and_of_streets_where_there_is_none() -> None:
    assert siting_words.measure({"demand": [["reports", 1.0]]}, TOTALS) == "reports"
    assert siting_words.measure({"demand": [["reports", 1.0], ["streets", 1.0]]}, TOTALS) == "people"
    assert siting_words.measure({"demand": [["people", 1.0]]}, {**TOTALS, "people": 0.0}) == "street"
    assert siting_words.demand_unit({"demand": [["people", 0.5], ["reports", 0.5]]}) == "share"


def test_the_text_names_sites_proof_left_out_and_notes() -> None:
    text = siting_text(toy_run())
    for words in ("1,200 more people", "离最优至多差 0.42 % at most 0.42 % from the best possible", "文昌路 · 东街道",
                  "新建 build", "关闭 close", "仍在时限外", "· 说明一 / note one"):  # fmt: skip
        assert words in text
    assert "nan" not in text.lower().replace("nanjing", "")


def test_the_text_says_how_many_sites_it_does_not_list_and_bears_empty_tables() -> None:
    assert "2 more in the files" in siting_text(toy_run(sites=sites(40)))
    empty = {name: table.iloc[:0] for name, table in tables().items() if name not in ("plan", "totals")}
    assert "3 new points" in siting_text(toy_run(**empty))
    assert "proven best" in siting_text(toy_run(frontier=frontier()))


def test_json_holds_every_table_but_segments_and_no_number_that_json_lacks() -> None:
    run = toy_run(frontier=frontier(), draws=pd.DataFrame({"draw": [1], "value": [np.nan]}))
    answer = siting_json(run)
    again = json.loads(json.dumps(answer, allow_nan=False))
    assert again["plan"]["optimal"] is False and again["plan"]["value"] == 3200
    assert again["totals"]["people_after"] == 3200
    assert [site["code"] for site in again["sites"]] == ["J0", "J1", "J2", "SP1", "SP3"]
    assert again["sites"][3]["adds_last"] is None and again["frontier"][1]["gap"] is None
    assert again["draws"] == [{"draw": 1, "value": None}] and "segments" not in again
    assert {area["level"] for area in siting_json(run, level="district")["areas"]} == {"district"}
