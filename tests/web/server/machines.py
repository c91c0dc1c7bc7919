"""What the tests of the interfaces share: tokens of accounts, and the application on a socket of this machine."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from apiflask import APIFlask
from waitress.server import create_server

from layers.accounts import NewAccount, create_account
from layers.sessions import create_token
from layers.store import Store


def token_of(app: APIFlask, role: str, area_code: str) -> str:
    """Make an account with a token and return the token."""
    store: Store = app.extensions["lamplight.store"]
    now = datetime.now(UTC)
    name = f"{role}-{secrets.token_hex(4)}".replace("_", "-")
    receiver = "hospital" if role == "partner" else ""
    new = NewAccount(name, "测试", role, area_code, "-", secrets.token_hex(32), receiver)
    account = create_account(store, new, by=None, now=now)
    return create_token(store, account.id, name="测试", by=account, now=now)[1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def served(app: APIFlask) -> Iterator[str]:
    """Serve the application as ``lamplight serve`` does; yields its address."""
    server = create_server(app, host="127.0.0.1", port=0, threads=4, ident=None)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(5)
