"""Tables written out: the same table gives the same bytes, and a half-written file never bears the final name."""

from pathlib import Path

import geopandas as gpd


def write_table(table: gpd.GeoDataFrame, path: str | Path, *, layer: str | None = None) -> None:
    """Write a WGS84 table."""
    raise NotImplementedError
