"""WeChat itself in the sandbox: it says who pays, and a page stands where its app would pay."""

import html
import secrets
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from bananarouter.payment_sandbox import pay_page
from bananarouter.payment_sandbox.book import Payment
from bananarouter.payment_sandbox.desk import Desk
from bananarouter.payment_sandbox.keys import public_pem
from billing.processors import signing

OPENID: Final = "oSandboxPayer"
CODE_S: Final = 300
_CALL = ("appId", "timeStamp", "nonceStr", "package")


class Client:
    """Plays WeChat's web authorization and the bridge of its browser."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        # Codes that were given out, and until when each is good.
        self._codes: dict[str, float] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return what WeChat's two hosts answer, and the page in place of the app."""
        return [
            web.get("/connect/oauth2/authorize", self._authorize),
            web.get("/sns/oauth2/access_token", self._exchange),
            web.get("/sandbox/wechat", self._show),
            web.post("/sandbox/wechat", self._decide),
        ]

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        """Send the browser back with a code at once, as `snsapi_base` does."""
        said = request.query
        wanted = (self._desk.keys.wechatpay_appid, "code", "snsapi_base")
        if (said.get("appid"), said.get("response_type"), said.get("scope")) != wanted:
            return web.Response(status=400, text="appid, response_type or scope")
        code = secrets.token_hex(16)
        self._codes[code] = time.monotonic() + CODE_S
        back = said.get("redirect_uri", "")
        query = urlencode({"code": code, "state": said.get("state", "")})
        raise web.HTTPFound(f"{back}{'&' if '?' in back else '?'}{query}")

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        """Answer errors with 200 and a number, as WeChat does."""
        said, keys = request.query, self._desk.keys
        if said.get("appid") != keys.wechatpay_appid:
            return web.json_response({"errcode": 40013, "errmsg": "invalid appid"})
        if said.get("secret") != keys.wechatpay_app_secret:
            return web.json_response({"errcode": 40125, "errmsg": "invalid appsecret"})
        if self._codes.pop(said.get("code", ""), 0) < time.monotonic():
            return web.json_response({"errcode": 40029, "errmsg": "invalid code"})
        told = {
            "access_token": secrets.token_urlsafe(32),
            "expires_in": 7200,
            "refresh_token": secrets.token_urlsafe(32),
            "openid": OPENID,
            "scope": "snsapi_base",
        }
        if self._desk.book.knobs.preview:
            told["is_snapshotuser"] = 1
        return web.json_response(told, content_type="text/plain")

    def _paid_for(self, said: Mapping[str, object]) -> Payment:
        """Return the payment that a signed call of the bridge is for. Raises: HTTPBadRequest."""
        call = {name: str(said.get(name, "")) for name in (*_CALL, "signType", "paySign")}
        message = "".join(f"{call[name]}\n" for name in _CALL).encode()
        pem = public_pem(self._desk.keys.merchant_key)
        is_signed = (
            call["signType"] == "RSA"
            and call["appId"] == self._desk.keys.wechatpay_appid
            and signing.is_signed(pem, call["paySign"], message)
        )
        token = call["package"].removeprefix("prepay_id=wx")
        payment = self._desk.book.by_token(token) if is_signed else None
        if payment is None or payment.method != "jsapi":
            raise web.HTTPBadRequest(text="get_brand_wcpay_request:fail")
        return payment

    async def _show(self, request: web.Request) -> web.StreamResponse:
        payment = self._paid_for(request.query)
        return web.Response(text=pay_page.page(payment, name="WeChat"), content_type="text/html")

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        """Do what the payer says; lead back to the order, or tell the bridge's word."""
        form = await request.post()
        payment = self._paid_for({**form, **request.query})
        said = str(form.get("do"))
        if payment.state == "open" and said in {"pay", "fail"}:
            getattr(self._desk.counters[payment.processor], said)(payment)
        word = {"pay": "ok", "fail": "fail"}.get(said, "cancel")
        if back := request.query.get("back"):
            raise web.HTTPSeeOther(back)
        return web.Response(text=f"get_brand_wcpay_request:{html.escape(word)}")
