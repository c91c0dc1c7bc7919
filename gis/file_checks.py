"""Whether a foreign file may be opened at all: told by name, size and first bytes, before any parser runs."""

import gzip
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from gis.errors import FileRefusedError

_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a file may cost: bytes (packed and unpacked), rows, columns, seconds and memory while it is parsed."""

    max_bytes: int = 2048 * _MB
    max_rows: int = 5_000_000
    max_columns: int = 400
    max_seconds: float = 300.0
    max_memory_bytes: int = 8192 * _MB


DEFAULT_LIMITS = Limits()

# A packed file may grow this many times; honest geodata stays below 50, a bomb reaches 1,000 and more.
_BOMB_RATIO, _BOMB_FLOOR = 200, 16 * _MB
_MAX_MEMBERS = 1_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: its endings, and the one GDAL driver that may read it ("" where GDAL is not used)."""

    name: str
    suffixes: tuple[str, ...]
    driver: str = ""
    xml_root: str = ""


KINDS = (
    FileKind("gpkg", (".gpkg",), "GPKG"),
    FileKind("geojson", (".geojson", ".json"), "GeoJSON"),
    FileKind("shp", (".shp",), "ESRI Shapefile"),
    FileKind("kml", (".kml", ".ovkml"), "LIBKML", "kml"),
    FileKind("gpx", (".gpx",), "GPX", "gpx"),
    FileKind("kmz", (".kmz", ".ovkmz"), "LIBKML"),
    FileKind("csv", (".csv", ".tsv", ".txt")),
    FileKind("csv.gz", (".csv.gz", ".tsv.gz")),
    FileKind("xlsx", (".xlsx",)),
    FileKind("parquet", (".parquet", ".geoparquet")),
    FileKind("zip", (".zip",)),
    FileKind("osm", (".osm", ".xml"), xml_root="osm"),
    FileKind("osm.gz", (".osm.gz", ".osm.bz2"), xml_root="osm"),
    FileKind("osm.pbf", (".osm.pbf", ".pbf")),
    FileKind("graphml", (".graphml",), xml_root="graphml"),
    FileKind("graphml.gz", (".graphml.gz",), xml_root="graphml"),
)
TABLE_KINDS = frozenset({"gpkg", "geojson", "shp", "kml", "kmz", "gpx", "csv", "csv.gz", "xlsx", "parquet", "zip"})


def kind_of(path: Path) -> FileKind:
    """Name the kind of file from the ending of its name alone; raises FileRefusedError on an unknown ending."""
    name = path.name.lower()
    fits = [(len(s), kind) for kind in KINDS for s in kind.suffixes if name.endswith(s)]
    if not fits:
        known = " ".join(s for kind in KINDS for s in kind.suffixes)
        raise FileRefusedError(
            f"{path.name}：不支持的文件类型，可用 {known}", f"{path.name}: unknown ending, use {known}"
        )
    return max(fits, key=lambda fit: fit[0])[1]


def check_file(path: str | Path, limits: Limits = DEFAULT_LIMITS, *, shown: str = "") -> FileKind:
    """Check that a file is what its ending says, is of bearable size packed and unpacked, and bears no XML entities.

    shown : what the user calls it, if not by its own name. Raises FileRefusedError otherwise.
    Cheap: reads the first bytes, the list of a zip, or (gzip) the file once.
    """
    file = Path(path)
    name = shown or file.name
    _check_plain_file(file, name, limits)
    kind = kind_of(file)
    with file.open("rb") as stream:
        head = stream.read(512)
    check = _HEAD_CHECKS.get(kind.name)
    if check and not check(head):
        raise FileRefusedError(
            f"{name}：内容不是 {kind.name} 格式",
            f"{name}: the content is not {kind.name}, whatever the name says",
        )

    if kind.name.endswith(".gz"):
        _check_unpacked_size(file, name, limits)
    if kind.name in ("zip", "kmz", "xlsx"):
        check_zip(file, name, limits)
    if kind.xml_root:
        with open_packed(file) as stream:
            check_xml(stream, kind.xml_root, name)
    return kind


def _check_plain_file(file: Path, name: str, limits: Limits) -> None:
    try:
        facts = file.stat()
    except (OSError, ValueError):
        raise FileRefusedError(f"{name}：文件不存在或无法读取", f"{name}: no such file") from None
    if not stat.S_ISREG(facts.st_mode):
        raise FileRefusedError(f"{name}：不是普通文件", f"{name}: not a plain file")
    if facts.st_size == 0:
        raise FileRefusedError(f"{name}：文件是空的", f"{name}: the file is empty")
    if facts.st_size > limits.max_bytes:
        raise FileRefusedError(
            f"{name}：文件 {facts.st_size:,} 字节，超过上限 {limits.max_bytes:,}",
            f"{name}: {facts.st_size:,} bytes, more than the limit of {limits.max_bytes:,}",
        )


def _is_json(head: bytes) -> bool:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return text[:1] == b"{"


