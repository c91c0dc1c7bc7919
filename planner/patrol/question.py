"""The question of patrol: which night or week, who is available when nothing is recorded, how much may be lost."""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gis.errors import QuestionError

DAY_S = 86_400
LONGEST_S = 24 * 3600.0
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–—~～至]\s*(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class PatrolQuestion:
    """What is asked of a city; checks itself.

    date : the evening the (first) night begins. days : 1, or 7 for a week of nights.
    hours : (from, until) of the patrol, in seconds since midnight, until past from: who is on duty then, and the shift
    of those whose roster records none.
    within : codes of areas the patrol keeps to; the whole city if none.
    loss : share by which a plan drawn at random may cost more crew time than the best found; None for the best.
    seconds : time limit of the search for each night. seed : of its random choices.

    Raises QuestionError on anything else.
    """

    date: dt.date
    days: int = 1
    hours: tuple[int, int] = (20 * 3600, 24 * 3600)
    within: tuple[str, ...] = ()
    loss: float | None = None
    seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.days not in (1, 7):
            raise QuestionError("巡查计划为一夜或一周", "a patrol is planned for one night or for seven")
        if not (0 <= self.hours[0] < DAY_S and 0 < self.hours[1] - self.hours[0] <= DAY_S):
            raise QuestionError("班次时段无效（如 20:00-24:00）", "bad hours: expected such as 20:00-24:00")
        if not (math.isfinite(self.seconds) and 0.0 <= self.seconds <= LONGEST_S):
            raise QuestionError(f"时间上限无效：{self.seconds:g} 秒", f"bad time limit {self.seconds:g} s")
        if self.loss is not None and not 0.0 <= self.loss <= 1.0:
            raise QuestionError(
                "允许的损失应在 0 到 1 之间", f"the loss allowed must be from 0 to 1, got {self.loss:g}"
            )

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        return {
            "date": self.date.isoformat(),
            "days": self.days,
            "hours": hours_text(self.hours),
            "within": list(self.within),
            "loss": self.loss,
            "seconds": self.seconds,
            "seed": self.seed,
        }


def parse_hours(text: str) -> tuple[int, int]:
    """Return "20:00-24:00" as seconds since midnight; an end not after the start is the next day's.

    Raises QuestionError on anything else.
    """
    match = _HOURS.fullmatch(text.strip().replace("：", ":"))
    if match:
        from_h, from_m, until_h, until_m = map(int, match.groups())
        start, end = from_h * 3600 + from_m * 60, until_h * 3600 + until_m * 60
        if from_h < 24 and from_m < 60 and until_h <= 24 and until_m < 60 and end <= DAY_S:
            return start, end if end > start else end + DAY_S
    raise QuestionError(f"时段无效：{text}（如 20:00-24:00）", f"bad hours {text!r}: expected such as 20:00-24:00")


def hours_text(hours: tuple[int, int]) -> str:
    """Return seconds since midnight as "20:00-24:00"."""
    start, end = hours
    end = end - DAY_S if end > DAY_S else end
    return f"{start // 3600:02d}:{start % 3600 // 60:02d}-{end // 3600:02d}:{end % 3600 // 60:02d}"
