"""Alipay's side of the sandbox: gateway.do, notices, and the daily bill."""

import datetime as dt
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bananarouter.payment_sandbox import alipay_bill, delivery, statement_faults
from bananarouter.payment_sandbox.book import Payment, Refund
from bananarouter.payment_sandbox.desk import Desk
from bananarouter.payment_sandbox.keys import public_pem
from billing.processors import alipay_wire, signing

BILL_LINK_S = 30
_PAGES = {"alipay.trade.page.pay": "page", "alipay.trade.wap.pay": "wap"}
_STATUS = {
    "pending": "WAIT_BUYER_PAY",
    "paid": "TRADE_SUCCESS",
    "closed": "TRADE_CLOSED",
    "refunded": "TRADE_CLOSED",
}
Said = Mapping[str, Any]


class Refusal(Exception):
    """What Alipay answers instead: a code and a sub-code."""

    def __init__(self, sub_code: str, code: str = "40004") -> None:
        super().__init__(sub_code)
        self.said = {
            "code": code,
            "msg": "Business Failed" if code == "40004" else "Invalid Arguments",
            "sub_code": sub_code,
            "sub_msg": "沙箱拒绝",
        }


class Counter:
    """Plays the processor: see bananarouter.payment_sandbox.desk.Counter."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._merchant_pem = public_pem(desk.keys.merchant_key)
        # Serials of certificates, once a test has made some: app, root, alipay.
        self._serials: dict[str, str] = {}
        self._bills: dict[str, tuple[dt.date, float]] = {}
        self._calls: dict[str, Callable[[Said, Said], dict[str, Any]]] = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._query_refund,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
        }

    def routes(self) -> Sequence[web.RouteDef]:
        return (
            web.route("*", "/gateway.do", self._gateway),
            web.get("/alipay/bill/{token}", self._download),
            web.post("/sandbox/alipay/certificates", self._certify),
        )

    def pay(self, payment: Payment) -> None:
        _name(payment)
        if self._desk.book.knobs.asynchronous and payment.state == "open":
            payment.state = "pending"
        else:
            payment.state, payment.paid_at = "paid", time.time()
        self._notify(payment)

    def fail(self, payment: Payment) -> None:
        _name(payment)
        payment.state = "closed"
        self._notify(payment)

    def settle(self, payment: Payment) -> None:
        if payment.state == "pending":
            self.pay(payment)

    def dispute(self, payment: Payment, action: str) -> None:
        if action != "finish":
            raise LookupError(action)
        # Months later: the trade can no longer be refunded.
        payment.extra["is_finished"] = True
        self._notify(payment)

    def refund(self, payment: Payment, amount_minor: int) -> None:
        self._give_back(payment, f"HZ{secrets.token_hex(8)}", amount_minor)

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        said = {**request.query, **(await request.post())}
        method = str(said.get("method", ""))
        try:
            self._check(said)
            content = json.loads(str(said.get("biz_content", "{}")))
            if method in _PAGES:
                payment = self._open(said, content, _PAGES[method])
                return web.Response(status=302, headers={"Location": self._desk.page(payment)})
            if method not in self._calls:
                raise Refusal("isv.invalid-method", "40002")
            told = {"code": "10000", "msg": "Success", **self._calls[method](said, content)}
        except Refusal as refusal:
            told = refusal.said
        if method in _PAGES:
            return web.Response(status=400, text=told["sub_code"])
        return self._answer(method, told)

    def _check(self, said: Said) -> None:
        """See that our merchant signed the call, as Alipay does."""
        fields = {name: str(value).encode() for name, value in said.items()}
        message = alipay_wire.signed_part(fields, without=frozenset({"sign"}))
        if said.get("app_id") != self._desk.keys.alipay_app_id:
            raise Refusal("isv.invalid-app-id", "40002")
        if said.get("sign_type") != "RSA2" or said.get("charset") != "utf-8":
            raise Refusal("isv.invalid-signature-type", "40002")
        if not signing.is_signed(self._merchant_pem, str(said.get("sign", "")), message):
            raise Refusal("isv.invalid-signature", "40002")
        wanted = {name: self._serials.get(name, "") for name in ("app", "root")}
        given = {"app": said.get("app_cert_sn", ""), "root": said.get("alipay_root_cert_sn", "")}
        if wanted != given:
            raise Refusal("isv.invalid-cert-sn", "40002")

    def _answer(self, method: str, told: Said) -> web.Response:
        # Alipay escapes slashes: who verifies what they wrote anew instead of this text, fails.
        raw = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
        signature = signing.sign(self._desk.keys.alipay_key, raw.encode())
        named = self._serials.get("alipay")
        serial = f',"alipay_cert_sn":"{named}"' if named else ""
        body = f'{{"{method.replace(".", "_")}_response":{raw}{serial},"sign":"{signature}"}}'
        return web.Response(text=body, content_type="text/html", charset="utf-8")

    def _open(self, said: Said, content: Said, method: str) -> Payment:
        amount_minor = alipay_wire.fen(content["total_amount"])
        payment = self._desk.book.add(
            Payment(
                processor="alipay",
                number=content["out_trade_no"],
                amount_minor=amount_minor,
                currency="CNY",
                notify_url=said.get("notify_url", ""),
                return_url=said.get("return_url", ""),
                cancel_url=content.get("quit_url", ""),
                subject=content["subject"],
                method=method,
            )
        )
        if payment.state in {"paid", "refunded"}:
            raise Refusal("ACQ.TRADE_HAS_SUCCESS")
        if payment.state == "closed":
            raise Refusal("ACQ.TRADE_HAS_CLOSE")
        if payment.amount_minor != amount_minor:
            raise Refusal("ACQ.CONTEXT_INCONSISTENT")
        return payment

    def _precreate(self, said: Said, content: Said) -> dict[str, Any]:
        payment = self._open(said, content, "qr")
        return {"out_trade_no": payment.number, "qr_code": self._desk.page(payment)}

    def _query(self, _said: Said, content: Said) -> dict[str, Any]:
        payment = self._found(content)
        told = _trade(payment) | {
            "trade_status": _status(payment),
            "total_amount": alipay_wire.yuan(payment.amount_minor),
            "buyer_user_id": "2088000000000009",
        }
        if payment.paid_at:
            told["send_pay_date"] = _time(payment.paid_at)
        return told

    def _close(self, _said: Said, content: Said) -> dict[str, Any]:
        payment = self._found(content)
        if payment.state != "pending":
            raise Refusal("ACQ.TRADE_STATUS_ERROR")
        payment.state = "closed"
        return _trade(payment)

    def _refund(self, _said: Said, content: Said) -> dict[str, Any]:
        payment = self._found(content)
        amount_minor = alipay_wire.fen(content["refund_amount"])
        known = _refund_of(payment, content["out_request_no"])
        if known is not None and known.amount_minor != amount_minor:
            raise Refusal("ACQ.DISCORDANT_REPEAT_REQUEST")
        if known is None:
            self._give_back(payment, content["out_request_no"], amount_minor)
        return _trade(payment) | {
            "fund_change": "N" if known else "Y",
            "refund_fee": alipay_wire.yuan(payment.refunded_minor),
            "buyer_user_id": "2088000000000009",
        }

    def _give_back(self, payment: Payment, refund_id: str, amount_minor: int) -> None:
        if payment.extra.get("is_finished"):
            raise Refusal("ACQ.TRADE_HAS_FINISHED")
        if payment.state != "paid":
            raise Refusal("ACQ.TRADE_STATUS_ERROR")
        if not 0 < amount_minor <= payment.amount_minor - payment.refunded_minor:
            raise Refusal("ACQ.REASON_TRADE_REFUND_FEE_ERR")
        refund = Refund(ref=refund_id, refund_id=refund_id, amount_minor=amount_minor)
        payment.refunds.append(refund)
        if payment.refunded_minor == payment.amount_minor:
            payment.state = "refunded"
        self._notify(payment, refund)

    def _query_refund(self, _said: Said, content: Said) -> dict[str, Any]:
        payment = self._found(content)
        known = _refund_of(payment, content["out_request_no"])
        if known is None:
            return {}  # a success without a refund in it
        return _trade(payment) | {
            "out_request_no": known.refund_id,
            "refund_amount": alipay_wire.yuan(known.amount_minor),
            "total_amount": alipay_wire.yuan(payment.amount_minor),
            "refund_status": "REFUND_SUCCESS",
        }

    def _found(self, content: Said) -> Payment:
        """Return a trade: there is none before its payer scanned the code or came to the page."""
        payment = self._desk.book.find("alipay", content.get("out_trade_no", ""))
        if payment is None or payment.state == "open":
            raise Refusal("ACQ.TRADE_NOT_EXIST")
        return payment

    def _bill(self, _said: Said, content: Said) -> dict[str, Any]:
        day = dt.date.fromisoformat(content["bill_date"])
        if content["bill_type"] != "trade":
            raise Refusal("isp.bill_type_not_support")
        if not self._packed(day):
            raise Refusal("isp.bill_not_exist")
        token = secrets.token_hex(12)
        self._bills[token] = (day, time.monotonic() + BILL_LINK_S)
        return {"bill_download_url": f"{self._desk.url}/alipay/bill/{token}"}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        day, until = self._bills.get(request.match_info["token"], (None, 0.0))
        if day is None or time.monotonic() > until:
            raise web.HTTPForbidden
        return web.Response(body=self._packed(day), content_type="application/zip")

    def _packed(self, day: dt.date) -> bytes:
        payments = statement_faults.payments(self._desk.book, "alipay")
        return alipay_bill.packed(payments, day, seller_id=self._desk.keys.alipay_seller_id)

    async def _certify(self, request: web.Request) -> web.StreamResponse:
        """Take the serials of certificates: from now on calls must name them, and answers do."""
        self._serials = dict(await request.json())
        return web.json_response({})

    def _notify(self, payment: Payment, refund: Refund | None = None) -> None:
        facts = self._facts(payment, refund)
        if payment.notify_url:
            delivery.send(
                lambda: self._parcel(payment.notify_url, facts),
                lambda status, body: status == 200 and body == b"success",
                knobs=self._desk.book.knobs,
            )

    def _facts(self, payment: Payment, refund: Refund | None) -> dict[str, str]:
        facts = _trade(payment) | {
            "notify_type": "trade_status_sync",
            "notify_id": f"{dt.datetime.now(dt.UTC):%Y%m%d}{secrets.token_hex(13)}",
            "charset": "utf-8",
            "version": "1.0",
            "app_id": self._desk.keys.alipay_app_id,
            "auth_app_id": self._desk.keys.alipay_app_id,
            "seller_id": self._desk.keys.alipay_seller_id,
            "buyer_id": "2088000000000009",
            "subject": payment.subject,
            "trade_status": _status(payment),
            "total_amount": alipay_wire.yuan(payment.amount_minor),
            "gmt_create": _time(payment.created_at),
        }
        if payment.paid_at:
            facts["gmt_payment"] = _time(payment.paid_at)
        if refund is not None:
            facts["out_biz_no"] = refund.refund_id
            facts["refund_fee"] = alipay_wire.yuan(payment.refunded_minor)
            facts["gmt_refund"] = f"{_time(refund.at)}.320"
        return facts

    def _parcel(self, url: str, facts: dict[str, str]) -> delivery.Parcel:
        keys, knobs = self._desk.keys, self._desk.book.knobs
        said = facts | {"notify_time": _time(time.time() + knobs.clock_s)}
        if knobs.wrong == "amount":
            said["total_amount"] = alipay_wire.yuan(alipay_wire.fen(said["total_amount"]) + 1)
        if knobs.wrong == "merchant":
            said["seller_id"] = "2088999999999999"
        if "alipay" in self._serials:
            said["alipay_cert_sn"] = self._serials["alipay"]
        raw = {name: value.encode() for name, value in said.items()}
        message = alipay_wire.signed_part(raw, without=frozenset())
        # Somebody else's key: the merchant's own, which some take for Alipay's.
        key = keys.merchant_key if knobs.key == "other" else keys.alipay_key
        said |= {"sign_type": "RSA2", "sign": signing.sign(key, message)}
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return delivery.Parcel(url=url, body=urlencode(said).encode(), headers=kind)


def _name(payment: Payment) -> None:
    """Give a trade Alipay's own number, once its payer is there."""
    today = dt.datetime.now(alipay_wire.SHANGHAI)
    payment.ref = payment.ref or f"{today:%Y%m%d}22001{secrets.randbelow(10**15):015d}"


def _trade(payment: Payment) -> dict[str, Any]:
    return {"out_trade_no": payment.number, "trade_no": payment.ref}


def _status(payment: Payment) -> str:
    is_finished = payment.state == "paid" and payment.extra.get("is_finished")
    return "TRADE_FINISHED" if is_finished else _STATUS[payment.state]


def _refund_of(payment: Payment, refund_id: str) -> Refund | None:
    return next((one for one in payment.refunds if one.refund_id == refund_id), None)


def _time(at: float) -> str:
    return alipay_wire.written(dt.datetime.fromtimestamp(at, dt.UTC))
