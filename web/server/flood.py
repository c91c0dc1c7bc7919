"""One address that floods the server is turned away before anything is done for it, so that others do not wait."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import Any

from web.server.errors import SENTENCES, problem
from web.server.limits import asker_of

#: What one address may ask: so many at once, then so many a second. An office behind one address stays below.
BURST, PER_SECOND = 200.0, 50.0
#: How many addresses are remembered; the one not heard of for longest goes first.
MOST_ADDRESSES = 100_000


class FloodGate:
    """A WSGI application before another: a token bucket for each address, an IPv6 network counted as one.

    Flask-Limiter, which the forms use, takes three times as long as the whole answer to a question of the map, so
    this stands before everything else. Source: Turner 1986, doi 10.1109/MCOM.1986.1092946.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], clock: Callable[[], float] = monotonic) -> None:
        self._app, self._clock = app, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer, or turn away with 429."""
        if self._admits(asker_of(environ.get("REMOTE_ADDR", ""))):
            return self._app(environ, start_response)
        refused = problem(429, *SENTENCES[429])
        refused.headers["Retry-After"] = "1"
        return refused(environ, start_response)

    def _admits(self, address: str) -> bool:
        now = self._clock()
        with self._lock:
            left, since = self._buckets.pop(address, (BURST, now))
            left = min(BURST, left + (now - since) * PER_SECOND)
            admitted = left >= 1.0
            self._buckets[address] = (left - 1.0 if admitted else left, now)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        return admitted
