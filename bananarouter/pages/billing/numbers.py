"""Numbers of orders and refunds: 32 hexadecimal digits (pure)."""

import uuid


def read_hex(text: str) -> uuid.UUID | None:
    """Read a number, with hyphens or without; None when it is none."""
    try:
        return uuid.UUID(hex=text)
    except ValueError:
        return None
