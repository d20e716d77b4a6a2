"""API keys: list them, make one (its text is shown once), revoke one."""

import datetime as dt
import re
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import keys, roles
from accounts.models import Account, ApiKey, User
from bananarouter.pages import first_call
from bananarouter.pages.shell import Page, of, origin
from billing import budgets
from billing.models import Budget
from billing.money import USD, BadAmount, NanoUSD, parse_usd
from routing.models import Model, ModelAlias

LIMIT_NUSD_MAX = 1_000_000 * USD
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,159}\*?|\*").fullmatch


class Create(forms.Form):
    """What a new key may do; only its name is required."""

    use_required_attribute = True
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("Where the key is used, so that you know it again: “laptop”, “production”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    limit_usd = forms.CharField(
        label=_("Money limit in US dollars"),
        required=False,
        max_length=24,
        help_text=_(
            "In total, not each month. The key stops there. Empty: only your balance limits it."
        ),
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "placeholder": "5.00", "autocomplete": "off"}
        ),
    )
    expires_on = forms.DateField(
        label=_("Works until"),
        required=False,
        help_text=_("The key stops when this day ends, in UTC. Empty: it does not expire."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )
    allowed_models = forms.CharField(
        label=_("Allowed models"),
        required=False,
        max_length=8_000,
        help_text=_("One a line; * at the end stands for anything. Empty: every model."),
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "placeholder": "openai/gpt-5\nanthropic/*"}
        ),
    )

    def clean_limit_usd(self) -> int | None:
        """Return the limit in nUSD."""
        text = self.cleaned_data["limit_usd"].strip().removeprefix("$").replace(",", "")
        if not text:
            return None
        try:
            limit_nusd = parse_usd(text)
        except BadAmount:
            limit_nusd = NanoUSD(0)
        if not 0 < limit_nusd <= LIMIT_NUSD_MAX:
            raise forms.ValidationError(
                _("Write an amount above 0 and up to 1,000,000, like 5 or 0.50.")
            )
        return limit_nusd

    def clean_expires_on(self) -> dt.datetime | None:
        """Return the moment after the chosen day."""
        day: dt.date | None = self.cleaned_data["expires_on"]
        if day is None:
            return None
        if day < timezone.now().date():
            raise forms.ValidationError(_("This day is over. Choose today or a later day."))
        try:
            midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
            return midnight + dt.timedelta(days=1)
        except OverflowError as error:
            raise forms.ValidationError(_("Choose an earlier day.")) from error

    def clean_allowed_models(self) -> list[str]:
        """Return the patterns; a full name must be a model that exists."""
        patterns = list(dict.fromkeys(re.split(r"[\s,]+", self.cleaned_data["allowed_models"])))
        patterns = [pattern for pattern in patterns if pattern]
        if len(patterns) > keys.PATTERNS_MAX:
            raise forms.ValidationError(
                _("Name at most %(count)d models.") % {"count": keys.PATTERNS_MAX}
            )
        for pattern in patterns:
            if not _PATTERN(pattern):
                raise forms.ValidationError(
                    _("“%(pattern)s” cannot name a model.") % {"pattern": pattern}
                )
        return _canonical(patterns)


def _canonical(patterns: list[str]) -> list[str]:
    """Put canonical names for aliases. Raises: ValidationError for a name that is neither."""
    names = [pattern for pattern in patterns if not pattern.endswith("*")]
    if not names:
        return patterns
    known = {
        slug: slug for slug in Model.objects.filter(slug__in=names).values_list("slug", flat=True)
    }
    aliases = ModelAlias.objects.filter(name__in=names).values_list("name", "model__slug")
    known |= {name: slug for name, slug in aliases if name not in known}
    for name in names:
        if name not in known:
            raise forms.ValidationError(
                _("There is no model “%(name)s” here. Check the name, or end it with *.")
                % {"name": name}
            )
    return list(dict.fromkeys(known.get(pattern, pattern) for pattern in patterns))


@transaction.atomic
def create(*, account: Account, created_by: User, form: Create) -> tuple[ApiKey, str]:
    """Mint the key of a valid form, with its limit if there is one."""
    asked = form.cleaned_data
    limit_nusd: int | None = asked["limit_usd"]
    key, text = keys.mint(
        account=account,
        created_by=created_by,
        name=asked["name"],
        allowed_models=asked["allowed_models"],
        expires_at=asked["expires_on"],
    )
    if limit_nusd is not None:
        budgets.set_limit(api_key_id=key.pk, limit_nusd=limit_nusd)
    return key, text


class Keys(Page):
    """The account's keys, working ones first."""

    template_name = "keys.html"
    nav = "keys"
    needs = roles.may_make_keys

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(rows=listed(self.account), **kwargs)


class New(Page):
    """The form of a new key; its answer shows the key's text, this once."""

    template_name = "key_new.html"
    nav = "keys"
    needs = roles.may_make_keys

    def post(self, request: HttpRequest) -> HttpResponse:
        form = Create(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        key, text = create(account=self.account, created_by=of(request).user, form=form)
        # Never through the session: it would write the key's text into the database.
        self.template_name = "key_created.html"
        return self.render_to_response(
            self.get_context_data(
                key=key,
                text=text,
                origin=origin(request),
                model=first_call.model_for(self.account, now=timezone.now()),
            )
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", Create())
        return super().get_context_data(**kwargs)


class Revoke(Page):
    """Ask before a key is revoked, then revoke it."""

    template_name = "key_revoke.html"
    nav = "keys"
    needs = roles.may_make_keys

    def _key(self) -> ApiKey:
        return get_object_or_404(
            ApiKey, pk=self.kwargs["key_id"], account__in=self.account_ids, disabled_at=None
        )

    def post(self, request: HttpRequest, key_id: int) -> HttpResponse:  # noqa: ARG002
        key = self._key()
        keys.revoke(key)
        messages.success(request, _("“%(name)s” is revoked.") % {"name": key.name})
        return redirect("keys")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(key=self._key(), **kwargs)


def listed(account: Account) -> list[ApiKey]:
    """Return an account's keys with `state` and `budget`: active first, then newest first."""
    totals = Budget.objects.filter(period=Budget.Period.TOTAL)
    rows = ApiKey.objects.filter(account=account).prefetch_related(
        Prefetch("budgets", queryset=totals, to_attr="totals")
    )
    now = timezone.now()
    for key in rows:
        key.state = _state(key, now=now)  # type: ignore[attr-defined]
        key.budget = next(iter(key.totals), None)  # type: ignore[attr-defined]
    return sorted(rows, key=lambda key: (key.state != "active", -key.pk))  # type: ignore[attr-defined]


def _state(key: ApiKey, *, now: dt.datetime) -> str:
    if key.disabled_at is not None:
        return "revoked"
    if key.paused_at is not None:
        return "disabled"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "active"
