"""Celery's part of money coming in. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from billing.payments import applying, healing

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
