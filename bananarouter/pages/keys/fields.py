"""What people write into the forms of keys, read into what is stored."""

import datetime as dt
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import scopes
from billing.money import USD, BadAmount, NanoUSD, parse_usd
from routing.models import Model, ModelAlias

LIMIT_NUSD_MAX = 1_000_000 * USD
LINES_CHARS_MAX = 8_000
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,159}\*?|\*").fullmatch
_SEPARATORS = re.compile(r"[\s,\uff0c\u3001]+")  # Chinese commas, too


class Dollars(forms.CharField):
    """An amount of US dollars above zero, as nUSD; None when empty."""

    def __init__(self, *, placeholder: str = "", **options: Any) -> None:
        attrs = {"inputmode": "decimal", "placeholder": placeholder, "autocomplete": "off"}
        widget = forms.TextInput(attrs=attrs)
        super().__init__(required=False, max_length=24, widget=widget, **options)

    def clean(self, value: object) -> int | None:
        """Read the amount. Raises: ValidationError."""
        text = str(super().clean(value)).strip().removeprefix("$").replace(",", "")
        if not text:
            return None
        try:
            amount = parse_usd(text)
        except BadAmount:
            amount = NanoUSD(0)
        if not 0 < amount <= LIMIT_NUSD_MAX:
            raise forms.ValidationError(
                _("Write an amount above 0 and up to 1,000,000, like 5 or 0.50.")
            )
        return amount


class Lines(forms.CharField):
    """Several short texts, one a line or apart by commas; each once."""

    def __init__(self, *, placeholder: str, **options: Any) -> None:
        attrs = {"rows": 3, "spellcheck": "false", "placeholder": placeholder}
        widget = forms.Textarea(attrs=attrs)
        super().__init__(required=False, max_length=LINES_CHARS_MAX, widget=widget, **options)

    def prepare_value(self, value: object) -> object:
        """Write what is stored as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: object) -> list[str]:
        """Read the texts. Raises: ValidationError."""
        parts = _SEPARATORS.split(str(super().clean(value)))
        return [part for part in dict.fromkeys(parts) if part]


def models(patterns: Sequence[str]) -> list[str]:
    """Return patterns over models; a full name must be a model that exists.

    Raises: ValidationError naming what cannot be.
    """
    if len(patterns) > scopes.PATTERNS_MAX:
        raise forms.ValidationError(
            _("Name at most %(count)d models.") % {"count": scopes.PATTERNS_MAX}
        )
    for pattern in patterns:
        if not _PATTERN(pattern):
            raise forms.ValidationError(
                _("“%(pattern)s” cannot name a model.") % {"pattern": pattern}
            )
    return _canonical(patterns)


def _canonical(patterns: Sequence[str]) -> list[str]:
    """Put canonical names for aliases. Raises: ValidationError for a name that is neither."""
    names = [pattern for pattern in patterns if not pattern.endswith("*")]
    if not names:
        return list(patterns)
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


def networks(texts: Sequence[str]) -> list[str]:
    """Return addresses and ranges of addresses. Raises: ValidationError naming what is none."""
    if len(texts) > scopes.PATTERNS_MAX:
        raise forms.ValidationError(
            _("Name at most %(count)d addresses or ranges.") % {"count": scopes.PATTERNS_MAX}
        )
    for text in texts:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise forms.ValidationError(
                _("“%(text)s” is no address. Write 192.0.2.7, or a range like 2001:db8::/32.")
                % {"text": text}
            ) from error
    return scopes.clean_networks(texts)


def end_of(day: dt.date, *, today: dt.date) -> dt.datetime:
    """Return the moment after a day, in UTC. Raises: ValidationError for a day that is over."""
    if day < today:
        raise forms.ValidationError(_("This day is over. Choose today or a later day."))
    try:
        midnight = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        return midnight + dt.timedelta(days=1)
    except OverflowError as error:
        raise forms.ValidationError(_("Choose an earlier day.")) from error
