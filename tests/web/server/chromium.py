"""Debian's Chromium as the tests drive it, and what axe-core finds wrong with a page."""

import shutil
from pathlib import Path
from typing import Any

AXE = Path(__file__).parents[3] / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: WebGL drawn by the processor: the machines that test have no graphics card.
WEBGL = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PHONE, DESK = (390, 844), (1280, 800)


def chromium() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def violations(page: Any) -> list[tuple[str, list[str]]]:
    """Return what axe finds: rule, and the elements that break it."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    return [(v["id"], [node["html"] for node in v["nodes"]]) for v in found["violations"]]


def whole(page: Any) -> None:
    """Fail where axe finds something, or the page is wider than its window."""
    found = violations(page)
    assert found == [], f"{page.url}: {found}"
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, page.url


def watch(page: Any, faults: list[str]) -> None:
    """Note in ``faults`` what a page complains of: exceptions, and what its policy refuses."""
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)


def follow(link: Any) -> None:
    """Press what leads to another page, and wait until that is whole: else it may be read while half of it came."""
    with link.page.expect_navigation():
        link.click()


def until(page: Any, expression: str, *, arg: Any = None, seconds: float = 20.0) -> None:
    """Wait until an expression is true in the page; asked from here, since the page's policy forbids it to evaluate."""
    for _ in range(int(seconds * 20)):
        if page.evaluate(expression, arg):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")
