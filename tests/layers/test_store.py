"""The store, the same on SQLite and on PostgreSQL with PostGIS."""

import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
import pytest
import shapely
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from geopandas.testing import assert_geodataframe_equal
from pandas.testing import assert_frame_equal

from gis.errors import RecordError, StoreError
from layers.connection import open_engine, parse_url
from layers.records import LAYERS
from layers.rows import canonical_table, content_sha256
from layers.run import Run, parquet_bytes
from layers.schema import METADATA
from layers.store import Store
from layers.version_rows import NewVersion
from tests.layers.conftest import NOON, TABLES, WEST, frame
from tests.postgis_server import PostgisServer, database_of

EVERY_LAYER = sorted(TABLES)


def keep(store: Store, layer: str, part: str = "", table: gpd.GeoDataFrame | None = None, **more: object):
    table = TABLES[layer, part]() if table is None else table
    return store.import_layer(layer, part, table, source="file.gpkg", sha256="0" * 64, now=NOON, **more)


def test_only_its_owner_reads_a_store_in_a_file(tmp_path: Path) -> None:
    Store(str(tmp_path / "new" / "city.sqlite")).create()
    assert stat.S_IMODE((tmp_path / "new" / "city.sqlite").stat().st_mode) == 0o600


def assert_same(one: gpd.GeoDataFrame, other: gpd.GeoDataFrame) -> None:
    if "geometry" in one:
        assert_geodataframe_equal(one, other)
    else:
        assert_frame_equal(pd.DataFrame(one), pd.DataFrame(other))


# layers


def test_the_toy_city_has_every_layer() -> None:
    assert {layer for layer, _ in TABLES} == set(LAYERS)


@pytest.mark.parametrize(("layer", "part"), EVERY_LAYER)
def test_what_is_kept_comes_back_equal_to_the_last_bit(store: Store, layer: str, part: str) -> None:
    table = TABLES[layer, part]()
    before = table.copy(deep=True)
    keep(store, layer, part, table)
    back = store.load(layer, part)
    assert_same(back, canonical_table(layer, table))
    assert not any(isinstance(value, float) for column in back.select_dtypes(object) for value in back[column])
    assert content_sha256(layer, back) == store.current()[layer, part].content_sha256
    assert_frame_equal(pd.DataFrame(table), pd.DataFrame(before))  # the input was left alone


@pytest.mark.parametrize(("layer", "part"), EVERY_LAYER)
def test_the_order_of_rows_never_shows(store: Store, layer: str, part: str) -> None:
    table = TABLES[layer, part]()
    first = keep(store, layer, part, table)
    backwards = table.iloc[::-1].reset_index(drop=True)
    second = keep(store, layer, part, backwards)
    assert first.content_sha256 == second.content_sha256
    assert_same(store.load(layer, part, version=first.id), store.load(layer, part, version=second.id))


def test_any_changed_value_changes_the_content_hash() -> None:
    for layer, part in EVERY_LAYER:
        table = canonical_table(layer, TABLES[layer, part]())
        known = {content_sha256(layer, table)}
        for column in table.columns:
            changed = table.copy()
            if column == "geometry":
                changed.geometry = shapely.transform(changed.geometry.to_numpy(), lambda xy: np.nextafter(xy, 200.0))
            elif table[column].dtype == bool:
                changed[column] = ~changed[column]
            elif table[column].dtype.kind in "if":
                changed[column] = changed[column].fillna(0) + 1
            elif table[column].dtype.kind == "M":
                changed[column] = changed[column] + pd.Timedelta(seconds=1)
            else:
                changed[column] = [f"{value}x" for value in changed[column]]
            digest = content_sha256(layer, changed)
            assert digest not in known, (layer, column)
            known.add(digest)


def test_a_table_without_rows_is_kept_too(store: Store) -> None:
    keep(store, "reports", table=TABLES["reports", ""]().iloc[:0])
    back = store.load("reports")
    assert len(back) == 0
    assert list(back.columns) == ["report_id", "found_at", "channel", "outcome", "people", "geometry"]


def test_absent_columns_take_their_default(store: Store) -> None:
    keep(store, "rescue-stations")
    station = store.load("rescue-stations").iloc[0]
    assert station["hours"] == "24/7"
    assert station["phone"] == ""
    assert np.isnan(station["capacity"])


