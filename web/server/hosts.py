"""A request under a name that is not the server's is turned away before anything is done for it."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.sansio.utils import host_is_trusted

from web.server.errors import problem


class HostGate:
    """A WSGI application before another: answers under ``hosts`` alone, whatever the port.

    hosts : names of hosts in lower case, one at least; with a dot before it, those below it too. Flask's TRUSTED_HOSTS
    refuses later, when there are no addresses to write into the page that says so.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], hosts: tuple[str, ...]) -> None:
        self._app, self._hosts = app, hosts

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer, or turn away with 400."""
        if host_is_trusted(environ.get("HTTP_HOST", "").lower(), self._hosts):
            return self._app(environ, start_response)
        refused = problem(400, "本服务器不以这个名称提供服务", "this server does not answer to this name")
        return refused(environ, start_response)
