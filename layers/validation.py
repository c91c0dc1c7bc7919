"""Rows from outside become records here and nowhere else: accepted + rejected = given, every rejection has a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from gis.errors import RecordError
from gis.file_writing import csv_bytes
from gis.notes import LamplightNote
from layers.codes import AREA_DIGITS, LEVEL_ZH, Level, level_of, parent_of
from layers.columns import FieldSource, field_sources, missing_required
from layers.parsing import Parsed, parse_column, text_of
from layers.reasons import REASONS
from layers.records import Field, LayerSchema, layer_schema
from layers.rows import canonical_table
from layers.shapes import EXPECTED, check_shapes, outside

Mask = NDArray[np.bool_]
#: Fields that must not lie in the future: what was found or verified has happened.
NOT_IN_FUTURE = frozenset({"found_at", "last_verified", "walked_from"})
_SPANS = {"valid_to": "valid_from", "until_date": "from_date", "walked_until": "walked_from"}
_ROLE_LEVEL = {"supervisor": Level.SUBDISTRICT, "assistant": Level.COMMUNITY}


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What validation knows beside the rows.

    now : local time of the city, naive; timezone : its name. boundary : of the city, WGS84, None if not imported yet.
    known_codes : codes of the areas and grid cells imported so far. known_segments : ids of the streets, for duties;
    known_points : codes of service points and rescue stations, for the roster.
    columns : field -> column of the file, where the user says so.
    """

    now: datetime
    timezone: str = "Asia/Shanghai"
    boundary: BaseGeometry | None = None
    known_codes: frozenset[str] = frozenset()
    known_segments: frozenset[int] = frozenset()
    known_points: frozenset[str] = frozenset()
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Validated:
    """The verdict on every row.

    accepted : records in canonical form (see ``layers.rows``). rejected : one line a row left out: ``row`` (1 is the
    first), ``code``, ``zh``, ``en``, then the columns as given. warnings : what was mended, guessed or looks odd.
    """

    accepted: gpd.GeoDataFrame
    rejected: pd.DataFrame
    warnings: tuple[LamplightNote, ...]


class _Verdicts:
    """The first reason against each row, as checks are made in order."""

    def __init__(self, n: int) -> None:
        self.code = np.full(n, None, object)
        self.words: list[dict[str, object]] = [{} for _ in range(n)]
        self.nameless_functions = np.zeros(n, bool)

    @property
    def standing(self) -> Mask:
        return np.asarray(self.code == None)  # noqa: E711 - elementwise on an object array

    def reject(self, mask: Mask, code: str, values: pd.Series | None = None, **words: Any) -> None:
        for i in np.flatnonzero(mask & self.standing):
            self.code[i] = code
            shown = {} if values is None else {"value": text_of(values.iloc[i])[:60]}
            self.words[i] = {**words, **shown}

    def sentence(self, i: int, language: int) -> str:
        return REASONS[self.code[i]][language].format(**self.words[i])


def validate(layer: str, table: gpd.GeoDataFrame, *, part: str = "", context: Context) -> Validated:
    """Check every row of ``table`` (WGS84, columns under any known heading) against the rules of ``layer``.

    part : the tier, for areas. Raises RecordError where a required column is absent altogether.
    """
    schema = layer_schema(layer)
    sources = field_sources(schema, [c for c in table.columns if c != "geometry"], context.columns)
    _require_columns(schema, table, sources)
    verdicts = _Verdicts(len(table))
    warnings: list[LamplightNote] = []
    records = pd.DataFrame(
        {f.name: _field_values(f, table, sources, verdicts, context) for f in schema.fields},
        index=range(len(table)),
    )
    if schema.has_geometry:
        records["geometry"] = _shapes(schema, table, records, verdicts, context, warnings)
    _check_dates(schema, records, verdicts, context)
    _check_codes(schema, records, part, verdicts, context, warnings)
    _check_duplicates(schema, records, verdicts)
    _warn_of_functions(verdicts, warnings)
    accepted = _with_ids(schema, records[verdicts.standing])
    return Validated(canonical_table(layer, accepted), _rejects(table, verdicts), tuple(warnings))


def write_rejects(rejected: pd.DataFrame, path: Path | str) -> None:
    """Write the rows left out as CSV (UTF-8 with a mark, so that spreadsheets read the Chinese)."""
    Path(path).write_bytes(csv_bytes(rejected))


