"""A model's prices as a page lists them: each class in each tier, what is alike said once."""

from collections.abc import Sequence
from dataclasses import dataclass

from bananarouter.pages.catalogue import words
from bananarouter.pages.catalogue.offers import Offer
from bananarouter.pages.words import Words
from billing.pricing import STANDARD, Rate, RateCard
from billing.usage import INPUT_CLASSES, OUTPUT_CLASSES, UnitClass
from routing.vendor_files import Vendor

# In the order of a bill.
_ORDER = {unit_class: n for n, unit_class in enumerate(UnitClass)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One price: a class, above a number of prompt tokens, in a unit."""

    name: Words
    nusd: int
    unit: Words
    above_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Classes that cost what another one does."""

    names: Sequence[Words]
    like: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """All prices of one service tier."""

    name: Words
    is_standard: bool
    rows: Sequence[Row]
    alike: Sequence[Alike]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What one or several vendors ask, and which; one model may have several."""

    vendors: Sequence[Vendor]
    tiers: Sequence[Tier]


def of(offer: Offer) -> Sequence[PriceList]:
    """Return the price lists of a model, that of the endpoint tried first in front."""
    alike: list[tuple[RateCard, list[Vendor]]] = []
    for endpoint, card in zip(offer.sheet.endpoints, offer.sheet.cards, strict=True):
        vendor = endpoint.channel.vendor
        own = next((vendors for other, vendors in alike if other.rates == card.rates), None)
        if own is None:
            alike.append((card, [vendor]))
        elif vendor not in own:
            own.append(vendor)
    return [PriceList(vendors=vendors, tiers=_tiers(card)) for card, vendors in alike]


def _tiers(card: RateCard) -> Sequence[Tier]:
    names = {tier for _, tier in card.rates}
    ordered = sorted(names, key=lambda name: (name != STANDARD, name))
    return [_tier(card, name) for name in ordered]


def _tier(card: RateCard, service_tier: str) -> Tier:
    rates = {c: own for (c, tier), own in card.rates.items() if tier == service_tier}
    rows, alike = [], []
    for base, classes in (
        (UnitClass.INPUT, INPUT_CLASSES),
        (UnitClass.OUTPUT, OUTPUT_CLASSES),
    ):
        same = [c for c in sorted(classes & rates.keys(), key=_ORDER.__getitem__)
                if c is not base and _prices(rates[c]) == _prices(rates.get(base, ()))]  # fmt: skip
        if same:
            names = [words.CLASSES[c] for c in same]
            alike.append(Alike(names=names, like=words.CLASSES[base]))
            for unit_class in same:
                del rates[unit_class]
    for unit_class in sorted(rates, key=_ORDER.__getitem__):
        rows += [_row(rate) for rate in reversed(rates[unit_class])]
    return Tier(
        name=words.TIERS.get(service_tier, service_tier),
        is_standard=service_tier == STANDARD,
        rows=rows,
        alike=alike,
    )


def _prices(rates: Sequence[Rate]) -> list[tuple[int, int, str]]:
    return [(rate.tier_from, rate.nusd_per_unit, rate.unit) for rate in rates]


def _row(rate: Rate) -> Row:
    return Row(
        name=words.CLASSES[rate.unit_class],
        nusd=rate.nusd_per_unit,
        unit=words.UNITS[rate.unit],
        above_tokens=rate.tier_from,
    )
