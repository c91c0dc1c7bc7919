"""What patrols should do next: streets by discoveries per minute, with room to look where little is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.rates import Rates

Floats = NDArray[np.float64]

THOMPSON, UPPER = "thompson", "upper"
#: The chance under which an upper confidence bound holds.
UPPER_CHANCE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Priorities:
    """Per segment (n,), discoveries per minute: expected, and with exploration (what to plan by).

    explored : (n,) planned by a draw or a bound instead of the mean.
    """

    expected: Floats
    planned: Floats
    explored: NDArray[np.bool_]

    def gained_by_exploring(self, service_s: Floats, budget_s: float) -> NDArray[np.bool_]:
        """Return (n,) segments that fit a budget of seconds thanks to exploration and would not without."""
        return within_budget(self.planned, service_s, budget_s) & ~within_budget(self.expected, service_s, budget_s)


def priorities(
    rates: Rates, length_m: Floats, service_s: Floats, *, detectability: float, seed: int, exploration: float = 1.0,
    method: str = THOMPSON, chance: float = UPPER_CHANCE, unseen: NDArray[np.bool_] | None = None,
) -> Priorities:  # fmt: skip
    """Return what a pass through each segment is expected to find per minute, with and without exploration.

    length_m : (n,), segments of no length get nothing. service_s : (n,), > 0, seconds to walk one.
    One pass a week finds rate x (1 - exp(-detectability)). exploration : share of segments, drawn at random each
    time, whose rate is not its mean but a draw from what is known of it (method "thompson"), or its upper confidence
    bound (method "upper", with ``chance``): 0 never explores, 1 is plain Thompson sampling. A new seed for each plan.
    unseen : (n,) to be planned before all others, since all may have changed and nobody looked there since; such
    segments count as explored.
    Raises QuestionError on an unknown method, a share outside 0 to 1 or times not above 0.
    Sources: Thompson (1933), doi:10.1093/biomet/25.3-4.285; Russo et al. (2018), doi:10.1561/2200000070.
    """
    if method not in (THOMPSON, UPPER):
        raise QuestionError(f"未知探索方式：{method}", f"unknown exploration {method!r}: expected {(THOMPSON, UPPER)}")
    if not 0 <= exploration <= 1:
        raise QuestionError(f"探索比例应在 0 与 1 之间：{exploration:g}", f"exploration not in 0 to 1: {exploration:g}")
    if len(service_s) and not service_s.min() > 0:
        raise QuestionError("巡查用时应大于零", "times of service must be above 0")
    rng = np.random.default_rng([seed, 0])
    explored = rng.random(len(service_s)) < exploration
    guess = rates.draw(rng) if method == THOMPSON else rates.upper(chance)
    per_minute = -np.expm1(-detectability) * np.where(length_m > 0, 60.0, 0.0) / service_s
    planned = np.where(explored, guess, rates.mean) * per_minute
    if unseen is not None and unseen.any():
        planned = np.where(unseen & (length_m > 0), planned + planned.max(), planned)
        explored |= unseen
    return Priorities(rates.mean * per_minute, planned, explored)


def within_budget(per_minute: Floats, service_s: Floats, budget_s: float) -> NDArray[np.bool_]:
    """Return (n,) the segments of highest discoveries per minute that fit ``budget_s`` seconds; ties to the first."""
    order = np.argsort(-per_minute, kind="stable")
    fits = np.zeros(len(order), bool)
    fits[order[np.cumsum(service_s[order]) <= budget_s]] = True
    return fits
