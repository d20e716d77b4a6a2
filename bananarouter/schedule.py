"""When tasks are due: names of billing.tasks and others, and the seconds between two runs."""

from typing import Final

_EVERY_S: Final = {
    "billing.sweep_events": 10.0,
    "billing.ask_processors": 10.0,
}
# As Celery's beat reads it.
BEAT: Final = {name: {"task": name, "schedule": every} for name, every in _EVERY_S.items()}
