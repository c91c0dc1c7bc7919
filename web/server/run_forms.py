"""What is asked before a run begins, in plain words; the question itself says what cannot be asked."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from gis.errors import QuestionError
from gis.modes import WALK_KMH
from layers.hours import parse_hour_of_week
from planner.coverage_question import CoverageQuestion
from planner.hotspots.frame import CHANNELS, Frame
from planner.hotspots.question import BacktestQuestion, ForecastQuestion, MapQuestion
from planner.patrol.question import PatrolQuestion, parse_hours
from planner.siting.question import COUNTED, SitingQuestion
from web.drawing import FUNCTION_NAMES

Values = MultiDict[str, str]
#: Problems of siting, the usual first, in a planner's words.
PROBLEMS = {
    "mclp": "让最多的人在时限内走得到", "mix": "按预算组合新建、改建和提升", "lscp": "用最少的点覆盖所有人",
    "equity": "让最薄弱的辖区最好", "pmedian": "平均走得最近", "pcenter": "最远的人走得最近",
    "backup": "尽量有两个点可去", "capacitated": "各点容量有限，服务最多的人", "cpmedian": "各点容量有限，平均走得最近",
    "periods": "分期建设", "robust": "白天、夜间、冬季都不差", "frontier": "每多花一档能换来多少",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing asked. label, hint : Chinese. kind : "number", "text", "date", "choice" or "ticks" (several).

    options : value -> words. extra : shown under "more options". required : the browser asks for it.
    """

    name: str
    label: str
    hint: str = ""
    kind: str = "number"
    default: str | tuple[str, ...] = ""
    options: Mapping[str, str] = field(default_factory=dict)
    extra: bool = False
    required: bool = False

    def value(self, given: Values | None) -> str | list[str]:
        """Return what the form shows: as given, else the default; a list of ticks."""
        if self.kind == "ticks":
            return list(self.default) if given is None else given.getlist(self.name)
        return str(self.default) if given is None else given.get(self.name, "")


Build = Callable[["Answers"], Any]