def test_a_table_without_a_required_column_is_refused(store: Store) -> None:
    with pytest.raises(RecordError, match="people"):
        keep(store, "population", table=TABLES["population", ""]().drop(columns="people"))
    with pytest.raises(RecordError, match="geometry"):
        keep(store, "reports", table=pd.DataFrame(TABLES["reports", ""]().drop(columns="geometry")))


def test_unknown_layers_and_parts_are_refused(store: Store) -> None:
    with pytest.raises(RecordError, match="streets"):
        store.load("roads")
    with pytest.raises(RecordError, match="subdistrict"):
        keep(store, "areas", "province", TABLES["areas", "city"]())


# versions


def test_a_second_import_makes_a_new_version_and_keeps_the_old_one(store: Store) -> None:
    first = keep(store, "areas", "subdistrict")
    second = keep(store, "areas", "subdistrict", TABLES["areas", "subdistrict"]().iloc[:1], approximate=True)
    assert store.current()["areas", "subdistrict"] == second
    assert [(v.id, v.active) for v in store.versions("areas")] == [(second.id, True), (first.id, False)]
    assert len(store.load("areas", "subdistrict")) == 1
    assert len(store.load("areas", "subdistrict", version=first.id)) == 2
    assert (second.accepted, second.approximate, second.created_at) == (1, True, NOON)


def test_parts_are_versions_side_by_side(store: Store) -> None:
    keep(store, "areas", "city")
    keep(store, "areas", "subdistrict")
    assert set(store.current()) == {("areas", "city"), ("areas", "subdistrict")}


def test_prune_removes_old_versions_with_their_rows_and_what_was_derived(store: Store) -> None:
    first = keep(store, "reports")
    second = keep(store, "reports")
    store.keep_derived("k", b"v")
    assert [v.id for v in store.prune()] == [first.id]
    assert [v.id for v in store.versions()] == [second.id]
    assert store.derived("k") is None
    with open_engine(parse_url(store_address(store))).connect() as connection:
        assert connection.execute(sa.text("SELECT DISTINCT version_id FROM reports")).scalars().all() == [second.id]
    with pytest.raises(StoreError, match="no version"):
        store.load("reports", version=first.id)


def store_address(store: Store) -> str:
    return store._url.render_as_string(hide_password=False)


def test_several_tables_become_versions_together_or_not_at_all(store: Store) -> None:
    good = NewVersion("areas", "city", TABLES["areas", "city"](), "f", "0" * 64)
    bad = NewVersion("areas", "subdistrict", TABLES["areas", "subdistrict"]().drop(columns="code"), "f", "0" * 64)
    with pytest.raises(RecordError):
        store.import_layers([good, bad])
    assert store.current() == {}
    # fails inside the database, after the first table's rows were written
    twice = replace(good, part="subdistrict", table=frame({"code": ["x"], "name": ["y"]}, [None]))
    with pytest.raises(StoreError):
        store.import_layers([good, twice])
    assert store.current() == {}


def test_imports_at_the_same_moment_leave_one_active_version(store_url: str) -> None:
    Store(store_url).create()

    def one(_: int) -> None:
        keep(Store(store_url), "reports")

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(one, i) for i in range(6)]
    refused = [error for error in (future.exception() for future in done) if error is not None]
    assert all(isinstance(error, StoreError) for error in refused)
    versions = Store(store_url).versions("reports")
    assert len(versions) == 6 - len(refused)
    assert sum(v.active for v in versions) == 1


CHILD = """
    import sys, time
    sys.path[:0] = {paths!r}
    import layers.version_rows as rows_module
    from layers.store import Store
    from tests.layers.conftest import NOON, TABLES
    insert = rows_module._insert_rows
    def insert_and_hang(*args):
        insert(*args)
        print("half-way", flush=True)
        time.sleep(60)
    rows_module._insert_rows = insert_and_hang
    table = TABLES["reports", ""]().iloc[:1]
    Store({url!r}).import_layer("reports", "", table, source="f", sha256="0" * 64, now=NOON)
"""


def test_a_process_killed_in_mid_import_leaves_the_city_as_before(store: Store, store_url: str) -> None:
    before = keep(store, "reports")
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    script = textwrap.dedent(CHILD).format(paths=paths, url=store_url)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "half-way"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert store.versions() == [before]
    assert len(store.load("reports")) == 2
    assert keep(store, "reports").active  # and the city can be worked on


# the network


def test_streets_come_back_as_a_network(store: Store) -> None:
    keep(store, "streets")
    network = store.load_network()
    assert sorted(network.segment_id) == [1, 2, 3]
    assert network.n_nodes == 3
    assert set(network.street_class) == {"residential", "primary", ""}


