"""One line of JSON a request, and its count and time: what was asked, never by whom, where, or with what."""

import logging
from datetime import UTC, datetime
from functools import cache
from logging.handlers import MemoryHandler
from threading import Thread
from time import perf_counter, sleep
from typing import Any

from flask import Flask, Response, g, request, request_started
from prometheus_client import CollectorRegistry, Counter, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LOG = logging.getLogger("lamplight.requests")
MOST_LINES = 10_000
#: Nothing in it needs escaping: methods and routes are our own words.
_LINE = '{"time": "%s", "method": "%s", "route": "%s", "status": %d, "ms": %.2f}'


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

    @cache
    def kept(method: str, route: str, status: int) -> tuple[Any, Any]:
        return count.labels(method, route, status), latency.labels(method, route)

    @app.after_request
    def note(response: Response) -> Response:
        seconds = perf_counter() - g.started
        method = request.method if request.method in METHODS else "other"
        # the template, never the path: what stands in the path may be a secret or say who asks
        route = request.url_rule.rule if request.url_rule else "none"
        counted, timed = kept(method, route, response.status_code)
        counted.inc()
        timed.observe(seconds)
        LOG.info(_LINE, datetime.now(UTC), method, route, response.status_code, seconds * 1000)
        return response


def write_to_stderr() -> None:
    """Write the lines to standard error, as a server that runs for long should, all of a second together.

    A line written at once would make every answer wait for the others' lines: a third of the answers a second.
    """
    stream = logging.StreamHandler()
    stream.setFormatter(logging.Formatter("%(message)s"))
    together = MemoryHandler(MOST_LINES, target=stream)
    LOG.handlers[:] = [together]
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    # under load waitress would tell of every request that waited a moment
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    def flush_each_second() -> None:
        while True:
            sleep(1.0)
            together.flush()

    Thread(target=flush_each_second, daemon=True).start()
