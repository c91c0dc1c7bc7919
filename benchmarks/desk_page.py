"""How smooth the supervisor's desk stays with many streets and reports drawn: frames and long tasks in Chromium.

    lamplight demo --out demo && lamplight serve --demo --db sqlite:///demo/linjiang-town.sqlite &
    python -m benchmarks.desk_page --url http://127.0.0.1:8000

The page is the server's own; what its map asks for (streets, board, marks) is answered here with so many made-up ones
around the same place. Chromium draws without a graphics card, as the machines that test do: with one it is faster. So
the page's own work in a frame is told apart from the frame, and the same map is moved with nothing drawn on it.
"""

import argparse
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

CREWS, SCALE = 60, 100_000
SCREEN = {"width": 1280, "height": 800}
WEBGL = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
#: Counts frames, the page's own work in each, and tasks above 50 ms while something is done.
WATCH = """
() => {
  const seen = { frames: [], work: [], tasks: [] };
  let last = performance.now();
  let on = true;
  const tick = (now) => { seen.frames.push(now - last); last = now; if (on) requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
  const observer = new PerformanceObserver((list) => list.getEntries().forEach((e) => seen.tasks.push(e.duration)));
  observer.observe({ entryTypes: ["longtask"] });
  globalThis.ownWork = [];
  globalThis.endWatch = () => {
    on = false;
    observer.disconnect();
    return { ...seen, work: globalThis.ownWork };
  };
}
"""
#: Times what the page itself does for a frame: all of a frame but what the browser then needs to draw it.
TIMED = """
() => {
  const ask = globalThis.requestAnimationFrame.bind(globalThis);
  globalThis.ownWork = [];
  globalThis.requestAnimationFrame = (draw) => ask((now) => {
    const start = performance.now();
    draw(now);
    globalThis.ownWork.push(performance.now() - start);
  });
}
"""


