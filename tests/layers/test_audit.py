"""The audit log: chained on both databases alike, and every way of tampering with it found and named."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from gis.errors import RecordError, StoreError
from layers.audit import FIELDS, GENESIS, append, chained, entries
from layers.audit_check import AuditReport, parse_anchor, verify
from layers.connection import transaction
from layers.schema import AUDIT_ENTRY, AUDIT_HEAD
from layers.scope import Scope
from layers.store import Store

NOW = datetime(2026, 3, 1, 4, 5, 6, 789, tzinfo=UTC)
HERE, ELSEWHERE = "320102002000", "320104000000"
E, H = AUDIT_ENTRY.c, AUDIT_HEAD.c


def write(store: Store, count: int, *, area_code: str = HERE, first: int = 0) -> None:
    for i in range(first, first + count):
        with store.transaction(writes=True) as connection:
            append(
                connection, at=NOW + timedelta(seconds=i), account_id=i or None, action="move", object=f"report:{i}",
                area_code=area_code, detail={"to": "verified", "version": i},
            )  # fmt: skip


@pytest.fixture
def ten(store: Store) -> Store:
    write(store, 10)
    return store


def found(store: Store, **options: tuple[int, str]) -> list[tuple[str, int, int]]:
    return [(p.kind, p.number, p.last) for p in verify(store, **options).problems]


def change(store: Store, *statements: sa.Executable) -> None:
    with transaction(store._engine, writes=True) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(connection: Connection) -> list[dict[str, object]]:
    return [dict(row._mapping) for row in connection.execute(sa.select(AUDIT_ENTRY).order_by(E.number))]


def rearrange(store: Store, order: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
    """Write the log's rows back in another order, numbered anew."""
    with transaction(store._engine, writes=True) as connection:
        again = order(rows(connection))
        connection.execute(sa.delete(AUDIT_ENTRY))
        connection.execute(sa.insert(AUDIT_ENTRY), [{**row, "number": n} for n, row in enumerate(again, 1)])


def rechained(store: Store, row: dict[str, object], previous: str) -> dict[str, object]:
    return {**row, "previous_sha256": previous, "sha256": chained(previous, **{name: row[name] for name in FIELDS})}


def test_an_empty_log_and_a_log_as_written_verify(store: Store) -> None:
    assert verify(store) == AuditReport(0, GENESIS, ())
    write(store, 3)
    report = verify(store)
    assert (report.entries, report.problems) == (3, ())
    assert verify(store, expect=(3, report.last_sha256)).problems == ()


def test_both_databases_chain_the_same_words_into_the_same_hash(store: Store) -> None:
    with store.transaction(writes=True) as connection:
        for at, account_id in ((NOW, None), (NOW.replace(microsecond=0), 7)):
            append(
                connection, at=at, account_id=account_id, action='读"\\\n\t\x01/é😀', object="x", area_code=HERE,
                detail={"b": 2, "a": "z"},
            )  # fmt: skip
    report = verify(store)
    assert report.problems == ()
    rest = r'"读\"\\\n\t\u0001/é😀", "x", "320102002000", "{\"a\": \"z\", \"b\": 2}"]'
    first = hashlib.sha256((GENESIS + '["2026-03-01T04:05:06.000789", null, ' + rest).encode()).hexdigest()
    second = hashlib.sha256((first + '["2026-03-01T04:05:06.000000", 7, ' + rest).encode()).hexdigest()
    assert report.last_sha256 == second


def test_entries_come_newest_first_by_page_and_by_filter(ten: Store) -> None:
    assert [e.number for e in entries(ten, limit=3)] == [10, 9, 8]
    assert [e.number for e in entries(ten, limit=3, before=8)] == [7, 6, 5]
    assert [e.number for e in entries(ten, object="report:4")] == [5]
    assert [e.number for e in entries(ten, account_id=4, action="move")] == [5]
    assert entries(ten, action="other") == []
    first = entries(ten)[-1]
    assert (first.at, first.account_id, first.detail) == (NOW, None, {"to": "verified", "version": 0})


def test_a_scoped_store_sees_the_entries_of_its_area_and_cannot_verify(ten: Store) -> None:
    write(ten, 2, area_code=ELSEWHERE, first=10)
    assert len(entries(ten.within(Scope.of(HERE)))) == 10
    assert len(entries(ten.within(Scope.of(ELSEWHERE)))) == 2
    with pytest.raises(StoreError):
        verify(ten.within(Scope.of(HERE)))


def test_a_scoped_store_appends_to_the_chain_it_cannot_see(ten: Store) -> None:
    write(ten.within(Scope.of(ELSEWHERE)), 2, area_code=ELSEWHERE)
    report = verify(ten)
    assert (report.entries, report.problems) == (12, ())


