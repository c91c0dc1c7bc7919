"""Photos: only pixels come through, upright and small; anything but one sound picture is refused."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from gis.errors import FileRefusedError
from gis.photo_encoding import MAX_SIDE_PX, leave_photo
from gis.photos import MAX_PHOTO_BYTES, reencode_photo

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks on broken Exif

SECRET = b"SECRET-PLACE-3204-11878"
#: Markers of a JPEG that holds nothing but a picture: JFIF head, tables, frame, scan.
PICTURE_MARKERS = {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """A picture whose four quarters differ: red, green over blue, white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = (255, 255, 255)
    return Image.fromarray(pixels)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The four corners' colours in clear numbers, read row by row."""
    pixels = np.asarray(image.convert("RGB"))
    return [tuple((pixels[y, x] > 127).astype(int)) for y in (4, -5) for x in (4, -5)]


def exif(orientation: int = 1) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = SECRET.decode()
    tags.get_ifd(0x8825).update({1: "N", 2: (32.0, 2.0, 24.0), 3: "E", 4: (118.0, 46.0, 48.0), 29: SECRET.decode()})
    return tags


def markers(jpeg: bytes) -> list[int]:
    """Every marker of a JPEG in order; fails on a byte before the first and after the last one."""
    assert jpeg[:2] == b"\xff\xd8"
    at, found = 2, []
    while True:
        assert jpeg[at] == 0xFF
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append(marker)
        at += 2 + length
        if marker == 0xDA:  # coded pixels follow until the end of the image
            assert jpeg.index(b"\xff\xd9", at) == len(jpeg) - 2
            return found


def redraw(data: bytes, folder: Path) -> bytes:
    """As ``reencode_photo``, but in this process."""
    (folder / "photo").write_bytes(data)
    leave_photo(folder / "photo", folder / "result")
    return (folder / "result").read_bytes()


def planted() -> dict[str, bytes]:
    """Photos that carry a secret in every place a format has for one."""
    image, profile = quarters(), SECRET * 3
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    jpeg = encoded(image, "JPEG", exif=exif(), comment=SECRET, icc_profile=profile, xmp=SECRET)
    return {
        "jpeg": jpeg,
        "jpeg with a zip behind it": jpeg + b"PK\x03\x04" + SECRET,
        "jpeg with odd segments": jpeg[:2] + b"\xff\xed" + struct.pack(">H", 2 + len(SECRET)) + SECRET + jpeg[2:],
        "png": encoded(image, "PNG", exif=exif(), pnginfo=text, icc_profile=profile) + SECRET,
        "webp": encoded(image, "WEBP", exif=exif(), xmp=SECRET, icc_profile=profile, lossless=True),
    }


@pytest.mark.parametrize("name", planted())
def test_nothing_but_pixels_comes_through(name: str) -> None:
    data = planted()[name]
    assert SECRET in data or "png" in name
    clean = reencode_photo(data)
    assert set(markers(clean)) <= PICTURE_MARKERS
    assert SECRET not in clean and b"Exif" not in clean and b"http" not in clean and b"PK" not in clean
    image = Image.open(io.BytesIO(clean))
    assert not image.getexif() and set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert corners(image) == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]


TURNED = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
          7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_taken_sideways_comes_out_upright(kind: str, tmp_path: Path) -> None:
    for orientation, made_by in TURNED.items():
        stored = quarters().transpose(Image.Transpose[made_by])  # as the camera's chip saw it
        upright = Image.open(io.BytesIO(redraw(encoded(stored, kind, exif=exif(orientation)), tmp_path)))
        assert upright.size == (64, 48), orientation
        assert corners(upright) == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)], orientation


