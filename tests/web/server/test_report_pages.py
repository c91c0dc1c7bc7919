"""Reporting someone in need without a script: from the empty form to what became of it."""

import html
import io
import json
import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from layers.schema import AUDIT_ENTRY, INCOMING_REPORT, PHOTO, REPORT_STEP
from layers.store import Store

SCRIPT = {"Accept": "application/json"}
NASTY = "<script>alert(1)</script>\"'&{{7*7}}"


def store_of(app: APIFlask) -> Store:
    store: Store = app.extensions["lamplight.store"]
    return store


def rows(app: APIFlask, table: Any = INCOMING_REPORT) -> list[Any]:
    with store_of(app).transaction() as connection:
        return list(connection.execute(select(table)).all())


def place(app: APIFlask, index: int = 0) -> tuple[str, str]:
    point = app.extensions["lamplight.city"].current().points.geometry.iloc[index]
    return f"{point.x:.6f}", f"{point.y:.6f}"


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def filled(client: FlaskClient, app: APIFlask, **changes: Any) -> dict[str, Any]:
    """Open the form and fill it in."""
    page = client.get("/report").text
    lon, lat = place(app)
    form = {"csrf_token": hidden(page, "csrf_token"), "key": hidden(page, "key"), "lon": lon, "lat": lat}
    return {**form, "place": "桥洞下", "needs": ["food_clothes"], "people": "2", "note": "穿灰色外套",
            "contact": "13800000000", **changes}  # fmt: skip


def picture(side: int = 64, kind: str = "JPEG") -> io.BytesIO:
    """Return a photo that says where and when it was taken."""
    stream = io.BytesIO()
    notes = Image.Exif()
    notes.get_ifd(0x8825).update({1: "N", 2: (30.0, 29.0, 12.5), 3: "E", 4: (117.0, 11.0, 8.9)})
    notes[0x0132] = "2026:03:01 12:34:56"
    Image.effect_noise((side, side), 90).convert("RGB").save(stream, kind, exif=notes, quality=95)
    stream.seek(0)
    return stream


def test_a_report_is_made_and_followed_without_a_script(client: FlaskClient, app: APIFlask) -> None:
    city = app.extensions["lamplight.city"].current()
    name = str(city.points["name"].iloc[0])
    page = client.get("/report").text
    assert page.index('href="tel:120"') < page.index("<fieldset")
    assert "请不要写姓名" in page and 'name="name"' not in page
    form = {"csrf_token": hidden(page, "csrf_token"), "key": hidden(page, "key"), "street": name, "needs": ["lost"]}
    page = client.post("/report", data={**form, "do": "search"}).text
    assert re.search(r'value="lost" checked', page) and hidden(page, "key") == form["key"]
    matches = re.findall(r'name="match" value="([^"]+)"', page)
    assert matches and name in page

    answer = client.post("/report", data={**form, "match": matches[0], "place": "门口", "do": "send"})
    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert "已收到报告" in page and "<svg" in page and 'href="tel:110"' in page
    link = hidden(page.replace('aria-label="查看进展的链接" ', 'name="link" '), "link")
    assert link.startswith("http://localhost/report/status/")
    status = client.get(link)
    assert "已收到" in status.text and re.search(r"<time datetime=", status.text)
    for private in ("门口", name, matches[0].split(",")[0]):
        assert private not in status.text
    [kept] = rows(app)
    assert (kept.state, kept.needs, kept.people, kept.place) == ("received", "lost", 1, f"{name} 门口")
    assert [kept.geometry.x, kept.geometry.y] == pytest.approx([float(x) for x in matches[0].split(",")])


def test_a_name_typed_but_not_chosen_is_offered_to_choose_from(client: FlaskClient, app: APIFlask) -> None:
    name = str(app.extensions["lamplight.city"].current().points["name"].iloc[0])
    answer = client.post("/report", data=filled(client, app, lon="", lat="", street=name))
    assert answer.status_code == 422 and "请在下列地点中选一个" in answer.text
    assert re.search(r'name="match" value="[^"]+" checked', answer.text), "the only one is chosen already"
    assert not rows(app)


