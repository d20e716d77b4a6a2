"""Monthly statements: an account's month in the ledger, locked once issued."""

import datetime as dt
from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from accounts import roles
from bananarouter.pages.billing import files
from bananarouter.pages.shell import Page, Private
from billing.models import MonthlyStatement
from billing.payments import papers, sheets, statements

MONTHS_MAX = 120


class Statements(Page):
    """The account's months, newest first, and the one that runs."""

    template_name = "billing/months.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = MonthlyStatement.objects.filter(account=self.account).order_by("-month")
        return super().get_context_data(
            tab="months",
            rows=list(rows[:MONTHS_MAX]),
            current=statements.so_far(self.account.pk, now=timezone.now()),
            **kwargs,
        )


class OneMonth(Private):
    """A view of one issued statement."""

    needs = roles.may_see_money

    @cached_property
    def row(self) -> MonthlyStatement:
        """The statement of the account looked at. Raises: Http404."""
        try:
            month = dt.datetime.strptime(self.kwargs["month"], "%Y-%m").replace(tzinfo=dt.UTC)
        except ValueError:
            raise Http404 from None
        found = MonthlyStatement.objects.filter(account=self.account, month=month.date()).first()
        if found is None:
            raise Http404
        return found


class Statement(OneMonth, Page):
    """One month, ready to be printed: its sums are the ledger's."""

    template_name = "billing/month.html"
    nav = "billing"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sums = statements.of(self.row)
        return super().get_context_data(
            row=self.row,
            opening_nusd=sums.opening_nusd,
            closing_nusd=sums.closing_nusd,
            sums=[(sheets.kind_name(kind), amount) for kind, amount in sums.by_kind.items()],
            **kwargs,
        )


class StatementPdf(OneMonth):
    """The statement as PDF, in the reader's language."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:  # noqa: ARG002
        return files.download(
            papers.pdf(sheets.statement(self.row)), f"statement-{self.row.month:%Y-%m}.pdf"
        )


class StatementCsv(OneMonth):
    """Every posting of the month as CSV."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:  # noqa: ARG002
        lines = statements.all_lines(self.account.pk, self.row.month)
        text = papers.csv_text(sheets.line_rows(lines))
        return files.download(text.encode(), f"statement-{self.row.month:%Y-%m}.csv")
