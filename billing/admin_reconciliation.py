"""Staff's desk for processors' statements: what does not fit, and what clearing holds."""

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from accounts.admin_decisions import Decisions, Facts, Refused, Tool, actor
from billing.admin_tables import ReadOnly, display_minor, display_nano, minor
from billing.models import LedgerEntry, Processor, StatementImport, StatementRow
from billing.money import decimal_usd
from billing.payments import clearing_report, staff_queue

MAY_RESOLVE = "billing.change_statementrow"
MAY_WRITE_OFF = "billing.write_off_statementrow"
MAY_SEE = "billing.view_statementrow"
Resolution = StatementRow.Resolution
MONTH_HEAD = ("processor", "currency", "kind", "held")
POSTING_HEAD = ("at", "kind", "ref", "actor", "held")
POSTINGS_SHOWN = 500
_UNRESOLVED = {
    "resolved": "It left the queue before.",
    "resolution": "This is no decision for such a line.",
    "case": "Its payment has a case of suspense already: decide there.",
}


class MonthForm(forms.Form):
    """Which month of clearing, and whose."""

    month = forms.RegexField(
        r"\A2[0-9]{3}-(0[1-9]|1[0-2])\Z", widget=forms.DateInput(attrs={"type": "month"})
    )
    processor = forms.ChoiceField(
        required=False, choices=[("", "All processors"), *Processor.choices]
    )

    def first_day(self) -> dt.date:
        """Return the first day of a valid form's month."""
        return dt.date.fromisoformat(f"{self.cleaned_data['month']}-01")


@admin.register(StatementImport)
class StatementImportAdmin(ReadOnly):
    """Which days of the processors' statements were read, and the months of clearing."""

    change_list_template = "admin/statement_imports.html"
    list_display = ("day", "processor", "rows", "imported_at")
    list_filter = ("processor", "day")
    search_fields = ("processor",)
    ordering = ("-day", "processor")
    exclude = ("sha256",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("clearing/", view(self.clearing), name="billing_clearing"),
            path("clearing/<str:processor>/<str:currency>/<str:month>/", view(self.postings),
                 name="billing_clearing_postings"),
            *super().get_urls(),
        ]  # fmt: skip

    def clearing(self, request: HttpRequest) -> HttpResponse:
        """Show what clearing held in a month, by processor and currency; as CSV, too."""
        _check_reader(request)
        this = f"{timezone.now():%Y-%m}"
        asked = {"month": this, "processor": ""} | request.GET.dict()
        form = MonthForm(asked)
        rows = _months(form) if form.is_valid() else []
        if request.GET.get("format") == "csv" and form.is_valid():
            return _csv(f"clearing-{asked['month']}", MONTH_HEAD, _month_lines(rows))
        context = {
            **self.admin_site.each_context(request),
            "title": "Clearing",
            "opts": self.opts,
            "form": form,
            "month": asked["month"],
            "query": urlencode({name: asked[name] for name in ("month", "processor")}),
            "rows": [_shown(row) for row in rows],
        }
        return TemplateResponse(request, "admin/clearing.html", context)

    def postings(
        self, request: HttpRequest, processor: str, currency: str, month: str
    ) -> HttpResponse:
        """Show what moved a month's clearing, posting by posting; as CSV, too."""
        _check_reader(request)
        form = MonthForm({"month": month, "processor": processor})
        if not form.is_valid() or not processor or not currency.isalpha():
            raise Http404
        entries = clearing_report.postings(processor, currency, form.first_day())
        if kind := request.GET.get("kind", "")[:24]:
            entries = entries.filter(transaction__kind=kind)
        if request.GET.get("format") == "csv":
            name = f"clearing-{processor}-{currency}-{month}"
            return _csv(name, POSTING_HEAD, (_line(one) for one in entries.iterator()))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{Processor(processor).label} {currency}, {month}",
            "opts": self.opts,
            "month": month,
            "kind": kind,
            "entries": [(one, display_nano(-one.amount_nusd, currency))
                        for one in entries[:POSTINGS_SHOWN]],
            "is_cut": entries.count() > POSTINGS_SHOWN,
        }  # fmt: skip
        return TemplateResponse(request, "admin/clearing_postings.html", context)


def _check_reader(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY_SEE):
        raise PermissionDenied


def _months(form: MonthForm) -> list[clearing_report.Clearing]:
    wanted = form.cleaned_data["processor"]
    found = clearing_report.of_month(form.first_day())
    return [row for row in found if wanted in ("", row.processor)]


