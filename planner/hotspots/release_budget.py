"""What has been published and what it cost: the ledger of privacy, and the refusals that keep it.

Releases compose: someone counted in several quarters is protected by the sum of their epsilons only (Dwork, McSherry,
Nissim & Smith 2006, doi:10.1007/11681878_14; the sum is met in the worst case: Kairouz, Oh & Viswanath 2017,
doi:10.1109/TIT.2017.2685505). So the budget holds for a person in any four quarters on end, hence in any year.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from gis.errors import QuestionError
from planner.hotspots.release_counts import quarter_start

#: The most that four quarters on end may spend on one person.
YEARLY_EPSILON = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One publication, never changed afterwards; the store holds at most one for a year and quarter.

    epsilon : spent on one person, None where true counts were published (no epsilon bounds what those tell).
    counts_per_person : how often one person may count for that to hold. geography : ``Geography.key``.
    table_hash : ``planner.hotspots.release.table_hash`` of what was published. created : ISO time, given by the caller.
    """

    year: int
    quarter: int
    epsilon: Fraction | None
    counts_per_person: int
    geography: str
    table_hash: str
    created: str

    def record(self) -> dict[str, Any]:
        """Return the row as numbers and texts; epsilon is a text such as "1/4", exact, or empty."""
        return {
            "year": self.year, "quarter": self.quarter, "epsilon": "" if self.epsilon is None else str(self.epsilon),
            "counts_per_person": self.counts_per_person, "geography": self.geography, "table_hash": self.table_hash,
            "created": self.created,
        }  # fmt: skip


def ledger_row(record: Mapping[str, Any]) -> LedgerRow:
    """Return the row that ``LedgerRow.record`` gave."""
    return LedgerRow(
        year=int(record["year"]), quarter=int(record["quarter"]),
        epsilon=Fraction(str(record["epsilon"])) if record["epsilon"] else None,
        counts_per_person=int(record["counts_per_person"]), geography=str(record["geography"]),
        table_hash=str(record["table_hash"]), created=str(record["created"]),
    )  # fmt: skip


def spent(ledger: Iterable[LedgerRow], year: int) -> Fraction | float:
    """Return the epsilon spent in a calendar year, ``inf`` once true counts were published in it."""
    return _sum(row for row in ledger if row.year == year)


def most_spent_around(ledger: Iterable[LedgerRow], year: int, quarter: int) -> Fraction | float:
    """Return the most that was spent in any four quarters on end that hold the given one."""
    rows, at = list(ledger), 4 * year + quarter
    return max(
        _sum(row for row in rows if 0 <= 4 * row.year + row.quarter - first < 4) for first in range(at - 3, at + 1)
    )


def hold_ledger(ledger: Iterable[LedgerRow], year: int, quarter: int, epsilon: Fraction | None, geography: str) -> None:
    """Raise QuestionError if publishing the quarter would break what earlier publications rest on.

    A quarter is published once (its table may be shown again, word for word); cells never change; four quarters on
    end never spend more than ``YEARLY_EPSILON``; true counts and counts with noise never share four quarters.
    """
    rows = list(ledger)
    if any((row.year, row.quarter) == (year, quarter) for row in rows):
        raise QuestionError(
            f"{year} 年第 {quarter} 季度已发布，只能原样重示，不能重算或更正",
            f"quarter {quarter} of {year} was published; it can be shown again as it was, not made anew",
        )
    if any(row.geography != geography for row in rows):
        raise QuestionError("公开数据的格网已固定，不得更换", "the cells of public releases are fixed and never change")
    before = most_spent_around(rows, year, quarter)
    if (epsilon is None and 0 < before < math.inf) or (epsilon is not None and before == math.inf):
        raise QuestionError(
            "连续四个季度内不得混用真实计数与加噪计数",
            "true counts and counts with noise cannot be published within the same four quarters",
        )
    if epsilon is not None and before + epsilon > YEARLY_EPSILON:
        raise QuestionError(
            f"隐私预算不足：连续四个季度已用 {before}，再用 {epsilon} 将超过 {YEARLY_EPSILON}",
            f"the privacy budget is short: {before} spent in four quarters, {epsilon} more would pass {YEARLY_EPSILON}",
        )


def hold_delay(year: int, quarter: int, delay_quarters: int, today: dt.date) -> None:
    """Raise QuestionError unless the quarter and ``delay_quarters`` more are over by ``today``."""
    due = quarter_start(year, quarter + delay_quarters + 1)
    if today < due:
        raise QuestionError(
            f"{year} 年第 {quarter} 季度最早于 {due.isoformat()} 发布",
            f"quarter {quarter} of {year} can be published from {due.isoformat()} on",
        )


def _sum(rows: Iterable[LedgerRow]) -> Fraction | float:
    total: Fraction | float = Fraction(0)
    for row in rows:
        total = math.inf if row.epsilon is None else total + row.epsilon
    return total
