"""A night as supervisors direct it, in records: the night, its routes, its changes, and what can go wrong with them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from gis.errors import RecordError
from layers.casebook import ChangedMeanwhileError
from layers.moments import aware, aware_or_none, stored
from layers.roles import Words

#: One service of a route: the duty's id and the side of the street as it is drawn, "" where one walk sees both.
Stop = tuple[str, str]

#: What a supervisor does to a night; "open" is written by no one but ``open_night``.
ACTIONS: Mapping[str, Words] = MappingProxyType(
    {
        "assign": Words("补派街段", "gave a street nobody had"),
        "move": Words("移动街段", "moved a street"),
        "remove": Words("取消街段", "took a street out"),
        "swap": Words("互换路线", "swapped two workers"),
        "lock": Words("锁定路线", "locked a route"),
        "unlock": Words("解锁路线", "unlocked a route"),
        "ill": Words("登记病假", "marked a worker ill"),
        "replan": Words("重新安排", "planned the rest again"),
        "persons": Words("换人", "changed who walks"),
        "close": Words("收班", "closed the night"),
        "reopen": Words("重新打开", "opened the night again"),
        "reason": Words("说明未巡原因", "said why a street was missed"),
        "undo": Words("撤销", "undid a change"),
    }
)


class UnknownNightError(RecordError):
    """There is no such night, crew or change, or none the caller may see."""


class NightRefusedError(RecordError):
    """A change that the night as it stands does not take: a locked route, a closed night, a street in two routes."""


class NightChangedError(ChangedMeanwhileError):
    """Somebody else changed the same routes since the caller read them.

    changes : those changes, oldest first. version : of the night now.
    """

    def __init__(self, changes: Sequence["NightChange"], version: int, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.changes, self.version = tuple(changes), version


@dataclass(frozen=True, slots=True)
class PatrolNight:
    """One night that is directed. area_code : of all its crews together; version : the number of its last change.

    state : "open" or "closed". created_at : UTC, aware.
    """

    id: int
    date: date
    area_code: str
    run_id: str
    state: str
    created_at: datetime
    account_id: int | None
    version: int


@dataclass(frozen=True, slots=True)
class NightRoute:
    """One crew's route. route : its stops in order; changed_in : number of the last change that touched it, 0 for none.

    area_code : of the crew's home. ill_from : UTC, aware; None for those who walk.
    """

    crew: str
    area_code: str
    persons: str
    route: tuple[Stop, ...]
    locked: bool
    ill_from: datetime | None
    changed_in: int


@dataclass(frozen=True, slots=True)
class NightChange:
    """One change. at : UTC, aware; name : who made it; crews : whose routes it touched, as far as the reader sees them.

    before, after : crew -> the fields that changed (route, persons, locked, ill_from), as ``NightRoute`` has them.
    said : what else was said of it, ids and words by name, such as duty, from, to. undoes : the change it takes back.
    whole : whether the reader's area holds everything it touched.
    """

    number: int
    at: datetime
    account_id: int | None
    name: str
    action: str
    crews: tuple[str, ...]
    before: Mapping[str, Mapping[str, Any]]
    after: Mapping[str, Mapping[str, Any]]
    said: Mapping[str, Any]
    undoes: int | None
    whole: bool

    @property
    def words(self) -> Words:
        """What was done, in words, with the crews it touched."""
        zh, en = ACTIONS[self.action]
        of = f"（{'、'.join(self.crews)}）" if self.crews else ""
        return Words(zh + of, en + (f" ({', '.join(self.crews)})" if self.crews else ""))

    @property
    def touches(self) -> frozenset[str]:
        """What it changed: routes by their crew, the state of the night, the reason of a street."""
        of = {f"reason {self.said['crew']} {self.said['duty']}"} if "reason" in self.said else set()
        return frozenset({*self.crews, *of, *({"state"} if "state" in self.said else ())})


def in_the_way(changes: Sequence[NightChange], one: NightChange) -> list[NightChange]:
    """Return what stands in the way of undoing ``one``: later changes of the same things that have not been undone.

    changes : of the night, oldest first. One that undoes ``one`` itself is in the way too.
    """
    undone: set[int] = set()
    found = []
    for later in reversed(changes):
        if later.number <= one.number or not later.touches & one.touches or later.number in undone:
            continue
        if later.undoes is not None and later.undoes > one.number:
            undone.add(later.undoes)
        else:
            found.append(later)
    return found[::-1]


def undoable(changes: Sequence[NightChange]) -> list[int]:
    """Return the numbers of the changes that could be undone as things are, oldest first."""
    return [one.number for one in changes if one.whole and not in_the_way(changes, one)]


#: Fields of a route that a change may set.
FIELDS = ("route", "persons", "locked", "ill_from")


def night_of(row: Any) -> PatrolNight:
    """Return a row of the table as a record."""
    return PatrolNight(
        row.id, row.date, row.area_code, row.run_id, row.state, aware(row.created_at), row.account_id, row.version
    )


def route_of(row: Any) -> NightRoute:
    """Return a row of the table as a record."""
    return NightRoute(
        row.crew, row.area_code, row.persons, _kept_stops(row.route), bool(row.locked),
        aware_or_none(row.ill_from), row.changed_in,
    )  # fmt: skip


def _kept_stops(text: str) -> tuple[Stop, ...]:
    return tuple((duty, side) for duty, side in json.loads(text))  # as ``route_json`` wrote them


def stops(route: Iterable[Sequence[str]]) -> tuple[Stop, ...]:
    """Return a route in lists, as JSON has it, as stops. Raises RecordError on anything else."""
    found = []
    for stop in route:
        if isinstance(stop, str) or len(stop) != 2 or not all(isinstance(word, str) for word in stop):
            raise RecordError("路线的格式无效", "a route is a list of [duty, side]")
        found.append((stop[0], stop[1]))
    return tuple(found)


def columns_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a route as the table keeps them."""
    kept = dict(fields)
    if "route" in kept:
        kept["route"] = route_json(kept["route"])
    if kept.get("ill_from") is not None:
        kept["ill_from"] = stored(kept["ill_from"])
    return kept


