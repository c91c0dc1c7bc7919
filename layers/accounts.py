"""Accounts, their lock-out, sessions and tokens. Secrets of signing in are opaque words the web layer makes and checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from layers.roles import may
from layers.store import Store


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


@dataclass(frozen=True, slots=True)
class Partner:
    """An institution referrals can be made to."""

    id: int
    name: str
    receiver: str


def create_account(store: Store, new: NewAccount, *, by: Account | None, now: datetime) -> Account:
    """Make an account in the area of ``by`` or below; by : None only from the command line (an unscoped store)."""
    raise NotImplementedError


def account(store: Store, account_id: int) -> Account:
    """Return an account inside the store's scope; raises UnknownAccountError."""
    raise NotImplementedError


def accounts(store: Store, *, role: str | None = None, active: bool | None = None) -> list[Account]:
    """Return the accounts inside the store's scope, by area code and username."""
    raise NotImplementedError


def partners_for(store: Store, area_code: str) -> list[Partner]:
    """Return the active partners whose area holds ``area_code``, also those above the store's scope."""
    raise NotImplementedError


def change_account(store: Store, account_id: int, *, by: Account, now: datetime, changes: Mapping[str, str]) -> Account:
    """Change ``name``, ``role``, ``area_code`` or ``receiver``; nobody changes their own role or area."""
    raise NotImplementedError


def deactivate(store: Store, account_id: int, *, by: Account, now: datetime) -> None:
    """Close an account: its sessions and tokens end at once; nobody closes their own."""
    raise NotImplementedError


def reactivate(store: Store, account_id: int, *, by: Account, now: datetime) -> None:
    """Open a closed account again, its failures forgotten."""
    raise NotImplementedError


def credentials(store: Store, username: str) -> Credentials | None:
    """Return what a sign-in as ``username`` is checked against, None where there is no such account."""
    raise NotImplementedError


def credentials_by_uniquifier(store: Store, uniquifier: str) -> Credentials | None:
    """Return the credentials a signed cookie names."""
    raise NotImplementedError


def set_credentials(
    store: Store, account_id: int, *, by: Account | None, now: datetime, changes: Mapping[str, str | None]
) -> None:
    """Set ``password_hash``, ``uniquifier``, ``totp_secret`` (None: none) or ``recovery_codes``."""
    raise NotImplementedError


def count_failure(store: Store, account_id: int, *, now: datetime) -> Account:
    """Count a failed sign-in; the fifth locks for 15 minutes, each further one twice as long, at most a day."""
    raise NotImplementedError


def clear_failures(store: Store, account_id: int, *, by: Account | None = None, now: datetime) -> None:
    """Forget the failures after a sign-in, or because an administrator ``by`` unlocks the account."""
    raise NotImplementedError


def open_session(store: Store, account_id: int, *, device: str, now: datetime, secret: str | None = None) -> str:
    """Open a session and return its secret, kept only as a hash."""
    raise NotImplementedError


def touch_session(store: Store, secret: str, *, now: datetime) -> Account | None:
    """Return whose session ``secret`` is and note that it was seen; None once revoked, idle 12 h, or 7 days old."""
    raise NotImplementedError


def sessions(store: Store, account_id: int) -> list[Session]:
    """Return an account's sessions, newest first."""
    raise NotImplementedError


def revoke_session(store: Store, session_id: str, *, by: Account, now: datetime) -> None:
    """End a session of one's own, or of an account one manages."""
    raise NotImplementedError


def create_token(
    store: Store, account_id: int, *, name: str, by: Account, now: datetime,
    lasts: timedelta = timedelta(days=90), secret: str | None = None,
) -> tuple[ApiToken, str]:  # fmt: skip
    """Make a token and return it with its secret, which nobody can read again."""
    raise NotImplementedError


def tokens(store: Store, account_id: int) -> list[ApiToken]:
    """Return an account's tokens, newest first."""
    raise NotImplementedError


def find_by_token(store: Store, secret: str, *, now: datetime) -> Account | None:
    """Return whose token ``secret`` is; None once revoked, expired, or its account closed."""
    raise NotImplementedError


def revoke_token(store: Store, token_id: int, *, by: Account, now: datetime) -> None:
    """End a token of one's own, or of an account one manages."""
    raise NotImplementedError
