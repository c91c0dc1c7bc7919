"""Map tiles in one file of the PMTiles form, which a browser reads piece by piece over HTTP."""

import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

Tile = tuple[int, int, int]  # zoom, column from the west, row from the north

# PMTiles version 3: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
_HEADER = struct.Struct("<7sB11Q6B4iB2i")
_GZIP, _VECTOR_TILES = 2, 1
_ROOT_BYTES = 16_384 - _HEADER.size  # a reader asks for the header and the root directory in one piece
_LEAF_ENTRIES = 4_096
_Entry = tuple[int, int, int, int]  # tile id (the first, of a leaf), run of tiles (0: a leaf), offset, length


def write_archive(
    path: Path,
    tiles: Mapping[Tile, bytes],
    *,
    bounds: tuple[float, float, float, float],
    metadata: Mapping[str, object],
) -> None:
    """Write vector tiles to one PMTiles archive; the same tiles give the same bytes.

    tiles : at least one, each uncompressed. bounds : west, south, east, north in degrees. metadata : as TileJSON has
    it, with "vector_layers".
    Source: PMTiles specification, version 3.
    """
    packed = sorted((tile_id(*tile), gzip.compress(data, mtime=0)) for tile, data in tiles.items())
    entries: list[_Entry] = []
    end = 0
    for number, data in packed:
        entries.append((number, 1, end, len(data)))
        end += len(data)
    root, leaves = _directories(entries)
    about = gzip.compress(json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode(), mtime=0)

    starts = [_HEADER.size]
    for part in (root, about, leaves):
        starts.append(starts[-1] + len(part))
    west, south, east, north = (round(degrees * 1e7) for degrees in bounds)
    zooms = [zoom for zoom, _, _ in tiles]
    header = _HEADER.pack(
        b"PMTiles", 3,
        starts[0], len(root), starts[1], len(about), starts[2], len(leaves), starts[3], end,
        len(entries), len(entries), len(entries),
        1, _GZIP, _GZIP, _VECTOR_TILES, min(zooms), max(zooms),
        west, south, east, north, min(zooms), (west + east) // 2, (south + north) // 2,
    )  # fmt: skip
    with path.open("wb") as file:
        file.writelines((header, root, about, leaves))
        file.writelines(data for _, data in packed)


def tile_id(zoom: int, column: int, row: int) -> int:
    """Return a tile's number: all of lower zooms come first, then along a Hilbert curve."""
    number = ((1 << 2 * zoom) - 1) // 3
    for level in range(zoom - 1, -1, -1):
        half = 1 << level
        right, lower = (column >> level) & 1, (row >> level) & 1
        number += half * half * ((3 * right) ^ lower)
        if not lower:
            if right:
                column, row = half - 1 - (column & (half - 1)), half - 1 - (row & (half - 1))
            column, row = row, column
    return number


def _directories(entries: Sequence[_Entry]) -> tuple[bytes, bytes]:
    """Return the root directory and, where one is not enough, the leaves it points to."""
    root = _directory(entries)
    if len(root) <= _ROOT_BYTES:
        return root, b""
    leaves = b""
    pointers: list[_Entry] = []
    for first in range(0, len(entries), _LEAF_ENTRIES):
        part = entries[first : first + _LEAF_ENTRIES]
        leaf = _directory(part)
        pointers.append((part[0][0], 0, len(leaves), len(leaf)))
        leaves += leaf
    return _directory(pointers), leaves


def _directory(entries: Sequence[_Entry]) -> bytes:
    numbers, runs, offsets, lengths = zip(*entries, strict=True)
    steps = [b - a for a, b in zip((0, *numbers), numbers, strict=False)]
    # the data lie without gaps in the order of the entries: 0 says "right after the one before"
    places = [offsets[0] + 1] + [0] * (len(entries) - 1)
    values = (len(entries), *steps, *runs, *lengths, *places)
    return gzip.compress(b"".join(map(_varint, values)), mtime=0)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
