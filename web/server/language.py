"""Chinese, and English one click away: texts are written in Chinese; catalogues hold what they are in English."""

import io
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, g, has_request_context, request
from flask_babel import Babel

from gis.errors import LamplightError

LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT = "zh"
COOKIE = "language"
FOLDER = Path(__file__).parent / "translations"
#: How libraries' own catalogues call the languages.
_LOCALES = {"zh": "zh_Hans_CN", "en": "en"}


def language() -> str:
    """Return the language of the request: as chosen by its reader, else Chinese."""
    if not has_request_context():
        return DEFAULT
    if "language" not in g:
        chosen = request.cookies.get(COOKIE, DEFAULT)
        g.language = chosen if chosen in LANGUAGES else DEFAULT
    return str(g.language)


def _(text: str, **values: Any) -> str:
    """Return ``text``, which is Chinese, in the language of the request, its %(names)s filled in.

    Where a catalogue has a singular and a plural, the first of the values decides.
    """
    spoken = catalogue(language())
    found = spoken.gettext(text)
    if not values:
        return found
    several = spoken.ngettext(text, text, 2) if str(next(iter(values.values()))) != "1" else text
    return (found if several == text else several) % values


def said(words: tuple[str, str] | LamplightError) -> str:
    """Return words in both languages, or an error, in that of the request; in Chinese where there are no others."""
    zh, en = words[:2] if isinstance(words, tuple) else (words.zh, words.en)
    return zh if language() == "zh" else en or zh


@lru_cache(maxsize=4)
def catalogue(wanted: str) -> NullTranslations:
    """Return the texts of a language, from every file of its folder together."""
    if wanted == DEFAULT:
        return NullTranslations()
    merged = Catalog(locale=wanted)
    for path in sorted((FOLDER / wanted).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=wanted):
                if message.id:
                    merged[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return GNUTranslations(compiled)


def speak(app: Flask) -> None:
    """Give templates the reader's language, and libraries theirs."""
    Babel(app, locale_selector=lambda: _LOCALES[language()])
    app.jinja_env.globals.update(_=_, gettext=_, language=language, languages=LANGUAGES)
