"""The command line's verb of the server."""

import os
import signal
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from terminal import Progress, say, store_options

if TYPE_CHECKING:
    from layers.store import Store

#: Requests answered side by side; more threads than this only wait for one another.
THREADS = 4
#: How long a thread that computes keeps the others waiting, seconds. Python's own 0.005 halves the answers a second.
TURN_S = 0.001
STEPS = ("loading", "city", "tiles", "night")


@click.command(short_help="服务 Serve the city's pages, maps and interfaces.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port to listen on.")
@click.option("--demo", is_flag=True, help="Serve the fictional city, with accounts whose passwords are printed.")
@click.option("--jobs", type=click.IntRange(0, 256), metavar="N",
              help="How many jobs to run at once beside the pages, half as many as cores by default; 0 leaves them to "
              "lamplight worker.")  # fmt: skip
@store_options
def serve(host: str, port: int, demo: bool, jobs: int | None, db: str, as_json: bool) -> None:
    """Serve the city in the store: the public's map and report form, the staff's pages, and /api, /ogc and /tiles.

    Reads LAMPLIGHT_SECRET (at least 32 characters), LAMPLIGHT_PROXIES, LAMPLIGHT_PLAIN_HTTP and
    LAMPLIGHT_TIANDITU_KEY from the environment; --demo needs none of them. Where LAMPLIGHT_DASK names a Dask scheduler,
    jobs run on its cluster. Ctrl-C stops it; jobs that were running wait for the next start.
    """
    from web.server.settings import settings_from

    settings = settings_from(os.environ, db, demo=demo)  # a missing secret is told before anything is loaded
    with Progress(STEPS) as progress:
        progress("loading")
        from waitress.server import create_server

        from planner.jobs.runs import JobRunner
        from planner.runs import city_tiles
        from web.server.app import create_app
        from web.server.request_log import write_to_stderr

        app = create_app(settings)
        progress("city")
        app.extensions["lamplight.city"].current()
        progress("tiles")  # drawn beside requests they would make everybody wait for a second or more
        city_tiles(app.extensions["lamplight.store"])
        accounts = _demo_accounts(app.extensions["lamplight.store"]) if demo else []
        progress("night")
        if demo:
            _demo_night(app)
        write_to_stderr()
    sys.setswitchinterval(TURN_S)
    server = create_server(app, host=host, port=port, threads=THREADS, ident=None)
    address = f"http://{host}:{server.effective_port}/"  # port 0 takes any that is free
    lines = [f"服务地址 / serving at {address}", *(["示例账号 / demo accounts:"] if accounts else [])]
    lines += [f"  {account['username']:<16} {account['password']:<24} {account['role']}" for account in accounts]
    say({"address": address, "accounts": accounts}, as_json, "\n".join(lines))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is a Ctrl-C
    count = max((os.cpu_count() or 1) // 2, 1) if jobs is None else jobs
    try:
        with JobRunner(db, count) if count else nullcontext():
            server.run()
    finally:
        server.close()


def _demo_accounts(store: "Store") -> list[dict[str, str]]:
    from web.server.demo_accounts import demo_accounts

    words = ("username", "password", "role", "area_code")
    return [dict(zip(words, made, strict=True)) for made in demo_accounts(store, datetime.now(UTC))]


def _demo_night(app: Any) -> None:
    from web.server.app import derived_key
    from web.server.demo_night import demo_night

    secret = derived_key(app.extensions["lamplight.settings"], "report-token").encode()
    demo_night(app.extensions["lamplight.store"], secret, datetime.now(UTC))