# runs, settings, derived


def run_of(seconds: float = 1.5, software: str = "0.1.0") -> Run:
    tables = {
        "areas": pd.DataFrame({"code": ["320102000000"], "人数": [1.5], "n": [3], "none": [None]}),
        "empty": pd.DataFrame({"a": pd.Series([], dtype="float64")}),
    }
    return Run("coverage", {"b": [1, 2], "a": "周日"}, {"streets": "f" * 64}, tables, software, seconds)


def test_a_run_comes_back_as_it_was_saved(store: Store) -> None:
    saved = store.save_run(run_of(), now=NOON)
    back = store.run(saved.id)
    assert (back.kind, back.parameters, back.inputs, back.software) == (
        "coverage", {"a": "周日", "b": [1, 2]}, {"streets": "f" * 64}, "0.1.0"
    )  # fmt: skip
    assert (back.id, back.created_at, back.seconds) == (saved.id, NOON, 1.5)
    for name, table in saved.tables.items():
        assert_frame_equal(back.tables[name], table)


def test_the_same_tables_give_the_same_bytes(store: Store) -> None:
    one, two = store.save_run(run_of(1.0)), store.save_run(run_of(2.0, software="0.2.0"))
    with open_engine(parse_url(store_address(store))).connect() as connection:
        rows = connection.execute(sa.text("SELECT run_id, name, parquet FROM run_table")).all()
    kept = {(run_id, name): bytes(data) for run_id, name, data in rows}
    for name, table in run_of().tables.items():
        assert kept[one.id, name] == kept[two.id, name] == parquet_bytes(table)


def test_runs_are_listed_newest_first_without_tables(store: Store) -> None:
    ids = [store.save_run(run_of(software=f"0.{i}.0"), now=NOON + timedelta(minutes=i)).id for i in range(3)]
    assert [run.id for run in store.runs()] == ids[::-1]
    assert not any(run.tables for run in store.runs("coverage"))
    assert store.runs("siting") == []
    assert store.run(ids[0][:6]).id == ids[0]
    for unknown in ("zzz", "", "%", "_"):
        with pytest.raises(StoreError):
            store.run(unknown)


def test_a_run_kept_already_stays_as_it_is(store: Store) -> None:
    first = store.save_run(run_of(1.0), now=NOON)
    again = store.save_run(run_of(2.0), now=NOON + timedelta(days=1))
    assert (again.id, again.created_at, again.seconds) == (first.id, NOON, 1.0)
    assert len(store.runs()) == 1


def test_of_many_who_keep_a_run_that_rests_on_all_others_one_at_a_time_may(store: Store) -> None:
    known = [store.save_run(run_of(software="0.0.0")).id]
    others = [Store(store_address(store)) for _ in range(6)]

    def keep_one(i: int) -> bool:
        try:
            others[i].save_run(run_of(software=f"0.{i + 1}.0"), known=known)
        except StoreError as refusal:
            assert "try again" in refusal.en, refusal
            return False
        return True

    with ThreadPoolExecutor(len(others)) as pool:
        kept = list(pool.map(keep_one, range(len(others))))
    assert sum(kept) == 1 and len(store.runs()) == 2
    for other in others:
        other.close()


def test_runs_are_merged_into_one_or_stay_as_they_are(store: Store) -> None:
    ids = [store.save_run(run_of(software=f"0.{i}.0")).id for i in range(3)]
    together = run_of(software="1.0.0")
    store.merge_runs(together, ids[:2], now=NOON)
    assert {run.id for run in store.runs()} == {ids[2], together.id}
    assert_frame_equal(store.run(together.id).tables["areas"], together.tables["areas"])


def test_a_setting_is_the_last_value_given(store: Store) -> None:
    assert store.setting("city_name") is None
    assert store.setting("timezone", "Asia/Shanghai") == "Asia/Shanghai"
    store.set_setting("city_name", "临江市")
    store.set_setting("city_name", "南京市")
    assert store.setting("city_name") == "南京市"


def test_derived_bytes_come_back_as_they_were(store: Store) -> None:
    assert store.derived("k") is None
    store.keep_derived("k", b"\x00\xff")
    store.keep_derived("k", bytes(range(256)) * 100)
    assert store.derived("k") == bytes(range(256)) * 100


# the schema


