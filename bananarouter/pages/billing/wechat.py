"""Paying inside WeChat's own browser: WeChat says who pays, then its bridge takes the money."""

import secrets
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bananarouter.pages.billing import ways
from bananarouter.pages.billing.orders import OneOrder
from bananarouter.pages.shell import Page, origin
from billing.payments import asking, orders, states
from billing.processors import base, registry, wechatpay_payer

# In the session: the order that is being paid, and the word that WeChat must bring back with it.
SESSION_KEY = "wechat_state"


class Inside(OneOrder):
    """A view of an order that is paid inside WeChat."""

    @property
    def is_inside(self) -> bool:
        """True for an order that is paid in this way, and no other."""
        order = self.order
        way = ways.Way(processor=order.processor, method=order.method)
        return way == ways.WECHAT_INSIDE

    def pay(self) -> HttpResponse:
        """Go to the order's page, which opens WeChat's payment by itself."""
        return redirect(reverse("billing_order", args=[self.order.number]) + "?go=1")


class Ask(Inside, Page):
    """Send the browser to WeChat for a code that says who pays."""

    template_name = "billing/wechat_ask.html"
    nav = "billing"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        order = self.order
        if not self.is_inside:
            return self.back()
        if order.state != states.CREATED:
            return self.pay()
        state = secrets.token_urlsafe(32)
        back = origin(request) + reverse("billing_order_wechat_back", args=[order.number])
        try:
            url = registry.wechat_payers().ask_url(back, state=state)
        except base.NotConfigured as error:
            raise Http404 from error
        request.session[SESSION_KEY] = {"order": order.number, "state": state}
        response = self.render_to_response(self.get_context_data(url=url, order=order))
        # Not a redirect: after a form, browsers follow one only to where the CSP lets forms go.
        response["Refresh"] = f"0;url={url}"
        return response


class Back(Inside):
    """Take WeChat's code, find the payer, tell WeChat Pay of the order."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        order = self.order
        if not self.is_inside:
            return self.back()
        if order.state != states.CREATED:
            return self.pay()
        if not self._is_ours(request):
            text = _("This did not come from the payment that you began here. Begin it again.")
            messages.error(request, text)
            return self.back()
        if text := self._send(request):
            messages.error(request, text)
            return self.back()
        return self.pay()

    def _send(self, request: HttpRequest) -> str:
        """Tell WeChat Pay of the order and its payer; return what went wrong, in words."""
        try:
            openid = registry.wechat_payers().openid(request.GET.get("code", ""))
            orders.send(self.order, self._payer(request, openid), now=timezone.now())
        except wechatpay_payer.Preview:
            return _(
                "WeChat shows you a preview, in which nobody can pay. Tap “Use full services”"
                " at the bottom of the page, then try again."
            )
        except base.Refused:
            return _("WeChat did not say who pays, or refused the order.")
        except base.ProcessorError:
            return _("WeChat does not answer right now. Nothing was paid. Try again.")
        return ""

    def _is_ours(self, request: HttpRequest) -> bool:
        """Tell whether this session asked for it, for this order; each word counts once."""
        known = request.session.pop(SESSION_KEY, None) or {}
        state = request.GET.get("state", "")
        return (
            bool(state)
            and known.get("order") == self.order.number
            and constant_time_compare(known.get("state", ""), state)
        )

    def _payer(self, request: HttpRequest, openid: str) -> asking.Payer:
        return asking.Payer(
            client_ip=get_adapter(request).get_client_ip(request),
            locale="zh" if (get_language() or "").startswith("zh") else "en",
            openid=openid,
        )
