"""Reading as gis.files does, without the process of its own: a hundred of those would take the tests a minute."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from gis.errors import FileRefusedError
from gis.file_guard import answer
from gis.files import DEFAULT_LIMITS, Limits, TableRead, table_from_reply


def read_here(path: Path, limits: Limits = DEFAULT_LIMITS, **options: str) -> TableRead:
    with TemporaryDirectory() as scratch:
        request = {"do": "read", "path": str(path), "layer": None, "encoding": None, "datum": "wgs84", **options}
        reply = answer({**request, "limits": asdict(limits), "scratch": scratch})
        if "refused" in reply:
            raise FileRefusedError(*reply["refused"])
        return table_from_reply(reply, Path(scratch))
