"""What a result looks like, whichever way it is rendered: the one input, its classes, colours and words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from geopandas import GeoDataFrame
from numpy.typing import NDArray
from pandas import DataFrame, Series

from gis.errors import LamplightError
from layers.hours import OpeningHours
from layers.records import FUNCTION_ZH
from planner.coverage_question import PLANNED_STATES

LEVELS = ("city", "district", "subdistrict", "community", "grid_cell")
LEVEL_NAMES = {
    "city": ("全市", "city"),
    "district": ("区", "district"),
    "subdistrict": ("街道", "subdistrict"),
    "community": ("社区", "community"),
    "grid_cell": ("网格", "grid cell"),
}
FUNCTION_NAMES = {word: (zh, word.replace("_", " ")) for word, zh in FUNCTION_ZH.items()}
MODE_NAMES = {"walk": ("步行", "on foot"), "ebike": ("电动车", "by e-bike"), "drive": ("驾车", "by car")}
FICTIONAL = ("虚构城市，仅供演示", "fictional city, for demonstration")
ROLE_NAMES = {
    "supervisor": ("街道救助督导员", "supervisor"),
    "assistant": ("社区救助协管员", "assistant"),
    "grid_worker": ("网格员", "grid worker"),
}
APPROXIMATE = ("边界为近似", "approximate boundaries")
BUILD_STATES = {
    "existing": ("已建成", "existing"),
    "build": ("待新建", "to be built"),
    "convert": ("待改建", "to be converted"),
    "upgrade": ("待提升", "to be upgraded"),
}
PLANNED = ("待建服务点", "planned service point")
STATION = "rescue-stations"
STREETS = ("路段最远处的到达时间", "Time from a street's farthest spot")
NO_ONE = {
    "people": ("无常住人口", "no residents"),
    "street": ("无街面", "no streets"),
    "reports": ("无发现报告", "no reports"),
}

MEASURE_NAMES = {"people": ("人口", "people"), "street": ("街面长度", "street length"), "reports": ("报告", "reports")}

#: More areas than this are no map of areas; they also make a page too large to open.
MAX_AREAS = 12_000

#: Upper ends of the five classes of share covered; the palette is ColorBrewer's sequential Blues, safe for all eyes.
SHARE_EDGES = (0.2, 0.4, 0.6, 0.8, 1.0)
SHARE_COLOURS = ("#eff3ff", "#bdd7e7", "#6baed6", "#3182bd", "#08519c")
NO_ONE_COLOUR, GROUND_COLOUR = "#dddddd", "#f6f5f1"
OUTLINE_COLOUR, EDGE_COLOUR = "#555555", "#8193a6"
#: Time: blues within the thresholds, oranges beyond (blue against orange holds for every colour vision).
_WITHIN = ("#08306b", "#2171b5", "#6baed6", "#a6cbe3")
BEYOND_COLOURS = ("#f4a259", "#c8500a")
UNREACHED_COLOUR = "#4d4d4d"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Drawing:
    """One result with its geometry, ready to be drawn and tabled; each kind of result adds its own.

    city : the city's name. level : the tier the maps colour, one of LEVELS.
    areas : every tier's and grid cell's row of the run's "areas" table, with geometry (WGS84, may be None).
    segments : the run's "segments" table with geometry. points : code, name, functions, hours, phone, address,
        kind ("service-points" or "rescue-stations"), withheld, with geometry; missing columns are taken as blank.
    tables : the run's other tables by name.
    notes, question : (Chinese, English): what the result leaves out or assumes; what was asked.
    data_date : the date of the data as text. attribution : whose data it is. approval_number : 审图号 or "".
    """

    title: ClassVar[tuple[str, str]]

    city: str
    level: str
    areas: GeoDataFrame
    segments: GeoDataFrame
    points: GeoDataFrame
    tables: Mapping[str, DataFrame] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()
    question: tuple[str, str] = ("", "")
    data_date: str = ""
    fictional: bool = False
    approximate: bool = False
    attribution: str = ""
    approval_number: str = ""

    @property
    def measure(self) -> str:
        """What shares are of: "people", or "street" where no area has anyone in it."""
        return "people" if np.nansum(self.areas["people"].to_numpy(float)) > 0 else "street"

    def area_shares(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return the (n,) share of each area's people or street metres that a picture shows."""
        raise NotImplementedError

    def line_classes(self, segments: DataFrame) -> NDArray[np.int64]:
        """Return the (m,) class of each segment, by which a picture colours it."""
        raise NotImplementedError

    @property
    def flags(self) -> list[tuple[str, str]]:
        """The warnings every drawing must carry, (Chinese, English)."""
        return [words for words, on in ((FICTIONAL, self.fictional), (APPROXIMATE, self.approximate)) if on]

    def at_level(self, level: str) -> GeoDataFrame:
        """Return the areas of one tier that have geometry, in the order of their codes."""
        chosen = self.areas[(self.areas["level"] == level).to_numpy() & ~self.areas.geometry.isna().to_numpy()]
        return chosen.sort_values("code", kind="stable", ignore_index=True)

    def areas_to_draw(self) -> tuple[str, GeoDataFrame]:
        """Return ``level`` and its areas, or the next tier above that has boundaries and not too many for one page."""
        for level in LEVELS[LEVELS.index(self.level) :: -1]:
            areas = self.at_level(level)
            if 0 < len(areas) <= MAX_AREAS:
                return level, areas
        return self.level, self.areas.iloc[:0]

    @property
    def has_planned(self) -> bool:
        """Whether a map shows a point that is still to be built or converted."""
        return bool(planned(self.shown_points()).any())

    def shown_points(self) -> GeoDataFrame:
        """Return the points a map may show: placed, and not withheld from the public."""
        return self.points[~(self.withheld | self.points.geometry.isna().to_numpy())].reset_index(drop=True)

    @property
    def withheld(self) -> NDArray[np.bool_]:
        """(k,) whether each point is kept from the public."""
        if "withheld" not in self.points:
            return np.zeros(len(self.points), bool)
        return self.points["withheld"].fillna(False).to_numpy(bool)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CoverageDrawing(Drawing):
    """One coverage result with its geometry, ready to be drawn and tabled.

    thresholds_s : ascending times in seconds; the maps open on the last. Figures that ``areas`` lacks are taken as
    unknown. tables : totals, gaps, hours, lorenz, inequality, points, roster.
    """

    title: ClassVar[tuple[str, str]] = ("服务点覆盖", "Coverage of service points")

    thresholds_s: tuple[int, ...]

    def __post_init__(self) -> None:
        # a city without any tier has a table of areas without figures
        wanted = ["people", "street_m", "mean_s"]
        wanted += [f"{part}_{t}" for part in ("covered_people", "covered_street_m") for t in self.thresholds_s]
        absent = {name: np.nan for name in wanted if name not in self.areas}
        if absent:
            object.__setattr__(self, "areas", self.areas.assign(**absent))

    @property
    def headline_s(self) -> int:
        """The threshold the maps open on: the longest."""
        return max(self.thresholds_s)

    def area_shares(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return the (n,) shares within the headline's threshold."""
        return shares(areas, self.measure, self.headline_s)

    def line_classes(self, segments: DataFrame) -> NDArray[np.int64]:
        """Return the (m,) position of each segment in ``time_classes``."""
        return time_class(segments["longest_s"], time_classes(self.thresholds_s))

    @property
    def totals(self) -> DataFrame:
        """One row over all streets and people where the run has it, else the rows of the tier drawn."""
        return self.tables.get("totals", self.areas[(self.areas["level"] == self.level).to_numpy()])


def planned(points: DataFrame) -> NDArray[np.bool_]:
    """Return (k,) whether each point is still to be built or converted; maps draw these hollow."""
    if "build_state" not in points:
        return np.zeros(len(points), bool)
    return points["build_state"].isin(list(PLANNED_STATES)).to_numpy(bool)


def shares(areas: DataFrame, measure: str, threshold_s: int) -> NDArray[np.float64]:
    """Return the (n,) share of each area's people or street metres within a threshold; NaN where it has none."""
    whole, part = (("people", "covered_people_"), ("street_m", "covered_street_m_"))[measure == "street"]
    return parts_of(areas[f"{part}{threshold_s}"], areas[whole])


def parts_of(part: Series, whole: Series) -> NDArray[np.float64]:
    """Return the (n,) part of each whole; NaN where the whole is nothing."""
    total = whole.to_numpy(float)
    return np.divide(part.to_numpy(float), total, out=np.full(len(total), np.nan), where=total > 0)


def share_class(share: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the (n,) position in SHARE_COLOURS of each share, upper ends included; -1 for NaN."""
    found = np.searchsorted(SHARE_EDGES[:-1], np.round(share, 9), side="left")
    return np.where(np.isnan(share), -1, found)


@dataclass(frozen=True, slots=True)
class TimeClass:
    """A class of time to the nearest point: seconds in (over_s, upto_s], its colour and its words."""

    over_s: float
    upto_s: float
    colour: str
    zh: str
    en: str


def time_classes(thresholds_s: tuple[int, ...]) -> list[TimeClass]:
    """Return the classes segments are drawn in: within each threshold, up to twice the last, beyond, unreached."""
    edges = [0.0, *sorted(thresholds_s)]
    at = np.linspace(0, len(_WITHIN) - 1, len(edges) - 1).round().astype(int) if len(edges) > 2 else [1]
    made = [
        TimeClass(low, high, _WITHIN[i], f"{minutes(low)}–{minutes(high)} 分钟", f"{minutes(low)}–{minutes(high)} min")
        for low, high, i in zip(edges[:-1], edges[1:], at, strict=True)
    ]
    last = edges[-1]
    first, far = minutes(last), minutes(2 * last)
    made.append(TimeClass(last, 2 * last, BEYOND_COLOURS[0], f"{first}–{far} 分钟", f"{first}–{far} min"))
    made.append(TimeClass(2 * last, np.finfo(float).max, BEYOND_COLOURS[1], f"{far} 分钟以上", f"over {far} min"))
    made.append(TimeClass(np.finfo(float).max, np.inf, UNREACHED_COLOUR, "无法到达", "not reached"))
    return made


def time_class(seconds: Series, classes: list[TimeClass]) -> NDArray[np.int64]:
    """Return the (m,) position in ``classes`` of each segment's seconds; NaN counts as not reached."""
    values = np.where(np.isnan(seconds), np.inf, seconds)
    return np.searchsorted([c.upto_s for c in classes[:-1]], values, side="left")


def minutes(seconds: float) -> str:
    """Write seconds as minutes without needless decimals: 300 is "5", 450 is "7.5"."""
    return f"{seconds / 60:.1f}".removesuffix(".0")


def both(words: tuple[str, str]) -> str:
    """Join Chinese and English into one label."""
    return " ".join(w for w in words if w)


def functions_in_words(listed: str) -> str:
    """Write a comma list of functions in both languages, unknown ones as given."""
    parts = [p.strip() for p in str(listed).split(",") if p.strip()]
    return "、".join(both(FUNCTION_NAMES.get(p, (p, ""))) for p in parts)


def share_words(measure: str, level: str) -> tuple[str, str]:
    """Name what areas are coloured by: 各街道覆盖人口占比, Share of people covered per subdistrict."""
    zh, en = LEVEL_NAMES[level]
    whom_zh, whom_en = MEASURE_NAMES[measure]
    return f"各{zh}覆盖{whom_zh}占比", f"Share of {whom_en} covered, by {en}"


def share_labels() -> list[str]:
    """Return the classes of share as text: 0–20 %, 20–40 % and so on."""
    lower = (0.0, *SHARE_EDGES[:-1])
    return [f"{low * 100:.0f}–{high * 100:.0f} %" for low, high in zip(lower, SHARE_EDGES, strict=True)]


def coarser(asked: str, drawn: str) -> tuple[str, str]:
    """Say that a page draws a coarser tier than was asked for."""
    (asked_zh, asked_en), (drawn_zh, drawn_en) = LEVEL_NAMES[asked], LEVEL_NAMES[drawn]
    return (
        f"{asked_zh}级无边界或过多，改画{drawn_zh}级，全部结果见表格",
        f"no {asked_en} boundaries or too many: drawn by {drawn_en}; the tables hold all",
    )


def hours_in_words(hours: str) -> str:
    """Write opening hours for people, Chinese and English on a line each; what cannot be read stays as recorded."""
    if hours.strip() == "24/7":
        return "24 小时 round the clock"
    try:
        known = OpeningHours.parse(hours)
    except LamplightError:
        return hours
    zh, en = (re.sub(r",(?=\S)", ", ", known.label(language)) for language in ("zh", "en"))
    return zh if zh == en else f"{zh}\n{en}"


def sources(what: Drawing) -> list[str]:
    """Return the parts of a source line: whose data it is, its date, the map's approval number."""
    dated = f"数据日期 data of {what.data_date}" if what.data_date else ""
    approved = f"审图号：{what.approval_number}" if what.approval_number else ""
    return [part for part in (what.attribution, dated, approved) if part]
