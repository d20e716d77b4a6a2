"""Frozen wallets: why they are, and that who only owes money pays it and goes on."""

import datetime as dt

import pytest
from django.utils import timezone

from billing import holds, ledger, wallets
from billing.models import Debt, Order, Wallet
from billing.payments import asking, fraud, healing, orders, quotes
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import USD, pay, spend, sums, tell
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS, settings.PUBLIC_URL = cashier.payments(), "http://127.0.0.1:9"
    yield
    assert ledger.audit() == []


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        started.turn(drop=1_000)  # no notice ever comes
        yield started


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


def owe(account) -> Order:
    """Spend 8 of 10 dollars, all of which go back: 8 are owed."""
    order = pay(account)
    spend(account, 8 * USD)
    back = {"refund_ref": f"re_{order.number}", "refund_minor": 1_000, "currency": "USD"}
    assert tell(order, "refunded", **back) == "applied"
    return order


def bank(order, word) -> None:
    money = {"amount_minor": order.total_minor, "currency": "USD"}
    assert tell(order, f"dispute_{word}", dispute_ref="dp_1", **money) == "applied"


def cause(account) -> tuple[str, int]:
    freeze = holds.frozen(account.pk)
    return (freeze.cause, freeze.owed_nusd) if freeze else ("", 0)


def begin(account, minor, **wanted) -> Order:
    """Go to pay by Stripe, as the page does."""
    now = timezone.now()
    wish = orders.Wish(
        quote=quotes.make(account, currency="USD", net_minor=minor, now=now),
        processor="stripe", method="checkout", idempotency_key=f"{minor}",
        payer=asking.Payer(client_ip="192.0.2.1"), **wanted,
    )  # fmt: skip
    return orders.start(account, wish, user=None, now=now).order


def test_who_owes_money_pays_it_at_the_processor_and_goes_on(alice, settings, sandbox):
    owe(alice)
    settings.PAYMENTS = sandbox.payments
    left = [(3 * USD, True, 0), (0, False, 2_010_000_000)]  # owed, frozen, to spend
    for minor, (owed, is_frozen, available) in zip((500, 501), left, strict=True):
        order = begin(alice, minor)
        sandbox.act("stripe", order.number, "pay")
        healing.sweep(now=order.created_at + dt.timedelta(seconds=30))
        wallet = Wallet.objects.get(pk=alice.pk)
        assert Debt.objects.get().owed_nusd == owed
        assert (wallet.frozen, wallets.available(wallet)) == (is_frozen, available)
    assert "receivable USD" not in sums()


def test_nobody_is_frozen_without_a_cause(alice):
    pay(alice)
    assert holds.frozen(alice.pk) is None
    owe(alice)
    wallets.set_frozen([alice.pk], is_frozen=False)
    assert holds.frozen(alice.pk) is None


def test_a_debt_a_dispute_and_staff_are_told_apart(alice):
    owe(alice)
    assert cause(alice) == ("debt", 8 * USD)
    disputed = pay(alice, minor=500)
    assert cause(alice) == ("debt", 3 * USD)
    bank(disputed, "opened")
    assert cause(alice) == ("dispute", 3 * USD)
    bank(disputed, "won")
    assert cause(alice) == ("debt", 3 * USD)
    wallets.set_frozen([alice.pk], is_frozen=True)
    assert cause(alice) == ("staff", 3 * USD)


def test_after_a_lost_dispute_no_payment_thaws(alice):
    order = pay(alice)
    spend(alice, 4 * USD)
    bank(order, "lost")
    assert cause(alice) == ("lost", 4 * USD)
    bank(pay(alice), "opened")
    assert cause(alice)[0] == "lost"
    assert not holds.thaw_when_clear(alice.pk)


@pytest.mark.parametrize("why", ["staff", "dispute", "closed", "automatic"])
def test_whom_more_than_a_debt_holds_buys_nothing(alice, why):
    owe(alice)
    wanted = {}
    if why == "staff":
        wallets.set_frozen([alice.pk], is_frozen=True)
    elif why == "dispute":
        bank(pay(alice, minor=500), "opened")
    elif why == "closed":
        alice.is_active = False
        alice.save()
    else:
        wanted["purpose"] = Order.Purpose.AUTOMATIC
    before = Order.objects.count()
    with pytest.raises(fraud.TopUpRefused, match="frozen"):
        begin(alice, 900, **wanted)
    assert Order.objects.count() == before


@pytest.mark.parametrize("is_owing", [False, True])
def test_the_cause_costs_one_query(alice, is_owing, django_assert_num_queries):
    (owe if is_owing else pay)(alice)
    with django_assert_num_queries(1):
        holds.frozen(alice.pk)
