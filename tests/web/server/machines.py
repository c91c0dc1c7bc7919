"""What the tests of the interfaces share: tokens of accounts."""

import secrets
from datetime import UTC, datetime

from apiflask import APIFlask

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
