"""What a siting result says in words: what it brings, how sure that is, and how much each site adds."""

import math
from collections.abc import Mapping
from typing import Any

from planner.siting.quantities import amount, figure, percent_at_most, unit_words
from web.drawing import LEVEL_NAMES, both, minutes

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
DEMAND_OF = {"people": DEMAND_NAMES["people"], "reports": DEMAND_NAMES["reports"], "street": DEMAND_NAMES["streets"]}
STOPPED = {"time": ("到时停止", "stopped at the time limit"), "cancelled": ("中途取消", "cancelled")}
#: Problems whose value is better the less it is.
MINIMISED = frozenset({"lscp", "pmedian", "pcenter", "cpmedian"})
#: Problems whose value is no plain count of those within reach, so that the headline counts them itself.
_WEIGHTED = frozenset({"backup", "robust", "periods"})
#: Problems that make ways shorter rather than reach more within the limit.
TIMED = frozenset({"pmedian", "pcenter", "cpmedian"})
#: What is counted within the time limit: its column and unit. "people", "people_before" and "people_after" and so on.
COLUMNS = {"people": "people", "street": "street_m", "reports": "reports"}
_MEASURE_OF = {"people": "people", "reports": "reports", "streets": "street"}
_UNIT_OF = {"people": "people", "reports": "reports", "street": "metres"}
Row = Mapping[str, Any]


def measure(parameters: Row, totals: Row) -> str:
    """Return what areas and the city are measured by: "people", "reports" or "street".

    It is the one kind of demand asked for, people where there are several, streets where the city has none of them.
    """
    kinds = [kind for kind, _ in parameters["demand"]]
    wanted = _MEASURE_OF.get(kinds[0], "people") if len(kinds) == 1 else "people"
    return wanted if totals[COLUMNS[wanted]] > 0 else "street"


def demand_unit(parameters: Row) -> str:
    """Return the unit of demand: "share" where several kinds are weighed together."""
    kinds = [kind for kind, _ in parameters["demand"]]
    return _UNIT_OF[_MEASURE_OF[kinds[0]]] if len(kinds) == 1 else "share"


def measured(value: float, unit: str) -> str:
    """Write a value once, with its unit in both languages: 83,000 人 people."""
    return f"{figure(value, unit)} {both(unit_words(unit))}"


def headline(plan: Row, totals: Row, parameters: Row) -> tuple[str, str]:
    """Say in one sentence what the plan brings. totals : the city's one row of figures before and after."""
    limit, problem = minutes(parameters["limit_s"]), plan["problem"]
    zh, en = _changed(plan)
    s = "s" if plan["opened"] + plan["closed"] == 1 else ""
    whom = measure(parameters, totals)
    column = COLUMNS[whom]
    if problem == "lscp" and totals[column] > 0:
        whom_zh, whom_en = DEMAND_OF[whom]
        share = f"{totals[f'{column}_after'] / totals[column]:.1%}"
        return (
            f"{zh}，{limit} 分钟内可达 {share} 的{whom_zh}",
            f"{en} bring{s} {share} of {whom_en} within {limit} minutes",
        )
    if problem == "equity":
        level_zh, level_en = LEVEL_NAMES[parameters["level"]]
        return (
            f"{zh}，覆盖最差的{level_zh}达到 {plan['value']:.1%}",
            f"{en} bring{s} the worst-off {level_en} to {plan['value']:.1%} within {limit} minutes",
        )
    if problem in MINIMISED:
        return _shorter(plan, zh, en, s)
    unit, value, before = plan["unit"], plan["value"], plan["before"]
    if problem == "capacitated":
        served_zh, served_en = amount(value, unit)
        return (
            f"{zh}，{limit} 分钟内各点容量之内可服务 {served_zh}",
            f"{en} and those there are serve {served_en} within {limit} minutes and their capacity",
        )
    if problem in _WEIGHTED:
        unit, value, before = _UNIT_OF[whom], totals[f"{column}_after"], totals[f"{column}_before"]
        if whom == "reports":
            # the city's table counts all reports there are, the plan those of a week
            unit, value, before = "share", value / totals[column], before / totals[column]
    return _more(value, before, unit, limit, (zh, en, s), changed=bool(plan["opened"] + plan["closed"]))


