"""Files to be saved, as a browser is given them."""

from flask import Response


def download(data: bytes, media_type: str, name: str) -> Response:
    """Return a file to be saved under a name, which is of plain letters."""
    return Response(data, mimetype=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
