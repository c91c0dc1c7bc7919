"""Every page there is: drawn without any other host, without a fault, and without a violation that axe can find."""

from typing import Any

from apiflask import APIFlask

from tests.web.server.chromium import violations
from tests.web.server.screens import PUBLIC, STAFF, Town, served, shots
from web.server.errors import MACHINES

#: GET routes that answer no page of their own: files, pictures, switches, words for scripts, and steps of signing in.
NO_PAGE = {
    "static", "assets.asset", "public.manifest", "public.favicon", "public.robots", "public.speak", "public.large",
    "points.qr", "points.way_geojson", "report.token", "report.places", "report.offline", "report.service_worker",
    "coverage.areas", "coverage.hours", "coverage.gaps", "coverage.points", "coverage.file", "comparison.file",
    "phone.manifest", "phone.route", "phone.service_worker", "phone.shell", "phone.token",
    "desk_live.live", "desk_live.streets", "desk_live.marks", "desk_api.board", "desk_api.streets", "desk_api.changes",
    "runs.shapes", "runs.file", "imports.rejected", "jobs.state",
    "reports.picture", "sign_in.code", "sign_in.new_password", "sign_in.set_up",
}  # fmt: skip


def test_no_page_is_left_unseen(app: APIFlask) -> None:
    parts = {"lon": 1, "lat": 1, "key": "points/P1", "token": "t", "report": 1, "scenario": 1, "night": 1,
             "run": "0" * 12, "area": "1", "job": 1, "upload": 1, "version": 1}  # fmt: skip
    listed = [*PUBLIC.values(), *(address for pages in STAFF.values() for address in pages.values())]
    match = app.url_map.bind("").match
    seen = {match(address.format(**parts).partition("?")[0])[0] for address in listed if "no-such" not in address}
    pages = {rule.endpoint for rule in app.url_map.iter_rules()
             if "GET" in rule.methods and not rule.rule.startswith((*MACHINES, "/basemap", "/export"))}  # fmt: skip
    assert pages - NO_PAGE - seen == set()


def test_every_page_is_whole_and_accessible_and_asks_no_other_host(browser: Any, shown: tuple[str, Town]) -> None:
    look = ("phone", "en") if shown[0].startswith("sqlite") else ("desk", "zh")
    with served(*shown, desk=True) as town:
        for shot in shots(browser, town, [look]):
            assert shot.faults == [], shot.file
            assert violations(shot.page) == [], shot.file
            wide = shot.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide == 0, f"{shot.file} is {wide} px too wide"
