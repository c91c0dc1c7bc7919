"""Photos from outside: only their pixels come in, redrawn in the limited process."""

from pathlib import Path

from gis.errors import FileRefusedError
from gis.file_checks import Limits
from gis.file_guard import RESULT, run_guarded, scratch_folder
from gis.photo_encoding import photo_format

MAX_PHOTO_BYTES = 20 << 20
_LIMITS = Limits(max_bytes=MAX_PHOTO_BYTES, max_seconds=20, max_memory_bytes=1536 << 20)


def reencode_photo(data: bytes) -> bytes:
    """Return a JPEG, PNG or WEBP photo as a fresh JPEG: upright, at most 1600 pixels a side, without any metadata.

    No Exif (so no place nor time), XMP, colour profile, comment or trailing bytes survive; transparency becomes white.
    Raises FileRefusedError on another format, a damaged or animated file, more than 20 MB or 64 million pixels.
    Costs a process: about a tenth of a second.
    """
    if len(data) > MAX_PHOTO_BYTES:
        most = MAX_PHOTO_BYTES >> 20
        raise FileRefusedError(f"照片超过 {most} MB", f"photo: more than {most} MB")
    photo_format(data[:12])  # refused without a process
    with scratch_folder() as folder:
        scratch = Path(folder)
        path = scratch / "photo"
        path.write_bytes(data)
        run_guarded({"do": "photo", "path": str(path)}, scratch, _LIMITS)
        return (scratch / RESULT).read_bytes()
