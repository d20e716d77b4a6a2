"""Receipts and credit notes, as they were issued."""

from typing import Any

from django.http import Http404

from accounts import roles
from bananarouter.pages.billing import amounts, words
from bananarouter.pages.shell import Page
from billing.models import Receipt
from billing.payments import receipts

PAGE_ROWS = 50


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


class Paper(Page):
    """One receipt or credit note, ready to be printed."""

    template_name = "billing/receipt.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = Receipt.objects.filter(
            number=self.kwargs["receipt_number"], account_id__in=self.account_ids
        ).first()
        if row is None:
            raise Http404
        return super().get_context_data(tab="receipts", paper=paper(row), **kwargs)


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
