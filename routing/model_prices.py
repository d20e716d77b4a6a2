"""What a channel's model costs the platform, and its limits."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing import price_source
from billing.price_source import Quote, Rules
from billing.rates import Proposal
from billing.usage import UnitClass
from routing import vendor_files
from routing.surfaces import Family
from routing.vendor_files import Facts, Vendor

NO_FACTS = Facts(pattern="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Prices and limits of one model. No quotes: the price is unknown, it is not served."""

    quotes: tuple[Quote, ...]
    source: str
    context_tokens_max: int | None
    output_tokens_max: int | None


UNKNOWN = Terms(quotes=(), source="", context_tokens_max=None, output_tokens_max=None)


def stated(
    prices: Mapping[UnitClass, Decimal], *, vendor: Vendor, family: Family, at: dt.datetime
) -> tuple[Quote, ...]:
    """Return the quotes that follow from prices an operator states."""
    rates = price_source.derived(prices, rules=_rules(vendor, family, NO_FACTS))
    return (Quote(valid_from=at, rates=rates),)


def of_vendor(*names: str, vendor: Vendor, family: Family, at: dt.datetime) -> Terms | None:
    """Return the terms of the first of these names that this vendor sells; None: unknown.

    What another vendor asks for the same model says nothing: a reseller has its own prices.
    """
    for name in names:
        terms = _terms(name, vendor=vendor, family=family, at=at)
        if terms is not None:
            return terms
    return None


def of_reference(
    reference: str, *, vendor: Vendor, family: Family, at: dt.datetime
) -> Terms | None:
    """Return the terms of a model that an operator names; None: nobody knows it.

    It is the channel's own vendor's name, or `author/name`, or any vendor's name.
    """
    for owner, name in _owners(reference, vendor):
        terms = _terms(name, vendor=owner, family=family, at=at)
        if terms is not None:
            return terms
    return None


def proposals(
    endpoint: str, *, quotes: Sequence[Quote], source: str, announced: Iterable[dt.datetime]
) -> Iterator[Proposal]:
    """Yield what to propose for an endpoint; earlier announcements that no more hold go back."""
    dated = {quote.valid_from: quote for quote in quotes}
    for moment in announced:
        in_force = max((start for start in dated if start <= moment), default=None)
        if in_force is not None:
            dated.setdefault(moment, dated[in_force])
    for moment, quote in dated.items():
        yield Proposal(endpoint=endpoint, rates=quote.rates, valid_from=moment, source=source)


def _terms(name: str, *, vendor: Vendor, family: Family, at: dt.datetime) -> Terms | None:
    facts = vendor.facts_of(name) or NO_FACTS
    rules = _rules(vendor, family, facts)
    try:
        found = price_source.look_up(name, rules=rules, at=at)
    except price_source.NoPrice:
        quotes = _of_file(rules, at)
        context_tokens_max, source = None, f"routing/vendors/{vendor.slug}.toml"
    else:
        quotes, context_tokens_max = found.quotes, found.context_tokens_max
        source = f"{price_source.SOURCE} {found.provider}"
    if not quotes:
        return None
    return Terms(
        quotes=quotes,
        source=source,
        context_tokens_max=context_tokens_max or facts.context_tokens_max,
        output_tokens_max=facts.output_tokens_max,
    )


def _rules(vendor: Vendor, family: Family, facts: Facts) -> Rules:
    return Rules(
        providers=vendor.priced_by,
        takes_audio_as_input=vendor.takes_audio_as_input,
        flex_costs_as_batch=vendor.flex_costs_as_batch,
        # Only Anthropic's own protocol tells the two lifetimes of a cache write apart.
        writes_cost_more=family is Family.ANTHROPIC,
        supplements=(*facts.prices.items(), *vendor.fees.items()),
    )


def _of_file(rules: Rules, at: dt.datetime) -> tuple[Quote, ...]:
    prices = price_source.supplements(rules.supplements)
    if not price_source.BASES & prices.keys():
        return ()
    return (Quote(valid_from=at, rates=price_source.derived(prices, rules=rules)),)


def _owners(reference: str, vendor: Vendor) -> Iterator[tuple[Vendor, str]]:
    """Yield who may know a model, and under which name: the channel's own vendor first."""
    yield vendor, reference
    everyone = vendor_files.all_vendors().values()
    author, slash, name = reference.partition("/")
    if slash:
        for other in everyone:
            if author in {other.author, other.slug, *other.aliases}:
                yield other, name
        if price_source.knows_provider(author):
            yield replace(vendor_files.get(vendor_files.GENERIC), priced_by=(author,)), name
    # Makers before resellers, whose names are `author/name`.
    yield from ((other, reference) for other in everyone if other.models)
