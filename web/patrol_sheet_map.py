"""The maps of route sheets as SVG: streets faint, routes with arrows and numbers, so placed that none hides another."""

from dataclasses import dataclass
from html import escape

import numpy as np
import shapely
from numpy.typing import NDArray

from web import patrol_words
from web.fonts import ems
from web.labels import place, round_length
from web.patrol_drawing import Lines, PatrolDrawing, Route, metric
from web.patrol_turns import Item

#: Width of a map in units of a tenth of a millimetre, and the heights it may have.
WIDE, LEAST_HIGH, MOST_HIGH, OVERVIEW_HIGH = 1860.0, 900.0, 1600.0, 1380.0
#: Units kept free around the routes, at the foot for scale and north; between arrows along a route; between two passes
#: of one street.
EDGE, FOOT, ARROW_EVERY, APART = 70.0, 124.0, 150.0, 9.0
BADGE, BADGE_TEXT, NAME_TEXT = 21.0, 25.0, 27.0
MOST_NAMES = 40


@dataclass(frozen=True, slots=True)
class Paper:
    """Where metres go on a map: units = (x - left, top - y) / scale; scale : metres a unit; high : units."""

    left: float
    top: float
    scale: float
    high: float

    def xy(self, metres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Carry (n, 2) metres to units."""
        return np.column_stack([metres[:, 0] - self.left, self.top - metres[:, 1]]) / self.scale

    @property
    def window(self) -> shapely.Polygon:
        """What is seen, in metres."""
        return shapely.box(self.left, self.top - self.high * self.scale, self.left + WIDE * self.scale, self.top)


def paper_of(shapes: Lines, most_high: float = MOST_HIGH) -> Paper:
    """Return the paper that holds the shapes (metres), as high as they need, up to ``most_high`` units."""
    left, bottom, right, top = shapely.total_bounds(shapes) if len(shapes) else (0.0, 0.0, 1000.0, 1000.0)
    wide, high = max(right - left, 1.0), max(top - bottom, 1.0)
    scale = max(wide / (WIDE - 2 * EDGE), high / (most_high - EDGE - FOOT), 0.15)
    tall = min(max(high / scale + EDGE + FOOT, LEAST_HIGH), most_high)
    return Paper(
        (left + right - WIDE * scale) / 2,
        (top + bottom + (tall + FOOT - EDGE) * scale) / 2 - (FOOT - EDGE) * scale,
        scale,
        tall,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The streets around the routes: lines in metres, their names, and a tree to find those in sight."""

    lines: Lines
    names: NDArray[np.object_]
    tree: shapely.STRtree

    def seen(self, paper: Paper) -> NDArray[np.int64]:
        """Return which streets a map shows, in order."""
        return np.sort(self.tree.query(paper.window, predicate="intersects"))


def ground_of(what: PatrolDrawing) -> Ground:
    """Return the streets around the routes, for all the sheets of a run."""
    lines = metric(what.segments.geometry.to_numpy(), what.crs)
    return Ground(lines, what.segments["name"].fillna("").to_numpy(object), shapely.STRtree(lines))


def overview_svg(ground: Ground, routes: list[Route], left: Lines, must: Lines) -> str:
    """Draw all routes of a night, each in its colour with its number at its middle and at its station.

    left, must : lines and points in metres that stay uncovered; ``must`` : of these what must be done.
    """
    walked = [line for route in routes for line in (route.lines if len(route.lines) else ())]
    paper = paper_of(np.array([*walked, *([] if walked else ground.lines)], object), OVERVIEW_HIGH)
    parts = [_ground(paper, ground)]
    parts.append(_path(paper, left, f'stroke="{patrol_words.LEFT_COLOUR}" stroke-width="3.5" stroke-dasharray="10 9"'))
    parts.append(
        _path(paper, must, f'stroke="{patrol_words.LEFT_MUST_COLOUR}" stroke-width="9" stroke-dasharray="16 9"')
    )
    parts += [_diamond(at, patrol_words.LEFT_COLOUR) for at in _spots(paper, left)]
    parts += [_diamond(at, patrol_words.LEFT_MUST_COLOUR) for at in _spots(paper, must)]
    for route in routes:
        ink = f'stroke="{patrol_words.colour(route.number)}"'
        parts.append(
            _path(paper, route.lines_of("travel"), f'{ink} stroke-width="4" stroke-dasharray="11 9" opacity=".8"')
        )
        parts.append(_path(paper, route.lines_of("patrol"), f'{ink} stroke-width="11"'))
    badges = [(route, at) for route in routes if (at := route.middle) is not None]
    xy = paper.xy(np.array([at for _, at in badges]).reshape(-1, 2))
    stations, codes = _station_places(paper, routes)
    tried = _around(xy, 24.0)
    size = np.full(len(badges), 66.0)
    taken = _boxes(stations, 22.0, 22.0)
    chosen = place(tried[:, :, 0], tried[:, :, 1], size, size, size, taken)
    for (route, _), i, at in zip(badges, chosen, tried, strict=True):
        parts.append(_badge(at[max(i, 0)], str(route.number), patrol_words.colour(route.number), 30.0, 34.0))
    parts += [_station(at) for at in stations]
    return _svg(paper, parts, f"{len(codes)} 个驻地，{len(routes)} 条路线 map of all routes")


def route_svg(ground: Ground, route: Route, items: list[Item], numbers: dict[int, int]) -> str:
    """Draw one route: where it goes in which direction, its numbered items, station, checks and street names.

    numbers : item -> the number it bears in the list.
    """
    paper = paper_of(route.lines if len(route.lines) else ground.lines)
    ink = patrol_words.colour(route.number)
    patrolled, passed = _apart(paper, route, "patrol"), _apart(paper, route, "travel")
    parts = [_ground(paper, ground)]
    parts.append(_path(paper, passed, 'stroke="#333" stroke-width="5" stroke-dasharray="11 9"'))
    parts.append(_path(paper, patrolled, f'stroke="{ink}" stroke-width="13"'))
    parts += [*_arrows(paper, passed, "#333", 8.0, 1.6), *_arrows(paper, patrolled, "#fff", 6.5, 1.0)]
    stations, _ = _station_places(paper, [route])
    drawn, taken = _numbers(paper, items, numbers, ink, _boxes(stations, 24.0, 24.0))
    parts += _names(paper, ground, route, taken)
    parts += [_station(at) for at in stations]
    return _svg(paper, [*parts, *drawn], f"{route.name} 路线图 route map")


def _ground(paper: Paper, ground: Ground) -> str:
    seen = shapely.clip_by_rect(ground.lines[ground.seen(paper)], *paper.window.bounds)
    thin = shapely.simplify(seen, paper.scale)
    return _path(paper, thin, f'stroke="{patrol_words.GROUND_COLOUR}" stroke-width="6"')


def _spots(paper: Paper, shapes: Lines) -> NDArray[np.float64]:
    """Return the points among shapes."""
    return paper.xy(shapely.get_coordinates(shapes[shapely.get_type_id(shapes) == 0]))


def _path(paper: Paper, lines: Lines, style: str) -> str:
    """Draw lines as one path, to a tenth of a millimetre; points among them are left out."""
    parts = shapely.get_parts(lines) if len(lines) else lines
    parts = parts[shapely.get_num_points(parts) > 1]
    if not len(parts):
        return ""
    metres, of = shapely.get_coordinates(parts, return_index=True)
    xy = np.rint(paper.xy(metres)).astype(np.int64).tolist()
    new = np.r_[True, np.diff(of) > 0].tolist()
    drawn = "".join(f"{'M' if begins else 'L'}{x},{y}" for (x, y), begins in zip(xy, new, strict=True))
    return f'<path d="{drawn}" fill="none" stroke-linejoin="round" {style}/>'


def _apart(paper: Paper, route: Route, kind: str) -> Lines:
    """Return the legs of a kind; where a street is passed twice, each on the right of its way, as traffic keeps."""
    lines = route.lines_of(kind)
    if not len(lines):
        return lines
    steps = route.steps.set_index("step")["kind"].reindex(route.legs["step"]).to_numpy(object)
    twice = route.legs["segment_id"].map(route.legs["segment_id"].value_counts()).to_numpy() > 1
    chosen = twice[steps == kind] & (shapely.length(lines) > 0)
    out = lines.copy()
    # to the right is the negative side
    aside = shapely.offset_curve(lines[chosen], -APART * paper.scale)
    out[chosen] = np.where(shapely.is_empty(aside), lines[chosen], aside)
    return out


def _arrows(paper: Paper, lines: Lines, ink: str, size: float, slim: float) -> list[str]:
    """Draw an arrow head every so often along lines that follow one another."""
    drawn, since = [], ARROW_EVERY / 2
    for line in shapely.get_parts(lines):
        long = shapely.length(line) / paper.scale
        count = int((since + long) // ARROW_EVERY) if long >= 2.5 * size else 0
        since = since + long if count == 0 else 0.0
        middle = (np.arange(count)[:, None] + [0.49, 0.51]) / max(count, 1) * shapely.length(line)
        ends = paper.xy(shapely.get_coordinates(shapely.line_interpolate_point(line, middle.ravel())))
        drawn += [_arrow(*pair, ink, size, slim) for pair in ends.reshape(-1, 2, 2)]
    return drawn


def _arrow(begin: NDArray[np.float64], end: NDArray[np.float64], ink: str, size: float, slim: float) -> str:
    (x0, y0), (x1, y1) = begin, end
    turned = np.degrees(np.arctan2(y1 - y0, x1 - x0))
    return (
        f'<path d="M{size * 1.4:.1f},0L{-size:.1f},{size:.1f}L{-size * 0.4:.1f},0L{-size:.1f},{-size:.1f}Z" '
        f'fill="{ink}" stroke="#fff" stroke-width="{slim if ink != "#fff" else 0:g}" '
        f'transform="translate({(x0 + x1) / 2:.1f} {(y0 + y1) / 2:.1f}) rotate({turned:.0f})"/>'
    )


def _numbers(
    paper: Paper, items: list[Item], numbers: dict[int, int], ink: str, taken: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64]]:
    """Draw the numbers of items beside where they begin, as many as have room; return also all boxes taken.

    Checks come first, then what must be done, then longer before shorter.
    """
    shown = [i for i in numbers if np.isfinite(items[i].at[0]) and items[i].kind not in ("start", "end")]
    shown.sort(key=lambda i: (items[i].kind != "check", not items[i].must, -items[i].metres))
    if not shown:
        return [], taken
    xy = paper.xy(np.array([items[i].at for i in shown]))
    text = [str(numbers[i]) for i in shown]
    wide = np.array([max(2 * BADGE, 14.0 * len(t) + 16.0) for t in text])
    tried = _around(xy, 27.0)
    # a check's own sign stands there
    tried[[items[i].kind == "check" for i in shown], 0] = np.nan
    chosen = place(tried[:, :, 0], tried[:, :, 1], wide + 4, np.full(len(wide), 2 * BADGE), wide + 4, taken)
    leaders, drawn, boxes = [], [], [taken]
    for k, i in enumerate(shown):
        if items[i].kind == "check":
            leaders.append(_diamond(xy[k]))
        if chosen[k] < 0:
            continue
        at = tried[k, chosen[k]]
        boxes.append(_boxes(at[None], wide[k] / 2, BADGE))
        filled = items[i].must or items[i].kind == "check"
        leaders.append(_leader(xy[k], at))
        drawn.append(_pill(at, text[k], wide[k], ink, filled=filled))
    return [*leaders, *drawn], np.vstack(boxes)


def _names(paper: Paper, ground: Ground, route: Route, taken: NDArray[np.float64]) -> list[str]:
    """Write the names of streets over no number: those on the route first, then those with most length in sight."""
    name, seen = ground.names, ground.seen(paper)
    seen = seen[name[seen] != ""]
    if not len(seen):
        return []
    inside = shapely.clip_by_rect(ground.lines[seen], *paper.window.bounds)
    length = shapely.length(inside)
    total: dict[str, float] = {}
    for n, long in zip(name[seen], length, strict=True):
        total[n] = total.get(n, 0.0) + long
    walked = route.legs.groupby("street")["metres"].sum().to_dict()
    best = sorted(total, key=lambda n: (-walked.get(n, 0.0), -total[n], n))[:MOST_NAMES]
    wide = np.array([ems(n) * NAME_TEXT + 8 for n in best])
    tried = np.full((len(best), 12, 2), np.nan)
    for k, n in enumerate(best):
        own = np.flatnonzero(name[seen] == n)
        own = own[np.argsort(-length[own], kind="stable")][:6]
        places = [at for line in inside[own] for at in _beside(paper, line, wide[k])]
        tried[k, : len(places)] = np.array(places).reshape(-1, 2)
    outside = (abs(tried[:, :, 0] - WIDE / 2) > WIDE / 2 - wide[:, None] / 2) | (
        abs(tried[:, :, 1] - paper.high / 2) > paper.high / 2 - NAME_TEXT
    )
    tried[outside] = np.nan
    corner = np.array([[0.0, paper.high - FOOT, 640.0, paper.high]])
    high = np.full(len(best), NAME_TEXT * 1.2)
    chosen = place(tried[:, :, 0], tried[:, :, 1], wide, high, wide, np.vstack([taken, corner]))
    return [
        f'<text x="{tried[k, c, 0]:.1f}" y="{tried[k, c, 1] + NAME_TEXT * 0.36:.1f}" class="street">{escape(n)}</text>'
        for k, (n, c) in enumerate(zip(best, chosen, strict=True))
        if c >= 0
    ]


def _beside(paper: Paper, line: shapely.Geometry, wide: float) -> list[NDArray[np.float64]]:
    """Return the centres of a name above and below, or right and left of, the middle of a street."""
    part = max(shapely.get_parts(line), key=shapely.length, default=None)
    if part is None or shapely.length(part) == 0:
        return []
    ends = shapely.line_interpolate_point(part, [0.5, 0.45, 0.55], normalized=True)
    middle, before, after = paper.xy(shapely.get_coordinates(ends))
    x, y = (after - before) / max(np.hypot(*(after - before)), 1e-9)
    away = abs(y) * (wide / 2 + 6.0) + abs(x) * NAME_TEXT * 0.6 + 10.0
    normal = np.array([y, -x]) if x >= 0 else np.array([-y, x])
    return [middle + normal * away, middle - normal * away]


def _around(xy: NDArray[np.float64], far: float) -> NDArray[np.float64]:
    """Return (n, 17, 2) places for a label: at the point, around it, and around it farther off."""
    turns = np.arange(8) * np.pi / 4 - np.pi / 4
    ring = np.column_stack([np.cos(turns), np.sin(turns)])
    steps = np.vstack([np.zeros((1, 2)), ring * far * 1.5, ring * far * 2.6])
    return xy[:, None, :] + steps[None]


def _boxes(xy: NDArray[np.float64], half_wide: float, half_high: float) -> NDArray[np.float64]:
    half = np.array([half_wide, half_high])
    return np.hstack([xy - half, xy + half]) if len(xy) else np.empty((0, 4))


def _station_places(paper: Paper, routes: list[Route]) -> tuple[NDArray[np.float64], list[str]]:
    """Return where the stations stand, those whose place may be told."""
    at = {str(r.crew["station_code"]): r.at[0] for r in routes if r.known and len(r.at)}
    shown = {code: xy for code, xy in at.items() if np.isfinite(xy).all()}
    return paper.xy(np.array(list(shown.values())).reshape(-1, 2)), list(shown)


def _badge(at: NDArray[np.float64], text: str, ink: str, radius: float, size: float) -> str:
    return (
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}" fill="{ink}" stroke="#fff" stroke-width="4"/>'
        f'<text x="{at[0]:.1f}" y="{at[1] + size * 0.36:.1f}" text-anchor="middle" font-size="{size:g}" '
        f'font-weight="700" fill="#fff">{escape(text)}</text>'
    )


