"""Accounts: who may sign in, where they belong, and their lock-out after failures.

Hashes of passwords and secrets of second factors are opaque words that the web layer makes and checks. Every change is
in the audit log. Signing in asks an unscoped store; whoever manages accounts asks one of their own area.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, text, update

from gis.errors import RecordError
from layers.audit import append
from layers.codes import level_of
from layers.faults import FaultsError, refuse, text_fault
from layers.inserting import insert_once
from layers.moments import aware, aware_or_none, stored
from layers.report_states import RECEIVERS
from layers.roles import ROLES, NotAllowedError, may, require
from layers.schema import ACCOUNT, API_TOKEN, SESSION
from layers.scope import Scope, seen
from layers.store import Store

#: The fifth failure locks for this long, each further one twice as long as the one before.
FAILURES, LOCKED, LONGEST_LOCKED = 5, timedelta(minutes=15), timedelta(days=1)
_USERNAME = re.compile(r"\w[\w.@-]{1,79}")
_CREDENTIALS = ("password_hash", "uniquifier", "totp_secret", "recovery_codes")


class UnknownAccountError(RecordError):
    """There is no such account, session or token, or none the caller may see."""


class UsedUpError(RecordError):
    """Credentials that have been replaced since they were read."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in; holds no secret.

    area_code : sees this area and below. receiver : of a partner, whom it stands for (RECEIVERS), else "".
    locked_until, created_at : UTC, aware.
    """

    id: int
    username: str
    name: str
    role: str
    area_code: str
    receiver: str
    active: bool
    failures: int
    locked_until: datetime | None
    has_second_factor: bool
    created_at: datetime

    def may(self, permission: str) -> bool:
        """Tell whether this account's role has ``permission``."""
        return may(self.role, permission)

    def locked(self, now: datetime) -> bool:
        """Tell whether signing in is refused at ``now`` after too many failures."""
        return self.locked_until is not None and now < self.locked_until


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account about to be made; password_hash and uniquifier come from the web layer."""

    username: str
    name: str
    role: str
    area_code: str
    password_hash: str
    uniquifier: str
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signing in is checked against; never leaves the server."""

    account: Account
    password_hash: str
    uniquifier: str
    totp_secret: str | None
    recovery_codes: str


@dataclass(frozen=True, slots=True)
class Partner:
    """An institution referrals can be made to."""

    id: int
    name: str
    receiver: str


# accounts


def create_account(store: Store, new: NewAccount, *, by: Account | None, now: datetime) -> Account:
    """Make an account in the area of ``by`` or below; by : None only from the command line (an unscoped store).

    Raises FaultsError with every fault at once, NotAllowedError on an area that is not the caller's.
    """
    values = {field.name: getattr(new, field.name) for field in fields(new)} | {"username": _plain(new.username)}
    _check(values)
    require_management(store, by, new.area_code)
    row = {
        **values, "recovery_codes": "", "totp_secret": None, "active": True, "failures": 0, "created_at": stored(now),
    }  # fmt: skip
    with store.transaction(writes=True) as connection:
        made = insert_once(connection, ACCOUNT, row, "username")
        if made is None:
            raise FaultsError({"username": ("用户名已被使用", "this username is taken")})
        note_change(connection, now, by, "create_account", made, new.area_code, {"role": new.role})
        return account_of(account_row(store, connection, made))


def account(store: Store, account_id: int) -> Account:
    """Return an account inside the store's scope; raises UnknownAccountError."""
    with store.transaction() as connection:
        return account_of(account_row(store, connection, account_id))


def accounts(store: Store, *, role: str | None = None, active: bool | None = None) -> list[Account]:
    """Return the accounts inside the store's scope, by area code and username."""
    query = seen(select(ACCOUNT), ACCOUNT, store.scope).order_by(ACCOUNT.c.area_code, ACCOUNT.c.username)
    query = query if role is None else query.where(ACCOUNT.c.role == role)
    query = query if active is None else query.where(ACCOUNT.c.active == active)
    with store.transaction() as connection:
        return [account_of(row) for row in connection.execute(query)]


def partners_for(store: Store, area_code: str) -> list[Partner]:
    """Return the active partners whose area holds ``area_code``, also those above the store's scope, by name."""
    with store.transaction() as connection:
        return partners_over(connection, area_code)


def partners_over(connection: Connection, area_code: str) -> list[Partner]:
    """Return the partners that serve an area, as the transaction of ``connection`` sees them."""
    if connection.dialect.name == "postgresql":  # partners stand above the areas they serve: their owner tells
        rows = connection.execute(text("SELECT id, name, receiver, area_code FROM active_partners()")).all()
    else:
        rows = connection.execute(select(ACCOUNT).where(ACCOUNT.c.active, ACCOUNT.c.role == "partner")).all()
    serving = [row for row in rows if Scope.of(row.area_code).holds(area_code)]
    return sorted((Partner(row.id, row.name, row.receiver) for row in serving), key=lambda p: (p.name, p.id))


