"""Dated prices: the card in force for an endpoint at a moment, and how a new one comes.

A price is never edited: a change is a new card from a moment on. A request is priced by the
card in force at its own start. The markup is applied here, when a card is made.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import connection, transaction

from billing import models
from billing.pricing import Rate, RateCard
from billing.usage import Unit, UnitClass

PLAN = "default"
PPM = 1_000_000
# A card that must follow another of the same moment starts this much later.
TICK = dt.timedelta(microseconds=1)
ROWS_PER_STATEMENT = 500


class NoCard(LookupError):
    """The endpoint had no price at that moment: it is not served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The vendor's rates of one endpoint from a moment on; `nusd_per_unit` is not read."""

    endpoint: str
    rates: tuple[Rate, ...]
    valid_from: dt.datetime
    source: str


# Cards of each endpoint, latest first. Replaced as a whole, never changed.
_Book = Mapping[str, tuple[tuple[dt.datetime, RateCard], ...]]
_book: _Book = {}


def card_for(endpoint_slug: str, *, at: dt.datetime) -> RateCard:
    """Return the card in force, from memory. Raises: NoCard."""
    for valid_from, card in _book.get(endpoint_slug, ()):
        if valid_from <= at:
            return card
    raise NoCard(endpoint_slug)


def load() -> None:
    """Read all cards into memory; readers see the old book or the new one, never a mix."""
    global _book  # noqa: PLW0603 - the one swap of an immutable book
    _book = _read()


def propose(
    *,
    endpoint: str,
    rates: Iterable[Rate],
    valid_from: dt.datetime,
    source: str,
    markup_ppm: int,
) -> models.RateCard | None:
    """Insert a new card when it differs from the one then in force; None when it does not."""
    proposal = Proposal(endpoint=endpoint, rates=tuple(rates), valid_from=valid_from, source=source)
    made = propose_all([proposal], markup_ppm=markup_ppm)
    return made[0] if made else None


def propose_all(proposals: Sequence[Proposal], *, markup_ppm: int) -> list[models.RateCard]:
    """Insert a card for each proposal that changes something, and return these.

    Prices are the vendor's with `markup_ppm` on top, rounded up; the vendor's stand beside.
    """
    if markup_ppm < 0:
        raise ValueError("a negative markup sells below cost")
    endpoints = {proposal.endpoint for proposal in proposals}
    with transaction.atomic():
        book = {slug: list(cards) for slug, cards in _read(endpoints).items()}
        rows: list[models.RateCard] = []
        wanted: list[tuple[Rate, ...]] = []
        for proposal in sorted(proposals, key=lambda p: p.valid_from):
            cards = book.setdefault(proposal.endpoint, [])
            marked = _marked_up(proposal.rates, markup_ppm)
            moment = _place(cards, marked, proposal.valid_from)
            if moment is None:
                continue
            card = RateCard.of(card_id=0, endpoint=proposal.endpoint, rates=marked)
            cards.append((moment, card))
            cards.sort(key=lambda dated: dated[0], reverse=True)
            rows.append(
                models.RateCard(
                    plan=PLAN,
                    endpoint=proposal.endpoint,
                    valid_from=moment,
                    markup_ppm=markup_ppm,
                    source=proposal.source,
                )
            )
            wanted.append(marked)
        _insert(rows, wanted)
    return rows


def scheduled(endpoints: Iterable[str], *, after: dt.datetime) -> Mapping[str, list[dt.datetime]]:
    """Return the moments of cards that begin after `after`, by endpoint."""
    found: dict[str, list[dt.datetime]] = {}
    rows = models.RateCard.objects.filter(plan=PLAN, valid_from__gt=after)
    wanted = set(endpoints)
    for endpoint, moment in rows.order_by("valid_from").values_list("endpoint", "valid_from"):
        if endpoint in wanted:
            found.setdefault(endpoint, []).append(moment)
    return found


