"""Receipts and credit notes, as they were issued: pages, PDF and CSV."""

from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from accounts import roles
from bananarouter.pages.billing import amounts, files, words
from bananarouter.pages.shell import Page, Private
from billing.models import Receipt
from billing.payments import papers, receipts, sheets

PAGE_ROWS = 50
CSV_ROWS_MAX = 10_000


class Receipts(Page):
    """The account's papers, newest first."""

    template_name = "billing/receipts.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        papers = Receipt.objects.filter(account=self.account).order_by("-issued_at", "-pk")
        before = self.request.GET.get("before", "")
        if before.isdecimal() and len(before) < 19:
            papers = papers.filter(pk__lt=int(before)).order_by("-pk")
        rows = list(papers[: PAGE_ROWS + 1])
        return super().get_context_data(
            tab="receipts",
            rows=[paper(row) for row in rows[:PAGE_ROWS]],
            older=rows[PAGE_ROWS - 1].pk if len(rows) > PAGE_ROWS else None,
            is_first=not before,
            **kwargs,
        )


class OnePaper(Private):
    """A view of one receipt or credit note."""

    needs = roles.may_see_money

    @cached_property
    def row(self) -> Receipt:
        """The paper. Raises: Http404, also for another's."""
        found = Receipt.objects.filter(
            number=self.kwargs["receipt_number"], account_id__in=self.account_ids
        ).first()
        if found is None:
            raise Http404
        return found


class Paper(OnePaper, Page):
    """One paper, ready to be printed."""

    template_name = "billing/receipt.html"
    nav = "billing"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(paper=paper(self.row), **kwargs)


class PaperPdf(OnePaper):
    """The paper as PDF, in the reader's language."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:  # noqa: ARG002
        pdf = papers.pdf(sheets.receipt(receipts.facts(self.row)))
        return files.download(pdf, f"{self.row.number}.pdf")


class PaperCsv(OnePaper):
    """The paper as CSV."""

    def get(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:  # noqa: ARG002
        text = papers.csv_text(sheets.receipt_rows([receipts.facts(self.row)]))
        return files.download(text.encode(), f"{self.row.number}.csv")


class ReceiptsCsv(Private):
    """All papers of the account as CSV, newest first, up to a limit."""

    needs = roles.may_see_money

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        rows = Receipt.objects.filter(account=self.account).order_by("-issued_at", "-pk")
        found = (receipts.facts(row) for row in rows[:CSV_ROWS_MAX])
        return files.download(papers.csv_text(sheets.receipt_rows(found)).encode(), "receipts.csv")


def paper(row: Receipt) -> dict[str, Any]:
    """Return what a paper shows."""
    facts = receipts.facts(row)
    sign = amounts.SIGNS.get(facts.currency, f"{facts.currency} ")
    return {
        "row": row,
        "facts": facts,
        "name": words.PAPERS[row.kind],
        "processor": words.PROCESSORS[facts.processor],
        "net": sign + facts.net,
        "tax": sign + facts.tax,
        "total": sign + facts.total,
        "rate": sign + facts.rate if facts.rate else "",
    }
