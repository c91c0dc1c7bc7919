"""An uploaded file made ready for one parser: checked, unpacked, and under a name that carries no meaning."""

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gis.errors import FileRefusedError
from gis.file_checks import TABLE_KINDS, FileKind, Limits, check_file, check_zip, kind_of, member_name, unpack_member

_SHAPE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_INSIDE = TABLE_KINDS - {"zip"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file to parse: where it lies now, what it is, and what the user called it."""

    path: Path
    kind: FileKind
    name: str
    stem: str


def make_ready(path: Path, scratch: Path, limits: Limits, *, member: str | None = None, shown: str = "") -> Source:
    """Check a table file and lay it out in ``scratch`` (an empty folder) for its parser.

    member : of a zip with several tables, the stem of the one wanted. shown : what the user calls the file, if not by
    its own name. Raises FileRefusedError.
    """
    name = shown or path.name
    kind = check_file(path, limits, shown=name)
    if kind.name not in TABLE_KINDS:
        raise FileRefusedError(
            f"{name}：{kind.name} 是街道网络文件，只能作为街道导入",
            f"{name}: {kind.name} holds a street network; import it as streets",
        )
    if kind.name == "zip":
        return _from_zip(path, scratch, limits, member)
    if kind.name == "kmz":
        return _from_kmz(path, scratch, limits)

    # Under a fixed name GDAL reads nothing into the user's, and finds no neighbour but those laid beside it.
    suffix = next(s for s in sorted(kind.suffixes, key=len, reverse=True) if path.name.lower().endswith(s))
    target = scratch / f"source{_plain_suffix(suffix)}"
    target.symlink_to(path.resolve())
    if kind.name == "shp":
        for part in path.parent.iterdir():
            if part.stem == path.stem and part.suffix.lower() in _SHAPE_PARTS[1:] and part.is_file():
                (scratch / f"source{part.suffix.lower()}").symlink_to(part.resolve())
    return Source(target, kind, name, path.name[: -len(suffix)])


def _plain_suffix(suffix: str) -> str:
    return {".ovkml": ".kml", ".json": ".geojson"}.get(suffix, suffix)


def _from_kmz(path: Path, scratch: Path, limits: Limits) -> Source:
    documents = [m for m in check_zip(path, path.name, limits) if member_name(m).lower().endswith(".kml")]
    if not documents:
        raise FileRefusedError(f"{path.name}：其中没有 KML", f"{path.name}: holds no KML")
    target = scratch / "source.kml"
    unpack_member(path, path.name, documents[0], target, limits)
    return Source(target, check_file(target, limits, shown=path.name), path.name, path.stem)


def _from_zip(path: Path, scratch: Path, limits: Limits, member: str | None) -> Source:
    files = {}
    for info in check_zip(path, path.name, limits):
        inner = PurePosixPath(member_name(info).replace("\\", "/"))
        if "__MACOSX" not in inner.parts and not inner.name.startswith("."):
            files[inner] = info
    if any(
        p.suffix.lower() in (".zip", ".rar", ".7z", ".gz", ".tar") and p.suffixes[-2:] != [".csv", ".gz"] for p in files
    ):
        raise FileRefusedError(f"{path.name}：压缩包中还有压缩包", f"{path.name}: an archive inside the archive")

    tables = {p for p in files if _is_table(p)}
    wanted = {p for p in tables if p.stem == member} if member and len(tables) > 1 else tables
    if len(wanted) != 1:
        names = ", ".join(sorted(p.name for p in tables)) or "-"
        raise FileRefusedError(
            f"{path.name}：应恰好含一个表格或图层文件，实有：{names}",
            f"{path.name}: must hold one table or layer, has: {names}",
        )
    main = wanted.pop()
    kind = kind_of(Path(main.name))
    for inner, info in files.items():
        beside = inner.parent == main.parent and inner.stem == main.stem and inner.suffix.lower() in _SHAPE_PARTS
        if inner == main or (kind.name == "shp" and beside):
            unpack_member(path, path.name, info, scratch / f"inner{inner.suffix.lower()}", limits)
    lone = scratch / "parse"
    lone.mkdir()
    suffix = next(s for s in kind.suffixes if main.name.lower().endswith(s))
    ready = make_ready(
        (scratch / f"inner{main.suffix.lower()}").rename(scratch / f"inner{suffix}"), lone, limits, shown=path.name
    )
    return Source(ready.path, ready.kind, path.name, main.name[: -len(suffix)])


def _is_table(inner: PurePosixPath) -> bool:
    try:
        return kind_of(Path(inner.name)).name in _INSIDE and inner.suffix.lower() not in (".txt", ".json", ".xml")
    except FileRefusedError:
        return False


def clear(scratch: Path) -> None:
    """Remove a scratch folder and all in it; nothing is followed out of it."""
    shutil.rmtree(scratch, ignore_errors=True)
