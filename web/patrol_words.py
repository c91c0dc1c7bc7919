"""What a patrol's figures, steps and directions are called, and the colours of its crews."""

import datetime as dt
import math

from web.drawing import both

#: Okabe and Ito's palette for all eyes, its yellow darkened and black left to the marks; then darker cousins.
#: Numbers on map and list tell apart what colours no longer do.
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b07d00", "#6a3d9a", "#8c510a", "#005f4b", "#a50f15",
)  # fmt: skip
LEFT_COLOUR, LEFT_MUST_COLOUR, GROUND_COLOUR = "#8a8a8a", "#b3001b", "#d9d7d0"
CHECK_COLOUR = "#111111"
STAR = "★"
DOING = {"walk": ("步行", "walk"), "ebike": ("骑行", "ride"), "drive": ("驾车", "drive")}
SIDES = {"both": ("两侧", "both sides"), "left": ("看左侧", "left side"), "right": ("看右侧", "right side")}
UNNAMED = ("无名路", "unnamed lane")
ENDED = {
    "settled": ("搜索已稳定", "search settled"),
    "time": ("限时内最好", "best in time"),
    "cancelled": ("提前停止", "stopped early"),
}
_WEEKDAYS = (("周一", "Mon"), ("周二", "Tue"), ("周三", "Wed"), ("周四", "Thu"), ("周五", "Fri"), ("周六", "Sat"),
             ("周日", "Sun"))  # fmt: skip
_COMPASS = (("东", "east"), ("东北", "north-east"), ("北", "north"), ("西北", "north-west"), ("西", "west"),
            ("西南", "south-west"), ("南", "south"), ("东南", "south-east"))  # fmt: skip


def colour(number: int) -> str:
    """Return the colour of the ``number``-th crew, from 1."""
    return COLOURS[(number - 1) % len(COLOURS)]


def compass(degrees: float) -> tuple[str, str]:
    """Name a heading, in degrees counter-clockwise from east, by the nearest of eight directions."""
    return _COMPASS[round(degrees / 45.0) % 8]


def weekday(date: str) -> tuple[str, str]:
    """Return the day of the week of an ISO date."""
    return _WEEKDAYS[dt.date.fromisoformat(date).weekday()]


def clock(moment: str) -> str:
    """Return the hour and minute of an ISO datetime, to the nearest minute."""
    at = dt.datetime.fromisoformat(moment) + dt.timedelta(seconds=30)
    return f"{at:%H:%M}"


def minutes(seconds: float) -> str:
    """Return whole minutes; less than one and not nothing is "<1", a dash for NaN."""
    if math.isnan(seconds):
        return "—"
    return "<1" if 0 < seconds < 30 else f"{math.floor(seconds / 60 + 0.5):d}"


def metres(length: float) -> str:
    """Return a length to walk: to the metre below 100 m, to ten metres below a kilometre, else in km."""
    # a number stays on one line with its unit
    if length < 99.5:
        return f"{length:.0f}\u00a0m"
    return f"{math.floor(length / 10 + 0.5) * 10:d}\u00a0m" if length < 995 else f"{length / 1000:.2f}\u00a0km"


def km(length: float) -> str:
    """Return a length in kilometres."""
    return f"{length / 1000:.1f} km"


def percent(part: float, whole: float) -> str:
    """Return a share in percent, a dash of nothing."""
    return f"{part / whole:.0%}" if whole > 0 else "—"


def street(name: str, near: str) -> tuple[str, str]:
    """Name a street in both languages, an unnamed one by a named street near it."""
    if name:
        return name, name
    zh, en = UNNAMED
    return (f"{zh}（{near}附近）", f"{en} (near {near})") if near else (zh, en)


def night(date: str) -> str:
    """Return a date with its weekday."""
    return f"{date} {both(weekday(date))}"
