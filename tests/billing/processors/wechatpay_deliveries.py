"""Deliveries of WeChat Pay: good ones, and forged or abnormal ones by name.

Signed and sealed with `cryptography` alone, so that nothing of ours judges itself.
"""

import base64
import dataclasses
import functools
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bananarouter.payment_sandbox.keys import Keys, public_pem
from billing.processors.config import WeChatPay as Config

SCHEMA = "WECHATPAY2-SHA256-RSA2048"
NUMBER = "0198a0b1c2d3e4f5a6b7c8d9e0f1a2b3"
REFUND_ID = "0198b0b1c2d3e4f5a6b7c8d9e0f1a2b4"
PAYMENT_REF = "4200000000202611260000000001"
Delivery = tuple[dict[str, str], bytes]


def config(keys: Keys, url: str = "http://127.0.0.1:9") -> Config:
    """Return the settings of a merchant with both kinds of keys."""
    return Config(
        url=url,
        mchid=keys.wechatpay_mchid,
        appid=keys.wechatpay_appid,
        serial=keys.wechatpay_serial,
        private_key=keys.merchant_key,
        api_v3_key=keys.wechatpay_api_v3_key,
        public_keys={
            keys.wechatpay_public_key_id: public_pem(keys.wechatpay_key),
            keys.wechatpay_platform_serial: keys.wechatpay_platform_certificate,
        },
    )


@functools.cache
def _loaded(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(
        pem.encode(), None, unsafe_skip_rsa_key_validation=True
    )
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def signature(pem: str, message: bytes, *, pad=None, digest=None) -> str:
    raw = _loaded(pem).sign(message, pad or padding.PKCS1v15(), digest or hashes.SHA256())
    return base64.b64encode(raw).decode()


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes deliveries as WeChat Pay does at the moment `now`."""

    keys: Keys
    stranger: Keys
    now: int

    def paid(self, **change: Any) -> dict[str, Any]:
        """Return a payment's facts; a change to None takes a field away."""
        facts = {
            "mchid": self.keys.wechatpay_mchid,
            "appid": self.keys.wechatpay_appid,
            "out_trade_no": NUMBER,
            "transaction_id": PAYMENT_REF,
            "trade_type": "NATIVE",
            "trade_state": "SUCCESS",
            "trade_state_desc": "支付成功",
            "bank_type": "OTHERS",
            "attach": "",
            "success_time": "2026-11-26T10:34:56+08:00",
            "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
            "amount": {"total": 7200, "payer_total": 7200, "currency": "CNY"},
        }
        return _changed(facts, change)

    def refunded(self, **change: Any) -> dict[str, Any]:
        """Return a refund's facts."""
        facts = {
            "mchid": self.keys.wechatpay_mchid,
            "out_trade_no": NUMBER,
            "transaction_id": PAYMENT_REF,
            "out_refund_no": REFUND_ID,
            "refund_id": "50300000000000000000000000001",
            "refund_status": "SUCCESS",
            "success_time": "2026-11-26T11:00:00+08:00",
            "user_received_account": "招商银行信用卡0403",
            "amount": {"total": 7200, "refund": 1200, "payer_total": 7200, "payer_refund": 1200},
        }
        return _changed(facts, change)

    def sealed(self, plain: Any, *, key: str = "", **change: Any) -> dict[str, Any]:
        """Return a callback's resource."""
        raw = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
        nonce = secrets.token_hex(6)
        cipher = AESGCM((key or self.keys.wechatpay_api_v3_key).encode())
        resource = {
            "original_type": "transaction",
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(
                cipher.encrypt(nonce.encode(), raw, b"transaction")
            ).decode(),
            "associated_data": "transaction",
            "nonce": nonce,
        }
        return _changed(resource, change)

    def body(self, resource: Any, *, kind: str = "TRANSACTION.SUCCESS", **change: Any) -> bytes:
        """Return a callback's body."""
        event = {
            "id": f"EV-{secrets.token_hex(12)}",
            "create_time": "2026-11-26T10:34:57+08:00",
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": "支付成功",
            "resource": resource,
        }
        return json.dumps(_changed(event, change), ensure_ascii=False).encode()

    def signed(
        self,
        body: bytes,
        *,
        key: str = "",
        at: int | str | None = None,
        serial: str = "",
        nonce: str = "",
        **how: Any,
    ) -> Delivery:
        """Return a delivery that is signed: by the public key unless told otherwise."""
        moment = str(self.now if at is None else at)
        nonce = nonce or secrets.token_hex(16)
        message = f"{moment}\n{nonce}\n".encode() + body + b"\n"
        headers = {
            "Wechatpay-Serial": serial or self.keys.wechatpay_public_key_id,
            "Wechatpay-Signature": signature(key or self.keys.wechatpay_key, message, **how),
            "Wechatpay-Timestamp": moment,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature-Type": SCHEMA,
        }
        return headers, body

    def payment(self, facts: Any = None, **change: Any) -> Delivery:
        """Return a payment's delivery."""
        resource = self.sealed(self.paid() if facts is None else facts)
        return self.signed(self.body(resource, **change))

    def refund(self, facts: Any = None, *, kind: str = "REFUND.SUCCESS") -> Delivery:
        """Return a refund's delivery."""
        facts = self.refunded() if facts is None else facts
        return self.signed(self.body(self.sealed(facts), kind=kind))


def _changed(facts: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**facts, **change}.items() if value is not None}


