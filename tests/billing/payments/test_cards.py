"""Saved cards, from the payer's wish to the card that is forgotten, with a real sandbox."""

import dataclasses
import uuid

import pytest
import requests
from django.utils import timezone

from billing.models import PaymentMethod
from billing.payments import applying, cards
from billing.processors import base, registry
from tests import factories
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def account(sandbox, settings):
    settings.PAYMENTS = sandbox.payments
    return factories.account_of(factories.user("alice"))


def give(account) -> str:
    """Give a card on the sandbox's page; return the session's name, as the browser brings it."""
    url = cards.start_saving(
        account, return_url="http://127.0.0.1:9/methods?card={CHECKOUT_SESSION_ID}"
    )
    back = requests.post(url, {"do": "pay"}, timeout=10, allow_redirects=False)
    return back.headers["Location"].partition("card=")[2]


def webhook(session_ref, **changed) -> base.Notice:
    """What the webhook tells of the same card: nothing that could be shown."""
    asked = registry.card_keeper().card_saved(session_ref)
    names = {name: asked.method[name] for name in ("account", "customer_ref", "method_ref")}
    facts = {"event_id": f"evt_{session_ref}", "method": names, "card_fingerprint": ""}
    return dataclasses.replace(asked, **(facts | changed))


def test_a_card_is_saved_once_with_what_can_be_shown_of_it(account):
    session_ref = give(account)
    assert cards.hear(session_ref, now=timezone.now())
    assert cards.hear(session_ref, now=timezone.now())
    applying.take(webhook(session_ref), now=timezone.now())
    card = account.payment_methods.get()
    assert (card.brand, card.last4, card.processor) == ("visa", "4242", "stripe")
    assert (card.expires_month, card.expires_year) == (12, 2034)
    assert len(bytes(card.card_digest)) == 32
    assert "Sandbox" not in str(bytes(card.card_digest))


def test_the_answer_fills_in_what_the_webhook_did_not_say(account):
    session_ref = give(account)
    assert applying.take(webhook(session_ref), now=timezone.now()) == "applied"
    assert account.payment_methods.get().last4 == ""
    assert cards.hear(session_ref, now=timezone.now())
    assert account.payment_methods.get().last4 == "4242"


def test_a_card_goes_to_its_own_account_whoever_asks(account):
    mallory = factories.account_of(factories.user("mallory"))
    assert cards.hear(give(account), now=timezone.now())
    assert mallory.payment_methods.count() == 0
    assert account.payment_methods.count() == 1


def test_a_card_that_was_not_given_is_not_saved(account):
    url = cards.start_saving(account, return_url="http://127.0.0.1:9/?card={CHECKOUT_SESSION_ID}")
    back = requests.post(url, {"do": "fail"}, timeout=10, allow_redirects=False)
    assert not cards.hear(back.headers["Location"].partition("card=")[2], now=timezone.now())
    assert PaymentMethod.objects.count() == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"merchant": "acct_stranger"},
        {"is_live": True},
        {"method": {"account": "no-uuid", "method_ref": "pm_1", "customer_ref": "cus_1"}},
        {"method": {"account": str(uuid.UUID(int=1)), "method_ref": "p", "customer_ref": "c"}},
    ],
)
def test_a_card_of_elsewhere_is_ignored(account, changed):
    notice = webhook(give(account), **changed)
    assert applying.take(notice, now=timezone.now()) == "ignored"
    assert PaymentMethod.objects.count() == 0


def test_a_second_card_is_the_same_customers(account):
    for _ in range(2):
        cards.hear(give(account), now=timezone.now())
    assert account.payment_methods.values("customer_ref").distinct().count() == 1
    assert account.payment_methods.values("method_ref").distinct().count() == 2


def test_a_forgotten_card_is_gone_here_and_there(account):
    cards.hear(give(account), now=timezone.now())
    card = account.payment_methods.get()
    cards.forget(card)
    assert account.payment_methods.count() == 0
    with pytest.raises(base.Refused):
        registry.get("stripe").create(
            base.Ask(
                number="0" * 32, amount_minor=2_000, currency="USD", method="off_session",
                subject="", expires_at=timezone.now(), notify_url="", return_url="",
                cancel_url="", customer_ref=card.customer_ref, method_ref=card.method_ref,
            )
        )  # fmt: skip


def test_a_card_that_the_processor_still_keeps_is_kept_here(account, sandbox):
    cards.hear(give(account), now=timezone.now())
    sandbox.turn(fail_calls=1)
    with pytest.raises(base.Unavailable):
        cards.forget(account.payment_methods.get())
    assert account.payment_methods.count() == 1


def test_without_stripe_no_card_can_be_given(account, settings):
    none = dataclasses.replace(settings.PAYMENTS.stripe, secret_key="")
    settings.PAYMENTS = dataclasses.replace(settings.PAYMENTS, stripe=none)
    with pytest.raises(base.NotConfigured):
        cards.start_saving(account, return_url="http://127.0.0.1:9/")
