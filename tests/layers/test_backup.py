"""A store in one file and back: nothing lost, nothing half, on either database and across both."""

import hashlib
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shapely
from click.testing import CliRunner
from sqlalchemy import Column, Table, create_engine, func, insert, inspect, select, text

import lamplight
from gis.errors import FileRefusedError, LamplightError, StoreError
from layers.backup import BACKUP_STEPS, MANIFEST, RESTORE_STEPS, restore_backup, write_backup
from layers.connection import migrate, open_engine, parse_url, transaction
from layers.geometry_type import Geometry
from layers.schema import LAYER_TABLES, LAYER_VERSION, METADATA
from layers.store import Store
from tests.layers.conftest import NOON, TABLES
from tests.postgis_server import PostgisServer

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ROWS = 5
AWKWARD = ("", '"', "\\N", "a,\n\r\tb", "中山路 'x' 🏮")
SHAPES = {
    "POINT": lambda i: shapely.Point(118.7 + i / 3, 32 + i / 7),
    "LINESTRING": lambda i: shapely.LineString([(118.7, 32), (118.8 + i / 3, 32.1)]),
    "MULTIPOLYGON": lambda i: shapely.MultiPolygon([shapely.box(118 + i / 3, 32, 119 + i, 33)]),
}


def value(column: Column[Any], i: int) -> Any:
    """What row ``i`` holds in a column: awkward, and unlike any other row's."""
    if column.nullable and i == 0:
        return None
    for key in column.foreign_keys:
        itself = key.column.table is column.table
        return value(key.column, (i + 1) % ROWS if itself else i)  # also rows that come later
    if isinstance(column.type, Geometry):
        return SHAPES[column.type.kind](i)
    length = getattr(column.type, "length", None)
    made = {
        int: 1000 + i if column.primary_key else -i,
        float: (i + 1) / 3 * 10.0 ** (90 * i - 180),
        bool: i % 2 == 0,
        str: f"{i}{AWKWARD[i] * (column.primary_key is False)}"[:length],
        bytes: bytes(range(256)) * i,
        date: date(1949 + 20 * i, 10, 1),
        datetime: datetime(1999, 12, 31, 23, 59, 59) + timedelta(microseconds=i),
    }
    return made[column.type.python_type]


def fill_every_table(url: str) -> None:
    store = Store(url)
    store.create()
    engine = open_engine(parse_url(url))
    with transaction(engine, writes=True) as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        for table in METADATA.sorted_tables:
            rows = [{column.name: value(column, i) for column in table.columns} for i in range(ROWS)]
            connection.execute(insert(table).values(rows))
    engine.dispose()
    store.close()


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, read without the code under test."""
    engine = open_engine(parse_url(url))
    with transaction(engine) as connection:
        found = {t.name: [tuple(row) for row in connection.execute(order(t))] for t in METADATA.sorted_tables}
    engine.dispose()
    return found


def order(table: Table) -> Any:
    return select(table).order_by(*table.primary_key)


def rewritten(path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None], **manifest: Any) -> Path:
    """A copy of a backup with other members (and right hashes), and another manifest."""
    out = path.with_name("rewritten.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        said = json.loads(old.read(MANIFEST)) | manifest
        for name in [n for n in old.namelist() if n != MANIFEST]:
            kept = change(name, old.read(name))
            table = Path(name).stem
            if kept is None:
                said["tables"].pop(table, None)
                continue
            new.writestr(*kept)
            if table in said["tables"]:
                said["tables"][table]["sha256"] = hashlib.sha256(kept[1]).hexdigest()
        new.writestr(MANIFEST, json.dumps(said))
    return out


@pytest.fixture
def full(store_url: str) -> str:
    fill_every_table(store_url)
    return store_url


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a store with rows in every table; not to be changed."""
    folder = tmp_path_factory.mktemp("backup")
    url = str(folder / "full.sqlite")
    fill_every_table(url)
    write_backup(url, folder / "kept.zip", now=NOW)
    return folder / "kept.zip"


def test_every_table_comes_back_as_it_was(full: str, tmp_path: Path) -> None:
    made = write_backup(full, tmp_path / "a.zip", now=NOW)
    assert made.rows == ROWS * len(METADATA.sorted_tables)
    back = str(tmp_path / "new" / "back.sqlite")
    assert restore_backup(tmp_path / "a.zip", back) == made
    assert contents(back) == contents(full)
    again = write_backup(back, tmp_path / "b.zip", now=NOW)
    assert again == made, "the same rows give the same bytes, whichever database holds them"


def test_only_its_owner_reads_a_restored_store(kept: Path, tmp_path: Path) -> None:
    restore_backup(kept, str(tmp_path / "back.sqlite"))
    assert stat.S_IMODE((tmp_path / "back.sqlite").stat().st_mode) == 0o600