def test_every_fault_is_said_at_once_beside_its_field_and_what_was_typed_is_kept(
    client: FlaskClient, app: APIFlask
) -> None:
    wrong = {"lon": "", "lat": "", "needs": [], "people": "许多", "place": "桥" * 201, "note": "注" * 2001,
             "contact": "9" * 101, "website": "http://spam.example", "street": "没有这条路xyz"}  # fmt: skip
    photo = (io.BytesIO(b"GIF89a no photo"), "a.gif")
    form = filled(client, app, **wrong)
    answer = client.post("/report", data={**form, "photo": photo}, content_type="multipart/form-data")
    assert answer.status_code == 422
    names = ("position", "place", "needs", "people", "note", "contact", "photo", "website")
    assert re.findall(r'href="#field-(\w+)"', answer.text) == list(names)
    for name in names:
        assert re.search(rf'id="fault-{name}">[^<]+</p>', answer.text), name
        assert f'id="field-{name}"' in answer.text
    assert re.search(r'id="faults"[^>]*autofocus', answer.text) and "有 8 处需要改正" in answer.text
    assert "照片需要重新选择" in answer.text
    for name in ("people", "place", "note", "contact", "website", "street"):
        assert str(wrong[name]) in answer.text, name
    assert hidden(answer.text, "key") == form["key"]
    assert not rows(app)


def test_outside_the_city_is_said_in_one_sentence(client: FlaskClient, app: APIFlask) -> None:
    answer = client.post("/report", data=filled(client, app, lon="2.35", lat="48.85"))
    assert answer.status_code == 422 and not rows(app)
    assert re.findall(r'id="fault-\w+">([^<]+)<', answer.text) == ["这个位置不在服务范围内。"]


def test_somebody_reported_already_is_offered_before_a_second_report_is_made(
    client: FlaskClient, app: APIFlask
) -> None:
    client.post("/report", data=filled(client, app, needs=["food_clothes", "medical"]))
    other = app.test_client()
    form = filled(other, app, place="路灯下", note=NASTY, contact="a@b.cn")
    page = other.post("/report", data=form).text
    assert "是同一个人吗" in page and "一小时内，有人在约 200 米范围内报告过：食物或衣物" in page
    for private in ("桥洞下", "灰色", "13800000000", "就医"):
        assert private not in page
    assert len(rows(app)) == 1 and "没有重复发送" in other.get("/report/known").text
    assert NASTY not in page

    again = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page)}
    assert again["sure"] == "yes" and again["key"] == form["key"] and again["note"] == NASTY
    answer = other.post("/report", data=again)
    assert answer.status_code == 303
    assert [row.place for row in rows(app)] == ["桥洞下", "路灯下"]
    assert rows(app)[1].note == NASTY


def test_who_asks_on_and_on_whether_somebody_was_reported_near_is_told_no_more(
    client: FlaskClient, app: APIFlask
) -> None:
    client.post("/report", data=filled(client, app))
    other = app.test_client()
    home = {"REMOTE_ADDR": "203.0.113.9"}
    answers = [other.post("/report", data=filled(other, app), environ_base=home).status_code for _ in range(12)]
    assert answers == [200] * 10 + [303] * 2
    assert len(rows(app)) == 3


def test_the_same_form_sent_again_gives_the_same_receipt(client: FlaskClient, app: APIFlask) -> None:
    form = filled(client, app)
    first, second = client.post("/report", data=form), client.post("/report", data={**form, "note": "另写"})
    assert second.location == f"{first.location}?again=yes"
    assert "没有重复登记" in client.get(second.location).text
    by_script = client.post("/report", data={**form, "sure": "yes"}, headers=SCRIPT)
    assert by_script.status_code == 201 and by_script.json["page"] == second.location
    # the same key with a form that could not stand: what is known is known
    faulty = client.post("/report", data={**form, "needs": [], "lon": "2", "lat": "48"}, headers=SCRIPT)
    assert faulty.status_code == 201 and faulty.json["status"] == by_script.json["status"]
    assert [row.note for row in rows(app)] == ["穿灰色外套"]


