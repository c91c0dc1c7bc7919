"""The office's calendar on the public's pages: imported, it is what every answer goes by."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copy
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
from apiflask import APIFlask

from gis.errors import StoreError
from layers.hours import OpeningHours
from layers.imports import import_file
from layers.public_holidays import CHINA
from layers.store import Store
from web.server.city import PublicCity, PublicCitySource, read_public_city

#: Noon of a Wednesday and of a Saturday in Shanghai, in a year whose notice nobody has yet.
WEDNESDAY, SATURDAY = datetime(2090, 10, 18, 4, tzinfo=UTC), datetime(2090, 10, 21, 4, tzinfo=UTC)

OFFICE = "Mo-Fr 08:30-17:30; PH closed"


def import_calendar(store: Store, folder: Path, **days: str) -> None:
    path = folder / "公休.csv"
    rows = [{"日期": "2090-10-01", "类型": "放假", "名称": "国庆节"}]
    rows += [{"日期": day, "类型": kind, "名称": "重阳节"} for day, kind in days.items()]
    pd.DataFrame(rows).to_csv(path, index=False)
    import_file(store, "calendar", path)


def keep_office_hours(store: Store) -> None:
    """Give every service point that is not open round the clock the hours of an office."""
    table = store.load("service-points")
    table["hours"] = [text if text == "24/7" else OFFICE for text in table["hours"]]
    store.import_layer("service-points", "", table, source="hours", sha256="0" * 64, now=datetime(2026, 11, 27))


def expected(city: PublicCity, weekday: int, *, holiday: bool) -> list[bool]:
    """Whether points are open at noon of a weekday, read off an ordinary week and the rules for holidays alone."""
    states = []
    for text in city.points["hours"]:
        open_ = bool(text) and OpeningHours(text).open_at(weekday, 720)
        states.append(open_ and not (holiday and "PH closed" in text))
    return states


def test_an_imported_calendar_changes_what_is_open(town_url: str, tmp_path: Path) -> None:
    store = Store(town_url)
    keep_office_hours(store)
    before = read_public_city(store)
    assert before.calendar is CHINA
    assert before.open_at(WEDNESDAY).tolist() == expected(before, 2, holiday=False)
    assert before.open_at(SATURDAY).tolist() == expected(before, 5, holiday=False)
    import_calendar(store, tmp_path, **{"2090-10-18": "放假", "2090/10/21": "调休上班日"})
    after = read_public_city(store)
    assert after.mark != before.mark
    assert after.open_at(WEDNESDAY).tolist() == expected(after, 2, holiday=True) != expected(after, 2, holiday=False)
    assert after.open_at(SATURDAY).tolist() == expected(after, 4, holiday=False) != expected(after, 5, holiday=False)
    for moment in (WEDNESDAY, SATURDAY):
        states = [after.hours_state(i, moment) for i in range(len(after.points))]
        assert [bool(state and state.is_open) for state in states] == after.open_at(moment).tolist()
    store.close()


def test_always_open_is_open_on_every_day_of_a_year(town_file: Path, tmp_path: Path) -> None:
    copy(town_file, tmp_path / "town.sqlite")
    store = Store(f"sqlite:///{tmp_path / 'town.sqlite'}")
    city = read_public_city(store)
    hours = np.array(city.points["hours"], object)
    hours[:3] = "Mo-Su,PH", "24/7; PH", "24/7; PH closed"
    city.points["hours"] = hours
    found = city.always_open()
    assert found[:3].tolist() == [True, True, False] and (found[3:] == (hours[3:] == "24/7")).all()
    every_day = np.ones(len(hours), bool)
    for day in range(365):
        every_day &= city.open_at(datetime(2026, 1, 1, 19, tzinfo=UTC) + timedelta(days=day))
    assert (found <= every_day).all()
    store.close()


def test_a_running_server_takes_the_new_calendar(app: APIFlask, tmp_path: Path) -> None:
    clock = [0.0]
    source = PublicCitySource(app.extensions["lamplight.store"], lambda: clock[0])
    assert not source.current().calendar.knows(2090)
    import_calendar(app.extensions["lamplight.store"], tmp_path)
    clock[0] = 60.0
    source.current()
    with source._lock:  # held until the city has been read anew
        assert source.current().calendar.knows(2090)


def test_a_store_gone_for_a_while_is_told_to_the_log_and_asked_again(
    app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, store = [0.0], app.extensions["lamplight.store"]
    source = PublicCitySource(store, lambda: clock[0])
    shown = source.current()
    with monkeypatch.context() as patch:
        patch.setattr("web.server.city.mark_of", unreadable)
        clock[0] = 60.0
        assert source.current() is shown
        with source._lock:
            assert source.current() is shown
    assert [record.getMessage() for record in caplog.records if record.name == "lamplight.city"] == [
        "数据库打不开 / the database cannot be opened"
    ]
    import_calendar(store, tmp_path)
    clock[0] = 120.0
    source.current()
    with source._lock:
        assert source.current().calendar.knows(2090)


def unreadable(store: Store) -> NoReturn:
    raise StoreError("数据库打不开", "the database cannot be opened")


def test_a_page_names_the_coming_holiday(app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = app.extensions["lamplight.store"]
    keep_office_hours(store)
    import_calendar(store, tmp_path, **{"2090-10-21": "上班", "2090-10-19": "放假"})
    city = read_public_city(store)
    position = next(i for i, text in enumerate(city.points["hours"]) if text == OFFICE)
    address, client = f"/{city.points['key'].iat[position]}", app.test_client()
    said = {
        "zh": ["10月19日（周四）重阳节 不开放", "10月21日（周六，调休） 08:30–17:30"],
        "en": ['Thu 19 Oct, <span lang="zh-Hans">重阳节</span>: Closed', "Sat 21 Oct (worked) 08:30–17:30"],
    }
    unsettled = {"zh": "2091 年的放假调休安排尚未录入", "en": "The holiday notice for 2091"}
    for language, lines in said.items():
        client.set_cookie("language", language)
        monkeypatch.setattr("web.server.point_pages.now", lambda: WEDNESDAY)
        page = client.get(address).text
        assert [line for line in lines if line not in page] == []
        assert unsettled[language] not in page
        monkeypatch.setattr("web.server.point_pages.now", lambda: WEDNESDAY + timedelta(days=60))
        assert unsettled[language] in client.get(address).text


def test_the_public_reads_the_calendar_through_the_interface_of_maps(app: APIFlask, tmp_path: Path) -> None:
    import_calendar(app.extensions["lamplight.store"], tmp_path)
    found = app.test_client().get("/ogc/collections/calendar/items").get_json()["features"]
    assert [f["properties"]["date"] for f in found] == [date(2090, 10, 1).isoformat()]
