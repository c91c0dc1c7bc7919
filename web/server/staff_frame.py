"""What every page of the staff shows: who is signed in, where to go, and records in words rather than ids."""

from datetime import datetime
from itertools import groupby
from typing import Any

from flask import Blueprint, Flask, current_app, g, request

from layers.accounts import Account, accounts
from layers.codes import LEVEL_ZH, LEVELS, level_of
from layers.roles import PERMISSIONS, ROLES
from layers.store import Store
from web.server.access import ANY_ACCOUNT, account, current_account, need_of, own_store, public_city, whole_store
from web.server.language import _, language, said

#: Endpoint -> its link's words, in the order of the menu; shown to those whom the endpoint's own declaration lets in.
MENU = {
    "staff.home": "工作台",
    "tonight.find": "今晚巡查",
    "desk_week.week": "一周巡查",
    "phone.page": "今晚巡查",
    "reports.queue": "报告清单",
    "reports.referrals_list": "转介",
    "coverage.view": "覆盖",
    "scenarios.listing": "情景",
    "hotspots.look": "热点",
    "imports.choose": "导入图层",
    "runs.listing": "分析结果",
    "jobs.listing": "分析任务",
    "administration.listing": "账号",
    "audit.log": "操作记录",
    "staff.my_account": "我的账号",
}

#: Heading -> the pages that stand under it in the menu; one page alone needs no heading.
GROUPS = {
    "巡查": ("tonight.find", "desk_week.week", "phone.page"),
    "报告": ("reports.queue", "reports.referrals_list"),
    "规划": ("coverage.view", "scenarios.listing", "hotspots.look", "imports.choose"),
    "分析": ("runs.listing", "jobs.listing"),
    "管理": ("administration.listing", "audit.log"),
}

#: Groups of pages that are no entry of the menu -> the entry they belong to.
BELONGS = {"desk": "tonight.find", "desk_after": "tonight.find", "comparison": "scenarios.listing"}


def when(moment: datetime | None) -> str:
    """Return an aware time as the city's clocks show it, to the minute."""
    return "" if moment is None else f"{public_city().local(moment):%Y-%m-%d %H:%M}"


def tier(area_code: str) -> str:
    """Return the tier of an area in the reader's language."""
    level = level_of(area_code)
    return LEVEL_ZH[level] if language() == "zh" else str(level)


def area_names() -> dict[str, str]:
    """Return code -> name of every area of the city, which is nobody's secret, by code."""
    store: Store = whole_store()
    kept = current_app.extensions.setdefault("lamplight.area_names", {})
    parts = {part: version.id for (layer, part), version in store.current().items() if layer == "areas"}
    mark = tuple(sorted(parts.items()))
    if kept.get("mark") != mark:
        tables = [store.load("areas", level, fields=["code", "name"]) for level in map(str, LEVELS) if level in parts]
        names = {code: name for table in tables for code, name in zip(table["code"], table["name"], strict=True)}
        kept.update(mark=mark, names=dict(sorted(names.items())))
    names = kept["names"]
    return dict(names)


def area_name(code: str) -> str:
    """Return an area's name with the name of the one above it; its code where it has no name."""
    names = area_names()
    above = next((names[c] for c in (code[:9] + "000", code[:6] + "000000") if c != code and c in names), "")
    return f"{above} {names[code]}".strip() if code in names else code


def who(account_id: int | None) -> str:
    """Return an account's name where the reader's area holds it, else its number; "" for none."""
    if account_id is None:
        return ""
    known = _people()
    return known[account_id].name if account_id in known else f"#{account_id}"


def _people() -> dict[int, Account]:
    if "people" not in g:
        g.people = {one.id: one for one in accounts(own_store())}
    people: dict[int, Account] = g.people
    return people


def menu() -> list[tuple[str, str]]:
    """Return (endpoint, words) of the pages the account that asks may open."""
    asking = account()
    known = {e: need_of(current_app, e) for e in MENU if e in current_app.view_functions}
    return [(e, _(MENU[e])) for e, need in known.items() if need == ANY_ACCOUNT or (need and asking.may(need))]


def grouped_menu() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (heading, (endpoint, words) of its pages) of the menu; a page without a heading has ""."""
    headings = {endpoint: heading for heading, endpoints in GROUPS.items() for endpoint in endpoints}
    groups = [(h, list(pages)) for h, pages in groupby(menu(), key=lambda page: headings.get(page[0], ""))]
    shown: list[tuple[str, list[tuple[str, str]]]] = []
    for heading, pages in groups:
        shown += [(_(heading), pages)] if heading and len(pages) > 1 else [("", [page]) for page in pages]
    return shown


def here() -> str:
    """Return the menu's endpoint that the page asked for is, or belongs to; "" for none."""
    if request.endpoint in MENU:
        return str(request.endpoint)
    group = request.blueprint or ""
    near = (endpoint for endpoint in MENU if endpoint.startswith(f"{group}.") and group != "staff")
    return BELONGS.get(group) or next(near, "")


def dress(pages: Blueprint) -> None:
    """Give the templates of a group of staff pages what they show."""

    @pages.context_processor
    def words() -> dict[str, Any]:
        if current_account() is None:
            return {}
        return {"me": account(), "menu": menu(), "grouped_menu": grouped_menu(), "here": here(), "said": said,
                "when": when, "tier": tier, "area_name": area_name, "who": who, "roles": ROLES,
                "permissions": PERMISSIONS}  # fmt: skip


def register(app: Flask) -> None:
    """Fail at the start where the menu names a page there is not."""
    missing = [endpoint for endpoint in MENU if endpoint not in app.view_functions]
    assert not missing, missing
