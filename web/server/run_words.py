"""A kept run in plain words: what was asked, what came out, and how good it is."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from layers.roles import Words
from layers.run import Run
from planner.siting.quantities import amount, figure, percent_at_most
from web import siting_words
from web.coverage_files import question_in_words as coverage_question
from web.drawing import LEVEL_NAMES, minutes
from web.hotspot_drawing import question_in_words as hotspot_question
from web.hotspot_words import interval, method_words, percent
from web.patrol_words import ENDED, clock, km, weekday
from web.patrol_words import minutes as whole_minutes
from web.server.language import said
from web.siting_files import question_in_words as siting_question

#: Kinds that have a page, in the order they are listed.
KINDS: Mapping[str, Words] = {
    "siting": Words("选址", "Siting"),
    "patrol": Words("巡查", "Patrol"),
    "coverage": Words("覆盖", "Coverage"),
    "hotspot-map": Words("热点", "Hotspots"),
    "hotspot-forecast": Words("热点预测", "Hotspot forecasts"),
    "hotspot-backtest": Words("预测回测", "Backtests"),
    "hotspot-scan": Words("聚集区扫描", "Scans for clusters"),
    "hotspot-emerging": Words("热点演变", "Emerging hotspots"),
}
_OPTIONS = re.compile(r"（[^（）]*(?:--[a-z]|lamplight )[^（）]*）| \([^()]*(?:--[a-z]|lamplight )[^()]*\)")
Facts = list[tuple[Words, str]]


def question_of(run: Run, names: Mapping[str, str]) -> Words:
    """Return what was asked in one sentence; names : code -> name of areas."""
    asked = dict(run.parameters)
    within = [names.get(str(code), str(code)) for code in asked.get("within") or []]
    where = Words("，限于" + "、".join(within), ", within " + ", ".join(within)) if within else Words("", "")
    everywhere = replace(run, parameters={**asked, "within": []})
    question = _QUESTIONS.get(run.kind, hotspot_question)(everywhere)
    count = _how_many(asked) if run.kind == "siting" else Words("", "")
    early = Words("（中途停止）", " (stopped early)") if asked.get("cancelled") else Words("", "")
    return Words(*map("".join, zip(question, count, where, early, strict=True)))


def _how_many(asked: Mapping[str, Any]) -> Words:
    """Say how many points or how much money a siting run was given."""
    if asked.get("count") is not None:
        return Words(f"，新设 {asked['count']} 个点", f", {asked['count']} new points")
    if asked.get("budget") is not None:
        return Words(f"，预算 {asked['budget']:g}", f", a budget of {asked['budget']:g}")
    counts = "、".join(map(str, asked.get("counts") or []))
    return Words(f"，各期 {counts} 个点", f", {counts} points by period") if counts else Words("", "")


def _patrol_question(run: Run) -> tuple[str, str]:
    asked = run.parameters
    day = str(asked.get("date", ""))
    zh, en = weekday(day) if day else ("", "")
    days = int(asked.get("days", 1))
    hours = str(asked.get("hours", ""))
    if "replans" in asked or "run" in asked:
        return f"当晚改派 {day}", f"a night planned again, {day}"
    return (
        f"{day}（{zh}）起{'一周' if days == 7 else '一晚'}，{hours}",
        f"{'a week' if days == 7 else 'a night'} from {day} ({en}), {hours}",
    )


_QUESTIONS: Mapping[str, Callable[[Run], tuple[str, str]]] = {
    "siting": siting_question, "coverage": coverage_question, "patrol": _patrol_question,
}  # fmt: skip


def result_of(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    """Return what came out, in a sentence or two. own : the row of the reader's own area, where it sees no more."""
    return _RESULTS.get(run.kind, lambda run, own: [])(run, own)


def _siting_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    plan = _first(run, "plan")
    if len(run.tables["totals"]):
        return [Words(*siting_words.headline(plan, _first(run, "totals"), run.parameters))]
    return [] if own is None else [_before_after(run, own)]


def _before_after(run: Run, row: Mapping[str, Any]) -> Words:
    column = siting_words.COLUMNS[siting_words.measure(run.parameters, row)]
    whole, was, now = (float(row[name]) for name in (column, f"{column}_before", f"{column}_after"))
    zh, en = siting_words.DEMAND_OF[siting_words.measure(run.parameters, row)]
    limit = minutes(run.parameters["limit_s"])
    said = f"{percent(was, whole)} → {percent(now, whole)}"
    return Words(f"{row['name']}：{limit} 分钟内可达{zh} {said}", f"{row['name']}: {en} within {limit} minutes {said}")