def _shown(row: clearing_report.Clearing) -> dict[str, Any]:
    """Return a month of clearing as people read it: positive is what the processor holds."""
    return {
        "processor": row.processor,
        "name": Processor(row.processor).label,
        "currency": row.currency,
        "opening": display_nano(-row.opening, row.currency),
        "closing": display_nano(-row.closing, row.currency),
        "is_zero": row.is_zero,
        "kinds": [
            (kind, display_nano(-amount, row.currency))
            for kind, amount in sorted(row.by_kind.items())
        ],
        "waiting": staff_queue.open_rows(row.processor).count(),
    }


def _month_lines(rows: Sequence[clearing_report.Clearing]) -> Iterator[Sequence[str]]:
    for row in rows:
        ends = (("opening", row.opening), *sorted(row.by_kind.items()), ("closing", row.closing))
        for kind, amount in ends:
            yield row.processor, row.currency, kind, decimal_usd(-amount)


def _line(entry: LedgerEntry) -> Sequence[str]:
    posting = entry.transaction
    at = posting.created_at.isoformat()
    return at, posting.kind, posting.ref, posting.actor, decimal_usd(-entry.amount_nusd)


def _csv(name: str, head: Sequence[str], lines: Iterable[Sequence[str]]) -> HttpResponse:
    """Return a file of lines; nothing in it is a formula, since no text is a stranger's."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(answer)
    writer.writerow(head)
    writer.writerows(lines)
    return answer


class ResolveForm(forms.Form):
    """How a line leaves the queue; what there is to choose depends on the line."""

    resolution = forms.ChoiceField(label="Decision", widget=forms.RadioSelect)
    note = forms.CharField(label="Why", max_length=400, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, choices: Sequence[Resolution], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["resolution"]).choices = [
            (one.value, one.label) for one in choices
        ]


@admin.register(StatementRow)
class StatementRowAdmin(Decisions):
    """Lines of the processors' statements, and what they are to us: what waits comes first."""

    list_display = ("day", "processor", "kind", "verdict", "amount", "fee", "status", "order_ref",
                    "payment_ref", "resolution", "resolved_by", "resolved_at")  # fmt: skip
    list_filter = ("verdict", "processor", "kind", "resolution",
                   ("resolved_at", admin.EmptyFieldListFilter), "day")  # fmt: skip
    search_fields = ("=row_ref", "=order_ref", "=payment_ref")
    amount, fee = minor("amount_minor", "amount"), minor("fee_minor", "fee")

    def get_queryset(self, request: HttpRequest) -> QuerySet[StatementRow]:
        rows: QuerySet[StatementRow] = super().get_queryset(request)
        waits = Q(resolved_at=None) & ~Q(verdict__in=staff_queue.GOOD)
        first = Case(When(waits, then=Value(0)), default=Value(1), output_field=IntegerField())
        return rows.order_by(first, "-day", "-pk")

    def tools(self, request: HttpRequest, row: StatementRow) -> list[Tool]:
        choices = staff_queue.fitting(row)
        if not request.user.has_perm(MAY_WRITE_OFF):
            choices = [one for one in choices if one != Resolution.WRITTEN_OFF]
        return [
            Tool(slug="resolve", name="Decide", form=partial(ResolveForm, choices=choices),
                 use=self._resolve, permission=MAY_RESOLVE, is_offered=staff_queue.is_open(row))
        ]  # fmt: skip

    def _resolve(self, request: HttpRequest, row: StatementRow, said: dict[str, Any]) -> None:
        try:
            staff_queue.resolve(
                row, said["resolution"], actor=actor(request), note=said["note"],
                now=timezone.now(),
            )  # fmt: skip
        except staff_queue.CannotResolve as refusal:
            raise Refused(_UNRESOLVED[refusal.rule], field="resolution") from refusal
        self.message_user(request, "The line left the queue.", messages.SUCCESS)

    def facts(self, row: StatementRow) -> Facts:
        differences = [
            display_minor(amount, currency)
            for currency, amount in staff_queue.difference(row).items()
        ]
        return [
            ("Verdict", row.get_verdict_display()),
            ("Line", f"{row.get_kind_display()} of {row.day} at {row.get_processor_display()}"),
            ("Amount", display_minor(row.amount_minor, row.currency)),
            ("Order", row.order_ref or "-"),
            ("Payment", row.payment_ref or "-"),
            ("The processor holds more by", ", ".join(differences) or "nothing"),
        ]
