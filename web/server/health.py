"""How the server fares, for those who keep it running."""

from ipaddress import ip_address

from flask import Blueprint, Flask, Response, abort, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gis.errors import StoreError
from layers.connection import newest_revision, revision_of
from web.server.access import anyone, public_city, whole_store
from web.server.api_schemas import Answer, Operation, operation, ref

pages = Blueprint("health", __name__)


@pages.get("/healthz")
@operation(Operation("healthz", "进程在运行 The process is up", {200: Answer("在运行 up", ref("State"))}))
@anyone
def healthz() -> dict[str, str]:
    """Answer that the process is up."""
    return {"status": "up"}


@pages.get("/readyz")
@operation(Operation("readyz", "可以服务 Ready to serve", {200: Answer("可以服务 ready", ref("State"))}, (503,)))
@anyone
def readyz() -> dict[str, str]:
    """Answer once the store answers, its schema is this software's, and the city has been read."""
    with whole_store().transaction() as connection:
        found = revision_of(connection)
    if found != newest_revision():
        raise StoreError("数据库结构与软件版本不符", "the store's schema is not that of this software")
    public_city()
    return {"status": "ready"}


@pages.get("/metrics")
@operation(Operation(
    "metrics", "Prometheus 指标，仅限本机 Figures for Prometheus, for this machine alone",
    {200: Answer("指标 figures", {"type": "string"}, "text/plain")}, (403,),
))  # fmt: skip
@anyone
def metrics() -> Response:
    """Answer the figures of this process, to a collector on this machine alone: they tell when a city asks for help."""
    if not _from_here():
        abort(403)
    return Response(generate_latest(current_app.extensions["lamplight.metrics"]), content_type=CONTENT_TYPE_LATEST)


def _from_here() -> bool:
    """Tell whether the request was made on this machine, and not handed on by a proxy that runs on it."""
    handed_on = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    try:
        return not handed_on and ip_address(request.remote_addr or "").is_loopback
    except ValueError:  # a socket of this machine without an address is not meant, either
        return False


def register(app: Flask) -> None:
    """Add the pages of health to the application."""
    app.register_blueprint(pages)
