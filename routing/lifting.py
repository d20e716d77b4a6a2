"""Staff let an address in again that guessed keys: every worker hears of it within a second.

Workers know blocked addresses as digests alone, each its own (logs.abuse), so the address itself
is told, sealed. Rows of changes go after an hour, but the newest one.
"""

import asyncio
import logging
import time
from functools import partial
from typing import Final

from accounts import changes, sealing
from accounts.models import Change
from routing import limits

logger = logging.getLogger(__name__)

LABEL: Final = b"lifted-block"


def announce(address: str) -> None:
    """Make every worker lift the block of an address, once this transaction commits.

    A worker that misses it keeps its block until its end. Raises: sealing.CannotSeal.
    """
    changes.announce(Change.Topic.LIFT, sealing.seal(address, label=LABEL))


def connect(listener: changes.Listener) -> None:
    """Hear of what staff lift; called on the event loop."""
    listener.subscribe(Change.Topic.LIFT, partial(_hear, asyncio.get_running_loop()))


def _hear(loop: asyncio.AbstractEventLoop, ref: str) -> None:
    if not ref:
        return  # "everything" is meant for what is read again: there is nothing to read
    try:
        address = sealing.unseal(ref, label=LABEL)
    except sealing.CannotOpen:
        logger.warning("a lifted block cannot be read")
        return
    loop.call_soon_threadsafe(limits.lift, address, time.monotonic())
