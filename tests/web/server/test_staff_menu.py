"""The staff's menu: every page an account may open stands in it once, under its heading."""

import re

import pytest
from apiflask import APIFlask

from layers.roles import ROLES
from tests.web.server.staff import CITY, add, signed_in
from web.server.staff_frame import GROUPS, MENU


def bar(text: str) -> str:
    """Return the main menu of a page."""
    return text.partition("<nav aria-label=")[2].partition("</nav>")[0]


def test_every_heading_holds_entries_of_the_menu_that_follow_each_other() -> None:
    order = list(MENU)
    for pages in GROUPS.values():
        first = order.index(pages[0])
        assert tuple(order[first : first + len(pages)]) == pages


@pytest.mark.parametrize("role", ROLES)
def test_the_bar_leads_where_the_cards_of_the_own_page_lead(app: APIFlask, role: str) -> None:
    text = signed_in(app, add(app, "one", role, CITY)).get("/staff").text
    cards = re.findall(r'href="([^"]+)"', text.partition('<ul class="cards">')[2].partition("</ul>")[0])
    links = re.findall(r'<a href="([^"]+)"', bar(text))
    assert links == ["/staff", *cards]
    assert text.count('aria-current="page"') == 1


def test_a_page_below_an_entry_marks_the_entry_and_its_heading(app: APIFlask) -> None:
    planner = signed_in(app, add(app, "plan", "planner", CITY))
    menu = bar(planner.get("/staff/runs/new/siting").text)
    assert '<a href="/staff/runs" aria-current="true">' in menu
    assert menu.count("menu-group here") == 1 and menu.index("menu-group here") < menu.index("/staff/runs")
