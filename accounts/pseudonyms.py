"""What stands where a name stood: drawn anew each time, so that nothing leads back."""

import secrets
import uuid


def name(_: str) -> str:
    """Draw a name for an account that has lost its own."""
    return f"closed {secrets.token_hex(6)}"


def public_id(_: uuid.UUID) -> uuid.UUID:
    """Draw an account's public id."""
    return uuid.uuid4()
