"""A real Chromium: the bell, the inbox and a notice that leads on; on a phone, dark, in Chinese."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts import alerts, notifications
from accounts.notifications import Notice
from tests import browsers, factories

pytestmark = [browsers.needs_chromium, pytest.mark.django_db(transaction=True)]
LOOKS = {
    "desk": {"viewport": browsers.DESK, "color_scheme": "light"},
    "phone": {"viewport": browsers.PHONE, "color_scheme": "dark", "locale": "zh-CN"},
}


def fill(alice) -> None:
    account, now = factories.account_of(alice), timezone.now()
    alerts.credential_changed(alice, "password_changed", device="Firefox, Linux", now=now)
    facts = {"name": "quokka-production-" + "x" * 60, "last": "a1B2", "account": account.name,
             "url": "https://example.com/leak", "others": 0}  # fmt: skip
    leak = Notice(kind="security", key="leak", name="leaked_key", facts=facts, path="/keys")
    notifications.tell(user=alice, notice=leak, now=now)
    facts = {"account": account.name, "available": "$1.20", "threshold": "$10.00"}
    notice = Notice(
        kind="low_balance", key="low", name="low_balance", facts=facts, path="/settings"
    )
    notifications.tell(user=alice, notice=notice, now=now)


@pytest.mark.parametrize("look", LOOKS)
def test_a_notice_is_seen_followed_and_read(look, live_server):
    alice = factories.user("alice")
    fill(alice)
    client = Client()
    client.force_login(alice)
    with browsers.chromium() as browser:
        session = client.cookies["session"].value
        page = browsers.signed_in(browser, live_server.url, session, **LOOKS[look]).new_page()
        page.goto(reverse("overview"))
        bell = page.locator(".bell")
        expect(bell.locator(".count")).to_contain_text("3")
        bell.click()
        expect(page.locator(".inbox .unread")).to_have_count(3)
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0
        page.locator(".inbox li button").first.click()
        page.wait_for_url("**/settings")
        expect(bell.locator(".count")).to_contain_text("2")
        page.goto(reverse("notifications"))
        page.get_by_role("button", name=re.compile("Mark all as read|全部标为已读")).click()
        expect(bell.locator(".count")).to_have_count(0)