def _patrol_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    plans, crews = run.tables["plan"], run.tables["crews"]
    if not len(plans):
        walked = float(crews["walked_m"].sum())
        return [
            Words(f"本辖区 {len(crews)} 个班次，共 {km(walked)}", f"{len(crews)} shifts of this area, {km(walked)}")
        ]
    served, services = int(plans["served"].sum()), int(plans["services"].sum())
    must, must_served = int(plans["must"].sum()), int(plans["must_served"].sum())
    return [Words(
        f"{len(plans)} 晚、{int(plans['routes'].sum())} 条路线：完成 {served:,} / {services:,} 项任务，"
        f"必巡 {must_served:,} / {must:,}，共 {km(float(plans['walked_m'].sum()))}",
        f"{len(plans)} nights, {int(plans['routes'].sum())} routes: {served:,} of {services:,} duties, "
        f"{must_served:,} of {must:,} that must be done, {km(float(plans['walked_m'].sum()))}",
    )]  # fmt: skip


def _coverage_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    row = _first(run, "totals") if len(run.tables["totals"]) else own
    if row is None:
        return []
    whom = ("people", "people", "人口", "people") if row["people"] > 0 else ("street_m", "street_m", "街面", "streets")
    column, whole, zh, en = whom
    shares = [(minutes(t), percent(row[f"covered_{column}_{t}"], row[whole])) for t in run.parameters["thresholds_s"]]
    return [Words(
        f"可达{zh}：" + "，".join(f"{limit} 分钟内 {share}" for limit, share in shares),
        f"{en} within reach: " + ", ".join(f"{share} in {limit} min" for limit, share in shares),
    )]  # fmt: skip


def _map_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    facts = _first(run, "summary")
    if math.isfinite(facts["expected_week"]):
        said = interval(facts["expected_week"], facts["low_week"], facts["high_week"])
        blind = percent(facts["unknown_m"], facts["street_m"])
        return [Words(
            f"每周可遇到约 {said} 人；{blind} 的街面没人去看，情况不明",
            f"about {said} people can be found in a week; nobody looked at {blind} of the streets",
        )]  # fmt: skip
    if own is None or own["state"] == "unknown":
        return [Words("本辖区没人去看，情况不明", "nobody looked in this area: nothing is known")]
    said = interval(own["rate_week"], own["rate_low"], own["rate_high"])
    return [Words(f"{own['name']}每周可遇到约 {said} 人", f"{own['name']}: about {said} people can be found in a week")]


def _forecast_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    facts = _first(run, "summary")
    expected = float(run.tables["cells"]["expected_week"].sum())
    since, until = facts["week_from"], facts["week_until"]
    said = f"{expected:,.1f}"
    return [
        Words(
            f"{since} 至 {until}：预计发现约 {said} 人", f"{since} to {until}: about {said} people expected to be found"
        )
    ]


def _backtest_result(run: Run, own: Mapping[str, Any] | None) -> list[Words]:
    table = run.tables["summary"]
    if not len(table):
        return []
    ours = table.iloc[0]
    share = percent(float(run.parameters.get("share", 0.1)))
    return [Words(
        f"看预测最高的 {share} 面积，能遇上 {percent(ours['hit_rate'])} 的发现，是随便走的 {ours['pai']:.1f} 倍",
        f"the {share} of the area forecast highest held {percent(ours['hit_rate'])} of the finds, "
        f"{ours['pai']:.1f} times walking at random",
    )]  # fmt: skip


_RESULTS: Mapping[str, Callable[[Run, Mapping[str, Any] | None], list[Words]]] = {
    "siting": _siting_result, "patrol": _patrol_result, "coverage": _coverage_result, "hotspot-map": _map_result,
    "hotspot-forecast": _forecast_result, "hotspot-backtest": _backtest_result,
}  # fmt: skip


def goodness_of(run: Run) -> Words:
    """Return how good the result is, in one sentence; nothing is called best that was not proven."""
    return _GOODNESS.get(run.kind, _scan_goodness)(run)


def _siting_goodness(run: Run) -> Words:
    plan = _first(run, "plan")
    if math.isfinite(float(plan["value"])):
        return Words(*siting_words.proof(plan))
    if plan["optimal"] or not math.isfinite(plan["gap"]):
        return Words(*siting_words.gap(plan))
    at_most = percent_at_most(plan["gap"])
    return Words(f"已证明：别的方案至多好 {at_most}", f"proven: no other plan is better by more than {at_most}")


def _coverage_goodness(run: Run) -> Words:
    return Words("沿街道精确量算，没有抽样误差", "measured exactly along the streets: no error of sampling")


