"""Celery's part of routing. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from routing import announcements


@shared_task(name="routing.announce")
def announce() -> int:
    """Tell of prices that rise, models that end, and incidents."""
    return announcements.run(now=timezone.now())
