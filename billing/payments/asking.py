"""What a processor is told of an order."""

from dataclasses import dataclass, field

from django.conf import settings

from billing.models import Order
from billing.payments import fraud
from billing.processors.base import Ask

SUBJECT = "BananaRouter balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """What is known of who pays, only while the payment starts."""

    client_ip: str = field(default="", repr=False)
    locale: str = "en"
    openid: str = field(default="", repr=False)
    saves_method: bool = False
    # Automatic top-up: the saved card.
    customer_ref: str = ""
    method_ref: str = ""


def ask(order: Order, payer: Payer | None = None) -> Ask:
    """Return an order as processors see it; `payer` where the payment starts."""
    public, payer = settings.PUBLIC_URL, payer or Payer()
    page = f"{public}/billing/orders/{order.number}"
    return Ask(
        number=order.number,
        amount_minor=order.total_minor,
        currency=order.currency,
        method=order.method,
        subject=SUBJECT,
        expires_at=order.expires_at,
        notify_url=f"{public}/hooks/{order.processor}",
        return_url=page,
        cancel_url=f"{page}?cancelled=1",
        session_ref=order.session_ref,
        client_ip=payer.client_ip,
        openid=payer.openid,
        customer_ref=payer.customer_ref,
        method_ref=payer.method_ref,
        saves_method=payer.saves_method,
        is_strict=fraud.wants_3ds(order),
        locale=payer.locale,
    )
