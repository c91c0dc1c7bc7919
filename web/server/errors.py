"""What a refusal looks like: one status for each kind of error, a page for people, problem+json for machines."""

import traceback
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, json, render_template, request
from werkzeug.exceptions import HTTPException

from gis.errors import FileRefusedError, LamplightError, NetworkError, QuestionError, RecordError, StoreError
from layers.accounts import UnknownAccountError
from layers.casebook import ChangedMeanwhileError, UnknownReportError
from layers.jobs import UnknownJobError
from layers.night_records import UnknownNightError
from layers.referrals import UnknownReferralError
from layers.report_states import IllegalStepError
from layers.roles import NotAllowedError
from layers.scenarios import UnknownScenarioError
from layers.store import UnknownRunError
from layers.uploads import UnknownUploadError
from web.server.language import _, language

#: The most particular kind first.
STATUS: tuple[tuple[type[LamplightError], int], ...] = (
    (UnknownAccountError, 404),
    (UnknownReportError, 404),
    (UnknownReferralError, 404),
    (UnknownNightError, 404),
    (UnknownJobError, 404),
    (UnknownRunError, 404),
    (UnknownUploadError, 404),
    (UnknownScenarioError, 404),
    (NotAllowedError, 403),
    (ChangedMeanwhileError, 409),
    (IllegalStepError, 409),
    (FileRefusedError, 422),
    (RecordError, 422),
    (QuestionError, 422),
    (NetworkError, 422),
    (StoreError, 503),
    (LamplightError, 400),
)
#: Paths that answer machines.
MACHINES = ("/api/", "/ogc", "/t/", "/tiles/", "/export/", "/basemap/", "/healthz", "/readyz", "/metrics")
SENTENCES: dict[int, tuple[str, str]] = {
    400: ("请求有误", "the request cannot be understood"),
    401: ("请先登录", "sign in first"),
    403: ("您的账号没有这项权限", "your account may not do this"),
    404: ("没有这个页面", "there is no such page"),
    405: ("不支持这种请求方式", "this page cannot be asked in that way"),
    406: ("没有您要的格式", "this cannot be given in the format asked for"),
    409: ("他人已先作改动", "somebody else has changed this first"),
    410: ("此内容已删除", "this has been removed"),
    413: ("内容太大", "this is too large"),
    415: ("不支持这种格式", "this format is not understood"),
    422: ("内容有误", "some of this cannot be right"),
    429: ("请求太频繁，请稍后再试", "too many requests: try again a little later"),
    500: ("服务器出错，已记录", "the server failed; the failure was recorded"),
    503: ("暂时无法服务，请稍后再试", "not available just now: try again a little later"),
}


def answer_errors(app: Flask) -> None:
    """Answer every error with its status, in the reader's language or in both."""
    app.register_error_handler(LamplightError, _lamplight)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def problem(status: int, zh: str, en: str, **more: Any) -> Response:
    """Return an error for a machine. Source: RFC 9457."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": f"{zh} / {en}",
            "detail_zh": zh, "detail_en": en, **more}  # fmt: skip
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype="application/problem+json")


def status_of(error: LamplightError) -> int:
    """Return the status of an error a user caused."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def _lamplight(error: LamplightError) -> Any:
    status = status_of(error)
    if status == 503:  # it names the database and where it stands, which is for those who keep it running
        current_app.logger.error("%s", error.en)
        return refusal(status, *SENTENCES[status])
    return refusal(status, error.zh, error.en)


def _http(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    zh, en = SENTENCES.get(error.code, SENTENCES[400])
    answer = refusal(error.code, zh, en)
    for name, value in error.get_headers():
        if name.lower() in {"retry-after", "allow", "www-authenticate"}:
            answer.headers[name] = value
    return answer


def _unforeseen(error: Exception) -> Any:
    if current_app.testing:
        raise error
    # where it happened, without the error's own words: they may quote what somebody wrote
    frames = "".join(traceback.format_tb(error.__traceback__))
    current_app.logger.error("%s in %s\n%s", type(error).__name__, request.url_rule, frames)
    return refusal(500, *SENTENCES[500])


def refusal(status: int, zh: str, en: str) -> Response:
    """Return an error as the asker reads it: a page, or problem+json."""
    if request.path.startswith(MACHINES) or request.accept_mimetypes.best == "application/json":
        return problem(status, zh, en)
    said = zh if language() == "zh" else en
    page = render_template("error.html", status=status, said=said, title=_("出错了"))
    return Response(page, status, mimetype="text/html")
