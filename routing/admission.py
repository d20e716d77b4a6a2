"""Whether a request can be paid: its upper bound, the hold, and the limit it is cut down to."""

import asyncio
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from django.conf import settings

from accounts.keys import Caller
from billing import bank, leases, pricing, rates
from billing.grants import WALLET, Limit
from billing.leases import Grant
from billing.money import decimal_usd, display_usd
from billing.pricing import MissingRate, RateCard
from billing.usage import OUTPUT_CLASSES
from routing import tokenizer
from routing.catalogue import Endpoint
from routing.dialects.base import Demand, Inbound
from routing.errors import Code, RelayError, cannot_afford
from routing.exchange import Exchange

# Where neither the catalogue nor the caller bounds the output.
OUTPUT_TOKENS_UNKNOWN = 131_072
# The largest window that a vendor offers (Grok, Gemini; 2026-11), for models that state none.
CONTEXT_TOKENS_UNKNOWN = 2_097_152
# A limit below this makes no answer worth its prompt.
OUTPUT_TOKENS_CLAMP_MIN = 16
# The tokenizer is not the vendor's own: allow for the difference.
TOKENIZER_MARGIN_PERCENT = 110
# Message framing and the like, on top of the counted text.
COUNTED_PREAMBLE_TOKENS = 200
MTOK = 1_000_000
# How the limits of a key (billing.models.Budget.Period) are told.
_LIMITS: Mapping[str, str] = {
    "daily": "daily limit",
    "weekly": "weekly limit",
    "monthly": "monthly limit",
    "total": "total limit",
}
COUNT_INLINE_CHARS = 20_000
# More than any balance holds; a number without end must not be multiplied.
COST_USD_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the caller asked of admission by headers."""

    may_clamp: bool = True  # X-Max-Tokens-Clamp: off
    cost_nusd_max: int | None = None  # X-Max-Cost-USD

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Wish":
        """Read the wishes. Raises: RelayError for a cap that is no amount."""
        cap = headers.get("x-max-cost-usd")
        clamp = headers.get("x-max-tokens-clamp", "on").strip().lower()
        if clamp not in {"on", "off"}:
            raise _bad_header("X-Max-Tokens-Clamp must be on or off.")
        return cls(may_clamp=clamp == "on", cost_nusd_max=_cap(cap) if cap else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A request that can be paid, whichever of its endpoints answers."""

    grant: Grant
    cards: Mapping[str, RateCard]  # by endpoint slug, frozen now
    output_limit: int | None  # set when the output was cut down to what is affordable


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The bound's ingredients over all endpoints of the plan."""

    demand: Demand
    endpoints: tuple[Endpoint, ...]
    cards: Mapping[str, RateCard]

    def prompt_tokens(self, endpoint: Endpoint) -> int:
        """Bound the prompt by its bytes; by the whole window where content is elsewhere."""
        demand, quirks = self.demand, endpoint.quirks
        window = endpoint.context_tokens_max
        if demand.has_remote_content:
            return window or CONTEXT_TOKENS_UNKNOWN
        tokens = (
            demand.prompt_bytes
            + quirks.preamble_tokens_max
            + demand.images * quirks.image_tokens_max
            + demand.media_tokens
        )
        return tokens if window is None else min(tokens, window)

    def output_tokens(self, endpoint: Endpoint) -> int:
        """Bound one choice's output: the caller's limit within the model's."""
        if not self.demand.has_output:
            return 0
        most = endpoint.output_tokens_max or endpoint.context_tokens_max or OUTPUT_TOKENS_UNKNOWN
        wanted = self.demand.output_tokens
        return most if wanted is None else min(wanted, most)

    def bound(self, *, prompt: int | None = None, output: int | None = None) -> int:
        """Return the hold in nUSD: the highest bound of all endpoints."""
        demand, highest = self.demand, 0
        for endpoint in self.endpoints:
            tokens = self.prompt_tokens(endpoint)
            each = self.output_tokens(endpoint)
            held = pricing.bound(
                self.cards[endpoint.slug],
                prompt_tokens_max=tokens if prompt is None else min(prompt, tokens),
                completion_tokens_max=demand.choices * (each if output is None else output),
                fees=demand.fees,
                measures=demand.measures,
                service_tier=demand.service_tier,
            )
            highest = max(highest, held)
        return highest

    def output_for(self, budget_nusd: int, *, prompt: int | None) -> int:
        """Return the output limit for each choice that a budget can pay; may be negative."""
        demand = self.demand
        left = budget_nusd - self.bound(prompt=prompt, output=0)
        rate = max(
            card.highest(OUTPUT_CLASSES, service_tier=demand.service_tier)
            for card in self.cards.values()
        )
        if rate == 0 or left < 0:
            return -1 if left < 0 else OUTPUT_TOKENS_UNKNOWN
        return left * MTOK // rate // demand.choices

    @property
    def requested_tokens(self) -> int:
        """The output that the caller may get at most."""
        return max(self.output_tokens(e) for e in self.endpoints)


