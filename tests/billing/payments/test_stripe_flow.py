"""A top-up by Stripe from the wish to the wallet: our operations, the adapter, a real sandbox."""

import itertools

import pytest
from django.utils import timezone

from billing import ledger
from billing.models import Order, Wallet, WebhookEvent
from billing.payments import applying, asking, cards, healing, inbox, orders, quotes
from tests import factories
from tests.billing.payments import cashier
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db
_keys = itertools.count(1)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def receiver():
    with sandboxes.receive() as listening:
        yield listening


@pytest.fixture
def account(sandbox, receiver, settings):
    sandbox.turn(copies=1, drop=0, wrong="", key="", asynchronous=False)
    settings.PAYMENTS, settings.PUBLIC_URL = sandbox.payments, receiver.url
    yield factories.account_of(factories.user("alice"))
    assert ledger.audit() == []


def start(account, *, method="checkout", payer=None) -> Order:
    now = timezone.now()
    wish = orders.Wish(
        quote=quotes.make(account, currency="USD", net_minor=2_000, now=now),
        processor="stripe", method=method, idempotency_key=f"flow-{next(_keys)}",
        payer=payer or asking.Payer(),
    )  # fmt: skip
    return orders.start(account, wish, user=None, now=now).order


def hear(receiver, count) -> list[str]:
    """Take what was delivered as our hook does, and apply it; return the outcomes."""
    outcomes = []
    for delivery in receiver.wait(count):
        event = inbox.receive("stripe", delivery.headers, delivery.body, now=timezone.now())
        outcomes.append(applying.apply(event))
    return outcomes


def credit(account) -> int:
    wallet = Wallet.objects.filter(pk=account.pk).first()
    return wallet.credit_nusd if wallet else 0


def test_a_paid_checkout_is_credited_once(account, sandbox, receiver):
    order = start(account)
    assert (order.state, credit(account)) == ("pending", 0)
    sandbox.turn(copies=3)
    sandbox.act("stripe", order.number, "pay")
    hear(receiver, 9)
    order.refresh_from_db()
    assert (order.state, credit(account)) == ("paid", 20 * cashier.USD)
    assert order.payment_ref.startswith("pi_")
    proved = {"result": "authenticated", "version": "2.2.0", "eci": "05"}
    assert (order.evidence["asks_3ds"], order.evidence["three_d_secure"]) == (True, proved)
    assert WebhookEvent.objects.count() == 3
    healing.ask_now(order, now=timezone.now())
    assert credit(account) == 20 * cashier.USD


def test_a_payment_without_a_notice_is_credited_by_asking(account, sandbox):
    order = start(account)
    sandbox.turn(drop=3)
    sandbox.act("stripe", order.number, "pay")
    assert healing.ask_now(order, now=timezone.now()).state == "paid"
    assert credit(account) == 20 * cashier.USD


@pytest.mark.parametrize("wrong", ["amount", "currency", "merchant", "mode"])
def test_a_notice_that_does_not_fit_credits_nobody(account, sandbox, receiver, wrong):
    order = start(account)
    sandbox.turn(wrong=wrong)
    sandbox.act("stripe", order.number, "pay")
    assert "suspended" in hear(receiver, 3)
    order.refresh_from_db()
    assert (order.state, credit(account)) == ("pending", 0)
    # What Stripe answers when it is asked is right: the order is credited after all.
    assert healing.ask_now(order, now=timezone.now()).state == "paid"


def test_a_cancelled_order_is_closed_at_stripe_or_credited_when_it_was_paid(account, sandbox):
    closed, paid = start(account), start(account)
    sandbox.turn(drop=3)
    sandbox.act("stripe", paid.number, "pay")
    for order in (closed, paid):
        orders.cancel(order, actor="user:1", now=timezone.now())
    assert (closed.state, paid.state) == ("closed", "paid")
    assert sandbox.payment("stripe", closed.number)["state"] == "closed"
    assert credit(account) == 20 * cashier.USD


def given_card(account, receiver):
    """Give a card on the sandbox's page and come back."""
    back = f"{receiver.url}/methods?card={{CHECKOUT_SESSION_ID}}"
    arrived = sandboxes.pay_page(cards.start_saving(account, return_url=back))
    assert cards.hear(arrived.partition("card=")[2], now=timezone.now())
    assert sorted(hear(receiver, 2)) == ["ignored", "repeated"]
    receiver.deliveries.clear()
    return account.payment_methods.get()


def automatic(account, card, **changed) -> Order:
    facts = {"customer_ref": card.customer_ref, "method_ref": card.method_ref} | changed
    return start(account, method="off_session", payer=asking.Payer(**facts))


def test_a_saved_card_is_charged_and_credited_once(account, receiver):
    card = given_card(account, receiver)
    order = automatic(account, card)
    assert (order.state, credit(account)) == ("paid", 20 * cashier.USD)
    hear(receiver, 2)
    order.refresh_from_db()
    assert (order.state, credit(account)) == ("paid", 20 * cashier.USD)


def test_a_declined_card_fails_the_order_and_says_why(account, receiver):
    card = given_card(account, receiver)
    order = automatic(account, card, method_ref="pm_card_authenticationRequired")
    assert (order.state, order.failure) == ("failed", "authentication_required")
    hear(receiver, 1)
    assert credit(account) == 0


def saving(account, **facts) -> Order:
    return start(account, payer=asking.Payer(saves_method=True, **facts))


def test_a_card_is_kept_with_a_payment_when_its_payer_wants_that(account, sandbox, receiver):
    order = saving(account)
    sandbox.act("stripe", order.number, "pay")
    hear(receiver, 3)
    hear(receiver, 3)
    card = account.payment_methods.get()
    assert (card.brand, card.last4, card.expires_year) == ("visa", "4242", 2034)
    assert bytes(card.card_digest) == bytes(Order.objects.get().card_digest)
    receiver.deliveries.clear()
    # It can be charged, and the next one is the same customer's.
    automatic(account, card)
    assert credit(account) == 40 * cashier.USD
    second = saving(account, customer_ref=cards.customer_of(account))
    sandbox.act("stripe", second.number, "pay")
    hear(receiver, 5)
    assert account.payment_methods.values("customer_ref").distinct().count() == 1


def test_a_card_is_kept_when_no_notice_came_and_we_asked(account, sandbox):
    order = saving(account)
    sandbox.turn(drop=3)
    sandbox.act("stripe", order.number, "pay")
    healing.ask_now(order, now=timezone.now())
    assert account.payment_methods.get().last4 == "4242"


def test_a_card_is_not_kept_unasked_nor_from_a_notice_that_does_not_fit(account, sandbox, receiver):
    sandbox.act("stripe", start(account).number, "pay")
    hear(receiver, 3)
    assert credit(account) == 20 * cashier.USD
    receiver.deliveries.clear()
    sandbox.turn(wrong="merchant")
    sandbox.act("stripe", saving(account).number, "pay")
    hear(receiver, 3)
    assert account.payment_methods.count() == 0
