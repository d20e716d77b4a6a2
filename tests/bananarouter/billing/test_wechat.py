"""Paying inside WeChat's own browser: who pays, what its bridge is given, what may not be."""

import json
import logging
import re
import traceback
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import wechatpayv3
from django.test import Client
from django.urls import reverse

from bananarouter.pages.billing import wechat
from bananarouter.payment_sandbox import keys as sandbox_keys
from bananarouter.payment_sandbox import wechat_client
from billing.models import Order
from billing.processors import base, config, registry, wechatpay_payer

pytestmark = pytest.mark.django_db
INSIDE = {
    "HTTP_USER_AGENT": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50 NetType/WIFI Language/zh_CN"
}


@pytest.fixture
def phone(alice, paying):
    """Alice's browser, which is WeChat's."""
    phone = Client(**INSIDE)
    phone.force_login(alice)
    return phone


@pytest.fixture
def order(phone, account):
    """An order that was begun inside WeChat."""
    choice = {"way": "wechatpay:jsapi", "other": "72"}
    shown = phone.post(reverse("billing"), choice).content.decode()
    held = {
        name: re.search(f'name="{name}" value="([^"]+)"', shown)[1] for name in ("key", "quote")
    }
    answer = phone.post(reverse("billing"), choice | held)
    order = Order.objects.get(account=account)
    assert answer["Location"] == url(order, "_wechat")
    return order


def url(order, name=""):
    return reverse(f"billing_order{name}", args=[order.number])


def authorized(client, order) -> str:
    """Let WeChat say who pays; return the address that it sends the browser to."""
    there = client.get(url(order, "_wechat"))["Refresh"].removeprefix("0;url=")
    assert there.endswith("#wechat_redirect")
    answer = requests.get(there, timeout=5, allow_redirects=False)
    assert answer.status_code == 302
    return answer.headers["Location"]


def call_of(page) -> dict[str, str]:
    """Return what the page gives to WeChat's bridge."""
    return json.loads(unescape(re.search(r'data-wechat-call="([^"]+)"', page.content.decode())[1]))


def at_bridge(paying, call, do="pay", **changed):
    return requests.post(f"{paying.url}/sandbox/wechat", call | {"do": do} | changed, timeout=5)


def test_wechat_says_who_pays_and_its_bridge_takes_the_money(phone, order, paying):
    assert (order.state, order.method, order.session_ref) == ("created", "jsapi", "")
    back = urlsplit(authorized(phone, order))
    answer = phone.get(f"{back.path}?{back.query}")
    assert answer["Location"] == url(order) + "?go=1"
    order.refresh_from_db()
    assert order.state == "pending"
    page = phone.get(answer["Location"])
    assert "js/wechat_pay" in page.content.decode()
    call = call_of(page)
    assert call["package"] == f"prepay_id={order.session_ref}"
    assert at_bridge(paying, call).text == "get_brand_wcpay_request:ok"
    assert paying.payment("wechatpay", order.number)["state"] == "paid"
    shown = phone.post(url(order, "_check"), follow=True).content.decode()
    assert "The credit is in your balance." in shown
    assert "data-wechat-call" not in shown
    assert phone.get(url(order, "_wechat"))["Location"] == url(order) + "?go=1"


def test_the_bridge_is_given_what_an_independent_sdk_signs(paying):
    keys = paying.keys
    oracle = wechatpayv3.WeChatPay(
        wechatpay_type=wechatpayv3.WeChatPayType.JSAPI,
        mchid=keys.wechatpay_mchid,
        private_key=keys.merchant_key,
        cert_serial_no=keys.wechatpay_serial,
        appid=keys.wechatpay_appid,
        apiv3_key=keys.wechatpay_api_v3_key,
        public_key=sandbox_keys.public_pem(keys.wechatpay_key),
        public_key_id=keys.wechatpay_public_key_id,
    )
    call = registry.wechat_payers().client_call("wx201410272009395522657a690389285100")
    signed = [call[name] for name in ("appId", "timeStamp", "nonceStr", "package")]
    assert call["paySign"] == oracle.sign(signed)
    assert call["signType"] == "RSA"


@pytest.mark.parametrize(
    "changed", [{"package": "prepay_id=wx0"}, {"timeStamp": "1"}, {"signType": "MD5"}]
)
def test_the_sandbox_pays_nothing_that_the_merchant_did_not_sign(phone, order, paying, changed):
    back = urlsplit(authorized(phone, order))
    call = call_of(phone.get(f"{back.path}?{back.query}", follow=True))
    answer = at_bridge(paying, call, **changed)
    assert (answer.status_code, answer.text) == (400, "get_brand_wcpay_request:fail")
    assert paying.payment("wechatpay", order.number)["state"] == "open"
    assert at_bridge(paying, call, do="cancel").text == "get_brand_wcpay_request:cancel"


def test_the_page_in_place_of_wechat_says_that_it_is_one_and_leads_back(phone, order, paying):
    back = urlsplit(authorized(phone, order))
    shown = phone.get(f"{back.path}?{back.query}", follow=True).content.decode()
    there = unescape(re.search(r'href="([^"]+)" data-wechat-sandbox', shown)[1])
    assert "Sandbox: this stands in for WeChat." in requests.get(there, timeout=5).text
    answer = requests.post(there, {"do": "pay"}, timeout=5, allow_redirects=False)
    assert answer.headers["Location"].endswith(url(order))
    assert paying.payment("wechatpay", order.number)["state"] == "paid"