@dataclass(frozen=True, slots=True)
class RunForm:
    """One kind of run: what it is for, what is asked, and how the answers become a question that checks itself."""

    kind: str
    title: str
    says: str
    asks: tuple[Ask, ...]
    build: Build

    def question(self, given: Values) -> Any:
        """Return the question; raises QuestionError with its own words on anything else."""
        return self.build(Answers(self.asks, given))


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a form, read as what they stand for; only what was asked counts."""

    asks: tuple[Ask, ...]
    given: Values

    def text(self, name: str) -> str:
        """Return an answer without outer spaces; the default where it was not asked."""
        ask = self._ask(name)
        return "" if ask is None else self.given.get(name, str(ask.default)).strip()[:200]

    def number(self, name: str, usual: float | None = None) -> float | None:
        """Return a number; ``usual`` where nothing was said."""
        text = self.text(name)
        if not text:
            return usual
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            ask = self._ask(name)
            assert ask is not None
            raise QuestionError(f"{ask.label}应是数字：{text}", f"{name.replace('_', ' ')} must be a number: {text}")
        return value

    def whole(self, name: str, usual: int | None = None) -> int | None:
        """Return a whole number."""
        value = self.number(name, usual)
        if value is not None and value != int(value):
            ask = self._ask(name)
            assert ask is not None
            raise QuestionError(f"{ask.label}应是整数：{value:g}", f"{name.replace('_', ' ')} must be whole: {value:g}")
        return None if value is None else int(value)

    def several(self, name: str) -> tuple[str, ...]:
        """Return what was ticked."""
        return () if self._ask(name) is None else tuple(self.given.getlist(name))

    def date(self, name: str) -> dt.date | None:
        """Return a day; None where nothing was said."""
        text = self.text(name)
        try:
            return dt.date.fromisoformat(text) if text else None
        except ValueError:
            raise QuestionError(f"日期无效：{text}", f"not a date: {text!r}") from None

    def within(self) -> tuple[str, ...]:
        """Return the area asked about, one of those offered; none for the whole city."""
        ask, code = self._ask("within"), self.text("within")
        if ask is not None and code not in ask.options:
            raise QuestionError("这个辖区不在本账号的范围内", "this area is not within this account's")
        return (code,) if code else ()

    def _ask(self, name: str) -> Ask | None:
        return next((ask for ask in self.asks if ask.name == name), None)


def siting_form(problem: str, areas: Mapping[str, str]) -> RunForm:
    """Return the form of a problem of siting; areas : code -> name of those it may be about, the usual first."""
    needs_count = problem in COUNTED
    own = {
        "count": Ask("count", "新设几个点", "预算另定时留空。" if problem == "mclp" else "", default="3",
                     required=needs_count and problem != "mclp"),
        "budget": Ask("budget", "预算", "与候选点费用同一单位。" if problem == "mix" else "填了就把点数留空。",
                      required=problem == "mix"),
        "counts": Ask("counts", "各期新设几个点", "用逗号隔开，如 3,3,4。", "text", "3,3", required=True),
        "share": Ask("share", "要覆盖的比例", "1 是所有人，0.9 是九成。", default="1"),
        "level": Ask("level", "比较哪一级辖区", "", "choice", "subdistrict",
                     {"district": "区一级", "subdistrict": "街道一级", "community": "社区一级"}),
        "scenarios": Ask("scenarios", "要应对的情形", "“少一个点”只能单独选。", "ticks", ("day", "night", "winter"),
                         {"day": "白天", "night": "夜间", "winter": "冬季", "loss": "少一个点"}),
        "against": Ask("against", "与什么权衡", "", "choice", "cost", {"cost": "费用", "equity": "公平"}),
        "capacity": Ask("capacity", "未注明容量的点能服务多少", "", default="1000"),
        "second_share": Ask("second_share", "第二个点的分量", "0 到 1；越大越看重有第二个点可去。", default="0.3"),
        "district_least": Ask("district_least", "每区至少改动几处", "可不填。", extra=True),
        "district_most": Ask("district_most", "每区至多改动几处", "可不填。", extra=True),
    }  # fmt: skip
    wanted = {
        "mclp": ("count", "budget"), "lscp": ("share",), "mix": ("budget", "district_least", "district_most"),
        "periods": ("counts",), "robust": ("count", "scenarios"), "equity": ("count", "level"),
        "frontier": ("against", "count", "level"), "backup": ("count", "second_share"),
        "capacitated": ("count", "capacity"), "cpmedian": ("count", "capacity"),
    }.get(problem, ("count",))  # fmt: skip
    timed = problem in ("pmedian", "pcenter", "cpmedian")
    asks = (
        *(own[name] for name in wanted),
        Ask("minutes", "几分钟内走得到", "更久的路都按这么久计。" if timed else "超过就算够不着。",
            default="60" if timed else "15", required=True),
        *_demand(),
        Ask("candidates", "新点可以设在哪里", "", "choice", "junctions",
            {"junctions": "任何路口", "midpoints": "任何路段中间", "layer": "已导入的候选点"}),
        _within(areas, "新点只设在这里。"),
        Ask("existing", "现有的点", "", "choice", "fixed",
            {"fixed": "都保留", "closable": "可以迁移，总数不少", "optional": "从头选起，只作候选"}),
        Ask("functions", "要提供的服务", "不选则不限；选了几项，就各项分别计算。", "ticks", (),
            {word: zh for word, (zh, _en) in FUNCTION_NAMES.items()}, extra=True),
        Ask("at", "只看这个时刻开放的点", "如 周日02:00；可不填。", "text", extra=True),
        *_moving(), *_search(),
    )  # fmt: skip
    return RunForm("siting", "选址：新服务点设在哪里最好", PROBLEMS[problem], asks, lambda a: _siting(problem, a))


def patrol_form(today: dt.date, areas: Mapping[str, str]) -> RunForm:
    """Return the form of a patrol's plan."""
    asks = (
        Ask("date", "从哪天晚上开始", "", "date", today.isoformat(), required=True),
        Ask("days", "排几晚", "", "choice", "7", {"7": "一周", "1": "一晚"}),
        Ask("hours", "时段", "这段时间在岗的网格员参加；各人按自己的班次走，没有登记班次的按这个时段。", "text",
            "20:00-24:00", required=True),
        _within(areas, "只排这里的巡查任务。"),
        Ask("loss", "随机选一个相近的方案", "0.05 表示至多比最好的多费 5 %，让人摸不准时间；留空则取最好的。",
            extra=True),
        *_search("每晚最多搜索几秒"),
    )  # fmt: skip
    return RunForm("patrol", "巡查：这一周谁走哪些街道", "按任务频次、班次和名册排出每晚的路线。", asks, _patrol)


