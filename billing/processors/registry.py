"""The processors of this installation, by name."""

from collections.abc import Callable, Mapping

from django.conf import settings

from billing.processors import alipay, stripe, wechatpay, wechatpay_payer
from billing.processors.base import CardKeeper, NotConfigured, Processor

_MAKERS: Mapping[str, Callable[[], Processor]] = {
    "stripe": lambda: stripe.Stripe(settings.PAYMENTS.stripe),
    "alipay": lambda: alipay.Alipay(settings.PAYMENTS.alipay),
    "wechatpay": lambda: wechatpay.WeChatPay(settings.PAYMENTS.wechatpay),
}
NAMES = tuple(_MAKERS)


def get(name: str) -> Processor:
    """Return a processor. Raises: NotConfigured, also for a name that there is not."""
    if name not in _MAKERS or not getattr(settings.PAYMENTS, name).is_set:
        raise NotConfigured(name)
    return _MAKERS[name]()


def card_keeper() -> CardKeeper:
    """Return the processor that keeps cards. Raises: NotConfigured."""
    if not settings.PAYMENTS.stripe.is_set:
        raise NotConfigured("stripe")
    return stripe.Stripe(settings.PAYMENTS.stripe)


def wechat_payers() -> wechatpay_payer.Payers:
    """Return who finds payers inside WeChat's own browser. Raises: NotConfigured."""
    if not settings.PAYMENTS.wechatpay.pays_inside:
        raise NotConfigured("wechatpay")
    return wechatpay_payer.Payers(settings.PAYMENTS.wechatpay)


def offered() -> tuple[str, ...]:
    """Return the names of those that a payer may choose now."""
    return tuple(
        name
        for name in settings.PAYMENTS.enabled or NAMES
        if name in _MAKERS and getattr(settings.PAYMENTS, name).is_set
    )
