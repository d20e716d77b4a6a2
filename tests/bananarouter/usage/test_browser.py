"""The chart in a real Chromium: by pointer and keys, on a phone, without JavaScript."""

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests import browsers

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
LONG = "a-vendor-with-a-long-name/a-model-of-a-very-long-name-2026-11-23-preview-thinking-max"
PATHS = [
    "/overview", "/usage", "/usage?range=today&group=key&measure=requests",
    "/usage?range=custom&from=2026-02-01&to=2026-01-01&group=tag",
]  # fmt: skip


@pytest.fixture
def window(live_server, desk):
    """Return a function that opens a signed-in page of an account with usage."""
    for number in range(10):
        key = desk.key("a name of eighty characters " * 2 + f"{number:024}")
        desk.request(key=key, cost_nusd=(number + 1) * 10**9, tag="x" * 64, model=LONG,
                     endpoint=f"demo:{LONG}-{number}")  # fmt: skip
    client = Client()
    client.force_login(desk.person)
    session = client.cookies["session"].value
    noted = []
    with browsers.chromium() as browser:

        def open_page(**options):
            options = {"viewport": browsers.DESK, **options}
            page = browsers.signed_in(browser, live_server.url, session, **options).new_page()
            page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
            page.on("pageerror", lambda error: noted.append(str(error)))
            return page

        yield open_page
    assert noted == []


def test_the_pointer_shows_the_numbers_of_a_column(window):
    page = window()
    page.goto("/usage")
    tip = page.locator(".tip")
    expect(tip).to_be_hidden()
    box = page.locator(".bars").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 20)
    expect(tip).to_be_visible()
    last = page.locator("#chart-table tbody tr").last
    assert tip.locator("p").first.inner_text() == last.locator("th").text_content()
    assert "$55.00" in tip.inner_text()
    assert "$10.00" in tip.inner_text()
    page.mouse.move(box["x"] + 4, box["y"] + 20)
    expect(tip).to_contain_text("$0.00")
    page.mouse.move(4, 4)
    expect(tip).to_be_hidden()


def test_the_arrow_keys_walk_through_the_columns(window):
    page = window()
    page.goto("/usage")
    slider = page.get_by_role("slider")
    slider.focus()
    expect(page.locator(".tip")).to_contain_text("$55.00")
    assert "$55.00" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tip")).to_contain_text("$0.00")
    assert slider.get_attribute("aria-valuenow") == "28"
    page.keyboard.press("Home")
    assert slider.get_attribute("aria-valuenow") == "0"
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_the_grouping_is_sent_at_once_and_the_back_button_returns(window):
    page = window()
    page.goto("/usage?range=7d")
    page.get_by_label("Group by").select_option("key")
    page.wait_for_url("**group=key**")
    assert "range=7d" in page.url
    expect(page.get_by_role("heading", name="By key")).to_be_visible()
    page.get_by_role("link", name="Requests 10").click()
    page.wait_for_url("**measure=requests**")
    page.go_back()
    page.wait_for_url("**measure=spend**")
    page.go_back()
    expect(page.get_by_role("heading", name="By model")).to_be_visible()


def test_everything_is_there_without_javascript(window):
    page = window(java_script_enabled=False, viewport=browsers.PHONE)
    page.goto("/usage")
    page.get_by_label("Group by").select_option("key")
    page.locator(".grouping button").click()
    expect(page.get_by_role("heading", name="By key")).to_be_visible()
    page.get_by_text("The chart as a table").click()
    expect(page.locator("#chart-table")).to_contain_text("$55.00")
    expect(page.locator(".tip")).to_be_hidden()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_nothing_is_wider_than_a_phone(window, language):
    page = window(viewport=browsers.PHONE, locale=language, has_touch=True)
    for path in PATHS:
        page.goto(path)
        for _ in range(2):
            width, shown = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert width <= shown, f"{path} is {width} wide, the window {shown}"
            if page.locator(".bars").count():
                page.locator(".bars").tap(position={"x": 3, "y": 30})