def streets(count: int, lon: float, lat: float) -> dict[str, Any]:
    """Return ``count`` streets in a square grid around a place, as streets.json has them."""
    side = math.ceil(math.sqrt(count / 2))
    steps, before = [], (0, 0)
    for i in range(count):
        row, column = divmod(i // 2, side)
        x, y = round(lon * SCALE) + (column - side // 2) * 90, round(lat * SCALE) + (row - side // 2) * 80
        for place in ((x, y), (x + 90, y) if i % 2 else (x, y + 80)):
            steps += [place[0] - before[0], place[1] - before[1]]
            before = place
    ids = [f"S{i}" for i in range(count)]
    return {
        "scale": SCALE, "names": ["路"],
        "streets": {"id": list(range(count)), "name": [0] * count, "points": [2] * count, "steps": steps},
        "duties": {"id": ids, "street": list(range(count)), "check": [0] * count, "both": [0] * count,
                   "must": [int(i % 50 == 0) for i in range(count)], "minutes": [1.0] * count, "at": [None] * count},
    }  # fmt: skip


def board(count: int, version: int) -> dict[str, Any]:
    """Return a board whose crews share most of the streets."""
    routes: dict[int, list[list[str]]] = {crew: [] for crew in range(CREWS)}
    for i in range(count * 4 // 5):
        moved = version if i % 1000 == 0 else 0  # as when a few streets change hands
        routes[(i * CREWS // count + moved) % CREWS].append([f"S{i}", ""])
    crews = [{"crew": f"C{crew + 1:02d}", "route": route} for crew, route in routes.items()]
    return {"version": version, "crews": crews, "open": [[f"S{i}", ""] for i in range(count * 4 // 5, count)]}


def marks(reports: int, lon: float, lat: float) -> dict[str, Any]:
    """Return so many reports, a mark for each crew and no points."""

    def place(i: int, properties: dict[str, Any]) -> dict[str, Any]:
        at = [lon + 0.03 * math.sin(i * 2.399) * (i % 97) / 97, lat + 0.03 * math.cos(i * 2.399) * (i % 97) / 97]
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": at}, "properties": properties}

    found = [place(i, {"id": i, "name": str(i), "urgent": int(i % 9 == 0)}) for i in range(reports)]
    crews = [place(7 * i + 3, {"crew": f"C{i + 1:02d}", "colour": i % 10}) for i in range(CREWS)]
    return {name: {"type": "FeatureCollection", "features": features}
            for name, features in (("reports", found), ("crews", crews), ("ways", []), ("help", []))}  # fmt: skip


def told(name: str, seen: dict[str, list[float]]) -> dict[str, Any]:
    """Return what was seen while something was done."""

    def at(share: float, times: list[float]) -> float | None:
        return round(sorted(times)[min(len(times) - 1, int(share * len(times)))], 1) if times else None

    frames, work = seen["frames"], seen["work"]
    return {"what": name, "frames": len(frames), "frame_ms_median": at(0.5, frames), "frame_ms_p95": at(0.95, frames),
            "own_work_ms_p95": at(0.95, work), "own_work_ms_most": at(1, work),
            "long_tasks": len(seen["tasks"]), "longest_task_ms": round(max(seen["tasks"], default=0.0))}  # fmt: skip


def answer(body: Callable[[], Any]) -> Callable[[Any], None]:
    """Return what answers a request of the page with ``body``."""

    def fulfil(route: Any) -> None:
        route.fulfill(body=json.dumps(body()), content_type="application/json")

    return fulfil


def open_desk(page: Any, asked: argparse.Namespace, streets_drawn: int, reports: int, version: list[int]) -> None:
    """Sign in and open a desk whose map is answered here."""
    page.goto(f"{asked.url}/sign-in")
    page.fill("[name=username]", asked.username)
    page.fill("[name=password]", asked.password)
    page.click("main form button[type=submit]")
    page.wait_for_url(f"{asked.url}/staff*")
    for pattern, body in (
        ("**/streets.json", lambda: streets(streets_drawn, asked.lon, asked.lat)),
        ("**/board.json", lambda: board(streets_drawn, version[0])),
        ("**/marks*", lambda: marks(reports, asked.lon, asked.lat)),
    ):
        page.route(pattern, answer(body))
    page.add_init_script(f"({TIMED})();({WATCH})()")
    page.goto(f"{asked.url}/staff/tonight")
    page.wait_for_selector("#map[data-ready=true]", timeout=120_000)


def moved(page: Any) -> list[dict[str, Any]]:
    """Return what was seen while the map was dragged about and brought nearer."""
    box = page.locator("#map canvas").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(WATCH)
    page.mouse.move(*middle)
    page.mouse.down()
    for i in range(40):
        page.mouse.move(middle[0] + 3 * i * (-1) ** (i // 20), middle[1] + 2 * i, steps=2)
    page.mouse.up()
    page.wait_for_timeout(500)
    pan = told("pan", page.evaluate("endWatch()"))
    page.evaluate(WATCH)
    for _ in range(4):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(400)
    return [pan, told("zoom", page.evaluate("endWatch()"))]


def measure(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Open the desk and look at it while it is drawn, moved and changed; then the same map with nothing on it."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as running, running.chromium.launch(executable_path=chromium, args=WEBGL) as browser:
        version = [0]
        page = browser.new_page(viewport=SCREEN)
        open_desk(page, asked, asked.streets, asked.reports, version)
        yield told("open", page.evaluate("endWatch()"))
        yield from moved(page)
        version[0] = 1  # a few of everybody's streets change hands
        page.evaluate(WATCH)
        page.click("[data-show]")
        page.wait_for_timeout(3000)
        yield told("redraw", page.evaluate("endWatch()"))
        yield {"what": "elements", "count": page.evaluate("document.querySelectorAll('*').length")}
        empty = browser.new_context().new_page()
        empty.set_viewport_size(SCREEN)
        open_desk(empty, asked, 0, 0, version)
        empty.evaluate("endWatch()")
        for line in moved(empty):
            yield {**line, "what": f"{line['what']}, nothing drawn"}


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--username", default="supervisor")
    parser.add_argument("--password", default="lamplight-supervisor")
    parser.add_argument("--streets", type=int, default=10_000)
    parser.add_argument("--reports", type=int, default=500)
    parser.add_argument("--lon", type=float, default=117.16)
    parser.add_argument("--lat", type=float, default=30.52)
    for line in measure(parser.parse_args()):
        print(json.dumps(line, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
