"""Finding help in Chromium, from the first page to the door, at the size of a phone and of a desk."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.server.chromium import DESK, PHONE, follow, violations, watch
from tests.web.server.screens import Town


@pytest.fixture
def page(browser: Any, shown: tuple[str, Town], town: Town) -> Iterator[Any]:
    """The first page, on SQLite at a desk; afterwards no other host was asked for anything, and nothing went wrong."""
    width, height = DESK if shown[0].startswith("sqlite") else PHONE
    position = {"longitude": town.parts["lon"], "latitude": town.parts["lat"]}
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="zh-CN", geolocation=position, permissions=["geolocation"]
    )
    faults: list[str] = []
    context.on("request", lambda r: None if r.url.startswith((town.url, "blob:")) else faults.append(r.url))
    opened = context.new_page()
    watch(opened, faults)
    opened.goto(town.url)
    opened.wait_for_selector("#map[data-ready]")
    yield opened
    context.close()
    assert faults == []


def minutes(page: Any) -> list[str]:
    return page.locator("ol.points .walk").all_inner_texts()


def test_from_my_position_to_the_door(page: Any, town: Town) -> None:
    page.click("#here")
    page.wait_for_url("**lon=*")
    assert minutes(page), "the list says how far each point is on foot"
    assert violations(page) == []
    follow(page.locator(".chip", has_text="接待咨询"))
    assert all("接待咨询" in text for text in page.locator("ol.points > li").all_inner_texts())
    follow(page.locator(".chip", has_text="全部"))
    first = page.locator("ol.points > li").first
    name, walk = first.locator("h3").inner_text(), first.locator(".walk").inner_text()
    follow(first.locator("h3 a"))
    assert page.locator("h1").inner_text() == name
    assert page.locator("a[href^='tel:']").count() >= 1
    assert violations(page) == []
    follow(page.locator("a[href*='/way']").first)
    page.wait_for_selector("#map[data-ready]")
    assert walk.removeprefix("步行") in page.locator("main").inner_text()
    assert page.locator("main ol li").count() >= 2
    assert violations(page) == []


def test_from_a_street_by_the_keyboard_alone(page: Any, town: Town) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the menu
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('input[type=search], input[type=text]')"):
            break
    page.keyboard.type("路")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('[href*=\"lon=\"]')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**lon=*")
    assert minutes(page)


def test_without_a_script_the_list_says_it_all(browser: Any, town: Town) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(town.url + "/?lon={lon}&lat={lat}&when=all".format(**town.parts))
    first = page.locator("ol.points > li").first
    assert first.locator(".walk").count() == 1
    follow(first.locator("h3 a"))
    follow(page.locator("a[href*='/way']").first)
    assert page.locator("main ol li").count() >= 2
    page.goto(town.url + "/language/en?next=/")
    assert page.locator("html").get_attribute("lang") == "en"
    context.close()


def test_the_way_of_a_report_is_followed_by_its_link(page: Any, town: Town) -> None:
    page.goto(town.url + "/report/status/{token}".format(**town.parts))
    assert "已核实" in page.locator("main").inner_text()
    assert violations(page) == []
