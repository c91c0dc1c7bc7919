"""OGC API - Features against the store's own tables, and as GDAL reads it."""

import json
import os
import subprocess
import sys
from datetime import date
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from apiflask import APIFlask
from flask.testing import FlaskClient

from layers.audit import entries
from layers.records import LAYERS
from layers.roles import may_read_layer
from layers.scope import Scope
from layers.store import Store
from tests.web.server.machines import bearer, token_of
from tests.web.server.serving import listening

DISTRICT, CITY = "990101000000", "990100000000"
#: Reads every layer of an address with GDAL's own driver, in a process of its own: it would hold the interpreter.
READ_ALL = """
import json, sys, pyogrio
address = sys.argv[1]
found = {name: len(pyogrio.read_dataframe(address, layer=name)) for name, _ in pyogrio.list_layers(address)}
print(json.dumps(found))
"""


def store_of(app: APIFlask) -> Store:
    store: Store = app.extensions["lamplight.store"]
    return store


def public_table(app: APIFlask) -> gpd.GeoDataFrame:
    table = store_of(app).load("service-points")
    return table[~table["withheld"] & table["build_state"].isin(["existing", "upgrade"])]


def items(client: FlaskClient, name: str, headers: dict[str, str] | None = None, **query: Any) -> list[dict[str, Any]]:
    """Every feature of a collection, page after page."""
    address, found = f"/ogc/collections/{name}/items?{urlencode(query)}", []
    while address:
        answer = client.get(address, headers=headers)
        assert (answer.status_code, answer.mimetype) == (200, "application/geo+json"), answer.text
        page = answer.get_json()
        assert page["numberReturned"] == len(page["features"])
        found += page["features"]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert page["numberMatched"] == len(found)
    return found


def expected_counts(app: APIFlask, role: str | None, area_code: str) -> dict[str, int]:
    """What a role should see of each layer's part, counted from whole tables."""
    store = store_of(app)
    seen = store if role is None else store.within(Scope.of(area_code))
    counts = {}
    for layer, part in store.current():
        if may_read_layer(role, layer):
            public_points = role is None and layer == "service-points"
            table = public_table(app) if public_points else seen.load(layer, part)
            counts["-".join(filter(None, (layer, part)))] = len(table)
    return counts


def test_the_landing_page_leads_to_everything(client: FlaskClient) -> None:
    for path in ("/ogc", "/ogc/"):
        links = {link["rel"]: link["href"] for link in client.get(path).get_json()["links"]}
        assert links.keys() == {"self", "alternate", "service-desc", "conformance", "data"}
        assert all(client.get(href).status_code == 200 for rel, href in links.items() if rel != "alternate")
    classes = client.get(links["conformance"]).get_json()["conformsTo"]
    assert {name.rpartition("/")[2] for name in classes} == {"core", "oas30", "geojson"}
    described = client.get(links["service-desc"])
    assert described.content_type == "application/vnd.oai.openapi+json;version=3.0"
    assert "/collections/streets/items" in described.get_json()["paths"]
    for collection in client.get(links["data"]).get_json()["collections"]:
        own = {link["rel"]: link["href"] for link in collection["links"]}
        assert client.get(own["self"]).get_json() == collection
        assert client.get(own["items"]).status_code == 200


def test_the_public_sees_the_public_layers_alone(client: FlaskClient, app: APIFlask) -> None:
    names = {c["id"] for c in client.get("/ogc/collections").get_json()["collections"]}
    assert names == expected_counts(app, None, CITY).keys()
    assert {"streets", "service-points"} <= names and not names & {"reports", "candidates", "roster"}
    for name in set(LAYERS) - names:
        assert client.get(f"/ogc/collections/{name}/items").status_code == 404


@pytest.mark.parametrize("role", ["supervisor", "planner", "grid_worker", "partner", "administrator"])
def test_staff_see_the_layers_of_their_role_inside_their_area(client: FlaskClient, app: APIFlask, role: str) -> None:
    headers = bearer(token_of(app, role, DISTRICT))
    reads_layers = role not in ("partner", "administrator")
    want = expected_counts(app, role if reads_layers else None, DISTRICT)
    found = {c["id"] for c in client.get("/ogc/collections", headers=headers).get_json()["collections"]}
    assert found == want.keys()
    assert {name: len(items(client, name, headers, limit=10_000)) for name in found} == want


def test_what_is_withheld_or_planned_is_nowhere_for_the_public(client: FlaskClient, app: APIFlask) -> None:
    table, shown = store_of(app).load("service-points"), set(public_table(app)["code"])
    hidden = set(table["code"]) - shown
    assert hidden
    assert {feature["id"] for feature in items(client, "service-points", limit=4)} == shown
    for code in hidden:
        assert client.get(f"/ogc/collections/service-points/items/{code}").status_code == 404
        assert items(client, "service-points", code=code) == []
    fields = items(client, "service-points", limit=1)[0]["properties"]
    assert not fields.keys() & {"withheld", "build_state", "capacity"}
    assert client.get("/ogc/collections/service-points/items?withheld=true").status_code == 400
    box = client.get("/ogc/collections/service-points").get_json()["extent"]["spatial"]["bbox"][0]
    assert box == pytest.approx(public_table(app).total_bounds.tolist())
    starts, address = [], "/ogc/collections/service-points/items?limit=3"
    while address:
        links = {link["rel"]: link["href"] for link in client.get(address).get_json()["links"]}
        address = links.get("next", "")
        starts += [int(address.rpartition(".")[2])] if address else []
    assert starts == list(range(3, len(shown), 3)), "no gap tells where something is withheld"


