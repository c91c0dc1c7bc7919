"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.built_once import built_once
from tests.requirements import missing

pytest_plugins = ["tests.postgis_server"]
# Examples are drawn anew on a developer's machine, and are the same each time where a run must be repeatable.
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("repeatable")
REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real city files that stands beside the checkout."""
    if not REAL_DATA.is_dir():
        missing("the folder of real city data (shared/data beside the checkout)")
    return REAL_DATA


@pytest.fixture(scope="session")
def town_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo town: its store ``town.sqlite`` and the files of its layers; to be copied, never written to."""
    from tests.web.server.demo_town import fill  # pages, which most tests can do without

    return built_once(tmp_path_factory, "demo-town", lambda folder: fill(f"sqlite:///{folder / 'town.sqlite'}", folder))
