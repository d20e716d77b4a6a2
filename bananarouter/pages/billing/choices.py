"""What the form to add money offers: ways to pay, presets, and what pays a debt."""

from typing import Any

from django import forms
from django.conf import settings

from bananarouter.pages.billing import amounts, ways, words
from billing.money import CENT
from billing.payments import quotes

PRESET_DEFAULT = 2_000
# The preset that pays what is owed; it has another amount in each currency.
OWED = "owed"


def is_much(owed_nusd: int) -> bool:
    """Tell whether an account owes more than the form begins with."""
    return owed_nusd > PRESET_DEFAULT * CENT


def first(owed_nusd: int) -> str:
    """Return the preset that the form begins with."""
    return OWED if is_much(owed_nusd) else str(PRESET_DEFAULT)


def clearing(owed_nusd: int, currency: str) -> int:
    """Return the smallest price that pays what is owed, or as much as can be paid at a time."""
    low, high = quotes.bounds(currency)
    return min(max(quotes.price_of(owed_nusd, currency=currency), low), high)


class WayChoice:
    """A way to pay as a radio."""

    def __init__(self, way: ways.Way, chosen: object) -> None:
        self.key, self.currency = way.key, way.currency
        self.name, self.text = words.WAYS[way.key]
        self.is_chosen = way.key == chosen


def currencies(offered: list[ways.Way]) -> list[dict[str, str]]:
    """Return each currency with its bounds in words."""
    found = []
    for currency in dict.fromkeys(way.currency for way in offered):
        low, high = quotes.bounds(currency)
        found.append(
            {
                "code": currency,
                "sign": amounts.SIGNS[currency],
                "low": amounts.written(low, currency),
                "high": amounts.written(high, currency),
            }
        )
    return found


def presets(form: forms.Form, offered: list[ways.Way], owed_nusd: int) -> list[dict[str, Any]]:
    """Return the presets within bounds, written in each currency; last what pays a large debt."""
    low, high = quotes.bounds(quotes.USD)
    rate_ppm = settings.PAYMENTS.cny_per_usd_ppm
    named = list(dict.fromkeys(way.currency for way in offered))
    found: dict[str, dict[str, int]] = {
        str(cents): {
            currency: amounts.equivalent(cents, currency=currency, rate_ppm=rate_ppm)
            for currency in named
        }
        for cents in amounts.PRESETS
        if low <= cents <= high
    }
    if is_much(owed_nusd):
        found[OWED] = {currency: clearing(owed_nusd, currency) for currency in named}
    is_typed = bool((form["other"].value() or "").strip())
    chosen = str(form["preset"].value() or "")
    return [
        {
            "value": value,
            "is_chosen": not is_typed and value == chosen,
            "written": [
                (currency, amounts.short(minor, currency)) for currency, minor in prices.items()
            ],
        }
        for value, prices in found.items()
    ]


def debt(owed_nusd: int, offered: list[ways.Way]) -> list[dict[str, Any]]:
    """Return, for each currency, what pays a large debt and whether it pays all of it."""
    if not is_much(owed_nusd):
        return []
    found = []
    # Rounded up, as what freezes the balance is told.
    owed = amounts.written(quotes.price_of(owed_nusd, currency=quotes.USD), quotes.USD)
    for currency in dict.fromkeys(way.currency for way in offered):
        minor = clearing(owed_nusd, currency)
        found.append(
            {
                "code": currency,
                "owed": owed,
                "amount": amounts.written(minor, currency),
                "is_all": minor >= quotes.price_of(owed_nusd, currency=currency),
            }
        )
    return found
