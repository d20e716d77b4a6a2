"""A model's prices as a page lists them: each class in each tier, what is alike said once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bananarouter.pages.catalogue import words
from bananarouter.pages.catalogue.offers import Offer
from bananarouter.pages.words import Words
from billing.pricing import STANDARD, Rate, RateCard
from billing.usage import INPUT_CLASSES, OUTPUT_CLASSES, Unit, UnitClass
from routing.vendor_files import Vendor

# In the order of a bill.
_ORDER = {unit_class: n for n, unit_class in enumerate(UnitClass)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One class in one unit, above a number of prompt tokens: its price in each service tier."""

    name: Words
    unit: Unit
    above_tokens: int
    nusd: Sequence[int | None]  # in the order of the list's tiers


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Classes that cost what another one does, in every tier."""

    names: Sequence[Words]
    like: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """What one or several endpoints ask, and which; one model may have several."""

    places: Sequence[tuple[Vendor, str]]  # and the wire format there
    tiers: Sequence[str]
    rows: Sequence[Row]
    alike: Sequence[Alike]


def of(offer: Offer) -> Sequence[PriceList]:
    """Return the price lists of a model, that of the endpoint tried first in front."""
    alike: list[tuple[RateCard, list[tuple[Vendor, str]]]] = []
    for endpoint, card in zip(offer.sheet.endpoints, offer.sheet.cards, strict=True):
        place = endpoint.channel.vendor, endpoint.wire.value
        own = next((places for other, places in alike if other.rates == card.rates), None)
        if own is None:
            alike.append((card, [place]))
        elif place not in own:
            own.append(place)
    return [_list(card, places) for card, places in alike]


_Rates = Mapping[str, tuple[Rate, ...]]  # of one class, by service tier


def _list(card: RateCard, places: Sequence[tuple[Vendor, str]]) -> PriceList:
    tiers = sorted({tier for _, tier in card.rates}, key=lambda name: (name != STANDARD, name))
    by_class: dict[UnitClass, _Rates] = {
        unit_class: {t: card.rates[unit_class, t] for t in tiers if (unit_class, t) in card.rates}
        for unit_class in sorted({c for c, _ in card.rates}, key=_ORDER.__getitem__)
    }
    alike = [
        *_alike(by_class, UnitClass.INPUT, INPUT_CLASSES),
        *_alike(by_class, UnitClass.OUTPUT, OUTPUT_CLASSES),
    ]
    return PriceList(
        places=places,
        tiers=tiers,
        rows=[row for c, rates in by_class.items() for row in _rows(c, rates, tiers)],
        alike=alike,
    )


def _alike(
    by_class: dict[UnitClass, _Rates], base: UnitClass, classes: frozenset[UnitClass]
) -> Sequence[Alike]:
    """Take the classes out that cost what their base does."""
    wanted = _prices(by_class.get(base, {}))
    same = [c for c in by_class if c in classes - {base} and _prices(by_class[c]) == wanted]
    for unit_class in same:
        del by_class[unit_class]
    if not same:
        return ()
    return (Alike(names=[words.CLASSES[c] for c in same], like=words.CLASSES[base]),)


def _prices(rates: _Rates) -> Mapping[str, Sequence[tuple[str, int, int]]]:
    return {
        tier: [(rate.unit, rate.tier_from, rate.nusd_per_unit) for rate in own]
        for tier, own in rates.items()
    }


def _rows(unit_class: UnitClass, rates: _Rates, tiers: Sequence[str]) -> Sequence[Row]:
    steps = sorted({(rate.tier_from, rate.unit) for own in rates.values() for rate in own})
    found = {
        (tier, rate.tier_from, rate.unit): rate.nusd_per_unit
        for tier, own in rates.items()
        for rate in own
    }
    return [
        Row(
            name=words.CLASSES[unit_class],
            unit=unit,
            above_tokens=above,
            nusd=[found.get((tier, above, unit)) for tier in tiers],
        )
        for above, unit in steps
    ]
