"""The table of a quarter that anyone may see: counts per cell from which no single person can be told.

Two ways, never mixed within four quarters. ``noise`` (the rule): two-sided geometric noise on every cell of one fixed
geography, then sums, thresholds, complementary suppression and rounding, none of which looks at a true count again, so
that all of it costs one person at most ``epsilon``. ``suppression``: true counts, the small ones and those that would
give them away hidden, the rest rounded; no epsilon bounds what it tells a reader who knows much already.
"""

import datetime as dt
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import QuestionError
from planner.hotspots.release_budget import YEARLY_EPSILON, LedgerRow, hold_delay, hold_ledger
from planner.hotspots.release_geography import Geography, Positions
from planner.hotspots.release_noise import RandBelow, noise_beyond, noise_chance, noisy
from planner.hotspots.release_suppression import Flags, hidden_nodes

#: No number below this is shown; no question can lower it.
LEAST_PEOPLE: Final = 10
#: The margin holds for this share of the numbers.
SURE: Final = 0.95
PROTECTIONS: Final = ("noise", "suppression")
COLUMNS: Final = ("tier", "id", "year", "quarter", "people", "suppressed", "margin")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseQuestion:
    """What is to be published; refuses what no release may hold.

    epsilon : for one person and this quarter, with ``protection`` "noise"; a year has 1. counts_per_person : how often
    one person may count in the quarter, in all cells together, for epsilon to hold (who counts m times has epsilon
    m / counts_per_person); see ``planner.hotspots.release_counts``. least : no smaller number is shown (>= 10).
    step : numbers are rounded to multiples of it, and ``least`` is one. false_share : with noise, the share of the
    numbers shown in a tier, as expected, whose true number is under ``least``. delay_quarters : whole quarters to
    wait, >= 1. place, period : "cells" and "quarter"; roads, hours, days and months are refused.
    Raises QuestionError.
    """

    year: int
    quarter: int
    epsilon: Fraction = YEARLY_EPSILON / 4
    counts_per_person: int = 3
    protection: str = "noise"
    least: int = LEAST_PEOPLE
    step: int = 5
    false_share: float = 0.05
    delay_quarters: int = 1
    place: str = "cells"
    period: str = "quarter"

    def __post_init__(self) -> None:
        _hold(
            self.place == "cells", f"公开数据不含道路等图层（{self.place}），只按格子发布",
            f"the public gets cells, never roads or anything finer ({self.place})",
        )  # fmt: skip
        _hold(
            self.period == "quarter", f"公开数据只按季度发布，不按 {self.period}",
            f"the public gets quarters, never {self.period}",
        )  # fmt: skip
        _hold(self.quarter in (1, 2, 3, 4), f"季度须为 1 至 4，收到 {self.quarter}", f"no quarter {self.quarter}")
        _hold(
            self.protection in PROTECTIONS, f"保护方式须为 {'、'.join(PROTECTIONS)}，收到 {self.protection!r}",
            f"protection is one of {', '.join(PROTECTIONS)}, not {self.protection!r}",
        )  # fmt: skip
        _hold(
            0 < self.epsilon <= YEARLY_EPSILON, f"ε 须大于 0 且不超过 {YEARLY_EPSILON}，收到 {self.epsilon}",
            f"epsilon lies above 0 and at most at {YEARLY_EPSILON}, not at {self.epsilon}",
        )  # fmt: skip
        _hold(
            self.counts_per_person >= 1, f"每人计数上限须至少为 1，收到 {self.counts_per_person}",
            f"one person counts at least once, not {self.counts_per_person} times",
        )  # fmt: skip
        _hold(
            self.least >= LEAST_PEOPLE, f"公开的人数下限不得低于 {LEAST_PEOPLE}，收到 {self.least}",
            f"no number below {LEAST_PEOPLE} is shown; {self.least} was asked",
        )  # fmt: skip
        _hold(
            self.step >= 1 and self.least % self.step == 0, f"取整步长 {self.step} 须整除下限 {self.least}",
            f"the step {self.step} must divide the least number {self.least}",
        )  # fmt: skip
        _hold(
            0 < self.false_share < 0.5, f"误显比例须在 0 与 0.5 之间，收到 {self.false_share}",
            f"the share of numbers shown that are too small lies between 0 and 0.5, not at {self.false_share}",
        )  # fmt: skip
        _hold(
            self.delay_quarters >= 1, f"至少推迟一个季度发布，收到 {self.delay_quarters}",
            f"a release waits at least one quarter, not {self.delay_quarters}",
        )  # fmt: skip

    @property
    def scale(self) -> Fraction:
        """Scale of the noise on each cell: sensitivity over epsilon."""
        return self.counts_per_person / self.epsilon


class Numbers(NamedTuple):
    """(n_nodes,) rounded people, whether they stay hidden (people and margin mean nothing then), and their margin."""

    people: Positions
    hidden: Flags
    margin: Positions


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """The table to publish, and the ledger row to store in the same transaction, before anyone sees the table.

    table : a row per node, finest tier first: tier, id, year, quarter, people (whole, missing where hidden),
    suppressed, margin (the true number lies within +- margin for 95 % of the nodes; missing where hidden).
    Why a number is hidden is not told: that alone would say that it is small.
    """

    table: pd.DataFrame
    row: LedgerRow


