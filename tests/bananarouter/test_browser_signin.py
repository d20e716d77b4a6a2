"""A real Chromium signs up and logs in every way, on a desk and on a phone."""

import base64
import hashlib
import hmac
import re
import struct
import time

import pytest
import time_machine
from playwright.sync_api import Page, expect

from tests import browsers, factories, mailbox
from tests.browsers import DESK, PHONE, TIMEOUT_MS

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
SIZES = [{"viewport": DESK}, {"viewport": PHONE, "has_touch": True}]
on_both = pytest.mark.parametrize("options", SIZES, ids=["desk", "phone"])
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
def site(live_server):
    """A user with a password, made before the browser starts."""
    factories.user("alice", password=factories.PASSWORD)
    return live_server


@pytest.fixture
def browser(site):
    with browsers.chromium() as started:
        yield started


@pytest.fixture
def visit(browser, site):
    """Open windows that note what they must not do; checked when the test ends."""
    noted = []

    def open_page(**options) -> Page:
        page = browser.new_context(base_url=site.url, locale="en-US", **options).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
        page.on("pageerror", lambda error: noted.append(str(error)))
        return page

    yield open_page
    assert noted == []


def assert_fits(page: Page) -> None:
    width, shown = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= shown, f"{page.url} is {width} wide, the window {shown}"


