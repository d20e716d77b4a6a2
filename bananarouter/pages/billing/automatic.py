"""Automatic top-up and the reminder of a low balance."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import roles
from bananarouter.pages.billing import amounts, words
from bananarouter.pages.shell import Page
from billing.models import AutoTopUp, BalanceReminder, PaymentMethod
from billing.money import CENT
from billing.payments import autotopup, quotes, reminders


class _Amount(forms.CharField):
    """An amount of US dollars; cleaned to cents."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(max_length=20, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> int | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return amounts.read(text)
        except amounts.Unreadable:
            raise forms.ValidationError(_("Write an amount like 25 or 12.50.")) from None


class AutomaticForm(forms.Form):
    """When to top up, how much, and how much in a month."""

    is_on = forms.BooleanField(label=_("Top up by itself"), required=False)
    threshold = _Amount(label=_("When the balance falls below ($)"))
    amount = _Amount(label=_("Add ($)"), help_text=_("Tax comes on top."))
    monthly_cap = _Amount(
        label=_("At most in a month ($)"),
        help_text=_("Tax included; months begin at midnight UTC."),
    )
    method = forms.TypedChoiceField(
        label=_("Saved card"), coerce=int, empty_value=None, required=False
    )

    def __init__(self, data: Any = None, *, cards: list[PaymentMethod], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        named = [(card.pk, f"{card.brand.capitalize()} … {card.last4}") for card in cards]
        self.fields["method"].choices = named or [("", "-")]  # type: ignore[attr-defined]


class ReminderForm(forms.Form):
    """Below which balance a mail is sent."""

    threshold = _Amount(
        label=_("Remind below ($)"),
        required=False,
        help_text=_("Empty: no reminder. It comes once, until the balance is well above."),
    )


class Automatic(Page):
    """Both settings on one page; each form is saved by itself."""

    template_name = "billing/automatic.html"
    nav = "billing"
    needs = roles.may_see_money

    def post(self, request: HttpRequest) -> HttpResponse:
        is_reminder = request.POST.get("form") == "reminder"
        form = self._remind() if is_reminder else self._choose()
        if form is None:
            messages.success(request, _("Saved."))
            return redirect("billing_automatic")
        name = "reminder_form" if is_reminder else "form"
        return self.render_to_response(self.get_context_data(**{name: form}))

    def _choose(self) -> forms.Form | None:
        """Keep the choice; return the form when something is wrong with it."""
        form = AutomaticForm(self.request.POST, cards=self._cards())
        if not form.is_valid():
            return form
        asked = form.cleaned_data
        choice = autotopup.Choice(
            is_on=asked["is_on"],
            threshold_nusd=asked["threshold"] * CENT,
            amount_minor=asked["amount"],
            monthly_cap_minor=asked["monthly_cap"],
            method_id=asked["method"],
        )
        try:
            autotopup.choose(self.account, choice, now=timezone.now())
        except autotopup.InvalidChoice as error:
            for field, code in error.errors.items():
                form.add_error(field, str(_choice_words(field, code)))
            return form
        return None

    def _remind(self) -> forms.Form | None:
        """Keep the reminder; return the form when something is wrong with it."""
        form = ReminderForm(self.request.POST)
        if not form.is_valid():
            return form
        cents = form.cleaned_data["threshold"]
        try:
            reminders.choose(self.account, None if cents is None else cents * CENT)
        except reminders.BadThreshold:
            text = _("Write an amount above 0 and up to %(high)s.")
            high = amounts.written(reminders.THRESHOLD_NUSD_MAX // CENT, quotes.USD)
            form.add_error("threshold", text % {"high": high})
            return form
        return None

    def _cards(self) -> list[PaymentMethod]:
        return list(self.account.payment_methods.order_by("created_at", "pk"))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = AutoTopUp.objects.filter(pk=self.account.pk).first()
        reminder = BalanceReminder.objects.filter(pk=self.account.pk).first()
        cards = self._cards()
        if "form" not in kwargs:
            kwargs["form"] = AutomaticForm(initial=_initial(row), cards=cards)
        if "reminder_form" not in kwargs:
            initial = {
                "threshold": amounts.plain(reminder.threshold_nusd // CENT) if reminder else ""
            }
            kwargs["reminder_form"] = ReminderForm(initial=initial, auto_id="id_reminder_%s")
        spent = autotopup.spent_minor(self.account.pk, now=timezone.now())
        return super().get_context_data(
            tab="automatic",
            has_card=bool(cards),
            off_reason=words.OFF_REASONS.get(row.off_reason, "") if row else "",
            spent=amounts.written(spent, quotes.USD) if row else "",
            **kwargs,
        )


def _initial(row: AutoTopUp | None) -> dict[str, Any]:
    """Return what is set, else what most would set."""
    if row is None:
        return {"threshold": "5", "amount": "20", "monthly_cap": "100"}
    return {
        "is_on": row.is_on,
        "threshold": amounts.plain(row.threshold_nusd // CENT),
        "amount": amounts.plain(row.amount_minor),
        "monthly_cap": amounts.plain(row.monthly_cap_minor),
        "method": row.method_id,
    }


def _choice_words(field: str, code: str) -> words.Words:
    """Say what is wrong with a choice."""
    if code == "no_method":
        return _("Save a card first: without one nothing can be topped up.")
    if code == "below_amount":
        return _("This is less than one top-up with its tax. Write a larger amount.")
    low, high = _bounds(field)
    return _("Write an amount from %(low)s to %(high)s.") % {
        "low": amounts.written(low, quotes.USD),
        "high": amounts.written(high, quotes.USD),
    }


def _bounds(field: str) -> tuple[int, int]:
    if field == "threshold":
        low, high = autotopup.THRESHOLD_NUSD_MIN, autotopup.THRESHOLD_NUSD_MAX
        return low // CENT, high // CENT
    low, high = quotes.bounds(quotes.USD)
    return (low, autotopup.CAP_MINOR_MAX) if field == "monthly_cap" else (low, high)
