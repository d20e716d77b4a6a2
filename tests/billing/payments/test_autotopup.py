"""Automatic top-up: one try at a time, within its cap, and a crash never charges twice."""

import datetime as dt

import pytest
from django.core import mail
from django.utils import timezone

from billing import ledger
from billing.ledger import Leg
from billing.models import AutoTopUp, LedgerAccount, Order, PaymentMethod, Wallet
from billing.payments import automatic, autotopup, healing
from tests import factories, mailbox
from tests.billing.payments.conftest import NOW, live
from tests.billing.processors import sandboxes

USD = 1_000_000_000
MINUTE = dt.timedelta(minutes=1)


def card(account, name="pm_1") -> PaymentMethod:
    return PaymentMethod.objects.create(
        account=account, processor="stripe", customer_ref="cus_1", method_ref=name, created_at=NOW
    )


def choice(method, **changed) -> autotopup.Choice:
    values = {
        "is_on": True, "threshold_nusd": 5 * USD, "amount_minor": 2_000,
        "monthly_cap_minor": 5_000, "method_id": method.pk if method else None, **changed,
    }  # fmt: skip
    return autotopup.Choice(**values)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def sandbox(process, settings, books):
    """Stripe, played on loopback; its notices reach nobody."""
    process.turn(asynchronous=False, fail_calls=0, lose_answers=0)
    settings.PAYMENTS = process.payments
    return process


@pytest.fixture
def on(alice, sandbox):
    """Alice's automatic top-up is on, and her card pays."""
    ledger.open_wallet(alice.pk)
    autotopup.choose(alice, choice(card(alice)), now=NOW)
    return AutoTopUp.objects.get()


@pytest.fixture
def run():
    """Return `run(now)`: one sweep, its mails sent."""

    def sweep(now=NOW) -> int:
        count = autotopup.run_due(now=now)
        mailbox.deliver()
        return count

    return sweep


def spend(account, amount):
    """Take money from a wallet, as a posting that is no lease."""
    legs = (
        Leg(
            account=ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account.pk),
            amount_nusd=-amount,
        ),
        Leg(account=ledger.account_of(LedgerAccount.Kind.FEES), amount_nusd=amount),
    )
    ledger.post(kind="tests", ref=f"spend {amount}", legs=legs, actor="tests")


def test_it_tops_up_below_the_threshold_with_the_saved_card(on, alice, sandbox, run):
    assert run() == 1
    order = Order.objects.get()
    assert (order.state, order.purpose, order.method) == ("paid", "automatic", "off_session")
    there = sandbox.payment("stripe", order.number)
    assert (there["customer"], there["method_ref"]) == ("cus_1", "pm_1")
    assert (there["state"], there["amount_minor"]) == ("paid", 2_000)
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 20 * USD
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.com"]
    assert sent.subject == "Your balance was topped up automatically"
    assert "20.00 USD" in sent.body
    # Above the threshold nothing happens, however often it is looked at.
    assert run(NOW + 30 * MINUTE) == 0
    assert Order.objects.count() == 1


def test_at_the_threshold_nothing_happens_and_one_nano_below_it_does(on, alice, run):
    factories.give(alice, 5 * USD)
    assert run() == 0
    spend(alice, 1)
    assert run() == 1


def test_one_try_at_a_time(on, alice, sandbox, run):
    sandbox.turn(asynchronous=True)  # under way: it arrives later
    assert run() == 1
    assert run(NOW + 5 * MINUTE) == 0
    # The interval is over, and the order is still open.
    run(NOW + 11 * MINUTE)
    order = Order.objects.get()
    assert order.state == "pending"
    sandbox.act("stripe", order.number, "settle")
    healing.ask_now(order, now=NOW + 12 * MINUTE)
    assert run(NOW + 30 * MINUTE) == 0
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 20 * USD


def test_of_two_sweeps_that_saw_the_same_one_tries(on):
    assert autotopup._claim(on, NOW)
    assert not autotopup._claim(on, NOW)
    assert not autotopup._claim(on, NOW + 9 * MINUTE)


def test_a_charge_whose_answer_was_lost_goes_on_with_the_same_order(on, alice, sandbox, run):
    """As after a crash between the charge and its answer: nothing of it is known here."""
    sandbox.turn(lose_answers=1)
    assert run() == 1
    order = Order.objects.get()
    assert (order.state, sandbox.payment("stripe", order.number)["state"]) == ("created", "paid")
    assert run(NOW + 9 * MINUTE) == 0
    assert run(NOW + 11 * MINUTE) == 1
    # Stripe saw the same call twice, by its key: there is one payment and one credit.
    order.refresh_from_db()
    assert order.state == "paid"
    assert order.payment_ref == sandbox.payment("stripe", order.number)["ref"]
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 20 * USD


