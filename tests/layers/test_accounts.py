"""Accounts: managed inside one's own area only, locked after failures, signed in by sessions and tokens that end."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gis.errors import StoreError
from layers.accounts import (
    Account,
    NewAccount,
    UnknownAccountError,
    UsedUpError,
    account,
    accounts,
    change_account,
    clear_failures,
    count_failure,
    create_account,
    credentials,
    credentials_by_uniquifier,
    deactivate,
    partners_for,
    reactivate,
    set_credentials,
)
from layers.audit import entries
from layers.audit_check import verify
from layers.connection import transaction
from layers.faults import FaultsError
from layers.roles import NotAllowedError
from layers.schema import ACCOUNT, API_TOKEN, SESSION
from layers.scope import NOWHERE, Scope
from layers.sessions import (
    create_token,
    find_by_token,
    open_session,
    revoke_session,
    revoke_token,
    session_id,
    sessions,
    tokens,
    touch_session,
)
from layers.store import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CITY, DISTRICT, SUBDISTRICT, OTHER = "320100000000", "320102000000", "320102002000", "320104000000"


def new(username: str, role: str = "grid_worker", area_code: str = SUBDISTRICT, receiver: str = "") -> NewAccount:
    return NewAccount(username, username, role, area_code, f"hash of {username}", f"unique {username}", receiver)


def made(store: Store, username: str, role: str = "grid_worker", area_code: str = SUBDISTRICT, **more: str) -> Account:
    return create_account(store, new(username, role, area_code, **more), by=None, now=NOW)


@pytest.fixture
def chief(store: Store) -> Account:
    """The administrator of a district."""
    return made(store, "chief", "administrator", DISTRICT)


@pytest.fixture
def mine(store: Store) -> Store:
    return store.within(Scope.of(DISTRICT))


def test_an_account_is_kept_without_any_secret_in_it(store: Store) -> None:
    kept = made(store, " Zhang.San ")
    assert (kept.username, kept.active, kept.failures, kept.has_second_factor) == ("zhang.san", True, 0, False)
    assert account(store, kept.id) == kept and kept.created_at == NOW
    assert "hash" not in repr(kept)
    found = credentials(store, "ＺＨＡＮＧ.san")
    assert found is not None and (found.account, found.password_hash) == (kept, "hash of  Zhang.San ")
    assert credentials_by_uniquifier(store, found.uniquifier) == found
    assert credentials(store, "nobody") is None


def test_all_faults_of_an_account_come_at_once(store: Store) -> None:
    with pytest.raises(FaultsError) as refused:
        create_account(store, NewAccount("a b", "", "king", "32", "", "", "shop"), by=None, now=NOW)
    assert set(refused.value.faults) == {"username", "name", "role", "receiver", "area_code"}
    for role, receiver in (("partner", ""), ("planner", "hospital")):
        with pytest.raises(FaultsError):
            create_account(store, new("x1", role, CITY, receiver), by=None, now=NOW)


def test_a_username_is_taken_once_in_the_whole_city(mine: Store, store: Store, chief: Account) -> None:
    made(store, "li", area_code=OTHER)
    with pytest.raises(FaultsError) as refused:
        create_account(mine, new("LI"), by=chief, now=NOW)
    assert set(refused.value.faults) == {"username"}


def test_an_administrator_makes_accounts_in_its_area_and_below_and_nowhere_else(
    mine: Store, store: Store, chief: Account
) -> None:
    assert create_account(mine, new("w1"), by=chief, now=NOW).area_code == SUBDISTRICT
    assert create_account(mine, new("w2", "administrator", DISTRICT), by=chief, now=NOW).role == "administrator"
    for area_code in (CITY, OTHER):
        for through in (mine, store):
            with pytest.raises(NotAllowedError):
                create_account(through, new("w3", area_code=area_code), by=chief, now=NOW)
    with pytest.raises(NotAllowedError):
        create_account(mine, new("w3"), by=None, now=NOW)
    for role in ("planner", "supervisor", "grid_worker", "guidance_centre"):
        with pytest.raises(NotAllowedError):
            create_account(mine, new("w3"), by=replace(chief, role=role), now=NOW)


def test_accounts_outside_the_area_do_not_exist_for_an_administrator(mine: Store, store: Store, chief: Account) -> None:
    inside, outside = made(store, "in"), made(store, "out", area_code=OTHER)
    assert [a.username for a in accounts(mine)] == ["chief", "in"]
    assert [a.username for a in accounts(mine, role="grid_worker", active=True)] == ["in"]
    assert accounts(store.within(NOWHERE)) == []
    for attempt in (
        lambda: account(mine, outside.id),
        lambda: change_account(mine, outside.id, by=chief, now=NOW, changes={"name": "x"}),
        lambda: deactivate(mine, outside.id, by=chief, now=NOW),
        lambda: reactivate(mine, outside.id, by=chief, now=NOW),
        lambda: set_credentials(mine, outside.id, by=chief, now=NOW, changes={"password_hash": "x"}),
        lambda: clear_failures(mine, outside.id, by=chief, now=NOW),
        lambda: sessions(mine, outside.id),
        lambda: tokens(mine, outside.id),
    ):
        with pytest.raises(UnknownAccountError):
            attempt()
    with pytest.raises(NotAllowedError):  # the same through a store that sees everything
        deactivate(store, outside.id, by=chief, now=NOW)
    assert account(mine, inside.id) == inside


def test_a_change_is_checked_and_never_lifts_an_account_above_who_makes_it(mine: Store, chief: Account) -> None:
    worker = create_account(mine, new("ww1"), by=chief, now=NOW)
    changed = change_account(mine, worker.id, by=chief, now=NOW, changes={"role": "supervisor", "name": "王五"})
    assert (changed.role, changed.name, changed.area_code) == ("supervisor", "王五", SUBDISTRICT)
    with pytest.raises(NotAllowedError):
        change_account(mine, worker.id, by=chief, now=NOW, changes={"area_code": CITY})
    with pytest.raises(NotAllowedError):
        change_account(mine, chief.id, by=chief, now=NOW, changes={"role": "supervisor"})
    with pytest.raises(FaultsError):
        change_account(mine, worker.id, by=chief, now=NOW, changes={"role": "king"})
    with pytest.raises(KeyError):
        change_account(mine, worker.id, by=chief, now=NOW, changes={"password_hash": "x"})
    assert change_account(mine, chief.id, by=chief, now=NOW, changes={"name": "主任"}).name == "主任"
    assert account(mine, worker.id) == changed


def test_a_closed_account_is_signed_out_everywhere_and_can_be_opened_again(
    mine: Store, store: Store, chief: Account
) -> None:
    worker = made(store, "ww1")
    word = open_session(store, worker.id, device="Firefox", now=NOW)
    _, token = create_token(store, worker.id, name="qgis", by=worker, now=NOW)
    assert touch_session(store, word, now=NOW) == worker and find_by_token(store, token, now=NOW) == worker
    deactivate(mine, worker.id, by=chief, now=NOW)
    assert touch_session(store, word, now=NOW) is None and find_by_token(store, token, now=NOW) is None
    with pytest.raises(UnknownAccountError):
        open_session(store, worker.id, device="", now=NOW)
    with pytest.raises(NotAllowedError):
        deactivate(mine, chief.id, by=chief, now=NOW)
    reactivate(mine, worker.id, by=chief, now=NOW)
    assert account(store, worker.id).active and touch_session(store, word, now=NOW) is None


def test_the_fifth_failure_locks_and_each_further_one_for_longer(store: Store) -> None:
    worker, at = made(store, "ww1"), NOW
    for _ in range(4):
        assert not count_failure(store, worker.id, now=at).locked(at)
    for minutes in (15, 30, 60, 120, 240, 480, 960, 1440, 1440):
        found = count_failure(store, worker.id, now=at)
        assert found.locked_until == at + timedelta(minutes=minutes)
        assert count_failure(store, worker.id, now=at) == found
        at = at + timedelta(minutes=minutes)
        assert not found.locked(at)
    clear_failures(store, worker.id, now=at)
    assert account(store, worker.id) == worker


def test_failures_at_the_same_moment_are_all_counted(store: Store) -> None:
    worker = made(store, "ww1")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count_failure(store, worker.id, now=NOW), range(4)))
    assert account(store, worker.id).failures == 4


def test_an_administrator_unlocks(mine: Store, store: Store, chief: Account) -> None:
    worker = made(store, "ww1")
    for _ in range(5):
        count_failure(store, worker.id, now=NOW)
    with pytest.raises(NotAllowedError):
        clear_failures(store, worker.id, by=worker, now=NOW)
    clear_failures(mine, worker.id, by=chief, now=NOW)
    assert not account(store, worker.id).locked(NOW)
    assert entries(store)[0].action == "unlock_account"


def test_credentials_are_set_by_oneself_or_an_administrator(mine: Store, store: Store, chief: Account) -> None:
    worker, colleague = made(store, "ww1"), made(store, "cc1", "supervisor", DISTRICT)
    word = open_session(store, worker.id, device="", now=NOW)
    set_credentials(store, worker.id, by=worker, now=NOW, changes={"totp_secret": "s", "recovery_codes": "[]"})
    assert account(store, worker.id).has_second_factor and touch_session(store, word, now=NOW) is not None
    with pytest.raises(NotAllowedError):
        set_credentials(store, worker.id, by=colleague, now=NOW, changes={"totp_secret": None})
    changes = {"password_hash": "new", "uniquifier": "other", "totp_secret": None}
    set_credentials(mine, worker.id, by=chief, now=NOW, changes=changes)
    assert touch_session(store, word, now=NOW) is None
    found = credentials(store, "ww1")
    assert found is not None and (found.password_hash, found.totp_secret) == ("new", None)
    with pytest.raises(KeyError):
        set_credentials(mine, worker.id, by=chief, now=NOW, changes={"role": "administrator"})


def test_a_code_that_counts_once_counts_once_at_the_same_moment_too(store: Store) -> None:
    worker = made(store, "ww")
    known = credentials(store, "ww")

    def use(i: int) -> bool:
        try:
            changes = {"recovery_codes": f"left after {i}"}
            set_credentials(store, worker.id, by=worker, now=NOW, changes=changes, known=known)
        except UsedUpError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))).count(True) == 1


def test_a_session_ends_when_idle_when_old_and_when_revoked(mine: Store, store: Store, chief: Account) -> None:
    worker = made(store, "ww1")
    word = open_session(store, worker.id, device="Firefox · Windows", now=NOW)
    assert touch_session(store, "other", now=NOW) is None
    (kept,) = sessions(store, worker.id)
    assert (kept.id, kept.device, kept.seen_at) == (session_id(word), "Firefox · Windows", NOW)
    later = NOW + timedelta(hours=11)
    assert touch_session(store, word, now=NOW + timedelta(seconds=30)) == worker
    assert sessions(store, worker.id)[0].seen_at == NOW
    assert touch_session(store, word, now=later) == worker
    assert sessions(store, worker.id)[0].seen_at == later
    assert touch_session(store, word, now=NOW + timedelta(hours=12)) == worker
    assert touch_session(store, word, now=NOW + timedelta(hours=12, seconds=1)) is None
    office = open_session(store, chief.id, device="", now=NOW)
    for half_hours in range(1, 5):
        assert touch_session(store, office, now=NOW + half_hours * timedelta(minutes=30)) == chief
    assert touch_session(store, office, now=NOW + timedelta(hours=2, minutes=30, seconds=1)) is None
    second = open_session(store, worker.id, device="", now=NOW)
    with pytest.raises(NotAllowedError):
        revoke_session(store, session_id(second), by=made(store, "xx1", "supervisor"), now=NOW)
    revoke_session(mine, session_id(second), by=chief, now=NOW)
    assert touch_session(store, second, now=NOW) is None


def test_a_token_is_shown_once_kept_as_a_hash_and_ends(mine: Store, store: Store, chief: Account) -> None:
    worker = made(store, "ww1")
    token, word = create_token(store, worker.id, name="QGIS", by=worker, now=NOW, lasts=timedelta(days=1))
    assert find_by_token(store, word, now=NOW + timedelta(hours=23)) == worker
    assert find_by_token(store, word, now=NOW + timedelta(days=1)) is None
    assert find_by_token(store, word[:-1], now=NOW) is None
    assert tokens(store, worker.id) == [token]
    for name, lasts in (("", timedelta(days=1)), ("x", timedelta(days=367)), ("x", timedelta(0))):
        with pytest.raises(FaultsError):
            create_token(store, worker.id, name=name, by=worker, now=NOW, lasts=lasts)
    with pytest.raises(NotAllowedError):
        create_token(mine, worker.id, name="x", by=chief, now=NOW)
    revoke_token(mine, token.id, by=chief, now=NOW)
    assert find_by_token(store, word, now=NOW) is None
    with pytest.raises(UnknownAccountError):
        revoke_token(store, 99, by=worker, now=NOW)


def test_no_secret_is_kept_as_it_is(store: Store) -> None:
    worker = made(store, "ww1")
    words = [open_session(store, worker.id, device="", now=NOW)]
    words.append(create_token(store, worker.id, name="x", by=worker, now=NOW)[1])
    with transaction(store._engine) as connection:
        kept = "".join(str(row) for table in (SESSION, API_TOKEN) for row in connection.execute(sa.select(table)))
    assert not any(word in kept for word in words)


def test_partners_above_an_area_serve_it_and_are_seen_from_it(store: Store) -> None:
    hospital = made(store, "hh1", "partner", CITY, receiver="hospital")
    station = made(store, "ss1", "partner", SUBDISTRICT, receiver="rescue_station")
    made(store, "elsewhere", "partner", OTHER, receiver="police")
    closed = made(store, "closed", "partner", CITY, receiver="police")
    deactivate(store, closed.id, by=made(store, "aa1", "administrator", CITY), now=NOW)
    scoped = store.within(Scope.of(SUBDISTRICT))
    assert [p.id for p in partners_for(scoped, SUBDISTRICT)] == [hospital.id, station.id]
    assert [p.id for p in partners_for(scoped, DISTRICT)] == [hospital.id]


def test_every_change_is_in_the_audit_log_without_names(mine: Store, store: Store, chief: Account) -> None:
    worker = create_account(mine, new("ww1"), by=chief, now=NOW)
    word = open_session(store, worker.id, device="d", now=NOW)
    token, _ = create_token(store, worker.id, name="t", by=worker, now=NOW)
    change_account(mine, worker.id, by=chief, now=NOW, changes={"name": "王五"})
    set_credentials(store, worker.id, by=worker, now=NOW, changes={"totp_secret": "x"})
    count_failure(store, worker.id, now=NOW)
    clear_failures(store, worker.id, now=NOW)
    revoke_session(store, session_id(word), by=worker, now=NOW)
    revoke_token(store, token.id, by=worker, now=NOW)
    deactivate(mine, worker.id, by=chief, now=NOW)
    reactivate(mine, worker.id, by=chief, now=NOW)
    written = entries(store, object=f"account:{worker.id}")[::-1]
    assert [(e.action, e.account_id) for e in written] == [
        ("create_account", chief.id), ("sign_in", worker.id), ("create_token", worker.id), ("change_account", chief.id),
        ("set_credentials", worker.id), ("sign_in_failed", None), ("forget_failures", None),
        ("revoke_session", worker.id), ("revoke_token", worker.id), ("deactivate_account", chief.id),
        ("reactivate_account", chief.id),
    ]  # fmt: skip
    assert {e.area_code for e in written} == {SUBDISTRICT}
    assert verify(store).problems == ()


@pytest.mark.postgis
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_postgresql_itself_keeps_sessions_and_tokens_of_other_areas_apart(store: Store) -> None:
    worker = made(store, "ww1", area_code=OTHER)
    open_session(store, worker.id, device="", now=NOW)
    create_token(store, worker.id, name="x", by=worker, now=NOW)
    with transaction(store._engine, scope=Scope.of(DISTRICT)) as connection:
        for table in (ACCOUNT, SESSION, API_TOKEN):
            assert connection.execute(sa.select(table)).all() == []
    with pytest.raises(StoreError), transaction(store._engine, writes=True, scope=Scope.of(DISTRICT)) as connection:
        connection.execute(sa.delete(ACCOUNT))
