"""A payment is credited once, however often, in whatever order and by however many it is told."""

import dataclasses
import datetime as dt
import random
import threading

import pytest
from django.db import connection
from django.test import Client

from billing import ledger
from billing.models import Order, Suspense, Wallet, WebhookEvent
from billing.payments import applying
from billing.processors.alipay import Alipay
from tests import factories
from tests.billing.payments import cashier
from tests.billing.processors import alipay_notices

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(settings):
    keys = alipay_notices.adapter()._keys
    settings.PAYMENTS = cashier.payments(alipay=keys)
    account = factories.account_of(factories.user("alice"))
    yield cashier.order(
        account, processor="alipay", minor=2_000, is_live=Alipay(keys).is_live,
        now=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    assert ledger.audit() == []


def fields(order, **changed):
    """A notice as Alipay writes it, of this order and of now."""
    china = dt.timezone(dt.timedelta(hours=8))
    said = {
        "out_trade_no": order.number, "notify_time": f"{dt.datetime.now(china):%Y-%m-%d %H:%M:%S}",
    }  # fmt: skip
    return alipay_notices.signed(alipay_notices.payment(**(said | changed)))


def deliver(body) -> int:
    """Post a delivery as it comes over the wire; no task takes it."""
    answer = Client().post(
        "/hooks/alipay", data=body, content_type=alipay_notices.HEADERS["Content-Type"]
    )
    assert answer.status_code in {200, 503}
    return answer.status_code


def in_threads(work, count):
    """Run `work(n)` in threads that begin at once, each with a connection of its own."""
    barrier, raised = threading.Barrier(count), []

    def run(number):
        try:
            barrier.wait(10)
            work(number)
        except Exception as error:  # noqa: BLE001 - told to the test
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []


def assert_credited_once(order):
    order.refresh_from_db()
    assert order.state == Order.State.PAID
    assert Wallet.objects.get(pk=order.account_id).credit_nusd == order.credit_nusd
    assert not Suspense.objects.exists()
    assert [event.code for event in order.timeline.order_by("id")] == ["paid", "credited"]


def test_ten_deliveries_at_once_are_one_event_and_one_credit(order):
    body = alipay_notices.body(fields(order))
    in_threads(lambda _: deliver(body), 10)
    while deliver(body) != 200:  # one of them lost a race for the database: Alipay comes again
        pass
    event = WebhookEvent.objects.get()
    in_threads(lambda _: applying.apply(event.pk), 10)
    assert_credited_once(order)


def test_ten_notices_of_one_payment_at_once_are_one_credit(order):
    """TRADE_SUCCESS and TRADE_FINISHED are notices of their own, of the same payment."""
    for number in range(10):
        status = "TRADE_FINISHED" if number % 2 else "TRADE_SUCCESS"
        told = fields(order, notify_id=f"notice-{number}", trade_status=status)
        assert deliver(alipay_notices.body(told)) == 200
    events = list(WebhookEvent.objects.values_list("pk", flat=True))
    assert len(events) == 10
    in_threads(lambda n: applying.apply(events[n]), 10)
    assert_credited_once(order)
    assert sorted(WebhookEvent.objects.values_list("outcome", flat=True)) == [
        "applied", *["repeated"] * 9
    ]  # fmt: skip


def test_a_hundred_deliveries_shuffled_among_others_are_one_credit_each(order):
    others = [
        cashier.order(
            order.account, processor="alipay", minor=3_000 + n, is_live=order.is_live,
            now=order.created_at,
        )
        for n in range(4)
    ]  # fmt: skip
    bodies = []
    for n, each in enumerate([order, *others]):
        amount = f"{each.total_minor / 100:.2f}"
        told = fields(
            each, notify_id=f"paid-{n}", trade_no=f"trade-{n}", total_amount=amount,
            receipt_amount=amount,
        )  # fmt: skip
        closed = {"notify_id": f"closed-{n}", "trade_status": "TRADE_CLOSED"}
        late = fields(each, trade_no=f"trade-{n}", total_amount=amount, **closed)
        bodies += [alipay_notices.body(told)] * 18 + [alipay_notices.body(late)] * 2
    random.Random(5).shuffle(bodies)
    for number, body in enumerate(bodies):
        assert deliver(body) == 200
        if number % 7 == 0:
            applying.sweep(now=dt.datetime.now(dt.UTC))
    applying.sweep(now=dt.datetime.now(dt.UTC))
    total = sum(each.credit_nusd for each in [order, *others])
    assert Wallet.objects.get(pk=order.account_id).credit_nusd == total
    assert set(Order.objects.values_list("state", flat=True)) == {"paid"}
    assert not Suspense.objects.exists()


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"total_amount": "20.01"}, "wrong_amount"),
        ({"total_amount": "0.01"}, "wrong_amount"),
        ({"out_trade_no": "f" * 32}, "unknown_order"),
        ({"out_trade_no": "../../etc/passwd"}, "unknown_order"),
        ({"seller_id": "2088000000000666"}, "wrong_merchant"),
        ({"app_id": "2021000000000666", "auth_app_id": "2021000000000666"}, "wrong_merchant"),
    ],
)
def test_what_does_not_fit_goes_to_staff_and_credits_nobody(changed, cause, order):
    body = alipay_notices.body(fields(order, **changed))
    for _ in range(3):
        deliver(body)
        applying.sweep(now=dt.datetime.now(dt.UTC))
    order.refresh_from_db()
    assert order.state == Order.State.PENDING
    assert not Wallet.objects.filter(credit_nusd__gt=0).exists()
    case = Suspense.objects.get()
    assert case.cause == cause
    # What was paid to us is in the books; what was paid to another is not.
    assert case.is_posted == (cause != "wrong_merchant")


