"""Processors' statements against our books: each line read once, judged, its fees posted.

A line alone never credits anybody: money that is missing here is credited only where the order
exists and the processor itself, asked for it, agrees. Everything else waits for staff: that is
the rows whose verdict is not good and that nobody has resolved.
"""

import datetime as dt
import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order, Refund, StatementImport, StatementRow
from billing.money import CENT
from billing.payments import applying, asking, clearing, matching, staff_queue, states, timeline
from billing.payments.matching import Found, Kind, Verdict, in_batches
from billing.processors import base, registry
from billing.processors.base import NoticeKind, Row

logger = logging.getLogger(__name__)

FEES, PAYOUT = "fees", "payout"
IMPORT, QUERY = "import", "query"
HEALED_MAX = 200
HEALED_FOR = dt.timedelta(days=30)
# A notice may be applied in the first moments of the day after: the next import looks at those.
LATE = dt.timedelta(hours=1)
_CHINA = dt.timezone(dt.timedelta(hours=8))
# The days of their statements, and when one is ready, after the day's end.
ZONES: Final[Mapping[str, dt.timezone]] = {"alipay": _CHINA, "wechatpay": _CHINA}
READY_AFTER: Final[Mapping[str, dt.timedelta]] = {
    "alipay": dt.timedelta(hours=10, minutes=30),
    "wechatpay": dt.timedelta(hours=10, minutes=30),
}
READY_SOON = dt.timedelta(hours=3)
DAYS_MAX = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an import did: lines of the statement, new ones, verdicts of the new ones."""

    processor: str
    day: dt.date
    rows: int
    new: int
    verdicts: Mapping[str, int] = field(default_factory=dict)
    credited: int = 0


def import_day(processor: str, day: dt.date, *, now: dt.datetime) -> Result:
    """Read a processor's statement of one of its days; what was read before changes nothing.

    Raises: base.NotConfigured, base.Refused when there is none, base.Unavailable.
    """
    rows = registry.get(processor).statement(day)
    result = take(processor, day, rows, now=now)
    credited = heal(processor, now=now)
    return Result(
        processor=processor,
        day=day,
        rows=result.rows,
        new=result.new,
        verdicts=result.verdicts,
        credited=credited,
    )


def take(processor: str, day: dt.date, rows: Sequence[Row], *, now: dt.datetime) -> Result:
    """Store what is new in a statement, with its verdicts and postings, or nothing of it.

    No processor is asked. Raises: base.NotConfigured.
    """
    listed = _named(rows)
    digest = hashlib.sha256(orjson.dumps(listed)).digest()
    with transaction.atomic():
        StatementImport.objects.get_or_create(
            processor=processor,
            day=day,
            defaults={"sha256": b"", "rows": 0, "imported_at": now},
        )
        # Two imports of a day at once: the second one finds nothing new.
        seal = StatementImport.objects.select_for_update().get(processor=processor, day=day)
        if bytes(seal.sha256) == digest:
            return Result(processor=processor, day=day, rows=len(rows), new=0)
        known = _known_refs(processor, [row.row_ref for row in listed])
        fresh = [row for row in listed if row.row_ref not in known]
        book = matching.load(processor, fresh)
        judged = [(row, matching.judge(row, book)) for row in fresh]
        StatementRow.objects.bulk_create(
            [_stored(processor, day, row, found) for row, found in judged], batch_size=1_000
        )
        _settle_missing(processor, [row for row, _found in judged], now=now)
        _post(processor, day, judged, now=now)
        missing = _missing_remote(processor, day)
        StatementRow.objects.bulk_create(missing, batch_size=1_000, ignore_conflicts=True)
        seal.sha256, seal.rows, seal.imported_at = digest, len(rows), now
        seal.save()
    verdicts = Counter(str(found.verdict) for _row, found in judged)
    verdicts.update(str(row.verdict) for row in missing)
    return Result(
        processor=processor, day=day, rows=len(rows), new=len(fresh), verdicts=dict(verdicts)
    )


def _named(rows: Sequence[Row]) -> list[Row]:
    """Give lines that have the same name different ones: each line is kept."""
    counted: Counter[str] = Counter()
    found = []
    for row in rows:
        counted[row.row_ref] += 1
        number = counted[row.row_ref]
        name = row.row_ref[:150] if number == 1 else f"{row.row_ref[:150]}#{number}"
        found.append(_renamed(row, name))
    return found


def _renamed(row: Row, row_ref: str) -> Row:
    if row.row_ref == row_ref:
        return row
    fields = {name: getattr(row, name) for name in Row.__dataclass_fields__}
    return Row(**fields | {"row_ref": row_ref})


def _known_refs(processor: str, refs: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for batch in in_batches(refs):
        rows = StatementRow.objects.filter(processor=processor, row_ref__in=batch)
        found |= set(rows.values_list("row_ref", flat=True))
    return found


def _stored(processor: str, day: dt.date, row: Row, found: Found) -> StatementRow:
    """Return the row to store: with our own names of what it is about, where we know them."""
    order, refund = found.order, found.refund
    return StatementRow(
        processor=processor,
        row_ref=row.row_ref,
        day=day,
        kind=row.kind,
        order_ref=order.number if order else row.order_ref[:64],
        payment_ref=row.payment_ref[:128] or (order.payment_ref if order else ""),
        refund_ref=refund.id.hex if refund else row.refund_ref[:128],
        amount_minor=row.amount_minor,
        fee_minor=row.fee_minor,
        currency=row.currency,
        status=row.status[:24],
        verdict=found.verdict,
    )


def _settle_missing(processor: str, told: Sequence[Row], *, now: dt.datetime) -> None:
    """Resolve what was missing at the processor and stands in a later statement."""
    for kind in (Kind.PAYMENT, Kind.REFUND):
        names = {row.payment_ref for row in told if row.kind == kind and row.payment_ref}
        for batch in in_batches(names):
            lacking = StatementRow.objects.filter(
                Q(resolved_at=None) | Q(resolution=StatementRow.Resolution.WRITTEN_OFF),
                processor=processor,
                kind=kind,
                payment_ref__in=batch,
                verdict=Verdict.MISSING_REMOTE,
            )
            for row in lacking:
                staff_queue.settle(row, by=IMPORT, now=now)


def _post(
    processor: str, day: dt.date, judged: Sequence[tuple[Row, Found]], *, now: dt.datetime
) -> None:
    """Post the fees and payouts of new lines, one posting each for a currency."""
    fees, payouts = _taken(judged)
    names = b"\n".join(row.row_ref.encode() for row, _found in judged)
    part = hashlib.sha256(names).hexdigest()[:16]
    kinds = ((FEES, fees, LedgerAccount.Kind.FEES), (PAYOUT, payouts, LedgerAccount.Kind.BANK))
    for kind, sums, other in kinds:
        for currency, amount_minor in sums.items():
            if not amount_minor:
                continue
            amount = amount_minor * CENT
            legs = (
                Leg(account=clearing.account(processor, currency), amount_nusd=amount),
                Leg(account=ledger.account_of(other, currency=currency), amount_nusd=-amount),
            )
            ref = f"{processor}:{day}:{currency}:{part}"
            ledger.post(kind=kind, ref=ref, legs=legs, actor=timeline.SYSTEM, now=now)


def _taken(judged: Sequence[tuple[Row, Found]]) -> tuple[Counter[str], Counter[str]]:
    """Return the fees, and what was paid out, in minor units by currency."""
    fees: Counter[str] = Counter()
    payouts: Counter[str] = Counter()
    for row, found in judged:
        if found.verdict == Verdict.DUPLICATE or row.status in matching.NOT_MOVED:
            continue
        if row.kind == Kind.PAYOUT:
            payouts[row.currency] -= row.amount_minor
        if row.kind == Kind.FEE and row.amount_minor:
            fees[row.currency] -= row.amount_minor
        elif row.kind != Kind.DISPUTE:  # a dispute's fee was posted with the dispute
            fees[row.currency] += row.fee_minor
    return fees, payouts


def start_of(processor: str, day: dt.date) -> dt.datetime:
    """Return when a day of a processor's statements begins."""
    return dt.datetime.combine(day, dt.time(), tzinfo=ZONES.get(processor, dt.UTC))


