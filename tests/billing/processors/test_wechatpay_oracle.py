"""Our verdict on WeChat Pay's notices beside that of wechatpayv3, on random deliveries.

The oracle runs in public-key mode, which asks nobody at start. An unknown serial would make it
fetch certificates while it verifies, so such deliveries are never shown to it: see NETWORK.
"""

import base64
import collections
import dataclasses
import json
import random
import secrets
import socket

import pytest
import wechatpayv3
from wechatpayv3 import utils

from bananarouter.payment_sandbox import keys as sandbox_keys
from billing.processors.base import NoticeKind, WebhookRefused
from billing.processors.wechatpay import WeChatPay
from tests.billing.processors import wechatpay_deliveries as deliveries

NOW = 1_795_600_000
REDUCED, FULL = 200, 1_000
SIGNATURE, SERIAL = "Wechatpay-Signature", "Wechatpay-Serial"


@pytest.fixture(scope="module")
def maker():
    return deliveries.Maker(keys=sandbox_keys.make(), stranger=sandbox_keys.make(), now=NOW)


@pytest.fixture(scope="module")
def processor(maker):
    return WeChatPay(deliveries.config(maker.keys))


@pytest.fixture
def oracle(maker, monkeypatch):
    def connect(*_):
        raise AssertionError("neither may call anybody")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    keys = maker.keys
    return wechatpayv3.WeChatPay(
        wechatpay_type=wechatpayv3.WeChatPayType.NATIVE,
        mchid=keys.wechatpay_mchid,
        private_key=keys.merchant_key,
        cert_serial_no=keys.wechatpay_serial,
        appid=keys.wechatpay_appid,
        apiv3_key=keys.wechatpay_api_v3_key,
        public_key=sandbox_keys.public_pem(keys.wechatpay_key),
        public_key_id=keys.wechatpay_public_key_id,
    )


def _ours(processor, delivery):
    headers, body = delivery
    try:
        return processor.verify_webhook(headers, body, now=float(NOW))
    except WebhookRefused:
        return None


def _theirs(oracle, delivery):
    """Return what the oracle read; it says no by None, or by whatever exception comes up."""
    headers, body = delivery
    try:
        return oracle.callback(headers, body)
    except AssertionError:
        raise
    except Exception:  # noqa: BLE001 - its API for a bad delivery
        return None


def _random(rng, maker, *, kind: str) -> dict:
    total = rng.randint(1, 10**9)
    number, when = (
        f"{rng.getrandbits(128):032x}",
        f"2026-11-{rng.randint(1, 30):02d}T10:34:56+08:00",
    )
    ref = f"4200{rng.randrange(10**24):024d}"
    facts = {"out_trade_no": number, "transaction_id": ref, "success_time": when}
    if kind == "TRANSACTION.SUCCESS":
        amount = {"total": total, "payer_total": rng.randint(0, total), "currency": "CNY"}
        more = {"attach": rng.choice(["", "é", "订单"]), "bank_type": rng.choice(["OTHERS", "CMC"])}
        return maker.paid(**facts, amount=amount, **more)
    amount = {"total": total, "refund": rng.randint(1, total), "payer_total": total}
    return maker.refunded(
        **facts,
        refund_status=kind.removeprefix("REFUND."),
        out_refund_no=f"{rng.getrandbits(128):032x}",
        refund_id=f"5030{rng.randrange(10**24):024d}",
        amount=amount,
    )


KINDS = ("TRANSACTION.SUCCESS",) * 3 + ("REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED")


def _good(rng, maker):
    kind = rng.choice(KINDS)
    facts = _random(rng, maker, kind=kind)
    resource = maker.sealed(facts)
    at = NOW + rng.randint(-300, 300)
    return facts, maker.signed(maker.body(resource, kind=kind), at=at)


def _bytes_changed(rng, maker):
    _, (headers, body) = _good(rng, maker)
    at = rng.randrange(len(body))
    return headers, body[:at] + bytes([body[at] ^ rng.randrange(1, 128)]) + body[at + 1 :]


