"""The story of one request: what is kept of it, over all apps (reads only)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Concat, Length, Substr

from accounts.models import ApiKey, ContactRequest
from billing import ledger, pricing
from billing import models as billing
from billing.usage import Unit, UnitClass, Usage
from logs.models import RequestLog
from routing.models import Channel

# A stream shorter than this came in one piece.
STREAMED_MS_MIN = 100
_LIVE = (billing.Lease.State.ACTIVE, billing.Lease.State.DRAINING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One class of tokens: how many, at which price, making which amount."""

    unit_class: UnitClass
    quantity: int
    nusd_per_mtok: int | None = None
    amount_nusd: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One vendor that was asked."""

    n: int
    vendor: str  # empty: its channel is gone
    endpoint: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that is kept of one request."""

    row: RequestLog
    charge: billing.Charge | None
    # True when nothing will change any more but by a correction.
    is_closed: bool
    # What was given back by a correction of its own.
    corrected_nusd: int
    attempts: Sequence[Tried]
    key: ApiKey | None
    # What the vendor's channel speaks, as it stands now; empty: not known.
    protocol: str
    dispute: ContactRequest | None
    lines: Sequence[Line]
    # True when the lines' amounts add up to the charge, to the nano-dollar.
    is_itemized: bool

    @property
    def is_forgiven(self) -> bool:
        """Whether goodwill took the whole charge back."""
        charge = self.charge
        is_goodwill = charge is not None and charge.reason == billing.Charge.Reason.GOODWILL
        return charge is not None and is_goodwill and charge.corrected

    @property
    def paid_nusd(self) -> int:
        """What the request cost in the end."""
        if self.charge is None or self.charge.cost_nusd is None:
            return self.row.cost_nusd
        return 0 if self.is_forgiven else self.charge.cost_nusd - self.corrected_nusd

    @property
    def may_be_disputed(self) -> bool:
        """Whether something was charged that can be looked into."""
        has_ended = self.charge is not None and self.charge.state != billing.Charge.State.OPEN
        return has_ended and self.paid_nusd > 0

    @property
    def tokens_per_s(self) -> int | None:
        """How fast the answer streamed; None where it did not, or not long enough to tell."""
        row = self.row
        streamed_ms = row.total_ms - (row.first_byte_ms or row.total_ms)
        tokens = row.output_tokens + row.reasoning_tokens
        if not row.is_stream or streamed_ms < STREAMED_MS_MIN or not tokens:
            return None
        return tokens * 1_000 // streamed_ms


def key_of(row: RequestLog) -> ApiKey | None:
    """Return the key of a request, with its account."""
    keys = ApiKey.objects.filter(pk=row.api_key_id or 0, account=row.account_id or 0)
    return keys.select_related("account").first()


def found(request_id: UUID, *, account_ids: Sequence[int]) -> RequestLog | None:
    """Return a request of these accounts, with what its channel speaks (for `tell`); one query."""
    channels = Channel.objects.filter(name=OuterRef("channel"))
    rows = RequestLog.objects.filter(request_id=request_id, account_id__in=account_ids)
    return rows.annotate(protocol=Subquery(channels.values("protocol"))).first()


def tell(row: RequestLog, *, key: ApiKey | None) -> Story:
    """Tell the story of a request with this key; `row` is of `found`. Four queries at most."""
    request_id, account_id = row.request_id, row.account_id or 0
    charge = _charge(request_id, account_id)
    lines, is_itemized = _itemize(row, charge)
    disputes = ContactRequest.objects.filter(kind=ContactRequest.Kind.DISPUTE)
    return Story(
        row=row,
        charge=charge,
        is_closed=_is_closed(charge),
        corrected_nusd=_corrected(charge),
        attempts=[_tried(attempt) for attempt in _attempts(request_id)],
        key=key,
        protocol=getattr(row, "protocol", None) or "",
        dispute=disputes.filter(account=account_id, request_id=request_id).first(),
        lines=lines,
        is_itemized=is_itemized,
    )