def _missing_remote(processor: str, day: dt.date) -> list[StatementRow]:
    """Return rows for what we were paid or sent back that day, and no statement tells of.

    What is older than the first statement that was ever read is not looked for.
    """
    window = [start_of(processor, day) - LATE, start_of(processor, day + dt.timedelta(1)) - LATE]
    imports = StatementImport.objects.filter(processor=processor).order_by("day")
    first = imports.values_list("day", flat=True)[0]
    since = start_of(processor, first)
    told = StatementRow.objects.filter(processor=processor)
    orders = Order.objects.filter(
        ~Exists(told.filter(kind=Kind.PAYMENT, payment_ref=OuterRef("payment_ref"))),
        processor=processor,
        is_live=registry.get(processor).is_live,
        state__in=states.CREDITED,
        paid_at__gte=window[0],
        paid_at__lt=window[1],
        created_at__gte=since,
    )
    refunds = Refund.objects.filter(
        order__processor=processor,
        order__is_live=registry.get(processor).is_live,
        state=Refund.State.SUCCEEDED,
        ended_at__gte=window[0],
        ended_at__lt=window[1],
        created_at__gte=since,
    ).select_related("order")
    hexes = {refund.id.hex: refund for refund in refunds}
    for batch in in_batches(list(hexes)):
        rows = told.filter(
            kind=Kind.REFUND, payment_ref__in={hexes[one].order.payment_ref for one in batch}
        )
        for name in rows.values_list("refund_ref", flat=True):
            hexes.pop(name, None)
    found = [_lacking(order, day, kind=Kind.PAYMENT) for order in orders]
    return found + [
        _lacking(refund.order, day, kind=Kind.REFUND, refund=refund) for refund in hexes.values()
    ]


