"""Celery's part of logs. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from logs import debug, debug_notices, removal, spikes
from logs.archive import feed


@shared_task(name="logs.sweep_debug")
def sweep_debug() -> int:
    """End debug sessions whose time is over, and destroy what they kept."""
    return debug.sweep(now=timezone.now())


@shared_task(name="logs.tell_debug")
def tell_debug() -> int:
    """Tell of debug mode that was switched on, and of what staff read of it."""
    return debug_notices.sweep(now=timezone.now())


@shared_task(name="logs.end_records")
def end_records() -> int:
    """End what is over, when the latest run is an hour old or was not complete."""
    report = removal.run_due(now=timezone.now(), actor="task")
    return sum(report.removed.values()) if report else 0


@shared_task(name="logs.watch_spending")
def watch_spending() -> int:
    """Tell accounts whose spending is unusual."""
    return spikes.watch(now=timezone.now())


@shared_task(name="logs.feed_archive")
def feed_archive() -> int:
    """Send to the archive what is due, and let age what is old."""
    return feed.run(now=timezone.now())
