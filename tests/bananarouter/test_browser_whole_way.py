"""From a stranger to a refused key: a real gateway, a real Chromium, the official SDK."""

import re

import openai
import pytest
from playwright.sync_api import expect

from tests import browsers, factories, gateways
from tests.servers import wait_until

pytestmark = [browsers.needs_chromium, pytest.mark.process]
CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b|\b\d{4}-\d{4}\b")
LOOKS = {
    "desk": {"viewport": browsers.DESK},
    "phone, dark": {"viewport": browsers.PHONE, "has_touch": True, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    gateway = gateways.Gateway(
        tmp_path_factory.mktemp("way"),
        TRIAL_WORK_BITS="12", TRIAL_PER_NETWORK_PER_DAY="9", LEASE_ROTATION_S="1",
    ).start()  # fmt: skip
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(params=LOOKS)
def page(request, gateway):
    noted = []
    with browsers.chromium() as browser:
        window = browsers.signed_in(browser, gateway.url, "", **LOOKS[request.param])
        page = window.new_page()
        page.on("pageerror", lambda error: noted.append(str(error)))
        yield page
    assert noted == []


def mailed_code(gateway, address) -> str:
    """The code in the newest mail to an address: the terminal is the mail server here."""

    def mails():
        found = gateway.log_text().split("\nTo: ")
        return [text for text in found[1:] if text.startswith(address)]

    wait_until(mails, timeout_s=10, what="a mail")
    return CODE.search(mails()[-1].partition("\n\n")[2])[0]


def sign_up(page, gateway, name):
    page.goto("/")
    page.get_by_role("link", name="Sign up").first.click()
    page.get_by_label("Email").fill(f"{name}@example.com")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(factories.PASSWORD)
    page.get_by_label("I accept the terms").check()
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/confirm-email/")
    page.get_by_label("The code").fill(mailed_code(gateway, f"{name}@example.com"))
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/welcome")


def make_key(page) -> str:
    page.locator("#step-trial").get_by_role("button").click()
    expect(page.locator("#balance")).to_contain_text("$0.50")
    page.locator("#step-key").get_by_label("Name").fill("laptop")
    page.locator("#step-key button").click()
    return page.locator("#new-key").inner_text()


def ask(client, words="hello"):
    return client.chat.completions.create(
        model="demo/small", messages=[{"role": "user", "content": words}], max_tokens=50
    )


def test_sign_up_call_see_the_cost_and_revoke(page, gateway):
    name = "eve" if page.viewport_size["width"] > 400 else "fay"
    sign_up(page, gateway, name)
    key = make_key(page)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
        answer = ask(client)
        assert answer.choices[0].message.content
        expect(page.locator("#first.arrived")).to_contain_text("demo/small")
        cost = page.locator("#first dd").nth(2).inner_text()
        assert float(cost.strip("$")) > 0

        def is_summed():
            page.goto("/usage")
            return page.locator("table", has_text="demo/small").count() > 0

        # The sums are written when the lease closes: within its rotation.
        wait_until(is_summed, timeout_s=20, interval_s=0.5, what="the sums")
        expect(page.locator("figure svg").first).to_be_visible()
        expect(page.locator("main")).to_contain_text(cost)
        page.goto("/overview")
        expect(page.locator("main")).to_contain_text("demo/small")

        page.goto("/keys")
        page.get_by_role("link", name="laptop", exact=True).click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete key").click()
        expect(page.get_by_text("“laptop” is deleted.")).to_be_visible()

        def is_refused():
            try:
                ask(client)
            except openai.AuthenticationError:
                return True
            return False

        wait_until(is_refused, timeout_s=5, interval_s=0.2, what="the revocation")
