"""An order's page: its state in words, the code to scan, and what one can do."""

import datetime as dt
import re
import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from bananarouter.pages.billing import codes, words
from billing import ledger
from billing.models import FapiaoRequest, Order, Processor, Receipt, Refund
from billing.payments import asking, orders, quotes, refund_rules, refunds, timeline
from tests import factories
from tests.billing.payments import cashier

pytestmark = pytest.mark.django_db


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def url(order, name="billing_order"):
    return reverse(name, args=[order.number])


@pytest.fixture
def started(account, alice, paying):
    """Return `started(way)`: an order that the sandbox knows."""

    def start(processor="alipay", method="qr", currency="CNY", key="k"):
        quote = quotes.make(account, currency=currency, net_minor=7_200, now=timezone.now())
        wish = orders.Wish(
            quote=quote, processor=processor, method=method, idempotency_key=key,
            payer=asking.Payer(client_ip="192.0.2.1"),
        )  # fmt: skip
        return orders.start(account, wish, user=alice, now=timezone.now()).order

    return start


def test_every_code_and_state_has_words_in_both_languages():
    tables = [
        (words.TIMELINE, timeline.CODES), (words.STATES, Order.State),
        (words.STATE_TEXTS, Order.State), (words.PROCESSORS, Processor),
        (words.REFUND_STATES, Refund.State), (words.PAPERS, Receipt.Kind),
        (words.FAPIAO_STATES, FapiaoRequest.State),
    ]  # fmt: skip
    for table, members in tables:
        assert set(table) == set(members)
    for table in (words.TIMELINE, words.STATE_TEXTS):
        for text in table.values():
            english = str(text)
            with translation.override("zh-hans"):
                assert str(text) != english
                assert re.search(r"[\u4e00-\u9fff]", str(text))


def test_a_code_to_scan_is_svg_without_inline_style():
    drawn = codes.svg("weixin://wxpay/bizpayurl?pr=" + "x" * 400)
    assert drawn.startswith("<svg")
    assert "style" not in drawn
    assert 'viewBox="0 0' in drawn
    assert 'fill="#fff"' in drawn
    assert "<script" not in codes.svg('"><script>alert(1)</script>')


def test_an_order_to_scan_shows_its_code_and_updates_itself(client, account, order_of):
    page = text_of(client.get(url(order_of(account))))
    assert 'class="qr"' in page
    assert "Scan the code with Alipay and pay ¥72.00." in page
    assert 'hx-trigger="every 1500ms, look"' in page
    assert "Check now" in page
    assert "qr.alipay.com" not in page


def test_the_live_part_is_silent_until_something_changes(client, account, order_of):
    order = order_of(account)
    page = client.get(url(order)).content.decode()
    poll = re.search(r'hx-get="([^"]+)"', page)[1]
    assert client.get(poll).status_code == 204
    Order.objects.filter(pk=order.pk).update(state="paid")
    answer = client.get(poll)
    shown = text_of(answer)
    assert "The credit is in your balance." in shown
    assert "hx-get" not in shown
    assert 'id="balance" hx-swap-oob="true"' in shown
    assert 'class="qr"' not in shown
    assert "<html" not in shown


def test_check_now_credits_what_was_paid_unheard(client, paying, started):
    order = started()
    assert "has not seen a payment yet" in text_of(
        client.post(url(order, "billing_order_check"), follow=True)
    )
    paying.turn(drop=1_000)
    paying.act("alipay", order.number, "pay")
    page = text_of(client.post(url(order, "billing_order_check"), follow=True))
    assert "The credit is in your balance." in page
    assert "$10.00" in page
    order.refresh_from_db()
    assert order.state == "paid"
    paying.turn(drop=0)


def test_check_now_is_not_asked_without_end(client, started):
    order = started()
    for _ in range(6):
        client.post(url(order, "billing_order_check"))
    page = text_of(client.post(url(order, "billing_order_check"), follow=True))
    assert "Try again in a minute" in page


def test_an_order_can_be_canceled_and_made_again(client, started):
    order = started()
    page = text_of(client.post(url(order, "billing_order_cancel"), follow=True))
    order.refresh_from_db()
    assert order.state == "closed"
    assert "Canceled" in page
    assert "way=alipay%3Aqr&amp;amount=72" in page
    assert "The order is over already" in text_of(
        client.post(url(order, "billing_order_cancel"), follow=True)
    )


def test_a_service_that_is_away_says_so(client, paying, started):
    order = started()
    paying.turn(fail_calls=2)
    for name in ("billing_order_check", "billing_order_cancel"):
        assert "does not answer right now" in text_of(client.post(url(order, name), follow=True))
    order.refresh_from_db()
    assert order.state == "pending"


