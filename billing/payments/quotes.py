"""What a top-up costs and gives: price, tax, credit, at a rate that is frozen for a while."""

import datetime as dt
from dataclasses import asdict, dataclass

from django.conf import settings
from django.core import signing

from accounts.models import Account, BillingDetails
from billing.money import CENT

USD, CNY = "USD", "CNY"
CURRENCIES = (USD, CNY)
PPM = 1_000_000
_SALT = "billing.quote"


class AmountOutOfRange(ValueError):
    """Below `low_minor` or above `high_minor`."""

    def __init__(self, *, low_minor: int, high_minor: int) -> None:
        super().__init__(f"{low_minor} to {high_minor}")
        self.low_minor, self.high_minor = low_minor, high_minor


class QuoteExpired(Exception):
    """The rate is not held any more: ask for a new quote."""


class BadQuote(ValueError):
    """Not a quote that we gave this account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """An offer to one account. Minor units are cents or fen; `rate_ppm` is per 1 USD."""

    account_id: int
    currency: str
    net_minor: int
    tax_minor: int
    credit_nusd: int
    rate_ppm: int
    rate_source: str
    expires_at: int  # seconds of Unix time
    # The payer accounts for the tax itself, by its tax id.
    is_reverse_charge: bool = False

    @property
    def total_minor(self) -> int:
        """What is paid."""
        return self.net_minor + self.tax_minor


def bounds(currency: str) -> tuple[int, int]:
    """Return the smallest and the largest price in minor units."""
    low, high = settings.PAYMENTS.usd_minor_min, settings.PAYMENTS.usd_minor_max
    if currency == USD:
        return low, high
    rate = settings.PAYMENTS.cny_per_usd_ppm
    return -(-low * rate // PPM), high * rate // PPM


def price_of(credit_nusd: int, *, currency: str) -> int:
    """Return the smallest price in minor units that gives so much credit, whatever the bounds."""
    rate = PPM if currency == USD else settings.PAYMENTS.cny_per_usd_ppm
    return -(-credit_nusd * rate // (CENT * PPM))


def make(account: Account, *, currency: str, net_minor: int, now: dt.datetime) -> Quote:
    """Quote a price in minor units. Raises: AmountOutOfRange, ValueError for the currency."""
    if currency not in CURRENCIES:
        raise ValueError(currency)
    low, high = bounds(currency)
    if not low <= net_minor <= high:
        raise AmountOutOfRange(low_minor=low, high_minor=high)
    rate = PPM if currency == USD else settings.PAYMENTS.cny_per_usd_ppm
    tax_minor, is_reverse_charge = _tax(account, net_minor)
    expires_at = now + dt.timedelta(minutes=settings.PAYMENTS.quote_minutes)
    return Quote(
        account_id=account.pk,
        currency=currency,
        net_minor=net_minor,
        tax_minor=tax_minor,
        credit_nusd=net_minor * CENT * PPM // rate,  # floored
        rate_ppm=rate,
        rate_source="" if currency == USD else "operator",
        expires_at=int(expires_at.timestamp()),
        is_reverse_charge=is_reverse_charge,
    )


def _tax(account: Account, net_minor: int) -> tuple[int, bool]:
    details = BillingDetails.objects.filter(pk=account.pk).first()
    country = (details.country if details else "") or account.country
    ppm = settings.PAYMENTS.tax_ppm.get(country, 0)
    is_abroad = country != settings.PAYMENTS.seller_country
    if ppm and details and details.tax_id and is_abroad:
        return 0, True
    return -(-net_minor * ppm // PPM), False


def seal(quote: Quote) -> str:
    """Return the quote as a signed text that a form can carry."""
    return signing.dumps(asdict(quote), salt=_SALT)


def unseal(text: str, *, account: Account, now: dt.datetime) -> Quote:
    """Return the quote that `seal` wrote for this account. Raises: BadQuote, QuoteExpired."""
    try:
        quote = Quote(**signing.loads(text, salt=_SALT))
    except (signing.BadSignature, TypeError) as error:
        raise BadQuote from error
    if quote.account_id != account.pk:
        raise BadQuote
    if now.timestamp() > quote.expires_at:
        raise QuoteExpired
    return quote
