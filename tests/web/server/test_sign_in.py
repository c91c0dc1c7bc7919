"""Signing in and out, and what a session and a token open."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apiflask import APIFlask

from layers.accounts import account, clear_failures, count_failure, credentials, deactivate
from layers.audit import entries
from layers.sessions import create_token, revoke_token, sessions
from tests.web.server.staff import (
    HERE,
    PASSWORD,
    Browser,
    add,
    alert,
    app_code,
    code_of,
    signed_in,
    store_of,
    turn_clocks,
)
from tests.web.server.staff_world import send, take
from web.server import sign_in as signing
from web.server.access import needs

pytestmark = pytest.mark.usefixtures("at_once")


def in_cookie(browser: Browser) -> dict[str, Any]:
    with browser.client.session_transaction() as cookie:
        return dict(cookie)


def test_who_sends_a_form_after_the_session_ended_is_told_that_it_was_not_saved(
    demo: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(demo, add(demo, "sun"))
    browser.get("/staff")
    turn_clocks(monkeypatch, timedelta(hours=13))
    answer = browser.post("/staff/account/sessions/end-others")
    page = browser.get(answer.location).text
    assert answer.status_code == 303 and "没有保存" in page and "请先登录" not in page


def test_a_right_password_leads_to_the_page_that_was_asked_for(demo: APIFlask) -> None:
    sun = add(demo, "sun")
    browser = Browser(demo)
    asked = browser.get("/staff/reports?state=received")
    assert (asked.status_code, asked.location) == (303, "/sign-in?next=/staff/reports?state%3Dreceived")
    page = browser.get(asked.location).text
    assert 'value="/staff/reports?state=received"' in page and "请先登录" in page
    answer = browser.post("/sign-in", username=" SUN ", password=PASSWORD, next="/staff/reports?state=received")
    assert (answer.status_code, answer.location) == (303, "/staff/reports?state=received")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert browser.get(answer.location).status_code == 200
    (kept,) = sessions(store_of(demo), sun.id)
    secret = in_cookie(browser)["secret"]
    assert kept.id != secret and "sun" not in str(in_cookie(browser)) and PASSWORD not in str(in_cookie(browser))
    assert browser.get("/sign-in").location == "/staff"


@pytest.mark.parametrize(
    "address", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1", "/a\nb", "staff"]
)
def test_signing_in_never_leads_to_another_host(demo: APIFlask, address: str) -> None:
    add(demo, "sun")
    assert Browser(demo).sign_in("sun", next=address).location == "/staff"


def test_unknown_wrong_closed_and_locked_are_answered_alike(demo: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = store_of(demo), datetime.now(UTC)
    add(demo, "sun")
    boss = add(demo, "boss", "administrator")
    closed, locked = add(demo, "closed"), add(demo, "locked")
    deactivate(store, closed.id, by=boss, now=now)
    for _ in range(5):
        count_failure(store, locked.id, now=now)
    slept: list[float] = []
    monkeypatch.setattr(signing, "REFUSED_AFTER_S", 60.0)
    monkeypatch.setattr(signing, "sleep", slept.append)
    pages = []
    for name, password in [("nobody", PASSWORD), ("sun", "wrong"), ("closed", PASSWORD), ("locked", PASSWORD)]:
        answer = Browser(demo).sign_in(name, password)
        assert answer.status_code == 422
        pages.append(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(set(pages)) == 1
    assert len(slept) == 4 and all(50 < seconds <= 60 for seconds in slept), "each is held back to the same moment"


def test_five_wrong_passwords_lock_for_a_quarter_of_an_hour(demo: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    sun = add(demo, "sun")
    browser = Browser(demo)
    for _ in range(5):
        assert browser.sign_in("sun", "wrong").status_code == 422
    assert browser.sign_in("sun").status_code == 422
    turn_clocks(monkeypatch, timedelta(minutes=15, seconds=1))
    assert browser.sign_in("sun").status_code == 303
    assert account(store_of(demo), sun.id).failures == 0
    said = [one.action for one in entries(store_of(demo), object=f"account:{sun.id}")]
    assert said == ["sign_in", "forget_failures", "lock_account", *["sign_in_failed"] * 4, "create_account"]


def test_the_second_factor_is_set_up_at_the_first_sign_in_and_asked_for_at_each_later_one(app: APIFlask) -> None:
    sun = add(app, "sun")
    browser = Browser(app)
    assert browser.sign_in("sun", next="/staff/reports").location == "/sign-in/set-up"
    assert browser.get("/staff").status_code == 303, "a password alone opens nothing"
    page = browser.get("/sign-in/set-up")
    assert '<div class="qr-code" role="img"' in page.text and "data:" not in page.text, "a page may show no data: image"
    assert browser.get("/sign-in/set-up").text.count("secret") == 1
    assert "验证码不对" in alert(browser.post("/sign-in/set-up", code="000000"))
    code = app_code(page)
    codes = re.findall(
        r'<code class="secret">([^<]+)</code>', browser.post("/sign-in/set-up", code=app_code(page)).text
    )
    assert len(codes) == 8 and browser.get("/staff/reports").status_code == 200
    kept = credentials(store_of(app), "sun")
    assert kept is not None and kept.account.has_second_factor
    assert all(code not in kept.recovery_codes for code in codes)
    key = re.search(r'<code class="secret">([^<]+)</code>', page.text)
    assert key and key[1].replace("-", "") not in (kept.totp_secret or "")

    again = Browser(app)
    assert again.sign_in("sun").location == "/sign-in/code"
    again.get("/sign-in/code")
    assert again.post("/sign-in/code", code=code).status_code == 422, "a code is taken once"
    assert again.post("/sign-in/code", code=app_code(page, ahead=1)).location == "/staff"
    assert again.get("/staff").status_code == 200

    without_phone = Browser(app)
    without_phone.sign_in("sun")
    without_phone.get("/sign-in/code")
    assert without_phone.post("/sign-in/code", code=codes[3].upper()).location == "/staff"
    thief = Browser(app)
    thief.sign_in("sun")
    thief.get("/sign-in/code")
    assert thief.post("/sign-in/code", code=codes[3]).status_code == 422, "a recovery code is taken once"
    assert account(store_of(app), sun.id).failures == 1


def with_factor(app: APIFlask, username: str) -> str:
    """Make an account with a second factor and return the key of its app."""
    add(app, username)
    browser = Browser(app)
    browser.sign_in(username)
    page = browser.get("/sign-in/set-up")
    browser.post("/sign-in/set-up", code=app_code(page))
    key = re.search(r'<code class="secret">([^<]+)</code>', page.text)
    assert key
    return key[1]


def test_knowing_the_password_gives_no_more_guesses_at_the_code(app: APIFlask) -> None:
    key = with_factor(app, "sun")
    for _ in range(5):
        browser = Browser(app)
        browser.sign_in("sun")
        browser.get("/sign-in/code")
        assert browser.post("/sign-in/code", code="000000").status_code == 422
    assert browser.post("/sign-in/code", code=code_of(key, ahead=1)).location == "/sign-in"
    assert browser.sign_in("sun").status_code == 422


def test_a_sign_in_half_done_lapses(app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    with_factor(app, "sun")
    browser = Browser(app)
    browser.sign_in("sun")
    turn_clocks(monkeypatch, timedelta(seconds=601))
    assert browser.get("/sign-in/code").location == "/sign-in"
    for step in ("code", "new-password", "set-up"):
        assert Browser(app).get(f"/sign-in/{step}").location == "/sign-in"


def test_a_password_handed_out_must_be_changed_before_anything_else(demo: APIFlask) -> None:
    add(demo, "sun", once=True)
    browser = Browser(demo)
    assert browser.sign_in("sun").location == "/sign-in/new-password"
    assert browser.get("/staff").status_code == 303
    browser.get("/sign-in/new-password")
    for password, again, fault in [
        ("short", "short", "12 至 200"), ("long enough by far", "another", "不同"), (PASSWORD, PASSWORD, "原密码"),
        ("my name is sun and so on", "my name is sun and so on", "用户名"), ("a" * 20, "a" * 20, "简单"),
    ]:  # fmt: skip
        assert fault in alert(browser.post("/sign-in/new-password", password=password, again=again))
    fresh = "lamps along the quay"
    assert browser.post("/sign-in/new-password", password=fresh, again=fresh).location == "/staff"
    assert browser.get("/staff").status_code == 200
    assert Browser(demo).sign_in("sun").status_code == 422
    assert Browser(demo).sign_in("sun", fresh).location == "/staff"


@pytest.mark.parametrize(("role", "minutes"), [("supervisor", 30), ("grid_worker", 720)])
def test_a_session_ends_when_idle(demo: APIFlask, monkeypatch: pytest.MonkeyPatch, role: str, minutes: int) -> None:
    browser = signed_in(demo, add(demo, "sun", role))
    turn_clocks(monkeypatch, timedelta(minutes=minutes, seconds=-30))
    assert browser.get("/staff").status_code == 200
    turn_clocks(monkeypatch, timedelta(minutes=2 * minutes, seconds=30))
    assert browser.get("/staff").status_code == 303


def test_signing_out_ends_the_session_itself(demo: APIFlask) -> None:
    browser = signed_in(demo, add(demo, "sun"))
    secret = in_cookie(browser)["secret"]
    assert browser.post("/sign-in/out").location == "/"
    with browser.client.session_transaction() as cookie:
        cookie["secret"] = secret  # as somebody would who had copied the cookie
    assert browser.get("/staff").status_code == 303


def test_other_devices_are_signed_out_on_request_and_by_a_new_password(demo: APIFlask) -> None:
    sun = add(demo, "sun")
    here, there, third = (signed_in(demo, sun) for _ in range(3))
    here.get("/staff/account")
    (mine, *others) = [re.search(r"sessions/(\w+)/end", line) for line in here.get("/staff/account").text.split("<li>")
                       if "sessions/" in line]  # fmt: skip
    assert mine and len(others) == 2
    other = next(one for one in sessions(store_of(demo), sun.id)[1:] if one.revoked_at is None)
    assert here.post(f"/staff/account/sessions/{other.id}/end").status_code == 303
    assert sorted(one.get("/staff").status_code for one in (here, there, third)).count(303) == 1
    here.get("/staff/account")
    here.post("/staff/account/sessions/end-others")
    assert [one.get("/staff").status_code for one in (here, there, third)] == [200, 303, 303]

    there = signed_in(demo, sun)
    here.get("/staff/account")
    fresh = "lamps along the quay"
    assert "当前密码" in alert(here.post("/staff/account/password", present="wrong", password=fresh, again=fresh))
    assert here.post("/staff/account/password", present=PASSWORD, password=fresh, again=fresh).status_code == 303
    assert [one.get("/staff").status_code for one in (here, there)] == [200, 303]


def test_a_form_without_its_hidden_word_changes_nothing_and_says_so(demo: APIFlask) -> None:
    sun = add(demo, "sun")
    browser = signed_in(demo, sun)
    signed_in(demo, sun)
    answer = browser.client.post("/staff/account/sessions/end-others", data={})
    assert answer.status_code == 400 and "表单已过期" in answer.text and "<h1>" in answer.text
    assert all(one.revoked_at is None for one in sessions(store_of(demo), sun.id))
    assert Browser(demo).client.post("/sign-in", data={"username": "sun", "password": PASSWORD}).status_code == 400


def test_a_browsers_session_changes_nothing_over_the_interface_without_the_hidden_word(demo: APIFlask) -> None:
    demo.add_url_rule("/api/v1/echo", "echo", needs()(lambda: "changed"), methods=["POST"])
    sun = add(demo, "sun")
    browser = signed_in(demo, sun)
    refused = browser.client.post("/api/v1/echo")
    assert refused.status_code == 400 and refused.mimetype == "application/problem+json"
    assert browser.client.post("/api/v1/echo", headers={"X-CSRFToken": browser.word}).text == "changed"
    _, token = create_token(store_of(demo), sun.id, name="t", by=sun, now=datetime.now(UTC))
    machine = demo.test_client()
    assert machine.post("/api/v1/echo", headers={"Authorization": f"Bearer {token}"}).text == "changed"
    assert machine.post("/api/v1/echo").status_code == 401


def test_a_token_opens_what_its_account_may_until_it_ends(demo: APIFlask) -> None:
    sun = add(demo, "sun")
    browser = signed_in(demo, sun)
    browser.get("/staff/account")
    assert "当前密码" in alert(browser.post("/staff/account/tokens", name="QGIS", days="30", present="wrong"))
    made = browser.post("/staff/account/tokens", name="QGIS", days="30", present=PASSWORD)
    token = re.search(r'<code class="secret">([^<]+)</code>', made.text)
    assert token and token[1] not in browser.get("/staff/account").text and "QGIS" in browser.get("/staff/account").text
    asks = {"Authorization": f"Bearer {token[1]}"}
    machine = demo.test_client()
    assert machine.get("/api/v1/reports", headers=asks).status_code == 200
    wrong = machine.get("/api/v1/me", headers={"Authorization": "Bearer nothing"})
    assert wrong.status_code == 401 and wrong.headers["WWW-Authenticate"] == "Bearer"
    (kept,) = (one for one in re.findall(r"tokens/(\d+)/end", browser.get("/staff/account").text))
    assert browser.post(f"/staff/account/tokens/{kept}/end").status_code == 303
    assert machine.get("/api/v1/me", headers=asks).status_code == 401
    other, word = create_token(store_of(demo), sun.id, name="t", by=sun, now=datetime.now(UTC))
    assert machine.get("/api/v1/me", headers={"Authorization": f"Bearer {word}"}).status_code == 200
    revoke_token(store_of(demo), other.id, by=sun, now=datetime.now(UTC))
    assert machine.get("/api/v1/me", headers={"Authorization": f"Bearer {word}"}).status_code == 401


def test_a_token_opens_no_page_of_the_staff_and_changes_nothing_there(demo: APIFlask) -> None:
    sun, boss = add(demo, "sun"), add(demo, "boss", "administrator")
    number = send(demo, HERE)
    take(store_of(demo), number, "assigned", sun, assignee=sun.id)
    machine = Browser(demo)
    machine.get("/report")  # where anybody is given the hidden word
    for who, asked in ((sun, f"/staff/reports/{number}/private"), (boss, f"/staff/accounts/{sun.id}/password")):
        _, token = create_token(store_of(demo), who.id, name="t", by=who, now=datetime.now(UTC))
        machine.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        assert machine.get("/api/v1/me").status_code == 200
        for answer in (machine.get("/staff"), machine.post(asked)):
            assert answer.status_code == 303 and answer.location.startswith("/sign-in"), asked


def test_one_address_may_be_refused_twenty_times_a_minute_and_others_go_on(demo: APIFlask) -> None:
    add(demo, "sun")
    browser = Browser(demo)
    browser.get("/sign-in")
    for number in range(20):
        assert browser.post("/sign-in", username=f"nobody{number}", password="x").status_code == 422
    answer = browser.post("/sign-in", username="sun", password=PASSWORD)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0 and "频繁" in answer.text
    neighbour = Browser(demo)
    neighbour.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert neighbour.sign_in("sun").status_code == 303


def test_an_authenticator_app_can_be_replaced_and_recovery_codes_renewed(app: APIFlask) -> None:
    with_factor(app, "sun")
    kept = credentials(store_of(app), "sun")
    assert kept is not None
    browser = signed_in(app, kept.account)
    page = browser.get("/staff/account/second-factor")
    assert "当前密码" in alert(browser.post("/staff/account/second-factor", code=app_code(page), present="x"))
    answer = browser.post("/staff/account/second-factor", code=app_code(page), present=PASSWORD)
    assert len(re.findall(r'<code class="secret">', answer.text)) == 8
    changed = credentials(store_of(app), "sun")
    assert changed is not None and changed.totp_secret != kept.totp_secret
    browser.get("/staff/account")
    renewed = browser.post("/staff/account/recovery-codes", present=PASSWORD)
    assert len(re.findall(r'<code class="secret">', renewed.text)) == 8 and renewed.text != answer.text


def test_an_account_locked_in_between_cannot_go_on(app: APIFlask) -> None:
    key = with_factor(app, "sun")
    kept = credentials(store_of(app), "sun")
    assert kept is not None
    browser = Browser(app)
    browser.sign_in("sun")
    browser.get("/sign-in/code")
    for _ in range(5):
        count_failure(store_of(app), kept.account.id, now=datetime.now(UTC))
    assert browser.post("/sign-in/code", code=code_of(key, ahead=1)).location == "/sign-in"
    clear_failures(store_of(app), kept.account.id, now=datetime.now(UTC))
    assert browser.sign_in("sun").location == "/sign-in/code"
