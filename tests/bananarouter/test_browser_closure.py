"""A real Chromium: an account is closed, thought over and kept, then closed for good."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Page, expect

from bananarouter import closing
from tests import browsers, factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import USD

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
SHOTS = None


@pytest.fixture
def site(live_server, settings, tmp_path):
    settings.PAYMENTS = cashier.payments()
    settings.DATA_DIR = tmp_path
    settings.ERASURE = type(settings.ERASURE)(
        cooling=dt.timedelta(hours=72), list_file=tmp_path / "erased.jsonl"
    )
    factories.user("alice", password=factories.PASSWORD)
    return live_server


def aside(run):
    """Do something with the database while Playwright's event loop runs."""

    def done():
        try:
            return run()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done).result(60)


def log_in(page: Page, name: str) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill(factories.PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/overview")


def assert_fits(page: Page) -> None:
    width, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= shown, f"{page.url} is {width} wide, the window {shown}"


def look(page: Page, name: str) -> None:
    assert_fits(page)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(browsers.DESK, "light"), (browsers.PHONE, "dark")],
    ids=["desk", "phone"],
)
def test_close_keep_and_close_for_good(site, viewport, scheme):
    account = factories.account_of(factories.User.objects.get(username="alice"))
    cashier.pay(account, now=timezone.now())
    factories.give(account, 3 * USD)
    width = viewport["width"]
    with browsers.chromium() as browser:
        options = {"viewport": viewport, "color_scheme": scheme}
        page = browsers.signed_in(browser, site.url, "", **options).new_page()
        log_in(page, "alice")
        page.goto("/settings/privacy")
        page.get_by_role("link", name="Close my account").click()
        page.locator("[name=password]").fill(factories.PASSWORD)
        page.locator("[name=password]").press("Enter")
        expect(page.get_by_role("heading", name="Close your account")).to_be_visible()
        look(page, f"steps-{width}")
        expect(page.get_by_text("$13.00").last).to_be_visible()
        page.get_by_label("I give this amount up").check()
        page.get_by_label("Type your username").fill("alicia")
        page.get_by_role("button", name="Close my account").click()
        expect(page.get_by_text("This is not your username.")).to_be_visible()
        look(page, f"error-{width}")
        page.get_by_label("Type your username").fill("alice")
        page.get_by_role("button", name="Close my account").click()
        expect(page.get_by_text("Your account is going to be closed.")).to_be_visible()
        look(page, f"waits-{width}")
        page.goto("/overview")
        look(page, f"banner-{width}")
        page.get_by_role("button", name="Keep my account").click()
        expect(page.get_by_text("You keep your account.")).to_be_visible()
        aside(lambda: cashier.spend(account, 13 * USD))
        page.goto("/settings/privacy/closure")
        page.get_by_label("Type your username").fill("alice")
        page.get_by_role("button", name="Close my account").click()
        expect(page.get_by_role("heading", name="Your data is being erased")).to_be_visible()
        look(page, f"erasing-{width}")
        assert aside(lambda: closing.run_due(now=timezone.now())) == 1
        expect(page.get_by_role("heading", name="Your account is closed")).to_be_visible()
        look(page, f"closed-{width}")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the certificate").click()
        assert download.value.suggested_filename.startswith("erasure-")
