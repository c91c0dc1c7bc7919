"""Walks the audit log from its first entry to its last and says which entries are not as they were written."""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, text

from gis.errors import RecordError, StoreError
from layers.audit import FIELDS, GENESIS, chained
from layers.schema import AUDIT_ENTRY, AUDIT_HEAD
from layers.store import Store

_ROWS_A_PAGE = 10_000
#: How many hashes passed, links awaited and problems found are kept at once, whatever the length of the log.
_KEPT = 1_000
_KINDS = {
    "edited": ("被改动", "edited"), "dropped": ("缺失", "missing"),
    "inserted": ("是后来插入的", "put in afterwards"), "reordered": ("的顺序被打乱", "out of order"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an entry: "edited", "dropped", "inserted" or "reordered"; last : of a run of entries."""

    kind: str
    number: int
    last: int

    @property
    def zh(self) -> str:
        """The problem in a Chinese sentence."""
        return f"第 {self._which(' 至 ')} 条记录{_KINDS[self.kind][0]}"

    @property
    def en(self) -> str:
        """The problem in an English sentence."""
        return f"entry {self._which(' to ')}: {_KINDS[self.kind][1]}"

    def touches(self, other: "Problem") -> bool:
        """Tell whether the two share an entry."""
        return self.number <= other.last and other.number <= self.last

    def holds(self, other: "Problem") -> bool:
        """Tell whether all entries of ``other`` are among those of this one."""
        return self.number <= other.number and other.last <= self.last

    def _which(self, to: str) -> str:
        return str(self.number) if self.number == self.last else f"{self.number}{to}{self.last}"


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying found. entries : how many there are; last_sha256 : the anchor to keep elsewhere with it.

    problems : by number, the first thousand; unlisted : how many more.
    """

    entries: int
    last_sha256: str
    problems: tuple[Problem, ...]
    unlisted: int = 0


def parse_anchor(anchor: str) -> tuple[int, str]:
    """Return (number, sha256) from "NUMBER:HASH"; raises RecordError on anything else."""
    match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", anchor.strip().lower())
    if not match:
        raise RecordError(f"锚点应为“编号:64位哈希”：{anchor}", f"not an anchor NUMBER:HASH of 64 digits: {anchor!r}")
    return int(match[1]), match[2]


def verify(store: Store, *, expect: tuple[int, str] | None = None) -> AuditReport:
    """Walk the whole chain and say what was edited, dropped, put in or reordered.

    expect : (number, sha256) of an entry as kept outside the store. One pass in bounded memory, on one snapshot.
    Raises StoreError on a scoped store, which sees only parts of the chain.
    """
    if store.scope is not None:
        raise StoreError("只能校验全部操作记录", "only the whole audit log can be verified")
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        head = connection.execute(select(AUDIT_HEAD)).one_or_none()
        recorded = (0, GENESIS) if head is None else (int(head.entries), str(head.sha256))
        walk = _Walk(recorded, expect)
        last = -1
        while rows := _page(connection, last):
            for row in rows:
                walk.pass_by(row)
            last = rows[-1].number
    return walk.finish()


def _page(connection: Connection, last: int) -> list[Any]:
    query = select(AUDIT_ENTRY).where(AUDIT_ENTRY.c.number > last).order_by(AUDIT_ENTRY.c.number).limit(_ROWS_A_PAGE)
    return list(connection.execute(query))


@dataclass(slots=True)
class _Walk:
    """Where the walk stands, and what it has seen.

    Each entry names the hash it follows. One that does not follow its predecessor follows an entry passed a little
    earlier (those between were put in), or one that comes later (the order was changed), or none at all (that one is
    gone, or was rewritten together with its hash).
    """

    recorded: tuple[int, str]
    expect: tuple[int, str] | None
    count: int = 0
    number: int = 0
    sha256: str = GENESIS
    passed: "OrderedDict[str, int]" = field(default_factory=lambda: OrderedDict({GENESIS: 0}))
    awaited: dict[str, int] = field(default_factory=dict)
    doubtful: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unlisted: int = 0

    def pass_by(self, row: Any) -> None:
        genuine = chained(row.previous_sha256, **{name: getattr(row, name) for name in FIELDS}) == row.sha256
        if not genuine:
            self.find("edited", row.number)
        if row.number != self.number + 1:
            self.find("dropped", self.number + 1, row.number - 1)
        elif genuine and row.previous_sha256 != self.sha256:
            self.note_break(row)
        if row.sha256 in self.awaited:
            self.find("reordered", self.awaited.pop(row.sha256), row.number)
        if self.expect is not None and row.number == self.expect[0] and row.sha256 != self.expect[1]:
            self.find("edited", row.number)
        self.count, self.number, self.sha256 = self.count + 1, row.number, row.sha256
        self.passed[row.sha256] = row.number
        if len(self.passed) > _KEPT:
            self.passed.popitem(last=False)

    def note_break(self, row: Any) -> None:
        """Note an entry that does not follow the one before it."""
        if len(self.doubtful) + len(self.awaited) >= _KEPT:
            self.unlisted += 1
        elif row.previous_sha256 in self.passed:
            self.doubtful.append(Problem("inserted", self.passed[row.previous_sha256] + 1, row.number - 1))
        else:
            self.awaited[row.previous_sha256] = row.number

    def find(self, kind: str, first: int, last: int | None = None) -> None:
        problem = Problem(kind, first, first if last is None else last)
        if len(self.problems) >= _KEPT:
            self.unlisted += 1
        elif problem not in self.problems:
            self.problems.append(problem)

    def finish(self) -> AuditReport:
        """Settle what only the end of the log can tell."""
        moved = [problem for problem in self.problems if problem.kind == "reordered"]
        for problem in self.doubtful:
            if not any(problem.touches(other) for other in moved):
                self.problems = [other for other in self.problems if not problem.holds(other)]
                self.find("inserted", problem.number, problem.last)
        missing = self.recorded[0] - self.count - self.total("dropped") + self.total("inserted")
        for number in sorted(self.awaited.values()):
            if any(problem.number <= number <= problem.last for problem in self.doubtful):
                continue
            if missing > 0:
                missing -= 1
                self.find("dropped", number)
            else:
                self.find("edited", max(1, number - 1))
        if missing > 0:
            self.find("dropped", self.number + 1, self.number + missing)
        elif missing < 0:
            self.find("inserted", self.number + missing + 1, self.number)
        elif self.sha256 != self.recorded[1] and not self.problems:
            self.find("edited", self.number)
        if self.expect is not None and self.expect[0] > max(self.number, self.recorded[0]):
            self.find("dropped", self.number + 1, self.expect[0])
        ordered = tuple(sorted(self.problems, key=lambda problem: (problem.number, problem.kind)))
        return AuditReport(self.count, self.sha256, ordered, self.unlisted)

    def total(self, kind: str) -> int:
        return sum(problem.last - problem.number + 1 for problem in self.problems if problem.kind == kind)
