"""One line of JSON a request, and its count and time: what was asked, never by whom, where, or with what."""

import json
import logging
from datetime import UTC, datetime
from time import perf_counter

from flask import Flask, Response, g, request, request_started
from prometheus_client import CollectorRegistry, Counter, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
#: Its lines are ready JSON; a handler needs no format of its own.
LOG = logging.getLogger("lamplight.requests")


def register(app: Flask) -> None:
    """Note every request of the application, those refused included. Figures are kept for each application alone."""
    registry = CollectorRegistry()
    app.extensions["lamplight.metrics"] = registry
    labels = ("method", "route", "status")
    count = Counter("lamplight_requests", "Requests answered.", labels, registry=registry)
    latency = Histogram("lamplight_request_seconds", "Time to answer.", labels[:2], registry=registry, buckets=SECONDS)

    def start(_: Flask) -> None:
        g.started = perf_counter()

    request_started.connect(start, app, weak=False)  # before anything may refuse the request

    @app.after_request
    def note(response: Response) -> Response:
        seconds = perf_counter() - g.started
        method = request.method if request.method in METHODS else "other"
        # the template, never the path: what stands in the path may be a secret or say who asks
        route = request.url_rule.rule if request.url_rule else "none"
        count.labels(method, route, response.status_code).inc()
        latency.labels(method, route).observe(seconds)
        if LOG.isEnabledFor(logging.INFO):
            line = {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "method": method, "route": route,
                "status": response.status_code, "ms": round(seconds * 1000, 2),
            }  # fmt: skip
            LOG.info(json.dumps(line))
        return response


def write_to_stderr() -> None:
    """Write the lines to standard error, as a server that runs for long should."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers[:] = [handler]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    # under load waitress would tell of every request that waited a moment
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
