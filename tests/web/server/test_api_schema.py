"""The interfaces answer as their own description says, to cases that fit it and to cases that break it."""

from collections.abc import Iterator

import pytest
from apiflask import APIFlask

from benchmarks.api_fuzz import prepare, try_cases
from tests.web.server.conftest import SECRET
from tests.web.server.machines import token_of
from web.server.app import create_app
from web.server.settings import Settings

CASES = 400


@pytest.fixture
def app(town_url: str) -> Iterator[APIFlask]:
    """As it is served: what fails is answered, not raised."""
    made = create_app(Settings(town_url, SECRET, secure=False))
    yield made
    made.extensions["lamplight.store"].close()


def test_every_answer_is_one_that_is_described(app: APIFlask) -> None:
    prepare(app)
    tried = try_cases(app, token_of(app, "supervisor", "990101000000"), CASES)
    assert tried.faults == []
    assert tried.statuses.total() >= CASES and tried.statuses[200] > CASES / 8
    refused = sum(times for status, times in tried.statuses.items() if 400 <= status < 500)
    assert refused > CASES / 8
