"""Runs about hotspots as files: maps, pictures, workbooks and packages, all from one drawing."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from layers.run import Run
from layers.store import Store
from web.hotspot_charts import backtest_picture
from web.hotspot_drawing import hotspot_drawing
from web.hotspot_map import hotspot_map
from web.hotspot_package import hotspot_package, release_geojson
from web.hotspot_picture import hotspot_picture
from web.hotspot_tables import hotspot_workbook, release_csv
from web.run_records import Progress, write_files

Writer = Callable[[Any, Path], None]


def _four(stem: str) -> dict[str, Writer]:
    return {
        f"{stem}.html": hotspot_map,
        f"{stem}.png": hotspot_picture,
        f"{stem}.xlsx": hotspot_workbook,
        f"{stem}.gpkg": hotspot_package,
    }


#: Kind of run -> name of file -> what writes it.
WRITERS: Mapping[str, Mapping[str, Writer]] = {
    "hotspot-map": _four("hotspots"),
    "hotspot-scan": _four("scan"),
    "hotspot-emerging": _four("emerging"),
    "hotspot-forecast": _four("forecast"),
    "hotspot-backtest": {"backtest.png": backtest_picture, "backtest.xlsx": hotspot_workbook},
    "hotspot-release": {
        "release.html": hotspot_map,
        "release.png": hotspot_picture,
        "release.csv": release_csv,
        "release.geojson": release_geojson,
    },
}


def write_hotspots(store: Store, run: Run, folder: Path, *, progress: Progress | None = None) -> list[Path]:
    """Write ``run`` into ``folder`` in every format its kind has and return the paths."""
    what = hotspot_drawing(store, run)
    return write_files(WRITERS[run.kind], what, folder, progress)
