"""Vendors' list prices from the genai-prices package, as our own rates; its only importer.

The package answers 0 for what it does not know; here that is a refusal. Classes that vendors
do not price apart are derived, always upwards, so that nothing is ever free:

* reasoning, where it has no price, costs what output does;
* tool prompts, images, video and cache reads without a price cost what input does;
* cache writes likewise, unless the vendor sells them at a premium (`writes_cost_more`);
* audio has a price or none: text prices tell nothing of it, unless the vendor says so
  (`takes_audio_as_input`); the same holds for images that come out;
* a price that changes with the hour of the day counts at its dearest hour.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

from billing.money import USD
from billing.pricing import STANDARD, Rate
from billing.usage import MEASURES, Unit, UnitClass

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider

SOURCE = f"genai-prices {version('genai-prices')}"

# Anthropic sells a 5-minute write at 1.25 times and a 1-hour write at 2 times its input price
# (platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing, 2026-11).
WRITE_PREMIUM = {
    UnitClass.CACHE_WRITE: Decimal("1.25"),
    UnitClass.CACHE_WRITE_5M: Decimal("1.25"),
    UnitClass.CACHE_WRITE_1H: Decimal(2),
}
# The package's keys, best first, for each class; and how many things their unit holds.
KEYS: Mapping[UnitClass, tuple[str, ...]] = {
    UnitClass.INPUT: ("input_mtok",),
    UnitClass.CACHE_READ: ("cache_read_mtok",),
    UnitClass.CACHE_WRITE: ("cache_write_mtok",),
    UnitClass.CACHE_WRITE_5M: ("cache_write_5m_mtok", "cache_write_mtok"),
    UnitClass.CACHE_WRITE_1H: ("cache_write_1h_mtok",),
    UnitClass.AUDIO_INPUT: ("input_audio_mtok",),
    UnitClass.AUDIO_CACHE_READ: ("cache_audio_read_mtok",),
    UnitClass.IMAGE_INPUT: ("input_image_mtok",),
    UnitClass.VIDEO_INPUT: ("input_video_mtok",),
    UnitClass.TOOL_PROMPT: ("input_tool_mtok",),
    UnitClass.OUTPUT: ("output_mtok",),
    UnitClass.REASONING: ("output_reasoning_mtok",),
    UnitClass.AUDIO_OUTPUT: ("output_audio_mtok",),
    UnitClass.IMAGE_OUTPUT: ("output_image_mtok",),
    UnitClass.WEB_SEARCH: ("web_searches_kcount",),
    UnitClass.REQUEST: ("requests_kcount",),
    UnitClass.CHARACTERS: ("input_mchars",),
    UnitClass.AUDIO_DURATION: ("input_audio_hours",),
}
# What the price of a class is for; a million tokens where it is not named.
UNITS: Mapping[UnitClass, Unit] = {
    UnitClass.WEB_SEARCH: Unit.THOUSAND,
    UnitClass.WEB_FETCH: Unit.THOUSAND,
    UnitClass.REQUEST: Unit.THOUSAND,
    UnitClass.IMAGE: Unit.THOUSAND,
    UnitClass.SEARCH_UNIT: Unit.THOUSAND,
    UnitClass.CHARACTERS: Unit.MCHAR,
    UnitClass.AUDIO_DURATION: Unit.HOUR,
}
# One of these must have a price, or nothing of a model could be billed.
BASES = MEASURES | {UnitClass.INPUT}
# Cached images are counted among cached tokens: the dearer of both prices holds.
ALSO = {"cache_image_read_mtok": UnitClass.CACHE_READ}
# Prices of what this gateway cannot be asked for (uploads, live audio, vendors' own tools).
# Any other key that is not in KEYS is a cost that nobody counts: such a model is refused.
NOT_OFFERED = frozenset(
    {
        "audio_hours",
        "output_audio_hours",
        "code_executions_kcount",
        "social_searches_kcount",
        "storage_searches_kcount",
        "input_document_kpages",
        "input_annotated_document_kpages",
    }
)
COUNTED_KEYS = NOT_OFFERED | ALSO.keys() | {key for keys in KEYS.values() for key in keys}
# Our service tiers, and the request's context under which the package prices each. The last is
# Anthropic's fast mode (`speed: fast`).
TIERS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("flex", {"service_tier": "flex"}),
    ("priority", {"service_tier": "priority"}),
    ("fast", {"service_tier": "fast"}),
    ("fast", {"speed": "fast"}),
)
AS_BATCH = ("flex", {"processing": "batch"})  # where the vendor sells both at one price

# Price of a class: nano-USD for each unit above so many prompt tokens; the first holds from 0.
Steps = tuple[tuple[int, Decimal], ...]
Prices = Mapping[UnitClass, Steps]


class NoPrice(LookupError):
    """The package does not know the price; the text says of what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is known of a vendor beyond the package."""

    providers: tuple[str, ...] = ()  # the package's provider ids, best first
    takes_audio_as_input: bool = False
    writes_cost_more: bool = False
    flex_costs_as_batch: bool = False
    # (class, USD for one million tokens or one thousand things): where the package is silent.
    supplements: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The vendor's rates from a moment on; prices equal the vendor's until markup is applied."""

    valid_from: dt.datetime
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the package knows of a model."""

    provider: str
    model: str
    context_tokens_max: int | None
    quotes: tuple[Quote, ...]  # the one in force, then those already announced


@functools.lru_cache(maxsize=8_192)  # an import asks for thousands of names at one moment
def look_up(name: str, *, rules: Rules, at: dt.datetime) -> Known:
    """Find a vendor's model and its prices. Raises: NoPrice."""
    provider, info = _find(name, rules.providers)
    moments = [at, *_announced(info, after=at)]
    # Tiers of one vendor say nothing of another's that sells the same model.
    has_tiers = any(info is model for model in _providers()[provider].models)
    quotes = [
        Quote(valid_from=moment, rates=_rates(info, moment, rules, has_tiers=has_tiers))
        for moment in moments
    ]
    return Known(
        provider=provider,
        model=info.id,
        context_tokens_max=info.context_window,
        quotes=tuple(quotes),
    )