def _more(
    value: float, before: float, unit: str, limit: str, who: tuple[str, str, str], *, changed: bool
) -> tuple[str, str]:  # fmt: skip
    """Say how many more are within the limit than before, or how many are where nobody knows or nothing changes."""
    zh, en, s = who
    reached_zh, reached_en = amount(value, unit)
    of_zh, of_en = (" 的需求", " of all demand") if unit == "share" else ("", "")
    if not changed:
        return f"{zh}：{limit} 分钟内可达 {reached_zh}{of_zh}", f"{en}: {reached_en}{of_en} within {limit} minutes"
    if not math.isfinite(before):
        return (
            f"{zh}，{limit} 分钟内可达 {reached_zh}{of_zh}",
            f"{en} bring{s} {reached_en}{of_en} within {limit} minutes",
        )
    more_zh, more_en = amount(abs(value - before), unit)
    if value < before:
        return f"{zh}，{limit} 分钟内少覆盖 {more_zh}{of_zh}", f"{en} leave{s} {more_en}{of_en} beyond {limit} minutes"
    number = figure(value - before, unit)
    rest = more_en.removeprefix(number)
    return (
        f"{zh}，{limit} 分钟内多覆盖 {more_zh}{of_zh}",
        f"{en} bring{s} {number} more{rest}{of_en} within {limit} minutes",
    )


def _changed(plan: Row) -> tuple[str, str]:
    """Name what is changed: 新增 10 个点位, 10 new points."""
    opened, closed = int(plan["opened"]), int(plan["closed"])
    if not opened and not closed:
        return "点位不变", "no point changes"
    if plan["problem"] == "mix":
        return (
            f"新建、改建或提升 {opened} 处",
            f"{opened} point{'' if opened == 1 else 's'} built, converted or upgraded",
        )
    zh = [f"新增 {opened} 个"] if opened else []
    en = [f"{opened} new point{'' if opened == 1 else 's'}"] if opened else []
    if closed:
        zh.append(f"关闭 {closed} 个")
        en.append(f"{closed} closed" if opened else f"{closed} closed point{'' if closed == 1 else 's'}")
    return "、".join(zh) + "点位", " and ".join(en)


def _shorter(plan: Row, zh: str, en: str, s: str) -> tuple[str, str]:
    """Say how much nearer help comes: for the farthest, or on average where the value is a sum over all demand."""
    value = plan["value"]
    # what stands today was measured without capacities
    before = math.nan if plan["problem"] == "cpmedian" else plan["before"]
    who_zh, who_en = "最长到达时间", "the longest way"
    if plan["unit"] == "points":
        return f"{zh}，共 {value:,.0f} 个点位", f"{en}, {value:,.0f} in all"
    if plan["unit"] != "s":
        whole = float(plan["total"])
        if not whole > 0:
            return f"{zh}，合计 {amount(value, plan['unit'])[0]}", f"{en}: {amount(value, plan['unit'])[1]} in all"
        who_zh, who_en, value, before = "平均到达时间", "the average way", value / whole, before / whole
    now = f"{value / 60:.1f}"
    if not math.isfinite(before) or f"{before / 60:.1f}" == now:
        return f"{zh}，{who_zh} {now} 分钟", f"{en}: {who_en} takes {now} minutes"
    was = f"{before / 60:.1f}"
    turn_zh, turn_en = ("缩短到", "shorten") if value < before else ("变为", "lengthen")
    return (
        f"{zh}，{who_zh}从 {was} 分钟{turn_zh} {now} 分钟",
        f"{en} {turn_en}{s} {who_en} from {was} to {now} minutes",
    )


def gain_verb(unit: str) -> tuple[str, str]:
    """Return what a site does for a plan valued in ``unit``: it adds, or saves time."""
    return ("节省", "saves") if unit == "s" or unit.endswith("_s") else ("增加", "adds")


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
