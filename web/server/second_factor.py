"""The second factor: the code of an authenticator app (RFC 6238), each of which counts once."""

import json
from typing import Any, NamedTuple

import segno
from flask_security.totp import Totp

#: How far a phone's clock may be off, seconds.
CLOCK_OFF_S = 30


class Proof(NamedTuple):
    """A code that was right. kept : what to keep instead, so that the same code is not taken again."""

    kept: str


class SecondFactor:
    """Makes and checks the secrets of authenticator apps; what is kept of them is encrypted with the server's key.

    kept : one JSON object, "secret" (encrypted by the library) and "last", the number of the last half-minute whose
    code was taken.
    """

    def __init__(self, key: str, issuer: str) -> None:
        self._key, self._issuer = key, issuer

    def make(self) -> str:
        """Return a new secret as it is kept."""
        return json.dumps({"secret": self._totp(None).generate_totp_secret(), "last": None})

    def check(self, kept: str, code: str) -> Proof | None:
        """Return the proof of a right code; None where it is wrong, too old, or was taken before."""
        words: dict[str, Any] = json.loads(kept)
        totp = self._totp(words["last"])
        plain = "".join(code.split())
        if not (plain.isascii() and plain.isdigit()):
            return None
        # the library takes the account only to hand it to get_last_counter and set_last_counter
        if not totp.verify_totp(plain, words["secret"], None, window=CLOCK_OFF_S):  # type: ignore[arg-type]
            return None
        return Proof(json.dumps({"secret": words["secret"], "last": totp.last}))

    def words(self, kept: str) -> str:
        """Return the secret as somebody types it into an app that cannot scan."""
        return self._totp(None).get_totp_pretty_key(json.loads(kept)["secret"])

    def picture(self, kept: str, username: str) -> str:
        """Return the QR code an app scans, as SVG for the page itself: its policy lets no picture in as data."""
        uri = self._totp(None).get_totp_uri(username, json.loads(kept)["secret"])
        return str(segno.make(uri, error="m").svg_inline(border=4, dark="#000", light="#fff", omitsize=True))

    def _totp(self, last: int | None) -> "_TotpOnce":
        return _TotpOnce(self._key, self._issuer, last)


class _TotpOnce(Totp):
    """The library's check with its two places for refusing a code that was taken before filled in."""

    def __init__(self, key: str, issuer: str, last: int | None) -> None:
        super().__init__({"1": key}, issuer)
        self.last = last

    def get_last_counter(self, user: Any) -> int | None:
        return self.last

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        self.last = tmatch.counter