def _lacking(
    order: Order, day: dt.date, *, kind: str, refund: Refund | None = None
) -> StatementRow:
    name = f"local:{refund.id.hex if refund else order.number}"
    return StatementRow(
        processor=order.processor,
        row_ref=name,
        day=day,
        kind=kind,
        order_ref=order.number,
        payment_ref=order.payment_ref,
        refund_ref=refund.id.hex if refund else "",
        amount_minor=-refund.amount_minor if refund else order.total_minor,
        currency=order.currency,
        verdict=Verdict.MISSING_REMOTE,
    )


def heal(processor: str, *, now: dt.datetime) -> int:
    """Ask about orders that a statement says are paid and we do not; return how many are now.

    Raises: base.NotConfigured.
    """
    since = (now - HEALED_FOR).date()
    waiting = staff_queue.open_rows(processor).filter(
        ~Q(order_ref=""), verdict=Verdict.MISSING_LOCAL, kind=Kind.PAYMENT, day__gte=since
    )
    named = {
        row.order_ref: row for row in waiting[:HEALED_MAX] if matching.is_number(row.order_ref)
    }
    healed = 0
    for order in Order.objects.filter(pk__in=list(named), processor=processor):
        row = named[order.number]
        if order.state not in states.CREDITED:
            _ask(order, now=now)
        fits = (row.payment_ref, row.amount_minor) == (order.payment_ref, order.total_minor)
        if order.state in states.CREDITED and fits:
            with transaction.atomic():
                healed += staff_queue.settle(row, by=QUERY, now=now)
    return healed


def _ask(order: Order, *, now: dt.datetime) -> None:
    try:
        notice = registry.get(order.processor).query(asking.ask(order))
    except (base.Refused, base.Unavailable) as error:
        told = {"processor": order.processor, "code": error.code}
        logger.warning("a processor did not answer for a row", extra=told)
        return
    if notice.kind == NoticeKind.PAID:
        applying.take(notice, now=now)
        order.refresh_from_db()


def import_due(*, now: dt.datetime) -> list[Result]:
    """Read the statements that are ready and were not read, day by day, of every processor."""
    found = []
    for processor in registry.NAMES:
        try:
            registry.get(processor)
        except base.NotConfigured:
            continue
        found += _import_days(processor, now=now)
    return found


def _import_days(processor: str, *, now: dt.datetime) -> list[Result]:
    ready = now - READY_AFTER.get(processor, READY_SOON)
    until = ready.astimezone(ZONES.get(processor, dt.UTC)).date()
    latest = StatementImport.objects.filter(processor=processor).order_by("-day").first()
    day = latest.day + dt.timedelta(1) if latest else until - dt.timedelta(1)
    found: list[Result] = []
    while day < until and len(found) < DAYS_MAX:
        try:
            found.append(import_day(processor, day, now=now))
        except base.ProcessorError as error:
            # A gap would look like money that is missing: the next run starts with this day.
            told = {"processor": processor, "code": error.code}
            logger.warning("a statement could not be read", extra=told)
            break
        day += dt.timedelta(1)
    return found