def map_form(areas: Mapping[str, str]) -> RunForm:
    """Return the form of a map of hotspots."""
    asks = (
        *_frame(areas, "留空为最近两年。"),
        Ask("split", "密度在路口怎样延续", "", "choice", "discontinuous",
            {"discontinuous": "等分，遇路口重新开始", "continuous": "等分，平滑延续", "simple": "不分配",
             "heat": "热方程"}, extra=True),
        Ask("bandwidth_m", "密度的带宽（米）", "留空由数据定。", extra=True),
        Ask("detectability", "巡查的发现能力", "每周走一遍能发现在场者的机会由它定；留空由数据估计。", extra=True),
        Ask("permutations", "随机排列次数", "判断聚集是否偶然，99 到 99999。", default="999", extra=True),
        _seed(),
    )  # fmt: skip
    says = "哪里容易遇到需要帮助的人；巡查多少已校正，没人去看的地方标为不明。"
    return RunForm("hotspot-map", "热点：现在哪里容易遇到人", says, asks, _map)


def forecast_form(areas: Mapping[str, str]) -> RunForm:
    """Return the form of a forecast."""
    asks = (
        *_frame(areas, "留空为全部报告。"),
        Ask("week", "预测哪一周（第一天）", "留空为最后一份报告的次日起。", "date"),
        Ask("weather", "那一周的天气", "", "choice", "",
            {"": "按常年", "mild": "平常", "cold": "寒冷", "hot": "高温", "wet": "雨雪"}),
        Ask("cover", "区间的把握", "0.9 表示十次里约九次落在区间内。", default="0.9", extra=True),
    )  # fmt: skip
    return RunForm("hotspot-forecast", "热点：下一周会怎样", "按往年、近月和邻近地点推算，给出区间。", asks, _forecast)


def backtest_form(areas: Mapping[str, str]) -> RunForm:
    """Return the form of a backtest."""
    asks = (
        *_frame(areas, "留空为全部报告。"),
        Ask("origins", "检验最近几个月", "留空为除第一年外的所有月份。"),
        Ask("share", "能巡查的面积比例", "看预测最高的这部分面积里，实际发现了多少。", default="0.1"),
        _seed(),
    )  # fmt: skip
    says = "只用当时已知的数据预测过去各月，再与实际和几种简单方法比较。"
    return RunForm("hotspot-backtest", "热点：预测准不准", says, asks, _backtest)


def _demand() -> tuple[Ask, ...]:
    return (
        Ask("people", "人口的分量", "为谁选址：三项按分量合计，0 为不计。", default="1"),
        Ask("reports", "发现报告的分量", "", default="0"),
        Ask("streets", "街面长度的分量", "", default="0", extra=True),
    )


def _within(areas: Mapping[str, str], hint: str) -> Ask:
    return Ask("within", "范围", hint, "choice", next(iter(areas), ""), areas)


def _moving() -> tuple[Ask, ...]:
    return (
        Ask("mode", "出行方式", "", "choice", "walk", {"walk": "走路", "ebike": "电动车", "drive": "驾车"}, extra=True),
        Ask("walk_kmh", "步行速度（公里/小时）", "", default=f"{WALK_KMH:g}", extra=True),
        Ask("spread", "辖区总人口怎样摊到街道上", "", "choice", "streets",
            {"streets": "沿街道均摊", "communities": "先分到社区"}, extra=True),
        Ask("snap_m", "离街道多远的点还算数（米）", "", default="200", extra=True),
    )  # fmt: skip


def _search(label: str = "最多搜索几秒") -> tuple[Ask, ...]:
    return (
        Ask("seconds", label, "到时给出当时最好的方案，并说明离最好至多差多少。", default="60", extra=True),
        _seed(),
    )