def test_no_answer_is_no_failure_and_the_order_is_asked_about(on, alice, sandbox, run):
    sandbox.turn(lose_answers=1)
    now = timezone.now()
    assert run(now) == 1
    assert (Order.objects.get().state, AutoTopUp.objects.get().failures) == ("created", 0)
    assert healing.sweep(now=now + MINUTE) == 1
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 20 * USD
    assert not any(message.subject == "An automatic top-up failed" for message in mail.outbox)


def test_three_failures_turn_it_off_and_each_is_told(on, alice, sandbox, run):
    # The bank says no, then Stripe does: it does not know the card.
    cards = ("pm_card_chargeDeclined", "unknown", "pm_card_chargeDeclinedInsufficientFunds")
    for number, name in enumerate(cards):
        PaymentMethod.objects.update(method_ref=name)
        assert run(NOW + 11 * MINUTE * number) == 1
    row = AutoTopUp.objects.get()
    assert (row.is_on, row.off_reason, row.failures) == (False, automatic.FAILED, 3)
    assert [message.subject for message in mail.outbox] == ["An automatic top-up failed"] * 3
    assert ["off now" in message.body for message in mail.outbox] == [False, False, True]
    assert run(NOW + dt.timedelta(days=1)) == 0
    assert Wallet.objects.get(pk=alice.pk).credit_nusd == 0
    autotopup.choose(alice, choice(row.method), now=NOW)
    row.refresh_from_db()
    assert (row.is_on, row.off_reason, row.failures) == (True, "", 0)


def test_a_payment_ends_a_row_of_failures(on, run):
    AutoTopUp.objects.update(failures=2)
    run()
    assert AutoTopUp.objects.get().failures == 0


def test_the_monthly_cap_counts_what_was_paid_and_what_may_be(on, alice, run):
    for number in range(4):
        run(NOW + 11 * MINUTE * number)
        Wallet.objects.get(pk=alice.pk)
        if number < 2:
            spend(alice, 20 * USD - number)
    # Two of 20 USD fit into the cap of 50 USD, a third does not.
    assert Order.objects.count() == 2
    capped = [sent for sent in mail.outbox if "monthly cap" in sent.subject]
    assert len(capped) == 1  # told once, however often it is met
    assert "$50.00 a month" in capped[0].body
    assert autotopup.spent_minor(alice.pk, now=NOW) == 4_000
    assert autotopup.spent_minor(alice.pk, now=NOW + dt.timedelta(days=30)) == 0
    run(dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert Order.objects.count() == 3


def test_a_card_that_was_removed_turns_it_off(on, run):
    PaymentMethod.objects.all().delete()
    run()
    assert (AutoTopUp.objects.get().is_on, AutoTopUp.objects.get().off_reason) == (
        False,
        automatic.NO_METHOD,
    )
    assert [message.subject for message in mail.outbox] == ["Automatic top-up is off"]
    assert not Order.objects.exists()


@pytest.mark.parametrize("what", ["frozen", "inactive", "off"])
def test_it_leaves_alone_who_cannot_use_it(on, alice, run, what):
    if what == "frozen":
        Wallet.objects.update(frozen=True)
    elif what == "inactive":
        type(alice).objects.update(is_active=False)
    else:
        AutoTopUp.objects.update(is_on=False)
    assert run() == 0
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"threshold_nusd": USD - 1}, {"threshold": "range"}),
        ({"threshold_nusd": 10_001 * USD}, {"threshold": "range"}),
        ({"amount_minor": 499}, {"amount": "range"}),
        ({"amount_minor": 200_001}, {"amount": "range"}),
        ({"monthly_cap_minor": 1_999}, {"monthly_cap": "below_amount"}),
        ({"monthly_cap_minor": 1_000_001}, {"monthly_cap": "range"}),
        ({"method_id": None}, {"method": "no_method"}),
    ],
)
def test_a_choice_that_cannot_be_is_refused_with_its_field(alice, changed, errors):
    with pytest.raises(autotopup.InvalidChoice) as refused:
        autotopup.choose(alice, choice(card(alice), **changed), now=NOW)
    assert refused.value.errors == errors
    assert not AutoTopUp.objects.exists()


def test_the_cap_holds_the_tax_and_anothers_card_is_none(alice, settings):
    mine, foreign = card(alice), card(factories.account_of(factories.user("mallory")), "pm_2")
    with pytest.raises(autotopup.InvalidChoice) as refused:
        autotopup.choose(alice, choice(foreign), now=NOW)
    assert refused.value.errors == {"method": "no_method"}
    settings.PAYMENTS = live(tax_ppm={"DE": 190_000}, seller_country="DE")
    alice.country = "DE"
    with pytest.raises(autotopup.InvalidChoice):
        autotopup.choose(alice, choice(mine, monthly_cap_minor=2_379), now=NOW)
    autotopup.choose(alice, choice(mine, monthly_cap_minor=2_380), now=NOW)


def test_the_scan_is_one_query_when_nothing_is_due(on, alice, django_assert_num_queries):
    factories.give(alice, 6 * USD)
    with django_assert_num_queries(1):
        assert autotopup.run_due(now=NOW) == 0
