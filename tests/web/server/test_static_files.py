"""The files that pages are drawn with: no style is for what no page has, and what is kept for later is kept whole."""

import re
from collections.abc import Iterator
from pathlib import Path

import web

WEB = Path(web.__file__).parent
STATIC = WEB / "server/static"
STYLES = sorted(STATIC.glob("*.css"))


def named(style: str) -> Iterator[str]:
    """Yield each class and id that a style's selectors name, but MapLibre's own."""
    bare = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", bare):
        if not selectors.strip().startswith("@"):
            yield from re.findall(r"[.#]((?!maplibregl)[a-zA-Z][\w-]*)", re.sub(r"\[[^\]]*\]", "", selectors))


def test_every_class_and_id_that_is_styled_stands_on_some_page() -> None:
    pages = [file for kind in ("*.html", "*.js", "*.py") for file in WEB.rglob(kind)]
    text = "\n".join(file.read_text("utf-8") for file in pages)
    words = set(re.findall(r"[\w-]+", text))
    begun = set(re.findall(r"([\w-]+)(?:\{\{|\$\{|\{)", text))  # as in class="grade-{{ n }}", `crew-${n}`, f"shade{n}"
    for file in STYLES:
        unused = {
            name
            for name in named(file.read_text("utf-8"))
            if name not in words and re.sub(r"(?<=-)\w+$|\d+$", "", name) not in begun
        }
        assert not unused, f"{file.name}: {sorted(unused)}"


def test_a_telephone_that_keeps_the_form_keeps_every_script_it_imports() -> None:
    worker = (STATIC / "sw.js").read_text("utf-8")
    form = "".join((WEB / "server/templates" / name).read_text("utf-8") for name in ("base.html", "report/form.html"))
    kept = {*re.findall(r"filename='(\w+)\.js'", form), *re.findall(r'"(\w+)"', worker.partition("IMPORTED")[2])}
    assert {"map", "report", "map_frame"} <= kept
    for name in kept:
        script = STATIC / f"{name}.js"
        imported = re.findall(r'from "\./(\w+)\.js"', script.read_text("utf-8")) if script.is_file() else []
        assert set(imported) <= kept, name