def _seed() -> Ask:
    return Ask("seed", "随机数种子", "同一个数得到同一个结果。", default="0", extra=True)


def _frame(areas: Mapping[str, str], days: str) -> tuple[Ask, ...]:
    return (
        Ask("first", "报告从哪天起", days, "date"),
        Ask("last", "报告到哪天止", "留空到最后一份。", "date"),
        _within(areas, "只看这里。"),
        Ask("channels", "报告来自", "", "ticks", CHANNELS, {"patrol": "巡查", "hotline": "热线", "public": "公众"},
            extra=True),
        Ask("cells", "格子形状", "", "choice", "hexagon", {"hexagon": "六边形", "square": "方格"}, extra=True),
        Ask("cell_m", "格子宽（米）", "20 到 20000。", default="300", extra=True),
    )  # fmt: skip


# from answers to questions


def _siting(problem: str, a: Answers) -> SitingQuestion:
    at, kmh, snap = a.text("at"), a.number("walk_kmh", WALK_KMH), a.number("snap_m", 200.0)
    seconds = (a.number("minutes", 15.0) or 0.0) * 60
    coverage = CoverageQuestion(
        thresholds_s=(round(seconds),), at=parse_hour_of_week(at) if at else None, mode=a.text("mode"),
        walk_kmh=kmh or 0.0, spread=a.text("spread"), snap_limit_m=snap or 0.0,
    )  # fmt: skip
    weights = [(kind, a.number(kind, 0.0) or 0.0) for kind in ("people", "reports", "streets")]
    usual = SitingQuestion("frontier", coverage)  # asks for neither points nor money: what is left out is as there
    asked: dict[str, Any] = {
        "count": a.whole("count"), "budget": a.number("budget"), "counts": _numbers(a.text("counts")),
        "share": a.number("share", usual.share), "functions": a.several("functions"),
        "demand": tuple((kind, weight) for kind, weight in weights if weight != 0),
        "candidates": a.text("candidates"), "within": a.within(), "existing": a.text("existing"),
        "level": a.text("level") or usual.level, "district_least": a.whole("district_least"),
        "district_most": a.whole("district_most"), "against": a.text("against") or usual.against,
        "scenarios": a.several("scenarios") if problem == "robust" else usual.scenarios,
        "capacity": a.number("capacity", usual.capacity), "second_share": a.number("second_share", usual.second_share),
        "seconds": a.number("seconds", usual.seconds), "seed": a.whole("seed", 0),
    }  # fmt: skip
    if problem == "frontier" and asked["against"] == "cost":
        asked["count"] = None
    return replace(usual, problem=problem, **asked)


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace("，", ",").split(",") if part.strip())
    except ValueError:
        raise QuestionError(f"各期点数应如 3,3,4：{text}", f"expected numbers such as 3,3,4, got {text!r}") from None


def _patrol(a: Answers) -> PatrolQuestion:
    date = a.date("date")
    if date is None:
        raise QuestionError("请填写从哪天晚上开始", "say on which evening it begins")
    return PatrolQuestion(
        date, a.whole("days", 7) or 0, parse_hours(a.text("hours")), a.within(), a.number("loss"),
        a.number("seconds", 60.0) or 0.0, a.whole("seed", 0) or 0,
    )  # fmt: skip


def _framed(a: Answers) -> Frame:
    return Frame(
        a.date("first"), a.date("last"), a.several("channels"), a.within(), a.text("cells"),
        a.number("cell_m", 300.0) or 0.0,
    )  # fmt: skip


def _map(a: Answers) -> MapQuestion:
    return MapQuestion(
        _framed(a), a.text("split"), a.number("bandwidth_m"), a.number("detectability"),
        a.whole("permutations", 999) or 0, a.whole("seed", 0) or 0,
    )  # fmt: skip


def _forecast(a: Answers) -> ForecastQuestion:
    return ForecastQuestion(_framed(a), a.date("week"), a.text("weather"), a.number("cover", 0.9) or 0.0)


def _backtest(a: Answers) -> BacktestQuestion:
    return BacktestQuestion(_framed(a), a.whole("origins"), a.number("share", 0.1) or 0.0, a.whole("seed", 0) or 0)
