"""The sandbox's server: three processors, a pay page, and knobs."""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bananarouter.payment_sandbox import alipay, pay_page, stripe, wechat_client, wechatpay
from bananarouter.payment_sandbox.book import Payment
from bananarouter.payment_sandbox.desk import Desk


def application(desk: Desk) -> web.Application:
    """Return the server's application; `desk.url` must say where it is reached."""
    desk.counters = {
        "stripe": stripe.Counter(desk),
        "alipay": alipay.Counter(desk),
        "wechatpay": wechatpay.Counter(desk),
    }
    made = web.Application(middlewares=[_misbehave(desk)])
    for counter in desk.counters.values():
        made.add_routes(counter.routes())
    made.add_routes([*pay_page.routes(desk), *_controls(desk)])
    made.add_routes(wechat_client.Client(desk).routes())
    return made


def _misbehave(desk: Desk) -> Middleware:
    @web.middleware
    async def run(request: web.Request, handler: Handler) -> web.StreamResponse:
        knobs = desk.book.knobs
        if not request.path.startswith(("/sandbox/", "/pay/")):
            if knobs.hang_s:
                await asyncio.sleep(knobs.hang_s)
            if knobs.fail_calls > 0:
                knobs.fail_calls -= 1
                return web.Response(status=500)
            if knobs.lose_answers > 0:
                knobs.lose_answers -= 1
                await handler(request)
                return web.Response(status=500)
        return await handler(request)

    return run


def _controls(desk: Desk) -> list[web.RouteDef]:
    """What tests and the curious do: turn knobs, act as the payer or as a bank."""

    async def turn(request: web.Request) -> web.StreamResponse:
        desk.book.knobs.set(await request.json())
        return web.json_response({})

    async def act(request: web.Request) -> web.StreamResponse:
        said = await request.json()
        payment = _found(said)
        counter, deed = desk.counters[payment.processor], said["do"]
        if deed in {"pay", "fail", "settle"}:
            getattr(counter, deed)(payment)
        elif deed == "refund":
            counter.refund(payment, int(said["amount_minor"]))
        else:
            counter.dispute(payment, deed)
        return web.json_response({"state": payment.state, "ref": payment.ref})

    async def show(request: web.Request) -> web.StreamResponse:
        payment = _found({**request.query})
        told = {"state": payment.state, "ref": payment.ref, "token": payment.token}
        told |= {name: payment.extra.get(name, "") for name in ("customer", "method_ref")}
        sums = {"amount_minor": payment.amount_minor, "refunded_minor": payment.refunded_minor}
        return web.json_response({**told, **sums})

    def _found(said: dict[str, str]) -> Payment:
        payment = desk.book.find(said["processor"], said["number"])
        if payment is None:
            raise web.HTTPNotFound
        return payment

    return [
        web.post("/sandbox/knobs", turn),
        web.post("/sandbox/act", act),
        web.get("/sandbox/payment", show),
    ]
