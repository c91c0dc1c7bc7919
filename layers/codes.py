"""Statistics codes of areas: 12 digits, 2 + 2 + 2 + 3 + 3, each tier a prefix of the next (统计用区划代码)."""

import re
from enum import StrEnum

from gis.errors import RecordError

#: A grid cell appends three digits to the code of its community.
AREA_DIGITS, GRID_CELL_DIGITS = 12, 15


class Level(StrEnum):
    """The four tiers of areas, from the city down."""

    CITY = "city"
    DISTRICT = "district"
    SUBDISTRICT = "subdistrict"
    COMMUNITY = "community"


LEVELS = tuple(Level)
LEVEL_ZH = {Level.CITY: "市", Level.DISTRICT: "区县", Level.SUBDISTRICT: "街道（乡镇）", Level.COMMUNITY: "社区（村）"}
PREFIX_DIGITS = {Level.CITY: 4, Level.DISTRICT: 6, Level.SUBDISTRICT: 9, Level.COMMUNITY: 12}
_ABOVE = {
    Level.DISTRICT: Level.CITY,
    Level.SUBDISTRICT: Level.DISTRICT,
    Level.COMMUNITY: Level.SUBDISTRICT,
}
_DIGITS = re.compile(r"(\d+)(?:\.0+)?")


def normalise_code(value: object) -> str:
    """Return the 12-digit code of an area, or the 15-digit code of a grid cell, from any usual spelling.

    value : 4, 6, 9, 12 or 15 digits as text, integer, or a float that a spreadsheet made of them ("320102.0").
    Raises RecordError on anything else, and on a province or the country, which are no tier here.
    """
    text = f"{value:.0f}" if isinstance(value, float) and value == value else str(value).strip()
    match = _DIGITS.fullmatch(text)
    if not match or len(match[1]) not in {4, 6, 9, AREA_DIGITS, GRID_CELL_DIGITS}:
        raise RecordError(
            f"区划代码无效：{text}（应为 12 位数字，或其前 4、6、9 位；网格为 15 位）",
            f"not an area code: {text!r} (expected 12 digits, or the first 4, 6 or 9 of them; 15 for a grid cell)",
        )
    code = match[1].ljust(AREA_DIGITS, "0")
    if code[2:4] == "00" or code.startswith("00"):
        raise RecordError(f"区划代码不属于任何城市：{text}", f"area code {text!r} belongs to no city")
    return code


def level_of(code: str) -> Level:
    """Return the tier of a 12-digit ``code``, read from its trailing zeros.

    A city without districts (东莞: 441900003000) has subdistricts right below it. Raises RecordError on a code that is
    not 12 digits or is a grid cell's.
    """
    if len(code) != AREA_DIGITS or not code.isdigit() or code[2:4] == "00":
        raise RecordError(f"区划代码无效：{code}", f"not a 12-digit area code: {code!r}")
    if code[9:] != "000":
        return Level.COMMUNITY
    if code[6:9] != "000":
        return Level.SUBDISTRICT
    return Level.DISTRICT if code[4:6] != "00" else Level.CITY


def parent_of(code: str) -> str | None:
    """Return the code of the area one tier up, by prefix; a grid cell's is its community, a city has None."""
    if len(code) == GRID_CELL_DIGITS:
        return code[:AREA_DIGITS]
    level = level_of(code)
    if level is Level.CITY:
        return None
    return ancestor_of(code, _ABOVE[level])


def ancestor_of(code: str, level: Level) -> str:
    """Return the code of the area of ``level`` that holds ``code`` (an area's or a grid cell's), by prefix."""
    return code[: PREFIX_DIGITS[level]].ljust(AREA_DIGITS, "0")


def code_range(code: str) -> tuple[str, str]:
    """Return (lowest, highest) code inside the area ``code``, itself and its grid cells included, compared as text."""
    prefix = code if len(code) == GRID_CELL_DIGITS else code[: PREFIX_DIGITS[level_of(code)]]
    return prefix.ljust(AREA_DIGITS, "0"), prefix.ljust(GRID_CELL_DIGITS, "9")