def change_account(store: Store, account_id: int, *, by: Account, now: datetime, changes: Mapping[str, str]) -> Account:
    """Change ``name``, ``role``, ``area_code`` or ``receiver``; nobody changes their own role or area."""
    if not changes.keys() <= {"name", "role", "area_code", "receiver"}:
        raise KeyError(", ".join(changes))
    with store.transaction(writes=True) as connection:
        row = _managed(store, connection, account_id, by)
        values = {name: changes.get(name, getattr(row, name)) for name in ("username", "name", "role", "receiver")}
        values["area_code"] = changes.get("area_code", row.area_code)
        changed = [name for name in values if values[name] != getattr(row, name)]
        if account_id == by.id and {"role", "area_code"} & set(changed):
            raise NotAllowedError("不能修改自己的角色或辖区", "nobody changes their own role or area")
        _check(values)
        require_management(store, by, values["area_code"])
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(values))
        detail = {"fields": ",".join(changed), "role": values["role"], "area_code": values["area_code"]}
        note_change(connection, now, by, "change_account", account_id, row.area_code, detail)
        return account_of(account_row(store, connection, account_id))


def deactivate(store: Store, account_id: int, *, by: Account | None, now: datetime) -> None:
    """Close an account: its sessions and tokens end at once; nobody closes their own.

    by : None only from the command line, here and in ``reactivate``.
    """
    with store.transaction(writes=True) as connection:
        row = _managed(store, connection, account_id, by)
        if by is not None and account_id == by.id:
            raise NotAllowedError("不能停用自己的账号", "nobody closes their own account")
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(active=False))
        for table in (SESSION, API_TOKEN):
            _end_all(connection, table, account_id, now)
        note_change(connection, now, by, "deactivate_account", account_id, row.area_code)


def reactivate(store: Store, account_id: int, *, by: Account | None, now: datetime) -> None:
    """Open a closed account again, its failures forgotten."""
    with store.transaction(writes=True) as connection:
        row = _managed(store, connection, account_id, by)
        values = {"active": True, "failures": 0, "locked_until": None}
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(values))
        note_change(connection, now, by, "reactivate_account", account_id, row.area_code)


# signing in


def credentials(store: Store, username: str) -> Credentials | None:
    """Return what a sign-in as ``username`` is checked against, None where there is no such account."""
    return _credentials(store, "username", _plain(username))


def credentials_by_uniquifier(store: Store, uniquifier: str) -> Credentials | None:
    """Return the credentials a signed cookie names."""
    return _credentials(store, "uniquifier", uniquifier)


def set_credentials(
    store: Store,
    account_id: int,
    *,
    by: Account | None,
    now: datetime,
    changes: Mapping[str, str | None],
    known: Credentials | None = None,
) -> None:
    """Set ``password_hash``, ``uniquifier``, ``totp_secret`` (None: none) or ``recovery_codes``.

    One's own, or those of an account one manages; by : None only from the command line. Another uniquifier ends every
    session of the account, and its tokens too where somebody else sets it: whoever had taken the account may have made
    them. known : what the changes were worked out from; raises UsedUpError where the store has others by now, so that
    a code that counts once counts once among requests at the same moment too.
    """
    if not changes or not changes.keys() <= set(_CREDENTIALS):
        raise KeyError(", ".join(changes))
    with store.transaction(writes=True) as connection:
        row = account_row(store, connection, account_id, lock=True)
        if by is None or by.id != account_id:
            require_management(store, by, row.area_code)
        if known is not None and any(getattr(row, name) != getattr(known, name) for name in _CREDENTIALS):
            raise UsedUpError("验证码刚刚已被使用，请重新登录", "this code has just been used: sign in again")
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(dict(changes)))
        if "uniquifier" in changes:
            _end_all(connection, SESSION, account_id, now)
            if by is None or by.id != account_id:
                _end_all(connection, API_TOKEN, account_id, now)
        detail = {"fields": ",".join(sorted(changes))}
        note_change(connection, now, by, "set_credentials", account_id, row.area_code, detail)


def count_failure(store: Store, account_id: int, *, now: datetime) -> Account:
    """Count a failed sign-in; the fifth locks for 15 minutes, each further one twice as long, at most a day.

    While it is locked nothing is counted, so that nobody can lock an account for ever at no cost.
    """
    with store.transaction(writes=True) as connection:
        row = account_row(store, connection, account_id, lock=True)
        found = account_of(row)
        if found.locked(now):
            return found
        failures = min(row.failures + 1, 1_000)
        until = None
        if failures >= FAILURES:
            until = stored(now + min(LONGEST_LOCKED, LOCKED * 2 ** min(failures - FAILURES, 10)))
        values = {"failures": failures, "locked_until": until}
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(values))
        action = "sign_in_failed" if until is None else "lock_account"
        note_change(connection, now, None, action, account_id, row.area_code, {"failures": failures})
        return account_of(account_row(store, connection, account_id))


