"""What the tests of the staff's pages share: accounts, a browser that fills in forms, and a clock to turn."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP

from layers.accounts import Account, NewAccount, create_account
from layers.sessions import open_session
from layers.store import Store
from web.server.passwords import new_uniquifier

PASSWORD = "a bridge over the river"
#: The same word as the product keeps, with less work in it.
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
#: Areas of the demo town: the city, two districts, a subdistrict in each.
CITY, DISTRICT, HERE, ELSEWHERE = "990100000000", "990101000000", "990101001000", "990102001000"


def store_of(app: Flask) -> Store:
    store: Store = app.extensions["lamplight.store"]
    return store


def add(app: Flask, username: str, role: str = "supervisor", area: str = HERE, *, once: bool = False) -> Account:
    """Make an account whose password is PASSWORD."""
    receiver = "hospital" if role == "partner" else ""
    kept = ("once:" if once else "") + CHEAP
    new = NewAccount(username, f"姓名{username}", role, area, kept, new_uniquifier(), receiver)
    return create_account(store_of(app), new, by=None, now=datetime.now(UTC))


class Browser:
    """A browser without scripts: keeps cookies, and sends the hidden word of the last form it saw."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.word = ""

    def get(self, path: str, **more: Any) -> Any:
        return self._seen(self.client.get(path, **more))

    def post(self, path: str, **fields: Any) -> Any:
        return self._seen(self.client.post(path, data={"csrf_token": self.word, **fields}))

    def sign_in(self, username: str, password: str = PASSWORD, **more: str) -> Any:
        self.get("/sign-in")
        return self.post("/sign-in", username=username, password=password, **more)

    def _seen(self, answer: Any) -> Any:
        found = re.search(r'name="csrf_token" value="([^"]+)"', answer.text) if answer.mimetype == "text/html" else None
        self.word = found[1] if found else self.word
        return answer


def signed_in(app: Flask, account: Account) -> Browser:
    """Return a browser with a session of its own, without the way there."""
    browser = Browser(app)
    with browser.client.session_transaction() as cookie:
        cookie["secret"] = open_session(store_of(app), account.id, device="测试", now=datetime.now(UTC))
    browser.get("/staff")
    return browser


def alert(answer: Any) -> str:
    """Return what a page says is wrong; "" where it says nothing."""
    found = re.search(r'role="alert">(.*?)</p>', answer.text, re.S)
    return re.sub(r"<[^>]+>|\s+", " ", found[1]).strip() if found else ""


def app_code(page: Any, ahead: int = 0) -> str:
    """Return the code an authenticator app shows that was given the key on a page; ahead : half-minutes later."""
    key = re.search(r'<code class="secret">([A-Z2-7-]+)</code>', page.text)
    assert key
    return code_of(key[1], ahead)


def code_of(key: str, ahead: int = 0) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=30 * ahead)
    return str(TOTP(key=key.replace("-", "")).generate(moment).token)


def turn_clocks(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let every page of the server believe that it is later."""
    for name, module in list(sys.modules.items()):
        if name.startswith("web.server.") and hasattr(module, "now"):
            monkeypatch.setattr(module, "now", lambda: datetime.now(UTC) + by)
