"""Stripe: written by its helper."""

from typing import ClassVar

from billing.processors import config


class Stripe:
    """Stripe behind billing.processors.base.Processor."""

    name: ClassVar[str] = "stripe"
    currency: ClassVar[str] = "USD"

    def __init__(self, keys: config.Stripe) -> None:
        self._keys = keys
