"""Celery's part of logs. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from logs import spikes


@shared_task(name="logs.watch_spending")
def watch_spending() -> int:
    """Tell accounts whose spending is unusual."""
    return spikes.watch(now=timezone.now())
