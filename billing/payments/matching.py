"""What a line of a processor's statement is to us: compared with orders, refunds and disputes.

Everything that a statement names is loaded at once, in batches; then no line asks the database.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from django.conf import settings

from billing.models import Dispute, Order, Refund, StatementRow, Suspense
from billing.payments import states
from billing.processors.base import Row

Kind, Verdict = StatementRow.Kind, StatementRow.Verdict
T = TypeVar("T")
BATCH: Final = 1_000
# What of a payment's fee does not depend on its amount, at most (Stripe's is 30 US cents).
FEE_FIXED_MINOR_MAX: Final = 50
# Words of processors for money that did not move after all.
NOT_MOVED: Final = frozenset(
    {"failed", "fail", "canceled", "cancelled", "closed", "abnormal", "change", "revoked"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A line's verdict, and our own names of what it is about."""

    verdict: str
    order: Order | None = None
    refund: Refund | None = None


@dataclass(slots=True)
class Book:
    """What we know of everything that a statement names."""

    orders: dict[str, Order] = field(default_factory=dict)  # by number
    by_payment: dict[str, Order] = field(default_factory=dict)
    # By the processor's name of it and by ours; and all of an order, by its number.
    refunds: dict[str, Refund] = field(default_factory=dict)
    refunds_of: dict[str, list[Refund]] = field(default_factory=dict)
    disputes_of: dict[str, list[Dispute]] = field(default_factory=dict)
    # Payments that stand in the ledger's suspense account.
    suspended: set[str] = field(default_factory=set)
    # (kind, name) of lines that came before, in this statement or an earlier one.
    seen: set[tuple[str, str]] = field(default_factory=set)

    def order(self, row: Row) -> Order | None:
        """Return the order that a line names: by our number first, else by the payment."""
        return self.orders.get(row.order_ref) or self.by_payment.get(row.payment_ref)


def in_batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """Yield values in lists that a query can name."""
    found = list(values)
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]


def is_number(text: str) -> bool:
    """Tell whether a text can be an order's number."""
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def load(processor: str, rows: Sequence[Row]) -> Book:
    """Load all that a statement names. Queries: some for each thousand lines."""
    book = Book()
    mine = Order.objects.filter(processor=processor)
    numbers = {row.order_ref for row in rows if is_number(row.order_ref)}
    for batch in in_batches(numbers):
        _keep_orders(book, mine.filter(pk__in=[uuid.UUID(hex=number) for number in batch]))
    payments = {row.payment_ref for row in rows if row.payment_ref}
    for batch in in_batches(payments - book.by_payment.keys()):
        _keep_orders(book, mine.filter(payment_ref__in=batch))
    for batch in in_batches(payments):
        cases = Suspense.objects.filter(
            processor=processor, is_posted=True, ref__in=[f"paid:{ref}"[:160] for ref in batch]
        )
        book.suspended |= {ref.removeprefix("paid:") for ref in cases.values_list("ref", flat=True)}
        earlier = StatementRow.objects.filter(
            processor=processor, payment_ref__in=batch, kind=Kind.PAYMENT
        ).exclude(verdict=Verdict.MISSING_REMOTE)
        names = earlier.values_list("kind", "payment_ref")
        book.seen |= {(kind, name) for kind, name in names}
    _load_returns(book, rows)
    return book


def _keep_orders(book: Book, orders: Iterable[Order]) -> None:
    for order in orders:
        book.orders[order.number] = order
        if order.payment_ref:
            book.by_payment[order.payment_ref] = order


def _load_returns(book: Book, rows: Sequence[Row]) -> None:
    """Load refunds and disputes of the orders whose lines speak of such."""
    returning = {
        order.pk
        for row in rows
        if row.kind in (Kind.REFUND, Kind.DISPUTE) and (order := book.order(row))
    }
    for batch in in_batches(returning):
        for refund in Refund.objects.filter(order__in=batch):
            book.refunds_of.setdefault(refund.order_id.hex, []).append(refund)
            book.refunds[refund.id.hex] = refund
            if refund.refund_ref:
                book.refunds[refund.refund_ref] = refund
        for dispute in Dispute.objects.filter(order__in=batch):
            book.disputes_of.setdefault(dispute.order_id.hex, []).append(dispute)