Forge = Callable[[Maker], Delivery]
# By name: what forges it, and the code that it is refused with.
FORGERIES: dict[str, tuple[str, Forge]] = {}


def _forge(name: str, code: str, forge: Forge) -> None:
    assert name not in FORGERIES
    FORGERIES[name] = (code, forge)


def _header(change: dict[str, str | None]) -> Forge:
    """A good payment whose headers were changed after signing."""

    def forge(maker: Maker) -> Delivery:
        headers, body = maker.payment()
        return _changed(headers, dict.fromkeys(change) | change), body

    return forge


def _without(name: str) -> Forge:
    def forge(maker: Maker) -> Delivery:
        headers, body = maker.payment()
        return {key: value for key, value in headers.items() if key != name}, body

    return forge


def _respelled(name: str, change: Callable[[str], str]) -> Forge:
    def forge(maker: Maker) -> Delivery:
        headers, body = maker.payment()
        return {**headers, name: change(headers[name])}, body

    return forge


def _tampered(change: Callable[[bytes], bytes]) -> Forge:
    """A good payment whose body was changed after signing."""

    def forge(maker: Maker) -> Delivery:
        headers, body = maker.payment()
        changed = change(body)
        assert changed != body
        return headers, changed

    return forge


def _signed(body: Callable[[Maker], bytes], **how: Any) -> Forge:
    return lambda maker: maker.signed(body(maker), **how)


def _good(maker: Maker) -> bytes:
    return maker.body(maker.sealed(maker.paid()))


def _resource(change: Callable[[Maker, dict[str, Any]], Any]) -> Forge:
    """Signed by WeChat Pay, with a resource that is not what it should be."""
    return lambda maker: maker.signed(maker.body(change(maker, maker.sealed(maker.paid()))))


def _paid(**change: Any) -> Forge:
    def forge(maker: Maker) -> Delivery:
        facts = maker.paid()
        for name, value in change.items():
            if value is None:
                del facts[name]
            else:
                facts[name] = value
        return maker.payment(facts)

    return forge


def _amount(**change: Any) -> Forge:
    return _paid(amount={"total": 7200, "currency": "CNY"} | change)


def _refund(*, kind: str = "REFUND.SUCCESS", **change: Any) -> Forge:
    def forge(maker: Maker) -> Delivery:
        facts = {name: value for name, value in maker.refunded().items() if name not in change}
        facts |= {name: value for name, value in change.items() if value is not None}
        return maker.refund(facts, kind=kind)

    return forge


def _junk_inside(text: str) -> str:
    return f"{text[:20]}!{text[20:]}"


for _name in ("Serial", "Signature", "Timestamp", "Nonce", "Signature-Type"):
    _code = "signature_type" if _name == "Signature-Type" else "headers"
    _forge(f"no {_name}", _code, _without(f"Wechatpay-{_name}"))
    _forge(f"empty {_name}", _code, _header({f"Wechatpay-{_name}": ""}))
_forge("no header at all", "signature_type", lambda maker: ({}, maker.payment()[1]))
for _name, _value in {
    "national algorithm": "WECHATPAY2-SM2-WITH-SM3",
    "algorithm in lower case": SCHEMA.lower(),
    "algorithm with a space": f"{SCHEMA} ",
    "no algorithm": "none",
}.items():
    _forge(_name, "signature_type", _header({"Wechatpay-Signature-Type": _value}))

