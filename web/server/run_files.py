"""A run as files to take away: every format its kind has, or the rows of one's own area as tables."""

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from layers.run import Run
from layers.run_scope import SeenRun
from layers.store import Store
from web import hotspot_files, workbook
from web.coverage_files import WRITERS as COVERAGE
from web.coverage_files import coverage_drawing
from web.hotspot_drawing import hotspot_drawing
from web.patrol_drawing import patrol_drawing
from web.patrol_files import SHEETS
from web.patrol_files import WRITERS as PATROL
from web.server.run_maps import DRAWN, map_of
from web.siting_files import WRITERS as SITING
from web.siting_files import siting_drawing
from web.tables import MAX_CELLS, readable

#: The files of a run of which its reader sees a part: its tables, and what its map draws.
OWN, OWN_MAP = "own-area.xlsx", "own-area.geojson"
WRITERS: Mapping[str, Mapping[str, Callable[[Any, Path], Any]]] = {
    "siting": SITING, "coverage": COVERAGE, "patrol": PATROL, **hotspot_files.WRITERS,
}  # fmt: skip
#: Kind -> table and column that only whoever sees the whole of what was asked sees filled.
_WHOLE = {
    "siting": ("plan", "value"), "coverage": ("totals", "street_m"), "patrol": ("plan", "date"),
    "hotspot-map": ("summary", "street_m"), "hotspot-scan": ("summary", "places"),
    "hotspot-emerging": ("summary", "cells"), "hotspot-backtest": ("months", "n"),
}  # fmt: skip


def is_whole(run: Run) -> bool:
    """Tell whether its reader sees the whole of what a run was asked, and not their part of it."""
    if not isinstance(run, SeenRun):
        return True
    name, column = _WHOLE.get(run.kind, ("", ""))
    table = run.tables.get(name)
    return table is not None and column in table and bool(table[column].notna().any())


def files_of(run: Run) -> list[str]:
    """Name the files a run can be taken away in."""
    return list(WRITERS.get(run.kind, {})) if is_whole(run) else [OWN, *([OWN_MAP] if run.kind in DRAWN else [])]


def write_file(store: Store, run: Run, name: str, *, streets: Store) -> tuple[bytes, str]:
    """Return one of ``files_of`` as bytes, and what it is called: route sheets of several nights come as one zip.

    store : as its reader may see the city. streets : the store without a scope, for routes that leave the own area.
    Raises KeyError on another name, QuestionError where records the run read have been pruned.
    """
    if name not in files_of(run):
        raise KeyError(name)
    with tempfile.TemporaryDirectory(prefix="lamplight-") as folder:
        path = Path(folder) / name
        if name == OWN:
            workbook.write(_own_tables(run), path)
        elif name == OWN_MAP:
            path.write_text(json.dumps(map_of(store, run, streets=streets), ensure_ascii=False), "utf-8")
        else:
            WRITERS[run.kind][name](_drawing(store, run, streets), path)
        made = sorted(Path(folder).iterdir())
        if name == SHEETS and [one.name for one in made] != [SHEETS]:
            return _zipped(made, Path(folder) / "sheets.zip"), "sheets.zip"
        return path.read_bytes(), name


def _drawing(store: Store, run: Run, streets: Store) -> Any:
    if run.kind == "siting":
        return siting_drawing(store, run)
    if run.kind == "coverage":
        return coverage_drawing(store, run)
    return patrol_drawing(streets, run) if run.kind == "patrol" else hotspot_drawing(store, run)


def _own_tables(run: Run) -> dict[str, Any]:
    """Return the run's tables as sheets; of a long one as many rows as a sheet is read with."""
    tables = {name: table for name, table in run.tables.items() if len(table)}
    return {name: readable(table.head(max(MAX_CELLS // len(table.columns), 1))) for name, table in tables.items()}


def _zipped(paths: list[Path], target: Path) -> bytes:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.name)
    return target.read_bytes()
