"""Stores of the toy town."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layers.run import Run
from layers.store import Store
from planner.coverage import CoverageQuestion
from planner.runs import run_coverage
from tests.planner import toy_town


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """Make empty stores, named, in the test's own folder."""
    made = []

    def make(name: str) -> Store:
        store = Store(str(tmp_path / f"{name}.db"))
        store.create()
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The toy town, to be asked and not to be changed."""
    store = Store(str(tmp_path_factory.mktemp("toy") / "town.db"))
    store.create()
    yield toy_town.keep(store, toy_town.layers_of_town())
    store.close()


@pytest.fixture
def question() -> CoverageQuestion:
    """Any point, any hour, at a metre a second."""
    return CoverageQuestion(walk_kmh=3.6)


@pytest.fixture
def run(town: Store, question: CoverageQuestion) -> Run:
    return run_coverage(town, question)