@pytest.mark.postgis
def test_a_backup_moves_from_sqlite_to_postgis_and_back(
    kept: Path, tmp_path: Path, postgis_server: PostgisServer, request: pytest.FixtureRequest
) -> None:
    url = postgis_server.new_database(request)
    made = restore_backup(kept, url)
    assert contents(url) == contents(str(kept.with_name("full.sqlite")))
    assert write_backup(url, tmp_path / "again.zip", now=NOW) == made


def test_a_restored_store_numbers_on_after_the_last(full: str, tmp_path: Path, store_url: str) -> None:
    write_backup(full, tmp_path / "a.zip", now=NOW)
    engine = create_engine(parse_url(store_url))
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    restore_backup(tmp_path / "a.zip", store_url)  # a store that was created, and holds nothing
    store = Store(store_url)
    version = store.import_layer("weather", "", TABLES["weather", ""](), source="w", sha256="0" * 64, now=NOON)
    assert version.id == 1000 + ROWS
    store.close()


def test_a_backup_is_one_moment_while_others_write(store_url: str, tmp_path: Path) -> None:
    store, stop = Store(store_url), threading.Event()
    store.create()
    table = TABLES["reports", ""]()

    def write() -> None:
        while not stop.is_set():
            store.import_layer("reports", "", table, source="r", sha256="0" * 64)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = []
        for i in range(4):
            write_backup(store_url, tmp_path / f"{i}.zip", now=NOW, progress=lambda step: stop.wait(0.01))
            seen.append(len(store.versions()))
    finally:
        stop.set()
        writer.join()
    assert seen[0] < seen[-1], "nobody wrote meanwhile: this tests nothing"
    for i in range(4):
        url = str(tmp_path / f"{i}.sqlite")
        restore_backup(tmp_path / f"{i}.zip", url)
        engine = open_engine(parse_url(url))
        with transaction(engine) as connection:
            versions = connection.execute(select(LAYER_VERSION)).all()
            reports = LAYER_TABLES["reports"].c.version_id
            counts = dict(connection.execute(select(reports, func.count()).group_by(reports)).all())
        engine.dispose()
        assert counts == {v.id: v.accepted for v in versions}
        assert sum(v.active for v in versions) == min(len(versions), 1)
    store.close()