def _pill(at: NDArray[np.float64], text: str, wide: float, ink: str, *, filled: bool) -> str:
    fill, letters = (ink, "#fff") if filled else ("#fff", "#111")
    return (
        f'<rect x="{at[0] - wide / 2:.1f}" y="{at[1] - BADGE + 2:.1f}" width="{wide:.1f}" height="{2 * BADGE - 4:.1f}" '
        f'rx="{BADGE - 2:g}" fill="{fill}" stroke="{ink}" stroke-width="3"/>'
        f'<text x="{at[0]:.1f}" y="{at[1] + BADGE_TEXT * 0.36:.1f}" text-anchor="middle" font-size="{BADGE_TEXT:g}" '
        f'font-weight="600" fill="{letters}">{text}</text>'
    )


def _leader(point: NDArray[np.float64], at: NDArray[np.float64]) -> str:
    if np.hypot(*(at - point)) < 1:
        return ""
    return (
        f'<path d="M{point[0]:.1f},{point[1]:.1f}L{at[0]:.1f},{at[1]:.1f}" stroke="#111" stroke-width="2.5"/>'
        f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="4.5" fill="#111"/>'
    )


def _diamond(at: NDArray[np.float64], ink: str = patrol_words.CHECK_COLOUR) -> str:
    return (
        f'<rect x="-11" y="-11" width="22" height="22" fill="{ink}" stroke="#fff" '
        f'stroke-width="3" transform="translate({at[0]:.1f} {at[1]:.1f}) rotate(45)"/>'
    )


