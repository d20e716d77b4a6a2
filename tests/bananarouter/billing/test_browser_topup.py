"""A top-up with each payment service: a real gateway, its sandbox and tasks, a real Chromium."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import expect

from tests import browsers, gateways
from tests.servers import wait_until

pytestmark = [browsers.needs_chromium, pytest.mark.process]
LOGIN = re.compile(r"Log in as (\S+) with (\S+) ")
# The credit must be seen within 2 s; the machine of the tests may be busy with others.
SEEN_MS = 10_000
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
PHONE = {"viewport": browsers.PHONE, "has_touch": True, "user_agent": IPHONE}
WECHAT = {**PHONE, "user_agent": f"{IPHONE} MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN"}
# What WeChat's browser offers to a page; it comes when it comes.
BRIDGE = """
setTimeout(() => {
  window.WeixinJSBridge = {
    invoke: async (name, call, said) => said({ err_msg: await window.phone(name, call) }),
  };
  document.dispatchEvent(new Event("WeixinJSBridgeReady"));
}, %d);
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("topup")
    gateway = gateways.Gateway(folder, has_tasks=True).start()
    yield gateway
    assert gateway.stop() == 0


def test_tasks_give_way_to_answers(gateway):
    (tasks,), (worker, *_) = map(
        gateway.children, ("bananarouter.background", "bananarouter.serve")
    )
    ours = os.getpriority(os.PRIO_PROCESS, worker)
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, tasks) > ours, what="tasks at work")
    group = Path(f"/proc/{tasks}/autogroup")  # the kernel may weigh no sessions
    assert (
        not group.exists()
        or group.read_text().split()[-1] == f"{os.getpriority(os.PRIO_PROCESS, tasks)}"
    )


@pytest.fixture(scope="module")
def sessions(gateway):
    """The session of the demo account's owner."""
    name, password = LOGIN.search("\n".join(gateway.lines) + gateway.log_text()).groups()
    with browsers.chromium() as browser:
        window = browsers.signed_in(browser, gateway.url, "")
        page = window.new_page()
        page.goto("/accounts/login/")
        page.locator("[name=login]").fill(name)
        page.locator("[name=password]").fill(password)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url("**/overview")
        (cookie,) = [c for c in window.cookies() if c["name"] == "session"]
    return cookie["value"]


@pytest.fixture
def window(gateway, sessions):
    """Return a function that opens a signed-in page; scripts must not fail."""
    noted = []
    with browsers.chromium() as browser:

        def open_page(**options):
            options = {"viewport": browsers.DESK, **options}
            page = browsers.signed_in(browser, gateway.url, sessions, **options).new_page()
            page.on("pageerror", lambda error: noted.append(str(error)))
            return page

        yield open_page
    assert noted == []


def choose(page, way, *, amount):
    page.goto("/billing")
    page.locator(f"[name=way][value='{way}']").check()
    page.locator("[name=other]").fill(amount)


def pay_there(page):
    """Pay on the sandbox's page, which leads back."""
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/billing/orders/*")


def expect_credited(page):
    expect(page.locator(".order-state")).to_contain_text(
        "The credit is in your balance.", timeout=SEEN_MS
    )
    expect(page.locator(".events")).to_contain_text("The payment arrived.")


@pytest.mark.parametrize(
    ("way", "amount", "total", "options"),
    [
        ("stripe:checkout", "12.50", "$12.50", {}),
        ("alipay:page", "72", "¥72.00", {}),
        ("alipay:wap", "72", "¥72.00", PHONE),
        ("wechatpay:h5", "72", "¥72.00", PHONE),
    ],
    ids=["stripe", "alipay", "alipay-phone", "wechatpay-phone"],
)
def test_who_pays_on_the_services_page_comes_back_to_the_credit(
    window, way, amount, total, options
):
    page = window(**options)
    choose(page, way, amount=amount)
    expect(page.locator(".pay-total")).to_have_text(total)
    page.locator("#topup button.primary").click()
    page.wait_for_url(re.compile(r"/pay/"))
    pay_there(page)
    expect_credited(page)


@pytest.mark.parametrize("way", ["alipay:qr", "wechatpay:qr"])
def test_a_code_that_is_scanned_elsewhere_turns_the_page_by_itself(window, way):
    page, phone = window(), window(**PHONE)
    choose(page, way, amount="36")
    expect(page.locator(".pay-total")).to_have_text("¥36.00")
    before = page.locator("#balance").inner_text()
    page.locator("#topup button.primary").click()
    expect(page.locator("svg.qr")).to_be_visible()
    phone.goto(page.get_by_role("link", name="Pay in the sandbox").get_attribute("href"))
    phone.get_by_role("button", name="Pay").click()
    expect(phone.locator("body")).to_contain_text("State: paid")
    expect_credited(page)
    expect(page.locator("svg.qr")).to_have_count(0)
    expect(page.locator("#balance")).not_to_have_text(before)


@pytest.mark.parametrize("bridge_ms", [0, 500], ids=["at once", "late"])
def test_inside_wechat_its_bridge_is_asked_and_what_it_says_is_told(window, bridge_ms):
    page = window(**WECHAT)
    decisions = ["cancel", "pay"]

    def phone(name, call):
        """Do at the sandbox what a payer does in the app, in front of the page."""
        assert name == "getBrandWCPayRequest"
        there = urlsplit(page.locator("[data-wechat-sandbox]").get_attribute("href"))
        url = f"{there.scheme}://{there.netloc}{there.path}"
        return requests.post(url, {**call, "do": decisions.pop(0)}, timeout=5).text

    page.expose_function("phone", phone)
    page.add_init_script(BRIDGE % bridge_ms)
    choose(page, "wechatpay:jsapi", amount="72")
    expect(page.locator(".pay-total")).to_have_text("¥72.00")
    page.locator("#topup button.primary").click()
    page.wait_for_url(re.compile(r"/billing/orders/[^/?]+$"))  # "go" is taken off
    expect(page.locator("[data-wechat-said=cancel]")).to_be_visible(timeout=SEEN_MS)
    assert decisions == ["pay"]
    page.get_by_role("button", name="Pay in WeChat").click()
    expect_credited(page)
    assert decisions == []


def test_without_scripts_the_price_is_shown_before_it_is_paid(window):
    page = window(java_script_enabled=False)
    choose(page, "stripe:checkout", amount="50")
    page.locator("#topup button.primary").click()
    expect(page.locator("#quote")).to_contain_text("This is the price of your choice.")
    expect(page.locator("#quote")).to_contain_text("$50.00")
    page.locator("#topup button.primary").click()
    page.wait_for_url(re.compile(r"/pay/"))
    page.get_by_role("button", name="Back").click()
    page.wait_for_url("**/billing/orders/*")
    expect(page.locator("main")).to_contain_text("You came back without paying.")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.locator(".order-state")).to_contain_text("Canceled")


def test_a_preset_and_a_typed_amount_exclude_each_other(window):
    page = window()
    page.goto("/billing")
    expect(page.locator("[name=preset]:checked")).to_have_value("2000")
    page.locator("[name=other]").fill("33")
    expect(page.locator(".pay-total")).to_have_text("$33.00")
    expect(page.locator("[name=preset]:checked")).to_have_count(0)
    page.get_by_text("$50", exact=True).click()
    expect(page.locator(".pay-total")).to_have_text("$50.00")
    expect(page.locator("[name=other]")).to_have_value("")
    page.locator("[name=other]").fill("1")
    expect(page.locator("#other-error")).to_contain_text("You can add $5.00")