def test_many_presses_at_the_same_moment_make_one_report(client: FlaskClient, app: APIFlask) -> None:
    form = filled(client, app)
    cookies = client.get_cookie("lamplight")
    assert cookies

    def press(_: int) -> tuple[int, str]:
        own = app.test_client()
        own.set_cookie("lamplight", cookies.value)
        answer = own.post("/report", data=form)
        return answer.status_code, (answer.location or answer.text).partition("?")[0]

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(press, range(8)))
    assert len(answers) == 1 and answers.pop()[0] == 303
    assert len(rows(app)) == 1 and len(rows(app, REPORT_STEP)) == 1


def test_nothing_typed_becomes_part_of_a_page(client: FlaskClient, app: APIFlask) -> None:
    fields = ("lon", "lat", "street", "place", "people", "note", "contact", "website", "match", "key", "sure")
    form = filled(client, app, **dict.fromkeys(fields, NASTY), needs=[NASTY])
    page = client.post("/report", data={**form, "key": str(uuid.uuid4())})
    assert page.status_code == 422
    for text in (page.text, client.post("/report", data=form).text):
        assert "<script>alert" not in text
        assert html.escape(NASTY).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in text
    assert NASTY not in client.get("/report/places", query_string={"street": NASTY}).text
    assert client.get(f"/report/status/{NASTY}").status_code == 404


@pytest.mark.parametrize(("length", "status"), [(100_000, 422), (1_000_000, 413)])
def test_a_flood_of_words_is_refused_kindly(client: FlaskClient, app: APIFlask, length: int, status: int) -> None:
    answer = client.post("/report", data=filled(client, app, note="x" * length), content_type="multipart/form-data")
    assert answer.status_code == status and not rows(app)
    assert ("文字太大" in answer.text) == (status == 413)


def test_a_form_without_its_token_stores_nothing_and_loses_nothing(client: FlaskClient, app: APIFlask) -> None:
    form = filled(client, app, csrf_token="")
    answer = client.post("/report", data=form)
    assert answer.status_code == 400 and not rows(app)
    assert "请再按一次“发送”" in answer.text and "穿灰色外套" in answer.text
    assert re.search(r'value="food_clothes" checked', answer.text) and hidden(answer.text, "key") == form["key"]
    again = client.post("/report", data={**form, "csrf_token": hidden(answer.text, "csrf_token")})
    assert again.status_code == 303 and len(rows(app)) == 1
    by_script = client.post("/report", data=form, headers=SCRIPT)
    assert by_script.status_code == 400 and by_script.mimetype == "application/problem+json"


def test_a_form_without_its_key_gets_another(client: FlaskClient, app: APIFlask) -> None:
    for key in ("", "1", str(uuid.uuid1())):
        answer = client.post("/report", data=filled(client, app, key=key))
        assert answer.status_code == 400 and uuid.UUID(hidden(answer.text, "key")).version == 4
    assert not rows(app)


def test_of_a_photo_only_its_pixels_are_kept(client: FlaskClient, app: APIFlask) -> None:
    data = picture(2000).getvalue()
    assert b"Exif" in data
    form = {**filled(client, app), "photo": (io.BytesIO(data), "IMG_117.18_30.48.jpg")}
    answer = client.post("/report", data=form, content_type="multipart/form-data")
    assert answer.status_code == 303
    [kept] = rows(app, PHOTO)
    image = Image.open(io.BytesIO(kept.jpeg))
    assert image.format == "JPEG" and max(image.size) == 1600 and not image.getexif()
    assert b"Exif" not in kept.jpeg and b"2026:03:01" not in kept.jpeg
    for page in (answer.location, answer.location.replace("received", "status")):
        assert "<img" not in client.get(page).text.partition("<main")[2].partition("</main")[0]


