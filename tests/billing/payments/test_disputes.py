import datetime as dt
import itertools

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import Account
from billing import ledger, wallets
from billing.models import Debt, Dispute, Hold, SpendHour, Suspense, Wallet, WebhookEvent
from billing.payments import applying, refund_rules, refunds
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import CENT, NOW, USD, pay, spend, sums, tell

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments()
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


def wallet(account) -> Wallet:
    return Wallet.objects.get(pk=account.pk)


def available(account) -> int:
    return wallets.available(wallet(account))


def bank(order, word, **facts) -> str:
    """Deliver a bank's notice as Stripe tells it: without the order's number."""
    kind = "inquiry" if word == "inquiry" else f"dispute_{word}"
    money = {"amount_minor": order.total_minor, "currency": order.currency}
    fee = {"fee_minor": 1_500} if word in {"taken", "returned"} else {}
    told = {"order_ref": "", "dispute_ref": "dp_1", **money, **fee, **facts}
    return tell(order, kind, **told)


def test_an_open_dispute_sets_the_money_aside_and_freezes(alice):
    order = pay(alice)
    spend(alice, 4 * USD)
    assert bank(order, "opened", reason="fraudulent") == "applied"
    found = wallet(alice)
    assert (found.reserved_nusd, found.frozen, available(alice)) == (6 * USD, True, 0)
    assert order.state == "disputed"
    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.reserved_nusd, dispute.reason) == ("open", 6 * USD, "fraudulent")
    assert not Debt.objects.filter(owed_nusd__gt=0).exists()


def test_what_the_bank_takes_comes_out_of_the_reserve_and_the_rest_is_owed(alice):
    order = pay(alice)
    spend(alice, 4 * USD)
    bank(order, "opened")
    assert bank(order, "taken") == "applied"
    assert wallet(alice).reserved_nusd == 0
    assert available(alice) == 0
    assert Debt.objects.get().owed_nusd == 4 * USD
    assert sums() == {
        "clearing:stripe USD": 15 * USD, "fees USD": -15 * USD, "receivable USD": -4 * USD,
        "platform_loss USD": 4 * USD,
    }  # fmt: skip
    bank(order, "lost")
    assert order.state == "lost"
    assert wallet(alice).frozen


def test_a_won_dispute_leaves_everything_as_it_was(alice):
    order = pay(alice)
    spend(alice, 4 * USD)
    for word in ("opened", "taken", "returned", "won"):
        assert bank(order, word) == "applied"
    assert available(alice) == 6 * USD
    assert not wallet(alice).frozen
    assert Debt.objects.get().owed_nusd == 0
    assert (order.state, Dispute.objects.get().state) == ("won", "won")
    assert sums() == {
        "clearing:stripe USD": -10 * USD, "wallet USD": 6 * USD, "platform_loss USD": 4 * USD,
    }  # fmt: skip


def test_an_inquiry_moves_no_money(alice):
    order = pay(alice)
    assert bank(order, "inquiry") == "applied"
    assert Dispute.objects.get().state == "inquiry"
    assert bank(order, "won") == "applied"
    assert (order.state, available(alice), wallet(alice).frozen) == ("paid", 10 * USD, False)


def test_every_word_is_a_line_of_the_timeline_and_once_only(alice):
    order = pay(alice)
    for word in ("inquiry", "opened", "taken", "lost", "opened", "taken"):
        bank(order, word)
    codes = list(order.timeline.order_by("pk").values_list("code", flat=True))
    assert codes[-4:] == ["inquiry", "dispute_opened", "dispute_taken", "dispute_lost"]
    assert codes.count("dispute_opened") == 1


def test_tax_and_yuan_leave_in_proportion(alice):
    order = pay(alice, minor=7_000, tax_minor=420, processor="alipay")
    bank(order, "taken", amount_minor=3_710)
    assert sums() == {
        "clearing:alipay CNY": -37_10 * CENT + 15_00 * CENT, "tax CNY": 2_10 * CENT,
        "fx_clearing CNY": 35_00 * CENT, "fx_clearing USD": -5 * USD, "wallet USD": 5 * USD,
        "fees CNY": -15_00 * CENT,
    }  # fmt: skip


