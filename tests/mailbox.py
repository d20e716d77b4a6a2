"""What the tests' users find in their mailboxes: codes and notices that were sent."""

import asyncio
import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor

from django.core import mail
from django.db import connections

from accounts import deliveries

# Later than any test's clock: everything that waits is due.
LATER = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)


def deliver() -> int:
    """Send the notices that wait, as the sweep does; under a browser's loop on another thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return deliveries.sweep(now=LATER)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_deliver_apart).result()


def _deliver_apart() -> int:
    try:
        return deliveries.sweep(now=LATER)
    finally:
        connections.close_all()


def latest_code(address: str) -> str:
    """The code in the latest mail to an address."""
    found = [message for message in mail.outbox if address in message.to]
    assert found, f"no mail to {address}"
    match = re.search(r"^(\d{4}-\d{4})$", found[-1].body, re.MULTILINE)
    assert match, f"no code in: {found[-1].body}"
    return match.group(1)


def subjects(address: str) -> list[str]:
    """The subjects of all mails to an address, oldest first; notices that wait go out before."""
    deliver()
    return [message.subject for message in mail.outbox if address in message.to]
