"""A province of twelve counties, each with a store of its own: the toy town under twelve codes."""

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layers.store import Store
from planner.batch import runs
from planner.batch.counties import County
from planner.batch.runs import Ask, answer_county
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import DASK
from planner.runs import software
from tests.planner import toy_town

COUNTIES = 12
QUESTION = CoverageQuestion(walk_kmh=3.6)


def digests(out: Path) -> dict[str, str]:
    """Return the hash of every file below ``out`` by its name, drafts and all."""
    found = sorted(p for p in out.rglob("*") if p.is_file())
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


@pytest.fixture(autouse=True)
def no_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DASK, raising=False)


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch run on a thread of this process, where its processes are not what is looked at."""
    monkeypatch.setattr(runs, "open_executor", lambda workers: ThreadPoolExecutor(1))


@pytest.fixture(scope="module")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy town's store as one file that nobody has open."""
    file = tmp_path_factory.mktemp("toy") / "town.sqlite"
    store = Store(str(file))
    store.create()
    toy_town.keep(store, toy_town.layers_of_town())
    store.close()
    return file


@pytest.fixture
def province(toy_file: Path, tmp_path: Path) -> list[County]:
    """Twelve counties with stores that nobody has asked anything yet."""
    counties = []
    for number in range(COUNTIES):
        code = f"3201{number + 1:02d}000000"
        counties.append(County(code, f"County {number + 1}", str(tmp_path / f"{code}.sqlite")))
        shutil.copyfile(toy_file, counties[-1].source)
    return counties


@pytest.fixture(scope="module")
def alone(toy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the province leaves when its counties are answered one after another, without any executor."""
    folder = tmp_path_factory.mktemp("alone")
    ask = Ask(QUESTION, "wgs84", str(folder / "out"), software())
    for number in range(COUNTIES):
        copy = folder / f"{number}.sqlite"
        shutil.copyfile(toy_file, copy)
        answer_county(County(f"3201{number + 1:02d}000000", f"County {number + 1}", str(copy)), ask)
    return digests(folder / "out")


@pytest.fixture
def answer(tmp_path: Path) -> Callable[[County], dict[str, object]]:
    """Answer one county here and now."""
    return lambda county: answer_county(county, Ask(QUESTION, "wgs84", str(tmp_path / "out"), software()))