def _body_cut(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers, body[: rng.randrange(len(body))]


def _body_longer(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers, body + rng.choice([b" ", b"\n", b"}", b"\0"])


def _signature_changed(rng, maker):
    _, (headers, body) = _good(rng, maker)
    raw = bytearray(base64.b64decode(headers[SIGNATURE]))
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return headers | {SIGNATURE: base64.b64encode(raw).decode()}, body


def _signature_of_another(rng, maker):
    return _good(rng, maker)[1][0], _good(rng, maker)[1][1]


def _by_a_stranger(rng, maker):
    _, (_, body) = _good(rng, maker)
    return maker.signed(body, key=maker.stranger.wechatpay_key)


def _probe(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {SIGNATURE: f"WECHATPAY/SIGNTEST/{headers[SIGNATURE]}"}, body


def _time_changed(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {"Wechatpay-Timestamp": str(NOW + rng.randint(301, 900))}, body


def _nonce_changed(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {"Wechatpay-Nonce": secrets.token_hex(16)}, body


def _header_missing(rng, maker):
    _, (headers, body) = _good(rng, maker)
    # Without a serial the oracle would look for a certificate at WeChat Pay.
    gone = rng.choice([name for name in headers if name != SERIAL])
    return {name: value for name, value in headers.items() if name != gone}, body


def _other_algorithm(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"}, body


def _sealed_otherwise(rng, maker):
    change = rng.choice([
        {"algorithm": "AEAD_SM4_GCM"}, {"nonce": "0" * 12}, {"associated_data": "other"},
        {"ciphertext": ""}, {"nonce": ""},
    ])  # fmt: skip
    return maker.signed(maker.body(maker.sealed(maker.paid()) | change))


def _sealed_with_another_key(rng, maker):
    key = maker.stranger.wechatpay_api_v3_key
    return maker.signed(maker.body(maker.sealed(maker.paid(), key=key)))


def _not_json(rng, maker):
    return maker.signed(rng.choice([b"", b"null", b"[]", b"<xml/>", b'{"id":', b"\xff"]))


def _other_resource_type(rng, maker):
    return maker.payment(resource_type=rng.choice(["plain", "", "ENCRYPT-RESOURCE"]))


BOTH_REFUSE = (
    _bytes_changed, _body_cut, _body_longer, _signature_changed, _signature_of_another,
    _by_a_stranger, _probe, _time_changed, _nonce_changed, _header_missing, _other_algorithm,
    _sealed_otherwise, _sealed_with_another_key, _not_json, _other_resource_type,
)  # fmt: skip


def _clock(rng, maker):
    """Signed at another time: a replay, or a clock that is wrong."""
    _, (_, body) = _good(rng, maker)
    offset = rng.choice([-1, 1]) * rng.randint(301, 2_592_000)
    return maker.signed(body, at=NOW + offset)


def _time_spelled(rng, maker):
    """A time that is not plain decimal digits."""
    spelled = rng.choice([f"+{NOW}", f"{NOW}.0", f" {NOW}", f"{NOW:_}", hex(NOW)])
    return maker.signed(_good(rng, maker)[1][1], at=spelled)


def _loose_base64(rng, maker):
    """Letters outside base64 inside a signature, which a lenient decoder skips."""
    _, (headers, body) = _good(rng, maker)
    at = rng.randrange(4, 300)
    text = headers[SIGNATURE]
    return headers | {SIGNATURE: text[:at] + rng.choice("!*-#") + text[at:]}, body


def _nonce_of_two_lines(rng, maker):
    """The first line of the body moved into the nonce: the same bytes are signed."""
    headers, body = maker.signed(b" \n" + _good(rng, maker)[1][1])
    return headers | {"Wechatpay-Nonce": headers["Wechatpay-Nonce"] + "\n "}, body[2:]


def _too_large(rng, maker):
    """More than 64 KiB."""
    return maker.signed(maker.body(maker.sealed(maker.paid()), summary="x" * (64 << 10)))


def _no_event_id(rng, maker):
    """No id that could be unique."""
    return maker.payment(id=rng.choice(["", 7, "a b", "query:1:SUCCESS", "E" * 65, [1], "\0"]))


def _no_event_type(rng, maker):
    return maker.payment(event_type=rng.choice(["", 7, "transaction.success", ["X"]]))


def _state(rng, maker):
    """A payment that is not made, or a refund that says otherwise."""
    if rng.random() < 0.5:
        state = rng.choice(["NOTPAY", "REFUND", "CLOSED", "PAYERROR", "success"])
        return maker.payment(maker.paid(trade_state=state))
    return maker.refund(maker.refunded(refund_status="PROCESSING"))


def _amount(rng, maker):
    """No positive integer of fen, or none of a currency."""
    amount = {"total": 7200, "refund": 100, "currency": "CNY"}
    bad = rng.choice([0, -1, 1.5, "7200", True, None, [], 10**13])
    if rng.random() < 0.5:
        return maker.payment(maker.paid(amount=amount | {"total": bad}))
    return maker.refund(maker.refunded(amount=amount | {"refund": bad}))


def _currency(rng, maker):
    amount = {"total": 7200, "currency": rng.choice(["cny", "", 156, "¥", "CNYX"])}
    return maker.payment(maker.paid(amount=amount))


def _reference(rng, maker):
    """A number that is missing, of another type, or of letters that no number has."""
    bad = rng.choice([None, 7, "", "a b", "' OR 1=1", "x" * 65, "a\0"])
    name = rng.choice(["out_trade_no", "transaction_id", "mchid"])
    make, send = rng.choice([(maker.paid, maker.payment), (maker.refunded, maker.refund)])
    return send(make(**{name: bad}))


# The oracle opens the seal and stops there; it looks at no clock and at no field.
STRICTER = {
    "clock more than 300 s off": _clock,
    "time not in plain digits": _time_spelled,
    "signature in loose base64": _loose_base64,
    "nonce that no header can hold": _nonce_of_two_lines,
    "body above 64 KiB": _too_large,
    "event without a usable id": _no_event_id,
    "event without a usable type": _no_event_type,
    "state that is not the event's": _state,
    "amount that is no positive integer": _amount,
    "currency that is none": _currency,
    "reference that is none": _reference,
}


def _unknown_serial(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {SERIAL: f"{rng.getrandbits(160):040X}"}, body


def _no_serial(rng, maker):
    _, (headers, body) = _good(rng, maker)
    return headers | {SERIAL: ""}, body


# The oracle would fetch certificates, without a deadline: only ours is asked.
NETWORK = {"unknown serial": _unknown_serial, "no serial": _no_serial}


@pytest.mark.proof(n=FULL)
def test_we_say_what_the_oracle_says_but_for_the_rules_that_are_stricter(
    processor, oracle, maker, proof_count, record_property
):
    rng, counts = random.Random(20261126), collections.Counter()
    names = [*BOTH_REFUSE, *STRICTER.items(), *NETWORK.items()]
    count = proof_count(REDUCED, FULL)
    for index in range(count):
        if index % 2:
            _check_good(rng, maker, processor, oracle)
            counts["good"] += 1
            continue
        case = names[index // 2 % len(names)]
        name, tamper = case if isinstance(case, tuple) else ("both refuse", case)
        delivery = tamper(rng, maker)
        assert _ours(processor, delivery) is None, (name, tamper.__name__)
        if name not in NETWORK:
            is_stricter = _theirs(oracle, delivery) is not None
            assert is_stricter == (name in STRICTER), (name, tamper.__name__)
        counts[name] += 1
    assert counts["good"] == count // 2
    assert set(counts) == {"good", "both refuse", *STRICTER, *NETWORK}
    record_property("verdicts", json.dumps(counts))
    print("\n".join(f"{number:5} {name}" for name, number in counts.most_common()))  # noqa: T201


def _check_good(rng, maker, processor, oracle) -> None:
    facts, delivery = _good(rng, maker)
    notice, event = _ours(processor, delivery), _theirs(oracle, delivery)
    assert notice is not None
    assert event is not None
    assert event["resource"] == facts
    assert notice.event_id == event["id"]
    assert (notice.order_ref, notice.payment_ref) == (
        facts["out_trade_no"], facts["transaction_id"],
    )  # fmt: skip
    assert notice.amount_minor == facts["amount"]["total"]
    assert notice.refund_minor == facts["amount"].get("refund", 0)
    assert (notice.kind == NoticeKind.PAID) == (event["event_type"] == "TRANSACTION.SUCCESS")


@pytest.mark.parametrize("name", STRICTER)
def test_each_stricter_rule_is_ours_alone(processor, oracle, maker, name):
    """Were the oracle to learn one, or we to forget it, this says which."""
    rng = random.Random(name)
    for _ in range(5):
        delivery = STRICTER[name](rng, maker)
        assert _ours(processor, delivery) is None
        assert _theirs(oracle, delivery) is not None


def test_an_unknown_serial_would_make_the_oracle_call_out_and_never_us(processor, oracle, maker):
    delivery = _unknown_serial(random.Random(1), maker)
    assert _ours(processor, delivery) is None
    with pytest.raises(AssertionError, match="neither may call anybody"):
        oracle.callback(*delivery)


def test_we_sign_our_calls_as_the_oracle_does(maker):
    """The same words in the same order, over the same bytes; the oracle verifies both."""
    theirs = utils.build_authorization(
        "/v3/x?a=b", "GET", "190", "AB", utils.load_private_key(maker.keys.merchant_key)
    )
    wire = WeChatPay(dataclasses.replace(
        deliveries.config(maker.keys), mchid="190", serial="AB"
    ))._wire  # fmt: skip
    ours = wire._headers("GET", "http://127.0.0.1:9/v3/x?a=b", b"")["Authorization"]
    names = ["mchid", "nonce_str", "signature", "timestamp", "serial_no"]
    for said in (theirs, ours):
        kind, _, rest = said.partition(" ")
        found = dict(part.split("=", 1) for part in rest.split(","))
        assert (kind, list(found)) == ("WECHATPAY2-SHA256-RSA2048", names)
        value = {name: text.strip('"') for name, text in found.items()}
        assert utils.rsa_verify(
            f"GET\n/v3/x?a=b\n{value['timestamp']}", value["nonce_str"], "", value["signature"],
            utils.load_public_key(sandbox_keys.public_pem(maker.keys.merchant_key)),
        )  # fmt: skip
