"""What is on offer, as the public catalogue shows it: made once, kept until something changes."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import timezone
from django.utils.safestring import SafeString

from accounts import changes
from accounts.models import Change
from billing import rates
from billing.pricing import STANDARD, RateCard
from billing.usage import Unit, UnitClass
from routing import catalogue, model_sheets, planner
from routing.catalogue import Endpoint, Snapshot
from routing.model_sheets import Sheet
from routing.vendor_files import Vendor

# Of several classes the first that has a price stands in the column.
INPUTS = (
    UnitClass.INPUT,
    UnitClass.CHARACTERS,
    UnitClass.AUDIO_DURATION,
    UnitClass.SEARCH_UNIT,
    UnitClass.REQUEST,
)
CACHED = (UnitClass.CACHE_READ,)
OUTPUTS = (
    UnitClass.OUTPUT,
    UnitClass.IMAGE_OUTPUT,
    UnitClass.AUDIO_OUTPUT,
    UnitClass.IMAGE,
)
# From the best promise to the worst; what is unknown is taken for worse than an opt-in.
TRAINS = ("no", "opt-in", "operator", "unknown", "opt-out", "yes")
NO_TRAINING = frozenset({"no", "opt-in"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one class costs in the lowest tier."""

    unit_class: UnitClass
    unit: Unit
    nusd: int

    @property
    def is_plain(self) -> bool:
        """Whether it is the price of a million tokens of text, as the column's head says."""
        return self.unit_class in {UnitClass.INPUT, UnitClass.OUTPUT, UnitClass.CACHE_READ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model that somebody can call now, with all that filters and columns ask."""

    sheet: Sheet
    is_demo: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    context_tokens_max: int | None
    output_tokens_max: int | None
    input: Price | None
    cached: Price | None
    output: Price | None
    vendors: tuple[Vendor, ...]
    jurisdictions: tuple[str, ...]
    trains: str  # the worst of its vendors' words
    retention_days: int | None  # the longest; None: some vendor does not state it
    text: str  # what a search looks into, in lower case

    @property
    def slug(self) -> str:
        """The canonical name."""
        return self.sheet.model.slug

    @property
    def name(self) -> str:
        """The name for people."""
        return self.sheet.model.name

    @property
    def author(self) -> str:
        """Who made the model."""
        return self.sheet.model.author

    @property
    def has_own_name(self) -> bool:
        """Whether its name says more than the end of its canonical name."""
        return self.name != self.slug.partition("/")[2]

    @property
    def created(self) -> int:
        """Since when it is listed here, Unix time."""
        return self.sheet.model.created

    @property
    def ends_at(self) -> dt.datetime | None:
        """When it is taken off, once that is announced."""
        return self.sheet.model.withdrawn_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All offers by name, and what filters may ask of them."""

    offers: Sequence[Offer]
    by_slug: Mapping[str, Offer]
    vendors: Sequence[Vendor]  # by name
    models_of: Mapping[str, int]  # how many a vendor serves, by its slug
    jurisdictions: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]
    # What was drawn of an offer, by slug and language: a row says the same until the shelf goes.
    drawn: dict[tuple[str, str], SafeString] = field(default_factory=dict, repr=False)

    @property
    def real(self) -> Sequence[Offer]:
        """Those that are not simulated."""
        return [offer for offer in self.offers if not offer.is_demo]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    snapshot: Snapshot
    until: dt.datetime | None
    shelf: Shelf


_kept: _Kept | None = None


def current(*, now: dt.datetime) -> Shelf:
    """Return what can be called now, by the catalogue and the prices that this process serves."""
    global _kept  # noqa: PLW0603 - the one swap of an immutable shelf
    snapshot, kept = catalogue.current(), _kept
    if kept and kept.snapshot is snapshot and (kept.until is None or now < kept.until):
        return kept.shelf
    shelf = _shelf(snapshot, now)
    _kept = _Kept(snapshot=snapshot, until=rates.next_change(after=now), shelf=shelf)
    return shelf


def connect(listener: changes.Listener) -> None:
    """Make the shelf anew whenever the catalogue changed, so that no page waits for it.

    Call it after routing.catalogue.connect(): callbacks are called in their order.
    """
    listener.subscribe(Change.Topic.CATALOGUE, prepare)


def prepare(_ref: str = "") -> None:
    """Make the shelf now."""
    current(now=timezone.now())


def find(name: str, *, now: dt.datetime) -> Offer | None:
    """Return the offer of a canonical name, an alias, or a dated or bare name; None: none."""
    model = catalogue.current().resolve(name)
    return current(now=now).by_slug.get(model.slug) if model else None


def _shelf(snapshot: Snapshot, now: dt.datetime) -> Shelf:
    found = []
    for model in snapshot.models.values():
        endpoints = tuple(e for e in model.endpoints if planner.is_on_offer(e, at=now))
        if endpoints:
            found.append(_offer(model_sheets.sheet(model, endpoints, at=now)))
    found.sort(key=lambda offer: (offer.name.lower(), offer.slug))
    vendors = {vendor.slug: vendor for offer in found for vendor in offer.vendors}
    return Shelf(
        offers=found,
        by_slug={offer.slug: offer for offer in found},
        vendors=sorted(vendors.values(), key=lambda vendor: vendor.name.lower()),
        models_of=Counter(vendor.slug for offer in found for vendor in offer.vendors),
        jurisdictions=_all(offer.jurisdictions for offer in found),
        inputs=_all(offer.inputs for offer in found),
        outputs=_all(offer.outputs for offer in found),
    )


def _all(groups: Iterable[Iterable[str]]) -> list[str]:
    return sorted({word for group in groups for word in group})


def _offer(sheet: Sheet) -> Offer:
    model, endpoints, card = sheet.model, sheet.endpoints, sheet.cards[0]
    vendors = tuple({e.channel.vendor.slug: e.channel.vendor for e in endpoints}.values())
    days = [vendor.retention_days_max for vendor in vendors]
    return Offer(
        sheet=sheet,
        is_demo=is_demo(endpoints),
        inputs=tuple(sheet.inputs),
        outputs=tuple(sheet.outputs),
        context_tokens_max=sheet.context_tokens_max,
        output_tokens_max=model.output_tokens_max,
        input=price(card, INPUTS),
        cached=price(card, CACHED),
        output=price(card, OUTPUTS),
        vendors=vendors,
        jurisdictions=tuple(dict.fromkeys(e.channel.jurisdiction for e in endpoints)),
        trains=max((vendor.trains for vendor in vendors), key=TRAINS.index),
        retention_days=None if None in days else max(d for d in days if d is not None),
        text=f"{model.name} {model.slug} {model.author}".lower(),
    )


def is_demo(endpoints: Iterable[Endpoint]) -> bool:
    """Tell whether the simulated vendor alone answers."""
    return all(endpoint.channel.is_demo for endpoint in endpoints)


def price(card: RateCard, classes: Iterable[UnitClass]) -> Price | None:
    """Return the standard price of the first of these classes that has one, in its lowest tier."""
    for unit_class in classes:
        tiers = card.rates.get((unit_class, STANDARD))
        if tiers:
            lowest = tiers[-1]
            return Price(unit_class=unit_class, unit=lowest.unit, nusd=lowest.nusd_per_unit)
    return None
