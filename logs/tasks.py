"""Celery's part of remembering and forgetting. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from logs.archive import feed


@shared_task(name="logs.feed_archive")
def feed_archive() -> int:
    """Send to the archive what is due, and let age what is old."""
    return feed.run(now=timezone.now())
