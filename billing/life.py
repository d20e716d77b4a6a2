"""This worker's life as it knows it.

Renewed in the database, measured on a clock that never stops, from the moment at which each
confirmed renewal was sent.
"""

import time
import uuid
from collections.abc import Callable

from django.db import Error, connection

from billing import workers


def boottime() -> float:
    """Return seconds that go on while the machine sleeps or the process is stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Life:
    """One worker's row. beat() runs on the teller's thread, the rest is read from anywhere."""

    def __init__(self, *, ttl_s: int, on_lost: Callable[[], None]) -> None:
        self.boot = uuid.uuid4()
        self.ttl_s = ttl_s
        self._on_lost = on_lost
        self._sent_until = 0.0
        self._beat_at = 0.0
        # A sweeper ended this life; a new one begins when no charge of the old one is open.
        self.is_lost = False

    def is_confirmed(self) -> bool:
        """Tell whether nobody can have reclaimed our leases: renewed within 2/3 of the TTL."""
        return boottime() < self._sent_until

    def begin(self) -> None:
        """Insert the row of a new life, under a boot id of its own. Raises: django.db.Error."""
        sent = boottime()
        self.boot = uuid.uuid4()
        workers.register(self.boot, ttl_s=self.ttl_s)
        self.is_lost = False
        self._confirm(sent)

    def beat(self) -> float:
        """Renew when it is time; return the seconds until the next time."""
        now = boottime()
        if now < self._beat_at:
            return self._beat_at - now
        self._beat_at = now + min(self.ttl_s / 3, 1.0)  # soon again, should this one fail
        try:
            self._renew(now)
        except Error:
            connection.close()
            raise
        return self._beat_at - boottime()

    def _renew(self, sent: float) -> None:
        if self.is_lost:
            return
        if workers.renew(self.boot, ttl_s=self.ttl_s):
            self._confirm(sent)
            return
        self.is_lost = True
        self._sent_until = 0.0
        self._on_lost()

    def _confirm(self, sent: float) -> None:
        self._sent_until = sent + self.ttl_s * 2 / 3
        self._beat_at = sent + self.ttl_s / 3