def clear_failures(store: Store, account_id: int, *, by: Account | None = None, now: datetime) -> None:
    """Forget the failures after a sign-in, or because an administrator ``by`` unlocks the account."""
    with store.transaction(writes=True) as connection:
        row = account_row(store, connection, account_id, lock=True)
        if by is not None:
            require_management(store, by, row.area_code)
        if row.failures == 0 and row.locked_until is None:
            return
        values = {"failures": 0, "locked_until": None}
        connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(values))
        action = "forget_failures" if by is None else "unlock_account"
        note_change(connection, now, by, action, account_id, row.area_code)


# inside a transaction


def account_row(store: Store, connection: Connection, account_id: int, *, lock: bool = False) -> Any:
    """Return the row of an account inside the store's scope; raises UnknownAccountError. lock : until the end."""
    query = seen(select(ACCOUNT).where(ACCOUNT.c.id == account_id), ACCOUNT, store.scope)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_account()
    return row


def _managed(store: Store, connection: Connection, account_id: int, by: Account | None) -> Any:
    row = account_row(store, connection, account_id, lock=True)
    require_management(store, by, row.area_code)
    return row


def require_management(store: Store, by: Account | None, area_code: str) -> None:
    """Raise NotAllowedError unless ``by`` manages accounts of this area."""
    if by is None:
        if store.scope is not None:
            raise NotAllowedError("须有管理员账号", "this takes an administrator's account")
        return
    require(by.role, "manage_accounts")
    if not Scope.of(by.area_code).holds(area_code) or not (store.scope is None or store.scope.holds(area_code)):
        raise NotAllowedError(f"辖区 {area_code} 不属于本账号", f"area {area_code} is not this account's")


def _end_all(connection: Connection, table: Any, account_id: int, now: datetime) -> None:
    mine = (table.c.account_id == account_id) & table.c.revoked_at.is_(None)
    connection.execute(update(table).where(mine).values(revoked_at=stored(now)))


def note_change(
    connection: Connection,
    now: datetime,
    by: Account | None,
    action: str,
    account_id: int,
    area_code: str,
    detail: Mapping[str, str | int] | None = None,
) -> None:
    """Append an entry about an account to the audit log; the last thing a transaction does."""
    append(
        connection, at=now, account_id=None if by is None else by.id, action=action, object=f"account:{account_id}",
        area_code=area_code, detail=detail,
    )  # fmt: skip


def _credentials(store: Store, column: str, value: str) -> Credentials | None:
    with store.transaction() as connection:
        query = seen(select(ACCOUNT).where(ACCOUNT.c[column] == value), ACCOUNT, store.scope)
        row = connection.execute(query).one_or_none()
    return None if row is None else Credentials(account_of(row), *(getattr(row, name) for name in _CREDENTIALS))


def _check(values: Mapping[str, str]) -> None:
    faults: dict[str, tuple[str, str] | None] = {"name": text_fault(values["name"], 60, least=1)}
    if not _USERNAME.fullmatch(values["username"]):
        faults["username"] = (
            "用户名应为 2 至 80 个字母、数字、汉字或 . _ - @", "a username has 2 to 80 letters, digits, or . _ - @"
        )  # fmt: skip
    if values["role"] not in ROLES:
        faults["role"] = ("没有这个角色", "there is no such role")
    if (values["role"] == "partner") != (values["receiver"] in RECEIVERS) or (
        values["receiver"] and values["receiver"] not in RECEIVERS
    ):
        faults["receiver"] = (
            "协作单位须说明是救助站、医院还是公安，其他角色不填",
            "a partner is a rescue station, a hospital or the police; other roles are none",
        )
    try:
        level_of(values["area_code"])
    except RecordError as error:
        faults["area_code"] = (error.zh, error.en)
    refuse(faults)


def _plain(username: str) -> str:
    return unicodedata.normalize("NFKC", username).strip().lower()


def unknown_account() -> UnknownAccountError:
    """Return the refusal of an account that is not there, or not for the caller: the two look the same."""
    return UnknownAccountError("没有这个账号，或不在本辖区", "there is no such account here")


def account_of(row: Any) -> Account:
    """Return the account a row of ACCOUNT holds."""
    return Account(
        id=row.id, username=row.username, name=row.name, role=row.role, area_code=row.area_code, receiver=row.receiver,
        active=bool(row.active), failures=row.failures, locked_until=aware_or_none(row.locked_until),
        has_second_factor=bool(row.totp_secret), created_at=aware(row.created_at),
    )  # fmt: skip
