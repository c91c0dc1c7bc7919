"""A file between its preview and its import: whose it is, how long it is kept, and that it is imported once, whole."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from gis.errors import FileRefusedError, RecordError
from layers.accounts import Account, NewAccount, create_account
from layers.audit import entries
from layers.forgetting import forget_uploads
from layers.roles import NotAllowedError
from layers.scope import Scope
from layers.store import Store
from layers.uploads import (
    MOST_KEPT,
    ImportSettings,
    NotWholeCityError,
    UnknownUploadError,
    Upload,
    drop,
    import_upload,
    keep,
    load,
    preview,
    settle,
)
from tests.layers.conftest import CITY, TABLES

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
DISTRICT, OTHER_CITY = "320102000000", "320200000000"
POINTS = "编号,名称,经度,纬度,服务功能\nA,甲点,118.785,32.045,接待咨询\nB,乙点,,,救助引导\nC,丙点,118.79,32.05,喝茶\n"


def account(store: Store, name: str = "planner", area: str = CITY, role: str = "planner") -> Account:
    new = NewAccount(name, name, role, area, "x", f"unique-{name}")
    return create_account(store, new, by=None, now=NOW)


def own(store: Store, by: Account) -> Store:
    return store.within(Scope.of(by.area_code))


def sent(store: Store, by: Account, text: str = POINTS, name: str = "服务点.csv", now: datetime = NOW) -> Upload:
    return keep(own(store, by), name, "service-points", "", text.encode(), by=by, now=now)


def test_what_is_previewed_is_what_is_imported_and_written_down(store: Store) -> None:
    by = account(store)
    upload = sent(store, by)
    seen = preview(store, upload, by=by, now=NOW)
    assert seen.examined is not None and seen.fault is None
    assert (seen.examined.accepted, seen.examined.rejects["code"].tolist()) == (1, ["no_coordinates", "unknown_word"])
    assert store.current() == {}, "a preview changes nothing"
    report = import_upload(store, upload.id, by=by, now=NOW)
    assert (report.given, report.accepted, report.rejected) == (3, 1, 2)
    assert report.rejects.equals(seen.examined.rejects)
    assert report.version == store.current()["service-points", ""] and report.version.source == "服务点.csv"
    entry = entries(store, action="import_layer")[0]
    assert (entry.object, entry.account_id, entry.detail["accepted"]) == ("layer:service-points", by.id, 1)
    assert entry.detail["sha256"] == report.version.file_sha256


def test_a_file_is_imported_once_however_often_somebody_presses(store: Store) -> None:
    by = account(store)
    upload = sent(store, by)
    import_upload(store, upload.id, by=by, now=NOW)
    with pytest.raises(UnknownUploadError):
        import_upload(store, upload.id, by=by, now=NOW)
    assert len(store.versions()) == len(entries(store, action="import_layer")) == 1


def test_nothing_accepted_changes_nothing_and_the_file_stays(store: Store) -> None:
    by = account(store)
    upload = sent(store, by, "编号,经度,纬度\nA,,\n")
    assert import_upload(store, upload.id, by=by, now=NOW).version is None
    assert store.versions() == [] and entries(store, action="import_layer") == []
    assert load(own(store, by), upload.id, by=by, now=NOW).content == upload.content


def test_nobody_else_finds_it_and_neither_does_its_owner_a_day_later(store: Store) -> None:
    by, other = account(store), account(store, "other")
    upload = sent(store, by)
    for who, when in ((other, NOW), (by, NOW + timedelta(hours=24, seconds=1))):
        for do in (load, drop):
            with pytest.raises(UnknownUploadError):
                do(own(store, who), upload.id, by=who, now=when)
        with pytest.raises(UnknownUploadError):
            import_upload(store, upload.id, by=who, now=when)
    sent(store, other, now=NOW + timedelta(hours=25))
    with pytest.raises(UnknownUploadError):  # dropped for good, whatever the clock says
        load(own(store, by), upload.id, by=by, now=NOW)


def test_a_file_that_nobody_imported_is_gone_after_a_day_though_nobody_sends_another(store: Store) -> None:
    by = account(store)
    old, new = sent(store, by), sent(store, by, now=NOW + timedelta(hours=20))
    assert forget_uploads(store, now=NOW + timedelta(hours=25)) == 1
    assert [(e.area_code, e.detail) for e in entries(store, action="forget_uploads")] == [(CITY, {"rows": 1})]
    with pytest.raises(UnknownUploadError):
        load(own(store, by), old.id, by=by, now=NOW)
    assert load(own(store, by), new.id, by=by, now=NOW).name == new.name


def test_an_account_keeps_a_few_and_drops_what_it_wants(store: Store) -> None:
    by, other = account(store), account(store, "other")
    theirs = sent(store, other)
    uploads = [sent(store, by) for _ in range(MOST_KEPT + 1)]
    with pytest.raises(UnknownUploadError):
        load(own(store, by), uploads[0].id, by=by, now=NOW)
    drop(own(store, by), uploads[1].id, by=by, now=NOW)
    with pytest.raises(UnknownUploadError):
        load(own(store, by), uploads[1].id, by=by, now=NOW)
    assert load(own(store, by), uploads[2].id, by=by, now=NOW).id == uploads[2].id
    assert load(own(store, other), theirs.id, by=other, now=NOW).id == theirs.id


def test_only_the_whole_citys_importers_import(store: Store) -> None:
    store.import_layer("areas", "city", TABLES["areas", "city"](), source="a.gpkg", sha256="0" * 64)
    with pytest.raises(NotAllowedError):
        sent(store, account(store, "boss", role="supervisor"))
    with pytest.raises(NotWholeCityError):
        sent(store, account(store, "part", DISTRICT))
    elsewhere = account(store, "elsewhere", OTHER_CITY)
    upload = sent(store, elsewhere)  # a city, but not this one
    with pytest.raises(NotWholeCityError):
        preview(store, upload, by=elsewhere, now=NOW)
    with pytest.raises(NotWholeCityError):
        import_upload(store, upload.id, by=elsewhere, now=NOW)
    assert [version.layer for version in store.versions()] == ["areas"]


def test_settings_say_how_it_is_read(store: Store) -> None:
    by = account(store)
    upload = sent(store, by, "甲,乙,经度,纬度\nA,甲点,118.785,32.045\n")
    settings = ImportSettings(columns={"code": "甲", "name": "乙", "functions": ""}, approximate=True)
    settled = settle(own(store, by), upload.id, settings, "", by=by, now=NOW)
    assert load(own(store, by), upload.id, by=by, now=NOW) == settled
    report = import_upload(store, upload.id, by=by, now=NOW)
    point = store.load("service-points").iloc[0]
    assert (point["code"], point["name"]) == ("A", "甲点")
    assert report.version is not None and report.version.approximate


def test_a_column_can_be_left_unread(sqlite_store: Store) -> None:
    by = account(sqlite_store)
    upload = sent(sqlite_store, by, "编号,名称,经度,纬度\nA,甲点,118.785,32.045\n")
    settle(own(sqlite_store, by), upload.id, ImportSettings(columns={"name": ""}), "", by=by, now=NOW)
    import_upload(sqlite_store, upload.id, by=by, now=NOW)
    assert sqlite_store.load("service-points")["name"].tolist() == [""]


def test_a_preview_says_what_stands_in_the_way(sqlite_store: Store) -> None:
    by = account(sqlite_store)
    upload = sent(sqlite_store, by)
    settled = settle(own(sqlite_store, by), upload.id, ImportSettings(columns={"name": "没有"}), "", by=by, now=NOW)
    seen = preview(sqlite_store, settled, by=by, now=NOW)
    assert seen.file is not None and seen.examined is None
    assert seen.fault is not None and "没有列" in seen.fault.zh


@pytest.mark.parametrize("name", ["", "..", "../..", "a\0.csv", "x" * 121 + ".csv", "字" * 100 + ".csv"])
def test_a_name_that_is_none_is_refused(sqlite_store: Store, name: str) -> None:
    by = account(sqlite_store)
    with pytest.raises(RecordError):
        sent(sqlite_store, by, name=name)


def test_of_a_name_with_folders_the_last_part_counts(sqlite_store: Store) -> None:
    by = account(sqlite_store)
    assert sent(sqlite_store, by, name="C:\\数据\\../点.csv").name == "点.csv"


def test_a_hostile_file_is_refused_before_it_is_kept(sqlite_store: Store) -> None:
    by, bomb = account(sqlite_store), io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.csv", b"0" * (40 << 20))
    with pytest.raises(FileRefusedError):
        keep(own(sqlite_store, by), "a.zip", "service-points", "", bomb.getvalue(), by=by, now=NOW)
    with pytest.raises(UnknownUploadError):
        load(own(sqlite_store, by), 1, by=by, now=NOW)