def _require_columns(schema: LayerSchema, table: pd.DataFrame, sources: Mapping[str, FieldSource]) -> None:
    missing = [f for f in missing_required(schema, sources) if f.name != "community"]
    if missing and len(table):
        zh, en = "、".join(f"{f.zh}（{f.name}）" for f in missing), ", ".join(f.name for f in missing)
        listed = ", ".join(str(c) for c in table.columns if c != "geometry")
        raise RecordError(
            f"缺少必填列：{zh}；文件中的列：{listed}", f"required columns missing: {en}; the file has {listed}"
        )


def _field_values(
    spec: Field,
    table: pd.DataFrame,
    sources: Mapping[str, FieldSource],
    verdicts: _Verdicts,
    context: Context,
) -> pd.Series:
    """Read one field of every row, reject what cannot be read, and put its default where nothing stands."""
    source = sources.get(spec.name)
    if source is None:
        if spec.name == "functions":
            verdicts.nameless_functions = np.ones(len(table), bool)
        return pd.Series([spec.default] * len(table), dtype=object)
    column = table[source.column].reset_index(drop=True)
    parsed = parse_column(spec, column, factor=source.factor, timezone=context.timezone)
    names: dict[str, Any] = {"field": spec.name, "field_zh": spec.zh}
    needed = np.ones(len(table), bool)
    if spec.kind == "code" and not spec.required and "geometry" in table:
        needed = np.asarray(shapely.is_missing(np.asarray(table["geometry"], object)))  # a place needs no area code
    verdicts.reject(parsed.wrong & needed, parsed.reason, column, **names)
    if spec.required:
        verdicts.reject(parsed.blank, "missing_value", **names)
    if spec.lowest is not None:
        verdicts.reject(_numbers(parsed) < spec.lowest, "negative", column, lowest=spec.lowest, **names)
    if spec.highest is not None:
        verdicts.reject(_numbers(parsed) > spec.highest, "too_large", column, highest=spec.highest, **names)
    if spec.name == "functions":
        verdicts.nameless_functions = parsed.blank
    return _filled(spec, parsed)


def _warn_of_functions(verdicts: _Verdicts, warnings: list[LamplightNote]) -> None:
    count = int((verdicts.nameless_functions & verdicts.standing).sum())
    if count:
        warnings.append(
            LamplightNote(
                f"{count} 个服务点未写服务功能，按四项全有计", f"{count} points name no function: taken for all four"
            )
        )


def _numbers(parsed: Parsed) -> NDArray[np.float64]:
    return pd.to_numeric(parsed.values, errors="coerce").to_numpy(np.float64)


def _filled(spec: Field, parsed: Parsed) -> pd.Series:
    unread = parsed.blank | parsed.wrong
    if spec.kind == "datetime":
        return parsed.values
    if spec.kind == "number" and spec.default is None:
        return parsed.values.where(~unread)
    return parsed.values.astype(object).where(~unread, spec.default)


def _shapes(
    schema: LayerSchema,
    table: pd.DataFrame,
    records: pd.DataFrame,
    verdicts: _Verdicts,
    context: Context,
    warnings: list[LamplightNote],
) -> NDArray[np.object_]:
    """Check geometries; a row of population or of duties may do without one if it says otherwise where it is."""
    given = table["geometry"] if "geometry" in table else pd.Series([None] * len(table), dtype=object)
    if schema.name == "patrol-duties":  # where a segment runs is for the streets to say
        given = given.reset_index(drop=True).astype(object).where(records["segment_id"].isna(), None)
    checked = check_shapes(schema.geometry, np.asarray(given, object))
    expected_zh, expected = EXPECTED[schema.geometry]
    verdicts.reject(checked.off_globe, "bad_coordinates")
    verdicts.reject(checked.wrong_kind, "wrong_geometry", expected=expected, expected_zh=expected_zh)
    verdicts.reject(checked.invalid, "invalid_geometry")
    shapes = checked.shapes
    if schema.name == "population":
        shapes = _place_or_area(records, shapes, verdicts)
    elif schema.name == "patrol-duties":
        _segment_place_or_area(records, shapes, verdicts)
    else:
        verdicts.reject(checked.absent, "no_coordinates" if schema.geometry == "point" else "no_geometry")
    if schema.geometry != "line":  # streets beyond the boundary are the way round
        beyond = verdicts.standing.copy()
        beyond[beyond] = outside(shapes[beyond], context.boundary)
        verdicts.reject(beyond, "outside_city")
    repaired = int((checked.repaired & verdicts.standing).sum())
    if repaired:
        warnings.append(LamplightNote(f"修复了 {repaired} 个无效图形", f"{repaired} invalid geometries were mended"))
    return shapes


