"""What the maps of coverage draw, as GeoJSON: areas, gaps along streets, and points as a scenario leaves them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from layers.scenario_content import Entry
from layers.store import Store

#: Borders are drawn to about this many degrees (some 5 m), and written to five decimals (some 1 m).
BORDER_DEG, DECIMALS = 0.00005, 5


def collection(shapes: Iterable[Any], properties: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return shapes (WGS84) with their properties as a GeoJSON object; those without a shape are left out."""
    features = [
        {"type": "Feature", "properties": said, "geometry": shapely.geometry.mapping(_rounded(shape))}
        for shape, said in zip(shapes, properties, strict=True)
        if shape is not None and not shape.is_empty
    ]
    return {"type": "FeatureCollection", "features": features}


def areas(store: Store, level: str) -> dict[str, Any]:
    """Return the areas of a tier inside the store's scope: code and name. Neighbours keep their common border."""
    if ("areas", level) not in store.current():
        return collection([], [])
    table = store.load("areas", level, fields=("code", "name"))
    shapes = np.asarray(table["geometry"], object)
    simple = shapely.coverage_simplify(shapes, BORDER_DEG) if len(shapes) else shapes
    return collection(simple, table[["code", "name"]].to_dict("records"))


def gaps(store: Store, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the streets of an area's gaps, each whole: street, metres and rank in the list."""
    if not found:
        return collection([], [])
    lines = store.load("streets", fields=("segment_id",)).set_index("segment_id")["geometry"]
    kept = [gap for gap in found if gap["segment_id"] in lines.index]
    said = [{"rank": n, "street": gap["street"], "metres": round(gap["gap_m"])} for n, gap in enumerate(kept, 1)]
    return collection((lines[gap["segment_id"]] for gap in kept), said)


def points(live: pd.DataFrame, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return every point as a scenario leaves it, by code: what it is now, and ``state``.

    state : "live", "added", "moved", "changed" or "closed"; a moved one carries from_lon and from_lat.
    """
    changes = {entry["code"]: entry for entry in entries}
    made = []
    for row in [*live.to_dict("records"), *(e for e in changes.values() if e["action"] == "add")]:
        entry = changes.get(row["code"], {})
        point = {**{str(k): v for k, v in row.items()}, **entry, "state": _state(entry)}
        if point["state"] == "moved":
            point |= {"from_lon": row["lon"], "from_lat": row["lat"]}
        made.append(point)
    return sorted(made, key=lambda point: str(point["code"]))


def points_collection(made: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``points`` as GeoJSON: code, name and state."""
    said = [{"code": str(p["code"]), "name": str(p.get("name") or p["code"]), "state": p["state"]} for p in made]
    return collection((shapely.Point(p["lon"], p["lat"]) for p in made), said)


def _state(entry: Entry) -> str:
    if not entry:
        return "live"
    if entry["action"] in ("add", "close"):
        return {"add": "added", "close": "closed"}[str(entry["action"])]
    return "moved" if "lon" in entry else "changed"


def _rounded(shape: Any) -> Any:
    def rounded(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(places, DECIMALS)

    return shapely.transform(shape, rounded)
