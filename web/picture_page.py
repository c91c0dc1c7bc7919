"""The A4 page every picture for a brief is drawn on: its size, title and foot."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from web import drawing
from web.drawing import Drawing
from web.fonts import NO_CHINESE_FONT, Lettering, ems
from web.labels import wrap
from web.picture_maps import Frame

INCHES = (11.69, 8.27)  # A4, landscape
DOTS_PER_INCH = 180
#: Height kept for a map's heading.
HEAD_INCHES = 0.25
#: Left, bottom, width, height in parts of the page.
Room = tuple[float, float, float, float]


def page() -> Figure:
    """Return an empty page."""
    return Figure(figsize=INCHES, dpi=DOTS_PER_INCH, facecolor="white")


def save(figure: Figure, path: Path) -> None:
    """Write the page as a PNG: the same drawing on the same machine gives the same bytes."""
    FigureCanvasAgg(figure).print_png(str(path), metadata={"Software": None})


def fit(axes: Axes, frame: Frame, room: Room) -> float:
    """Set the axes so that the frame fills the room from the top at one scale; return metres per point (1/72 inch)."""
    left, bottom, right, top = frame
    points_wide, points_high = room[2] * INCHES[0] * 72, room[3] * INCHES[1] * 72
    head = HEAD_INCHES * 72
    scale = max((right - left) / points_wide, (top - bottom) / (points_high - head), 1e-3) * 1.03
    middle = (left + right) / 2
    axes.set_xlim(middle - points_wide * scale / 2, middle + points_wide * scale / 2)
    axes.set_ylim(top + (head - points_high) * scale, top + head * scale)
    axes.set_axis_off()
    return scale


def write_title(figure: Figure, what: Drawing, letters: Lettering) -> None:
    """Write the page's heading: the city, the warnings that belong on every map, what was asked, the date."""
    city = letters.name(what.city, "")
    title = f"{city} {letters.label(what.title)}".strip()
    figure.text(0.02, 0.965, title, va="top", color="#111111", fontproperties=letters.font(17, bold=True))
    dated = letters.label(("数据日期", "data of")) + f" {what.data_date}" if what.data_date else ""
    asked = " · ".join(part for part in (letters.label(what.question), dated) if part)
    at = 0.02
    for flag in what.flags:
        words = letters.label(flag)
        figure.text(
            at + 0.004, 0.9, words, va="center", color="#7a3000", fontproperties=letters.font(8, bold=True),
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "#ffe9d6", "edgecolor": "#e9b588", "linewidth": 0.6},
        )  # fmt: skip
        at += (ems(words) * 8 + 16) / 72 / INCHES[0]
    room = (0.985 - at) * INCHES[0] * 72
    size = 9.0 if ems(asked) * 9.0 <= room else 7.0
    lines = "\n".join(wrap(asked, room / size))
    figure.text(at, 0.9, lines, va="center", color="#555555", fontproperties=letters.font(size))


def write_foot(figure: Figure, what: Drawing, letters: Lettering) -> None:
    """Write sources, warnings and as many notes as fit in four small lines; the tables hold them all."""
    size, most = 6.2, 4
    width = 0.96 * INCHES[0] * 72 / size
    sources = [letters.text(part) for part in drawing.sources(what)]
    notes = [letters.label(note) for note in what.notes]
    missing = [] if letters.chinese else [NO_CHINESE_FONT]
    lines = wrap(" · ".join([*missing, *sources]), width)
    for note in notes:
        lines += wrap(note, width)
    if len(lines) > most:
        lines[most - 1 :] = [letters.label(("其余说明见表格。", "Further notes are in the tables."))]
    figure.text(
        0.02, 0.068, "\n".join(lines), va="top", color="#666666", linespacing=1.3, fontproperties=letters.font(size)
    )
