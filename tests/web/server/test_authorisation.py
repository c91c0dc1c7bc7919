"""Every route declares who may ask, and no role reaches what lies outside its area: tried, all of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from apiflask import APIFlask
from werkzeug.routing import Rule

from layers.accounts import Account
from layers.casebook import private_part
from layers.jobs import ask_job
from layers.nights import open_night
from layers.referrals import refer
from layers.roles import ROLES, may
from layers.scenarios import create_scenario
from layers.sessions import create_token, open_session, session_id
from tests.layers.night_plan import EVENING, plan_run
from tests.web.server.planning_world import put_upload, siting_run
from tests.web.server.staff import CITY, ELSEWHERE, HERE, Browser, add, signed_in, store_of
from tests.web.server.staff_world import put, send, take
from web.server.access import ANY_ACCOUNT, ANYONE, need_of
from web.server.errors import MACHINES

#: Where what is asked for lies, seen from the account that asks: (area of the account, area of the thing).
RELATIONS = {
    "own": (HERE, HERE),
    "foreign": (HERE, ELSEWHERE),
    "above": (HERE, CITY),
    "empty": ("999900000000", HERE),
}
#: What no page may say to an account it does not belong to.
SECRETS = re.compile(r'异地|13911110000|far-away|>\s*97\s*<|"people": ?97\b')
#: Parameters that name a thing with an owner or an area; their values come from ``Things``.
OWNED = (
    "account_id", "report_id", "photo_id", "referral_id", "session_id", "token_id", "night_id", "scenario_id", "job_id",
    "run_id", "upload_id",
)  # fmt: skip
#: Values of all other parameters, by "endpoint.parameter" where the parameter's name alone does not tell.
PLAIN: dict[str, str] = {
    "filename": "site.css", "assets.asset.name": "pmtiles.js", "name": "service-points", "kind": "points",
    "code": "SP001", "public.speak.code": "en", "ending": "geojson", "z": "3", "x": "6", "y": "3", "fid": "1",
    "token": "x" * 43, "wanted": "report",
    "runs.new.kind": "siting", "runs.file.name": "own-area.geojson", "imports.done.version_id": "1",
}  # fmt: skip
#: What a form must hold so that it is the authorisation that is asked, and not the form that is refused.
FORMS: dict[str, dict[str, str]] = {
    "reports.take_step": {"to": "verified", "version": "0"},  # a stale one, so that the report stays as it is
    "reports.make_referral": {"receiver": "police:", "place": "派出所"},
    "reports.confirm": {"received_by": "王护士"},
    "scenarios.change": {"action": "close", "code": "SP001", "version": "0"},  # stale, too
    "runs.accept": {"name": "近处的点"},
    "administration.change": {"name": "新名", "role": "planner", "area_code": HERE, "receiver": ""},
    "administration.add": {"username": "new", "name": "新", "role": "planner", "area_code": HERE, "receiver": ""},
}


@dataclass(frozen=True)
class Things:
    """What a route's parameters may name."""

    account_id: int
    report_id: int
    photo_id: int
    referral_id: int
    session_id: str
    token_id: int
    night_id: int
    scenario_id: int
    job_id: int
    run_id: str
    upload_id: int


