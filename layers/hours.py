"""Opening hours: OSM syntax or everyday Chinese in, one canonical OSM text kept, one answer to "is it open?"."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
import opening_hours as osm
from numpy.typing import NDArray

from gis.errors import RecordError
from layers.dated_hours import DAYS, MINUTES_A_DAY, is_open, never_closes, next_change, ordinary_spans
from layers.public_holidays import CHINA, COUNTRY, Calendar

MINUTES_A_WEEK = 10_080
#: Mondays of one ordinary week a quarter: a place counts as open at an hour of the week if it is so in all four.
_REFERENCE_MONDAYS = (date(2024, 1, 15), date(2024, 4, 15), date(2024, 7, 15), date(2024, 10, 14))

_EN_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ZH_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_ZH_DIGITS = {**{c: i for i, c in enumerate("一二三四五六日")}, "天": 6}
_WIDE = str.maketrans("：，；－—–～〜~（）　", ":,;------,, ")
_HAS_CHINESE = re.compile(r"[\u4e00-\u9fff]")

_DAY = r"(?:周|星期|礼拜)"
_PART_OF_DAY = "(?:次日|翌日|第二天|当日)?(?:上午|早上|早|中午|下午|晚上|晚|夜间|凌晨)?"
_CLOCK = rf"{_PART_OF_DAY}\s*\d{{1,2}}(?:\s*[:点时]\s*(?:\d{{1,2}}|半)?\s*分?)"
_DAY_CHARACTER = "[一二三四五六日天]"
_TOKENS = re.compile(
    rf"""
    (?P<no_holidays>(?:除)?(?:法定)?(?:节假日|假日|公休日)(?:除外|外))
  | (?P<days>{_DAY}{_DAY_CHARACTER}
      (?:\s*[至到-]\s*{_DAY}?\s*{_DAY_CHARACTER} | [一二三四五六日天、]*{_DAY_CHARACTER})?)
  | (?P<every>每天|每日|天天|全周|全年)
  | (?P<working>工作日)
  | (?P<weekend>周末|双休日)
  | (?P<holidays>(?:法定)?(?:节假日|假日|公休日|节日))
  | (?P<all_day>(?:7\s*[x×*]\s*)?24\s*(?:小时|h\b|H\b)|全天候?|昼夜)
  | (?P<times>{_CLOCK}\s*[至到-]\s*{_CLOCK})
  | (?P<closed>不开放|不营业|不上班|休息|关闭|闭馆|放假|停止服务)
  | (?P<noise>[\s,;、。:]|营业|开放|服务|接待|时间|无休|不休|照常|均|和|及|为|each)
    """,
    re.VERBOSE,
)

_DAY_OF_WEEK = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_TIMES = r"\d\d:\d\d-\d\d:\d\d"
_RULE = re.compile(rf"(?P<days>PH|{_DAY_OF_WEEK}(?:[,-]{_DAY_OF_WEEK})*) (?P<times>closed|{_TIMES}(?:,{_TIMES})*)")


@dataclass(frozen=True, slots=True, order=True)
class HourOfWeek:
    """A minute of the week without a date: weekday 0 (Monday) to 6 (Sunday), minute of the day 0 to 1439."""

    weekday: int
    minute: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.weekday <= 6 and 0 <= self.minute < MINUTES_A_DAY):
            raise RecordError(
                f"星期或时刻超出范围：{self.weekday} {self.minute}",
                f"no such minute of the week: weekday {self.weekday}, minute {self.minute}",
            )

    def label(self, language: str = "en") -> str:
        """Return "Sun 02:00", or "周日 02:00" for ``language`` "zh"."""
        days = _ZH_DAYS if language == "zh" else _EN_DAYS
        return f"{days[self.weekday]} {self.minute // 60:02d}:{self.minute % 60:02d}"

    def __str__(self) -> str:
        return self.label()


def parse_hour_of_week(text: str) -> HourOfWeek:
    """Return the hour of the week that "Sun 02:00", "Sunday 2:00", "周日 02:00" or "星期天2点" names.

    Raises RecordError on anything else.
    """
    plain = text.translate(_WIDE).strip()
    match = re.fullmatch(
        rf"(?:{_DAY}([一二三四五六日天])|([A-Za-z]{{2,9}})\.?)\s*,?\s*(\d{{1,2}})(?:[:点时](\d{{2}})?分?)", plain
    )
    weekday = _weekday(match[1], match[2]) if match else None
    if not match or weekday is None or int(match[3]) > 23 or int(match[4] or 0) > 59:
        raise RecordError(
            f"看不懂的时刻：{text}（例：周日 02:00）", f"not an hour of the week: {text!r} (expected e.g. 'Sun 02:00')"
        )
    return HourOfWeek(weekday, int(match[3]) * 60 + int(match[4] or 0))


def _weekday(chinese: str | None, english: str | None) -> int | None:
    if chinese:
        return _ZH_DIGITS[chinese]
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    found = [i for i, day in enumerate(full) if day.startswith((english or "").lower())]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class HoursState:
    """Whether a place is open at a moment; changes_at : the naive local time of the next change, None for never."""

    is_open: bool
    changes_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """When a place is open; ``text`` is canonical OSM syntax. Make one with ``OpeningHours.parse``."""

    text: str

    @staticmethod
    def parse(text: str) -> "OpeningHours":
        """Return the opening hours that ``text`` states, in OSM syntax or in Chinese.

        Chinese: 周一至周五 8:30-17:30；周六 9:00-12:00, 每天, 工作日 (weekdays but for public holidays), 24小时, 全天,
        节假日休息, 22:00-次日6:00, 上午9点到下午5点半. Raises RecordError on anything else, and on an empty text.
        """
        return OpeningHours(_canonical(text))

    def open_at(self, when: "datetime | HourOfWeek | int", minute: int = 0, *, calendar: Calendar = CHINA) -> bool:
        """Return whether the place is open.

        when : a naive local datetime (public holidays and make-up workdays of ``calendar`` count), or an hour of the
            week - an HourOfWeek, or a weekday 0 to 6 with ``minute`` of the day - which has no date, so holidays do not
            count and a place whose hours change with the season counts as open if it is so in every season. Raises
            RecordError on an aware datetime or an impossible minute.
        """
        if isinstance(when, datetime):
            return is_open(self.text, _local(when), calendar)
        moment = when if isinstance(when, HourOfWeek) else HourOfWeek(when, minute)
        return bool(self.week_minutes()[moment.weekday * MINUTES_A_DAY + moment.minute])

    def state_at(self, when: datetime, *, calendar: Calendar = CHINA) -> "HoursState":
        """Return whether the place is open at a naive local time, and when that changes next.

        On a holiday the rules for PH hold; a weekend day that is worked counts as a Friday; a night keeps the rules of
        the evening on which it began. Raises RecordError on an aware datetime.
        """
        minute = _local(when).replace(second=0, microsecond=0)
        return HoursState(is_open(self.text, minute, calendar), next_change(self.text, minute, calendar))

    def never_closes(self) -> bool:
        """Tell whether the place is open at all times, holidays included, however its hours say so."""
        return never_closes(self.text)

    def week_minutes(self) -> NDArray[np.bool_]:
        """Return (10080,) whether the place is open at each minute of the week, Monday 00:00 first; read-only."""
        return _week_minutes(self.text)

    def week_table(self) -> NDArray[np.bool_]:
        """Return (168,) whether the place is open on the stroke of each hour of the week, Monday 00:00 first."""
        return self.week_minutes()[::60].copy()

    def label(self, language: str = "en") -> str:
        """Return the hours for a reader: OSM text for "en", everyday Chinese for "zh"."""
        return _chinese(self.text) if language == "zh" else self.text


def _local(when: datetime) -> datetime:
    if when.tzinfo is not None:
        raise RecordError("开放时间按本地时间判断，不接受带时区的时间", "opening hours take naive local times")
    return when


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    plain = text.translate(_WIDE).strip()
    if not plain:
        raise RecordError("开放时间为空", "the opening hours are empty")
    expression = _osm_from_chinese(plain, text) if _HAS_CHINESE.search(plain) else _osm_from_plain(plain)
    try:
        once = str(osm.OpeningHours(expression, country=COUNTRY).normalize())
        return str(osm.OpeningHours(_keeping_nights(once), country=COUNTRY).normalize())
    except osm.ParserError:  # type: ignore[attr-defined]  # missing from the library's stub
        raise _unreadable(text) from None


def _keeping_nights(rules: str) -> str:
    """Let Friday's "22:00-06:00" run into Saturday although Saturday has a rule of its own.

    In OSM syntax a rule after ";" takes its whole day away from the rules before it, the small hours included; a
    person who writes hours weekday by weekday does not mean that. Where weekday rules do not overlap and one passes
    midnight they are joined with "," (which adds), and rules that only close a day no other rule opens are dropped.
    """
    split = [_RULE.fullmatch(rule.strip()) for rule in rules.split(";")]
    weekly = [m for m in split if m and m["days"] != "PH"]
    days = [day for m in weekly for day in _day_numbers(m["days"])]
    if None in split or len(weekly) < 2 or len(set(days)) < len(days) or not _passes_midnight(rules):
        return rules
    timed = ", ".join(m[0] for m in weekly if m["times"] != "closed")
    return "; ".join([timed, *(m[0] for m in split if m and m["days"] == "PH")])


def _day_numbers(days: str) -> list[int]:
    numbers = []
    for part in days.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        numbers += [(start + i) % 7 for i in range((end - start) % 7 + 1)]
    return numbers


def _passes_midnight(text: str) -> bool:
    return any(end <= start or end > "24:00" for start, end in re.findall(r"(\d\d:\d\d)-(\d\d:\d\d)", text))


def _unreadable(text: str) -> RecordError:
    return RecordError(
        f"看不懂的开放时间：{text}（例：周一至周五 8:30-17:30；周六 9:00-12:00）",
        f"cannot read the opening hours {text!r} (expected e.g. 'Mo-Fr 08:30-17:30; Sa 09:00-12:00')",
    )


def _osm_from_plain(text: str) -> str:
    if re.fullmatch(r"(?:7\s*[x*/]\s*)?24\s*(?:h|hrs?|hours?|[x*/]\s*7)", text, re.IGNORECASE):
        return "24/7"
    return text


def _osm_from_chinese(plain: str, text: str) -> str:
    """Rewrite a Chinese statement as OSM rules: day words open a rule, times and 休息 fill it."""
    rules: list[tuple[list[str], list[str]]] = []
    without_holidays = False
    at = 0
    while at < len(plain):
        token = _TOKENS.match(plain, at)
        if not token:
            raise _unreadable(text)
        at = token.end()
        kind, word = token.lastgroup or "", token[0]
        if kind == "noise":
            continue
        if kind == "no_holidays":
            without_holidays = True
        elif kind in {"times", "all_day", "closed"}:
            if not rules:
                rules.append(([], []))
            rules[-1][1].append({"all_day": "00:00-24:00", "closed": "off"}.get(kind) or _span(word))
        else:
            without_holidays |= kind == "working"
            if not rules or rules[-1][1]:
                rules.append(([], []))
            rules[-1][0].extend(_days(kind, word))
    if rules and not rules[-1][1]:
        rules[-1][1].extend(_implied_times(rules, plain, text))
    return _joined(rules, without_holidays)


def _implied_times(rules: list[tuple[list[str], list[str]]], plain: str, text: str) -> list[str]:
    # "8:30-17:30 每天": the days follow their times; "节假日不休" says what the rules before it say already
    if len(rules) == 2 and not rules[0][0]:
        return rules.pop(0)[1]
    if len(rules) > 1 and re.search("不休|无休|照常", plain):
        return rules[0][1]
    raise _unreadable(text)


def _joined(rules: list[tuple[list[str], list[str]]], without_holidays: bool) -> str:
    written = []
    for days, times in sorted(rules, key=lambda rule: "PH" in rule[0]):  # a later rule overrides: holidays last
        spans = ",".join(t for t in times if t != "off") or "off"
        written.append(" ".join(filter(None, [",".join(days), spans])))
    if without_holidays and not any("PH" in days for days, _ in rules):
        written.append("PH off")
    return "; ".join(written)


def _days(kind: str, word: str) -> list[str]:
    if kind != "days":
        return {"every": ["Mo-Su"], "working": ["Mo-Fr"], "weekend": ["Sa-Su"], "holidays": ["PH"]}[kind]
    found = [DAYS[_ZH_DIGITS[c]] for c in re.sub("周|星期|礼拜", "", word) if c in _ZH_DIGITS]
    return [f"{found[0]}-{found[1]}"] if re.search("[至到-]", word) else found


def _span(word: str) -> str:
    first, second = re.split(r"\s*[至到-]\s*", word, maxsplit=1)
    start, end = _minute(first), _minute(second)
    if (
        end < start
        and not re.search("次日|翌日|第二天|凌晨|上午|早", second)
        and start >= 720 > end
        and "下午" in first
    ):
        end += 720  # 下午2:00-5:30: the afternoon is said once
    return f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"


def _minute(clock: str) -> int:
    numbers = re.findall(r"\d+", clock)
    hour, minute = int(numbers[0]), 30 if "半" in clock else int(numbers[1]) if len(numbers) > 1 else 0
    if hour < 12 and (re.search("下午|晚|夜", clock) or ("中午" in clock and hour < 10)):
        hour += 12
    return hour * 60 + minute


@lru_cache(maxsize=4096)
def _week_minutes(text: str) -> NDArray[np.bool_]:
    open_ = np.ones(MINUTES_A_WEEK, bool)
    for monday in _REFERENCE_MONDAYS:
        week = np.zeros(MINUTES_A_WEEK, bool)
        for day in range(7):
            for start, end in ordinary_spans(text, monday + timedelta(days=day)):
                week[day * MINUTES_A_DAY + start : day * MINUTES_A_DAY + end] = True
        open_ &= week
    open_.flags.writeable = False
    return open_


def _chinese(text: str) -> str:
    if text == "24/7":
        return "全天 24 小时"
    plain = re.sub(r"; ?", "；", text).replace("closed", "休息").replace("off", "休息").replace("PH", "节假日")
    plain = re.sub(r"\b([A-Z][a-z])-([A-Z][a-z])\b", lambda m: f"{_zh_day(m[1])}至{_zh_day(m[2])}", plain)
    plain = re.sub(r"\b[A-Z][a-z]\b", lambda m: _zh_day(m[0]), plain)
    plain = re.sub(r"(\d\d:\d\d)-(\d\d):(\d\d)", _zh_span, plain)
    return "；".join(rule if re.search(r"\d|休息", rule) else f"{rule} 全天" for rule in plain.split("；"))


def _zh_span(span: re.Match[str]) -> str:
    start, hour, minute = span[1], int(span[2]), span[3]
    past_midnight = f"{hour:02d}:{minute}" <= start or f"{hour:02d}:{minute}" > "24:00"
    return f"{start}-{'次日' if past_midnight else ''}{hour - 24 if hour > 24 else hour:02d}:{minute}"


def _zh_day(day: str) -> str:
    return _ZH_DAYS[DAYS.index(day)] if day in DAYS else day
