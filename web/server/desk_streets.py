"""The streets of a night for a map: their lines as whole numbers, each the difference to the one before."""

import gzip
import json
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from layers.scope import Scope
from planner.desk.ground import Ground, Stop

#: Coordinates are multiples of this part of a degree, a metre or less.
SCALE = 100_000
#: So many answers are kept, packed.
KEPT = 8


def streets_json(ground: Ground, duties: NDArray[np.int64]) -> dict[str, Any]:
    """Return streets and duties of a night in columns.

    scale : what whole numbers of degrees are divided by. streets: id, name (a number in ``names``), points (how many
    each line has), steps (longitude and latitude of every point in turn, as the difference to the point before; the
    first of a line to the last of the line before). duties: id, street (a number in ``streets``), check, both, must (0
    or 1), minutes (to look at it on foot or as the night's first mode goes), at ([lon, lat] of checks, null elsewhere).
    """
    network, night = ground.records.city.network, ground.night
    segments, street = np.unique(night.duties.segment[duties], return_inverse=True)
    names, name = np.unique(network.name[segments].astype(str), return_inverse=True)
    lines = network.geometry[segments]
    points, owner = shapely.get_coordinates(lines, return_index=True)
    whole = np.rint(points * SCALE).astype(np.int64)
    # points that fall on the one before are left out, but for the two ends
    same = np.r_[False, (whole[1:] == whole[:-1]).all(axis=1) & (owner[1:] == owner[:-1])]
    last = np.r_[owner[1:] != owner[:-1], True]
    kept = ~same | last
    steps = np.diff(whole[kept], axis=0, prepend=np.zeros((1, 2), np.int64))
    checks = night.duties.check[duties]
    spots = [
        None if not check else _spot(network.geometry[s], float(offset_m), float(network.length_m[s]))
        for check, s, offset_m in zip(checks, night.duties.segment[duties], night.duties.offset_m[duties], strict=True)
    ]
    first = {int(duty): i for i, duty in reversed(list(enumerate(night.duty)))}
    service_s = [float(night.service_s[:, first[int(duty)]].min()) for duty in duties]
    return {
        "scale": SCALE,
        "names": names.tolist(),
        "streets": {
            "id": network.segment_id[segments].tolist(), "name": name.tolist(),
            "points": np.bincount(owner[kept], minlength=len(segments)).tolist(), "steps": steps.ravel().tolist(),
        },
        "duties": {
            "id": night.duties.id[duties].astype(str).tolist(), "street": street.tolist(),
            "check": checks.astype(int).tolist(), "both": night.duties.both_sides[duties].astype(int).tolist(),
            "must": night.duties.must[duties].astype(int).tolist(),
            "minutes": [round(s / 60, 1) if np.isfinite(s) else None for s in service_s], "at": spots,
        },
    }  # fmt: skip


def _spot(line: shapely.LineString, offset_m: float, length_m: float) -> list[float]:
    at = shapely.line_interpolate_point(line, offset_m / length_m if length_m > 0 else 0.0, normalized=True)
    return [round(at.x, 6), round(at.y, 6)]


def duties_seen(ground: Ground, scope: Scope, routes: Iterable[Iterable[Stop]]) -> NDArray[np.int64]:
    """Return the duties inside ``scope`` and those of ``routes``, as numbers of the night's."""
    night = ground.night
    inside = {int(duty) for duty, code in zip(night.duty, ground.area, strict=True) if scope.holds(str(code))}
    routed = {int(night.duty[ground.services[stop]]) for route in routes for stop in route if stop in ground.services}
    return np.array(sorted(inside | routed), np.int64)


class PackedStreets:
    """Answers made once and kept as they are sent."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._turn = Lock()

    def packed(self, key: tuple[object, ...], ground: Ground, duties: NDArray[np.int64]) -> bytes:
        """Return the streets of ``duties`` as gzipped JSON; ``key`` tells one answer from another."""
        with self._turn:
            if key not in self._kept:
                said = json.dumps(streets_json(ground, duties), ensure_ascii=False, separators=(",", ":"))
                self._kept[key] = gzip.compress(said.encode(), 6, mtime=0)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]
