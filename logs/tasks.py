"""Celery's part of forgetting. The task may run twice, late, or never: the recorder steps in."""

from celery import shared_task
from django.utils import timezone

from logs import removal


@shared_task(name="logs.end_records")
def end_records() -> dict[str, int]:
    """End what is over, when the latest run is an hour old or was not complete."""
    report = removal.run_due(now=timezone.now(), actor="task")
    return report.removed if report else {}
