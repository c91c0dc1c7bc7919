"""How often one address may ask: counted in memory, so that a flood from one place leaves the others alone."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from flask import Flask, request
from flask_limiter import Limiter
from limits import parse

#: Of an IPv6 address this much names a household or an office; the rest its owner may choose anew at any moment.
HOUSEHOLD_BITS = 64


@lru_cache(maxsize=10_000)
def asker_of(address: str) -> str:
    """Return what counts as one asker: an IPv4 address, or the network of an IPv6 one; "?" for what is neither.

    >>> asker_of("192.0.2.7"), asker_of("::ffff:192.0.2.7"), asker_of("2001:db8::7")
    ('192.0.2.7', '192.0.2.7', '2001:db8::/64')
    """
    try:
        parsed = ip_address(address)
    except ValueError:  # a socket of this machine has none; the limiter would pass over an empty word
        return "?"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), HOUSEHOLD_BITS), strict=False))


def asker() -> str:
    """Return who asks, as far as limits are concerned."""
    return asker_of(request.remote_addr or "")


limiter = Limiter(asker, storage_uri="memory://", headers_enabled=True)


def within(limit: str, what: str) -> bool:
    """Count once that somebody was told ``what``, and return whether that was within ``limit`` ("10 per hour")."""
    return limiter.limiter.hit(parse(limit), what, asker())


def register(app: Flask) -> None:
    """Count the requests of this application; a view is limited where it carries ``@limiter.limit(...)``."""
    limiter.init_app(app)
    # a limited view asks by itself; asking for all others as well takes a quarter of the time of an answer
    app.before_request_funcs[None].remove(limiter._check_request_limit)