def _is_text(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16, which Excel saves as "Unicode text"
        return True
    return b"\x00" not in head and head[:4] not in (b"PK\x03\x04", b"%PDF", b"\xd0\xcf\x11\xe0", b"PAR1")


def _is_zip(head: bytes) -> bool:
    return head[:4] == b"PK\x03\x04"


_HEAD_CHECKS: dict[str, Callable[[bytes], bool]] = {
    # offset 68 holds the application id: "GPKG", or "GP10"/"GP11" in the first two versions
    "gpkg": lambda head: head[:16] == b"SQLite format 3\x00" and head[68:70] == b"GP",
    "geojson": _is_json,
    "shp": lambda head: head[:4] == b"\x00\x00\x27\x0a" and len(head) >= 100,
    "csv": _is_text,
    "csv.gz": lambda head: head[:2] == b"\x1f\x8b",
    "graphml.gz": lambda head: head[:2] == b"\x1f\x8b",
    "osm.gz": lambda head: head[:2] == b"\x1f\x8b" or head[:3] == b"BZh",
    "osm.pbf": lambda head: b"OSMHeader" in head[:32],
    "xlsx": _is_zip,
    "kmz": _is_zip,
    "zip": _is_zip,
    "parquet": lambda head: head[:4] == b"PAR1",
}


def open_packed(file: Path) -> IO[bytes]:
    """Open a plain, .gz or .bz2 file for reading its unpacked bytes."""
    if file.name.lower().endswith(".gz"):
        return cast(IO[bytes], gzip.open(file, "rb"))
    if file.name.lower().endswith(".bz2"):
        import bz2  # rarely needed, and this module is loaded by every parsing process

        return bz2.open(file, "rb")
    return file.open("rb")


def _bomb(name: str) -> FileRefusedError:
    return FileRefusedError(f"{name}：解压后过大，疑似压缩炸弹", f"{name}: unpacks to far too much, looks like a bomb")


def grown_too_far(packed: int, unpacked: int, limits: Limits) -> bool:
    """Tell whether unpacking has gone beyond what an honest file needs."""
    return unpacked > limits.max_bytes or (unpacked > _BOMB_FLOOR and unpacked > _BOMB_RATIO * max(packed, 1))


def _check_unpacked_size(file: Path, name: str, limits: Limits) -> None:
    packed, total = file.stat().st_size, 0
    try:
        with open_packed(file) as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
                if grown_too_far(packed, total, limits):
                    raise _bomb(name)
    except (OSError, EOFError, zlib.error):
        raise FileRefusedError(f"{name}：压缩文件损坏或不完整", f"{name}: damaged or cut-off archive") from None


def check_xml(stream: IO[bytes], root: str, name: str) -> None:
    """Refuse a document type, entities, or another root element than ``root``; reads no further than the root."""
    try:
        _, element = next(iter(iterparse(stream, events=("start",), forbid_dtd=True)))
    except DefusedXmlException:
        raise FileRefusedError(f"{name}：含有 DTD 或实体声明，已拒绝", f"{name}: declares a DTD or entities") from None
    except (ParseError, OSError, EOFError, zlib.error, ValueError, LookupError, StopIteration):
        raise FileRefusedError(f"{name}：不是完好的 XML", f"{name}: not well-formed XML") from None
    tag = plain(str(element.tag).rpartition("}")[2])
    if tag.lower() != root:
        raise FileRefusedError(f"{name}：根元素是 {tag}，应为 {root}", f"{name}: root element {tag}, not {root}")


def _refuse_member(archive: str, member: str, zh: str, en: str) -> FileRefusedError:
    return FileRefusedError(f"{archive}：压缩包成员“{member}”{zh}", f"{archive}: member {member!r} {en}")


def member_name(info: zipfile.ZipInfo) -> str:
    """Give a member's name, read as GB18030 where the archive does not say UTF-8 (Chinese Windows does so)."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def check_zip(file: Path, name: str, limits: Limits) -> list[zipfile.ZipInfo]:
    """List the files in an archive, refusing bombs, encryption, links and names that lead outside it."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise FileRefusedError(f"{name}：压缩包损坏或不完整", f"{name}: damaged or cut-off archive") from None

    if len(members) > _MAX_MEMBERS:
        raise FileRefusedError(f"{name}：成员过多", f"{name}: too many members ({len(members):,})")
    for m in members:
        inner = member_name(m).replace("\\", "/")
        path = PurePosixPath(inner)
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\x00" in inner:
            raise _refuse_member(name, inner, "的路径指向包外", "has a path that leads outside")
        if stat.S_ISLNK(m.external_attr >> 16):
            raise _refuse_member(name, inner, "是符号链接", "is a symbolic link")
        if m.flag_bits & 0x1:
            raise _refuse_member(name, inner, "已加密，请解密后再导入", "is encrypted")
    if grown_too_far(file.stat().st_size, sum(m.file_size for m in members), limits):
        raise _bomb(name)
    return members


def unpack_member(file: Path, name: str, member: zipfile.ZipInfo, target: Path, limits: Limits) -> None:
    """Write one member to ``target``, counting what really comes out (the declared size may lie)."""
    packed, total = file.stat().st_size, 0
    try:
        with zipfile.ZipFile(file) as archive, archive.open(member) as source, target.open("wb") as out:
            while chunk := source.read(_CHUNK):
                total += len(chunk)
                if grown_too_far(packed, total, limits):
                    raise _bomb(name)
                out.write(chunk)
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError):
        raise FileRefusedError(f"{name}：压缩包损坏或不完整", f"{name}: damaged or cut-off archive") from None


def plain(value: Any) -> str:
    """Show foreign text in a message: one line, no control characters, at most 80 characters."""
    return "".join(c if c.isprintable() else "?" for c in str(value))[:80]
