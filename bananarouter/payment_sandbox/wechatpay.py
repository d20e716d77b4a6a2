"""WeChat Pay's side of the sandbox: the part of /v3 that billing.processors.wechatpay speaks."""

import datetime as dt
import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from bananarouter.payment_sandbox import delivery, statement_faults, wechat_client, wechatpay_bill
from bananarouter.payment_sandbox.book import Payment, Refund
from bananarouter.payment_sandbox.desk import Desk, Handler
from bananarouter.payment_sandbox.wechatpay_seal import CHINA, Seal

NAME = "wechatpay"
_TRADES = "/v3/pay/transactions"
_REFUNDS = "/v3/refund/domestic/refunds"
_TRADE_TYPES = {"native": "NATIVE", "h5": "MWEB", "jsapi": "JSAPI"}
_TRADE_STATES = {
    "open": "NOTPAY",
    "pending": "USERPAYING",
    "paid": "SUCCESS",
    "failed": "PAYERROR",
    "closed": "CLOSED",
    "refunded": "REFUND",
}
_REFUND_STATES = {"pending": "PROCESSING", "succeeded": "SUCCESS", "failed": "ABNORMAL"}
_BILLS_MAX = 100


class _Wrong(Exception):
    """An answer in WeChat Pay's shape for errors."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message or code


class Counter:
    """Plays the processor: see bananarouter.payment_sandbox.desk.Counter."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seal = Seal(desk.keys, desk.book.knobs)
        self._bills: dict[str, bytes] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            *(web.post(f"{_TRADES}/{way}", self._told(self._create)) for way in _TRADE_TYPES),
            web.get(_TRADES + "/out-trade-no/{number}", self._told(self._query)),
            web.post(_TRADES + "/out-trade-no/{number}/close", self._told(self._close)),
            web.post(_REFUNDS, self._told(self._refund)),
            web.get(_REFUNDS + "/{refund_id}", self._told(self._query_refund)),
            web.get("/v3/certificates", self._told(self._certificates)),
            web.get("/v3/bill/tradebill", self._told(self._bill)),
            web.get("/v3/billdownload/file", self._file),
        ]

    def _told(self, handler: Handler) -> Handler:
        """Check the merchant's signature first; sign what is answered, errors too."""

        async def run(request: web.Request) -> web.StreamResponse:
            try:
                await self._check(request)
                answer = await handler(request)
            except _Wrong as wrong:
                said = {"code": wrong.code, "message": wrong.message}
                answer = web.json_response(said, status=wrong.status)
            assert isinstance(answer, web.Response)  # noqa: S101 - handlers build no other
            body = answer.body if isinstance(answer.body, bytes) else b""
            answer.headers.update(self._seal.of_answer(body))
            return answer

        return run

    async def _check(self, request: web.Request) -> None:
        said = request.headers.get("Authorization", "")
        message = (request.method, request.raw_path, await request.read())
        if not self._seal.is_merchants(said, *message):
            raise _Wrong(401, "SIGN_ERROR", "the signature is wrong")

    async def _create(self, request: web.Request) -> web.StreamResponse:
        way = request.path.rsplit("/", 1)[1]
        said = _parsed(await request.read())
        keys = self._desk.keys
        if (said.get("mchid"), said.get("appid")) != (keys.wechatpay_mchid, keys.wechatpay_appid):
            raise _Wrong(400, "APPID_MCHID_NOT_MATCH")
        amount = _amount(said)
        _order_checked(said, way)
        payment = self._desk.book.add(
            Payment(
                processor=NAME,
                number=str(said["out_trade_no"]),
                amount_minor=amount["total"],
                currency=str(amount.get("currency", "CNY")),
                notify_url=str(said["notify_url"]),
                subject=str(said["description"]),
                method=way,
            )
        )
        if payment.state != "open":
            raise _Wrong(400, "ORDER_CLOSED" if payment.state == "closed" else "ORDERPAID")
        if (payment.amount_minor, payment.method) != (amount["total"], way):
            raise _Wrong(403, "OUT_TRADE_NO_USED")
        page = self._desk.page(payment)
        found = {"native": {"code_url": page}, "h5": {"h5_url": page}}
        return web.json_response(found.get(way, {"prepay_id": f"wx{payment.token}"}))

    async def _query(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("mchid") != self._desk.keys.wechatpay_mchid:
            raise _Wrong(400, "PARAM_ERROR", "mchid")
        return web.json_response(self._trade(self._payment(request.match_info["number"])))

    async def _close(self, request: web.Request) -> web.StreamResponse:
        payment = self._payment(request.match_info["number"])
        if payment.state in {"paid", "refunded"}:
            raise _Wrong(400, "ORDERPAID")
        if payment.state == "pending":
            raise _Wrong(400, "USERPAYING")
        payment.state = "closed"
        return web.Response(status=204)

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        said = _parsed(await request.read())
        amount, refund_id = _amount(said, "refund"), str(said.get("out_refund_no"))
        payment = next(
            (one for one in self._desk.book.of(NAME) if one.ref == said.get("transaction_id")), None
        )
        if payment is None or not payment.ref:
            raise _Wrong(404, "RESOURCE_NOT_EXISTS")
        known = [refund for refund in payment.refunds if refund.refund_id == refund_id]
        if known and known[0].amount_minor != amount["refund"]:
            raise _Wrong(400, "INVALID_REQUEST", "another amount for the same refund")
        if known:
            return web.json_response(_told_refund(payment, known[0]))
        if amount["total"] != payment.amount_minor:
            raise _Wrong(400, "PARAM_ERROR", "amount.total")
        refund = self._sent_back(payment, amount["refund"], refund_id=refund_id)
        refund.state = "pending"
        answer = _told_refund(payment, refund)  # PROCESSING, as WeChat Pay answers
        payment.extra["refund_url"] = str(said.get("notify_url") or payment.notify_url)
        if not self._desk.book.knobs.asynchronous:
            self._end_refund(payment, refund, "succeeded")
        return web.json_response(answer)

    def _sent_back(self, payment: Payment, amount_minor: int, *, refund_id: str) -> Refund:
        taken = sum(one.amount_minor for one in payment.refunds if one.state != "failed")
        if payment.state not in {"paid", "refunded"}:
            raise _Wrong(400, "INVALID_REQUEST", "not paid")
        if amount_minor > payment.amount_minor - taken:
            raise _Wrong(400, "INVALID_REQUEST", "more than was paid")
        ref = f"5030{secrets.randbelow(10**24):024d}"
        refund = Refund(ref=ref, refund_id=refund_id, amount_minor=amount_minor)
        payment.refunds.append(refund)
        return refund

    def _end_refund(self, payment: Payment, refund: Refund, state: str) -> None:
        refund.state = state
        if state == "succeeded":
            payment.state = "refunded"  # as WeChat Pay says it, also of a part
        event = f"REFUND.{_REFUND_STATES[state]}"
        url = payment.extra.get("refund_url") or payment.notify_url
        self._notify(event, url, {**_refund_facts(payment, refund), **self._owner()})

    async def _query_refund(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["refund_id"]
        for payment in self._desk.book.of(NAME):
            for refund in payment.refunds:
                if refund.refund_id == wanted:
                    return web.json_response(_told_refund(payment, refund))
        raise _Wrong(404, "RESOURCE_NOT_EXISTS")

    async def _certificates(self, _request: web.Request) -> web.StreamResponse:
        keys = self._desk.keys
        certificate = {
            "serial_no": keys.wechatpay_platform_serial,
            "effective_time": _time(time.time() - 86_400),
            "expire_time": _time(time.time() + 86_400 * 365),
            "encrypt_certificate": self._seal.sealed(
                keys.wechatpay_platform_certificate.encode(), "certificate"
            ),
        }
        return web.json_response({"data": [certificate]})

    async def _bill(self, request: web.Request) -> web.StreamResponse:
        try:
            day = dt.date.fromisoformat(request.query.get("bill_date", ""))
        except ValueError:
            raise _Wrong(400, "PARAM_ERROR", "bill_date") from None
        file = wechatpay_bill.write(
            statement_faults.payments(self._desk.book, NAME), self._desk.keys, day
        )
        if file is None:
            raise _Wrong(400, "NO_STATEMENT_EXIST")
        token = secrets.token_hex(16)
        while len(self._bills) >= _BILLS_MAX:
            self._bills.pop(next(iter(self._bills)))
        self._bills[token] = file
        digest = hashlib.sha1(file, usedforsecurity=False).hexdigest()
        url = f"{self._desk.url}/v3/billdownload/file?token={token}"
        return web.json_response({"hash_type": "SHA1", "hash_value": digest, "download_url": url})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """The file itself is not signed: its digest was."""
        try:
            await self._check(request)
        except _Wrong as wrong:
            return web.json_response({"code": wrong.code}, status=wrong.status)
        file = self._bills.get(request.query.get("token", ""))
        if file is None:
            return web.json_response({"code": "NOT_FOUND"}, status=404)
        return web.Response(body=file, content_type="application/octet-stream")

    def pay(self, payment: Payment) -> None:
        """The payer paid; an asynchronous payment waits for `settle`."""
        if self._desk.book.knobs.asynchronous:
            payment.state = "pending"
        else:
            self._arrive(payment)

    def _arrive(self, payment: Payment) -> None:
        payment.state, payment.paid_at = "paid", time.time()
        payment.ref = f"4200{secrets.randbelow(10**24):024d}"
        self._notify("TRANSACTION.SUCCESS", payment.notify_url, self._trade(payment))

    def fail(self, payment: Payment) -> None:
        """The bank said no, which WeChat Pay tells nobody; or a refund under way failed."""
        if waiting := _waiting(payment):
            self._end_refund(payment, waiting[0], "failed")
        else:
            payment.state = "failed"

    def settle(self, payment: Payment) -> None:
        """An asynchronous payment, or a refund under way, arrived."""
        if waiting := _waiting(payment):
            self._end_refund(payment, waiting[0], "succeeded")
        elif payment.state in {"open", "pending"}:
            self._arrive(payment)

    def dispute(self, payment: Payment, action: str) -> None:
        raise LookupError(f"{action} of {payment.number}")

    def refund(self, payment: Payment, amount_minor: int) -> None:
        """Staff at WeChat Pay's desk: the refund's number is not one of ours."""
        number = f"DESK{secrets.randbelow(10**16):016d}"
        refund = self._sent_back(payment, amount_minor, refund_id=number)
        self._end_refund(payment, refund, "succeeded")

    def _payment(self, number: str) -> Payment:
        payment = self._desk.book.find(NAME, number)
        if payment is None:
            raise _Wrong(404, "ORDER_NOT_EXIST")
        return payment

    def _owner(self) -> dict[str, str]:
        return {"mchid": self._desk.keys.wechatpay_mchid}

    def _trade(self, payment: Payment) -> dict[str, Any]:
        state = _TRADE_STATES[payment.state]
        found = {
            **self._owner(),
            "appid": self._desk.keys.wechatpay_appid,
            "out_trade_no": payment.number,
            "trade_state": state,
            "trade_state_desc": state,
            "amount": {"total": payment.amount_minor, "currency": payment.currency},
        }
        if not payment.paid_at:
            return found
        return {
            **found,
            "transaction_id": payment.ref,
            "trade_type": _TRADE_TYPES[payment.method],
            "bank_type": "OTHERS",
            "success_time": _time(payment.paid_at),
            "payer": {"openid": wechat_client.OPENID},
        }

    def _notify(self, event: str, url: str, facts: Mapping[str, Any]) -> None:
        body = self._seal.event(event, self._seal.misled(facts))

        def sign() -> delivery.Parcel:
            return delivery.Parcel(url=url, body=body, headers=self._seal.of_notice(body))

        def accepts(status: int, _body: bytes) -> bool:
            return status in {200, 204}

        delivery.send(sign, accepts, knobs=self._desk.book.knobs)


def _waiting(payment: Payment) -> list[Refund]:
    return [refund for refund in payment.refunds if refund.state == "pending"]


def _refund_facts(payment: Payment, refund: Refund) -> dict[str, Any]:
    return {
        "out_trade_no": payment.number,
        "transaction_id": payment.ref,
        "out_refund_no": refund.refund_id,
        "refund_id": refund.ref,
        "refund_status": _REFUND_STATES[refund.state],
        "success_time": _time(time.time()),
        "user_received_account": "支付用户零钱",
        "amount": {"total": payment.amount_minor, "refund": refund.amount_minor},
    }


def _told_refund(payment: Payment, refund: Refund) -> dict[str, Any]:
    found = _refund_facts(payment, refund)
    found["status"] = found.pop("refund_status")
    return {**found, "channel": "ORIGINAL", "create_time": _time(refund.at)}


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise _Wrong(400, "PARAM_ERROR", "JSON") from None
    if not isinstance(found, dict):
        raise _Wrong(400, "PARAM_ERROR", "JSON")
    return found


def _amount(said: Mapping[str, Any], *more: str) -> dict[str, Any]:
    amount = said.get("amount")
    names = ("total", *more)
    if not isinstance(amount, dict) or any(type(amount.get(name)) is not int for name in names):
        raise _Wrong(400, "PARAM_ERROR", "amount")
    if any(amount[name] <= 0 for name in names) or amount.get("currency", "CNY") != "CNY":
        raise _Wrong(400, "PARAM_ERROR", "amount")
    return amount


def _order_checked(said: Mapping[str, Any], way: str) -> None:
    needed = ["out_trade_no", "description", "notify_url", "time_expire"]
    missing = [name for name in needed if not isinstance(said.get(name), str)]
    if way == "h5" and not said.get("scene_info", {}).get("payer_client_ip"):
        missing.append("scene_info")
    if way == "jsapi" and said.get("payer", {}).get("openid") != wechat_client.OPENID:
        missing.append("payer")
    if missing:
        raise _Wrong(400, "PARAM_ERROR", ",".join(missing))
    try:
        ends_at = dt.datetime.fromisoformat(said["time_expire"])
    except ValueError:
        raise _Wrong(400, "PARAM_ERROR", "time_expire") from None
    if ends_at.tzinfo is None or ends_at.timestamp() <= time.time():
        raise _Wrong(400, "PARAM_ERROR", "time_expire")


def _time(at: float) -> str:
    return dt.datetime.fromtimestamp(at, CHINA).isoformat(timespec="seconds")
