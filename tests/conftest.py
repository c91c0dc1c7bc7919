"""What every test may ask for."""

from pathlib import Path

import pytest

from tests.requirements import missing

pytest_plugins = ["tests.postgis_server"]
REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real city files that stands beside the checkout."""
    if not REAL_DATA.is_dir():
        missing("the folder of real city data (shared/data beside the checkout)")
    return REAL_DATA
