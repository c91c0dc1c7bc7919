"""The direction of imports and the homes of libraries, read from the source with ast."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = [
    "gis", "layers", "planner", "web", "terminal", "question_options", "patrol_verbs", "hotspot_verbs", "account_verbs",
    "store_verbs", "serve_verb", "worker_verb", "demo_verb", "batch_verb", "lamplight",
]  # fmt: skip
HOMES = {
    "flask": "web", "apiflask": "web", "folium": "web", "osmnx": "gis", "osmium": "gis", "sqlalchemy": "layers",
    "alembic": "layers", "highspy": "planner", "holidays": "layers", "distributed": "planner",
    "dask": "planner",
}  # fmt: skip
COMMAND_LINE = {
    "terminal", "question_options", "account_verbs", "patrol_verbs", "hotspot_verbs", "store_verbs", "serve_verb",
    "demo_verb", "batch_verb", "worker_verb", "lamplight",
}  # fmt: skip
FILES = [
    *sorted(p for top in ORDER if top not in COMMAND_LINE for p in (ROOT / top).rglob("*.py")),
    *(ROOT / f"{name}.py" for name in sorted(COMMAND_LINE)),
]


def place(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, 0
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_never_point_upward_nor_are_relative(path: Path) -> None:
    here = ORDER.index(place(path))
    for name, level in imports(path):
        top = name.split(".")[0]
        assert level == 0, f"relative import of {name}"
        assert top not in ORDER or ORDER.index(top) <= here, f"{name} is above {place(path)}"
        assert top not in {"tests", "benchmarks", "data"}, f"{name} is no part of the product"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_at_home(path: Path) -> None:
    for name, _ in imports(path):
        home = HOMES.get(name.split(".")[0])
        assert home in (None, place(path)), f"{name} belongs to {home}"
        assert name.split(".")[0] != "click" or place(path) in COMMAND_LINE, "click belongs to the command line"


def test_no_module_bears_its_folders_name() -> None:
    assert [p for p in FILES if p.stem == p.parent.name] == []


def test_imports_make_no_circle() -> None:
    modules = {module_name(p): p for p in FILES}
    graph = {name: {i for i, _ in imports(p)} & modules.keys() for name, p in modules.items()}
    # "from gis import reach" names the package; count the module it means
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_algorithms_do_no_io() -> None:
    """planner/ reads no clock, no store and no file, but for runs.py and the loader it uses."""
    forbidden = {"sqlalchemy", "geopandas", "pyogrio", "time", "datetime", "random", "pathlib", "os"}
    allowed_datetime = {"datetime"}  # types and arithmetic; the clock itself is looked for below
    for path in FILES:
        if place(path) != "planner" or path.name in ("runs.py", "loading.py"):
            continue
        names = {name.split(".")[0] for name, _ in imports(path)}
        assert not names & (forbidden - allowed_datetime), path
        text = path.read_text("utf-8")
        assert ".now(" not in text and ".today(" not in text, path
        assert "np.random.seed" not in text, path
