"""Which column of a file holds which field: headings in Chinese or English, years and units in them understood."""

import re
import unicodedata
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from gis.errors import RecordError
from layers.records import Field, LayerSchema

_TEN_THOUSAND = re.compile(r"(?:\((?:万人?|wan)\)|万人?|_wan)$")
_UNIT = re.compile(r"\((?:人|米|m|km/h|公里/小时|张)\)$")
_YEAR = re.compile(r"(?:19|20)\d\d年?(?:末|底)?")


class FieldSource(NamedTuple):
    """The column a field is read from, and what its numbers are multiplied by (10,000 under a heading in 万)."""

    column: Hashable
    factor: float


def plain_heading(heading: object) -> tuple[str, float]:
    """Return a heading without case, spaces, year and unit, and the unit's factor: "人口(万)" -> ("人口", 10000)."""
    text = unicodedata.normalize("NFKC", str(heading)).strip().lower()
    bare = _TEN_THOUSAND.sub("", text)
    factor = 10_000.0 if bare != text and bare else 1.0
    text = _YEAR.sub("", _UNIT.sub("", bare or text))
    return re.sub(r"[\s_\-]+", "", text), factor


def field_sources(
    schema: LayerSchema, headings: Sequence[Hashable], given: Mapping[str, str] | None = None
) -> dict[str, FieldSource]:
    """Return the column of each field of ``schema`` that ``headings`` offer.

    given : field name -> column, where the user says so, "" for none; it comes before everything else. Then the
        field's own name, its Chinese name and its aliases, in that order; a column serves one field.
    Raises RecordError where ``given`` names a field or column that is not there.
    """
    given = given or {}
    _check_given(schema, headings, given)
    plain = {heading: plain_heading(heading) for heading in headings if heading != "geometry"}
    taken: set[Hashable] = set(given.values())
    sources = {name: FieldSource(column, plain[column][1]) for name, column in given.items() if column}
    # exact names of all fields first: an alias of one field never takes a column that bears another's name
    for names in (lambda f: (f.name, f.zh), lambda f: f.aliases):
        for field in schema.fields:
            found = None if field.name in sources or field.name in given else _first(plain, names(field), taken)
            if found is not None:
                sources[field.name] = FieldSource(found, plain[found][1])
                taken.add(found)
    return sources


def _first(plain: Mapping[Hashable, tuple[str, float]], names: Sequence[str], taken: set[Hashable]) -> Hashable | None:
    for name in names:
        wanted = plain_heading(name)[0]
        for heading, (text, _) in plain.items():
            if text == wanted and heading not in taken:
                return heading
    return None


def _check_given(schema: LayerSchema, headings: Sequence[Hashable], given: Mapping[str, str]) -> None:
    fields = [field.name for field in schema.fields]
    for name, column in given.items():
        if name not in fields:
            raise RecordError(
                f"图层 {schema.name} 没有字段 {name}（可用：{', '.join(fields)}）",
                f"layer {schema.name} has no field {name!r}: expected {', '.join(fields)}",
            )
        if column and column not in headings:
            listed = ", ".join(str(h) for h in headings if h != "geometry")
            raise RecordError(
                f"文件中没有列“{column}”（有：{listed}）", f"the file has no column {column!r}, only {listed}"
            )


def missing_required(schema: LayerSchema, sources: Mapping[str, FieldSource]) -> list[Field]:
    """Return the required fields that no column offers."""
    return [field for field in schema.fields if field.required and field.name not in sources]
