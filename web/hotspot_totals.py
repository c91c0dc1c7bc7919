"""What a run about hotspots adds up to, as facts for a legend, a workbook's first sheet and a terminal."""

from typing import Any

from web import hotspot_words
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_words import RATE, both_of, figure, interval, percent, said

Fact = tuple[str, str]


def totals(what: HotspotDrawing) -> list[Fact]:
    """Return (words, figure) of the run's summary; figures it lacks are left out."""
    facts = what.summary
    if what.kind == "hotspot-backtest" or not facts:
        return []
    return [(words, figure_) for words, figure_ in _OF[what.kind](facts) if figure_ not in ("", "–")]


def _map(f: dict[str, Any]) -> list[Fact]:
    street = f.get("street_m")
    return [
        (both_of(RATE), interval(f.get("expected_week"), f.get("low_week"), f.get("high_week"), 3)),
        (
            "发现报告 reports（巡查 patrol / 其他 others）",
            f"{f['reports']:,.0f} ({f['patrol_reports']:,.0f} / {f['passive_reports']:,.0f})",
        ),
        ("街面 streets", _km(street, 1000)),
        ("看过 looked at", percent(f.get("looked_m"), street)),
        ("巡查走过 walked", _km(f.get("walked_km"))),
        ("未巡查街面 not looked", f"{_km(f.get('unknown_m'), 1000)} ({percent(f.get('unknown_m'), street)})"),
        ("不在街面的报告 reports off any street", _count(f.get("off_street"))),
        ("带宽 bandwidth", f"{figure(f.get('bandwidth_m'), 3)} m" if f.get("bandwidth_m") else ""),
        ("路口分配 split at junctions", said(hotspot_words.SPLIT_NAMES, f.get("split") or "")),
        (
            "每周巡一遍被发现的机会 found by one pass a week",
            interval(f.get("detectability"), f.get("detectability_low"), f.get("detectability_high")),
        ),
        ("巡查未见者由他人报告 of those missed, told by others", _share(f.get("told_share"))),
    ]


def _scan(f: dict[str, Any]) -> list[Fact]:
    return [
        ("模型 model", said(hotspot_words.MODEL_NAMES, f.get("model", ""))),
        ("时间 when", said(hotspot_words.ANALYSIS_NAMES, f.get("when", ""))),
        ("窗口 window", said(hotspot_words.WINDOW_NAMES, f.get("window", ""))),
        ("地点 places", _count(f.get("places"))),
        ("发现报告 reports", _count(f.get("reports"))),
        ("随机重排 replications", _count(f.get("replications"))),
    ]


def _emerging(f: dict[str, Any]) -> list[Fact]:
    return [
        ("时段数 steps", f"{f.get('steps')} {said(hotspot_words.STEP_NAMES, f.get('step', ''))}"),
        ("格子 cells", _count(f.get("cells"))),
    ]


def _forecast(f: dict[str, Any]) -> list[Fact]:
    weather = f.get("weather")
    return [
        ("全市预计发现（人）expected in the week", interval(f.get("expected"), f.get("low"), f.get("high"), 3)),
        ("天气 weather", said(hotspot_words.WEATHER_NAMES, weather) if weather else ""),
    ]


def _release(f: dict[str, Any]) -> list[Fact]:
    epsilon = f.get("epsilon")
    return [
        ("公开 shown", _count(f.get("shown"))),
        ("不公开 withheld", _count(f.get("withheld"))),
        ("最小公开数 least shown", _count(f.get("least"))),
        ("噪声 noise ε", f"{epsilon:g}" if epsilon is not None and epsilon == epsilon else ""),
        ("发布 published", str(f.get("published") or "")[:16].replace("T", " ")),
        ("分区 geography", str(f.get("geography") or "")),
    ]


_OF = {
    "hotspot-map": _map,
    "hotspot-scan": _scan,
    "hotspot-emerging": _emerging,
    "hotspot-forecast": _forecast,
    "hotspot-release": _release,
}


def _km(value: Any, per: float = 1.0) -> str:
    if value is None or value != value:
        return ""
    return f"{value / per:,.0f} km" if value / per >= 1000 else f"{value / per:,.1f} km"


def _count(value: Any) -> str:
    return "" if value is None or value != value else f"{value:,.0f}"


def _share(value: Any) -> str:
    return "" if value is None or value != value else f"{value:.1%}"
