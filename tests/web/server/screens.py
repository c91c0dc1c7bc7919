"""Every page of the demo town as a picture, at the size of a phone and of a desk, and what axe finds wrong with it.

python -m tests.web.server.screens [--out out/screens]
python -m tests.web.server.screens --pictures    writes the pictures of README.md instead

Also walked by test_every_page.py, so that no page can be added and not be looked at.
"""

import argparse
import io
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image

from layers.accounts import credentials
from layers.casebook import move
from layers.intake import NewReport, receive
from layers.run import Run
from layers.scope import Scope
from layers.store import Store
from tests.web.server.chromium import DESK, PHONE, WEBGL, chromium, violations, watch
from tests.web.server.demo_town import SECRET, fill
from tests.web.server.job_world import searching_job
from tests.web.server.night_world import at, on_desk, plan, read_night
from tests.web.server.planning_world import planning_results
from tests.web.server.scenario_world import measured_scenario
from tests.web.server.serving import listening
from web.server import phone_pages
from web.server.app import create_app, derived_key
from web.server.city import now
from web.server.demo_accounts import demo_accounts
from web.server.settings import Settings

SIZES = {"phone": PHONE, "desk": DESK}
PICTURES = Path(__file__).parents[3] / "docs/pictures"
#: Of the pictures of README.md: pixels between phone and desk, and how many colours.
GAP, COLOURS = 24, 256
PUBLIC = {
    "find": "/", "find-near": "/?lon={lon}&lat={lat}", "find-nothing": "/?street=无此路", "point": "/{key}",
    "notice": "/{key}/notice", "way": "/{key}/way?lon={lon}&lat={lat}", "report": "/report",
    "report-received": "/report/received/{token}", "report-status": "/report/status/{token}",
    "report-known": "/report/known", "hotspots": "/hotspots", "about": "/about", "missing": "/no-such-page",
    "sign-in": "/sign-in",
}  # fmt: skip
STAFF = {
    "admin": {"staff": "/staff", "my-account": "/staff/account", "accounts": "/staff/accounts",
              "account": "/staff/accounts/1", "account-new": "/staff/accounts/new", "audit": "/staff/audit",
              "second-factor": "/staff/account/second-factor"},
    "supervisor": {"reports": "/staff/reports", "report-staff": "/staff/reports/{report}",
                   "tonight": "/staff/tonight?date=2026-04-02", "desk": "/staff/nights/{night}?at=21:30",
                   "desk-reports": "/staff/nights/{night}?at=21:30#reports",
                   "desk-edit": "/staff/nights/{night}?street=路#edit", "week": "/staff/week?until=2026-03-31",
                   "after": "/staff/nights/{night}/after", "patrol-new": "/staff/runs/patrol/new"},
    "worker": {"phone": "/phone"},
    "station": {"referrals": "/staff/referrals"},
    "planner": {"coverage": "/staff/coverage?hour=50&area={area}",
                "coverage-unasked": "/staff/coverage?function=reporting",
                "scenarios": "/staff/scenarios", "scenario": "/staff/scenarios/{scenario}",
                "comparison": "/staff/scenarios/compare?a=live&b={scenario}",
                "runs": "/staff/runs", "run": "/staff/runs/{run}", "run-new": "/staff/runs/new/siting",
                "run-compare": "/staff/runs/compare?a={run}&b={run}", "hotspots-now": "/staff/hotspots",
                "hotspots-week": "/staff/hotspots?view=week", "hotspots-test": "/staff/hotspots?view=test",
                "jobs": "/staff/jobs", "job": "/staff/jobs/{job}",
                "import": "/staff/import", "import-preview": "/staff/import/{upload}",
                "import-done": "/staff/import/done/{version}"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Town:
    """A demo town with a few reports: where it is served, what fills the addresses of pages, and the accounts."""

    url: str
    parts: dict[str, Any]
    passwords: dict[str, str]


@dataclass(frozen=True, slots=True)
class Shot:
    """One page as seen: its name, size and language, the open page, and what the browser complained of."""

    name: str
    size: str
    language: str
    page: Any
    faults: list[str]

    @property
    def file(self) -> str:
        """The name of its picture."""
        return f"{self.name}-{self.size}-{self.language}.png"


def prepare(url: str, planned: Run) -> Town:
    """Put demo accounts, reports, the planned night and results into the town in the store at ``url``."""
    app = create_app(Settings(url, SECRET, secure=False, demo=True))
    store = Store(url)
    accounts = demo_accounts(store, now())
    supervisor = credentials(store, "supervisor")
    assert supervisor is not None
    inside = store.within(Scope.of(supervisor.account.area_code)).load("service-points")
    points = app.extensions["lamplight.city"].current().points
    point = points[points["code"].isin(inside["code"])].iloc[0]
    lon, lat = float(point.geometry.x), float(point.geometry.y)
    receipts = [_report(store, app, lon, lat, n) for n in range(4)]
    move(store, receipts[1].id, "verified", by=supervisor.account, version=1, now=now())
    scenario, area = measured_scenario(store)
    night = on_desk(store, planned, supervisor.account)
    planner = credentials(store, "planner")
    assert planner is not None
    results = planning_results(store, planner.account)
    store.close()
    app.extensions["lamplight.store"].close()  # PostgreSQL copies no database that is in use
    parts = {"lon": round(lon + 0.004, 5), "lat": round(lat + 0.003, 5), "key": point["key"],
             "token": receipts[1].token, "report": receipts[1].id, "scenario": scenario, "area": area,
             "night": night, **results}  # fmt: skip
    return Town("", parts, {name: word for name, word, *_ in accounts})


@contextmanager
def served(url: str, town: Town, *, desk: bool = False) -> Iterator[Town]:
    """Serve a prepared town, or a copy of it, with a job going on; desk : with its night read into memory."""
    app = create_app(Settings(url, SECRET, secure=False, demo=True))
    store: Store = app.extensions["lamplight.store"]
    planner = credentials(store, "planner")
    assert planner is not None
    job = searching_job(store, planner.account)  # here, since a job that is not heard of for long is begun again
    if desk:
        read_night(app, town.parts["night"])
    clock, phone_pages.now = phone_pages.now, lambda: at("21:30")  # the phone shows a night that is going on
    try:
        with listening(app) as address:
            yield Town(address, {**town.parts, "job": job}, town.passwords)
    finally:
        phone_pages.now = clock
        store.close()


def _report(store: Store, app: Any, lon: float, lat: float, n: int) -> Any:
    needs = (("food_clothes",), ("medical",), ("night_shelter", "food_clothes"), ("lost",))[n]
    place = ("桥下靠河一侧", "地铁站 2 号口", "银行自助厅门口", "公园北门长椅")[n]
    new = NewReport(lon + 0.0004 * n, lat, needs, 1 + n % 2, place, "穿灰色外套，行动不便", "13900000000" if n else "")
    secret = derived_key(app.extensions["lamplight.settings"], "report-token").encode()
    return receive(store, new, submission_key=str(uuid.UUID(int=n, version=4)), secret=secret,
                   now=now() - timedelta(hours=3 * n))  # fmt: skip


def shots(browser: Any, town: Town, looks: Iterable[tuple[str, str]]) -> Iterator[Shot]:
    """Open every page in each look, (size, language), ready to be looked at."""
    for size, language in looks:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
        context.add_cookies([{"name": "language", "value": language, "url": town.url}])
        faults: list[str] = []
        context.on("request", lambda r, f=faults: None if r.url.startswith((town.url, "blob:")) else f.append(r.url))
        page = context.new_page()
        watch(page, faults)
        for name, address in PUBLIC.items():
            yield _opened(page, town, name, address, size, language, faults)
        for username, pages in STAFF.items():
            sign_in(page, town, username)
            for name, address in pages.items():
                yield _opened(page, town, name, address, size, language, faults)
        context.close()


def _opened(page: Any, town: Town, name: str, address: str, size: str, language: str, faults: list[str]) -> Shot:
    faults.clear()
    page.goto(town.url + address.format(**town.parts))
    if page.query_selector("#phone-map"):
        page.wait_for_selector("#phone-map[data-ready]")
    if page.query_selector("#map"):
        page.wait_for_selector("#map[data-ready]")
        page.wait_for_timeout(400)  # the map fades its names in
    return Shot(name, size, language, page, faults)


def sign_in(page: Any, town: Town, username: str) -> None:
    """Sign in by the form."""
    page.context.clear_cookies(name="lamplight")
    page.goto(f"{town.url}/sign-in")
    page.fill("[name=username]", username)
    page.fill("[name=password]", town.passwords[username])
    page.click("main form button[type=submit]")
    page.wait_for_url(f"{town.url}/staff*")


def write_pictures(browser: Any, town: Town, folder: Path) -> None:
    """Write the pictures of README.md, a phone beside a desk: where help is near, and reports as staff see them."""
    awake = browser.new_page().request.get(f"{town.url}/api/v1/points?open=always").json()["points"][1]
    near = f"/?lon={awake['lon'] + 0.003}&lat={awake['lat'] + 0.002}"
    for name, username, height, addresses in (
        ("public-find", "", 844, (near, near)),
        ("public-point", "", 844, ("/{key}", "/{key}/notice")),
        ("staff-reports", "supervisor", 640, ("/staff/reports/{report}", "/staff/reports")),
        ("staff-accounts", "admin", 640, ("/staff/audit", "/staff/accounts")),
        ("planner-coverage", "planner", 900, ("/staff/coverage?hour=50&area={area}",) * 2),
        ("planner-scenarios", "planner", 900, ("/staff/scenarios/{scenario}", "/staff/scenarios/compare?b={scenario}")),
        ("planner-run", "planner", 900, ("/staff/runs/{run}",) * 2),
        ("planner-hotspots", "planner", 900, ("/staff/hotspots?view=test", "/staff/hotspots")),
        ("planner-import", "planner", 900, ("/staff/import/{upload}",) * 2),
        ("staff-desk", "supervisor", 844, ("/staff/nights/{night}?at=21:30#reports", "/staff/nights/{night}?at=21:30")),
        ("staff-week", "supervisor", 640, ("/staff/nights/{night}/after", "/staff/week?until=2026-03-31")),
    ):
        seen = []
        for address, (width, _) in zip(addresses, SIZES.values(), strict=True):
            page = browser.new_page(viewport={"width": width, "height": height}, locale="zh-CN")
            if username:
                sign_in(page, town, username)
            _opened(page, town, name, address, "", "zh", [])
            seen.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        _side_by_side(seen, folder / f"{name}.png")
    _side_by_side(list(_of_the_phone(browser, town)), folder / "phone.png")


def _of_the_phone(browser: Any, town: Town) -> Iterator[Image.Image]:
    """Draw the grid worker's phone: the next street, a discovery, and what is recorded until when."""
    page = browser.new_page(viewport={"width": PHONE[0], "height": PHONE[1]}, locale="zh-CN", color_scheme="dark")
    page.context.grant_permissions(["geolocation"])
    page.clock.set_fixed_time(at("21:30"))  # a phone forgets a route that is over
    sign_in(page, town, "worker")
    _opened(page, town, "phone", "/phone", "", "zh", [])
    for press in ("#done", "#found", "#report-close, #open-more"):
        for one in press.split(", "):
            page.click(one)
        page.wait_for_timeout(800)
        yield Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _side_by_side(seen: list[Image.Image], file: Path) -> None:
    wide, high = sum(one.width for one in seen) + GAP * (len(seen) - 1), max(one.height for one in seen)
    both, left = Image.new("RGB", (wide, high), "white"), 0
    for one in seen:
        both.paste(one, (left, 0))
        left += one.width + GAP
    # the colours farthest apart are kept: of a chart's thin lines no two may become one
    both.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> int:
    """Write the pictures; 1 where a page is not as it should be."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/screens"))
    parser.add_argument("--pictures", action="store_true", help="write the pictures of README.md to docs/pictures")
    asked = parser.parse_args()
    out = asked.out
    out.mkdir(parents=True, exist_ok=True)
    bad = 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running:
        url = f"sqlite:///{folder}/town.sqlite"
        fill(url, Path(folder))
        with (
            served(url, prepare(url, plan(Path(folder, "town.sqlite"))), desk=True) as town,
            running.chromium.launch(executable_path=chromium(), args=WEBGL) as browser,
        ):
            if asked.pictures:
                write_pictures(browser, town, PICTURES)
                return 0
            for shot in shots(browser, town, product(SIZES, ("zh", "en"))):
                shot.page.screenshot(path=out / shot.file, full_page=True)
                for fault in [*shot.faults, *violations(shot.page)]:
                    bad += 1
                    print(f"{shot.file}: {fault}", file=sys.stderr)
    print(f"{out}: {len(list(out.glob('*.png')))} pictures, {bad} faults")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
