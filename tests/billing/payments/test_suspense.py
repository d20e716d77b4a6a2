import dataclasses
import datetime as dt

import pytest

from billing import ledger, wallets
from billing.models import LedgerTransaction, Suspense, Wallet
from billing.payments import applying, resolving
from billing.processors import base
from tests import factories
from tests.billing.payments import cashier, desk
from tests.billing.payments.cashier import CENT, NOW, USD, pay, sums, tell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


@pytest.fixture
def stripe():
    with desk.open_desk() as made:
        cashier.configure(stripe=dataclasses.replace(cashier.payments().stripe, url=made.url))
        yield made


def available(account) -> int:
    return wallets.available(Wallet.objects.get(pk=account.pk))


def suspend(order, **facts) -> Suspense:
    """A payment that does not fit its order."""
    assert applying.take(cashier.paid_notice(order, **facts), now=NOW) == "suspended"
    return Suspense.objects.get()


def paid_twice(account) -> Suspense:
    return suspend(pay(account), payment_ref="pi_second")


def resolve(case, resolution) -> Suspense:
    return resolving.resolve(case, resolution, actor="staff:1", note="asked by mail", now=NOW)


def refuses(case, resolution, rule) -> None:
    before = sums()
    with pytest.raises(resolving.CannotResolve, match=f"^{rule}$"):
        resolve(case, resolution)
    assert sums() == before
    case.refresh_from_db()
    assert case.resolved_at is None


def test_money_that_was_paid_twice_can_be_credited_once(alice):
    case = paid_twice(alice)
    assert sums() == {
        "clearing:stripe USD": -20 * USD, "wallet USD": 10 * USD, "suspense USD": 10 * USD,
    }  # fmt: skip
    done = resolve(case, "credited")
    assert (done.resolution, done.resolved_by, done.note) == (
        "credited", "staff:1", "asked by mail",
    )  # fmt: skip
    assert sums() == {"clearing:stripe USD": -20 * USD, "wallet USD": 20 * USD}
    for resolution in resolving.RESOLUTIONS:
        with pytest.raises(resolving.CannotResolve, match="resolved"):
            resolve(case, resolution)
    assert LedgerTransaction.objects.filter(kind="suspense_credit").count() == 1
    assert available(alice) == 20 * USD


def test_a_wrong_amount_is_credited_with_its_tax_at_the_orders_rate(alice):
    order = cashier.order(alice, minor=7_000, tax_minor=420, processor="alipay")
    case = suspend(order, amount_minor=3_710)
    assert case.cause == "wrong_amount"
    resolve(case, "credited")
    assert available(alice) == 5 * USD
    assert sums() == {
        "clearing:alipay CNY": -3_710 * CENT, "tax CNY": 210 * CENT,
        "fx_clearing CNY": 3_500 * CENT, "fx_clearing USD": -5 * USD, "wallet USD": 5 * USD,
    }  # fmt: skip
    order.refresh_from_db()
    assert (order.state, order.next_check_at) == ("closed", None)


def test_money_without_an_account_or_in_another_currency_cannot_be_credited(alice):
    order = cashier.order(alice)
    case = suspend(order, order_ref="f" * 32)
    assert case.order is None
    refuses(case, "credited", "no_order")
    Suspense.objects.all().delete()
    refuses(suspend(order, currency="EUR", payment_ref="pi_2"), "credited", "currency")


def test_money_cannot_be_dismissed_and_no_money_cannot_be_credited(alice):
    case = paid_twice(alice)
    refuses(case, "dismissed", "money")
    resolve(case, "credited")
    strange = cashier.paid_notice(cashier.order(alice), merchant="acct_other")
    assert applying.take(strange, now=NOW) == "suspended"
    other = Suspense.objects.get(resolved_at=None)
    assert not other.is_posted
    refuses(other, "credited", "no_money")
    refuses(other, "refunded", "no_money")
    assert resolve(other, "dismissed").resolution == "dismissed"


def test_money_goes_back_to_its_payer_once(alice, stripe):
    case = paid_twice(alice)
    stripe.answers = ["succeeded"]
    assert resolve(case, "refunded").resolution == "refunded"
    assert sums() == {"clearing:stripe USD": -10 * USD, "wallet USD": 10 * USD}
    refund = next(iter(stripe.made.values()))
    assert (refund["payment_intent"], refund["amount"]) == ("pi_second", 1_000)
    with pytest.raises(resolving.CannotResolve, match="resolved"):
        resolve(case, "refunded")
    told = {"payment_ref": "pi_second", "refund_ref": "re_1", "refund_minor": 1_000}
    assert tell(case.order, "refunded", **told) == "repeated"
    assert available(alice) == 10 * USD


def test_a_processor_that_does_not_answer_leaves_the_case_open_for_the_same_refund(alice, stripe):
    case = paid_twice(alice)
    stripe.answers = [500, 400, "failed", "pending"]
    with pytest.raises(base.Unavailable):
        resolve(case, "refunded")
    with pytest.raises(base.Refused):
        resolve(case, "refunded")
    refuses(case, "refunded", "refused")
    assert resolve(case, "refunded").resolution == "refunded"
    assert len({name for _, name in stripe.calls}) == 1
    assert "suspense USD" not in sums()


def test_a_refund_that_fails_after_all_opens_the_case_again(alice, stripe):
    case = paid_twice(alice)
    stripe.answers = ["pending", "succeeded"]
    resolve(case, "refunded")
    told = {"payment_ref": "pi_second", "refund_ref": "re_1", "refund_minor": 1_000}
    assert tell(case.order, "refund_failed", **told) == "applied"
    assert tell(case.order, "refund_failed", **told) == "repeated"
    assert sums()["suspense USD"] == 10 * USD
    case.refresh_from_db()
    assert case.resolved_at is None
    resolve(case, "refunded")
    assert len({name for _, name in stripe.calls}) == 2  # another attempt, another name
    assert "suspense USD" not in sums()


def test_a_refund_made_at_the_processor_ends_the_case(alice):
    case = paid_twice(alice)
    told = {"order_ref": "", "payment_ref": "pi_second", "refund_ref": "re_1"}
    assert tell(case.order, "refunded", refund_minor=1_000, **told) == "applied"
    case.refresh_from_db()
    assert (case.resolution, case.resolved_by) == ("refunded", "stripe")
    assert available(alice) == 10 * USD
    assert case.order.refunded_minor == 0


def test_a_part_of_it_sent_back_at_the_processor_reaches_staff(alice):
    case = paid_twice(alice)
    told = {"payment_ref": "pi_second", "refund_ref": "re_1", "refund_minor": 400}
    assert tell(case.order, "refunded", **told) == "suspended"
    assert Suspense.objects.count() == 2
    case.refresh_from_db()
    assert case.resolved_at is None


def test_what_is_unknown_does_not_wait_when_it_says_that_money_came(alice):
    notice = cashier.paid_notice(cashier.order(alice), order_ref="e" * 32)
    assert applying.take(notice, now=NOW + dt.timedelta(days=1)) == "suspended"
    assert Suspense.objects.get().is_posted