for _name, _offset in {
    "301 s old": -301,
    "301 s early": 301,
    "a day early": 86_400,
    "30 days old": -2_592_000,
}.items():
    _forge(
        f"signed {_name}",
        "timestamp",
        lambda maker, offset=_offset: maker.signed(_good(maker), at=maker.now + offset),
    )
for _name, _spell in {
    "negative time": lambda now: f"-{now}",
    "time with a fraction": lambda now: f"{now}.0",
    "time with an exponent": lambda now: f"{now}e0",
    "time in hexadecimal": hex,
    "time in milliseconds": lambda now: f"{now}000",
    "time with underscores": lambda now: f"{now:_}",
    "time with a sign": lambda now: f"+{now}",
    "time beyond all time": lambda _now: "9" * 400,
    "time in words": lambda _now: "now",
}.items():
    _forge(
        _name,
        "timestamp",
        lambda maker, spell=_spell: maker.signed(_good(maker), at=spell(maker.now)),
    )
for _name, _spell in {
    "time with a space": lambda now: f" {now}",
    "time in other digits": lambda now: str(now).translate(
        {48 + digit: 0x0660 + digit for digit in range(10)}
    ),
}.items():
    _forge(
        _name,
        "headers",
        lambda maker, spell=_spell: maker.signed(_good(maker), at=spell(maker.now)),
    )
_forge(
    "time changed after signing",
    "signature",
    _respelled("Wechatpay-Timestamp", lambda at: str(int(at) + 1)),
)

_forge("unknown serial", "unknown_serial", _header({"Wechatpay-Serial": "5157F09EFDC096DE15EB"}))
_forge("serial that is no number", "unknown_serial", _header({"Wechatpay-Serial": "zzz"}))
_forge(
    "another merchant's public key",
    "unknown_serial",
    _header({"Wechatpay-Serial": "PUB_KEY_ID_0119999999992026112600000000000000"}),
)
_forge(
    "beginning of a serial",
    "unknown_serial",
    _respelled("Wechatpay-Serial", lambda serial: serial[:-1]),
)
_forge(
    "serial with a newline", "headers", _respelled("Wechatpay-Serial", lambda serial: f"{serial}\n")
)
_forge(
    "serial of the merchant's own certificate",
    "unknown_serial",
    lambda maker: maker.signed(
        _good(maker), key=maker.keys.merchant_key, serial=maker.keys.wechatpay_serial
    ),
)
_forge(
    "certificate's serial, public key's signature",
    "signature",
    lambda maker: maker.signed(_good(maker), serial=maker.keys.wechatpay_platform_serial),
)
_forge(
    "public key's id, certificate's signature",
    "signature",
    lambda maker: maker.signed(_good(maker), key=maker.keys.wechatpay_platform_key),
)

_forge(
    "signed by a stranger",
    "signature",
    lambda maker: maker.signed(_good(maker), key=maker.stranger.wechatpay_key),
)
_forge(
    "signed by the merchant",
    "signature",
    lambda maker: maker.signed(_good(maker), key=maker.keys.merchant_key),
)
_forge("signed with SHA-1", "signature", _signed(_good, digest=hashes.SHA1()))  # noqa: S303 - a downgrade is what is tried
_forge("signed with SHA-512", "signature", _signed(_good, digest=hashes.SHA512()))
_forge(
    "signed with PSS",
    "signature",
    _signed(_good, pad=padding.PSS(padding.MGF1(hashes.SHA256()), 32)),
)
for _name, _spell in {
    "signature cut": lambda text: text[:-4],
    "signature of another length": lambda text: text + text,
    "signature that is no base64": lambda _text: "%%%",
    "signature with junk inside": _junk_inside,
    "signature of zeros": lambda _text: base64.b64encode(bytes(256)).decode(),
    "signature of one byte": lambda _text: "AQ==",
    "signature without padding": lambda text: text.rstrip("="),
    "signature in hexadecimal": lambda text: base64.b64decode(text).hex(),
}.items():
    _forge(_name, "signature", _respelled("Wechatpay-Signature", _spell))