def _place(
    cards: Sequence[tuple[dt.datetime, RateCard]], rates: tuple[Rate, ...], at: dt.datetime
) -> dt.datetime | None:
    """Return from when a card of these rates must begin; None when it changes nothing."""
    current = next((card for moment, card in cards if moment <= at), None)
    if current is not None and _flat(current) == frozenset(rates):
        return None
    taken = {moment for moment, _ in cards}
    while at in taken:
        at += TICK
    return at


def _flat(card: RateCard) -> frozenset[Rate]:
    return frozenset(rate for tiers in card.rates.values() for rate in tiers)


def _marked_up(rates: Iterable[Rate], markup_ppm: int) -> tuple[Rate, ...]:
    marked = []
    for rate in rates:
        if rate.vendor_nusd_per_unit < 0 or rate.tier_from < 0:
            raise ValueError(f"a rate of {rate.unit_class} is negative")
        price = -(-rate.vendor_nusd_per_unit * (PPM + markup_ppm) // PPM)
        marked.append(replace(rate, nusd_per_unit=price))
    return tuple(marked)


def _insert(rows: Sequence[models.RateCard], rates: Sequence[tuple[Rate, ...]]) -> None:
    models.RateCard.objects.bulk_create(rows, batch_size=ROWS_PER_STATEMENT)
    values = [
        (
            row.pk,
            rate.unit_class.value,
            rate.unit.value,
            rate.tier_from,
            rate.service_tier,
            rate.nusd_per_unit,
            rate.vendor_nusd_per_unit,
        )
        for row, own in zip(rows, rates, strict=True)
        for rate in own
    ]
    # One prepared statement: thousands of models bring a hundred thousand rates.
    columns = (
        "card_id", "unit_class", "unit", "tier_from", "service_tier",
        "nusd_per_unit", "vendor_nusd_per_unit",
    )  # fmt: skip
    table = models.Rate._meta.db_table
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - our own names
        f"VALUES ({', '.join(['%s'] * len(columns))})"
    )
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(statement, values)


def _read(endpoints: set[str] | None = None) -> _Book:
    cards = models.RateCard.objects.filter(plan=PLAN)
    rates = models.Rate.objects.filter(card__plan=PLAN)
    if endpoints is not None and len(endpoints) <= ROWS_PER_STATEMENT:
        cards = cards.filter(endpoint__in=endpoints)
        rates = rates.filter(card__endpoint__in=endpoints)
    own: dict[int, list[Rate]] = {}
    shared: dict[tuple[object, ...], Rate] = {}
    for card_id, *values in rates.values_list(
        "card_id", "unit_class", "unit", "tier_from", "service_tier",
        "nusd_per_unit", "vendor_nusd_per_unit",
    ).iterator(chunk_size=10_000):  # fmt: skip
        key = tuple(values)
        rate = shared.get(key)
        if rate is None:
            rate = shared[key] = _rate(values)
        own.setdefault(card_id, []).append(rate)
    book: dict[str, list[tuple[dt.datetime, RateCard]]] = {}
    alike: dict[tuple[Rate, ...], RateCard] = {}
    for card_id, endpoint, moment in cards.order_by("-valid_from", "-id").values_list(
        "id", "endpoint", "valid_from"
    ):
        rows = tuple(own.get(card_id, ()))
        like = alike.get(rows)
        if like is None:
            like = alike[rows] = RateCard.of(card_id=card_id, endpoint=endpoint, rates=rows)
        card = replace(like, id=card_id, endpoint=endpoint)
        book.setdefault(endpoint, []).append((moment, card))
    return {endpoint: tuple(dated) for endpoint, dated in book.items()}


def _rate(values: Sequence[object]) -> Rate:
    unit_class, unit, tier_from, service_tier, price, vendor_price = values
    return Rate(
        unit_class=UnitClass(str(unit_class)),
        unit=Unit(str(unit)),
        tier_from=int(str(tier_from)),
        service_tier=str(service_tier),
        nusd_per_unit=int(str(price)),
        vendor_nusd_per_unit=int(str(vendor_price)),
    )
