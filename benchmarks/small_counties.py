"""A province of small made-up counties, as files that an office could hand in: one folder a county, several formats."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from shapely import LineString, Point, box

from gis.files import write_table

#: Province 99 is nobody's. Counties are 20 to a city.
PROVINCE, COUNTIES_A_CITY = "99", 20
SPACING_M = 180.0
_M_PER_DEGREE = 111_320.0
#: Endings of streets, areas, service points and population: what offices hand in, in turn.
_FORMATS = (
    (".parquet", ".parquet", ".csv", ".csv"),
    (".geojson", ".gpkg", ".xlsx", ".csv"),
    (".zip", ".geojson", ".csv", ".xlsx"),
    (".gpkg", ".parquet", ".geojson", ".parquet"),
)


def county_code(number: int) -> str:
    """Return the six digits of county ``number``, counted from 0."""
    city, district = divmod(number, COUNTIES_A_CITY)
    return f"{PROVINCE}{city + 1:02d}{district + 1:02d}"


def write_province(folder: Path, counties: int, *, side: int = 12, seed: int = 7) -> list[Path]:
    """Write so many counties below ``folder``; return their folders. The same numbers give the same bytes.

    side : junctions along one side of a county's lattice; from half to one and a half times as many, drawn by chance.
    """
    return [write_county(folder, number, side=side, seed=seed) for number in range(counties)]


def write_county(folder: Path, number: int, *, side: int, seed: int) -> Path:
    """Write county ``number`` as a folder of its own: streets, areas, service points and population."""
    rng = np.random.default_rng([seed, number])
    code = county_code(number)
    columns, rows = (int(n) for n in rng.integers(max(side // 2, 4), side * 3 // 2 + 1, 2))
    junction = _junctions(columns, rows, rng)
    width, height = columns * SPACING_M, rows * SPACING_M
    origin = (116.2 + 0.25 * (number % 16), 28.0 + 0.2 * (number // 16))
    layers = {
        "streets": _streets(junction, columns, rows, rng),
        "areas": _areas(code, width, height),
        "service-points": _points(code, junction, rng),
        "population": _population(width, height, rng),
    }
    home = folder / f"{code} 第{number + 1}县"
    for (name, table), ending in zip(layers.items(), _FORMATS[number % len(_FORMATS)], strict=True):
        table.geometry = _placed(table.geometry.to_numpy(), *origin)
        write_table(table.set_crs(4326), home / f"{name}{ending}")
    return home


def _junctions(columns: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return (rows, columns, 2) metres of a jittered lattice."""
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return (np.stack([x, y], axis=-1) + rng.uniform(-0.3, 0.3, (rows, columns, 2))) * SPACING_M


def _streets(junction: np.ndarray, columns: int, rows: int, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Return the lattice's streets, one in six left out beside the avenues."""
    node = np.arange(rows * columns).reshape(rows, columns)
    along = [(node[r, c], node[r, c + 1], r) for r in range(rows) for c in range(columns - 1)]
    across = [(node[r, c], node[r + 1, c], c) for r in range(rows - 1) for c in range(columns)]
    place = junction.reshape(-1, 2)
    kept = [(u, v, line) for u, v, line in along + across if line % 4 == 0 or rng.random() > 1 / 6]
    lines = [LineString([place[u], place[v]]) for u, v, _ in kept]
    return gpd.GeoDataFrame(
        {
            "segment_id": np.arange(1, len(kept) + 1),
            "u": [int(u) for u, _, _ in kept],
            "v": [int(v) for _, v, _ in kept],
            "length_m": [round(line.length, 2) for line in lines],
            "oneway": 0,
            "street_class": ["secondary" if line % 4 == 0 else "residential" for *_, line in kept],
            "name": [f"{line + 1}路" for *_, line in kept],
        },
        geometry=lines,
    )


def _areas(code: str, width: float, height: float) -> gpd.GeoDataFrame:
    """Return the county, its four subdistricts and their eight communities."""
    rows = [(f"{code}000000", "县", box(0, 0, width, height))]
    for i in range(4):
        x, y = width / 2 * (i % 2), height / 2 * (i // 2)
        rows.append((f"{code}{i + 1:03d}000", f"{i + 1}街道", box(x, y, x + width / 2, y + height / 2)))
        for j in range(2):
            left = x + width / 4 * j
            rows.append((f"{code}{i + 1:03d}{j + 1:03d}", f"{i + 1}-{j + 1}社区",
                         box(left, y, left + width / 4, y + height / 2)))  # fmt: skip
    codes, names, shapes = zip(*rows, strict=True)
    return gpd.GeoDataFrame({"code": codes, "name": names}, geometry=list(shapes))


def _points(code: str, junction: np.ndarray, rng: np.random.Generator) -> gpd.GeoDataFrame:
    count = int(rng.integers(2, 6))
    spots = junction.reshape(-1, 2)[rng.choice(junction.size // 2, count, replace=False)]
    return gpd.GeoDataFrame(
        {
            "code": [f"P{code}{i + 1:02d}" for i in range(count)],
            "name": [f"救助服务点{i + 1}" for i in range(count)],
            "functions": "reception,guidance",
            "hours": [str(rng.choice(["24/7", "Mo-Su 08:00-20:00"])) for _ in range(count)],
            "capacity": rng.integers(5, 30, count),
        },
        geometry=[Point(x, y) for x, y in spots],
    )


def _population(width: float, height: float, rng: np.random.Generator) -> gpd.GeoDataFrame:
    count = int(rng.integers(60, 120))
    spots = rng.uniform(0.04, 0.96, (count, 2)) * (width, height)
    return gpd.GeoDataFrame(
        {"people": rng.integers(20, 400, count)}, geometry=[Point(x, y) for x, y in spots]
    )  # fmt: skip


def _placed(shapes: np.ndarray, lon: float, lat: float) -> np.ndarray:
    """Carry shapes from metres to degrees around (lon, lat)."""
    scale = np.array([1 / (_M_PER_DEGREE * np.cos(np.radians(lat))), 1 / _M_PER_DEGREE])
    return shapely.transform(shapes, lambda xy: np.round(xy * scale + (lon, lat), 7))
