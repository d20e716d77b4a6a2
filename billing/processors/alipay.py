"""Alipay: written by its helper."""

from typing import ClassVar

from billing.processors import config


class Alipay:
    """Alipay behind billing.processors.base.Processor."""

    name: ClassVar[str] = "alipay"
    currency: ClassVar[str] = "CNY"

    def __init__(self, keys: config.Alipay) -> None:
        self._keys = keys
