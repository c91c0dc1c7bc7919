"""Linear and mixed-integer models as sparse arrays, solved by HiGHS; a bound never outlives its proof."""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, sparray

from gis.errors import QuestionError
from planner.watch import Watch

Floats = NDArray[np.float64]
_INTERRUPTS = ("kCallbackMipInterrupt", "kCallbackSimplexInterrupt", "kCallbackIpmInterrupt")


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Best ``cost @ x`` with ``lower <= x <= upper`` and ``row_lower <= matrix @ x <= row_upper``.

    cost, lower, upper, integer : (n,). matrix : (r, n) sparse. row_lower, row_upper : (r,), infinite where open.
    """

    cost: Floats
    lower: Floats
    upper: Floats
    matrix: sparray
    row_lower: Floats
    row_upper: Floats
    integer: NDArray[np.bool_]
    maximise: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What HiGHS found: x (n,) the best point, None without one; value its objective, NaN without.

    bound : proven for the whole model, ``inf`` or ``-inf`` where nothing is. infeasible : proven to have no point.
    reduced_cost : (n,) of an LP solved to the end, None otherwise.
    """

    x: Floats | None
    value: float
    bound: float
    infeasible: bool
    reduced_cost: Floats | None = None


def solve(
    model: Model,
    watch: Watch,
    *,
    start: Floats | None = None,
    gap: float = 0.0,
    options: dict[str, Any] | None = None,
    doing: str = "",
) -> Solved:
    """Solve ``model`` on one thread until proven, or until ``watch`` is over; progress goes to ``watch``.

    start : (n,) a point to begin from. gap : relative gap at which to stop (0 for a full proof).
    options : further HiGHS options. The same model gives the same answer where time does not cut it short.
    Raises QuestionError if HiGHS refuses the model.
    """
    highs = highs_of(model, watch, options=options, gap=gap, doing=doing)
    if start is not None:
        point = highspy.HighsSolution()
        point.col_value = list(start)
        highs.setSolution(point)
    if watch.over:
        return Solved(None, np.nan, np.inf if model.maximise else -np.inf, infeasible=False)
    highs.run()
    if highs.getModelStatus() == highspy.HighsModelStatus.kSolveError:
        # its presolve can end with a point that breaks rows; without it the same model is solved
        highs.clearSolver()
        highs.setOptionValue("presolve", "off")
        highs.run()
    return _read(highs, model)


class Relaxation:
    """A linear model solved again and again for other limits of one row, each time from where the last one ended."""

    def __init__(self, model: Model, watch: Watch) -> None:
        self._model, self._watch, self._highs = model, watch, highs_of(model, watch)

    def solve(self, row: int, upper: float) -> Solved:
        """Solve with ``upper`` as the upper limit of ``row``."""
        self._highs.changeRowBounds(row, float(self._model.row_lower[row]), upper)
        if self._watch.over:
            return Solved(None, np.nan, np.inf if self._model.maximise else -np.inf, infeasible=False)
        self._highs.run()
        return _read(self._highs, self._model)


def highs_of(
    model: Model, watch: Watch, *, options: dict[str, Any] | None = None, gap: float = 0.0, doing: str = ""
) -> highspy.Highs:
    """Return HiGHS holding ``model``, on one thread and stopped by ``watch``, for methods that add rows as they go."""
    highs = highspy.Highs()  # type: ignore[no-untyped-call]  # the library has no hints here
    quiet = {"output_flag": False, "threads": 1, "mip_rel_gap": gap, "mip_abs_gap": 0.0, "random_seed": 0}
    for name, setting in {**quiet, **(options or {})}.items():
        highs.setOptionValue(name, setting)
    if np.isfinite(watch.left_s):  # a backstop, in wall time: HiGHS does not ask everywhere whether it is to stop
        highs.setOptionValue("time_limit", 1.25 * watch.left_s + 1.0)
    _listen(highs, watch, doing)
    if highs.passModel(_lp_of(model)) == highspy.HighsStatus.kError:
        raise QuestionError("求解器拒绝了该模型", "the solver refused the model")
    return highs


def _listen(highs: highspy.Highs, watch: Watch, doing: str) -> None:
    """Stop HiGHS when the watch is over, and tell the watch of every better point and bound if it is told what of."""

    told = (np.nan, np.nan)

    def hear(kind: Any, message: str, out: Any, into: Any, data: Any) -> None:
        nonlocal told
        if watch.over:
            into.user_interrupt = True
        if kind == highspy.cb.HighsCallbackType.kCallbackMipInterrupt:
            value, bound = (
                v if abs(v) < highspy.kHighsInf else np.nan for v in (out.mip_primal_bound, out.mip_dual_bound)
            )
            if doing and (value, bound) != told:
                told = (value, bound)
                watch.tell(doing, value=value, bound=bound)

    highs.setCallback(hear, None)
    for name in _INTERRUPTS:
        highs.startCallback(getattr(highspy.cb.HighsCallbackType, name))


def _lp_of(model: Model) -> highspy.HighsLp:
    matrix = csc_array(model.matrix)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost, model.lower, model.upper
    lp.row_lower_, lp.row_upper_ = model.row_lower, model.row_upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = matrix.data.astype(np.float64)
    lp.sense_ = highspy.ObjSense.kMaximize if model.maximise else highspy.ObjSense.kMinimize
    if model.integer.any():
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        lp.integrality_ = [kinds[i] for i in model.integer.astype(int)]
    return lp


def _read(highs: highspy.Highs, model: Model) -> Solved:
    info, status = highs.getInfo(), highs.getModelStatus()
    nothing = np.inf if model.maximise else -np.inf
    done = status == highspy.HighsModelStatus.kOptimal
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return Solved(None, np.nan, nothing, infeasible=True)
    if status == highspy.HighsModelStatus.kSolveError:
        return Solved(None, np.nan, nothing, infeasible=False)
    has_point = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    solution = highs.getSolution()
    x = np.array(solution.col_value) if has_point else None
    value = float(info.objective_function_value) if has_point else np.nan
    if model.integer.any():
        bound = float(info.mip_dual_bound)
        return Solved(x, value, bound if abs(bound) < highspy.kHighsInf else nothing, infeasible=False)
    # an LP that was cut short proves nothing by its objective
    reduced = np.array(solution.col_dual) if done else None
    return Solved(x, value, value if done else nothing, infeasible=False, reduced_cost=reduced)
