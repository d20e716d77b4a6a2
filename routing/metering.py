"""What an answer costs, however it ended: the table of ledger.md as one function (pure)."""

import enum
from dataclasses import dataclass, replace

from billing import pricing
from billing.pricing import STANDARD, Cost, MissingRate, Rate, RateCard
from billing.usage import (
    INPUT_CLASSES,
    MEASURES,
    OUTPUT_CLASSES,
    TOKEN_CLASSES,
    UnitClass,
    Usage,
)
from routing import tokenizer
from routing.readers.base import Flag, Reader

# Things beside tokens: one without a rate costs what the dearest of the others does. Measures of
# a whole request are none of them, but for the image, which chat's tools make as well.
FEES = frozenset(UnitClass) - TOKEN_CLASSES - MEASURES - {UnitClass.REQUEST} | {UnitClass.IMAGE}


class Ending(enum.StrEnum):
    """How the relay saw the answer end."""

    WHOLE = "whole"  # the vendor's end was reached
    BROKEN = "broken"  # the vendor failed, or closed before its end
    CUT = "cut"  # we ended it: a deadline, a cap, an overflow, a slow reader
    GONE = "gone"  # the client left, and the vendor was stopped
    DRAINED = "drained"  # the client left, and the vendor's answer was read on without it
    GONE_BEFORE_OUTPUT = "gone_before_output"  # the client left before a vendor answered
    FAILED_BEFORE_OUTPUT = "failed_before_output"  # no vendor answered


class State(enum.StrEnum):
    """The values of billing.models.Charge.State that an ending may have."""

    SETTLED = "settled"
    ESTIMATED = "estimated"
    VOIDED = "voided"


class Reason(enum.StrEnum):
    """The values of billing.models.Charge.Reason that an ending may have."""

    NORMAL = "normal"
    NO_USAGE = "no_usage"
    CLIENT_GONE = "client_gone"
    DRAINED = "drained"
    UPSTREAM_ERROR = "upstream_error"
    GOODWILL = "goodwill"
    CUT = "cut"


class Outcome(enum.StrEnum):
    """The values of billing.models.Attempt.Outcome that an answer may have."""

    DELIVERED = "delivered"
    VENDOR_ERROR = "vendor_error"
    ABANDONED = "abandoned"


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What went to the client so far; the relay counts it."""

    prompt_bytes: int
    prompt_tokens: int | None = None  # where somebody counted them
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is booked for a request. `goodwill_nusd` is given back by the ledger (ADR 7)."""

    state: State
    reason: Reason
    outcome: Outcome
    cost_nusd: int = 0
    vendor_cost_nusd: int = 0
    goodwill_nusd: int = 0
    usage: Usage | None = None
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of usage within its hold."""

    cost_nusd: int
    vendor_cost_nusd: int
    flags: frozenset[Flag]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One answer to be judged."""

    reader: Reader
    delivered: Delivered
    card: RateCard | None  # None: the operation is free
    hold_nusd: int

    @property
    def is_blank(self) -> bool:
        """Nothing was answered: no output and no finish."""
        return not self.reader.has_output and self.reader.finish is None

    def final(self) -> Usage | None:
        """Return the vendor's usage of the whole answer, if it came and the card prices it."""
        usage, estimate = self.reader.usage, self.reader.estimate
        if usage is None or not self.reader.is_usage_final:
            return None
        if estimate is None or self.card is None or self.card.priced(usage.measures):
            return usage
        is_told = usage.quantities and not self.card.priced(estimate.measures)
        return usage if is_told else None

    def told(self) -> Usage:
        """Return the best that is known: the vendor's last word, else what was delivered."""
        usage, estimate = self.reader.usage, self.reader.estimate
        if usage is not None and estimate is not None:
            estimate = replace(
                estimate,
                quantities=usage.quantities or estimate.quantities,
                measures=usage.measures or estimate.measures,
                raw=usage.raw,
            )
        return self.final() or delivered_usage(estimate or usage, self.delivered)

    def book(self, state: State, reason: Reason, outcome: Outcome = Outcome.DELIVERED) -> Verdict:
        """Charge what is known."""
        usage = self.told()
        priced = price(usage, self.card, hold_nusd=self.hold_nusd)
        return Verdict(
            state=state,
            reason=reason,
            outcome=outcome,
            cost_nusd=priced.cost_nusd,
            vendor_cost_nusd=priced.vendor_cost_nusd,
            usage=usage,
            flags=priced.flags | self.reader.flags,
        )


