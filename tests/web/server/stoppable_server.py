"""A server that a test can take away and give back."""

import threading

from apiflask import APIFlask
from werkzeug.serving import make_server


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