def test_a_photo_too_large_or_no_photo_is_refused_and_the_words_are_kept(client: FlaskClient, app: APIFlask) -> None:
    large = b"\xff\xd8\xff" + bytes(10 << 20)
    for data, said in ((large, "超过 10 MB"), (b"\xff\xd8\xff damaged", "照片不能用"), (b"<svg/>", "照片不能用")):
        form = {**filled(client, app), "photo": (io.BytesIO(data), "photo.jpg")}
        answer = client.post("/report", data=form, content_type="multipart/form-data")
        assert answer.status_code == 422 and said in answer.text and "穿灰色外套" in answer.text
    assert not rows(app)
    form = {**filled(client, app), "photo": (io.BytesIO(bytes(13 << 20)), "photo.jpg")}
    answer = client.post("/report", data=form, content_type="multipart/form-data")
    assert answer.status_code == 413 and "照片或文字太大" in answer.text


def test_a_flood_of_reports_from_one_address_is_turned_away_and_others_are_not(
    client: FlaskClient, app: APIFlask
) -> None:
    form = filled(client, app)
    statuses = [client.post("/report", data=form).status_code for _ in range(21)]
    assert statuses == [303] * 20 + [429]
    refused = client.post("/report", data=form)
    assert int(refused.headers["Retry-After"]) > 0 and "穿灰色外套" in refused.text and "等一分钟" in refused.text
    assert client.post("/report", data=form, headers=SCRIPT).mimetype == "application/problem+json"
    elsewhere = client.post("/report", data=form, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert elsewhere.status_code == 303


def test_what_became_of_a_report_is_told_to_nobody_who_merely_looks(
    client: FlaskClient, app: APIFlask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    link = client.post("/report", data=filled(client, app)).location
    token = link.rpartition("/")[2]
    for address in (link, f"/report/status/{token}", "/report/status/no-such-token", f"/report/status/{token}x"):
        answer = client.get(address)
        assert answer.status_code == (200 if address.endswith(token) else 404)
        assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
    assert token not in caplog.text
    kept = json.dumps([[str(value) for value in row] for row in [*rows(app), *rows(app, AUDIT_ENTRY)]])
    assert token not in kept, "the store knows its hash alone"


def test_the_form_that_a_telephone_keeps_is_nobodys(client: FlaskClient, app: APIFlask) -> None:
    for language, title in (("zh", "报告需要帮助的人"), ("en", "Report someone in need")):
        answer = client.get(f"/report/offline/{language}")
        assert title in answer.text and "Set-Cookie" not in answer.headers
        assert "csrf_token" not in answer.text and hidden(answer.text, "key") == ""
    assert client.get("/report/offline/fr").status_code == 404
    worker = client.get("/sw.js")
    assert worker.headers["Service-Worker-Allowed"] == "/" and "javascript" in worker.mimetype


def test_a_report_that_waited_on_a_telephone_says_how_long(client: FlaskClient, app: APIFlask) -> None:
    written = datetime.now(UTC) - timedelta(hours=5, minutes=3)
    form = filled(client, app, written_at=str(int(written.timestamp() * 1000)))
    assert client.post("/report", data=form, headers=SCRIPT).status_code == 201
    [kept] = rows(app)
    assert kept.note.startswith("穿灰色外套\n") and "5 小时 3 分钟" in kept.note


def test_a_script_is_answered_in_figures_and_words_of_the_readers_language(client: FlaskClient, app: APIFlask) -> None:
    client.set_cookie("language", "en")
    token = client.get("/report/token").json["csrf_token"]
    form = filled(client, app, csrf_token=token, key=str(uuid.uuid4()))
    faulty = client.post("/report", data={**form, "needs": [], "people": "0"}, headers=SCRIPT)
    assert faulty.status_code == 422
    faults = {"needs": "Choose at least one thing that is needed.", "people": "1 to 99 people."}
    assert faulty.json == {"state": "faulty", "places": [], "faults": faults}
    made = client.post("/report", data=form, headers=SCRIPT)
    assert made.status_code == 201 and made.json["state"] == "received"
    assert client.get(made.json["status"]).status_code == client.get(made.json["page"]).status_code == 200
    near = client.post("/report", data={**form, "key": str(uuid.uuid4())}, headers=SCRIPT)
    assert near.status_code == 409 and near.json["state"] == "nearby"
    assert near.json["said"] == ["Within the last hour somebody reported, within about 200 metres: food or clothes"]
