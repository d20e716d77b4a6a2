"""Staff credit: once for each form, within the limits of a role, above them by two persons."""

import dataclasses
import threading
import uuid

import pytest
from django.contrib.auth.models import Permission
from django.db import connections

from accounts import restrictions
from accounts.models import Account, User
from billing import ledger
from billing.models import LedgerTransaction, StaffCredit, Wallet
from billing.payments import giving
from tests import factories
from tests.billing.payments import cashier
from tests.billing.payments.cashier import NOW, USD

FORM = uuid.UUID(int=1)


@pytest.fixture(autouse=True)
def configured(db, settings):
    settings.PAYMENTS = cashier.payments(
        staff_credit_minor_max=2_000, finance_credit_minor_max=10_000
    )
    yield
    assert ledger.audit() == []


@pytest.fixture
def alice():
    return factories.account_of(factories.user("alice"))


def person(name, *codenames) -> User:
    user = factories.user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def sue():
    """May ask."""
    return person("sue", "add_staffcredit")


@pytest.fixture
def fay():
    """May ask, and agree."""
    return person("fay", "add_staffcredit", "approve_staffcredit")


def wish(account, dollars=5, **changed) -> giving.Wish:
    made = giving.Wish(
        account=account, amount_nusd=dollars * USD, reason=" An  outage ", form_id=FORM
    )
    return dataclasses.replace(made, **changed)


def credit(account) -> int:
    return sum(Wallet.objects.filter(pk=account.pk).values_list("credit_nusd", flat=True))


def test_a_form_gives_once_and_says_who_when_and_why(alice, sue):
    made = giving.ask(wish(alice), staff=sue, now=NOW)
    assert giving.ask(wish(alice), staff=sue, now=NOW) == made
    assert credit(alice) == 5 * USD
    posting = LedgerTransaction.objects.get()
    assert (posting.memo, posting.actor) == ("An outage", f"staff:{sue.pk}")
    assert (made.state, made.decided_by, made.decided_at) == ("given", f"staff:{sue.pk}", NOW)
    with pytest.raises(giving.CannotGive, match="form"):
        giving.ask(wish(alice, 6), staff=sue, now=NOW)


@pytest.mark.parametrize(("dollars", "for_sue", "for_fay"), [
    (20, "given", "given"), (21, "waiting", "given"), (100, "waiting", "given"),
    (101, "waiting", "waiting"), (1_000, "waiting", "waiting"),
])  # fmt: skip
def test_the_limit_is_that_of_the_role(alice, sue, fay, dollars, for_sue, for_fay):
    for staff, state in ((sue, for_sue), (fay, for_fay)):
        asked = wish(alice, dollars, form_id=uuid.uuid4())
        assert giving.ask(asked, staff=staff, now=NOW).state == state


def test_above_the_limit_a_second_person_decides_once(alice, fay, sue):
    asked = giving.ask(wish(alice, 500), staff=fay, now=NOW)
    assert credit(alice) == 0
    with pytest.raises(giving.CannotGive, match="own_wish"):
        giving.agree(asked, staff=fay, note="", now=NOW)
    with pytest.raises(giving.CannotGive, match="permission"):
        giving.agree(asked, staff=sue, note="", now=NOW)
    gil = person("gil", "approve_staffcredit")
    done = giving.agree(asked, staff=gil, note="Seen", now=NOW)
    assert (done.state, done.decided_by, done.note) == ("given", f"staff:{gil.pk}", "Seen")
    for decide in (giving.agree, giving.refuse):
        with pytest.raises(giving.CannotGive, match="decided"):
            decide(asked, staff=gil, note="Again", now=NOW)
    assert credit(alice) == 500 * USD


def test_nobody_agrees_to_credit_for_an_account_of_their_own(alice, fay):
    asked = giving.ask(wish(alice, 500), staff=fay, now=NOW)
    owner = User.objects.get(username="alice")
    owner.user_permissions.set(Permission.objects.filter(codename="approve_staffcredit"))
    with pytest.raises(giving.CannotGive, match="own_account"):
        giving.agree(asked, staff=User.objects.get(pk=owner.pk), note="", now=NOW)
    assert credit(alice) == 0


def test_what_is_refused_gives_nothing_and_says_why(alice, fay):
    asked = giving.ask(wish(alice, 500), staff=fay, now=NOW)
    gil = person("gil", "approve_staffcredit")
    with pytest.raises(giving.CannotGive, match="reason"):
        giving.refuse(asked, staff=gil, note=" ", now=NOW)
    assert giving.refuse(asked, staff=gil, note="Too much", now=NOW).state == "refused"
    assert credit(alice) == 0


def test_what_cannot_be_given_is_refused_and_not_kept(alice, sue, fay):
    nobody = person("nobody", "approve_staffcredit")
    owner = User.objects.get(username="alice")
    owner.user_permissions.set(Permission.objects.filter(codename="add_staffcredit"))
    for staff, asked, rule in (
        (nobody, wish(alice), "permission"),
        (sue, wish(alice, 0), "amount"),
        (sue, wish(alice, -1), "amount"),
        (fay, wish(alice, 1_001), "amount"),
        (sue, wish(alice, reason=" "), "reason"),
        (sue, wish(alice, reason="x" * 201), "reason"),
        (User.objects.get(pk=owner.pk), wish(alice), "own_account"),
    ):
        with pytest.raises(giving.CannotGive, match=rule):
            giving.ask(asked, staff=staff, now=NOW)
    assert not StaffCredit.objects.exists()


def test_given_credit_lifts_no_trial(alice, sue):
    restrictions.set_trial(alice.pk, is_trial=True)
    giving.ask(wish(alice), staff=sue, now=NOW)
    assert Account.objects.get(pk=alice.pk).is_trial


@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_sent_six_times_at_once_gives_once():
    account, sue = factories.account_of(factories.user("amy")), person("sue", "add_staffcredit")
    states = []

    def run():
        try:
            states.append(giving.ask(wish(account), staff=sue, now=NOW).state)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["given"] * 6
    assert credit(account) == 5 * USD
