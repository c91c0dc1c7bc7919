"""Patrol effort as exposure: what passes through a street would have found, and how well patrols see, from the finds.

Model, for segment i, month m and shift s with w weeks and p passes in them: of people who can be found, a share
1 - exp(-detectability p / w) is found by patrols; of those missed, a share is reported by others. People per week vary
by calendar month over the whole city alike, by shift as each segment has it. Given how many reports a segment has in a
shift, how they fall on months and channels tells detectability without a word on where people are or at what hours: the
likelihood is a product of multinomials, so busy streets, or nights, that are patrolled more cannot pass for streets and
nights where patrols see more. What shifts could add is given up: a city-wide share of nights, wrong in most places,
makes detectability look surer than it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from gis.errors import QuestionError

Floats = NDArray[np.float64]

#: What detectability (per pass a week) and the share of others' reports are taken to be before any data, and how far
#: off the first may be (standard deviation of its logarithm).
GUESS, GUESS_SD, SHARE_GUESS = 0.25, 0.7, 0.1
#: Searched within; reports that draw a calendar month towards no season; segments with reports used, at most.
LEAST, MOST, SEASON_WEIGHT, MOST_SEGMENTS = 0.005, 5.0, 20.0, 6_000
ROUNDS, EXACT = 40, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """How finds come about.

    detectability : chance in the limit of few passes that a pass a week finds someone who is there. sd_log : standard
    error of its logarithm. told_share : of people whom patrols miss, the share others report. month : (m,) people per
    week against the mean of the year. shift : (s,) shares of the day's people, sum 1. guessed : no data told
    detectability apart from the guess.
    """

    detectability: float
    sd_log: float
    told_share: float
    month: Floats
    shift: Floats
    guessed: bool

    def interval(self) -> tuple[float, float]:
        """Return the 90 % interval of detectability."""
        factor = float(np.exp(1.6449 * self.sd_log))
        return self.detectability / factor, self.detectability * factor


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """Weeks (n,) for which each segment was as good as watched: by patrols, and by others who report.

    scale_sd : standard deviation of the logarithm of a factor common to all, from not knowing detectability.
    """

    patrol: Floats
    others: Floats
    scale_sd: float

    @property
    def weeks(self) -> Floats:
        """Return (n,) both together: expected reports of either channel = people per week x this."""
        return self.patrol + self.others


def exposure_of(passes: Floats, weeks: Floats, detectability: float) -> Floats:
    """Return (n, m, s) the chance that patrols find someone who can be found there: 1 - exp(-detectability p / w).

    passes : (n, m, s), >= 0. weeks : (m,), > 0. Raises QuestionError on other shapes or values.
    Source: random search, Koopman (1956), doi:10.1287/opre.4.5.503.
    """
    if passes.ndim != 3 or passes.shape[1] != len(weeks):
        raise QuestionError(
            f"巡查次数应为（路段，月，班次），收到 {passes.shape} 与 {len(weeks)} 个月",
            f"passes must be (segments, months, shifts); got {passes.shape} and {len(weeks)} months",
        )
    if not (detectability > 0 and np.isfinite(detectability)):
        raise QuestionError(f"发现能力应大于零：{detectability:g}", f"detectability must be above 0: {detectability:g}")
    if (passes.size and not passes.min() >= 0) or (len(weeks) and not weeks.min() > 0):
        raise QuestionError("巡查次数不能为负，周数应大于零", "passes must be >= 0 and weeks > 0")
    return np.asarray(-np.expm1(-detectability * passes / weeks[None, :, None]), np.float64)


def effective_weeks(passes: Floats, weeks: Floats, detection: Detection, *, hours: Floats | None = None) -> Exposure:
    """Return for how many weeks each segment was as good as watched.

    hours : (n, s) shares of a segment's people by shift (``planner.hotspots.rates_hours.local_hours``); without it,
    the city's.
    """
    by_shift = detection.shift[None, :] if hours is None else hours

    def watched(detectability: float) -> Floats:
        seen = exposure_of(passes, weeks, detectability)
        return np.asarray((np.einsum("ims,m->is", seen, weeks * detection.month) * by_shift).sum(axis=1), np.float64)

    patrol = watched(detection.detectability)
    others = detection.told_share * (float(weeks @ detection.month) - patrol)
    # The share of others' reports follows detectability, so what moves patrols' exposure moves all of it.
    step = 0.01
    before = float(patrol.sum())
    slope = (float(watched(detection.detectability * (1 + step)).sum()) / before - 1) / step if before > 0 else 1.0
    return Exposure(patrol, others, slope * detection.sd_log)


def weeks_watched(passes: Floats, weeks: Floats, detection: Detection, hours: Floats) -> Floats:
    """Return (n, m) for how many weeks of each month each segment was as good as watched, by patrols and others.

    hours : (n, s) shares of a segment's people by shift. Months add up to what ``effective_weeks`` gives.
    """
    whole = weeks * detection.month
    seen = np.einsum("ims,is->im", exposure_of(passes, weeks, detection.detectability), hours) * whole
    return np.asarray(seen + detection.told_share * (whole - seen), np.float64)


def estimate_detection(
    found: Floats, told: Floats, passes: Floats, weeks: Floats, calendar_month: NDArray[np.int64], *,
    guess: float = GUESS, guess_sd: float = GUESS_SD,
) -> Detection:  # fmt: skip
    """Estimate detectability, the share others report, seasons and shifts from where and when reports fall.

    found, told : (n, m, s) patrols' finds and others' reports; parts of reports are welcome. passes : (n, m, s).
    weeks : (m,). calendar_month : (m,) 1 to 12. guess, guess_sd : a log-normal prior on detectability.

    Patrols' finds where no pass is on record (a report laid on the wrong street, a track not kept) say nothing about
    detectability and are left out here. Others' reports laid on the wrong street hide how they thin out where patrols
    are many and make detectability look smaller: ``planner.hotspots.rates_location`` mends most of that.
    Profile likelihood of the multinomials given each segment's total in each shift; seasons are drawn a little towards
    none. Seasons and shifts of the whole city, and the share of others, are then fitted at the best detectability.
    """
    exposure_of(passes, weeks, guess)
    if found.shape != passes.shape or told.shape != passes.shape:
        raise QuestionError("报告与巡查次数的形状不一致", f"shapes differ: {found.shape}, {told.shape}, {passes.shape}")
    found = np.where(passes > 0, found, 0.0)
    rows = np.flatnonzero((found + told).sum(axis=(1, 2)) > 0)
    flat = Detection(
        guess, guess_sd, SHARE_GUESS if told.any() or not passes.any() else 0.0, np.ones(len(weeks)),
        np.full(passes.shape[2], 1 / passes.shape[2]), True,
    )  # fmt: skip
    if not found.any():
        return flat
    rows = rows[:: -(-len(rows) // MOST_SEGMENTS)]
    fit = _Fit(_by_shift(found[rows]), _by_shift(told[rows]), _by_shift(passes[rows]), weeks, calendar_month)

    def loss(log_d: float) -> float:
        return float(0.5 * ((log_d - np.log(guess)) / guess_sd) ** 2) - fit.likelihood(float(np.exp(log_d)))

    best = minimize_scalar(loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 0.01})
    log_d, step = float(best.x), 0.15
    curve = (loss(log_d + step) + loss(log_d - step) - 2 * loss(log_d)) / step**2
    sd_log = min(guess_sd, curve**-0.5 if curve > 0 else guess_sd)
    whole = _Fit(found[rows], told[rows], passes[rows], weeks, calendar_month)
    whole.likelihood(float(np.exp(log_d)))
    return Detection(
        float(np.exp(log_d)), float(sd_log), whole.told_share, whole.month, whole.shift, sd_log > 0.9 * guess_sd
    )


def _by_shift(of: Floats) -> Floats:
    """Return (k, m, 1) of (n, m, s): each shift of a segment as if it were a segment by itself."""
    return np.ascontiguousarray(of.transpose(0, 2, 1)).reshape(-1, of.shape[1], 1)


class _Fit:
    """Seasons, shifts and the share of others, fitted for one detectability after another, each from the last."""

    def __init__(
        self, found: Floats, told: Floats, passes: Floats, weeks: Floats, calendar_month: NDArray[np.int64]
    ) -> None:
        self.found, self.told, self.passes, self.weeks = found, told, passes, weeks
        self.at = np.unique(calendar_month, return_inverse=True)[1]
        self.total = (found + told).sum(axis=(1, 2))
        self.by_cell = (found + told).sum(axis=0)
        self.by_season = np.bincount(self.at, self.by_cell.sum(axis=1))
        self.finds = np.nonzero(found)
        self.tells = np.nonzero(told)
        self.season = np.ones(len(self.by_season))
        self.shift = self.by_cell.sum(axis=0) / self.by_cell.sum()
        self.told_share = SHARE_GUESS if told.any() else 0.0

    @property
    def month(self) -> Floats:
        return np.asarray(self.season[self.at], np.float64)

    def likelihood(self, detectability: float) -> float:
        """Fit all but detectability by alternate scaling and return the log-likelihood."""
        seen = exposure_of(self.passes, self.weeks, detectability)
        told, weeks = self.told.sum(), self.weeks[:, None]
        for _ in range(ROUNDS):
            watched = seen + self.told_share * (1 - seen)
            people = self.month[:, None] * self.shift * weeks
            rate = self.total / np.tensordot(watched, people, 2)
            expected = np.tensordot(rate, watched, 1) * weeks
            season = (self.by_season + SEASON_WEIGHT) / (np.bincount(self.at, expected @ self.shift) + SEASON_WEIGHT)
            season /= season[self.at].mean()
            moved = np.abs(season - self.season).max()
            self.season = season
            shift = self.by_cell.sum(axis=0) / np.maximum(self.month @ expected, 1e-300)
            self.shift = shift / shift.sum()
            missed = np.sum(np.tensordot(rate, 1 - seen, 1) * self.month[:, None] * self.shift * weeks)
            share = float(told / missed) if told > 0 else 0.0
            moved = max(moved, abs(share - self.told_share))
            self.told_share = share
            if moved < EXACT:
                break
        people = self.month[:, None] * self.shift * weeks
        whole = np.tensordot(seen + self.told_share * (1 - seen), people, 2)
        log = np.sum(self.found[self.finds] * np.log(seen[self.finds]))
        if told > 0:
            missed_log = -detectability * (self.passes / self.weeks[None, :, None])[self.tells]
            log += np.sum(self.told[self.tells] * missed_log) + told * np.log(self.told_share)
        happened = self.by_cell > 0
        log += np.sum(self.by_cell[happened] * np.log((people / weeks)[happened]))
        return float(log - np.sum(self.total * np.log(whole)))
