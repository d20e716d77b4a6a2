"""Keys of the sandbox: made once, kept in one file, so that a restart still knows old payments."""

import datetime as dt
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

BITS = 2_048
VALID_DAYS = 3_650


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Both sides' secrets, as texts: what the merchant has, and what each processor has."""

    stripe_account: str = "acct_sandbox"
    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secret: str = field(repr=False)
    alipay_app_id: str = "2021000000000001"
    alipay_seller_id: str = "2088000000000001"
    wechatpay_mchid: str = "1900000001"
    wechatpay_appid: str = "wx0000000000000001"
    wechatpay_api_v3_key: str = field(repr=False)
    # The app's own; a file of keys from before it was known has none.
    wechatpay_app_secret: str = field(default="sandbox-app-secret", repr=False)
    wechatpay_serial: str  # of the merchant's certificate
    wechatpay_public_key_id: str = "PUB_KEY_ID_0100000000000001"
    wechatpay_platform_serial: str
    merchant_key: str = field(repr=False)
    alipay_key: str = field(repr=False)
    wechatpay_key: str = field(repr=False)
    wechatpay_platform_key: str = field(repr=False)
    wechatpay_platform_certificate: str

    def environment(self, url: str) -> dict[str, str]:
        """Return the settings of a gateway whose processors are the sandbox at `url`."""
        return {
            "PAYMENT_SANDBOX": "true",
            "STRIPE_URL": url,
            "STRIPE_ACCOUNT_ID": self.stripe_account,
            "STRIPE_SECRET_KEY": self.stripe_secret_key,
            "STRIPE_WEBHOOK_SECRETS": self.stripe_webhook_secret,
            "ALIPAY_URL": f"{url}/gateway.do",
            "ALIPAY_APP_ID": self.alipay_app_id,
            "ALIPAY_SELLER_ID": self.alipay_seller_id,
            "ALIPAY_PRIVATE_KEY": self.merchant_key,
            "ALIPAY_PUBLIC_KEYS": public_pem(self.alipay_key),
            "WECHATPAY_URL": url,
            "WECHATPAY_MCHID": self.wechatpay_mchid,
            "WECHATPAY_APPID": self.wechatpay_appid,
            "WECHATPAY_APP_SECRET": self.wechatpay_app_secret,
            "WECHAT_OPEN_URL": url,
            "WECHAT_API_URL": url,
            "WECHATPAY_SERIAL": self.wechatpay_serial,
            "WECHATPAY_PRIVATE_KEY": self.merchant_key,
            "WECHATPAY_API_V3_KEY": self.wechatpay_api_v3_key,
            "WECHATPAY_PUBLIC_KEYS": (
                f"{self.wechatpay_public_key_id}=\n{public_pem(self.wechatpay_key)}"
                f"{self.wechatpay_platform_serial}=\n{self.wechatpay_platform_certificate}"
            ),
        }


def make() -> Keys:
    """Draw new keys."""
    platform = _private()
    certificate = _certificate(platform)
    return Keys(
        stripe_secret_key=f"sk_test_{secrets.token_urlsafe(24)}",
        stripe_webhook_secret=f"whsec_{secrets.token_urlsafe(24)}",
        wechatpay_api_v3_key=secrets.token_hex(16),
        wechatpay_app_secret=secrets.token_hex(16),
        wechatpay_serial=secrets.token_hex(20).upper(),
        wechatpay_platform_serial=f"{certificate.serial_number:040X}",
        merchant_key=_pem(_private()),
        alipay_key=_pem(_private()),
        wechatpay_key=_pem(_private()),
        wechatpay_platform_key=_pem(platform),
        wechatpay_platform_certificate=certificate.public_bytes(
            serialization.Encoding.PEM
        ).decode(),
    )


def load(file: Path) -> Keys:
    """Return the keys in a file; make them first when there is none."""
    if not file.is_file():
        text = json.dumps(asdict(make()))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
    return Keys(**json.loads(file.read_text()))


def public_pem(private_pem: str) -> str:
    """Return the public half of a private key."""
    key = serialization.load_pem_private_key(private_pem.encode(), None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=BITS)


def _pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "BananaRouter payment sandbox")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
    )
    return builder.sign(key, hashes.SHA256())
