"""The words an account signs in with: made, hashed and compared here; ``layers.accounts`` only keeps them."""

import hashlib
import hmac
import json
import secrets
import unicodedata
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Source: NIST SP 800-63B-4, 3.1.1.2 (15 where the password stands alone, 8 beside a second factor; 12 is between).
FEWEST, MOST = 12, 200
#: Before the hash of a password that was handed out and must be changed at the next sign-in.
ONCE = "once:"
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_HASHER = PasswordHasher()  # argon2id with the first parameters of RFC 9106 for little memory
_NOBODYS = _HASHER.hash(secrets.token_urlsafe(16))
RECOVERY_CODES = 8


def hash_password(password: str, *, once: bool = False) -> str:
    """Return the word kept for a password; once : it must be changed at the next sign-in."""
    return (ONCE if once else "") + _HASHER.hash(_plain(password))


def password_fits(kept: str | None, password: str) -> bool:
    """Tell whether ``password`` is the one kept; None, for nobody's, takes as long and never fits."""
    try:
        _HASHER.verify((kept or _NOBODYS).removeprefix(ONCE), _plain(password[:MOST]))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def must_change(kept: str) -> bool:
    """Tell whether a password was handed out to be used once."""
    return kept.startswith(ONCE)


def made_password() -> str:
    """Return a password somebody can read out: four groups of four, 79 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def password_fault(password: str, username: str) -> tuple[str, str] | None:
    """Return why a new password will not do, in Chinese and English; None where it will."""
    if not FEWEST <= len(password) <= MOST:
        return (f"密码应为 {FEWEST} 至 {MOST} 个字符", f"a password has {FEWEST} to {MOST} characters")
    if len(set(password)) < 5 or (username and username.lower() in password.lower()):
        return (
            "密码过于简单：不要重复字符，不要包含用户名",
            "this password is too easy: do not repeat characters, nor use the username",
        )
    return None


def new_uniquifier() -> str:
    """Return the word that ties a half-finished sign-in to an account as it is now."""
    return secrets.token_hex(16)


def made_recovery_codes(key: str) -> tuple[list[str], str]:
    """Return new recovery codes (60 bits each, to be shown once) and the word kept for them."""
    codes = [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(3)) for _ in range(RECOVERY_CODES)
    ]
    return codes, json.dumps([_mark(code, key) for code in codes])


def without_recovery_code(kept: str, code: str, key: str) -> str | None:
    """Return the word kept once ``code`` is used up; None where it is none of the codes left."""
    left: Sequence[str] = json.loads(kept or "[]")
    mark = _mark(code, key)
    found = [hmac.compare_digest(one, mark) for one in left]
    return json.dumps([one for one, same in zip(left, found, strict=True) if not same]) if any(found) else None


def recovery_codes_left(kept: str) -> int:
    """Return how many codes are not used yet."""
    return len(json.loads(kept or "[]"))


def _plain(password: str) -> str:
    # the same characters however a keyboard composes them
    return unicodedata.normalize("NFKC", password)


def _mark(code: str, key: str) -> str:
    plain = "".join(code.lower().split()).replace("-", "")
    return hmac.new(key.encode(), plain.encode(), hashlib.sha256).hexdigest()
