"""A real Chromium in the catalogue: filters, comparison, code, phone, dark, Chinese."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.bananarouter import test_browser as shared
from tests.bananarouter.catalogue.conftest import CHANNELS, channel, model
from tests.bananarouter.test_browser import assert_fits
from tests.browsers import DESK, PHONE

pytestmark = shared.pytestmark
browser, visit = shared.browser, shared.visit
LONG = "a-vendor-with-a-long-name/a-model-of-a-very-long-name-2026-11-23-preview-thinking-max"
PATHS = [
    "/",
    "/models",
    "/models?q=nothing-at-all",
    "/models/openai/alpha",
    f"/models/{LONG}",
    "/models/compare?m=openai/alpha&m=beta&m=demo/banana&m=mistral/ears",
    "/status",
]


@pytest.fixture
def site(live_server, install):
    install(*CHANNELS, channel("long", "azure-openai", [model(LONG, context_tokens_max=1_048_576)]))
    return live_server


def shown(page: Page) -> list[str]:
    return page.locator("#results tbody th a").all_inner_texts()


def test_filters_change_the_list_and_the_address_without_a_reload(visit):
    page = visit(viewport=DESK)
    page.goto("/models")
    assert len(shown(page)) == 7
    page.evaluate("window.isSamePage = true")
    page.get_by_label("Search").type("openai", delay=20)
    expect(page.get_by_text("3 of 7 models")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/models\?q=openai$"))
    page.get_by_label("Gives").select_option("text")
    expect(page.get_by_text("2 of 7 models")).to_be_visible()
    page.get_by_label("Sort by").select_option("input")
    expect(page).to_have_url(re.compile(r"\?q=openai&gives=text&sort=input$"))
    expect(page.locator("#results tbody th a").first).to_have_text("beta")
    page.get_by_label("Search").fill("nothing at all")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert page.evaluate("window.isSamePage")
    page.get_by_role("link", name="Show all models").click()
    expect(page.get_by_text("7 of 7 models")).to_be_visible()


def test_the_back_button_brings_the_filters_back(visit):
    page = visit(viewport=DESK)
    page.goto("/models?q=openai")
    page.get_by_role("link", name="beta").click()
    expect(page.get_by_role("heading", name="beta", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Search")).to_have_value("openai")
    expect(page.get_by_text("3 of 7 models")).to_be_visible()


def test_checked_models_stay_checked_through_filters_and_are_compared(visit):
    page = visit(viewport=DESK)
    page.goto("/models")
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_disabled()
    page.get_by_label("Compare alpha").check()
    page.get_by_label("Search").fill("gamma")
    expect(page.get_by_text("1 of 7 models")).to_be_visible()
    page.get_by_label("Compare gamma").check()
    expect(compare).to_have_text("Compare (2/4)")
    page.get_by_label("Search").fill("")
    expect(page.get_by_text("7 of 7 models")).to_be_visible()
    expect(page.get_by_label("Compare alpha")).to_be_checked()
    page.get_by_label("Compare beta").check()
    page.get_by_label("Compare ears").check()
    expect(page.get_by_label("Compare banana")).to_be_disabled()
    page.get_by_label("Search").fill("gamma")
    expect(page.get_by_text("1 of 7 models")).to_be_visible()
    compare.click()
    expect(page.get_by_role("columnheader")).to_have_count(5)


def test_everything_works_without_javascript(visit):
    page = visit(viewport=PHONE, java_script_enabled=False)
    page.goto("/models")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Jurisdiction").select_option("CN")
    page.get_by_role("button", name="Filter").click()
    assert shown(page) == ["gamma"]
    page.goto("/models")
    page.get_by_label("Compare alpha").check()
    page.get_by_label("Compare gamma").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("columnheader")).to_have_count(3)
    page.get_by_role("link", name="alpha").click()
    page.get_by_text("google-genai", exact=True).click()
    expect(page.get_by_text("client.models.generate_content")).to_be_visible()
    expect(page.get_by_role("button", name="Copy").first).to_be_hidden()


def test_code_is_copied_as_it_stands(visit):
    page = visit(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/models/openai/alpha")
    page.get_by_text("JavaScript", exact=True).click()
    page.get_by_role("button", name="Copy").last.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#call-javascript").inner_text().strip()
    assert 'model: "openai/alpha"' in copied


def test_the_phones_menu_leads_to_every_public_page(visit):
    page = visit(viewport=PHONE)
    for name, heading in (("Models", "Models"), ("API reference", "API reference"),
                          ("Status", "Status")):  # fmt: skip
        page.goto("/")
        page.locator("header .menu summary").click()
        page.locator("header .menu").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        assert_fits(page)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(language, scheme, visit, site):
    page = visit(viewport=DESK, color_scheme=scheme)
    page.context.add_cookies([{"name": "django_language", "value": language, "url": site.url}])
    for path in PATHS:
        page.goto(path)
        for width in shared.WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert_fits(page)


def test_what_the_home_page_says_fits_on_one_screen(visit):
    page = visit(viewport=DESK)
    page.goto("/")
    end = page.evaluate("document.querySelector('main').getBoundingClientRect().bottom")
    assert end <= DESK["height"]