def test_unspent_money_goes_back_once(client, account, paid):
    page = client.get(url(paid, "billing_order_refund"))
    assert 'value="72"' in page.content.decode()
    key = re.search(r'name="key" value="([^"]+)"', page.content.decode())[1]
    for _ in range(2):
        client.post(url(paid, "billing_order_refund"), {"amount": "36", "key": key})
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.actor) == (
        3_600,
        f"user:{account.memberships.get().user_id}",
    )
    shown = text_of(client.get(url(paid)))
    assert 'A refund was asked for; its credit left the balance. <span class="soft">¥36.00' in shown
    response = client.post(
        url(paid, "billing_order_refund"), {"amount": "72", "key": str(uuid.uuid4())}
    )
    assert "more than is left of the order" in text_of(response)
    assert 'value="72"' in text_of(response)
    assert Refund.objects.count() == 1


def test_everything_unspent_goes_back_in_one_click(client, account, paid):
    page = text_of(client.get(reverse("billing_refund")))
    assert "¥72.00" in page
    for _ in range(2):
        client.post(reverse("billing_refund"), hidden(page))
    assert Refund.objects.get().amount_minor == 7_200
    assert "Nothing to refund" in text_of(client.get(reverse("billing_refund")))
    assert ledger.audit() == []


def hidden(page) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return dict(re.findall(r'type="hidden" name="(key|shown)" value="([^"]+)"', page))


def test_one_yes_is_about_what_the_page_showed(client, account, paid):
    page = text_of(client.get(reverse("billing_refund")))
    refunds.ask(paid, 100, reason="r", actor="tests", now=timezone.now())
    answer = client.post(reverse("billing_refund"), hidden(page), follow=True)
    assert "The amounts changed meanwhile." in text_of(answer)
    assert Refund.objects.count() == 1


def test_of_very_many_orders_the_page_says_how_many_are_left_for_later(client, account):
    shown, older = refund_rules.ORDERS_MAX, 3
    now = timezone.now()
    orders = [
        cashier.order(
            account, state="paid", payment_ref=f"pi_{number}", minor=100,
            created_at=now - dt.timedelta(minutes=number), paid_at=now,
        )
        for number in range(shown + older + 1)
    ]  # fmt: skip
    # The oldest is spent.
    factories.give(account, (shown + older) * 100 * cashier.CENT)
    page = text_of(client.get(reverse("billing_refund")))
    assert "Older orders with unspent money: 3." in page
    assert "Refund these orders" in page
    assert "$200.00" in page
    client.post(reverse("billing_refund"), hidden(page))
    assert set(Refund.objects.values_list("order_id", flat=True)) == {
        order.pk for order in orders[:shown]
    }
    rest = text_of(client.get(reverse("billing_refund")))
    assert "Older orders" not in rest
    assert "$3.00" in rest
    client.post(reverse("billing_refund"), hidden(rest))
    assert Refund.objects.count() == shown + older
    assert not Refund.objects.filter(order=orders[-1]).exists()
    assert "Nothing to refund" in text_of(client.get(reverse("billing_refund")))


def test_how_many_are_left_is_counted_up_to_a_bound(client, account, monkeypatch):
    monkeypatch.setattr(refund_rules, "ORDERS_MAX", 1)
    monkeypatch.setattr(refund_rules, "OLDER_MAX", 2)
    now = timezone.now()
    for number in range(4):
        cashier.order(account, state="paid", payment_ref=f"pi_{number}", paid_at=now)
    factories.give(account, 40 * cashier.USD)
    assert "unspent money: 2+." in text_of(client.get(reverse("billing_refund")))


def test_an_old_payment_has_no_refund_by_itself(client, paid):
    Order.objects.filter(pk=paid.pk).update(paid_at=timezone.now() - dt.timedelta(days=15))
    assert "Nothing can be refunded here" in text_of(client.get(url(paid, "billing_order_refund")))


@pytest.mark.parametrize(
    "name", ["billing_order", "billing_order_live", "billing_order_refund"]
)  # fmt: skip
def test_anothers_order_does_not_exist(name, account, order_of):
    mallory = Client()
    mallory.force_login(factories.user("mallory"))
    order = order_of(account)
    assert mallory.get(url(order, name)).status_code == 404


@pytest.mark.parametrize("number", ["0", "g" * 32, "A" * 32, "0" * 32, "-" * 32])
def test_what_is_no_number_is_not_found(client, number):
    assert client.get(f"/billing/orders/{number}").status_code == 404


def test_only_a_code_that_was_paid_by_scanning_hides_its_address(client, account, order_of):
    order = order_of(account, method="page", pay_url="https://openapi.alipay.com/x?a=1")
    page = client.get(url(order) + "?go=1")
    assert page["Refresh"] == "0;url=https://openapi.alipay.com/x?a=1"
    assert "Refresh" not in client.get(url(order))
    order = order_of(account, method="page", pay_url="javascript:alert(1)")
    page = client.get(url(order) + "?go=1")
    assert "Refresh" not in page
    assert "javascript:" not in page.content.decode()


def test_a_failed_payment_says_why(client, account, order_of):
    order = order_of(account, state="failed", failure="insufficient_funds")
    timeline.add(order, timeline.FAILED, now=timezone.now(), reason="insufficient_funds")
    page = text_of(client.get(url(order)))
    assert "There was not enough money behind the card." in page
    assert "Pay again" in page


def test_the_page_asks_the_database_little(client, paid, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        client.get(url(paid))
