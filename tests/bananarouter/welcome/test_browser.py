"""The whole way in a real Chromium, against a real gateway: key, trial, first call, green."""

import json
import re
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests import browsers, factories, gateways

pytestmark = [browsers.needs_chromium, pytest.mark.process]
GREEN_S_MAX = 3
NEWCOMER = f"""
from accounts import owners
for name in ("desk", "phone", "plain", "zh"):
    user = owners.register(email=f"{{name}}@example.com")
    user.set_password("{factories.PASSWORD}")
    user.save()
    owners.own_account(user)
"""
LOOKS = {
    "desk": {"viewport": browsers.DESK},
    "phone": {"viewport": browsers.PHONE, "has_touch": True},
    "zh": {"viewport": browsers.PHONE, "locale": "zh-CN", "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = gateways.Gateway(
        tmp_path_factory.mktemp("welcome"), TRIAL_WORK_BITS="18", TRIAL_PER_NETWORK_PER_DAY="9"
    ).start()
    gateway.manage("shell", "-c", NEWCOMER)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def visit(gateway):
    """Return `visit(name, **options)`: a page of a newcomer who is signed in."""
    noted = []
    with browsers.chromium() as browser:

        def enter(name, **options):
            context = browsers.signed_in(browser, gateway.url, "", **options)
            page = context.new_page()
            page.on("console", lambda m: m.type in {"error", "warning"} and noted.append(m.text))
            page.on("pageerror", lambda error: noted.append(str(error)))
            page.goto("/accounts/login/")
            page.locator("[name=login]").fill(f"{name}@example.com")
            page.locator("[name=password]").fill(factories.PASSWORD)
            page.locator("[name=password]").press("Enter")
            page.wait_for_url("**/overview")
            page.goto("/welcome")
            return page

        yield enter
    assert noted == []


def call(gateway, key, model) -> int:
    request = urllib.request.Request(  # noqa: S310 - our own gateway
        f"{gateway.url}/v1/chat/completions",
        data=json.dumps(
            {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}
        ).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def polls(page) -> list[str]:
    """Note what the page's wait asks from now on."""
    noted: list[str] = []
    page.on("request", lambda r: "/welcome/first?" in r.url and noted.append(r.url))
    return noted


def assert_fits(page) -> None:
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= shown


@pytest.mark.parametrize("name", LOOKS)
def test_from_a_key_to_green(name, visit, gateway):
    page = visit(name, **LOOKS[name])
    step = page.locator("#step-trial")
    step.get_by_role("button").click()
    expect(step.get_by_role("progressbar")).to_be_visible()
    expect(step).to_contain_text("试用金" if name == "zh" else "of trial money until")
    expect(page.locator("#balance")).to_contain_text("$0.50")
    expect(page.locator("#money-hint")).to_be_empty()

    page.locator("#step-key button").click()
    key = page.locator("#new-key").inner_text()
    assert page.evaluate("document.activeElement.closest('#step-key') !== null")
    expect(page.locator("#first-call-curl")).to_contain_text(key)
    page.locator("#step-code label").nth(3).click()
    expect(page.locator("#first-call-python-google")).to_contain_text(key)
    expect(page.locator("#first-call-curl")).to_be_hidden()
    expect(page.locator("#step-key").get_by_role("button")).to_be_visible()  # copy
    assert_fits(page)

    assert call(gateway, key, "demo/fast") == 402
    expect(page.locator("#first.failed")).to_contain_text("402")
    assert call(gateway, key, "demo/small") == 200
    came_at = time.monotonic()
    expect(page.locator("#first.arrived")).to_contain_text("demo/small")
    assert time.monotonic() - came_at < GREEN_S_MAX
    assert page.evaluate("document.querySelectorAll('.mark svg').length") == 4
    assert_fits(page)
    polled = polls(page)
    page.wait_for_timeout(1_500)
    assert polled == []  # green is the end of the wait
    page.locator("#first a").first.click()
    page.wait_for_url(re.compile(r"/requests/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("demo/small")


def test_a_page_that_nobody_looks_at_does_not_ask(visit):
    page = visit("plain", viewport=browsers.DESK)
    polled = polls(page)
    page.wait_for_timeout(1_500)
    assert polled
    hide = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => %s})"
    page.evaluate(hide % "true")
    page.wait_for_timeout(300)
    polled.clear()
    page.wait_for_timeout(1_500)
    assert polled == []
    page.evaluate(hide % "false")
    page.wait_for_timeout(1_500)
    assert polled


def test_without_javascript_the_key_comes_with_the_page(visit, gateway):
    page = visit("plain", viewport=browsers.PHONE, java_script_enabled=False)
    # Chromium does not draw <noscript> when a debugger switched JavaScript off.
    assert "This step needs JavaScript" in page.content()
    expect(page.get_by_role("button", name="Get trial money")).to_be_hidden()
    page.get_by_role("button", name="Create key").click()
    key = page.locator("#new-key").inner_text()
    expect(page.locator("#first-call-curl")).to_contain_text(key)
    page.get_by_text("JS fetch").click()
    expect(page.locator("#first-call-js-fetch")).to_contain_text(key)
    assert call(gateway, key, "demo/small") == 402
    assert '<a class="button compact" href="/welcome">Reload</a>' in page.content()
    for _ in range(10):  # the log has the row within a moment
        page.goto("/welcome")
        if page.locator("#first.failed").count():
            break
        page.wait_for_timeout(300)
    expect(page.locator("#first")).to_contain_text("402")
    expect(page.locator("#first")).to_contain_text("The balance was below")
