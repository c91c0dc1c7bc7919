"""How often one address may ask: counted in memory, so that a flood from one place leaves the others alone."""

from ipaddress import IPv6Address, ip_address

from flask import Flask, request
from flask_limiter import Limiter

#: Of an IPv6 address this much names a household or an office; the rest its owner may choose anew at any moment.
HOUSEHOLD_BITS = 64


def asker() -> str:
    """Return who asks, as far as limits are concerned: an IPv4 address, or the network of an IPv6 one."""
    said = request.remote_addr or ""
    try:
        address = ip_address(said)
    except ValueError:  # a socket of this machine has none
        return said
    if not isinstance(address, IPv6Address):
        return said
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - HOUSEHOLD_BITS):x}"


limiter = Limiter(asker, storage_uri="memory://", headers_enabled=True)


def register(app: Flask) -> None:
    """Count the requests of this application; a view is limited where it carries ``@limiter.limit(...)``."""
    limiter.init_app(app)
    # a limited view asks by itself; asking for all others as well takes a quarter of the time of an answer
    app.before_request_funcs[None].remove(limiter._check_request_limit)
