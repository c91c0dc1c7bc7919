"""What a siting result says in words: what it brings, how sure that is, and how much each site adds."""

import math
from collections.abc import Mapping
from typing import Any

from layers.hours import parse_hour_of_week
from layers.run import Run
from web.drawing import FUNCTION_NAMES, LEVEL_NAMES, MODE_NAMES, minutes

PROBLEM_NAMES = {
    "mclp": ("覆盖最多", "reach the most"),
    "lscp": ("点位最少", "fewest points"),
    "pmedian": ("平均最近", "nearest on average"),
    "pcenter": ("最远者最近", "nearest for the farthest"),
    "backup": ("双点覆盖", "reached by two points"),
    "capacitated": ("容量内覆盖最多", "reach the most within capacity"),
    "cpmedian": ("容量内平均最近", "nearest on average within capacity"),
    "mix": ("新建、改建、提升组合", "build, convert or upgrade"),
    "periods": ("分期建设", "built in periods"),
    "robust": ("各种情景下稳健", "robust in every scenario"),
    "equity": ("最差者最好", "best for the worst off"),
    "frontier": ("逐档权衡", "one plan per step of cost"),
}
ACTION_NAMES = {
    "build": ("新建", "build"),
    "convert": ("改建", "convert"),
    "upgrade": ("提升", "upgrade"),
    "close": ("关闭", "close"),
}
DEMAND_NAMES = {"people": ("人口", "people"), "reports": ("发现报告", "reports"), "streets": ("街面", "streets")}
STOPPED = {"time": ("到时停止", "stopped at the time limit"), "cancelled": ("中途取消", "cancelled")}
#: Problems whose value is better the less it is.
MINIMISED = frozenset({"lscp", "pmedian", "pcenter", "cpmedian"})
#: Problems whose value is no plain count of those within reach, so that the headline counts them itself.
_WEIGHTED = frozenset({"backup", "robust", "periods"})
_COUNTED = {"people": "people", "reports": "reports", "metres": "street_m"}
Row = Mapping[str, Any]


def amount(value: float, unit: str) -> tuple[str, str]:
    """Write a value of a plan in its unit: 83,000 人, 83,000 people."""
    if not math.isfinite(value):
        return "—", "—"
    if unit == "people":
        return f"{value:,.0f} 人", f"{value:,.0f} people"
    if unit == "reports":
        return f"每周 {value:,.1f} 起报告", f"{value:,.1f} reports a week"
    if unit == "metres":
        return f"{value / 1000:,.1f} 公里街面", f"{value / 1000:,.1f} km of street"
    if unit == "share":
        return f"{value:.1%}", f"{value:.1%}"
    if unit == "points":
        return f"{value:,.0f} 个点位", f"{value:,.0f} point{'' if round(value) == 1 else 's'}"
    if unit == "person_s":
        return f"{value / 3600:,.0f} 人时", f"{value / 3600:,.0f} person-hours"
    return f"{minutes(value)} 分钟", f"{minutes(value)} min"


def brief_amount(value: float, unit: str) -> str:
    """Write what a site adds for a narrow column: "+12,300", "+4.2 km", "−3 min"."""
    if not math.isfinite(value):
        return ""
    if unit == "metres":
        return f"{value / 1000:+,.1f} km"
    if unit == "share":
        return f"{value * 100:+.1f} %"
    if unit == "person_s":
        return f"{value / 3600:+,.0f} h"
    if unit == "s":
        return f"{value / 60:+,.1f} min"
    return f"{value:+,.1f}" if unit == "reports" else f"{value:+,.0f}"


def headline(plan: Row, totals: Row, parameters: Row) -> tuple[str, str]:
    """Say in one sentence what the plan brings. totals : the city's one row of figures before and after."""
    limit = minutes(parameters["limit_s"])
    zh, en = _changed(plan)
    s = "s" if plan["opened"] + plan["closed"] == 1 else ""
    problem, unit, value, before = plan["problem"], plan["unit"], plan["value"], plan["before"]
    if problem == "lscp":
        share = f"{parameters.get('share', 1.0):.0%}"
        return f"{zh}，{limit} 分钟内到达 {share} 的需求", f"{en} bring{s} {share} of all demand within {limit} minutes"
    if problem in MINIMISED:
        return _shorter(plan, totals, (zh, en))
    if problem == "equity":
        level_zh, level_en = LEVEL_NAMES[parameters["level"]]
        was = (f"从 {before:.0%} ", f"from {before:.0%} ") if math.isfinite(before) else ("", "")
        return (
            f"{zh}，覆盖最差的{level_zh}{was[0]}升至 {value:.0%}",
            f"{en} lift{s} the worst-off {level_en} {was[1]}to {value:.0%} within {limit} minutes",
        )
    if problem in _WEIGHTED and unit in _COUNTED:
        value, before = totals[f"{_COUNTED[unit]}_after"], totals[f"{_COUNTED[unit]}_before"]
    reached_zh, reached_en = amount(value, unit)
    if not plan["opened"] + plan["closed"]:
        return f"{zh}：{limit} 分钟内可达 {reached_zh}", f"{en}: {reached_en} within {limit} minutes"
    if not math.isfinite(before):
        return f"{zh}，{limit} 分钟内可达 {reached_zh}", f"{en} bring{s} {reached_en} within {limit} minutes"
    more_zh, more_en = amount(abs(value - before), unit)
    if unit == "share":
        more_zh, more_en = f"{more_zh} 的需求", f"{more_en} of all demand"
    if value < before:
        return f"{zh}，{limit} 分钟内少覆盖 {more_zh}", f"{en} leave{s} {more_en} beyond {limit} minutes"
    number, _, rest = more_en.partition(" ")
    return f"{zh}，{limit} 分钟内多覆盖 {more_zh}", f"{en} bring{s} {number} more {rest} within {limit} minutes"


