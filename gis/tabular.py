"""CSV and XLSX tables: encoding, separator, types, and which columns are the coordinates."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.coordinate_columns import place
from gis.errors import FileRefusedError
from gis.file_checks import Limits, open_packed
from gis.file_unpacking import Source
from gis.notes import LamplightNote

_TITLE_ROWS = 5
_EMPTY = {"", "na", "n/a", "nan", "null", "none", "-", "--", "无"}
_WHOLE = r"-?(0|[1-9]\d{0,10})"
_DECIMAL = r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|Inf|INF|infinity|Infinity)"
_GUARDED = r"^'(?=[=+@\-\t\r])"


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table as read: columns (unique names), geometries (n,) or None where it has no coordinates at all."""

    table: pd.DataFrame
    shapes: NDArray[np.object_] | None
    encoding: str
    notes: tuple[LamplightNote, ...]
    datum: str
    layer: str


# --- bytes to text -------------------------------------------------------------------------------------------------


def decode_text(raw: bytes, name: str, encoding: str | None) -> tuple[str, str, list[LamplightNote]]:
    """Decode text: the encoding asked for, else a byte order mark, else UTF-8, else GB18030 with a note."""
    if encoding is None and raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    tried = [encoding] if encoding else ["utf-8-sig", "gb18030"]
    for one in tried:
        try:
            text = raw.decode(one)
        except LookupError:
            raise FileRefusedError(f"不认识的编码“{one}”", f"unknown encoding {one!r}") from None
        except UnicodeDecodeError:
            continue
        notes = []
        if one == "gb18030" and encoding is None:
            notes.append(LamplightNote("按 GB18030 编码读取，请确认文字无误", "read as GB18030; please check the text"))
        return text, one.removesuffix("-sig"), notes
    raise FileRefusedError(
        f"{name}：文字不是 {'、'.join(tried)} 编码，请指明编码",
        f"{name}: text is not {' or '.join(tried)}; name its encoding",
    )


def _separator(text: str) -> str:
    """Pick the separator that splits the heading into most fields (ties: comma, semicolon, tab)."""
    heading = text.lstrip("\r\n").partition("\n")[0]
    return max(",;\t", key=lambda mark: len(next(csv.reader([heading], delimiter=mark), [])))


def read_csv_table(source: Source, encoding: str | None, datum: str, limits: Limits) -> PlainTable:
    """Read a CSV (also .gz; comma, semicolon or tab) with or without coordinates."""
    with open_packed(source.path) as stream:
        raw = stream.read(limits.max_bytes + 1)
    text, used, notes = decode_text(raw, source.name, encoding)
    if "\x00" in text:
        raise FileRefusedError(f"{source.name}：含有空字节，不是文本", f"{source.name}: holds null bytes, is no text")
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=_separator(text), header=None, dtype=str, keep_default_na=False,
            skip_blank_lines=True, nrows=limits.max_rows + _TITLE_ROWS + 2, skipinitialspace=True,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error, OverflowError) as fault:
        reason = " ".join(str(fault).split())[-120:]
        raise FileRefusedError(
            f"{source.name}：表格无法解读（{reason}）", f"{source.name}: unreadable table ({reason})"
        ) from None
    first = _heading_row([list(row) for row in frame.head(_TITLE_ROWS + 1).itertuples(index=False)], notes)
    heading = [str(c) for c in frame.iloc[first]]
    body = frame.iloc[first + 1 :].reset_index(drop=True)
    body.columns = _unique(heading, notes)
    typed = {name: typed_text(body[name].str.replace(_GUARDED, "", regex=True)) for name in body.columns}
    return _placed(pd.DataFrame(typed, index=body.index), source.stem, used, datum, notes)


def read_xlsx_table(source: Source, layer: str | None, datum: str, limits: Limits) -> PlainTable:
    """Read one sheet (the first unless named); formulas are not evaluated, their last stored value counts."""
    with _open_book(source) as book:
        title = chosen_layer(source, layer, book.sheetnames) or book.sheetnames[0]
        notes = other_layers(book.sheetnames, title) if layer is None else []
        rows = _sheet_rows(book[title], limits, source.name)
    if not rows:
        raise FileRefusedError(f"{source.name}：工作表是空的", f"{source.name}: the sheet is empty")
    rows = rows[_heading_row(rows[: _TITLE_ROWS + 1], notes) :]
    heading = _unique(["" if c is None else str(c) for c in rows[0]], notes)
    columns = {name: _cells(values) for name, values in zip(heading, zip(*rows[1:], strict=True), strict=False)}
    return _placed(pd.DataFrame(columns, columns=heading), title, "", datum, notes)


def sheet_titles(source: Source) -> list[str]:
    """Name the sheets of a workbook, in its order; raises FileRefusedError."""
    with _open_book(source) as book:
        return [str(title) for title in book.sheetnames]


@contextmanager
def _open_book(source: Source) -> Iterator[Any]:
    import openpyxl  # here alone: the other kinds need not wait for it

    try:
        book = openpyxl.load_workbook(source.path, read_only=True, data_only=True, keep_links=False)
        yield book
        book.close()
    except FileRefusedError:
        raise
    except Exception:  # openpyxl lets whatever its XML parser or its own assumptions raise through
        raise FileRefusedError(
            f"{source.name}：不是完好的 XLSX 文件", f"{source.name}: not a sound XLSX file"
        ) from None


