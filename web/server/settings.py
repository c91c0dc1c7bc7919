"""What the server is told by its surroundings: secrets from the environment, never from a file of ours."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from gis.errors import LamplightError

FEWEST_CHARACTERS = 32


class SettingsError(LamplightError, ValueError):
    """The environment lacks what a server needs, or says something impossible."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server runs.

    store : the address of the city's store. secret : from which every key of the server is derived.
    proxies : how many proxies stand before it and may say who asks. secure : whether it is reached by https alone.
    tianditu_key : of the base map, "" where none is shown; it never leaves the server.
    demo : whether it serves the fictional city, with accounts whose passwords are printed.
    """

    store: str
    secret: str
    proxies: int = 0
    secure: bool = True
    tianditu_key: str = ""
    demo: bool = False


def settings_from(environment: Mapping[str, str], store: str, *, demo: bool = False) -> Settings:
    """Return the settings that the environment's LAMPLIGHT_* variables give.

    demo : a secret is made up for this one start, and plain http is allowed.
    Raises SettingsError where LAMPLIGHT_SECRET is absent or short, or LAMPLIGHT_PROXIES is no small number.
    """
    secret = secrets.token_urlsafe(48) if demo else environment.get("LAMPLIGHT_SECRET", "")
    if len(secret) < FEWEST_CHARACTERS:
        raise SettingsError(
            f"环境变量 LAMPLIGHT_SECRET 缺失或过短（至少 {FEWEST_CHARACTERS} 个字符）",
            f"the environment variable LAMPLIGHT_SECRET is missing or short (at least {FEWEST_CHARACTERS} characters)",
        )
    proxies = environment.get("LAMPLIGHT_PROXIES", "0")
    if not (proxies.isascii() and proxies.isdigit() and int(proxies) <= 5):
        raise SettingsError(
            f"LAMPLIGHT_PROXIES 应为 0 至 5：{proxies}", f"LAMPLIGHT_PROXIES must be 0 to 5, got {proxies!r}"
        )
    insecure = environment.get("LAMPLIGHT_PLAIN_HTTP", "") == "yes"
    key = environment.get("LAMPLIGHT_TIANDITU_KEY", "")
    return Settings(store, secret, int(proxies), not (demo or insecure), key, demo)
