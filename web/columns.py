"""How a result's columns read in a table for people: bilingual headings, units and number formats."""

import re
from dataclasses import dataclass

from web.drawing import minutes

TEXT, WHOLE, ONE, PERCENT, FINE = "@", "#,##0", "#,##0.0", "0.0%", "0.0000"


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column: its key in the result, headings, number format, and what its numbers are divided by."""

    key: str
    zh: str
    en: str
    format: str
    divisor: float = 1.0

    @property
    def heading(self) -> str:
        """Both languages, one above the other."""
        return f"{self.zh}\n{self.en}".strip()


_KNOWN = {
    "code": ("代码", "code", TEXT, 1),
    "area_code": ("区划代码", "area code", TEXT, 1),
    "name": ("名称", "name", TEXT, 1),
    "level": ("层级", "level", TEXT, 1),
    "parent": ("上级代码", "parent", TEXT, 1),
    "people": ("人口", "people", WHOLE, 1),
    "street_m": ("街面（公里）", "streets (km)", ONE, 1000),
    "reports": ("发现报告", "discovery reports", WHOLE, 1),
    "mean_s": ("平均时间（分钟）", "mean time (min)", ONE, 60),
    "median_s": ("中位时间（分钟）", "median time (min)", ONE, 60),
    "p95_s": ("95 % 分位时间（分钟）", "95th percentile (min)", ONE, 60),
    "unreached_people": ("无法到达人口", "people not reached", WHOLE, 1),
    "access": ("可达性得分", "access score (E2SFCA)", FINE, 1),
    "note_zh": ("备注", "note (Chinese)", TEXT, 1),
    "note_en": ("备注（英文）", "note", TEXT, 1),
    "segment_id": ("路段编号", "segment", "0", 1),
    "street": ("路名", "street", TEXT, 1),
    "street_class": ("道路类别", "class", TEXT, 1),
    "length_m": ("长度（米）", "length (m)", WHOLE, 1),
    "gap_m": ("缺口（米）", "gap (m)", WHOLE, 1),
    "rank": ("序", "rank", "0", 1),
    "at_u_s": ("起点时间（分钟）", "at start (min)", ONE, 60),
    "at_v_s": ("终点时间（分钟）", "at end (min)", ONE, 60),
    "longest_s": ("最远处时间（分钟）", "farthest spot (min)", ONE, 60),
    "point": ("最近点位", "nearest point", TEXT, 1),
    "second_point": ("次近点位", "second nearest", TEXT, 1),
    "second_s": ("次近时间（分钟）", "second nearest (min)", ONE, 60),
    "weekday": ("星期", "weekday", TEXT, 1),
    "hour": ("时", "hour", "0", 1),
    "open_points": ("开放点位", "open points", WHOLE, 1),
    "capacity": ("容量", "capacity", WHOLE, 1),
    "ratio": ("每万人容量", "capacity per 10,000", FINE, 1),
    "gini": ("基尼系数", "Gini", "0.000", 1),
    "threshold_s": ("阈值（分钟）", "threshold (min)", "0.#", 60),
    "weighed_by": ("权重", "weighed by", TEXT, 1),
    "share_people": ("累计人口占比", "share of people", PERCENT, 1),
    "share_covered": ("累计覆盖占比", "share of coverage", PERCENT, 1),
    "action": ("措施", "action", TEXT, 1),
    "area_name": ("所在辖区", "area", TEXT, 1),
    "lon": ("经度", "longitude", "0.00000", 1),
    "lat": ("纬度", "latitude", "0.00000", 1),
    "offset_m": ("距路段起点（米）", "from segment start (m)", ONE, 1),
    "cost": ("费用", "cost", "#,##0.##", 1),
    "load": ("负荷", "load", ONE, 1),
    "period": ("期", "period", "0", 1),
    "runner_up": ("次选", "runner-up", TEXT, 1),
    "runner_up_lon": ("次选经度", "runner-up longitude", "0.00000", 1),
    "runner_up_lat": ("次选纬度", "runner-up latitude", "0.00000", 1),
    "steady": ("需求变动下仍入选", "kept under other demand", PERCENT, 1),
    "people_before": ("之前时限内人口", "people within reach before", WHOLE, 1),
    "people_after": ("之后时限内人口", "people within reach after", WHOLE, 1),
    "street_m_before": ("之前时限内街面（公里）", "streets within reach before (km)", ONE, 1000),
    "street_m_after": ("之后时限内街面（公里）", "streets within reach after (km)", ONE, 1000),
    "reports_before": ("之前时限内报告", "reports within reach before", ONE, 1),
    "reports_after": ("之后时限内报告", "reports within reach after", ONE, 1),
    "share_before": ("之前占比", "share before", PERCENT, 1),
    "share_after": ("之后占比", "share after", PERCENT, 1),
    "gained_people": ("新增覆盖人口", "more people within reach", WHOLE, 1),
    "gained_street": ("新增覆盖街面（公里）", "more streets within reach (km)", ONE, 1),
    "gained_reports": ("新增覆盖报告", "more reports within reach", ONE, 1),
    "before_m": ("之前时限内（米）", "within reach before (m)", WHOLE, 1),
    "after_m": ("之后时限内（米）", "within reach after (m)", WHOLE, 1),
    "longest_before_s": ("之前最远处时间（分钟）", "farthest spot before (min)", ONE, 60),
    "longest_after_s": ("之后最远处时间（分钟）", "farthest spot after (min)", ONE, 60),
    "place": ("场所", "place", TEXT, 1),
    "functions": ("服务功能", "functions", TEXT, 1),
    "hours": ("开放时间", "hours", TEXT, 1),
    "count": ("点数", "points", WHOLE, 1),
    "gap": ("离最优至多差", "at most from the best", "0.00%", 1),
    "optimal": ("已证明最优", "proven best", TEXT, 1),
    "worst_share": ("最差辖区占比", "share of the worst area", PERCENT, 1),
    "sites": ("点位代码", "codes of sites", TEXT, 1),
    "missing": ("缺岗", "vacant role", TEXT, 1),
    "track": ("轨迹", "track", TEXT, 1),
    "person": ("人员", "person", TEXT, 1),
    "persons": ("人员", "persons", TEXT, 1),
    "datum": ("坐标系", "datum", TEXT, 1),
    "forgotten": ("过期剔除（点）", "too old (points)", WHOLE, 1),
    "cut_off_duty": ("值班外剔除（点）", "off duty (points)", WHOLE, 1),
    "kept": ("保留（点）", "kept (points)", WHOLE, 1),
    "begins": ("开始", "begins", TEXT, 1),
    "ends": ("结束", "ends", TEXT, 1),
    "noise_m": ("定位误差（米）", "error of points (m)", ONE, 1),
    "mean_gap_m": ("平均偏离（米）", "mean distance (m)", ONE, 1),
    "matched_m": ("走过（公里）", "walked (km)", "#,##0.00", 1000),
    "seconds": ("用时（分钟）", "time (min)", ONE, 60),
    "unmatched_share": ("未匹配占比", "unmatched", PERCENT, 1),
    "flags": ("疑点", "flags", TEXT, 1),
    "date": ("日期", "date", TEXT, 1),
    "crew": ("班组", "crew", TEXT, 1),
    "segments": ("计划路段", "segments planned", WHOLE, 1),
    "segments_done": ("完成路段", "segments done", WHOLE, 1),
    "planned_m": ("计划（米）", "planned (m)", WHOLE, 1),
    "walked_m": ("走过（米）", "walked (m)", WHOLE, 1),
    "walked_share": ("走过占比", "walked", PERCENT, 1),
    "done_share": ("完成占比", "done", PERCENT, 1),
    "unplanned_m": ("计划外（米）", "not planned (m)", WHOLE, 1),
    "crews": ("班组数", "crews", WHOLE, 1),
    "routes": ("出巡班组", "crews out", WHOLE, 1),
    "services": ("任务", "duties", WHOLE, 1),
    "served": ("完成任务", "duties done", WHOLE, 1),
    "must": ("必巡", "must be done", WHOLE, 1),
    "must_served": ("已排必巡", "of these done", WHOLE, 1),
    "priority": ("优先值", "priority", ONE, 1),
    "priority_served": ("已巡优先值", "priority covered", ONE, 1),
    "service_m": ("其中巡查（米）", "patrolled (m)", WHOLE, 1),
    "deadhead_m": ("空走（米）", "not patrolling (m)", WHOLE, 1),
    "deadhead_share": ("空走占比", "not patrolling", PERCENT, 1),
    "longest_shift_s": ("最长班次（分钟）", "longest shift (min)", WHOLE, 60),
    "shortest_shift_s": ("最短班次（分钟）", "shortest shift (min)", WHOLE, 60),
    "mean_shift_s": ("平均班次（分钟）", "mean shift (min)", WHOLE, 60),
    "duration_s": ("用时（分钟）", "time (min)", WHOLE, 60),
    "service_s": ("巡查用时（分钟）", "patrolling (min)", WHOLE, 60),
    "travel_s": ("途中（分钟）", "on the way (min)", WHOLE, 60),
    "wait_s": ("等候（分钟）", "waiting (min)", WHOLE, 60),
    "break_s": ("休息（分钟）", "break (min)", WHOLE, 60),
    "away_s": ("网格外巡查（分钟）", "away from home (min)", WHOLE, 60),
    "away_share": ("网格外占比", "away from home", PERCENT, 1),
    "against_mean": ("与当晚平均之比", "against the night's mean", "0.00", 1),
    "greedy_priority": ("贪心法优先值", "priority of a greedy plan", ONE, 1),
    "ended": ("计算", "search", TEXT, 1),
    "seed": ("随机种子", "seed", "0", 1),
    "role": ("岗位", "role", TEXT, 1),
    "mode": ("方式", "mode", TEXT, 1),
    "home": ("所属网格", "home grid cell", TEXT, 1),
    "station_code": ("驻地代码", "station code", TEXT, 1),
    "station_name": ("驻地", "station", TEXT, 1),
    "shift_from": ("班次开始", "shift from", TEXT, 1),
    "shift_until": ("班次结束", "shift until", TEXT, 1),
    "step": ("步", "step", "0", 1),
    "kind": ("内容", "what", TEXT, 1),
    "duty": ("任务编号", "duty", TEXT, 1),
    "side": ("看哪侧", "side", TEXT, 1),
    "metres": ("长度（米）", "length (m)", WHOLE, 1),
    "loss": ("允许的损失", "loss allowed", PERCENT, 1),
    "cost_best": ("最好方案代价（分钟）", "cost of the best (min)", ONE, 60),
    "cost_drawn": ("抽中方案代价（分钟）", "cost of the one drawn (min)", ONE, 60),
    "paid": ("实付损失", "loss paid", PERCENT, 1),
    "draws": ("抽样方案数", "plans drawn from", WHOLE, 1),
    "entropy_bits": ("时刻的熵（比特）", "entropy of the half hour (bits)", "0.00", 1),
    "most_bits": ("熵的上限（比特）", "most it could show (bits)", "0.00", 1),
    "same_slot_share": ("两次同一时刻的机会", "chance of the same half hour", PERCENT, 1),
    "same_crew_share": ("两次同一班组的机会", "chance of the same crew", PERCENT, 1),
    "passages": ("走过次数", "times walked", ONE, 1),
    "zh": ("说明", "in Chinese", TEXT, 1),
    "en": ("英文", "in English", TEXT, 1),
}
_BY_THRESHOLD = {
    "covered_people": ("{t} 分钟内人口", "people within {t} min", WHOLE, 1),
    "covered_street_m": ("{t} 分钟内街面（公里）", "streets within {t} min (km)", ONE, 1000),
    "covered_reports": ("{t} 分钟内报告", "reports within {t} min", WHOLE, 1),
    "covered_m": ("{t} 分钟内（米）", "within {t} min (m)", WHOLE, 1),
    "share_people": ("{t} 分钟人口占比", "people within {t} min (%)", PERCENT, 1),
    "share_street": ("{t} 分钟街面占比", "streets within {t} min (%)", PERCENT, 1),
    "people": ("{t} 分钟内人口", "people within {t} min", WHOLE, 1),
}
#: Of a siting plan, in the plan's own unit; the key is column@unit.
_BY_UNIT = {
    "value": ("目标值", "value"),
    "bound": ("最优值的界", "bound of the best"),
    "adds_alone": ("单独增加", "adds alone"),
    "adds_last": ("最后加入时增加", "adds last"),
    "runner_up_loses": ("改用次选损失", "the runner-up loses"),
    "beyond": ("仍在时限外", "still beyond reach"),
    "unreachable": ("其中任何候选点都不可达", "of these, reached by no candidate"),
}
UNITS = {
    "people": ("人", "people", WHOLE, 1),
    "reports": ("起/周", "reports a week", ONE, 1),
    "metres": ("公里", "km", ONE, 1000),
    "share": ("占比", "share", PERCENT, 1),
    "points": ("个", "points", WHOLE, 1),
    "people_s": ("人·小时", "person-hours", ONE, 3600),
    "person_s": ("人·小时", "person-hours", ONE, 3600),
    "reports_s": ("起·小时", "report-hours", ONE, 3600),
    "metres_s": ("公里·小时", "km-hours", ONE, 3_600_000),
    "share_s": ("平均分钟", "min on average", ONE, 60),
    "s": ("分钟", "min", ONE, 60),
}
_THRESHOLD = re.compile(r"(?P<what>[a-z_]+)_(?P<seconds>\d+)")


def column(key: str) -> Column:
    """Return how a column of a result is shown; one that is not known keeps its key as heading."""
    if key in _KNOWN:
        zh, en, number, divisor = _KNOWN[key]
        return Column(key, zh, en, number, divisor)
    name, _, unit = key.partition("@")
    if name in _BY_UNIT and unit in UNITS:
        (zh, en), (unit_zh, unit_en, number, divisor) = _BY_UNIT[name], UNITS[unit]
        return Column(key, f"{zh}（{unit_zh}）", f"{en} ({unit_en})", number, divisor)
    found = _THRESHOLD.fullmatch(key)
    if found and found["what"] in _BY_THRESHOLD:
        zh, en, number, divisor = _BY_THRESHOLD[found["what"]]
        t = minutes(int(found["seconds"]))
        return Column(key, zh.format(t=t), en.format(t=t), number, divisor)
    return Column(key, key, "", "General")
