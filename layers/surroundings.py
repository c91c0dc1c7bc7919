"""What the store already holds around a layer about to be imported: what it is validated and held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from gis.errors import RecordError
from layers.codes import LEVEL_ZH, LEVELS, Level
from layers.datum_check import BOUNDARIES, SAME_PLACES, STREETS, Reference
from layers.records import layer_schema
from layers.store import Store
from layers.validation import Context
from layers.version_rows import LayerVersion

DEFAULT_TIMEZONE = "Asia/Shanghai"


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The areas of each tier, and the active version of every layer, at the start of an import."""

    store: Store
    areas: Mapping[str, gpd.GeoDataFrame]
    current: Mapping[tuple[str, str], LayerVersion]

    def context(self, layer: str, part: str, now: datetime, columns: Mapping[str, str]) -> Context:
        """Return what validation of a layer's part needs to know; now : UTC where it has no zone."""
        timezone = self.store.setting("timezone") or DEFAULT_TIMEZONE
        aware = now if now.tzinfo is not None else now.replace(tzinfo=UTC)
        try:
            local = aware.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
        except (ZoneInfoNotFoundError, ValueError):
            raise RecordError(f"未知时区：{timezone}", f"unknown time zone {timezone!r}") from None
        codes = {code for table in self.areas.values() for code in table["code"]}
        if ("grid-cells", "") in self.current and layer in {"roster", "population", "patrol-duties"}:
            codes |= set(self.store.load("grid-cells")["code"])
        segments = self._ids("streets", "segment_id") if layer in {"patrol-duties", "patrol-effort"} else frozenset()
        points: frozenset[str] = frozenset()
        if layer == "roster":
            points = self._ids("service-points", "code") | self._ids("rescue-stations", "code")
        boundary = self._boundary(layer, part)
        return Context(local, timezone, boundary, frozenset(codes), segments, points, columns)

    def _ids(self, layer: str, field: str) -> frozenset[Any]:
        return frozenset(self.store.load(layer, fields=[field])[field]) if (layer, "") in self.current else frozenset()

    def _boundary(self, layer: str, part: str) -> BaseGeometry | None:
        """Return the city's boundary, or that of its districts together; a tier is not judged by itself."""
        for level in (Level.CITY, Level.DISTRICT):
            if layer == "areas" and part == level:
                return None
            if level in self.areas and len(self.areas[level]):
                return shapely.union_all(self.areas[level].geometry.to_numpy())
        return None

    def references(self, layer: str, part: str, table: gpd.GeoDataFrame, datum: str) -> list[Reference]:
        """Return what to hold a validated ``table`` read as ``datum`` against, in order of trust."""
        if not layer_schema(layer).has_geometry:
            return []
        found = self._boundaries(layer, part)
        if layer != "streets" and ("streets", "") in self.current:
            found.append(Reference(STREETS, self.store.load("streets").geometry.to_numpy(), "街道", "streets"))
        earlier = self.current.get((layer, part))
        # an earlier version read in another datum is what this import puts right
        if earlier is not None and earlier.datum == datum:
            found.append(self._earlier(layer, part, table))
        return found

    def _boundaries(self, layer: str, part: str) -> list[Reference]:
        kind = layer_schema(layer).geometry
        others = [level for level in LEVELS if level in self.areas and not (layer == "areas" and level == part)]
        if kind in {"point", "point or none"}:
            return []  # points stand anywhere inside
        drawn = [level for level in others if not self.current[("areas", level)].approximate]
        chosen = drawn or others
        if kind == "line":
            chosen = chosen[:1]  # streets are cut at the city's edge; its coarsest tier draws that
        return [
            Reference(
                BOUNDARIES,
                self.areas[level].geometry.to_numpy(),
                f"{LEVEL_ZH[level]}边界",
                f"{level.value} boundaries",
            )
            for level in chosen
        ]

    def _earlier(self, layer: str, part: str, table: gpd.GeoDataFrame) -> Reference:
        schema = layer_schema(layer)
        earlier = self.areas[part] if layer == "areas" else self.store.load(layer, part)
        shapes, zh, en = earlier.geometry.to_numpy(), f"旧版{schema.zh}", f"earlier {layer}"
        if schema.geometry == "line":
            return Reference(STREETS, shapes, zh, en, replaced=True)
        if schema.geometry == "polygon":
            return Reference(BOUNDARIES, shapes, zh, en, replaced=True)
        if not schema.unique:
            return Reference(SAME_PLACES, np.full(len(table), None, object), zh, en, replaced=True)
        key = schema.unique[0]
        by_key = dict(zip(earlier[key], shapes, strict=True))
        return Reference(SAME_PLACES, np.array([by_key.get(k) for k in table[key]], object), zh, en, replaced=True)


def surroundings_of(store: Store) -> Surroundings:
    """Return what ``store`` holds now."""
    current = store.current()
    areas = {part: store.load("areas", part) for layer, part in current if layer == "areas"}
    return Surroundings(store, areas, current)
