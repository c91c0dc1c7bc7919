"""A place of help in words: one function says whether it is open, for list, filter, page, label and interface alike."""

from datetime import date, datetime, timedelta
from math import ceil

from markupsafe import Markup, escape

from layers.hours import HoursState
from layers.public_holidays import Calendar
from layers.records import FUNCTIONS
from planner.nearby_route import DIRECTIONS, Step
from web.server.language import _, language

#: A record older than this may have changed since; the page says so.
STALE_DAYS = 180
#: How long before a year pages say that its holidays are not settled; the notice of the State Council is out by then.
YEAR_AHEAD = timedelta(days=31)


def state_name(state: HoursState | None) -> str:
    """Return "open", "closed" or "unknown": the name of a state in addresses, classes and symbols."""
    if state is None:
        return "unknown"
    return "open" if state.is_open else "closed"


def hours_words(state: HoursState | None, local_now: datetime) -> str:
    """Say whether a place is open and until when, in the reader's language.

    state : as ``PublicCity.hours_state`` gives it, None where hours are not stated. local_now : the city's clock,
    naive.
    """
    if state is None:
        return _("开放时间未注明")
    if state.changes_at is None:
        return _("全天 24 小时开放") if state.is_open else _("已关闭，未注明何时开放")
    if state.is_open:
        return _until_words(state.changes_at, local_now)
    return _("已关闭，%(time)s 开放", time=_moment_words(state.changes_at, local_now))


def _until_words(end: datetime, local_now: datetime) -> str:
    """Say until when a place is open; an end at midnight belongs to the day before it."""
    clock = f"{end:%H:%M}"
    day = end.date()
    if clock == "00:00":
        clock, day = "24:00", day - timedelta(days=1)
    if day == local_now.date():
        return _("开放至 %(clock)s", clock=clock)
    if day == local_now.date() + timedelta(days=1):
        return _("开放至次日 %(clock)s", clock=clock)
    return _("开放至%(day)s %(clock)s", day=_day_words(day, local_now.date()), clock=clock)


def _moment_words(moment: datetime, local_now: datetime) -> str:
    clock = f"{moment:%H:%M}"
    if moment.date() == local_now.date():
        return _("今天 %(clock)s", clock=clock)
    if moment.date() == local_now.date() + timedelta(days=1):
        return _("明天 %(clock)s", clock=clock)
    return _("%(day)s %(clock)s", day=_day_words(moment.date(), local_now.date()), clock=clock)


def _day_words(day: date, today: date) -> str:
    """Name a day to come: by its weekday within a week, which no other day then bears, else by its date."""
    if 0 < (day - today).days < 7:
        return weekday_words()[day.weekday()]
    return date_words(day) if day.year == today.year else f"{day:%Y-%m-%d}"


def weekday_words() -> tuple[str, ...]:
    """Return the days of the week, Monday first."""
    return _("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日")


def date_words(day: date) -> str:
    """Return a day of this year: "10月1日（周四）"."""
    weekday = weekday_words()[day.weekday()]
    return _("%(month)s月%(day)s日（%(weekday)s）", month=_month_words(day.month), day=day.day, weekday=weekday)


def coming_day_words(day: date, calendar: Calendar) -> Markup:
    """Return a day with what is special about it: "10月1日（周四）国庆节", "10月10日（周六，调休）"."""
    special = calendar.special(day)
    if special is None:
        return escape(date_words(day))
    if special.kind == "workday":
        weekday, month = weekday_words()[day.weekday()], _month_words(day.month)
        return escape(_("%(month)s月%(day)s日（%(weekday)s，调休）", month=month, day=day.day, weekday=weekday))
    names = [_holiday_word(name) for name in special.name.split("、") if name] or [escape(_("节假日"))]
    name = escape(_("、")).join(names)
    return Markup(_("%(day)s%(name)s")) % {"day": date_words(day), "name": name}