def test_writers_at_the_same_moment_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda worker: write(store, 5, first=5 * worker), range(8)))
    report = verify(store)
    assert (report.entries, report.problems) == (40, ())


def test_an_entry_rolled_back_leaves_no_trace(ten: Store) -> None:
    with pytest.raises(RecordError), ten.transaction(writes=True) as connection:
        append(connection, at=NOW, account_id=1, action="a", object="b", area_code=HERE)
        raise RecordError("不", "no")
    write(ten, 1)
    assert (verify(ten).entries, found(ten)) == (11, [])


@pytest.mark.parametrize(
    "values",
    [
        {"at": datetime(2026, 1, 1)}, {"account_id": 99}, {"account_id": None}, {"action": "x"},
        {"object": "report:99"}, {"area_code": ELSEWHERE}, {"detail": "{}"}, {"sha256": "f" * 64},
        {"previous_sha256": "f" * 64},
    ],
    ids=str,
)  # fmt: skip
def test_an_edited_entry_is_named(ten: Store, values: dict[str, object]) -> None:
    change(ten, sa.update(AUDIT_ENTRY).where(E.number == 5).values(values))
    assert found(ten) == [("edited", 5, 5)]


def test_an_entry_edited_together_with_its_hash_is_named(ten: Store) -> None:
    def forge(written: list[dict[str, object]]) -> list[dict[str, object]]:
        forged = rechained(ten, {**written[4], "action": "x"}, str(written[3]["sha256"]))
        return [*written[:4], forged, *written[5:]]

    rearrange(ten, forge)
    assert found(ten) == [("edited", 5, 5)]


def test_the_last_entry_edited_together_with_its_hash_is_named(ten: Store) -> None:
    rearrange(ten, lambda w: [*w[:9], rechained(ten, {**w[9], "action": "x"}, str(w[8]["sha256"]))])
    assert found(ten) == [("edited", 10, 10)]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (5, 5), (4, 6), (10, 10), (8, 10), (1, 10)])
def test_dropped_entries_are_named_from_the_end_too(ten: Store, first: int, last: int) -> None:
    change(ten, sa.delete(AUDIT_ENTRY).where(E.number.between(first, last)))
    assert found(ten) == [("dropped", first, last)]


def test_a_dropped_entry_is_named_when_the_rest_was_numbered_anew(ten: Store) -> None:
    rearrange(ten, lambda written: [*written[:4], *written[5:]])
    assert found(ten) == [("dropped", 5, 5)]


def test_what_is_dropped_from_the_end_with_the_count_is_found_by_an_anchor_kept_outside(ten: Store) -> None:
    anchor = (10, verify(ten).last_sha256)
    with transaction(ten._engine, writes=True) as connection:
        eighth = connection.scalar(sa.select(E.sha256).where(E.number == 8))
    change(
        ten,
        sa.delete(AUDIT_ENTRY).where(E.number > 8),
        sa.update(AUDIT_HEAD).values(entries=8, sha256=eighth),
    )
    assert found(ten) == []
    assert found(ten, expect=anchor) == [("dropped", 9, 10)]


def test_a_log_written_anew_from_end_to_end_is_found_by_an_anchor_kept_outside(ten: Store) -> None:
    anchor = (7, entries_hash(ten, 7))
    with transaction(ten._engine, writes=True) as connection:
        connection.execute(sa.delete(AUDIT_ENTRY))
        connection.execute(sa.delete(AUDIT_HEAD))
    write(ten, 10, first=100)
    assert found(ten) == []
    assert found(ten, expect=anchor) == [("edited", 7, 7)]


def entries_hash(store: Store, number: int) -> str:
    with transaction(store._engine) as connection:
        return str(connection.scalar(sa.select(E.sha256).where(E.number == number)))


def test_an_entry_put_in_is_named_whether_chained_well_or_not(ten: Store) -> None:
    def put_in(written: list[dict[str, object]]) -> list[dict[str, object]]:
        return [*written[:5], rechained(ten, {**written[0], "action": "x"}, str(written[4]["sha256"])), *written[5:]]

    rearrange(ten, put_in)
    assert found(ten) == [("inserted", 6, 6)]
    rearrange(ten, lambda written: [*written[:5], {**written[5], "previous_sha256": "0" * 64}, *written[6:]])
    assert found(ten) == [("inserted", 6, 6)]