def _station(at: NDArray[np.float64]) -> str:
    return (
        f'<rect x="{at[0] - 22:.1f}" y="{at[1] - 22:.1f}" width="44" height="44" rx="6" fill="#111" stroke="#fff" '
        f'stroke-width="4"/><text x="{at[0]:.1f}" y="{at[1] + 11:.1f}" text-anchor="middle" font-size="30" '
        'font-weight="700" fill="#fff">站</text>'
    )


def _svg(paper: Paper, parts: list[str], title: str) -> str:
    return (
        f'<svg class="map" viewBox="0 0 {WIDE:g} {paper.high:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}{_foot(paper)}</svg>"
    )


def _foot(paper: Paper) -> str:
    """Draw the scale bar and the north arrow in the strip at the foot."""
    length = round_length(420.0 * paper.scale)
    units, y = length / paper.scale, paper.high - 28
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    x = units + 110
    return (
        f'<rect x="6" y="{paper.high - 92:.0f}" width="{x + 92:.0f}" height="86" rx="8" fill="#fff" opacity=".9"/>'
        f'<path d="M30,{y - 14:.0f}V{y:.0f}H{30 + units:.1f}V{y - 14:.0f}" fill="none" stroke="#111" stroke-width="4"/>'
        f'<text x="{30 + units / 2:.1f}" y="{y - 16:.0f}" text-anchor="middle" font-size="28" fill="#111">{said}</text>'
        f'<path d="M{x - 17:.1f},{y + 8:.0f}L{x:.1f},{y - 50:.0f}L{x + 17:.1f},{y + 8:.0f}L{x:.1f},{y - 8:.0f}Z" '
        f'fill="#111"/><text x="{x + 22:.1f}" y="{y + 2:.0f}" font-size="28" fill="#111">北 N</text>'
    )
