"""The page of saved cards: to Stripe's page and back, and away again."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.models import AutoTopUp, PaymentMethod
from tests import factories
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db
URL = "/billing/methods"


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def give(client, do="pay"):
    """Press the button, do something on Stripe's page, and come back as the browser does."""
    led = client.post(URL)
    where = led["Refresh"].partition("url=")[2]
    assert f'href="{where}"' in led.content.decode(), "for who has no Refresh"
    back = sandboxes.pay_page(where, do)
    return client.get(URL, {"session": back.partition("session=")[2]}, follow=True)


def test_a_card_is_given_at_stripe_shown_and_removed_there_too(client, account, paying):
    assert "Add a card" in text_of(client.get(URL))
    assert "The card is saved." in text_of(give(client))
    page = text_of(client.get(URL))
    assert "Visa … 4242" in page
    assert "2034-12" in page
    card = account.payment_methods.get()
    removed = client.post(reverse("billing_method_forget", args=[card.pk]), follow=True)
    assert "The card is removed." in text_of(removed)
    assert not account.payment_methods.exists()


def test_who_turns_back_saves_none_and_is_told(client, account, paying):
    assert "No card was saved." in text_of(give(client, "fail"))
    assert not account.payment_methods.exists()


def test_stripe_that_is_away_keeps_the_card_and_says_so(client, account, paying):
    give(client)
    card = account.payment_methods.get()
    paying.turn(fail_calls=20)
    try:
        for response in (
            client.post(URL, follow=True),
            client.get(URL, {"session": "cs_1"}, follow=True),
            client.post(reverse("billing_method_forget", args=[card.pk]), follow=True),
        ):
            assert "Stripe does not answer right now" in text_of(response)
    finally:
        paying.turn(fail_calls=0)
    assert account.payment_methods.get() == card


def test_anothers_card_does_not_exist(client, paying):
    other = factories.account_of(factories.user("mallory"))
    card = PaymentMethod.objects.create(
        account=other, processor="stripe", customer_ref="cus_1", method_ref="pm_1",
        brand="visa", last4="4242", created_at=timezone.now(),
    )  # fmt: skip
    assert client.post(reverse("billing_method_forget", args=[card.pk])).status_code == 404
    assert PaymentMethod.objects.filter(pk=card.pk).exists()


def test_without_the_card_automatic_top_up_has_none(client, account, paying):
    give(client)
    card = account.payment_methods.get()
    row = AutoTopUp.objects.create(
        account=account, is_on=True, threshold_nusd=10**9, amount_minor=2_000,
        monthly_cap_minor=10_000, method=card,
    )  # fmt: skip
    client.post(reverse("billing_method_forget", args=[card.pk]))
    row.refresh_from_db()
    assert row.method is None
    assert "It needs a saved card." in text_of(client.get(reverse("billing_automatic")))
