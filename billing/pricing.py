"""Rate cards and the price of usage (pure): one division, one rounding, in integers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from billing.usage import INPUT_CLASSES, MEASURES, OUTPUT_CLASSES, Unit, UnitClass, Usage

# All units are brought to one fraction of a thing (a token, an image, a millisecond), so that one
# division serves every sum: the least number that a million and an hour's milliseconds divide.
DIVISOR = 18_000_000
PER_THING = {
    Unit.MTOK: DIVISOR // 1_000_000,
    Unit.MCHAR: DIVISOR // 1_000_000,
    Unit.HOUR: DIVISOR // 3_600_000,
    Unit.THOUSAND: DIVISOR // 1_000,
    Unit.REQUEST: DIVISOR,
}
STANDARD = "standard"


class MissingRate(LookupError):
    """A class with a quantity has no price: it is never free."""

    def __init__(self, unit_class: UnitClass, service_tier: str) -> None:
        super().__init__(f"no rate for {unit_class} at tier {service_tier}")
        self.unit_class = unit_class
        self.service_tier = service_tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """nano-USD for each unit of a class, when prompt tokens are above `tier_from`."""

    unit_class: UnitClass
    unit: Unit
    nusd_per_unit: int
    vendor_nusd_per_unit: int
    tier_from: int = 0
    service_tier: str = STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """The rates of one endpoint in force at a moment; frozen for a request at its start."""

    id: int
    endpoint: str
    rates: Mapping[tuple[UnitClass, str], tuple[Rate, ...]]  # tiers, highest tier_from first
    # What `highest` found: a card is asked the same for every request.
    _highest: dict[tuple[frozenset[UnitClass], str], int] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, *, card_id: int, endpoint: str, rates: Iterable[Rate]) -> "RateCard":
        """Build a card from rates in any order."""
        grouped: dict[tuple[UnitClass, str], list[Rate]] = {}
        for rate in rates:
            grouped.setdefault((rate.unit_class, rate.service_tier), []).append(rate)
        ordered = {k: tuple(sorted(v, key=lambda r: -r.tier_from)) for k, v in grouped.items()}
        return cls(id=card_id, endpoint=endpoint, rates=ordered)

    def rate(self, unit_class: UnitClass, *, prompt_tokens: int, service_tier: str) -> Rate:
        """Return the rate that applies. Raises: MissingRate."""
        for rate in self.rates.get((unit_class, service_tier), ()):
            if prompt_tokens > rate.tier_from or rate.tier_from == 0:
                return rate
        raise MissingRate(unit_class, service_tier)

    def serves(self, *, service_tier: str = STANDARD) -> bool:
        """Tell whether plain input, or another measure of the work, has a price at this tier."""
        return (UnitClass.INPUT, service_tier) in self.rates or any(
            (measure, service_tier) in self.rates for measure in MEASURES
        )

    def priced(
        self, counts: Mapping[UnitClass, int], *, service_tier: str = STANDARD
    ) -> Mapping[UnitClass, int]:
        """Return those of some counts whose class has a price at this tier."""
        return {c: n for c, n in counts.items() if (c, service_tier) in self.rates}

    def highest(self, classes: frozenset[UnitClass], *, service_tier: str = STANDARD) -> int:
        """Return the highest nUSD for each million tokens over token classes and price tiers."""
        found = self._highest.get((classes, service_tier))
        if found is None:
            found = self._find_highest(classes, service_tier)
            self._highest[classes, service_tier] = found
        return found

    @property
    def dearest_nusd_per_mtok(self) -> int | None:
        """The highest price of a million tokens, of every class and tier; None without one.

        None, too, when the work is sold in another measure: images, characters, hours of sound.
        """
        if any(unit_class in MEASURES for unit_class, _ in self.rates):
            return None
        tokens = [r.nusd_per_unit for tiers in self.rates.values() for r in tiers
                  if r.unit is Unit.MTOK]  # fmt: skip
        return max(tokens, default=None)

    def _find_highest(self, classes: frozenset[UnitClass], service_tier: str) -> int:
        return max(
            (
                rate.nusd_per_unit
                for (unit_class, tier), rates in self.rates.items()
                if unit_class in classes and tier == service_tier
                for rate in rates
                if rate.unit is Unit.MTOK
            ),
            default=0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the user pays, and what the vendor's list price makes of the same usage; nUSD."""

    price_nusd: int
    vendor_nusd: int


def cost(usage: Usage, card: RateCard) -> Cost:
    """Price usage in nUSD, rounded up once, at the end.

    Units: counts are tokens or things >= 0; rates are nUSD per unit.
    Raises: MissingRate if a class with a quantity has no rate (never free).
    """
    prompt_tokens = usage.prompt_tokens
    price = vendor = 0
    for unit_class, quantity in usage.quantities.items():
        if quantity == 0:
            continue
        rate = card.rate(unit_class, prompt_tokens=prompt_tokens, service_tier=usage.service_tier)
        things = quantity * PER_THING[rate.unit]
        price += things * rate.nusd_per_unit
        vendor += things * rate.vendor_nusd_per_unit
    return Cost(price_nusd=-(-price // DIVISOR), vendor_nusd=-(-vendor // DIVISOR))


def in_measure(usage: Usage, card: RateCard) -> Usage:
    """Return the usage in the measure that the card prices: tokens, or else all of the others."""
    if not usage.measures:
        return usage
    priced = card.priced(usage.measures, service_tier=usage.service_tier)
    return replace(usage, quantities=priced or usage.quantities, measures={})


def bound(
    card: RateCard,
    *,
    prompt_tokens_max: int,
    completion_tokens_max: int,
    fees: Mapping[UnitClass, int] | None = None,
    measures: Mapping[UnitClass, int] | None = None,
    service_tier: str = STANDARD,
) -> int:
    """Return the most that a request can cost, in nUSD.

    Every token is priced at the highest rate of its side; `fees` counts things (searches, images).
    Where the card prices one of `measures`, the request is billed by these, not by tokens.
    Raises: MissingRate when a fee has no price, or input has none; or output, where measures
    would have been the other way to bill it.
    """
    counted = dict(fees or {})
    measured = card.priced(measures or {}, service_tier=service_tier)
    if measured:
        total = 0
        counted.update(measured)
    else:
        _refuse_unpriced(card, measures, completion_tokens_max, service_tier)
        total = prompt_tokens_max * card.highest(INPUT_CLASSES, service_tier=service_tier)
        total += completion_tokens_max * card.highest(OUTPUT_CLASSES, service_tier=service_tier)
        total *= PER_THING[Unit.MTOK]
    if (UnitClass.REQUEST, service_tier) in card.rates:
        counted[UnitClass.REQUEST] = 1
    for unit_class, quantity in counted.items():
        rate = card.rate(unit_class, prompt_tokens=prompt_tokens_max, service_tier=service_tier)
        total += quantity * PER_THING[rate.unit] * rate.nusd_per_unit
    return -(-total // DIVISOR)


def _refuse_unpriced(
    card: RateCard,
    measures: Mapping[UnitClass, int] | None,
    completion_tokens_max: int,
    service_tier: str,
) -> None:
    if (UnitClass.INPUT, service_tier) not in card.rates:
        raise MissingRate(next(iter(measures or ()), UnitClass.INPUT), service_tier)
    if measures and completion_tokens_max:
        priced = any((c, service_tier) in card.rates for c in OUTPUT_CLASSES)
        if not priced:
            raise MissingRate(next(iter(measures)), service_tier)