def stream(
    *, ending: Ending, reader: Reader, delivered: Delivered, card: RateCard | None, hold_nusd: int
) -> Verdict:
    """Judge a stream that ended. `delivered.tokens` counts all text that the reader gave."""
    case = _Case(reader=reader, delivered=delivered, card=card, hold_nusd=hold_nusd)
    match ending:
        case Ending.WHOLE | Ending.BROKEN:
            return _ended_by_vendor(case)
        case Ending.CUT:
            return _cut(case)
        case Ending.GONE:
            return _gone(case)
        case Ending.DRAINED:
            return _drained(case)
        case Ending.GONE_BEFORE_OUTPUT | Ending.FAILED_BEFORE_OUTPUT:
            return void(ending)


def whole(
    *, reader: Reader, card: RateCard | None, hold_nusd: int, prompt_bytes: int, is_gone: bool,
    prompt_tokens: int | None = None,
) -> Verdict:  # fmt: skip
    """Judge an answer that is no stream."""
    delivered = Delivered(prompt_bytes=prompt_bytes, prompt_tokens=prompt_tokens)
    if reader.usage is None or reader.estimate is not None:
        delivered.tokens = tokenizer.count(reader.take_text())
    return stream(
        ending=Ending.DRAINED if is_gone else Ending.WHOLE,
        reader=reader,
        delivered=delivered,
        card=card,
        hold_nusd=hold_nusd,
    )


def void(ending: Ending) -> Verdict:
    """Judge a request for which nothing was delivered."""
    if ending in (Ending.GONE, Ending.DRAINED, Ending.GONE_BEFORE_OUTPUT):
        return Verdict(state=State.VOIDED, reason=Reason.CLIENT_GONE, outcome=Outcome.ABANDONED)
    return Verdict(state=State.VOIDED, reason=Reason.UPSTREAM_ERROR, outcome=Outcome.VENDOR_ERROR)


def _ended_by_vendor(case: _Case) -> Verdict:
    """Whole, or broken: after a finish it makes no difference for money.

    Else a small limit of the output would buy free answers: the error comes after the finish.
    """
    reader = case.reader
    if case.is_blank:
        return void(Ending.FAILED_BEFORE_OUTPUT)
    if reader.finish is None:
        if not reader.has_output:
            return void(Ending.FAILED_BEFORE_OUTPUT)
        broken = case.book(State.SETTLED, Reason.GOODWILL, Outcome.VENDOR_ERROR)
        return replace(broken, goodwill_nusd=broken.cost_nusd)
    if case.final() is None:
        return case.book(State.ESTIMATED, Reason.NO_USAGE)
    return case.book(State.SETTLED, Reason.NORMAL)


def _cut(case: _Case) -> Verdict:
    if case.is_blank:
        return Verdict(state=State.VOIDED, reason=Reason.CUT, outcome=Outcome.ABANDONED)
    return case.book(State.SETTLED, Reason.CUT)


def _gone(case: _Case) -> Verdict:
    if case.is_blank and case.reader.usage is None:
        return void(Ending.GONE)
    state = State.ESTIMATED if case.final() is None else State.SETTLED
    return case.book(state, Reason.CLIENT_GONE, Outcome.ABANDONED)


def _drained(case: _Case) -> Verdict:
    if case.reader.error is not None:
        return _ended_by_vendor(case)
    if case.final() is None:  # the drain has a bound, too
        return _gone(case)
    return case.book(State.SETTLED, Reason.DRAINED)


