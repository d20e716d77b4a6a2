"""Celery's part of money coming in. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from billing.payments import (
    applying,
    autotopup,
    fapiao,
    healing,
    receipts,
    reconciliation,
    reminders,
    statements,
)

APPLY_EVENT = "billing.apply_event"


@shared_task(name=APPLY_EVENT)
def apply_event(event_pk: int) -> str:
    """Apply one stored event."""
    return applying.apply(event_pk)


@shared_task(name="billing.sweep_events")
def sweep_events() -> int:
    """Apply stored events that no task took."""
    return applying.sweep(now=timezone.now())


@shared_task(name="billing.ask_processors")
def ask_processors() -> int:
    """Ask about orders and refunds that are open."""
    return healing.sweep(now=timezone.now())


@shared_task(name="billing.top_up_automatically")
def top_up_automatically() -> int:
    """Top up accounts that fell below their threshold."""
    return autotopup.run_due(now=timezone.now())


@shared_task(name="billing.remind_of_balances")
def remind_of_balances() -> int:
    """Send low-balance reminders."""
    return reminders.run_due(now=timezone.now())


@shared_task(name="billing.write_papers")
def write_papers() -> int:
    """Issue credit notes that are missing, and ask for red-letter fapiao."""
    now = timezone.now()
    return receipts.write_missing(now=now) + fapiao.ask_red(now=now)


@shared_task(name="billing.issue_statements")
def issue_statements() -> int:
    """Issue the statements of the months that ended."""
    return statements.issue_due(now=timezone.now())


@shared_task(name="billing.read_statements")
def read_statements() -> int:
    """Read processors' statements that are ready."""
    return len(reconciliation.import_due(now=timezone.now()))
