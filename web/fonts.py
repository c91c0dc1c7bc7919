"""Which letters a picture may use: the Chinese font of this machine, or what to write where there is none."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from web.drawing import both

#: Families with simplified Chinese, best first: Linux, Windows, macOS.
FAMILIES = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "SimHei", "SimSun",
    "Noto Sans CJK JP", "Noto Serif CJK SC", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
WITHOUT = "DejaVu Sans"
NO_CHINESE_FONT = "No Chinese font on this machine: names are shown as codes. Install Noto Sans CJK SC."


@dataclass(frozen=True, slots=True)
class Lettering:
    """A font family and the characters it holds."""

    family: str
    characters: frozenset[int]

    @property
    def chinese(self) -> bool:
        """Whether Chinese can be written at all."""
        return ord("街") in self.characters

    def can(self, text: str) -> bool:
        """Tell whether every character of ``text`` has a glyph."""
        return all(ord(c) in self.characters or c.isspace() for c in text)

    def label(self, words: tuple[str, str]) -> str:
        """Write (Chinese, English) in both, or in English alone where Chinese would be boxes."""
        return both(words) if self.can(words[0]) else words[1]

    def name(self, name: str, code: str) -> str:
        """Write a name, or its code where the name would be boxes."""
        return name if name and self.can(name) else code

    def text(self, text: str) -> str:
        """Write ``text`` with a question mark for each character that would be a box."""
        return "".join(c if ord(c) in self.characters or c.isspace() else "?" for c in text)

    def font(self, size: float, *, bold: bool = False) -> FontProperties:
        """Return the font in a size in points."""
        return FontProperties(family=[self.family], size=size, weight="bold" if bold else "normal")


@lru_cache(maxsize=4)
def lettering(families: tuple[str, ...] = FAMILIES) -> Lettering:
    """Find the first of ``families`` on this machine; matplotlib's own font, without Chinese, where none is."""
    present = {entry.name for entry in font_manager.fontManager.ttflist}
    family = next((f for f in families if f in present), WITHOUT)
    path = font_manager.findfont(FontProperties(family=[family]))
    return Lettering(family, frozenset(font_manager.get_font(path).get_charmap()))


def ems(text: str) -> float:
    """Estimate the width of ``text`` in font sizes: a Chinese character one, a Latin letter about half."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in text)
