"""Tables as sheets of one XLSX file: formatted, safe to open, and the same bytes for the same tables."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

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
_STAMP = datetime(2000, 1, 1)
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_HEAD_FILL = PatternFill("solid", fgColor="DCE6F1")
_WIDEST, _NARROWEST = 46, 9


class _UndatedZip(zipfile.ZipFile):
    """A zip whose members all bear one date, so that a file's bytes tell its content and not its age."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *args: Any, **kwargs: Any) -> None:
        """Add bytes under a name."""
        info = zipfile.ZipInfo(zinfo_or_arcname, _STAMP.timetuple()[:6])
        info.compress_type = self.compression
        super().writestr(info, data, *args, **kwargs)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **kwargs: Any) -> None:
        """Add a file's bytes under a name."""
        self.writestr(arcname, Path(filename).read_bytes())


def write(sheets: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write tables as sheets in order; a sheet's columns are shown as ``web.columns`` says.

    Text that begins like a formula stays text. NaN and infinity become empty cells.
    """
    book = Workbook(write_only=True)
    book.properties.creator = "Lamplight"
    book.properties.created = book.properties.modified = _STAMP
    for title, table in sheets.items():
        sheet = book.create_sheet(title)
        columns = [column(str(name)) for name in table.columns]
        values = [_values(table[name], c) for name, c in zip(table.columns, columns, strict=True)]
        sheet.freeze_panes = "C2" if len(columns) > 4 else "A2"
        for i, (c, shown) in enumerate(zip(columns, values, strict=True), 1):
            sheet.column_dimensions[get_column_letter(i)].width = _width(c, shown)
        sheet.row_dimensions[1].height = 32
        sheet.auto_filter.ref = f"A1:{get_column_letter(max(len(columns), 1))}{len(table) + 1}"
        sheet.append([_heading(sheet, c) for c in columns])
        for row in _rows(sheet, columns, values):
            sheet.append(row)
    with _UndatedZip(path, "w", zipfile.ZIP_DEFLATED) as archive:
        ExcelWriter(book, archive).write_data()


def _rows(sheet: Any, columns: list[Column], values: list[list[object]]) -> Iterator[list[object]]:
    # openpyxl writes a row as it is appended, so one styled cell per column serves every row: styling is what costs
    cells = []
    for c in columns:
        cell = WriteOnlyCell(sheet)
        cell.number_format = c.format
        cells.append(cell)
    for row in zip(*values, strict=True):
        yield [None if value is None else _filled(value, cell, sheet) for value, cell in zip(row, cells, strict=True)]


def _filled(value: object, cell: Any, sheet: Any) -> Any:
    if isinstance(value, str):
        if value.startswith(_FORMULA_SIGNS):
            cell = WriteOnlyCell(sheet)
            cell.number_format, cell.quotePrefix = TEXT, True
        cell.value = value
        cell.data_type = "s"
        return cell
    if isinstance(value, float) and cell.number_format == TEXT:
        cell = WriteOnlyCell(sheet)
    cell.value = value
    return cell


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
        return [v if ok else None for v, ok in zip(numbers.tolist(), np.isfinite(numbers).tolist(), strict=True)]
    return [_plain(v) for v in values]


def _plain(value: object) -> object:
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, (float, int)):
        return value
    return _ILLEGAL.sub("", str(value)) or None


def _width(c: Column, values: list[object]) -> float:
    heading = max(_cells(part) for part in (c.zh, c.en))
    longest = max((_cells(v) for v in values[:300] if isinstance(v, str)), default=0)
    return float(min(max(heading * 0.75 if longest == 0 else heading * 0.6, longest, _NARROWEST) + 2, _WIDEST))


def _cells(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)
