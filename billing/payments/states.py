"""Which state of an order may follow which (pure)."""

from typing import Final

CREATED, PENDING, PAID = "created", "pending", "paid"
PART_REFUNDED, REFUNDED = "part_refunded", "refunded"
DISPUTED, LOST, WON = "disputed", "lost", "won"
CLOSED, FAILED = "closed", "failed"

# Money may still come for what was closed or failed: it is never lost.
NEXT: Final = {
    CREATED: {PENDING, PAID, CLOSED, FAILED},
    PENDING: {PAID, CLOSED, FAILED},
    CLOSED: {PAID},
    FAILED: {PENDING, PAID, CLOSED},
    PAID: {PART_REFUNDED, REFUNDED, DISPUTED},
    PART_REFUNDED: {REFUNDED, DISPUTED, PAID, WON},
    REFUNDED: {PART_REFUNDED, PAID, DISPUTED, WON},
    # A refund that was under way stays one when the dispute is over.
    DISPUTED: {LOST, WON, PART_REFUNDED, REFUNDED},
    WON: {PART_REFUNDED, REFUNDED, DISPUTED},
    LOST: {DISPUTED, WON, PART_REFUNDED, REFUNDED},
}
# The wallet was credited.
CREDITED: Final = frozenset({PAID, PART_REFUNDED, REFUNDED, DISPUTED, LOST, WON})
# Nothing was paid yet, and it may still be.
OPEN: Final = frozenset({CREATED, PENDING})


class ImpossibleStep(Exception):
    """No order goes from this state to that one."""


class NotYet(Exception):
    """What is told of an order comes before its payment: to be tried again a little later."""


def check(before: str, after: str) -> None:
    """Raises: ImpossibleStep."""
    if after not in NEXT[before]:
        raise ImpossibleStep(f"{before} -> {after}")
