"""The question of tracks: how people moved, in which datum their phones write, when they were on duty."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gis.datum import DATUMS
from gis.errors import QuestionError
from gis.modes import MODES
from layers.tracks import KEEP_DAYS
from planner.patrol.question import hours_text

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class MatchQuestion:
    """What is asked of tracks; checks itself.

    mode : how people moved, where no plan says so of a crew. datum : of the coordinates, "auto" to tell it from the
    tracks. hours : (from, until) on duty, seconds since midnight, until past from; None where shifts of the plan alone
    count. plan : id of the patrol run to compare with. keep_days : what is older is forgotten unread.
    noise_m : a point's error each way; None to tell it from the tracks.

    Raises QuestionError on anything else, and where neither hours nor a plan say who was on duty when.
    """

    mode: str = "walk"
    datum: str = AUTO
    hours: tuple[int, int] | None = None
    plan: str | None = None
    keep_days: int = KEEP_DAYS
    noise_m: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise QuestionError(
                f"未知出行方式：{self.mode}", f"unknown mode {self.mode!r}: expected {', '.join(MODES)}"
            )
        if self.datum not in (AUTO, *DATUMS):
            known = ", ".join((AUTO, *DATUMS))
            raise QuestionError(f"未知坐标系“{self.datum}”", f"unknown datum {self.datum!r}, expected one of {known}")
        if self.hours is None and self.plan is None:
            raise QuestionError(
                "须给出值班时段或巡查计划：只保留值班时间内的轨迹点",
                "say the duty hours or the plan: only points on duty are kept",
            )
        if self.keep_days < 1:
            raise QuestionError(
                f"保留天数无效：{self.keep_days}", f"tracks are kept for a day at least, got {self.keep_days}"
            )
        if self.noise_m is not None and not (math.isfinite(self.noise_m) and self.noise_m > 0):
            raise QuestionError(
                f"定位误差无效：{self.noise_m}", f"the error of points must be positive, got {self.noise_m}"
            )

    @property
    def duty(self) -> str:
        """What duty is looked at, in a word: the hours, and the plan whose shifts count."""
        hours = "" if self.hours is None else hours_text(self.hours)
        return " ".join(filter(None, (hours, self.plan)))

    def parameters(self, forget_before: dt.date) -> Mapping[str, object]:
        """The question as JSON values; what lies before the date is forgotten."""
        return {
            "mode": self.mode,
            "datum": self.datum,
            "hours": None if self.hours is None else hours_text(self.hours),
            "plan": self.plan,
            "keep_days": self.keep_days,
            "forget_before": forget_before.isoformat(),
            "noise_m": self.noise_m,
        }
