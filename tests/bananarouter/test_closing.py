"""The money of a user who leaves: back where it came from, given up by agreement, never lost."""

import dataclasses
import datetime as dt
import uuid

import pytest
from django.db.models import Sum

from accounts import closures, keys, members
from accounts.models import ApiKey, Closure, User
from bananarouter import closing
from billing import ledger, wallets
from billing.models import (
    AutoTopUp,
    Debt,
    Dispute,
    LedgerTransaction,
    PaymentMethod,
    Refund,
    Wallet,
)
from billing.payments import closures as money
from billing.payments import refunds
from tests import factories
from tests.billing.payments import cashier, desk
from tests.billing.payments.cashier import CENT, NOW, USD
from tests.billing.processors import sandboxes  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.clause("5-delete")]
LATER = NOW + dt.timedelta(hours=72)


@pytest.fixture
def folder(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    settings.ERASURE = type(settings.ERASURE)(
        cooling=dt.timedelta(hours=72), list_file=tmp_path / "erased.jsonl"
    )


@pytest.fixture
def alice(folder, settings):
    settings.PAYMENTS = cashier.payments()
    yield factories.user("alice")
    assert ledger.audit() == []


@pytest.fixture
def account(alice):
    return factories.account_of(alice)


def ask(user: User, *, agreed_nusd=0, now=NOW) -> Closure:
    return closing.ask(user, agreed_nusd=agreed_nusd, language="en", now=now)


def state(closure: Closure) -> tuple[str, str]:
    closure.refresh_from_db()
    return closure.state, closure.blocked_by


def arrive(order) -> None:
    """The processor tells that the refund of an order arrived."""
    refund = order.refunds.get()
    told = {"refund_id": refund.id.hex, "refund_ref": "re_1", "refund_minor": refund.amount_minor,
            "currency": order.currency}  # fmt: skip
    assert cashier.tell(order, "refunded", now=LATER, **told) == "applied"


def left(account) -> int:
    return wallets.available(Wallet.objects.get(pk=account.pk))


def test_what_was_paid_goes_back_and_what_was_given_is_given_up(alice, account):
    order = cashier.pay(account)
    factories.give(account, 3 * USD)
    found = closing.prospect(alice)
    assert (found.parting.refunded_nusd, found.parting.rest_nusd) == (10 * USD, 3 * USD)
    assert found.cooling == dt.timedelta(hours=72)
    closure = ask(alice, agreed_nusd=3 * USD)
    assert closing.run_due(now=NOW) == 0
    assert state(closure) == ("cooling", "")
    assert left(account) == 13 * USD
    closing.run_due(now=LATER)
    assert state(closure) == ("cooling", "refund")
    assert left(account) == 3 * USD
    closing.run_due(now=LATER)
    assert Refund.objects.count() == 1
    arrive(order)
    assert closing.run_due(now=LATER) == 1
    posted = LedgerTransaction.objects.get(kind="forfeit")
    assert [(e.account.kind, e.amount_nusd) for e in posted.entries.order_by("seq")] == [
        ("wallet", -3 * USD), ("forfeited", 3 * USD),
    ]  # fmt: skip
    assert left(account) == 0
    assert state(closure) == ("closed", "")


def test_nobody_loses_more_than_was_agreed_to(alice, account):
    factories.give(account, 3 * USD)
    with pytest.raises(closing.NotAgreed):
        ask(alice, agreed_nusd=3 * USD - 1)
    assert not Closure.objects.exists()
    closure = ask(alice, agreed_nusd=3 * USD)
    factories.give(account, 1)
    closing.run_due(now=LATER)
    assert state(closure) == ("cooling", "amount")
    assert left(account) == 3 * USD + 1
    assert User.objects.get(pk=alice.pk).is_active
    ask(alice, agreed_nusd=3 * USD + 1, now=LATER)
    assert closing.run_due(now=LATER) == 1


def test_a_refund_that_fails_is_told_and_not_tried_for_ever(alice, account):
    order = cashier.pay(account)
    closure = ask(alice)
    closing.run_due(now=LATER)
    told = {"refund_id": order.refunds.get().id.hex, "reason": "expired_card"}
    cashier.tell(order, "refund_failed", now=LATER, **told)
    assert left(account) == 10 * USD
    for _ in range(3):
        closing.run_due(now=LATER)
    assert state(closure) == ("cooling", "amount")
    assert Refund.objects.count() == 1
    assert closing.prospect(alice).parting.rest_nusd == 10 * USD
    ask(alice, agreed_nusd=10 * USD, now=LATER)
    assert closing.run_due(now=LATER) == 1


@pytest.mark.parametrize("hindrance", ["dispute", "debt", "frozen"])
def test_what_must_be_settled_first_refuses_it_and_says_why(alice, account, hindrance):
    order = cashier.pay(account)
    if hindrance == "dispute":
        cashier.tell(
            order, "dispute_opened", dispute_ref="dp_1", amount_minor=1_000, currency="USD"
        )
        assert Dispute.objects.get().state == "open"
    elif hindrance == "debt":
        cashier.spend(account, 10 * USD)
        refunds.ask(
            order, 1_000, reason="x", actor="staff", now=NOW,
            terms=refunds.Terms(is_staff=True, is_forced=True),
        )  # fmt: skip
        assert Debt.objects.get().owed_nusd == 10 * USD
    else:
        wallets.set_frozen([account.pk], is_frozen=True)
    with pytest.raises(closures.Blocked, match=hindrance):
        ask(alice, agreed_nusd=100 * USD)
    assert not Closure.objects.exists()


def test_a_dispute_that_comes_while_it_is_thought_over_holds_it_up(alice, account):
    order = cashier.pay(account)
    closure = ask(alice)
    cashier.tell(order, "dispute_opened", dispute_ref="dp_1", amount_minor=1_000, currency="USD")
    closing.run_due(now=LATER)
    assert state(closure) == ("cooling", "dispute")
    assert User.objects.get(pk=alice.pk).is_active


def test_running_requests_and_open_orders_are_waited_for(alice, account):
    order = cashier.order(account)
    closure = ask(alice)
    assert closure.state == "asked"
    closing.run_due(now=NOW)
    assert state(closure) == ("asked", "order")
    order.state = "closed"
    order.save()
    Wallet.objects.get_or_create(pk=account.pk)
    factories.give(account, USD)
    ask(alice, agreed_nusd=USD)
    lease = account.wallet.leases.create(
        worker=closure.public_id, amount_nusd=USD, created_at=NOW, state="active"
    )
    Wallet.objects.filter(pk=account.pk).update(leased_nusd=USD)
    closing.run_due(now=NOW)
    assert state(closure) == ("asked", "running")
    Wallet.objects.filter(pk=account.pk).update(leased_nusd=0)
    lease.state, lease.spent_nusd = "closed", 0
    lease.save()
    assert closing.run_due(now=NOW) == 1


def test_taking_it_back_restores_access(alice, account):
    cashier.pay(account)
    key, text = keys.mint(account=account, created_by=alice, name="k")
    AutoTopUp.objects.create(
        account=account, is_on=True, threshold_nusd=1, amount_minor=1, monthly_cap_minor=1
    )
    closure = ask(alice)
    assert keys.find(text).paused_at is not None
    assert not AutoTopUp.objects.get().is_on
    assert closures.cancel(user=alice, now=NOW)
    assert closing.run_due(now=LATER) == 0
    assert state(closure) == ("cancelled", "")
    found = ApiKey.objects.get(pk=key.pk)
    assert (found.paused_at, found.disabled_at) == (None, None)
    assert left(account) == 10 * USD
    assert User.objects.get(pk=alice.pk).is_active


def test_what_is_agreed_is_posted_once_however_often_it_is_tried(alice, account):
    """The payment service, where the account has a customer, is away."""
    factories.give(account, 5 * CENT)
    PaymentMethod.objects.create(
        account=account, processor="stripe", customer_ref="cus_1", method_ref="pm_1",
        brand="visa", last4="4242", created_at=NOW,
    )  # fmt: skip
    closure = ask(alice, agreed_nusd=5 * CENT)
    for _ in range(3):
        assert closing.run_due(now=LATER) == 0
    assert state(closure) == ("closing", "")
    assert LedgerTransaction.objects.filter(kind="forfeit").count() == 1


def test_each_account_sends_back_what_it_holds_itself(alice, account):
    acme = members.found(founder=alice, name="Acme", public_id=uuid.uuid4())
    for one, spent in ((account, 4), (acme, 13)):
        cashier.pay(one)
        cashier.pay(one, processor="alipay", minor=7_000, now=NOW + dt.timedelta(minutes=1))
        cashier.spend(one, spent * USD)
    told = {(one.processor, one.amount_minor) for one in closing.prospect(alice).parting.sums}
    # Newest first: of Acme's 20 dollars the last 7 are Alipay's.
    assert told == {("stripe", 600), ("alipay", 7_000 + 4_900)}


def test_the_money_of_very_many_orders_goes_back_in_rounds_and_is_told_before(
    alice, account, django_assert_max_num_queries
):
    """What was told is what goes back, to the cent; what was told to be lost is what is lost."""
    rounds, orders = 2, money.ROUND_MAX + 50
    for _ in range(orders):
        cashier.pay(account, tax_minor=190)
    factories.give(account, 3 * USD)
    cashier.spend(account, 7 * USD + 5)
    with django_assert_max_num_queries(12):
        found = closing.prospect(alice).parting
    [told] = found.sums
    assert (told.processor, told.currency, told.orders) == ("stripe", "USD", orders)
    assert (found.rest_nusd, found.total_nusd) == (CENT - 5, (orders * 10 - 4) * USD - 5)
    with desk.open_desk() as stripe:
        stripe.answers = ["succeeded"] * orders
        cashier.configure(stripe=dataclasses.replace(cashier.payments().stripe, url=stripe.url))
        closure = ask(alice, agreed_nusd=found.rest_nusd)
        for _ in range(rounds):
            assert closing.run_due(now=LATER) == 0
            assert state(closure) == ("cooling", "refund")
        assert closing.run_due(now=LATER) == 1
    assert len(stripe.calls) == orders
    went = Refund.objects.filter(state="succeeded").aggregate(
        minor=Sum("amount_minor"), nusd=Sum("wallet_nusd")
    )
    assert went == {"minor": told.amount_minor, "nusd": found.refunded_nusd}
    posted = LedgerTransaction.objects.get(kind="forfeit")
    assert [e.amount_nusd for e in posted.entries.order_by("seq")] == [5 - CENT, CENT - 5]
    assert left(account) == 0
