"""How one can pay, on the device at hand (pure)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from billing.payments import quotes

_PHONES = ("iPhone", "Android")


class Device(Enum):
    """What decides how a payment opens."""

    DESKTOP = "desktop"
    PHONE = "phone"
    WECHAT = "wechat"  # WeChat's own browser, which opens neither Alipay nor WeChat's H5 page


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A processor and how it is paid there."""

    processor: str
    method: str

    @property
    def key(self) -> str:
        """Its name in forms and URLs: `alipay:qr`."""
        return f"{self.processor}:{self.method}"

    @property
    def currency(self) -> str:
        """What it is paid in."""
        return quotes.USD if self.processor == "stripe" else quotes.CNY


_CARD = Way(processor="stripe", method="checkout")
_ALIPAY_CODE = Way(processor="alipay", method="qr")
_WECHAT_CODE = Way(processor="wechatpay", method="qr")
WECHAT_INSIDE: Final = Way(processor="wechatpay", method="jsapi")
_OF: Final = {
    Device.DESKTOP: (
        _CARD, Way(processor="alipay", method="page"), _ALIPAY_CODE, _WECHAT_CODE,
    ),
    Device.PHONE: (
        _CARD, Way(processor="alipay", method="wap"), Way(processor="wechatpay", method="h5"),
    ),
    Device.WECHAT: (_CARD, _WECHAT_CODE),
}  # fmt: skip


def device(family: str) -> Device:
    """Tell the device from the family of its browser (accounts.devices.family)."""
    if "WeChat" in family:
        return Device.WECHAT
    return Device.PHONE if any(word in family for word in _PHONES) else Device.DESKTOP


def offered(
    where: Device, processors: Collection[str], *, pays_inside: bool = False
) -> Sequence[Way]:
    """Return the ways to pay on a device through these processors, in their order.

    `pays_inside`: WeChat Pay can be asked to pay inside WeChat's browser, without a code.
    """
    order, ways = list(processors), _OF[where]
    if where is Device.WECHAT and pays_inside:
        ways = (_CARD, WECHAT_INSIDE)
    found = [way for way in ways if way.processor in order]
    return sorted(found, key=lambda way: order.index(way.processor))
