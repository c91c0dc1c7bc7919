"""The question of coverage: whom do which points reach, how, and when."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gis.errors import QuestionError
from gis.modes import MODES, WALK_KMH
from layers.hours import HourOfWeek
from layers.records import FUNCTIONS, POINT_LAYERS
from layers.scenario_content import Entry
from planner.demand import SPREADS

PLACES = ("all", *POINT_LAYERS)
#: Planned points (to be built, or converted from something else) help nobody yet.
PLANNED_STATES = frozenset({"build", "convert"})
LONGEST_THRESHOLD_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class CoverageQuestion:
    """What is asked of a city; checks itself and puts thresholds in order.

    thresholds_s : whole seconds, from 1 s to a day; kept sorted and unique.
    function : only points that offer it (one of ``layers.records.FUNCTIONS``); None for any.
    at : only points open at this hour of the week; None leaves opening hours aside.
    mode, walk_kmh : how people move ("walk", "ebike"), or how the point's car comes ("drive").
    places : which points count: "all", "service-points" or "rescue-stations".
    planned : whether points still to be built or converted count as well (a scenario).
    spread : how totals of areas are spread, see ``planner.demand.spread_totals``.
    snap_limit_m : a point further from every usable street is not on the network.
    plan : id of a siting run whose points count as if they stood, and whose closed ones as if they did not.
    on : the day whose areas are in force and whose roster is checked; None takes all areas and leaves the roster aside.
    scenario, changes : id of a scenario and what it comes to (``layers.scenario_content``), laid over the points.

    Raises QuestionError on anything else.
    """

    thresholds_s: tuple[int, ...] = (300, 600, 900)
    function: str | None = None
    at: HourOfWeek | None = None
    mode: str = "walk"
    walk_kmh: float = WALK_KMH
    places: str = "all"
    planned: bool = False
    spread: str = "streets"
    snap_limit_m: float = 200.0
    on: dt.date | None = None
    plan: str | None = None
    scenario: int | None = None
    changes: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        if not self.thresholds_s:
            raise QuestionError("至少需要一个时间阈值", "at least one time threshold is needed")
        for t in self.thresholds_s:
            if not (math.isfinite(t) and t == int(t) and 1 <= t <= LONGEST_THRESHOLD_S):
                raise QuestionError(
                    f"时间阈值无效：{t / 60:g} 分钟（应为 1 秒到 24 小时，整秒）",
                    f"bad time threshold {t / 60:g} min: expected from 1 s to 24 h, in whole seconds",
                )
        object.__setattr__(self, "thresholds_s", tuple(sorted({int(t) for t in self.thresholds_s})))
        if self.function is not None:
            _one_of("服务功能", "function", self.function, FUNCTIONS)
        _one_of("出行方式", "mode", self.mode, MODES)
        _one_of("点位范围", "places", self.places, PLACES)
        _one_of("人口分摊方式", "spread", self.spread, SPREADS)
        _positive("步行速度（公里/小时）", "walking speed in km/h", self.walk_kmh, 30.0)
        _positive("捕捉距离（米）", "snapping limit in metres", self.snap_limit_m, 100_000.0)
        if self.changes and self.scenario is None:
            raise QuestionError("未指明是哪个情景的改动", "these changes name no scenario")

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {
            "thresholds_s": list(self.thresholds_s),
            "function": self.function,
            "at": None if self.at is None else str(self.at),
            "mode": self.mode,
            "walk_kmh": float(self.walk_kmh),
            "places": self.places,
            "planned": self.planned,
            "spread": self.spread,
            "snap_limit_m": float(self.snap_limit_m),
            "on": None if self.on is None else self.on.isoformat(),
            "plan": self.plan,
            **({} if self.scenario is None else {"scenario": self.scenario, "changes": [*self.changes]}),
        }


def _one_of(zh: str, en: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise QuestionError(
            f"{zh}无效：{value}（可用：{'、'.join(words)}）",
            f"unknown {en} {value!r}: expected one of {', '.join(words)}",
        )


def _positive(zh: str, en: str, value: float, most: float) -> None:
    if not (math.isfinite(value) and 0 < value <= most):
        raise QuestionError(
            f"{zh}无效：{value}（应大于 0，至多 {most:g}）", f"bad {en}: {value} (expected above 0, at most {most:g})"
        )
