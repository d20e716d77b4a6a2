"""Answers of Alipay's gateway: what is not signed, broken, or about something else is no fact."""

import datetime as dt
import json

import pytest

from billing.processors import alipay_wire
from billing.processors.base import Ask, NoticeKind, Refused, Unavailable
from tests.billing.processors import sandboxes
from tests.billing.processors.alipay_notices import NUMBER, TRADE, adapter, signature

QUERY, REFUND = "alipay_trade_query_response", "alipay_trade_refund_response"
LATER = "alipay_trade_fastpay_refund_query_response"
PAID = {
    "code": "10000", "msg": "Success", "out_trade_no": NUMBER, "trade_no": TRADE,
    "trade_status": "TRADE_SUCCESS", "total_amount": "20.00",
    "send_pay_date": "2026-11-26 20:00:00",
}  # fmt: skip
ASK = Ask(
    number=NUMBER, amount_minor=2_000, currency="CNY", method="qr", subject="balance",
    expires_at=dt.datetime(2026, 11, 26, tzinfo=dt.UTC), notify_url="https://example.com/hooks",
    return_url="https://example.com/", cancel_url="https://example.com/",
)  # fmt: skip
FAILED = {"code": "40004", "msg": "Business Failed"}


@pytest.fixture(scope="module")
def listening():
    with sandboxes.receive() as receiver:
        yield receiver


@pytest.fixture
def gateway(listening):
    listening.deliveries.clear()
    listening.status, listening.reply = 200, b""
    return listening


def ours(gateway):
    return adapter(url=f"{gateway.url}/gateway.do")


def answer(said, *, name=QUERY, owner="alipay", more="") -> bytes:
    raw = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    sign = signature(raw.encode(), owner=owner)
    return f'{{"{name}":{raw}{more},"sign":"{sign}"}}'.encode()


def unsigned(said, *, name=QUERY) -> bytes:
    return json.dumps({name: said}).encode()


def test_an_answer_is_read(gateway):
    gateway.reply = answer(PAID)
    told = ours(gateway).query(ASK)
    assert (told.kind, told.payment_ref, told.amount_minor) == (NoticeKind.PAID, TRADE, 2_000)
    assert told.occurred_at.isoformat() == "2026-11-26T20:00:00+08:00"


def test_numbers_are_read_without_a_float(gateway):
    gateway.reply = answer(json.dumps(PAID).replace('"20.00"', "4.35"))
    assert ours(gateway).query(ASK).amount_minor == 435


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"", "broken_answer"),
        (b"<html>busy</html>", "broken_answer"),
        (b"\xff\xfe", "broken_answer"),
        (b"[]", "broken_answer"),
        (b"{}", "broken_answer"),
        (b"{" * 100_000, "broken_answer"),
        (b'{"a":' + b"[" * 100_000, "broken_answer"),
        (answer(PAID)[:-1], "broken_answer"),
        (answer(PAID) + b"{}", "broken_answer"),
        (answer(PAID, name="alipay_trade_close_response"), "broken_answer"),
        (answer(PAID, name=f'a":1,"{QUERY}":{{}},"{QUERY}'), "broken_answer"),
        (answer('{"code":"10000","code":"10000"}'), "broken_answer"),
        (answer('"10000"'), "broken_answer"),
        (answer(PAID, more=',"sign":"AAAA"'), "broken_answer"),
        (answer(PAID, more=',"alipay_cert_sn":1'), "broken_answer"),
        (unsigned(PAID), "unsigned"),
        (unsigned(FAILED | {"sub_code": "isv.invalid-app-id"}), "isv.invalid_app_id"),
        (unsigned(FAILED | {"sub_code": "ACQ.TRADE_NOT_EXIST"}), "acq.trade_not_exist"),
        (answer(PAID, owner="stranger"), "bad_signature"),
        (answer(PAID).replace(b"20.00", b"99.00"), "bad_signature"),
        (answer(PAID).replace(b": ", b":", 1), "bad_signature"),
        (answer(PAID | {"out_trade_no": "f" * 32}), "other_answer"),
        (answer(PAID | {"trade_status": "TRADE_SUCCEEDED"}), "unknown_status"),
        (answer(PAID | {"trade_no": ""}), "broken_answer"),
        (answer(PAID | {"total_amount": "20.001"}), "broken_answer"),
        (answer(PAID | {"total_amount": None}), "broken_answer"),
        (answer(FAILED | {"sub_code": "ACQ.SYSTEM_ERROR"}), "acq.system_error"),
        (answer({"code": "20000", "sub_code": "isp.unknow-error"}), "isp.unknow_error"),
        (answer({"code": "20000"}), "20000"),
    ],
)
def test_what_is_no_fact_is_not_taken_for_one(gateway, reply, code):
    gateway.reply = reply
    with pytest.raises(Unavailable) as caught:
        ours(gateway).query(ASK)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("said", "name", "code"),
    [
        (FAILED | {"sub_code": "ACQ.INVALID_PARAMETER"}, QUERY, "acq.invalid_parameter"),
        ({"code": "40006"}, QUERY, "40006"),
        ({"code": "40002", "sub_code": "isv.invalid-timestamp"}, "error_response",
         "isv.invalid_timestamp"),
        ({}, QUERY, "no_code"),
    ],
)  # fmt: skip
def test_a_signed_no_is_a_no(gateway, said, name, code):
    gateway.reply = answer(said, name=name)
    with pytest.raises(Refused) as caught:
        ours(gateway).query(ASK)
    assert caught.value.code == code


