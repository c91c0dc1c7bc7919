"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
