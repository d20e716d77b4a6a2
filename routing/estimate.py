"""What a request would cost, at which endpoints, before anything is sent or held."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.keys import Caller
from billing import pricing
from billing.money import decimal_usd
from billing.pricing import MissingRate, RateCard
from billing.usage import UnitClass, Usage
from routing import admission, planner, side_plans, tokenizer
from routing.admission import Terms
from routing.catalogue import Endpoint, Model
from routing.dialects.base import Demand, Inbound
from routing.errors import Code, RelayError
from routing.outgoing import Composer, Untranslatable

# Where prompts stand in the bodies of all dialects, and under which keys their words.
_PLACES = (
    "messages", "input", "contents", "content", "prompt", "requests", "system", "instructions",
    "systemInstruction", "system_instruction",
)  # fmt: skip
_WORDS = frozenset({*_PLACES, "text", "parts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An endpoint that may answer, and what it would ask; nUSD."""

    endpoint: Endpoint
    min_nusd: int
    max_nusd: int
    prompt_tokens_max: int
    completion_tokens_max: int

    def told(self) -> dict[str, Any]:
        """Return the offer as the API tells it."""
        return {
            **_named(self.endpoint),
            "price": _range(self.min_nusd, self.max_nusd),
            "prompt_tokens_max": self.prompt_tokens_max,
            "completion_tokens_max": self.completion_tokens_max,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An endpoint of the model that will not be tried, and why."""

    endpoint: Endpoint
    reason: Code
    message: str

    def told(self) -> dict[str, Any]:
        """Return the exclusion as the API tells it."""
        named = _named(self.endpoint)
        return {**named, "reason": self.reason.value, "message": self.message}


async def estimate(
    inbound: Inbound, demand: Demand, *, models: Sequence[Model], caller: Caller, at: dt.datetime
) -> dict[str, Any]:
    """Return the range of prices over the endpoints that may answer, and why others may not.

    `models` are the one that is asked for and those to fall back on. The upper end is what
    admission would hold; the lower end pays for the words of the prompt, as our tokenizer counts
    them, read from a cache and without any answer.
    Raises: RelayError (403) when the key may use none of the models.
    """
    prompt_tokens = await asyncio.to_thread(_count, inbound)
    composer = Composer(
        inbound=inbound,
        demand=demand,
        account_id=caller.account_id,
        generation_id="",
        created=int(at.timestamp()),
    )
    if not any(caller.may_use(model.slug) for model in models):
        planner.plan(models[0], caller=caller, surface=inbound.surface, at=at)
    offers: list[Offer] = []
    excluded: list[Exclusion] = []
    for model in models:
        planned = _planned(model, inbound, caller=caller, at=at)
        for endpoint in planned:
            found = _judged(endpoint, composer, prompt_tokens=prompt_tokens, at=at)
            if isinstance(found, Offer):
                offers.append(found)
            else:
                excluded.append(found)
        excluded += [
            _excluded(endpoint, caller=caller, at=at)
            for endpoint in model.endpoints
            if endpoint not in planned
        ]
    return {
        "model": models[0].slug,
        "price": _over(offers),
        "prompt_tokens": prompt_tokens,
        "endpoints": [offer.told() for offer in offers],
        "excluded": [exclusion.told() for exclusion in excluded],
    }


def _planned(
    model: Model, inbound: Inbound, *, caller: Caller, at: dt.datetime
) -> tuple[Endpoint, ...]:
    """Return what the relay would try; nothing where it would refuse every endpoint."""
    plan = side_plans.plan if inbound.surface in side_plans.SURFACES else planner.plan
    try:
        return plan(model, caller=caller, surface=inbound.surface, at=at)
    except RelayError:
        return ()


def _judged(
    endpoint: Endpoint, composer: Composer, *, prompt_tokens: int, at: dt.datetime
) -> Offer | Exclusion:
    """Tell what an endpoint of the plan would ask, or why it cannot serve this request."""
    try:
        composer.judge(endpoint)
        terms = admission.terms_of(composer.demand, (endpoint,), at)
        return _offer(endpoint, terms, prompt_tokens=prompt_tokens)
    except Untranslatable as refused:
        reason, message = refused.error.code, refused.error.message
    except MissingRate as missing:
        reason = Code.UNPRICED
        message = f"It has no price for {missing.unit_class.value}."
    except RelayError as error:
        reason, message = error.code, error.message
    return Exclusion(endpoint=endpoint, reason=reason, message=message)


def _excluded(endpoint: Endpoint, *, caller: Caller, at: dt.datetime) -> Exclusion:
    if not planner.is_within(caller, endpoint):
        reason, message = Code.JURISDICTION, "Its jurisdiction is not allowed by key and account."
    elif not (caller.may_use(endpoint.model_slug) and planner.is_open_to(caller, endpoint)):
        reason, message = Code.MODEL_NOT_ALLOWED, "It is not open to this key."
    elif not planner.is_priced(endpoint, at):
        reason, message = Code.UNPRICED, "It has no price yet."
    elif not planner.is_affordable(caller, endpoint, at):
        reason, message = (
            Code.TRIAL_MODEL,
            ("Trial money, or a first card payment in its first hours, does not buy it."),
        )
    else:
        spoken = endpoint.channel.family.value
        reason, message = Code.WRONG_PROTOCOL, f"It speaks {spoken}, which has no such operation."
    return Exclusion(endpoint=endpoint, reason=reason, message=message)


def _offer(endpoint: Endpoint, terms: Terms, *, prompt_tokens: int) -> Offer:
    highest = terms.bound()
    lowest = _least(terms.cards[endpoint.slug], prompt_tokens, terms.demand.service_tier)
    return Offer(
        endpoint=endpoint,
        min_nusd=min(lowest, highest),
        max_nusd=highest,
        prompt_tokens_max=terms.prompt_tokens(endpoint),
        completion_tokens_max=terms.output_tokens(endpoint) * terms.demand.choices,
    )


def _least(card: RateCard, prompt_tokens: int, service_tier: str) -> int:
    """Return what the prompt costs in the cheapest of its classes, with the request's own fee."""
    fees = {UnitClass.REQUEST: 1} if (UnitClass.REQUEST, service_tier) in card.rates else {}
    classes = [
        unit_class
        for unit_class in (UnitClass.INPUT, UnitClass.CACHE_READ)
        if (unit_class, service_tier) in card.rates
    ]
    usages = (
        Usage(quantities={unit_class: prompt_tokens, **fees}, service_tier=service_tier)
        for unit_class in classes
    )
    return min((pricing.cost(usage, card).price_nusd for usage in usages), default=0)


def _over(offers: list[Offer]) -> dict[str, str] | None:
    if not offers:
        return None
    return _range(min(o.min_nusd for o in offers), max(o.max_nusd for o in offers))


def _range(lowest: int, highest: int) -> dict[str, str]:
    return {"min": decimal_usd(lowest), "max": decimal_usd(highest), "currency": "USD"}


def _named(endpoint: Endpoint) -> dict[str, Any]:
    channel = endpoint.channel
    return {
        "endpoint_id": endpoint.slug,
        "provider_name": channel.vendor.name,
        "tag": channel.vendor.slug,
        "jurisdiction": channel.jurisdiction,
        "protocol": channel.family.value,
        "context_length": endpoint.context_tokens_max,
        "max_completion_tokens": endpoint.output_tokens_max,
    }


def _count(inbound: Inbound) -> int:
    body = inbound.body
    places = (body[name] for name in _PLACES if name in body)
    return sum(tokenizer.count(text) for place in places for text in _texts(place))


def _texts(value: Any) -> Iterator[str]:
    """Yield the words of a prompt; not its keys, names and media. The body's depth is bounded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for name, part in value.items():
            if name in _WORDS:
                yield from _texts(part)
