"""A run about hotspots for other programs: a GeoPackage for a desktop GIS, GeoJSON for everyone."""

from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from gis.file_writing import write_layers
from web.hotspot_drawing import HotspotDrawing
from web.hotspot_facts import area_names
from web.hotspot_tables import release_table


def hotspot_package(what: HotspotDrawing, path: Path) -> None:
    """Write a run as a GeoPackage: cells, segments and areas with figures, clusters as points, other tables plain.

    The same input gives the same bytes.
    """
    layers: dict[str, pd.DataFrame] = {}
    if "cells" in what.tables or "members" in what.tables:
        layers["cells" if "cells" in what.tables else "members"] = what.cells.assign(area_name=area_names(what))
    if "segments" in what.tables:
        layers["segments"] = what.segments
    if "areas" in what.tables:
        for level in dict.fromkeys(what.areas["level"]):
            own = what.at_level(level)
            if len(own):
                layers[f"areas_{level}"] = own.drop(columns="people")
    if "clusters" in what.tables:
        clusters = what.tables["clusters"]
        at = gpd.points_from_xy(clusters["lon"], clusters["lat"])
        layers["clusters"] = gpd.GeoDataFrame(clusters, geometry=at, crs=4326)
    for name in ("steps", "profile", "weather", "summary"):
        if name in what.tables and len(what.tables[name]):
            layers[name] = what.tables[name]
    write_layers({name: table for name, table in layers.items() if len(table)}, path)


def release_geojson(what: HotspotDrawing, path: Path) -> None:
    """Write a release as GeoJSON: the units as polygons, with the number or that it is withheld; nothing else."""
    table = gpd.GeoDataFrame(release_table(what), geometry=what.cells.geometry.to_numpy(), crs=4326)
    placed = table[~table.geometry.isna().to_numpy()].reset_index(drop=True)
    rounded = shapely.set_precision(placed.geometry.to_numpy(), 1e-6, mode="pointwise")
    write_layers({"release": placed.set_geometry(gpd.GeoSeries(rounded, crs=4326))}, path)
