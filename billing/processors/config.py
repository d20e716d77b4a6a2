"""What an operator sets for each processor (settings.PAYMENTS); read by bananarouter."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripe:
    """Keys of a Stripe account. Webhook secrets: the newest and those that roll out."""

    url: str
    account: str = ""
    secret_key: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_set(self) -> bool:
        return bool(self.account and self.secret_key and self.webhook_secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alipay:
    """An Alipay app. Key mode has `public_keys`; certificate mode the three certificates.

    All keys and certificates are PEM texts.
    """

    url: str
    app_id: str = ""
    seller_id: str = ""
    private_key: str = field(default="", repr=False)
    public_keys: tuple[str, ...] = ()
    app_certificate: str = ""
    public_certificates: tuple[str, ...] = ()
    root_certificates: str = ""

    @property
    def is_set(self) -> bool:
        by_key = bool(self.public_keys)
        by_certificate = bool(self.app_certificate and self.public_certificates)
        has_keys = by_key or (by_certificate and bool(self.root_certificates))
        return bool(self.app_id and self.seller_id and self.private_key) and has_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class WeChatPay:
    """A WeChat Pay merchant. `public_keys`: PEM of a public key or certificate by its serial."""

    url: str
    mchid: str = ""
    appid: str = ""
    serial: str = ""
    private_key: str = field(default="", repr=False)
    api_v3_key: str = field(default="", repr=False)
    public_keys: Mapping[str, str] = field(default_factory=dict)
    # The app's own secret and where it asks who pays: payments inside WeChat's browser.
    app_secret: str = field(default="", repr=False)
    open_url: str = "https://open.weixin.qq.com"
    api_url: str = "https://api.weixin.qq.com"

    @property
    def is_set(self) -> bool:
        own = self.mchid and self.appid and self.serial and self.private_key
        return bool(own and len(self.api_v3_key) == 32 and self.public_keys)

    @property
    def pays_inside(self) -> bool:
        """Whether it can be paid inside WeChat's own browser."""
        return self.is_set and bool(self.app_secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """Everything that is set about money coming in."""

    stripe: Stripe
    alipay: Alipay
    wechatpay: WeChatPay
    # True: the sandbox of this installation plays all processors; no real money moves.
    is_sandbox: bool = False
    # Processors that a payer may choose, of those that are set.
    enabled: tuple[str, ...] = ()
    usd_minor_min: int = 500
    usd_minor_max: int = 200_000
    # Yuan for 1 USD in millionths.
    cny_per_usd_ppm: int = 7_200_000
    quote_minutes: int = 30
    # Tax on the price by country of the billing details, in millionths.
    tax_ppm: Mapping[str, int] = field(default_factory=dict)
    # The country whose tax ids do not shift the tax to the payer.
    seller_country: str = ""
    # An account's first week, in USD cents; and how many orders a card or network may pay a day.
    first_week_minor_max: int = 20_000
    card_orders_per_day: int = 5
    network_orders_per_day: int = 10
    hold_hours: int = 24
    refund_days: int = 14
    # The largest share of a payment that a processor may keep, in millionths: more is looked at.
    fee_ppm_max: int = 60_000
    staff_refund_minor_max: int = 50_000
    # What staff give an account alone, in USD cents: whoever may ask, and who may agree.
    staff_credit_minor_max: int = 2_000
    finance_credit_minor_max: int = 10_000
