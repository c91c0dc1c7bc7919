"""The questions about hotspots: where now, is it real, what is coming, what comes next, how good is that."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from gis.errors import QuestionError
from planner.hotspots.frame import Frame

SPLITS = ("discontinuous", "continuous", "simple", "heat")
STEPS = ("month", "quarter")
MODELS = ("space-time-permutation", "poisson", "bernoulli")
ANALYSES = ("retrospective", "prospective", "spatial")
WEATHER = ("mild", "cold", "hot", "wet")
WINDOWS = ("circle", "ellipse", "network")
LEAST_PERMUTATIONS, MOST_PERMUTATIONS = 99, 99_999


def _choose(zh: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise QuestionError(f"{zh}无效：{given}（可用：{', '.join(known)}）", f"unknown {given!r}: expected {known}")


def _positive(zh: str, en: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise QuestionError(f"{zh}须大于 0：{value:g}", f"{en} must be above 0, got {value:g}")


def _repeats(count: int) -> None:
    if not LEAST_PERMUTATIONS <= count <= MOST_PERMUTATIONS:
        limits = LEAST_PERMUTATIONS, MOST_PERMUTATIONS
        raise QuestionError("模拟次数应在 {} 到 {} 之间".format(*limits),
                            "between {} and {} random repeats are made".format(*limits))  # fmt: skip


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """Where people are found now, corrected for where anyone looked; checks itself.

    frame : two years up to the last report where it names no days. split : how density spreads at junctions.
    bandwidth_m : of the density; None to choose it by cross-validation. detectability : p passes a week find someone
    who is there with chance 1 - exp(-detectability p); None to estimate it. permutations : of the local statistics.
    seed : of their random numbers. Raises QuestionError on anything else.
    """

    kind: ClassVar[str] = "hotspot-map"

    frame: Frame = field(default_factory=Frame)
    split: str = "discontinuous"
    bandwidth_m: float | None = None
    detectability: float | None = None
    permutations: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        _choose("路口分配方式", self.split, SPLITS)
        _positive("带宽", "the bandwidth", self.bandwidth_m)
        if self.detectability is not None and not 0.0 < self.detectability < math.inf:
            raise QuestionError("发现概率须大于 0", f"the detectability must be above 0, got {self.detectability:g}")
        _repeats(self.permutations)

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {
            **self.frame.parameters, "split": self.split, "bandwidth_m": self.bandwidth_m,
            "detectability": self.detectability, "permutations": self.permutations, "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClusterQuestion:
    """Whether a cluster of reports is more than chance; checks itself.

    frame : a year up to the last report where it names no days; reports are counted in its cells.
    model : "space-time-permutation" asks for more reports than place and time explain, "poisson" for more than the
    patrol effort explains, "bernoulli" where others report more than patrols find. analysis : "prospective"
    looks at clusters that still go on. window : circles and ellipses as the crow flies, or balls along the streets.
    most_m, most_days : of a cluster; None for the usual (half the reports, half the time). replications, seed : of the
    Monte Carlo test. Raises QuestionError on anything else.
    """

    kind: ClassVar[str] = "hotspot-scan"

    frame: Frame = field(default_factory=Frame)
    model: str = "space-time-permutation"
    analysis: str = "prospective"
    window: str = "circle"
    most_m: float | None = 2_000.0
    most_days: int | None = 60
    replications: int = 999
    seed: int = 0

    def __post_init__(self) -> None:
        _choose("模型", self.model, MODELS)
        _choose("扫描方式", self.analysis, ANALYSES)
        _choose("窗口形状", self.window, WINDOWS)
        _positive("最大半径", "the greatest radius", self.most_m)
        _positive("最长天数", "the longest time", self.most_days)
        _repeats(self.replications)
        if self.model == "space-time-permutation" and self.analysis == "spatial":
            raise QuestionError("时空置换模型须有时间维度", "the space-time permutation model needs time")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {
            **self.frame.parameters, "model": self.model, "analysis": self.analysis, "window": self.window,
            "most_m": self.most_m, "most_days": self.most_days, "replications": self.replications, "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class EmergingQuestion:
    """How hotspots come and go; checks itself.

    frame : two years up to the last report where it names no days. step : "month" or "quarter"; the last one is whole.
    level : false discoveries allowed among hot steps. Raises QuestionError on anything else.
    """

    kind: ClassVar[str] = "hotspot-emerging"

    frame: Frame = field(default_factory=Frame)
    step: str = "month"
    level: float = 0.05

    def __post_init__(self) -> None:
        _choose("时间步长", self.step, STEPS)
        if not 0.0 < self.level < 1.0:
            raise QuestionError("显著性水平应在 0 与 1 之间", f"the level must lie between 0 and 1, got {self.level:g}")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {**self.frame.parameters, "step": self.step, "level": self.level}


@dataclass(frozen=True, slots=True)
class ForecastQuestion:
    """How many people are expected to be found where and when in a coming week; checks itself.

    frame : all reports before the week where it names no days. week : its first day; None for the day after the last
    report. weather : class of the week's weather where it is foreseen, "" for the usual. cover : probability of the
    intervals. Raises QuestionError on anything else.
    """

    kind: ClassVar[str] = "hotspot-forecast"

    frame: Frame = field(default_factory=Frame)
    week: dt.date | None = None
    weather: str = ""
    cover: float = 0.9

    def __post_init__(self) -> None:
        if self.weather:
            _choose("天气类别", self.weather, WEATHER)
        if not 0.0 < self.cover < 1.0:
            raise QuestionError("区间概率应在 0 与 1 之间", f"the cover must lie between 0 and 1, got {self.cover:g}")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        week = None if self.week is None else self.week.isoformat()
        return {**self.frame.parameters, "week": week, "weather": self.weather, "cover": self.cover}


@dataclass(frozen=True, slots=True)
class BacktestQuestion:
    """How good the forecasts would have been, month by month, beside simple ones; checks itself.

    frame : all reports where it names no days. origins : how many of the last months are forecast, each from the
    months before it; None for all but the first year. share : of the area that patrols could look at.
    seed : of the bootstrap. Raises QuestionError on anything else.
    """

    kind: ClassVar[str] = "hotspot-backtest"

    frame: Frame = field(default_factory=Frame)
    origins: int | None = None
    share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        _positive("检验月数", "the number of months", self.origins)
        if not 0.0 < self.share < 1.0:
            raise QuestionError("面积比例应在 0 与 1 之间", f"the share must lie between 0 and 1, got {self.share:g}")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {**self.frame.parameters, "origins": self.origins, "share": self.share, "seed": self.seed}


HotspotQuestion = MapQuestion | ClusterQuestion | EmergingQuestion | ForecastQuestion | BacktestQuestion
