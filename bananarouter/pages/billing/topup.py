"""Add money: the balance, a choice of amount and way, the price before it is paid."""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import roles
from bananarouter.pages import attention
from bananarouter.pages.billing import amounts, choices, ways, words
from bananarouter.pages.shell import Page, Private, of
from billing import holds
from billing.models import Debt
from billing.payments import asking, cards, fraud, orders, quotes
from billing.processors import base, registry

KEY_CHARS_MAX = 64


class TopUpForm(forms.Form):
    """What to add and how to pay; an amount that was typed counts before a preset."""

    way = forms.CharField()
    preset = forms.CharField(required=False, max_length=12)
    other = forms.CharField(
        label=_("Another amount"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    saves_method = forms.BooleanField(label=_("Save the card for automatic top-up"), required=False)
    quote = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.SlugField(required=False, max_length=KEY_CHARS_MAX, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, offered: list[ways.Way], owed_nusd: int, **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        self._offered = {way.key: way for way in offered}
        self._owed_nusd = owed_nusd

    def clean_way(self) -> ways.Way:
        """Return the way to pay, which must be offered now."""
        way = self._offered.get(self.cleaned_data["way"])
        if way is None:
            raise forms.ValidationError(_("This way to pay is not offered. Choose another one."))
        return way

    def clean(self) -> dict[str, Any]:
        """Find the price in minor units of the way's currency."""
        found = super().clean() or self.cleaned_data
        way, typed = found.get("way"), (found.get("other") or "").strip()
        if way is None:
            return found
        try:
            found["net_minor"] = amounts.read(typed) if typed else self._preset(way)
        except amounts.Unreadable:
            text = _("Write an amount like 25 or 12.50.")
            self.add_error("other", text)
        return found

    def _preset(self, way: ways.Way) -> int:
        chosen = self.cleaned_data.get("preset")
        if chosen == choices.OWED and choices.is_much(self._owed_nusd):
            return choices.clearing(self._owed_nusd, way.currency)
        cents = next((one for one in amounts.PRESETS if str(one) == chosen), None)
        if cents is None:
            raise amounts.Unreadable
        rate_ppm = settings.PAYMENTS.cny_per_usd_ppm
        return amounts.equivalent(cents, currency=way.currency, rate_ppm=rate_ppm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A quote as the page shows it, sealed for the form."""

    quote: quotes.Quote
    sealed: str

    @property
    def net(self) -> str:
        return amounts.written(self.quote.net_minor, self.quote.currency)

    @property
    def tax(self) -> str:
        return amounts.written(self.quote.tax_minor, self.quote.currency)

    @property
    def total(self) -> str:
        return amounts.written(self.quote.total_minor, self.quote.currency)

    @property
    def rate(self) -> str:
        """What one dollar of credit costs; empty for dollars."""
        if self.quote.currency == quotes.USD:
            return ""
        return amounts.SIGNS[self.quote.currency] + amounts.rate(self.quote.rate_ppm)

    @property
    def ends_at(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.quote.expires_at, tz=dt.UTC)


class _Payer(Private):
    """Reads the form of somebody who may pay."""

    needs = roles.may_see_money

    @cached_property
    def now(self) -> dt.datetime:
        """One moment for the whole answer."""
        return timezone.now()

    @cached_property
    def device(self) -> ways.Device:
        """What the payer holds in hand; middleware left no more of the header than the family."""
        return ways.device(self.request.headers.get("User-Agent", ""))

    @cached_property
    def owed_nusd(self) -> int:
        """What the account owes."""
        debt = Debt.objects.filter(pk=self.account.pk).values_list("owed_nusd", flat=True).first()
        return debt or 0

    @cached_property
    def ways(self) -> list[ways.Way]:
        """The ways to pay on this device."""
        pays_inside = settings.PAYMENTS.wechatpay.pays_inside
        return list(ways.offered(self.device, registry.offered(), pays_inside=pays_inside))

    def form(self, data: Any) -> TopUpForm:
        """Return the form of what was sent, or of what it begins with."""
        return TopUpForm(data, offered=self.ways, owed_nusd=self.owed_nusd)

    def quoted(self, form: TopUpForm) -> Offer | None:
        """Return the price of what a valid form asks for; else tell the form why there is none."""
        way, net_minor = form.cleaned_data.get("way"), form.cleaned_data.get("net_minor")
        if way is None or net_minor is None:
            return None
        try:
            quote = quotes.make(
                self.account, currency=way.currency, net_minor=net_minor, now=self.now
            )
        except quotes.AmountOutOfRange as error:
            low, high = error.low_minor, error.high_minor
            text = _("You can add %(low)s to %(high)s at a time.") % {
                "low": amounts.written(low, way.currency),
                "high": amounts.written(high, way.currency),
            }
            form.add_error("other", text)
            return None
        return Offer(quote=quote, sealed=quotes.seal(quote))


class Quote(_Payer):
    """The price of a choice, while it is made (htmx)."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST)
        offer = self.quoted(form) if form.is_valid() else None
        context = {"offer": offer, "form": form, "is_fragment": True}
        return render(request, "billing/quote.html", context)


class TopUp(_Payer, Page):
    """Balance and "Add money" in one step."""

    template_name = "billing/billing.html"
    nav = "billing"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        form = self.form(self._wanted())
        offer = self.quoted(form) if self.ways and form.is_valid() else None
        return self._page(form, offer)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form(request.POST)
        if not form.is_valid():
            return self._page(form, None)
        held, notice = self._held(form)
        if held is None:
            offer = self.quoted(form)
            return self._page(form, offer, notice=notice if offer else "")
        return self._start(form, held)

    def _wanted(self) -> dict[str, Any]:
        """Return what the form begins with: the URL's choice, else the first way and $20.

        Who owes more begins with what pays that.
        """
        asked = self.request.GET
        keys = [way.key for way in self.ways]
        way = asked.get("way", "")
        found: dict[str, Any] = {"way": way if way in keys else next(iter(keys), "")}
        found["key"] = words.new_key()
        amount = asked.get("amount", "")[:12]
        if amount and way in keys:
            found["other"] = amount
        else:
            found["preset"] = choices.first(self.owed_nusd)
        return found

    def _held(self, form: TopUpForm) -> tuple[quotes.Quote | None, words.Words]:
        """Return the quote of the form where it is still held and is for this very choice."""
        asked, sealed = form.cleaned_data, form.cleaned_data["quote"]
        try:
            quote = quotes.unseal(sealed, account=self.account, now=self.now)
        except quotes.QuoteExpired:
            return None, _(
                "The price was not held any longer. This is the new one; pay if it suits."
            )
        except quotes.BadQuote:
            quote = None
        is_same = quote is not None and (quote.net_minor, quote.currency) == (
            asked["net_minor"],
            asked["way"].currency,
        )
        if not is_same:
            return None, _("This is the price of your choice. Pay if it suits.")
        return quote, ""

    def _start(self, form: TopUpForm, quote: quotes.Quote) -> HttpResponse:
        asked = form.cleaned_data
        saves_method = asked["way"].processor == "stripe" and asked["saves_method"]
        wish = orders.Wish(
            quote=quote,
            processor=asked["way"].processor,
            method=asked["way"].method,
            idempotency_key=asked["key"] or words.new_key(),
            payer=asking.Payer(
                client_ip=get_adapter(self.request).get_client_ip(self.request),
                locale="zh" if (get_language() or "").startswith("zh") else "en",
                saves_method=saves_method,
                customer_ref=cards.customer_of(self.account) if saves_method else "",
            ),
        )
        try:
            if asked["way"] == ways.WECHAT_INSIDE:  # first WeChat says who pays
                order = orders.begin(self.account, wish, user=of(self.request).user, now=self.now)
                return redirect("billing_order_wechat", order.number)
            going = orders.start(self.account, wish, user=of(self.request).user, now=self.now)
        except orders.KeyReused:
            notice = _("The form made another order before. Pay again to make a new one.")
            return self._page(form, self.quoted(form), notice=notice, is_new=True)
        except (fraud.TopUpRefused, orders.NotOffered, base.ProcessorError) as error:
            is_new = isinstance(
                error, base.Refused
            )  # this order is over; the next try is a new one
            held = Offer(quote=quote, sealed=asked["quote"])
            return self._page(form, held, error=_refusal(error), is_new=is_new)
        leads = "?go=1" if going.started.pay_url else ""
        return redirect(reverse("billing_order", args=[going.order.number]) + leads)

    def _page(
        self,
        form: TopUpForm,
        offer: Offer | None,
        *,
        notice: words.Words = "",
        error: words.Words = "",
        is_new: bool = False,
    ) -> HttpResponse:
        key = "" if is_new else form["key"].value()
        return self.render_to_response(
            self.get_context_data(
                form=form, offer=offer, notice=notice, error=error, key=key or words.new_key()
            )
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form: TopUpForm = kwargs["form"]
        freeze = holds.frozen(self.account.pk)
        return super().get_context_data(
            tab="balance",
            freeze=freeze,
            frozen=attention.of_freeze(freeze) if freeze else None,
            is_sandbox=settings.PAYMENTS.is_sandbox,
            ways=[choices.WayChoice(way, form["way"].value()) for way in self.ways],
            presets=choices.presets(form, self.ways, self.owed_nusd),
            debt=choices.debt(self.owed_nusd, self.ways),
            currencies=choices.currencies(self.ways),
            refund_days=settings.PAYMENTS.refund_days,
            is_without_wechat_pay=self.device is ways.Device.WECHAT
            and ways.WECHAT_INSIDE not in self.ways,
            owed_nusd=self.owed_nusd,
            **kwargs,
        )


def _refusal(error: Exception) -> words.Words:
    """Say why no payment began."""
    if isinstance(error, fraud.TopUpRefused):
        return words.rule(error.rule)
    if isinstance(error, base.Refused):
        return _("The payment service refused the order. Choose another way to pay, or try again.")
    if isinstance(error, base.Unavailable):
        return _("The payment service does not answer right now. Nothing was paid. Try again.")
    return _("This way to pay is not offered right now. Choose another one.")
