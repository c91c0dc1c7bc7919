"""A city's streets and borders as vector tiles: what a live map draws, a little at a time."""

import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from gis.errors import FileRefusedError
from gis.tile_archive import Tile, write_archive

#: Tiles of this zoom hold every row, to half a metre; a map zoomed further in draws them larger.
MAX_ZOOM = 14
#: From which zoom streets are drawn; a "_link" goes with its class, any other class comes last.
STREET_ZOOMS = {"motorway": 7, "trunk": 7, "primary": 8, "secondary": 10, "tertiary": 11, "residential": 13}
_OTHER_STREETS = 13
#: From which zoom areas and their borders are drawn, the highest tier first.
AREA_ZOOMS = (5, 7, 10, 13)
#: From which zoom water is drawn.
WATER_ZOOM = 7
_WATER = "水域|水面|水体|河流|湖泊|水库|water|river|lake"
# GDAL thins a tile out where it grows past its own, smaller limits; a city's densest tile stays far below these.
_NO_THINNING = {"MAX_SIZE": 50_000_000, "MAX_FEATURES": 5_000_000}


def write_tiles(path: Path, layers: Mapping[str, gpd.GeoDataFrame], *, max_zoom: int = MAX_ZOOM) -> None:
    """Write layers to one PMTiles archive of Mapbox vector tiles; the same tables give the same bytes.

    layers : by the name a map asks for. In each the column ``min_zoom`` says from which zoom a row is drawn; every
    other column but the geometry goes into the tiles. Rows without a geometry are left out.
    Replaces what was there in one step. Raises FileRefusedError where there is nothing to draw.
    """
    ready = {name: _ready(table) for name, table in layers.items()}
    ready = {name: table for name, table in ready.items() if len(table)}
    if not ready:
        raise FileRefusedError(f"{path.name}：没有可绘制的要素", f"{path.name}: nothing to draw")

    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the final rename stays within one file system.
    with tempfile.TemporaryDirectory(prefix=".lamplight-", dir=path.parent) as folder:
        parts: dict[Tile, list[bytes]] = {}
        for name, table in ready.items():
            for tile, data in _cut_into_tiles(name, table, max_zoom, Path(folder)):
                parts.setdefault(tile, []).append(data)
        draft = Path(folder) / path.name
        # A tile is a list of layers, so layers' tiles one after the other are the tile of all.
        tiles = {tile: b"".join(data) for tile, data in parts.items()}
        west, south, east, north = zip(*(table.total_bounds.tolist() for table in ready.values()), strict=True)
        bounds = min(west), min(south), max(east), max(north)
        about = {"vector_layers": [_described(name, table, max_zoom) for name, table in ready.items()]}
        write_archive(draft, tiles, bounds=bounds, metadata=about)
        draft.replace(path)


def street_lines(streets: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Join segments of one name and class into lines long enough to carry the name.

    streets : columns name, street_class, geometry. Returns name, street_class, min_zoom, geometry. A line ends where
    the street forks.
    """
    known = streets.loc[~(streets.geometry.isna() | streets.geometry.is_empty), ["name", "street_class", "geometry"]]
    pieces = known.explode(index_parts=False, ignore_index=True)
    rows = [
        (name, kind, shapely.line_merge(shapely.multilinestrings(lines.to_numpy())))
        for (name, kind), lines in pieces.groupby(["name", "street_class"], sort=True)["geometry"]
    ]
    joined = gpd.GeoDataFrame(rows, columns=["name", "street_class", "geometry"], geometry="geometry", crs=streets.crs)
    joined = joined.explode(index_parts=False, ignore_index=True)
    zooms = joined["street_class"].str.removesuffix("_link").map(STREET_ZOOMS).fillna(_OTHER_STREETS)
    return joined.assign(min_zoom=zooms.astype(np.int64))


def border_lines(tiers: Mapping[str, gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Return the borders of areas, each stretch once, under the highest tier that it bounds.

    tiers : by level, the highest first, in one CRS; neighbours share their corners. Returns level, min_zoom, geometry.
    """
    ends, tier = _edges(tiers)
    _, first = np.unique(ends, axis=0, return_index=True)  # the first is of the highest tier
    ends, tier = ends[first], tier[first]
    lines = shapely.linestrings(ends.reshape(-1, 2, 2))
    levels = list(tiers)
    rows = [
        (levels[i], AREA_ZOOMS[i], line)
        for i in np.unique(tier)
        for line in shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines[tier == i])))
    ]
    crs = next(iter(tiers.values())).crs
    return gpd.GeoDataFrame(rows, columns=["level", "min_zoom", "geometry"], geometry="geometry", crs=crs)


