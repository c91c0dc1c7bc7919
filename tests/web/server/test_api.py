"""What other programs ask of the city, against the city itself."""

import uuid
from datetime import datetime

import numpy as np
import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from layers.intake import NewReport, receive
from layers.store import Store
from tests.web.server.machines import bearer, token_of
from web.server.city import PublicCity, now
from web.server.errors import MACHINES

DISTRICT = "990101000000"
MALFORMED = [
    "", "lon=117", "lat=30", "lon=nan&lat=30", "lon=inf&lat=30", "lon=-Infinity&lat=30", "lon=1e999&lat=30",
    "lon=180.1&lat=30", "lon=117&lat=-90.5", "lon=117&lon=117&lat=30", "lon=&lat=30", "lon=１１７&lat=30",
    "lon=117%00&lat=30", "lon=117&lat=30&count=0", "lon=117&lat=30&count=51", "lon=117&lat=30&count=1.5",
    "lon=117&lat=30&count=٣", "lon=117&lat=30&count=1e1", "lon=117&lat=30&open=yes", "lon=117&lat=30&function=a",
    "lon=117&lat=30&more=1", f"lon={'1' * 500}&lat=30", "lon=0x75&lat=30", "lon=117&lat=30&open=now&open=now",
    "lon=1_17&lat=30", "lon= 117&lat=30", "lon=%FF&lat=30", "lon[]=117&lat=30", f"lon=117&lat=30&count={'9' * 400}",
]  # fmt: skip


@pytest.fixture
def city(app: APIFlask) -> PublicCity:
    found: PublicCity = app.extensions["lamplight.city"].current()
    return found


