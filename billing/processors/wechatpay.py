"""WeChatPay: written by its helper."""

from typing import ClassVar

from billing.processors import config


class WeChatPay:
    """WeChatPay behind billing.processors.base.Processor."""

    name: ClassVar[str] = "wechatpay"
    currency: ClassVar[str] = "CNY"

    def __init__(self, keys: config.WeChatPay) -> None:
        self._keys = keys
