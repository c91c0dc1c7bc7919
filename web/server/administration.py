"""An administrator's pages: the accounts of one's own area and below."""

from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for

from gis.errors import RecordError
from layers.accounts import (
    Account,
    NewAccount,
    accounts,
    change_account,
    clear_failures,
    create_account,
    deactivate,
    reactivate,
    set_credentials,
)
from layers.accounts import account as account_of
from layers.report_states import RECEIVERS
from layers.roles import NotAllowedError
from web.server import staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.errors import status_of
from web.server.language import _, said
from web.server.passwords import hash_password, made_password, new_uniquifier
from web.server.sign_in import Answer

FIELDS = ("name", "role", "area_code", "receiver")

pages = Blueprint("administration", __name__, url_prefix="/staff/accounts")
staff_frame.dress(pages)


@pages.get("")
@needs("manage_accounts")
def listing() -> Answer:
    """List the accounts of one's own area and below."""
    return render_template("staff/accounts.html", title=_("账号"), accounts=accounts(own_store()), at=now())


@pages.route("/new", methods=["GET", "POST"])
@needs("manage_accounts")
def add() -> Answer:
    """Add an account; its first password is made here, shown once, and changed at the first sign-in."""
    if request.method == "GET":
        return _form(None, {})
    given = {field: request.form.get(field, "").strip() for field in ("username", *FIELDS)}
    password = made_password()
    new = NewAccount(**given, password_hash=hash_password(password, once=True), uniquifier=new_uniquifier())
    try:
        made = create_account(own_store(), new, by=account(), now=now())
    except RecordError as error:
        return _form(None, given, error)
    return _handed_out(made, password)


@pages.route("/<int:account_id>", methods=["GET", "POST"])
@needs("manage_accounts")
def change(account_id: int) -> Answer:
    """Change somebody's name, role, area, or whom they stand for."""
    found = account_of(own_store(), account_id)
    if request.method == "GET":
        return _form(found, {field: getattr(found, field) for field in FIELDS})
    given = {field: request.form.get(field, "").strip() for field in FIELDS}
    changed = {field: value for field, value in given.items() if value != getattr(found, field)}
    try:
        if changed:
            change_account(own_store(), account_id, by=account(), now=now(), changes=changed)
    except RecordError as error:
        return _form(found, given, error)
    return _back(account_id)


@pages.post("/<int:account_id>/password")
@needs("manage_accounts")
def reset_password(account_id: int) -> Answer:
    """Hand out a new password, to be used once; whoever is signed in to the account is signed out."""
    found, at, password = _somebody_else(account_id), now(), made_password()
    changes = {"password_hash": hash_password(password, once=True), "uniquifier": new_uniquifier()}
    set_credentials(own_store(), account_id, by=account(), now=at, changes=changes)
    clear_failures(own_store(), account_id, by=account(), now=at)
    return _handed_out(found, password)


@pages.post("/<int:account_id>/second-factor")
@needs("manage_accounts")
def reset_second_factor(account_id: int) -> Answer:
    """Forget the second factor of somebody who lost it; it is set up anew at the next sign-in."""
    _somebody_else(account_id)
    changes = {"totp_secret": None, "recovery_codes": "[]", "uniquifier": new_uniquifier()}
    set_credentials(own_store(), account_id, by=account(), now=now(), changes=changes)
    return _back(account_id)


@pages.post("/<int:account_id>/deactivate")
@needs("manage_accounts")
def close(account_id: int) -> Answer:
    """Close an account; its sessions and tokens end at once."""
    deactivate(own_store(), account_id, by=account(), now=now())
    return _back(account_id)


@pages.post("/<int:account_id>/reactivate")
@needs("manage_accounts")
def reopen(account_id: int) -> Answer:
    """Open a closed account again."""
    reactivate(own_store(), account_id, by=account(), now=now())
    return _back(account_id)


@pages.post("/<int:account_id>/unlock")
@needs("manage_accounts")
def unlock(account_id: int) -> Answer:
    """Forget the failures that locked an account."""
    _somebody_else(account_id)
    clear_failures(own_store(), account_id, by=account(), now=now())
    return _back(account_id)


def _somebody_else(account_id: int) -> Account:
    """Return an account that is not one's own: a browser left signed in must not do without the present password."""
    if account_id == account().id:
        raise NotAllowedError(
            "自己的登录凭证请在“我的账号”里修改", "change your own password and second factor on your account's page"
        )
    return account_of(own_store(), account_id)


def _form(found: Account | None, given: dict[str, str], error: RecordError | None = None) -> Answer:
    """Return the form of a new account, or of one there is, with what was wrong in it."""
    scope = own_store().scope
    areas = {code: name for code, name in staff_frame.area_names().items() if scope is not None and scope.holds(code)}
    fault = "" if error is None else said(error)
    title = _("添加账号") if found is None else found.name
    values: dict[str, Any] = {"account": found, "given": given, "areas": areas, "receivers": RECEIVERS, "at": now()}
    page = render_template("staff/account.html", title=title, fault=fault, **values)
    return page if error is None else (page, status_of(error))


def _handed_out(made: Account, password: str) -> Answer:
    return render_template("staff/password.html", title=_("一次性密码"), account=made, password=password)


def _back(account_id: int) -> Answer:
    return redirect(url_for("administration.change", account_id=account_id), 303)


def register(app: Flask) -> None:
    """Add the administrators' pages to the application."""
    app.register_blueprint(pages)
