"""Orders driven by notices, as processors tell them; no processor is asked."""

import dataclasses
import datetime as dt
import itertools

from django.conf import settings

from accounts.timeids import uuid7
from billing import ledger
from billing.models import LedgerAccount, LedgerEntry, Order
from billing.payments import applying, quotes
from billing.processors import config
from billing.processors.base import Notice, NoticeKind

NOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
USD, CENT = 1_000_000_000, 10_000_000
MERCHANTS = {"stripe": "acct_1", "alipay": "app/seller", "wechatpay": "mch/app"}
KEY = "k" * 32
_count = itertools.count(1)


def payments(**changed) -> config.Payments:
    """Settings under which all processors count as set, in test mode."""
    nowhere = "http://127.0.0.1:9"
    made = config.Payments(
        stripe=config.Stripe(
            url=nowhere, account="acct_1", secret_key="sk_test_1", webhook_secrets=(KEY,)
        ),
        alipay=config.Alipay(
            url=nowhere, app_id="app", seller_id="seller", private_key=KEY, public_keys=(KEY,)
        ),
        wechatpay=config.WeChatPay(
            url=nowhere, mchid="mch", appid="app", serial="S", private_key=KEY,
            api_v3_key=KEY, public_keys={"S": KEY},
        ),
    )  # fmt: skip
    return dataclasses.replace(made, **changed)


def order(account, *, minor=1_000, tax_minor=0, processor="stripe", now=NOW, **fields) -> Order:
    """An order that waits for its money; yuan at 7 for a dollar."""
    currency = "USD" if processor == "stripe" else "CNY"
    rate = 1_000_000 if currency == "USD" else 7_000_000
    return Order.objects.create(**{
        "id": uuid7(), "account": account, "idempotency_key": f"key-{next(_count)}",
        "processor": processor, "method": "checkout", "state": "pending", "is_live": False,
        "currency": currency, "net_minor": minor, "tax_minor": tax_minor, "rate_ppm": rate,
        "credit_nusd": minor * CENT * 1_000_000 // rate, "created_at": now,
        "expires_at": now + dt.timedelta(minutes=30),
    } | fields)  # fmt: skip


def notice(order: Order, kind: str, **facts) -> Notice:
    """What a processor tells of an order; each time a new event."""
    told = {
        "processor": order.processor, "event_id": f"evt_{next(_count)}", "kind": NoticeKind(kind),
        "order_ref": order.number, "payment_ref": f"pi_{order.number}",
        "merchant": MERCHANTS[order.processor], "is_live": False,
    } | facts  # fmt: skip
    return Notice(**told)


def paid_notice(order: Order, **facts) -> Notice:
    money = {"amount_minor": order.total_minor, "currency": order.currency}
    return notice(order, "paid", **(money | facts))


def tell(order: Order, kind: str, *, now=NOW, **facts) -> str:
    """Deliver a notice and apply it; return its outcome."""
    outcome = applying.take(notice(order, kind, **facts), now=now)
    order.refresh_from_db()
    return outcome


def pay(account, *, now=NOW, facts=None, **fields) -> Order:
    """An order that is paid and credited."""
    made = order(account, now=now, **fields)
    assert applying.take(paid_notice(made, **(facts or {})), now=now) == "applied"
    made.refresh_from_db()
    return made


def spend(account, nusd: int) -> None:
    """Take money out of a wallet, as its use would."""
    legs = (
        ledger.Leg(
            account=ledger.account_of(LedgerAccount.Kind.WALLET, owner_id=account.pk),
            amount_nusd=-nusd,
        ),
        ledger.Leg(account=ledger.account_of(LedgerAccount.Kind.PLATFORM_LOSS), amount_nusd=nusd),
    )
    ledger.post(kind="test_use", ref=f"{next(_count)}", legs=legs, actor="tests")


def sums() -> dict[str, int]:
    """What stands on each side of the ledger, without those that are even."""
    found: dict[str, int] = {}
    for entry in LedgerEntry.objects.select_related("account"):
        side = entry.account
        name = f"{side.kind} {side.currency}"
        found[name] = found.get(name, 0) + entry.amount_nusd
    return {name: amount for name, amount in found.items() if amount}


def quote(account, minor: int, *, currency="USD", now=NOW) -> quotes.Quote:
    return quotes.make(account, currency=currency, net_minor=minor, now=now)


def configure(**changed) -> None:
    """Change settings within a test that uses pytest-django's `settings`."""
    settings.PAYMENTS = dataclasses.replace(settings.PAYMENTS, **changed)
