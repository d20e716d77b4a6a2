"""The forms of keys: make one, change one, put another in its place."""

import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, ApiKey
from bananarouter.pages import words
from bananarouter.pages.keys import fields
from bananarouter.templatetags.pages import latest_day
from billing import windows
from billing.models import Budget
from billing.money import decimal_usd
from routing.models import Channel

Period = Budget.Period
# The fields of the limits of money, by period.
LIMITS: Mapping[str, str] = {
    Period.DAILY: "daily_usd",
    Period.WEEKLY: "weekly_usd",
    Period.MONTHLY: "monthly_usd",
    Period.TOTAL: "total_usd",
}
OVERLAPS = {"now": 0, "hour": 1, "day": 24, "week": 7 * 24}


class _Named(forms.Form):
    """What every key has. `form_id` makes a form that is sent twice make one key."""

    use_required_attribute = True
    form_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Where the key is used, so that you know it again: “laptop”, “production”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires_on = forms.DateField(
        label=_("Works until"),
        required=False,
        help_text=_("The key stops when this day ends, in UTC. Empty: it does not expire."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )
    allowed_ips = fields.Lines(
        label=_("Allowed addresses"),
        help_text=_(
            "IP addresses or ranges that may use the key, one a line. Empty: from anywhere."
        ),
        placeholder="192.0.2.7\n2001:db8::/32",
    )

    def __init__(
        self,
        *args: Any,
        now: dt.datetime,
        account: Account,
        key: ApiKey | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.now, self.account, self.key = now, account, key
        self.initial.setdefault("form_id", uuid.uuid4())
        if key is not None:
            stored = {name: getattr(key, name) for name in self.stored() if name in self.fields}
            self.initial.update(stored)
            self.initial["expires_on"] = latest_day(key.expires_at) if key.expires_at else None

    @staticmethod
    def stored() -> tuple[str, ...]:
        """Return the fields that stand on the key as they are."""
        return (
            "name",
            "cost_center",
            "requests_per_minute_max",
            "allowed_models",
            "allowed_ips",
            "allowed_jurisdictions",
        )

    def clean_expires_on(self) -> dt.datetime | None:
        """Return the moment after the chosen day; the key's own moment when it is unchanged."""
        day: dt.date | None = self.cleaned_data["expires_on"]
        if self.key is not None and day == self.initial.get("expires_on"):
            return self.key.expires_at
        return None if day is None else fields.end_of(day, today=self.now.date())

    def clean_allowed_ips(self) -> list[str]:
        """Return ranges as they are stored."""
        return fields.networks(self.cleaned_data["allowed_ips"])

    @property
    def scope(self) -> dict[str, Any]:
        """What a valid form says of the key itself."""
        named = {name: self.cleaned_data[name] for name in self.stored() if name in self.fields}
        return {**named, "expires_at": self.cleaned_data["expires_on"]}


class Management(_Named):
    """A key that manages the other keys; it calls no model, so that nothing else limits it."""


class Key(_Named):
    """A key that calls models."""

    cost_center = forms.CharField(
        label=_("Cost center"),
        required=False,
        max_length=40,
        help_text=_("A label for your own reports: a team, a project, a customer."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    daily_usd = fields.Dollars(label=_("Each day"), placeholder="5.00")
    weekly_usd = fields.Dollars(label=_("Each week"))
    monthly_usd = fields.Dollars(label=_("Each month"), placeholder="100.00")
    total_usd = fields.Dollars(label=_("In total"))
    requests_per_minute_max = forms.IntegerField(
        label=_("Requests a minute"),
        required=False,
        min_value=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    allowed_models = fields.Lines(
        label=_("Allowed models"),
        help_text=_("One a line; * at the end stands for anything. Empty: every model."),
        placeholder="openai/gpt-5\nanthropic/*",
    )
    allowed_jurisdictions = forms.MultipleChoiceField(
        label=_("Vendors in these places only"),
        required=False,
        help_text=_(
            "Other requests are refused and sent nowhere. None chosen: where your account allows."
        ),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, limits: Mapping[str, int] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits_before = {period: (limits or {}).get(period) for period in windows.PERIODS}
        for period, limit_nusd in self.limits_before.items():
            if limit_nusd is not None:
                self.initial[LIMITS[period]] = decimal_usd(limit_nusd)
        rate: Any = self.fields["requests_per_minute_max"]
        rate.help_text = _("Your account allows %(count)s. Empty: that many.") % {
            "count": f"{self.rate_max:,}"
        }
        places: Any = self.fields["allowed_jurisdictions"]
        places.choices = _places(self.account, self.key)
        if not places.choices:
            del self.fields["allowed_jurisdictions"]

    @property
    def rate_max(self) -> int:
        """The account's requests a minute for each key."""
        return self.account.requests_per_minute_max or settings.KEY_REQUESTS_PER_MINUTE

    def clean_requests_per_minute_max(self) -> int | None:
        """Return the rate, which can only be lower than the account's."""
        rate: int | None = self.cleaned_data["requests_per_minute_max"]
        if rate is not None and rate > self.rate_max:
            raise forms.ValidationError(
                _("Your account allows %(count)s requests a minute: write at most that.")
                % {"count": f"{self.rate_max:,}"}
            )
        return rate

    def clean_allowed_models(self) -> list[str]:
        """Return the patterns; what stands on the key already may stay."""
        patterns: list[str] = self.cleaned_data["allowed_models"]
        if self.key is not None and patterns == self.key.allowed_models:
            return patterns
        return fields.models(patterns)

    @property
    def limits(self) -> dict[str, int | None]:
        """What a valid form says of the limits of money, nUSD by period."""
        return {period: self.cleaned_data[LIMITS[period]] for period in windows.PERIODS}


def _places(account: Account, key: ApiKey | None) -> list[tuple[str, words.Words]]:
    """Return the jurisdictions that an account can reach, or the key has, with their names."""
    offered = set(
        Channel.objects.filter(is_enabled=True, is_demo=account.is_demo)
        .values_list("jurisdiction", flat=True)
        .distinct()
    )
    if account.allowed_jurisdictions:
        offered &= set(account.allowed_jurisdictions)
    chosen = set(key.allowed_jurisdictions) if key else set()
    return [(code, words.jurisdiction(code)) for code in sorted(offered | chosen)]


class Rotate(forms.Form):
    """When the old key stops."""

    overlap = forms.ChoiceField(
        label=_("The old key stops"),
        initial="day",
        choices=[
            ("now", _("now")),
            ("hour", _("in an hour")),
            ("day", _("in a day")),
            ("week", _("in 7 days")),
        ],
        widget=forms.RadioSelect,
    )

    @property
    def duration(self) -> dt.timedelta:
        """How long both keys work."""
        return dt.timedelta(hours=OVERLAPS[self.cleaned_data["overlap"]])
