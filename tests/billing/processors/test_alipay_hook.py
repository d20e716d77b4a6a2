"""Alipay's notices through the site's hook: stored once or not at all, answered in seven bytes."""

import dataclasses
import datetime as dt

import pytest
from django.conf import settings
from django.test import override_settings

from billing.models import LedgerEntry, WebhookEvent
from billing.payments import applying, inbox
from billing.processors import base
from tests.billing.processors import alipay_notices as notices
from tests.billing.processors.test_alipay import REFUSED

pytestmark = pytest.mark.django_db
FORM = notices.HEADERS["Content-Type"]


@pytest.fixture(autouse=True)
def configured():
    payments = dataclasses.replace(settings.PAYMENTS, alipay=notices.adapter()._keys)
    with override_settings(PAYMENTS=payments):
        yield


def deliver(client, body):
    return client.post("/hooks/alipay", body, content_type=FORM)


def current(**changed) -> bytes:
    china = dt.timezone(dt.timedelta(hours=8))
    sent = f"{dt.datetime.now(china):%Y-%m-%d %H:%M:%S}"
    return notices.body(notices.signed(notices.payment(notify_time=sent, **changed)))


def test_a_notice_is_stored_once_and_answered_in_seven_bytes(client):
    for _ in range(3):
        answer = deliver(client, current())
        assert (answer.status_code, answer.content) == (200, b"success")
        assert answer["Content-Type"].startswith("text/plain")
    event = WebhookEvent.objects.get()
    assert (event.processor, event.kind) == ("alipay", "paid")
    assert "2088000000000009" not in str(event.notice)


def test_a_payment_of_no_order_of_ours_credits_nobody(client):
    deliver(client, current())
    outcome = applying.apply(WebhookEvent.objects.get().pk)
    assert outcome == WebhookEvent.Outcome.SUSPENDED
    assert not LedgerEntry.objects.filter(account__kind="wallet").exists()


def test_nothing_forged_is_stored(client):
    now = dt.datetime.fromtimestamp(notices.NOW, dt.UTC)
    for name, (make, code) in REFUSED.items():
        with pytest.raises(base.WebhookRefused) as caught:
            inbox.receive("alipay", notices.HEADERS, make(), now=now)
        assert caught.value.code == code, name
        if code != "future":  # the hook goes by the real clock, which is past that
            answer = deliver(client, make())
            assert (answer.status_code, answer.content) == (400, b"fail"), name
    assert not WebhookEvent.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_without_keys_the_hook_is_out_of_order(client):
    none = dataclasses.replace(notices.adapter()._keys, public_keys=())
    with override_settings(PAYMENTS=dataclasses.replace(settings.PAYMENTS, alipay=none)):
        assert deliver(client, current()).status_code == 503
    assert not WebhookEvent.objects.exists()
