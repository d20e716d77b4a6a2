"""Celery's part of logs. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from logs import debug


@shared_task(name="logs.sweep_debug")
def sweep_debug() -> int:
    """End debug sessions whose time is over, and destroy what they kept."""
    return debug.sweep(now=timezone.now())