def water_areas(forbidden: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the water among areas where nothing can stand, by the reason given: name, min_zoom, geometry.

    forbidden : columns name, reason, geometry.
    """
    water = forbidden[forbidden["reason"].str.fullmatch(_WATER, case=False, na=False)]
    return water[["name", "geometry"]].assign(min_zoom=WATER_ZOOM)


def area_names(tiers: Mapping[str, gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    """Return a point inside each area to write its name at: code, name, level, min_zoom, geometry.

    tiers : by level, the highest first, in one CRS; columns code, name, geometry.
    """
    tables = [
        table[["code", "name", "geometry"]].assign(
            level=level, min_zoom=AREA_ZOOMS[i], geometry=table.geometry.representative_point()
        )
        for i, (level, table) in enumerate(tiers.items())
    ]
    joined: gpd.GeoDataFrame = pd.concat(tables, ignore_index=True)
    return joined


def _edges(tiers: Mapping[str, gpd.GeoDataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sides of all areas (e, 4), either way round alike, and the position of the tier of each (e,)."""
    ends, tier = [], []
    for i, table in enumerate(tiers.values()):
        polygons = shapely.get_parts(table.geometry.to_numpy()[table.geometry.notna()])  # rings of these alone are got
        rings = shapely.get_rings(polygons)
        corners, ring = shapely.get_coordinates(rings, return_index=True)
        a, b = corners[:-1], corners[1:]
        swap = (a[:, 0] > b[:, 0]) | ((a[:, 0] == b[:, 0]) & (a[:, 1] > b[:, 1]))
        sides = np.hstack([np.where(swap[:, None], b, a), np.where(swap[:, None], a, b)])
        sides = sides[(ring[:-1] == ring[1:]) & (a != b).any(axis=1)]
        ends.append(sides)
        tier.append(np.full(len(sides), i))
    return np.concatenate(ends), np.concatenate(tier)


def _ready(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    drawn = table[~(table.geometry.isna() | table.geometry.is_empty)]
    # In this order the rows of any zoom are the first ones, and a row's number is the same in all its tiles.
    return drawn.sort_values("min_zoom", kind="stable", ignore_index=True).to_crs(4326)


def _cut_into_tiles(name: str, table: gpd.GeoDataFrame, max_zoom: int, folder: Path) -> list[tuple[Tile, bytes]]:
    """Have GDAL cut a layer into tiles, one run for every span of zooms that draws the same rows."""
    starts = sorted(set(table["min_zoom"].clip(upper=max_zoom).tolist()))
    tiles = []
    for low, after in pairwise([*starts, max_zoom + 1]):
        rows = table[table["min_zoom"] <= low].drop(columns="min_zoom")
        target = folder / f"{name}-{low}"
        pyogrio.write_dataframe(
            rows,
            target,
            layer=name,
            driver="MVT",
            dataset_options={
                "FORMAT": "DIRECTORY", "COMPRESS": "NO", "MINZOOM": low, "MAXZOOM": after - 1, **_NO_THINNING,
            },
        )  # fmt: skip
        for file in sorted(target.glob("*/*/*.pbf")):
            zoom, column, row = (int(part) for part in file.with_suffix("").parts[-3:])
            tiles.append(((zoom, column, row), file.read_bytes()))
    return tiles


def _described(name: str, table: gpd.GeoDataFrame, max_zoom: int) -> dict[str, object]:
    columns = [c for c in table.columns if c not in ("min_zoom", table.geometry.name)]
    kinds = {c: "Number" if pd.api.types.is_numeric_dtype(table[c]) else "String" for c in columns}
    return {"id": name, "fields": kinds, "minzoom": int(table["min_zoom"].min()), "maxzoom": max_zoom}
