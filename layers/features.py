"""A layer's rows a page at a time, as somebody may see them: by box, by time, by value. The database does the work."""

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Float, Select, func, or_, select

from gis.errors import StoreError
from layers.geometry_type import SRID, wkb_of
from layers.public_points import COLUMNS, KINDS, STANDING
from layers.records import LAYERS, Field, LayerSchema
from layers.roles import may, may_read_layer
from layers.schema import LAYER_TABLES
from layers.scope import seen
from layers.store import Store
from layers.version_rows import LayerVersion

#: From which field to which a row holds, for layers whose rows have a time; one that is absent leaves it open.
TIMES = {
    "areas": ("valid_from", "valid_to"), "service-points": ("last_verified", "last_verified"),
    "reports": ("found_at", "found_at"), "roster": ("from_date", "until_date"),
    "patrol-effort": ("walked_from", "walked_until"), "weather": ("date", "date"),
    "calendar": ("date", "date"),
}  # fmt: skip
#: Where the end is absent, that one day is meant.
ONE_DAY = frozenset({"walked_from"})
#: West, south, east, north, in degrees.
Box = tuple[float, float, float, float]
ROWS_A_CHUNK = 50_000
MOST_ROW = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Collection:
    """One part of a layer as somebody may see it. fields : those shown. public : whether only what everybody sees."""

    name: str
    version: LayerVersion
    schema: LayerSchema
    fields: tuple[Field, ...]
    public: bool

    @property
    def id_field(self) -> str | None:
        """The field that names a row; None where rows have only a number, which the next import may change."""
        return self.schema.unique[0] if len(self.schema.unique) == 1 else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are asked for: all that fulfil every part.

    boxes : what touches any of them, or lies nowhere. begin, end : the city's naive times, None for open; what has no
    time is always in. values : (field, value).
    """

    boxes: tuple[Box, ...] = ()
    begin: datetime | None = None
    end: datetime | None = None
    values: tuple[tuple[str, Any], ...] = ()


class Feature(NamedTuple):
    """One row: its number in its version, its fields' values, its geometry as WKB."""

    row: int
    values: tuple[Any, ...]
    wkb: bytes | None


class Page(NamedTuple):
    """Some rows in canonical order; matched : how many there are in all; following : where the next page starts."""

    features: list[Feature]
    matched: int
    following: int | None


def collections(store: Store, role: str | None) -> dict[str, Collection]:
    """Return what ``role`` (None: the public) may see of the active layers, by name: "streets", "areas-district".

    Raises StoreError where staff would see more than the public through a store that has no scope.
    """
    public = role is None or not may(role, "read_layers")
    if not public and store.scope is None:
        raise StoreError("缺少可见范围", "a store without a scope is not for the eyes of one account")
    found = {}
    for (layer, part), version in store.current().items():
        if may_read_layer(None if public else role, layer):
            schema = LAYERS[layer]
            fields = tuple(f for f in schema.fields if not (public and layer in KINDS) or f.name in COLUMNS)
            name = "-".join(filter(None, (layer, part)))
            found[name] = Collection(name, version, schema, fields, public)
    order = list(LAYERS)
    return dict(sorted(found.items(), key=lambda item: (order.index(item[1].schema.name), item[1].version.part)))


def page(store: Store, of: Collection, wanted: Wanted, *, limit: int, start: int = 0) -> Page:
    """Return up to ``limit`` rows from ``start`` on, as the page before gave it, and how many match in all."""
    table = LAYER_TABLES[of.schema.name]
    hidden = _hidden(of)
    with store.transaction() as connection:
        conditions = [*hidden, *_conditions(connection, of, wanted)]
        query = _narrowed(store, of, _columns(connection, of)).where(*conditions).order_by(table.c.row)
        # numbers of rows are quick to start from, but their gaps would tell the public where something is withheld
        query = query.offset(start) if hidden else query.where(table.c.row >= start)
        rows = connection.execute(query.limit(limit + 1)).all()
        matched = of.version.accepted
        if conditions or store.scope is not None:
            counting = _narrowed(store, of, select(func.count()).select_from(table)).where(*conditions)
            matched = connection.scalar(counting) or 0
    following = None
    if len(rows) > limit:
        following = start + limit if hidden else int(rows[limit].row)
    return Page([_feature(of, row) for row in rows[:limit]], matched, following)


