"""The options of a question of coverage or siting, which the verbs that ask it of one city and of many share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from click import Choice, argument, option

from gis.errors import QuestionError
from terminal import Minutes, Numbers, Shares, day

if TYPE_CHECKING:
    from planner.coverage_question import CoverageQuestion
    from planner.siting.question import SitingQuestion

# Libraries for geometry take a second to load, so the verbs import what they need; these words are held here, and a
# test keeps them equal to the modules that own them.
LEVELS = ("city", "district", "subdistrict", "community")
FUNCTIONS = ("reception", "reporting", "guidance", "temporary_service")
DATUMS = ("wgs84", "gcj02", "bd09")
MODES = ("walk", "ebike", "drive")
PLACES = ("all", "service-points", "rescue-stations")
SPREADS = ("streets", "communities")
PROBLEMS = (
    "mclp", "lscp", "pmedian", "pcenter", "backup", "capacitated", "cpmedian", "mix", "periods", "robust", "equity",
    "frontier",
)  # fmt: skip
SCENARIOS = ("day", "night", "winter", "loss")
FRONTIERS = ("cost", "equity")
WALK_KMH = 4.5

_COVERAGE = (
    option("--minutes", type=Minutes(), default="5,10,15", show_default=True, help="Thresholds in minutes."),
    option(
        "--function",
        type=Choice(FUNCTIONS),
        help="Only points that offer this (接待咨询, 发现报告, 救助引导, 临时服务).",
    ),
    option(
        "--at", metavar="HOUR", help='Only points open at this hour of the week, such as "Sun 02:00" or 周日02:00.'
    ),
    option(
        "--mode",
        type=Choice(MODES),
        default="walk",
        show_default=True,
        help="How people move; driving is measured from the point to the place.",
    ),
    option("--walk-kmh", type=float, default=WALK_KMH, show_default=True, help="Walking speed in km/h."),
    option("--places", type=Choice(PLACES), default="all", show_default=True, help="Which places count."),
    option("--planned", is_flag=True, help="Count points still to be built or converted, too."),
    option("--spread", type=Choice(SPREADS), default="streets", show_default=True,
           help="How population totals of areas are spread: along streets, or over communities first."),
    option(
        "--snap-m", type=float, default=200.0, show_default=True, help="Metres a point may lie from a street at most."
    ),
    option(
        "--on",
        metavar="DATE",
        help="Only areas in force on this day (2026-01-31); lists those without a named person then.",
    ),
)  # fmt: skip
_SITING = (
    argument("problem", type=Choice(PROBLEMS)),
    option("--count", type=int, help="How many new points."),
    option("--budget", type=float, help="How much may be spent, in the unit of the candidates' costs (mclp, mix)."),
    option("--counts", type=Numbers(), default="", help="New points of each period: 3,3,4 (periods)."),
    option("--minutes", type=float, help="Within how many minutes a point serves; 60 for pmedian and pcenter, where "
           "longer ways count as that long, else 15."),
    option("--function", "functions", type=Choice(FUNCTIONS), multiple=True,
           help="What a point must offer; may be repeated, then each counts by itself."),
    option("--at", metavar="HOUR", help='Only what is open at this hour of the week: "Sun 02:00" or 周日02:00.'),
    option("--demand", type=Shares(), default="people", show_default=True,
           help="Whom to serve: people, reports (a week), streets, or a mix: people=0.6,reports=0.4."),
    option("--close-allowed", is_flag=True, help="Existing points may be moved: as many in all, and --count more."),
    option("--from-scratch", is_flag=True, help="Existing points are candidates like any other."),
    option("--share", type=float, default=1.0, show_default=True, help="Of all demand to be reached (lscp)."),
    option("--level", type=Choice(LEVELS[1:]), default="subdistrict", show_default=True,
           help="Areas compared (equity, frontier), and the tier maps colour by."),
    option("--district-least", type=int, help="Points changed in every district at least (mix)."),
    option("--district-most", type=int, help="Points changed in any district at most (mix)."),
    option("--scenario", "scenarios", type=Choice(SCENARIOS), multiple=True,
           default=("day", "night", "winter"), show_default=True,
           help="What to be prepared for; loss, of any one point, stands alone (robust)."),
    option("--against", type=Choice(FRONTIERS), default="cost", show_default=True,
           help="What coverage is traded for (frontier)."),
    option("--capacity", type=float, default=1000.0, show_default=True,
           help="Of points that record none, in units of demand (capacitated, cpmedian)."),
    option("--second-share", type=float, default=0.3, show_default=True,
           help="Weight of being reached by a second point (backup)."),
    option("--mode", type=Choice(MODES), default="walk", show_default=True, help="How people move."),
    option("--walk-kmh", type=float, default=WALK_KMH, show_default=True, help="Walking speed in km/h."),
    option("--spread", type=Choice(SPREADS), default="streets", show_default=True,
           help="How population totals of areas are spread."),
    option("--snap-m", type=float, default=200.0, show_default=True, help="Metres from a street at most."),
    option("--seconds", type=float, default=60.0, show_default=True, help="Time limit of the search."),
    option("--seed", type=int, default=0, show_default=True, help="Of the search's random choices."),
)  # fmt: skip


def coverage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make a question of coverage (see ``coverage_question``)."""
    return _with(_COVERAGE, command)


def siting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the problem and the options that make a question of siting (see ``siting_question``)."""
    return _with(_SITING, command)


def coverage_question(
    *, minutes: tuple[int, ...], at: str | None, snap_m: float, on: str | None, **asked: Any
) -> "CoverageQuestion":
    """Return the question of coverage that the options ask."""
    from layers.hours import parse_hour_of_week
    from planner.coverage_question import CoverageQuestion

    hour = None if at is None else parse_hour_of_week(at)
    return CoverageQuestion(thresholds_s=minutes, at=hour, snap_limit_m=snap_m, on=day(on), **asked)


def siting_question(
    *, problem: str, minutes: float | None, at: str | None, mode: str, walk_kmh: float, spread: str, snap_m: float,
    close_allowed: bool, from_scratch: bool, **asked: Any,
) -> "SitingQuestion":  # fmt: skip
    """Return the question of siting that the options ask; where a way or a time was left out, the usual one."""
    from layers.hours import parse_hour_of_week
    from planner.coverage_question import CoverageQuestion
    from planner.siting.question import SitingQuestion

    if close_allowed and from_scratch:
        raise QuestionError("--close-allowed 与 --from-scratch 只能选一", "choose --close-allowed or --from-scratch")
    minutes = minutes if minutes is not None else 60.0 if problem in ("pmedian", "pcenter", "cpmedian") else 15.0
    moving = CoverageQuestion(
        thresholds_s=Minutes().convert(str(minutes), None, None), at=None if at is None else parse_hour_of_week(at),
        mode=mode, walk_kmh=walk_kmh, spread=spread, snap_limit_m=snap_m,
    )  # fmt: skip
    existing = "closable" if close_allowed else "optional" if from_scratch else "fixed"
    return SitingQuestion(problem, moving, existing=existing, **asked)


def _with(options: tuple[Any, ...], command: Callable[..., Any]) -> Callable[..., Any]:
    for add in reversed(options):
        command = add(command)
    return command
