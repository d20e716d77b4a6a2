"""WeChat Pay, API v3: Native QR, H5 and JSAPI; certificate and public-key mode in parallel."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from billing.processors import config, wechatpay_bill
from billing.processors import wechatpay_facts as facts
from billing.processors.base import (
    WEBHOOK_BYTES_MAX,
    AlreadyPaid,
    Ask,
    Notice,
    NoticeKind,
    Refused,
    Reply,
    Row,
    Started,
    Unavailable,
    WebhookRefused,
)
from billing.processors.wechatpay_facts import Odd
from billing.processors.wechatpay_wire import SCHEMA, Wire, lowered

LIVE_HOST = "api.mch.weixin.qq.com"
CHINA = dt.timezone(dt.timedelta(hours=8))
DESCRIPTION_BYTES_MAX, REASON_BYTES_MAX = 127, 80
# Bills are made from 10:00 on of the next day; a day without trades has none.
BILLED_AFTER = dt.timedelta(days=1, hours=12)

_TRADES = "/v3/pay/transactions"
_REFUNDS = "/v3/refund/domestic/refunds"
_PATHS = {"qr": "native", "h5": "h5", "jsapi": "jsapi"}
# Codes are documented with and without underscores.
_PAID_CODES = {"orderpaid", "order_paid"}
_UNKNOWN_CODES = {"ordernotexist", "order_not_exist"}
_GONE_CODES = {"orderclosed", "order_closed", *_UNKNOWN_CODES}


class WeChatPay:
    """WeChat Pay behind billing.processors.base.Processor."""

    name: ClassVar[str] = facts.NAME
    currency: ClassVar[str] = facts.CURRENCY
    methods: ClassVar[tuple[str, ...]] = ("qr", "h5", "jsapi")
    accepted: ClassVar[Reply] = Reply(status=204, body=b"", content_type="application/json")
    refused: ClassVar[Reply] = Reply(
        status=401,
        body=b'{"code":"FAIL","message":"refused"}',
        content_type="application/json",
    )

    def __init__(self, keys: config.WeChatPay) -> None:
        self._keys = keys
        self._wire = Wire(keys)
        self._us = facts.Us(mchid=keys.mchid, appid=keys.appid, is_live=self.is_live)

    @property
    def merchant(self) -> str:
        """Our merchant number and app, as "mchid/appid"."""
        return f"{self._keys.mchid}/{self._keys.appid}"

    @property
    def is_live(self) -> bool:
        """Real money: only at WeChat Pay's own address."""
        return urlsplit(self._keys.url).hostname == LIVE_HOST

    def create(self, ask: Ask) -> Started:
        """Ask for money.

        Raises: Refused; Unavailable, also for an order that is paid already: a query tells.
        """
        if ask.method not in self.methods:
            raise Refused("method")
        try:
            found = self._wire.call("POST", f"{_TRADES}/{_PATHS[ask.method]}", self._order(ask))
            return self._started(ask, found)
        except Refused as error:
            if error.code in _PAID_CODES:
                raise Unavailable(error.code) from error
            raise
        except Odd as error:
            raise Unavailable(f"answer_{error}") from error

    def _order(self, ask: Ask) -> dict[str, Any]:
        said: dict[str, Any] = {
            "appid": self._keys.appid,
            "mchid": self._keys.mchid,
            "description": _cut(ask.subject, DESCRIPTION_BYTES_MAX),
            "out_trade_no": ask.number,
            "time_expire": ask.expires_at.astimezone(CHINA).isoformat(timespec="seconds"),
            "notify_url": ask.notify_url,
            "amount": {"total": ask.amount_minor, "currency": ask.currency},
        }
        if ask.method == "h5":
            if not ask.client_ip:
                raise Refused("no_client_ip")
            said["scene_info"] = {"payer_client_ip": ask.client_ip, "h5_info": {"type": "Wap"}}
        if ask.method == "jsapi":
            if not ask.openid:
                raise Refused("no_openid")
            said["payer"] = {"openid": ask.openid}
        return said

    def _started(self, ask: Ask, found: Mapping[str, Any]) -> Started:
        if ask.method == "qr":
            return Started(qr_text=facts.text(found, "code_url", facts.CODE_URL))
        if ask.method == "jsapi":
            prepay_id = facts.text(found, "prepay_id")
            call = self._wire.client_call(prepay_id)
            return Started(session_ref=prepay_id, client_call=call)
        url = facts.text(found, "h5_url", facts.LINK)
        if self.is_live and not url.startswith("https://"):
            raise Odd("h5_url")
        mark = "&" if "?" in url else "?"
        return Started(pay_url=f"{url}{mark}redirect_url={quote(ask.return_url, safe='')}")

    def query(self, ask: Ask) -> Notice:
        """Return what is known of an order; one that never arrived is PENDING.

        Raises: Refused, Unavailable.
        """
        path = f"{_TRADES}/out-trade-no/{quote(ask.number)}?mchid={quote(self._keys.mchid)}"
        try:
            return self._queried(ask, self._wire.call("GET", path))
        except Refused as error:
            if error.code not in _UNKNOWN_CODES:
                raise
            event_id = f"query:{ask.number}:NONE"
            return self._us.said(event_id, NoticeKind.PENDING, number=ask.number)
        except Odd as error:
            raise Unavailable(f"answer_{error}") from error

    def _queried(self, ask: Ask, found: Mapping[str, Any]) -> Notice:
        if found.get("out_trade_no") != ask.number:
            raise Odd("out_trade_no")
        state = facts.text(found, "trade_state", facts.WORD)
        kind = facts.TRADE_KINDS.get(state)
        if kind is None:
            raise Odd("trade_state")
        if kind == NoticeKind.PAID:
            return self._us.paid(f"query:{facts.text(found, 'transaction_id')}:{state}", found)
        reason = "" if kind == NoticeKind.PENDING else facts.code(state)
        event_id = f"query:{ask.number}:{state}"
        return self._us.said(event_id, kind, number=ask.number, reason=reason)

    def close(self, ask: Ask) -> None:
        """Close an order; one that is closed, or never arrived, is closed.

        Raises: AlreadyPaid, Refused, Unavailable.
        """
        path = f"{_TRADES}/out-trade-no/{quote(ask.number)}/close"
        try:
            self._wire.call("POST", path, {"mchid": self._keys.mchid})
        except Refused as error:
            if error.code in _PAID_CODES:
                raise AlreadyPaid(error.code) from error
            if error.code not in _GONE_CODES:
                raise

    def refund(
        self, ask: Ask, *, payment_ref: str, refund_id: str, amount_minor: int, reason: str
    ) -> Notice:
        """Send money back. WeChat Pay first takes it up: PENDING is the usual answer.

        Raises: Refused, Unavailable.
        """
        amount = {"refund": amount_minor, "total": ask.amount_minor, "currency": ask.currency}
        said: dict[str, Any] = {
            "transaction_id": payment_ref,
            "out_refund_no": refund_id,
            "notify_url": ask.notify_url,
            "amount": amount,
        }
        if reason:
            said["reason"] = _cut(reason, REASON_BYTES_MAX)
        found = self._wire.call("POST", _REFUNDS, said)
        notice = self._refunded(ask, found, payment_ref=payment_ref, refund_id=refund_id)
        if notice.refund_minor != amount_minor:
            raise Unavailable("answer_amount")
        return notice

    def query_refund(self, ask: Ask, *, payment_ref: str, refund_id: str) -> Notice:
        """Return what became of a refund. Raises: Refused, Unavailable."""
        found = self._wire.call("GET", f"{_REFUNDS}/{quote(refund_id)}")
        return self._refunded(ask, found, payment_ref=payment_ref, refund_id=refund_id)

    def _refunded(
        self, ask: Ask, found: Mapping[str, Any], *, payment_ref: str, refund_id: str
    ) -> Notice:
        names = ("out_trade_no", "transaction_id", "out_refund_no")
        if [found.get(name) for name in names] != [ask.number, payment_ref, refund_id]:
            raise Unavailable("answer_other_refund")
        try:
            state = facts.text(found, "status", facts.WORD)
            event_id = f"refund:{facts.text(found, 'refund_id')}:{state}"
            return self._us.refunded(event_id, found, state="status")
        except Odd as error:
            raise Unavailable(f"answer_{error}") from error

    def statement(self, day: dt.date) -> Sequence[Row]:
        """Return a day's trades and refunds; none for a day that is over and has no bill.

        Raises: Refused when there is none yet, Unavailable.
        """
        path = f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL"
        try:
            return wechatpay_bill.read(self._bill(self._wire.call("GET", path)))
        except Refused as error:
            billed_at = dt.datetime.combine(day, dt.time(), tzinfo=CHINA) + BILLED_AFTER
            if error.code == "no_statement_exist" and dt.datetime.now(CHINA) >= billed_at:
                return []
            raise
        except (Odd, wechatpay_bill.BadBill) as error:
            raise Unavailable(f"bill_{error}") from error

    def _bill(self, found: Mapping[str, Any]) -> bytes:
        """Return the bill's bytes, whose digest stands in the signed answer."""
        if found.get("hash_type") != "SHA1":
            raise Odd("hash_type")
        body = self._wire.file(facts.text(found, "download_url", facts.LINK))
        digest = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        if not secrets.compare_digest(digest.encode(), str(found.get("hash_value")).encode()):
            raise Odd("hash")
        return body

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Notice:
        """Return what a delivery says. Touches no network. Raises: WebhookRefused."""
        if len(body) > WEBHOOK_BYTES_MAX:
            raise WebhookRefused("too_large")
        told = lowered(headers)
        try:
            if told.get("wechatpay-signature-type") != SCHEMA:
                raise Odd("signature_type")
            self._wire.verify(told, body, now=now)
            event = facts.parsed(body)
            return self._us.event(event, self._wire.opened(event))
        except Odd as error:
            raise WebhookRefused(str(error)) from error


def _cut(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")