def knows_provider(name: str) -> bool:
    """Tell whether the package lists prices of this provider."""
    return name in _providers()


def derived(prices: Mapping[UnitClass, Decimal], *, rules: Rules) -> tuple[Rate, ...]:
    """Return all rates that follow from prices someone states, in USD for each unit.

    A zero counts here: a person wrote it. Raises: NoPrice when neither input nor another
    measure has a price.
    """
    steps: dict[UnitClass, Steps] = {c: ((0, usd),) for c, usd in prices.items()}
    if not BASES & steps.keys():
        raise NoPrice("input")
    _derive(steps, rules)
    return tuple(_tier(steps, STANDARD))


@functools.cache
def _snapshot() -> "DataSnapshot":
    # 1.6 MB of Python: read when someone asks for prices, never in a gateway worker.
    from genai_prices import data_snapshot  # noqa: PLC0415

    return data_snapshot.get_snapshot()


@functools.cache
def _providers() -> Mapping[str, "Provider"]:
    return {provider.id: provider for provider in _snapshot().providers}


@functools.lru_cache(maxsize=8_192)
def _find(name: str, providers: tuple[str, ...]) -> tuple[str, "ModelInfo"]:
    for provider_id in providers:
        provider = _providers().get(provider_id)
        info = provider and provider.find_model(name, all_providers=_snapshot().providers)
        if provider and info:
            return provider.id, info
    raise NoPrice(name)


def _announced(info: "ModelInfo", *, after: dt.datetime) -> list[dt.datetime]:
    """Return the moments after `after` at which the package knows prices to change."""
    from genai_prices.types import StartDateConstraint  # noqa: PLC0415

    constraints = [p.constraint for p in info.prices] if isinstance(info.prices, list) else []
    constraints += [variant.constraint for variant in info.price_variants or ()]
    dates = {c.start_date for c in constraints if isinstance(c, StartDateConstraint)}
    moments = (dt.datetime.combine(date, dt.time(), tzinfo=dt.UTC) for date in dates)
    return sorted(moment for moment in moments if moment > after)


def _rates(
    info: "ModelInfo", at: dt.datetime, rules: Rules, *, has_tiers: bool
) -> tuple[Rate, ...]:
    extra = supplements(rules.supplements)
    tiers: dict[str, dict[UnitClass, Steps]] = {STANDARD: _steps(info, at, {})}
    if not BASES & tiers[STANDARD].keys():
        raise NoPrice(f"{info.id}: input tokens")
    contexts = (*TIERS, AS_BATCH) if rules.flex_costs_as_batch else TIERS
    for tier, context in contexts if has_tiers else ():
        if tier not in tiers and _has_variant(info, at, context):
            tiers[tier] = _steps(info, at, context)
    rates: list[Rate] = []
    for tier, steps in tiers.items():
        for unit_class, price in extra.items():
            steps.setdefault(unit_class, ((0, price),))
        _derive(steps, rules)
        rates.extend(_tier(steps, tier))
    return tuple(rates)


def supplements(stated: Iterable[tuple[str, str]]) -> Mapping[UnitClass, Decimal]:
    """Read prices that a vendor file states. Raises: ValueError for an unknown class."""
    return {UnitClass(name): Decimal(text) for name, text in stated}


