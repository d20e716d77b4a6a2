"""Add money: the price before it is paid, one order however often it is sent, words for a no."""

import datetime as dt
import re
from dataclasses import replace

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import BillingDetails, Membership
from billing import holds, ledger, wallets
from billing.models import Order
from billing.payments import paying as recovering
from billing.payments import quotes
from billing.processors import config
from billing.processors.base import Notice, NoticeKind
from tests import factories

pytestmark = pytest.mark.django_db
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148 Safari/604.1"
WECHAT = PHONE + " MicroMessenger/8.0.50"
NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def fields(response, **changes):
    """The fields of the form as the page holds them, with changes."""
    page = response.content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(key|quote)" value="([^"]*)"', page))
    way = re.search(r'name="way" value="([^"]*)"[^>]* checked', page)
    preset = re.search(r'name="preset" value="([^"]*)" checked', page)
    other = re.search(r'name="other"[^>]* value="([^"]*)"', page)
    found = {"way": way and way[1], "preset": preset and preset[1], "other": other and other[1]}
    found |= hidden
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def ways_of(response):
    return re.findall(r'name="way" value="([^"]*)"', response.content.decode())


@pytest.fixture
def page(client, paying):
    return client.get(reverse("billing"))


def test_the_price_stands_there_before_anything_is_chosen(page):
    shown = text_of(page)
    assert "<dt>Price</dt> <dd>$20.00</dd>" in shown
    assert "<dt>Tax</dt> <dd>$0.00</dd>" in shown
    assert "This price is held until" in shown
    assert "No real money moves" in shown
    for amount in ("$5", "$10", "$20", "$50", "$100"):
        assert f'<span class="usd">{amount}</span>' in shown
    assert '<span class="cny">¥720</span>' in shown


def test_a_real_processor_has_no_sandbox_label(client, paying, settings):
    settings.PAYMENTS = replace(settings.PAYMENTS, is_sandbox=False)
    assert "Sandbox" not in text_of(client.get(reverse("billing")))


def test_without_a_processor_users_are_told_nothing_of_keys(client, alice, settings):
    settings.PAYMENTS = config.Payments(
        stripe=config.Stripe(url="x"), alipay=config.Alipay(url="x"),
        wechatpay=config.WeChatPay(url="x"),
    )  # fmt: skip
    shown = text_of(client.get(reverse("billing")))
    assert "No money can be added here yet" in shown
    assert "settings.md" not in shown
    assert "Sandbox" not in shown
    alice.is_staff = True
    alice.save()
    assert "settings.md" in text_of(client.get(reverse("billing")))


@pytest.mark.parametrize(
    ("agent", "ways"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140",
         ["stripe:checkout", "alipay:page", "alipay:qr", "wechatpay:qr"]),
        (PHONE, ["stripe:checkout", "alipay:wap", "wechatpay:h5"]),
        (WECHAT, ["stripe:checkout", "wechatpay:jsapi"]),
    ],
)  # fmt: skip
def test_the_ways_to_pay_are_those_that_work_on_the_device(client, paying, agent, ways):
    assert ways_of(client.get(reverse("billing"), headers={"user-agent": agent})) == ways


def test_only_enabled_processors_are_offered_in_their_order(client, paying, settings):
    settings.PAYMENTS = replace(settings.PAYMENTS, enabled=("wechatpay", "stripe"))
    assert ways_of(client.get(reverse("billing"))) == ["wechatpay:qr", "stripe:checkout"]


def test_tax_is_on_top_and_the_credit_is_for_the_price(client, account, paying, settings):
    settings.PAYMENTS = replace(settings.PAYMENTS, tax_ppm={"DE": 190_000}, seller_country="FR")
    BillingDetails.objects.create(account=account, country="DE")
    shown = text_of(client.get(reverse("billing")))
    assert "<dd>$20.00</dd> <dt>Tax</dt> <dd>$3.80</dd>" in shown
    assert '<dd class="total">$23.80</dd>' in shown
    assert 'class="credit"><data class="money" value="20"' in shown
    BillingDetails.objects.update(tax_id="DE123456789")
    shown = text_of(client.get(reverse("billing")))
    assert "<dt>Tax</dt> <dd>$0.00</dd>" in shown
    assert "Reverse charge" in shown


def test_the_quote_follows_the_choice(client, page):
    asked = fields(page, way="alipay:qr", preset="1000")
    shown = text_of(client.post(reverse("billing_quote"), asked))
    assert "<dd>¥72.00</dd>" in shown
    assert 'value="10" title="$10">$10.00</data>' in shown
    assert "¥7.20 for $1 of credit" in shown
    asked = fields(page, other="12.5")
    assert "<dd>$12.50</dd>" in text_of(client.post(reverse("billing_quote"), asked))


@pytest.mark.parametrize(
    ("typed", "said"),
    [("4.99", "You can add $5.00 to $2,000.00 at a time."),
     ("2000.01", "You can add $5.00 to $2,000.00 at a time."),
     ("much", "Write an amount like 25 or 12.50."), ("1e9", "Write an amount like"),
     ("-5", "Write an amount like"), ("5.001", "Write an amount like"),
     ("\u0665\u0660", "Write an amount like")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["billing", "billing_quote"])
def test_a_wrong_amount_is_told_beside_it_and_kept(client, page, name, typed, said):
    response = client.post(reverse(name), fields(page, other=typed, preset=None))
    shown = text_of(response)
    assert re.search(rf'id="other-error"[^>]*>{re.escape(said)}', shown)
    assert 'name="quote"' not in shown
    if name == "billing":
        assert f'value="{typed}"' in shown
    assert not Order.objects.exists()


def test_paying_makes_one_order_however_often_it_is_sent(client, account, page):
    asked = fields(page, way="alipay:page")
    asked = fields(client.post(reverse("billing"), asked))  # the price in yuan
    for _ in range(3):
        response = client.post(reverse("billing"), asked)
        order = Order.objects.get()
        assert response["Location"] == reverse("billing_order", args=[order.number]) + "?go=1"
    assert (order.account, order.state, order.currency) == (account, "pending", "CNY")
    assert (order.net_minor, order.credit_nusd) == (14_400, 20_000_000_000)
    assert order.created_by_id == account.memberships.get().user_id
    response = client.get(response["Location"])
    assert response["Refresh"] == f"0;url={order.pay_url}"
    assert "Taking you to Alipay" in text_of(response)


def test_a_choice_that_changed_shows_its_price_before_it_is_paid(client, page):
    response = client.post(reverse("billing"), fields(page, other="50"))
    shown = text_of(response)
    assert "This is the price of your choice" in shown
    assert "<dd>$50.00</dd>" in shown
    assert 'value="50"' in shown
    assert not Order.objects.exists()
    client.post(reverse("billing"), fields(response, way="alipay:qr", other="50"))
    assert not Order.objects.exists(), "dollars are not yuan"


def test_a_price_that_is_over_is_told_and_replaced(client, paying):
    with time_machine.travel(NOW, tick=False) as clock:
        asked = fields(client.get(reverse("billing")), way="alipay:qr")
        asked = fields(client.post(reverse("billing"), asked))
        clock.shift(31 * 60)
        response = client.post(reverse("billing"), asked)
        assert "The price was not held any longer" in text_of(response)
        assert not Order.objects.exists()
        again = fields(response)
        assert again["quote"] != asked["quote"]
        assert again["key"] == asked["key"]
        assert client.post(reverse("billing"), again).status_code == 302
    assert Order.objects.get().method == "qr"


def test_anothers_price_is_no_price(client, page):
    other = Client()
    other.force_login(factories.user("mallory"))
    stolen = fields(page, way="alipay:qr")
    stolen = fields(client.post(reverse("billing"), stolen))
    response = other.post(reverse("billing"), stolen)
    assert "This is the price of your choice" in text_of(response)
    assert not Order.objects.exists()


def test_a_service_that_is_away_keeps_the_order_and_the_form(client, page, paying):
    asked = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    paying.turn(fail_calls=1)
    response = client.post(reverse("billing"), asked)
    assert "does not answer right now. Nothing was paid." in text_of(response)
    assert fields(response)["key"] == asked["key"]
    assert client.post(reverse("billing"), fields(response)).status_code == 302
    assert Order.objects.get().state == "pending"


def test_a_rule_against_misuse_says_what_to_do(client, page, settings):
    settings.PAYMENTS = replace(settings.PAYMENTS, first_week_minor_max=1_000)
    asked = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    response = client.post(reverse("billing"), asked)
    assert "In its first week an account can add a limited amount" in text_of(response)
    assert not Order.objects.exists()


def test_the_same_form_for_another_order_is_not_mixed_up(client, page):
    first = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    client.post(reverse("billing"), first)
    second = fields(client.post(reverse("billing"), {**first, "other": "80"}))
    assert second["key"] == first["key"]
    response = client.post(reverse("billing"), second)
    assert "made another order before" in text_of(response)
    assert Order.objects.count() == 1
    assert client.post(reverse("billing"), fields(response)).status_code == 302
    assert set(Order.objects.values_list("net_minor", flat=True)) == {14_400, 8_000}


def test_a_way_that_is_not_offered_is_refused(client, page):
    response = client.post(reverse("billing"), fields(page, way="alipay:wap"))
    assert "This way to pay is not offered" in text_of(response)
    assert not Order.objects.exists()


def test_pay_again_brings_the_choice_along(client, paying):
    page = client.get(reverse("billing"), {"way": "wechatpay:qr", "amount": "72"})
    assert "<dd>¥72.00</dd>" in text_of(page)
    assert fields(page)["way"] == "wechatpay:qr"


@pytest.mark.parametrize("role", Membership.Role.values)
@pytest.mark.parametrize(
    "name",
    ["billing", "billing_history", "billing_balance", "billing_balance_csv", "billing_receipts",
     "billing_refund"],
)  # fmt: skip
def test_only_who_may_see_money_gets_the_pages(name, role, account, paying):
    bob, client = factories.user("bob"), Client()
    factories.join(bob, account, role)
    client.force_login(bob)
    client.post(reverse("switch_account"), {"account": str(account.public_id)})
    may = role in {"owner", "admin", "billing"}
    assert client.get(reverse(name)).status_code == (200 if may else 403)
    rail = text_of(client.get(reverse("overview")))
    assert (f'href="{reverse("billing")}"' in rail) == may


def test_the_page_asks_the_database_little(client, account, paying, django_assert_max_num_queries):
    factories.give(account, 10**9)
    with django_assert_max_num_queries(12):
        client.get(reverse("billing"))


# A frozen balance


@pytest.fixture
def owing(account, paying):
    """The account owes 7 dollars, and for nothing else is its balance frozen."""
    ledger.open_wallet(account.pk)
    recovering.owe(account.pk, 7_000_000_000)
    holds.freeze(account.pk)
    return account


def test_who_owes_money_is_told_how_much_and_pays(client, owing, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        page = client.get(reverse("billing"))
    assert "<strong>Balance frozen</strong> $7.00 is owed after a refund" in text_of(page)
    assert '<a href="#add">Add money</a>' in text_of(page)
    asked = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    assert client.post(reverse("billing"), asked).status_code == 302
    assert Order.objects.get().state == "pending"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_whom_staff_froze_is_sent_to_them_and_cannot_pay(client, page, owing, language):
    asked = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    wallets.set_frozen([owing.pk], is_frozen=True)
    client.cookies["django_language"] = language
    shown = text_of(client.post(reverse("billing"), asked))
    said = {
        "en": ("until the operator of this site lifts it", "No money can be added while"),
        "zh-hans": ("在本站运营者解除冻结之前", "余额冻结期间无法充值"),
    }
    for words in said[language]:
        assert words in shown
    assert f'<a href="{reverse("contact")}">' in shown
    assert 'id="topup"' not in shown
    assert not Order.objects.exists()


def notice_of(order) -> Notice:
    """The processor tells that an order was paid."""
    return Notice(
        processor=order.processor, event_id="e1", kind=NoticeKind.PAID, order_ref=order.number,
        payment_ref="2026112600001", amount_minor=order.total_minor, currency=order.currency,
    )  # fmt: skip


def owe(account, nusd) -> None:
    """The account owes so much, and for nothing else is its balance frozen."""
    ledger.open_wallet(account.pk)
    recovering.owe(account.pk, nusd)
    holds.freeze(account.pk)


def chosen(page) -> tuple[str, str]:
    """What the form is set to, and the price of that."""
    asked = fields(page)
    return asked["preset"], re.search(r"<dt>Price</dt> <dd>([^<]*)</dd>", text_of(page))[1]


def test_who_owes_no_more_than_the_preset_begins_with_it(client, account, paying):
    owe(account, 20_000_000_000)
    page = client.get(reverse("billing"))
    assert chosen(page) == ("2000", "$20.00")
    assert "pays all of it" not in text_of(page)
    assert 'value="owed"' not in text_of(page)


@pytest.mark.parametrize(
    ("owed_nusd", "least"),
    [
        (20_000_000_001, {"USD": (2_001, "$20.01"), "CNY": (14_401, "¥144.01")}),
        (57_301_000_000, {"USD": (5_731, "$57.31"), "CNY": (41_257, "¥412.57")}),
    ],
)
def test_who_owes_more_begins_with_the_least_that_pays_it(
    client, account, paying, owed_nusd, least
):
    owe(account, owed_nusd)
    page = client.get(reverse("billing"))
    assert chosen(page) == ("owed", least["USD"][1])
    shown = text_of(page)
    for currency, (minor, amount) in least.items():
        owed = least["USD"][1]
        said = f"You owe {owed}. {amount} pays all of it."
        assert f'<span class="{currency.lower()}">{said}</span>' in shown
        credit, less = (
            quotes.make(account, currency=currency, net_minor=price, now=NOW).credit_nusd
            for price in (minor, minor - 1)
        )
        assert less < owed_nusd <= credit
    asked = fields(client.post(reverse("billing"), fields(page, way="alipay:qr")))
    client.post(reverse("billing"), asked)
    assert Order.objects.get().net_minor == least["CNY"][0]


def test_the_payment_that_the_form_begins_with_ends_the_debt(
    client, account, paying, django_assert_max_num_queries
):
    owe(account, 57_301_000_000)
    with django_assert_max_num_queries(12):
        page = client.get(reverse("billing"))
    asked = fields(page, way="alipay:qr")
    client.post(reverse("billing"), fields(client.post(reverse("billing"), asked)))
    order = Order.objects.get()
    recovering.on_paid(order, notice_of(order), now=NOW)
    assert holds.frozen(account.pk) is None
    shown = text_of(client.get(reverse("billing")))
    assert "You owe" not in shown
    assert chosen(client.get(reverse("billing"))) == ("2000", "$20.00")


def test_a_debt_above_what_can_be_paid_at_once_begins_with_all_of_that(client, account, paying):
    owe(account, 2_500_000_000_000)
    page = client.get(reverse("billing"))
    assert chosen(page) == ("owed", "$2,000.00")
    assert "Of that $2,000.00 can be paid at a time: pay again for the rest." in text_of(page)
    assert "Of that ¥14,400.00 can be paid at a time" in text_of(page)


def test_what_is_owed_is_said_in_chinese_and_a_choice_of_ones_own_counts(client, account, paying):
    owe(account, 57_301_000_000)
    page = client.get(reverse("billing"), {"way": "alipay:qr", "amount": "50"})
    assert "<dd>¥50.00</dd>" in text_of(page)
    assert not re.search(r'name="preset" value="[^"]*" checked', text_of(page))
    client.cookies["django_language"] = "zh-hans"
    shown = text_of(client.get(reverse("billing")))
    assert "充值 $57.31 即可全部还清。" in shown
    assert "充值 ¥412.57 即可全部还清。" in shown


def test_nobody_who_owes_nothing_can_choose_to_pay_it(client, page):
    response = client.post(reverse("billing"), fields(page, preset="owed"))
    assert "Write an amount like 25 or 12.50." in text_of(response)
    assert not Order.objects.exists()
