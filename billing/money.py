"""Money as integer nano-USD (1 USD = 1_000_000_000 nUSD): conversion and formatting."""

from decimal import ROUND_HALF_EVEN, Decimal, DecimalException
from typing import NewType

NanoUSD = NewType("NanoUSD", int)

USD = 1_000_000_000
CENT = 10_000_000


class BadAmount(ValueError):
    """The text is no amount of money that nano-USD can hold."""


def parse_usd(text: str) -> NanoUSD:
    """Read a decimal amount of US dollars, exactly.

    Raises: BadAmount when it is no number, has more than nine decimals, or does not fit 64 bits.
    """
    try:
        nano = Decimal(text) * USD
    except DecimalException as error:  # not a number, or too many digits to hold
        raise BadAmount(text) from error
    if not nano.is_finite() or nano != nano.to_integral_value() or abs(nano) >= 1 << 63:
        raise BadAmount(text)
    return NanoUSD(int(nano))


def decimal_usd(amount: int) -> str:
    """Write an amount as a plain decimal string of US dollars, exactly: `0.000317`."""
    sign = "-" if amount < 0 else ""
    whole, nano = divmod(abs(amount), USD)
    return f"{sign}{whole}.{nano:09d}".rstrip("0").rstrip(".") if nano else f"{sign}{whole}"


def display_usd(amount: int) -> str:
    """Write an amount for people: cents, or three significant digits below a cent."""
    value = Decimal(amount) / USD
    if amount == 0 or abs(value) >= Decimal("0.01"):
        text = f"{abs(value).quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
    else:
        text = f"{abs(value):.3g}" if abs(value) >= Decimal("1e-6") else decimal_usd(abs(amount))
    return f"-${text}" if amount < 0 else f"${text}"