def _sheet_rows(sheet: Any, limits: Limits, name: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    # The sheet's own word on its size may lie, in either direction.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True, max_col=limits.max_columns + 1):
        if any(c is not None and c != "" for c in row):
            rows.append(row)
        if len(rows) > limits.max_rows + 1:
            raise too_many(name, "行", "rows", len(rows), limits.max_rows)
    # Sheets are often formatted far beyond their last filled cell.
    width = max((i + 1 for r in rows for i, c in enumerate(r) if c is not None and c != ""), default=0)
    return [r[:width] + (None,) * (width - len(r)) for r in rows]


def _cells(values: Iterable[Any]) -> pd.Series:
    """Keep a column's type where all cells agree; otherwise everything is text."""
    cells = [None if v is None or (isinstance(v, str) and not v.strip()) else v for v in values]
    kinds = {type(c) for c in cells if c is not None}
    if kinds <= {int, float}:
        return pd.Series(cells, dtype="float64" if None in cells or float in kinds else "int64")
    if kinds <= {datetime, date}:
        if all(c is None or not isinstance(c, datetime) or c.time() == time() for c in cells):
            return pd.Series([c.date() if isinstance(c, datetime) else c for c in cells], dtype=object)
        return pd.Series(np.array(cells, "datetime64[us]"))
    if kinds == {bool}:
        return pd.Series(cells, dtype=object)
    return typed_text(pd.Series(["" if c is None else str(c) for c in cells], dtype=object))


# --- text to types --------------------------------------------------------------------------------------------------


def _heading_row(rows: Sequence[Sequence[Any]], notes: list[LamplightNote]) -> int:
    """Find the heading below titles: rows of one filled cell, as official lists have them, before one of several."""
    filled = [sum(c is not None and str(c).strip() not in ("", "nan") for c in row) for row in rows]
    at = next((i for i, n in enumerate(filled) if n > 1), 0)
    if at:
        notes.append(LamplightNote(f"表头上方有 {at} 行标题，已略过", f"{at} title rows above the heading skipped"))
    return at


def _unique(heading: list[str], notes: list[LamplightNote]) -> list[str]:
    """Name every column, once: blanks become column_3, a second "name" becomes "name_2"."""
    seen: set[str] = set()
    out = []
    for i, given in enumerate(heading):
        base = given.strip().strip("\ufeff") or f"column_{i + 1}"
        name, n = base, 2
        while name in seen:
            name, n = f"{base}_{n}", n + 1
        seen.add(name)
        out.append(name)
        if name != base:
            notes.append(LamplightNote(f"列名“{base}”重复，后者改为“{name}”", f"column {base!r} twice, now {name!r}"))
    return out


def typed_text(text: "pd.Series[str]") -> pd.Series:
    """Turn a column of text into whole or decimal numbers where every value is one.

    Text with leading zeros, or of 12 digits and more (area codes, identity numbers), stays text: it is a name.
    """
    clean = text.fillna("").astype(str).str.strip()
    empty = clean.str.lower().isin(_EMPTY)
    filled = clean[~empty]
    if len(filled) and filled.str.fullmatch(_WHOLE).all():
        return pd.to_numeric(clean.where(~empty)).astype("float64" if empty.any() else "int64")
    codes = filled.str.fullmatch(r"-?0\d+|\d{12,}")
    if len(filled) and not codes.any() and filled.str.fullmatch(_DECIMAL).all():
        return clean.where(~empty).astype("float64")
    return clean.where(clean != "", None).astype(object)


def _placed(table: pd.DataFrame, layer: str, encoding: str, datum: str, notes: list[LamplightNote]) -> PlainTable:
    rest, shapes, used = place(table, datum, notes)
    return PlainTable(rest, shapes, encoding, tuple(notes), used, layer)


# --- messages shared by the readers -----------------------------------------------------------------------------------


def too_many(name: str, zh: str, en: str, count: int, limit: int) -> FileRefusedError:
    """Say that a table is too long or too wide."""
    return FileRefusedError(f"{name}：{count:,} {zh}，超过上限 {limit:,}", f"{name}: {count:,} {en}, limit {limit:,}")


def chosen_layer(source: Source, layer: str | None, layers: list[str]) -> str | None:
    """Take the layer asked for, None for whichever is first; the file's own name also stands for that.

    Raises FileRefusedError, naming the layers there are, where it is none of them.
    """
    if layer in layers:
        return layer
    if layer in (None, source.stem):
        return None
    known = ", ".join(layers[:20] or [source.stem])
    raise FileRefusedError(
        f"{source.name}：没有图层“{layer}”，现有 {known}", f"{source.name}: no layer {layer!r}, there are {known}"
    )


def other_layers(layers: list[str], read: str) -> list[LamplightNote]:
    """Name the layers left unread, if any."""
    rest = ", ".join(n for n in layers if n != read)
    return [LamplightNote(f"读取图层“{read}”，未读：{rest}", f"read layer {read!r}; not read: {rest}")] if rest else []