def test_every_reading_of_a_layer_about_people_is_written_down(client: FlaskClient, app: APIFlask) -> None:
    headers = bearer(token_of(app, "supervisor", DISTRICT))
    for path in ("/ogc/collections", "/ogc/collections/reports", "/ogc/collections/streets/items"):
        assert client.get(path, headers=headers).status_code == 200
    assert entries(store_of(app), action="read_layer") == []
    listed = client.get("/ogc/collections", headers=headers).get_json()["collections"]
    assert {c["id"] for c in listed if "extent" not in c} & {"reports", "streets", "areas-district"} == {"reports"}
    for path in ("items?limit=1", "items/nobody"):
        client.get(f"/ogc/collections/reports/{path}", headers=headers)
    found = entries(store_of(app), action="read_layer")
    assert [(e.object, e.area_code) for e in found] == [("layer:reports", DISTRICT)] * 2
    assert client.get("/ogc/collections/reports/items").status_code == 404


def test_staff_see_withheld_points_of_their_own_area(client: FlaskClient, app: APIFlask) -> None:
    headers = bearer(token_of(app, "planner", DISTRICT))
    table = store_of(app).within(Scope.of(DISTRICT)).load("service-points")
    found = items(client, "service-points", headers)
    assert {f["id"]: f["properties"]["withheld"] for f in found} == dict(
        zip(table["code"], table["withheld"], strict=True)
    )


def test_boxes_hold_what_touches_them(client: FlaskClient, app: APIFlask) -> None:
    rng = np.random.default_rng(3)
    for name, layer, part in (("streets", "streets", ""), ("areas-community", "areas", "community")):
        table = store_of(app).load(layer, part)
        west, south, east, north = table.total_bounds
        for _ in range(6):
            x, y = np.sort(rng.uniform(west, east, 2)), np.sort(rng.uniform(south, north, 2))
            box = (x[0], y[0], x[1], y[1])
            want = table[shapely.intersects(table.geometry.to_numpy(), shapely.box(*box))]
            found = items(client, name, limit=500, bbox=",".join(map(repr, map(float, box))))
            assert [f["id"] for f in found] == [str(value) for value in want[LAYERS[layer].unique[0]]]
    everything = items(client, "areas-district", bbox="-180,-90,0,180,90,9")
    assert len(everything) == len(store_of(app).load("areas", "district"))
    x, y = (west + east) / 2, (south + north) / 2
    across = items(client, "areas-district", bbox=f"{x},-90,{x - 1e-9},90")  # all the way round, but for a sliver
    assert len(across) == len(everything)
    assert items(client, "areas-district", bbox=f"170,{y},-170,{y}") == []


