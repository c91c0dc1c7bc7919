"""The command line's verbs of accounts and of the audit log; the first administrator is made here."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from gis.errors import RecordError
from terminal import say, store_options

if TYPE_CHECKING:
    from layers.accounts import Account
    from layers.store import Store

# held here so that nothing heavy is imported for a list of words; a test keeps them equal to the layers'
ROLES = ("planner", "supervisor", "grid_worker", "guidance_centre", "partner", "administrator")
RECEIVERS = ("rescue_station", "hospital", "police")
_ONCE = "一次性密码，首次登录须修改 / one-time password, to be changed at the first sign-in"


@click.group(short_help="账号 Add, list, close and unlock accounts.")
def account() -> None:
    """Manage accounts from the server's own machine; administrators do the same on the pages, for their area."""


@account.command("add", short_help="Add an account.")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the account may do.")
@click.option("--area", required=True, metavar="CODE", help="The 12-digit code of its area: it sees that and below.")
@click.option("--name", required=True, help="Who it is.")
@click.option("--receiver", type=click.Choice(RECEIVERS), help="Whom a partner stands for.")
@store_options
def add(username: str, role: str, area: str, name: str, receiver: str | None, db: str, as_json: bool) -> None:
    """Add the account USERNAME. The password is asked for; where none is typed, one is made, to be used once."""
    from layers.accounts import NewAccount, create_account
    from layers.codes import normalise_code
    from layers.store import Store
    from web.server.passwords import new_uniquifier

    store = Store(db)
    hashed, made = _password(username)
    new = NewAccount(username, name, role, normalise_code(area), hashed, new_uniquifier(), receiver or "")
    added = create_account(store, new, by=None, now=datetime.now(UTC))
    _say_password(added, made, as_json, f"已添加账号 / account added: {added.username}")


@account.command("list", short_help="List the accounts.")
@store_options
def list_accounts(db: str, as_json: bool) -> None:
    """List the accounts, by area and username."""
    from layers.accounts import accounts
    from layers.store import Store

    now = datetime.now(UTC)
    found = accounts(Store(db))
    listed = [{**_words(one), "state": _state(one, now)} for one in found]
    lines = [f"{one['area_code']}  {one['role']:<16} {one['state']:<9} {one['username']}  {one['name']}"
             for one in listed]  # fmt: skip
    say({"accounts": listed}, as_json, "\n".join(lines) or "没有账号 / no accounts")


@account.command("password", short_help="Set a password, or hand out a one-time one.")
@click.argument("username")
@store_options
def password(username: str, db: str, as_json: bool) -> None:
    """Set the password of USERNAME; where none is typed, one is made, to be used once. Its sessions end."""
    from layers.accounts import clear_failures, set_credentials
    from layers.store import Store
    from web.server.passwords import new_uniquifier

    store, now = Store(db), datetime.now(UTC)
    found = _account(store, username)
    hashed, made = _password(found.username)
    changes = {"password_hash": hashed, "uniquifier": new_uniquifier()}
    set_credentials(store, found.id, by=None, now=now, changes=changes)
    clear_failures(store, found.id, now=now)
    _say_password(found, made, as_json, f"已设置密码 / password set: {found.username}")


@account.command("deactivate", short_help="Close an account.")
@click.argument("username")
@store_options
def deactivate(username: str, db: str, as_json: bool) -> None:
    """Close the account USERNAME: its sessions and tokens end at once."""
    from layers.accounts import deactivate as close
    from layers.store import Store

    store = Store(db)
    found = _account(store, username)
    close(store, found.id, by=None, now=datetime.now(UTC))
    say({**_words(found), "state": "closed"}, as_json, f"已停用 / closed: {found.username}")


@account.command("unlock", short_help="Unlock an account.")
@click.argument("username")
@store_options
def unlock(username: str, db: str, as_json: bool) -> None:
    """Forget the failures that locked the account USERNAME."""
    from layers.accounts import clear_failures
    from layers.store import Store

    store = Store(db)
    found = _account(store, username)
    clear_failures(store, found.id, now=datetime.now(UTC))
    say(_words(found), as_json, f"已解除锁定 / unlocked: {found.username}")


@click.group(short_help="操作记录 Check the audit log.")
def audit() -> None:
    """The audit log: who changed or read what."""


@audit.command("verify", short_help="Find any entry changed, dropped or reordered.")
@click.option("--expect", metavar="NUMBER:HASH", help="An entry as you noted it elsewhere, from an earlier check.")
@store_options
def verify(expect: str | None, db: str, as_json: bool) -> None:
    """Walk the whole audit log; fails where an entry was changed, dropped, put in or reordered."""
    from layers.audit_check import parse_anchor
    from layers.audit_check import verify as walk
    from layers.store import Store

    found = walk(Store(db), expect=None if expect is None else parse_anchor(expect))
    anchor = f"{found.entries}:{found.last_sha256}"
    problems = [{"kind": p.kind, "number": p.number, "last": p.last, "zh": p.zh, "en": p.en} for p in found.problems]
    lines = [f"· {p.zh} / {p.en}" for p in found.problems]
    if not problems:
        lines = [f"记录完整 / the log is whole: {found.entries:,}", f"--expect {anchor}"]
    say({"entries": found.entries, "anchor": anchor, "problems": problems}, as_json, "\n".join(lines))
    if problems:
        raise RecordError("操作记录有问题", "the audit log is not as it was written")


def _account(store: "Store", username: str) -> "Account":
    from layers.accounts import credentials

    found = credentials(store, username)
    if found is None:
        raise RecordError(f"没有账号 {username}", f"there is no account {username!r}")
    return found.account


def _password(username: str) -> tuple[str, str]:
    """Return the word to keep for a password typed at a prompt, and ""; or for one made here, and the password."""
    from web.server.passwords import hash_password, made_password, password_fault

    typed = ""
    if sys.stdin.isatty():
        typed = click.prompt("密码（留空则生成）/ password (empty: one is made)", "", hide_input=True,
                             show_default=False, confirmation_prompt="再输入一次 / again", err=True)  # fmt: skip
    if not typed:
        made = made_password()
        return hash_password(made, once=True), made
    fault = password_fault(typed, username)
    if fault is not None:
        raise RecordError(*fault)
    return hash_password(typed), ""


def _say_password(found: "Account", made: str, as_json: bool, text: str) -> None:
    values = _words(found) | ({"password": made, "once": True} if made else {})
    say(values, as_json, f"{text}\n{_ONCE}: {made}" if made else text)


def _words(found: "Account") -> dict[str, str]:
    return {"username": found.username, "name": found.name, "role": found.role, "area_code": found.area_code,
            "receiver": found.receiver}  # fmt: skip


def _state(found: "Account", now: datetime) -> str:
    return "closed" if not found.active else "locked" if found.locked(now) else "active"
