"""Who is signed in: the sessions of browsers and the tokens of machines, each known by a secret kept only as a hash."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update

from layers.accounts import Account, account_of, account_row, note_change, require_management, unknown_account
from layers.faults import refuse, text_fault
from layers.moments import aware, aware_or_none, stored
from layers.roles import NotAllowedError
from layers.schema import ACCOUNT, API_TOKEN, SESSION
from layers.store import Store

#: A session ends when nothing was asked for this long (a grid worker's phone may stay silent for a night shift), and
#: after the longest at the latest.
IDLE, IDLE_ON_PATROL, LONGEST = timedelta(minutes=30), timedelta(hours=12), timedelta(hours=12)
#: How often at most a session's last use is written down.
_SEEN_EVERY = timedelta(minutes=1)
LONGEST_TOKEN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Session:
    """One device signed in. id : the hash of the word its cookie holds. Times UTC, aware."""

    id: str
    account_id: int
    device: str
    created_at: datetime
    seen_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token of a machine; its secret was shown once and is kept as a hash. Times UTC, aware."""

    id: int
    account_id: int
    name: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def open_session(store: Store, account_id: int, *, device: str, now: datetime) -> str:
    """Open a session and return its secret, kept only as a hash; raises UnknownAccountError on a closed account."""
    word = secrets.token_urlsafe(32)
    with store.transaction(writes=True) as connection:
        row = account_row(store, connection, account_id)
        if not row.active:
            raise unknown_account()
        values = {
            "id": session_id(word), "account_id": account_id, "device": device[:200], "created_at": stored(now),
            "seen_at": stored(now),
        }  # fmt: skip
        connection.execute(insert(SESSION).values(values))
        note_change(connection, now, account_of(row), "sign_in", account_id, row.area_code)
    return word


def session_id(secret: str) -> str:
    """Return the id under which a session with ``secret`` is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def touch_session(store: Store, secret: str, *, now: datetime) -> Account | None:
    """Return whose session ``secret`` is and note that it was seen; None once revoked, idle too long, or 12 h old."""
    known = SESSION.c.id == session_id(secret)
    at = stored(now)
    with store.transaction() as connection:
        row = connection.execute(select(SESSION).where(known)).one_or_none()
        if row is None or row.revoked_at is not None or at - row.created_at > LONGEST:
            return None
        found = _active(connection, row.account_id)
    if found is not None and at - row.seen_at > (IDLE_ON_PATROL if found.role == "grid_worker" else IDLE):
        return None
    if found is not None and at - row.seen_at >= _SEEN_EVERY:
        with store.transaction(writes=True) as connection:
            connection.execute(update(SESSION).where(known, SESSION.c.seen_at < at).values(seen_at=at))
    return found


def sessions(store: Store, account_id: int) -> list[Session]:
    """Return an account's sessions, newest first."""
    query = select(SESSION).where(SESSION.c.account_id == account_id).order_by(SESSION.c.created_at.desc())
    with store.transaction() as connection:
        account_row(store, connection, account_id)
        return [
            Session(r.id, r.account_id, r.device, aware(r.created_at), aware(r.seen_at), aware_or_none(r.revoked_at))
            for r in connection.execute(query)
        ]


def revoke_session(store: Store, session_id: str, *, by: Account, now: datetime) -> None:
    """End a session of one's own, or of an account one manages."""
    _revoke(store, SESSION, session_id, "revoke_session", by, now)


# tokens


def create_token(
    store: Store,
    account_id: int,
    *,
    name: str,
    by: Account,
    now: datetime,
    lasts: timedelta = timedelta(days=90),
) -> tuple[ApiToken, str]:
    """Make a token of one's own and return it with its secret, which nobody can read again.

    Raises FaultsError on its name or on more than 366 days; NotAllowedError for somebody else's account, since a token
    acts in its account's name.
    """
    if account_id != by.id:
        raise NotAllowedError("只能为自己创建令牌", "tokens are made for one's own account only")
    faults = {"name": text_fault(name, 80, least=1)}
    if not timedelta(0) < lasts <= LONGEST_TOKEN:
        faults["lasts"] = ("有效期应为 1 至 366 天", "a token lasts 1 to 366 days")
    refuse(faults)
    word = f"lamplight-{secrets.token_urlsafe(32)}"
    values = {
        "account_id": account_id, "name": name.strip(), "sha256": session_id(word), "created_at": stored(now),
        "expires_at": stored(now + lasts),
    }  # fmt: skip
    with store.transaction(writes=True) as connection:
        row = account_row(store, connection, account_id)
        made = connection.execute(insert(API_TOKEN).values(values).returning(API_TOKEN)).one()
        note_change(connection, now, by, "create_token", account_id, row.area_code, {"token": made.id})
    return _token(made), word


def tokens(store: Store, account_id: int) -> list[ApiToken]:
    """Return an account's tokens, newest first."""
    query = select(API_TOKEN).where(API_TOKEN.c.account_id == account_id).order_by(API_TOKEN.c.id.desc())
    with store.transaction() as connection:
        account_row(store, connection, account_id)
        return [_token(row) for row in connection.execute(query)]


def find_by_token(store: Store, secret: str, *, now: datetime) -> Account | None:
    """Return whose token ``secret`` is; None once revoked, expired, or its account closed."""
    with store.transaction() as connection:
        row = connection.execute(select(API_TOKEN).where(API_TOKEN.c.sha256 == session_id(secret))).one_or_none()
        if row is None or row.revoked_at is not None or row.expires_at <= stored(now):
            return None
        return _active(connection, row.account_id)


def revoke_token(store: Store, token_id: int, *, by: Account, now: datetime) -> None:
    """End a token of one's own, or of an account one manages."""
    _revoke(store, API_TOKEN, token_id, "revoke_token", by, now)


# inside a transaction


def _active(connection: Connection, account_id: int) -> Account | None:
    row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == account_id, ACCOUNT.c.active)).one_or_none()
    return None if row is None else account_of(row)


def _revoke(store: Store, table: Any, key: int | str, action: str, by: Account, now: datetime) -> None:
    with store.transaction(writes=True) as connection:
        found = connection.execute(select(table).where(table.c.id == key)).one_or_none()
        if found is None:
            raise unknown_account()
        row = account_row(store, connection, found.account_id)
        if found.account_id != by.id:
            require_management(store, by, row.area_code)
        if found.revoked_at is None:
            connection.execute(update(table).where(table.c.id == key).values(revoked_at=stored(now)))
            detail = {"token": int(key)} if table is API_TOKEN else {"session": str(key)[:12]}
            note_change(connection, now, by, action, found.account_id, row.area_code, detail)


def _token(row: Any) -> ApiToken:
    revoked = aware_or_none(row.revoked_at)
    return ApiToken(row.id, row.account_id, row.name, aware(row.created_at), aware(row.expires_at), revoked)
