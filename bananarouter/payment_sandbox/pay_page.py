"""The page where a payer of the sandbox decides. It says that no money moves."""

import html

from aiohttp import web

from bananarouter.payment_sandbox.book import Payment
from bananarouter.payment_sandbox.desk import Desk

_NAMES = {"stripe": "Stripe", "alipay": "Alipay", "wechatpay": "WeChat Pay"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;"
    "color:#1c1917;background:#fafaf9}h1{font-size:1.25rem}b{font-size:2rem;display:block}"
    ".note{background:#fef3c7;border:1px solid #d97706;border-radius:8px;padding:.75rem 1rem}"
    "button{font:inherit;padding:.6rem 1.2rem;border-radius:8px;border:1px solid #a8a29e;"
    "background:#fff;margin:.25rem .5rem .25rem 0;cursor:pointer}"
    "button.pay{background:#15803d;color:#fff;border-color:#15803d}"
    "@media(prefers-color-scheme:dark){body{color:#fafaf9;background:#1c1917}"
    ".note{background:#451a03}button{background:#292524;color:#fafaf9}}"
)


def page(payment: Payment, *, name: str = "") -> str:
    """Return the page's HTML; `name` is whom it stands in for, the processor by default."""
    amount = f"{payment.amount_minor / 100:,.2f} {html.escape(payment.currency)}"
    name = name or _NAMES[payment.processor]
    buttons = (
        '<form method="post"><button class="pay" name="do" value="pay">Pay · 付款</button>'
        '<button name="do" value="fail">Decline · 拒绝</button>'
        '<button name="do" value="cancel">Back · 返回</button></form>'
    )
    said = buttons if payment.state == "open" else f"<p>State: {html.escape(payment.state)}</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} sandbox</title><style>{_STYLE}</style>"
        f'<p class="note">Sandbox: this stands in for {name}. No real money moves.<br>'
        f"沙箱页面代替{name}, 不会产生真实扣款。</p>"
        f"<h1>{html.escape(payment.subject) or 'Payment'}</h1><b>{amount}</b>{said}</html>"
    )


def routes(desk: Desk) -> list[web.RouteDef]:
    """Return the page and what its buttons do."""

    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=page(_found(request)), content_type="text/html")

    async def decide(request: web.Request) -> web.StreamResponse:
        payment = _found(request)
        wanted = (await request.post()).get("do")
        counter = desk.counters[payment.processor]
        if payment.state == "open" and wanted == "pay":
            counter.pay(payment)
        elif payment.state == "open" and wanted == "fail":
            counter.fail(payment)
        back = payment.cancel_url if wanted == "cancel" else payment.return_url
        # WeChat Pay's H5 is told on the way where to go back to.
        raise web.HTTPSeeOther(back or request.query.get("redirect_url") or request.path)

    def _found(request: web.Request) -> Payment:
        payment = desk.book.by_token(request.match_info["token"])
        if payment is None:
            raise web.HTTPNotFound
        return payment

    return [web.get("/pay/{token}", show), web.post("/pay/{token}", decide)]
