"""Signing in: a password, a code of the second factor, and what must be settled before the first page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic, sleep
from typing import Any

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, session, url_for
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from layers.accounts import (
    Credentials,
    clear_failures,
    count_failure,
    credentials,
    credentials_by_uniquifier,
    set_credentials,
)
from web.server import limits, sessions
from web.server.access import anyone, needs, whole_store
from web.server.app import derived_key
from web.server.city import now
from web.server.errors import MACHINES, SENTENCES, refusal
from web.server.language import _, language
from web.server.limits import limiter
from web.server.own_address import own_address
from web.server.passwords import (
    hash_password,
    made_recovery_codes,
    must_change,
    new_uniquifier,
    password_fault,
    password_fits,
    without_recovery_code,
)
from web.server.second_factor import SecondFactor

Answer = str | tuple[str, int] | AnyResponse
PENDING = "pending"
#: How long somebody may take over what follows the password, seconds.
PENDING_S = 600
#: A refusal comes after this long, whatever was wrong, so that its time tells no name from another; seconds.
REFUSED_AFTER_S = 0.4
#: Of one address; only refusals count, since a whole office may share one.
LIMIT = "20 per minute; 200 per hour"

pages = Blueprint("sign_in", __name__, url_prefix="/sign-in")


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in whose password was right and that is not through yet."""

    credentials: Credentials
    proven: bool
    onward: str

    @property
    def next_step(self) -> str | None:
        """Return the endpoint of what is to be settled next; None where nothing is left."""
        if self.credentials.totp_secret and not self.proven:
            return "sign_in.code"
        if must_change(self.credentials.password_hash):
            return "sign_in.new_password"
        if not self.credentials.totp_secret and not current_app.extensions["lamplight.settings"].demo:
            return "sign_in.set_up"
        return None


def _refused(response: Response) -> bool:
    return response.status_code == 422


limited: Callable[[Any], Any] = limiter.limit(LIMIT, methods=["POST"], deduct_when=_refused)


@pages.route("", methods=["GET", "POST"])
@limited
@anyone
def sign_in() -> Answer:
    """Ask for username and password."""
    if request.method == "GET":
        if sessions.by_session():
            return home()
        return _page("sign_in", _("登录"), onward=request.args.get("next", ""), unsent="unsent" in request.args)
    began, at = monotonic(), now()
    username = request.form.get("username", "").strip()
    found = _checked(username, request.form.get("password", ""), at)
    if found is None:
        sleep(max(0.0, began + REFUSED_AFTER_S - monotonic()))
        said = _("用户名或密码不对，或账号已停用、暂时锁定。")
        return _page("sign_in", _("登录"), fault=said, username=username, onward=request.form.get("next", ""))
    session.clear()
    session[PENDING] = {"account": found.uniquifier, "since": int(at.timestamp()), "proven": False,
                        "onward": own_address(request.form.get("next", ""))}  # fmt: skip
    return _go_on(_pending(at), at)


@pages.route("/code", methods=["GET", "POST"])
@limited
@anyone
def code() -> Answer:
    """Ask for the second factor: the code of an authenticator app, or a recovery code."""
    at = now()
    pending = _pending(at)
    if pending is None or pending.next_step != "sign_in.code":
        return _go_on(pending, at)
    if request.method == "GET":
        return _page("code", _("验证码"))
    changes = _proof_of(pending.credentials, request.form.get("code", ""))
    if changes is None:
        count_failure(whole_store(), pending.credentials.account.id, now=at)
        return _page("code", _("验证码"), fault=_("验证码不对，或已经用过。请等待下一个验证码再试。"))
    account = pending.credentials.account
    set_credentials(whole_store(), account.id, by=account, now=at, changes=changes, known=pending.credentials)
    session[PENDING] = {**session[PENDING], "proven": True}
    return _go_on(_pending(at), at)


@pages.route("/new-password", methods=["GET", "POST"])
@limited
@anyone
def new_password() -> Answer:
    """Ask for a password of one's own in the place of the one handed out."""
    at = now()
    pending = _pending(at)
    if pending is None or pending.next_step != "sign_in.new_password":
        return _go_on(pending, at)
    if request.method == "GET":
        return _page("new_password", _("设置自己的密码"))
    fault = fault_of_new(request.form, pending.credentials)
    if fault is not None:
        return _page("new_password", _("设置自己的密码"), fault=fault)
    uniquifier = new_uniquifier()
    account = pending.credentials.account
    changes = {"password_hash": hash_password(request.form["password"]), "uniquifier": uniquifier}
    set_credentials(whole_store(), account.id, by=account, now=at, changes=changes)
    session[PENDING] = {**session[PENDING], "account": uniquifier}
    return _go_on(_pending(at), at)


