"""Amounts of two currencies in minor units: read, written, and what the presets come to (pure)."""

import re
from decimal import Decimal

from billing.payments import quotes

# US cents of credit; in another currency their equivalents at the rate of now.
PRESETS = (500, 1_000, 2_000, 5_000, 10_000)
SIGNS = {quotes.USD: "$", quotes.CNY: "¥"}
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,2})?").fullmatch


class Unreadable(ValueError):
    """No amount of money with at most two decimals."""


def written(minor: int, currency: str) -> str:
    """Write an amount: `$10.00`, `¥1,440.00`, `-¥7.20`."""
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 100)
    return f"{sign}{SIGNS.get(currency, currency + ' ')}{whole:,}.{rest:02d}"


def plain(minor: int) -> str:
    """Write an amount as one types it: `12.50`, `20`."""
    whole, rest = divmod(minor, 100)
    return f"{whole}.{rest:02d}" if rest else str(whole)


def read(text: str) -> int:
    """Read what somebody typed as minor units. Raises: Unreadable."""
    bare = text.strip().lstrip("$¥￥").strip()
    # A comma before exactly three digits parts thousands; any other one is not guessed at.
    bare = re.sub(r",(?=[0-9]{3}(?:[^0-9]|$))", "", bare)
    if not _AMOUNT(bare):
        raise Unreadable
    whole, _, rest = bare.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


def equivalent(cents: int, *, currency: str, rate_ppm: int) -> int:
    """Return what so many US cents cost in a currency, rounded up to its minor unit."""
    return cents if currency == quotes.USD else -(-cents * rate_ppm // quotes.PPM)


def rate(rate_ppm: int) -> str:
    """Write what 1 USD costs: `7.20`, `7.1234`."""
    text = f"{Decimal(rate_ppm) / quotes.PPM:f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def short(minor: int, currency: str) -> str:
    """Write an amount without decimals where it has none: `$20`, `¥35.62`."""
    text = written(minor, currency)
    return text.removesuffix(".00")
