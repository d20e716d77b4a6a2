"""One order: its state in words, the code to scan, what happened, what one can do."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts import roles
from bananarouter.pages.billing import amounts, codes, ways, words
from bananarouter.pages.billing.numbers import read_hex
from bananarouter.pages.shell import Page, Private, of
from billing.models import Order, OrderEvent, Receipt, Refund
from billing.money import display_usd
from billing.payments import healing, orders, refund_rules, states
from billing.processors import base, registry

CHECKS_PER_MINUTE = 6
LINES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the timeline."""

    at: dt.datetime
    text: words.Words
    detail: words.Words = ""


@dataclass(frozen=True, kw_only=True)
class Story:
    """An order as its page shows it."""

    order: Order
    lines: Sequence[Line]
    refunds: Sequence[Refund]
    receipts: Sequence[Receipt]

    @property
    def is_open(self) -> bool:
        return self.order.state in states.OPEN

    @property
    def is_credited(self) -> bool:
        return self.order.state in states.CREDITED

    @property
    def is_over(self) -> bool:
        """Nothing was paid, and nothing is expected."""
        return not self.is_open and not self.is_credited

    @property
    def state_name(self) -> words.Words:
        return words.STATES[self.order.state][0]

    @property
    def state_kind(self) -> str:
        return words.STATES[self.order.state][1]

    @property
    def state_text(self) -> words.Words:
        if self.is_inside and self.order.state == states.CREATED:
            return words.WAITS_IN_WECHAT
        return words.STATE_TEXTS[self.order.state]

    @property
    def processor(self) -> words.Words:
        return words.PROCESSORS[self.order.processor]

    @property
    def way(self) -> words.Words:
        key = ways.Way(processor=self.order.processor, method=self.order.method).key
        return words.WAYS[key][0] if key in words.WAYS else self.processor

    @property
    def net(self) -> str:
        return amounts.written(self.order.net_minor, self.order.currency)

    @property
    def tax(self) -> str:
        return amounts.written(self.order.tax_minor, self.order.currency)

    @property
    def total(self) -> str:
        return amounts.written(self.order.total_minor, self.order.currency)

    @property
    def refunded(self) -> str:
        return amounts.written(self.order.refunded_minor, self.order.currency)

    @property
    def rate(self) -> str:
        """What one dollar of credit cost; empty for dollars."""
        if self.order.currency == "USD":
            return ""
        return amounts.SIGNS[self.order.currency] + amounts.rate(self.order.rate_ppm)

    @property
    def pay_url(self) -> str:
        """Where the payer goes, while it can be paid by going somewhere."""
        is_address = self.order.pay_url.startswith(("https://", "http://"))
        is_code = self.order.method == "qr" and not settings.PAYMENTS.is_sandbox
        return self.order.pay_url if self.is_open and is_address and not is_code else ""

    @property
    def qr(self) -> SafeString | None:
        """The code to scan, while it can be paid by scanning."""
        is_code = self.is_open and self.order.method == "qr" and self.order.pay_url
        return codes.svg(self.order.pay_url) if is_code else None

    @property
    def is_inside(self) -> bool:
        """Whether it is paid inside WeChat's own browser."""
        way = ways.Way(processor=self.order.processor, method=self.order.method)
        return self.is_open and way == ways.WECHAT_INSIDE

    @cached_property
    def wechat_call(self) -> str:
        """What WeChat's bridge is given, as JSON; empty before WeChat said who pays."""
        known = self.is_inside and self.order.session_ref
        if not known or not settings.PAYMENTS.wechatpay.pays_inside:
            return ""
        return json.dumps(registry.wechat_payers().client_call(self.order.session_ref))

    @property
    def wechat_sandbox_url(self) -> str:
        """The page that stands in for WeChat where no real one is; empty else."""
        if not self.wechat_call or not settings.PAYMENTS.is_sandbox:
            return ""
        back = reverse("billing_order", args=[self.order.number])
        said = json.loads(self.wechat_call) | {"back": settings.PUBLIC_URL + back}
        return f"{settings.PAYMENTS.wechatpay.url}/sandbox/wechat?{urlencode(said)}"

    @property
    def again(self) -> str:
        """The query of the form that makes such an order again."""
        way = ways.Way(processor=self.order.processor, method=self.order.method)
        return urlencode({"way": way.key, "amount": amounts.plain(self.order.net_minor)})

    @property
    def may_refund(self) -> bool:
        """Whether it may be asked for at all; how much is told on the page of the refund."""
        return self.order.state in refund_rules.REFUNDABLE

    @property
    def has_fapiao(self) -> bool:
        """Whether a Chinese tax invoice can be asked for, or was."""
        return self.order.currency == "CNY" and self.is_credited

    @property
    def papers(self) -> Sequence[tuple[words.Words, str]]:
        """Names and numbers of its receipt and credit notes."""
        return [(words.PAPERS[row.kind], row.number) for row in self.receipts]

    @property
    def refund_lines(self) -> Sequence[Line]:
        """What was sent back, and whether it arrived."""
        return [
            Line(
                at=refund.created_at,
                text=words.REFUND_STATES[refund.state],
                detail=amounts.written(refund.amount_minor, self.order.currency),
            )
            for refund in self.refunds
        ]

    @property
    def seen(self) -> str:
        """A short name for just this state of things."""
        return f"{self.order.state}-{len(self.lines)}-{bool(self.order.pay_url)}"


