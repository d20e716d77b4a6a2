"""A real Chromium: invited by mail, signed up, appointed, removed; and the keys go with one."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connections
from playwright.sync_api import Page, expect

from accounts import keys
from accounts.models import Membership
from tests import browsers, factories, mailbox

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(live_server):
    factories.user("alice", password=factories.PASSWORD)
    return live_server


@pytest.fixture
def window(site):
    """Return `open_window(**options)`: a page of a browser of its own, which must not complain."""
    noted = []
    with browsers.chromium() as browser:

        def open_window(**options) -> Page:
            page = browsers.signed_in(browser, site.url, "", **options).new_page()
            page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
            page.on("pageerror", lambda error: noted.append(str(error)))
            return page

        yield open_window
    assert noted == []


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


def sign_up(page: Page, link: str) -> None:
    """From the link of the mail through sign-up and the proof of the address, back to the link."""
    page.goto(link)
    expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
    page.get_by_role("link", name="Sign up").click()
    page.locator("[name=email]").fill("eve@example.com")
    page.locator("[name=username]").fill("eve")
    page.locator("[name=accepts_policies]").check()
    for box in page.locator("[type=password]").all():
        box.fill(factories.PASSWORD)
    page.locator("[type=password]").last.press("Enter")
    page.wait_for_url("**/confirm-email/")
    page.get_by_label("The code").fill(mailbox.latest_code("eve@example.com"))
    page.get_by_label("The code").press("Enter")
    page.wait_for_url(lambda url: "confirm-email" not in url)
    page.goto(link)


@pytest.mark.parametrize(
    "options", [{"viewport": browsers.DESK}, {"viewport": browsers.PHONE}], ids=["desk", "phone"]
)
def test_invite_join_appoint_and_remove(options, window, site):
    owner, guest = window(**options), window(**options)

    log_in(owner, "alice")
    owner.locator(".topbar .menu summary").first.click()
    owner.get_by_role("link", name="Create an organization").click()
    owner.get_by_label("Name").fill("Aardvark Labs")
    owner.get_by_role("button", name="Create organization").click()
    expect(owner.get_by_text("The organization is made.")).to_be_visible()
    assert_fits(owner)

    owner.get_by_role("link", name="Invite somebody").click()
    owner.get_by_label("Email").fill("eve@example.com")
    assert_fits(owner)
    owner.get_by_role("button", name="Send invitation").click()
    expect(owner.get_by_text("An invitation goes to eve@example.com.")).to_be_visible()
    assert_fits(owner)
    message = next(m for m in mail.outbox if m.to == ["eve@example.com"])
    link = re.search(rf"{re.escape(site.url)}/invitations/[\w-]+", message.body)[0]

    sign_up(guest, link)
    expect(guest.get_by_role("heading", name="Join “Aardvark Labs”")).to_be_visible()
    assert_fits(guest)
    guest.get_by_role("button", name="Accept invitation").click()
    expect(guest.get_by_text("You are a member of “Aardvark Labs” now.")).to_be_visible()

    guest.goto("/keys/new")
    guest.get_by_label("Name").first.fill("laptop")
    guest.get_by_role("button", name="Create key").click()
    text = guest.locator("#new-key").inner_text()
    assert _in_thread(lambda: _answer(text)) == "accepted"
    guest.goto("/settings/organization")
    expect(guest.get_by_role("link", name="Invite somebody")).to_have_count(0)

    owner.goto("/settings/organization")
    owner.get_by_role("link", name="Change eve").click()
    assert_fits(owner)
    owner.get_by_label("Billing: money").check()
    owner.get_by_role("button", name="Save role").click()
    expect(owner.get_by_text("eve has the role “billing” now.")).to_be_visible()
    assert guest.request.get(f"{site.url}/keys/new").status == 403

    owner.get_by_role("link", name="Change eve").click()
    owner.get_by_role("link", name="Remove from the account").click()
    expect(owner.get_by_label("Disable the keys, too")).to_be_checked()
    assert_fits(owner)
    owner.get_by_role("button", name="Remove").click()
    expect(owner.get_by_text("eve is no member any more.")).to_be_visible()
    assert _in_thread(lambda: _answer(text)) == "disabled"
    guest.goto("/overview")
    expect(guest.get_by_text("Aardvark Labs")).to_have_count(0)
    assert _in_thread(lambda: Membership.objects.filter(user__username="eve").count() == 1), (
        "eve keeps her own account"
    )


def _in_thread(call):
    """Playwright waits in an event loop, where the database must not be asked."""

    def run():
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(60)


def _answer(text: str) -> str:
    """What a gateway worker that has just started says to a key."""
    keys.close()
    try:
        asyncio.run(keys.verify(text, source_ip="192.0.2.1", now=1_790_000_000.0))
    except keys.KeyRefused as refused:
        return refused.reason
    finally:
        keys.close()
    return "accepted"
