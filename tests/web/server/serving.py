"""The application on a socket of this machine: as it is served, or so that a test can cut it off."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from apiflask import APIFlask
from waitress.server import create_server
from werkzeug.serving import make_server


@contextmanager
def listening(app: APIFlask) -> Iterator[str]:
    """Serve the application as ``lamplight serve`` does; yields its address."""
    server = create_server(app, host="127.0.0.1", port=0, threads=8, ident=None)
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        running.join(5)


class Server:
    """A server that can be cut off and come back at the same address: a browser's service workers know no offline."""

    def __init__(self, app: APIFlask) -> None:
        self._app, self._port = app, 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self._port, self._app, threaded=True)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
