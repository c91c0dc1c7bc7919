"""The administrators' pages, the words kept for passwords, and the demo city's accounts."""

import re
from datetime import UTC, datetime

import pytest
from apiflask import APIFlask

from gis.errors import QuestionError
from layers.accounts import account, accounts, credentials
from layers.roles import ROLES
from layers.scope import Scope
from layers.sessions import create_token
from layers.store import Store
from tests.web.server.staff import CITY, DISTRICT, ELSEWHERE, HERE, Browser, add, alert, signed_in, store_of
from web.server import passwords as words
from web.server.demo_accounts import demo_accounts
from web.server.second_factor import SecondFactor

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def boss(demo: APIFlask) -> Browser:
    """An administrator of a district, signed in."""
    return signed_in(demo, add(demo, "boss", "administrator", DISTRICT))


def handed_out(answer: object) -> tuple[str, ...]:
    return tuple(re.findall(r'<code class="secret">([^<]+)</code>', answer.text))  # type: ignore[attr-defined]


def test_an_administrator_adds_an_account_whose_password_works_once(demo: APIFlask, boss: Browser) -> None:
    boss.get("/staff/accounts/new")
    fields = {"username": "Li.Wei", "name": "李伟", "role": "grid_worker", "area_code": HERE, "receiver": ""}
    username, password = handed_out(boss.post("/staff/accounts/new", **fields))
    assert username == "li.wei" and "李伟" in boss.get("/staff/accounts").text
    assert password not in boss.get("/staff/accounts").text
    assert Browser(demo).sign_in(username, password).location == "/sign-in/new-password"


def test_a_faulty_account_is_refused_in_words_and_what_was_typed_stays(demo: APIFlask, boss: Browser) -> None:
    boss.get("/staff/accounts/new")
    fields = {"username": "x", "name": "李伟", "role": "partner", "area_code": "12", "receiver": ""}
    answer = boss.post("/staff/accounts/new", **fields)
    assert answer.status_code == 422 and 'value="李伟"' in answer.text
    assert "用户名" in alert(answer) and "区划代码" in alert(answer) and "协作单位" in alert(answer)
    answer = boss.post("/staff/accounts/new", **{**fields, "username": "boss", "area_code": HERE, "receiver": "police"})
    assert "已被使用" in alert(answer)
    assert [one.username for one in accounts(store_of(demo))] == ["boss"]


@pytest.mark.parametrize("area", [CITY, ELSEWHERE])
def test_nobody_gives_rights_outside_their_own_area(demo: APIFlask, boss: Browser, area: str) -> None:
    boss.get("/staff/accounts/new")
    fields = {"username": "friend", "name": "友", "role": "supervisor", "area_code": area, "receiver": ""}
    assert boss.post("/staff/accounts/new", **fields).status_code == 403
    mine = add(demo, "mine")
    boss.get(f"/staff/accounts/{mine.id}")
    moved = boss.post(f"/staff/accounts/{mine.id}", name="新名", role="supervisor", area_code=area, receiver="")
    assert moved.status_code == 403 and account(store_of(demo), mine.id) == mine
    other = add(demo, "other", area=area)
    assert "other" not in boss.get("/staff/accounts").text
    for path in ("", "/password", "/second-factor", "/deactivate", "/reactivate", "/unlock"):
        assert boss.post(f"/staff/accounts/{other.id}{path}").status_code == 404
    assert account(store_of(demo), other.id) == other


def test_nobody_promotes_themselves(demo: APIFlask, boss: Browser) -> None:
    own = credentials(store_of(demo), "boss")
    assert own is not None
    boss.get(f"/staff/accounts/{own.account.id}")
    fields = {"name": "boss", "role": "supervisor", "area_code": DISTRICT, "receiver": ""}
    assert boss.post(f"/staff/accounts/{own.account.id}", **fields).status_code == 403
    assert boss.post(f"/staff/accounts/{own.account.id}/deactivate").status_code == 403


@pytest.mark.parametrize("what", ["password", "second-factor", "unlock"])
def test_nobody_does_without_their_own_password_by_resetting_themselves(
    demo: APIFlask, boss: Browser, what: str
) -> None:
    before = credentials(store_of(demo), "boss")
    assert before is not None
    boss.get(f"/staff/accounts/{before.account.id}")
    answer = boss.post(f"/staff/accounts/{before.account.id}/{what}")
    assert answer.status_code == 403 and handed_out(answer) == ()
    assert credentials(store_of(demo), "boss") == before


def test_a_new_password_from_an_administrator_ends_the_tokens_too(demo: APIFlask, boss: Browser) -> None:
    sun = add(demo, "sun")
    _, token = create_token(store_of(demo), sun.id, name="t", by=sun, now=datetime.now(UTC))
    machine, asks = demo.test_client(), {"Authorization": f"Bearer {token}"}
    assert machine.get("/api/v1/me", headers=asks).status_code == 200
    boss.get(f"/staff/accounts/{sun.id}")
    boss.post(f"/staff/accounts/{sun.id}/password")
    assert machine.get("/api/v1/me", headers=asks).status_code == 401


