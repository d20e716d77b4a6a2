"""Celery's part of routing. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from routing import announcements


@shared_task(name="routing.announce")
def announce() -> int:
    """Tell of prices that rise and models that end."""
    return announcements.announce(now=timezone.now())


@shared_task(name="routing.keep_up")
def keep_up() -> int:
    """Tell of incidents, and end models whose end has come."""
    return announcements.keep_up(now=timezone.now())
