"""A served town with a night, and the phone of its worker: a browser that keeps its profile when it is closed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from layers.schema import PHONE_EVENT
from layers.store import Store
from tests.web.server.chromium import DESK, PHONE, WEBGL, chromium, until, watch
from tests.web.server.conftest import SECRET
from tests.web.server.phone_night import Clock, PhoneNight, make_night
from tests.web.server.serving import Server
from tests.web.server.staff import PASSWORD
from web.server.app import create_app
from web.server.settings import Settings

#: Whether the page has made what it makes of the phone being at a place.
HERE = """place => (document.getElementById('phone-map').dataset.here ?? '0,0').split(',')
    .every((degrees, axis) => Math.abs(degrees - place[axis]) < 1e-9)"""
SECOND = timedelta(seconds=1)


@dataclass
class Site:
    """A served town with a night, and the phone of its worker: pages that share one browser profile."""

    server: Server
    store: Store
    night: PhoneNight
    clock: Clock
    open_profile: Callable[[], Any]
    faults: list[str]
    context: Any = None
    page: Any = None

    def open_browser(self) -> Any:
        """Open the browser on the profile."""
        self.context = self.open_profile()
        page = self.page = self.context.pages[0] if self.context.pages else self.context.new_page()
        page.set_default_timeout(60_000)
        watch(page, self.faults)
        allowed = (self.server.url, "blob:", "data:")
        self.context.on("request", lambda r: None if r.url.startswith(allowed) else self.faults.append(r.url))
        page.clock.set_fixed_time(self.clock.now)
        return page

    def close_browser(self) -> None:
        self.context.close()

    def sign_in(self) -> None:
        self.enter("phone-worker")
        self.ready()

    def enter(self, username: str) -> None:
        self.page.goto(f"{self.server.url}/sign-in?next=/phone")
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main form button[type=submit]")
        self.page.wait_for_url(f"{self.server.url}/phone")

    def ready(self) -> None:
        self.page.wait_for_selector("#work:not([hidden])")
        self.page.wait_for_selector("#phone-map[data-ready]")

    def sent(self) -> None:
        """Press the button that sends, and wait until nothing waits any more."""
        self.page.evaluate("document.body.dataset.sent = ''; document.getElementById('send').click()")
        until(self.page, "document.body.dataset.sent === 'done'")

    def at(self, moment: datetime) -> None:
        self.clock.at(moment, self.page)

    def go(self, place: np.ndarray) -> None:
        """Stand somewhere, as the phone's receiver tells it."""
        self.context.set_geolocation({"longitude": float(place[0]), "latitude": float(place[1]), "accuracy": 6})
        self.page.wait_for_timeout(60)

    def walk(self, street: np.ndarray, every_m: float = 12.0) -> None:
        """Walk a street from end to end at five kilometres an hour."""
        metres = np.hypot(*(np.diff(street, axis=0) * [np.cos(np.radians(street[0, 1])), 1]).T) * 111_320
        along = np.r_[0, np.cumsum(metres)]
        for m in np.r_[np.arange(0, along[-1], every_m), along[-1]]:
            self.at(self.clock.now + 8 * SECOND)
            place = [float(np.interp(m, along, street[:, axis])) for axis in (0, 1)]
            self.go(np.array(place))
            until(self.page, HERE, arg=place)

    def held(self) -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(f"phoneOutbox.held({self.night.worker.id})")
        return found

    def rows(self, table: Any = PHONE_EVENT) -> list[Any]:
        with self.store.transaction() as connection:
            return list(connection.execute(select(table).order_by(table.c.id)).all())


def served(url: str, playwright: Any, clock: Clock, folder: Path) -> Iterator[Site]:
    """Serve a town: to a phone with PostgreSQL, to a window as wide as a desk with SQLite."""
    width, height = DESK if url.startswith("sqlite") else PHONE
    store = Store(url)
    made = make_night(store)
    app = create_app(Settings(url, SECRET, secure=False, demo=True))
    server = Server(app)

    def open_profile() -> Any:
        return playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=chromium(), args=WEBGL, locale="zh-CN",
            viewport={"width": width, "height": height}, permissions=["geolocation"],
        )  # fmt: skip

    site = Site(server, store, made, clock, open_profile, [])
    try:
        site.open_browser()
        yield site
        site.close_browser()
        assert site.faults == []
    finally:
        server.stop()
        store.close()
        app.extensions["lamplight.store"].close()


@pytest.fixture
def site(town_url: str, playwright: Any, clock: Clock, tmp_path: Path) -> Iterator[Site]:
    """On each database."""
    yield from served(town_url, playwright, clock, tmp_path)
