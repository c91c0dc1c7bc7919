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
    "missing": ("缺岗", "vacant role", TEXT, 1),
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
_THRESHOLD = re.compile(r"(?P<what>[a-z_]+)_(?P<seconds>\d+)")


def column(key: str) -> Column:
    """Return how a column of a result is shown; one that is not known keeps its key as heading."""
    if key in _KNOWN:
        zh, en, number, divisor = _KNOWN[key]
        return Column(key, zh, en, number, divisor)
    found = _THRESHOLD.fullmatch(key)
    if found and found["what"] in _BY_THRESHOLD:
        zh, en, number, divisor = _BY_THRESHOLD[found["what"]]
        t = minutes(int(found["seconds"]))
        return Column(key, zh.format(t=t), en.format(t=t), number, divisor)
    return Column(key, key, "", "General")