async def admit(
    exchange: Exchange, *, inbound: Inbound, demand: Demand, endpoints: tuple[Endpoint, ...],
    wish: Wish,
) -> Admission:  # fmt: skip
    """Hold the most that the request can cost, or refuse it.

    Raises: RelayError (402 with what is affordable; 400 for what has no price; 503).
    """
    if not bank.is_open():
        raise unavailable()
    terms = terms_of(demand, endpoints, exchange.created_at)
    caller = _caller(exchange)
    try:
        hold = terms.bound()
    except MissingRate as error:
        raise _unpriced(error) from error
    cap = wish.cost_nusd_max
    if cap is None or hold <= cap:
        grant = leases.try_admit(
            wallet_id=caller.account_id,
            api_key_id=caller.key_id,
            budget_key_id=caller.budget_key_id,
            hold_nusd=hold,
        )
        if grant is not None:
            return Admission(grant=grant, cards=terms.cards, output_limit=None)
        try:
            grant = await _hold(caller, hold)
            return Admission(grant=grant, cards=terms.cards, output_limit=None)
        except leases.InsufficientCredit as short:
            return await _fit(exchange, inbound, terms, wish, short)
    return await _fit(exchange, inbound, terms, wish, None)


def _caller(exchange: Exchange) -> Caller:
    if exchange.caller is None:
        raise AssertionError("admission needs a caller")
    return exchange.caller


async def readmit(exchange: Exchange, grant: Grant) -> Grant:
    """Hold the same amount again, after a lease was closed under the first hold."""
    try:
        return await _hold(_caller(exchange), grant.hold_nusd)
    except leases.InsufficientCredit as short:
        raise _refusal(short, requested=0, affordable=0, now=exchange.created_at) from short


def terms_of(demand: Demand, endpoints: tuple[Endpoint, ...], at: dt.datetime) -> Terms:
    """Return what bounds a request's cost, at the prices then. Raises: RelayError (400)."""
    cards = {e.slug: rates.card_for(e.slug, at=at) for e in endpoints}
    priced = tuple(e for e in endpoints if cards[e.slug].serves(service_tier=demand.service_tier))
    if not priced:
        raise RelayError(
            code=Code.UNPRICED,
            message=f"This model has no price for service tier {demand.service_tier!r}: "
            "leave service_tier out.",
            param="service_tier",
        )
    return Terms(demand=demand, endpoints=priced, cards=cards)


async def _hold(caller: Caller, hold_nusd: int) -> Grant:
    try:
        return await leases.admit(
            wallet_id=caller.account_id,
            api_key_id=caller.key_id,
            budget_key_id=caller.budget_key_id,
            hold_nusd=hold_nusd,
        )
    except leases.WalletFrozen as error:
        raise RelayError(
            code=Code.WALLET_FROZEN,
            message="This account's balance is frozen: the page Billing says why and what ends it.",
        ) from error
    except leases.MoneyUnavailable as error:
        raise unavailable() from error


