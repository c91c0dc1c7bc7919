"""Tables as sheets of one XLSX file: formatted, safe to open, and the same bytes for the same tables."""

import io
import re
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from web.columns import TEXT, Column, column

#: What XML 1.0 cannot hold, escaped or not.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: A cell holds no more.
MOST_CHARACTERS = 32_767
_STAMP = datetime(2000, 1, 1)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_HEAD_FILL = PatternFill("solid", fgColor="DCE6F1")
_WIDEST, _NARROWEST = 46, 9


class _Archive(zipfile.ZipFile):
    """The zip of a workbook: all members bear one date, and each sheet's rows are put in behind its heading.

    rows : the rows of each sheet in order, as XML. openpyxl writes everything else; of a cell it makes several
    objects and elements, which takes twenty times as long as writing it down.
    """

    def __init__(self, file: io.BytesIO, rows: list[str]) -> None:
        super().__init__(file, "w", zipfile.ZIP_DEFLATED, compresslevel=4)
        self._sheet_rows = iter(rows)

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **kwargs: Any) -> None:
        """Add bytes under a name."""
        info = zipfile.ZipInfo(zinfo_or_arcname, _STAMP.timetuple()[:6])
        info.compress_type = self.compression
        super().writestr(info, data, *args, **kwargs)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **kwargs: Any) -> None:
        """Add a sheet, which openpyxl keeps in a file, with its rows."""
        head, end, tail = Path(filename).read_bytes().partition(b"</sheetData>")
        self.writestr(arcname, head + next(self._sheet_rows).encode() + end + tail)


def write(sheets: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as sheets in order; a sheet's columns are shown as ``web.columns`` says.

    Text that begins like a formula stays text. NaN and infinity become empty cells.
    """
    book = Workbook(write_only=True)
    book.properties.creator = "Lamplight"
    book.properties.created = book.properties.modified = _STAMP
    rows = [_sheet(book.create_sheet(title), table) for title, table in sheets.items()]
    # in memory first: a path that cannot be written would leave openpyxl with half-open sheets to complain about
    whole = io.BytesIO()
    with _Archive(whole, rows) as archive:
        ExcelWriter(book, archive).write_data()
    path.write_bytes(whole.getbuffer())


def _sheet(sheet: Any, table: pd.DataFrame) -> str:
    """Set up a sheet with its heading; return its rows as XML."""
    columns = [column(str(name)) for name in table.columns]
    sheet.freeze_panes = "C2" if len(columns) > 4 else "A2"
    sheet.row_dimensions[1].height = 32
    sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{len(table) + 1}"
    written = []
    for i, (name, c) in enumerate(zip(table.columns, columns, strict=True), 1):
        letter = get_column_letter(i)
        values = _values(table[name], c)
        sheet.column_dimensions[letter].width = _width(c, values)
        written.append(_cells(sheet, letter, c, values))
    sheet.append([_heading(sheet, c) for c in columns])
    return "".join(f'<row r="{i}">{"".join(row)}</row>' for i, row in enumerate(zip(*written, strict=True), 2))


def _cells(sheet: Any, letter: str, c: Column, values: list[object]) -> list[str]:
    """Return a column's cells as XML, "" for an empty one."""
    shown, plain = _style(sheet, c.format), _style(sheet, "General" if c.format == TEXT else c.format)
    guarded = _style(sheet, TEXT, quoted=True)
    out = []
    for row, value in enumerate(values, 2):
        if value is None:
            out.append("")
        elif isinstance(value, str):
            style = guarded if value.startswith(_FORMULA_SIGNS) else shown
            out.append(f'<c r="{letter}{row}" s="{style}" t="inlineStr"><is>{_text(value)}</is></c>')
        else:
            out.append(f'<c r="{letter}{row}" s="{plain}"><v>{value!r}</v></c>')
    return out


def _style(sheet: Any, number_format: str, *, quoted: bool = False) -> int:
    cell = WriteOnlyCell(sheet)
    cell.number_format = number_format
    # with this mark a spreadsheet keeps the text as text even when the cell is edited
    cell.quotePrefix = quoted
    return int(cell.style_id)


def _text(value: str) -> str:
    space = ' xml:space="preserve"' if value != value.strip() or "\n" in value else ""
    return f"<t{space}>{escape(value)}</t>"


def _heading(sheet: Any, c: Column) -> Any:
    cell = WriteOnlyCell(sheet, c.heading)
    cell.data_type = "s"
    cell.font, cell.fill = Font(bold=True), _HEAD_FILL
    cell.alignment = Alignment(wrap_text=True, vertical="center")
    return cell


def _values(values: "pd.Series[Any]", c: Column) -> list[object]:
    """Return a column's cells: numbers in the unit shown, text without control characters, None for nothing."""
    if pd.api.types.is_bool_dtype(values):
        return ["是 yes" if v else "否 no" for v in values]
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(float) / c.divisor
        whole = pd.api.types.is_integer_dtype(values) and c.divisor == 1
        plain = values.tolist() if whole else np.round(numbers, 6).tolist()
        return [v if ok else None for v, ok in zip(plain, np.isfinite(numbers).tolist(), strict=True)]
    return [_plain(v) for v in values]


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, (float, int)):
        return value
    return _ILLEGAL.sub("", str(value))[:MOST_CHARACTERS] or None


def _width(c: Column, values: list[object]) -> float:
    heading = max(_ems(part) for part in (c.zh, c.en))
    longest = max((_ems(v) for v in values[:300] if isinstance(v, str)), default=0)
    return float(min(max(heading * 0.75 if longest == 0 else heading * 0.6, longest, _NARROWEST) + 2, _WIDEST))


def _ems(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)
