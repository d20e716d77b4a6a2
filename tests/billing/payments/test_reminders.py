"""Low-balance reminders: once below the threshold, armed again well above it."""

import pytest
from django.core import mail

from accounts import notifications
from accounts.models import Account, Membership
from billing import ledger
from billing.models import BalanceReminder
from billing.payments import reminders
from tests import factories
from tests.billing.payments.conftest import NOW
from tests.billing.payments.test_autotopup import spend

USD = 1_000_000_000


@pytest.fixture
def run(django_capture_on_commit_callbacks):
    """Return `run()`: one sweep, its mails sent."""

    def sweep() -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return reminders.run_due(now=NOW)

    return sweep


@pytest.fixture
def rich(alice):
    ledger.open_wallet(alice.pk)
    factories.give(alice, 20 * USD)
    reminders.choose(alice, 10 * USD)
    return alice


@pytest.mark.clause("2-notify-topup")
def test_it_reminds_once_until_the_balance_stood_well_above(rich, run):
    assert run() == 0
    spend(rich, 11 * USD)
    assert run() == 1
    assert run() == 0
    factories.give(rich, 2 * USD + 999_999_999)  # 11.999999999: above, but not well above
    run()
    spend(rich, 3 * USD)
    assert run() == 0
    factories.give(rich, 4 * USD)  # 12.999999999
    assert run() == 0
    spend(rich, 4 * USD)
    assert run() == 1
    assert [message.subject for message in mail.outbox] == ["Your balance is low"] * 2
    assert "$9.00" in mail.outbox[0].body
    assert "余额" in mail.outbox[0].body


def test_exactly_the_threshold_is_not_below_it(rich, run):
    spend(rich, 10 * USD)
    assert run() == 0


def test_a_new_threshold_is_armed_and_the_same_one_is_not(rich, run):
    spend(rich, 11 * USD)
    run()
    reminders.choose(rich, 10 * USD)
    assert run() == 0
    reminders.choose(rich, 12 * USD)
    assert run() == 1
    reminders.choose(rich, None)
    assert not BalanceReminder.objects.exists()
    for bad in (0, -1, reminders.THRESHOLD_NUSD_MAX + 1):
        with pytest.raises(reminders.BadThreshold):
            reminders.choose(rich, bad)


def test_members_who_see_money_and_want_it_are_told(rich, run):
    for name, role in (
        ("bob", Membership.Role.DEVELOPER),
        ("carol", Membership.Role.BILLING),
        ("dave", Membership.Role.ADMIN),
    ):
        factories.join(factories.user(name), rich, role)
    dave = rich.members.get(username="dave")
    notifications.choose(dave, {"low_balance": ["web"]})
    spend(rich, 11 * USD)
    assert run() == 1
    assert sorted(message.to[0] for message in mail.outbox) == [
        "alice@example.com",
        "carol@example.com",
    ]
    assert all(len(message.to) == 1 and not message.cc for message in mail.outbox)


def test_who_lives_in_china_reads_chinese_first(rich, run):
    Account.objects.filter(pk=rich.pk).update(country="CN")
    spend(rich, 11 * USD)
    run()
    assert mail.outbox[0].subject == "余额不足"
    assert "Your balance" not in mail.outbox[0].subject
    assert "Requests are refused" in mail.outbox[0].body
