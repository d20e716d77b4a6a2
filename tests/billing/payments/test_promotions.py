"""Promotion codes: once for each account, within limits, never a way to learn which codes exist."""

import datetime as dt
import threading

import pytest
from django.db import connections

from accounts import restrictions
from accounts.models import Account
from billing import ledger
from billing.models import LedgerTransaction, PromotionCode, PromotionUse, Wallet
from billing.payments import promotions
from tests import factories
from tests.billing.payments.conftest import NOW

USD = 1_000_000_000


def code(text="HELLO", **changed) -> PromotionCode:
    values = {
        "amount_nusd": 5 * USD, "uses_max": 10, "starts_at": NOW - dt.timedelta(days=1),
        "ends_at": NOW + dt.timedelta(days=1), "created_by": "tests", **changed,
    }  # fmt: skip
    return PromotionCode.objects.create(code=text, **values)


def redeem(account, text="hello ", now=NOW):
    return promotions.redeem(account, text, user=account.members.first(), now=now)


def credit(account) -> int:
    return sum(Wallet.objects.filter(pk=account.pk).values_list("credit_nusd", flat=True))


def test_a_code_gives_its_credit_once_for_each_account(alice):
    code()
    bob = factories.account_of(factories.user("bob"))
    assert redeem(alice).code.amount_nusd == 5 * USD
    with pytest.raises(promotions.UsedBefore):
        redeem(alice)
    redeem(bob)
    assert (credit(alice), credit(bob)) == (5 * USD, 5 * USD)
    assert PromotionCode.objects.get().uses == 2
    assert LedgerTransaction.objects.filter(kind="credit:promotion").count() == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"is_active": False},
        {"uses_max": 3, "uses": 3},
        {"ends_at": NOW},
        {"starts_at": NOW + dt.timedelta(seconds=1)},
    ],
)
def test_a_code_that_does_not_work_is_answered_like_one_that_does_not_exist(alice, changed):
    code("OTHER", **changed)
    told = set()
    for text in ("other", "nothing", "", "x" * 33):
        with pytest.raises(promotions.CodeRefused) as refused:
            redeem(alice, text)
        told.add(str(refused.value))
    assert told == {""}
    assert credit(alice) == 0
    assert not PromotionUse.objects.exists()


def test_who_guesses_is_stopped_and_others_are_not(alice):
    code()
    for _ in range(promotions.WRONG_MAX):
        with pytest.raises(promotions.CodeRefused):
            redeem(alice, "guess")
    with pytest.raises(promotions.TooManyTries):
        redeem(alice)
    assert credit(alice) == 0
    redeem(factories.account_of(factories.user("bob")))


def test_given_credit_does_not_lift_a_trials_restriction_and_a_payment_does(alice, pay):
    """A code that many can read proves nothing of who they are; a payment does."""
    restrictions.set_trial(alice.pk, is_trial=True)
    code()
    redeem(alice)
    assert Account.objects.get(pk=alice.pk).is_trial
    # A card's first payment holds the account by another rule (billing.holds).
    pay(alice, processor="alipay", minor=10_000)
    assert not Account.objects.get(pk=alice.pk).is_trial


@pytest.mark.django_db(transaction=True)
def test_a_code_for_two_is_used_by_two_of_six_at_once():
    accounts = [factories.account_of(factories.user(f"user{n}")) for n in range(6)]
    code(uses_max=2)
    outcomes = []

    def run(account):
        try:
            redeem(account)
            outcomes.append("given")
        except promotions.CodeRefused:
            outcomes.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(account,)) for account in accounts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["given"] * 2 + ["refused"] * 4
    assert PromotionCode.objects.get().uses == 2
    assert ledger.audit() == []
