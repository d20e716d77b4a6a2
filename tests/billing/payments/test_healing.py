"""Orders that no notice ends are asked about on schedule, at a real sandbox of each processor."""

import dataclasses
import datetime as dt

import pytest
from django.utils import timezone

from billing import ledger
from billing.models import Order, Wallet
from billing.payments import asking, healing, orders, quotes
from billing.processors import registry
from tests import factories
from tests.billing.payments.cashier import USD
from tests.billing.processors import sandboxes

pytestmark = pytest.mark.django_db
WAYS = {"stripe": "checkout", "alipay": "qr", "wechatpay": "qr"}
# After the order was made (payments.md, B2); at the last one it is over.
STEPS_S = (30, 60, 120, 300, 600, 1_800)
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
each_processor = pytest.mark.parametrize("processor", WAYS)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    with sandboxes.start(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture
def alice(db, sandbox, settings):
    settings.PAYMENTS, settings.PUBLIC_URL = sandbox.payments, "http://127.0.0.1:9"
    sandbox.turn(drop=1_000, fail_calls=0)  # no notice ever comes
    yield factories.account_of(factories.user("alice"))
    assert ledger.audit() == []


def begin(account, processor, *, send=True) -> Order:
    """An order of 10 dollars, or what they are in yuan; known at the processor if it was sent."""
    now, currency = timezone.now(), registry.get(processor).currency
    wish = orders.Wish(
        quote=quotes.make(account, currency=currency, net_minor=7_200, now=now),
        processor=processor, method=WAYS[processor], idempotency_key="one",
        payer=asking.Payer(client_ip="192.0.2.1"),
    )  # fmt: skip
    order = orders.begin(account, wish, user=None, now=now)
    return orders.send(order, wish.payer, now=now).order if send else order


def credit(account) -> int:
    return sum(Wallet.objects.filter(pk=account.pk).values_list("credit_nusd", flat=True))


@each_processor
def test_an_open_order_is_asked_about_on_schedule_and_closed_at_its_end(alice, sandbox, processor):
    order = begin(alice, processor)
    for step_s in STEPS_S:
        assert order.state == "pending"
        due = order.created_at + dt.timedelta(seconds=step_s)
        assert healing.sweep(now=due - SECOND) == 0
        assert healing.sweep(now=due) == 1
        assert healing.sweep(now=due) == 0, "another sweep at once finds nothing to do"
        order.refresh_from_db()
    assert (order.state, order.checks, order.next_check_at) == ("closed", len(STEPS_S), None)
    # A code that nobody scanned is no trade at Alipay: it ends there at the time that we named.
    left = "open" if processor == "alipay" else "closed"
    assert sandbox.payment(processor, order.number)["state"] == left
    assert credit(alice) == 0
    assert healing.sweep(now=order.created_at + 60 * MINUTE) == 0


@each_processor
@pytest.mark.parametrize("after_s", [30, 1_800], ids=["soon", "when it is over"])
def test_what_was_paid_without_a_notice_is_credited_once(alice, sandbox, processor, after_s):
    order = begin(alice, processor)
    sandbox.act(processor, order.number, "pay")
    for more_s in (0, 1, 600):
        healing.sweep(now=order.created_at + dt.timedelta(seconds=after_s + more_s))
    order.refresh_from_db()
    assert (order.state, order.next_check_at) == ("paid", None)
    assert credit(alice) == order.credit_nusd >= 10 * USD


@each_processor
def test_a_processor_that_is_away_is_asked_again_and_the_order_stays(alice, sandbox, processor):
    order = begin(alice, processor)
    sandbox.act(processor, order.number, "pay")
    sandbox.turn(fail_calls=100)
    late = order.created_at + 45 * MINUTE
    for step in range(7):
        assert healing.sweep(now=late + step * 10 * MINUTE) == 1
        order.refresh_from_db()
        assert order.state == "pending"
    sandbox.turn(fail_calls=0)
    healing.sweep(now=late + 70 * MINUTE)
    assert credit(alice) == order.credit_nusd


@each_processor
def test_an_order_of_which_the_processor_never_heard_ends_too(alice, processor):
    order = begin(alice, processor, send=False)
    healing.sweep(now=order.created_at + 30 * MINUTE)
    order.refresh_from_db()
    assert (order.state, order.next_check_at) == ("closed", None)


def test_of_two_sweeps_that_saw_the_same_order_one_asks(alice):
    order = begin(alice, "alipay")
    due = order.created_at + dt.timedelta(seconds=STEPS_S[0])
    assert healing._claim(order.pk, now=due) == order
    assert healing._claim(order.pk, now=due) is None


def test_one_order_that_cannot_be_asked_about_holds_up_no_other(alice, sandbox, settings):
    stuck = begin(alice, "stripe")
    bob = factories.account_of(factories.user("bob"))
    order = begin(bob, "alipay")
    sandbox.act("alipay", order.number, "pay")
    away = dataclasses.replace(sandbox.payments.stripe, url="http://127.0.0.1:9")
    settings.PAYMENTS = dataclasses.replace(sandbox.payments, stripe=away)
    assert healing.sweep(now=order.created_at + MINUTE) == 2
    assert credit(bob) == order.credit_nusd
    stuck.refresh_from_db()
    assert stuck.state == "pending"