def release(
    counts: Positions,
    geography: Geography,
    question: ReleaseQuestion,
    ledger: Sequence[LedgerRow],
    *,
    now: dt.datetime,
    randbelow: RandBelow,
) -> Released:
    """Return the table of a quarter for the public, made once and for all, and its row of the ledger.

    counts : (n_cells,) people in each cell of the finest tier, zeros included. ledger : all publications before.
    now : the present, from outside. randbelow : ``secrets.randbelow``; tests alone may give another.

    1. Noise of scale counts_per_person / epsilon on every cell; larger areas are sums of noisy cells.
    2. A number stays hidden unless noise alone would hardly lift one under ``least`` so high: of the numbers shown
       in a tier, a ``false_share`` is expected to be such at most (Benjamini & Hochberg 1995,
       doi:10.1111/j.2517-6161.1995.tb02031.x).
    3. Further numbers are hidden until none can be had by subtraction (``planner.hotspots.release_suppression``).
    4. What is left is rounded to ``step``.

    With "suppression", there is no noise, numbers under ``least`` are hidden, and every hidden number keeps a range of
    2 x ``least`` or more, so that even who knows that one of two hidden numbers is under ``least`` cannot exclude any
    value below it.
    Raises QuestionError on counts that do not fit, and as ``hold_ledger`` and ``hold_delay`` do.
    """
    _hold(
        np.shape(counts) == (geography.n_cells,) and bool(np.min(counts, initial=0) >= 0),
        f"须为 {geography.n_cells} 个格子各给一个非负人数",
        f"one count >= 0 for each of {geography.n_cells} cells is needed",
    )
    epsilon = question.epsilon if question.protection == "noise" else None
    hold_delay(question.year, question.quarter, question.delay_quarters, now.date())
    hold_ledger(ledger, question.year, question.quarter, epsilon, geography.key)

    table = _table(geography, question, numbers(counts, geography, question, randbelow))
    row = LedgerRow(
        year=question.year, quarter=question.quarter, epsilon=epsilon, counts_per_person=question.counts_per_person,
        geography=geography.key, table_hash=table_hash(table), created=now.isoformat(),
    )  # fmt: skip
    return Released(table, row)


def numbers(counts: Positions, geography: Geography, question: ReleaseQuestion, randbelow: RandBelow) -> Numbers:
    """Return steps 1 to 4 of ``release``: the numbers alone, without the ledger that must hold them back."""
    parts = geography.sums(np.ones(geography.n_cells, np.int64))
    if question.protection == "noise":
        value = geography.sums(noisy(counts, question.scale, randbelow))
        chance = noise_chance(value - (question.least - 1), question.scale, parts)
        tiers = zip(geography.first[:-1], geography.first[1:], strict=True)
        small = np.concatenate([~_surely(chance[a:b], question.false_share) for a, b in tiers])
        hidden = hidden_nodes(geography, value, small, width=1.0, floor=-math.inf)
        margin = noise_beyond((1 - SURE) / 2, question.scale, parts) - 1
    else:
        value = geography.sums(counts)
        margin = np.zeros(len(parts), np.int64)
        hidden = hidden_nodes(geography, value, value < question.least, width=2.0 * question.least, floor=0.0)
    step = question.step
    return Numbers((value + step // 2) // step * step, hidden, margin + step // 2)


def shown_again(table: pd.DataFrame, ledger: Sequence[LedgerRow], year: int, quarter: int) -> pd.DataFrame:
    """Return a stored table as it was first published; refuse one that is not the one of the ledger.

    Averaging a thousand copies of the same noise gives that noise.
    """
    row = next((r for r in ledger if (r.year, r.quarter) == (year, quarter)), None)
    _hold(row is not None, f"{year} 年第 {quarter} 季度未发布", f"quarter {quarter} of {year} was never published")
    _hold(
        row is not None and row.table_hash == table_hash(table), "存档与发布台账不符，拒绝展示",
        "the stored table is not the one in the ledger; it is not shown",
    )  # fmt: skip
    return table


def table_hash(table: pd.DataFrame) -> str:
    """Return the SHA-256 of a published table, hexadecimal: the same for the same rows in the same order.

    What a store or a file does to the types of the columns does not matter to it.
    """
    digest = hashlib.sha256()
    for tier, name, year, quarter, people, hidden, margin in zip(*(table[c].tolist() for c in COLUMNS), strict=True):
        off = (None if pd.isna(n) else int(n) for n in (people, margin))
        digest.update(f"{(str(tier), str(name), int(year), int(quarter), *off, bool(hidden))}\n".encode())
    return digest.hexdigest()


def _surely(chance: NDArray[np.float64], false_share: float) -> Flags:
    """Return which chances are so small that a ``false_share`` of those is expected to be mere chance at most."""
    order = np.sort(chance)
    good = np.flatnonzero(order <= false_share * np.arange(1, len(order) + 1) / len(order))
    return np.asarray(chance <= (order[good[-1]] if good.size else -1.0), np.bool_)


def _table(geography: Geography, question: ReleaseQuestion, of: Numbers) -> pd.DataFrame:
    people, margin = (pd.arrays.IntegerArray(n.astype(np.int64), of.hidden.copy()) for n in (of.people, of.margin))
    return pd.DataFrame(
        {
            "tier": np.repeat(geography.tiers, [len(ids) for ids in geography.ids]),
            "id": [i for ids in geography.ids for i in ids],
            "year": question.year,
            "quarter": question.quarter,
            "people": people,
            "suppressed": of.hidden,
            "margin": margin,
        }
    )


def _hold(good: bool, zh: str, en: str) -> None:
    if not good:
        raise QuestionError(zh, en)
