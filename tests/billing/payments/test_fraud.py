import datetime as dt

import pytest

from accounts import persons
from accounts.models import Account, Change
from billing import holds, ledger, wallets
from billing.models import Hold, PaymentMethod
from billing.payments import applying, fraud
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import DAY, NOW, USD, pay, tell

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
ADDRESS = "203.0.113.7"


def running_hold(account):
    found = Hold.objects.filter(pk=account.pk).first()
    return found if holds.is_running(found, now=NOW) else None


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return account("alice")


def account(name, *, age=30 * DAY) -> Account:
    made = factories.account_of(factories.user(name))
    Account.objects.filter(pk=made.pk).update(created_at=NOW - age)
    made.refresh_from_db()
    return made


def check(account, minor=1_000, *, ip=ADDRESS, now=NOW, currency="USD") -> str:
    """The rule that refuses a top-up; empty when none does."""
    quote = cashier.quote(account, minor, currency=currency, now=now)
    try:
        fraud.check(account, quote, client_ip=ip, now=now)
    except fraud.TopUpRefused as refusal:
        return refusal.rule
    return ""


def is_cheap(account) -> bool:
    return Account.objects.get(pk=account.pk).is_trial


def test_a_new_account_has_a_cap_in_its_first_week_over_all_currencies(alice):
    young = account("young", age=6 * DAY)
    pay(young, minor=10_000)
    cashier.order(young, minor=35_000, processor="alipay")  # 50 dollars, on their way
    cashier.order(young, minor=50_000, state="failed")
    cashier.order(young, minor=50_000, now=NOW - HOUR)  # expired
    assert check(young, 5_000) == ""
    assert check(young, 5_001) == "first_week"
    assert check(young, 36_100, currency="CNY") == "first_week"
    assert check(young, 5_001, now=NOW + DAY) == ""
    assert check(alice, 100_000) == ""


def test_a_network_starts_only_so_many_orders_a_day_for_all_accounts(alice):
    cashier.configure(network_orders_per_day=2)
    digest = persons.network_digest(ADDRESS)
    for name in ("bob", "carol"):
        cashier.order(account(name), network_digest=digest)
    assert check(alice) == "network"
    assert check(alice, ip="203.0.113.200") == "network"  # the same /24
    assert check(alice, ip="198.51.100.1") == ""
    assert check(alice, ip="") == ""
    assert check(alice, now=NOW + DAY) == ""


def test_a_card_pays_only_so_many_orders_a_day_for_all_accounts(alice):
    cashier.configure(card_orders_per_day=2)
    bob = account("bob")
    assert check(alice) == ""
    for who in (alice, bob):
        pay(who, facts={"card_fingerprint": "fp_1"})
    assert check(alice) == "card"
    assert check(account("carol")) == ""
    assert check(alice, now=NOW + DAY) == ""


def test_a_saved_card_counts_though_it_never_paid_here(alice):
    cashier.configure(card_orders_per_day=1)
    PaymentMethod.objects.create(
        account=alice, processor="stripe", customer_ref="cus", method_ref="pm",
        card_digest=persons.card_digest("fp_1"), created_at=NOW,
    )  # fmt: skip
    pay(account("bob"), facts={"card_fingerprint": "fp_1"})
    assert check(alice) == "card"


def test_a_frozen_wallet_or_a_closed_account_buys_nothing(alice):
    pay(alice)
    wallets.set_frozen([alice.pk], is_frozen=True)
    assert check(alice) == "frozen"
    wallets.set_frozen([alice.pk], is_frozen=False)
    assert check(alice) == ""
    Account.objects.filter(pk=alice.pk).update(is_active=False)
    assert check(alice) == "frozen"


def test_the_card_is_proven_until_an_order_is_paid(alice):
    first = cashier.order(alice)
    assert fraud.wants_3ds(first)
    cashier.order(alice, state="failed")
    assert fraud.wants_3ds(first)
    pay(alice, processor="alipay", minor=7_000)
    assert not fraud.wants_3ds(first)


def test_the_first_card_payment_is_held_to_cheap_models_for_a_day(alice):
    Change.objects.all().delete()
    pay(alice)
    assert is_cheap(alice)
    assert "account" in Change.objects.values_list("topic", flat=True)
    assert running_hold(alice).reason == "first_payment"
    assert holds.end_due(now=NOW + 24 * HOUR - dt.timedelta(seconds=1)) == 0
    assert is_cheap(alice)
    assert holds.end_due(now=NOW + 24 * HOUR) == 1
    assert not is_cheap(alice)
    assert running_hold(alice) is None
    pay(alice, now=NOW + 2 * DAY)
    assert not is_cheap(alice)


def test_no_other_money_ends_a_hold(alice):
    pay(alice)
    pay(alice, minor=7_000, processor="wechatpay")
    factories.give(alice, USD)
    assert is_cheap(alice)


def test_what_is_paid_by_wallet_apps_is_not_held(alice):
    pay(alice, minor=7_000, processor="alipay")
    assert not is_cheap(alice)
    assert not Hold.objects.exists()


def test_no_hours_are_no_hold(alice):
    cashier.configure(hold_hours=0)
    pay(alice)
    assert not is_cheap(alice)


def test_a_card_that_pays_too_many_orders_holds_the_account(alice):
    cashier.configure(card_orders_per_day=1)
    pay(alice, now=NOW - 2 * DAY)
    holds.end_due(now=NOW)
    pay(alice, facts={"card_fingerprint": "fp_1"})
    assert not is_cheap(alice)
    pay(alice, facts={"card_fingerprint": "fp_1"})
    assert running_hold(alice).reason == "card_busy"
    assert is_cheap(alice)


@pytest.mark.parametrize("is_before", [True, False])
def test_a_card_told_apart_from_its_payment_counts_as_well(alice, is_before):
    """Stripe names the card in the event of the charge alone."""
    cashier.configure(card_orders_per_day=1)
    pay(alice, now=NOW - 2 * DAY, facts={"card_fingerprint": "fp_1"})
    pay(account("bob"), facts={"card_fingerprint": "fp_1"})
    holds.end_due(now=NOW)
    order = cashier.order(alice)

    def hear():
        return tell(order, "other", card_fingerprint="fp_1")

    if is_before:
        assert hear() == "applied"
        assert order.state == "pending"
        assert not is_cheap(alice)
    applying.take(cashier.paid_notice(order), now=NOW)
    if not is_before:
        assert hear() == "applied"
    assert hear() == "repeated"
    assert is_cheap(alice)
    assert bytes(order.card_digest) == persons.card_digest("fp_1")


def test_a_card_of_nobody_knows_which_order_changes_nothing(alice):
    order = cashier.order(alice)
    assert tell(order, "other", order_ref="", payment_ref="pi_x", card_fingerprint="f") == "ignored"
    assert tell(order, "other", merchant="acct_other", card_fingerprint="f") == "ignored"
    assert tell(order, "other") == "ignored"
    assert bytes(order.card_digest) == b""


def test_a_longer_hold_stands(alice):
    pay(alice)
    holds.keep_cheap(alice.pk, reason=holds.FRAUD_WARNING, until=NOW + 7 * DAY)
    holds.keep_cheap(alice.pk, reason=holds.CARD_BUSY, until=NOW + 1 * DAY)
    assert running_hold(alice).reason == "fraud_warning"
    assert holds.end_due(now=NOW + 6 * DAY) == 0