def test_an_entry_put_in_at_the_end_is_named(ten: Store) -> None:
    rearrange(ten, lambda w: [*w, rechained(ten, w[2], str(w[9]["sha256"]))])
    assert found(ten) == [("inserted", 11, 11)]
    change(ten, sa.delete(AUDIT_HEAD))
    assert found(ten) == [("inserted", 1, 11)]


def test_reordered_entries_are_named(ten: Store) -> None:
    rearrange(ten, lambda w: [*w[:4], w[5], w[4], *w[6:]])
    assert found(ten) == [("reordered", 5, 6)]
    rearrange(ten, lambda w: [*w[:4], w[5], w[4], *w[6:]])
    assert found(ten) == []
    rearrange(ten, lambda w: [*w[:2], *w[3:9], w[2], w[9]])
    assert found(ten) == [("reordered", 3, 9)]


def test_the_newest_entries_swapped_are_named(ten: Store) -> None:
    rearrange(ten, lambda w: [*w[:8], w[9], w[8]])
    assert found(ten) == [("reordered", 9, 10)]


def test_several_kinds_of_tampering_are_told_apart(ten: Store) -> None:
    change(
        ten,
        sa.update(AUDIT_ENTRY).where(E.number == 2).values(action="x"),
        sa.delete(AUDIT_ENTRY).where(E.number == 4),
        sa.delete(AUDIT_ENTRY).where(E.number == 10),
    )
    rearranged = [("edited", 2, 2), ("dropped", 4, 4), ("dropped", 10, 10)]
    assert found(ten) == rearranged


def test_a_problem_is_a_sentence_in_both_languages(ten: Store) -> None:
    change(ten, sa.delete(AUDIT_ENTRY).where(E.number.between(4, 6)))
    (problem,) = verify(ten).problems
    assert (problem.zh, problem.en) == ("第 4 至 6 条记录缺失", "entry 4 to 6: missing")


def test_a_log_longer_than_a_page_verifies_and_problems_are_listed_up_to_a_thousand(sqlite_store: Store) -> None:
    with sqlite_store.transaction(writes=True) as connection:
        for i in range(10_050):
            append(connection, at=NOW, account_id=i, action="a", object="b", area_code=HERE)
    assert (verify(sqlite_store).entries, found(sqlite_store)) == (10_050, [])
    change(sqlite_store, sa.update(AUDIT_ENTRY).where(E.number > 10_040).values(action="x"))
    assert found(sqlite_store) == [("edited", n, n) for n in range(10_041, 10_051)]
    change(sqlite_store, sa.update(AUDIT_ENTRY).values(action="x"))
    report = verify(sqlite_store)
    assert (len(report.problems), report.unlisted) == (1_000, 9_050)


def test_details_hold_ids_and_words_and_nothing_anybody_wrote(sqlite_store: Store) -> None:
    for detail in ({"note": "张三 13800000000"}, {"note": "a b"}):
        with pytest.raises(ValueError, match="ids and words"), sqlite_store.transaction(writes=True) as connection:
            append(connection, at=NOW, account_id=1, action="a", object="b", area_code=HERE, detail=detail)


def test_an_anchor_is_a_number_and_a_hash() -> None:
    assert parse_anchor(f"12:{'A' * 64}") == (12, "a" * 64)
    for wrong in ("12", "12:ab", f"x:{'a' * 64}", f"-1:{'a' * 64}"):
        with pytest.raises(RecordError):
            parse_anchor(wrong)


@pytest.mark.postgis
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "INSERT INTO audit_entry SELECT number + 1, at, account_id, action, object, area_code, detail, "
        "previous_sha256, sha256 FROM audit_entry WHERE number = 10",
        "SELECT * FROM audit_head",
        "UPDATE audit_head SET entries = 1",
        "DELETE FROM audit_head",
        f"SELECT audit_append(now()::timestamp, 1, 'a', 'b', '{ELSEWHERE}', '{{}}')",
        "SELECT audit_append(now()::timestamp, 1, 'a', 'b', '', '{}')",
    ],
)
def test_the_scoped_role_can_neither_change_nor_forge_entries(ten: Store, attempt: str) -> None:
    with pytest.raises(StoreError), transaction(ten._engine, writes=True, scope=Scope.of(HERE)) as connection:
        connection.execute(sa.text(attempt))
    assert (verify(ten).entries, found(ten)) == (10, [])


@pytest.mark.postgis
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_the_scoped_role_with_no_area_said_appends_nothing(ten: Store) -> None:
    with pytest.raises(StoreError), transaction(ten._engine, writes=True) as connection:
        connection.execute(sa.text("SET LOCAL ROLE lamplight_scoped"))
        append(connection, at=NOW, account_id=1, action="a", object="b", area_code=HERE)
