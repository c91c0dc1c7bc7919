"""Words for hotspots: channels, states, classes of trends, methods, weather, and figures as people write them."""

import math
from collections.abc import Mapping
from typing import Any

Words = tuple[str, str]

CHANNEL_NAMES = {"patrol": ("巡查", "patrol"), "hotline": ("热线", "hotline"), "public": ("公众", "the public")}
STATE_NAMES = {
    "unknown": ("未巡查，情况不明", "not looked, unknown"),
    "none": ("看过，未发现", "looked, none found"),
    "found": ("有发现", "found"),
}
CELL_NAMES = {"square": ("方格", "squares"), "hexagon": ("六边形", "hexagons")}
RATE = ("可遇到的人数/周", "people who can be found per week")
MORAN_NAMES = {
    "HH": ("高—高", "high among high"),
    "LL": ("低—低", "low among low"),
    "HL": ("高—低", "high among low"),
    "LH": ("低—高", "low among high"),
}
#: Classes of cells over time, as the literature names them; each has a cold counterpart.
TREND_NAMES = {
    "new": ("新出现", "new"),
    "consecutive": ("连续", "consecutive"),
    "intensifying": ("加剧", "intensifying"),
    "persistent": ("持续", "persistent"),
    "diminishing": ("减弱", "diminishing"),
    "sporadic": ("零星", "sporadic"),
    "oscillating": ("波动", "oscillating"),
    "historical": ("历史", "historical"),
}
STEP_NAMES = {"month": ("月", "month"), "quarter": ("季度", "quarter"), "week": ("周", "week"), "year": ("年", "year")}
WEATHER_NAMES = {
    "mild": ("平常", "mild"), "cold": ("寒冷", "cold"), "hot": ("高温", "hot"), "wet": ("雨雪", "wet"),
    "usual": ("常年", "usual"), "": ("常年", "usual"),
}  # fmt: skip
MODEL_NAMES = {
    "space-time-permutation": ("时空置换", "space-time permutation"),
    "poisson": ("泊松（按巡查量）", "Poisson, by effort"),
    "bernoulli": ("伯努利", "Bernoulli"), "permutation": ("时空置换", "space-time permutation"),
}  # fmt: skip
ANALYSIS_NAMES = {
    "prospective": ("仍在持续的", "still going on"), "retrospective": ("全期任一段", "any time in the period"),
    "spatial": ("只看空间", "in space only"),
}  # fmt: skip
WINDOW_NAMES = {
    "circle": ("圆", "circles"),
    "ellipse": ("椭圆", "ellipses"),
    "network": ("沿街距离", "along the streets"),
}
SPLIT_NAMES = {
    "simple": ("不分配", "simple"), "discontinuous": ("等分不连续", "discontinuous"),
    "continuous": ("等分连续", "continuous"), "heat": ("热方程", "heat equation"),
}  # fmt: skip
#: Methods of a backtest; "memories" is the product's own.
METHOD_NAMES = {
    "memories": ("本方法", "this method"), "ewma": ("指数平滑", "exponential smoothing"),
    "mean_12": ("近 12 月平均", "mean of 12 months"), "long_run": ("历年平均", "long-run mean"),
    "last_month": ("上月", "last month"), "kde": ("核密度", "kernel density"),
}  # fmt: skip
WITHHELD = ("不公开", "withheld")
WEEKDAYS = ("一 Mon", "二 Tue", "三 Wed", "四 Thu", "五 Fri", "六 Sat", "日 Sun")
#: At this level of chance a finding counts as significant; the drawings say so.
LEVEL = 0.05


def trend_words(name: str) -> Words:
    """Return a class of cells over time in words; unknown ones as given."""
    if name in ("", "none"):
        return "无明显模式", "no pattern"
    cold = name.startswith("cold")
    bare = name.removeprefix("cold").strip(" _-")
    zh, en = TREND_NAMES.get(bare, (bare, bare))
    return f"{zh}{'冷点' if cold else '热点'}", f"{en} {'cold' if cold else 'hot'} spot"


def named(words: Mapping[str, Words], key: object) -> Words:
    """Return a key's words, or the key where there are none."""
    text = str(key)
    return words.get(text, (text.replace("_", " "), text.replace("_", " ")))


def said(words: Mapping[str, Words], key: object) -> str:
    """Return a key's words in both languages, once where they are the same."""
    zh, en = named(words, key)
    return zh if zh == en else f"{zh} {en}".strip()


def figure(value: Any, digits: int = 2) -> str:
    """Write a number with ``digits`` that count: 0.0123, 1.2, 340; "–" for none."""
    if value is None or value != value or not math.isfinite(float(value)):
        return "–"
    number = float(value)
    if number == 0:
        return "0"
    if abs(number) < 10.0 ** -(digits + 2):
        return "<0." + "0" * (digits + 1) + "1" if number > 0 else f"{number:.0e}"
    after = max(digits - 1 - math.floor(math.log10(abs(number))), 0)
    text = f"{number:,.{after}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(value: Any, low: Any, high: Any, digits: int = 2) -> str:
    """Write a number with its interval, all to the decimals the number's ``digits`` ask for: 1.2 (0.8–1.9)."""
    known = all(v is not None and v == v and math.isfinite(v) for v in (value, low, high))
    if not known:
        return figure(value, digits)
    if float(low).is_integer() and float(high).is_integer():  # of counts to come
        return f"{figure(value, digits)} ({low:,.0f}–{high:,.0f})"
    size = next((abs(float(v)) for v in (value, high) if v), 1.0)
    after = min(max(digits - 1 - math.floor(math.log10(size)), 0), digits + 1)
    return f"{value:,.{after}f} ({low:,.{after}f}–{high:,.{after}f})"


def span(days: Any) -> str:
    """Write a length of time in days, or in years where it is that long; "–" for none."""
    if days is None or days != days:
        return "–"
    return f"{figure(days)} 天 days" if days < 365.25 else f"{figure(days / 365.25)} 年 years"


def chance(value: Any) -> str:
    """Write a chance: 0.031, <0.001."""
    if value is None or value != value:
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def percent(part: Any, whole: Any = 1.0) -> str:
    """Write a share in percent; "–" of nothing."""
    return f"{part / whole:.1%}" if whole and whole == whole and part == part else "–"


def channels_in_words(channels: Any) -> Words:
    """Say which channels reports came by."""
    listed = list(channels or CHANNEL_NAMES)
    if set(listed) >= set(CHANNEL_NAMES):
        return "全部渠道", "all channels"
    words = [named(CHANNEL_NAMES, channel) for channel in listed]
    return "渠道：" + "、".join(zh for zh, _ in words), "reported by " + ", ".join(en for _, en in words)


def both_of(words: Words) -> str:
    """Join Chinese and English, once where they are the same."""
    zh, en = words
    return zh if zh == en else f"{zh} {en}".strip()


def method_words(method: str) -> Words:
    """Name a method of a backtest."""
    return named(METHOD_NAMES, method)