def feature(store: Store, of: Collection, name: str) -> Feature | None:
    """Return the row of this name, or number where rows have no names; None where there is none to be seen."""
    table = LAYER_TABLES[of.schema.name]
    field = of.schema.field(of.id_field) if of.id_field else None
    key: ColumnElement[bool]
    if field is not None and field.kind != "integer":
        key = table.c[field.name] == name
    else:
        number = int(name) if name.isascii() and name.isdigit() and len(name) <= 18 else -1
        if field is None and number > MOST_ROW:
            return None
        key = (table.c.row if field is None else table.c[field.name]) == number
    with store.transaction() as connection:
        query = _narrowed(store, of, _columns(connection, of)).where(*_hidden(of), key)
        row = connection.execute(query.order_by(table.c.row).limit(1)).first()
    return None if row is None else _feature(of, row)


def extent(store: Store, of: Collection) -> Box | None:
    """Return the bounds of all that is seen of a collection, None where it has no geometry or nothing is seen."""
    if not of.schema.has_geometry:
        return None
    conditions = _hidden(of)
    if conditions or store.scope is not None:
        return _extent(store, of, conditions)
    found: Box | None = _EXTENTS.get(of.version.content_sha256, lambda: _extent(store, of, []))
    return found


def _extent(store: Store, of: Collection, conditions: list[ColumnElement[bool]]) -> Box | None:
    table = LAYER_TABLES[of.schema.name]
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            box = func.ST_Extent(table.c.geometry)
            sides = [getattr(func, f"ST_{side}")(box, type_=Float) for side in ("XMin", "YMin", "XMax", "YMax")]
            ends = connection.execute(_narrowed(store, of, select(*sides)).where(*conditions)).one()
            return None if ends[0] is None else (ends[0], ends[1], ends[2], ends[3])
        bounds = _bounds(connection, of.version)
        if conditions or store.scope is not None:
            rows = connection.scalars(_narrowed(store, of, select(table.c.row)).where(*conditions)).all()
            bounds = bounds[np.array(rows, np.int64)]
    bounds = bounds[~np.isnan(bounds[:, 0])]
    if not len(bounds):
        return None
    (west, south), (east, north) = bounds[:, :2].min(axis=0).tolist(), bounds[:, 2:].max(axis=0).tolist()
    return west, south, east, north


def _columns(connection: Connection, of: Collection) -> Select[Any]:
    table = LAYER_TABLES[of.schema.name]
    columns: list[Any] = [table.c.row, *(table.c[field.name] for field in of.fields)]
    if of.schema.has_geometry:
        columns.append(wkb_of(table.c.geometry, connection.dialect.name))
    return select(*columns)


def _feature(of: Collection, row: Any) -> Feature:
    wkb = row[-1] if of.schema.has_geometry else None
    return Feature(row[0], tuple(row[1 : 1 + len(of.fields)]), None if wkb is None else bytes(wkb))


def _narrowed(store: Store, of: Collection, query: Select[Any]) -> Select[Any]:
    """Return a query of the collection's version alone, inside the store's scope."""
    table = LAYER_TABLES[of.schema.name]
    return seen(query.where(table.c.version_id == of.version.id), table, store.scope)


def _hidden(of: Collection) -> list[ColumnElement[bool]]:
    """Return the conditions that leave out what the public does not get to see: points withheld, or only planned."""
    if not of.public or of.schema.name != "service-points":
        return []
    table = LAYER_TABLES[of.schema.name]
    return [table.c.withheld.is_(False), table.c.build_state.in_(sorted(STANDING))]