def story(order: Order) -> Story:
    """Return an order with all that its page shows. Three queries."""
    events = order.timeline.order_by("at", "pk")[:LINES_MAX]
    return Story(
        order=order,
        lines=[_line(order, event) for event in events],
        refunds=list(order.refunds.order_by("-created_at")),
        receipts=list(order.receipts.order_by("issued_at")),
    )


def _line(order: Order, event: OrderEvent) -> Line:
    text = words.TIMELINE.get(event.code, event.code)
    return Line(at=event.at, text=text, detail=_detail(order, event.facts))


def _detail(order: Order, facts: dict[str, Any]) -> words.Words:
    """Write the amount or the reason that a line of the timeline tells."""
    for name in ("credit_nusd", "amount_nusd", "owed_nusd"):
        if isinstance(facts.get(name), int):
            return display_usd(facts[name])
    if isinstance(facts.get("amount_minor"), int):
        return amounts.written(facts["amount_minor"], order.currency)
    return words.failure(str(facts.get("reason", "")))


def is_in_wechat(request: HttpRequest) -> bool:
    """Tell whether the reader looks at it in WeChat's own browser."""
    return ways.device(request.headers.get("User-Agent", "")) is ways.Device.WECHAT


class OneOrder(Private):
    """A view of one order of an account whose money the user sees."""

    needs = roles.may_see_money

    @cached_property
    def order(self) -> Order:
        """The order. Raises: Http404, also for another's."""
        number = self.kwargs["order_number"]
        pk, rows = read_hex(number), Order.objects.filter(account_id__in=self.account_ids)
        found = rows.filter(pk=pk).first() if pk else None
        if found is None or found.number != number:
            raise Http404
        return found

    @property
    def actor(self) -> str:
        """The user, as timelines write it."""
        return f"user:{of(self.request).user.pk}"

    def back(self) -> HttpResponse:
        """Return to the order's page."""
        return redirect("billing_order", self.order.number)


class OrderPage(OneOrder, Page):
    """The order's page; with `go` it leads on to where one pays."""

    template_name = "billing/order.html"
    nav = "billing"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        told = story(self.order)
        is_going = "go" in request.GET and bool(told.pay_url) and told.qr is None
        response = self.render_to_response(
            self.get_context_data(
                story=told,
                is_going=is_going,
                is_back="cancelled" in request.GET and told.is_open,
                is_sandbox=settings.PAYMENTS.is_sandbox,
                is_in_wechat=is_in_wechat(request),
            )
        )
        if is_going:
            # Not a redirect: after a form, browsers follow one only to where the CSP lets forms go.
            response["Refresh"] = f"0;url={told.pay_url}"
            # WeChat's page for phones asks which site it was called from.
            response["Referrer-Policy"] = "origin"
        return response


class Live(OneOrder):
    """The part of the page that changes; 204 while it is what the reader has seen."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        told = story(self.order)
        if request.GET.get("seen") == told.seen:
            return HttpResponse(status=204)
        context = {
            "story": told,
            "is_live": True,
            "is_sandbox": settings.PAYMENTS.is_sandbox,
            "is_in_wechat": is_in_wechat(request),
        }
        return render(request, "billing/order_live.html", context)


class Check(OneOrder):
    """Ask the payment service now."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        if not _may_check(self.order.account_id):
            messages.warning(request, _("This was asked often just now. Try again in a minute."))
            return self.back()
        try:
            order = healing.ask_now(self.order, now=timezone.now())
        except base.ProcessorError:
            text = _("The payment service does not answer right now. We go on asking by ourselves.")
            messages.warning(request, text)
            return self.back()
        if order.state in states.OPEN:
            messages.info(request, _("The payment service has not seen a payment yet."))
        return self.back()


def _may_check(account_id: int) -> bool:
    """Count a question of an account; False above the limit of a minute."""
    key = f"billing:check:{account_id}"
    cache.add(key, 0, 60)
    try:
        return cache.incr(key) <= CHECKS_PER_MINUTE
    except ValueError:  # it expired in between
        return True


class Cancel(OneOrder):
    """Close an order that is not paid."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        if self.order.state not in states.OPEN:
            messages.info(request, _("The order is over already."))
            return self.back()
        try:
            order = orders.cancel(self.order, actor=self.actor, now=timezone.now())
        except base.ProcessorError:
            text = _("The payment service does not answer right now. The order ends by itself.")
            messages.warning(request, text)
            return self.back()
        if order.state in states.CREDITED:
            messages.success(request, _("The order was paid meanwhile, so it was not canceled."))
        return self.back()
