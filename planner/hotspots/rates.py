"""How many people can be found on each street per week, corrected for how much it was patrolled.

Reports = people x effort x detectability: a street with few reports may be empty, or nobody looked. Each segment's rate
has a Gamma distribution, first from its neighbours, class and length, then from its own reports and searches that found
nobody. Where nobody patrolled, the state is "unknown", never "none".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

from gis.errors import QuestionError
from planner.hotspots.exposure import Exposure
from planner.hotspots.rates_prior import Prior, prior_of

Floats = NDArray[np.float64]

UNKNOWN, NONE_FOUND, FOUND = "unknown", "none_found", "found"
#: Under so many weeks as good as watched by patrols, a street counts as one where nobody looked.
TRIFLE_WEEKS = 0.1
#: Ends of the 90 % interval.
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What is known of people who can be found per week: a Gamma distribution (n,) for each segment, cell or area.

    shape, rate : (n,) of the Gamma. unknown : (n,) patrols never, or hardly, looked there. count : (n,) reports of
    either channel. scale_sd : standard deviation of the logarithm of the factor common to all rates, held in shape.
    """

    shape: Floats
    rate: Floats
    unknown: NDArray[np.bool_]
    count: Floats
    scale_sd: float

    @property
    def mean(self) -> Floats:
        """Return (n,) expected people per week."""
        return self.shape / self.rate

    @property
    def low(self) -> Floats:
        """Return (n,) the lower end of the 90 % interval."""
        return np.asarray(gamma.ppf(LOW, self.shape) / self.rate, np.float64)

    @property
    def high(self) -> Floats:
        """Return (n,) the upper end of the 90 % interval."""
        return np.asarray(gamma.ppf(HIGH, self.shape) / self.rate, np.float64)

    @property
    def state(self) -> NDArray[np.str_]:
        """Return (n,) "unknown" where patrols hardly looked, else "none_found" or "found"."""
        return np.where(self.unknown, UNKNOWN, np.where(self.count > 0, FOUND, NONE_FOUND))

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return (n,) one draw of all rates."""
        return np.asarray(rng.gamma(self.shape) / self.rate, np.float64)

    def upper(self, chance: float) -> Floats:
        """Return (n,) what each rate stays under with this chance."""
        return np.asarray(gamma.ppf(chance, self.shape) / self.rate, np.float64)

    def summed(self, group: NDArray[np.int64], groups: int, part: Floats | None = None) -> "Rates":
        """Return the rates of cells or areas: group (n,) of each segment, -1 for none; part (n,) of it that lies there.

        Mean and variance of the sum are matched by a Gamma: segments apart from their common factor are independent.
        A group is unknown where half of what is expected in it, or more, lies on unknown segments; a group without
        segments is unknown and nil.
        """
        if len(group) != len(self.shape) or (len(group) and group.max() >= groups):
            raise QuestionError("分组与路段数不一致", f"{len(group)} groups for {len(self.shape)} segments")
        of = np.flatnonzero(group >= 0)
        share = np.ones(len(of)) if part is None else part[of]
        common = self.scale_sd**2
        apart = np.maximum((1 + 1 / self.shape[of]) / (1 + common) - 1, 0.0)

        def total(values: Floats) -> Floats:
            return np.asarray(np.bincount(group[of], values, groups), np.float64)

        mean = total(self.mean[of] * share)
        spread = (1 + total(apart * (self.mean[of] * share) ** 2) / np.where(mean > 0, mean, 1.0) ** 2) * (
            1 + common
        ) - 1
        shape = 1 / np.maximum(spread, 1e-12)
        unseen = total(np.where(self.unknown[of], self.mean[of] * share, 0.0))
        empty = mean <= 0
        return Rates(
            np.where(empty, 1.0, shape), np.where(empty, np.inf, shape / np.where(empty, 1.0, mean)),
            empty | (unseen >= 0.5 * mean), total(self.count[of] * share), self.scale_sd,
        )  # fmt: skip


def corrected_rates(
    found: Floats, told: Floats, exposure: Exposure, x: Floats, y: Floats, size: Floats, *,
    covariates: Floats | None = None, prior: Prior | None = None, trifle_weeks: float = TRIFLE_WEEKS,
) -> Rates:  # fmt: skip
    """Return people who can be found per week on each segment, from reports and effort.

    found, told : (n,) reports of patrols and of others.
    exposure : weeks as good as watched (``planner.hotspots.exposure.effective_weeks``). x, y : (n,) metres, where the
    segment's middle is. size : (n,), > 0, usually metres. covariates : (n, c), such as 0/1 of street classes.
    prior : what is expected beforehand; without it, from the neighbours (``planner.hotspots.rates_prior.prior_of``).

    Gamma prior, Poisson counts: shape + count, rate + exposure; then the shape is lowered so that the variance holds
    the common factor that detectability leaves open. Searches that found nobody add exposure and no count.
    Without any patrol all is unknown: others' reports alone give the order, and the level rests on a guess.
    Raises QuestionError on shapes that differ, sizes not above 0, or counts below 0.
    Source: empirical Bayes for rates, Clayton & Kaldor (1987), doi:10.2307/2532003.
    """
    n = len(size)
    if any(len(a) != n for a in (found, told, exposure.patrol, exposure.others, x, y)):
        raise QuestionError("各列长度不一致", f"columns differ in length from {n} segments")
    if n and not (size.min() > 0 and found.min() >= 0 and told.min() >= 0):
        raise QuestionError("长度应大于零，报告数不能为负", "sizes must be above 0 and counts not below 0")
    count, weeks = np.asarray(found + told, np.float64), exposure.weeks
    before = prior_of(count, weeks, x, y, size, covariates) if prior is None else prior
    shape, rate = before.shape + count, before.shape / before.mean + weeks
    shape, rate = with_common_factor(shape, rate, exposure.scale_sd)
    return Rates(shape, rate, exposure.patrol < trifle_weeks, count, exposure.scale_sd)


def with_common_factor(shape: Floats, rate: Floats, scale_sd: float) -> tuple[Floats, Floats]:
    """Return shapes and rates of Gammas of the same means whose variance also holds the factor common to all."""
    spread = (1 + 1 / shape) * (1 + scale_sd**2) - 1
    return 1 / spread, rate / (spread * shape)