def route_json(route: Iterable[Sequence[str]]) -> str:
    """Return stops as the table keeps them."""
    return json.dumps([list(stop) for stop in route], ensure_ascii=False, separators=(",", ":"))


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a route as JSON values."""
    said = dict(fields)
    if "route" in said:
        said["route"] = [list(stop) for stop in said["route"]]
    if said.get("ill_from") is not None:
        said["ill_from"] = said["ill_from"].isoformat()
    return said


def from_plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``plain`` made as fields of a route."""
    fields = dict(said)
    if "route" in fields:
        fields["route"] = stops(fields["route"])
    if fields.get("ill_from") is not None:
        fields["ill_from"] = datetime.fromisoformat(fields["ill_from"])
    return fields


def changes_of(rows: Iterable[Any]) -> list[NightChange]:
    """Return the changes that rows (in the order of their numbers) tell of; one of several areas has a row for each."""
    parts: dict[int, list[Any]] = {}
    details: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        detail = json.loads(row.detail)
        parts.setdefault(detail["change"], []).append(row)
        details.setdefault(detail["change"], []).append(detail)
    return sorted((_change(number, of, details[number]) for number, of in parts.items()), key=lambda one: one.number)


def _change(number: int, rows: Sequence[Any], details: Sequence[Mapping[str, Any]]) -> NightChange:
    crews = {crew: both for detail in details for crew, both in detail["crews"].items()}
    first, row = details[0], rows[0]
    return NightChange(
        number, aware(row.at), row.account_id, first["by"], row.action, tuple(sorted(crews)),
        {crew: from_plain(both["before"]) for crew, both in crews.items()},
        {crew: from_plain(both["after"]) for crew, both in crews.items()},
        first["said"], row.undoes, len(rows) == first["rows"],
    )  # fmt: skip
