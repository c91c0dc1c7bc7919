"""The places of help the public may know of; the only way from the store to a public page."""

import geopandas as gpd
import pandas as pd

from layers.records import ALL_FUNCTIONS
from layers.store import Store

#: Points that stand already; the others are plans.
STANDING = frozenset({"existing", "upgrade"})
KINDS = {"service-points": "points", "rescue-stations": "stations"}
COLUMNS = (
    "key", "kind", "code", "name", "functions", "hours", "phone", "address", "last_verified", "operating_mode",
)  # fmt: skip


def public_points(store: Store) -> gpd.GeoDataFrame:
    """Return every place of help that stands and is not withheld, WGS84, service points before rescue stations.

    Columns as in ``COLUMNS``: key ("points/P001", "stations/S1") names a place in addresses; what a layer does not
    hold is empty. A store without either layer gives no rows.
    """
    current = store.current()
    tables = [_public(store.load(layer), layer) for layer in KINDS if (layer, "") in current]
    if not tables:
        return gpd.GeoDataFrame({name: [] for name in COLUMNS}, geometry=[], crs="EPSG:4326")
    return gpd.GeoDataFrame(pd.concat(tables, ignore_index=True), geometry="geometry", crs="EPSG:4326")


def _public(table: gpd.GeoDataFrame, layer: str) -> gpd.GeoDataFrame:
    if layer == "service-points":
        table = table[~table["withheld"] & table["build_state"].isin(STANDING)]
    else:
        table = table.assign(functions=ALL_FUNCTIONS, last_verified=None, operating_mode="")
    table = table.assign(kind=layer, key=[f"{KINDS[layer]}/{code}" for code in table["code"]])
    return table[[*COLUMNS, "geometry"]]
