"""Who asks: by the session of a browser or the token of a machine, and what a browser must show to change anything."""

from datetime import datetime

from flask import Flask, Request, Response, g, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect

from layers.accounts import Account
from layers.sessions import find_by_token, open_session, revoke_session, session_id, touch_session
from layers.sessions import sessions as sessions_of
from web.server.access import account, current_account, own_store, whole_store
from web.server.city import now
from web.server.errors import MACHINES, refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Under this the signed cookie holds the session's word, of which the store knows the hash alone.
SECRET = "secret"
_BROWSERS = ("Edg", "MicroMessenger", "Firefox", "Chrome", "Safari")
_SYSTEMS = ("HarmonyOS", "Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
_SAID = {"Edg": "Edge", "MicroMessenger": "WeChat", "Mac OS": "macOS"}
csrf = CSRFProtect()


def identify(asked: Request) -> Account | None:
    """Return the account that asks: by a Bearer token, or by the browser's session.

    A token in the path of an address was turned into such a header before (``web.server.ogc``). It stands in programs'
    settings and in logs of proxies, and needs no second factor: so it opens what machines read, and no page of staff.
    """
    kind, _, secret = asked.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and asked.path.startswith(MACHINES):
        return find_by_token(whole_store(), secret.strip(), now=now())
    if SECRET not in session:
        return None
    found = touch_session(whole_store(), session[SECRET], now=now())
    if found is None:
        session.pop(SECRET)
    g.by_session = found is not None
    return found


def by_session() -> bool:
    """Tell whether it is a browser's session that says who asks."""
    return current_account() is not None and bool(g.get("by_session"))


def begin(account: Account, at: datetime) -> None:
    """Sign this browser in; nothing of the cookie from before remains."""
    session.clear()
    session[SECRET] = open_session(whole_store(), account.id, device=device(request), now=at)


def end_this(at: datetime) -> None:
    """Sign this browser out; one that asks by a token has no session to end."""
    if by_session():
        revoke_session(own_store(), this_session(), by=account(), now=at)
    session.clear()


def end_others(at: datetime) -> None:
    """Sign the account that asks out everywhere else."""
    for one in sessions_of(own_store(), account().id):
        if one.revoked_at is None and one.id != this_session():
            revoke_session(own_store(), one.id, by=account(), now=at)


def this_session() -> str:
    """Return the id of this browser's session; "" where it has none."""
    return session_id(session[SECRET]) if SECRET in session else ""


def device(asked: Request) -> str:
    """Return what somebody recognises a device by, such as "Firefox · Windows"."""
    said = asked.headers.get("User-Agent", "")
    words = [next((word for word in known if word in said), "") for known in (_BROWSERS, _SYSTEMS)]
    return " · ".join(_SAID.get(word, word) for word in words if word) or "?"


def _check_form() -> None:
    if request.method in SAFE_METHODS or request.endpoint is None:
        return
    if request.path.startswith(MACHINES) and not by_session():
        return  # a machine's token is not sent by a browser of itself, so no other site can borrow it
    csrf.protect()


def _stale_form(error: CSRFError) -> Response:
    return refusal(
        400,
        "表单已过期或来自别的网站，内容未提交：请返回上一页，刷新后重试",
        "this form has expired or came from another site; nothing was sent: go back, reload the page and try again",
    )


def register(app: Flask) -> None:
    """Let requests be told apart, and forms be refused that another site made."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # it is checked below, where machines' tokens are known
    csrf.init_app(app)
    app.before_request(_check_form)
    app.register_error_handler(CSRFError, _stale_form)
    app.extensions["lamplight.identify"] = identify
