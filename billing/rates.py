"""Dated prices: the card in force for an endpoint at a moment, and how a new one comes.

A price is never edited: a change is a new card from a moment on. A request is priced by the
card in force at its own start. The markup is applied here, when a card is made.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from billing import models
from billing.pricing import Rate, RateCard
from billing.usage import Unit, UnitClass

PLAN = "default"
PPM = 1_000_000
# A card that must follow another of the same moment starts this much later.
TICK = dt.timedelta(microseconds=1)
ROWS_PER_STATEMENT = 500
COLUMNS = (
    "unit_class",
    "unit",
    "tier_from",
    "service_tier",
    "nusd_per_unit",
    "vendor_nusd_per_unit",
)


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
# Every card read so far: rows are immutable, so each is read once in the life of a process.
_cards: Mapping["_Head", RateCard] = {}


def card_for(endpoint_slug: str, *, at: dt.datetime) -> RateCard:
    """Return the card in force, from memory. Raises: NoCard."""
    for valid_from, card in _book.get(endpoint_slug, ()):
        if valid_from <= at:
            return card
    raise NoCard(endpoint_slug)


def next_change(*, after: dt.datetime) -> dt.datetime | None:
    """Return when the next card in memory comes into force; None while none is announced."""
    # Latest first: what is announced stands before the card in force, and is rarely there.
    coming = (
        valid_from
        for dated in _book.values()
        for valid_from, _ in dated
        if dated[0][0] > after and valid_from > after
    )
    return min(coming, default=None)


def load() -> None:
    """Read all cards into memory; readers see the old book or the new one, never a mix."""
    global _book, _cards  # noqa: PLW0603 - the one swap of an immutable book
    heads = _heads(models.RateCard.objects.all())
    read = _read_cards({head.id: head for head in heads if head not in _cards})
    _cards = {head: _cards.get(head) or read[head.id] for head in heads}
    book: dict[str, list[tuple[dt.datetime, RateCard]]] = {}
    for head in heads:
        book.setdefault(head.endpoint, []).append((head.valid_from, _cards[head]))
    _book = {endpoint: tuple(dated) for endpoint, dated in book.items()}


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
    rows: list[models.RateCard] = []
    wanted: list[tuple[Rate, ...]] = []
    # By identity: thousands of proposals share one tuple of rates.
    marked: dict[int, tuple[tuple[Rate, ...], frozenset[Rate]]] = {}
    with transaction.atomic():
        dated = _dated({proposal.endpoint for proposal in proposals})
        for proposal in sorted(proposals, key=lambda p: p.valid_from):
            if id(proposal.rates) not in marked:
                own = _marked_up(proposal.rates, markup_ppm)
                marked[id(proposal.rates)] = own, frozenset(own)
            own, as_set = marked[id(proposal.rates)]
            moment = _place(dated.setdefault(proposal.endpoint, {}), as_set, proposal.valid_from)
            if moment is None:
                continue
            dated[proposal.endpoint][moment] = as_set
            wanted.append(own)
            rows.append(
                models.RateCard(
                    plan=PLAN,
                    endpoint=proposal.endpoint,
                    valid_from=moment,
                    markup_ppm=markup_ppm,
                    source=proposal.source,
                )
            )
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
    dated: Mapping[dt.datetime, frozenset[Rate]], rates: frozenset[Rate], at: dt.datetime
) -> dt.datetime | None:
    """Return from when a card of these rates must begin; None when it changes nothing."""
    while at + TICK in dated:  # a card that was superseded at the same moment
        at += TICK
    latest = max((moment for moment in dated if moment <= at), default=None)
    if latest is not None and dated[latest] == rates:
        return None
    return at + TICK if at in dated else at


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
    table = models.Rate._meta.db_table
    columns = ", ".join(("card_id", *COLUMNS))
    # Thousands of models bring a hundred thousand rates: one statement, prepared once.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            copying = cursor.copy(f"COPY {table} ({columns}) FROM STDIN")
            with connection.wrap_database_errors, copying as copy:
                for row in values:
                    copy.write_row(row)
        elif values:
            marks = ", ".join(["%s"] * (1 + len(COLUMNS)))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - ours
            cursor.executemany(statement, values)


@dataclass(frozen=True, slots=True)
class _Head:
    id: int
    endpoint: str
    valid_from: dt.datetime


def _heads(cards: QuerySet[models.RateCard]) -> list[_Head]:
    """Return the cards without their rates, latest first."""
    rows = cards.filter(plan=PLAN).order_by("-valid_from", "-id")
    return [_Head(*row) for row in rows.values_list("id", "endpoint", "valid_from")]


def _dated(endpoints: set[str]) -> dict[str, dict[dt.datetime, frozenset[Rate]]]:
    """Read what these endpoints cost, and from when."""
    cards = models.RateCard.objects.all()
    if len(endpoints) <= ROWS_PER_STATEMENT:
        cards = cards.filter(endpoint__in=endpoints)
    heads = {head.id: head for head in _heads(cards) if head.endpoint in endpoints}
    dated: dict[str, dict[dt.datetime, frozenset[Rate]]] = {}
    sets: dict[int, frozenset[Rate]] = {}
    for card_id, card in _read_cards(heads).items():
        head = heads[card_id]
        # Equal cards share one mapping of rates, so one set serves them all.
        shared = sets.get(id(card.rates))
        if shared is None:
            shared = frozenset(rate for tiers in card.rates.values() for rate in tiers)
            sets[id(card.rates)] = shared
        dated.setdefault(head.endpoint, {})[head.valid_from] = shared
    return dated


def _read_cards(heads: Mapping[int, _Head]) -> dict[int, RateCard]:
    """Read the rates of these cards; equal rates are one object, and so are equal tables."""
    if not heads:
        return {}
    own: dict[int, list[Rate]] = {card_id: [] for card_id in heads}
    known: dict[tuple[object, ...], Rate] = {}
    rows = models.Rate.objects.filter(card_id__gte=min(heads), card_id__lte=max(heads))
    for card_id, *values in rows.values_list("card_id", *COLUMNS).iterator(chunk_size=10_000):
        if card_id not in own:
            continue
        key = tuple(values)
        rate = known.get(key)
        if rate is None:
            rate = known[key] = _rate(values)
        own[card_id].append(rate)
    tables: dict[tuple[int, ...], RateCard] = {}
    cards: dict[int, RateCard] = {}
    for card_id, rates in own.items():
        alike = tuple(sorted(id(rate) for rate in rates))
        if alike not in tables:
            tables[alike] = RateCard.of(card_id=card_id, endpoint="", rates=rates)
        endpoint = heads[card_id].endpoint
        cards[card_id] = RateCard(id=card_id, endpoint=endpoint, rates=tables[alike].rates)
    return cards


def _rate(values: Sequence[Any]) -> Rate:
    unit_class, unit, tier_from, service_tier, price, vendor_price = values
    return Rate(
        unit_class=UnitClass(unit_class),
        unit=Unit(unit),
        tier_from=tier_from,
        service_tier=service_tier,
        nusd_per_unit=price,
        vendor_nusd_per_unit=vendor_price,
    )
