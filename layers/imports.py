"""One file becomes one layer: read, validated, checked for a wrong datum, and stored in one transaction."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from gis.errors import FileRefusedError, RecordError
from gis.files import read_table
from gis.network_build import STREET_SUFFIXES, build_network, network_to_records, read_network
from gis.notes import LamplightNote
from layers.codes import LEVELS, Level, level_of, normalise_code
from layers.columns import field_sources
from layers.datum_check import DatumSuspicion, guess_datum_shift
from layers.parsing import text_of
from layers.records import layer_schema
from layers.report_keeping import place_again
from layers.rows import canonical_table
from layers.store import Also, Store
from layers.surroundings import Surroundings, surroundings_of
from layers.validation import Context, Validated, validate
from layers.version_rows import LayerVersion, NewVersion

Progress = Callable[[str], None]
Notes = tuple[LamplightNote, ...]
#: What ``progress`` is told, in order.
STEPS = ("read", "validate", "store")


@dataclass(frozen=True, slots=True, eq=False)
class ImportReport:
    """What became of one file: given = accepted + rejected.

    versions : one a tier for areas, else one; empty where no row was accepted, and then nothing changed.
    rejects : one line a row left out (see ``layers.validation``). warnings : look here; notes : for the record.
    suspicions : tiers that were probably read in the wrong datum (said in the warnings too).
    """

    layer: str
    part: str
    versions: tuple[LayerVersion, ...]
    given: int
    accepted: int
    rejected: int
    rejects: pd.DataFrame
    warnings: tuple[LamplightNote, ...] = ()
    notes: tuple[LamplightNote, ...] = ()
    suspicions: tuple[DatumSuspicion, ...] = ()

    @property
    def version(self) -> LayerVersion | None:
        """The first version stored; None where no row was accepted."""
        return self.versions[0] if self.versions else None


@dataclass(frozen=True, slots=True, eq=False)
class LayerFile:
    """A file as read for a layer, before any row is judged.

    table : WGS84. encoding : how its text was decoded, "" where the format fixes that. notes : repairs, assumptions.
    """

    table: gpd.GeoDataFrame
    encoding: str
    notes: Notes


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """What would become of a file's rows: given = accepted + rejected.

    tables, verdicts : by tier for areas, else under "". suspicions : as in ``ImportReport``.
    """

    tables: Mapping[str, gpd.GeoDataFrame]
    verdicts: Mapping[str, Validated]
    suspicions: tuple[DatumSuspicion, ...]

    @property
    def accepted(self) -> int:
        """How many rows stand."""
        return sum(len(verdict.accepted) for verdict in self.verdicts.values())

    @property
    def rejects(self) -> pd.DataFrame:
        """One line a row left out, in the order of the file."""
        return _rejects_by_row(self.tables, self.verdicts)

    @property
    def warnings(self) -> Notes:
        """What was mended, guessed or looks odd, a wrong datum first."""
        return (*(s.note for s in self.suspicions), *(w for v in self.verdicts.values() for w in v.warnings))


def import_file(
    store: Store,
    layer: str,
    path: Path | str,
    *,
    part: str | None = None,
    file_layer: str | None = None,
    encoding: str | None = None,
    datum: str = "wgs84",
    approximate: bool | None = None,
    columns: Mapping[str, str] | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
    also: Also | None = None,
) -> ImportReport:
    """Import ``path`` as ``layer``; the store changes only if the whole of it succeeds.

    part : the tier of areas; inferred from the codes where None, several tiers in one table becoming a version each.
    file_layer, encoding : which layer of the file, in which encoding, where it does not say so itself.
    datum : "wgs84", "gcj02" or "bd09", what the file's coordinates are in. approximate : whether its lines are a
    stand-in; None to go by "approx" or 近似 in the names. columns : field -> column, where headings do not tell.
    now : UTC, the clock's by default. progress : called at the start of each step with its name, "read",
    "validate" or "store". also : done last in the transaction that stores the layer, if any row is.

    Raises FileRefusedError, NetworkError, RecordError or StoreError; rows that break a rule are counted, not raised.
    """
    path, say, now = Path(path), progress or _silent, now or datetime.now(UTC)
    sha256 = file_sha256(path)
    say("read")
    read = read_layer_file(path, layer, file_layer=file_layer, encoding=encoding, datum=datum)
    say("validate")
    examined = examine(store, layer, read.table, part=part, datum=datum, columns=columns, now=now)
    verdicts, notes, warnings = examined.verdicts, read.notes, examined.warnings
    approx = _looks_approximate(path, file_layer) if approximate is None else approximate
    if approx:
        notes = (*notes, LamplightNote("边界或位置为近似，所有结果均会注明", "approximate: every result will say so"))
    say("store")
    new = [
        NewVersion(layer, p, v.accepted, path.name, sha256, _note(file_layer), len(v.rejected), approx, datum)
        for p, v in verdicts.items()
        if len(v.accepted)
    ]
    versions = tuple(store.import_layers(new, now=now, also=also)) if new else ()
    if layer == "areas" and versions:
        place_again(store, now=now)
    if not new:
        warnings = (*warnings, LamplightNote("没有一行可用，数据未变", "no row was accepted: nothing changed"))
    rejects, accepted = examined.rejects, examined.accepted
    shown = next(iter(verdicts)) if len(verdicts) == 1 else (part or "")
    return ImportReport(
        layer, shown, versions, accepted + len(rejects), accepted, len(rejects), rejects, warnings, notes,
        examined.suspicions,
    )  # fmt: skip


def examine(
    store: Store,
    layer: str,
    table: gpd.GeoDataFrame,
    *,
    part: str | None = None,
    datum: str = "wgs84",
    columns: Mapping[str, str] | None = None,
    now: datetime,
) -> Examined:
    """Judge the rows of a file that was read as ``datum``, beside what ``store`` holds; nothing is stored.

    Raises RecordError on a tier the layer has not, a column the file has not, or where a required one is absent.
    """
    schema = layer_schema(layer)
    if part is not None and part not in schema.parts:
        expected = ", ".join(filter(None, schema.parts)) or "-"
        raise RecordError(f"图层 {layer} 没有层级 {part}", f"layer {layer} has no level {part!r}: expected {expected}")
    around, given, table = surroundings_of(store), columns or {}, table.reset_index(drop=True)
    tables = _by_level(table, part, given) if layer == "areas" else {"": table}
    verdicts = {p: _validated(layer, t, p, around.context(layer, p, now, given)) for p, t in tables.items()}
    return Examined(tables, verdicts, _suspicions(around, layer, verdicts, datum))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; raises FileRefusedError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileRefusedError(f"无法读取文件 {path}：{reason}", f"cannot read {path}: {reason}") from None


def _silent(_: str) -> None:
    pass


def _note(file_layer: str | None) -> str:
    return f"layer {file_layer}" if file_layer else ""


def _looks_approximate(path: Path, file_layer: str | None) -> bool:
    names = f"{path.stem} {file_layer or ''}".lower()
    return "approx" in names or "近似" in names


def read_layer_file(
    path: Path, layer: str, *, file_layer: str | None = None, encoding: str | None = None, datum: str = "wgs84"
) -> LayerFile:
    """Read ``path`` for a layer; streets become a network on the way. Raises FileRefusedError or NetworkError."""
    if layer != "streets":
        read = read_table(path, layer=file_layer, encoding=encoding, datum=datum)
        return LayerFile(read.table, read.encoding, tuple(read.notes))
    used = ""
    if path.name.lower().endswith(STREET_SUFFIXES):
        if datum != "wgs84":
            raise RecordError("OSM 数据总是 WGS84", "OpenStreetMap data is always WGS84: leave the datum out")
        network, notes = read_network(path)
    else:
        read = read_table(path, layer=file_layer, encoding=encoding, datum=datum)
        network, more = build_network(read.table)
        used = read.encoding
        notes = (*read.notes, *more)
        if network.n_segments != len(read.table):
            n, m = len(read.table), network.n_segments
            notes = (*notes, LamplightNote(f"文件 {n} 行成为 {m} 个路段", f"{n} rows of the file became {m} segments"))
    return LayerFile(network_to_records(network), used, tuple(notes))


def _validated(layer: str, table: gpd.GeoDataFrame, part: str, context: Context) -> Validated:
    if layer == "streets":  # a network is valid by construction
        return Validated(canonical_table(layer, table), pd.DataFrame(columns=["row", "code", "zh", "en"]), ())
    return validate(layer, table, part=part, context=context)


def _rejects_by_row(tables: Mapping[str, gpd.GeoDataFrame], verdicts: Mapping[str, Validated]) -> pd.DataFrame:
    """Return the rejects of every part in the order of the file, ``row`` counting the file's rows, not the part's."""
    rejects = [
        v.rejected.assign(row=tables[part].index.to_numpy()[v.rejected["row"].to_numpy(np.int64) - 1] + 1)
        for part, v in verdicts.items()
    ]
    return pd.concat(rejects, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)


def _suspicions(
    around: Surroundings, layer: str, verdicts: Mapping[str, Validated], datum: str
) -> tuple[DatumSuspicion, ...]:
    found = []
    for part, verdict in verdicts.items():
        references = around.references(layer, part, verdict.accepted, datum) if len(verdict.accepted) else []
        if references:
            found.append(guess_datum_shift(verdict.accepted.geometry.to_numpy(), references, declared=datum))
    return tuple(suspicion for suspicion in found if suspicion is not None)


def _by_level(table: gpd.GeoDataFrame, part: str | None, columns: Mapping[str, str]) -> dict[str, gpd.GeoDataFrame]:
    """Split areas by the tier their codes say; rows without a usable code go with the tier most rows have."""
    source = field_sources(layer_schema("areas"), list(table.columns), columns).get("code")
    if part is not None or source is None or not len(table):
        return {part or Level.SUBDISTRICT: table}
    levels = table[source.column].map(_level_or_none)
    if levels.notna().sum() == 0:
        return {Level.SUBDISTRICT: table}
    levels = levels.fillna(levels.mode().iloc[0])
    return {level.value: table[levels == level.value] for level in LEVELS if (levels == level.value).any()}


def _level_or_none(value: object) -> str | None:
    try:
        return level_of(normalise_code(text_of(value))).value
    except RecordError:
        return None
