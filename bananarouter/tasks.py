"""Celery's part of what several apps do together. Every task may run twice, late, or never."""

from celery import shared_task
from django.utils import timezone

from bananarouter import closing, dead_rows


@shared_task(name="bananarouter.carry_out_closures")
def carry_out_closures() -> int:
    """Carry out closures that are due."""
    return closing.run_due(now=timezone.now())


@shared_task(name="bananarouter.clear_erased")
def clear_erased() -> int:
    """Take what was erased out of the database's files."""
    return dead_rows.clear(now=timezone.now())
