"""What GPX 1.1 asks of a file, written down from the published schema: elements, their order, and their values."""

import re
from xml.etree import ElementTree

SPACE = "{http://www.topografix.com/GPX/1/1}"
_POINT = ("ele", "time", "magvar", "geoidheight", "name", "cmt", "desc", "src", "link", "sym", "type", "fix", "sat",
          "hdop", "vdop", "pdop", "ageofdgpsdata", "dgpsid", "extensions")  # fmt: skip
_LINE = ("name", "cmt", "desc", "src", "link", "number", "type", "extensions")
#: Children of each element in the order of the schema's sequence, and those that may stand more than once.
CHILDREN = {
    "gpx": ("metadata", "wpt", "rte", "trk", "extensions"),
    "metadata": ("name", "desc", "author", "copyright", "link", "time", "keywords", "bounds", "extensions"),
    "wpt": _POINT,
    "trkpt": _POINT,
    "trk": (*_LINE, "trkseg"),
    "trkseg": ("trkpt", "extensions"),
}
MANY = {"wpt", "rte", "trk", "link", "trkseg", "trkpt"}
#: xsd:dateTime.
_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")


def faults(text: bytes) -> list[str]:
    """Return what is wrong with a GPX file."""
    root = ElementTree.fromstring(text)
    found = [] if root.tag == f"{SPACE}gpx" else [f"root {root.tag}"]
    found += [] if root.get("version") == "1.1" and root.get("creator") else ["version and creator"]
    _look(root, found)
    return found


def _look(element: ElementTree.Element, found: list[str]) -> None:
    name = element.tag.removeprefix(SPACE)
    if name not in CHILDREN:
        found += [f"{name} has children"] if len(element) else []
        if name == "time" and not _TIME.fullmatch(element.text or ""):
            found.append(f"time {element.text}")
        return
    inside = [child.tag.removeprefix(SPACE) for child in element]
    unknown = [child for child in inside if child not in CHILDREN[name]]
    if unknown:
        found.append(f"{name} holds {unknown}")
        return
    if inside != sorted(inside, key=CHILDREN[name].index):
        found.append(f"{name}: order {inside[:5]}")
    found += [f"{name}: two of {child}" for child in set(inside) - MANY if inside.count(child) > 1]
    if name in ("wpt", "trkpt"):
        for axis, most in (("lat", 90.0), ("lon", 180.0)):
            value = element.get(axis, "")
            # the schema lets a longitude be -180, and not 180
            if not _DECIMAL.fullmatch(value) or not -most <= float(value) <= most or (axis, value) == ("lon", "180"):
                found.append(f"{name} {axis} {value!r}")
    for child in element:
        _look(child, found)