def _holiday_word(name: str) -> Markup:
    words = {
        "元旦": _("元旦"), "春节": _("春节"), "清明节": _("清明节"), "劳动节": _("劳动节"), "端午节": _("端午节"),
        "中秋节": _("中秋节"), "国庆节": _("国庆节"),
    }  # fmt: skip
    return escape(words[name]) if name in words else named(name)


def unsettled_words(calendar: Calendar, today: date) -> str:
    """Say that the make-up workdays of this or the coming year are not known; "" where they are."""
    years = {today.year, (today + YEAR_AHEAD).year}
    unknown = min((year for year in years if not calendar.knows(year)), default=None)
    if unknown is None:
        return ""
    return _("%(year)d 年的放假调休安排尚未录入：节假日按法律规定推算，调休上班日未计入。", year=unknown)


def _month_words(month: int) -> str:
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return str(month) if language() == "zh" else names[month - 1]


def function_word(function: str) -> str:
    """Say what a function is called."""
    words = {
        "reception": _("接待咨询"), "reporting": _("发现报告"), "guidance": _("救助引导"),
        "temporary_service": _("临时服务"),
    }  # fmt: skip
    return words[function]


def function_words(functions: str) -> list[str]:
    """Say what a point's comma list of functions are called, in their order."""
    return [function_word(one) for one in FUNCTIONS if one in functions.split(",")]


def mode_words(mode: str) -> str:
    """Say how a point is run; "" where that is not stated."""
    words = {
        "embedded": _("设在便民服务中心等场所内"), "merged": _("与社区综合服务站合设"),
        "joint": _("街道与社会力量合办"),
    }  # fmt: skip
    return words.get(mode, "")


def minutes_of(seconds: float) -> int:
    """Return whole minutes on foot, never too few."""
    return max(ceil(seconds / 60.0 - 1e-9), 1)


def walk_words(minutes: int) -> str:
    """Say how long a walk takes."""
    if minutes < 60:
        return _("步行约 %(minutes)d 分钟", minutes=minutes)
    return _("步行约 %(hours)d 小时 %(minutes)d 分钟", hours=minutes // 60, minutes=minutes % 60)


def metres_words(metres: float) -> str:
    """Say a length as one would on foot."""
    if metres >= 995:
        return _("%(length).1f 公里", length=metres / 1000)
    step = 10 if metres >= 50 else 5
    return _("%(length)d 米", length=max(round(metres / step) * step, step))


def named(text: str) -> Markup:
    """Return a name of the city's for a page: it is Chinese whatever the page's language, and a reader is told so."""
    return escape(text) if language() == "zh" else Markup('<span lang="zh-Hans">{}</span>').format(text)


def step_words(step: Step) -> Markup:
    """Return a step of a walk as pages say it."""
    street = named(step.name) if step.name else escape(_("无名小路"))
    said = {"street": street, "length": metres_words(step.metres)}
    if step.turn in DIRECTIONS:
        return Markup(_("%(direction)s，沿%(street)s走 %(length)s")) % {"direction": _direction_word(step.turn), **said}
    return Markup(_("%(turn)s，沿%(street)s走 %(length)s")) % {"turn": _turn_words(step.turn), **said}


def _direction_word(direction: str) -> str:
    words = {
        "east": _("向东"), "north_east": _("向东北"), "north": _("向北"), "north_west": _("向西北"),
        "west": _("向西"), "south_west": _("向西南"), "south": _("向南"), "south_east": _("向东南"),
    }  # fmt: skip
    return words[direction]


def _turn_words(turn: str) -> str:
    words = {
        "straight": _("直行"), "slight_left": _("稍向左"), "left": _("左转"), "slight_right": _("稍向右"),
        "right": _("右转"), "back": _("掉头"),
    }  # fmt: skip
    return words.get(turn, _("直行"))


def verified_words(verified: date, today: date) -> str:
    """Say how long ago a record was last verified."""
    days = max((today - verified).days, 0)
    if days == 0:
        return _("今天")
    if days < 60:
        return _("%(days)d 天前", days=days)
    if days < 730:
        return _("%(months)d 个月前", months=days // 30)
    return _("%(years)d 年前", years=days // 365)
