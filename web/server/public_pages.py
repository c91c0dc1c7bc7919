"""The public's pages but for those of one point: where is help now, where were people found, and what is this?"""

from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, json, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gis.errors import LamplightError
from gis.modes import WALK_KMH
from layers.records import FUNCTIONS
from web.server.access import anyone, public_city, whole_store
from web.server.asked_place import asked_place
from web.server.city import PublicCity, now
from web.server.language import COOKIE, LANGUAGES, _, language
from web.server.own_address import own_address
from web.server.point_list import A_PAGE, ALL, ALWAYS, MOST_LISTED, OPEN, point_list, wanted_of
from web.server.point_words import function_word, named
from web.server.public_release import newest_release

LARGE = "large"
A_YEAR_S = 365 * 86_400
CITY_FACTS = ("city_name", "attribution", "approval_number", "fictional", "data_date")
#: The only places machines that gather pages are kept from: they hold nothing of their own.
ROBOTS = "User-agent: *\nDisallow: /language/\nDisallow: /large\nDisallow: /report\nDisallow: /api/\n"

pages = Blueprint("public", __name__)


@pages.get("/")
@anyone
def find() -> str:
    """Show the places of help, nearest first where the reader says from where."""
    city, asked, wanted = public_city(), asked_place(), wanted_of(request.args)
    found = point_list(city, wanted, asked.at, now())
    here = {**asked.in_address(), **wanted.in_address()}
    return render_template(
        "find.html", title=_("找服务点"), asked=asked, wanted=wanted, found=found, here=here,
        times=_choices("when", {OPEN: _("现在开放"), ALWAYS: _("24 小时"), ALL: _("全部")}, here, wanted.when),
        functions=_choices(
            "function", {"": _("不限服务"), **{one: function_word(one) for one in FUNCTIONS}}, here, wanted.function
        ),
        places=asked.choices_at("public.find", **wanted.in_address()),
        more=min(wanted.count + A_PAGE, MOST_LISTED) if wanted.count < min(found.total, MOST_LISTED) else 0,
        map_says=map_says(),
    )  # fmt: skip


def _choices(
    name: str, words: dict[str, str], here: dict[str, str], chosen: str
) -> list[tuple[str, dict[str, str], bool]]:
    """Return what can be chosen of a filter: words, the values of its address, whether it is chosen already."""
    rest = {key: value for key, value in here.items() if key != name}
    usual = next(iter(words))
    return [(said, rest if value == usual else {**rest, name: value}, value == chosen) for value, said in words.items()]


def bounds_of(city: PublicCity) -> str:
    """Return the west, south, east and north of what the map shows first, for its page; "" for an empty city."""
    if not len(city.points):
        return ""
    return ",".join(f"{side:.6f}" for side in city.points.total_bounds)


def map_says() -> dict[str, str]:
    """Return what the map needs of its page: its words as JSON, credits, and the base map, "" where none is shown."""
    settings = public_city().settings
    base = "/basemap/{z}/{x}/{y}" if current_app.extensions["lamplight.settings"].tianditu_key else ""
    return {
        "labels": _map_labels(), "bounds": bounds_of(public_city()), "attribution": settings["attribution"],
        "approval": settings["approval_number"], "base": base,
    }  # fmt: skip


def _map_labels() -> str:
    said = {
        "map": _("服务点地图。用方向键移动，回车键选定中心处"), "zoomin": _("放大"), "zoomout": _("缩小"),
        "nomap": _("此处不能显示地图；列表里有全部内容。"), "centre": _("准星在%(place)s附近", place="{place}"),
        "noposition": _("未能取得您的位置。请输入街道名，或点地图。"),
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False)


@pages.get("/hotspots")
@anyone
def hotspots() -> str:
    """Show what the newest privacy release holds of where people were found, and nothing else."""
    return render_template("hotspots.html", title=_("公开的发现情况"), release=newest_release(whole_store()))


@pages.get("/about")
@anyone
def about() -> str:
    """Say what this service is, what it records, and for whom it works."""
    return render_template("about.html", title=_("关于本服务"), count=len(public_city().points), walk_kmh=WALK_KMH)


@pages.get("/language/<code>")
@anyone
def speak(code: str) -> AnyResponse:
    """Go on in another language."""
    if code not in LANGUAGES:
        abort(404)
    return _back_with(COOKIE, code)


@pages.get("/large")
@anyone
def large() -> AnyResponse:
    """Go on in large type, or in ordinary type again."""
    return _back_with(LARGE, "" if request.cookies.get(LARGE) else "yes")


def _back_with(name: str, value: str) -> AnyResponse:
    answer = redirect(own_address(request.args.get("next", "")) or url_for("public.find"), 303)
    if not value:
        answer.delete_cookie(name)
        return answer
    answer.set_cookie(
        name, value, max_age=A_YEAR_S, samesite="Lax", httponly=True,
        secure=current_app.extensions["lamplight.settings"].secure,
    )  # fmt: skip
    return answer


@pages.get("/manifest.webmanifest")
@anyone
def manifest() -> Response:
    """Say what the page is called where it is put on a telephone's first screen."""
    name = _("%(city)s街面救助", city=public_city().name)
    symbol = {"src": url_for("static", filename="symbols/lamp.svg"), "sizes": "any", "type": "image/svg+xml"}
    said = {
        "name": name, "short_name": _("街面救助"), "lang": "zh-Hans" if language() == "zh" else "en",
        "start_url": url_for("public.find"), "scope": "/", "display": "minimal-ui", "background_color": "#fbfaf6",
        "theme_color": "#0b4f6c", "icons": [symbol],
    }  # fmt: skip
    return Response(json.dumps(said, ensure_ascii=False), mimetype="application/manifest+json")


@pages.get("/favicon.ico")
@anyone
def favicon() -> AnyResponse:
    """Show the lamp to browsers that ask for no other symbol."""
    return redirect(url_for("static", filename="symbols/lamp.svg"), 301)


@pages.get("/robots.txt")
@anyone
def robots() -> Response:
    """Say what machines that gather pages may read."""
    return Response(ROBOTS, mimetype="text/plain")


def register(app: Flask) -> None:
    """Add the public's pages to the application, and what every page shows."""
    app.register_blueprint(pages)
    app.context_processor(_every_page)
    app.jinja_env.globals["named"] = named


def _every_page() -> dict[str, Any]:
    return {
        **_city_facts(),
        "large": bool(request.cookies.get(LARGE)),
        "page": request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else url_for("public.find"),
        "report_address": url_for("report.form") if "report.form" in current_app.view_functions else "",
        "staff_address": url_for("sign_in.sign_in") if "sign_in.sign_in" in current_app.view_functions else "",
        "language_tag": "zh-Hans" if language() == "zh" else "en",
    }


def _city_facts() -> dict[str, str]:
    try:
        settings = public_city().settings
    except LamplightError:  # a page that says so needs them, too
        settings = {}
    return {name: settings.get(name, "") for name in CITY_FACTS}
