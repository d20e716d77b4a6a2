"""What the tests' users find in their mailboxes: codes in the mails that were sent."""

import re

from django.core import mail


def latest_code(address: str) -> str:
    """The code in the latest mail to an address."""
    found = [message for message in mail.outbox if address in message.to]
    assert found, f"no mail to {address}"
    match = re.search(r"^(\d{4}-\d{4})$", found[-1].body, re.MULTILINE)
    assert match, f"no code in: {found[-1].body}"
    return match.group(1)


def subjects(address: str) -> list[str]:
    """The subjects of all mails to an address, oldest first."""
    return [message.subject for message in mail.outbox if address in message.to]
