"""The command line's verbs of accounts and of the audit log."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import account_verbs
from lamplight import main
from layers.accounts import credentials
from layers.report_states import RECEIVERS
from layers.roles import ROLES
from layers.store import Store
from web.server.passwords import must_change, password_fits

CITY = "320100000000"


@pytest.fixture
def address(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'city.sqlite'}"
    store = Store(address)
    store.create()
    store.close()
    return address


def run(address: str, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(main, [*words, "--db", address])
    return found.exit_code, found.output


def told(address: str, *words: str) -> Any:
    code, said = run(address, *words, "--json")
    assert code == 0, said
    return json.loads(said)


def test_the_words_held_here_are_the_layers() -> None:
    assert tuple(ROLES) == account_verbs.ROLES
    assert tuple(RECEIVERS) == account_verbs.RECEIVERS


def test_an_account_is_added_with_a_password_that_is_told_once(address: str) -> None:
    words = ["account", "add", "boss", "--role", "administrator", "--area", "3201", "--name", "主任"]
    made = told(address, *words)
    assert (made["username"], made["area_code"], made["once"]) == ("boss", CITY, True)
    store = Store(address)
    kept = credentials(store, "boss")
    assert kept is not None and password_fits(kept.password_hash, made["password"]) and must_change(kept.password_hash)
    assert made["password"] not in run(address, "account", "list")[1]
    again = told(address, "account", "password", "boss")
    changed = credentials(store, "boss")
    assert changed is not None and password_fits(changed.password_hash, again["password"])
    assert changed.uniquifier != kept.uniquifier
    code, said = run(address, *words)
    assert code == 2 and "taken" in said and len(said.splitlines()) == 1
    store.close()


def test_an_account_is_closed_listed_and_unknown_ones_refused(address: str) -> None:
    told(address, "account", "add", "h1", "--role", "partner", "--receiver", "hospital", "--area", CITY, "--name", "医")
    assert told(address, "account", "list")["accounts"][0]["state"] == "active"
    told(address, "account", "deactivate", "h1")
    told(address, "account", "unlock", "h1")
    assert told(address, "account", "list")["accounts"][0]["state"] == "closed"
    for verb in ("password", "deactivate", "unlock"):
        assert run(address, "account", verb, "nobody")[0] == 2


def test_a_changed_log_is_found_and_a_shortened_one_by_its_anchor(address: str) -> None:
    for name in ("aa", "bb", "cc"):
        told(address, "account", "add", name, "--role", "planner", "--area", CITY, "--name", name)
    whole = told(address, "audit", "verify")
    assert whole["entries"] == 3 and whole["problems"] == []
    assert told(address, "audit", "verify", "--expect", whole["anchor"])["problems"] == []
    assert run(address, "audit", "verify", "--expect", f"3:{'0' * 64}")[0] == 2
    assert run(address, "audit", "verify", "--expect", "yesterday")[0] == 2
    store = Store(address)
    with store.transaction(writes=True) as connection:
        triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").all()
        for (name,) in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE audit_entry SET object = 'account:9' WHERE number = 2")
    store.close()
    code, said = run(address, "audit", "verify")
    assert code == 2 and "entry 2: edited" in said