@pages.route("/set-up", methods=["GET", "POST"])
@limited
@anyone
def set_up() -> Answer:
    """Set up the second factor at the first sign-in, and show the recovery codes once."""
    at = now()
    pending = _pending(at)
    if pending is None or pending.next_step != "sign_in.set_up":
        return _go_on(pending, at)
    account = pending.credentials.account
    made = secret_in_making()
    if request.method == "GET":
        return _page("set_up", _("设置两步验证"), **shown_secret(made, account.username))
    proof = second_factor().check(made, request.form.get("code", ""))
    if proof is None:
        said = _("验证码不对：请核对手机时间后再试。")
        return _page("set_up", _("设置两步验证"), fault=said, **shown_secret(made, account.username))
    codes, kept = made_recovery_codes(recovery_key())
    changes = {"totp_secret": proof.kept, "recovery_codes": kept}
    set_credentials(whole_store(), account.id, by=account, now=at, changes=changes)
    _enter(pending, at)
    return _page("recovery_codes", _("备用验证码"), codes=codes, onward=pending.onward)


@pages.post("/out")
@needs()
def sign_out() -> Answer:
    """End this browser's session."""
    sessions.end_this(now())
    return redirect(url_for("public.find"), 303)


def home() -> AnyResponse:
    """Send a browser that is signed in to the staff's first page."""
    return redirect(url_for("staff.home"), 303)


def fault_of_new(form: Any, kept: Credentials) -> str | None:
    """Return what is wrong with a new password typed twice, in the reader's language."""
    password = form.get("password", "")
    if password != form.get("again", ""):
        return _("两次输入的密码不同")
    if password_fits(kept.password_hash, password):
        return _("新密码不能与原密码相同")
    fault = password_fault(password, kept.account.username)
    return None if fault is None else fault[language() == "en"]


def second_factor() -> SecondFactor:
    """Return the checker of authenticator codes of this server."""
    settings = current_app.extensions["lamplight.settings"]
    issuer = whole_store().setting("city_name") or "Lamplight"
    return SecondFactor(derived_key(settings, "second factor"), f"{issuer} Lamplight".replace(":", " "))


def recovery_key() -> str:
    """Return the key under which recovery codes are kept as marks."""
    return derived_key(current_app.extensions["lamplight.settings"], "recovery codes")


def secret_in_making() -> str:
    """Return the secret this browser is being shown, encrypted; a new one where there is none yet."""
    if "secret_in_making" not in session:
        session["secret_in_making"] = second_factor().make()
    return str(session["secret_in_making"])


def shown_secret(kept: str, username: str) -> dict[str, str]:
    """Return what a page shows of a secret: a picture to scan and words to type."""
    factor = second_factor()
    return {"picture": factor.picture(kept, username), "words": factor.words(kept)}


def _checked(username: str, password: str, at: datetime) -> Credentials | None:
    """Return whose name and password these are; None, after the same work, where they are nobody's or may not enter."""
    found = credentials(whole_store(), username)
    fits = password_fits(None if found is None else found.password_hash, password)
    if found is None or found.account.locked(at) or not found.account.active:
        return None
    if not fits:
        count_failure(whole_store(), found.account.id, now=at)
        return None
    return found


def _pending(at: datetime) -> Pending | None:
    """Return the sign-in this browser is in the middle of; None where it is in none, or took too long."""
    words = session.get(PENDING)
    if words is None or not 0 <= at.timestamp() - words["since"] + 1 <= PENDING_S:
        return None
    found = credentials_by_uniquifier(whole_store(), words["account"])
    if found is None or not found.account.active or found.account.locked(at):
        return None
    return Pending(found, words["proven"], words["onward"])


def _proof_of(kept: Credentials, said: str) -> dict[str, str | None] | None:
    """Return what to keep after a right code, which is used up by it; None where it is wrong."""
    proof = second_factor().check(kept.totp_secret or "", said)
    if proof is not None:
        return {"totp_secret": proof.kept}
    left = without_recovery_code(kept.recovery_codes, said, recovery_key())
    return None if left is None else {"recovery_codes": left}


def _go_on(pending: Pending | None, at: datetime) -> AnyResponse:
    """Send the browser to what is next; one that is in no sign-in, back to its beginning."""
    if pending is None:
        session.pop(PENDING, None)
        return redirect(url_for("sign_in.sign_in"), 303)
    if pending.next_step is not None:
        return redirect(url_for(pending.next_step), 303)
    _enter(pending, at)
    return redirect(pending.onward or url_for("staff.home"), 303)


def _enter(pending: Pending, at: datetime) -> None:
    # only now: whoever knows a password alone must not clear the count between guesses at the code
    clear_failures(whole_store(), pending.credentials.account.id, now=at)
    sessions.begin(pending.credentials.account, at)


def _page(template: str, title: str, **values: Any) -> Answer:
    page = render_template(f"security/{template}.html", title=title, **values)
    return (page, 422) if "fault" in values else page


def _ask_to_sign_in(error: Unauthorized) -> AnyResponse:
    if request.path.startswith(MACHINES) or request.accept_mimetypes.best == "application/json":
        answer = refusal(401, *SENTENCES[401])
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    if request.method != "GET":
        return redirect(url_for("sign_in.sign_in", unsent="yes"), 303)
    return redirect(url_for("sign_in.sign_in", next=request.full_path.rstrip("?")), 303)


def register(app: Flask) -> None:
    """Add signing in to the application, with what tells requests apart and counts them."""
    sessions.register(app)
    limits.register(app)
    app.register_blueprint(pages)
    app.register_error_handler(401, _ask_to_sign_in)
