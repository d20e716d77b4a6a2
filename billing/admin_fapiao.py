"""Staff's desk for fapiao: issued or refused, red-letter ones after refunds."""

import datetime as dt
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin_decisions import Decisions, Facts, Refused, Tool, actor
from billing.admin_tables import display_minor
from billing.models import FapiaoRequest
from billing.payments import fapiao

MAY_ANSWER = "billing.change_fapiaorequest"
State = FapiaoRequest.State
WAITING = (State.ASKED, State.RED_ASKED)
ISSUE, REFUSE = "issue", "refuse"
_FIELD_WORDS = {
    "number": "A fapiao's number has 8 to 20 digits.",
    "issued_on": "It is after today, or before the payment.",
    "file_ref": f"Up to {fapiao.FILE_REF_MAX} characters.",
    "note": "Write why; the payer reads it.",
}
_IMPOSSIBLE = {
    "refunded": "Nothing of the order is left: the money went back.",
    "not_paid": "The order is not paid, or a dispute holds its money.",
    "currency": "Only orders in yuan have a fapiao.",
}


class PaperForm(forms.Form):
    """What was issued in the tax office's system."""

    number = forms.CharField(max_length=40, required=False)
    issued_on = forms.DateField(
        label="Date", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    file_ref = forms.CharField(
        label="File", max_length=fapiao.FILE_REF_MAX, required=False,
        help_text="Where its file lies: a name or number in the archive.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if self.is_issued():
            for name in ("number", "issued_on"):
                if not said.get(name) and name not in self.errors:
                    self.add_error(name, "This field is required.")
        return said

    def is_issued(self) -> bool:
        """Tell whether the form says that a paper was issued."""
        return True


class AnswerForm(PaperForm):
    """Whether a request is granted."""

    answer = forms.ChoiceField(
        widget=forms.RadioSelect,
        choices=[(ISSUE, "It is issued"), (REFUSE, "It cannot be issued")],
    )
    note = forms.CharField(
        label="Why not", max_length=fapiao.NOTE_MAX, required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Only when it cannot be issued. The payer reads it.",
    )  # fmt: skip
    field_order = ("answer", "number", "issued_on", "file_ref", "note")

    def is_issued(self) -> bool:
        return self.cleaned_data.get("answer") == ISSUE


@admin.register(FapiaoRequest)
class FapiaoRequestAdmin(Decisions):
    """Chinese tax invoices that accounts asked for: those that wait come first."""

    list_display = ("created_at", "state", "order", "title", "fapiao_number", "fapiao_date",
                    "red_number", "red_date", "answered_by")  # fmt: skip
    list_filter = ("state", "created_at")
    search_fields = ("=order__id", "title", "=tax_number", "=fapiao_number", "=red_number")
    list_select_related = ("order",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[FapiaoRequest]:
        rows: QuerySet[FapiaoRequest] = super().get_queryset(request)
        done = Case(When(state__in=WAITING, then=Value(0)), default=Value(1),
                    output_field=IntegerField())  # fmt: skip
        return rows.order_by(done, "updated_at")

    def tools(self, request: HttpRequest, row: FapiaoRequest) -> list[Tool]:  # noqa: ARG002
        form = PaperForm if row.state in (State.RED_ASKED, State.RED_ISSUED) else AnswerForm
        today = timezone.localdate(timezone=dt.timezone(dt.timedelta(hours=8)))
        return [
            Tool(slug="answer", name="Answer", form=partial(form, initial={"issued_on": today}),
                 use=self._answer, permission=MAY_ANSWER, is_offered=row.state in WAITING)
        ]  # fmt: skip

    def _answer(self, request: HttpRequest, row: FapiaoRequest, said: dict[str, Any]) -> None:
        try:
            done = _answer(row, said, actor=actor(request), now=timezone.now())
        except fapiao.BadField as error:
            raise Refused(_FIELD_WORDS[error.field], field=error.field) from error
        except fapiao.NotPossible as error:
            raise Refused(_IMPOSSIBLE[error.code]) from error
        except fapiao.WrongState as error:
            raise Refused("It was answered before, or withdrawn.") from error
        self.message_user(request, f"The request is {done.state}.", messages.SUCCESS)

    def facts(self, row: FapiaoRequest) -> Facts:
        found = [
            ("Amount", display_minor(fapiao.amount_minor(row.order), row.order.currency)),
            ("Title", row.title),
            ("Taxpayer number", row.tax_number or "- (a person)"),
            ("Order", str(row.order)),
        ]
        if row.fapiao_number:
            found.append(("Reverses fapiao", f"{row.fapiao_number} of {row.fapiao_date}"))
        return found


def _answer(
    row: FapiaoRequest, said: dict[str, Any], *, actor: str, now: dt.datetime
) -> FapiaoRequest:
    """Carry out what a form says. Raises: fapiao.BadField, NotPossible, WrongState."""
    if said.get("answer") == REFUSE:
        return fapiao.refuse(row, said["note"], actor=actor, now=now)
    paper = fapiao.Paper(
        number=said["number"], issued_on=said["issued_on"], file_ref=said["file_ref"]
    )
    issue = fapiao.issue if "answer" in said else fapiao.issue_red
    return issue(row, paper, actor=actor, now=now)