async def _fit(
    exchange: Exchange, inbound: Inbound, terms: Terms, wish: Wish,
    short: leases.InsufficientCredit | None,
) -> Admission:  # fmt: skip
    """Try a closer bound of the prompt, then less output, within what is affordable."""
    now = exchange.created_at
    budget = short.available_nusd if short else terms.bound()
    if wish.cost_nusd_max is not None:
        budget = min(budget, wish.cost_nusd_max)
    prompt = await _counted_prompt(inbound, terms.demand)
    limit = None
    if terms.bound(prompt=prompt) > budget:
        limit = terms.output_for(budget, prompt=prompt)
        if not _may_cut(terms.demand, wish) or limit < OUTPUT_TOKENS_CLAMP_MIN:
            if short is None:
                raise _cap_too_low()
            raise _refusal(
                short, requested=terms.requested_tokens, affordable=max(limit, 0), now=now
            )
    try:
        grant = await _hold(_caller(exchange), terms.bound(prompt=prompt, output=limit))
    except leases.InsufficientCredit as error:
        raise _refusal(error, requested=terms.requested_tokens, affordable=0, now=now) from error
    return Admission(grant=grant, cards=terms.cards, output_limit=limit)


def _may_cut(demand: Demand, wish: Wish) -> bool:
    return demand.has_output and demand.has_limit and wish.may_clamp


async def _counted_prompt(inbound: Inbound, demand: Demand) -> int | None:
    """Count the prompt where all of it is text; None where its bytes must bound it."""
    if demand.images or demand.has_remote_content or demand.media_tokens:
        return None
    text = inbound.raw.decode(errors="replace")
    # A long prompt is counted beside the loop, which must not stand still.
    counting = tokenizer.count(text) if len(text) < COUNT_INLINE_CHARS else None
    counted = await asyncio.to_thread(tokenizer.count, text) if counting is None else counting
    return counted * TOKENIZER_MARGIN_PERCENT // 100 + COUNTED_PREAMBLE_TOKENS


def _refusal(
    short: leases.InsufficientCredit, *, requested: int, affordable: int, now: dt.datetime
) -> RelayError:
    if short.is_in_flight:
        whose = (
            "balance" if short.limit.name == WALLET else f"{_LIMITS[short.limit.name]} of the key"
        )
        return RelayError(
            code=Code.IN_FLIGHT,
            message=f"Requests that are still running hold the {whose}: try again when they end.",
            retry_after_s=1,
            metadata={"reason": "in_flight"},
        )
    if short.limit.name != WALLET:
        return _key_limit(short.limit, now=now)
    return cannot_afford(
        requested_tokens=requested,
        affordable_tokens=affordable,
        top_up_url=f"{settings.PUBLIC_URL}/billing",
    )


def _key_limit(limit: Limit, *, now: dt.datetime) -> RelayError:
    """Name the limit of a key that is used up, and when it starts over."""
    left, whole = display_usd(limit.left_nusd), display_usd(limit.amount_nusd)
    reset = limit.resets_at
    again = f" It starts over at {reset:%Y-%m-%dT%H:%M:%SZ}." if reset else ""
    return RelayError(
        code=Code.KEY_LIMIT,
        message=f"{left} is left of this API key's {_LIMITS[limit.name]} of {whole}, and the "
        f"request may cost more.{again} Raise the limit on the keys page, or use another key.",
        retry_after_s=math.ceil((reset - now).total_seconds()) if reset else None,
        metadata={
            "limit": limit.name,
            "limit_usd": decimal_usd(limit.amount_nusd),
            "limit_remaining_usd": decimal_usd(limit.left_nusd),
            "resets_at": reset.isoformat() if reset else None,
        },
    )


def unavailable() -> RelayError:
    """Say that money cannot be booked now: never the caller's fault."""
    return RelayError(
        code=Code.MONEY_UNAVAILABLE,
        message="The request cannot be booked at the moment and was not sent: try again shortly.",
        retry_after_s=2,
    )


def _unpriced(error: MissingRate) -> RelayError:
    return RelayError(
        code=Code.UNPRICED,
        message=f"This request would use {error.unit_class.value}, which has no price for this "
        "model: leave it out, or choose another model.",
    )


def _cap_too_low() -> RelayError:
    return RelayError(
        code=Code.COST_CAP,
        message="X-Max-Cost-USD is below what this request may cost: raise it, or ask for less.",
    )


def _cap(text: str) -> int:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise _bad_header("X-Max-Cost-USD must be an amount of US dollars.") from error
    if not amount.is_finite() or not 0 < amount <= COST_USD_MAX:
        raise _bad_header(f"X-Max-Cost-USD must be above zero and at most {COST_USD_MAX:,}.")
    return int(amount * 1_000_000_000)


def _bad_header(message: str) -> RelayError:
    return RelayError(code=Code.INVALID_HEADER, message=message)
