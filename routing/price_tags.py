"""Rate cards as OpenRouter's clients read prices: US dollars a token, as exact text (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing.pricing import STANDARD, Rate, RateCard
from billing.usage import Unit, UnitClass

# nUSD are 10^-9; the price of one token is a millionth of the rate. An hour stays whole.
_DECIMALS: Mapping[Unit, int] = {
    Unit.REQUEST: 9,
    Unit.HOUR: 9,
    Unit.THOUSAND: 12,
    Unit.MTOK: 15,
    Unit.MCHAR: 15,
}
# OpenRouter's words (its OpenAPI document, 2026-08); of several classes the first that is priced.
_NAMES: Mapping[str, tuple[UnitClass, ...]] = {
    "prompt": (UnitClass.INPUT,),
    "completion": (UnitClass.OUTPUT,),
    "request": (UnitClass.REQUEST,),
    "image_token": (UnitClass.IMAGE_INPUT,),
    "image_output": (UnitClass.IMAGE,),
    "audio": (UnitClass.AUDIO_INPUT,),
    "audio_output": (UnitClass.AUDIO_OUTPUT,),
    "web_search": (UnitClass.WEB_SEARCH,),
    "internal_reasoning": (UnitClass.REASONING,),
    "input_cache_read": (UnitClass.CACHE_READ,),
    "input_cache_write": (UnitClass.CACHE_WRITE_5M, UnitClass.CACHE_WRITE),
    "input_cache_write_1h": (UnitClass.CACHE_WRITE_1H,),
    "input_audio_cache": (UnitClass.AUDIO_CACHE_READ,),
    # Ours: OpenRouter's document has no word for these.
    "image_output_token": (UnitClass.IMAGE_OUTPUT,),
    "character": (UnitClass.CHARACTERS,),
    "audio_hour": (UnitClass.AUDIO_DURATION,),
    "search_unit": (UnitClass.SEARCH_UNIT,),
}


def pricing(card: RateCard) -> dict[str, Any]:
    """Return the card's standard prices, markup included; what has no price is left out.

    `overrides` hold what is dearer above a number of prompt tokens.
    """
    base = dict(_prices(card, above=0))
    # What is not there to be sold costs nothing: an embedding has no completion.
    found: dict[str, Any] = {"prompt": "0", "completion": "0", **base, "discount": 0}
    steps = sorted({rate.tier_from for rate in _standard(card)} - {0})
    if steps:
        found["overrides"] = [
            {"min_prompt_tokens": step, **dict(_prices(card, above=step))} for step in steps
        ]
    return found


def per_mtok_nusd(card: RateCard, unit_class: UnitClass) -> int:
    """Return what a million tokens cost in the lowest tier, in nUSD; 0 without a price."""
    rate = _rate(card, unit_class, above=0)
    return rate.nusd_per_unit if rate else 0


def _prices(card: RateCard, *, above: int) -> Iterator[tuple[str, str]]:
    for name, classes in _NAMES.items():
        rates = (_rate(card, unit_class, above=above) for unit_class in classes)
        rate = next((rate for rate in rates if rate is not None), None)
        if rate is not None:
            yield name, _decimal(rate.nusd_per_unit, _DECIMALS[rate.unit])


def _rate(card: RateCard, unit_class: UnitClass, *, above: int) -> Rate | None:
    """Return the rate of exactly this tier."""
    rates = card.rates.get((unit_class, STANDARD), ())
    return next((rate for rate in rates if rate.tier_from == above), None)


def _standard(card: RateCard) -> Iterator[Rate]:
    for (_, tier), rates in card.rates.items():
        if tier == STANDARD:
            yield from rates


def _decimal(numerator: int, decimals: int) -> str:
    whole, rest = divmod(numerator, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0") if rest else str(whole)