@pytest.mark.filterwarnings("ignore:Did not recognize type 'geometry'")
def test_the_migrations_make_exactly_the_tables_the_code_uses(store: Store) -> None:
    with open_engine(parse_url(store_address(store))).connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": comparable, "compare_type": False})
        differences = compare_metadata(context, METADATA)
        assert differences == []
        for table in METADATA.sorted_tables:
            made = {c["name"]: c["nullable"] for c in sa.inspect(connection).get_columns(table.name)}
            assert made == {c.name: bool(c.nullable) for c in table.columns}, table.name


def comparable(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
    postgis_owns = kind == "table" and reflected and name == "spatial_ref_sys"
    return not postgis_owns and not (kind == "index" and str(name).endswith("_geometry"))  # tested on PostGIS below


def test_creating_a_store_again_changes_nothing(store: Store, store_url: str) -> None:
    version = keep(store, "reports")
    Store(store_url).create()
    assert Store(store_url).versions() == [version]


def test_a_store_never_created_says_so(store_url: str) -> None:
    with pytest.raises(StoreError, match=r"create it first|was never created"):
        Store(store_url).versions()


def test_a_newer_schema_is_refused(store: Store, store_url: str) -> None:
    with open_engine(parse_url(store_url)).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer"):
        Store(store_url).versions()
    with pytest.raises(StoreError, match="newer"):
        Store(store_url).create()


@pytest.mark.postgis
def test_postgis_holds_real_geometries_with_an_index(
    postgis_server: PostgisServer, request: pytest.FixtureRequest
) -> None:
    url = postgis_server.new_database(request)
    store = Store(url)
    store.create()
    keep(store, "service-points")
    with open_engine(parse_url(url)).connect() as connection:
        kinds = dict(connection.execute(sa.text("SELECT f_table_name, type || srid FROM geometry_columns")).all())
        indexed = connection.execute(sa.text("SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%gist%'"))
        near = sa.text("SELECT code FROM service_points WHERE ST_DWithin(geometry, ST_Point(:x, 32.04, 4326), 1e-6)")
        assert connection.execute(near, {"x": WEST}).scalars().all() == ["A"]
        tables = set(indexed.scalars())
    assert kinds["service_points"] == "POINT4326"
    assert kinds["areas"] == "MULTIPOLYGON4326"
    layers = {schema.table_name for schema in LAYERS.values() if schema.has_geometry}
    assert tables == set(kinds) == layers | {"incoming_report"}


@pytest.mark.postgis
def test_a_database_whose_user_may_not_add_postgis_is_told_so(
    postgis_server: PostgisServer, request: pytest.FixtureRequest
) -> None:
    url = postgis_server.new_database(request, "template0")
    with postgis_server.connect("postgres") as connection:
        connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'secret'")
    with postgis_server.connect(database_of(url)) as connection:
        connection.execute("GRANT ALL ON SCHEMA public TO clerk")
    with pytest.raises(StoreError, match="PostGIS"):
        Store(url.replace("lamplight@", "clerk:secret@")).create()


@pytest.mark.postgis
def test_a_refused_login_never_shows_the_password(
    postgis_server: PostgisServer, request: pytest.FixtureRequest
) -> None:
    url = postgis_server.new_database(request).replace("lamplight@", "nobody:hunter2@")
    store = Store(url)
    with pytest.raises(StoreError) as caught:
        store.create()
    assert "nobody" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in store.address
    assert not isinstance(caught.value, psycopg.Error)


# addresses


@pytest.mark.parametrize("address", ["mysql://root@host/db", "not a://url", "oracle://x"])
def test_other_databases_are_refused(address: str) -> None:
    with pytest.raises(StoreError):
        Store(address)


def test_a_missing_sqlite_file_is_not_made_by_looking(tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite"
    with pytest.raises(StoreError, match=r"none\.sqlite"):
        Store(str(path)).current()
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite"
    path.write_text("这不是数据库 " * 100, "utf-8")
    with pytest.raises(StoreError, match="not a database"):
        Store(str(path)).current()
    with pytest.raises(StoreError):
        Store(str(path)).create()
    with pytest.raises(StoreError):
        Store(str(tmp_path / "text.sqlite" / "below.sqlite")).create()


def test_a_database_of_something_else_was_never_created(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match="never created"):
        Store(f"sqlite:///{path}").current()


def test_sqlite_is_kept_with_a_write_ahead_log_and_foreign_keys(sqlite_store: Store) -> None:
    with sqlite_store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_asking_for_a_layer_not_imported_names_it(store: Store) -> None:
    with pytest.raises(StoreError, match="service-points"):
        store.load("service-points")
