"""Vector files and tables from outside, to WGS84 tables and back: the way in and out for everything but street files.

Reading happens in a limited process (gis.file_guard); what comes back is checked, repaired and annotated, or refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyarrow as pa
import pyogrio
import shapely

from gis.datum import DATUMS, DatumError
from gis.file_checks import DEFAULT_LIMITS, Limits, check_file
from gis.file_guard import GEOMETRY_COLUMN, RESULT, run_guarded, scratch_folder
from gis.file_writing import write_layers, write_table
from gis.notes import LamplightNote

__all__ = [
    "DEFAULT_LIMITS", "LamplightNote", "Limits", "TableRead", "check_file", "list_layers", "read_table", "write_layers",
    "write_table",
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class TableRead:
    """One layer as read.

    table : WGS84; ``geometry`` is None in rows without a usable one, and in every row of a table without coordinates.
    layer, driver, encoding : what was read, by what, and how its text was decoded ("" where the format fixes that).
    notes : every repair and assumption.
    """

    table: gpd.GeoDataFrame
    layer: str
    driver: str
    encoding: str
    notes: tuple[LamplightNote, ...]


def read_table(
    path: str | Path,
    *,
    layer: str | None = None,
    encoding: str | None = None,
    datum: str = "wgs84",
    limits: Limits = DEFAULT_LIMITS,
) -> TableRead:
    """Read one layer of a .gpkg .geojson .shp .zip .kml .kmz .ovkml .csv .csv.gz .xlsx or .parquet file.

    layer : the first if None, with a note naming the others (KML: all folders).
    encoding : of .shp and .csv text; guessed, with a note, if None.
    datum : what the file's coordinates are in, one of gis.datum.DATUMS.
    Numbers in text tables become numbers, but text with leading zeros or of 12 digits and more stays text.
    Raises FileRefusedError with the reason, DatumError on an unknown datum.
    """
    _known_datum(datum)
    with scratch_folder() as folder:
        scratch = Path(folder)
        reply = run_guarded(_request("read", path, layer, encoding, datum), scratch, limits)
        return table_from_reply(reply, scratch)


def list_layers(path: str | Path, *, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """Name the layers (sheets, folders) of a file, in the file's order; raises FileRefusedError."""
    with scratch_folder() as folder:
        reply = run_guarded(_request("list", path, None, None, "wgs84"), Path(folder), limits)
    return [str(name) for name in reply["layers"]]


def _known_datum(datum: str) -> None:
    if datum not in DATUMS:
        raise DatumError(f"未知坐标系“{datum}”", f"unknown datum {datum!r}, expected one of {', '.join(DATUMS)}")


def _request(do: str, path: str | Path, layer: str | None, encoding: str | None, datum: str) -> dict[str, Any]:
    return {
        "do": do,
        "path": str(Path(path).absolute()),
        "layer": layer,
        "encoding": encoding,
        "datum": datum,
        "drivers": sorted(pyogrio.list_drivers()),
    }


def table_from_reply(reply: dict[str, Any], scratch: Path) -> TableRead:
    """Take up the table that a parsing process left in ``scratch``."""
    with pa.OSFile(str(scratch / RESULT), "rb") as source:
        table = pa.ipc.open_file(source).read_all()
    shapes = shapely.from_wkb(table.column(GEOMETRY_COLUMN).to_numpy(zero_copy_only=False))
    frame = table.drop_columns([GEOMETRY_COLUMN]).to_pandas()
    return TableRead(
        gpd.GeoDataFrame(frame, geometry=shapes, crs="EPSG:4326"),
        str(reply["layer"]),
        str(reply["driver"]),
        str(reply["encoding"]),
        tuple(LamplightNote(zh, en) for zh, en in reply["notes"]),
    )
