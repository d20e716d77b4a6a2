"""A real Chromium writes to the operator, proves an account and is answered."""

import re

import pytest
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import expect

from tests import browsers, factories

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
LOOKS = {
    "phone": {"viewport": browsers.PHONE, "has_touch": True},
    "phone without JavaScript": {"viewport": browsers.PHONE, "java_script_enabled": False},
    "desk, dark": {"viewport": browsers.DESK, "color_scheme": "dark"},
}


@pytest.fixture
def alice(live_server, settings):
    cache.clear()
    settings.PUBLIC_URL = live_server.url
    return factories.user("alice", password=factories.PASSWORD)


def link(part):
    return re.search(rf"(/contact/{part}\S+)", mail.outbox[-1].body)[1]


def assert_fits(page):
    width, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= shown, page.url


@pytest.mark.parametrize("look", LOOKS)
def test_ask_prove_and_add(look, alice, live_server):
    has_script = LOOKS[look].get("java_script_enabled", True)
    with browsers.chromium() as browser:
        page = browsers.signed_in(browser, live_server.url, "", **LOOKS[look]).new_page()
        page.goto("/")
        page.get_by_role("link", name="Contact", exact=True).click()
        page.get_by_label("What is it about?").select_option("Delete my account and data")
        page.get_by_label("Your email address").fill("alice@example.com")
        page.get_by_label("Your message").fill("Please delete me.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        page.goto(link(r"confirm/"))
        page.get_by_role("button", name="It was me").click()
        expect(page.get_by_text("we know that the account is yours")).to_be_visible()
        page.get_by_label("Add something").fill("Today, if you can.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Today, if you can.")).to_be_visible()
        if has_script:
            assert_fits(page)
        page.get_by_role("button", name="Close this request").click()
        expect(page.get_by_text("Your request is closed.")).to_be_visible()


def test_prove_by_logging_in_anew(alice, live_server):
    with browsers.chromium() as browser:
        page = browsers.signed_in(browser, live_server.url, "").new_page()
        page.goto("/contact?kind=access")
        page.get_by_label("Your email address").fill("alice@work.example")
        page.get_by_label("Your message").fill("What do you know of me?")
        page.get_by_role("button", name="Send").click()
        page.goto(link(r"[0-9a-f]{32}\."))
        page.locator("main").get_by_role("link", name="Log in").click()
        page.locator("[name=login]").fill("alice")
        page.locator("[name=password]").fill(factories.PASSWORD)
        page.locator("[name=password]").press("Enter")
        page.get_by_role("button", name="Yes, this is my account").click()
        page.locator("[name=password]").fill(factories.PASSWORD)
        page.locator("[name=password]").press("Enter")
        expect(page.get_by_text("Account proven")).to_be_visible()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_long_texts_fit_every_window(language, live_server):
    with browsers.chromium() as browser:
        page = browsers.signed_in(browser, live_server.url, "", locale=language).new_page()
        for path in ("privacy", "terms", "acceptable-use", "subprocessors", "contact",
                     "report-abuse"):  # fmt: skip
            page.goto(f"/{path}")
            for width in (360, 600, 861, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                assert_fits(page)


def test_the_contents_lead_to_the_clause(live_server):
    with browsers.chromium() as browser:
        page = browsers.signed_in(
            browser, live_server.url, "", viewport=browsers.PHONE, java_script_enabled=False
        ).new_page()
        page.goto("/privacy#4.3-retention")
        expect(page.get_by_text("Records of API calls are destroyed")).to_be_in_viewport()
        page.get_by_role("navigation", name="Contents").get_by_role(
            "link", name="8. Contact"
        ).click()
        expect(page.get_by_role("heading", name="8. Contact")).to_be_in_viewport()
