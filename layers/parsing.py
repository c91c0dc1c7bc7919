"""Values of one column, read as the kind its field has: what can be read, and which rows cannot and why."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gis.errors import RecordError
from layers.codes import normalise_code
from layers.hours import OpeningHours
from layers.records import Field, normalise_word

_FLAG_WORDS = {
    **dict.fromkeys(("是", "true", "t", "yes", "y", "1", "1.0", "√", "不公开", "保密", "必巡"), True),
    **dict.fromkeys(("否", "false", "f", "no", "n", "0", "0.0", "×", "公开"), False),
}
_LATEST_MIN = 24 * 60
#: What spreadsheets hold where someone wrote 24:00.
_EXCEL_MIDNIGHT = frozenset({"1 day, 0:00:00", "1900-01-01 00:00:00"})
_WITH_ZONE = re.compile(r"\d{1,2}:\d{2}.*(?:Z|[+-]\d{2}:?\d{2})$")
#: Spreadsheets count days from here; these numbers span 1954 to 2064.
_EXCEL_ORIGIN, _EXCEL_DAYS = pd.Timestamp("1899-12-30"), (20_000, 60_000)


class Parsed(NamedTuple):
    """values : (n,) of the field's type where readable; blank, wrong : (n,) rows that hold nothing, that hold nonsense.

    reason : the code of every wrong row.
    """

    values: pd.Series
    blank: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    reason: str


def text_of(value: Any) -> str:
    """Return one cell as text without outer spaces: "" for an empty one, no ".0" on a number a spreadsheet made."""
    if value is None or (isinstance(value, float) and value != value) or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


def parse_column(field: Field, column: pd.Series, *, factor: float = 1.0, timezone: str = "Asia/Shanghai") -> Parsed:
    """Read ``column`` as ``field``'s kind.

    factor : what numbers are multiplied by; timezone : local time of the city, for times that name another zone.
    """
    column = column.reset_index(drop=True)
    if field.kind == "number" or field.kind == "integer":
        return _numbers(field, column, factor)
    if field.kind in {"date", "datetime"}:
        return _times(field, column, timezone)
    return _by_value(column, _READERS[field.kind], field)


def _by_value(column: pd.Series, read: Callable[[str, Field], Any], field: Field) -> Parsed:
    """Read each distinct text once; a reader raises ValueError on nonsense."""
    texts = column.map(text_of).astype(object)
    answers: dict[str, Any] = {"": None}
    nonsense: set[str] = set()
    for text in texts.unique():
        if text == "":
            continue
        try:
            answers[text] = read(text, field)
        except ValueError:
            nonsense.add(text)
            answers[text] = None
    values = pd.Series([answers[text] for text in texts], dtype=object)
    blank, wrong = (texts == "").to_numpy(), texts.isin(nonsense).to_numpy()
    return Parsed(values, blank, wrong, _REASON_OF_KIND.get(field.kind, "unknown_word"))


def _flag(text: str, _: Field) -> bool:
    word = normalise_word(text)
    if word not in _FLAG_WORDS:
        raise RecordError(f"不是是/否：{text}", f"neither yes nor no: {text!r}")
    return _FLAG_WORDS[word]


def _choice(text: str, field: Field) -> str:
    word = (field.choices or {}).get(normalise_word(text))
    if word is None:
        raise RecordError(f"无法识别：{text}", f"unknown word {text!r}: expected {', '.join(field.words)}")
    return word


def _choices(text: str, field: Field) -> str:
    parts = [part for part in re.split(r"[,，、;；/|+\n]+", text.strip("[]()（）")) if part.strip()]
    found = {_choice(part.strip(" '\""), field) for part in parts}
    return ",".join(word for word in field.words if word in found)


def _code(text: str, field: Field) -> str:
    code = normalise_code(text)
    if len(code) not in field.digits:
        raise RecordError(f"代码位数不符：{text}", f"{text!r} does not have {field.digits} digits")
    return code


def _words(text: str, _: Field) -> str:
    parts = (part.strip() for part in re.split(r"[,，、;；|\n]+", text))
    return ",".join(dict.fromkeys(filter(None, parts)))


def _time(text: str, _: Field) -> str:
    """Read 21:00, 21：00, 21点, 21点半, 次日2:00 or a spreadsheet's 21:00:00."""
    if text in _EXCEL_MIDNIGHT:
        return "24:00"
    plain = re.sub("次日| ", "", unicodedata.normalize("NFKC", text)).replace("半", "30")
    plain = re.sub("[点时]", ":", plain)
    match = re.fullmatch(r"(\d{1,2}):(\d{2})?(?:分|:00)?", plain)
    minute = int(match[1]) * 60 + int(match[2] or 0) if match else -1
    if match is None or not 0 <= minute <= _LATEST_MIN or int(match[2] or 0) > 59:
        raise RecordError(f"不是时刻：{text}（例：21:00）", f"not a time of day: {text!r} (expected e.g. 21:00)")
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _shift(text: str, field: Field) -> str:
    """Read 20:00-24:00, 22:00至次日2:00; the end may be of the next day, but not the start itself."""
    start, _, end = re.sub(r"[至到~～–—－]+", "-", text).partition("-")
    first, last = _time(start, field), _time(end, field)
    if first == last or first == "24:00":
        raise RecordError(f"班次无效：{text}", f"not a shift: {text!r} (expected e.g. 20:00-24:00)")
    return f"{first}-{last}"


