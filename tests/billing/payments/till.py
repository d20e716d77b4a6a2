"""A processor that does what a test scripts, behind the port that real ones stand behind."""

import dataclasses
from types import SimpleNamespace

from billing.processors import base, config
from billing.processors.base import Notice, NoticeKind

MERCHANTS = {"stripe": "acct_test", "alipay": "app/seller", "wechatpay": "mch/app"}
CURRENCIES = {"stripe": "USD", "alipay": "CNY", "wechatpay": "CNY"}
KEY = "k" * 32


def payments(**changed) -> config.Payments:
    """Settings under which all three processors count as set."""
    return config.Payments(
        stripe=config.Stripe(
            url="http://127.0.0.1:9", account="acct_test", secret_key=KEY, webhook_secrets=(KEY,)
        ),
        alipay=config.Alipay(
            url="http://127.0.0.1:9", app_id="app", seller_id="seller", private_key=KEY,
            public_keys=(KEY,),
        ),
        wechatpay=config.WeChatPay(
            url="http://127.0.0.1:9", mchid="mch", appid="app", serial="S", private_key=KEY,
            api_v3_key=KEY, public_keys={"S": KEY},
        ),
        **changed,
    )  # fmt: skip


class Till:
    """One processor. `answers`: what `create` and `query` say of an order, by its number."""

    methods = ("checkout", "qr", "off_session")
    accepted = refused = base.Reply(status=200, body=b"", content_type="text/plain")
    is_live = True

    def __init__(self, name: str) -> None:
        self.name, self.currency, self.merchant = name, CURRENCIES[name], MERCHANTS[name]
        self.script = SimpleNamespace(on_create=None, on_query=None)
        self.created: list[base.Ask] = []
        self.asked: list[base.Ask] = []
        self.days: dict = {}

    def paid(self, ask: base.Ask, **changed) -> Notice:
        """The notice of a payment that fits an order."""
        notice = Notice(
            processor=self.name, event_id=f"paid-{ask.number}", kind=NoticeKind.PAID,
            order_ref=ask.number, payment_ref=f"pay_{ask.number}", amount_minor=ask.amount_minor,
            currency=ask.currency, merchant=self.merchant, is_live=True,
        )  # fmt: skip
        return dataclasses.replace(notice, **changed)

    def create(self, ask: base.Ask) -> base.Started:
        self.created.append(ask)
        notice = self.script.on_create(ask) if self.script.on_create else None
        return base.Started(session_ref=f"s_{ask.number}", notice=notice)

    def query(self, ask: base.Ask) -> Notice:
        self.asked.append(ask)
        if self.script.on_query:
            return self.script.on_query(ask)
        return self.paid(ask, kind=NoticeKind.PENDING, event_id=f"pending-{ask.number}")

    def close(self, ask: base.Ask) -> None:
        pass

    def statement(self, day):
        if day not in self.days:
            raise base.Refused("no_statement")
        return self.days[day]
