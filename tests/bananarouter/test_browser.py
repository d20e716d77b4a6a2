"""A real Chromium walks the pages: on a desk and on a phone, with and without JavaScript."""

import pytest
from playwright.sync_api import Page, expect

from accounts import keys, keytext
from tests import browsers, factories, mailbox
from tests.browsers import DESK, PHONE, TIMEOUT_MS

WIDTHS = [360, 560, 600, 860, 861, 1024, 1280, 1359, 1360, 1440]
KEY_NAME = "a name of eighty characters " * 2 + "x" * 24
LONG = "a-vendor-with-a-long-name/a-model-of-a-very-long-name-2026-11-23-preview-thinking-max"

pytestmark = [
    browsers.needs_chromium,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def site(live_server):
    """An account with keys and requests whose names are long, made before the browser starts."""
    alice = factories.user("alice", is_demo=True, password=factories.PASSWORD)
    account = factories.account_of(alice)
    factories.give(account, 12_345_600_000_000)
    key, _ = keys.mint(account=account, created_by=alice, name=KEY_NAME)
    request_ids = [
        factories.request(
            account, model=LONG, endpoint=f"demo:{LONG}-x", cost_nusd=123_456_789_012,
            input_tokens=1_234_567, cache_read_tokens=9_876_543, reasoning_tokens=54_321,
        ),
        factories.request(
            account, status=400, error_code="missing_required_parameter", vendor=None
        ),
    ]  # fmt: skip
    live_server.paths = [
        "/overview",
        "/usage",
        "/keys",
        "/keys/new",
        "/requests",
        "/settings/security",
    ]
    live_server.paths += ["/settings", "/settings/notifications", "/settings/privacy"]
    live_server.paths += ["/settings/organization", "/settings/billing", "/organizations/new"]
    live_server.paths += ["/models", "/models/compare", "/status", "/docs", "/docs/errors"]
    live_server.paths += [f"/keys/{key.pk}{rest}" for rest in ("", "/edit", "/rotate", "/delete")]
    live_server.paths += ["/docs/api", "/docs/api/openai", "/docs/api/gemini", "/docs/api/platform"]
    live_server.paths += [f"/requests/{request_id}" for request_id in request_ids]
    return live_server


@pytest.fixture
def browser(site):
    with browsers.chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser, site):
    """Open pages that note what they must not do; checked when the test ends."""
    noted = []

    def open_page(**options) -> Page:
        context = browser.new_context(base_url=site.url, locale="en-US", **options)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        page.on(
            "request",
            lambda r: r.url.startswith((site.url, "data:")) or noted.append(f"asked {r.url}"),
        )
        return page

    yield open_page
    assert noted == []


def log_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("alice")
    page.locator("[name=password]").fill(factories.PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/overview")


def assert_fits(page: Page) -> None:
    width, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= shown, f"{page.url} is {width} wide, the window {shown}"


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": DESK},
        {"viewport": PHONE, "has_touch": True},
        {"viewport": PHONE, "java_script_enabled": False},
    ],
    ids=["desk", "phone", "without JavaScript"],
)
def test_sign_up_make_a_key_and_revoke_it(options, visit):
    page = visit(**options)
    has_script = options.get("java_script_enabled", True)

    def check() -> None:
        if has_script:
            assert_fits(page)

    page.goto("/")
    check()
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Email").fill("eve@example.com")
    page.get_by_label("Username").fill("eve")
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    page.get_by_label("I accept the terms").check()
    check()
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/confirm-email/")
    check()
    page.get_by_label("The code").fill(mailbox.latest_code("eve@example.com"))
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/welcome")
    expect(page.get_by_role("heading", name="Your first call")).to_be_visible()
    check()

    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Keys").click()
    expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()
    page.get_by_role("link", name="Create a key").first.click()
    page.get_by_label("Name").fill("laptop")
    page.get_by_label("In total").fill("2.50")
    check()
    page.get_by_role("button", name="Create key").click()
    shown = page.locator("#new-key").inner_text()
    assert keytext.is_well_formed(shown)
    assert page.get_by_role("button", name="Copy").first.is_visible() == has_script
    check()

    page.get_by_role("link", name="I have copied it").click()
    assert shown not in page.content()
    expect(page.get_by_text("active")).to_be_visible()
    check()
    page.get_by_role("link", name="laptop", exact=True).click()
    expect(page.get_by_text("$0.00 of $2.50 in total")).to_be_visible()
    check()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete “laptop”?")).to_be_visible()
    check()
    page.get_by_role("button", name="Delete key").click()
    expect(page.get_by_text("“laptop” is deleted.")).to_be_visible()
    check()

    page.locator(".menu.end summary").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/")
    page.goto("/overview")
    assert "/accounts/login/" in page.url


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_nothing_is_wider_than_the_window(language, visit, site):
    page = visit(viewport=DESK)
    page.context.add_cookies([{"name": "django_language", "value": language, "url": site.url}])
    log_in(page)
    for path in ["/", *site.paths]:
        page.goto(path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert_fits(page)


def test_copying_a_key_puts_it_on_the_clipboard(visit):
    page = visit(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    log_in(page)
    page.goto("/keys/new")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create key").click()
    button = page.get_by_role("button", name="Copy").first
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#new-key").inner_text()


def test_the_keyboard_reaches_everything_in_order(visit):
    page = visit(viewport=DESK)
    log_in(page)
    page.goto("/keys")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    wanted = [
        "BananaRouter",
        "Overview",
        "Keys",
        "Requests",
        "Usage",
        "Billing",
        "Playground",
        "Docs",
        "Settings",
        "Switch account alice",
        "Notifications",
        "Your account alice",
        "Create a key",
        KEY_NAME,
        "Edit",
    ]
    reached: list[str] = []
    while "Edit" not in reached:
        assert len(reached) <= len(wanted), f"more stops than there should be: {reached}"
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", f"no focus is seen on {reached[-1]}"
    assert reached == wanted


def test_menus_close_on_escape_and_outside(visit):
    page = visit(viewport=DESK)
    log_in(page)
    menu, summary = page.locator(".menu.end > div"), page.locator(".menu.end summary")
    summary.click()
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    summary.click()
    page.get_by_role("heading", name="Overview").click()
    expect(menu).to_be_hidden()


def test_the_theme_follows_the_system(visit):
    grounds = []
    for scheme in ("light", "dark"):
        page = visit(viewport=DESK, color_scheme=scheme)
        page.goto("/")
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


@pytest.mark.parametrize("has_script", [True, False])
def test_the_reference_is_read_with_and_without_javascript(has_script, visit):
    page = visit(viewport=PHONE, java_script_enabled=has_script)
    page.goto("/")
    page.locator("footer").get_by_role("link", name="API reference").click()
    page.get_by_role("link", name="/v1/messages", exact=False).first.click()
    operation = page.locator("#createMessage")
    expect(operation.get_by_role("heading", name="Message", exact=True)).to_be_visible()
    expect(operation.get_by_text("client.messages.create").first).to_be_hidden()
    operation.get_by_text("Python").first.click()
    expect(operation.get_by_text("client.messages.create").first).to_be_visible()
    expect(operation.get_by_text("stop_reason").first).to_be_hidden()
    operation.get_by_text("Answer application/json").click()
    expect(operation.get_by_text("stop_reason").first).to_be_visible()
    expect(operation.get_by_role("button", name="Copy").first).to_be_visible(visible=has_script)