def _has_variant(info: "ModelInfo", at: dt.datetime, context: Mapping[str, str]) -> bool:
    """Tell whether the package prices this context apart now (an empty variant says nothing)."""
    return any(
        variant.when == dict(context)
        and any(price is not None for price in variant.prices.__dict__.values())
        and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )


def _steps(
    info: "ModelInfo", at: dt.datetime, context: Mapping[str, str]
) -> dict[UnitClass, Steps]:
    """Return the package's prices by class, at the dearest hour of the day of `at`."""
    dearest: dict[UnitClass, Steps] = {}
    for hour in _hours(info, at):
        prices = info.get_prices(hour, dict(context))
        own = {key for key, value in prices.__dict__.items() if value is not None}
        if uncounted := own - COUNTED_KEYS:
            raise NoPrice(f"{info.id}: {', '.join(sorted(uncounted))}")
        for unit_class, steps in _classes(prices):
            dearest[unit_class] = _dearer(dearest.get(unit_class), steps)
    return dearest


def _hours(info: "ModelInfo", at: dt.datetime) -> Iterator[dt.datetime]:
    from genai_prices.types import TimeOfDateConstraint  # noqa: PLC0415

    yield at
    for price in info.prices if isinstance(info.prices, list) else ():
        if isinstance(price.constraint, TimeOfDateConstraint):
            for moment in (price.constraint.start_time, price.constraint.end_time):
                yield dt.datetime.combine(at.astimezone(dt.UTC).date(), moment)


def _classes(prices: "ModelPrice") -> Iterator[tuple[UnitClass, Steps]]:
    from genai_prices.types import TieredPrices  # noqa: PLC0415

    for unit_class, keys in (*KEYS.items(), *((c, (key,)) for key, c in ALSO.items())):
        values = (getattr(prices, key) for key in keys)
        value = next((value for value in values if value is not None), None)
        if isinstance(value, TieredPrices):
            steps: Steps = ((0, value.base), *((tier.start, tier.price) for tier in value.tiers))
        elif isinstance(value, Decimal):
            steps = ((0, value),)
        else:
            continue
        if all(price > 0 for _, price in steps):  # 0 is how the package says "unknown"
            yield unit_class, steps


def _at(steps: Steps, start: int) -> Decimal:
    return [price for begin, price in steps if begin <= start][-1]


def _dearer(one: Steps | None, other: Steps) -> Steps:
    if one is None:
        return other
    starts = sorted({start for start, _ in (*one, *other)})
    return tuple((start, max(_at(one, start), _at(other, start))) for start in starts)


def _times(steps: Steps, factor: Decimal) -> Steps:
    return tuple((start, price * factor) for start, price in steps)


def _derive(steps: dict[UnitClass, Steps], rules: Rules) -> None:
    """Fill in the classes that have no price of their own; see the module's list."""
    plain = steps.get(UnitClass.INPUT)
    if plain is None:  # billed by another measure alone: no token has a price
        return
    _derive_writes(steps, plain, rules)
    for unit_class in (
        UnitClass.CACHE_READ,
        UnitClass.IMAGE_INPUT,
        UnitClass.VIDEO_INPUT,
        UnitClass.TOOL_PROMPT,
    ):
        steps.setdefault(unit_class, plain)
    if rules.takes_audio_as_input and UnitClass.AUDIO_INPUT not in steps:
        steps[UnitClass.AUDIO_INPUT] = plain
        steps.setdefault(UnitClass.AUDIO_CACHE_READ, steps[UnitClass.CACHE_READ])
    if UnitClass.AUDIO_INPUT in steps:
        steps.setdefault(UnitClass.AUDIO_CACHE_READ, steps[UnitClass.AUDIO_INPUT])
    if UnitClass.OUTPUT in steps:
        steps.setdefault(UnitClass.REASONING, steps[UnitClass.OUTPUT])


def _derive_writes(steps: dict[UnitClass, Steps], plain: Steps, rules: Rules) -> None:
    writes = {UnitClass.CACHE_WRITE, UnitClass.CACHE_WRITE_5M, UnitClass.CACHE_WRITE_1H}
    for unit_class in sorted(writes):
        if unit_class in steps:
            continue
        if rules.writes_cost_more:
            steps[unit_class] = _times(plain, WRITE_PREMIUM[unit_class])
        else:
            steps[unit_class] = steps.get(UnitClass.CACHE_WRITE, plain)


def _tier(steps: Mapping[UnitClass, Steps], service_tier: str) -> Iterator[Rate]:
    for unit_class, own in steps.items():
        for start, usd in own:
            nano = int((usd * USD).to_integral_value(ROUND_CEILING))
            yield Rate(
                unit_class=unit_class,
                unit=UNITS.get(unit_class, Unit.MTOK),
                nusd_per_unit=nano,
                vendor_nusd_per_unit=nano,
                tier_from=start,
                service_tier=service_tier,
            )