def delivered_cost(
    *, reader: Reader, delivered: Delivered, card: RateCard | None, hold_nusd: int
) -> int:
    """Return what the part delivered so far costs, for a checkpoint; nUSD."""
    if not reader.has_output:
        return 0
    usage = delivered_usage(reader.usage, delivered)
    return price(usage, card, hold_nusd=hold_nusd).cost_nusd


def delivered_usage(early: Usage | None, delivered: Delivered) -> Usage:
    """Estimate the usage of what was delivered.

    The vendor's numbers so far are taken where they say more: Anthropic tells the input at the
    start, others the output as it grows. A prompt that nobody counted is its bytes.
    """
    quantities = dict(early.quantities) if early else {}
    if early is None or not early.prompt_tokens:
        counted = delivered.prompt_tokens
        quantities[UnitClass.INPUT] = (
            tokenizer.of_bytes(delivered.prompt_bytes) if counted is None else counted
        )
    told = early.completion_tokens if early else 0
    if delivered.tokens > told:
        visible = quantities.get(UnitClass.OUTPUT, 0)
        quantities[UnitClass.OUTPUT] = visible + delivered.tokens - told
    return Usage(
        quantities=quantities,
        measures=early.measures if early else {},
        service_tier=early.service_tier if early else STANDARD,
        is_estimated=True,
        raw=early.raw if early else None,
    )


def price(usage: Usage, card: RateCard | None, *, hold_nusd: int) -> Price:
    """Price usage within its hold; nothing that was used is free for want of a rate."""
    if card is None:
        return Price(cost_nusd=0, vendor_cost_nusd=0, flags=frozenset())
    flags: set[Flag] = set()
    if not card.serves(service_tier=usage.service_tier):
        # Admission refuses a tier without a price: the vendor chose this one by itself.
        usage = replace(usage, service_tier=STANDARD)
        flags.add(Flag.UNPRICED)
    cost = _cost(_with_fee(pricing.in_measure(usage, card), card), card, flags)
    if cost.price_nusd > hold_nusd:
        flags.add(Flag.OVER_HOLD)
    return Price(
        cost_nusd=min(cost.price_nusd, hold_nusd),
        vendor_cost_nusd=cost.vendor_nusd,
        flags=frozenset(flags),
    )


def _with_fee(usage: Usage, card: RateCard) -> Usage:
    """Add the fee for the request itself where the card has one."""
    if (UnitClass.REQUEST, usage.service_tier) not in card.rates:
        return usage
    return replace(usage, quantities={**usage.quantities, UnitClass.REQUEST: 1})


def _cost(usage: Usage, card: RateCard, flags: set[Flag]) -> Cost:
    try:
        return pricing.cost(usage, card)
    except MissingRate:
        flags.add(Flag.UNPRICED)
    rates = dict(card.rates)
    quantities = dict(usage.quantities)
    for unit_class in usage.quantities:
        if (unit_class, usage.service_tier) in card.rates:
            continue
        substitute = _highest_beside(unit_class, card, usage.service_tier)
        if substitute is None:
            # A fee that no rate of the card resembles: admission lets no such tool be asked for.
            del quantities[unit_class]
        else:
            rates[unit_class, usage.service_tier] = (replace(substitute, tier_from=0),)
    return pricing.cost(replace(usage, quantities=quantities), replace(card, rates=rates))


def _highest_beside(unit_class: UnitClass, card: RateCard, service_tier: str) -> Rate | None:
    """Return the highest rate of the same side: of input, of output, or of fees."""
    sides = (INPUT_CLASSES, OUTPUT_CLASSES)
    side = next((side for side in sides if unit_class in side), None)
    if side is None:
        side = FEES
    beside = [
        rate
        for (other, tier), rates in card.rates.items()
        if other in side and tier == service_tier
        for rate in rates
    ]
    return max(
        beside, key=lambda rate: pricing.PER_THING[rate.unit] * rate.nusd_per_unit, default=None
    )