def routes(app: APIFlask) -> Iterator[tuple[Rule, str]]:
    """Yield every route with each of its methods, those that a browser or a machine asks by."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def address(app: APIFlask, rule: Rule, things: Things) -> str:
    """Return an address of a route, its parameters filled in."""
    values = {}
    for name in sorted(rule.arguments):
        if name in OWNED:
            values[name] = str(getattr(things, name))
            continue
        value = PLAIN.get(f"{rule.endpoint}.{name}", PLAIN.get(name))
        if value is None:
            pytest.fail(f"the route {rule} has a parameter <{name}> that PLAIN or OWNED of this test must know")
        values[name] = value
    with app.test_request_context():
        from flask import url_for

        return url_for(rule.endpoint, **values)


def things(app: APIFlask, area: str, actor: Account, relation: str) -> Things:
    """Make a report with photo and referral, an account, a session and a token in an area."""
    store, now = store_of(app), datetime.now(UTC)
    mine = relation == "own"
    said = {} if mine else {"contact": "13911110000", "note": "异地的事", "place": "异地桥", "people": 97}
    name = f"{'near' if mine else 'far-away'}-{relation}-{actor.username}"
    target = add(app, name, "grid_worker", area)
    chief = add(app, f"{name}-chief", "supervisor", area)
    number = send(app, HERE if area == CITY else area, photo=True, **said)
    if area == CITY:
        put(store, number, CITY)
    hands = actor if mine and actor.may("work_reports") else chief
    take(store, number, "assigned", chief, assignee=hands.id)
    made_to = actor.id if mine and actor.role == "partner" else None
    referral = refer(store, number, receiver="hospital", place=said.get("place", "急诊"), by=chief, now=now,
                     made_to=made_to)  # fmt: skip
    photo = private_part(store, number, by=chief, now=now).photos[0]
    owner = actor if mine else target
    token, _ = create_token(store, owner.id, name="令牌", by=owner, now=now)
    session = session_id(open_session(store, owner.id, device="别处", now=now))
    plan = store.save_run(plan_run({f"C-{name}": (area, ["D1", "D2"])}))
    night = open_night(store, plan.id, EVENING, by=chief, now=now)
    planner = actor if mine and actor.role == "planner" else add(app, f"{name}-planner", "planner", area)
    scenario = create_scenario(store, "近处方案" if mine else "异地方案", by=planner, now=now)
    asked = ask_job(store, "coverage", {"of": name}, by=planner, now=now)
    # who sees an area sees of a run about the city what lies inside: so this one is about another area
    run = siting_run(store, within=(ELSEWHERE if area == CITY else area,))
    upload = put_upload(store, planner)
    return Things(
        target.id, number, photo, referral.id, session, token.id, night.id, scenario.id, asked.id, run.id, upload
    )  # fmt: skip


def ask(app: APIFlask, browser: Browser, rule: Rule, method: str, named: Things) -> Any:
    path = address(app, rule, named)
    if method == "GET":
        return browser.client.get(path)
    fields = {"csrf_token": browser.word, **FORMS.get(rule.endpoint, {})}
    return browser.client.open(path, method=method, data=fields)


def test_every_route_declares_who_may_ask(app: APIFlask) -> None:
    undeclared = [str(rule) for rule in app.url_map.iter_rules() if need_of(app, rule.endpoint) is None]
    assert undeclared == [], "these routes must carry @anyone or @needs(...)"
    named = {need_of(app, rule.endpoint) for rule in app.url_map.iter_rules()} - {ANYONE, ANY_ACCOUNT}
    assert all(any(may(role, str(need)) for role in ROLES) for need in named), "nobody has this permission"


def test_a_route_that_declares_nothing_answers_nobody(app: APIFlask) -> None:
    app.add_url_rule("/staff/forgotten", "forgotten", lambda: "open")
    boss = signed_in(app, add(app, "boss", "administrator", CITY))
    assert boss.get("/staff/forgotten").status_code == 403
    assert Browser(app).get("/staff/forgotten").status_code == 303


def test_the_public_reaches_no_staff_page_and_is_told_to_sign_in(app: APIFlask) -> None:
    named = things(app, ELSEWHERE, add(app, "sun"), "foreign")
    browser = Browser(app)
    for rule, method in routes(app):
        answer = ask(app, browser, rule, method, named)
        where = f"{method} {rule}"
        assert answer.status_code < 500 or answer.status_code == 503, where  # tiles may still be in the making
        if answer.mimetype.startswith(("text/", "application/json", "application/geo+json")):
            assert not SECRETS.search(answer.text), where
        if need_of(app, rule.endpoint) == ANYONE:
            continue
        if str(rule).startswith(MACHINES):
            assert answer.status_code == 401, where
        else:
            assert answer.status_code == 303 and answer.location.startswith("/sign-in"), where


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reaches_beyond_its_permissions_or_its_area(app: APIFlask, role: str) -> None:
    tried = 0
    for number, (relation, (area, where)) in enumerate(RELATIONS.items()):
        actor = add(app, f"actor-{relation}", role, area)
        named = things(app, where, actor, relation)
        browser = signed_in(app, actor)
        for rule, method in routes(app):
            need = need_of(app, rule.endpoint)
            if need == ANYONE:
                continue
            browser.client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"  # limits are another test's matter
            answer = ask(app, browser, rule, method, named)
            tried += 1
            told = f"{method} {rule} by a {role}, {relation}: {answer.status_code}"
            assert answer.status_code < 500 and answer.status_code not in (401, 429), told
            assert answer.mimetype == "image/jpeg" or not SECRETS.search(answer.text), told
            if need != ANY_ACCOUNT and not may(role, str(need)):
                assert answer.status_code == 403, told
            elif relation != "own" and rule.arguments & set(OWNED):
                assert answer.status_code in (403, 404), told
            elif relation == "own":
                assert answer.status_code not in (403, 404), told
                assert not (answer.location or "").startswith("/sign-in"), told
            if rule.endpoint == "sign_in.sign_out":
                browser = signed_in(app, actor)
    assert tried > 100
