"""WeChat Pay's webhooks without a network, and its bill as text."""

import base64
import contextlib
import dataclasses
import datetime as dt
import json
import random
import socket
import time

import pytest
from django.http.request import HttpHeaders

from bananarouter.payment_sandbox import keys as sandbox_keys
from billing.processors import signing, wechatpay_bill
from billing.processors.base import Ask, Notice, NoticeKind, Refused, WebhookRefused
from billing.processors.wechatpay import WeChatPay
from tests.billing.processors import wechatpay_deliveries as deliveries

NOW = 1_795_600_000


@pytest.fixture(scope="module")
def maker():
    return deliveries.Maker(keys=sandbox_keys.make(), stranger=sandbox_keys.make(), now=NOW)


@pytest.fixture(scope="module")
def processor(maker):
    return WeChatPay(deliveries.config(maker.keys))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever connects while a webhook is verified fails the test."""

    def connect(*_):
        raise AssertionError("a webhook must not make us call anybody")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


def verify(processor, delivery) -> Notice:
    headers, body = delivery
    return processor.verify_webhook(headers, body, now=NOW + 0.5)


def test_a_payment_says_what_was_paid_and_to_whom(processor, maker):
    headers, body = maker.payment()
    notice = verify(processor, (headers, body))
    assert notice == Notice(
        processor="wechatpay",
        event_id=json.loads(body)["id"],
        kind=NoticeKind.PAID,
        order_ref=deliveries.NUMBER,
        payment_ref=deliveries.PAYMENT_REF,
        amount_minor=7200,
        currency="CNY",
        merchant=f"{maker.keys.wechatpay_mchid}/{maker.keys.wechatpay_appid}",
        is_live=False,
        occurred_at=notice.occurred_at,
    )
    assert notice.occurred_at.isoformat() == "2026-11-26T10:34:56+08:00"
    assert "oUpF8uMuAJO" not in json.dumps(notice.to_json()), "the payer's id stays outside"


def test_the_merchant_of_a_notice_is_how_the_processor_names_it(processor, maker):
    assert verify(processor, maker.payment()).merchant == processor.merchant
    assert verify(processor, maker.refund()).merchant == processor.merchant


@pytest.mark.clause("1.3-processors")
@pytest.mark.parametrize("name", deliveries.FORGERIES)
def test_what_is_forged_or_abnormal_is_refused(processor, maker, name):
    code, forge = deliveries.FORGERIES[name]
    with pytest.raises(WebhookRefused) as refusal:
        verify(processor, forge(maker))
    assert refusal.value.code == code
    assert "CNY" not in str(refusal.value)


def test_there_are_enough_forgeries():
    assert len(deliveries.FORGERIES) >= 45


def test_both_kinds_of_keys_are_taken_at_once(processor, maker):
    keys = maker.keys
    for serial, key in (
        (keys.wechatpay_public_key_id, keys.wechatpay_key),
        (keys.wechatpay_platform_serial, keys.wechatpay_platform_key),
        (keys.wechatpay_platform_serial.lower(), keys.wechatpay_platform_key),
    ):
        body = maker.body(maker.sealed(maker.paid()))
        assert verify(processor, maker.signed(body, key=key, serial=serial)).kind == NoticeKind.PAID


def test_a_key_that_is_set_no_more_is_believed_no_more(maker):
    keys = deliveries.config(maker.keys)
    left = {maker.keys.wechatpay_platform_serial: maker.keys.wechatpay_platform_certificate}
    processor = WeChatPay(dataclasses.replace(keys, public_keys=left))
    with pytest.raises(WebhookRefused, match="unknown_serial"):
        verify(processor, maker.payment())


def test_nothing_is_believed_without_keys(maker):
    keys = dataclasses.replace(deliveries.config(maker.keys), public_keys={})
    assert not keys.is_set
    with pytest.raises(WebhookRefused, match="unknown_serial"):
        verify(WeChatPay(keys), maker.payment())


@pytest.mark.parametrize("secret", ["", "short", "0" * 33])
def test_a_wrong_secret_opens_nothing(maker, secret):
    keys = dataclasses.replace(deliveries.config(maker.keys), api_v3_key=secret)
    with pytest.raises(WebhookRefused, match="cipher"):
        verify(WeChatPay(keys), maker.payment())


@pytest.mark.parametrize("offset_s", [-300, 0, 300])
def test_a_clock_may_be_off_by_five_minutes_both_ways(processor, maker, offset_s):
    headers, body = deliveries.moved(maker, offset_s).payment()
    assert processor.verify_webhook(headers, body, now=float(NOW)).kind == NoticeKind.PAID


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_header_names_have_no_case(processor, maker, spell):
    headers, body = maker.payment()
    headers = {spell(name): value for name, value in headers.items()}
    assert verify(processor, (headers, body)).kind == NoticeKind.PAID


def test_headers_come_as_django_gives_them(processor, maker):
    headers, body = maker.payment()
    names = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    assert verify(processor, (HttpHeaders(names), body)).kind == NoticeKind.PAID


@pytest.mark.parametrize(
    ("state", "kind", "reason"),
    [
        ("SUCCESS", NoticeKind.REFUNDED, ""),
        ("ABNORMAL", NoticeKind.REFUND_FAILED, "abnormal"),
        ("CLOSED", NoticeKind.REFUND_FAILED, "closed"),
    ],
)
def test_a_refund_says_which_and_how_much(processor, maker, state, kind, reason):
    facts = maker.refunded(refund_status=state)
    notice = verify(processor, maker.refund(facts, kind=f"REFUND.{state}"))
    assert (notice.kind, notice.reason) == (kind, reason)
    assert (notice.refund_id, notice.refund_minor) == (deliveries.REFUND_ID, 1200)
    assert notice.refund_ref == facts["refund_id"]
    assert (notice.order_ref, notice.payment_ref) == (deliveries.NUMBER, deliveries.PAYMENT_REF)
    assert (notice.amount_minor, notice.currency) == (7200, "CNY")
    assert "招商" not in json.dumps(notice.to_json(), ensure_ascii=False)


def test_a_refund_made_at_their_desk_has_no_id_of_ours(processor, maker):
    notice = verify(processor, maker.refund(maker.refunded(out_refund_no="DESK-1")))
    assert (notice.kind, notice.refund_id) == (NoticeKind.REFUNDED, "")


@pytest.mark.parametrize("kind", ["TRANSACTION.FAIL", "COUPON.USE", "MCHTRANSFER.BILL.FINISHED"])
def test_other_events_are_nothing_to_us(processor, maker, kind):
    notice = verify(processor, maker.payment(event_type=kind))
    assert notice.kind == NoticeKind.OTHER
    assert (notice.order_ref, notice.payment_ref, notice.amount_minor) == ("", "", 0)
    assert notice.reason == kind.lower()


@pytest.mark.parametrize(
    "change",
    [
        {"mchid": "1999999999"},
        {"appid": "wx9999999999999999"},
        {"amount": {"total": 1, "currency": "CNY"}},
        {"amount": {"total": 7200, "currency": "USD"}},
        {"out_trade_no": "ANOTHER_SHOP_1"},
    ],
)
def test_what_is_signed_but_not_ours_keeps_its_own_facts(processor, maker, change):
    """billing.payments.suspense compares them with the order: nothing is filled in for them."""
    facts = maker.paid(**change)
    notice = verify(processor, maker.payment(facts))
    assert notice.merchant == f"{facts['mchid']}/{facts['appid']}"
    assert notice.amount_minor == facts["amount"]["total"]
    assert notice.currency == facts["amount"]["currency"]
    assert notice.order_ref == facts["out_trade_no"]


@pytest.mark.parametrize("said", [None, "", "yesterday", "2026-11-26T10:34:56", 7, "9999999"])
def test_a_payment_is_paid_whenever_it_says_it_was(processor, maker, said):
    facts = maker.paid()
    del facts["success_time"]
    facts |= {} if said is None else {"success_time": said}
    notice = verify(processor, maker.payment(facts))
    assert (notice.kind, notice.occurred_at) == (NoticeKind.PAID, None)


def test_the_same_delivery_has_the_same_id(processor, maker):
    delivery = maker.payment()
    assert verify(processor, delivery) == verify(processor, delivery)
    again = maker.signed(delivery[1])  # a retry is signed anew
    assert verify(processor, again).event_id == verify(processor, delivery).event_id


def _means_the_same(where: str, spoiled: bytes, text: bytes) -> bool:
    """Serials have no case; the last letter of base64 has bits that say nothing."""
    if where == "Wechatpay-Serial":
        return spoiled.upper() == text.upper()
    if where == "Wechatpay-Signature":
        with contextlib.suppress(ValueError):
            return base64.b64decode(spoiled, validate=True) == base64.b64decode(text)
    return spoiled == text


def test_no_spoiled_byte_gets_through_and_nothing_breaks(processor, maker):
    """Random bytes changed, cut or doubled, in the headers and in the body."""
    rng = random.Random(7)
    for _ in range(500):
        headers, body = maker.payment()
        where = rng.choice([*headers, "body", "body"])
        text = body if where == "body" else headers[where].encode()
        at = rng.randrange(len(text))
        new = bytes([rng.randrange(1, 128)])
        spoiled = rng.choice(
            [text[:at] + new + text[at + 1 :], text[:at], text[:at] + text[at - 1 :]]
        )
        if _means_the_same(where, spoiled, text):
            continue
        if where == "body":
            body = spoiled
        else:
            headers = {**headers, where: spoiled.decode()}
        with pytest.raises(WebhookRefused):
            verify(processor, (headers, body))


def test_random_shapes_under_a_good_signature_are_read_or_refused(processor, maker):
    rng, read = random.Random(11), 0
    odd = [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "SUCCESS",
        "\0",
        [],
        {},
        [[]],
        {"total": 1},
        "é" * 70,
        10**19,
    ]
    for _ in range(300):
        facts = rng.choice([maker.paid, maker.refunded])()
        for name in rng.sample(sorted(facts), 2):
            facts[name] = rng.choice(odd)
        event = json.loads(maker.body(maker.sealed(facts), kind=rng.choice(
            ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "REFUND.CLOSED", "X.Y"]
        )))  # fmt: skip
        if rng.random() < 0.3:
            event[rng.choice(sorted(event))] = rng.choice(odd)
        with contextlib.suppress(WebhookRefused):  # any other exception fails the test
            notice = verify(processor, maker.signed(json.dumps(event).encode()))
            json.dumps(notice.to_json())
            read += 1
            if notice.kind == NoticeKind.PAID:
                assert notice.amount_minor > 0
                assert facts["trade_state"] == "SUCCESS"
    assert 0 < read < 300


def test_only_their_own_address_is_real_money(maker):
    keys = deliveries.config(maker.keys)
    for url, is_live in (
        ("https://api.mch.weixin.qq.com", True),
        ("https://api.mch.weixin.qq.com:443", True),
        ("https://api.mch.weixin.qq.com.example.com", False),
        ("https://example.com/api.mch.weixin.qq.com", False),
        ("http://127.0.0.1:9", False),
    ):
        processor = WeChatPay(dataclasses.replace(keys, url=url))
        assert processor.is_live is is_live, url
        assert verify(processor, maker.payment()).is_live is is_live


def test_it_answers_as_they_want(processor):
    assert (processor.accepted.status, processor.accepted.body) == (204, b"")
    assert processor.refused.status == 401
    assert json.loads(processor.refused.body) == {"code": "FAIL", "message": "refused"}


def ask(**change) -> Ask:
    found = {
        "number": deliveries.NUMBER,
        "amount_minor": 7200,
        "currency": "CNY",
        "method": "qr",
        "subject": "BananaRouter balance",
        "expires_at": dt.datetime.fromtimestamp(time.time() + 1_800, dt.UTC),
        "notify_url": "http://127.0.0.1:9/hooks/wechatpay",
        "return_url": "http://127.0.0.1:9/billing/orders/1",
        "cancel_url": "http://127.0.0.1:9/billing/orders/1?cancelled=1",
    }
    return Ask(**(found | change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "checkout"}, "method"),
        ({"method": "h5"}, "no_client_ip"),
        ({"method": "jsapi"}, "no_openid"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anybody_is_called(processor, change, code):
    with pytest.raises(Refused) as refusal:
        processor.create(ask(**change))
    assert refusal.value.code == code


HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
    "货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
    "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
PAID = (
    "`2026-11-26 10:00:00,`wx1,`190,`0,`,`42001,`aa11,`o1,`NATIVE,`SUCCESS,`OTHERS,`CNY,`9.90,"
    "`0.00,`0,`0,`0.00,`0.00,`,`,`Balance, with a comma,`,`0.05940,`0.60%,`9.90,`0.00,`"
)
BACK = (
    "`2026-11-26 11:00:00,`wx1,`190,`0,`,`42001,`aa11,`o1,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,"
    "`50301,`bb22,`4.00,`0.00,`ORIGINAL,`SUCCESS,`Balance,`,`-0.02400,`0.60%,`0.00,`4.00,`"
)
FOOT = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
SUMS = "`2,`9.90,`4.00,`0.00,`0.04000,`9.90,`4.00"


def bill(*lines: str) -> bytes:
    return "\r\n".join(("\ufeff" + lines[0], *lines[1:], "")).encode()


def test_a_bill_is_read_in_fen():
    paid, back = wechatpay_bill.read(bill(HEAD, PAID, BACK, FOOT, SUMS))
    assert (paid.kind, paid.amount_minor, paid.fee_minor) == ("payment", 990, 6)
    assert (paid.row_ref, paid.payment_ref, paid.order_ref) == ("42001", "42001", "aa11")
    assert (paid.refund_ref, paid.status, paid.currency) == ("", "success", "CNY")
    assert (back.kind, back.amount_minor, back.fee_minor) == ("refund", -400, -2)
    assert (back.row_ref, back.refund_ref, back.payment_ref) == ("50301", "50301", "42001")
    assert back.order_ref == "aa11"


def test_a_bill_without_trades_is_empty():
    assert wechatpay_bill.read(bill(HEAD, FOOT, "`0,`0.00,`0.00,`0.00,`0.00,`0.00,`0.00")) == []


def test_columns_are_found_by_name():
    order = [5, 6, 9, 11, 14, 19, 22, 24, 25]
    names = HEAD.split(",")
    values = PAID.removeprefix("`").split(",`")
    moved = bill(
        ",".join(names[index] for index in order),
        ",".join(f"`{values[index]}" for index in order),
        FOOT,
        "`1,`9.90,`0.00,`0.00,`0.05940,`9.90,`0.00",
    )
    (row,) = wechatpay_bill.read(moved)
    assert (row.amount_minor, row.payment_ref) == (990, "42001")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"", "too_short"),
        (b"\xff\xfe", "encoding"),
        (b'{"code":"SYSTEM_ERROR"}', "too_short"),
        (bill(HEAD, PAID, BACK), "row"),  # cut off before its footer
        (bill(HEAD, PAID, FOOT, SUMS), "footer_count"),  # a row is missing
        (bill(HEAD, PAID, PAID, FOOT, SUMS), "footer_sum"),
        (bill(HEAD, PAID.replace("`9.90", "`9.91"), BACK, FOOT, SUMS), "footer_sum"),
        (bill(HEAD, PAID, BACK.replace("`4.00", "`4.01"), FOOT, SUMS), "footer_sum"),
        (bill(HEAD, PAID.replace("`9.90", "`9.905"), BACK, FOOT, SUMS), "amount"),
        (bill(HEAD, PAID.replace("`9.90", "`9,90"), BACK, FOOT, SUMS), "amount"),
        (bill(HEAD, PAID.replace("`9.90", "`NaN"), BACK, FOOT, SUMS), "amount"),
        (bill(HEAD, PAID.replace("`SUCCESS", "`CLOSED"), BACK, FOOT, SUMS), "state"),
        (bill(HEAD, PAID, BACK.replace("`50301", "`0"), FOOT, SUMS), "reference"),
        (bill(HEAD, PAID.replace("`wx1,", ""), BACK, FOOT, SUMS), "row"),
        (bill(HEAD.replace("订单金额", "金额"), PAID, BACK, FOOT, SUMS), "columns"),
    ],
)
def test_a_bill_that_is_not_whole_is_refused(file, code):
    with pytest.raises(wechatpay_bill.BadBill, match=f"^{code}$"):
        wechatpay_bill.read(file)


@pytest.mark.parametrize(
    ("yuan", "fen", "rounded"),
    [
        ("0.01", 1, 1), ("1", 100, 100), ("1.5", 150, 150), ("0.00000", 0, 0), ("-0.00", 0, 0),
        ("123456789.99", 12_345_678_999, 12_345_678_999), ("-4.00", -400, -400),
        ("0.29", 29, 29), ("4.35", 435, 435), ("1.10", 110, 110),  # what floats get wrong
        ("0.00500", None, 1), ("0.00499", None, 0), ("-0.00500", None, -1),
        ("1e2", None, None), ("", None, None), (" 1", None, None), ("1.", None, None),
        ("\u0661", None, None),
    ],
)  # fmt: skip
def test_yuan_become_fen_by_integers(yuan, fen, rounded):
    for wanted, is_rounded in ((fen, False), (rounded, True)):
        if wanted is None:
            with pytest.raises(wechatpay_bill.BadBill):
                wechatpay_bill.fen(yuan, is_rounded=is_rounded)
        else:
            assert wechatpay_bill.fen(yuan, is_rounded=is_rounded) == wanted


def test_a_public_key_is_asked_for_only_where_one_is_set(maker):
    keys = deliveries.config(maker.keys)
    certificate = maker.keys.wechatpay_platform_serial
    left = {certificate: keys.public_keys[certificate]}
    for public_keys, wanted in (
        (keys.public_keys, maker.keys.wechatpay_public_key_id),
        (left, None),
    ):
        wire = WeChatPay(dataclasses.replace(keys, public_keys=public_keys))._wire
        headers = wire._headers("GET", f"{keys.url}/v3/x", b"")
        assert headers.get("Wechatpay-Serial") == wanted


def test_our_own_signature_is_checked_with_our_own_key(maker):
    """What the sandbox and the oracle check, once here: the signer is the merchant's key."""
    text = signing.sign(maker.keys.merchant_key, b"x")
    assert signing.is_signed(sandbox_keys.public_pem(maker.keys.merchant_key), text, b"x")
    assert not signing.is_signed(sandbox_keys.public_pem(maker.keys.wechatpay_key), text, b"x")