def totp(secret: str, at: float) -> str:
    """RFC 6238: the code of a secret at a moment (SHA-1, 30 s, 6 digits)."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(at) // 30), hashlib.sha1)
    start = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[start : start + 4])
    return f"{(number & 0x7FFFFFFF) % 10**6:06d}"


def test_the_codes_are_those_of_the_standard():
    secret = base64.b32encode(b"12345678901234567890").decode()
    vectors = [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
    assert [totp(secret, at) for at, _ in vectors] == [code for _, code in vectors]


def fresh_code(secret: str) -> str:
    """A code with time left to type it in, and not the one before."""
    if time.time() % 30 > 25:
        time.sleep(30 - time.time() % 30)
    return totp(secret, time.time())


def next_code(secret: str, used: str) -> str:
    """A code that was not used: each is good once."""
    while (code := fresh_code(secret)) == used:
        time.sleep(0.5)
    return code


def send(page: Page) -> None:
    page.locator("main .button.primary").click()


def fill_sign_up(page: Page, name: str) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    page.get_by_label("I accept the terms").check()


def log_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Email or username").fill("alice")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def log_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    send(page)
    page.wait_for_url("**/")


def prove_again(page: Page) -> None:
    page.wait_for_url("**/reauthenticate/**")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Go on").click()


def set_up_app(page: Page) -> tuple[str, str]:
    """Turn on an authenticator app; return its secret and the code that was used."""
    page.goto("/settings/security")
    page.get_by_role("link", name="Set up an authenticator app").click()
    prove_again(page)
    secret = page.locator("#totp-secret").inner_text()
    expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
    assert_fits(page)
    code = fresh_code(secret)
    page.get_by_label("Code from the app").fill(code)
    page.get_by_role("button", name="Turn on").click()
    page.wait_for_url("**/recovery-codes/")
    return secret, code


@on_both
def test_sign_up_with_a_wrong_and_then_the_right_code(options, visit):
    page = visit(**options)
    fill_sign_up(page, "eve")
    page.get_by_label("Name to show").fill("Eve")
    page.get_by_label("Where are you?").select_option("DE")
    page.get_by_label("Phone").fill("12")
    assert_fits(page)
    send(page)
    expect(page.get_by_text("Write the whole number with its country code")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value("eve@example.com")
    expect(page.get_by_label("Where are you?")).to_have_value("DE")
    page.get_by_label("Phone").fill("")
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    send(page)
    page.wait_for_url("**/confirm-email/")
    expect(page.get_by_text("We sent a code to eve@example.com")).to_be_visible()
    page.get_by_label("The code").fill("0000-0000")
    send(page)
    expect(page.get_by_text("This is not the code.")).to_be_visible()
    assert_fits(page)
    page.get_by_label("The code").fill(mailbox.latest_code("eve@example.com").replace("-", " "))
    send(page)
    page.wait_for_url("**/welcome")
    expect(page.get_by_text("Your email address is confirmed.")).to_be_visible()


def test_a_code_that_is_too_old_opens_nothing(visit):
    page = visit(viewport=DESK)
    fill_sign_up(page, "eve")
    send(page)
    page.wait_for_url("**/confirm-email/")
    code = mailbox.latest_code("eve@example.com")
    page.get_by_label("The code").fill(code)
    with time_machine.travel(time.time() + 15 * 60 + 5):
        send(page)
        page.wait_for_url("**/login/")
    page.goto("/overview")
    assert "/accounts/login/" in page.url


@on_both
def test_an_authenticator_app_and_a_recovery_code(options, visit):
    page = visit(**options)
    log_in(page)
    page.wait_for_url("**/overview")
    secret, used = set_up_app(page)
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(codes) == 10
    assert_fits(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 unused")).to_be_visible()
    assert mailbox.subjects("alice@example.com") == ["An authenticator app was set up"]

    log_out(page)
    log_in(page)
    page.wait_for_url("**/2fa/authenticate/")
    page.goto("/overview")
    assert "/accounts/login/" in page.url or "/2fa/authenticate/" in page.url
    log_in_second_step(page, "000000")
    expect(page.get_by_text("This is not the code.")).to_be_visible()
    log_in_second_step(page, next_code(secret, used))
    page.wait_for_url("**/overview")

    log_out(page)
    log_in(page)
    log_in_second_step(page, codes[0])
    page.wait_for_url("**/overview")
    log_out(page)
    log_in(page)
    log_in_second_step(page, codes[0])  # each is good once
    expect(page.get_by_text("This is not the code.")).to_be_visible()


def log_in_second_step(page: Page, code: str) -> None:
    if "/2fa/authenticate/" not in page.url:
        page.wait_for_url(re.compile("/(2fa/authenticate|login)/"))
        if "/login/" in page.url:
            page.goto("/accounts/2fa/authenticate/")
    page.get_by_label("The code").fill(code)
    send(page)


@on_both
def test_a_passkey_logs_in_alone(options, visit):
    page = visit(**options)
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    added = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    log_in(page)
    page.wait_for_url("**/overview")
    page.goto("/settings/security")
    page.get_by_role("link", name="Add a passkey").click()
    prove_again(page)
    page.get_by_label("Name").fill("blue key")
    assert_fits(page)
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url("**/recovery-codes/")
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("rowheader", name="blue key")).to_be_visible()
    assert_fits(page)
    log_out(page)

    page.goto("/accounts/login/")
    page.get_by_role("button", name="Log in with a passkey").click()
    page.wait_for_url("**/overview")
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_text("not yet")).to_have_count(0)
    log_out(page)

    log_in(page)  # a password alone is not enough any more
    page.wait_for_url("**/2fa/authenticate/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/overview")
    log_out(page)

    cdp.send("WebAuthn.setUserVerified", {**added, "isUserVerified": False})
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    assert "/accounts/login/" in page.url


def test_a_removed_passkey_logs_nobody_in(visit):
    page = visit(viewport=DESK)
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    log_in(page)
    page.wait_for_url("**/overview")
    page.goto("/accounts/2fa/webauthn/add/")
    prove_again(page)
    page.get_by_role("button", name="Add passkey").click()
    page.wait_for_url("**/recovery-codes/")
    page.goto("/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Remove Passkey 1").click()
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    log_out(page)
    page.goto("/accounts/login/")
    page.get_by_role("button", name="Log in with a passkey").click()
    expect(page.get_by_text("This is not the code.")).to_be_visible()
    page.goto("/overview")
    assert "/accounts/login/" in page.url


@on_both
def test_logging_out_everywhere_else(options, visit):
    here, there = visit(**options), visit(**options)
    for page in (here, there):
        log_in(page)
        page.wait_for_url("**/overview")
    here.goto("/settings/security")
    here.get_by_role("link", name="Show sessions").click()
    expect(here.get_by_role("row")).to_have_count(3)
    assert_fits(here)
    here.get_by_role("button", name="Log out everywhere else").click()
    expect(here.get_by_text("You are logged out everywhere else.")).to_be_visible()
    there.goto("/overview")
    assert "/accounts/login/" in there.url
    here.goto("/overview")
    assert here.url.endswith("/overview")


@on_both
def test_a_forgotten_password(options, visit):
    page = visit(**options)
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill("alice@example.com")
    assert_fits(page)
    send(page)
    page.get_by_label("The code").fill(mailbox.latest_code("alice@example.com"))
    send(page)
    page.get_by_label("New password").fill("password")
    send(page)
    expect(page.get_by_text("This password is too common.")).to_be_visible()
    page.get_by_label("New password").fill("a new long pass phrase")
    send(page)
    expect(page.get_by_role("heading", name="Password changed")).to_be_visible()
    log_in(page)
    expect(page.get_by_text("do not belong together")).to_be_visible()
    page.get_by_label("Password").fill("a new long pass phrase")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.wait_for_url("**/overview")


def test_a_mailed_code_logs_in_without_javascript(visit):
    page = visit(viewport=PHONE, java_script_enabled=False)
    page.goto("/accounts/login/")
    expect(page.get_by_role("button", name="Log in with a passkey")).to_be_hidden()
    page.get_by_role("link", name="Get a code by email").click()
    page.get_by_label("Email").fill("alice@example.com")
    send(page)
    page.get_by_label("The code").fill(mailbox.latest_code("alice@example.com"))
    send(page)
    page.wait_for_url("**/overview")


def test_in_chinese(visit, site):
    page = visit(viewport=PHONE)
    page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": site.url}])
    page.goto("/accounts/signup/")
    page.get_by_label("邮箱").fill("eve@example.com")
    page.get_by_label("用户名").fill("eve")
    page.get_by_label("密码", exact=True).fill(factories.PASSWORD)
    page.get_by_label("我接受服务条款").check()
    page.get_by_label("你在哪里").select_option("中国")
    assert_fits(page)
    send(page)
    page.wait_for_url("**/confirm-email/")
    assert mailbox.subjects("eve@example.com") == ["验证邮箱"]
    page.get_by_label("验证码").fill(mailbox.latest_code("eve@example.com"))
    send(page)
    page.wait_for_url("**/welcome")
    page.goto("/settings/security")
    assert_fits(page)
    words = page.locator("main").inner_text()
    assert not re.findall(r"\b(?!eve\b|example\b|com\b)[A-Za-z]{3,}", words)
