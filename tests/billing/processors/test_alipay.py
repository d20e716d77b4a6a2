"""Alipay's notices: the forged and the abnormal are refused or harmless, the good understood."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from billing.processors.alipay import certificate_sn, root_sn
from billing.processors.base import NoticeKind, Processor, WebhookRefused
from tests.billing.processors import alipay_notices as notices
from tests.billing.processors.alipay_notices import (
    HEADERS,
    NOW,
    NUMBER,
    TRADE,
    adapter,
    body,
    payment,
    refund,
    signature,
    signed,
)


def verify(sent: bytes, *, headers=HEADERS, now=NOW, ours=None):
    return (ours or adapter()).verify_webhook(headers, sent, now=now)


def altered(**changed) -> bytes:
    """A good notice, changed after it was signed."""
    fields = signed(payment()) | changed
    return body({name: value for name, value in fields.items() if value is not None})


def good(**changed) -> bytes:
    return body(signed(payment(**changed)))


def sig(change) -> bytes:
    fields = signed(payment())
    return body(fields | {"sign": change(fields["sign"])})


def flipped(sign: str) -> str:
    raw = bytearray(base64.b64decode(sign))
    raw[100] ^= 1
    return base64.b64encode(raw).decode()


def swapped() -> bytes:
    fields = signed(payment(total_amount="20.00", receipt_amount="19.00"))
    return body(fields | {"total_amount": "19.00", "receipt_amount": "20.00"})


def covers_sign_type() -> bytes:
    fields = payment() | {"sign_type": "RSA2"}
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    return body(fields | {"sign": signature(text.encode())})


def covers_encoded() -> bytes:
    fields = payment()
    text = b"&".join(sorted(body(fields).split(b"&")))
    return body(fields | {"sign_type": "RSA2", "sign": signature(text)})


def cut_anew() -> bytes:
    """What was signed, with its last fields moved into the value of another."""
    fields = signed(payment())
    fields["subject"] = f"{fields['subject']}&total_amount={fields.pop('total_amount')}"
    return body(fields)


def grown() -> bytes:
    """A subject of the payer's choice that, cut anew, would say another amount."""
    asked = payment(subject="x&total_amount=999.00&trade_aaa=1")
    fields = signed(asked) | {"subject": "x", "total_amount": "999.00"}
    return body(fields | {"trade_aaa": "1&total_amount=20.00"})


def of_return_page() -> bytes:
    """What Alipay signs into the address where the payer's browser comes back to."""
    names = ("charset", "out_trade_no", "total_amount", "trade_no", "seller_id", "app_id")
    told = {name: payment()[name] for name in names} | {
        "method": "alipay.trade.page.pay.return",
        "auth_app_id": notices.APP,
        "timestamp": "2026-11-26 20:00:00",
    }
    return body(signed(told))


def of_answer() -> bytes:
    raw = json.dumps({"code": "10000", "trade_status": "TRADE_SUCCESS"})
    return f'{{"alipay_trade_query_response":{raw},"sign":"{signature(raw.encode())}"}}'.encode()


RAW = signed(payment())

