"""A photo decoded and drawn anew, so that nothing but its pixels is left; runs in the limited process alone."""

import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gis.errors import FileRefusedError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

MAX_SIDE_PX = 1600
#: Beyond what telephones take; a decoder needs four bytes for each.
MAX_PIXELS = 64_000_000
_QUALITY = 82
_ORIENTATION = 0x0112
#: What Pillow's decoders raise on damaged files.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def photo_format(head: bytes) -> str:
    """Name the format that a file's first bytes tell: "JPEG", "PNG", "WEBP"; raises FileRefusedError on any other."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    raise FileRefusedError("照片须为 JPEG、PNG 或 WEBP", "photo: expected JPEG, PNG or WEBP")


def leave_photo(path: Path, target: Path) -> dict[str, Any]:
    """Write the photo at ``path`` to ``target``: upright, at most MAX_SIDE_PX a side, JPEG, pixels alone.

    Returns its width and height in pixels. Raises FileRefusedError on anything but one sound picture of bearable size.
    """
    try:
        with path.open("rb") as stream:
            clean = _redrawn(_opened(stream))
    except _DAMAGED as error:
        if isinstance(error, FileRefusedError):
            raise
        raise FileRefusedError("照片已损坏或不完整", "photo: damaged or cut off") from None
    clean.save(target, "JPEG", quality=_QUALITY)
    return {"width": clean.width, "height": clean.height}


def _opened(stream: Any) -> "ImageFile.ImageFile":
    """Read the header with the one decoder that the first bytes stand for; no pixel is decoded yet."""
    image: ImageFile.ImageFile
    format_ = photo_format(stream.read(12))
    stream.seek(0)
    match format_:
        case "JPEG":
            from PIL.JpegImagePlugin import JpegImageFile

            image = JpegImageFile(stream)  # the first picture, where a telephone appended a second one
        case "PNG":
            from PIL.PngImagePlugin import PngImageFile

            image = PngImageFile(stream)
        case _:
            from PIL.WebPImagePlugin import WebPImageFile

            image = WebPImageFile(stream)
    if image.width * image.height > MAX_PIXELS:
        raise FileRefusedError(
            f"照片 {image.width}×{image.height} 像素过大，上限 {MAX_PIXELS // 1_000_000} 百万像素",
            f"photo: {image.width} x {image.height} pixels, more than {MAX_PIXELS // 1_000_000} million",
        )
    if getattr(image, "n_frames", 1) > 1:
        raise FileRefusedError("不接受动图，请改用静态照片", "photo: animated, send a still one")
    return image


def _redrawn(image: "ImageFile.ImageFile") -> "Image.Image":
    from PIL import Image

    image.draft("RGB", (MAX_SIDE_PX, MAX_SIDE_PX))  # JPEG alone: scales down while decoding
    image.load()
    turn = _turn(image)
    pixels = image.convert("RGBA" if image.has_transparency_data else "RGB")
    pixels.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Image.Resampling.LANCZOS)
    if turn is not None:
        pixels = pixels.transpose(turn)
    # a sheet of its own: what is copied onto it are pixels, whatever else the file carried
    sheet = Image.new("RGB", pixels.size, "white")
    sheet.paste(pixels, mask=pixels if pixels.mode == "RGBA" else None)
    return sheet


def _turn(image: "ImageFile.ImageFile") -> "Image.Transpose | None":
    """Return what brings a picture upright, by the Exif orientation; None for nothing, and for unreadable Exif."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION)
    except _DAMAGED:
        return None
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_90,
    }  # fmt: skip
    return turns.get(orientation) if isinstance(orientation, int) else None
