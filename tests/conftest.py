"""What every test may ask for."""

import os
from pathlib import Path

import pytest

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


def missing(what: str) -> None:
    """Skip on a user's machine; fail where everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real city files that stands beside the checkout."""
    if not REAL_DATA.is_dir():
        missing("the folder of real city data (shared/data beside the checkout)")
    return REAL_DATA
