"""Reads what an operator sets about money coming in."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from bananarouter import env
from billing.processors.config import Alipay, Payments, Stripe, WeChatPay


def read(folder: Path) -> Payments:
    """Return the settings of payments. Raises: ImproperlyConfigured."""
    return Payments(
        stripe=_stripe(folder),
        alipay=_alipay(folder),
        wechatpay=_wechatpay(folder),
        is_sandbox=env.flag("PAYMENT_SANDBOX", default=False),
        enabled=tuple(env.words("PAYMENT_PROCESSORS")),
        usd_minor_min=env.number("TOPUP_CENTS_MIN", 500, low=50),
        usd_minor_max=env.number("TOPUP_CENTS_MAX", 200_000, low=50),
        cny_per_usd_ppm=env.number("CNY_PER_USD_PPM", 7_200_000, low=1_000_000, high=100_000_000),
        quote_minutes=env.number("QUOTE_MINUTES", 30, low=1, high=1_440),
        tax_ppm=_taxes(),
        seller_country=env.text("SELLER_COUNTRY").upper(),
        first_week_minor_max=env.number("FIRST_WEEK_CENTS_MAX", 20_000),
        card_orders_per_day=env.number("CARD_ORDERS_PER_DAY", 5, low=1),
        network_orders_per_day=env.number("NETWORK_ORDERS_PER_DAY", 10, low=1),
        hold_hours=env.number("FIRST_PAYMENT_HOLD_HOURS", 24, high=720),
        refund_days=env.number("REFUND_DAYS", 14, high=3_650),
        fee_ppm_max=env.number("PAYMENT_FEE_PPM_MAX", 60_000, high=1_000_000),
        staff_refund_minor_max=env.number("STAFF_REFUND_CENTS_MAX", 50_000),
        staff_credit_minor_max=env.number("STAFF_CREDIT_CENTS_MAX", 2_000, high=100_000),
        finance_credit_minor_max=env.number("FINANCE_CREDIT_CENTS_MAX", 10_000, high=100_000),
    )


def _stripe(folder: Path) -> Stripe:
    return Stripe(
        url=env.text("STRIPE_URL", "https://api.stripe.com").rstrip("/"),
        account=env.text("STRIPE_ACCOUNT_ID"),
        secret_key=env.secret("STRIPE_SECRET_KEY", file=folder / "stripe_secret_key"),
        webhook_secrets=tuple(_split("STRIPE_WEBHOOK_SECRETS", folder)),
    )


def _alipay(folder: Path) -> Alipay:
    return Alipay(
        url=env.text("ALIPAY_URL", "https://openapi.alipay.com/gateway.do"),
        app_id=env.text("ALIPAY_APP_ID"),
        seller_id=env.text("ALIPAY_SELLER_ID"),
        private_key=env.secret("ALIPAY_PRIVATE_KEY", file=folder / "alipay_private_key"),
        public_keys=tuple(_pems("ALIPAY_PUBLIC_KEYS", folder)),
        app_certificate=env.secret("ALIPAY_APP_CERTIFICATE"),
        public_certificates=tuple(_pems("ALIPAY_PUBLIC_CERTIFICATES", folder)),
        root_certificates=env.secret("ALIPAY_ROOT_CERTIFICATES"),
    )


def _wechatpay(folder: Path) -> WeChatPay:
    return WeChatPay(
        url=env.text("WECHATPAY_URL", "https://api.mch.weixin.qq.com").rstrip("/"),
        mchid=env.text("WECHATPAY_MCHID"),
        appid=env.text("WECHATPAY_APPID"),
        serial=env.text("WECHATPAY_SERIAL").upper(),
        private_key=env.secret("WECHATPAY_PRIVATE_KEY", file=folder / "wechatpay_private_key"),
        api_v3_key=env.secret("WECHATPAY_API_V3_KEY", file=folder / "wechatpay_api_v3_key"),
        public_keys=_by_serial(folder),
        app_secret=env.secret("WECHATPAY_APP_SECRET", file=folder / "wechatpay_app_secret"),
        open_url=env.text("WECHAT_OPEN_URL", "https://open.weixin.qq.com").rstrip("/"),
        api_url=env.text("WECHAT_API_URL", "https://api.weixin.qq.com").rstrip("/"),
    )


def _split(name: str, folder: Path) -> list[str]:
    value = env.secret(name, file=folder / name.lower())
    return [part.strip() for part in value.replace("\n", ",").split(",") if part.strip()]


def _pems(name: str, folder: Path) -> list[str]:
    """Return the PEM blocks of one secret, each with its first and last line."""
    text = env.secret(name, file=folder / name.lower())
    parts = text.split("-----BEGIN ")[1:]
    if text and not parts:
        raise ImproperlyConfigured(f"{name} must hold PEM blocks")
    return ["-----BEGIN " + part.strip() + "\n" for part in parts]


def _by_serial(folder: Path) -> dict[str, str]:
    """Read `SERIAL=<newline>PEM` pairs: a platform certificate's serial, or PUB_KEY_ID_..."""
    name = "WECHATPAY_PUBLIC_KEYS"
    text = env.secret(name, file=folder / name.lower())
    found, serial, lines = {}, "", list[str]()
    for line in [*text.splitlines(), "="]:
        head, sign, rest = line.partition("=")
        if sign and not rest and " " not in head and "-" not in head:
            if serial:
                found[serial] = "\n".join(lines) + "\n"
            serial, lines = head.strip(), []
        elif line.strip():
            lines.append(line.strip())
    if text and not found:
        raise ImproperlyConfigured(f"{name} must hold a line SERIAL= before each PEM block")
    return found


def _taxes() -> dict[str, int]:
    """Read `CC=ppm` pairs, such as `DE=190000`. Raises: ImproperlyConfigured."""
    found = {}
    for pair in env.words("TAX_PPM"):
        country, _, ppm = pair.partition("=")
        if len(country) != 2 or not ppm.isdigit() or int(ppm) > 1_000_000:
            raise ImproperlyConfigured(f"TAX_PPM: {pair!r} is not COUNTRY=millionths")
        found[country.upper()] = int(ppm)
    return found