def test_unreadable_exif_does_not_cost_the_photo(tmp_path: Path) -> None:
    broken = b"Exif\0\0MM\0*\xff\xff\xff\xff"
    data = encoded(quarters(), "JPEG", exif=broken)
    assert corners(Image.open(io.BytesIO(redraw(data, tmp_path))))[0] == (1, 0, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_large_photo_is_scaled_down_and_a_small_one_is_not(kind: str, tmp_path: Path) -> None:
    large = Image.open(io.BytesIO(redraw(encoded(quarters(4000, 1000), kind), tmp_path)))
    assert large.size == (MAX_SIDE_PX, MAX_SIDE_PX // 4)
    assert Image.open(io.BytesIO(redraw(encoded(quarters(5, 7), kind), tmp_path))).size == (5, 7)
    assert Image.open(io.BytesIO(redraw(encoded(quarters(20, 3), kind), tmp_path))).size == (20, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_a_plain_picture(mode: str, tmp_path: Path) -> None:
    deep = Image.fromarray(np.full((48, 64), 65535, np.uint16))
    image = deep if mode == "I;16" else quarters().convert(mode)
    assert image.mode == mode
    clean = Image.open(io.BytesIO(redraw(encoded(image, "PNG"), tmp_path)))
    assert (clean.mode, clean.size) == ("RGB", (64, 48))
    assert corners(clean)[3] == (1, 1, 1)


def test_transparency_becomes_white_and_inks_become_colours(tmp_path: Path) -> None:
    nothing = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    assert corners(Image.open(io.BytesIO(redraw(encoded(nothing, "PNG"), tmp_path))))[0] == (1, 1, 1)
    assert corners(Image.open(io.BytesIO(redraw(encoded(nothing, "WEBP"), tmp_path))))[0] == (1, 1, 1)
    inks = encoded(quarters().convert("CMYK"), "JPEG")
    assert corners(Image.open(io.BytesIO(redraw(inks, tmp_path))))[3] == (1, 1, 1)


def test_of_a_telephones_double_picture_the_first_is_taken(tmp_path: Path) -> None:
    double = encoded(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    clean = redraw(double, tmp_path)
    assert set(markers(clean)) <= PICTURE_MARKERS
    assert corners(Image.open(io.BytesIO(clean))) == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(side: int) -> bytes:
    """A PNG of ``side`` pixels squared, one bit each, all black: a few kilobytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    frames = [quarters(), Image.new("RGB", (64, 48))]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


REFUSED = {
    "a bomb": (lambda: bomb(30_000), "more than 64 million"),
    "an SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>', "expected JPEG"),
    "a GIF": (lambda: encoded(quarters(), "GIF"), "expected JPEG"),
    "a TIFF": (lambda: encoded(quarters(), "TIFF"), "expected JPEG"),
    "an animated GIF": (lambda: animated("GIF"), "expected JPEG"),
    "an animated PNG": (lambda: animated("PNG"), "animated"),
    "an animated WEBP": (lambda: animated("WEBP"), "animated"),
    "nothing": (lambda: b"", "expected JPEG"),
    "a JPEG's first bytes": (lambda: b"\xff\xd8\xff\xe0", "damaged"),
    "a web page dressed as a PNG": (lambda: b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "damaged"),
    "a WEBP that lies about its size": (lambda: b"RIFF\xff\xff\xff\x7fWEBPVP8 \xff\xff\xff\x7f" + bytes(99), "damaged"),
    "half a JPEG": (lambda: half("JPEG"), "damaged"),
    "half a PNG": (lambda: half("PNG"), "damaged"),
    "half a WEBP": (lambda: half("WEBP"), "damaged"),
    "too many bytes": (lambda: b"\xff\xd8\xff" + bytes(MAX_PHOTO_BYTES), "more than 20 MB"),
}


def noise(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (120, 160, 3), np.uint8)


def half(kind: str) -> bytes:
    data = encoded(Image.fromarray(noise()), kind)
    return data[: len(data) // 2]


@pytest.mark.parametrize("name", REFUSED)
def test_anything_but_one_sound_picture_is_refused(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(FileRefusedError, match=reason) as refused:
        reencode_photo(make())
    assert refused.value.zh and "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_with_any_bytes_changed_is_drawn_or_refused(kind: str, tmp_path: Path) -> None:
    whole, rng = encoded(Image.fromarray(noise()), kind, exif=exif(6)), np.random.default_rng(7)
    for _ in range(150):
        changed = np.frombuffer(whole, np.uint8).copy()
        where = rng.integers(12, min(len(whole), 3_000), rng.integers(1, 6))
        changed[where] = rng.integers(0, 256, len(where))
        try:
            clean = redraw(changed.tobytes(), tmp_path)
        except FileRefusedError:
            continue
        assert set(markers(clean)) <= PICTURE_MARKERS and SECRET not in clean
