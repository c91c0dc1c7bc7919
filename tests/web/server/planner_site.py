"""What the planner's journeys in Chromium share: a served town on each database, and a page where all must go well."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layers.jobs import jobs
from layers.store import Store
from planner.coverage_question import CoverageQuestion
from planner.jobs.runs import work
from planner.runs import run_coverage
from tests.web.server.chromium import DESK, PHONE, watch
from tests.web.server.conftest import DATABASES, copied_town
from tests.web.server.demo_town import SECRET
from tests.web.server.screens import Town, sign_in
from tests.web.server.serving import listening
from web.server.app import create_app
from web.server.city import now
from web.server.demo_accounts import demo_accounts
from web.server.settings import Settings


@dataclass(frozen=True, slots=True)
class Site:
    """A served town: as ``screens`` knows it, the address of its store, and the store."""

    town: Town
    address: str
    store: Store

    @property
    def url(self) -> str:
        return self.town.url

    def answer_newest(self, state: str = "done") -> None:
        """Answer the job asked for last, as a worker beside the server does."""
        assert work(self.address, jobs(self.store)[0].id) == state


@pytest.fixture(scope="module", params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The town with the demo's accounts and its coverage, served once on each database."""
    address = copied_town(request, tmp_path_factory.mktemp("planner"))
    app = create_app(Settings(address, SECRET, secure=False, demo=True))
    store = Store(address)
    passwords = {name: word for name, word, *_ in demo_accounts(store, now())}
    run_coverage(store, CoverageQuestion())
    with listening(app) as url:
        yield Site(Town(url, {}, passwords), address, store)
    store.close()
    app.extensions["lamplight.store"].close()


@pytest.fixture
def page(browser: Any, site: Site) -> Iterator[Any]:
    """A page on which the planner is signed in; afterwards no other host was asked, and nothing went wrong.

    At a desk with SQLite, on a phone with PostgreSQL: what a page looks like does not hang on the database.
    """
    width, height = DESK if site.address.startswith("sqlite") else PHONE
    context = browser.new_context(  # without motion: colours on their way from one to another cannot be judged
        viewport={"width": width, "height": height}, locale="zh-CN", accept_downloads=True, reduced_motion="reduce"
    )
    context.set_default_timeout(60_000)
    faults: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((site.url, "blob:")) else faults.append(r.url))
    opened = context.new_page()
    watch(opened, faults)
    opened.on("response", lambda answer: faults.append(answer.url) if answer.status >= 500 else None)
    sign_in(opened, site.town, "planner")
    yield opened
    context.close()
    assert faults == []


def figures(page: Any) -> dict[str, list[str]]:
    """Return the cells of the table of areas by the areas' codes."""
    return {
        row.get_attribute("data-area"): row.locator("td").all_inner_texts()
        for row in page.locator("tr[data-area]").all()
    }


def drawn(page: Any, box: str = "#map") -> None:
    """Wait until a map stands."""
    page.wait_for_selector(f"{box}[data-ready=true]")


def downloaded(page: Any, words: str) -> Path:
    """Follow a link to a file and return where it was saved, under the ending that the server gave it."""
    with page.expect_download() as waiting:
        page.locator("a", has_text=words).first.click()
    saved = Path(waiting.value.path())
    return saved.rename(saved.with_suffix(Path(waiting.value.suggested_filename).suffix))