_forge("signature in Chinese", "headers", _header({"Wechatpay-Signature": "签名" * 172}))
_forge(
    "signature with a newline",
    "headers",
    _respelled("Wechatpay-Signature", lambda text: f"{text}\n"),
)
_forge("signature of 10 kB", "headers", _header({"Wechatpay-Signature": "A" * 10_000}))
_forge("probe", "probe", _header({"Wechatpay-Signature": "WECHATPAY/SIGNTEST/" + "A" * 300}))
_forge(
    "probe before a good signature",
    "probe",
    _respelled("Wechatpay-Signature", lambda text: f"WECHATPAY/SIGNTEST/{text}"),
)
_forge(
    "signature of another delivery",
    "signature",
    lambda maker: (maker.payment()[0], maker.payment()[1]),
)

_forge("nonce changed", "signature", _header({"Wechatpay-Nonce": "0" * 32}))
_forge("nonce with a space", "headers", _header({"Wechatpay-Nonce": "a b"}))


def _smuggled(maker: Maker) -> Delivery:
    """The same bytes are signed when the first line of the body moves into the nonce."""
    headers, body = maker.signed(b"first\n" + _good(maker))
    return {**headers, "Wechatpay-Nonce": headers["Wechatpay-Nonce"] + "\nfirst"}, body[6:]


_forge("body's first line in the nonce", "headers", _smuggled)

