"""How a line of a statement that does not fit leaves staff's queue, and what it moves in the books.

What a processor holds is what its statement says. Where our books say something else, staff find
out why; what nobody can find is booked as a loss or gain, so that clearing comes to nothing again.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order, Refund, StatementRow
from billing.models import Suspense as Case
from billing.money import CENT
from billing.payments import clearing, matching, states, suspense
from billing.payments.matching import Kind, Verdict
from billing.processors.base import NoticeKind

Resolution = StatementRow.Resolution
GOOD: Final = (Verdict.MATCHED, Verdict.FEE)
WRITE_OFF, WRITE_OFF_BACK = "write_off", "write_off_back"


class CannotResolve(Exception):
    """This decision does not fit the line; `rule` says why.

    resolved: it left the queue before. resolution: it is none for such a line. case: the payment
    has a case of suspense already.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def open_rows(processor: str = "") -> QuerySet[StatementRow]:
    """Return rows that wait for staff, oldest first."""
    rows = StatementRow.objects.filter(resolved_at=None).exclude(verdict__in=GOOD)
    return (rows.filter(processor=processor) if processor else rows).order_by("day", "pk")


def is_open(row: StatementRow) -> bool:
    """Tell whether a row waits for staff."""
    return row.resolved_at is None and row.verdict not in GOOD


def fitting(row: StatementRow) -> Sequence[Resolution]:
    """Return what staff can decide about a line: that depends on its verdict and what it names."""
    found = [Resolution.EXPLAINED]
    if _can_suspend(row):
        found.append(Resolution.SUSPENDED)
    if difference(row):
        found.append(Resolution.WRITTEN_OFF)
    return found


def _can_suspend(row: StatementRow) -> bool:
    """Tell whether it is money that came, which no later notice can credit to its order."""
    is_money = row.kind == Kind.PAYMENT and row.amount_minor > 0 and bool(row.payment_ref)
    if row.verdict != Verdict.MISSING_LOCAL or not is_money:
        return False
    order = _order(row)
    return order is None or order.state in states.CREDITED


def difference(row: StatementRow) -> Mapping[str, int]:
    """Return how much more the processor holds than our books say, by currency, in minor units.

    Empty where nothing differs, or where a notice may still come and post it.
    """
    if row.kind == Kind.DISPUTE:  # its notices post it
        return {}
    found: Counter[str] = Counter()
    if row.verdict in (Verdict.MISSING_LOCAL, Verdict.DUPLICATE):
        if row.verdict == Verdict.DUPLICATE or _order(row) is None:
            found[row.currency] += row.amount_minor
    elif row.verdict == Verdict.MISSING_REMOTE:
        found[row.currency] -= row.amount_minor
    elif row.verdict != Verdict.FEE_DIFF:  # its fee was booked as the statement says
        _compare(row, found)
    return {currency: amount for currency, amount in found.items() if amount}


def _compare(row: StatementRow, found: Counter[str]) -> None:
    """Add what the statement says moved; take off what our books say moved."""
    order = _order(row)
    if order is None:
        return
    if row.status not in matching.NOT_MOVED:
        found[row.currency] += row.amount_minor
    if row.kind == Kind.PAYMENT:
        found[order.currency] -= order.total_minor
    elif row.kind == Kind.REFUND and matching.is_number(row.refund_ref):
        refund = Refund.objects.filter(pk=uuid.UUID(hex=row.refund_ref)).first()
        if refund is not None and refund.state != Refund.State.FAILED:
            found[order.currency] += refund.amount_minor


def _order(row: StatementRow) -> Order | None:
    mine = Order.objects.filter(processor=row.processor)
    if matching.is_number(row.order_ref):
        return mine.filter(pk=uuid.UUID(hex=row.order_ref)).first()
    return mine.filter(payment_ref=row.payment_ref).first() if row.payment_ref else None


def resolve(
    row: StatementRow, resolution: str, *, actor: str, note: str, now: dt.datetime
) -> StatementRow:
    """Take a row out of the queue, once, and post what was decided. Raises: CannotResolve."""
    with transaction.atomic():
        row = StatementRow.objects.select_for_update().get(pk=row.pk)
        if not is_open(row):
            raise CannotResolve("resolved")
        if resolution not in fitting(row):
            raise CannotResolve("resolution")
        if resolution == Resolution.SUSPENDED:
            _suspend(row, actor=actor, note=note, now=now)
        elif resolution == Resolution.WRITTEN_OFF:
            _write_off(row, WRITE_OFF, sign=1, actor=actor, now=now)
        _close(row, resolution, actor=actor, note=note, now=now)
    return row


def settle(row: StatementRow, *, by: str, now: dt.datetime) -> bool:
    """Take out of the queue what explained itself; False when it had left. In a transaction.

    What was written off because it lacked is booked back.
    """
    row = StatementRow.objects.select_for_update().get(pk=row.pk)
    if row.resolution == Resolution.WRITTEN_OFF:
        _write_off(row, WRITE_OFF_BACK, sign=-1, actor=by, now=now)
    elif row.resolved_at is not None:
        return False
    _close(row, Resolution.SETTLED, actor=by, note=row.note, now=now)
    return True


def _close(row: StatementRow, resolution: str, *, actor: str, note: str, now: dt.datetime) -> None:
    row.resolution, row.resolved_at = resolution, now
    row.resolved_by, row.note = actor[:80], note[:400]
    row.save(update_fields=["resolution", "resolved_at", "resolved_by", "note"])


def _suspend(row: StatementRow, *, actor: str, note: str, now: dt.datetime) -> None:
    """Open the case that a notice of this very payment would have opened. Raises: CannotResolve."""
    ref = f"{NoticeKind.PAID}:{row.payment_ref}"[:160]
    case, is_new = Case.objects.get_or_create(
        processor=row.processor,
        ref=ref,
        defaults={
            "cause": Case.Cause.UNMATCHED_ROW,
            "order": _order(row),
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "is_posted": True,
            "facts": {"row": row.row_ref, "order_ref": row.order_ref},
            "note": note[:400],
            "opened_at": now,
        },
    )
    if not is_new:
        raise CannotResolve("case")
    suspense.move(case, kind=suspense.POSTING, sign=1, actor=actor, now=now)


def _write_off(row: StatementRow, kind: str, *, sign: int, actor: str, now: dt.datetime) -> None:
    """Book a line's difference as a loss, or a gain, in its currency."""
    legs = []
    for currency, minor in difference(row).items():
        amount = sign * minor * CENT
        loss = ledger.account_of(LedgerAccount.Kind.PLATFORM_LOSS, currency=currency)
        legs.append(Leg(account=clearing.account(row.processor, currency), amount_nusd=-amount))
        legs.append(Leg(account=loss, amount_nusd=amount))
    ledger.post(kind=kind, ref=f"row:{row.pk}", legs=legs, actor=actor[:80], now=now)
