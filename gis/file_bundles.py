"""Several files given as one: a folder of them, or a zip."""

from pathlib import Path, PurePosixPath

from gis.errors import FileRefusedError
from gis.file_checks import DEFAULT_LIMITS, TABLE_KINDS, Limits, check_zip, kind_of, member_name, unpack_member

_SINGLE = TABLE_KINDS - {"zip", "shp"}


def files_in(path: Path, scratch: Path, *, limits: Limits = DEFAULT_LIMITS) -> list[tuple[str, Path]]:
    """Return (name, file) of every table in a folder or a zip, by name; a lone file is returned as itself.

    scratch : an empty folder, into which a zip is unpacked under names without a meaning. Files of other kinds are
    passed over. Raises FileRefusedError where there is no table at all, or the zip may not be unpacked.
    """
    if path.is_dir():
        found = [(p.name, p) for p in sorted(path.iterdir()) if p.is_file() and _is_table(p.name)]
    elif path.suffix.lower() == ".zip":
        found = _unpacked(path, scratch, limits)
    else:
        return [(path.name, path)]
    if not found:
        raise FileRefusedError(f"{path.name}：其中没有可读的文件", f"{path.name}: holds no file that can be read")
    return found


def _is_table(name: str) -> bool:
    try:
        return not name.startswith((".", "~")) and kind_of(Path(name)).name in _SINGLE
    except FileRefusedError:
        return False


def _unpacked(path: Path, scratch: Path, limits: Limits) -> list[tuple[str, Path]]:
    found = []
    inside = [(PurePosixPath(member_name(m).replace("\\", "/")), m) for m in check_zip(path, path.name, limits)]
    for i, (inner, member) in enumerate(sorted(inside, key=lambda one: str(one[0]))):
        if "__MACOSX" not in inner.parts and _is_table(inner.name):
            suffixes = [s for s in kind_of(Path(inner.name)).suffixes if inner.name.lower().endswith(s)]
            target = scratch / f"{i}{max(suffixes, key=len)}"
            unpack_member(path, path.name, member, target, limits)
            found.append((inner.name, target))
    return found