_READERS: dict[str, Callable[[str, Field], Any]] = {
    "text": lambda text, _: text,
    "flag": _flag,
    "choice": _choice,
    "choices": _choices,
    "code": _code,
    "hours": lambda text, _: OpeningHours.parse(text).text,
    "words": _words,
    "time": _time,
    "shift": _shift,
}
_REASON_OF_KIND = {"code": "bad_code", "hours": "bad_hours", "time": "bad_time", "shift": "bad_shift"}


def _numbers(field: Field, column: pd.Series, factor: float) -> Parsed:
    if pd.api.types.is_numeric_dtype(column):
        values = column.astype("float64")
        blank = column.isna().to_numpy()
    else:
        texts = column.map(lambda v: unicodedata.normalize("NFKC", text_of(v)).replace(",", "").replace(" ", ""))
        if field.numbers:
            numbers = field.numbers
            texts = texts.map(lambda text: numbers.get(normalise_word(text), text))
        blank = (texts == "").to_numpy()
        values = pd.to_numeric(texts.where(~blank), errors="coerce").astype("float64")
    wrong = ~blank & ~np.isfinite(values.to_numpy())
    # 57.52 万 is 575,200 people, not 575,199.9999999999
    values = (values * factor).round(6) if factor != 1.0 else values
    if field.kind == "integer":
        wrong |= ~blank & (values.to_numpy() % 1 != 0)
    return Parsed(values, blank, wrong, "bad_number")


def _times(field: Field, column: pd.Series, timezone: str) -> Parsed:
    if pd.api.types.is_datetime64_any_dtype(column):
        times = column if column.dt.tz is None else column.dt.tz_convert(timezone).dt.tz_localize(None)
        blank = column.isna().to_numpy()
        return Parsed(_of_kind(field, times), blank, np.zeros(len(column), bool), "bad_date")
    texts = column.map(text_of).astype(object)
    blank = (texts == "").to_numpy()
    times = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us]")
    plain = texts.map(_iso)
    zoned = plain.map(lambda text: bool(_WITH_ZONE.search(text))).to_numpy(bool)
    for mask, aware in ((~zoned, False), (zoned, True)):
        if mask.any():
            found = pd.to_datetime(plain[mask], format="ISO8601", errors="coerce", utc=aware)
            times[mask] = (found.dt.tz_convert(timezone).dt.tz_localize(None) if aware else found).astype(
                "datetime64[us]"
            )
    return Parsed(_of_kind(field, times), blank, ~blank & times.isna().to_numpy(), "bad_date")


def _iso(text: str) -> str:
    """Rewrite 2024年3月1日 8点30分, 2024/3/1 8:30 or a spreadsheet's day number as ISO 8601."""
    plain = unicodedata.normalize("NFKC", text)
    if re.fullmatch(r"\d{5}(?:\.\d+)?", plain) and _EXCEL_DAYS[0] <= float(plain) <= _EXCEL_DAYS[1]:
        return (_EXCEL_ORIGIN + pd.Timedelta(days=float(plain))).round("s").isoformat()
    plain = re.sub(r"(\d)[年月/.](?=\d{1,2}(?:\D|$))", r"\1-", plain, count=2)
    plain = re.sub(r"(\d)[点时](\d{1,2})分?", r"\1:\2", plain.replace("日", " ").replace("月", "").strip())
    plain = re.sub(r"(\d)[点时]$", r"\1:00", plain)
    return re.sub(r"\s+", " ", re.sub(r"(^|[-\sT])(\d)(?=\D|$)", r"\g<1>0\2", plain))


def _of_kind(field: Field, times: pd.Series) -> pd.Series:
    if field.kind == "datetime":
        return times.astype("datetime64[us]")
    return pd.Series(np.where(times.isna(), None, times.dt.date.astype(object)), dtype=object)