def _conditions(connection: Connection, of: Collection, wanted: Wanted) -> list[ColumnElement[bool]]:
    table = LAYER_TABLES[of.schema.name]
    conditions: list[ColumnElement[bool]] = [table.c[name] == value for name, value in wanted.values]
    if of.schema.name in TIMES:
        begins, ends = TIMES[of.schema.name]
        first: ColumnElement[Any] = table.c[begins]
        last: ColumnElement[Any] = func.coalesce(table.c[ends], first) if begins in ONE_DAY else table.c[ends]
        instant = of.schema.field(begins).kind == "datetime"
        if wanted.end is not None:
            conditions.append(or_(first.is_(None), first <= (wanted.end if instant else wanted.end.date())))
        if wanted.begin is not None:
            conditions.append(or_(last.is_(None), last >= (wanted.begin if instant else wanted.begin.date())))
    if wanted.boxes and of.schema.has_geometry:
        conditions.append(_touching(connection, of, wanted.boxes))
    return conditions


def _touching(connection: Connection, of: Collection, boxes: Iterable[Box]) -> ColumnElement[bool]:
    table = LAYER_TABLES[of.schema.name]
    if connection.dialect.name == "postgresql":
        shapes = (func.ST_MakeEnvelope(*box, SRID) for box in boxes)
        return or_(table.c.geometry.is_(None), *(func.ST_Intersects(table.c.geometry, shape) for shape in shapes))
    version = of.version
    parts = [_TOUCHING.get((version.content_sha256, box), lambda b=box: _rows(connection, version, b)) for box in boxes]  # type: ignore[misc]
    listed = func.json_each(json.dumps(np.unique(np.concatenate(parts)).tolist())).table_valued("value")
    return table.c.row.in_(select(listed.c.value))


# SQLite has no index of places, so each version's bounds are read once and kept: 32 bytes a row


class _Kept:
    """The last few values made, by key; keys name contents that never change."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


_BOUNDS, _TOUCHING, _EXTENTS = _Kept(24), _Kept(64), _Kept(256)


def _bounds(connection: Connection, version: LayerVersion) -> NDArray[np.float64]:
    """Return (n, 4) the bounds of each row of a version, NaN where it has no geometry."""
    found: NDArray[np.float64] = _BOUNDS.get(version.content_sha256, lambda: _read_bounds(connection, version))
    return found


def _read_bounds(connection: Connection, version: LayerVersion) -> NDArray[np.float64]:
    table = LAYER_TABLES[version.layer]
    query = select(wkb_of(table.c.geometry, connection.dialect.name)).where(table.c.version_id == version.id)
    bounds = np.empty((version.accepted, 4))
    start = 0
    for chunk in connection.execute(query.order_by(table.c.row)).scalars().partitions(ROWS_A_CHUNK):
        bounds[start : start + len(chunk)] = shapely.bounds(shapely.from_wkb(np.array(chunk, object)))
        start += len(chunk)
    return bounds


def _rows(connection: Connection, version: LayerVersion, box: Box) -> NDArray[np.int64]:
    """Return which rows touch a box, or have no geometry; only those on its border are looked at themselves."""
    bounds = _bounds(connection, version)
    west, south, east, north = box
    apart = (bounds[:, 0] > east) | (bounds[:, 2] < west) | (bounds[:, 1] > north) | (bounds[:, 3] < south)
    within = (bounds[:, 0] >= west) & (bounds[:, 2] <= east) & (bounds[:, 1] >= south) & (bounds[:, 3] <= north)
    nowhere = np.isnan(bounds[:, 0])
    touches = within | nowhere
    border = np.flatnonzero(~(apart | within | nowhere))
    table = LAYER_TABLES[version.layer]
    listed = func.json_each(json.dumps(border.tolist())).table_valued("value")
    query = select(wkb_of(table.c.geometry, connection.dialect.name)).where(
        table.c.version_id == version.id, table.c.row.in_(select(listed.c.value))
    )  # fmt: skip
    shapes = shapely.from_wkb(np.array(connection.scalars(query.order_by(table.c.row)).all(), object))
    touches[border] = shapely.intersects(shapes, shapely.box(*box))
    return np.flatnonzero(touches)
