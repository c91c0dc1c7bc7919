"""Published benchmark instances, for the tests of siting."""

from pathlib import Path

import pytest

from tests.requirements import missing

INSTANCES = Path(__file__).parents[4] / "shared" / "instances"


@pytest.fixture(scope="session")
def instances() -> Path:
    """The folder of published benchmark instances that stands beside the checkout."""
    if not INSTANCES.is_dir():
        missing("the folder of benchmark instances (shared/instances beside the checkout)")
    return INSTANCES
