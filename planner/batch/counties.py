"""What a province's folders and files are called: of which area a folder is, which layer a file holds."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from gis.datum import DATUMS
from gis.errors import RecordError
from layers.codes import GRID_CELL_DIGITS, LEVELS, normalise_code
from layers.records import LAYERS

#: A sentence in both languages.
Words: TypeAlias = tuple[str, str]
_LABEL = re.compile(r"\s*(\d+)(?:[\s_\-—]+(.*?))?\s*")
_LAYER_NAMES = {name: layer for layer, schema in LAYERS.items() for name in (layer, schema.zh)}
_ORDER = {layer: place for place, layer in enumerate(LAYERS)}
_PARTS = {str(level): place for place, level in enumerate(LEVELS)}


@dataclass(frozen=True, slots=True)
class County:
    """One county of a batch, or any other area with records of its own.

    code : of 12 digits, or what stood in its place. source : a folder, a GeoPackage, or a store's address.
    fault : why nothing can be asked of it, None where something can.
    """

    code: str
    name: str
    source: str
    fault: Words | None = None


@dataclass(frozen=True, slots=True, order=True)
class Holding:
    """What a file's name says it holds; sorts into the order in which files are imported.

    part : the tier of areas, "" where the codes tell. datum : one of gis.datum.DATUMS.
    """

    place: tuple[int, int]
    layer: str
    part: str
    datum: str


def county_of(label: str, name: str, source: str) -> County:
    """Return the county that ``label`` names: a code such as 320102, and perhaps a name behind it (320102 玄武区)."""
    match = _LABEL.fullmatch(label)
    try:
        code = normalise_code(match[1] if match else label)
    except RecordError as error:
        return County(label, name, source, (error.zh, error.en))
    if len(code) == GRID_CELL_DIGITS:
        return County(label, name, source, (f"{code} 是网格，不是区县", f"{code} is a grid cell, not a county"))
    return County(code, name or (match[2] if match and match[2] else ""), source)


def told_apart(counties: Iterable[County]) -> list[County]:
    """Return counties in the order of their codes; where several bear one code, none of them can be asked."""
    by_code: dict[str, list[County]] = defaultdict(list)
    for county in counties:
        by_code[county.code].append(county)
    told = []
    for code, same in sorted(by_code.items()):
        listed = ", ".join(county.source for county in same)
        twice = (f"代码 {code} 出现 {len(same)} 次：{listed}", f"code {code} stands {len(same)} times: {listed}")
        told.append(replace(same[0], fault=twice) if len(same) > 1 and same[0].fault is None else same[0])
    return told


def holding_of(stem: str, datum: str = "wgs84") -> Holding | None:
    """Return what a file (or a layer of a GeoPackage) called ``stem`` holds; None where the name is no layer's.

    The name of a layer in English or Chinese, then what may follow after hyphens: the tier of areas, the datum
    (``datum`` where it is left out), anything else. streets, areas-community, 服务点-gcj02.
    """
    name = re.sub(r"[\s_]+", "-", stem.strip().lower())
    known = next((n for n in _LAYER_NAMES if name == n or name.startswith(f"{n}-")), None)
    if known is None:
        return None
    layer, words = _LAYER_NAMES[known], name[len(known) :].split("-")
    part = next((word for word in words if word in _PARTS and layer == "areas"), "")
    datum = next((word for word in words if word in DATUMS), datum)
    return Holding((_ORDER[layer], _PARTS.get(part, 0)), layer, part, datum)
