"""What the server is told by its surroundings: secrets from the environment, never from a file of ours."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from gis.errors import LamplightError

FEWEST_CHARACTERS = 32
#: A host's name or IPv4 address; with a dot before it, those below it too.
_HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*")


class SettingsError(LamplightError, ValueError):
    """The environment lacks what a server needs, or says something impossible."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How one server runs.

    store : the address of the city's store. secret : from which every key of the server is derived.
    proxies : how many proxies stand before it and may say who asks. secure : whether it is reached by https alone.
    tianditu_key : of the base map, "" where none is shown; it never leaves the server.
    demo : whether it serves the fictional city, with accounts whose passwords are printed.
    hosts : the names it is reached by, whatever the port; a name that begins with a dot holds those below it too.
    Any name where there are none.
    """

    store: str
    secret: str
    proxies: int = 0
    secure: bool = True
    tianditu_key: str = ""
    demo: bool = False
    hosts: tuple[str, ...] = ()


def settings_from(environment: Mapping[str, str], store: str, *, demo: bool = False) -> Settings:
    """Return the settings that the environment's LAMPLIGHT_* variables give.

    demo : a secret is made up for this one start, and plain http is allowed.
    Raises SettingsError where LAMPLIGHT_SECRET is absent or short, LAMPLIGHT_PROXIES is no small number, or a name in
    LAMPLIGHT_HOSTS is none.
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
    hosts = tuple(name.strip().lower() for name in environment.get("LAMPLIGHT_HOSTS", "").split(",") if name.strip())
    wrong = [name for name in hosts if not _HOST.fullmatch(name)]
    if wrong:
        raise SettingsError(
            f"LAMPLIGHT_HOSTS 应为以逗号分隔的主机名，不含端口：{wrong[0]}",
            f"LAMPLIGHT_HOSTS takes names of hosts without ports, separated by commas, got {wrong[0]!r}",
        )
    return Settings(store, secret, int(proxies), not (demo or insecure), key, demo, hosts)
