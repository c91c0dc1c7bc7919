"""The headers every answer carries, so that a browser trusts nothing but what this server sent."""

from flask import Flask, Response

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: A view may say something else: what may be cached, or that a page's address is nobody's business.
UNLESS_SAID = {"Referrer-Policy": "same-origin", "Cache-Control": "no-store"}


def protect(app: Flask, *, secure: bool) -> None:
    """Set the headers on every answer; secure : tell browsers to come back by https alone."""
    fixed = HEADERS | ({"Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if secure else {})

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.extend(fixed)
        for name, value in UNLESS_SAID.items():
            response.headers.setdefault(name, value)
        return response
