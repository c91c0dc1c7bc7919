"""What to do where something a test needs is absent."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip by name on a user's machine; fail where everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"{what} is missing")
