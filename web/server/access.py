"""Who may ask for what: every route declares it, and one that does not answers nobody."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, request

from layers.accounts import Account
from layers.roles import ROLE_PERMISSIONS
from layers.scope import Scope
from layers.store import Store
from web.server.city import PublicCity, PublicCitySource

View = TypeVar("View", bound=Callable[..., Any])
#: What a route may declare instead of a permission.
ANYONE, ANY_ACCOUNT = "anyone", "any account"


def anyone(view: View) -> View:
    """Declare a route that needs no account."""
    view.needs = ANYONE  # type: ignore[attr-defined]
    return view


def needs(permission: str = ANY_ACCOUNT) -> Callable[[View], View]:
    """Declare a route that only accounts with ``permission`` may use; any account where none is named."""

    def declare(view: View) -> View:
        view.needs = permission  # type: ignore[attr-defined]
        return view

    return declare


def need_of(app: Flask, endpoint: str) -> str | None:
    """Return what the route of ``endpoint`` declares; None where it declares nothing."""
    return getattr(app.view_functions[endpoint], "needs", None)


def guard(app: Flask) -> None:
    """Check every request against what its route declares, before the route sees it."""
    app.before_request(_check)


def _check() -> None:
    if request.endpoint is None:
        return  # no such page: told so by the error pages
    need = need_of(current_app, request.endpoint)
    if need == ANYONE:
        return
    account = current_account()
    if account is None:
        abort(401)
    if need is None or (need != ANY_ACCOUNT and need not in ROLE_PERMISSIONS[account.role]):
        abort(403)


def current_account() -> Account | None:
    """Return the account that asks, by its session or its token; None for the public."""
    if "account" not in g:
        g.account = current_app.extensions["lamplight.identify"](request)
    found: Account | None = g.account
    return found


def account() -> Account:
    """Return the account that asks, in a route that needs one."""
    found = current_account()
    if found is None:
        abort(401)
    return found


def own_store() -> Store:
    """Return the city as the account that asks may see it: its own area and below. The only store a view gets."""
    if "own_store" not in g:
        g.own_store = whole_store().within(own_area())
    store: Store = g.own_store
    return store


def own_area() -> Scope:
    """Return the area of the account that asks, for what no store scopes: the streets of a night in memory."""
    return Scope.of(account().area_code)


def whole_store() -> Store:
    """Return the store without a scope: for signing in, for what the public sends, and for nothing else."""
    store: Store = current_app.extensions["lamplight.store"]
    return store


def public_city() -> PublicCity:
    """Return what the public may see of the city, as of now."""
    source: PublicCitySource = current_app.extensions["lamplight.city"]
    return source.current()
