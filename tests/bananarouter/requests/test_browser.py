"""A real Chromium: new requests appear by themselves; a charge is disputed and taken back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import expect

from accounts import end_users
from tests import browsers, factories
from tests.bananarouter.requests.charging import charge

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
LOOKS = {
    "desk": {"viewport": browsers.DESK},
    "phone": {"viewport": browsers.PHONE, "has_touch": True},
    "without JavaScript": {"viewport": browsers.PHONE, "java_script_enabled": False},
}


@pytest.fixture
def paid_request(live_server):
    """Alice's account with one paid request; made before the browser's event loop runs."""
    alice = factories.user("alice")
    account = factories.account_of(alice)
    request_id = factories.request(account, model="demo/first")
    charge(request_id, account, cost_nusd=317_000)
    client = Client()
    client.force_login(alice)
    return account, request_id, client.cookies["session"].value


@pytest.fixture
def visit(paid_request, live_server):
    """Open windows of alice's; what they must not say on the console is checked at the end."""
    noted = []
    with browsers.chromium() as browser:

        def open_page(**options):
            page = browsers.signed_in(
                browser, live_server.url, paid_request[2], **options
            ).new_page()
            page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
            page.on("pageerror", lambda error: noted.append(str(error)))
            return page

        yield open_page
    assert noted == []


@pytest.fixture
def aside():
    """Return `aside(work)`: do something with the database beside the browser's event loop."""

    def run(work):
        def alone():
            try:
                return work()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(alone).result()

    return run


def test_new_requests_appear_without_a_reload_while_the_list_is_live(paid_request, visit, aside):
    account, *_ = paid_request
    page = visit(viewport=browsers.DESK)
    page.goto("/requests")
    expect(page.get_by_label("Live")).to_be_checked()
    page.evaluate("window.sameWindow = true")
    link = page.locator("tbody tr a").first
    link.focus()
    focused = page.evaluate("document.activeElement.id")
    aside(lambda: factories.request(account, model="demo/second"))
    expect(page.get_by_role("cell", name="demo/second")).to_be_visible()
    expect(page.locator("tr.fresh")).to_have_count(1)
    expect(page.locator("tr.fresh")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == focused
    assert page.locator("tbody tr").count() == 2
    assert "seconds ago" not in (page.locator("time").first.get_attribute("title") or "")

    page.get_by_label("Live").uncheck()
    aside(lambda: factories.request(account, model="demo/third"))
    page.wait_for_timeout(4_000)
    expect(page.get_by_role("cell", name="demo/third")).to_have_count(0)
    page.get_by_label("Live").check()
    expect(page.get_by_role("cell", name="demo/third")).to_be_visible()
    assert page.evaluate("window.sameWindow")


def test_a_list_keeps_its_filter_while_it_lives(paid_request, visit, aside):
    account, *_ = paid_request
    page = visit(viewport=browsers.DESK)
    page.goto("/requests?tag=mine")
    aside(lambda: factories.request(account, model="demo/other"))
    aside(lambda: factories.request(account, model="demo/mine", tag="mine"))
    expect(page.get_by_role("cell", name="demo/mine")).to_be_visible()
    expect(page.get_by_role("cell", name="demo/other")).to_have_count(0)


def test_who_signs_out_meanwhile_gets_no_log_in_page_inside_the_list(visit, aside):
    page = visit(viewport=browsers.DESK)
    page.goto("/requests")
    page.context.clear_cookies()
    expect(page.get_by_label("Live")).not_to_be_checked(timeout=10_000)
    assert page.locator("h1").count() == 1
    expect(page.get_by_role("cell", name="demo/first")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
def test_a_charge_is_disputed_and_the_dispute_withdrawn(look, paid_request, visit):
    _, request_id, _ = paid_request
    page = visit(**LOOKS[look])
    page.goto("/requests")
    page.locator("tbody a:visible").first.click()
    page.get_by_role("link", name="Dispute this charge").click()
    page.get_by_label("What is wrong").select_option(label="The number of tokens is wrong")
    page.get_by_label("Tell us more").fill("I expected twelve.")
    page.get_by_role("button", name="Send dispute").click()
    expect(page.get_by_text("I expected twelve.")).to_be_visible()
    expect(page.get_by_text("Dispute: waits for our answer")).to_be_visible()
    page.get_by_label("Your message").fill("And one thing more.")
    page.get_by_role("button", name="Send message").click()
    expect(page.get_by_text("And one thing more.")).to_be_visible()
    page.get_by_role("button", name="Withdraw the dispute").click()
    expect(page.get_by_text("The dispute is withdrawn.")).to_be_visible()
    expect(page.get_by_text("Dispute: closed")).to_be_visible()
    page.get_by_role("link", name="Request", exact=True).click()
    assert page.url.endswith(f"/requests/{request_id}")
    expect(page.get_by_text("Dispute: closed")).to_be_visible()


def test_an_end_users_requests_are_found_by_name(paid_request, visit, aside):
    account, *_ = paid_request
    hashed = end_users.digest("ann@example.com", account_id=account.pk)
    aside(lambda: factories.request(account, model="demo/anns", end_user=hashed))
    page = visit(**LOOKS["phone"])
    page.goto("/requests")
    page.get_by_text("More filters").click()
    page.get_by_label("End user").fill("ann@example.com")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url(f"**user={hashed}")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("demo/anns")
    assert "example.com" not in page.url
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
