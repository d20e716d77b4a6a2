"""What the fields of a verified Alipay notice say to us. No network, no keys."""

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping

from billing.processors import alipay_wire
from billing.processors.alipay_wire import Malformed
from billing.processors.base import CLOCK_SKEW_S, Notice, NoticeKind

# Alipay delivers a notice 8 times within 25 hours (open docs 270/105902); one hour is for clocks.
AGE_MAX_S = 26 * 3_600
STATES = {
    "WAIT_BUYER_PAY": NoticeKind.PENDING,
    "TRADE_SUCCESS": NoticeKind.PAID,
    # Months later, when the trade can no longer be refunded: the same payment once more.
    "TRADE_FINISHED": NoticeKind.PAID,
    "TRADE_CLOSED": NoticeKind.CLOSED,
}
_TRADE_NOTICE = "trade_status_sync"
_REFERENCE = re.compile(r"[0-9A-Za-z_.:/-]{1,128}")
_OUR_REFUND = re.compile(r"[0-9a-f]{32}")


def read(said: Mapping[str, str], *, is_live: bool, now: float) -> Notice:
    """Return what a notice says. Raises: Malformed."""
    told = Notice(
        processor="alipay",
        event_id=_reference(said, "notify_id"),
        kind=NoticeKind.OTHER,
        is_live=is_live,
    )
    _check_age(alipay_wire.moment(said.get("notify_time", "")), now=now)
    if _reference(said, "notify_type") != _TRADE_NOTICE:
        return told  # agreements, certificates, ...: nothing that we use
    told = dataclasses.replace(
        told,
        kind=STATES.get(_reference(said, "trade_status"), NoticeKind.OTHER),
        order_ref=_reference(said, "out_trade_no"),
        payment_ref=_reference(said, "trade_no"),
        merchant=f"{_reference(said, 'app_id')}/{_reference(said, 'seller_id')}",
        amount_minor=alipay_wire.fen(said.get("total_amount", "")),
        currency="CNY",
        occurred_at=_time(said, "gmt_payment", "gmt_close"),
    )
    refunded_minor = alipay_wire.fen(said.get("refund_fee") or "0")
    if refunded_minor or any(said.get(name) for name in ("out_biz_no", "gmt_refund")):
        return _of_refund(told, said, refunded_minor)
    return told


def _of_refund(told: Notice, said: Mapping[str, str], refunded_minor: int) -> Notice:
    """Return a notice of a refund, which comes to the payment's URL and must never credit."""
    request, at = said.get("out_biz_no", ""), said.get("gmt_refund", "")
    is_paid_or_closed = told.kind in {NoticeKind.PAID, NoticeKind.CLOSED}
    # A finished trade is refunded no more: without a number it tells again what went back before.
    is_told_again = said["trade_status"] == "TRADE_FINISHED" and not request
    if not refunded_minor or not is_paid_or_closed or is_told_again:
        return dataclasses.replace(told, kind=NoticeKind.OTHER)
    return dataclasses.replace(
        told,
        kind=NoticeKind.REFUNDED,
        refund_id=request if _OUR_REFUND.fullmatch(request) else "",
        refund_ref=(request or f"{told.payment_ref}@{at}")[:128],
        # refund_fee is the sum of all refunds of this trade (open docs 270/105902).
        refund_minor=refunded_minor,
        refunded_total_minor=refunded_minor,
        occurred_at=_time(said, "gmt_refund"),
    )


def _check_age(at: dt.datetime, *, now: float) -> None:
    age_s = now - at.timestamp()
    if age_s < -CLOCK_SKEW_S:
        raise Malformed("future")
    if age_s > AGE_MAX_S:
        raise Malformed("stale")


def _reference(said: Mapping[str, str], name: str) -> str:
    """Return a field that must be there, in the letters of a reference."""
    value = said.get(name, "")
    if not _REFERENCE.fullmatch(value):
        raise Malformed("field")
    return value


def _time(said: Mapping[str, str], *names: str) -> dt.datetime | None:
    """Return the first of these times; some come with milliseconds."""
    text = next((said[name] for name in names if said.get(name)), "")
    try:
        return alipay_wire.moment(text[:19])
    except Malformed:
        return None