def _charge(request_id: UUID, account_id: int) -> Any:
    """Return the charge of a request, what was given back of it, and whether its lease lives."""
    # A ledger's reference writes an id with its dashes on every database.
    given = billing.LedgerEntry.objects.filter(
        transaction__kind=ledger.CORRECTION,
        transaction__ref=str(request_id),
        account__kind=billing.LedgerAccount.Kind.WALLET,
    )
    leases = billing.Lease.objects.filter(pk=OuterRef("lease_id"), state__in=_LIVE)
    rows = billing.Charge.objects.filter(request_id=request_id, wallet_id=account_id)
    sums = given.order_by().values("transaction__ref").annotate(given=Sum("amount_nusd"))
    return rows.annotate(is_live=Exists(leases), given=Subquery(sums.values("given"))).first()


def _attempts(request_id: UUID) -> QuerySet[billing.Attempt]:
    """Return the attempts of a request with their vendors; NULL where the channel is gone."""
    # An endpoint's slug is `<channel>:<model>`.
    begins = Substr(OuterRef("endpoint"), 1, Length("name") + 1)
    channels = Channel.objects.annotate(begins=begins).filter(begins=Concat("name", Value(":")))
    rows = billing.Attempt.objects.filter(request_id=request_id).order_by("n")
    return rows.annotate(vendor=Subquery(channels.values("vendor")[:1]))


def _tried(attempt: Any) -> Tried:
    return Tried(
        n=attempt.n,
        vendor=attempt.vendor or "",
        endpoint=attempt.endpoint,
        outcome=attempt.outcome,
    )


def _is_closed(charge: Any) -> bool:
    """Tell whether the lease of a goodwill charge is closed: then goodwill is decided (ADR 7)."""
    if charge is None or charge.reason != billing.Charge.Reason.GOODWILL or charge.corrected:
        return charge is None or charge.state != billing.Charge.State.OPEN
    return not charge.is_live


def _corrected(charge: Any) -> int:
    """Return what a correction gave back of a charge, nUSD; goodwill is none."""
    if charge is None or not charge.corrected or charge.reason != billing.Charge.Reason.CRASH:
        return 0
    return int(charge.given or 0)


def _quantities(row: RequestLog) -> dict[UnitClass, int]:
    counted = {
        UnitClass.INPUT: row.input_tokens,
        UnitClass.CACHE_READ: row.cache_read_tokens,
        UnitClass.CACHE_WRITE: row.cache_write_tokens,
        UnitClass.OUTPUT: row.output_tokens,
        UnitClass.REASONING: row.reasoning_tokens,
    }
    return {unit_class: quantity for unit_class, quantity in counted.items() if quantity}


def _itemize(row: RequestLog, charge: billing.Charge | None) -> tuple[list[Line], bool]:
    """Price each class by the charge's card; without prices unless they explain the charge.

    The log sums finer classes (audio, cache lifetimes) and knows no service tier, so its five
    need not reproduce every charge. What cannot be shown exactly is shown as a total only.
    """
    quantities = _quantities(row)
    usage = Usage(quantities=quantities)
    bare = [Line(unit_class=c, quantity=n) for c, n in quantities.items()]
    if charge is None or charge.rate_card is None or not charge.cost_nusd:
        return bare, False
    card = pricing.RateCard.of(
        card_id=charge.rate_card,
        endpoint=charge.endpoint or "",
        rates=[
            pricing.Rate(
                unit_class=UnitClass(rate.unit_class),
                unit=Unit(rate.unit),
                nusd_per_unit=rate.nusd_per_unit,
                vendor_nusd_per_unit=rate.vendor_nusd_per_unit,
                tier_from=rate.tier_from,
                service_tier=rate.service_tier,
            )
            for rate in billing.Rate.objects.filter(card_id=charge.rate_card)
        ],
    )
    try:
        priced = [_line(card, c, n, usage.prompt_tokens) for c, n in quantities.items()]
        if pricing.cost(usage, card).price_nusd != charge.cost_nusd:
            return bare, False
    except pricing.MissingRate:
        return bare, False
    return priced, True


def _line(card: pricing.RateCard, unit_class: UnitClass, quantity: int, prompt_tokens: int) -> Line:
    rate = card.rate(unit_class, prompt_tokens=prompt_tokens, service_tier=pricing.STANDARD)
    return Line(
        unit_class=unit_class,
        quantity=quantity,
        nusd_per_mtok=rate.nusd_per_unit,
        amount_nusd=Fraction(
            quantity * pricing.PER_THING[rate.unit] * rate.nusd_per_unit, pricing.DIVISOR
        ),
    )
