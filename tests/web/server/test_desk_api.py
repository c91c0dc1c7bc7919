"""A night on the desk as scripts ask for it: what is seen, tried, changed and taken back, and by whom."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import shapely
from apiflask import APIFlask
from flask import g

from layers.accounts import Account
from layers.night_records import NightChangedError, NightRefusedError, PatrolNight
from layers.nights import changes_since, open_night
from planner.desk.ground import Ground
from planner.desk.said import minutes_json
from tests.planner import toy_town
from tests.planner.desk.grid_town import MONDAY, board_of_town, grid_town
from tests.postgis_server import PostgisServer
from tests.web.server.conftest import SECRET
from tests.web.server.staff import Browser, add, signed_in
from web.server.app import create_app
from web.server.city import now
from web.server.desk_board import Desk as OnDesk
from web.server.desk_board import desk_of, done
from web.server.desk_streets import SCALE
from web.server.settings import Settings

WEST_CREWS, EAST_CREWS = ["C01", "C02", "C03", "C04"], ["C05", "C06"]


class Desk:
    """The grid town served, with its night open, and a supervisor of each area."""

    def __init__(self, app: APIFlask, run_id: str, ground: Ground) -> None:
        self.app, self.run_id, self.ground = app, run_id, ground
        self.above = add(app, "above", area=toy_town.DISTRICT)
        self.west, self.east = (add(app, name, area=code) for name, code in
                                (("west", toy_town.WEST), ("east", toy_town.EAST)))  # fmt: skip
        self.nobody = add(app, "nobody", area=toy_town.EMPTY)
        store = app.extensions["lamplight.store"]
        self.night: PatrolNight = open_night(store, run_id, MONDAY, by=self.above, now=now())
        self.browsers: dict[str, Browser] = {}

    def of(self, account: Account) -> Browser:
        if account.username not in self.browsers:
            self.browsers[account.username] = signed_in(self.app, account)
        return self.browsers[account.username]

    def get(self, by: Account, what: str, **headers: str) -> Any:
        return self.of(by).client.get(f"/staff/nights/{self.night.id}/{what}", headers=headers)

    def post(self, by: Account, what: str, **said: object) -> Any:
        browser = self.of(by)
        headers = {"X-CSRFToken": browser.word}
        return browser.client.post(f"/staff/nights/{self.night.id}/{what}", json=said, headers=headers)

    def board(self, by: Account) -> dict[str, Any]:
        for _ in range(100):
            answer = self.get(by, "board.json")
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json
                return found
            assert answer.status_code == 202 and answer.json["loading"] and answer.headers["Retry-After"]
        raise AssertionError("the night was never read")

    def routes(self, by: Account) -> dict[str, list[list[str]]]:
        return {crew["crew"]: crew["route"] for crew in self.board(by)["crews"]}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgis)])
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One night for all tests here; each takes back what it changes."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('desk') / 'grid.sqlite'}"
    else:
        server: PostgisServer = request.getfixturevalue("postgis_server")
        url = server.new_database(request)
    store, run = grid_town(url)
    ground = board_of_town(store, run).ground
    store.close()
    app = create_app(Settings(url, SECRET, secure=False), testing=True)
    yield Desk(app, run.id, ground)
    app.extensions["lamplight.desk"].close()
    app.extensions["lamplight.store"].close()


@pytest.fixture
def as_it_was(desk: Desk) -> Iterator[None]:
    """See that a test leaves the night as it found it."""
    before = desk.routes(desk.above)
    yield
    assert desk.routes(desk.above) == before


def street(desk: Desk, crew: str) -> str:
    """Return a street of one walk in the middle of a crew's route."""
    route = desk.routes(desk.above)[crew]
    return next(duty for duty, side in route[len(route) // 2 :] if side == "")


def test_the_board_shows_the_crews_of_the_area_with_the_minutes_of_the_plan(desk: Desk) -> None:
    whole = desk.board(desk.above)
    assert [crew["crew"] for crew in whole["crews"]] == [*WEST_CREWS, *EAST_CREWS]
    assert (whole["state"], whole["date"], whole["run"], whole["now"]) == ("open", "2024-03-04", desk.run_id, None)
    planned = board_of_town(
        desk.app.extensions["lamplight.store"], desk.app.extensions["lamplight.store"].run(desk.run_id)
    )
    assert whole["minutes"] == minutes_json(planned.minutes())
    assert list(map(tuple, whole["open"])) == planned.open_stops()
    west = desk.board(desk.west)
    assert [crew["crew"] for crew in west["crews"]] == WEST_CREWS and set(west["minutes"]) == set(WEST_CREWS)
    assert [crew["crew"] for crew in desk.board(desk.east)["crews"]] == EAST_CREWS
    assert desk.get(desk.nobody, "board.json").status_code == 404


def test_a_board_that_has_not_changed_is_not_sent_again(desk: Desk, as_it_was: None) -> None:
    desk.board(desk.west)
    first = desk.get(desk.west, "board.json")
    again = desk.get(desk.west, "board.json", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert desk.get(desk.east, "board.json", **{"If-None-Match": first.headers["ETag"]}).status_code == 200
    desk.post(desk.west, "change", version=desk.board(desk.west)["version"], action="lock", crew="C01")
    assert desk.get(desk.west, "board.json", **{"If-None-Match": first.headers["ETag"]}).status_code == 200
    desk.post(desk.west, "undo", number=desk.board(desk.west)["version"])


def test_streets_are_drawn_where_they_lie(desk: Desk) -> None:
    desk.board(desk.above)
    said = desk.get(desk.above, "streets.json").json
    network, night = desk.ground.records.city.network, desk.ground.night
    line = {int(s): shape for s, shape in zip(network.segment_id, network.geometry, strict=True)}
    points = np.cumsum(np.array(said["streets"]["steps"], np.int64).reshape(-1, 2), axis=0) / said["scale"]
    ends = np.cumsum(said["streets"]["points"])
    for segment, part in zip(said["streets"]["id"], np.split(points, ends[:-1]), strict=True):
        assert shapely.hausdorff_distance(shapely.LineString(part), line[segment]) <= 1.01 / SCALE
    duties = said["duties"]
    for i, duty in enumerate(duties["id"]):
        at = np.flatnonzero(night.duties.id == duty)[0]
        assert said["streets"]["id"][duties["street"][i]] == network.segment_id[night.duties.segment[at]]
        assert (duties["at"][i] is not None) == bool(night.duties.check[at])
    packed = desk.get(desk.above, "streets.json", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.data) < len(
        desk.get(desk.above, "streets.json").data
    )
    assert desk.get(desk.above, "streets.json", **{"If-None-Match": packed.headers["ETag"]}).status_code == 304


def test_streets_beyond_the_area_are_shown_where_its_crews_walk_alone(desk: Desk) -> None:
    seen = set(desk.get(desk.east, "streets.json").json["duties"]["id"])
    night = desk.ground.night
    inside = night.duty[desk.ground.area == toy_town.EAST_COMMUNITY]
    here = set(night.duties.id[inside].astype(str))
    walked = {duty for route in desk.routes(desk.east).values() for duty, _ in route}
    assert seen == here | walked and len(seen) < len(night.duties)


def test_what_is_tried_changes_nothing_and_shows_the_minutes_to_come(desk: Desk, as_it_was: None) -> None:
    duty, version = street(desk, "C01"), desk.board(desk.west)["version"]
    trial = desk.post(desk.west, "try", action="move", duty=duty, to="C02").json
    assert trial["touched"] == ["C01", "C02"] and trial["version"] == version
    assert [duty, ""] in trial["routes"]["C02"] and [duty, ""] not in trial["routes"]["C01"]
    assert trial["before"] == {crew: desk.board(desk.west)["minutes"][crew] for crew in ("C01", "C02")}
    made = desk.post(desk.west, "change", version=version, action="move", duty=duty, to="C02", confirm=True).json
    assert {crew: made["minutes"][crew] for crew in ("C01", "C02")} == trial["after"]
    assert made["undoable"][-1] == made["made"]
    back = desk.post(desk.west, "undo", number=made["made"]).json
    assert {crew: back["minutes"][crew] for crew in ("C01", "C02")} == trial["before"]


def test_the_second_of_two_supervisors_sees_what_the_first_did(desk: Desk, as_it_was: None) -> None:
    version, duty = desk.board(desk.west)["version"], street(desk, "C01")
    first = desk.post(desk.above, "change", version=version, action="remove", duty=duty)
    assert first.status_code == 200
    second = desk.post(desk.west, "change", version=version, action="swap", a="C01", b="C02", confirm="yes")
    assert second.status_code == 409 and second.mimetype == "application/problem+json"
    (told,) = second.json["changes"]
    assert (told["who"], told["action"], told["crews"], told["duty"]) == ("姓名above", "remove", ["C01"], duty)
    assert told["zh"] and told["en"] and second.json["version"] == first.json["made"]
    other = desk.post(desk.west, "change", version=version, action="lock", crew="C03")
    assert other.status_code == 200, "a crew nobody touched"
    missed = desk.get(desk.west, f"changes.json?since={version}").json
    assert [one["action"] for one in missed["changes"]] == ["remove", "lock"]
    for number in (other.json["made"], first.json["made"]):
        assert desk.post(desk.above, "undo", number=number).status_code == 200


def test_a_broken_shift_is_asked_about_and_what_is_impossible_is_refused(desk: Desk, as_it_was: None) -> None:
    board = desk.board(desk.above)
    swap = {"version": board["version"], "action": "swap", "a": "C05", "b": "C02"}
    asked = desk.post(desk.above, "change", **swap)
    assert asked.status_code == 409 and asked.json["confirm"] is True
    assert ("C05", "shift") in {(fault["crew"], fault["code"]) for fault in asked.json["trial"]["faults"]}
    sure = desk.post(desk.above, "change", **swap, confirm=True)
    assert sure.status_code == 200 and sure.json["faults"] != board["faults"]
    desk.post(desk.above, "undo", number=sure.json["made"])
    night = desk.ground.night
    nurse = next(str(night.duties.id[d]) for d in night.duty if night.duties.certificate[d])
    version = desk.board(desk.above)["version"]
    routes = desk.routes(desk.above)
    holder = next((crew for crew, route in routes.items() if nurse in [duty for duty, _ in route]), "")
    said = {"action": "move" if holder else "assign", "duty": nurse, "to": "C01", "confirm": True}
    refused = desk.post(desk.above, "change", version=version, **said)
    assert refused.status_code == 422 and "certificate" in refused.json["detail_en"]


def test_what_lies_in_another_area_is_out_of_reach(desk: Desk, as_it_was: None) -> None:
    board, ground, own = desk.board(desk.above), desk.ground, street(desk, "C01")
    free = [duty for duty, _ in board["open"]]
    walked = [duty for duty, side in desk.routes(desk.above)["C06"] if not side]
    east = {str(ground.night.duties.id[d]) for d in ground.night.duty[ground.area == toy_town.EAST_COMMUNITY]}
    beyond = next(duty for duty in free if duty in east)
    theirs = next(duty for duty in walked if duty not in east)
    for said, status in (
        ({"action": "move", "duty": own, "to": "C06"}, 404), ({"action": "swap", "a": "C01", "b": "C05"}, 404),
        ({"action": "lock", "crew": "C06"}, 404), ({"action": "ill", "crew": "C06"}, 404),
        ({"action": "assign", "duty": beyond, "to": "C01"}, 404),
        ({"action": "move", "duty": theirs, "to": "C01"}, 422), ({"action": "remove", "duty": theirs}, 422),
        ({"action": "close"}, 422),
    ):  # fmt: skip
        answer = desk.post(desk.west, "change", version=board["version"], confirm=True, **said)
        assert answer.status_code == status, said
        assert answer.json["detail_zh"] and answer.json["detail_en"]
    assert desk.post(desk.nobody, "change", version=board["version"], action="close").status_code == 404


def test_who_falls_ill_is_replaced_by_the_crews_of_the_area(desk: Desk, as_it_was: None) -> None:
    board = desk.board(desk.west)
    lost = desk.routes(desk.west)["C01"]
    ill = desk.post(desk.west, "change", version=board["version"], action="ill", crew="C01").json
    assert (
        next(crew for crew in ill["crews"] if crew["crew"] == "C01")["ill_from"] and ill["version"] > board["version"]
    )
    again = desk.post(desk.west, "change", version=ill["version"], action="replan", confirm=True)
    assert again.status_code == 200
    taken = {tuple(stop) for crew, route in desk.routes(desk.west).items() for stop in route if crew != "C01"}
    assert {tuple(stop) for stop in lost} & taken
    for number in (again.json["made"], ill["made"]):
        assert desk.post(desk.west, "undo", number=number).status_code == 200


def test_reasons_and_the_end_of_the_night_are_kept(desk: Desk, as_it_was: None) -> None:
    version, duty = desk.board(desk.above)["version"], street(desk, "C02")
    closed = desk.post(desk.above, "change", version=version, action="close").json
    assert closed["state"] == "closed"
    assert desk.post(desk.west, "change", version=closed["version"], action="remove", duty=duty).status_code == 422
    said = desk.post(
        desk.west, "change", version=closed["version"], action="reason", crew="C02", duty=duty, reason="雨"
    )
    assert said.status_code == 200
    assert desk.post(desk.above, "change", version=said.json["version"], action="reopen").json["state"] == "open"


def test_only_a_form_of_our_own_is_heard(desk: Desk, as_it_was: None) -> None:
    browser, path = desk.of(desk.above), f"/staff/nights/{desk.night.id}/change"
    assert browser.client.post(path, json={"action": "close", "version": 0}).status_code == 400
    for wrong in (b"[]", b"{", b'"x"'):
        headers = {"X-CSRFToken": browser.word, "Content-Type": "application/json"}
        answer = browser.client.post(path, data=wrong, headers=headers)
        assert answer.status_code == 422 and answer.json["detail_zh"]
    for said in ({"action": "remove"}, {"action": "remove", "version": "x"}, {"action": "dance", "version": 0}, {}):
        assert desk.post(desk.above, "change", **said).status_code == 422
    assert desk.post(desk.above, "undo", number="x").status_code == 422
    assert desk.post(desk.above, "undo", number=9999).status_code == 404


@contextmanager
def asking(desk: Desk, account: Account) -> Iterator[None]:
    """Be in the middle of a request."""
    with desk.app.test_request_context():
        g.account = account
        yield


def read(desk: Desk) -> OnDesk:
    found = desk_of(desk.night.id)
    assert isinstance(found, OnDesk)
    return found


def test_what_changed_while_a_change_was_worked_out_is_not_written_over(desk: Desk, as_it_was: None) -> None:
    duty, version = street(desk, "C01"), desk.board(desk.west)["version"]
    with asking(desk, desk.west):
        stale = read(desk)
    made = desk.post(desk.above, "change", version=version, action="remove", duty=duty).json["made"]
    with asking(desk, desk.west), pytest.raises(NightChangedError):
        done(stale, "swap", {"a": "C01", "b": "C02"}, version=10**6, confirmed=True)
    desk.post(desk.above, "undo", number=made)


def test_a_street_given_out_by_two_areas_at_once_stays_with_the_first(desk: Desk, as_it_was: None) -> None:
    duty, version = street(desk, "C02"), desk.board(desk.above)["version"]
    free = desk.post(desk.above, "change", version=version, action="remove", duty=duty).json["made"]
    with asking(desk, desk.west):
        stale = read(desk)
    given = {"version": free, "action": "assign", "duty": duty, "to": "C06", "confirm": True}
    first = desk.post(desk.above, "change", **given).json["made"]
    with asking(desk, desk.west), pytest.raises(NightRefusedError):
        done(stale, "assign", {"duty": duty, "to": "C01"}, version=free, confirmed=True)
    routes = desk.routes(desk.above)
    assert [duty, ""] in routes["C06"] and [duty, ""] not in routes["C01"]
    for number in (first, free):
        assert desk.post(desk.above, "undo", number=number).status_code == 200


def test_what_needs_a_night_that_is_being_read_says_so_and_when_to_ask_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(desk.app.extensions["lamplight.desk"]), "ground", lambda *_, **__: "streets")
    for what in ("board.json", "streets.json", "live", "marks", "streets?name=a"):
        answer = desk.get(desk.above, what)
        assert answer.status_code == 202, what
        assert answer.json["loading"] == "streets" and int(answer.headers["Retry-After"]) > 0, what
    before = changes_since(desk.app.extensions["lamplight.store"], desk.night.id, 0)
    assert desk.post(desk.above, "change", version=1, action="lock", crew="C01").status_code == 202
    assert changes_since(desk.app.extensions["lamplight.store"], desk.night.id, 0) == before