def test_the_wallet_stays_frozen_while_another_dispute_is_open(alice):
    first, second = pay(alice), pay(alice)
    bank(first, "opened")
    bank(second, "opened", dispute_ref="dp_2")
    bank(first, "won")
    assert wallet(alice).frozen
    bank(second, "won", dispute_ref="dp_2")
    assert not wallet(alice).frozen


def test_what_staff_froze_stays_frozen(alice):
    order = pay(alice)
    bank(order, "opened")
    wallets.set_frozen([alice.pk], is_frozen=True)
    bank(order, "won")
    assert wallet(alice).frozen
    assert wallets.set_frozen([alice.pk], is_frozen=False) == 1


def test_money_that_paid_the_debt_comes_back_to_the_wallet(alice):
    order = pay(alice)
    spend(alice, 10 * USD)
    bank(order, "taken")
    assert Debt.objects.get().owed_nusd == 10 * USD
    pay(alice, minor=700)
    assert Debt.objects.get().owed_nusd == 3 * USD
    bank(order, "returned")
    assert Debt.objects.get().owed_nusd == 0
    assert available(alice) == 7 * USD


def test_a_debt_is_paid_by_new_payments_and_not_by_credit_that_was_given(alice):
    order = pay(alice)
    spend(alice, 10 * USD)
    bank(order, "lost")
    factories.give(alice, 4 * USD)
    pay(alice, minor=200)
    assert Debt.objects.get().owed_nusd == 8 * USD
    assert available(alice) == 4 * USD


def test_a_new_payment_that_pays_the_whole_debt_of_a_refund_thaws(alice):
    order = pay(alice)
    spend(alice, 8 * USD)
    tell(order, "refunded", refund_ref="re_1", refund_minor=1_000, currency="USD")
    assert wallet(alice).frozen
    pay(alice, minor=900)
    assert (wallet(alice).frozen, available(alice)) == (False, 1 * USD)


def test_a_dispute_before_the_payment_waits_for_it(alice):
    order = cashier.order(alice)
    assert bank(order, "opened") == ""
    event = WebhookEvent.objects.get()
    assert (event.applied_at, event.attempts) == (None, 1)
    assert event.next_try_at == NOW + applying.RETRY_AFTER
    applying.take(cashier.paid_notice(order), now=NOW)
    assert applying.sweep(now=NOW + dt.timedelta(minutes=1)) == 1
    assert Dispute.objects.get().state == "open"
    assert wallet(alice).reserved_nusd == 10 * USD


def test_a_dispute_of_an_unknown_payment_reaches_staff_in_the_end(alice):
    order = cashier.order(alice)
    bank(order, "opened")
    later = NOW + applying.WAIT_MAX
    assert applying.sweep(now=later - dt.timedelta(seconds=1)) == 0
    assert not Suspense.objects.exists()
    assert applying.sweep(now=later + applying.RETRY_AFTER_MAX) == 1
    case = Suspense.objects.get()
    assert (case.cause, case.is_posted) == ("unknown_order", False)


def test_a_dispute_in_another_currency_reaches_staff(alice):
    order = pay(alice)
    assert bank(order, "opened", currency="EUR") == "suspended"
    assert Suspense.objects.get().cause == "wrong_currency"
    assert not Dispute.objects.exists()


def test_a_dispute_without_a_name_reaches_staff(alice):
    order = pay(alice)
    assert bank(order, "opened", dispute_ref="") == "suspended"
    assert not wallet(alice).frozen


def test_nothing_is_refunded_while_a_bank_disputes(alice):
    order = pay(alice)
    bank(order, "opened")
    with pytest.raises(refund_rules.RefundRefused, match="state"):
        refunds.ask(order, 100, reason="", actor="user:1", now=NOW)


def test_a_dispute_after_a_refund_takes_what_is_left_first(alice):
    order = pay(alice, minor=1_000)
    tell(order, "refunded", refund_ref="re_1", refund_minor=400, currency="USD")
    bank(order, "taken")
    # The bank took all ten dollars though four had gone back: four are owed.
    assert Debt.objects.get().owed_nusd == 4 * USD
    assert available(alice) == 0
    bank(order, "returned")
    assert order.state == "part_refunded"
    assert available(alice) == 6 * USD


