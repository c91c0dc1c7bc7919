"""The column beside the maps of hotspots: a legend for each panel, totals, and where most is to be found."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from web.fonts import Lettering, ems
from web.hotspot_classes import HATCH_COLOUR, HOT_EDGE, Look, View
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_panels import HATCH
from web.hotspot_totals import totals
from web.hotspot_words import Words, both_of, chance, figure, interval
from web.labels import shortened, wrap
from web.picture_column import PALE, Column

LINE = 0.0208
SIZE = 6.9


class HotspotColumn(Column):
    """A column with closer lines and hatched swatches. ``inches`` : its width."""

    def __init__(self, axes: Axes, letters: Lettering, inches: float) -> None:
        super().__init__(axes, letters, LINE)
        self.inches = inches

    def words(self, words: Words) -> str:
        """Write words in both languages, once where they are the same."""
        return both_of(words) if self.letters.can(words[0]) else words[1] or self.letters.text(words[0])

    def title(self, words: Words, mark: str = "") -> None:
        """Write a heading with the mark of the panel it belongs to."""
        self.y -= self.line * 0.35
        zh, en = words if self.letters.can(words[0]) else (words[1], "")
        self.put(0, f"{mark} {zh}".strip(), size=7.8, bold=True)
        self.y -= self.line * 0.95
        for line in wrap(en, self.inches * 72 / 6.2) if en else []:
            self.put(0, line, size=6.2, colour=PALE)
            self.y -= self.line * 0.85
        self.y -= self.line * 0.12

    def paragraph(self, words: Words, size: float = 6.2) -> None:
        """Write words over as many lines as they need."""
        for text in words if self.letters.can(words[0]) else words[1:]:
            for line in wrap(text, self.inches * 72 / size):
                self.put(0, line, size=size, colour=PALE)
                self.y -= self.line * 0.85

    def look(self, look: Look, *, lined: bool = False) -> None:
        """Write what one class looks like."""
        if lined:
            self.axes.plot([0, 0.1], [self.y, self.y], color=look.colour, linewidth=2.2)
        else:
            patch = Rectangle((0, self.y - self.line * 0.38), 0.1, self.line * 0.76, facecolor=look.colour,
                              edgecolor="#8193a6", linewidth=0.4)  # fmt: skip
            if look.hatched:
                patch.set(facecolor="white", edgecolor=HATCH_COLOUR, hatch=HATCH)
                patch.set_hatch_linewidth(0.45)
            self.axes.add_patch(patch)
        words = self.words(look.words)
        room = (1 - 0.14) * self.inches * 72
        self.put(0.14, words, size=min(SIZE, room / max(ems(words), 1.0)))
        self.y -= self.line

    def edge(self) -> None:
        """Write what the black outline means."""
        patch = Rectangle((0, self.y - self.line * 0.36), 0.1, self.line * 0.72, facecolor="none", edgecolor=HOT_EDGE,
                          linewidth=1.2)  # fmt: skip
        self.axes.add_patch(patch)
        self.put(0.14, self.words(("显著热点", "significant hot spot")), size=SIZE)
        self.y -= self.line

    def legend(self, view: View, mark: str = "", *, lined: bool = False) -> None:
        """Write a view's heading and classes."""
        self.title(view.heading, mark)
        for look in view.used or view.looks:
            self.look(look, lined=lined)

    def _with_glyphs(self, text: str) -> str:
        """Return a text in both languages, of which the other is left where Chinese would be boxes."""
        return " ".join("".join(c for c in text if self.letters.can(c)).split())

    def fact(self, words: str, said: str) -> None:
        """Write a figure to the right of what it is: beside the first line, or below where it is too long for that."""
        words, said = (self._with_glyphs(text) for text in (words, said))
        whole = self.inches * 72 / 6.6
        beside = whole - ems(said) * SIZE / 6.6 - 1
        short = beside > whole / 4
        lines = wrap(words, beside) if short else [*wrap(words, whole), ""]
        at = 0 if short else len(lines) - 1
        for i, line in enumerate(lines):
            self.put(0, line, size=6.6)
            if i == at:
                self.put(1.0, said, size=SIZE, bold=True, right=True)
            self.y -= self.line * (1.0 if i == len(lines) - 1 else 0.85)


def write_totals(column: HotspotColumn, what: HotspotDrawing, most: int = 9) -> None:
    """Write what the run adds up to."""
    facts = totals(what)
    if facts:
        column.title(("合计", "In total"))
        for words, said in facts[:most]:
            column.fact(words, said)


def write_top_areas(column: HotspotColumn, what: HotspotDrawing) -> None:
    """List the areas where most people can be found, with intervals, as many as fit."""
    own = top_areas(what)
    if own.empty:
        return
    column.title(("人数最多的辖区（人/周，90 % 区间）", "Most people who can be found per week (90 % interval)"))
    for row in own.to_dict("records"):
        if column.y < 0.0:
            return
        name = column.letters.name(str(row["name"]), str(row["code"]))
        column.put(0, shortened(name, 11), size=SIZE)
        column.put(1.0, interval(row["rate_week"], row["rate_low"], row["rate_high"]), size=SIZE, right=True)
        column.y -= column.line


def top_areas(what: HotspotDrawing, most: int = 10) -> pd.DataFrame:
    """Return the areas of the tier shown with the highest rates, unknown ones left out; no rows where none is left."""
    areas = what.tables.get("areas")
    if areas is None or areas.empty:
        return pd.DataFrame()
    own = areas[areas["level"].eq(what.level) & areas["state"].ne("unknown")]
    return own.sort_values(["rate_week", "code"], ascending=[False, True], kind="stable").head(most)


def write_clusters(column: HotspotColumn, what: HotspotDrawing, colours: list[str]) -> None:
    """List the clusters: reports and expected, how much riskier, when, how likely by chance."""
    column.title(("聚集区", "Clusters: reports / expected, relative risk, p"))
    for row, colour in zip(what.tables["clusters"].to_dict("records"), colours, strict=True):
        if column.y < 0.0:
            return
        column.axes.scatter([0.035], [column.y], s=62, c=colour, linewidths=0)
        column.axes.text(
            0.035, column.y, str(row["cluster"]), color="white", ha="center", va="center_baseline",
            fontproperties=column.letters.font(6.2, bold=True),
        )  # fmt: skip
        said = f"{row['observed']:,.0f} / {figure(row['expected'])}   ×{figure(row['relative_risk'])}"
        column.put(0.11, said, size=SIZE, bold=bool(row["significant"]))
        column.put(1.0, f"p {chance(row['p_value'])}", size=SIZE, right=True)
        column.y -= column.line
        when = f"{row['first']} – {row['last']}" if row["first"] else column.words(("全期", "whole period"))
        column.put(0.11, f"{when} · {row['radius_m']:,.0f} m", size=6.2, colour=PALE)
        column.y -= column.line