def _place_or_area(records: pd.DataFrame, shapes: NDArray[np.object_], verdicts: _Verdicts) -> NDArray[np.object_]:
    """Make each population row one or the other: a place, or an area's total.

    A row with both is a place where its code is a community's or a grid cell's (the place is the finer statement), and
    a total where its code is a whole subdistrict's or more (whose people do not live in one spot).
    """
    code = records["area_code"]
    has_code = code.notna().to_numpy()
    verdicts.reject(~has_code & shapely.is_missing(shapes), "no_place")
    coarse = code.map(
        lambda c: isinstance(c, str) and len(c) == AREA_DIGITS and level_of(c) is not Level.COMMUNITY
    ).to_numpy(bool)
    shapes = shapes.copy()
    shapes[coarse] = None
    records["area_code"] = code.where(shapely.is_missing(shapes), None)
    return shapes


def _segment_place_or_area(records: pd.DataFrame, shapes: NDArray[np.object_], verdicts: _Verdicts) -> None:
    """Make each duty one of three: a segment, a check at a place, or an area's streets; the finer statement stands."""
    placed = records["segment_id"].notna().to_numpy() | ~shapely.is_missing(shapes)
    verdicts.reject(~placed & records["area_code"].isna().to_numpy(), "no_duty_place")
    records["area_code"] = records["area_code"].where(~placed, None)


def _check_dates(schema: LayerSchema, records: pd.DataFrame, verdicts: _Verdicts, context: Context) -> None:
    for spec in schema.fields:
        if spec.name in NOT_IN_FUTURE:
            late = pd.to_datetime(records[spec.name], errors="coerce") > pd.Timestamp(context.now)
            names = {"field": spec.name, "field_zh": spec.zh}
            verdicts.reject(late.to_numpy(), "future_date", records[spec.name], **names)
        if spec.name in _SPANS:
            start = pd.to_datetime(records[_SPANS[spec.name]], errors="coerce")
            end = pd.to_datetime(records[spec.name], errors="coerce")
            verdicts.reject((end < start).to_numpy(), "date_order")


def _check_codes(
    schema: LayerSchema,
    records: pd.DataFrame,
    part: str,
    verdicts: _Verdicts,
    context: Context,
    warnings: list[LamplightNote],
) -> None:
    if schema.name == "areas":
        levels = records["code"].map(lambda c: level_of(c).value if c else "")
        verdicts.reject((levels != part).to_numpy() & verdicts.standing, "wrong_level", records["code"])
        records["name"] = records["name"].where(records["name"] != "", records["code"])
        _warn_of_parents(records["code"][verdicts.standing], context, warnings)
    elif schema.name == "grid-cells":
        own = records["code"].map(lambda c: c[:AREA_DIGITS] if c else None)
        other = records["community"].notna() & (records["community"] != own)
        verdicts.reject(other.to_numpy(), "wrong_community", records["code"])
        records["community"] = own
        _warn_of_parents(records["code"][verdicts.standing], context, warnings)
    elif "area_code" in records:
        _warn_of_areas(records[verdicts.standing], context, warnings)
    if schema.name in {"patrol-duties", "patrol-effort"}:
        named = records["segment_id"][verdicts.standing].dropna()
        _warn_of_unknown(named[~named.isin(context.known_segments)], "路段", "a street segment", warnings)
    if schema.name == "roster":
        named = records["station"][verdicts.standing & (records["station"] != "").to_numpy()]
        _warn_of_unknown(named[~named.isin(context.known_points)], "驻点", "a station", warnings)


def _warn_of_unknown(unknown: pd.Series, zh: str, en: str, warnings: list[LamplightNote]) -> None:
    if len(unknown):
        first = text_of(unknown.iloc[0])
        warnings.append(
            LamplightNote(
                f"{len(unknown)} 行的{zh}不在已导入的数据中，如 {first}",
                f"{len(unknown)} rows name {en} that is not imported, such as {first}",
            )
        )


