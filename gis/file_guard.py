"""Foreign bytes are parsed here: in a process of their own that may use little, reach nothing, and knows no secret.

``run_guarded`` starts ``python -m gis.file_guard``, which reads one request from standard input, parses, and leaves an
Arrow file and a word of JSON behind; nothing that could carry code (no pickle) comes back. What the process may not do:
use more memory, processor or wall time than the limits, write large files, fetch over the network (proxied to nowhere,
and without an interface where the kernel allows), see the caller's environment, or open a file with any other than the
one GDAL driver that its ending stands for.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gis
from gis.errors import FileRefusedError
from gis.file_checks import Limits
from gis.file_unpacking import Source, clear, make_ready

RESULT, GEOMETRY_COLUMN = "result.arrow", "geometry"
_ROOT = Path(gis.__file__).parents[1]
_NEWNET, _NEWUSER = 0x40000000, 0x10000000
_NOWHERE = "http://127.0.0.1:9"  # the discard port: fails at once


def run_guarded(request: dict[str, Any], scratch: Path, limits: Limits) -> dict[str, Any]:
    """Answer one request {"do": "read" | "list" | "streets" | "photo", "path", ...} in a limited process.

    scratch : an empty folder, where a table or photo read is left as ``RESULT``. Returns the reply; raises
    FileRefusedError with the parser's reason, or where the process took too long, too much, or broke.
    """
    message = json.dumps({**request, "limits": asdict(limits), "scratch": str(scratch)})
    name = Path(request["path"]).name
    command = [sys.executable, "-P", "-s", "-m", "gis.file_guard"]
    try:
        done = subprocess.run(
            command, input=message.encode(), capture_output=True, timeout=limits.max_seconds, check=False,
            env=guard_environment(scratch), cwd=scratch,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise _too_long(name, limits) from None
    return _reply(done, name, limits)


def guard_environment(scratch: Path) -> dict[str, str]:
    """Give the limited process what it needs to start, and nothing the caller knows."""
    kept = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT") if k in os.environ}
    return kept | {
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        # one thread each: the memory limit counts every thread's arena
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "GDAL_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "GDAL_HTTP_PROXY": _NOWHERE,
        "http_proxy": _NOWHERE,
        "https_proxy": _NOWHERE,
        "GDAL_HTTP_MAX_RETRY": "0",
        "GDAL_HTTP_TIMEOUT": "1",
        "OGR_SQLITE_LOAD_EXTENSIONS": "NO",
        "OGR_GEOJSON_MAX_OBJ_SIZE": "200",
    }


def _too_long(name: str, limits: Limits) -> FileRefusedError:
    return FileRefusedError(
        f"{name}：读取超过 {limits.max_seconds:g} 秒，已停止",
        f"{name}: reading took more than {limits.max_seconds:g} s, stopped",
    )


def _reply(done: "subprocess.CompletedProcess[bytes]", name: str, limits: Limits) -> dict[str, Any]:
    if done.returncode in (-24, -9):  # SIGXCPU; SIGKILL once the hard limit is reached
        raise _too_long(name, limits)
    try:
        reply = json.loads(done.stdout)
    except ValueError:
        reply = {}
    if done.returncode == 0 and isinstance(reply, dict) and reply.get("refused"):
        raise FileRefusedError(*reply["refused"])
    if done.returncode != 0 or not isinstance(reply, dict) or not reply:
        raise FileRefusedError(
            f"{name}：解析进程中途停止，文件可能损坏或超出内存上限",
            f"{name}: the parser stopped half-way; the file may be damaged or need more memory than allowed",
        )
    return reply


# --- inside the limited process -----------------------------------------------------------------------------------


def confine(limits: Limits) -> None:
    """Give up what parsing does not need: memory, processor time, large files, core dumps, the network."""
    seconds = int(limits.max_seconds) + 1
    for what, amount in (
        (resource.RLIMIT_AS, limits.max_memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 2 * limits.max_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(what, (bound, bound))
    try:
        kernel = ctypes.CDLL(None)
        # An empty network namespace; refused in many containers, where the drivers and the proxy must do.
        if kernel.unshare(_NEWNET) != 0:
            kernel.unshare(_NEWUSER | _NEWNET)
    except (OSError, AttributeError):
        pass


def answer(request: dict[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """Parse as asked and return the reply; a refusal is a reply too.

    alone : True in a process of its own, where GDAL is not loaded yet and every driver but one can be dropped.
    """
    limits, scratch = Limits(**request["limits"]), Path(request["scratch"])
    work = scratch / "work"
    work.mkdir()
    try:
        if request["do"] == "streets":
            from gis.osm_files import leave_streets

            return leave_streets(Path(request["path"]), scratch / RESULT, limits)
        if request["do"] == "photo":
            from gis.photo_encoding import leave_photo

            return leave_photo(Path(request["path"]), scratch / RESULT)
        source = make_ready(Path(request["path"]), work, limits, member=request["layer"])
        if alone:
            _keep_one_driver(source, request["drivers"])
        return _parse(request, source, limits)
    except FileRefusedError as refusal:
        return {"refused": _named(Path(request["path"]).name, refusal)}
    except (MemoryError, RecursionError):
        return {"refused": ["文件需要的内存超过上限", "the file needs more memory than allowed"]}
    finally:
        clear(work)


def _named(name: str, refusal: FileRefusedError) -> list[str]:
    """Let a refusal begin with the file's name, if it does not already."""
    if refusal.en.startswith(name):
        return [refusal.zh, refusal.en]
    return [f"{name}：{refusal.zh}", f"{name}: {refusal.en}"]


def _keep_one_driver(source: Source, drivers: list[str]) -> None:
    dropped = {*drivers, *os.environ["OGR_SKIP"].split(",")} - {source.kind.driver}
    os.environ["OGR_SKIP"] = ",".join(sorted(dropped))


def _parse(request: dict[str, Any], source: Source, limits: Limits) -> dict[str, Any]:
    # Only now: loading GDAL reads which drivers to leave out.
    import pyarrow as pa
    import shapely

    from gis.file_parsing import layers_of, parse

    if request["do"] == "list":
        return {"layers": layers_of(source)}
    parsed = parse(source, layer=request["layer"], encoding=request["encoding"], datum=request["datum"], limits=limits)
    table = parsed.table.append_column(GEOMETRY_COLUMN, pa.array(shapely.to_wkb(parsed.shapes), pa.binary()))
    with pa.OSFile(str(Path(request["scratch"]) / RESULT), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return {
        "layer": parsed.layer,
        "driver": parsed.driver,
        "encoding": parsed.encoding,
        "notes": [[n.zh, n.en] for n in parsed.notes],
    }


def main() -> None:
    """Answer the one request on standard input."""
    request = json.loads(sys.stdin.buffer.read())
    confine(Limits(**request["limits"]))
    reply = answer(request, alone=True)
    sys.stdout.write(json.dumps(reply))


def scratch_folder() -> "tempfile.TemporaryDirectory[str]":
    """Make a private folder that goes when its ``with`` ends."""
    return tempfile.TemporaryDirectory(prefix="lamplight-", ignore_cleanup_errors=True)


if __name__ == "__main__":
    main()
