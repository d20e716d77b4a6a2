"""What an account did: sums of a day, pages of requests, the story of one request (reads only)."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from django.db.models import QuerySet

from accounts.models import ApiKey
from billing import models as billing
from billing import pricing
from billing.usage import Unit, UnitClass, Usage
from logs.models import RequestLog

PAGE_ROWS = 50
CSV_ROWS_MAX = 10_000
# The filter offers the models of this many latest requests: a bound on the work, not on history.
MODELS_FROM_ROWS = 1_000
FAILED_FROM = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which requests are asked for; each empty value means all of them."""

    status: str = ""  # "ok" or "failed"
    model: str = ""
    before: uuid.UUID | None = None
    # None: whichever key.
    key_ids: Collection[int] | None = None

    def narrow(self, rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        """Apply them."""
        if self.status == "ok":
            rows = rows.filter(status__lt=FAILED_FROM)
        elif self.status == "failed":
            rows = rows.filter(status__gte=FAILED_FROM)
        if self.model:
            rows = rows.filter(model=self.model)
        if self.key_ids is not None:
            rows = rows.filter(api_key_id__in=self.key_ids)
        if self.before is not None:
            rows = rows.filter(request_id__lt=self.before)
        return rows


def latest(account_id: int, filters: Filters, *, rows_max: int = PAGE_ROWS) -> list[RequestLog]:
    """Return the newest requests that pass, at most `rows_max`; one query."""
    rows = RequestLog.objects.filter(account_id=account_id).order_by("-request_id")
    return list(filters.narrow(rows)[:rows_max])


def models_used(account_id: int) -> list[str]:
    """Return the models of the latest requests, by name."""
    rows = RequestLog.objects.filter(account_id=account_id).order_by("-request_id")
    return sorted(
        {model for model in rows.values_list("model", flat=True)[:MODELS_FROM_ROWS] if model}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One class of tokens: how many, at which price, making which amount."""

    unit_class: UnitClass
    quantity: int
    nusd_per_mtok: int | None = None
    amount_nusd: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that is kept of one request."""

    row: RequestLog
    charge: billing.Charge | None
    attempts: Sequence[billing.Attempt]
    key: ApiKey | None
    lines: Sequence[Line]
    # True when the lines' amounts add up to the charge, to the nano-dollar.
    is_itemized: bool


def story(request_id: uuid.UUID, *, account_ids: Collection[int]) -> Story:
    """Tell the story of a request of one of these accounts. Raises: RequestLog.DoesNotExist."""
    row = RequestLog.objects.get(request_id=request_id, account_id__in=account_ids)
    charge = billing.Charge.objects.filter(request_id=request_id, wallet_id__in=account_ids).first()
    attempts = billing.Attempt.objects.filter(request_id=request_id).order_by("n")
    lines, is_itemized = _itemize(row, charge)
    return Story(
        row=row,
        charge=charge,
        attempts=list(attempts),
        key=ApiKey.objects.filter(pk=row.api_key_id or 0, account__in=account_ids).first(),
        lines=lines,
        is_itemized=is_itemized,
    )


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
