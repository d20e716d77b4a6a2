"""Celery's part of accounts. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from accounts import announcements, deliveries


@shared_task(name=deliveries.SEND_NOTICE)
def send_notice(notification_pk: int) -> int:
    """Send one notification by each way that is due."""
    return deliveries.send_all(notification_pk, now=timezone.now())


@shared_task(name="accounts.sweep_notices")
def sweep_notices() -> int:
    """Send what no task took, and what failed before."""
    return deliveries.sweep(now=timezone.now())


@shared_task(name="accounts.announce_policies")
def announce_policies() -> int:
    """Tell users of new versions of the legal documents."""
    return announcements.announce_due(now=timezone.now())
