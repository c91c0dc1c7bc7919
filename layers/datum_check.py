"""Whether a layer was drawn on another datum than it was read in: its fit to what is already there tells.

GCJ-02 and BD-09 displace everything in China by some 300 to 1,200 m in a direction that changes slowly, so a layer read
in the wrong datum is off its streets and boundaries as a whole. Each other datum is tried on the layer and its fit
compared; the layer is suspected only where another datum fits far better and no reference speaks for the declared one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import metric_crs, to_metric
from gis.datum import DATUMS, bd09_from_wgs84, gcj02_from_wgs84, to_wgs84
from gis.notes import LamplightNote

Shapes = NDArray[np.object_]
Lonlat = tuple[NDArray[np.float64], NDArray[np.float64]]

BOUNDARIES, STREETS, SAME_PLACES = "boundaries", "streets", "same places"
NAMES = {"wgs84": "WGS84", "gcj02": "GCJ-02", "bd09": "BD-09"}
#: Positions looked at; a datum moves all of them, so a sample says as much as the whole.
SAMPLES, STREET_SAMPLES = 2_000, 20_000
#: Metres within which two drawings of one boundary, a place and its street, a place and its earlier self agree.
NEAR_M = {BOUNDARIES: 60.0, STREETS: 30.0, SAME_PLACES: 60.0}
#: Fewest positions from which to conclude anything.
FEWEST = {BOUNDARIES: 20, STREETS: 30, SAME_PLACES: 5}
#: A better fit counts from this share on, this many times the other's, and this many standard errors beyond chance.
BETTER = {BOUNDARIES: (0.15, 3.0), STREETS: (0.15, 1.25), SAME_PLACES: (0.5, 3.0)}
STANDARD_ERRORS = 4.0
#: Streets cut at the city's edge leave at most this share outside the right boundary, and more than that many times
#: as much outside a displaced one. Streets that run on beyond the edge say nothing.
CLIPPED_SHARE, CLIPPED_TIMES = 0.0005, 5.0
_FROM_WGS84: dict[str, Callable[..., Lonlat]] = {"gcj02": gcj02_from_wgs84, "bd09": bd09_from_wgs84}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Something already in the store to hold a layer against.

    kind : BOUNDARIES (polygons), STREETS (lines), or SAME_PLACES (the layer's own earlier points, one for each of its
        rows, None where a row is new). zh, en : what to call it. replaced : whether the layer is about to take its
        place, so that nothing need be said of its own faults.
    """

    kind: str
    shapes: Shapes
    zh: str
    en: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class DatumSuspicion:
    """A layer, or what it was held against, is probably on another datum than declared.

    datum : the probable one; of_reference : whether the reference rather than the layer is on it.
    offset_m : how far that displaces the layer; fit, declared_fit : share of the sample that agrees, with and without.
    """

    datum: str
    of_reference: bool
    offset_m: float
    fit: float
    declared_fit: float
    against_zh: str
    against_en: str

    @property
    def flag(self) -> str:
        """The command line's remedy."""
        return f"--datum {self.datum}"

    @property
    def note(self) -> LamplightNote:
        """The warning in both languages."""
        name, metres = NAMES[self.datum], f"{self.offset_m:.0f}"
        if self.of_reference:
            return LamplightNote(
                f"已有的{self.against_zh}可能是 {name} 坐标，与本图层相差约 {metres} 米："
                f"请用 {self.flag} 重新导入{self.against_zh}",
                f"the {self.against_en} already there are probably {name}, about {metres} m off this layer: "
                f"import the {self.against_en} again with {self.flag}",
            )
        return LamplightNote(
            f"本图层可能是 {name} 坐标，与已有的{self.against_zh}相差约 {metres} 米：请用 {self.flag} 重新导入",
            f"this layer is probably {name}, about {metres} m off the {self.against_en} already there: "
            f"import it again with {self.flag}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Verdict:
    """One reference's word: 0 nothing to say, 1 for the declared datum, 2 for candidate ``index``."""

    says: int
    index: int = 0
    fit: float = 0.0
    declared_fit: float = 0.0


def guess_datum_shift(
    shapes: Shapes, references: Sequence[Reference], *, declared: str = "wgs84"
) -> DatumSuspicion | None:
    """Return the datum that ``shapes`` or a reference is probably on, if not the declared one; None if nothing says so.

    shapes : (n,) points, lines or polygons, brought to WGS84 from ``declared``. references : in order of trust; the
        first that speaks for or against the layer decides on it, and a reference is blamed only if the layer is not.
    """
    placed = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not placed.any():
        return None
    if not any(reference.kind == SAME_PLACES for reference in references):
        shapes = shapes[placed]
    candidates = _candidates(declared)
    of_layer: DatumSuspicion | None = None
    of_reference: DatumSuspicion | None = None
    confirmed = False
    for reference in references:
        verdict, sample = _hold_against(shapes, reference, [move for _, _, move in candidates])
        confirmed |= verdict.says == 1 and of_layer is None
        if verdict.says != 2:
            continue
        datum, blames_reference, move = candidates[verdict.index]
        offset_m = _offset_m(sample, move)
        if blames_reference and reference.replaced:
            continue
        if offset_m <= NEAR_M[BOUNDARIES]:  # outside the region of GCJ-02 all datums are one
            continue
        found = DatumSuspicion(
            datum, blames_reference, offset_m, verdict.fit, verdict.declared_fit, reference.zh, reference.en
        )
        if blames_reference:
            of_reference = of_reference or found
        elif not confirmed:
            of_layer = of_layer or found
    return of_layer or of_reference


def _candidates(declared: str) -> list[tuple[str, bool, Callable[..., Lonlat]]]:
    """Return (datum, whether of the reference, how it moves the layer) for each other reading."""

    def reread(datum: str) -> Callable[..., Lonlat]:
        def move(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Lonlat:
            raw_lon, raw_lat = _FROM_WGS84[declared](lon, lat) if declared in _FROM_WGS84 else (lon, lat)
            return to_wgs84(raw_lon, raw_lat, datum)

        return move

    own = [(datum, False, reread(datum)) for datum in DATUMS if datum != declared]
    return own + [(datum, True, move) for datum, move in _FROM_WGS84.items()]


def _hold_against(
    shapes: Shapes, reference: Reference, moves: Sequence[Callable[..., Lonlat]]
) -> tuple[_Verdict, NDArray[np.float64]]:
    """Return the reference's word and the sample (k, 2) of the layer's positions it rests on."""
    dimension = int(shapely.get_dimensions(shapes).max(initial=0))
    areal, linear = dimension == 2, dimension == 1
    if areal and reference.kind == STREETS:
        # to move the layer one way is to move the streets the other way; candidates are re-found in that sense
        return _clip(shapes, reference.shapes, moves, moved="areas"), _positions(shapes)
    if linear and reference.kind == BOUNDARIES:
        return _clip(reference.shapes, shapes, moves, moved="streets"), _positions(shapes)
    if reference.kind == SAME_PLACES:
        both = ~(shapely.is_missing(shapes) | shapely.is_missing(reference.shapes))
        sample = shapely.get_coordinates(shapes[both])
        return _near_pairs(sample, shapely.get_coordinates(reference.shapes[both]), moves), sample
    if reference.kind == BOUNDARIES and not areal:
        return _Verdict(0), _positions(shapes)
    sample = _positions(shapes)
    return _near_lines(sample, reference, moves), sample


def _positions(shapes: Shapes) -> NDArray[np.float64]:
    """Return up to SAMPLES positions (k, 2) spread along the shapes: points, lines, or outlines of polygons."""
    outlines = np.where(shapely.get_dimensions(shapes) == 2, shapely.boundary(shapes), shapes)
    length = shapely.length(outlines)
    if length.sum() > 0:  # a plain outline has few corners, and they say little about the way between them
        outlines = shapely.segmentize(outlines[length > 0], length.sum() / SAMPLES)  # fails on lines of no length
    return _spread(shapely.get_coordinates(outlines), SAMPLES)


def _spread(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    chosen: NDArray[np.float64] = values[
        np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).astype(int))
    ]
    return chosen


def _metric(lonlat: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    return np.column_stack(to_metric(lonlat[:, 0], lonlat[:, 1], crs))


def _moved(sample: NDArray[np.float64], move: Callable[..., Lonlat]) -> NDArray[np.float64]:
    return np.column_stack(move(sample[:, 0], sample[:, 1]))


def _offset_m(sample: NDArray[np.float64], move: Callable[..., Lonlat]) -> float:
    crs = metric_crs(*sample[0])
    gap = _metric(_moved(sample, move), crs) - _metric(sample, crs)
    return float(np.median(np.hypot(gap[:, 0], gap[:, 1])))


def _near_lines(sample: NDArray[np.float64], reference: Reference, moves: Sequence[Callable[..., Lonlat]]) -> _Verdict:
    crs, near_m = metric_crs(*sample[0]), NEAR_M[reference.kind]
    tree = shapely.STRtree(_metric_lines(reference, crs))

    def near(positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        found = tree.query(shapely.points(_metric(positions, crs)), predicate="dwithin", distance=near_m)[0]
        return np.asarray(np.isin(np.arange(len(positions)), found))

    return _compare(near(sample), [near(_moved(sample, move)) for move in moves], reference.kind)


def _metric_lines(reference: Reference, crs: str) -> Shapes:
    """Return the reference's lines in metres; long outlines are cut into two-point pieces, which a tree finds fast."""
    if reference.kind == STREETS:
        return np.asarray(
            shapely.transform(reference.shapes, lambda x, y: to_metric(x, y, crs), interleaved=False), object
        )
    outlines = shapely.get_parts(shapely.boundary(reference.shapes))
    lonlat, line = shapely.get_coordinates(outlines, return_index=True)
    xy = _metric(lonlat, crs)
    joined = line[1:] == line[:-1]
    return np.asarray(shapely.linestrings(np.stack([xy[:-1][joined], xy[1:][joined]], axis=1)), object)


def _near_pairs(
    sample: NDArray[np.float64], earlier: NDArray[np.float64], moves: Sequence[Callable[..., Lonlat]]
) -> _Verdict:
    if not len(sample):
        return _Verdict(0)
    crs = metric_crs(*sample[0])
    there = _metric(earlier, crs)

    def near(positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        gap = _metric(positions, crs) - there
        return np.asarray(np.hypot(gap[:, 0], gap[:, 1]) <= NEAR_M[SAME_PLACES])

    return _compare(near(sample), [near(_moved(sample, move)) for move in moves], SAME_PLACES)


def _compare(declared: NDArray[np.bool_], others: Sequence[NDArray[np.bool_]], kind: str) -> _Verdict:
    """Weigh paired agreement (McNemar): which reading brings clearly more of the same positions near."""
    if len(declared) < FEWEST[kind]:
        return _Verdict(0)
    shares = [float(other.mean()) for other in others]
    best = int(np.argmax(shares))
    if _clearly(others[best], declared, kind):
        return _Verdict(2, best, shares[best], float(declared.mean()))
    if all(_clearly(declared, other, kind) for other in others):
        return _Verdict(1)
    return _Verdict(0)


def _clearly(better: NDArray[np.bool_], worse: NDArray[np.bool_], kind: str) -> bool:
    least, times = BETTER[kind]
    gained, lost = int((better & ~worse).sum()), int((worse & ~better).sum())
    enough = kind == SAME_PLACES or gained - lost >= STANDARD_ERRORS * np.sqrt(gained + lost)
    return bool(gained > lost and enough and better.mean() >= least and better.mean() >= times * worse.mean())


def _clip(areas: Shapes, streets: Shapes, moves: Sequence[Callable[..., Lonlat]], *, moved: str) -> _Verdict:
    """Weigh how much of the streets lies outside the areas: of streets cut at the city's edge, next to nothing."""
    lines = streets[np.unique(np.linspace(0, len(streets) - 1, min(STREET_SAMPLES, len(streets))).astype(int))]
    sample = shapely.get_coordinates(shapely.line_interpolate_point(lines, 0.5, normalized=True))
    weight = shapely.length(lines)
    shapely.prepare(areas)
    tree = shapely.STRtree(areas)

    def outside(positions: NDArray[np.float64]) -> float:
        inside = np.zeros(len(positions), bool)
        points = shapely.points(positions)
        point, area = tree.query(points)
        inside[point[shapely.contains(areas[area], points[point])]] = True
        return float(weight[~inside].sum() / max(weight.sum(), 1e-300))

    shares = [outside(_moved(sample, move if moved == "streets" else _inverse(move))) for move in moves]
    declared, best = outside(sample), int(np.argmin(shares))
    if len(sample) < FEWEST[STREETS]:
        return _Verdict(0)
    if _cut_at_edge(shares[best], declared):
        return _Verdict(2, best, 1.0 - shares[best], 1.0 - declared)
    if all(_cut_at_edge(declared, share) for share in shares):
        return _Verdict(1)
    return _Verdict(0)


def _cut_at_edge(right: float, wrong: float) -> bool:
    return right <= CLIPPED_SHARE and wrong >= 2 * CLIPPED_SHARE and wrong >= CLIPPED_TIMES * right


def _inverse(move: Callable[..., Lonlat]) -> Callable[..., Lonlat]:
    """Return the way back of a move, found by iteration: displacements change slowly from place to place."""

    def back(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Lonlat:
        x, y = lon, lat
        for _ in range(3):
            there_x, there_y = move(x, y)
            x, y = x + lon - there_x, y + lat - there_y
        return x, y

    return back
