"""One's own account: who I am and what I may do, my password, second factor, sessions and tokens."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, session, url_for

from layers.accounts import Credentials, count_failure, credentials, set_credentials
from layers.sessions import create_token, revoke_session, revoke_token, tokens
from layers.sessions import sessions as sessions_of
from web.server import sessions, staff_frame
from web.server.access import account, needs, own_store
from web.server.city import now
from web.server.language import _
from web.server.passwords import (
    hash_password,
    made_recovery_codes,
    new_uniquifier,
    password_fits,
    recovery_codes_left,
)
from web.server.sign_in import (
    Answer,
    fault_of_new,
    limited,
    recovery_key,
    second_factor,
    secret_in_making,
    shown_secret,
)

#: How long a token may last, days.
LASTS = (30, 90, 365)
MOST_TOKENS = 20

pages = Blueprint("staff", __name__, url_prefix="/staff")
staff_frame.dress(pages)


@pages.get("")
@needs()
def home() -> Answer:
    """Show who is signed in, for which area, and what this account may do."""
    return render_template("staff/home.html", title=_("工作台"))


@pages.get("/account")
@needs()
def my_account() -> Answer:
    """Show one's own account."""
    return _page()


@pages.post("/account/password")
@limited
@needs()
def change_password() -> Answer:
    """Change the password; every other device is signed out by it."""
    kept = _confirmed()
    if kept is None:
        return _page(_wrong())
    fault = fault_of_new(request.form, kept)
    if fault is not None:
        return _page(fault)
    at, me = now(), account()
    changes = {"password_hash": hash_password(request.form["password"]), "uniquifier": new_uniquifier()}
    set_credentials(own_store(), me.id, by=me, now=at, changes=changes)
    sessions.begin(me, at)
    return _done()


@pages.route("/account/second-factor", methods=["GET", "POST"])
@limited
@needs()
def change_second_factor() -> Answer:
    """Set up an authenticator app, in the place of the one before if there is one."""
    me, made = account(), secret_in_making()
    title = _("设置两步验证")
    shown = shown_secret(made, me.username)
    if request.method == "GET":
        return render_template("staff/second_factor.html", title=title, **shown)
    if _confirmed() is None:
        return render_template("staff/second_factor.html", title=title, fault=_wrong(), **shown), 422
    proof = second_factor().check(made, request.form.get("code", ""))
    if proof is None:
        fault = _("验证码不对：请核对手机时间后再试。")
        return render_template("staff/second_factor.html", title=title, fault=fault, **shown), 422
    codes, kept = made_recovery_codes(recovery_key())
    changes = {"totp_secret": proof.kept, "recovery_codes": kept}
    set_credentials(own_store(), me.id, by=me, now=now(), changes=changes)
    session.pop("secret_in_making")
    return _codes(codes)


@pages.post("/account/recovery-codes")
@limited
@needs()
def renew_recovery_codes() -> Answer:
    """Make new recovery codes, which ends those of before."""
    if _confirmed() is None:
        return _page(_wrong())
    codes, kept = made_recovery_codes(recovery_key())
    set_credentials(own_store(), account().id, by=account(), now=now(), changes={"recovery_codes": kept})
    return _codes(codes)


@pages.post("/account/sessions/<session_id>/end")
@needs()
def end_session(session_id: str) -> Answer:
    """Sign one of one's own devices out."""
    if session_id == sessions.this_session():
        sessions.end_this(now())
        return redirect(url_for("sign_in.sign_in"), 303)
    revoke_session(own_store(), session_id, by=account(), now=now())
    return _done()


@pages.post("/account/sessions/end-others")
@needs()
def end_other_sessions() -> Answer:
    """Sign every other device of one's own out."""
    sessions.end_others(now())
    return _done()


@pages.post("/account/tokens")
@limited
@needs()
def add_token() -> Answer:
    """Make a token for a machine and show it once."""
    if _confirmed() is None:
        return _page(_wrong())
    name, days = request.form.get("name", "").strip()[:80], request.form.get("days", type=int)
    if not name or days not in LASTS:
        return _page(_("请写明令牌的用途，并选择有效期"))
    at, me = now(), account()
    if len([one for one in tokens(own_store(), me.id) if one.revoked_at is None]) >= MOST_TOKENS:
        return _page(_("令牌太多：请先撤销不用的"))
    made, secret = create_token(own_store(), me.id, name=name, by=me, now=at, lasts=timedelta(days=days))
    return render_template("staff/token.html", title=_("新令牌"), token=made, secret=secret)


@pages.post("/account/tokens/<int:token_id>/end")
@needs()
def end_token(token_id: int) -> Answer:
    """Revoke one of one's own tokens."""
    revoke_token(own_store(), token_id, by=account(), now=now())
    return _done()


def _confirmed() -> Credentials | None:
    """Return one's own credentials where the form holds the present password, else None; a wrong one is counted."""
    me = account()
    kept = credentials(own_store(), me.username)
    if kept is None or me.locked(now()):
        return None
    if password_fits(kept.password_hash, request.form.get("present", "")):
        return kept
    count_failure(own_store(), me.id, now=now())
    return None


def _wrong() -> str:
    return _("当前密码不对")


def _page(fault: str = "") -> Answer:
    me = account()
    at = now()
    kept = credentials(own_store(), me.username)
    values: dict[str, Any] = {
        "sessions": [one for one in sessions_of(own_store(), me.id) if one.revoked_at is None],
        "here": sessions.this_session(),
        "tokens": [one for one in tokens(own_store(), me.id) if one.revoked_at is None and one.expires_at > at],
        "codes_left": 0 if kept is None else recovery_codes_left(kept.recovery_codes),
        "lasts": LASTS,
    }
    page = render_template("staff/my_account.html", title=_("我的账号"), fault=fault, **values)
    return (page, 422) if fault else page


def _codes(codes: list[str]) -> Answer:
    return render_template(
        "security/recovery_codes.html", title=_("备用验证码"), codes=codes, onward=url_for("staff.my_account")
    )


def _done() -> Answer:
    return redirect(url_for("staff.my_account"), 303)


def register(app: Flask) -> None:
    """Add the pages of one's own account to the application."""
    app.register_blueprint(pages)