def test_a_fraud_warning_holds_the_account_once(alice):
    order = pay(alice, processor="alipay", minor=7_000)
    assert not Account.objects.get(pk=alice.pk).is_trial
    told = {"order_ref": "", "dispute_ref": "issfr_1", "reason": "made_with_stolen_card"}
    assert tell(order, "fraud_warning", **told) == "applied"
    assert Account.objects.get(pk=alice.pk).is_trial
    assert Hold.objects.get().reason == "fraud_warning"
    assert tell(order, "fraud_warning", **told) == "repeated"
    assert available(alice) == 10 * USD
    assert order.timeline.filter(code="fraud_warning").count() == 1


def test_the_order_keeps_what_was_used_by_day_from_the_first_question_on(alice):
    order = pay(alice)
    hours = (-1, 0, 1, 2, 13, 30)
    for position, hour in enumerate(hours):
        SpendHour.objects.create(
            hour=NOW + dt.timedelta(hours=hour), wallet_id=alice.pk, api_key_id=1,
            endpoint="x", requests=1, cost_nusd=10**position,
        )  # fmt: skip
    bank(order, "inquiry", now=NOW + dt.timedelta(days=1))
    assert order.evidence["usage"] == [
        {"day": "2026-11-21", "requests": 1, "cost_nusd": "10000"},
        {"day": "2026-11-20", "requests": 3, "cost_nusd": "1110"},
    ]
    SpendHour.objects.all().delete()


WORDS = ("inquiry", "opened", "taken", "returned", "won", "lost")


def picture(account, order) -> dict:
    """All that may not depend on the order of events."""
    found = wallet(account)
    dispute = Dispute.objects.filter(order=order).values(
        "state", "amount_minor", "fee_minor", "reserved_nusd", "owed_nusd", "taken_nusd",
        "tax_minor", "said",
    )  # fmt: skip
    order.refresh_from_db()
    debts = Debt.objects.filter(pk=account.pk, owed_nusd__gt=0).values_list("owed_nusd", flat=True)
    return {
        "order": order.state, "dispute": list(dispute), "debt": list(debts), "sums": sums(),
        "wallet": (found.credit_nusd - found.debit_nusd, found.reserved_nusd, found.frozen),
    }  # fmt: skip


class _Undone(Exception):
    pass


def after(alice, words, *, spent) -> dict:
    """What stands after these words in this order; the database forgets it."""
    try:
        with transaction.atomic():
            order = pay(alice, minor=1_000, tax_minor=70)
            spend(alice, spent)
            for word in words:
                assert bank(order, word) in {"applied", "repeated"}
            assert ledger.audit() == []
            found = picture(alice, order)
            raise _Undone
    except _Undone:
        return found


@pytest.mark.parametrize("spent", [1, 4 * USD])
@pytest.mark.parametrize(
    "words",
    [
        {"opened", "taken", "won"},
        {"opened", "taken", "lost"},
        {"opened", "taken", "returned", "won"},
        {"inquiry", "opened", "lost"},
        {"inquiry", "won"},
        {"opened", "taken", "lost", "returned"},
    ],
    ids=lambda words: "-".join(sorted(words)),
)
def test_events_in_every_order_end_alike(alice, words, spent):
    ends = [after(alice, order, spent=spent) for order in itertools.permutations(sorted(words))]
    assert all(end == ends[0] for end in ends)


def test_events_in_any_order_and_repeated_end_alike(alice):
    @hypothesis_settings(max_examples=12, deadline=None)
    @given(st.data())
    def holds(data):
        said = data.draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
        again = data.draw(st.permutations(said))
        spent = data.draw(st.sampled_from([1, 3 * USD, 10 * USD]))
        assert after(alice, said, spent=spent) == after(alice, again, spent=spent)

    holds()


def test_the_audit_sees_a_reserve_that_no_dispute_holds(alice):
    pay(alice)
    wallets.reserve(alice.pk, nusd_max=5)
    assert [(one.rule, one.expected, one.found) for one in ledger.audit()] == [("I12", 0, 5)]
    wallets.release(alice.pk, amount_nusd=5)
    with pytest.raises(wallets.NotReserved):
        wallets.release(alice.pk, amount_nusd=1)


def test_the_audit_sees_a_debt_that_the_ledger_does_not_know(alice):
    debt = Debt.objects.create(pk=alice.pk, owed_nusd=7)
    assert [(one.rule, one.expected, one.found) for one in ledger.audit()] == [("I13", 7, 0)]
    debt.delete()
