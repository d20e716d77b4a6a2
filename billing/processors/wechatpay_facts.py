"""What WeChat Pay's JSON says, read strictly and turned into notices (pure)."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from billing.processors.base import Notice, NoticeKind

NAME: Final = "wechatpay"
CURRENCY: Final = "CNY"
FEN_MAX = 10**12
REF = re.compile(r"[A-Za-z0-9_\-|*@]{1,64}", re.ASCII)
EVENT_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}", re.ASCII)
WORD = re.compile(r"[A-Z0-9_.]{1,64}", re.ASCII)
CODE_URL = re.compile(r"[\x21-\x7e]{1,512}", re.ASCII)
LINK = re.compile(r"https?://[\x21-\x7e]{1,2000}", re.ASCII)
_MONEY = re.compile(r"[A-Z]{3}", re.ASCII)
_OURS = re.compile(r"[0-9a-f]{32}", re.ASCII)
# REFUND: it was paid, and sent back at least in part. Who did not credit it must not start now.
TRADE_KINDS: Mapping[str, NoticeKind] = {
    "SUCCESS": NoticeKind.PAID,
    "NOTPAY": NoticeKind.PENDING,
    "USERPAYING": NoticeKind.PENDING,
    "CLOSED": NoticeKind.CLOSED,
    "REVOKED": NoticeKind.CLOSED,
    "REFUND": NoticeKind.CLOSED,
    "PAYERROR": NoticeKind.FAILED,
}
_REFUND_KINDS = {
    "SUCCESS": NoticeKind.REFUNDED,
    "PROCESSING": NoticeKind.PENDING,
    "ABNORMAL": NoticeKind.REFUND_FAILED,
    "CLOSED": NoticeKind.REFUND_FAILED,
}
_REFUND_EVENTS = {f"REFUND.{state}": state for state in ("SUCCESS", "ABNORMAL", "CLOSED")}


class Odd(ValueError):
    """Something is not what it should be; the text is a short code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Us:
    """Who reads: our merchant number and app, and whether the money is real."""

    mchid: str
    appid: str
    is_live: bool

    def event(self, event: Mapping[str, Any], found: Mapping[str, Any]) -> Notice:
        """Return what a callback says; `found` is its opened resource. Raises: Odd."""
        event_id, kind = text(event, "id", EVENT_ID), text(event, "event_type", WORD)
        if kind == "TRANSACTION.SUCCESS":
            if found.get("trade_state") != "SUCCESS":
                raise Odd("trade_state")
            return self.paid(event_id, found)
        if kind in _REFUND_EVENTS:
            if found.get("refund_status") != _REFUND_EVENTS[kind]:
                raise Odd("refund_status")
            return self.refunded(event_id, found, state="refund_status")
        return self.said(event_id, NoticeKind.OTHER, reason=code(kind))

    def paid(self, event_id: str, found: Mapping[str, Any]) -> Notice:
        """Return a payment that was made. Raises: Odd."""
        amount = part(found, "amount")
        return Notice(
            processor=NAME,
            event_id=event_id,
            kind=NoticeKind.PAID,
            order_ref=text(found, "out_trade_no"),
            payment_ref=text(found, "transaction_id"),
            amount_minor=fen(amount, "total"),
            currency=text(amount, "currency", _MONEY),
            merchant=f"{text(found, 'mchid')}/{text(found, 'appid')}",
            is_live=self.is_live,
            occurred_at=moment(found.get("success_time")),
        )

    def refunded(self, event_id: str, found: Mapping[str, Any], *, state: str) -> Notice:
        """Return what became of a refund; `state` names the field that tells. Raises: Odd.

        A callback names the merchant number, an answer nobody, neither the app: one merchant
        number has one of ours.
        """
        kind, amount = _REFUND_KINDS.get(text(found, state, WORD)), part(found, "amount")
        if kind is None:
            raise Odd(state)
        asked = text(found, "out_refund_no")
        mchid = self.mchid if state == "status" else text(found, "mchid")
        return Notice(
            processor=NAME,
            event_id=event_id,
            kind=kind,
            order_ref=text(found, "out_trade_no"),
            payment_ref=text(found, "transaction_id"),
            amount_minor=fen(amount, "total"),
            # A callback does not say it: refunds are domestic.
            currency=text(amount, "currency", _MONEY) if "currency" in amount else CURRENCY,
            merchant=f"{mchid}/{self.appid}",
            is_live=self.is_live,
            occurred_at=moment(found.get("success_time")),
            # A refund made at WeChat Pay's own desk has no id of ours.
            refund_id=asked if _OURS.fullmatch(asked) else "",
            refund_ref=text(found, "refund_id"),
            refund_minor=fen(amount, "refund"),
            reason=code(found[state]) if kind == NoticeKind.REFUND_FAILED else "",
        )

    def said(
        self, event_id: str, kind: NoticeKind, *, number: str = "", reason: str = ""
    ) -> Notice:
        """Return a notice without money."""
        return Notice(
            processor=NAME,
            event_id=event_id,
            kind=kind,
            order_ref=number,
            merchant=f"{self.mchid}/{self.appid}",
            is_live=self.is_live,
            reason=reason,
        )


def parsed(raw: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises: Odd."""
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Odd("json") from error
    if not isinstance(found, dict):
        raise Odd("json")
    return found


def text(found: Mapping[str, Any], name: str, pattern: re.Pattern[str] = REF) -> str:
    """Return a text that the pattern matches whole. Raises: Odd."""
    value = found.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Odd(name)
    return value


def part(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object inside an object. Raises: Odd."""
    value = found.get(name)
    if not isinstance(value, dict):
        raise Odd(name)
    return value


def fen(amount: Mapping[str, Any], name: str) -> int:
    """Return a positive integer of fen: no float, no text, no truth value. Raises: Odd."""
    value = amount.get(name)
    if type(value) is not int or not 0 < value <= FEN_MAX:
        raise Odd("amount")
    return value


def moment(said: object) -> dt.datetime | None:
    """Return an RFC 3339 time; what was paid is none the less paid when it says none."""
    try:
        found = dt.datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def code(said: object) -> str:
    """Return a code of WeChat Pay's as ours: at most 40 characters of [a-z0-9_.]."""
    return re.sub(r"[^a-z0-9_.]", "", said.lower())[:40] if isinstance(said, str) else ""