def test_a_code_of_another_session_or_order_tells_nothing(phone, order, alice, order_of, account):
    there = urlsplit(authorized(phone, order))
    stranger = Client(**INSIDE)
    stranger.force_login(alice)
    shown = stranger.get(f"{there.path}?{there.query}", follow=True).content.decode()
    assert "This did not come from the payment that you began here." in shown
    other = order_of(account, processor="wechatpay", method="jsapi", state="created", pay_url="")
    answer = phone.get(f"{url(other, '_wechat_back')}?{there.query}")
    assert answer["Location"] == url(other)
    # The word counted once: what it was for begins again, too.
    phone.get(f"{there.path}?{there.query}")
    assert set(Order.objects.values_list("state", flat=True)) == {"created"}
    assert wechat.SESSION_KEY not in phone.session


@pytest.mark.parametrize("code", ["", "short", "0" * 32, "a b" * 9, "x" * 129])
def test_a_code_that_wechat_did_not_give_is_told_so_and_may_be_asked_anew(phone, order, code):
    state = parse_qs(urlsplit(authorized(phone, order)).query)["state"][0]
    shown = phone.get(url(order, "_wechat_back"), {"code": code, "state": state}, follow=True)
    assert "WeChat did not say who pays" in shown.content.decode()
    order.refresh_from_db()
    assert order.state == "created"
    assert url(order, "_wechat") in shown.content.decode()


def test_wechat_that_is_away_costs_nothing(phone, order, paying):
    back = urlsplit(authorized(phone, order))
    paying.turn(fail_calls=1)
    shown = phone.get(f"{back.path}?{back.query}", follow=True).content.decode()
    assert "WeChat does not answer right now." in shown
    order.refresh_from_db()
    assert order.state == "created"


def test_in_wechats_preview_nobody_pays_and_the_page_says_how_to_leave_it(phone, order, paying):
    back = urlsplit(authorized(phone, order))
    paying.turn(preview=True)
    shown = phone.get(f"{back.path}?{back.query}", follow=True).content.decode()
    assert "Tap “Use full services”" in shown
    order.refresh_from_db()
    assert order.state == "created"
    paying.turn(preview=False)
    back = urlsplit(authorized(phone, order))
    phone.get(f"{back.path}?{back.query}")
    order.refresh_from_db()
    assert order.state == "pending"


def test_only_wechats_browser_is_offered_it_and_only_with_the_apps_secret(
    client, phone, paying, settings
):
    page = reverse("billing")
    assert "wechatpay:jsapi" not in client.get(page).content.decode()
    inside = phone.get(page).content.decode()
    assert "wechatpay:jsapi" in inside
    assert "wechatpay:qr" not in inside
    assert "own browser. To pay on this phone" not in inside
    settings.PAYMENTS = replace(
        settings.PAYMENTS, wechatpay=replace(settings.PAYMENTS.wechatpay, app_secret="")
    )
    without = phone.get(page).content.decode()
    assert "wechatpay:jsapi" not in without
    assert "wechatpay:qr" in without
    assert "own browser. To pay on this phone" in without


def test_elsewhere_the_order_says_where_it_is_paid(client, phone, order):
    shown = client.get(url(order)).content.decode()
    assert "This order is paid inside WeChat" in shown
    assert "js/wechat_pay" not in shown
    assert "It waits for you to pay it in WeChat." in phone.get(url(order)).content.decode()


def test_an_order_that_is_paid_in_another_way_leads_back_to_its_page(phone, account, order_of):
    other = order_of(account)
    for step in ("_wechat", "_wechat_back"):
        assert phone.get(url(other, step))["Location"] == url(other, "")


def test_neither_the_apps_secret_nor_the_payer_is_told_to_any_log(phone, order, paying, caplog):
    with caplog.at_level(logging.DEBUG):
        back = urlsplit(authorized(phone, order))
        paying.turn(fail_calls=1)
        phone.get(f"{back.path}?{back.query}")
        back = urlsplit(authorized(phone, order))
        phone.get(f"{back.path}?{back.query}")
        keys = registry.wechat_payers()._keys
        nowhere = config.WeChatPay(
            url="", appid="a", app_secret="s3cret-s3cret", api_url="http://127.0.0.1:9"
        )
        gone = wechatpay_payer.Payers(nowhere)
        with pytest.raises(base.Unavailable) as error:
            gone.openid("0" * 32)
    said = (
        caplog.text + repr(keys) + repr(nowhere) + "".join(traceback.format_exception(error.value))
    )
    assert keys.app_secret not in said
    assert "s3cret" not in said
    assert error.value.__cause__ is None
    order.refresh_from_db()
    assert order.state == "pending"
    assert wechat_client.OPENID not in said + json.dumps(list(phone.session.items()), default=str)
    assert not [name for name in Order.objects.values()[0].values() if name == wechat_client.OPENID]


def test_the_apps_secret_leaves_by_https_alone():
    keys = config.WeChatPay(url="", appid="a", app_secret="s", api_url="http://api.example.com")
    with pytest.raises(base.Unavailable, match="not_https"):
        wechatpay_payer.Payers(keys).openid("0" * 32)