def test_an_answer_with_another_status_is_none(gateway):
    gateway.reply, gateway.status = answer(PAID), 502
    with pytest.raises(Unavailable, match="http_502"):
        ours(gateway).query(ASK)


def test_no_redirect_is_followed(gateway):
    gateway.reply, gateway.status = answer(PAID), 302
    with pytest.raises(Unavailable, match="http_302"):
        ours(gateway).query(ASK)


def refund(gateway):
    return ours(gateway).refund(
        ASK, payment_ref=TRADE, refund_id="f" * 32, amount_minor=500, reason="asked for"
    )


def test_a_refund_is_done_when_money_moved(gateway):
    done = {"code": "10000", "out_trade_no": NUMBER, "trade_no": TRADE, "refund_fee": "7.00"}
    gateway.reply = answer(done | {"fund_change": "Y"}, name=REFUND)
    told = refund(gateway)  # 2 yuan of the 7 went back before
    assert (told.kind, told.refund_minor, told.refund_id) == (NoticeKind.REFUNDED, 500, "f" * 32)
    assert len(gateway.deliveries) == 1
    sent = gateway.deliveries[0]
    assert "alipay.trade.refund" in sent.path
    assert b"%22refund_amount%22%3A%225.00%22" in sent.body


@pytest.mark.parametrize(
    "said", [{"fund_change": "N"}, {}, {"fund_change": "Y", "refund_fee": "4.99"}]
)
def test_a_refund_that_moved_nothing_is_asked_about(gateway, said):
    done = {"code": "10000", "out_trade_no": NUMBER, "trade_no": TRADE, "refund_fee": "7.00"}
    gateway.reply = answer(done | said, name=REFUND)
    with pytest.raises(Unavailable, match="broken_answer"):  # the same answer to the question
        refund(gateway)
    assert [("fastpay" in one.path) for one in gateway.deliveries] == [False, True]


def test_a_refund_that_is_not_there_yet_is_sent_again(gateway):
    done = {"code": "10000", "out_trade_no": NUMBER, "trade_no": TRADE, "fund_change": "N"}
    # The same text, so the same signature, answers the call and the question after it.
    again = f',"{LATER}":{json.dumps(done)}'
    gateway.reply = answer(done, name=REFUND, more=again)
    with pytest.raises(Unavailable, match="not_refunded_yet"):
        refund(gateway)


@pytest.mark.parametrize(
    ("sub_code", "error"),
    [("ACQ.SELLER_BALANCE_NOT_ENOUGH", Unavailable), ("ACQ.SYSTEM_ERROR", Unavailable),
     ("ACQ.TRADE_HAS_FINISHED", Refused), ("ACQ.TRADE_NOT_EXIST", Refused)],
)  # fmt: skip
def test_a_refund_is_tried_again_only_where_it_may_succeed(gateway, sub_code, error):
    gateway.reply = answer(FAILED | {"sub_code": sub_code}, name=REFUND)
    with pytest.raises(error) as caught:
        refund(gateway)
    assert type(caught.value) is error


def test_our_calls_hold_no_key(gateway):
    gateway.reply = answer(PAID)
    ours(gateway).query(ASK)
    sent = gateway.deliveries[0]
    assert b"PRIVATE" not in sent.body
    assert "PRIVATE" not in sent.path
    assert "sign_type=RSA2" in sent.path
    assert "charset=utf-8" in sent.path


@pytest.mark.parametrize("minor", [0, 1, 9, 10, 99, 100, 101, 435, 7_205, 10_000_000_000])
def test_yuan_and_back(minor):
    assert alipay_wire.fen(alipay_wire.yuan(minor)) == minor


def test_a_bill_may_be_below_zero_where_a_price_may_not():
    assert alipay_wire.signed_fen("-0.12") == -12
    with pytest.raises(alipay_wire.Malformed):
        alipay_wire.fen("-0.12")
