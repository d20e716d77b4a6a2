"""Alipay's notices as a test writes them: signed well, or in any other way."""

import base64
import datetime as dt
import functools
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from billing.processors import config
from billing.processors.alipay import Alipay

APP, SELLER = "2021000000000001", "2088000000000001"
NUMBER, TRADE = "0123456789abcdef" * 2, "2026112622001400000000000001"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
NOW = dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC).timestamp()


@functools.cache
def private_key(owner: str) -> rsa.RSAPrivateKey:
    """Return somebody's key: "merchant", "alipay", "alipay_next", "stranger", "authority"."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@functools.cache
def private_pem(owner: str) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return private_key(owner).private_bytes(encoding, form, serialization.NoEncryption()).decode()


@functools.cache
def public_pem(owner: str) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key(owner).public_key().public_bytes(encoding, form).decode()


def _name(common: str) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Ant Financial"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
        (NameOID.COMMON_NAME, common),
    )
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


@functools.cache
def certificate(public: str, *, common: str = "Ant Class 2 R1", signer=None) -> str:
    """Return the PEM of a certificate for a public key in PEM."""
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    key = serialization.load_pem_public_key(public.encode())
    made = (
        x509.CertificateBuilder()
        .subject_name(_name("subject"))
        .issuer_name(_name(common))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=3_650))
        .sign(signer or private_key("authority"), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def adapter(**changed) -> Alipay:
    """Return our adapter in key mode, or as changed."""
    values = {
        "url": "https://openapi.alipay.com/gateway.do",
        "app_id": APP,
        "seller_id": SELLER,
        "private_key": private_pem("merchant"),
        "public_keys": (public_pem("alipay"),),
    }
    return Alipay(config.Alipay(**(values | changed)))


def payment(**changed) -> dict[str, str]:
    """Return the fields of a notice that a payment of 20 yuan succeeded; None takes one away."""
    fields = {
        "notify_type": "trade_status_sync",
        "notify_id": "2026112600222195723065781437990192",
        "notify_time": "2026-11-26 20:00:00",
        "charset": "utf-8",
        "version": "1.0",
        "app_id": APP,
        "auth_app_id": APP,
        "seller_id": SELLER,
        "buyer_id": "2088000000000009",
        "buyer_logon_id": "买家***@example.com",
        "subject": "BananaRouter balance",
        "out_trade_no": NUMBER,
        "trade_no": TRADE,
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "20.00",
        "receipt_amount": "20.00",
        "fund_bill_list": '[{"amount":"20.00","fundChannel":"ALIPAYACCOUNT"}]',
        "gmt_create": "2026-11-26 19:59:00",
        "gmt_payment": "2026-11-26 19:59:58",
    }
    return {name: value for name, value in (fields | changed).items() if value is not None}


def refund(**changed) -> dict[str, str]:
    """Return the fields of a notice that 5 of 20 yuan went back."""
    of_refund = {
        "out_biz_no": "fedcba9876543210" * 2,
        "refund_fee": "5.00",
        "gmt_refund": "2026-11-26 20:00:00.320",
    }
    return payment(**(of_refund | changed))


def message(fields: dict[str, str], codec: str = "utf-8") -> bytes:
    named = sorted(item for item in fields.items() if item[0] not in {"sign", "sign_type"})
    return "&".join(f"{name}={value}" for name, value in named).encode(codec)


def signature(text: bytes, *, owner: str = "alipay", hashed=None, padded=None) -> str:
    made = private_key(owner).sign(text, padded or padding.PKCS1v15(), hashed or hashes.SHA256())
    return base64.b64encode(made).decode()


def signed(fields: dict[str, str], *, codec: str = "utf-8", **how) -> dict[str, str]:
    return fields | {"sign_type": "RSA2", "sign": signature(message(fields, codec), **how)}


def body(fields: dict[str, str], *, codec: str = "utf-8") -> bytes:
    return urlencode(fields, encoding=codec).encode()
