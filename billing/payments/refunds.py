"""Money goes back to the payer, in the original currency at the order's own rate."""

import datetime as dt

from billing.models import Order
from billing.processors.base import Notice


def on_refunded(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Apply a refund's success (ours, or one made at the processor). Order is locked."""


def on_failed(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """Give a failed refund's money back to the wallet. Order is locked."""


def sweep(*, now: dt.datetime) -> int:
    """Send refunds that were asked for, ask about those under way; return how many."""
    return 0
