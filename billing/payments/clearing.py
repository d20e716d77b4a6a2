"""The legs of money that crosses a processor. Minor units in, ledger entries out."""

from billing import ledger
from billing.ledger import Leg
from billing.models import LedgerAccount, Order
from billing.money import CENT

Kind = LedgerAccount.Kind
_KINDS = {
    "stripe": Kind.CLEARING_STRIPE,
    "alipay": Kind.CLEARING_ALIPAY,
    "wechatpay": Kind.CLEARING_WECHATPAY,
}


def account(processor: str, currency: str) -> LedgerAccount:
    """Return what a processor holds for us, in a currency."""
    return ledger.account_of(_KINDS[processor], currency=currency)


def incoming(order: Order) -> list[Leg]:
    """Return the legs of an order's payment: clearing pays the wallet and the tax."""
    wallet = ledger.account_of(Kind.WALLET, owner_id=order.account_id)
    legs = [
        Leg(
            account=account(order.processor, order.currency),
            amount_nusd=-order.total_minor * CENT,
        ),
        Leg(account=wallet, amount_nusd=order.credit_nusd),
    ]
    if order.tax_minor:
        tax = ledger.account_of(Kind.TAX, currency=order.currency)
        legs.append(Leg(account=tax, amount_nusd=order.tax_minor * CENT))
    return legs + exchanged(order.currency, net_minor=order.net_minor, nusd=order.credit_nusd)


def exchanged(currency: str, *, net_minor: int, nusd: int) -> list[Leg]:
    """Return the legs that turn another currency into USD; none for USD. Negative: back again."""
    if currency == "USD":
        return []
    there = ledger.account_of(Kind.FX_CLEARING, currency=currency)
    here = ledger.account_of(Kind.FX_CLEARING)
    return [
        Leg(account=there, amount_nusd=net_minor * CENT),
        Leg(account=here, amount_nusd=-nusd),
    ]
