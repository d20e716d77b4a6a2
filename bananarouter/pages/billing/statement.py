"""The balance line by line, as a bank would show it; each line leads to what it is for."""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from accounts.timeids import moment
from bananarouter.pages import sheets
from bananarouter.pages.billing import words
from bananarouter.pages.billing.numbers import read_hex
from bananarouter.pages.shell import Page, Private, of
from billing.models import Charge, Dispute, LedgerAccount, LedgerEntry, Refund, Wallet
from billing.money import decimal_usd

PAGE_ROWS = 50
CSV_ROWS_MAX = 10_000
REQUESTS_MAX = 200
CSV_COLUMNS = ("time", "line", "kind", "reference", "amount_usd", "balance_usd")
# What a posting's reference begins with, by its kind.
_OF_ORDERS = frozenset({"top_up", "recovery"})
_OF_REFUNDS = frozenset({"refund", "refund_back"})
_OF_DISPUTES = frozenset({"dispute", "dispute_back"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of the wallet, and where it leads."""

    entry_id: int
    at: dt.datetime
    kind: str
    ref: str
    amount_nusd: int
    # After this line.
    balance_nusd: int
    order_number: str = ""

    @property
    def text(self) -> words.Words:
        return words.posting(self.kind)

    @property
    def href(self) -> str:
        """Its order, its request, or a page of its own."""
        if self.order_number:
            return reverse("billing_order", args=[self.order_number])
        request_id = read_hex(self.ref) if self.kind == "correction" else None
        if request_id is not None:
            return reverse("request", args=[request_id])
        return reverse("billing_line", args=[self.entry_id])


def _entries(account_id: int) -> QuerySet[LedgerEntry]:
    """Return the entries of an account's wallet, newest first. One query now."""
    kind = LedgerAccount.Kind.WALLET
    pk = LedgerAccount.objects.filter(kind=kind, owner=account_id).values_list("pk", flat=True)
    return (
        LedgerEntry.objects.filter(account_id=pk.first())
        .select_related("transaction")
        .order_by("-pk")
    )


def _total(entries: QuerySet[LedgerEntry]) -> int:
    return entries.order_by().aggregate(total=Sum("amount_nusd"))["total"] or 0


def _lines(rows: Sequence[LedgerEntry], *, balance_nusd: int) -> list[Line]:
    """Turn entries into lines; `balance_nusd` stands after the first, which is the newest."""
    numbers = _order_numbers(rows)
    found = []
    for row in rows:
        posting = row.transaction
        found.append(
            Line(
                entry_id=row.pk,
                at=posting.created_at,
                kind=posting.kind,
                ref=posting.ref,
                amount_nusd=row.amount_nusd,
                balance_nusd=balance_nusd,
                order_number=numbers.get(posting.ref, ""),
            )
        )
        balance_nusd -= row.amount_nusd
    return found


def _order_numbers(rows: Sequence[LedgerEntry]) -> Mapping[str, str]:
    """Return the order's number by the reference of each posting that is about an order."""
    found: dict[str, str] = {}
    refunds: dict[str, uuid.UUID] = {}
    disputes: dict[str, int] = {}
    for posting in (row.transaction for row in rows):
        kind, head = posting.kind, posting.ref
        if kind == "recovery" and ":" in head:  # from the credit of another posting
            kind, _, head = head.partition(":")
        head = head.partition(".")[0]
        if kind in _OF_ORDERS and read_hex(head):
            found[posting.ref] = head
        elif kind in _OF_REFUNDS and (refund_id := read_hex(head)):
            refunds[posting.ref] = refund_id
        elif kind in _OF_DISPUTES and head.isdecimal():
            disputes[posting.ref] = int(head)
    return found | _named(Refund, refunds) | _named(Dispute, disputes)


def _named(model: type[Refund | Dispute], refs: Mapping[str, Any]) -> dict[str, str]:
    """Return the number of the order of each refund or dispute, by reference."""
    if not refs:
        return {}
    rows = model.objects.filter(pk__in=set(refs.values())).values_list("pk", "order_id")
    orders = dict(rows)
    return {ref: orders[pk].hex for ref, pk in refs.items() if pk in orders}


class Statement(Page):
    """The lines, and how they come to the balance of now."""

    template_name = "billing/statement.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        entries = _entries(self.account.pk)
        before = self.request.GET.get("before", "")
        wallet = Wallet.objects.filter(pk=self.account.pk).first() or Wallet()
        posted_nusd = wallet.credit_nusd - wallet.debit_nusd
        top_nusd = posted_nusd
        page = entries
        if before.isdecimal() and len(before) < 19:
            page = entries.filter(pk__lt=int(before))
            top_nusd -= _total(entries.filter(pk__gte=int(before)))
        rows = list(page[: PAGE_ROWS + 1])
        balance = of(self.request).balance
        spent_nusd = balance.spent_nusd - wallet.debit_nusd if balance else 0
        return super().get_context_data(
            tab="statement",
            lines=_lines(rows[:PAGE_ROWS], balance_nusd=top_nusd),
            older=rows[PAGE_ROWS - 1].pk if len(rows) > PAGE_ROWS else None,
            is_first=page is entries,
            posted_nusd=posted_nusd,
            unposted_nusd=-spent_nusd,
            in_flight_nusd=-balance.in_flight_nusd if balance else 0,
            reserved_nusd=-balance.reserved_nusd if balance else 0,
            csv_rows_max=CSV_ROWS_MAX,
            **kwargs,
        )


class StatementCsv(Private):
    """The newest lines as CSV, amounts exact."""

    needs = roles.may_see_money

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        name = f"balance-{timezone.now():%Y-%m-%d}.csv"
        return sheets.response(name, CSV_COLUMNS, self._rows())

    def _rows(self) -> Iterator[Sequence[object]]:
        entries = _entries(self.account.pk)
        rows = list(entries[:CSV_ROWS_MAX])
        wallet = Wallet.objects.filter(pk=self.account.pk).first() or Wallet()
        top_nusd = wallet.credit_nusd - wallet.debit_nusd
        for line in _lines(rows, balance_nusd=top_nusd):
            yield (
                line.at,
                line.text,
                line.kind,
                line.order_number or line.ref,
                decimal_usd(line.amount_nusd),
                decimal_usd(line.balance_nusd),
            )


class OneLine(Page):
    """What one line of the statement stands for: the requests that it paid."""

    template_name = "billing/line.html"
    nav = "billing"
    needs = roles.may_see_money

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        entry = _entries(self.account.pk).filter(pk=self.kwargs["entry_id"]).first()
        if entry is None:
            raise Http404
        line = _lines([entry], balance_nusd=0)[0]
        is_lease = line.kind == "lease" and line.ref.isdecimal()
        charges = list(self._charges(int(line.ref))) if is_lease else []
        return super().get_context_data(
            line=line,
            is_lease=is_lease,
            charges=[(one.request_id, moment(one.request_id), one.cost_nusd) for one in charges],
            is_cut=len(charges) == REQUESTS_MAX,
            **kwargs,
        )

    def _charges(self, lease_id: int) -> QuerySet[Charge]:
        rows = Charge.objects.filter(lease_id=lease_id, wallet_id=self.account.pk, cost_nusd__gt=0)
        return rows.order_by("-request_id")[:REQUESTS_MAX]
