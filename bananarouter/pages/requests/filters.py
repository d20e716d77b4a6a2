"""What the list of requests is narrowed by; it stands in the URL, and links carry it on."""

import datetime as dt
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey
from accounts.timeids import DAY, bound
from logs import search
from logs.labels import is_label
from logs.search import Wanted

# By the words of the URL: first and last status.
RESULTS = {
    "ok": (100, 399),
    "failed": search.FAILED,
    "402": (402, 402),
    "429": (429, 429),
    "4xx": (400, 499),
    "5xx": (500, 599),
}
ID_CHARS_MIN = 4
# What a model or vendor can be named; PostgreSQL refuses some characters outright.
_NAME = re.compile(r"[!-~]{1,160}").fullmatch
_DIGEST = re.compile(r"[0-9a-f]{32}").fullmatch
# Hashes of one name, under the peppers of now and of before.
DIGESTS_MAX = 4


class Form(forms.Form):
    """The filters; each is optional, and one that makes no sense is told and left out."""

    q = forms.CharField(
        label=_("Request ID"),
        required=False,
        max_length=60,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "gen-…"}
        ),
    )
    status = forms.ChoiceField(
        label=_("Result"),
        required=False,
        choices=[
            ("", _("All")),
            ("ok", _("Answered")),
            ("failed", _("Failed")),
            ("402", _("402: not enough money")),
            ("429", _("429: too many requests")),
            ("4xx", _("4xx: refused")),
            ("5xx", _("5xx: vendor or server failed")),
        ],
    )
    model = forms.CharField(label=_("Model"), required=False, widget=forms.Select)
    key = forms.IntegerField(label=_("Key"), required=False, min_value=1, widget=forms.Select)
    vendor = forms.CharField(label=_("Vendor"), required=False, widget=forms.Select)
    tag = forms.CharField(
        label=_("Tag"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    since = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean_q(self) -> str:
        """Return the beginning of an id as hexadecimal digits."""
        digits = self.cleaned_data["q"].strip().lower().removeprefix("gen-").replace("-", "")
        if digits and not re.fullmatch(rf"[0-9a-f]{{{ID_CHARS_MIN},32}}", digits):
            raise forms.ValidationError(
                _("Write an id like gen-0198f2c1…, or at least its first four characters.")
            )
        return str(digits)

    def clean_model(self) -> str:
        """Return the model's name."""
        return _name(self.cleaned_data["model"])

    def clean_vendor(self) -> str:
        """Return the vendor's name."""
        return _name(self.cleaned_data["vendor"])

    def clean_tag(self) -> str:
        """Return the tag."""
        tag: str = self.cleaned_data["tag"].strip()
        if tag and not is_label(tag):
            raise forms.ValidationError(
                _("No tag looks like this. Write it as the header X-Tag said it.")
            )
        return tag

    def clean_until(self) -> dt.date | None:
        """Return the last day, which is not before the first."""
        since: dt.date | None = self.cleaned_data.get("since")
        until: dt.date | None = self.cleaned_data["until"]
        if since is not None and until is not None and until < since:
            raise forms.ValidationError(_("This day is before the first one. Choose a later day."))
        return until

    def offer(
        self, *, models: Sequence[str], vendors: Sequence[str], keys: Sequence[ApiKey]
    ) -> None:
        """Fill the lists to choose from; what is chosen is always among them."""
        asked = self.cleaned_data
        for name, found in (("model", models), ("vendor", vendors)):
            chosen = asked.get(name, "")
            rest = [chosen] if chosen and chosen not in found else []
            self._choose(name, [(text, text) for text in (*rest, *found)])
        chosen_key = asked.get("key")
        named = [(key.pk, f"{key.name} …{key.last_four}") for key in keys]
        if chosen_key and chosen_key not in dict(named):
            named.insert(0, (chosen_key, f"#{chosen_key}"))
        self._choose("key", named)

    def _choose(self, name: str, choices: Sequence[tuple[Any, str]]) -> None:
        self.fields[name].widget.choices = [("", _("All")), *choices]


def _name(text: str) -> str:
    return text if _NAME(text) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of one URL, read."""

    form: Form
    end_users: tuple[str, ...] = ()
    before: uuid.UUID | None = None

    @property
    def is_used(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.query())

    @property
    def has_more(self) -> bool:
        """Whether one of the filters is used that stand behind "More filters"."""
        asked = self.form.cleaned_data
        hidden = ("vendor", "tag", "since", "until")
        return any(asked.get(name) or name in self.form.errors for name in hidden)

    @property
    def whole_id(self) -> uuid.UUID | None:
        """The id that was typed, if it is a whole one."""
        digits = self.form.cleaned_data.get("q", "")
        return uuid.UUID(digits) if len(digits) == 32 else None

    def query(self, *, without: str = "", **more: str) -> str:
        """Write the filters as a URL's query, with changes."""
        asked = self.form.cleaned_data
        chosen = {name: asked.get(name) for name in self.form.fields}
        chosen |= {"user": ",".join(self.end_users), **more}
        return urlencode({n: str(v) for n, v in chosen.items() if v and n != without})

    def wanted(self, visible: tuple[int, ...] | None) -> Wanted:
        """Return what to search for, among what may be seen (scope.key_ids)."""
        asked = self.form.cleaned_data
        key: int | None = asked.get("key")
        first, end = self._ids()
        return Wanted(
            status=RESULTS.get(asked.get("status", "")),
            model=asked.get("model", ""),
            vendor=asked.get("vendor", ""),
            tag=asked.get("tag", ""),
            end_users=self.end_users,
            key_ids=_among(key, visible),
            since=first,
            before=min(filter(None, (end, self.before)), default=None),
        )

    def _ids(self) -> tuple[uuid.UUID | None, uuid.UUID | None]:
        """Return the first id that may be shown, and the first beyond."""
        asked = self.form.cleaned_data
        since, until = asked.get("since"), asked.get("until")
        firsts = [_bound(since)] if since else []
        ends = [_bound(until + DAY)] if until and until < dt.date.max else []
        if digits := asked.get("q", ""):
            firsts.append(uuid.UUID(digits.ljust(32, "0")))
            last = uuid.UUID(digits.ljust(32, "f")).int
            ends += [uuid.UUID(int=last + 1)] if last + 1 < 1 << 128 else []
        return max(firsts, default=None), min(ends, default=None)


def _bound(day: dt.date) -> uuid.UUID:
    # Ids count from 1970 on.
    return bound(max(day, dt.date(1970, 1, 1)))


def _among(key: int | None, visible: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if key is None:
        return visible
    return (key,) if visible is None or key in visible else ()


def read(query: QueryDict) -> Filters:
    """Read the filters of a URL."""
    form = Form(query)
    form.is_valid()
    try:
        before = uuid.UUID(query.get("before", ""))
    except ValueError:
        before = None
    end_users = [text for text in query.get("user", "").split(",") if _DIGEST(text)]
    return Filters(form=form, end_users=tuple(end_users[:DIGESTS_MAX]), before=before)
