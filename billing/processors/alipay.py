"""Alipay (RSA2): page, wap and QR payments, notices, refunds, bills. Key or certificate mode."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import orjson

from billing.processors import alipay_bill, alipay_notice, alipay_wire, calls, config, signing
from billing.processors.alipay_wire import Malformed
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

# A day's bill is there by then (it is made until 10:00 of the day after); NO_BILL is Alipay's word
# for none (open docs of the bill's interface, from memory).
BILLED_AFTER, NO_BILL = dt.timedelta(days=1, hours=12), "isp.bill_not_exist"
LIVE_HOST = "openapi.alipay.com"
_FORM = "application/x-www-form-urlencoded"
_PAGES = {
    # The call, and the product that it sells under.
    "page": ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    "wap": ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),
}
_FINE = "10000"
_NOT_THERE = "ACQ.TRADE_NOT_EXIST"
# It cannot be closed as it stands: paid, or closed already.
_WRONG_STATE = frozenset({"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_ILLEGAL_STATUS"})
# Codes and sub-codes after which the same call may succeed later.
_LATER = frozenset(
    {
        "10003",
        "20000",
        "40005",
        "ACQ.SYSTEM_ERROR",
        "SYSTEM_ERROR",
        "aop.unknow-error",
        "isp.unknow-error",
        "ACQ.SELLER_BALANCE_NOT_ENOUGH",
    }
)
_TYPE, _SERIAL = "content-type", "alipay_cert_sn"
_UNSIGNED = frozenset({"sign", "sign_type"})


class Alipay:
    """Alipay behind billing.processors.base.Processor."""

    name: ClassVar[str] = "alipay"
    currency: ClassVar[str] = "CNY"
    methods: ClassVar[tuple[str, ...]] = ("page", "wap", "qr")
    # Exactly these seven bytes, or Alipay delivers again.
    accepted: ClassVar[Reply] = Reply(status=200, body=b"success", content_type="text/plain")
    refused: ClassVar[Reply] = Reply(status=400, body=b"fail", content_type="text/plain")

    def __init__(self, keys: config.Alipay) -> None:
        self._keys = keys

    @property
    def merchant(self) -> str:
        return f"{self._keys.app_id}/{self._keys.seller_id}"

    @property
    def is_live(self) -> bool:
        return urlsplit(self._keys.url).hostname == LIVE_HOST

    def create(self, ask: Ask) -> Started:
        content = {
            "out_trade_no": ask.number,
            "total_amount": alipay_wire.yuan(ask.amount_minor),
            "subject": ask.subject,
            "time_expire": alipay_wire.written(ask.expires_at),
        }
        if ask.method in _PAGES:
            method, product = _PAGES[ask.method]
            content["product_code"] = product
            if ask.method == "wap":
                content["quit_url"] = ask.cancel_url
            asked = self._signed(
                method, content, notify_url=ask.notify_url, return_url=ask.return_url
            )
            return Started(pay_url=f"{self._keys.url}?{urlencode(asked)}")
        if ask.method != "qr":
            raise Refused("unknown_method")
        said = self._ask("alipay.trade.precreate", content, notify_url=ask.notify_url)
        _same(said, "out_trade_no", ask.number)
        return Started(qr_text=_text(said, "qr_code"))

    def verify_webhook(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Notice:
        try:
            said = self._verified(headers, body)
            return alipay_notice.read(said, is_live=self.is_live, now=now)
        except Malformed as error:
            raise WebhookRefused(error.code) from error

    def query(self, ask: Ask) -> Notice:
        content = {"out_trade_no": ask.number}
        said = self._ask("alipay.trade.query", content, may_say=frozenset({_NOT_THERE}))
        if said.get("sub_code") == _NOT_THERE:  # a QR code that nobody scanned yet
            return self._notice(NoticeKind.PENDING, f"query:{ask.number}:none", ask.number)
        _same(said, "out_trade_no", ask.number)
        status, trade = _text(said, "trade_status"), _text(said, "trade_no")
        if status not in alipay_notice.STATES:
            raise Unavailable("unknown_status")
        return self._notice(
            alipay_notice.STATES[status],
            f"query:{ask.number}:{status}:{trade}"[:128],
            ask.number,
            payment_ref=trade,
            amount_minor=_fen(said, "total_amount"),
            occurred_at=_moment(said, "send_pay_date"),
        )

    def close(self, ask: Ask) -> None:
        content = {"out_trade_no": ask.number}
        may_say = frozenset({_NOT_THERE, *_WRONG_STATE})
        said = self._ask("alipay.trade.close", content, may_say=may_say)
        if said.get("sub_code") in _WRONG_STATE:
            kind = self.query(ask).kind
            if kind == NoticeKind.PAID:
                raise AlreadyPaid("paid")
            if kind != NoticeKind.CLOSED:
                raise Unavailable("not_closed")

    def refund(
        self, ask: Ask, *, payment_ref: str, refund_id: str, amount_minor: int, reason: str
    ) -> Notice:
        content = _trade(ask, payment_ref) | {
            "out_request_no": refund_id,
            "refund_amount": alipay_wire.yuan(amount_minor),
            "refund_reason": reason[:256],
        }
        said = self._ask("alipay.trade.refund", content)
        _same(said, "out_trade_no", ask.number)
        # refund_fee is all that went back of this trade; fund_change N: not by this call, which
        # may say that an earlier one with this number did it.
        if said.get("fund_change") != "Y" or _fen(said, "refund_fee") < amount_minor:
            found = self.query_refund(ask, payment_ref=payment_ref, refund_id=refund_id)
            if found.kind != NoticeKind.REFUNDED:
                # Not done, so it is sent again under its number (docs of the refund query).
                raise Unavailable("not_refunded_yet")
            return found
        return self._refunded(ask, said, refund_id, amount_minor)

    def query_refund(self, ask: Ask, *, payment_ref: str, refund_id: str) -> Notice:
        content = _trade(ask, payment_ref) | {"out_request_no": refund_id}
        said = self._ask("alipay.trade.fastpay.refund.query", content)
        # Older accounts tell no status: there, an amount says that it succeeded.
        is_done = said.get("refund_status", "REFUND_SUCCESS") == "REFUND_SUCCESS"
        if not is_done or "refund_amount" not in said:
            return self._notice(
                NoticeKind.PENDING, f"refund:{refund_id}:pending", ask.number, refund_id=refund_id
            )
        _same(said, "out_trade_no", ask.number)
        _same(said, "out_request_no", refund_id)
        return self._refunded(ask, said, refund_id, _fen(said, "refund_amount"))

    def statement(self, day: dt.date) -> Sequence[Row]:
        content = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            said = self._ask("alipay.data.dataservice.bill.downloadurl.query", content)
        except Refused as error:
            billed_at = (
                dt.datetime.combine(day, dt.time(), tzinfo=alipay_wire.SHANGHAI) + BILLED_AFTER
            )
            # A day without trades never has a bill.
            if error.code == NO_BILL and dt.datetime.now(alipay_wire.SHANGHAI) >= billed_at:
                return []
            raise
        url = self._bill_url(_text(said, "bill_download_url"))
        answer = calls.call("GET", url, bytes_max=alipay_bill.ZIP_BYTES_MAX)
        if answer.status != 200:
            raise Unavailable(f"http_{answer.status}")
        return alipay_bill.read(answer.body, seller_id=self._keys.seller_id)

    def _bill_url(self, text: str) -> str:
        """Return where a bill lies. Live, that is Alipay's own host and HTTPS, whatever it says."""
        url = urlsplit(text)
        if not self.is_live:
            return text
        if not (url.hostname or "").endswith(".alipay.com"):
            raise Unavailable("strange_host")
        return url._replace(scheme="https").geturl()

    def _signed(
        self, method: str, content: Mapping[str, str], *, notify_url: str = "", return_url: str = ""
    ) -> dict[str, str]:
        """Return a call's parameters with our signature."""
        said = {
            "app_id": self._keys.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": alipay_wire.written(dt.datetime.now(dt.UTC)),
            "version": "1.0",
            "notify_url": notify_url,
            "return_url": return_url,
            "biz_content": orjson.dumps(content).decode(),
        }
        if self._keys.app_certificate:
            said["app_cert_sn"] = certificate_sn(self._keys.app_certificate)
            said["alipay_root_cert_sn"] = root_sn(self._keys.root_certificates)
        fields = {name: value for name, value in said.items() if value}
        raw = {name: value.encode() for name, value in fields.items()}
        message = alipay_wire.signed_part(raw, without=frozenset({"sign"}))
        return fields | {"sign": signing.sign(self._keys.private_key, message)}

    def _ask(
        self,
        method: str,
        content: Mapping[str, str],
        *,
        notify_url: str = "",
        may_say: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Return a verified answer that is a success or a sub-code that it may say.

        Raises: Refused, Unavailable.
        """
        asked = self._signed(method, content, notify_url=notify_url)
        # As Alipay's own clients do: the gateway reads the charset from the address.
        body = urlencode({"biz_content": asked.pop("biz_content")}).encode()
        answer = calls.call(
            "POST",
            f"{self._keys.url}?{urlencode(asked)}",
            headers={"Content-Type": f"{_FORM};charset=utf-8"},
            body=body,
        )
        if answer.status != 200:
            raise Unavailable(f"http_{answer.status}")
        said = self._believed(method.replace(".", "_") + "_response", answer.body)
        code, sub_code = str(said.get("code", "no_code")), str(said.get("sub_code", ""))
        if code == _FINE or sub_code in may_say:
            return said
        if {code, sub_code} & _LATER:
            raise Unavailable(_code(sub_code or code))
        raise Refused(_code(sub_code or code))

    def _believed(self, name: str, body: bytes) -> dict[str, Any]:
        """Return an answer whose raw text Alipay signed. Raises: Unavailable."""
        try:
            pieces = alipay_wire.pieces(body.decode())
            raw = pieces[name] if name in pieces else pieces["error_response"]
            said = alipay_wire.values(raw)
            signature = alipay_wire.text(pieces.get("sign", '""'))
            serial = alipay_wire.text(pieces.get("alipay_cert_sn", '""'))
        except (ValueError, KeyError, RecursionError) as error:
            raise Unavailable("broken_answer") from error
        if not signature:
            # So it answers those it does not know: no fact, but worth reading for the operator.
            raise Unavailable(_code(str(said.get("sub_code") or "unsigned")))
        if not self._is_signed(signature, raw.encode(), serial=serial):
            raise Unavailable("bad_signature")
        return said

    def _verified(self, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return the fields of a notice that Alipay signed. Raises: Malformed."""
        if len(body) > WEBHOOK_BYTES_MAX:
            raise Malformed("too_large")
        kind = next((value for name, value in headers.items() if name.lower() == _TYPE), "")
        if kind.partition(";")[0].strip().lower() != _FORM:
            raise Malformed("content_type")
        raw = alipay_wire.form(body)
        if raw.get("sign_type") != b"RSA2":
            raise Malformed("sign_type")
        # Latin-1 turns every byte into some letter: what is no signature does not verify.
        signature, serial = (raw.get(name, b"").decode("latin-1") for name in ("sign", _SERIAL))
        message = alipay_wire.signed_part(raw, without=_UNSIGNED)
        if not self._is_signed(signature, message, serial=serial):
            raise Malformed("signature")
        return alipay_wire.texts(raw)

    def _is_signed(self, signature: str, message: bytes, *, serial: str) -> bool:
        """Tell whether one of Alipay's keys that we trust signed it; the one it names, if any."""
        certificates = {certificate_sn(pem): pem for pem in self._keys.public_certificates}
        trusted: Sequence[str] = (*self._keys.public_keys, *certificates.values())
        if serial and certificates:
            trusted = [certificates[serial]] if serial in certificates else []
        return any(signing.is_signed(pem, signature, message) for pem in trusted)

    def _notice(self, kind: NoticeKind, event_id: str, number: str, **more: Any) -> Notice:
        """Return a fact that Alipay told our app about an order when we asked."""
        return Notice(
            processor=self.name,
            event_id=event_id[:128],
            kind=kind,
            order_ref=number,
            currency=self.currency,
            merchant=self.merchant,
            is_live=self.is_live,
            **more,
        )

    def _refunded(self, ask: Ask, said: Mapping[str, Any], refund_id: str, minor: int) -> Notice:
        return self._notice(
            NoticeKind.REFUNDED,
            f"refund:{refund_id}:done",
            ask.number,
            payment_ref=_text(said, "trade_no"),
            refund_id=refund_id,
            refund_ref=refund_id,
            refund_minor=minor,
            occurred_at=_moment(said, "gmt_refund_pay"),
        )


def certificate_sn(pem: str) -> str:
    """Return what Alipay calls a certificate's sn. Raises: signing.BadKey."""
    return _sn(signing.certificates(pem)[0])


def root_sn(pems: str) -> str:
    """Return the sn of a bundle of roots: of those signed with RSA. Raises: signing.BadKey."""
    return "_".join(_sn(found) for found in signing.certificates(pems) if found.is_rsa)


def _sn(certificate: signing.Certificate) -> str:
    # MD5 of the issuer as RFC 4514 writes it and the serial in decimal (python-alipay-sdk 3.4).
    text = f"{certificate.issuer}{certificate.serial}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _trade(ask: Ask, payment_ref: str) -> dict[str, str]:
    return {"out_trade_no": ask.number} | ({"trade_no": payment_ref} if payment_ref else {})


def _text(said: Mapping[str, Any], name: str) -> str:
    """Return a value that an answer must have. Raises: Unavailable."""
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise Unavailable("broken_answer")
    return value


def _same(said: Mapping[str, Any], name: str, wanted: str) -> None:
    """Raises: Unavailable, when an answer is about something else."""
    if said.get(name) != wanted:
        raise Unavailable("other_answer")


def _fen(said: Mapping[str, Any], name: str) -> int:
    try:
        return alipay_wire.fen(_text(said, name))
    except Malformed as error:
        raise Unavailable("broken_answer") from error


def _moment(said: Mapping[str, Any], name: str) -> dt.datetime | None:
    try:
        return alipay_wire.moment(_text(said, name)) if name in said else None
    except Malformed:
        return None


def _code(text: str) -> str:
    return re.sub("[^a-z0-9_.]", "_", text.lower())[:40]