def places(city: PublicCity, count: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng(5)
    west, south, east, north = city.points.total_bounds
    return list(zip(rng.uniform(west, east, count).tolist(), rng.uniform(south, north, count).tolist(), strict=True))


def withheld(app: APIFlask) -> set[str]:
    store: Store = app.extensions["lamplight.store"]
    table = store.load("service-points")
    hidden = table[table["withheld"] | ~table["build_state"].isin(["existing", "upgrade"])]
    assert len(hidden), "the demo town withholds points"
    return set(hidden["code"])


def test_the_nearest_points_are_those_of_the_walking_network(client: FlaskClient, city: PublicCity) -> None:
    for lon, lat in places(city, 20):
        found = client.get(f"/api/v1/nearest?lon={lon}&lat={lat}&count=4").get_json()["points"]
        want = city.nearest(lon, lat, None, 4)
        assert [point["key"] for point in found] == [city.points["key"].iat[i] for i, _ in want]
        assert [point["walk_s"] for point in found] == pytest.approx([seconds for _, seconds in want], abs=0.06)


@pytest.mark.parametrize("function", ["reception", "temporary_service"])
def test_only_points_chosen_are_found(client: FlaskClient, city: PublicCity, function: str) -> None:
    lon, lat = places(city, 1)[0]
    ask = f"/api/v1/nearest?lon={lon}&lat={lat}&count=50&function={function}"
    offering = {city.points["key"].iat[i] for i in np.flatnonzero(city.offering(function))}
    assert {point["key"] for point in client.get(ask).get_json()["points"]} == offering
    always = {city.points["key"].iat[i] for i in np.flatnonzero(city.always_open())} & offering
    assert {point["key"] for point in client.get(f"{ask}&open=always").get_json()["points"]} == always
    opened = client.get(f"{ask}&open=now").get_json()["points"]
    assert all(point["open"] for point in opened)


def test_open_closed_and_unknown_are_told_alike_everywhere(client: FlaskClient, city: PublicCity) -> None:
    moment = now()
    listed = client.get("/api/v1/points?limit=1000").get_json()["points"]
    drawn = client.get("/api/v1/points.geojson").get_json()["features"]
    word = {True: "open", False: "closed", None: "unknown"}
    if city.local(moment).minute != city.local(now()).minute:
        pytest.skip("the minute has turned")
    for i, (point, mark) in enumerate(zip(listed, drawn, strict=True)):
        state = city.hours_state(i, moment)
        is_open = state.is_open if state else None
        assert (point["open"], mark["properties"]["state"]) == (is_open, word[is_open])
        detail = client.get(f"/api/v1/points/{point['key']}").get_json()
        assert {name: detail[name] for name in point} == point
        if detail["changes_at"]:
            changes_at = datetime.fromisoformat(detail["changes_at"])
            assert changes_at.tzinfo is not None and changes_at > moment


def test_a_place_off_the_streets_reaches_nothing(client: FlaskClient, city: PublicCity) -> None:
    for place in ("lon=1&lat=1", "lon=-60&lat=-33", "lon=180&lat=90", "lon=-180&lat=-90"):
        assert client.get(f"/api/v1/nearest?{place}").get_json() == {"points": []}
        way = client.get(f"/api/v1/points/{city.points['key'].iat[0]}/way?{place}")
        assert way.get_json() == {"type": "FeatureCollection", "features": []}


def test_a_malformed_question_is_refused_in_both_languages(client: FlaskClient) -> None:
    for query in MALFORMED:
        answer = client.get(f"/api/v1/nearest?{query}")
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json"), query
        told = answer.get_json()
        assert told["status"] == 422 and told["detail_zh"] and told["detail_en"]


@pytest.mark.parametrize(
    "path", ["/api/v1/nearest", "/api/v1/points.geojson", "/healthz", "/ogc", "/export/points.kml"]
)
def test_another_method_is_refused_with_those_there_are(client: FlaskClient, path: str) -> None:
    answer = client.open(path, method="DELETE")
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_pages_of_points_hold_every_point_once(client: FlaskClient, city: PublicCity) -> None:
    address, keys = "/api/v1/points?limit=7", []
    while address:
        page = client.get(address).get_json()
        keys += [point["key"] for point in page["points"]]
        assert page["total"] == len(city.points)
        address = page["next"]
    assert keys == list(city.points["key"])


def test_what_is_withheld_or_planned_is_nowhere(client: FlaskClient, app: APIFlask, city: PublicCity) -> None:
    hidden = withheld(app)
    lon, lat = places(city, 1)[0]
    for path in (
        "/api/v1/points?limit=1000",
        "/api/v1/points.geojson",
        f"/api/v1/nearest?lon={lon}&lat={lat}&count=50",
    ):
        text = client.get(path).text
        assert not [code for code in hidden if f'"{code}"' in text]
    for code in hidden:
        for path in (f"/api/v1/points/points/{code}", f"/api/v1/points/points/{code}/way?lon={lon}&lat={lat}"):
            assert client.get(path).status_code == 404


def test_the_way_starts_at_the_place_and_takes_the_time_told(client: FlaskClient, city: PublicCity) -> None:
    for lon, lat in places(city, 5):
        for point in client.get(f"/api/v1/nearest?lon={lon}&lat={lat}&count=2").get_json()["points"]:
            (way,) = client.get(f"/api/v1/points/{point['key']}/way?lon={lon}&lat={lat}").get_json()["features"]
            told = way["properties"]
            assert told["walk_s"] == pytest.approx(point["walk_s"], abs=0.2)
            assert sum(step["metres"] for step in told["steps"]) == pytest.approx(told["metres"], abs=1)
            assert abs(np.array(way["geometry"]["coordinates"][-1]) - [point["lon"], point["lat"]]).max() < 0.003


def test_a_token_says_who_asks_and_what_they_may(client: FlaskClient, app: APIFlask) -> None:
    assert client.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me", headers=bearer("nobody's")).status_code == 401
    told = client.get("/api/v1/me", headers=bearer(token_of(app, "supervisor", DISTRICT))).get_json()
    assert (told["role"], told["area_code"], told["tier"]) == ("supervisor", DISTRICT, "district")
    assert "read_reports" in told["permissions"]


def test_reports_need_the_permission(client: FlaskClient, app: APIFlask) -> None:
    assert client.get("/api/v1/reports").status_code == 401
    assert client.get("/api/v1/reports", headers=bearer(token_of(app, "planner", DISTRICT))).status_code == 403


def test_reports_of_ones_own_area_are_listed_without_their_private_part(client: FlaskClient, app: APIFlask) -> None:
    store: Store = app.extensions["lamplight.store"]
    for code, geometry in store.load("areas", "district")[["code", "geometry"]].itertuples(index=False):
        at = geometry.representative_point()
        for _ in range(3):
            secret = {"place": "secret place", "note": "secret note", "contact": "secret contact"}
            said = NewReport(at.x, at.y, ("food_clothes",), **secret)
            key = str(uuid.uuid4())
            receive(store, said, submission_key=key, secret=b"sixteen bytes at least", now=now())
        headers = bearer(token_of(app, "supervisor", code))
        address, found = "/api/v1/reports?limit=2", []
        while address:
            answer = client.get(address, headers=headers)
            assert answer.status_code == 200
            assert "secret" not in answer.text and "lon" not in answer.text and str(at.x)[:8] not in answer.text
            found += answer.get_json()["reports"]
            address = answer.get_json()["next"]
        assert len({report["id"] for report in found}) == len(found) == 3
        assert {report["area_code"][:6] for report in found} == {code[:6]}
        assert all(datetime.fromisoformat(report["received_at"]).tzinfo for report in found)
        assert client.get("/api/v1/reports?state=closed", headers=headers).get_json()["reports"] == []
        assert client.get("/api/v1/reports?state=gone", headers=headers).status_code == 422
        assert client.get("/api/v1/reports?after=999999", headers=headers).status_code == 404


def test_every_route_for_machines_is_described_with_its_refusals(client: FlaskClient, app: APIFlask) -> None:
    described = client.get("/api/v1/openapi.json").get_json()["paths"]
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(MACHINES) and rule.endpoint != "openapi.spec":
            assert hasattr(app.view_functions[rule.endpoint], "operation"), f"{rule.rule} is not described"
    for path, item in described.items():
        assert list(item) == ["get"]
        answers = item["get"]["responses"]
        assert {"429", "503"} <= answers.keys(), path
        assert ("401" in answers) >= ("security" in item["get"])
        for status, answer in answers.items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]
