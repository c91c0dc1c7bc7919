"""A small site for the map alone: real assets and tiles, the strictest policy, pages as the server has them."""

import html
import io
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import geopandas as gpd
from PIL import Image

ROOT = Path(__file__).parents[3]
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
ASSETS = {
    "/assets/maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "/assets/maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "/assets/pmtiles.js": "pmtiles/dist/pmtiles.js",
}
KINDS = {
    ".mjs": "text/javascript", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml",
    ".geojson": "application/geo+json", ".pmtiles": "application/vnd.pmtiles", ".png": "image/png",
}  # fmt: skip
STATES = {"open": "开放中", "closed": "已关闭", "unknown": "时间不详"}
LABELS = {
    "map": "服务点地图，可用方向键移动", "zoomin": "放大", "zoomout": "缩小",
    "nomap": "此浏览器不能显示地图，请用列表。", "centre": "准星在{place}附近", "noposition": "未能取得位置",
}  # fmt: skip
PAGE_STYLE = """body { margin: 0; font-family: sans-serif; } main { display: grid; gap: .75rem; padding: .75rem; }
#list { margin: 0; padding: 0; list-style: none; } #list li { padding: .75rem; border-bottom: 1px solid #ccc; }
#list img { vertical-align: middle; } #map { order: -1; }
@media (min-width: 900px) { main { grid-template-columns: 24rem 1fr; height: 96vh; } #list { overflow: auto; }
#map { order: 1; height: auto; } }"""


def green_tile() -> bytes:
    """Return a tile of a base map: one colour throughout."""
    stream = io.BytesIO()
    Image.new("RGB", (256, 256), (190, 225, 190)).save(stream, "PNG")
    return stream.getvalue()


class MapSite:
    """What the site serves: ``files`` by path beside static files and assets, and the requests it saw."""

    def __init__(self, points: gpd.GeoDataFrame, files: Mapping[str, bytes]) -> None:
        self.points = points
        own = {"/points.geojson": points.to_json(to_wgs84=True).encode(), "/page.css": PAGE_STYLE.encode()}
        self.files = {**files, **own}
        self.asked: list[str] = []
        self.url = ""

    def page(self, mode: str, fields: Mapping[str, str], listed: int = 12) -> str:
        """Return a page with the map in ``mode`` and a list of points; ``fields`` change attributes of the map."""
        west, south, east, north = self.points.total_bounds
        data = {
            "tiles": "/tiles/city.pmtiles?v=1", "points": "/points.geojson", "bounds": f"{west},{south},{east},{north}",
            "mode": mode, "labels": json.dumps(LABELS, ensure_ascii=False), "attribution": "© 临江市（虚构）",
            "approval": "审图号：GS(2026)0000号", **fields,
        }  # fmt: skip
        attributes = " ".join(f'data-{k}="{html.escape(v)}"' for k, v in data.items())
        items = "".join(
            f'<li data-code="{p.code}" data-lon="{p.geometry.x}" data-lat="{p.geometry.y}" data-state="{p.state}">'
            f'<img src="/static/symbols/{p.state}.svg" alt="" width="28" height="28"> '
            f'<a href="/{p.key}">{html.escape(p.name)}</a> {STATES[p.state]}</li>'
            for p in self.points.head(listed).itertuples()
        )
        form = {
            "find": '<form id="find"><input type="hidden" name="lon"><input type="hidden" name="lat">'
            '<button type="button" id="here" hidden>用我的位置</button></form>',
            "point": '<form id="find" action="/route"><input type="hidden" name="lon"><input type="hidden" name="lat">'
            '<button type="button" id="here" hidden>用我的位置</button></form>',
            "report": '<form><input type="hidden" id="lon" name="lon"><input type="hidden" id="lat" name="lat"></form>',
        }
        return (
            '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>地图</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="icon" href="/static/symbols/open.svg">'
            '<link rel="stylesheet" href="/static/map.css"><link rel="stylesheet" href="/page.css">'
            '<script src="/assets/pmtiles.js" defer></script>'
            '<script type="module" src="/static/map.js"></script></head>'
            f'<body>{form.get(mode, "")}<main><ul id="list">{items}</ul>'
            f'<div id="map" {attributes}><p class="map-note">{LABELS["nomap"]}</p></div></main></body></html>'
        )

    def answer(self, path: str) -> tuple[bytes, str] | None:
        """Return the bytes and the kind of what lies at ``path``, which may carry a query."""
        parts = urlsplit(path)
        if parts.path in ("/find", "/report", "/point", "/route"):
            fields = {k: v[0] for k, v in parse_qs(parts.query).items() if k not in ("lon", "lat")}
            return self.page(parts.path[1:], fields).encode(), "text/html; charset=utf-8"
        if parts.path.startswith("/points/"):
            return b'<link rel="icon" href="/static/symbols/open.svg"><title>a point</title>', "text/html"
        kind = KINDS.get(Path(parts.path).suffix, "application/octet-stream")
        if parts.path.startswith("/basemap/"):
            return green_tile(), "image/png"
        if parts.path in self.files:
            return self.files[parts.path], kind
        if parts.path in ASSETS:
            return (ROOT / "node_modules" / ASSETS[parts.path]).read_bytes(), kind
        if re.fullmatch(r"/static/[\w./]+", parts.path) and ".." not in parts.path:
            file = ROOT / "web/server" / parts.path[1:]
            return (file.read_bytes(), kind) if file.is_file() else None
        return None


@contextmanager
def served(site: MapSite) -> Iterator[MapSite]:
    """Serve the site on a free port of this machine while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(self.path)
            found = site.answer(self.path)
            body, kind = found or (b"", "text/plain")
            status, asked = (200 if found else 404), re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
            total = len(body)
            if found and asked:
                status, first, last = 206, int(asked[1]), min(int(asked[2]), total - 1)
                body = body[first : last + 1]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
