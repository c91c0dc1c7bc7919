"""The public's points as files: Open Referral HSDS, GeoJSON, KML and a workbook."""

from functools import lru_cache

from flask import Blueprint, Flask, Response, abort, request

from gis.errors import QuestionError
from web.point_exports import write_points
from web.server.access import anyone, public_city
from web.server.api_schemas import Answer, Operation, operation
from web.server.city import PublicCity, now
from web.server.downloads import download
from web.server.parameters import read

#: Ending in the address -> kind of export.
KINDS = {"json": "hsds", "geojson": "geojson", "kml": "kml", "xlsx": "xlsx"}
A_WHILE_S = 300

pages = Blueprint("exports", __name__, url_prefix="/export")


@pages.get("/points.<ending>")
@operation(Operation(
    "export", "服务点文件：HSDS、GeoJSON、KML、XLSX The points as a file",
    {200: Answer("文件 the file", {}, "*/*"), 304: Answer("未变 unchanged", None, "")}, (404, 422),
    path={"ending": {"type": "string", "enum": list(KINDS)}},
))  # fmt: skip
@anyone
def points(ending: str) -> Response:
    """Give every public point as one file."""
    read((), request.args, QuestionError)
    if ending not in KINDS:
        abort(404)
    data, media_type = _written(public_city(), KINDS[ending])
    answer = download(data, media_type, f"lamplight-points.{ending}")
    answer.headers["Cache-Control"] = f"public, max-age={A_WHILE_S}"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


@lru_cache(maxsize=8)
def _written(city: PublicCity, kind: str) -> tuple[bytes, str]:
    # as of the first time it is asked for: a file of the same records stays the same
    return write_points(kind, city.points, city=city.name, zone=city.zone, now=now())


def register(app: Flask) -> None:
    """Add the exports to the application."""
    app.register_blueprint(pages)
