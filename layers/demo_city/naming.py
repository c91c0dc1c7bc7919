"""Made-up names for Linjiang's streets, areas and people, drawn from the recipe's lists."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layers.demo_city.plan import LIVING, PRIMARY, RESIDENTIAL, SECONDARY, TERTIARY, Ints, Plan

DIGITS = "零一二三四五六七八九"
SUFFIX = {TERTIARY: "路街", RESIDENTIAL: "街路里", LIVING: "巷弄里"}


def roots(first: Sequence[str], second: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return every pair of a first and a second part that are not the same, in random order."""
    pairs = [a + b for a in first for b in second if a != b]
    return [pairs[k] for k in rng.permutation(len(pairs))]


def chinese_number(k: int) -> str:
    """Write k, from 1, as a lane is numbered: 一 .. 九十九 in characters, then in digits."""
    if k >= 100:
        return str(k)
    ten, one = divmod(k, 10)
    return (DIGITS[ten] if ten > 1 else "") + ("十" if ten else "") + (DIGITS[one] if one else "")


def street_names(plan: Plan, names: Mapping[str, Any], rng: np.random.Generator) -> NDArray[np.object_]:
    """Name each line of the plan; lines of one street share a name, arterials change theirs at the city's middle."""
    lines = plan.lines
    root = roots(names["road_first"], names["road_second"], rng)
    count = int(lines.street.max()) + 1
    rank = np.full(count, LIVING)
    np.minimum.at(rank, lines.street, lines.rank)
    arterial = np.zeros(count, bool)
    arterial[lines.street[lines.superblock < 0]] = True
    suffix_of = rng.integers(0, 6, count)
    word = np.empty(count, object)
    minor = big = 0
    for street in range(count):
        if arterial[street]:
            listed = names["arterials"]
            word[street] = listed[big] if big < len(listed) else root[-1 - big]
            big += 1
            continue
        ends = SUFFIX[int(rank[street])]
        turn, which = divmod(minor, len(root))
        word[street] = root[which] + (chinese_number(turn) if turn else "") + ends[suffix_of[street] % len(ends)]
        minor += 1
    late = lines.start + lines.end >= plan.columns
    part = np.where(lines.along_x, np.where(late, "东", "西"), np.where(late, "北", "南"))
    title = np.where(rank[lines.street] == PRIMARY, "大道", np.char.add(part.astype(str), "路"))
    named = np.where(arterial[lines.street], word[lines.street] + title.astype(object), word[lines.street])
    return _bank_names(plan, named.astype(object), names)


def _bank_names(plan: Plan, named: NDArray[np.object_], names: Mapping[str, Any]) -> NDArray[np.object_]:
    lines = plan.lines
    banks = (lines.superblock < 0) & (lines.rank == SECONDARY)
    for along, at, name in (
        (True, plan.river_row - 1, "滨江南路"),
        (True, plan.river_row + 1, "滨江北路"),
        (False, plan.stream_column - 1, names["stream"] + "西路"),
        (False, plan.stream_column + 1, names["stream"] + "东路"),
    ):
        named[banks & (lines.along_x == along) & (lines.at == at)] = name
    return named


def bridge_names(rivers: int, bridge: Ints, crossed: Sequence[str]) -> list[str]:
    """Name bridges after the street each carries: a 大桥 over the river (numbers below ``rivers``), else a 桥.

    crossed : name of the street on each bridge.
    """
    titles: list[str] = []
    for number, name in zip(bridge.tolist(), crossed, strict=True):
        plain = name.removesuffix("大道").removesuffix("路")
        plain = plain[:-1] if len(plain) > 2 and plain[-1] in "东西南北" else plain
        titles.append(plain + ("大桥" if number < rivers else "桥"))
    return titles


def person_names(count: int, names: Mapping[str, Any], rng: np.random.Generator) -> NDArray[np.object_]:
    """Return ``count`` different names of people; once the lists run out, names carry a number."""
    full = roots(list(names["surnames"]), list(names["given"]), rng)
    ending = names["given_ends"]
    turns = [
        f"{full[k % len(full)]}{ending}" + (f"（{k // len(full) + 1}）" if k >= len(full) else "") for k in range(count)
    ]
    return np.array(turns, dtype=object)