# What is sent, and why it is refused.
REFUSED = {
    # Nobody's signature, or somebody else's.
    "no signature": (lambda: altered(sign=None), "signature"),
    "empty signature": (lambda: altered(sign=""), "signature"),
    "a stranger's key": (lambda: body(signed(payment(), owner="stranger")), "signature"),
    "our own key": (lambda: body(signed(payment(), owner="merchant")), "signature"),
    "SHA-1": (lambda: body(signed(payment(), hashed=hashes.SHA1())), "signature"),  # noqa: S303
    "SHA-512": (lambda: body(signed(payment(), hashed=hashes.SHA512())), "signature"),
    "PSS": (
        lambda: body(signed(payment(), padded=padding.PSS(padding.MGF1(hashes.SHA256()), 32))),
        "signature",
    ),
    "a flipped bit": (lambda: sig(flipped), "signature"),
    "half a signature": (lambda: sig(lambda text: text[:172]), "signature"),
    "twice a signature": (lambda: sig(lambda text: text * 2), "signature"),
    "no base64": (lambda: sig(lambda text: "!" + text), "signature"),
    "base64 with a newline": (lambda: sig(lambda text: text[:76] + "\n" + text[76:]), "signature"),
    "letters that are no ASCII": (lambda: sig(lambda _: "签名"), "signature"),
    "zeros": (lambda: sig(lambda _: base64.b64encode(bytes(256)).decode()), "signature"),
    "the empty text's signature": (lambda: sig(lambda _: signature(b"")), "signature"),
    "covers sign_type": (covers_sign_type, "signature"),
    "covers the encoded form": (covers_encoded, "signature"),
    # Changed after it was signed.
    "another amount": (lambda: altered(total_amount="2000.00"), "signature"),
    "the amount written otherwise": (lambda: altered(total_amount="20.0"), "signature"),
    "another order": (lambda: altered(out_trade_no="f" * 32), "signature"),
    "another trade": (lambda: altered(trade_no="2026112622001400000000000002"), "signature"),
    "another seller": (lambda: altered(seller_id="2088000000000002"), "signature"),
    "another app": (lambda: altered(app_id="2021000000000002"), "signature"),
    "another notice": (lambda: altered(notify_id="2026112600222195723065781437990"), "signature"),
    "a fresh time": (lambda: altered(notify_time="2026-11-26 20:00:01"), "signature"),
    "a field less": (lambda: altered(buyer_id=None), "signature"),
    "a field more": (lambda: altered(passback_params="1"), "signature"),
    "an empty field more": (lambda: altered(refund_fee=""), "signature"),
    "another letter's case": (lambda: altered(trade_status="trade_success"), "signature"),
    "a space more": (lambda: altered(subject="BananaRouter balance "), "signature"),
    "pending made paid": (
        lambda: body(signed(payment(trade_status="WAIT_BUYER_PAY")) | {
            "trade_status": "TRADE_SUCCESS",
        }),
        "signature",
    ),
    "a refund made a payment": (
        lambda: body({
            name: value for name, value in signed(refund()).items()
            if name not in {"out_biz_no", "refund_fee", "gmt_refund"}
        }),
        "signature",
    ),
    "swapped values": (swapped, "signature"),
    "another charset": (lambda: altered(charset="gbk"), "signature"),
    # A weaker way to sign.
    "no sign_type": (lambda: altered(sign_type=None), "sign_type"),
    "RSA": (lambda: altered(sign_type="RSA"), "sign_type"),
    "RSA with its own SHA-1": (
        lambda: body(signed(payment(), hashed=hashes.SHA1()) | {"sign_type": "RSA"}),  # noqa: S303
        "sign_type",
    ),
    "rsa2": (lambda: altered(sign_type="rsa2"), "sign_type"),
    "MD5": (lambda: altered(sign_type="MD5"), "sign_type"),
    "empty sign_type": (lambda: altered(sign_type=""), "sign_type"),
    # No form as Alipay writes one.
    "nothing": (lambda: b"", "form"),
    "JSON": (lambda: json.dumps(RAW).encode(), "form"),
    "an answer of the gateway": (of_answer, "form"),
    "a broken escape": (lambda: body(RAW) + b"%", "form"),
    "an escape of no digits": (lambda: body(RAW).replace(b"%3A", b"%3G", 1), "form"),
    "a name in escapes": (lambda: body(RAW).replace(b"trade_no=", b"trade%5Fno=", 1), "form"),
    "raw letters": (lambda: body(RAW).replace(b"BananaRouter", "香蕉".encode()), "form"),
    "a raw zero byte": (lambda: body(RAW) + b"\x00", "form"),
    "a line break at the end": (lambda: body(RAW) + b"\n", "form"),
    "a field without a value": (lambda: body(RAW) + b"&lonely", "form"),
    "an empty field at the end": (lambda: body(RAW) + b"&", "form"),
    "a field without a name": (lambda: body(RAW) + b"&=1", "form"),
    "semicolons": (lambda: body(RAW).replace(b"&", b";"), "sign_type"),
    "too many fields": (lambda: body(RAW) + b"&a=1" * 100, "form"),
    "too large": (lambda: body(RAW) + b"&a=" + b"1" * (64 << 10), "too_large"),
    "the amount twice": (lambda: body(RAW) + b"&total_amount=999.00", "duplicate_field"),
    "the same amount twice": (lambda: body(RAW) + b"&total_amount=20.00", "duplicate_field"),
    "the signature twice": (lambda: b"sign=1&" + body(RAW), "duplicate_field"),
    "sign_type twice": (lambda: b"sign_type=RSA&" + body(RAW), "duplicate_field"),
    "cut short": (lambda: body(RAW)[:-40], "signature"),
    "cut in an escape": (lambda: body(RAW)[: body(RAW).rindex(b"%") + 1], "form"),
    # Signed text that is cut into other fields.
    "fields inside another": (cut_anew, "ambiguous"),
    "an amount from the subject": (grown, "ambiguous"),
    # Bytes that are no text in their charset.
    "no UTF-8": (
        lambda: body(
            signed(payment(buyer_logon_id="ÿþ"), codec="latin-1"), codec="latin-1"
        ),
        "charset",
    ),
    "GBK that does not say so": (
        lambda: body(signed(payment(charset=None), codec="gbk"), codec="gbk"),
        "charset",
    ),
    "UTF-8 that says GBK": (
        lambda: body(signed(payment(charset="gbk", subject="鱼\u20ac"))),
        "charset",
    ),
    "UTF-7": (lambda: good(charset="utf-7"), "charset"),
    "an unknown charset": (lambda: good(charset="x-user-defined"), "charset"),
    # Signed well, and yet no notice.
    "the return page's address": (of_return_page, "field"),
    "no notify_id": (lambda: good(notify_id=None), "field"),
    "a notify_id with spaces": (lambda: good(notify_id="1 2"), "field"),
    "an endless notify_id": (lambda: good(notify_id="1" * 129), "field"),
    "no notify_type": (lambda: good(notify_type=None), "field"),
    "no order": (lambda: good(out_trade_no=None), "field"),
    "no trade": (lambda: good(trade_no=None), "field"),
    "an empty trade": (lambda: good(trade_no=""), "field"),
    "no app": (lambda: good(app_id=None), "field"),
    "no seller": (lambda: good(seller_id=None), "field"),
    "no status": (lambda: good(trade_status=None), "field"),
    "no time": (lambda: good(notify_time=None), "time"),
    "a time in ISO form": (lambda: good(notify_time="2026-11-26T20:00:00"), "time"),
    "a month 13": (lambda: good(notify_time="2026-13-26 20:00:00"), "time"),
    "a time in wide digits": (lambda: good(notify_time="２026-11-26 20:00:00"), "time"),  # noqa: RUF001
    "from the future": (lambda: good(notify_time="2026-11-26 20:05:01"), "future"),
    "from the day before yesterday": (lambda: good(notify_time="2026-11-25 17:59:59"), "stale"),
    "from last year": (lambda: good(notify_time="2025-11-26 20:00:00"), "stale"),
    "no amount": (lambda: good(total_amount=None), "amount"),
    **{
        f"the amount {text!r}": (lambda text=text: good(total_amount=text), "amount")
        for text in (
            "", "20.001", "-20.00", "+20.00", " 20.00", "20.00 ", "20.00\n", "20,00", "1,000.00",
            "2e3", "NaN", "Infinity", "0x14", "020.00", "20.", ".50", "２０.00", "20.00.00",  # noqa: RUF001
            "9999999999.00", "20.00元", "2_0.00",
        )
    },
    "a refund's amount": (lambda: body(signed(refund(refund_fee="5.001"))), "amount"),
    "a negative refund": (lambda: body(signed(refund(refund_fee="-5.00"))), "amount"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    make, code = REFUSED[name]
    with pytest.raises(WebhookRefused) as caught:
        verify(make())
    assert caught.value.code == code


def test_at_least_45_ways_to_cheat_are_tried():
    sent = {make() for make, _ in REFUSED.values()}
    assert len(sent) == len(REFUSED) >= 45


@pytest.mark.parametrize(
    "kind",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", None],
)
def test_refuses_what_comes_as_another_type(kind):
    headers = {} if kind is None else {"Content-Type": kind}
    with pytest.raises(WebhookRefused) as caught:
        verify(good(), headers=headers)
    assert caught.value.code == "content_type"


def test_refuses_everything_without_a_key_of_alipay():
    with pytest.raises(WebhookRefused) as caught:
        verify(good(), ours=adapter(public_keys=()))
    assert caught.value.code == "signature"


def test_refuses_everything_with_a_key_that_cannot_be_read():
    with pytest.raises(WebhookRefused) as caught:
        verify(good(), ours=adapter(public_keys=("",)))
    assert caught.value.code == "signature"


def test_a_payment_is_understood():
    told = verify(good())
    assert told.kind == NoticeKind.PAID
    assert told.processor == "alipay"
    assert told.event_id == "2026112600222195723065781437990192"
    assert (told.order_ref, told.payment_ref) == (NUMBER, TRADE)
    assert (told.amount_minor, told.currency) == (2_000, "CNY")
    assert told.merchant == adapter().merchant == "2021000000000001/2088000000000001"
    assert told.is_live is True
    assert told.occurred_at.isoformat() == "2026-11-26T19:59:58+08:00"
    assert (told.refund_id, told.refund_ref, told.refund_minor) == ("", "", 0)


def test_a_notice_holds_nothing_of_the_payer():
    told = json.dumps(verify(good()).to_json(), ensure_ascii=False)
    assert "2088000000000009" not in told
    assert "买家" not in told


@pytest.mark.parametrize(
    ("text", "minor"),
    [("0.01", 1), ("0.10", 10), ("0.1", 10), ("7", 700), ("19.90", 1_990),
     ("100000000.00", 10_000_000_000), ("4.35", 435), ("1.15", 115)],
)  # fmt: skip
def test_amounts_are_read_exactly(text, minor):
    assert verify(good(total_amount=text)).amount_minor == minor


@pytest.mark.parametrize(
    ("status", "kind"),
    [("TRADE_SUCCESS", "paid"), ("TRADE_FINISHED", "paid"), ("TRADE_CLOSED", "closed"),
     ("WAIT_BUYER_PAY", "pending"), ("TRADE_PENDING", "other"), ("SUCCESS", "other")],
)  # fmt: skip
def test_each_status_has_its_meaning(status, kind):
    assert verify(good(trade_status=status)).kind == kind


def test_a_trade_finished_months_later_is_the_same_payment():
    first = verify(good())
    later = verify(
        good(trade_status="TRADE_FINISHED", notify_id="2", notify_time="2027-02-26 20:00:00"),
        now=NOW + 92 * 86_400,
    )
    assert later.kind == NoticeKind.PAID
    assert (later.order_ref, later.payment_ref) == (first.order_ref, first.payment_ref)
    assert later.event_id != first.event_id


@pytest.mark.parametrize("status", ["TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"])
def test_a_refund_never_credits(status):
    told = verify(body(signed(refund(trade_status=status))))
    assert told.kind == NoticeKind.REFUNDED
    assert told.refund_id == told.refund_ref == "fedcba9876543210" * 2
    assert (told.refund_minor, told.refunded_total_minor) == (500, 500)
    assert told.occurred_at.isoformat() == "2026-11-26T20:00:00+08:00"


def test_a_refund_of_alipays_staff_keeps_its_own_name():
    told = verify(body(signed(refund(out_biz_no="HZ01RF001"))))
    assert (told.kind, told.refund_id, told.refund_ref) == (NoticeKind.REFUNDED, "", "HZ01RF001")


def test_a_refund_without_a_number_is_named_by_its_time():
    told = verify(body(signed(refund(out_biz_no=None))))
    assert told.refund_ref == f"{TRADE}@2026-11-26 20:00:00.320"


@pytest.mark.parametrize(
    "changed",
    [{"refund_fee": None}, {"refund_fee": "0.00"}, {"trade_status": "WAIT_BUYER_PAY"},
     {"trade_status": "TRADE_FINISHED", "out_biz_no": None}],
)  # fmt: skip
def test_half_a_refund_moves_nothing(changed):
    assert verify(body(signed(refund(**changed)))).kind == NoticeKind.OTHER


def test_a_refund_fee_of_zero_alone_is_no_refund():
    assert verify(good(refund_fee="0.00")).kind == NoticeKind.PAID


@pytest.mark.parametrize("changed", [{"seller_id": "2088000000000002"}, {"app_id": "2021"}])
def test_a_payment_to_somebody_else_names_them(changed):
    told = verify(good(**changed))
    assert told.kind == NoticeKind.PAID
    assert told.merchant != adapter().merchant


def test_other_notices_are_nothing_to_us():
    told = verify(body(signed(payment(notify_type="dut_user_sign", trade_status=None))))
    assert (told.kind, told.order_ref, told.amount_minor) == (NoticeKind.OTHER, "", 0)


def test_gbk_is_read_where_it_is_said():
    fields = payment(charset="GBK", subject="余额")
    told = verify(body(signed(fields, codec="gbk"), codec="gbk"))
    assert told.kind == NoticeKind.PAID


def test_the_order_of_fields_and_the_case_of_headers_are_free():
    fields = dict(reversed(signed(payment()).items()))
    told = verify(body(fields), headers={"content-TYPE": "Application/X-WWW-form-urlencoded"})
    assert told.kind == NoticeKind.PAID


@pytest.mark.parametrize("time", ["2026-11-26 20:05:00", "2026-11-25 18:00:00"])
def test_the_eighth_delivery_and_a_fast_clock_are_believed(time):
    assert verify(good(notify_time=time)).kind == NoticeKind.PAID


def test_each_of_several_keys_is_believed():
    ours = adapter(public_keys=tuple(map(notices.public_pem, ("alipay", "alipay_next"))))
    for owner in ("alipay", "alipay_next"):
        assert verify(body(signed(payment(), owner=owner)), ours=ours).kind == NoticeKind.PAID
    with pytest.raises(WebhookRefused):
        verify(body(signed(payment(), owner="stranger")), ours=ours)


@pytest.fixture(scope="module")
def in_certificate_mode():
    public = tuple(
        notices.certificate(notices.public_pem(owner)) for owner in ("alipay", "alipay_next")
    )
    ours = adapter(
        public_keys=(),
        public_certificates=public,
        app_certificate=notices.certificate(notices.public_pem("merchant")),
        root_certificates=notices.certificate(notices.public_pem("authority")),
    )
    return ours, [certificate_sn(pem) for pem in public]


def test_certificates_are_chosen_by_their_serial(in_certificate_mode):
    ours, serials = in_certificate_mode
    for owner, serial in zip(("alipay", "alipay_next"), serials, strict=True):
        sent = body(signed(payment(alipay_cert_sn=serial), owner=owner))
        assert verify(sent, ours=ours).kind == NoticeKind.PAID
        assert verify(body(signed(payment(), owner=owner)), ours=ours).kind == NoticeKind.PAID


def test_a_certificate_vouches_for_its_own_key_only(in_certificate_mode):
    ours, (serial, following) = in_certificate_mode
    for sent in (
        signed(payment(alipay_cert_sn=following)),
        signed(payment(alipay_cert_sn="0" * 32)),
        signed(payment(alipay_cert_sn=serial), owner="stranger"),
        signed(payment()) | {"alipay_cert_sn": serial},  # it is part of what is signed
    ):
        with pytest.raises(WebhookRefused) as caught:
            verify(body(sent), ours=ours)
        assert caught.value.code == "signature"


def test_answers_are_exactly_what_alipay_reads():
    ours: Processor = adapter()
    assert (ours.accepted.status, ours.accepted.body) == (200, b"success")
    assert (ours.refused.status, ours.refused.body) == (400, b"fail")


@pytest.mark.parametrize(
    ("url", "is_live"),
    [("https://openapi.alipay.com/gateway.do", True),
     ("https://openapi-sandbox.dl.alipaydev.com/gateway.do", False),
     ("http://127.0.0.1:8000/gateway.do", False),
     ("https://openapi.alipay.com.example.com/gateway.do", False)],
)  # fmt: skip
def test_only_alipays_own_gateway_moves_real_money(url, is_live):
    ours = adapter(url=url)
    assert ours.is_live is is_live
    assert verify(good(), ours=ours).is_live is is_live


def test_roots_that_are_not_signed_with_rsa_are_left_out():
    kept = notices.certificate(notices.public_pem("authority"), common="R1")
    other = notices.certificate(
        notices.public_pem("authority"), common="E1", signer=ec.generate_private_key(ec.SECP256R1())
    )
    assert root_sn(f"{kept}\n{other}\n{kept}") == f"{certificate_sn(kept)}_{certificate_sn(kept)}"
