"""The lines of an order's timeline; pages say each code in words."""

import datetime as dt
from typing import Any, Final

from billing.models import Order, OrderEvent
from billing.payments import states

CREATED: Final = "created"
SENT = "sent"  # the processor knows the order
UNREACHED = "unreached"  # the processor did not answer; it is asked again
REFUSED = "refused"
PAID = "paid"
CREDITED = "credited"
RECOVERED = "recovered"  # part of the credit paid what was owed
CLOSED, FAILED = "closed", "failed"
PAID_LATE = "paid_late"  # for an order that was closed or had failed
REFUND_ASKED, REFUND_DONE, REFUND_FAILED = "refund_asked", "refund_done", "refund_failed"
INQUIRY, DISPUTE_OPENED = "inquiry", "dispute_opened"
DISPUTE_TAKEN, DISPUTE_RETURNED = "dispute_taken", "dispute_returned"
DISPUTE_WON, DISPUTE_LOST = "dispute_won", "dispute_lost"
FRAUD_WARNING = "fraud_warning"
SUSPENDED = "suspended"  # a notice did not fit: staff look at it
FAPIAO_ISSUED, FAPIAO_REFUSED = "fapiao_issued", "fapiao_refused"
FAPIAO_REVERSED = "fapiao_reversed"  # a red-letter one was issued
CODES: Final = (
    CREATED, SENT, UNREACHED, REFUSED, PAID, CREDITED, RECOVERED, CLOSED, FAILED, PAID_LATE,
    REFUND_ASKED, REFUND_DONE, REFUND_FAILED, INQUIRY, DISPUTE_OPENED, DISPUTE_TAKEN,
    DISPUTE_RETURNED, DISPUTE_WON, DISPUTE_LOST, FRAUD_WARNING, SUSPENDED,
    FAPIAO_ISSUED, FAPIAO_REFUSED, FAPIAO_REVERSED,
)  # fmt: skip

SYSTEM: Final = "system"


def add(order: Order, code: str, *, now: dt.datetime, actor: str = SYSTEM, **facts: Any) -> None:
    """Write a line; `facts` are numbers, codes and references only."""
    OrderEvent.objects.create(
        order=order, at=now, code=code, facts=facts, state=order.state, actor=actor[:80]
    )


def step(order: Order, state: str, *, now: dt.datetime) -> None:
    """Move a locked order to a state (not saved yet). Raises: states.ImpossibleStep.

    What is not open any more is not asked about any more.
    """
    if order.state != state:
        states.check(order.state, state)
        order.state = state
    if state == states.PAID and order.paid_at is None:
        order.paid_at = now
    if state not in states.OPEN:
        order.next_check_at = None
