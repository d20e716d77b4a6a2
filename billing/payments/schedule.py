"""When to ask a processor about what is still open (pure)."""

import datetime as dt
from typing import Final

# After the order was made; then it is closed at the processor, and here.
STEPS: Final = tuple(dt.timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600, 1_800))
AGAIN: Final = dt.timedelta(minutes=10)


def next_check(
    created_at: dt.datetime, *, checks: int, now: dt.datetime | None = None
) -> dt.datetime:
    """Return when to ask next, after so many times."""
    if checks < len(STEPS):
        return created_at + STEPS[checks]
    return (now or created_at) + AGAIN
