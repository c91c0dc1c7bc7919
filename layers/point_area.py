"""In which area a single place lies, by the areas that are active at the moment of asking."""

import numpy as np
import shapely
from sqlalchemy import Connection, select

from gis.errors import StoreError
from gis.street_pieces import EDGE_DEG, locate
from layers.codes import LEVELS, normalise_code
from layers.schema import SETTING
from layers.version_rows import LayerVersion, active_versions, load_rows


def area_of_point(connection: Connection, lon: float, lat: float) -> str | None:
    """Return the code of the finest area that holds a place (WGS84 degrees); None outside every area.

    Where the city has no boundaries yet, every place is the whole city's. Raises StoreError where not even its code
    is known.
    """
    tiers = {version.part: version for version in active_versions(connection) if version.layer == "areas"}
    for level in LEVELS[::-1]:
        found = _holding(connection, tiers[level], lon, lat) if level in tiers else None
        if found is not None:
            return found
    if tiers:
        return None
    code = connection.scalar(select(SETTING.c.value).where(SETTING.c.name == "city_code"))
    if code is None:
        raise StoreError("尚未导入辖区边界，无法接收报告", "no areas have been imported yet: reports cannot be placed")
    return normalise_code(code)


def _holding(connection: Connection, tier: LayerVersion, lon: float, lat: float) -> str | None:
    table = load_rows(connection, tier, fields=["code"])
    shapes = np.asarray(table["geometry"], object)
    west, south, east, north = shapely.bounds(shapes).T
    near = np.flatnonzero(
        (west <= lon + EDGE_DEG) & (east >= lon - EDGE_DEG) & (south <= lat + EDGE_DEG) & (north >= lat - EDGE_DEG)
    )
    at = int(locate(shapes[near], lon, lat)[0])
    return None if at < 0 else str(table["code"].iloc[near[at]])