_forge("body cut by a byte", "signature", _tampered(lambda body: body[:-1]))
_forge("body cut in half", "signature", _tampered(lambda body: body[: len(body) // 2]))
_forge("empty body", "signature", _tampered(lambda _body: b""))
_forge("body with a space more", "signature", _tampered(lambda body: body + b" "))
_forge("body with a byte order mark", "signature", _tampered(lambda body: b"\xef\xbb\xbf" + body))
_forge(
    "body formatted anew",
    "signature",
    _tampered(lambda body: json.dumps(json.loads(body), indent=1).encode()),
)
_forge(
    "other event type",
    "signature",
    _tampered(lambda body: body.replace(b"TRANSACTION.SUCCESS", b"REFUND.SUCCESS")),
)
_forge(
    "one bit of the ciphertext",
    "signature",
    _tampered(lambda body: body.replace(b'"ciphertext": "', b'"ciphertext": "A', 1)),
)
_forge(
    "body of 65 kB",
    "too_large",
    lambda maker: maker.signed(maker.body(maker.sealed(maker.paid()), pad="x" * 65_536)),
)

for _name, _body in {
    "not JSON": b"hello",
    "signed nothing": b"",
    "list": b"[]",
    "text": b'"paid"',
    "number that is none": b'{"id": NaN}',
    "broken UTF-8": b'{"id": "\xff"}',
    "half a surrogate": b'{"id": "\\ud800"}',
    "form": b"id=1&event_type=TRANSACTION.SUCCESS",
    "XML": b"<xml><return_code>SUCCESS</return_code></xml>",
    "very deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
}.items():
    _forge(f"body: {_name}", "json", _signed(lambda _maker, body=_body: body))
for _name, _value in {
    "of digits alone": 1,
    "too long": "E" * 65,
    "empty": "",
    "with a zero byte": "EV-\0",
    "list": ["EV-1"],
    "with a slash": "EV/../1",
    "with a colon, as our own ids": "query:1:SUCCESS",
}.items():
    _forge(f"id: {_name}", "id", lambda maker, value=_value: maker.payment(None, id=value))


def _event_without(name: str) -> Forge:
    def body(maker: Maker) -> bytes:
        event = json.loads(_good(maker))
        del event[name]
        return json.dumps(event).encode()

    return _signed(body)


_forge("no id", "id", _event_without("id"))
_forge("no event type", "event_type", _event_without("event_type"))
_forge("no resource type", "resource_type", _event_without("resource_type"))
_forge("no resource", "resource", _event_without("resource"))
_forge("event type: number", "event_type", lambda maker: maker.payment(event_type=1))
_forge(
    "event type: small letters",
    "event_type",
    lambda maker: maker.payment(event_type="transaction.success"),
)
_forge("resource type: plain", "resource_type", lambda maker: maker.payment(resource_type="plain"))
_forge("resource: list", "resource", _resource(lambda _maker, found: [found]))
_forge("resource: not sealed", "algorithm", _resource(lambda maker, _found: maker.paid()))
for _name, _code, _change in (
    ("algorithm: another", "algorithm", {"algorithm": "AEAD_AES_128_GCM"}),
    ("algorithm: none", "algorithm", {"algorithm": "none"}),
    ("algorithm: not said", "algorithm", {"algorithm": 0}),
    ("ciphertext: not base64", "cipher", {"ciphertext": "%%%"}),
    ("ciphertext: empty", "cipher", {"ciphertext": ""}),
    ("ciphertext: number", "resource", {"ciphertext": 7}),
    ("ciphertext: of something else", "cipher", {"ciphertext": "A" * 128}),
    ("nonce: another", "cipher", {"nonce": "0" * 12}),
    ("nonce: empty", "cipher", {"nonce": ""}),
    ("nonce: one byte", "cipher", {"nonce": "0"}),
    ("nonce: number", "resource", {"nonce": 123456789012}),
    ("associated data: another", "cipher", {"associated_data": "refund"}),
    ("associated data: empty", "cipher", {"associated_data": ""}),
    ("associated data: object", "resource", {"associated_data": {"a": 1}}),
):
    _forge(_name, _code, _resource(lambda _maker, found, change=_change: found | change))
_forge(
    "sealed with another key",
    "cipher",
    lambda maker: maker.signed(
        maker.body(maker.sealed(maker.paid(), key=maker.stranger.wechatpay_api_v3_key))
    ),
)
_forge("sealed: not JSON", "json", lambda maker: maker.payment(b"SUCCESS"))
_forge("sealed: list", "json", lambda maker: maker.payment([1]))

for _name, _value in {
    "not paid": "NOTPAY",
    "refunded": "REFUND",
    "closed": "CLOSED",
    "paying": "USERPAYING",
    "small letters": "success",
    "true": True,
    "not said": None,
}.items():
    _forge(f"state: {_name}", "trade_state", _paid(trade_state=_value))
for _name, _value in {
    "not said": None,
    "text": "7200",
    "fraction": 7200.0,
    "truth": True,
    "zero": 0,
    "negative": -7200,
    "beyond 64 bits": 10**20,
    "beyond reason": 10**13,
    "list": [7200],
}.items():
    _forge(f"total: {_name}", "amount", _amount(total=_value))
_forge("no amount", "amount", _paid(amount=None))
_forge("amount: number", "amount", _paid(amount=7200))
for _name, _value in {
    "not said": None,
    "small letters": "cny",
    "number": 156,
    "empty": "",
    "too long": "CNYX",
}.items():
    _forge(f"currency: {_name}", "currency", _amount(currency=_value))
for _field in ("out_trade_no", "transaction_id", "mchid", "appid"):
    for _name, _value in {
        "not said": None,
        "number": 12345678,
        "empty": "",
        "SQL": "' OR 1=1 --",
        "zero byte": "a\0b",
        "too long": "a" * 65,
        "newline": "a\n",
    }.items():
        _forge(f"{_field}: {_name}", _field, _paid(**{_field: _value}))
_forge("merchant with a slash", "mchid", _paid(mchid="1900000001/wx1"))

_forge("refund: says another state", "refund_status", _refund(refund_status="ABNORMAL"))
_forge("refund: under way", "refund_status", _refund(refund_status="PROCESSING"))
_forge("refund: says no state", "refund_status", _refund(refund_status=None))
_forge("refund closed that succeeded", "refund_status", _refund(kind="REFUND.CLOSED"))
_forge("refund with a payment inside", "refund_status", lambda maker: maker.refund(maker.paid()))
_forge("payment with a refund inside", "trade_state", lambda maker: maker.payment(maker.refunded()))
for _field in ("out_trade_no", "transaction_id", "out_refund_no", "refund_id", "mchid"):
    _forge(f"refund without {_field}", _field, _refund(**{_field: None}))
for _name, _value in {"zero": 0, "text": "1", "fraction": 1.5, "negative": -1}.items():
    _forge(f"refund of {_name}", "amount", _refund(amount={"total": 7200, "refund": _value}))
_forge("refund of nothing said", "amount", _refund(amount={"total": 7200}))


def moved(maker: Maker, seconds: int) -> Maker:
    """Return a maker whose clock is off."""
    return dataclasses.replace(maker, now=maker.now + seconds)
