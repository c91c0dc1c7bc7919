"""The headers on every live answer, and a start that refuses to go without its secret."""

import pytest
from apiflask import APIFlask
from click.testing import CliRunner
from flask.testing import FlaskClient

import lamplight
from tests.web.server.conftest import SECRET
from web.server.app import create_app
from web.server.settings import Settings, SettingsError, settings_from

UNSAFE = ("unsafe-inline", "unsafe-eval", "http:", "https:", "*", "blob:", "data:")


def answers(app: APIFlask):
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods:
            values = dict.fromkeys(rule.arguments, 1) | {"kind": "points"}
            address = app.url_map.bind("").build(rule.endpoint, {name: values[name] for name in rule.arguments})
            yield rule.rule, client.get(address)


def test_every_answer_trusts_nothing_but_this_server(app: APIFlask) -> None:
    for rule, answer in answers(app):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and not any(word in policy for word in UNSAFE), rule
        assert answer.headers["X-Content-Type-Options"] == "nosniff", rule
        assert answer.headers["X-Frame-Options"] == "DENY", rule
        assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), rule
        assert "Cache-Control" in answer.headers, rule
        assert len(answer.headers.getlist("Content-Security-Policy")) == 1, rule


def test_https_is_insisted_on_where_it_is_served(town_url: str) -> None:
    app = create_app(Settings(town_url, SECRET), testing=True)
    answer = app.test_client().get("/report", base_url="https://localhost")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    cookies = answer.headers.getlist("Set-Cookie")
    assert cookies and all(
        "Secure" in c and "HttpOnly" in c and "SameSite=Lax" in c for c in cookies if c.startswith("__Host-lamplight")
    )
    app.extensions["lamplight.store"].close()


@pytest.mark.parametrize("environment", [{}, {"LAMPLIGHT_SECRET": "short"},
                                         {"LAMPLIGHT_SECRET": SECRET, "LAMPLIGHT_PROXIES": "many"}])  # fmt: skip
def test_a_start_without_what_it_needs_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        settings_from(environment, "sqlite:///x.sqlite")


def test_the_command_refuses_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMPLIGHT_SECRET", raising=False)
    refused = CliRunner().invoke(lamplight.main, ["serve"])
    assert refused.exit_code == 2
    assert "LAMPLIGHT_SECRET" in refused.output and len(refused.output.strip().splitlines()) == 1


def test_a_city_that_is_real_is_not_served_as_a_demo(town_url: str) -> None:
    app = create_app(Settings(town_url, SECRET, secure=False))
    app.extensions["lamplight.store"].set_setting("fictional", "")
    app.extensions["lamplight.store"].close()
    with pytest.raises(SettingsError):
        create_app(Settings(town_url, SECRET, secure=False, demo=True))


# the names it is reached by

OWN = ("help.example.cn", "help.example.cn:8437", "HELP.example.cn", "a.office.example")
FOREIGN = ("evil.example", "evil.example:80", "help.example.cn.evil.example", "office.example.x", "", "a b")


def test_only_its_own_names_are_answered_and_others_refused_in_both_languages(town_url: str) -> None:
    settings = Settings(town_url, SECRET, secure=False, proxies=1, hosts=("help.example.cn", ".office.example"))
    app = create_app(settings, testing=True)
    client = app.test_client()
    for host in OWN:
        assert client.get("/healthz", headers={"Host": host}).status_code == 200, host
    for host in FOREIGN:
        for path in ("/", "/staff/nights", "/api/v1/points", "/static/find.js"):
            answer = client.get(path, headers={"Host": host})
            assert answer.status_code == 400 and answer.mimetype == "application/problem+json"
            assert "本服务器" in answer.json["detail_zh"] and "this name" in answer.json["detail_en"]
    forwarded = {"Host": "127.0.0.1:8437", "X-Forwarded-Host": "help.example.cn"}
    assert client.get("/healthz", headers=forwarded).status_code == 200, "the proxy says under which name"
    assert client.get("/healthz", headers={"Host": OWN[0], "X-Forwarded-Host": FOREIGN[0]}).status_code == 400
    app.extensions["lamplight.store"].close()


def test_any_name_is_answered_where_none_was_set(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Host": "whatever.example"}).status_code == 200


def test_names_come_from_the_environment_and_must_be_names() -> None:
    def said(hosts: str) -> tuple[str, ...]:
        return settings_from({"LAMPLIGHT_SECRET": SECRET, "LAMPLIGHT_HOSTS": hosts}, "sqlite:///x.sqlite").hosts

    assert said("") == said(" , ") == ()
    assert said("Help.example.cn, 10.0.0.5,.office.example") == ("help.example.cn", "10.0.0.5", ".office.example")
    for wrong in ("https://help.example.cn", "help.example.cn:8437", "*", "a b"):
        with pytest.raises(SettingsError, match="LAMPLIGHT_HOSTS"):
            said(wrong)