def test_a_changed_role_counts_from_the_next_request_on(demo: APIFlask, boss: Browser) -> None:
    sun = add(demo, "sun", "planner")
    browser = signed_in(demo, sun)
    assert browser.get("/staff/reports").status_code == 403
    boss.get(f"/staff/accounts/{sun.id}")
    boss.post(f"/staff/accounts/{sun.id}", name="孙", role="supervisor", area_code=HERE, receiver="")
    assert browser.get("/staff/reports").status_code == 200


def test_a_new_password_and_closing_end_every_session_at_once(demo: APIFlask, boss: Browser) -> None:
    sun = add(demo, "sun")
    browser = signed_in(demo, sun)
    boss.get(f"/staff/accounts/{sun.id}")
    _, password = handed_out(boss.post(f"/staff/accounts/{sun.id}/password"))
    assert browser.get("/staff").status_code == 303
    assert Browser(demo).sign_in("sun", password).location == "/sign-in/new-password"
    browser = signed_in(demo, sun)
    boss.post(f"/staff/accounts/{sun.id}/deactivate")
    assert browser.get("/staff").status_code == 303 and Browser(demo).sign_in("sun", password).status_code == 422
    assert "已停用" in boss.get("/staff/accounts").text
    boss.get(f"/staff/accounts/{sun.id}")
    boss.post(f"/staff/accounts/{sun.id}/reactivate")
    assert Browser(demo).sign_in("sun", password).status_code == 303


def test_the_log_shows_what_was_done_and_that_it_is_whole(demo: APIFlask, boss: Browser) -> None:
    far = add(demo, "far", area=ELSEWHERE)
    page = boss.get("/staff/audit")
    assert "添加账号" in page.text and f"account:{far.id}<" not in page.text
    assert "记录完整" in boss.post("/staff/audit/check").text
    with store_of(demo).transaction(writes=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit_entry DISABLE TRIGGER USER")
        else:
            for (name,) in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
            ).all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE audit_entry SET action = 'nothing' WHERE number = 1")
    assert "第 1 条记录被改动" in boss.post("/staff/audit/check").text


def test_what_is_kept_of_a_password_fits_it_alone() -> None:
    kept = words.hash_password("é a bridge")
    assert words.password_fits(kept, "e\u0301 a bridge"), "however a keyboard composes it"
    assert not words.password_fits(kept, "e a bridge") and not words.password_fits(None, "é a bridge")
    assert not words.password_fits("-", "x") and kept.startswith("$argon2id$")
    once = words.hash_password("x", once=True)
    assert words.must_change(once) and words.password_fits(once, "x") and not words.must_change(kept)
    assert len({words.made_password() for _ in range(50)}) == 50
    assert words.password_fault(words.made_password(), "") is None


def test_a_recovery_code_is_used_up_and_means_nothing_under_another_key() -> None:
    codes, kept = words.made_recovery_codes("key")
    assert words.recovery_codes_left(kept) == len(set(codes)) == 8
    left = words.without_recovery_code(kept, f" {codes[2].upper()} ", "key")
    assert left is not None and words.recovery_codes_left(left) == 7
    assert words.without_recovery_code(left, codes[2], "key") is None
    assert words.without_recovery_code(kept, codes[2], "other") is None
    assert words.without_recovery_code("", "", "key") is None


def test_the_secret_of_an_app_can_be_read_with_the_servers_key_alone() -> None:
    factor = SecondFactor("11" * 32, "Linjiang")
    kept = factor.make()
    assert factor.words(kept).replace("-", "") not in kept
    assert SecondFactor("22" * 32, "Linjiang").words(kept) != factor.words(kept)
    assert all(factor.check(kept, said) is None for said in ("", "12345", "abcdef", "１２３４５６", "1" * 400))


def test_the_demo_has_one_account_a_role_in_areas_there_are(demo: APIFlask) -> None:
    store, now = store_of(demo), datetime.now(UTC)
    made = demo_accounts(store, now)
    assert demo_accounts(store, now) == made and len(accounts(store)) == len(made)
    assert {role for _, _, role, _ in made} == set(ROLES)
    known = {str(code) for level in ("city", "district", "community") for code in store.load("areas", level)["code"]}
    assert {area for *_, area in made} <= known
    areas = {role: area for _, _, role, area in made}
    assert Scope.of(areas["supervisor"]).holds(areas["grid_worker"])
    for username, password, _, _ in made:
        assert Browser(demo).sign_in(username, password).location == "/staff"


def test_a_real_city_gets_no_demo_accounts(tmp_path: object) -> None:
    store = Store(f"sqlite:///{tmp_path}/city.sqlite")
    store.create()
    with pytest.raises(QuestionError):
        demo_accounts(store, datetime.now(UTC))
    assert accounts(store) == []
    store.close()