def _warn_of_parents(codes: pd.Series, context: Context, warnings: list[LamplightNote]) -> None:
    parents = codes.map(parent_of).dropna()
    tiers = {level_of(code) for code in context.known_codes if len(code) == AREA_DIGITS}
    orphans = parents[~parents.isin(context.known_codes) & parents.map(lambda p: level_of(p) in tiers)]
    if len(orphans):
        tier = LEVEL_ZH[level_of(orphans.iloc[0])]
        warnings.append(
            LamplightNote(
                f"{len(orphans)} 个代码的上级{tier}尚未导入，如 {orphans.iloc[0]}",
                f"the parent of {len(orphans)} codes is not among the areas imported, such as {orphans.iloc[0]}",
            )
        )


def _warn_of_areas(records: pd.DataFrame, context: Context, warnings: list[LamplightNote]) -> None:
    codes = records["area_code"].dropna()
    unknown = codes[~codes.isin(context.known_codes)]
    if len(unknown) and context.known_codes:
        warnings.append(
            LamplightNote(
                f"{len(unknown)} 行的区划代码尚无对应辖区，如 {unknown.iloc[0]}",
                f"{len(unknown)} rows name an area that is not imported, such as {unknown.iloc[0]}",
            )
        )
    if "role" in records:
        wanted = records["role"].map(_ROLE_LEVEL.get)
        tier = records["area_code"].map(lambda c: level_of(c) if len(c) == AREA_DIGITS else None)
        odd = int((wanted.notna() & (wanted != tier)).sum())
        if odd:
            warnings.append(
                LamplightNote(
                    f"{odd} 名督导员或协管员的代码不是街道或社区",
                    f"{odd} supervisors or assistants name an area of another tier",
                )
            )


def _check_duplicates(schema: LayerSchema, records: pd.DataFrame, verdicts: _Verdicts) -> None:
    """Leave out a row identical to one before it, where rows need no name, and a code that stood before.

    A street has one duty: a second one could only be planned by leaving out the first.
    """
    standing = verdicts.standing
    if schema.name in {"reports", "roster", "patrol-duties", "patrol-effort"}:
        comparable = records.copy()
        if "geometry" in comparable:
            comparable["geometry"] = shapely.to_wkb(np.asarray(comparable["geometry"], object))
        verdicts.reject(_repeated(comparable, standing), "duplicate_row")
    for name in (*schema.unique, *(("segment_id",) if schema.name == "patrol-duties" else ())):
        spec = schema.field(name)
        named = verdicts.standing & (records[name].notna() & (records[name].astype(str) != "")).to_numpy()
        again = _repeated(records[[name]], named)
        verdicts.reject(again, "duplicate_code", records[name], field=name, field_zh=spec.zh)


def _repeated(records: pd.DataFrame, among: Mask) -> Mask:
    repeated = np.zeros(len(records), bool)
    repeated[among] = records[among].duplicated().to_numpy()
    return repeated


def _with_ids(schema: LayerSchema, records: pd.DataFrame) -> pd.DataFrame:
    """Name the rows that came without an id, in canonical order, so that the order of the file does not show."""
    records = records.reset_index(drop=True)
    if not schema.id_prefix or not len(records):
        return records
    name = schema.unique[0]
    blank = (records[name] == "").to_numpy()
    if not blank.any():
        return records
    nameless = records[blank].assign(_row=np.flatnonzero(blank))
    bounds = shapely.bounds(np.asarray(nameless["geometry"], object))
    by = [f.name for f in schema.fields if f.name != name]
    order = nameless.assign(_x=bounds[:, 0], _y=bounds[:, 1]).sort_values([*by, "_x", "_y"], kind="stable")["_row"]
    taken = set(records[name])
    width = len(str(len(records)))
    ids = (f"{schema.id_prefix}{i:0{width}d}" for i in range(1, 2 * len(records) + 1))
    free = (candidate for candidate in ids if candidate not in taken)
    records[name] = records[name].astype(object)
    for row, candidate in zip(order, free, strict=False):
        records.loc[row, name] = candidate
    return records


def _rejects(table: pd.DataFrame, verdicts: _Verdicts) -> pd.DataFrame:
    out = np.flatnonzero(~verdicts.standing).tolist()
    reasons = pd.DataFrame(
        {
            "row": [i + 1 for i in out],
            "code": verdicts.code[out],
            "zh": [verdicts.sentence(i, 0) for i in out],
            "en": [verdicts.sentence(i, 1) for i in out],
        }
    )
    given = pd.DataFrame(table.drop(columns="geometry", errors="ignore")).iloc[out].reset_index(drop=True)
    clash = {c: f"given_{c}" for c in given.columns if c in reasons}
    return pd.concat([reasons, given.rename(columns=clash)], axis=1)