def judge(row: Row, book: Book) -> Found:
    """Return what a line is to us. Lines must come in the statement's order."""
    judges = {Kind.PAYMENT: _payment, Kind.REFUND: _refund, Kind.DISPUTE: _dispute}
    if row.kind in judges:
        return judges[Kind(row.kind)](row, book)
    if row.kind == Kind.FEE:
        return Found(verdict=Verdict.FEE)
    is_known = row.kind == Kind.PAYOUT or row.amount_minor == 0
    return Found(verdict=Verdict.MATCHED if is_known else Verdict.MISSING_LOCAL)


def _is_repeated(kind: str, name: str, book: Book) -> bool:
    if (kind, name) in book.seen:
        return True
    book.seen.add((kind, name))
    return False


def _payment(row: Row, book: Book) -> Found:
    order = book.order(row)
    if _is_repeated(row.kind, row.payment_ref or row.order_ref, book):
        return Found(verdict=Verdict.DUPLICATE, order=order)
    is_credited = order is not None and order.state in states.CREDITED
    is_other = is_credited and order and row.payment_ref not in ("", order.payment_ref)
    did_move = row.status not in NOT_MOVED
    if order is None or is_other or not is_credited:
        is_known = row.payment_ref in book.suspended or not did_move
        return Found(verdict=Verdict.MATCHED if is_known else Verdict.MISSING_LOCAL, order=order)
    if not did_move:
        return Found(verdict=Verdict.STATUS_DIFF, order=order)
    if (row.amount_minor, row.currency) != (order.total_minor, order.currency):
        return Found(verdict=Verdict.AMOUNT_DIFF, order=order)
    return Found(verdict=Verdict.MATCHED if _is_usual(row) else Verdict.FEE_DIFF, order=order)


def _is_usual(row: Row) -> bool:
    """Tell whether a payment's fee is within what processors agreed on with us."""
    most = row.amount_minor * settings.PAYMENTS.fee_ppm_max // 1_000_000 + FEE_FIXED_MINOR_MAX
    return 0 <= row.fee_minor <= most


def _refund(row: Row, book: Book) -> Found:
    order = book.order(row)
    refund = _refund_of(row, order, book)
    name = refund.id.hex if refund else row.refund_ref or row.row_ref
    if _is_repeated(row.kind, name, book):
        return Found(verdict=Verdict.DUPLICATE, order=order, refund=refund)
    did_move = row.status not in NOT_MOVED
    if refund is None:
        verdict = Verdict.MISSING_LOCAL if did_move else Verdict.MATCHED
        return Found(verdict=verdict, order=order)
    # One that is under way here may have left there: the sweep asks about it.
    differs = Refund.State.FAILED if did_move else Refund.State.SUCCEEDED
    if refund.state == differs:
        return Found(verdict=Verdict.STATUS_DIFF, order=order, refund=refund)
    fits = -row.amount_minor == refund.amount_minor
    verdict = Verdict.MATCHED if fits or not did_move else Verdict.AMOUNT_DIFF
    return Found(verdict=verdict, order=order, refund=refund)


def _refund_of(row: Row, order: Order | None, book: Book) -> Refund | None:
    if row.refund_ref:
        return book.refunds.get(row.refund_ref)
    mine = book.refunds_of.get(order.number, []) if order else []
    fitting = [
        refund
        for refund in mine
        if refund.amount_minor == -row.amount_minor and (row.kind, refund.id.hex) not in book.seen
    ]
    return fitting[0] if fitting else None


def _dispute(row: Row, book: Book) -> Found:
    order = book.order(row)
    known = book.disputes_of.get(order.number, []) if order else []
    if not known:
        return Found(verdict=Verdict.MISSING_LOCAL, order=order)
    fits = any(dispute.amount_minor == abs(row.amount_minor) for dispute in known)
    return Found(verdict=Verdict.MATCHED if fits else Verdict.AMOUNT_DIFF, order=order)
