"""The text encoding of a shapefile, told from its .cpg or from the bytes of its .dbf."""

from pathlib import Path

from gis.errors import FileRefusedError
from gis.file_checks import plain
from gis.notes import LamplightNote

_GUESSES = ("utf-8", "gb18030")
# Names ESRI, GDAL and Chinese desktop software write into .cpg files, where Python calls them otherwise.
_ALIASES = {
    "936": "gb18030",
    "cp936": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "54936": "gb18030",
    "65001": "utf-8",
}


def shapefile_encoding(shp: Path, name: str, notes: list[LamplightNote]) -> str:
    """Tell the encoding: the .cpg's word, else UTF-8 if all text is that, else GB18030; a guess adds a note.

    Raises FileRefusedError where the text is neither.
    """
    cpg, dbf = shp.with_suffix(".cpg"), shp.with_suffix(".dbf")
    if cpg.exists():
        word = cpg.read_bytes()[:40].decode("ascii", "replace").strip().lower()
        word = _ALIASES.get(word.removeprefix("ansi ").removeprefix("oem ").strip(), word)
        try:
            "".encode(word)
            return word
        except LookupError:
            shown = plain(word)
            notes.append(
                LamplightNote(f".cpg 写的编码“{shown}”不认识，已忽略", f"unknown encoding {shown!r} in .cpg ignored")
            )
    if not dbf.exists():
        return "utf-8"

    texts = _texts(dbf.read_bytes())
    if all(t.isascii() for t in texts):
        return "utf-8"
    for guess in _GUESSES:
        if all(_reads_as(t, guess) for t in texts):
            zh, en = (
                f"没有 .cpg，按 {guess.upper()} 读取，请确认文字无误",
                f"no .cpg: read as {guess.upper()}; please check the text",
            )
            notes.append(LamplightNote(zh, en))
            return guess
    raise FileRefusedError(
        f"{name}：属性文字既非 UTF-8 也非 GB18030，请指明编码",
        f"{name}: text is neither UTF-8 nor GB18030; name its encoding",
    )


def _texts(dbf: bytes) -> set[bytes]:
    """Collect the distinct field names and text values of a dBase file; a damaged one yields what can be read."""
    if len(dbf) < 33:
        return set()
    start, width = int.from_bytes(dbf[8:10], "little"), int.from_bytes(dbf[10:12], "little")
    fields = [dbf[i : i + 32] for i in range(32, min(start, len(dbf)) - 31, 32) if dbf[i] != 0x0D]
    found = {f[:11].split(b"\x00")[0] for f in fields}
    offset = 1
    for field in fields:
        size = field[16]
        if field[11:12] == b"C" and width:
            found.update(dbf[i : i + size].rstrip(b" \x00") for i in range(start + offset, len(dbf), width))
        offset += size
    return found


def _reads_as(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError as fault:
        # A value cut off at the field's width may end inside a character.
        return fault.end >= len(text) and len(text) - fault.start < 4
    return True
