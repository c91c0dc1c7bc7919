"""The public's points as files to take away."""

import io
import json

import openpyxl
import pytest
from apiflask import APIFlask
from defusedxml import ElementTree
from flask.testing import FlaskClient

from layers.store import Store

ENDINGS = {
    "json": "application/json", "geojson": "application/geo+json", "kml": "application/vnd.google-earth.kml+xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip


def text_of(ending: str, data: bytes) -> str:
    """Everything a file says."""
    if ending != "xlsx":
        return data.decode()
    book = openpyxl.load_workbook(io.BytesIO(data))
    return "\n".join(str(cell.value) for sheet in book for row in sheet for cell in row)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_export_holds_every_public_point_and_none_withheld(client: FlaskClient, app: APIFlask, ending: str) -> None:
    answer = client.get(f"/export/points.{ending}")
    assert (answer.status_code, answer.mimetype) == (200, ENDINGS[ending])
    assert answer.headers["Content-Disposition"] == f'attachment; filename="lamplight-points.{ending}"'
    store: Store = app.extensions["lamplight.store"]
    table = store.load("service-points")
    shown = ~table["withheld"] & table["build_state"].isin(["existing", "upgrade"])
    said = text_of(ending, answer.data)
    assert all(name in said for name in table["name"][shown])
    assert not [code for code in table["code"][~shown] if code in said]
    if ending in ("json", "geojson"):
        json.loads(said)
    if ending == "kml":
        assert ElementTree.fromstring(said).tag.endswith("kml")
    again = client.get(f"/export/points.{ending}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_other_files_do_not_exist(client: FlaskClient) -> None:
    assert client.get("/export/points.csv").status_code == 404
    assert client.get("/export/points.kml?all=1").status_code == 422