def test_a_stripe_notice_never_pays_an_alipay_order(order):
    told = cashier.paid_notice(order, merchant="acct_1", is_live=order.is_live)
    applying.take(dataclasses.replace(told, processor="stripe"), now=order.created_at)
    order.refresh_from_db()
    assert (order.state, Suspense.objects.get().cause) == ("pending", "wrong_processor")


@pytest.mark.parametrize("is_live", [False, None], ids=["test mode", "no word of it"])
def test_a_sandbox_notice_never_pays_a_live_order(order, is_live):
    told = cashier.paid_notice(
        order, is_live=is_live, merchant=f"{alipay_notices.APP}/{alipay_notices.SELLER}"
    )
    applying.take(told, now=order.created_at)
    order.refresh_from_db()
    case = Suspense.objects.get()
    assert (order.state, case.cause, case.is_posted) == ("pending", "wrong_mode", False)


@pytest.mark.parametrize("state", ["closed", "failed"])
def test_a_payment_that_comes_late_is_credited_all_the_same(state, order):
    Order.objects.filter(pk=order.pk).update(state=state, next_check_at=None)
    assert deliver(alipay_notices.body(fields(order))) == 200
    applying.sweep(now=dt.datetime.now(dt.UTC))
    order.refresh_from_db()
    assert order.state == "paid"
    assert [event.code for event in order.timeline.order_by("id")] == ["paid_late", "credited"]
    assert Wallet.objects.get(pk=order.account_id).credit_nusd == order.credit_nusd


def test_a_second_payment_of_one_order_is_suspended_not_lost(order):
    for number in (1, 2):
        told = fields(order, notify_id=f"paid-{number}", trade_no=f"trade-{number}")
        deliver(alipay_notices.body(told))
        applying.sweep(now=dt.datetime.now(dt.UTC))
    case = Suspense.objects.get()
    assert (case.cause, case.is_posted, case.amount_minor) == ("paid_twice", True, 2_000)
    assert Wallet.objects.get(pk=order.account_id).credit_nusd == order.credit_nusd


def test_a_notice_that_does_not_verify_leaves_nothing(order):
    told = fields(order) | {"total_amount": "19.99"}
    answer = Client().post(
        "/hooks/alipay", data=alipay_notices.body(told),
        content_type=alipay_notices.HEADERS["Content-Type"],
    )  # fmt: skip
    assert (answer.status_code, answer.content) == (400, b"fail")
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("name", ["stripe", "wechatpay", "nobody"])
def test_a_processor_without_keys_believes_nobody(name, order, settings):
    empty = type(settings.PAYMENTS.stripe)(url="http://127.0.0.1:9")
    settings.PAYMENTS = dataclasses.replace(
        settings.PAYMENTS, stripe=empty,
        wechatpay=type(settings.PAYMENTS.wechatpay)(url="http://127.0.0.1:9"),
    )  # fmt: skip
    answer = Client().post(f"/hooks/{name}", data=b"{}", content_type="application/json")
    assert (answer.status_code, WebhookEvent.objects.count()) == (503, 0)


def test_a_body_beyond_the_limit_is_not_read(order):
    answer = Client().post("/hooks/alipay", data=b"x" * 70_000, content_type="text/plain")
    assert answer.status_code == 400
