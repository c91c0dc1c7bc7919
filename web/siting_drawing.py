"""What a siting result looks like, whichever way it is rendered: the city before and after, its classes and colours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, Series

from planner.siting import quantities
from web import siting_words
from web.drawing import Drawing, both, minutes, parts_of, time_class, time_classes
from web.fonts import ems
from web.labels import shortened
from web.siting_words import COLUMNS, DEMAND_OF

#: One hue for all that is new (ColorBrewer's Greens), light enough under streets; orange for what is lost or beyond.
NEW_COLOUR, CLOSED_COLOUR, RUNNER_UP_COLOUR = "#0a7d45", "#a3261d", "#5c5c5c"
GAIN_COLOURS = ("#e2f3dc", "#bfe5b5", "#93d08b", "#63b568")
LOSS_COLOUR, SAME_COLOUR = "#fbd3a6", "#f6f5f1"
#: Classes of a street by the greater part of its length.
KEPT, NEW, BEYOND, LOST = range(4)
TIMES_S = (300, 600, 900)
STREET_COLOURS = ("#9fb6cc", "#00582d", "#ee8a2a", "#a3261d")
_CLASSES_OF_GAIN = len(GAIN_COLOURS)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SitingDrawing(Drawing):
    """One siting result with its geometry, ready to be drawn and tabled.

    parameters : what was asked. areas, segments : figures within the time limit before and after. tables : plan, sites,
    totals, frontier, left_out, story. Pages for the public show neither a withheld point nor a site, a runner-up or a
    sentence that would give its place or name away.
    """

    title: ClassVar[tuple[str, str]] = ("服务点选址", "Where service points should stand")

    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        # a city without any tier has a table of areas without figures
        wanted = [f"{c}{side}" for c in COLUMNS.values() for side in ("", "_before", "_after")]
        absent = {name: np.nan for name in wanted if name not in self.areas}
        if absent:
            object.__setattr__(self, "areas", self.areas.assign(**absent))

    @property
    def plan(self) -> dict[str, Any]:
        """The plan's one row."""
        return self.tables["plan"].to_dict("records")[0]

    @property
    def totals(self) -> dict[str, Any]:
        """The whole city's one row of figures before and after."""
        return self.tables["totals"].to_dict("records")[0]

    @property
    def limit(self) -> str:
        """The time limit in minutes."""
        return minutes(self.parameters["limit_s"])

    @property
    def measure(self) -> str:
        """What shares are of: who was asked for, "street" where the city has none of them."""
        return siting_words.measure(self.parameters, self.totals)

    @property
    def site_unit(self) -> str:
        """The unit of what a site adds."""
        return str(self.plan.get("worth_unit", self.plan["unit"]))

    def share(self, areas: DataFrame, side: str) -> NDArray[np.float64]:
        """Return the (n,) share of each area within the limit, ``side`` "before" or "after"; NaN where it has none."""
        column = COLUMNS[self.measure]
        return parts_of(areas[f"{column}_{side}"], areas[column])

    def area_shares(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return the (n,) shares as they are before."""
        return self.share(areas, "before")

    def gain(self, areas: DataFrame) -> NDArray[np.float64]:
        """Return (n,) how many more are within the limit after than before, streets in km."""
        column = COLUMNS[self.measure]
        more = (areas[f"{column}_after"] - areas[f"{column}_before"]).to_numpy(float)
        return more / 1000 if self.measure == "street" else more

    @property
    def timed(self) -> bool:
        """Whether the plan makes ways shorter rather than reach more within the limit."""
        return self.plan["problem"] in siting_words.TIMED

    def times(self, segments: DataFrame, side: str) -> NDArray[np.int64]:
        """Return (m,) the position of each segment in ``time_classes(TIMES_S)``, ``side`` "before" or "after"."""
        return time_class(segments[f"longest_{side}_s"], time_classes(TIMES_S))

    def line_classes(self, segments: DataFrame) -> NDArray[np.int64]:
        """Return (m,) KEPT, NEW, BEYOND or LOST, by the greater part of each segment's length.

        Where the plan is timed, by the way from the farthest spot: NEW is nearer by a minute, LOST as much farther,
        BEYOND not reached.
        """
        if self.timed:
            was, now = (segments[f"longest_{side}_s"].fillna(np.inf).to_numpy(float) for side in ("before", "after"))
            beyond = np.isinf(now) & np.isinf(was)
            return np.select([beyond, was - 60 >= now, now - 60 >= was], [BEYOND, NEW, LOST], KEPT)
        half = segments["length_m"].to_numpy(float) / 2
        was, now = (segments[name].to_numpy(float) >= half for name in ("before_m", "after_m"))
        return np.select([was & now, now, was], [KEPT, NEW, LOST], BEYOND)

    @property
    def headline(self) -> tuple[str, str]:
        """What the plan brings, in one sentence."""
        return siting_words.headline(self.plan, self.totals, self.parameters)

    def shown_sites(self) -> DataFrame:
        """Return the points that change and may be shown, by rank, with a ``mark``: their number, "×" if closed.

        A runner-up that may not be shown is blank.
        """
        sites = self.tables["sites"]
        placed = np.isfinite(sites[["lon", "lat"]].to_numpy(float)).all(axis=1)
        hidden = self._at_withheld(sites["lon"], sites["lat"]) | self._named_withheld(sites["code"])
        shown = sites[placed & ~hidden].sort_values("rank", kind="stable", ignore_index=True)
        second = self._at_withheld(shown["runner_up_lon"], shown["runner_up_lat"])
        second |= self._named_withheld(shown["runner_up"])
        closed = shown["action"].eq("close").to_numpy()
        if "runner_up_name" not in shown:  # a run of version 0.6 or before
            shown["runner_up_name"] = ""
        return shown.assign(
            mark=np.where(closed, "×", np.cumsum(~closed).astype(str)),
            runner_up=shown["runner_up"].fillna("").mask(second, ""),
            runner_up_name=shown["runner_up_name"].fillna("").mask(second, ""),
            runner_up_lon=shown["runner_up_lon"].mask(second),
            runner_up_lat=shown["runner_up_lat"].mask(second),
            runner_up_loses=shown["runner_up_loses"].mask(second),
        )

    @property
    def hidden_sites(self) -> int:
        """How many of the points that change are not shown."""
        return len(self.tables["sites"]) - len(self.shown_sites())

    def left_out(self, most: int) -> list[dict[str, Any]]:
        """Return up to ``most`` areas with demand still beyond reach, worst first; what rounds to nothing is none."""
        unit = siting_words.demand_unit(self.parameters)
        rows = self.tables["left_out"].head(most).to_dict("records")
        return [row for row in rows if quantities.figure(row["people"], unit) != quantities.figure(0.0, unit)]

    def story(self) -> list[tuple[str, str]]:
        """Return the sentences that may be shown, (Chinese, English)."""
        told = self.tables["story"]
        shown = told[~(self._named_withheld(told["zh"]) | self._named_withheld(told["en"]))]
        return list(zip(shown["zh"].astype(str), shown["en"].astype(str), strict=True))

    def shown_notes(self) -> list[tuple[str, str]]:
        """Return the notes that may be shown, and one on the points that may not."""
        named = self._named_withheld(Series([both(note) for note in self.notes], dtype=object))
        notes = [note for note, hidden in zip(self.notes, named, strict=True) if not hidden]
        count = self.hidden_sites
        if count:
            notes.append((f"另有 {count} 个点位的变动不公开", f"changes at {count} more points are not public"))
        return notes

    def _at_withheld(self, lon: Series, lat: Series) -> NDArray[np.bool_]:
        secret = self.points[self.withheld & ~self.points.geometry.isna().to_numpy()].geometry
        near = np.zeros(len(lon), bool)
        for place in secret:
            near |= (abs(lon - place.x) < 1e-6).to_numpy() & (abs(lat - place.y) < 1e-6).to_numpy()
        return near

    def _named_withheld(self, texts: Series) -> NDArray[np.bool_]:
        secret = self.points[self.withheld]
        names = [re.escape(n) for n in secret["name"].fillna("").astype(str) if n]
        codes = [rf"(?<![0-9A-Za-z]){re.escape(c)}(?![0-9A-Za-z])" for c in secret["code"].astype(str) if c]
        pattern = re.compile("|".join([*names, *codes]) or r"(?!)")
        return np.array([pattern.search(str(text)) is not None for text in texts], bool)


def place_of(site: Mapping[str, Any], most: float = np.inf) -> str:
    """Name where a site stands: name or street, and area; the first is cut so that both fit ``most`` font sizes."""
    at = next((str(site[k]) for k in ("name", "street", "code") if isinstance(site[k], str) and site[k]), "")
    area = f" · {site['area_name']}" if isinstance(site["area_name"], str) and site["area_name"] else ""
    return shortened(at, max(most - ems(area), most / 3)) + area


def runner_up_of(site: Mapping[str, Any]) -> str:
    """Name the place that would serve best in a site's stead: its name, or its code; "" where there is none."""
    return next((str(site[k]) for k in ("runner_up_name", "runner_up") if isinstance(site.get(k), str) and site[k]), "")


def added(site: Mapping[str, Any], unit: str) -> str:
    """Write what a site adds (with a sign) or saves once the others stand; "" where nobody measured it."""
    value, adds = site["adds_last"], siting_words.gain_verb(unit)[1] == "adds"
    return quantities.figure(value, unit, sign=adds) if np.isfinite(value) else ""


def gain_edges(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper ends of the classes of gain: even steps, 1, 2, 2.5 or 5 times a power of ten, up to the most."""
    most = float(np.nanmax(gain, initial=0.0))
    if most <= 0:
        return np.arange(1.0, _CLASSES_OF_GAIN + 1)
    power = 10.0 ** np.floor(np.log10(max(most, np.finfo(float).tiny * 1e3) / _CLASSES_OF_GAIN))  # no step below floats
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power * _CLASSES_OF_GAIN >= most * (1 - 1e-9))
    return step * np.arange(1.0, _CLASSES_OF_GAIN + 1)


def gain_class(gain: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (n,) the position in GAIN_COLOURS of each gain; -1 for none, one past the last for a loss.

    A change that rounds to nothing in the table is none.
    """
    least = min(0.5, edges[0] / 100)
    found = np.clip(np.searchsorted(edges, gain, side="left"), 0, _CLASSES_OF_GAIN - 1)
    return np.where(gain >= least, found, np.where(gain <= -least, _CLASSES_OF_GAIN, -1))


def gain_labels(edges: NDArray[np.float64], measure: str) -> list[str]:
    """Return the classes of gain as text: 1–500, 500–1,000 and so on; km for streets."""
    unit = " km" if measure == "street" else ""
    lows = ["1" if not unit and edges[0] > 1 else "0", *(f"{e:,g}" for e in edges[:-1])]
    return [f"+{low}–{high:,g}{unit}" for low, high in zip(lows, edges, strict=True)]


def gain_words(measure: str) -> tuple[str, str]:
    """Name what areas are coloured by in the view of gains."""
    zh, en = DEMAND_OF[measure]
    return f"新增覆盖的{zh}", f"more {en} within reach"


def street_words(what: SitingDrawing) -> list[tuple[str, str]]:
    """Name the classes of streets, in their order."""
    limit = what.limit
    if what.timed:
        return [
            ("远近大致不变", "about as far as before"),
            ("近了 1 分钟以上", "nearer by a minute or more"),
            ("无法到达", "not reached"),
            ("远了 1 分钟以上", "farther by a minute or more"),
        ]
    return [
        (f"原已在 {limit} 分钟内", f"within {limit} min before"),
        (f"新进入 {limit} 分钟", f"newly within {limit} min"),
        (f"仍在 {limit} 分钟外", f"still beyond {limit} min"),
        (f"不再在 {limit} 分钟内", f"no longer within {limit} min"),
    ]
