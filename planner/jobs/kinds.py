"""How the parameters a job keeps become the question again: the inverse of each question's ``parameters``."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from gis.errors import LamplightError, QuestionError
from layers.hours import parse_hour_of_week
from planner.coverage_question import CoverageQuestion
from planner.hotspots.frame import Frame
from planner.hotspots.question import (
    BacktestQuestion,
    ClusterQuestion,
    EmergingQuestion,
    ForecastQuestion,
    HotspotQuestion,
    MapQuestion,
)
from planner.patrol.question import PatrolQuestion, parse_hours
from planner.siting.question import SitingQuestion

Parameters: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplanQuestion:
    """The rest of a night to be planned again; checks itself.

    run : id of the plan. now : local time. ill : crews that stop. reports : (lon, lat) of reports that came in.
    seed : of the search. Raises QuestionError on anything else.
    """

    run: str
    now: dt.datetime
    ill: tuple[str, ...] = ()
    reports: tuple[tuple[float, float], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.now.tzinfo is not None:
            raise QuestionError("改派时刻应为当地时间", "the time to plan again from is local, without a zone")

    @property
    def parameters(self) -> Parameters:
        """The question as JSON values."""
        return {
            "run": self.run, "now": self.now.isoformat(), "ill": list(self.ill),
            "reports": [list(place) for place in self.reports], "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class NightTracksQuestion:
    """What was walked on a night, by the tracks that came in. night : its id."""

    night: int

    @property
    def parameters(self) -> Parameters:
        """The question as JSON values."""
        return {"night": self.night}


Question: TypeAlias = (
    CoverageQuestion | SitingQuestion | PatrolQuestion | ReplanQuestion | NightTracksQuestion | HotspotQuestion
)


def question_of(kind: str, parameters: Parameters) -> Question:
    """Return the question of ``kind`` (of KINDS) that has ``parameters``.

    Raises QuestionError, or what the question itself raises, on parameters that are none.
    """
    if kind not in KINDS:
        raise QuestionError(f"没有这种任务：{kind}", f"there is no job of kind {kind!r}")
    try:
        question = KINDS[kind](parameters)
    except LamplightError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QuestionError(
            f"任务参数不完整或无效：{error}", f"the job's parameters are incomplete or wrong: {error}"
        ) from None
    return question


def _coverage(given: Parameters) -> CoverageQuestion:
    return CoverageQuestion(
        **_moving(given),
        thresholds_s=tuple(given["thresholds_s"]),
        function=given["function"],
        scenario=given.get("scenario"),
        changes=tuple(given.get("changes", ())),
    )


def _moving(given: Parameters) -> dict[str, Any]:
    """Return what a question of coverage and one of siting have in common."""
    names = ("mode", "walk_kmh", "places", "planned", "spread", "snap_limit_m", "plan")
    at = given["at"]
    return {
        **{name: given[name] for name in names}, "at": None if at is None else parse_hour_of_week(at),
        "on": _day(given["on"]),
    }  # fmt: skip


def _siting(given: Parameters) -> SitingQuestion:
    coverage = CoverageQuestion(
        **_moving(given), thresholds_s=(given["limit_s"],), scenario=given.get("scenario"),
        changes=tuple(given.get("changes", ())),
    )  # fmt: skip
    names = (
        "problem", "count", "budget", "share", "candidates", "existing", "level", "district_least", "district_most",
        "against", "capacity", "second_share", "seconds", "seed",
    )  # fmt: skip
    asked: dict[str, Any] = {name: given[name] for name in names}
    asked |= {name: tuple(given[name]) for name in ("counts", "functions", "within", "scenarios")}
    return SitingQuestion(coverage=coverage, demand=tuple((kind, weight) for kind, weight in given["demand"]), **asked)


def _patrol(given: Parameters) -> PatrolQuestion:
    return PatrolQuestion(
        dt.date.fromisoformat(given["date"]), hours=parse_hours(given["hours"]), within=tuple(given["within"]),
        **{name: given[name] for name in ("days", "loss", "seconds", "seed")},
    )  # fmt: skip


def _replan(given: Parameters) -> ReplanQuestion:
    reports = tuple((float(lon), float(lat)) for lon, lat in given["reports"])
    return ReplanQuestion(
        str(given["run"]), dt.datetime.fromisoformat(given["now"]), tuple(given["ill"]), reports, given["seed"]
    )


def _hotspots(
    question: Callable[..., HotspotQuestion], *names: str, week: bool = False
) -> Callable[[Parameters], HotspotQuestion]:
    """Return the inverse for a question of a frame and of the fields ``names``; week : whether it asks for one."""

    def inverse(given: Parameters) -> HotspotQuestion:
        frame = Frame(
            _day(given["first"]), _day(given["last"]), tuple(given["channels"]), tuple(given["within"]),
            given["cells"], given["cell_m"],
        )  # fmt: skip
        begins = {"week": _day(given["week"])} if week else {}
        return question(frame=frame, **begins, **{name: given[name] for name in names})

    return inverse


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


#: kind of job -> what makes its question of its parameters.
KINDS: Mapping[str, Callable[[Parameters], Question]] = MappingProxyType({
    "coverage": _coverage,
    "siting": _siting,
    "patrol": _patrol,
    "replan": _replan,
    "night-tracks": lambda given: NightTracksQuestion(int(given["night"])),
    "hotspot-map": _hotspots(MapQuestion, "split", "bandwidth_m", "detectability", "permutations", "seed"),
    "hotspot-scan": _hotspots(
        ClusterQuestion, "model", "analysis", "window", "most_m", "most_days", "replications", "seed"
    ),
    "hotspot-emerging": _hotspots(EmergingQuestion, "step", "level"),
    "hotspot-forecast": _hotspots(ForecastQuestion, "weather", "cover", week=True),
    "hotspot-backtest": _hotspots(BacktestQuestion, "origins", "share", "seed"),
})  # fmt: skip
