"""A patrol run as files: route sheets, files for phones and handhelds, workbook, map and picture, from one drawing."""

from pathlib import Path

from layers.run import Run
from layers.store import Store
from web.patrol_drawing import patrol_drawing
from web.patrol_exchange import patrol_geojson, patrol_gpx, patrol_kml
from web.patrol_map import patrol_map
from web.patrol_picture import patrol_picture
from web.patrol_sheets import patrol_sheets
from web.patrol_workbook import patrol_workbook
from web.run_records import Progress, write_files

#: The route sheets come first, by the name they have for one night; a week has a file for each.
SHEETS = "sheets.html"
WRITERS = {
    SHEETS: patrol_sheets,
    "routes.gpx": patrol_gpx,
    "routes.kml": patrol_kml,
    "routes.geojson": patrol_geojson,
    "patrol.xlsx": patrol_workbook,
    "patrol.html": patrol_map,
    "patrol.png": patrol_picture,
}


def write_patrol(store: Store, run: Run, folder: Path, *, progress: Progress | None = None) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths."""
    what = patrol_drawing(store, run)
    folder.mkdir(parents=True, exist_ok=True)
    if progress is not None:
        progress(SHEETS)
    sheets = patrol_sheets(what, folder / SHEETS)
    others = {name: write for name, write in WRITERS.items() if name != SHEETS}
    return [*sheets, *write_files(others, what, folder, progress)]
