"""The question of siting: which problem, how many points or how much money, where they may stand, whom they serve."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gis.errors import QuestionError
from layers.codes import LEVELS
from layers.records import FUNCTIONS
from planner.coverage_question import CoverageQuestion

PROBLEMS = (
    "mclp", "lscp", "pmedian", "pcenter", "backup", "capacitated", "cpmedian", "mix", "periods", "robust", "equity",
    "frontier",
)  # fmt: skip
DEMANDS = ("people", "reports", "streets")
CANDIDATES = ("junctions", "midpoints", "layer")
EXISTING = ("fixed", "closable", "optional")
SCENARIOS = ("day", "night", "winter", "loss")
FRONTIERS = ("cost", "equity")
#: Problems that ask for a number of points; mclp may ask for money instead, mix always does.
COUNTED = frozenset({"mclp", "pmedian", "pcenter", "backup", "capacitated", "cpmedian", "robust", "equity"})
LEVELS_OF_EQUITY = tuple(str(level) for level in LEVELS[1:])
LONGEST_S, MOST_POINTS = 24 * 3600.0, 100_000


@dataclass(frozen=True, slots=True)
class SitingQuestion:
    """What is asked of a city; checks itself.

    problem : one of PROBLEMS. coverage : within what time (one threshold), how people move, at which hour, how totals
    are spread. count : new points (problems of COUNTED, and frontier against equity). budget : money (mclp, mix).
    counts : new points of each period (periods). share : of all demand to be reached (lscp).
    functions : the services asked for, each counted by itself; none for any point. demand : whom to serve, (kind of
    DEMANDS, weight); several kinds count as weighted shares of the city's.
    candidates : where new points may stand: "layer" for the imported candidates. within : codes of areas they must lie
    in; everywhere if none. existing : "fixed" points stay; "closable" ones may be moved, as many points staying;
    "optional" ones count as candidates among the new.
    level : the areas compared (equity, frontier against equity). district_least, district_most : changed points per
    district (mix). scenarios : of SCENARIOS (robust). against : what the frontier trades coverage for.
    capacity : of a point that records none. second_share : weight of being reached by a second point (backup).
    seconds : time limit of the search. seed : of its random choices.

    Raises QuestionError on anything else.
    """

    problem: str
    coverage: CoverageQuestion = field(default_factory=lambda: CoverageQuestion(thresholds_s=(600,)))
    count: int | None = None
    budget: float | None = None
    counts: tuple[int, ...] = ()
    share: float = 1.0
    functions: tuple[str, ...] = ()
    demand: tuple[tuple[str, float], ...] = (("people", 1.0),)
    candidates: str = "junctions"
    within: tuple[str, ...] = ()
    existing: str = "fixed"
    level: str = "subdistrict"
    district_least: int | None = None
    district_most: int | None = None
    scenarios: tuple[str, ...] = ("day", "night", "winter")
    against: str = "cost"
    capacity: float = 1000.0
    second_share: float = 0.3
    seconds: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for zh, en, value, words in (
            ("问题", "problem", self.problem, PROBLEMS),
            ("候选点来源", "candidates", self.candidates, CANDIDATES),
            ("现有点处理", "use of existing points", self.existing, EXISTING),
            ("比较层级", "level to compare", self.level, LEVELS_OF_EQUITY),
            ("权衡对象", "frontier", self.against, FRONTIERS),
            *(("服务功能", "function", f, FUNCTIONS) for f in self.functions),
            *(("情景", "scenario", s, SCENARIOS) for s in self.scenarios),
            *(("需求种类", "demand", kind, DEMANDS) for kind, _ in self.demand),
        ):
            if value not in words:
                listed = ", ".join(words)
                raise QuestionError(
                    f"{zh}无效：{value}（可用：{listed}）", f"unknown {en} {value!r}: expected {listed}"
                )
        if len(self.coverage.thresholds_s) != 1:
            raise QuestionError("选址只用一个时间阈值", "siting takes one time threshold")
        if not self.demand or len({kind for kind, _ in self.demand}) < len(self.demand):
            raise QuestionError(
                "需求种类缺失或重复：至少选一种，每种只说一次", "name each kind of demand once, and at least one"
            )
        self._check_numbers()
        self._check_asked()

    def _check_numbers(self) -> None:
        counts = [n for n in (self.count, self.district_least, self.district_most, *self.counts) if n is not None]
        for zh, en, value, low, high in (
            *(("点数", "number of points", n, 0, MOST_POINTS) for n in counts),
            *(("需求权重", "weight of demand", weight, 1e-9, 1e9) for _, weight in self.demand),
            ("费用上限", "budget", 0.0 if self.budget is None else self.budget, 0.0, 1e12),
            ("覆盖比例", "share to reach", self.share, 1e-9, 1.0),
            ("缺省容量", "capacity", self.capacity, 1e-9, 1e9),
            ("第二点权重", "weight of the second point", self.second_share, 0.0, 1.0),
            ("时间上限（秒）", "time limit in seconds", self.seconds, 0.0, LONGEST_S),
        ):
            if not (math.isfinite(value) and low <= value <= high):
                raise QuestionError(
                    f"{zh}无效：{value:g}（应在 {low:g} 到 {high:g} 之间）",
                    f"bad {en} {value:g}: expected from {low:g} to {high:g}",
                )

    def _check_asked(self) -> None:
        """Refuse a problem without its number of points or its budget."""
        needs_count = self.problem in COUNTED or (self.problem == "frontier" and self.against == "equity")
        if self.budget is not None and (self.problem not in ("mclp", "mix") or self.count is not None):
            raise QuestionError(
                "预算（--budget）和点数（--count）只填一个；预算只用于 mclp、mix",
                "give --budget or --count, not both; --budget is for mclp and mix",
            )
        if needs_count and self.count is None and self.budget is None:
            raise QuestionError("请填新设几个点（--count）", f"{self.problem} needs --count: how many new points")
        if self.problem == "mix" and self.budget is None:
            raise QuestionError("请填预算，即费用上限（--budget）", "mix needs --budget: how much may be spent")
        if self.problem == "periods" and not self.counts:
            raise QuestionError(
                "须用 --counts 指明各期新设几个点，如 3,3,4", "periods needs --counts, new points per period: 3,3,4"
            )
        if self.problem == "robust" and not self.scenarios:
            raise QuestionError("至少需要一个情景", "at least one scenario is needed")

    @property
    def limit_s(self) -> float:
        """The time within which a point serves, in seconds."""
        return float(self.coverage.thresholds_s[0])

    @property
    def parameters(self) -> Mapping[str, object]:
        """The question as JSON values."""
        asked = {
            name: getattr(self, name)
            for name in (
                "problem", "count", "budget", "share", "candidates", "existing", "level", "district_least",
                "district_most", "against", "capacity", "second_share", "seconds", "seed",
            )
        }  # fmt: skip
        listed = {name: list(getattr(self, name)) for name in ("counts", "functions", "within", "scenarios")}
        moving = {k: v for k, v in self.coverage.parameters.items() if k not in ("thresholds_s", "function")}
        return {
            **moving,
            **asked,
            **listed,
            "limit_s": int(self.limit_s),
            "demand": [list(part) for part in self.demand],
        }