def _changed(plan: Row) -> tuple[str, str]:
    """Name what is changed: 新增 10 个点位, 10 new points."""
    opened, closed = int(plan["opened"]), int(plan["closed"])
    if not opened and not closed:
        return "点位不变", "no point changes"
    if plan["problem"] == "mix":
        return f"新建、改建或提升 {opened} 处", f"{opened} points built, converted or upgraded"
    zh = [f"新增 {opened} 个"] if opened else []
    en = [f"{opened} new point{'' if opened == 1 else 's'}"] if opened else []
    if closed:
        zh.append(f"关闭 {closed} 个")
        en.append(f"{closed} closed" if opened else f"{closed} closed point{'' if closed == 1 else 's'}")
    return "、".join(zh) + "点位", " and ".join(en)


def _shorter(plan: Row, totals: Row, changed: tuple[str, str]) -> tuple[str, str]:
    """Say how much nearer help comes: for the farthest, or on average where the value is a sum over people."""
    zh, en = changed
    value, before = plan["value"], plan["before"]
    who = ("最远处到达时间", "the farthest place")
    if plan["unit"] == "person_s":
        people = float(totals["people"])
        if not people > 0:
            spent_zh, spent_en = amount(value, "person_s")
            return f"{zh}，总行程 {spent_zh}", f"{en}: {spent_en} of travel in all"
        who, value, before = ("人均到达时间", "the average person"), value / people, before / people
    now = f"{value / 60:.1f}"
    if not math.isfinite(before):
        return f"{zh}，{who[0]} {now} 分钟", f"{en}: {now} minutes for {who[1]}"
    was = f"{before / 60:.1f}"
    return f"{zh}，{who[0]}从 {was} 分钟变为 {now} 分钟", f"{en}: {was} minutes become {now} for {who[1]}"


def gap(plan: Row) -> tuple[str, str]:
    """Say how far the plan may be from the best possible; only a proven plan is called best."""
    if plan["optimal"]:
        return "已证明最优", "proven best"
    if not math.isfinite(plan["gap"]):
        return "离最优多远尚无证明", "how far from the best possible is not proven"
    at_most = percent_at_most(plan["gap"])
    return f"离最优至多差 {at_most}", f"at most {at_most} from the best possible"


def proof(plan: Row) -> tuple[str, str]:
    """Say what is proven in a sentence for a reader who asks whether another choice would be better."""
    stopped = STOPPED.get(plan["stopped"], ("", ""))
    tail_zh, tail_en = (f"（{stopped[0]}）", f" ({stopped[1]})") if stopped[0] else ("", "")
    if plan["optimal"]:
        return "已证明最优：没有别的选法比它更好", "proven best: no other choice does better"
    if not math.isfinite(plan["gap"]):
        return f"尚未证明离最优有多远{tail_zh}", f"how far from the best possible is not proven{tail_en}"
    if plan["problem"] == "lscp":
        fewest = math.ceil(plan["bound"] - 1e-6)
        return f"已证明：至少需要 {fewest} 个点位{tail_zh}", f"proven: at least {fewest} points are needed{tail_en}"
    at_most, n = percent_at_most(plan["gap"]), int(plan["opened"])
    choice = f"choice of {n} site{'' if n == 1 else 's'}" if n else "choice"
    if plan["problem"] in MINIMISED:
        return (
            f"已证明：别的选法至多再少 {at_most}{tail_zh}",
            f"proven: no other {choice} saves more than {at_most}{tail_en}",
        )
    return (
        f"已证明：别的选法至多再多 {at_most}{tail_zh}",
        f"proven: no other {choice} reaches more than {at_most} more{tail_en}",
    )


def percent_at_most(part: float) -> str:
    """Write a part as percent with two figures, rounded up: what is said to be at most stays true, and is never 0 %."""
    percent = part * 100
    decimals = max(0, 1 - math.floor(math.log10(percent))) if percent > 0 else 0
    step = 10.0**-decimals
    return f"{math.ceil(round(percent / step, 6)) * step:.{decimals}f} %"


def question(run: Run) -> tuple[str, str]:
    """Say what was asked: the problem, the time, how people move, whom to serve, which service, when."""
    asked = run.parameters
    name_zh, name_en = PROBLEM_NAMES[asked["problem"]]
    mode_zh, mode_en = MODE_NAMES[asked["mode"]]
    limit = minutes(asked["limit_s"])
    zh, en = [name_zh, f"{mode_zh} {limit} 分钟"], [name_en, f"{limit} min {mode_en}"]
    kinds = [DEMAND_NAMES.get(kind, (kind, kind)) for kind, _ in asked["demand"]]
    if [kind for kind, _ in asked["demand"]] != ["people"]:
        zh.append("服务" + "、".join(kind for kind, _ in kinds))
        en.append("for " + ", ".join(kind for _, kind in kinds))
    for function in asked["functions"]:
        zh.append(f"提供{FUNCTION_NAMES[function][0]}")
        en.append(f"offering {FUNCTION_NAMES[function][1]}")
    if asked["at"]:
        hour = parse_hour_of_week(asked["at"])
        zh.append(f"{hour.label('zh')} 开放")
        en.append(f"open {hour.label('en')}")
    return "，".join(zh), ", ".join(en)
