"""One geometry column type for two stores: ISO WKB in a blob on SQLite, a real geometry(kind, 4326) on PostGIS."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Dialect, LargeBinary, func, type_coerce
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

SRID = 4326


class _PostgisGeometry(UserDefinedType[Any]):
    """The column type PostGIS itself knows; values travel as hexadecimal EWKB."""

    cache_ok = True

    def __init__(self, kind: str, srid: int) -> None:
        self.kind = kind
        self.srid = srid

    def get_col_spec(self, **_: Any) -> str:
        """Return the type as written in DDL."""
        return f"geometry({self.kind}, {self.srid})"


class Geometry(TypeDecorator[Any]):
    """A shapely geometry in WGS84 longitude and latitude; None is NULL.

    kind : "POINT", "LINESTRING", "MULTIPOLYGON" or "GEOMETRY".
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, kind: str = "GEOMETRY", srid: int = SRID) -> None:
        super().__init__()
        self.kind = kind
        self.srid = srid

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of the store at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(_PostgisGeometry(self.kind, self.srid))
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encode one geometry for the store."""
        return None if value is None else encode_geometries(np.array([value], object), dialect.name, self.srid)[0]

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decode one geometry from the store."""
        return None if value is None else shapely.from_wkb(value)


def encode_geometries(geometries: NDArray[np.object_], dialect: str, srid: int = SRID) -> NDArray[np.object_]:
    """Encode (n,) shapely geometries, None allowed, as the driver of ``dialect`` takes them; whole columns at once."""
    if dialect == "postgresql":
        encoded = shapely.to_wkb(shapely.set_srid(geometries, srid), hex=True, include_srid=True)
    else:
        encoded = shapely.to_wkb(geometries, output_dimension=2)
    return np.asarray(encoded, object)


def wkb_of(column: ColumnElement[Any], dialect: str) -> ColumnElement[bytes]:
    """Return the expression that selects ``column`` as plain WKB, to be decoded a whole column at once."""
    return func.ST_AsBinary(column, type_=LargeBinary) if dialect == "postgresql" else type_coerce(column, LargeBinary)
