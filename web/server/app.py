"""The application: one city's store behind pages and interfaces. ``create_app`` is what a WSGI server runs."""

import hashlib
import hmac
from importlib import metadata
from pathlib import Path

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from layers.store import Store
from web.server.access import guard
from web.server.city import PublicCitySource
from web.server.errors import answer_errors
from web.server.flood import FloodGate
from web.server.headers import protect
from web.server.hosts import HostGate
from web.server.language import speak
from web.server.settings import Settings, SettingsError

#: The largest request: a photo and the words of a report.
MOST_BYTES = 12 * 1024 * 1024


def create_app(settings: Settings, *, testing: bool = False) -> APIFlask:
    """Return the application that serves the city in ``settings.store``.

    testing : errors are raised, not answered. Raises StoreError where the store cannot be opened.
    """
    app = APIFlask(
        "lamplight", title="Lamplight", version=metadata.version("lamplight"), docs_path=None,
        spec_path="/api/v1/openapi.json", root_path=str(Path(__file__).parent), template_folder="templates",
        static_folder="static",
    )  # fmt: skip
    app.config.update(
        TESTING=testing, MAX_CONTENT_LENGTH=MOST_BYTES, SECRET_KEY=derived_key(settings, "session"),
        SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_NAME="__Host-lamplight" if settings.secure else "lamplight",
        WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=settings.secure,
    )  # fmt: skip
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # of Flask's own provider: half the bytes of Chinese
    app.wsgi_app = FloodGate(app.wsgi_app)  # type: ignore[method-assign]
    if settings.hosts:
        app.wsgi_app = HostGate(app.wsgi_app, settings.hosts)  # type: ignore[method-assign]
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    store = Store(settings.store)
    if settings.demo and store.setting("fictional") != "yes":  # asked now, so that a missing store is refused at once
        raise SettingsError("--demo 只用于虚构的示例城市", "--demo is for the fictional demo city alone")
    store.current()
    app.extensions["lamplight.settings"] = settings
    app.extensions["lamplight.store"] = store
    app.extensions["lamplight.city"] = PublicCitySource(store)
    speak(app)
    answer_errors(app)
    protect(app, secure=settings.secure)
    guard(app)
    _register(app)
    return app


def _register(app: APIFlask) -> None:
    """Add each group of pages; a new group is one line here."""
    from web.server import (
        account_pages,
        administration,
        api,
        assets_served,
        audit_pages,
        basemap,
        comparison_pages,
        coverage_pages,
        desk,
        desk_api,
        exports,
        health,
        hotspot_pages,
        import_pages,
        job_pages,
        ogc,
        ogc_items,
        phone_pages,
        phone_sync,
        point_pages,
        public_pages,
        report_pages,
        request_log,
        run_pages,
        scenario_pages,
        sign_in,
        staff_frame,
        staff_reports,
        tiles,
    )

    pages = (assets_served, public_pages, point_pages, report_pages, phone_pages, phone_sync)
    planning = (coverage_pages, comparison_pages, scenario_pages, run_pages, job_pages, hotspot_pages, import_pages)
    staff = (sign_in, account_pages, administration, staff_reports, audit_pages, desk, *planning, staff_frame)
    machines = (desk_api, api, exports, tiles, basemap, health, ogc, ogc_items)
    for group in (request_log, *pages, *staff, *machines):
        group.register(app)


def derived_key(settings: Settings, purpose: str) -> str:
    """Return the key for one purpose, derived from the server's one secret."""
    return hmac.new(settings.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
