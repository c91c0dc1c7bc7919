"""The public's pages, as a browser without scripts meets them."""

import html
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from gis.errors import StoreError
from layers.hours import OpeningHours
from layers.imports import import_file
from layers.store import Store
from planner.hotspots.release import ReleaseQuestion
from planner.hotspots.runs import RELEASE, run_release
from tests.web.server.conftest import SECRET
from web.server import point_pages, public_pages
from web.server.app import create_app
from web.server.city import PublicCity
from web.server.own_address import own_address
from web.server.point_list import Wanted, point_list
from web.server.settings import Settings

#: Friday 27 November 2026, 21:00 in Linjiang.
NIGHT = datetime(2026, 11, 27, 13, 0, tzinfo=UTC)
PLACE = "lon=117.190000&lat=30.508000"
PAGES = (
    "/", f"/?{PLACE}", "/?q=环湖大道", "/?q=zzz", "/?when=all&function=guidance", "/points/LJ-0001",
    f"/points/LJ-0001?{PLACE}", "/stations/LJ-S01", "/points/LJ-0001/notice", f"/points/LJ-0001/way?{PLACE}",
    "/points/LJ-0001/way", "/points/LJ-0001/way?lon=0&lat=0", "/hotspots", "/about",
)  # fmt: skip


@pytest.fixture(autouse=True)
def night(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (public_pages, point_pages):
        monkeypatch.setattr(module, "now", lambda: NIGHT)


@pytest.fixture
def city(app: APIFlask) -> PublicCity:
    found: PublicCity = app.extensions["lamplight.city"].current()
    return found


def text(client: FlaskClient, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return html.unescape(answer.text)


def items(page: str) -> list[tuple[str, str]]:
    """The code of each place listed, and what is said of it."""
    return re.findall(r'<li data-code="([^"]+)".*?>(.*?)\n      </li>', page, re.S)


def test_every_page_is_whole_in_both_languages(client: FlaskClient) -> None:
    for language, tag in (("zh", "zh-Hans"), ("en", "en")):
        client.set_cookie("language", language)
        for address in PAGES:
            page = text(client, address)
            assert page.count("<h1") == page.count("<main") == 1, address
            assert f'<html lang="{tag}"' in page
            assert "style=" not in page and not re.search(r"<script(?![^>]* src=)|\son\w+=", page), address
            assert language == "zh" or unmarked_chinese(page) == [], address
        assert client.head(address).status_code == 200 and client.head(address).data == b""


def unmarked_chinese(page: str) -> list[str]:
    """The Chinese words of an English page that are not said to be Chinese."""
    body = page.partition("<body")[2].replace(">中文<", "><")
    return re.findall("[一-鿿]+", re.sub(r"<(\w+)[^>]*lang=\"zh-Hans\"[^>]*>.*?</\1>|<[^>]*>", "", body, flags=re.S))


def test_what_is_withheld_or_planned_is_nowhere(town_url: str, tmp_path: Path) -> None:
    store = Store(town_url)
    points = store.load("service-points")
    points["withheld"] = points["code"] == "LJ-0002"
    points.to_parquet(tmp_path / "points.parquet")
    import_file(store, "service-points", tmp_path / "points.parquet")
    hidden = points[points["withheld"] | ~points["build_state"].isin(["existing", "upgrade"])]
    assert set(hidden["build_state"]) == {"existing", "convert"}
    store.close()

    app = create_app(Settings(town_url, SECRET, secure=False), testing=True)
    client = app.test_client()
    listed = text(client, "/?when=all&count=200")
    assert {code for code, _ in items(listed)} >= set(points["code"]) - set(hidden["code"])
    for point in hidden.itertuples():
        assert point.name not in listed and point.code not in listed
        for end in ("", "/notice", "/qr.svg", f"/way?{PLACE}", f"/way.geojson?{PLACE}"):
            assert point.name not in text(client, f"/points/{point.code}{end}", 404)
        assert f"离{point.name}最近" not in text(client, f"/?q={point.name}")
    app.extensions["lamplight.store"].close()


def test_the_nearest_open_point_is_first_and_the_minutes_are_those_of_its_way(
    client: FlaskClient, city: PublicCity
) -> None:
    found = items(text(client, f"/?{PLACE}"))
    open_now = {
        i for i, hours in enumerate(city.points["hours"]) if hours and OpeningHours(hours).open_at(city.local(NIGHT))
    }
    assert city.walks is not None
    routes = {i: city.walks.route(117.19, 30.508, i) for i in open_now}
    order = sorted((route.seconds, i) for i, route in routes.items() if route)
    assert [code for code, _ in found] == [city.points["code"][i] for _, i in order]
    for (seconds, _), (_, said) in zip(order, found, strict=True):
        hours, minutes = divmod(math.ceil(seconds / 60), 60)
        assert (f"步行约 {hours} 小时 {minutes} 分钟" if hours else f"步行约 {minutes} 分钟") in said
        assert "开放至" in said or "全天 24 小时开放" in said


def test_without_a_place_the_open_come_first_then_names(client: FlaskClient, city: PublicCity) -> None:
    found = items(text(client, "/?when=all&count=200"))
    states = ["已关闭" in said or "未注明" in said for _, said in found]
    assert states == sorted(states) and True in states and False in states
    names = dict(zip(city.points["code"], city.points["name"], strict=True))
    opened = [names[code] for (code, _), shut in zip(found, states, strict=True) if not shut]
    assert opened == sorted(opened)


def test_filters_show_what_they_say(client: FlaskClient, city: PublicCity) -> None:
    functions = dict(zip(city.points["code"], city.points["functions"], strict=True))
    for code, said in items(text(client, "/?function=reception&when=24h")):
        assert "reception" in functions[code] and "全天 24 小时开放" in said
    few = text(client, "/?when=all&count=5")
    assert len(items(few)) == 5 and "count=25" in few


def test_where_nothing_is_open_the_nearest_others_say_when_they_open(city: PublicCity) -> None:
    weekdays = replace(city, points=city.points.assign(hours="Mo-Fr 09:00-17:00"))
    found = point_list(weekdays, Wanted(), (117.19, 30.508), NIGHT)
    assert found.instead and found.total == len(city.points) and found.items[0].hours == "已关闭，周一 09:00 开放"
    assert city.walks is not None
    assert [one.code for one in found.items] == [
        city.points["code"][one.point] for one in city.walks.nearest(117.19, 30.508, None, 20)
    ]


def test_a_place_off_the_streets_is_said_and_all_are_listed_without_minutes(client: FlaskClient) -> None:
    page = text(client, "/?lon=0&lat=0")
    assert "离街道太远" in page and items(page) and "步行约" not in page


IMPOSSIBLE = (
    "function=x", "when=x", "count=0", "count=999", "count=x", "lon=1", "lat=1", "lon=x&lat=1", "lon=nan&lat=1",
    "lon=inf&lat=1", "lon=181&lat=1", "q=" + "长" * 81,
)  # fmt: skip


def test_an_impossible_value_gets_one_sentence(client: FlaskClient) -> None:
    for query in IMPOSSIBLE:
        assert "<h1>" in text(client, f"/?{query}", 422)


def test_a_name_of_several_places_is_asked_back_and_a_choice_leads_on(client: FlaskClient) -> None:
    page = text(client, "/?q=环湖大道&function=guidance")
    choices = re.findall(r'<li><a href="(/\?[^"]+)">(?:<[^>]*>)?环湖大道', page)
    assert len(choices) > 1 and "步行约" not in page and all("function=guidance" in one for one in choices)
    led = text(client, choices[1])
    assert "离环湖大道最近" in led and "步行约" in led and 'value="环湖大道"' in led


def test_a_single_match_is_taken_and_a_house_number_finds_its_street_or_point(client: FlaskClient) -> None:
    assert "离下门街道最近" in text(client, "/?q=下门街道")
    assert "您指的是哪里" in text(client, "/?q=灯湖区环湖大道9999号")
    assert "离金坝村综合服务站救助服务点最近" in text(client, "/?q=霜荣街 281 号")
    assert "没有找到“zzz”" in text(client, "/?q=zzz")


def test_what_was_said_last_of_where_one_is_counts(client: FlaskClient) -> None:
    old = f"asked=下门街道&{PLACE}"
    assert "离南埂社区最近" in text(client, f"/?q=南埂社区&{old}"), "new words go before the place kept beside them"
    assert "步行约" not in text(client, f"/?q=&{old}"), "words taken away take their place with them"
    moved = text(client, f"/?q=下门街道&{old}")
    assert "离您选的位置最近" in moved and 'value="下门街道"' not in moved, "another place has not the name"


def test_what_is_typed_is_never_markup(client: FlaskClient) -> None:
    assert "<script>alert" not in client.get("/?q=<script>alert(1)</script>").text


def test_a_point_says_its_week_its_holidays_and_how_old_this_is(client: FlaskClient, city: PublicCity) -> None:
    page = text(client, "/points/LJ-0006")
    assert "开放至次日 06:00" in page and "20:00–次日 06:00" in page and 'href="tel:0000-55500006"' in page
    assert 'class="today"><th scope="row">周五' in page
    verified = city.points["last_verified"][city.position("points/LJ-0006")]
    assert str(verified) in page and ("超过半年" in page) == ((NIGHT.date() - verified).days > 180)
    assert "尚未注明核实日期" in text(client, "/points/LJ-0013")


def test_the_way_is_told_and_drawn_to_the_same_end(client: FlaskClient, city: PublicCity) -> None:
    position = city.position("points/LJ-0001")
    assert position is not None and city.walks is not None
    route = city.walks.route(117.19, 30.508, position)
    assert route is not None
    page = text(client, f"/points/LJ-0001/way?{PLACE}")
    steps = re.findall(r"<li>(.*?)</li>", page.partition('class="steps"')[2].partition("</ol>")[0])
    assert len(steps) == len(route.steps) + 2
    assert all(step.name in said for step, said in zip(route.steps, steps[1:-1], strict=True))
    line = json.loads(client.get(f"/points/LJ-0001/way.geojson?{PLACE}").data)["features"][0]
    np.testing.assert_allclose(line["geometry"]["coordinates"], route.line, atol=1e-6)
    assert f"步行约 {line['properties']['minutes']} 分钟" in page
    assert client.get("/points/LJ-0001/way.geojson").status_code == 404
    assert "走不到" in text(client, "/points/LJ-0001/way?lon=0&lat=0")
    assert "您指的是哪里" in text(client, "/points/LJ-0001/way?q=环湖大道")


def test_the_qr_code_is_a_picture_of_the_page_s_own_address(client: FlaskClient, monkeypatch: Any) -> None:
    made: list[str] = []
    drawn = point_pages.segno.make
    monkeypatch.setattr(point_pages.segno, "make", lambda address, **how: made.append(address) or drawn(address, **how))
    answer = client.get("/stations/LJ-S01/qr.svg", base_url="https://help.example.org")
    assert answer.mimetype == "image/svg+xml" and b"<svg" in answer.data
    assert made == ["https://help.example.org/stations/LJ-S01"]


def test_language_and_type_are_one_click_away_and_come_back_to_the_page(client: FlaskClient) -> None:
    page = text(client, f"/points/LJ-0001?{PLACE}")
    address = re.search(r'href="(/language/en[^"]+)"', page)
    assert address
    answer = client.get(address[1])
    assert answer.status_code == 303 and answer.location == f"/points/LJ-0001?{PLACE}"
    assert "Opening hours" in text(client, "/points/LJ-0001")
    client.get("/large?next=/about")
    assert 'class="large"' in text(client, "/about")
    client.get("/large")
    assert 'class="large"' not in text(client, "/about")
    assert client.get("/language/xx").status_code == 404


def test_nobody_is_led_off_the_site(client: FlaskClient) -> None:
    for address in ("", "//evil.example", "https://evil.example", "/\\evil.example", "/\t/x.example", "javascript:x"):
        assert own_address(address) == ""
        assert client.get("/language/en", query_string={"next": address}).location == "/"
    assert own_address("/points/LJ-0001?q=环湖") == "/points/LJ-0001?q=环湖"


def test_hotspots_are_those_of_the_newest_release_or_none(client: FlaskClient, app: APIFlask) -> None:
    assert "还没有公布任何数据" in text(client, "/hotspots")
    store: Store = app.extensions["lamplight.store"]
    steady = np.random.default_rng(1)
    for quarter in (1, 2):
        run_release(
            store, ReleaseQuestion(year=2025, quarter=quarter), cells="subdistrict", size_m=0.0, counted=None,
            now=datetime(2026, 9, 1), randbelow=lambda n: int(steady.integers(n)),
        )  # fmt: skip
    newest = next(run for run in store.runs(RELEASE) if run.parameters["quarter"] == 2)
    table = store.run(newest.id).tables["published"]
    page = text(client, "/hotspots")
    assert "2025 年第 2 季度" in page
    cells = re.findall(r'<tr><th scope="row">[^<]+</th><td>([^<]+)</td>', page)
    shown = sorted(int(n) for n in table["people"].dropna())
    assert sorted(int(n) for n in cells if n.isdigit()) == shown
    assert cells.count("不公布") == int(table["suppressed"].sum())


def test_a_store_that_cannot_be_read_is_said_on_a_page(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> PublicCity:
        raise StoreError("数据库打不开", "the database cannot be opened")

    monkeypatch.setattr(public_pages, "public_city", gone)
    assert "暂时无法服务" in text(client, "/", 503)


def test_small_files_are_there(client: FlaskClient) -> None:
    said = json.loads(client.get("/manifest.webmanifest").data)
    assert client.get(said["icons"][0]["src"]).mimetype == "image/svg+xml"
    assert client.get("/robots.txt").data.startswith(b"User-agent")
    assert client.get("/favicon.ico", follow_redirects=True).status_code == 200
