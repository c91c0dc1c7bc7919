"""The browser's share of a page: scripts and styles fetched from npm, ready to be inlined."""

import base64
import re
from functools import lru_cache
from pathlib import Path

from gis.errors import LamplightError

FOLDER = Path(__file__).parents[1] / "node_modules"
_URL = re.compile(r"url\((?P<quote>[\"']?)(?P<path>[^)\"'#:]+\.(?P<kind>png|svg))(?P=quote)\)")
_MIME = {"png": "image/png", "svg": "image/svg+xml"}


@lru_cache(maxsize=16)
def script(name: str) -> str:
    """Return a script from npm's folder ("leaflet/dist/leaflet.js") without the link to its source map.

    Raises LamplightError where the assets have not been fetched.
    """
    return re.sub(r"\n//# sourceMappingURL=.*\s*$", "\n", _text(name))


@lru_cache(maxsize=16)
def style(name: str) -> str:
    """Return a style sheet from npm's folder with the pictures it names inside it, as data URLs.

    Comments go, and with them the addresses they cite. Raises LamplightError where a file is absent.
    """
    folder = name.rpartition("/")[0]

    def picture(found: re.Match[str]) -> str:
        data = base64.b64encode(_read(f"{folder}/{found['path']}")).decode()
        return f"url(data:{_MIME[found['kind']]};base64,{data})"

    return _URL.sub(picture, re.sub(r"/\*.*?\*/", "", _text(name), flags=re.DOTALL))


def _text(name: str) -> str:
    # one kind of line ending, whichever a package was published with
    return _read(name).decode().replace("\r\n", "\n")


def _read(name: str) -> bytes:
    path = FOLDER / name
    if not path.is_file():
        raise LamplightError(
            f"缺少浏览器文件 {name}，请先运行 make setup", f"browser asset {name} is missing: run make setup first"
        )
    return path.read_bytes()
