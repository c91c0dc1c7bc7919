"""A plan in sentences a mayor reads, in Chinese and English; nothing is called best that was not proven."""

import math

import numpy as np
import pandas as pd

from planner.siting.case import Case
from planner.siting.quantities import amount, percent_at_most

_PROBLEM = {
    "mclp": ("让更多需求在时限内可达", "reach the most demand in time"),
    "lscp": ("以最少的点覆盖", "cover with the fewest points"),
    "pmedian": ("总步行时间最短", "make the total walk shortest"),
    "pcenter": ("最长步行时间最短", "make the longest walk shortest"),
    "backup": ("兼顾第二个可达点", "keep a second point within reach"),
    "capacitated": ("不超过各点容量", "respect every point's capacity"),
    "cpmedian": ("不超过各点容量且总时间最短", "respect capacities and make the total walk shortest"),
    "mix": ("在费用上限内组合新建、改建与提升", "mix building, converting and upgrading within the budget"),
    "periods": ("分期建设", "build in periods"),
    "robust": ("各情景中最差者最好", "do best in the worst scenario"),
    "equity": ("最薄弱辖区最好", "serve the worst-off area best"),
    "frontier": ("权衡方案", "trade one aim against another"),
}
NAMED = 3


def story_table(
    case: Case, plan: pd.DataFrame, sites: pd.DataFrame, totals: pd.DataFrame, left_out: pd.DataFrame
) -> pd.DataFrame:
    """Return the sentences as rows (zh, en): what changes, how sure it is, which sites matter, who is left."""
    facts = plan.iloc[0]
    said = [_change(case, facts, totals.iloc[0]), _proof(facts)]
    opened = sites[sites["action"] != "close"]
    if len(opened):
        said += _best_site(case, facts, opened)
        said += _steady(opened)
    said += _left_out(case, left_out)
    return pd.DataFrame(said, columns=["zh", "en"])


def _change(case: Case, facts: pd.Series, totals: pd.Series) -> tuple[str, str]:
    minutes = f"{case.question.limit_s / 60:g}"
    zh, en = _PROBLEM[case.question.problem]
    what = "people" if totals["people"] > 0 else "street_m"
    whole, before, after = totals[what], totals[f"{what}_before"], totals[f"{what}_after"]
    unit = "people" if what == "people" else "metres"
    was, now = amount(before, unit), amount(after, unit)
    share = f"{before / whole:.1%} → {after / whole:.1%}" if whole > 0 else "–"
    closed_zh = f"、关闭 {facts['closed']} 个" if facts["closed"] else ""
    closed_en = f" and closes {facts['closed']}" if facts["closed"] else ""
    return (
        f"目标：{zh}。方案开设或提升 {facts['opened']} 个点{closed_zh}，{minutes} 分钟内"
        f"由可达 {was[0]}变为 {now[0]}（{share}）。",
        f"Aim: {en}. The plan opens or improves {facts['opened']}{closed_en}; within {minutes} minutes "
        f"{now[1]} are reached instead of {was[1]} ({share}).",
    )


def _proof(facts: pd.Series) -> tuple[str, str]:
    if facts["optimal"]:
        return "已证明：没有更好的方案。", "Proven: no other plan does better."
    if not math.isfinite(facts["gap"]):
        return (
            "尚未得到界限：方案可行，离最优多远尚不清楚。",
            "No bound was reached: how far from the best is not known.",
        )
    at_most = percent_at_most(facts["gap"])
    return f"已证明：任何其他方案至多好 {at_most}。", f"Proven: no other plan is better by more than {at_most}."


def _best_site(case: Case, facts: pd.Series, opened: pd.DataFrame) -> list[tuple[str, str]]:
    first = opened.iloc[0]
    where = " ".join(filter(None, (str(first["area_name"]), str(first["street"] or first["name"])))) or first["code"]
    unit = facts["worth_unit"]
    zh, en = amount(first["adds_last"], unit)
    said = [(
        f"贡献最大的是 1 号点（{where}）：没有它，方案少 {zh}。",
        f"Site 1 ({where}) matters most: without it the plan has {en} less.",
    )]  # fmt: skip
    loses = opened["runner_up_loses"].to_numpy(float)
    if np.isfinite(loses).any():
        i = int(np.nanargmin(loses))
        zh, en = amount(max(loses[i], 0.0), unit)
        rank, code, name = opened.iloc[i][["rank", "runner_up", "runner_up_name"]]
        other = (f"{name}（{code}）", f"{name} ({code})") if name else (f" {code} ", code)
        said.append((
            f"最易替换的是 {rank} 号点：改用{other[0]}只损失 {zh}。",
            f"Site {rank} is easiest to replace: {other[1]} in its place loses only {en}.",
        ))  # fmt: skip
    return said


def _steady(opened: pd.DataFrame) -> list[tuple[str, str]]:
    steady = opened["steady"].to_numpy(float)
    if not np.isfinite(steady).any():
        return []
    firm = int((steady >= 0.8).sum())
    return [(
        f"各辖区需求随机增减 20 % 时，{len(opened)} 个点中有 {firm} 个在八成以上的情形下仍是最佳选择。",
        f"With demand 20 % up or down at random by area, {firm} of {len(opened)} sites stay the best choice "
        "in at least four of five draws.",
    )]  # fmt: skip


def _left_out(case: Case, left_out: pd.DataFrame) -> list[tuple[str, str]]:
    if not len(left_out):
        return []
    named = left_out.head(NAMED)
    zh, en = amount(float(left_out["people"].sum()), case.unit)
    areas_zh = "、".join(f"{r['name']}（{amount(r['people'], case.unit)[0]}）" for _, r in named.iterrows())
    areas_en = ", ".join(f"{r['name']} ({amount(r['people'], case.unit)[1]})" for _, r in named.iterrows())
    said = [(f"仍有 {zh} 够不着，最多的是{areas_zh}。", f"Still beyond reach: {en}, most of them in {areas_en}.")]
    never = float(left_out["unreachable"].sum())
    if never > 0:
        zh, en = amount(never, case.unit)
        said.append((f"其中 {zh} 任何候选点都达不到。", f"Of these, no candidate at all reaches {en}."))
    return said
