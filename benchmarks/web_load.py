"""A load on a web server from one process: many connections, each from an address of its own, over plain sockets."""

import heapq
import selectors
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

#: How many a connection asks before it comes again from another address.
QUESTIONS = 100


@dataclass(slots=True)
class Crowd:
    """Clients of one kind.

    request : gives the next request, whole. connections : how many at once. addresses : 127.x.y.z, whence they come in
    turn, each for so many questions that no limit for one address is reached.
    per_second : what they ask together, whether the server keeps up or not; None : each asks as soon as it is answered.
    A time waited is counted from when the question was due, so that a server that stalls does not hide it.
    """

    name: str
    request: Callable[[], bytes]
    connections: int
    addresses: Iterator[str]
    per_second: float | None = None
    waits_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the time waited, milliseconds; of answers that were given."""
        return float(np.quantile(self.waits_s, share) * 1e3) if self.waits_s else float("nan")


class _Client:
    def __init__(self, crowd: Crowd, port: int) -> None:
        self.crowd, self._port = crowd, port
        self.due = 0.0
        self.connect()

    def connect(self) -> None:
        source = (next(self.crowd.addresses), 0)
        self.socket = socket.create_connection(("127.0.0.1", self._port), source_address=source)
        self.left = QUESTIONS
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def ask(self, due: float) -> None:
        self.due = due
        self.left -= 1
        self.socket.sendall(self.crowd.request())

    def hear(self) -> int | None:
        """Return the status once an answer is whole; 0 where the server hung up."""
        data = self.socket.recv(1 << 16)
        if not data:
            return 0
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) < length:
            return None
        self.received = b""
        return int(head[9:12])


def run(port: int, crowds: Sequence[Crowd], seconds: float) -> float:
    """Let the crowds ask for some seconds; their waits and statuses are left in them. Returns the seconds it took."""
    selector = selectors.DefaultSelector()
    idle: dict[str, deque[_Client]] = {crowd.name: deque() for crowd in crowds}
    for crowd in crowds:
        for _ in range(crowd.connections):
            client = _Client(crowd, port)
            selector.register(client.socket, selectors.EVENT_READ, client)
            idle[crowd.name].append(client)
    began = perf_counter()
    due = [(began + 1 / c.per_second, n) for n, c in enumerate(crowds) if c.per_second]
    heapq.heapify(due)
    for crowd in crowds:
        while crowd.per_second is None and idle[crowd.name]:
            idle[crowd.name].popleft().ask(perf_counter())
    while (now := perf_counter()) < began + seconds:
        while due and due[0][0] <= now and idle[crowds[due[0][1]].name]:
            at, n = heapq.heappop(due)
            idle[crowds[n].name].popleft().ask(at)
            heapq.heappush(due, (at + 1 / crowds[n].per_second, n))
        wait = max(0.0, min(due[0][0] - now, 0.05)) if due and idle[crowds[due[0][1]].name] else 0.05
        for key, _ in selector.select(wait):
            _heard(selector, key.data, idle)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return perf_counter() - began


def _heard(selector: selectors.BaseSelector, client: _Client, idle: dict[str, deque[_Client]]) -> None:
    status = client.hear()
    if status is None:
        return
    crowd, now = client.crowd, perf_counter()
    crowd.statuses[status] += 1
    if status == 200:
        crowd.waits_s.append(now - client.due)
    if status == 0 or not client.left:
        selector.unregister(client.socket)
        client.socket.close()
        client.connect()
        selector.register(client.socket, selectors.EVENT_READ, client)
    if crowd.per_second is None:
        client.ask(now)
    else:
        idle[crowd.name].append(client)
