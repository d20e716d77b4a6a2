"""Stripe's API in the sandbox: keys, forms, idempotency and errors as Stripe has them."""

import functools
import hmac
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from bananarouter.payment_sandbox import stripe_shapes as shapes
from bananarouter.payment_sandbox.desk import Handler
from bananarouter.payment_sandbox.stripe_shapes import Json, StripeError

if TYPE_CHECKING:
    from bananarouter.payment_sandbox.stripe import Counter

AMOUNT_MIN, AMOUNT_MAX = 50, 99_999_999
# A call: what the path names, and the form or query.
Call = Callable[[str, Json], Json]


def amount(asked: Any) -> int:
    """Return an amount that can be charged. Raises: StripeError."""
    if not str(asked).isdigit():
        raise StripeError(400, "parameter_invalid_integer", f"Invalid integer: {asked}")
    if not AMOUNT_MIN <= int(asked) <= AMOUNT_MAX:
        code = "amount_too_small" if int(asked) < AMOUNT_MIN else "amount_too_large"
        raise StripeError(400, code, "The amount cannot be charged.", param="amount")
    return int(asked)


class _Replays:
    """What was answered to each Idempotency-Key."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int, Json]] = {}

    def find(self, key: str, asked: str) -> tuple[int, Json] | None:
        """Raises: StripeError when the key stands for something else."""
        known = self._known.get(key) if key else None
        if known is None:
            return None
        if known[0] != asked:
            message = "Keys for idempotent requests can only be used with the same parameters."
            raise StripeError(400, "", message, type="idempotency_error")
        return known[1], known[2]

    def keep(self, key: str, asked: str, status: int, answer: Json) -> None:
        """What was refused before anything was done may be asked again."""
        if key and status in {200, 402}:
            self._known[key] = (asked, status, answer)


def routes(counter: "Counter", secret_key: str) -> list[web.RouteDef]:
    """Return the part of the API that billing.processors.stripe uses."""
    calls, replays = _Calls(counter), _Replays()
    wrap = functools.partial(_answering, secret_key=secret_key, replays=replays)
    return [
        web.post("/v1/checkout/sessions", wrap(calls.open)),
        web.get("/v1/checkout/sessions", wrap(calls.sessions)),
        web.get("/v1/checkout/sessions/{ref}", wrap(calls.session)),
        web.post("/v1/checkout/sessions/{ref}/expire", wrap(calls.expire)),
        web.post("/v1/payment_intents", wrap(calls.charge)),
        web.get("/v1/payment_intents", wrap(calls.intents)),
        web.get("/v1/payment_intents/{ref}", wrap(calls.intent)),
        web.post("/v1/payment_intents/{ref}/cancel", wrap(calls.cancel)),
        web.get("/v1/payment_methods/{ref}", wrap(calls.card)),
        web.post("/v1/payment_methods/{ref}/detach", wrap(calls.detach)),
        web.delete("/v1/customers/{ref}", wrap(calls.forget)),
        web.post("/v1/refunds", wrap(calls.refund)),
        web.get("/v1/refunds", wrap(calls.refunds)),
        web.get("/v1/balance_transactions", wrap(calls.moves)),
        web.get("/v1/events", wrap(calls.events)),
    ]


class _Calls:
    """Each call of the API. Raises: StripeError."""

    def __init__(self, counter: "Counter") -> None:
        self._counter = counter

    def open(self, _: str, asked: Json) -> Json:
        return shapes.session(self._counter.open(asked))

    def sessions(self, _: str, asked: Json) -> Json:
        found = [
            shapes.session(payment, is_expanded="expand" in asked)
            for payment in self._counter.payments()
            if payment.method != "off_session"
        ]
        return shapes.listed("/v1/checkout/sessions", found, asked)

    def session(self, ref: str, asked: Json) -> Json:
        return shapes.session(self._counter.find(ref), is_expanded="expand" in asked)

    def expire(self, ref: str, _: Json) -> Json:
        payment = self._counter.find(ref)
        self._counter.expire(payment)
        return shapes.session(payment)

    def charge(self, _: str, asked: Json) -> Json:
        return shapes.intent(self._counter.charge(asked))

    def intents(self, _: str, asked: Json) -> Json:
        found = [
            shapes.intent(payment, is_expanded="expand" in asked)
            for payment in self._counter.payments()
            if payment.ref and payment.method != "setup"
        ]
        return shapes.listed("/v1/payment_intents", found, asked)

    def intent(self, ref: str, asked: Json) -> Json:
        return shapes.intent(self._counter.find(ref), is_expanded="expand" in asked)

    def cancel(self, ref: str, _: Json) -> Json:
        payment = self._counter.find(ref)
        self._counter.cancel(payment)
        return shapes.intent(payment)

    def card(self, ref: str, _: Json) -> Json:
        return self._counter.card(ref)

    def detach(self, ref: str, _: Json) -> Json:
        return self._counter.detach(ref)

    def forget(self, ref: str, _: Json) -> Json:
        return self._counter.forget(ref)

    def refund(self, _: str, asked: Json) -> Json:
        payment = self._counter.find(str(asked.get("payment_intent", "")))
        wanted = str(asked.get("amount", payment.amount_minor))
        if not wanted.isdigit():
            raise StripeError(400, "parameter_invalid_integer", f"Invalid integer: {wanted}")
        return self._counter.give_back(payment, int(wanted), asked)

    def refunds(self, _: str, asked: Json) -> Json:
        wanted = asked.get("payment_intent")
        found = [
            self._counter.shown(payment, refund)
            for payment in self._counter.payments()
            for refund in payment.refunds
            if wanted in {None, payment.ref}
        ]
        return shapes.listed("/v1/refunds", found, asked)

    def moves(self, _: str, asked: Json) -> Json:
        return shapes.listed("/v1/balance_transactions", self._counter.told_moves(), asked)

    def events(self, _: str, asked: Json) -> Json:
        return shapes.listed("/v1/events", self._counter.events.log, asked)


def _answering(call: Call, *, secret_key: str, replays: _Replays) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
        try:
            _check(request, secret_key)
            text = await request.text() if request.method == "POST" else request.query_string
            key, asked = request.headers.get("Idempotency-Key", ""), f"{request.path}?{text}"
            known = replays.find(key, asked)
            if known is not None:
                status, told = known
                headers["Idempotent-Replayed"] = "true"
            else:
                status, told = _told(call, request.match_info.get("ref", ""), text)
                replays.keep(key, asked, status, told)
        except StripeError as error:
            status, told = error.status, error.body
        return web.json_response(told, status=status, headers=headers)

    return answer


def _told(call: Call, ref: str, text: str) -> tuple[int, Json]:
    try:
        return 200, call(ref, shapes.form(text))
    except StripeError as error:
        return error.status, error.body


def _check(request: web.Request, secret_key: str) -> None:
    said = request.headers.get("Authorization", "")
    if not hmac.compare_digest(said.encode(), f"Bearer {secret_key}".encode()):
        raise StripeError(401, "", "Invalid API Key provided.")
    if not request.headers.get("Stripe-Version"):
        raise StripeError(400, "", "The sandbox wants a pinned Stripe-Version.")
    form = "application/x-www-form-urlencoded"
    if request.method == "POST" and request.content_type not in {form, "application/octet-stream"}:
        raise StripeError(400, "", "Requests are form-encoded.")