def test_a_backup_belongs_to_its_owner_and_is_never_half_there(kept: Path, tmp_path: Path) -> None:
    source = str(kept.with_name("full.sqlite"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    def fail(step: str) -> None:
        if step == BACKUP_STEPS[-1]:
            raise KeyboardInterrupt

    (tmp_path / "a.zip").write_text("yesterday's")
    with pytest.raises(KeyboardInterrupt):
        write_backup(source, tmp_path / "a.zip", now=NOW, progress=fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    assert (tmp_path / "a.zip").read_text() == "yesterday's"
    write_backup(source, tmp_path / "a.zip", now=NOW)
    assert (tmp_path / "a.zip").read_bytes() == kept.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_restore_that_fails_half_way_leaves_nothing(kept: Path, store_url: str) -> None:
    def fail(step: str) -> None:
        if step == RESTORE_STEPS[-1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_backup(kept, store_url, progress=fail)
    if store_url.startswith("sqlite"):
        assert not list(Path(parse_url(store_url).database or "").parent.iterdir())
    told: list[str] = []
    restore_backup(kept, store_url, progress=told.append)
    assert told == list(RESTORE_STEPS)
    assert contents(store_url) == contents(str(kept.with_name("full.sqlite")))


def test_only_an_empty_store_is_filled(kept: Path, store: Store, store_url: str) -> None:
    store.set_setting("city_name", "乙市")
    with pytest.raises(StoreError, match="not empty"):
        restore_backup(kept, store_url)
    assert store.setting("city_name") == "乙市"
    assert store.versions() == []


def test_another_programs_database_is_left_alone(kept: Path, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    with pytest.raises(StoreError, match="another program"):
        restore_backup(kept, str(tmp_path / "other.sqlite"))
    assert inspect(engine).get_table_names() == ["theirs"]
    engine.dispose()


def test_one_changed_byte_anywhere_in_the_tables_is_noticed_before_the_first_write(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    with zipfile.ZipFile(kept) as archive:
        members = [i for i in archive.infolist() if i.filename != MANIFEST]
    for info in members:
        changed = bytearray(whole)
        changed[info.header_offset + 200] ^= 1
        (tmp_path / "changed.zip").write_bytes(changed)
        with pytest.raises(FileRefusedError, match=Path(info.filename).stem):
            restore_backup(tmp_path / "changed.zip", str(tmp_path / "back.sqlite"))
    assert not (tmp_path / "back.sqlite").exists()


def test_what_is_no_backup_is_refused_in_one_sentence(kept: Path, tmp_path: Path) -> None:
    whole, other = kept.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(kept) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    for content in (b"", b"PK", whole[:-30], whole[: len(whole) // 2], other.getvalue(), packed.read_bytes()):
        (tmp_path / "bad.zip").write_bytes(content)
        with pytest.raises(FileRefusedError):
            restore_backup(tmp_path / "bad.zip", str(tmp_path / "back.sqlite"))
    with pytest.raises(FileRefusedError, match="no backup at"):
        restore_backup(tmp_path / "absent.zip", str(tmp_path / "back.sqlite"))
    for manifest in ({"format": "other"}, {"tables": {"setting": {}}}, {"tables": []}, {"more": 1}):
        with pytest.raises(FileRefusedError):
            restore_backup(rewritten(kept, lambda *m: m, **manifest), str(tmp_path / "back.sqlite"))
    assert not (tmp_path / "back.sqlite").exists()


def test_a_backup_of_newer_software_or_with_other_tables_is_refused(kept: Path, tmp_path: Path) -> None:
    back = str(tmp_path / "back.sqlite")
    with pytest.raises(StoreError, match=r"schema \(9999\) is newer"):
        restore_backup(rewritten(kept, lambda *m: m, revision="9999"), back)
    with pytest.raises(StoreError, match="same tables: weather"):
        restore_backup(rewritten(kept, lambda *m: None if "weather" in m[0] else m), back)
    with pytest.raises(StoreError, match="other columns: weather"):
        restore_backup(rewritten(kept, lambda *m: without(m, "weather") if "weather.p" in m[0] else m), back)
    assert not Path(back).exists()


def without(member: tuple[str, bytes], *columns: str) -> tuple[str, bytes]:
    table, sink = pq.read_table(io.BytesIO(member[1])), io.BytesIO()
    pq.write_table(table.drop_columns(list(columns)), sink)
    return member[0], sink.getvalue()


def test_a_backup_of_an_older_schema_is_brought_up_to_date(kept: Path, store_url: str, tmp_path: Path) -> None:
    engine = open_engine(parse_url(str(tmp_path / "old.sqlite")))
    with transaction(engine, writes=True) as connection:
        migrate(connection, revision="0003")
        old = {
            t: {c["name"] for c in inspect(connection).get_columns(t)} for t in inspect(connection).get_table_names()
        }
    engine.dispose()

    def aged(name: str, data: bytes) -> tuple[str, bytes] | None:
        table = Path(name).stem
        if table not in old:
            return None
        newer = set(pq.read_schema(io.BytesIO(data)).names) - old[table]
        return without((name, data), *newer)

    path = rewritten(kept, aged, revision="0003")
    restore_backup(path, store_url)
    now, then = contents(store_url), contents(str(kept.with_name("full.sqlite")))
    assert {t for t in now if not now[t]} == set(now) - set(old)
    assert now["roster"] and now["setting"] == then["setting"]
    with pytest.raises(StoreError, match="never created"):
        created = Store(str(tmp_path / "created.sqlite"))
        created.create()
        created.close()
        restore_backup(path, str(tmp_path / "created.sqlite"))


def test_a_store_that_is_not_there_cannot_be_backed_up(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        write_backup(str(tmp_path / "absent.sqlite"), tmp_path / "a.zip", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_the_verbs_say_what_was_done_and_how_sensitive_it_is(kept: Path, tmp_path: Path) -> None:
    def ask(*words: str) -> Any:
        return CliRunner().invoke(lamplight.main, [*words])

    source, target = str(kept.with_name("full.sqlite")), str(tmp_path / "to.sqlite")
    said = ask("backup", str(tmp_path / "a.zip"), "--db", source)
    assert said.exit_code == 0 and "guard it as you guard the store" in said.output
    assert "已恢复" in ask("restore", str(tmp_path / "a.zip"), "--db", target).output
    refused = ask("restore", str(tmp_path / "a.zip"), "--db", target)
    assert refused.exit_code == 2 and len(refused.stderr.splitlines()) == 1 and "not empty" in refused.stderr
    nowhere = ask("backup", str(tmp_path / "no" / "a.zip"), "--db", source)
    assert nowhere.exit_code == 2 and len(nowhere.stderr.splitlines()) == 1


def test_refusals_speak_both_languages(kept: Path, store: Store, store_url: str) -> None:
    store.set_setting("a", "b")
    with pytest.raises(LamplightError) as refused:
        restore_backup(kept, store_url)
    assert "数据库非空" in refused.value.zh and "not empty" in refused.value.en