def test_a_place_is_found_by_times_and_by_values(client: FlaskClient, app: APIFlask) -> None:
    table = public_table(app)
    verified = table["last_verified"]
    days = sorted(day for day in verified if day is not None)
    first, middle = days[0], days[len(days) // 2]

    def found(**query: Any) -> list[str]:
        return [feature["id"] for feature in items(client, "service-points", **query)]

    def wanted(of: Any) -> list[str]:
        return list(table["code"][[day is None or of(day) for day in verified]])

    assert found(datetime=f"{middle}") == wanted(lambda day: day == middle)
    assert found(datetime=f"{middle}/..") == found(datetime=f"{middle}/") == wanted(lambda day: day >= middle)
    assert found(datetime=f"../{middle}") == found(datetime=f"/{middle}") == wanted(lambda day: day <= middle)
    assert found(datetime=f"{first}T00:00:00+08:00/{middle}T00:00:00+08:00") == wanted(lambda day: day <= middle)
    eve = f"{middle}T15:59:59Z"  # is the same evening in the city; a second later it is the next day
    assert found(datetime=eve) == wanted(lambda day: day == middle)
    assert found(datetime=f"{middle}T16:00:00Z") == wanted(lambda day: day == date.fromordinal(middle.toordinal() + 1))
    mode = table["operating_mode"].iloc[0]
    assert found(operating_mode=mode) == list(table["code"][table["operating_mode"] == mode])
    assert found(last_verified=str(middle)) == list(table["code"][verified == middle])
    long = store_of(app).load("streets")["length_m"].iloc[0]
    assert {f["properties"]["length_m"] for f in items(client, "streets", length_m=long)} == {long}


def test_reports_are_found_by_time(client: FlaskClient, app: APIFlask) -> None:
    headers = bearer(token_of(app, "supervisor", CITY))
    table = store_of(app).load("reports")
    begin, end = table["found_at"].quantile(0.4), table["found_at"].quantile(0.6)
    want = table[(table["found_at"] >= begin.floor("s")) & (table["found_at"] <= end.floor("s"))]
    span = f"{begin.floor('s').isoformat()}+08:00/{end.floor('s').isoformat()}+08:00"
    found = items(client, "reports", headers, limit=400, datetime=span)
    assert [f["id"] for f in found] == list(want["report_id"])
    told = [pd.Timestamp(f["properties"]["found_at"]) for f in found]
    assert [moment.tz_localize(None) for moment in told] == list(want["found_at"])


@pytest.mark.parametrize("limit", [7, 1000, 10**15])
def test_every_page_follows_the_one_before(client: FlaskClient, app: APIFlask, limit: int) -> None:
    table = store_of(app).load("areas", "community")
    assert [f["id"] for f in items(client, "areas-community", limit=limit)] == list(table["code"])


def test_a_feature_stands_at_its_own_address(client: FlaskClient, app: APIFlask) -> None:
    headers = bearer(token_of(app, "supervisor", DISTRICT))
    for name in ("streets", "service-points", "population", "roster"):
        for feature in items(client, name, headers)[:3]:
            one = client.get(f"/ogc/collections/{name}/items/{feature['id']}", headers=headers).get_json()
            assert {part: one[part] for part in feature} == feature
    for fid in ("nowhere", "-1", "9" * 30, "%00", "１"):
        for name in ("streets", "population", "service-points"):
            assert client.get(f"/ogc/collections/{name}/items/{fid}", headers=headers).status_code == 404


def test_what_cannot_be_read_is_refused(client: FlaskClient) -> None:
    wrong = [
        "bbox=1,2,3", "bbox=1,2,3,4,5", "bbox=nan,1,2,3", "bbox=1,3,2,2", "bbox=1,2,inf,4", "bbox=", "bbox=181,0,182,1",
        "bbox=0,0,9,1,1,0", "datetime=yesterday", "datetime=2025-02-30", "datetime=2025-01-02/2025-01-01",
        "datetime=../..", "datetime=/", "datetime=2025-01-01T00:00:00", "datetime=0001-01-01T00:00:00%2B14:00",
        "datetime=", "datetime=2025-01-01/2025-01-02/2025-01-03", "limit=0", "limit=-1", "limit=x", "limit=1&limit=1",
        "start=1",
        "start=a.b", f"start=1.{2**31}", "colour=red", "f=json", "last_verified=soon", "name=%00", "functions[]=a",
    ]  # fmt: skip
    for query in wrong:
        answer = client.get(f"/ogc/collections/service-points/items?{query}")
        assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), query
    for path in ("/ogc", "/ogc/conformance", "/ogc/api", "/ogc/collections", "/ogc/collections/streets"):
        assert client.get(f"{path}?colour=red").status_code == 400
    assert client.get("/ogc/collections/service-points/items?start=999999.0").status_code == 409


def test_a_page_of_a_layer_imported_anew_is_refused(client: FlaskClient, app: APIFlask) -> None:
    page = client.get("/ogc/collections/service-points/items?limit=3").get_json()
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    table = store_of(app).load("service-points")
    store_of(app).import_layer("service-points", "", table.assign(withheld=True), source="x", sha256="0" * 64)
    assert client.get(following).status_code == 409
    assert items(client, "service-points") == []


def test_a_token_in_the_path_answers_as_one_in_a_header_and_is_kept_in_links(
    client: FlaskClient, app: APIFlask
) -> None:
    token = token_of(app, "supervisor", DISTRICT)
    by_header = client.get("/ogc/collections", headers=bearer(token)).text
    by_path = client.get(f"/t/{token}/ogc/collections").text
    assert by_path == by_header.replace("http://localhost/", f"http://localhost/t/{token}/")
    page = client.get(f"/t/{token}/ogc/collections/streets/items?limit=5").get_json()
    assert all(link["href"].startswith(f"http://localhost/t/{token}/ogc/") for link in page["links"])
    for wrong in ("/t/nobody/ogc", "/t/nobody/ogc/collections/streets/items"):
        assert client.get(wrong).status_code == 401
    assert client.get("/ogc", headers=bearer("nobody")).status_code == 401
    for elsewhere in (f"/t/{token}/api/v1/me", f"/t/{token}", f"/t/{token}/ogcx", "/t//ogc"):
        assert client.get(elsewhere).status_code == 404


def test_gdal_reads_every_feature_of_every_collection(app: APIFlask) -> None:
    token = token_of(app, "supervisor", DISTRICT)
    # reading files from outside forbids GDAL the drivers that read from servers, by the environment
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "OGR_", "CPL_"))}
    with listening(app) as address:
        for role, path in ((None, "/ogc"), ("supervisor", f"/t/{token}/ogc")):
            run = subprocess.run(
                [sys.executable, "-c", READ_ALL, f"OAPIF:{address}{path}"], capture_output=True, text=True, timeout=120,
                env={**plain, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            )  # fmt: skip
            assert run.returncode == 0, run.stderr[-2000:]
            assert json.loads(run.stdout) == expected_counts(app, role, DISTRICT)
