"""What a scan is asked of: cases at places in time, which windows, under which model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

MODELS = ("poisson", "bernoulli", "permutation")
ANALYSES = ("spatial", "temporal", "retrospective", "prospective")
RATES = {"high": 1, "low": 2, "both": 3}


@dataclass(frozen=True, slots=True, eq=False)
class ScanCase:
    """Cases at n places in T units of time.

    x, y : (n,) metres, or degrees of longitude and latitude if ``geographic``. place, unit, count : (m,) rows of cases.
    expected : (n, T) cases expected at each place and unit (Poisson), on any scale. controls : (n, T) counts
    (Bernoulli). unit_days : length of a unit.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    place: NDArray[np.int64]
    unit: NDArray[np.int64]
    count: NDArray[np.int64]
    n_units: int = 1
    expected: NDArray[np.float64] | None = None
    controls: NDArray[np.int64] | None = None
    geographic: bool = False
    unit_days: float = 1.0

    def __post_init__(self) -> None:
        n, shape = len(self.x), (len(self.x), self.n_units)
        if len(self.y) != n or not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise QuestionError("地点坐标不完整", "the places' coordinates are not complete")
        rows = self.place, self.unit, self.count
        if len({len(column) for column in rows}) != 1 or not all(np.issubdtype(c.dtype, np.integer) for c in rows):
            raise QuestionError("病例各列须为等长整数", "the columns of cases must be whole numbers of one length")
        if len(self.place) and not (
            self.place.min() >= 0 and self.place.max() < n and self.unit.min() >= 0 and self.unit.max() < self.n_units
            and self.count.min() >= 0
        ):  # fmt: skip
            raise QuestionError("病例的地点、时间或数目越界", "a case has no such place or time, or a negative count")
        for values in (self.expected, self.controls):
            if values is not None and (
                values.shape != shape or not (values >= 0).all() or not np.isfinite(values).all()
            ):
                raise QuestionError(
                    f"期望数或对照须为 {shape} 的非负数", f"expected or controls must be {shape}, not negative"
                )

    def table(self) -> NDArray[np.int64]:
        """Return (n, T) the cases."""
        cases = np.zeros((len(self.x), self.n_units), np.int64)
        np.add.at(cases, (self.place, self.unit), self.count)
        return cases


@dataclass(frozen=True, slots=True)
class ScanQuestion:
    """Which windows are scanned and how they are judged; checks itself.

    model : of MODELS. analysis : of ANALYSES; prospective windows end with the last unit. rates : of RATES.
    shape : "circle", "ellipse" (with ``penalty``), or "given" (windows handed to ``scan``). max_share : of the cases
    expected (Poisson), the people (Bernoulli) or the cases (permutation) that a zone may hold. max_radius : metres, or
    kilometres of great circle. max_time_share, or max_time_units : longest window. with_spatial, with_temporal : also
    windows of the whole period, and of all places. min_cases : in a window of high rate. stop_after : end replication
    once so many are as large as the first cluster. days_between : analyses, for the recurrence interval; None: a unit.
    Raises QuestionError on anything else.
    """

    model: str
    analysis: str
    rates: str = "high"
    shape: str = "circle"
    penalty: str = "medium"
    max_share: float = 0.5
    max_radius: float = np.inf
    max_time_share: float = 0.5
    max_time_units: int | None = None
    min_time_units: int = 1
    with_spatial: bool = False
    with_temporal: bool = False
    min_cases: int = 2
    replications: int = 999
    seed: int = 1
    stop_after: int | None = None
    days_between: float | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("model", self.model, MODELS), ("analysis", self.analysis, ANALYSES), ("rates", self.rates, tuple(RATES)),
            ("shape", self.shape, ("circle", "ellipse", "given")),
            ("penalty", self.penalty, ("none", "medium", "strong")),
        ):  # fmt: skip
            if value not in known:
                raise QuestionError(
                    f"{name} 须为 {known} 之一，收到 {value}", f"{name} must be one of {known}, not {value}"
                )
        if self.model == "permutation" and self.analysis in ("spatial", "temporal"):
            raise QuestionError("置换模型须扫描时空", "the permutation model needs both space and time")
        if self.model == "permutation" and (self.with_spatial or self.with_temporal):
            raise QuestionError(
                "置换模型没有纯空间或纯时间窗口", "permutation has no purely spatial or temporal windows"
            )
        if (self.with_spatial or self.with_temporal) and self.analysis in ("spatial", "temporal"):
            raise QuestionError("仅时空扫描可另含此类窗口", "only a space-time scan can also have such windows")
        for name, ok in (
            ("max_share", 0 < self.max_share <= 1), ("max_radius", self.max_radius > 0),
            ("max_time_share", 0 < self.max_time_share <= 1), ("min_time_units", self.min_time_units >= 1),
            ("max_time_units", self.max_time_units is None or self.max_time_units >= self.min_time_units),
            ("min_cases", self.min_cases >= 1), ("replications", 0 <= self.replications <= 10_000_000),
            ("stop_after", self.stop_after is None or self.stop_after >= 1), ("seed", 0 <= self.seed < 2**63),
            ("days_between", self.days_between is None or self.days_between > 0),
        ):  # fmt: skip
            if not ok:
                raise QuestionError(
                    f"{name} 超出范围：{getattr(self, name)}", f"{name} is out of range: {getattr(self, name)}"
                )
