"""A small served city: the demo town, built once, on SQLite or PostGIS."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from layers.backup import restore_backup, write_backup
from tests.postgis_server import PostgisServer, database_of
from tests.requirements import missing
from tests.web.server.chromium import AXE, WEBGL, chromium
from tests.web.server.demo_town import SECRET
from tests.web.server.night_world import plan
from tests.web.server.screens import Town, prepare, served
from tests.web.server.staff import CHEAP
from web.server.app import create_app
from web.server.settings import Settings

#: What the tests run on.
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)]


@pytest.fixture(scope="session")
def town_file(town_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo town in one SQLite file, in a folder of this process's own; to be copied, never written to."""
    return Path(shutil.copy(town_folder / "town.sqlite", tmp_path_factory.mktemp("town")))


@pytest.fixture(params=DATABASES)
def town_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a demo town of this test's own, on each database in turn."""
    return copied_town(request, tmp_path)


def copied_town(request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the address of a demo town that may be written to, on the database that a fixture's parameter names."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("town_file"), folder / "town.sqlite")
        return f"sqlite:///{folder / 'town.sqlite'}"
    server: PostgisServer = request.getfixturevalue("postgis_server")
    return server.new_database(request, request.getfixturevalue("town_database"))


@pytest.fixture(scope="session")
def town_database(request: pytest.FixtureRequest, postgis_server: PostgisServer, town_file: Path) -> str:
    """The name of a database that holds the demo town, to be used as a template."""
    backup, url = town_file.with_name("town.zip"), postgis_server.new_database(request)
    write_backup(f"sqlite:///{town_file}", backup, now=datetime.now(UTC))
    restore_backup(backup, url)
    return database_of(url)


@pytest.fixture(scope="session")
def shown_file(town_file: Path) -> tuple[Path, Town]:
    """The demo town with accounts, reports, a night and results in one SQLite file; to be copied, never written to."""
    copied = town_file.with_name("shown.sqlite")
    shutil.copy(town_file, copied)
    return copied, prepare(f"sqlite:///{copied}", plan(town_file))


@pytest.fixture(scope="session")
def shown_database(
    request: pytest.FixtureRequest, postgis_server: PostgisServer, town_database: str, town_file: Path
) -> tuple[str, Town]:
    """The name of a database that holds the same, to be used as a template."""
    url = postgis_server.new_database(request, town_database)
    return database_of(url), prepare(url, plan(town_file))


@pytest.fixture(params=DATABASES)
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Town]:
    """The address of a town of this test's own with something on every page, on each database in turn."""
    if request.param == "sqlite":
        file, town = request.getfixturevalue("shown_file")
        shutil.copy(file, tmp_path / "town.sqlite")
        return f"sqlite:///{tmp_path / 'town.sqlite'}", town
    database, town = request.getfixturevalue("shown_database")
    server: PostgisServer = request.getfixturevalue("postgis_server")
    return server.new_database(request, database), town


@pytest.fixture
def town(shown: tuple[str, Town]) -> Iterator[Town]:
    """That town, served."""
    with served(*shown) as made:
        yield made


@pytest.fixture
def app(town_url: str) -> Iterator[APIFlask]:
    """The application on a town of its own."""
    made = create_app(Settings(town_url, SECRET, secure=False), testing=True)
    yield made
    made.extensions["lamplight.store"].close()


@pytest.fixture
def client(app: APIFlask) -> FlaskClient:
    """A browser without a script."""
    return app.test_client()


@pytest.fixture
def demo(town_url: str) -> Iterator[APIFlask]:
    """The application as a newcomer tries it: no second factor is asked for."""
    made = create_app(Settings(town_url, SECRET, secure=False, demo=True), testing=True)
    yield made
    made.extensions["lamplight.store"].close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse wrong passwords without the pause, and without the work, that hides which part was wrong."""
    monkeypatch.setattr("web.server.sign_in.REFUSED_AFTER_S", 0.0)
    monkeypatch.setattr("web.server.passwords._NOBODYS", CHEAP)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """What starts browsers; one a module, since its event loop must not outlive the tests that need it."""
    if not chromium():
        missing("Chromium")
    if not AXE.is_file():
        missing("node_modules")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    """Chromium, without a page."""
    with playwright.chromium.launch(executable_path=chromium(), args=WEBGL) as running:
        yield running
