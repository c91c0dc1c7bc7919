"""A siting run as files: GeoPackage, workbook, map and picture, all from one drawing."""

from pathlib import Path

from layers.run import Run
from layers.store import Store
from web import siting_words
from web.run_records import Progress, drawing_of, write_files
from web.siting_drawing import SitingDrawing
from web.siting_map import siting_map
from web.siting_picture import siting_picture
from web.siting_tables import siting_package, siting_workbook

WRITERS = {
    "site.gpkg": siting_package,
    "site.xlsx": siting_workbook,
    "site.html": siting_map,
    "site.png": siting_picture,
}


def write_siting(
    store: Store, run: Run, folder: Path, *, level: str | None = None, progress: Progress | None = None
) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths.

    level : the tier the maps colour; where None or without areas in the city, the finest that reads on one page.
    """
    return write_files(WRITERS, siting_drawing(store, run, level=level), folder, progress)


def siting_drawing(store: Store, run: Run, *, level: str | None = None) -> SitingDrawing:
    """Join ``run`` with the geometry of the records it was computed from."""
    level = level if level in set(run.tables["areas"]["level"]) else None
    return SitingDrawing(
        **drawing_of(store, run, level), parameters=run.parameters, question=siting_words.question(run)
    )
