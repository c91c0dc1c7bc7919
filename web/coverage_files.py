"""A coverage run as files: the map, the picture, the workbook and the GeoPackage, all from one drawing."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd

from layers.run import Run
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from web.drawing import CoverageDrawing

Progress = Callable[[str, int, int], None]
OSM_CREDIT = "© OpenStreetMap contributors"
FILES = ("coverage.gpkg", "coverage.xlsx", "coverage.html", "coverage.png")
LEVEL_ORDER = ("subdistrict", "district", "community", "city", "grid_cell")


def write_coverage(store: Store, run: Run, folder: Path, *, level: str | None = None, progress: Progress | None = None) -> list[Path]:
    """Write ``run`` into ``folder`` in every format; return the paths, in the order of FILES.

    level : the tier the maps colour; the most useful one the city has where None.
    """
    from web.maps import coverage_map
    from web.pictures import coverage_picture
    from web.tables import coverage_geopackage, coverage_workbook

    what = coverage_drawing(store, run, level=level)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in FILES]
    writers = (coverage_geopackage, coverage_workbook, coverage_map, coverage_picture)
    for done, (write, path) in enumerate(zip(writers, paths, strict=True)):
        if progress is not None:
            progress(path.name, done, len(paths))
        write(what, path)
    return paths
