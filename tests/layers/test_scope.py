"""Who sees which rows: an area and below, on both databases, and a second time by PostgreSQL itself."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gis.errors import RecordError, StoreError
from layers import run_scope
from layers.connection import transaction
from layers.records import LAYERS
from layers.schema import LAYER_TABLES, SCOPED
from layers.scope import NOWHERE, SCOPED_ROLE, Scope
from layers.store import Store
from tests.layers.conftest import CITY, NOON, TABLES

SUBDISTRICT, OTHER_CITY = "320102002000", "320200000000"


@pytest.fixture
def full(store: Store) -> Store:
    for (layer, part), table in TABLES.items():
        store.import_layer(layer, part, table(), source="file", sha256="0" * 64, now=NOON)
    return store


def counts(store: Store) -> dict[tuple[str, str], int]:
    return {(layer, part): len(store.load(layer, part)) for layer, part in TABLES}


def test_a_scope_is_a_range_of_codes() -> None:
    scope = Scope.of(SUBDISTRICT)
    assert (scope.lowest, scope.beyond) == ("320102002", "320102003")
    assert scope.holds(SUBDISTRICT) and scope.holds("320102002001002")
    assert not scope.holds("320102003000") and not scope.holds("320102000000") and not scope.holds("")
    assert Scope.of("320199000000").holds("320199000000")
    with pytest.raises(RecordError):
        Scope.of("")


def test_an_empty_scope_sees_nothing(full: Store) -> None:
    assert set(counts(full.within(NOWHERE)).values()) == {0}


def test_a_city_sees_all_of_its_own_and_nothing_of_another(full: Store) -> None:
    assert counts(full.within(Scope.of(CITY))) == counts(full)
    assert set(counts(full.within(Scope.of(OTHER_CITY))).values()) == {0}


def test_a_subdistrict_sees_what_lies_inside_and_not_its_neighbours(full: Store) -> None:
    inside = full.within(Scope.of(SUBDISTRICT))
    assert inside.load("areas", "subdistrict")["code"].tolist() == [SUBDISTRICT]
    assert len(inside.load("areas", "city")) == 0
    assert len(inside.load("grid-cells")) == 2
    assert inside.load("service-points")["code"].tolist() == ["A", "B"]
    assert len(inside.load("rescue-stations")) == 1
    neighbour = full.within(Scope.of("320102003000"))
    assert len(neighbour.load("service-points")) == 0


def test_rows_move_when_boundaries_come_after_them(store: Store) -> None:
    for layer in ("streets", "service-points", "patrol-effort"):
        store.import_layer(layer, "", TABLES[layer, ""](), source="file", sha256="0" * 64, now=NOON)
    inside = store.within(Scope.of(SUBDISTRICT))
    assert len(inside.load("service-points")) == 0
    areas = TABLES["areas", "subdistrict"]()
    store.import_layer("areas", "subdistrict", areas, source="file", sha256="0" * 64, now=NOON)
    assert len(inside.load("service-points")) == 2
    assert len(inside.load("streets")) == 3
    assert len(inside.load("patrol-effort")) == len(store.load("patrol-effort"))


def test_what_lies_outside_every_area_belongs_to_the_city(full: Store) -> None:
    shifted = TABLES["service-points", ""]()
    shifted["geometry"] = shifted.translate(0.05, 0.05)
    full.import_layer("service-points", "", shifted, source="file", sha256="1" * 64, now=NOON)
    assert len(full.within(Scope.of(CITY)).load("service-points")) == 2
    assert len(full.within(Scope.of(SUBDISTRICT)).load("service-points")) == 0


def test_a_scoped_store_imports_nothing(full: Store) -> None:
    scoped = full.within(Scope.of(CITY))
    with pytest.raises(StoreError):
        scoped.import_layer("weather", "", TABLES["weather", ""](), source="f", sha256="0" * 64, now=NOON)
    with pytest.raises(StoreError):
        scoped.set_setting("city_name", "别处")


@pytest.mark.postgis
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_postgresql_holds_the_rows_back_whatever_is_asked(full: Store) -> None:
    tables = [LAYER_TABLES[name] for name in LAYERS] + list(SCOPED)
    for scope, expect in ((NOWHERE, 0), (Scope.of(OTHER_CITY), 0)):
        with transaction(full._engine, scope=scope) as connection:
            for table in tables:
                assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == expect, table.name
    with transaction(full._engine, scope=Scope.of(CITY)) as connection:
        seen = connection.scalar(sa.select(sa.func.count()).select_from(LAYER_TABLES["service-points"]))
    assert seen == 2
    with transaction(full._engine) as connection:  # the role alone, with nothing said
        connection.execute(sa.text(f"SET LOCAL ROLE {SCOPED_ROLE}"))
        assert connection.scalar(sa.select(sa.func.count()).select_from(LAYER_TABLES["reports"])) == 0


@pytest.mark.postgis
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_postgresql_refuses_a_row_written_into_another_area(full: Store) -> None:
    account = next(table for table in SCOPED if table.name == "account")
    row = {
        "username": "x", "name": "", "role": "planner", "area_code": OTHER_CITY, "password_hash": "", "uniquifier": "u",
        "recovery_codes": "", "active": True, "failures": 0, "created_at": datetime(2026, 1, 1),
    }  # fmt: skip
    with pytest.raises(StoreError), transaction(full._engine, writes=True, scope=Scope.of(CITY)) as connection:
        connection.execute(sa.insert(account).values(row))


def test_results_of_analyses_are_read_by_those_modules_alone_that_narrow_them() -> None:
    # no policy of PostgreSQL stands beneath them: docs/decisions/0020
    modules = Path(run_scope.__file__).parent.glob("*.py")
    reading = {path.stem for path in modules if re.search(r"\bRUN(_TABLE)?\b", path.read_text("utf-8"))}
    assert reading == {"schema", "store", "run_scope", "own_route", "jobs"}
