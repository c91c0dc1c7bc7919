"""Every text of the server's pages is there in English, and no catalogue holds texts that no page has."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask import Flask

from web.server.language import COOKIE, FOLDER, _

SERVER = FOLDER.parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
PLACEHOLDER = re.compile(r"%\(\w+\)[^a-zA-Z]*[a-zA-Z]")
FILES = sorted((FOLDER / "en").glob("*.po"))


def said() -> dict[str, str]:
    """Every text marked for translation, and where it stands."""
    found = extract_from_dir(str(SERVER), method_map=METHODS, keywords={"_": None})
    return {text: f"{name}:{line}" for name, line, text, *_ in found if isinstance(text, str)}


def named_in_records() -> set[str]:
    """Names that pages take from the records' own vocabularies, as in ``_(ROLES[role].zh)``."""
    files = [*(SERVER.parents[1] / "layers").glob("*.py"), *SERVER.glob("*.py")]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def translated(path: Path) -> dict[str, tuple[str, ...]]:
    """English of every Chinese text: one, or a singular and a plural."""
    with path.open("rb") as file:
        found = [message for message in read_po(file, locale="en") if message.id]
    return {
        one.id[0] if one.pluralizable else one.id: tuple(one.string) if one.pluralizable else (one.string,)
        for one in found
    }


def test_every_text_has_its_english() -> None:
    english = {text: en for path in FILES for text, en in translated(path).items()}
    missing = {text: where for text, where in said().items() if not all(english.get(text, [""]))}
    assert missing == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_catalogue_keeps_what_no_page_says(path: Path) -> None:
    assert set(translated(path)) - set(said()) - named_in_records() == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_english_fills_in_what_chinese_fills_in(path: Path) -> None:
    for text, forms in translated(path).items():
        for english in forms:
            assert Counter(PLACEHOLDER.findall(text)) == Counter(PLACEHOLDER.findall(english)), text


def test_two_catalogues_do_not_contradict_each_other() -> None:
    meanings: dict[str, set[tuple[str, ...]]] = {}
    for path in FILES:
        for text, english in translated(path).items():
            meanings.setdefault(text, set()).add(english)
    assert {text: found for text, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("chosen", "one", "several"), [("en", "1 day ago", "3 days ago"), ("zh", "1 天前", "3 天前")])
def test_one_is_not_said_as_several_are(chosen: str, one: str, several: str) -> None:
    app = Flask(__name__)
    with app.test_request_context(headers={"Cookie": f"{COOKIE}={chosen}"}):
        assert [_("%(days)d 天前", days=days) for days in (1, 3)] == [one, several]