def _patrol_goodness(run: Run) -> Words:
    plans = run.tables["plan"]
    if not len(plans):
        return Words("每条路线都核对过班次和时限", "every route was checked against its shift")
    ended = [ENDED.get(str(word), (str(word), str(word))) for word in dict.fromkeys(plans["ended"])]
    said = Words("、".join(zh for zh, _ in ended), ", ".join(en for _, en in ended))
    greedy = plans["greedy_priority"].sum() if "greedy_priority" in plans else 0.0
    if not greedy > 0:
        return Words(f"{said.zh}；没有求得上界", f"{said.en}; no bound was proven")
    more = f"{plans['priority_served'].sum() / greedy - 1:+.1%}"
    return Words(f"比逐个就近安排的优先值 {more}（{said.zh}）；没有求得上界",
                 f"priority {more} against planning greedily ({said.en}); no bound was proven")  # fmt: skip


def _map_goodness(run: Run) -> Words:
    return Words("括号内为九成区间；没人去看的地方不作推断",
                 "in brackets: 90 % intervals; nothing is claimed where nobody looked")  # fmt: skip


def _forecast_goodness(run: Run) -> Words:
    cover = percent(float(run.parameters.get("cover", 0.9)))
    return Words(
        f"括号内为 {cover} 区间；准不准见回测", f"in brackets: {cover} intervals; the backtest says how they held"
    )


def _scan_goodness(run: Run) -> Words:
    return Words("机会由随机重排得出", "chances come from random relabelling")


def _backtest_goodness(run: Run) -> Words:
    table = run.tables["summary"]
    rivals = table[np.isfinite(table["pai_difference"].to_numpy(float))]
    if not len(rivals):
        return Words("没有可比较的方法", "there is no method to compare with")
    worst = rivals.sort_values("pai_difference").iloc[0]
    zh, en = method_words(str(worst["method"]))
    said = interval(worst["pai_difference"], worst["pai_low"], worst["pai_high"])
    zh_end, en_end = "还不能说谁更好", "neither is shown to be better"
    if worst["pai_low"] > 0:
        zh_end, en_end = "本方法更好", "this method is better"
    elif worst["pai_high"] < 0:
        zh_end, en_end = "那种更好", "that one is better"
    return Words(
        f"与最接近的“{zh}”相比，PAI 差 {said}：{zh_end}",
        f"against the closest, {en}, PAI differs by {said}: {en_end}",
    )


_GOODNESS: Mapping[str, Callable[[Run], Words]] = {
    "siting": _siting_goodness, "coverage": _coverage_goodness, "patrol": _patrol_goodness,
    "hotspot-map": _map_goodness, "hotspot-forecast": _forecast_goodness, "hotspot-backtest": _backtest_goodness,
}  # fmt: skip


def remark(text: str) -> str:
    """Return a note without what it says in brackets of the command line's options, which mean nothing on a page."""
    return _OPTIONS.sub("", text)


def plan_facts(run: Run) -> Facts:
    """Return the figures of a siting plan: points, cost, value, bound; those its reader may not see left out."""
    plan = _first(run, "plan")
    unit = str(plan["unit"])
    facts = [
        (Words("新增", "opened"), _count(plan["opened"])),
        (Words("关闭", "closed"), _count(plan["closed"])),
        (Words("费用", "cost"), _count(plan["cost"])),
        (Words("目标值", "value"), _amount(plan["value"], unit)),
        (Words("最优值的界", "bound of the best"), _amount(plan["bound"], unit)),
        (Words("现有点", "existing points"), _count(plan["existing"])),
        (Words("候选点", "candidates"), _count(plan["candidates"])),
    ]
    return [fact for fact in facts if fact[1]]


def _amount(value: float, unit: str) -> str:
    return said(amount(value, unit)) if math.isfinite(value) else ""


def _count(value: float) -> str:
    return f"{value:,.6g}" if math.isfinite(value) else ""


def tier_words(level: str) -> Words:
    """Name a tier of areas."""
    return Words(*LEVEL_NAMES.get(level, (level, level)))


def shift(crew: Mapping[str, Any]) -> str:
    """Write a crew's shift and how long it is out."""
    return f"{clock(crew['shift_from'])}–{clock(crew['shift_until'])}（{whole_minutes(crew['duration_s'])} min）"


def quantity(value: float, unit: str) -> str:
    """Write a figure of a plan, "" for none."""
    return figure(value, unit) if math.isfinite(value) else ""


def _first(run: Run, name: str) -> dict[str, Any]:
    row: dict[str, Any] = run.tables[name].to_dict("records")[0]
    return row
